//! Finds the git revision that is built, for `--version` and the socket's `version`. Says
//! nothing where there is none (a tarball), and never fails the build.
//!
//! `TETHERD_REVISION`, if it is set, is taken instead; empty: none is printed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs are made of, and what therefore makes a revision "dirty". Cargo runs
/// this file again when one of them changes, as well as after each commit.
/// Below the work tree, which is two folders up.
const SOURCES: [&str; 3] = ["../../src", "../../Cargo.toml", "../../Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-env-changed=TETHERD_REVISION");
    for path in SOURCES {
        watch(Path::new(path));
    }
    let revision = std::env::var("TETHERD_REVISION").ok().or_else(git_revision);
    let revision = revision.unwrap_or_default();
    // What a packager passes goes into one line.
    let revision: String = revision.trim().chars().filter(|c| !c.is_control()).collect();
    println!("cargo::rustc-env=TETHERD_REVISION={revision}");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let printed = if revision.is_empty() { version } else { format!("{version} ({revision})") };
    println!("cargo::rustc-env=TETHERD_VERSION={printed}");
}

/// The commit, with `-dirty` if the sources differ from it.
fn git_revision() -> Option<String> {
    // A tarball that was unpacked inside of another project's work tree has no revision.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    let here = std::env::current_dir().ok()?.join("../..");
    if top.canonicalize().ok()? != here.canonicalize().ok()? {
        return None;
    }
    watch_commits();
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // Without the optional lock it does not write to the index.
    let mut status = vec!["--no-optional-locks", "status", "--porcelain", "--"];
    status.extend(SOURCES);
    let dirty = git(&status).is_some_and(|changes| !changes.is_empty());
    Some(if dirty { format!("{commit}-dirty") } else { commit })
}

/// Has cargo run this file again when another commit is checked out or made. A work tree
/// that was added to a repository has its own HEAD, and the repository's branches.
fn watch_commits() {
    let path = |name: &str| git(&["rev-parse", "--git-path", name]).map(PathBuf::from);
    path("HEAD").as_deref().map(watch);
    let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) else { return };
    match path(&branch) {
        Some(file) if file.exists() => watch(&file),
        // The branch is packed: it gets a file of its own with its next commit.
        file => {
            file.as_deref().and_then(Path::parent).map(watch);
            path("packed-refs").as_deref().map(watch);
        }
    }
}

/// Cargo would build anew each time for the sake of a path that does not exist.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// What git prints; nothing if it fails, or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
