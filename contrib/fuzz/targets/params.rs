//! Parameters of each method.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd_api::fuzzing::params(data));
