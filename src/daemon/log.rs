//! Log lines on standard error, one an event, for people or for the journal.
//!
//! Under systemd a line starts with its priority (`<6>`), and the journal adds the
//! time; elsewhere it starts with time and level. The protocol library's records
//! are off unless the configuration asks for them, because they may name people.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, reload};

use crate::daemon::clock;
use tetherd_config::Level;
use tetherd_config::settings::LogSection;

/// Other crates that say something only when it is wrong, and know nobody's name. The
/// protocol library makes up targets as it goes (`Client/Send`, `usync`), so whatever is
/// neither ours nor listed here counts as the library's.
const OTHER_CRATES: [&str; 8] = [
    "hyper",
    "hyper_util",
    "mio",
    "rustls",
    "rustls_native_certs",
    "sled",
    "tokio",
    "tokio_rustls",
];

/// Changes the levels of a running daemon.
pub struct LevelHandle(reload::Handle<Targets, Registry>);

impl LevelHandle {
    /// Takes the levels of this configuration.
    pub fn set(&self, config: &LogSection) {
        if self.0.reload(targets(config)).is_err() {
            tracing::error!("the log levels cannot be changed");
        }
    }
}

/// Starts logging. None if a logger is already set, as in a program that embeds us.
pub fn init(config: &LogSection) -> Option<LevelHandle> {
    let (filter, handle) = reload::Layer::new(targets(config));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .event_format(Line { journal: under_journal() })
        .with_filter(filter);
    tracing_subscriber::registry().with(layer).try_init().ok().map(|()| LevelHandle(handle))
}

/// systemd says so when standard error goes to the journal.
fn under_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal()
}

fn targets(config: &LogSection) -> Targets {
    let mut targets = Targets::new()
        .with_default(filter(config.library))
        .with_target("tetherd", filter(config.level));
    for (module, level) in &config.modules {
        // A module of this crate, or a crate of its own.
        for target in [format!("tetherd::{module}"), format!("tetherd_{module}")] {
            targets = targets.with_target(target, filter(*level));
        }
    }
    for target in OTHER_CRATES {
        targets = targets.with_target(target, LevelFilter::WARN);
    }
    targets
}

const fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// How a line looks.
struct Line {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            write!(writer, "{} {:<5} ", clock::time(clock::now), level.as_str())?;
        }
        // What an error or a name brings along must not end the line, or look like one of
        // another priority.
        let mut said = String::new();
        context.field_format().format_fields(Writer::new(&mut said), event)?;
        let parts: Vec<&str> =
            said.split(char::is_control).filter(|part| !part.is_empty()).collect();
        write!(writer, "{}", parts.join(" "))?;
        writeln!(writer)
    }
}

/// The journal's priorities, sd-daemon(3).
fn priority(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::ERROR => 3,
        tracing::Level::WARN => 4,
        tracing::Level::INFO => 6,
        tracing::Level::DEBUG | tracing::Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use tetherd_config::Config;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_with_its_priority_whatever_it_says() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Line { journal: true });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!("wrong:\n<0>line 2\u{1b}[31m");
            tracing::info!(id = %"m4\r\n", hold = %"paused", code = None::<u16>, "message parked");
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines, "<4>wrong: <0>line 2\\x1b[31m\n<6>message parked id=m4  hold=paused\n");
    }

    #[test]
    fn invariant_9_what_is_neither_ours_nor_a_known_crate_counts_as_the_library() {
        let mut config = Config::default().log;
        config.level = Level::Trace;
        let quiet = targets(&config);
        for target in ["whatsapp_rust::client", "wacore", "Client/Send", "usync", "log"] {
            assert!(!quiet.would_enable(target, &tracing::Level::ERROR), "{target}");
        }
        assert!(quiet.would_enable("tetherd::store", &tracing::Level::TRACE));
        assert!(quiet.would_enable("rustls::conn", &tracing::Level::WARN));
        config.library = Level::Debug;
        assert!(targets(&config).would_enable("Client/Send", &tracing::Level::DEBUG));
    }

    #[test]
    fn a_module_has_its_level_whether_it_is_a_crate_of_its_own_or_not() {
        let mut config = Config::default().log;
        config.modules.insert("core".to_owned(), Level::Debug);
        config.modules.insert("store::commit".to_owned(), Level::Trace);
        let targets = targets(&config);
        assert!(targets.would_enable("tetherd_core::queue", &tracing::Level::DEBUG));
        assert!(targets.would_enable("tetherd::store::commit", &tracing::Level::TRACE));
        for other in ["tetherd::store::verify", "tetherd::inbox"] {
            assert!(!targets.would_enable(other, &tracing::Level::DEBUG), "{other}");
        }
    }

    #[test]
    fn every_module_that_can_have_a_level_is_there() {
        for module in tetherd_config::LOG_MODULES {
            let folder = format!("{}/src/{module}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&folder).is_dir(), "{module}");
        }
    }
}
