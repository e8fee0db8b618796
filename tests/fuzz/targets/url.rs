//! Source URLs: what is read is written the same way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::source::SourceUrl;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<SourceUrl>() {
        Ok(url) => {
            if let SourceUrl::File(spec) = &url {
                assert!((1..=1_000_000_000).contains(&spec.speed.millionths()));
            }
            let again: SourceUrl = url.to_string().parse().expect("what is written can be read");
            assert_eq!(again, url);
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
