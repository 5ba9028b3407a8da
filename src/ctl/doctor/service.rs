//! What systemd says of the units, where there is a systemd.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::doctor::finding::{Finding, Topic};
use crate::doctor::machine::with_limit;
use crate::doctor::target::Target;
use tetherd_api::exit::ExitCode;

const ABOUT: Topic = Topic::Service;
/// There while systemd runs the machine (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,UnitFileState,ExecMainStatus,\
                          MainPID,NRestarts,DynamicUser";

/// Both units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `tetherd`, or `tetherd@NAME`.
    pub(crate) name: String,
    pub(crate) service: Unit,
    pub(crate) socket: Unit,
}

/// One unit, in systemd's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) load: String,
    pub(crate) active: String,
    pub(crate) sub: String,
    /// Whether it starts at boot.
    pub(crate) file: String,
    /// How its process ended last.
    pub(crate) exit: Option<u8>,
    pub(crate) pid: Option<i32>,
    pub(crate) restarts: u32,
    pub(crate) dynamic_user: bool,
}

impl Facts {
    /// Asks systemd; none where there is none, or it does not answer.
    pub(crate) async fn gather(target: &Target, limit: Duration) -> Option<Facts> {
        let name = target.unit()?;
        if !Path::new(BOOTED).exists() {
            return None;
        }
        let mut units = Vec::new();
        for suffix in ["service", "socket"] {
            let mut command = Command::new("systemctl");
            command.args(["show", PROPERTIES, &format!("{name}.{suffix}")]);
            command.env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null());
            let output = with_limit(limit, move || command.output()).await?.ok()?;
            units.push(Unit::parse(&String::from_utf8_lossy(&output.stdout)));
        }
        let (socket, service) = (units.pop()?, units.pop()?);
        Some(Facts { name, service, socket })
    }

    /// Whether systemd knows the daemon.
    pub(crate) fn is_installed(&self) -> bool {
        self.service.load == "loaded"
    }
}

impl Unit {
    /// From `systemctl show`.
    pub(crate) fn parse(text: &str) -> Unit {
        let mut unit = Unit::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "LoadState" => value.clone_into(&mut unit.load),
                "ActiveState" => value.clone_into(&mut unit.active),
                "SubState" => value.clone_into(&mut unit.sub),
                "UnitFileState" => value.clone_into(&mut unit.file),
                "ExecMainStatus" => unit.exit = value.parse().ok(),
                "MainPID" => unit.pid = value.parse().ok().filter(|pid| *pid > 0),
                "NRestarts" => unit.restarts = value.parse().unwrap_or(0),
                "DynamicUser" => unit.dynamic_user = value == "yes",
                _ => {}
            }
        }
        unit
    }

    fn is_active(&self) -> bool {
        ["active", "reloading"].contains(&self.active.as_str())
    }
}

/// What to say about it.
pub(crate) fn judge(facts: Option<&Facts>) -> Vec<Finding> {
    let Some(facts) = facts else { return Vec::new() };
    let (name, service, socket) = (&facts.name, &facts.service, &facts.socket);
    if !facts.is_installed() {
        let what = format!("systemd knows no {name}.service: the daemon starts by hand only.");
        return vec![ABOUT.note("service_not_installed", what)];
    }
    let mut findings = vec![match service.active.as_str() {
        "active" | "reloading" if service.restarts > 0 => {
            let (times, ended) = (service.restarts, ended(service.exit));
            let what = format!("{name}.service runs; it was restarted {times} times{ended}.");
            ABOUT
                .note("service_restarted", what)
                .remedy(format!("journalctl -u {name}.service -p warning -n 50"))
        }
        "active" | "reloading" => ABOUT.ok("service_ok", format!("{name}.service runs.")),
        "inactive" if socket.is_active() => {
            let what = format!("{name}.service does not run; the first call starts it.");
            ABOUT.ok("service_on_demand", what)
        }
        "inactive" => {
            let what = format!("{name}.service does not run.");
            let remedy = format!("systemctl enable --now {name}.socket {name}.service");
            ABOUT.failure("service_stopped", ExitCode::Unavailable, what).remedy(remedy)
        }
        "activating" if service.sub != "auto-restart" => {
            ABOUT.note("service_starting", format!("{name}.service is starting."))
        }
        state => {
            let again = service.sub == "auto-restart";
            let state = if again { "fails again and again" } else { &format!("is {state}") };
            let what = format!("{name}.service {state}{}.", ended(service.exit));
            let remedy = format!(
                "journalctl -u {name}.service -n 20 shows why; then systemctl restart {name}.service"
            );
            ABOUT.failure("service_failed", ExitCode::Unavailable, what).remedy(remedy)
        }
    }];
    if !socket.is_active() && service.is_active() {
        let what = format!("{name}.socket is not active: calls fail while the daemon restarts.");
        let remedy = format!("systemctl enable --now {name}.socket");
        findings.push(ABOUT.warning("socket_unit_inactive", what).remedy(remedy));
    }
    if [&service.file, &socket.file].iter().all(|state| *state == "disabled") {
        let what = format!("{name} does not start when the machine does.");
        let remedy = format!("systemctl enable {name}.socket {name}.service");
        findings.push(ABOUT.note("service_disabled", what).remedy(remedy));
    }
    findings
}

/// `; it ended with 78 (the configuration is wrong)`.
fn ended(exit: Option<u8>) -> String {
    let known = exit.filter(|exit| *exit > 0);
    let Some(exit) = known else { return String::new() };
    let meaning = ExitCode::ALL.into_iter().find(|code| code.number() == exit);
    match meaning.map(ExitCode::for_tetherd).filter(|meaning| !meaning.is_empty()) {
        Some(meaning) => format!("; it ended with {exit} ({meaning})"),
        None => format!("; it ended with {exit}"),
    }
}
