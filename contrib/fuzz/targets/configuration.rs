//! The configuration, and the values in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd_config::fuzzing::configuration(data));
