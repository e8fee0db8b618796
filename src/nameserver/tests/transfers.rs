//! Transfers, judged by a secondary that keeps what it is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Record, Serial, Ttl};
use domain::rdata::Soa;
use domain::rdata::tsig::Time48;
use domain::tsig::ClientSequence;
use proptest::prelude::*;

use super::signed::{SECRET, key};
use super::*;
use crate::nameserver::{Snapshot, Step, Transfer};

/// A transfer at the secondary's end: it checks each signature.
struct Secondary {
    sequence: ClientSequence<Arc<domain::tsig::Key>>,
    transfer: Box<Transfer>,
    lines: Vec<String>,
}

impl Secondary {
    fn begin(service: &mut Service, rtype: Rtype, serial: Option<u32>) -> Self {
        let mut builder = MessageBuilder::new_vec().question();
        builder.push((name("box.test"), rtype)).unwrap();
        let mut builder = builder.authority();
        if let Some(serial) = serial {
            let zero = Ttl::ZERO;
            let soa = Soa::new(name("a"), name("b"), Serial(serial), zero, zero, zero, zero);
            builder.push(Record::new(name("box.test"), Class::IN, zero, soa)).unwrap();
        }
        let mut builder = builder.additional();
        let now = Time48::from_u64(NOW.utc);
        let sequence = ClientSequence::request(key("transfer.key", SECRET), &mut builder, now).unwrap();
        let mut out = [0; 512];
        let request = builder.finish();
        let Reply::Transfer(transfer) =
            service.server.reply(service.now, Transport::Tcp, &request, &mut service.directory, &mut out)
        else {
            panic!("no transfer");
        };
        Self { sequence, transfer, lines: vec![] }
    }

    /// Takes one message; `false`: it was the last.
    fn step(&mut self, service: &mut Service, room: usize) -> bool {
        let mut out = vec![0; room];
        let step = service.server.transfer(service.now, &mut self.transfer, &mut service.directory, &mut out);
        let (Step::Send(len) | Step::Last(len)) = step else { panic!("it was broken off") };
        out.truncate(len);
        let mut message = Message::from_octets(out).unwrap();
        self.sequence.answer(&mut message, Time48::from_u64(NOW.utc)).unwrap();
        let message = message.as_slice().to_vec();
        self.lines.extend(shown(&message).answer);
        matches!(step, Step::Send(_))
    }

    fn finish(mut self, service: &mut Service) -> Vec<String> {
        while self.step(service, 700) {}
        self.sequence.done().unwrap();
        self.lines
    }
}

fn serial_of(line: &str) -> Option<u32> {
    line.strip_prefix("box.test 300 SOA")?.split(' ').nth(3)?.parse().ok()
}

/// What a secondary has after a transfer: records and serial.
fn keep(zone: &mut (BTreeSet<String>, u32), lines: &[String]) {
    let first = serial_of(&lines[0]).unwrap();
    assert_eq!(lines.last().and_then(|l| serial_of(l)), Some(first), "it ends as it begins");
    if lines.get(1).is_none_or(|second| serial_of(second).is_none()) {
        if lines.len() > 1 {
            zone.0 = lines[1..lines.len() - 1].iter().cloned().collect();
        }
        zone.1 = first;
        return;
    }
    let mut rest = &lines[1..lines.len() - 1];
    while let Some((soa, tail)) = rest.split_first() {
        assert_eq!(serial_of(soa), Some(zone.1), "each batch goes on where the last one ended");
        let goes = tail.iter().position(|line| serial_of(line).is_some()).unwrap();
        tail[..goes].iter().for_each(|line| assert!(zone.0.remove(line), "{line} was not there"));
        zone.1 = serial_of(&tail[goes]).unwrap();
        let tail = &tail[goes + 1..];
        let comes = tail.iter().position(|line| serial_of(line).is_some()).unwrap_or(tail.len());
        tail[..comes].iter().for_each(|line| assert!(zone.0.insert(line.clone()), "{line} was there"));
        rest = &tail[comes..];
    }
    assert_eq!(zone.1, first);
}

pub(super) fn whole(service: &mut Service) -> (BTreeSet<String>, u32) {
    let mut zone = (BTreeSet::new(), 0);
    keep(&mut zone, &Secondary::begin(service, Rtype::AXFR, None).finish(service));
    zone
}

#[test]
fn a_zone_is_told_whole() {
    let mut service = Service::new();
    // The settings have a name that somebody claimed: theirs counts.
    service.directory.load(0, "ns1", online("203.0.113.66", None, 0));
    let lines = Secondary::begin(&mut service, Rtype::AXFR, None).finish(&mut service);
    let mut sorted = lines[1..lines.len() - 1].to_vec();
    sorted.sort();
    let expected = "_acme-challenge.dora.box.test 60 TXT \"one\"
_acme-challenge.dora.box.test 60 TXT \"two\"
_stbcast._tcp.alice.box.test 60 SRV 0 0 8443 alice.box.test
a.b.box.test 3600 TXT \"x\"
alice.box.test 60 A 203.0.113.5
alice.box.test 60 AAAA 2001:db8:5::1
alice.box.test 60 HTTPS 1 . port=8443
bob.box.test 60 A 203.0.113.6
box.test 3600 CAA 0 issue \"ca.example\"
box.test 3600 NS ns.elsewhere.example.
box.test 3600 NS ns1.box.test.
deep.box.test 60 A 203.0.113.7
dora.box.test 60 A 203.0.113.9
dora.box.test 60 TXT \"hers\"
ns1.box.test 3600 A 192.0.2.1
ns1.box.test 3600 AAAA 2001:db8::1
off.box.test 60 TXT \"v=stb1\"";
    assert_eq!(sorted, expected.lines().collect::<Vec<_>>());
    assert_eq!(service.server.counters().transfers, 1);
}

#[test]
fn recent_changes_are_told_alone() {
    let mut service = Service::new();
    let mut zone = whole(&mut service);
    service.directory.set(0, "bob", Some(online("203.0.113.7", None, 0)));
    service.directory.set(0, "eve", Some(Snapshot::default()));
    assert_eq!(service.server.commit(&mut service.directory).len(), 1);
    service.directory.set(0, "bob", Some(online("203.0.113.8", None, 0)));
    service.directory.set(0, "alice", None);
    service.directory.set(1, "carol", None);
    let changed = service.server.commit(&mut service.directory);
    assert_eq!(changed.iter().map(|c| (c.zone, c.names())).collect::<Vec<_>>(), [(0, Some(2)), (1, Some(1))]);
    let lines = Secondary::begin(&mut service, Rtype::IXFR, Some(SERIAL)).finish(&mut service);
    assert_eq!(lines.len(), 2 + 4 + 1 + 2 + 5 + 1, "{lines:#?}");
    keep(&mut zone, &lines);
    assert_eq!(zone, whole(&mut service));
    let newest = Secondary::begin(&mut service, Rtype::IXFR, Some(SERIAL + 2)).finish(&mut service);
    assert_eq!(newest.iter().map(|l| serial_of(l)).collect::<Vec<_>>(), [Some(SERIAL + 2)]);
    for unknown in [SERIAL - 1, SERIAL + 3, 0] {
        let lines = Secondary::begin(&mut service, Rtype::IXFR, Some(unknown)).finish(&mut service);
        assert_eq!(serial_of(&lines[1]), None, "all of it");
    }
}

#[test]
fn what_becomes_as_it_was_is_no_change() {
    let mut service = Service::new();
    service.directory.set(0, "bob", None);
    service.directory.set(0, "bob", Some(online("203.0.113.6", None, 0)));
    assert!(service.server.commit(&mut service.directory).is_empty());
    assert_eq!(service.server.serial(0), Some(SERIAL));
}

#[test]
fn when_the_changes_are_lost_all_is_told_anew() {
    let mut service = Service::new();
    service.directory.set(0, "bob", None);
    service.server.commit(&mut service.directory);
    let mut under_way = Secondary::begin(&mut service, Rtype::AXFR, None);
    service.directory.lose();
    let mut out = [0; 1000];
    let (server, directory) = (&mut service.server, &mut service.directory);
    assert_eq!(server.transfer(NOW, &mut under_way.transfer, directory, &mut out), Step::BreakOff);
    let changed = server.commit(directory);
    assert_eq!(changed.iter().map(|c| (c.zone, c.names())).collect::<Vec<_>>(), [(0, None), (1, None)]);
    assert_eq!(server.serial(0), Some(SERIAL + 2));
    let lines = Secondary::begin(&mut service, Rtype::IXFR, Some(SERIAL + 1)).finish(&mut service);
    assert_eq!(serial_of(&lines[1]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two secondaries follow the zone, one in small steps with changes between them.
    #[test]
    fn secondaries_have_what_was_there_at_their_serial(
        actions in proptest::collection::vec((0..10_u8, 0..700_u16, 0..4_u8), 0..120),
        names in 0..700_u16,
    ) {
        let mut service = Service::new();
        (0..names).for_each(|i| service.directory.load(0, &format!("n{i}"), online("203.0.113.1", None, 0)));
        let mut zone = whole(&mut service);
        let mut slow = (BTreeSet::new(), 0);
        let mut under_way: Option<Secondary> = None;
        let mut seen = std::collections::HashMap::from([(zone.1, zone.0.clone())]);
        for (action, which, what) in actions {
            match action {
                0..=4 => {
                    let now = match what {
                        0 => None,
                        1 => Some(Snapshot::default()),
                        port => Some(online("203.0.113.2", None, port.into())),
                    };
                    service.directory.set(0, &format!("n{which}"), now);
                }
                5 => {
                    service.server.commit(&mut service.directory);
                    let lines = Secondary::begin(&mut service, Rtype::IXFR, Some(zone.1)).finish(&mut service);
                    keep(&mut zone, &lines);
                    seen.insert(zone.1, zone.0.clone());
                }
                _ => {
                    let mut transfer = under_way.take().unwrap_or_else(|| {
                        let kind = if slow.1 == 0 || what == 0 { Rtype::AXFR } else { Rtype::IXFR };
                        Secondary::begin(&mut service, kind, Some(slow.1))
                    });
                    if transfer.step(&mut service, 3000) {
                        under_way = Some(transfer);
                    } else {
                        keep(&mut slow, &transfer.lines);
                        prop_assert_eq!(Some(&slow.0), seen.get(&slow.1), "as it was at that serial");
                    }
                }
            }
        }
        let last = service.server.commit(&mut service.directory);
        let lines = Secondary::begin(&mut service, Rtype::IXFR, Some(zone.1)).finish(&mut service);
                    keep(&mut zone, &lines);
        prop_assert!(last.len() <= 1);
        prop_assert_eq!(zone, whole(&mut service));
    }
}
