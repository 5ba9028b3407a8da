//! Links in texts, and names that servers give to files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::fetch::fuzzing::links(data));
