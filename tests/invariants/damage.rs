//! Invariant 8 with the real binaries: a store that is damaged is refused or reported.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tetherd::store::{Batch, Store};

use super::TO;
use crate::support::{Daemon, Lab};

/// Every file of a folder with its content.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// Puts a folder back as it was.
fn restore(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in contents(folder) {
        fs::remove_file(path).unwrap();
    }
    for (path, content) in files {
        fs::write(path, content).unwrap();
    }
}

/// A stopped daemon's lab with this many messages of two chunks each.
fn filled(messages: usize) -> Lab {
    written(messages, false)
}

/// The same, stopped or killed.
fn written(messages: usize, killed: bool) -> Lab {
    let lab = Lab::new();
    let mut daemon = lab.daemon("");
    for n in 0..messages {
        daemon.send(TO, &format!("{n:0>5000}"));
    }
    if killed {
        daemon.kill9();
    } else {
        assert!(daemon.stop().success());
    }
    lab
}

#[test]
fn invariant_8_a_database_of_garbage_is_refused_untouched_and_the_remedy_works_as_printed() {
    let lab = filled(3);
    let store = lab.path().join("state/store");
    for (path, content) in contents(&store) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "db" || name.starts_with("snap.") {
            fs::write(&path, vec![0x5a; content.len()]).unwrap();
        }
    }
    let before = contents(&store);
    let mut daemon = Daemon::spawn(&lab.config(""), &lab.socket());
    assert_eq!(daemon.ready_or_ended(), Some(65), "{}", daemon.log());
    assert!(daemon.log().contains("is damaged"), "{}", daemon.log());
    assert!(before == contents(&store), "a file has changed");

    let remedy = daemon.remedy();
    assert!(remedy.contains("`tetherd store repair`"), "{remedy}");
    let (code, _) = store_command(&lab, "check");
    assert_eq!(code, Some(65));
    assert!(before == contents(&store), "a file has changed");
    let (code, said) = store_command(&lab, "repair");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the queue is empty"), "{said}");
    let daemon = lab.daemon("");
    assert_eq!(daemon.status()["queue"]["queued"], 0);
    assert!(lab.path().join("state/store.before-repair.1/db").exists());
}

#[test]
fn invariant_8_a_repair_goes_on_with_what_reads_and_leaves_the_queue_paused() {
    let lab = written(5, true);
    assert_eq!(store_command(&lab, "check").0, Some(0));
    assert!(store_command(&lab, "repair").1.contains("nothing was done"));
    fs::remove_file(lab.path().join("state/store/confirmed")).unwrap();
    let mut refused = Daemon::spawn(&lab.config(""), &lab.socket());
    assert_eq!(refused.ready_or_ended(), Some(65), "{}", refused.log());
    assert!(refused.log().contains("confirmed changes is missing"), "{}", refused.log());
    let (code, said) = store_command(&lab, "repair");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is not known"), "{said}");
    let daemon = lab.daemon("");
    let status = daemon.status();
    assert_eq!(status["queue"]["queued"], 5);
    assert_eq!(status["queue"]["paused"], true, "{status}");
    daemon.send(TO, "one more");
}

/// `tetherd store`, with the lab's configuration: how it ended, and what it said.
fn store_command(lab: &Lab, command: &str) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_tetherd"))
        .args(["store", command, "--config"])
        .arg(lab.config(""))
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn invariant_8_neither_a_flipped_bit_nor_a_cut_end_loses_a_message_in_silence() {
    const MESSAGES: u64 = 12;
    // At an orderly end everything is in the database, after a kill in the journal.
    for (file, killed) in [("db", false), ("journal", true)] {
        nothing_is_lost_in_silence(file, killed, MESSAGES);
    }
}

fn nothing_is_lost_in_silence(file: &str, killed: bool, messages: u64) {
    let lab = written(usize::try_from(messages).unwrap(), killed);
    let store = lab.path().join("state/store");
    let whole = contents(&store);
    let path = store.join(file);
    let used: Vec<u64> = {
        let bytes = fs::read(&path).unwrap();
        (0u64..).zip(bytes).filter(|(_, byte)| *byte != 0).map(|(at, _)| at).collect()
    };
    let mut refused = 0;
    let cuts = 4;
    for n in 0..16 {
        let place = used[used.len() * n / 16];
        if n % cuts == 0 {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(place).unwrap();
        } else {
            let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            file.write_all_at(&[byte[0] ^ 0x10], place).unwrap();
        }
        let mut daemon = Daemon::spawn(&lab.config(""), &lab.socket());
        match daemon.ready_or_ended() {
            Some(code) => {
                assert_eq!(code, 65, "{}", daemon.log());
                assert!(!daemon.remedy().is_empty());
                refused += 1;
            }
            None => {
                let queued = daemon.status()["queue"]["queued"].as_u64().unwrap();
                let said = daemon.log().contains("quarantined");
                assert!(queued == messages || said, "{n}: {queued}: {}", daemon.log());
                daemon.kill9();
            }
        }
        restore(&store, &whole);
    }
    assert!(refused > 0, "no damage was met at all");
    assert_eq!(lab.daemon("").status()["queue"]["queued"], messages);
}

#[test]
fn invariant_8_one_bad_record_is_reported_and_the_rest_goes_on() {
    let lab = filled(3);
    {
        let store = Store::open(&lab.path().join("state")).unwrap();
        let mut batch = Batch::new();
        batch.put([&b"queue/message/"[..], &2u64.to_be_bytes()].concat(), "not a record");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.commit(batch)).unwrap();
        store.close();
    }
    let mut daemon = lab.daemon("");
    assert!(
        daemon.log().contains("a record is quarantined area=\"queue/message/\""),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.status()["queue"]["queued"], 2);
    assert_eq!(daemon.message("m3")["state"], "queued");
    assert_eq!(daemon.send(TO, "goes on"), "m4");
}
