//! The table of keys: what a key is, and the macro that makes the sections' types, their
//! defaults and the table from one declaration. Knows no key.

use toml::Spanned;
use toml::de::DeValue;

use crate::Config;
use crate::form::{Form, Format};

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section and name, with a dot between them.
    pub path: &'static str,
    /// What it is for: the lines of its documentation.
    pub doc: &'static [&'static str],
    /// Whether a running daemon takes over a new value on SIGHUP.
    pub reloads: bool,
    /// What it takes.
    pub form: fn() -> Form,
    /// Reads a value into the configuration; whether it fits.
    pub set: fn(&mut Config, Spanned<DeValue<'_>>) -> bool,
    /// Writes the value as it stands in a file.
    pub get: fn(&Config) -> String,
    /// Copies the value from the second configuration to the first.
    pub copy: fn(&mut Config, &Config),
}

impl Key {
    /// The key's name in its section.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// A section and its keys.
#[derive(Debug)]
pub struct Section {
    /// Its name in the file.
    pub name: &'static str,
    /// What it is for: the lines of its documentation.
    pub doc: &'static [&'static str],
    /// Its keys, in the order of the example.
    pub keys: &'static [Key],
}

/// Names the type of the values that are read and written.
pub(crate) fn as_format<T>(format: Format<T>) -> Format<T> {
    format
}

/// `KEY: TYPE = DEFAULT, FORM, RELOADS;` in `SECTION: TYPE { .. }`, each below its
/// documentation.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])*
        $section:ident: $Section:ident {$(
            $(#[doc = $doc:literal])*
            $key:ident: $type:ty = $default:expr, $form:expr, $reloads:expr;
        )*}
    )*) => {
        /// Everything that can be configured, checked. `Config::default()` is what a system
        /// service gets without a file; [`Config::defaults`] what another environment gets.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {$(
            $(#[doc = $about])*
            pub $section: $Section,
        )*}

        $(
            $(#[doc = $about])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $Section {$(
                $(#[doc = $doc])*
                pub $key: $type,
            )*}
        )*

        impl Config {
            /// The defaults, without the paths that the environment decides.
            pub(crate) fn without_paths() -> Config {
                Config {$( $section: $Section {$( $key: $default, )*}, )*}
            }
        }

        /// Every section with its keys, in the order of the example.
        pub static SECTIONS: &[Section] = &[$( Section {
            name: stringify!($section),
            doc: &[$($about),*],
            keys: &[$( Key {
                path: concat!(stringify!($section), ".", stringify!($key)),
                doc: &[$($doc),*],
                reloads: $reloads,
                form: || as_format::<$type>($form).form,
                set: |config, value| match as_format::<$type>($form).read(value) {
                    Some(value) => {
                        config.$section.$key = value;
                        true
                    }
                    None => false,
                },
                get: |config| as_format::<$type>($form).write(&config.$section.$key),
                copy: |to, from| to.$section.$key = from.$section.$key.clone(),
            }, )*],
        }, )*];
    };
}

pub(crate) use settings;
