//! An open store, as the inspection from outside sees it.

use std::io;

use tetherd_state::FORMAT;
use tetherd_state::inspect::{Format, Holder, Inspection};

use crate::store::Store;

#[test]
fn a_store_in_use_shows_who_holds_it_and_one_that_is_closed_shows_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    assert_eq!(Inspection::of(&dir).unwrap_err().kind(), io::ErrorKind::NotFound);
    let store = Store::open(&dir).unwrap();
    let inspection = Inspection::of(&dir).unwrap();
    let inside = inspection.inside.unwrap();
    let us = i32::try_from(std::process::id()).unwrap();
    assert_eq!(inside.holder, Holder::Process(us));
    assert_eq!(inside.format, Format::Known(u32::from(FORMAT)));
    assert!(inspection.is_directory && !inside.copy && !inside.half_made && !inside.blobs);
    assert_eq!(inspection.mode, 0o700);
    store.close();
}
