//! HTTP requests to the front.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tether_web::fuzzing::requests(data));
