//! A request head: whole or not, wherever it is cut; and what is read of it can be looked at.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::http::request::{BODY, Request, address_of, decode, encode, host_of};

fuzz_target!(|bytes: &[u8]| {
    let whole = match Request::parse(bytes) {
        Ok(Some((request, length))) => {
            assert!(length <= bytes.len() && request.path.starts_with('/'));
            assert!(request.host.is_some() || !request.is_1_1);
            if let Some(host) = request.host {
                assert!(host.len() >= host_of(host).len());
                let _address = address_of(host);
            }
            assert!(request.body.len() <= BODY && request.body.len() < length);
            let _value = request.said.cookie("stb");
            for name in ["t", "name", "all", ""] {
                let value = request.parameter::<64>(name);
                assert!(value.is_none() || request.has_parameter(name));
            }
            Some(length)
        }
        Ok(None) => None,
        Err(why) => {
            let (status, sentence) = why.answer();
            assert!(status.code() >= 400 && !sentence.is_empty());
            return;
        }
    };
    // The same bytes come in pieces: nothing is taken for whole too early, and what follows changes nothing.
    let end = whole.unwrap_or(bytes.len());
    for cut in [end / 3, end.saturating_sub(1)] {
        assert!(cut >= end || matches!(Request::parse(&bytes[..cut]), Ok(None)), "cut at {cut}");
    }
    if let Some(length) = whole {
        assert!(matches!(Request::parse(&bytes[..length]), Ok(Some((_, same))) if same == length));
    }
    if let Ok(text) = std::str::from_utf8(&bytes[..bytes.len().min(60)]) {
        let mut encoded = String::new();
        encode(text, |c| encoded.push(c));
        assert_eq!(decode::<64>(&encoded).as_deref(), Some(text));
    }
});
