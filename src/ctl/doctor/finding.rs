//! What the doctor says: a finding, how bad it is, and how the program ends for it.

use serde::Serialize;

use crate::render::{Clock, said};
use tetherd_api::exit::ExitCode;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// Good to know, or not looked at. Nothing has to be done.
    Note,
    /// Works, but somebody should do something.
    Warning,
    /// Does not work.
    Failure,
}

impl Severity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Failure => "failure",
        }
    }
}

/// What a finding is about, in the order in which they are printed: causes before what
/// follows from them, because the first failure gives the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Topic {
    Configuration,
    State,
    Service,
    Socket,
    Access,
    Version,
    Messages,
    Clock,
    Network,
}

impl Topic {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Topic::Configuration => "configuration",
            Topic::State => "state",
            Topic::Service => "service",
            Topic::Socket => "socket",
            Topic::Access => "access",
            Topic::Version => "version",
            Topic::Messages => "messages",
            Topic::Clock => "clock",
            Topic::Network => "network",
        }
    }

    pub(crate) fn ok(self, id: &'static str, what: impl Into<String>) -> Finding {
        self.finding(id, Severity::Ok, None, what.into())
    }

    pub(crate) fn note(self, id: &'static str, what: impl Into<String>) -> Finding {
        self.finding(id, Severity::Note, None, what.into())
    }

    pub(crate) fn warning(self, id: &'static str, what: impl Into<String>) -> Finding {
        self.finding(id, Severity::Warning, None, what.into())
    }

    pub(crate) fn failure(
        self,
        id: &'static str,
        exit: ExitCode,
        what: impl Into<String>,
    ) -> Finding {
        self.finding(id, Severity::Failure, Some(exit), what.into())
    }

    fn finding(
        self,
        id: &'static str,
        severity: Severity,
        exit: Option<ExitCode>,
        what: String,
    ) -> Finding {
        Finding { id, severity, topic: self, what, remedy: None, exit }
    }
}

/// One thing that was found. Serialized as it is printed with `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Its stable name.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) topic: Topic,
    /// What is the case, in a sentence.
    pub(crate) what: String,
    /// What to type or to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// How the program ends for it; failures only.
    #[serde(skip)]
    pub(crate) exit: Option<ExitCode>,
}

impl Finding {
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }

    /// For people: what it is in columns, the remedy below.
    pub(crate) fn text(&self, clock: &Clock) -> String {
        let (severity, topic) = (self.severity.name(), self.topic.name());
        let mut text = format!("{severity:<8} {topic:<14} {}\n", said(&self.what, clock));
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("{:<8} {:<14} -> {}\n", "", "", said(remedy, clock)));
        }
        text
    }
}

/// How the program ends: the first failure's way, else by whether anything warns.
pub(crate) fn exit(findings: &[Finding]) -> ExitCode {
    if let Some(code) = findings.iter().find_map(|finding| finding.exit) {
        return code;
    }
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Warning | Severity::Failure) => ExitCode::No,
        Some(Severity::Ok | Severity::Note) | None => ExitCode::Ok,
    }
}

/// `2 failures, 1 warning, 3 notes; 9 ok`.
pub(crate) fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let many = |severity: Severity| {
        let (count, name) = (count(severity), severity.name());
        (count > 0).then(|| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
    };
    let bad = [Severity::Failure, Severity::Warning, Severity::Note];
    let bad: Vec<String> = bad.into_iter().filter_map(many).collect();
    let bad = if bad.is_empty() { "nothing to say".to_owned() } else { bad.join(", ") };
    format!("{bad}; {} ok", count(Severity::Ok))
}
