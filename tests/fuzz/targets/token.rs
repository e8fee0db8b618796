//! Link tokens: none is accepted but those that were made.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::access::{Access, LinkKey, Scope, Terms};
use stbcast_fuzz::Input;

const NOW: Duration = Duration::from_secs(1000);
const SECRET: [u8; 32] = [7; 32];
static MADE: LazyLock<String> = LazyLock::new(|| {
    let terms = Terms { scope: Scope::Channel(5), ttl: Duration::from_secs(60), connections: Some(1) };
    access().mint(&terms, NOW).expect("the terms are allowed").as_str().to_owned()
});

fn access() -> Access {
    Access::new(LinkKey::new(SECRET, 1, 2), 4)
}

fuzz_target!(|bytes: &[u8]| {
    let (made, access, mut input) = (&*MADE, access(), Input::new(bytes));
    let mut forged = made.clone().into_bytes();
    if input.byte() & 1 == 0 {
        forged = input.rest().to_vec();
    }
    while !input.is_empty() {
        let at = usize::from(input.byte()) % forged.len();
        forged[at] = input.byte();
    }
    let Ok(text) = std::str::from_utf8(&forged) else { return };
    assert_eq!(access.identify(Some(text), NOW).is_ok(), text == made.as_str(), "{text}");
    let late = NOW + Duration::from_secs(60);
    assert!(access.identify(Some(text), late).is_err(), "a link has its time");
    let other = Access::new(LinkKey::new(SECRET, 1, 3), 4);
    assert!(other.identify(Some(text), NOW).is_err(), "a link is of its boot");
});
