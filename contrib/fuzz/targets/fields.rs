//! Fields and names of other services' calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tether_web::fuzzing::fields(data));
