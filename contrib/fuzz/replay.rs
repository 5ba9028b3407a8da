//! Replays the inputs that are kept for a target of contrib/fuzz, on the stable toolchain.

use std::path::Path;

/// Gives each kept input of a target to its check. The last name printed is the one that failed.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = manifest.ancestors().map(|root| root.join("contrib/fuzz/corpus").join(target));
    let corpus = corpus.into_iter().find(|folder| folder.is_dir()).expect("no corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        println!("{}", file.display());
        check(&std::fs::read(file).unwrap());
    }
}
