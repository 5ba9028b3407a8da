//! The store's journal, after damage.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::store::fuzzing::journal(data));
