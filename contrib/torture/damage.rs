//! A store that is damaged at rest: a flipped bit, a file cut short, removed, or changed for
//! another. Each start either refuses, or says what it has quarantined: never another text, and
//! no message that is missing without a word. What is refused is repaired, and looked at again.
//!
//! Control: the whole store as it was one message before, which nobody can notice.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::Protection;
use crate::judge::{PEOPLE, copy};
use crate::random::Random;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

const MESSAGES: u64 = 30;
const DAMAGES: u64 = 12;
/// How a refused start ends.
const REFUSED: [i32; 3] = [65, 74, 76];

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    let mut texts = Vec::new();
    let kept = lab.path().join("kept");
    for n in 0..MESSAGES {
        if protection == Protection::Off && n + 1 == MESSAGES {
            daemon.kill9();
            copy(&lab.path().join("state"), &kept);
            daemon = lab.daemon("");
        }
        // Some lie in one record, some in many.
        let chars = [20, 300, 9_000, 40_000][random.index(4)];
        let text = format!("{n:0>chars$}");
        texts.push((daemon.send(PEOPLE[0], &text), text));
    }
    tally.acknowledged += MESSAGES;
    if random.below(2) == 0 {
        assert!(daemon.stop().success());
    } else {
        daemon.kill9();
    }
    if protection == Protection::Off {
        put_back(&lab, &kept);
        return look(&lab, &texts, "the store of before", tally);
    }
    copy(&lab.path().join("state"), &kept);
    for _ in 0..DAMAGES {
        let what = damage(&lab.path().join("state/store"), random);
        tally.broken += 1;
        look(&lab, &texts, &what, tally);
        put_back(&lab, &kept);
    }
}

fn put_back(lab: &Lab, kept: &Path) {
    let state = lab.path().join("state");
    std::fs::remove_dir_all(&state).unwrap();
    copy(kept, &state);
}

/// Says what it did.
fn damage(store: &Path, random: &mut Random) -> String {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    let path = &files[random.index(files.len())];
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut content = std::fs::read(path).unwrap();
    if content.is_empty() {
        return format!("nothing of the empty {name}");
    }
    match random.below(8) {
        0 => {
            std::fs::remove_file(path).unwrap();
            format!("{name} removed")
        }
        1 => {
            let other = &files[random.index(files.len())];
            let other_content = std::fs::read(other).unwrap();
            std::fs::write(other, &content).unwrap();
            std::fs::write(path, other_content).unwrap();
            format!("{name} and {} swapped", other.file_name().unwrap().to_string_lossy())
        }
        2 => {
            let length = random.index(content.len());
            std::fs::write(path, &content[..length]).unwrap();
            format!("{name} cut to {length} bytes")
        }
        _ => {
            // Where something is, rather than in what was never written.
            let used: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
            let at = used.get(random.index(used.len().max(1))).copied().unwrap_or(0);
            let bit = random.below(8);
            content[at] ^= 1 << bit;
            std::fs::write(path, &content).unwrap();
            format!("{name}: bit {bit} of byte {at} flipped")
        }
    }
}

fn look(lab: &Lab, texts: &[(String, String)], what: &str, tally: &mut Tally) {
    let mut daemon = Daemon::spawn(&lab.config(""), &lab.socket());
    let mut refused = false;
    if !daemon.becomes_ready() {
        let status = daemon.wait();
        if !status.code().is_some_and(|code| REFUSED.contains(&code)) {
            return tally.wrong(format!("{what}: it ended with {status}: {}", daemon.log()));
        }
        tally.count("refused", 1);
        refused = true;
        if !repaired(lab, what, tally) {
            return;
        }
        daemon = Daemon::spawn(&lab.config(""), &lab.socket());
        if !daemon.becomes_ready() {
            return tally.wrong(format!("{what}: repaired, and refused again: {}", daemon.log()));
        }
    }
    let mut missing = 0;
    for (id, text) in texts {
        match daemon.call("message.get", json!({ "id": id })) {
            Ok(message) if message["text"] == text.as_str() => {}
            Ok(message) if message["text"].is_string() => {
                tally.wrong(format!("{what}: {id} has another text"));
            }
            Ok(_) | Err(_) => missing += 1,
        }
    }
    let reported = daemon.log().contains("quarantined");
    if missing > 0 && !reported && !refused {
        tally.lost(format!("{what}: {missing} messages are gone without a word"));
    }
    tally.count("quarantined", u64::from(reported));
    daemon.kill9();
}

fn repaired(lab: &Lab, what: &str, tally: &mut Tally) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(lab.config("")).args(["store", "repair"]);
    let output = command.output().unwrap();
    if output.status.success() {
        tally.count("repaired", 1);
        return true;
    }
    // A lock or a format that does not read is for a person.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.code().is_some_and(|code| REFUSED.contains(&code)) {
        tally.wrong(format!("{what}: repair ended with {}: {said}", output.status));
    }
    tally.count("not repaired", 1);
    false
}
