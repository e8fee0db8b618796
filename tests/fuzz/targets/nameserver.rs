//! The responder: questions, transfers, updates, and what other servers answer.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ring::hmac;
use stbcast::nameserver::{
    Address, Change, Directory, Found, Key, Nameserver, Notifier, Now, Published, Publisher, Reply,
    Secondary, Snapshot, Step, Taken, Text, Ticket, Transport, Update, UpdateError, Zone, ZoneSettings,
};
use stbcast_fuzz::Input;

#[path = "../../../src/nameserver/sample.rs"]
mod sample;

use sample::{Sample, online, text};

const UTC: u64 = 1_800_000_000;
const NOW: Now = Now { monotonic: Duration::from_secs(1), utc: UTC };

/// Signs a message as the holder of alice or as a secondary would: no fuzzer guesses a MAC.
fn signed(mut message: Vec<u8>, name: &[u8], secret: &[u8]) -> Vec<u8> {
    if message.len() < 12 {
        return message;
    }
    let time = &UTC.to_be_bytes()[2..];
    let variables = [name, &[0, 255, 0, 0, 0, 0], b"\x0bhmac-sha256\0", time, &[1, 44, 0, 0, 0, 0]].concat();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &[&message[..], &variables].concat());
    let id = [message[0], message[1]];
    let count = u16::from_be_bytes([message[10], message[11]]).wrapping_add(1);
    message[10..12].copy_from_slice(&count.to_be_bytes());
    let data = [b"\x0bhmac-sha256\0", time, &[1, 44, 0, 32], mac.as_ref(), &id, &[0, 0, 0, 0]].concat();
    message.extend([name, &[0, 250, 0, 255, 0, 0, 0, 0, 0, 61], &data].concat());
    message
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let zone = Zone::new(&ZoneSettings {
        apex: "box.test".into(),
        ns: vec!["ns1.box.test".into()],
        records: vec!["ns1 A 192.0.2.1".into()],
        ..ZoneSettings::default()
    });
    let mut names = Sample::new(1);
    let mut alice = online("203.0.113.5", Some("2001:db8::5"), 443);
    alice.texts = [text("_acme-challenge", "token"), text("", "x")].into();
    names.load(0, "alice", alice);
    names.set_secret(0, "alice", [7; 32]);
    let key = || Key::parse("hmac-sha256:t.key:c2VjcmV0").expect("it is a key");
    let mut server = Nameserver::new(vec![(zone.expect("it is a zone"), 1)], vec![key()]);
    let address = ([192, 0, 2, 1], 53).into();
    let mut notifier = Notifier::new(1, vec![Secondary { address, key: Some(key()) }]);
    let mut publisher = Publisher::new(0, key());
    let mut out = vec![0; 65535];
    notifier.poll(NOW, &server, 7, &mut out);
    publisher.next(NOW, &server, &names, 7, &mut out);
    while !input.is_empty() {
        let kind = input.byte();
        let length = usize::from(input.number() % 1500);
        let mut message = input.take(length).to_vec();
        match kind >> 4 & 3 {
            1 => message = signed(message, b"\x05alice\x03box\x04test\0", &[7; 32]),
            2 => message = signed(message, b"\x01t\x03key\0", b"secret"),
            _ => {}
        }
        notifier.answered(address, &message);
        publisher.answered(NOW, &message);
        let transport = if kind & 1 == 0 { Transport::Udp([192, 0, 2, kind].into()) } else { Transport::Tcp };
        let room = if kind & 2 == 0 { 1232 } else { 65535 };
        let out = &mut out[..room];
        match server.reply(NOW, transport, &message, &mut names, out) {
            Reply::Silence => {}
            Reply::Send(len) | Reply::AfterCommit(len, _) => {
                assert!(transport == Transport::Tcp || len <= 1232);
                assert_eq!(out[..2], message[..2], "it has the ID of the request");
                assert!(out[2] & 0x80 != 0, "it is an answer");
                assert!(matches!(
                    server.reply(NOW, transport, &out[..len].to_vec(), &mut names, out),
                    Reply::Silence
                ));
            }
            Reply::Transfer(mut transfer) => {
                assert_eq!(transport, Transport::Tcp);
                while let Step::Send(_) = server.transfer(NOW, &mut transfer, &mut names, &mut out[..1232]) {}
            }
        }
        server.commit(&mut names).iter().for_each(|committed| publisher.note(committed));
    }
    let texts = names.find(0, b"alice").entry().map_or(0, |alice| alice.texts.len());
    assert!(texts <= 4, "what updates leave has a bound");
});
