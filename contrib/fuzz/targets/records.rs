//! Records of the store.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::store::fuzzing::records(data));
