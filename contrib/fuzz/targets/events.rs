//! Events of the session, and what their messages become.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd::whatsapp::fuzzing::events(data));
