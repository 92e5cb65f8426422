#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // The library's panics are errors here, so none may end the fuzzer before it is caught.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |bytes: &[u8]| fidelis_fuzz::template(bytes)
);
