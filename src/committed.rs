//! Files in the tree that are made from the code: whether they still say what it says.
//! Tests only.

use std::path::Path;

/// Set, these tests write the files instead of comparing them.
pub(crate) const ACCEPT: &str = "TETHERD_ACCEPT";

/// The file at `path` (from the tree's root) says `now`, or the first line that differs is
/// told. With [`ACCEPT`] it is written.
pub(crate) fn is_as_committed(path: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(ACCEPT).is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, now).unwrap();
        return;
    }
    let was = std::fs::read_to_string(&file).unwrap_or_default();
    for (line, (now, was)) in now.lines().zip(was.lines()).enumerate() {
        assert_eq!(now, was, "line {} of {path}; {ACCEPT}=1 writes it anew", line + 1);
    }
    assert!(now == was, "{path} ends elsewhere; {ACCEPT}=1 writes it anew");
}
