//! Lines of the control socket, of both sides.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tetherd_api::fuzzing::frames(data));
