//! Answers of HTTP servers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd_net::fuzzing::answers(data));
