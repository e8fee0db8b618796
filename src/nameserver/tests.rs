//! Answers, judged by another parser and by a model that is slow and plain.

use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::{Opcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, Record};
use domain::rdata::AllRecordData;

use super::sample::{Sample, online, text};
use super::{Key, Nameserver, Now, Reply, Transport, Zone, ZoneSettings};

mod answers;
mod publishing;
mod signed;
mod transfers;
mod updates;

/// The key of the secondaries.
const KEY: &str = "hmac-sha256:transfer.key:c2VjcmV0IG9mIHRoZSB0cmFuc2Zlcg==";
/// What the zone's serial begins with.
const SERIAL: u32 = 1_000_000;
const NOW: Now = Now { monotonic: Duration::from_secs(1000), utc: 1_800_000_000 };

/// A responder with what it answers from.
struct Service {
    server: Nameserver,
    directory: Sample,
    now: Now,
}

fn zone(apex: &str, records: &[&str]) -> Zone {
    Zone::new(&ZoneSettings {
        apex: apex.into(),
        ns: vec![format!("ns1.{apex}"), "ns.elsewhere.example".into()],
        records: records.iter().map(|&r| r.into()).collect(),
        ..ZoneSettings::default()
    })
    .unwrap()
}

impl Service {
    fn new() -> Self {
        let zones = [
            zone(
                "box.test",
                &["ns1 A 192.0.2.1", "ns1 AAAA 2001:db8::1", "@ CAA 0 issue ca.example", "a.b TXT x"],
            ),
            zone("deep.box.test", &[]),
        ];
        let mut directory = Sample::new(2);
        directory.load(0, "alice", online("203.0.113.5", Some("2001:db8:5::1"), 8443));
        directory.load(0, "bob", online("203.0.113.6", None, 0));
        directory.load(0, "off", super::Snapshot::default());
        directory.load(0, "deep", online("203.0.113.7", None, 0));
        directory.load(1, "carol", online("203.0.113.8", None, 1));
        let mut dora = online("203.0.113.9", None, 0);
        dora.texts =
            [text("_acme-challenge", "one"), text("_acme-challenge", "two"), text("", "hers")].into();
        directory.load(0, "dora", dora);
        directory.set_secret(0, "alice", [7; 32]);
        let keys = vec![Key::parse(KEY).unwrap()];
        let zones = zones.into_iter().map(|zone| (zone, SERIAL)).collect();
        Self { server: Nameserver::new(zones, keys), directory, now: NOW }
    }

    /// The answer by TCP, where there is one.
    fn tcp(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        self.reply(Transport::Tcp, request, 65535)
    }

    fn udp(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        // Each asks from a network of its own, so that none is limited.
        self.now.monotonic += Duration::from_secs(2);
        self.reply(Transport::Udp("192.0.2.7".parse().unwrap()), request, 2000)
    }

    fn reply(&mut self, transport: Transport, request: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; room];
        match self.server.reply(self.now, transport, request, &mut self.directory, &mut out) {
            Reply::Send(len) | Reply::AfterCommit(len, _) => {
                out.truncate(len);
                Some(out)
            }
            Reply::Silence => None,
            Reply::Transfer(_) => panic!("this is a transfer"),
        }
    }

    /// What is answered to a plain question, as text.
    fn ask(&mut self, name: &str, rtype: Rtype) -> Shown {
        let answer = self.udp(&question(name, rtype)).unwrap();
        shown(&answer)
    }
}

fn name(text: &str) -> Name<Vec<u8>> {
    text.parse().unwrap()
}

fn question(name: &str, rtype: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((self::name(name), rtype)).unwrap();
    builder.finish()
}

/// An answer in a form that reads.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    rcode: String,
    /// aa, tc, rd
    flags: String,
    answer: Vec<String>,
    authority: Vec<String>,
    additional: Vec<String>,
}

fn shown(message: &[u8]) -> Shown {
    let message = Message::from_octets(message).unwrap();
    let header = message.header();
    assert!(header.qr() && !header.ra() && !header.ad() && !header.z() && header.opcode() == Opcode::QUERY);
    let flag = |is: bool, name: &'static str| if is { name } else { "" };
    let flags = [flag(header.aa(), "aa"), flag(header.tc(), "tc"), flag(header.rd(), "rd")].join(" ");
    let (_, answer, authority, additional) = message.sections().unwrap();
    let lines = |section: domain::base::message::RecordSection<'_, &[u8]>| -> Vec<String> {
        let records = section.map(|record| record.unwrap().to_any_record::<AllRecordData<_, _>>().unwrap());
        records.filter(|record| record.rtype() != Rtype::OPT).map(|record| line(&record)).collect()
    };
    Shown {
        rcode: header.rcode().to_string(),
        flags,
        answer: lines(answer),
        authority: lines(authority),
        additional: lines(additional),
    }
}

fn line<N: std::fmt::Display, D: std::fmt::Display + domain::base::RecordData>(
    record: &Record<N, D>,
) -> String {
    format!("{} {} {} {}", record.owner(), record.ttl().as_secs(), record.rtype(), record.data())
}
