//! Records of incoming messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::inbox::fuzzing::kept(data));
