//! What a file is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::spool::fuzzing::files(data));
