//! `tetherd store`: what a person does with a store while no daemon uses it. Says what
//! [`crate::store::maintenance`] has found and done.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;

use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

use crate::daemon::StartError;
use crate::daemon::args::StoreCommand;
use crate::daemon::clock;
use crate::daemon::process::{fail, print};
use crate::store::maintenance::{self, Checked, Repaired};
use crate::store::{OpenError, SealKey};
use tetherd_api::exit::ExitCode;
use tetherd_config::Config;

/// What to do where a daemon has the store.
const WHILE_IT_RUNS: &str = "stop the daemon first: while it runs, the store is its own";

pub(super) fn run(command: StoreCommand, config: &Config) -> ExitCode {
    let done = match command {
        StoreCommand::Check => check(config),
        StoreCommand::Repair => repair(config),
    };
    done.unwrap_or_else(|error| {
        let locked = matches!(error, StartError::Store(OpenError::Locked { .. }));
        let remedy = if locked { Some(WHILE_IT_RUNS.to_owned()) } else { error.remedy() };
        let remedy = remedy.map(|remedy| format!("\nremedy: {remedy}"));
        fail(error.exit(), &format!("{error}{}", remedy.unwrap_or_default()))
    })
}

fn key(config: &Config) -> Result<Option<SealKey>, StartError> {
    Ok(config.state.key_file.as_deref().map(SealKey::read).transpose()?)
}

/// As root: goes on as the user whose state directory it is, so that what is written there stays
/// theirs.
fn become_owner(config: &Config) -> Result<(), StartError> {
    let dir = &config.state.dir;
    let failed = |source: std::io::Error| OpenError::Io {
        what: "act as the owner of",
        path: dir.clone(),
        source,
    };
    let Some(meta) = std::fs::metadata(dir).ok().filter(|_| geteuid().is_root()) else {
        return Ok(());
    };
    if meta.uid() != 0 {
        let group = Gid::from_raw(meta.gid());
        setgroups(&[])
            .and_then(|()| setgid(group))
            .and_then(|()| setuid(Uid::from_raw(meta.uid())))
            .map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

fn check(config: &Config) -> Result<ExitCode, StartError> {
    let key = key(config)?;
    become_owner(config)?;
    let Checked { good, damaged } = maintenance::check(&config.state.dir, key)?;
    let mut text =
        format!("Entries that verify: {good}. Records that do not: {}.\n", damaged.len());
    for record in &damaged {
        let _ = writeln!(text, "  {record}");
    }
    if !damaged.is_empty() {
        text.push_str("The next start moves them to quarantine and goes on without them.\n");
    }
    print(text.as_bytes());
    Ok(if damaged.is_empty() { ExitCode::Ok } else { ExitCode::DataErr })
}

fn repair(config: &Config) -> Result<ExitCode, StartError> {
    let key = key(config)?;
    become_owner(config)?;
    let text = match maintenance::repair(&config.state.dir, key, clock::wall_ms())? {
        None => "The store is not damaged: nothing was done.\n".to_owned(),
        Some(repaired) => report(&repaired),
    };
    Ok(print(text.as_bytes()))
}

fn report(repaired: &Repaired) -> String {
    let Repaired { kept, damage, is_empty, lost, quarantined } = repaired;
    let mut text =
        format!("It was refused: {damage}.\nIt is kept as it was in {}.\n", kept.display());
    match (is_empty, lost) {
        (true, _) => {
            text.push_str(
                "Nothing of it could be read: the queue is empty, and paused. Start the daemon, link \
                 the account again (`tetherctl pair`), then `tetherctl resume`.\n",
            );
            return text;
        }
        (false, Some(0)) => text.push_str("No confirmed change is lost.\n"),
        (false, Some(lost)) => {
            let _ = writeln!(text, "Its last {lost} confirmed changes are lost.");
        }
        (false, None) => text.push_str("Whether its last changes are lost is not known.\n"),
    }
    if *quarantined > 0 {
        let _ = writeln!(text, "{quarantined} records do not verify and are in quarantine.");
    }
    text.push_str(
        "The queue is paused: messages may be in it that were already sent or cancelled. Start the \
         daemon, look at them with `tetherctl queue`, then `tetherctl resume`.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_empty_store_nothing_is_said_about_its_messages() {
        let damage = OpenError::Damaged { dir: "/s".into(), what: "a page is corrupt".into() };
        let kept = "/s/store.before-repair.1".into();
        let mut repaired = Repaired { kept, damage, is_empty: true, lost: None, quarantined: 0 };
        let text = report(&repaired);
        assert!(text.contains("`tetherctl pair`"), "{text}");
        assert!(!text.contains("already sent"), "{text}");
        repaired.is_empty = false;
        let text = report(&repaired);
        assert!(!text.contains("`tetherctl pair`"), "{text}");
        assert!(text.contains("already sent"), "{text}");
    }
}
