//! What is pushed, judged by a primary that does as RFC 2136 §3.4 says.

use std::collections::BTreeSet;

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::{Message, MessageBuilder};
use domain::rdata::AllRecordData;
use proptest::prelude::*;

use super::*;
use crate::nameserver::tsig::{Key, Tsig};
use crate::nameserver::wire::Writer;
use crate::nameserver::{Answered, Publisher, Snapshot};

/// A primary that has another version of the zone at first.
struct Primary {
    lines: BTreeSet<String>,
    key: Key,
}

impl Primary {
    fn new() -> Self {
        let old = [
            "alice.box.test 60 TXT \"old\"",
            "_acme-challenge.alice.box.test 60 TXT \"old\"",
            "ns1.box.test 60 A 192.0.2.200",
        ];
        let lines = old.into_iter().map(str::to_owned).collect();
        Self { lines, key: Key::parse(KEY).unwrap() }
    }

    /// Applies an update; returns the answer.
    fn apply(&mut self, update: &[u8]) -> Vec<u8> {
        let tsig = Tsig::find(update).unwrap().unwrap();
        assert_eq!(tsig.verify(&self.key, &[], false, NOW.utc), Ok(()));
        let message = Message::from_octets(update).unwrap();
        assert_eq!(message.header().opcode(), Opcode::UPDATE);
        for record in message.authority().unwrap() {
            let record = record.unwrap();
            let owner = format!("{} ", record.owner());
            let of =
                |line: &str, rtype: &str| line.starts_with(&owner) && line.split(' ').nth(2) == Some(rtype);
            match (record.class(), record.rtype()) {
                (Class::ANY, Rtype::ANY) => self.lines.retain(|line| !line.starts_with(&owner)),
                (Class::ANY, rtype) => self.lines.retain(|line| !of(line, &rtype.to_string())),
                _ => {
                    let record = record.to_any_record::<AllRecordData<_, _>>().unwrap();
                    self.lines.insert(line(&record));
                }
            }
        }
        let mut answer = MessageBuilder::new_vec();
        answer.header_mut().set_id(message.header().id());
        answer.header_mut().set_qr(true);
        answer.header_mut().set_opcode(Opcode::UPDATE);
        let mut answer = answer.finish();
        answer.resize(12 + self.key.room(), 0);
        let mut writer = Writer::new(&mut answer, 12);
        self.key.sign(&mut writer, tsig.mac, NOW.utc).unwrap();
        let len = writer.len();
        answer.truncate(len);
        answer
    }
}

/// All batches there are, each once lost on its way where `lossy` says so.
fn push(service: &Service, publisher: &mut Publisher, primary: &mut Primary, lossy: bool) -> usize {
    let mut batches = 0;
    let mut out = vec![0; 65535];
    while let Some(len) = publisher.next(NOW, &service.server, &service.directory, 7, &mut out) {
        assert!(
            publisher.next(NOW, &service.server, &service.directory, 8, &mut [0; 9000]).is_none(),
            "one at a time"
        );
        let answer = primary.apply(&out[..len]);
        if lossy && batches % 2 == 0 {
            publisher.failed();
        } else {
            assert_eq!(publisher.answered(NOW, &answer), Answered::Taken);
        }
        batches += 1;
        assert!(batches < 1000);
    }
    batches
}

/// The zone as a transfer tells it.
fn expected(service: &mut Service) -> BTreeSet<String> {
    transfers::whole(service).0
}

#[test]
fn all_is_pushed_then_what_changes() {
    let (mut service, mut primary) = (Service::new(), Primary::new());
    let mut publisher = Publisher::new(0, Key::parse(KEY).unwrap());
    assert_eq!(push(&service, &mut publisher, &mut primary, false), 1);
    assert_eq!(primary.lines, expected(&mut service));
    let progress = publisher.progress();
    assert_eq!((progress.is_whole, progress.walked, progress.waiting), (true, 5, 0));
    assert_eq!(push(&service, &mut publisher, &mut primary, false), 0);
    let mut alice = online("203.0.113.6", None, 0);
    alice.texts = [text("note", "x")].into();
    service.directory.set(0, "alice", Some(alice));
    service.server.commit(&mut service.directory).iter().for_each(|c| publisher.note(c));
    assert_eq!(push(&service, &mut publisher, &mut primary, false), 1);
    service.directory.set(0, "alice", Some(online("203.0.113.6", None, 1)));
    service.directory.set(0, "bob", None);
    service.server.commit(&mut service.directory).iter().for_each(|c| publisher.note(c));
    assert_eq!(push(&service, &mut publisher, &mut primary, false), 1);
    assert_eq!(primary.lines, expected(&mut service), "also the text below the name is gone");
}

#[test]
fn only_who_has_the_key_takes_a_batch() {
    let mut service = Service::new();
    let mut publisher = Publisher::new(0, Key::parse(KEY).unwrap());
    let mut out = vec![0; 65535];
    let len = publisher.next(NOW, &service.server, &service.directory, 7, &mut out).unwrap();
    let answer = Primary::new().apply(&out[..len]);
    for wrong in [&answer[..12], &answer[..5], &[]] {
        let mut wrong = wrong.to_vec();
        if let Some(count) = wrong.get_mut(11) {
            *count = 0;
        }
        assert_eq!(publisher.answered(NOW, &wrong), Answered::NotOurs);
    }
    let mut other = answer.clone();
    other[20] ^= 1;
    assert_eq!(publisher.answered(NOW, &other), Answered::NotOurs);
    let late = Now { utc: NOW.utc + 301, ..NOW };
    assert_eq!(publisher.answered(late, &answer), Answered::NotOurs);
    assert_eq!(publisher.answered(NOW, &answer), Answered::Taken);
    assert_eq!(publisher.answered(NOW, &answer), Answered::NotOurs, "there is none on its way");
    service.directory.set(0, "bob", None);
    service.server.commit(&mut service.directory).iter().for_each(|c| publisher.note(c));
    let len = publisher.next(NOW, &service.server, &service.directory, 9, &mut out).unwrap();
    let mut refused = out[..len.min(12)].to_vec();
    (refused[2], refused[3]) = (0xa8, 5);
    assert_eq!(publisher.answered(NOW, &refused), Answered::Refused(5));
    assert_eq!(publisher.progress().waiting, 1, "it waits again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_changes_and_is_lost_the_other_server_has_it_in_the_end(
        rounds in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), proptest::collection::vec((0..400_u16, 0..5_u8), 0..200)), 0..6),
        names in 0..400_u16,
    ) {
        let (mut service, mut primary) = (Service::new(), Primary::new());
        (0..names).for_each(|i| service.directory.load(0, &format!("n{i}"), online("203.0.113.1", None, 0)));
        let mut publisher = Publisher::new(0, Key::parse(KEY).unwrap());
        for (is_lost, lossy, changes) in rounds {
            for (which, what) in changes {
                let now = match what {
                    0 => None,
                    1 => Some(Snapshot::default()),
                    2 => Some(Snapshot { texts: [text("note", "x"), text("", "y")].into(), ..Snapshot::default() }),
                    port => Some(online("203.0.113.2", None, port.into())),
                };
                // Names that are gone are not found by the walk: when changes are lost, they stay.
                if !(is_lost && now.as_ref().is_none_or(|n| n.texts.is_empty())) {
                    service.directory.set(0, &format!("n{which}"), now);
                }
            }
            if is_lost {
                service.directory.lose();
            }
            service.server.commit(&mut service.directory).iter().for_each(|c| publisher.note(c));
            push(&service, &mut publisher, &mut primary, lossy);
        }
        push(&service, &mut publisher, &mut primary, false);
        prop_assert_eq!(primary.lines, expected(&mut service));
    }
}
