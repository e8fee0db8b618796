//! Foreign text and the character tables of EN 300 468.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::text::{CleanText, Unmarked};

fuzz_target!(|bytes: &[u8]| {
    for unmarked in [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8] {
        let text = CleanText::<48>::from_dvb(bytes, unmarked);
        let shown = text.as_str();
        assert!(shown.len() <= 48 && shown.trim() == shown && !shown.chars().any(char::is_control));
        assert!(!shown.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
        assert_eq!(CleanText::new(shown), text);
        let short = CleanText::<7>::from_dvb(bytes, unmarked);
        assert!(shown.starts_with(short.as_str()), "a shorter text is a beginning of the longer");
    }
});
