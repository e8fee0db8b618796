//! Tokens: none is accepted but those that were made.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::access::{Access, ClockSource, Credentials, Door, Loaded, Scope, Terms};
use stbcast::store::{Writer, slots};
use stbcast_fuzz::{Input, directory};

const NOW: Duration = Duration::from_secs(1000);

thread_local! {
    static BOX: (String, Access, Access) = made();
}

/// A link, the box that made it, and the same box after a reboot.
fn made() -> (String, Access, Access) {
    let directory = directory();
    let (_, unsaved) = Loaded::read(&directory, true).expect("an empty directory can be read");
    for (kind, record) in unsaved {
        slots::save(&directory, kind, &record).expect("a slot can be written");
    }
    let in_boot = |boot| {
        let (loaded, unsaved) = Loaded::read(&directory, true).expect("slots can be read");
        assert!(unsaved.is_empty());
        let writer = Writer::new(&directory).expect("a program has a file");
        Access::new(loaded, writer, ClockSource::Rtc, boot, 4).expect("there is randomness")
    };
    let (access, rebooted) = (in_boot(2), in_boot(3));
    let (scope, ttl) = (Scope::Channel(5), Duration::from_secs(60));
    let terms = Terms { scope, ttl, connections: Some(1), recording: false };
    let made = access.mint(&terms, NOW).expect("the terms are allowed").as_str().to_owned();
    (made, access, rebooted)
}

fuzz_target!(|bytes: &[u8]| {
    BOX.with(|(made, access, rebooted)| {
        let mut input = Input::new(bytes);
        let mut forged = made.clone().into_bytes();
        if input.byte() & 1 == 0 {
            forged = input.rest().to_vec();
        }
        while !input.is_empty() && !forged.is_empty() {
            let at = usize::from(input.byte()) % forged.len();
            forged[at] = input.byte();
        }
        let Ok(text) = std::str::from_utf8(&forged) else { return };
        let link = Credentials { link: Some(text), ..Credentials::default() };
        let is_known = |access: &Access, shown, door, now| access.identify(shown, door, now).is_ok();
        assert_eq!(is_known(access, link, Door::Plain, NOW), text == made.as_str(), "{text}");
        let late = NOW + Duration::from_secs(60);
        assert!(!is_known(access, link, Door::Plain, late), "a link has its time");
        assert!(!is_known(access, link, Door::Tls, NOW), "a link made at home is for home");
        assert!(!is_known(rebooted, link, Door::Plain, NOW), "a link is of its boot");
        for shown in [
            Credentials { cookie: Some(text), ..Credentials::default() },
            Credentials { bearer: Some(text), ..Credentials::default() },
        ] {
            assert!(!is_known(access, shown, Door::Plain, NOW), "a link is no cookie and no session");
        }
    });
});
