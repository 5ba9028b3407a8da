//! What a value looks like: how it is read, written, and described. Knows no key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize, Serialize, de};
use toml::de::DeValue;
use toml::{Spanned, Value};

use tetherd_api::SOCKET_PATH_BYTES_MAX;

use crate::hours::{ENTRIES_MAX, HoursEntry, WeekHours};
use crate::value::{
    ClientVersion, Level, format_duration, format_size, parse_duration, parse_size,
};

/// What stands for no duration at all.
const OFF: &str = "off";
/// Most networks in one list.
const NETWORKS_MAX: usize = 64;
/// Longest name of a device or group, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The modules that `log.modules` can name; `store::commit` names a part of one.
pub const LOG_MODULES: [&str; 12] = [
    "api", "config", "core", "ctl", "daemon", "fetch", "inbox", "net", "sim", "spool", "store",
    "whatsapp",
];

/// What a key takes, in words.
#[derive(Clone, Debug)]
pub struct Form {
    /// To stand after "Write": `a number from 1 to 60`.
    pub text: String,
    /// A sentence that helps whoever wrote something else; may be empty.
    pub hint: &'static str,
    /// The only values, if it takes one of a few names.
    pub names: &'static [&'static str],
    /// Of a list: what one of its texts looks like.
    pub element: Option<Element>,
}

/// What a text in a list looks like.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// To stand after "Write": `days and times`.
    pub text: &'static str,
    /// Whether a text is one.
    pub fits: fn(&str) -> bool,
}

type Read<T> = Box<dyn Fn(Spanned<DeValue<'_>>) -> Option<T>>;
type Write<T> = Box<dyn Fn(&T) -> Value>;

/// A [`Form`], with the functions that read and write a value of it.
pub(crate) struct Format<T> {
    pub(crate) form: Form,
    read: Read<T>,
    write: Write<T>,
}

impl<T: 'static> Format<T> {
    /// Reads a value; none: it does not fit.
    pub(crate) fn read(&self, value: Spanned<DeValue<'_>>) -> Option<T> {
        (self.read)(value)
    }

    /// Writes a value as it stands in a file.
    pub(crate) fn write(&self, value: &T) -> String {
        (self.write)(value).to_string()
    }

    /// The same, described as another.
    pub(crate) fn described_as(mut self, other: Format<T>) -> Self {
        self.form = other.form;
        self
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.form.hint = hint;
        self
    }

    /// A text, in quotes.
    fn text(
        text: impl Into<String>,
        read: impl Fn(&str) -> Option<T> + 'static,
        write: impl Fn(&T) -> String + 'static,
    ) -> Self {
        let form = Form { text: text.into(), hint: "", names: &[], element: None };
        let read = move |value: Spanned<DeValue<'_>>| read(value.get_ref().as_str()?);
        Format { form, read: Box::new(read), write: Box::new(move |it| Value::String(write(it))) }
    }
}

impl<T: DeserializeOwned + Serialize + 'static> Format<T> {
    /// What serde makes of the type, where it fits.
    fn serde(text: impl Into<String>, fits: impl Fn(&T) -> bool + 'static) -> Self {
        let form = Form { text: text.into(), hint: "", names: &[], element: None };
        let read = move |value: Spanned<DeValue<'_>>| {
            T::deserialize(value.into_deserializer()).ok().filter(&fits)
        };
        let write = |value: &T| Value::try_from(value).unwrap_or(Value::String(String::new()));
        Format { form, read: Box::new(read), write: Box::new(write) }
    }
}

pub(crate) fn switch() -> Format<bool> {
    Format::serde("true or false", |_| true)
}

pub(crate) fn number<T>(min: T, max: T) -> Format<T>
where
    T: DeserializeOwned + Serialize + PartialOrd + Display + 'static,
{
    Format::serde(format!("a number from {min} to {max}"), move |it| (&min..=&max).contains(&it))
}

/// One of the names of an enum's variants.
pub(crate) fn one_of<T: DeserializeOwned + Serialize + 'static>() -> Format<T> {
    let names = variants::<T>();
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let text = match quoted.as_slice() {
        [one, other] => format!("{one} or {other}"),
        more => format!("one of {}", more.join(", ")),
    };
    let mut format = Format::serde(text, |_| true);
    format.form.names = names;
    format
}

/// The names that an enum's variants have for serde: it lists them when it refuses another.
fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    #[derive(Debug, thiserror::Error)]
    #[error("not a variant")]
    struct Expected(&'static [&'static str]);

    impl de::Error for Expected {
        fn custom<M: Display>(_: M) -> Self {
            Expected(&[])
        }

        fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
            Expected(expected)
        }
    }

    match T::deserialize(StrDeserializer::<Expected>::new("")) {
        Ok(_) => &[],
        Err(Expected(names)) => names,
    }
}

pub(crate) fn duration(min: Duration, max: Duration) -> Format<Duration> {
    let text = format!("a duration from {:?} to {:?}", format_duration(min), format_duration(max));
    let read = move |text: &str| {
        parse_duration(text).ok().filter(|duration| (min..=max).contains(duration))
    };
    Format::text(text, read, |duration| format_duration(*duration))
        .hint("It is a number and a unit (ms, s, m, h, d), such as \"120s\" or \"1h30m\".")
}

/// A duration, or none. No duration at all is none too, where the limits allow it.
pub(crate) fn duration_or_off(min: Duration, max: Duration) -> Format<Option<Duration>> {
    let Format { form, read, write } = duration(min, max);
    let read = move |value: Spanned<DeValue<'_>>| match value.get_ref().as_str() {
        Some(OFF) => Some(None),
        Some(_) | None => read(value).map(|duration| Some(duration).filter(|it| !it.is_zero())),
    };
    let write = move |duration: &Option<Duration>| match duration {
        Some(duration) => write(duration),
        None => Value::String(OFF.to_owned()),
    };
    let form = Form { text: format!("{}, or {OFF:?}", form.text), ..form };
    Format { form, read: Box::new(read), write: Box::new(write) }
}

pub(crate) fn size(max: u64) -> Format<u64> {
    let text = format!("a size up to {:?}", format_size(max));
    let read = move |text: &str| parse_size(text).ok().filter(|bytes| *bytes <= max);
    Format::text(text, read, |bytes| format_size(*bytes))
        .hint("It is a number and a unit (B, KiB, MiB, GiB, or kB, MB, GB), such as \"16MiB\".")
}

fn read_path(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text)).filter(|path| path.is_absolute())
}

fn write_path(path: &Path) -> String {
    path.display().to_string()
}

const PATH_HINT: &str = "It begins with /; ~ and variables are not expanded.";

pub(crate) fn path() -> Format<PathBuf> {
    Format::text("an absolute path", read_path, |path| write_path(path)).hint(PATH_HINT)
}

pub(crate) fn socket_path() -> Format<PathBuf> {
    let fits = |path: &PathBuf| path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX;
    let text = format!("an absolute path of at most {SOCKET_PATH_BYTES_MAX} bytes");
    Format::text(text, move |text| read_path(text).filter(fits), |path| write_path(path))
        .hint(PATH_HINT)
}

/// A text that means none when it is empty.
fn optional<T: 'static>(
    text: &str,
    read: impl Fn(&str) -> Option<T> + 'static,
    write: impl Fn(&T) -> String + 'static,
) -> Format<Option<T>> {
    let read = move |text: &str| if text.is_empty() { Some(None) } else { read(text).map(Some) };
    Format::text(format!("{text}, or \"\" for none"), read, move |it: &Option<T>| {
        it.as_ref().map_or_else(String::new, &write)
    })
}

pub(crate) fn optional_path() -> Format<Option<PathBuf>> {
    optional("an absolute path", read_path, |path| write_path(path)).hint(PATH_HINT)
}

pub(crate) fn group() -> Format<Option<String>> {
    let fits = |c: char| c.is_ascii_graphic() && c != ':' && c != ',';
    let is_name = move |name: &str| name.len() <= NAME_CHARS_MAX && name.chars().all(fits);
    let read = move |name: &str| is_name(name).then(|| name.to_owned());
    optional("a name from /etc/group", read, String::clone)
}

pub(crate) fn device_name() -> Format<String> {
    let fits = |name: &String| {
        (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    Format::serde(format!("1 to {NAME_CHARS_MAX} printable characters"), fits)
}

pub(crate) fn endpoint() -> Format<String> {
    let fits = |url: &String| {
        let rest = url.strip_prefix("wss://").unwrap_or_default();
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        !host.is_empty() && !host.contains('@') && url.chars().all(|c| c.is_ascii_graphic())
    };
    Format::serde("an address that begins with wss://", fits)
        .hint("Leave it out to use the network's own.")
}

pub(crate) fn client_version() -> Format<ClientVersion> {
    Format::text("three numbers with dots between them", |it| it.parse().ok(), ToString::to_string)
        .hint("Such as \"2.3000.1042742319\".")
}

pub(crate) fn networks() -> Format<Vec<IpNet>> {
    let read = |value: Spanned<DeValue<'_>>| {
        let list = Vec::<String>::deserialize(value.into_deserializer()).ok()?;
        let list: Option<Vec<IpNet>> = list.iter().map(|text| network(text)).collect();
        list.filter(|list| list.len() <= NETWORKS_MAX)
    };
    let write = |list: &Vec<IpNet>| list.iter().map(ToString::to_string).collect::<Vec<_>>().into();
    let text = format!("a list of at most {NETWORKS_MAX} networks");
    let hint = "Such as [\"10.0.0.0/8\", \"fd00::/8\"], with no bits beyond the prefix.";
    let element = Element { text: "a network", fits: |text| network(text).is_some() };
    let form = Form { text, hint, names: &[], element: Some(element) };
    Format { form, read: Box::new(read), write: Box::new(write) }
}

/// Parts of the week.
pub(crate) fn week_hours() -> Format<WeekHours> {
    let read = |value: Spanned<DeValue<'_>>| {
        let list = Vec::<String>::deserialize(value.into_deserializer()).ok()?;
        let entries: Option<Vec<_>> = list.iter().map(|text| text.parse().ok()).collect();
        WeekHours::new(entries?)
    };
    let write = |hours: &WeekHours| {
        hours.entries().iter().map(ToString::to_string).collect::<Vec<_>>().into()
    };
    let text = format!("a list of at most {ENTRIES_MAX} days and times");
    let hint = "Such as [\"Mon-Fri 08:00-18:00\", \"Sat 09:00-12:30\"].";
    let fits = |text: &str| text.parse::<HoursEntry>().is_ok();
    let element = Element { text: "a day or days, and times", fits };
    let form = Form { text, hint, names: &[], element: Some(element) };
    Format { form, read: Box::new(read), write: Box::new(write) }
}

/// A time zone that is known here.
pub(crate) fn time_zone() -> Format<Option<String>> {
    let read = |name: &str| TimeZone::get(name).is_ok().then(|| name.to_owned());
    optional("the name of a time zone", read, String::clone)
        .hint("Such as \"Europe/Berlin\", or \"UTC\".")
}

/// A network, or a single address. Bits beyond the prefix are a mistake.
fn network(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network: IpNet = text.parse().ok().or_else(single)?;
    (network == network.trunc()).then_some(network)
}

/// Levels of single modules.
pub(crate) fn levels() -> Format<BTreeMap<String, Level>> {
    let fits = |levels: &BTreeMap<String, Level>| levels.keys().all(|module| is_module(module));
    Format::serde(format!("levels of {}", LOG_MODULES.join(", ")), fits)
}

/// Whether this names one of our modules, or a part of one.
pub(crate) fn is_module(path: &str) -> bool {
    path.split("::").next().is_some_and(|module| LOG_MODULES.contains(&module))
}
