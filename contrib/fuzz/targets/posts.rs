//! Alerts, their templates, and the configuration of the front.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tether_web::fuzzing::posts(data));
