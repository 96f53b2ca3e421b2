#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgeloop_fuzz::bodies::multipart(data));
