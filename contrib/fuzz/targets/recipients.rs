//! Numbers, usernames, JIDs and names of groups.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd_core::fuzzing::recipients(data));
