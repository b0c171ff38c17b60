#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| etcdwatch_fuzz::v3::run(data));
