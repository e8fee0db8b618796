//! UPDATE by the holder of a name.

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::{MessageBuilder, Record, Ttl, UnknownRecordData};
use domain::rdata::tsig::Time48;
use domain::tsig::ClientTransaction;

use super::signed::{SECRET, key};
use super::*;
use crate::nameserver::{Directory, Published, Snapshot};

/// Owner, class, TTL, type, data.
type Line<'a> = (&'a str, Class, u32, Rtype, &'a [u8]);

fn update(zone: &str, prerequisites: &[Line<'_>], updates: &[Line<'_>], signer: &str) -> Vec<u8> {
    let record = |line: &Line<'_>| {
        let data = UnknownRecordData::from_octets(line.3, line.4.to_vec()).unwrap();
        Record::new(name(line.0), line.1, Ttl::from_secs(line.2), data)
    };
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut builder = builder.question();
    builder.push((name(zone), Rtype::SOA)).unwrap();
    let mut builder = builder.answer();
    prerequisites.iter().for_each(|line| builder.push(record(line)).unwrap());
    let mut builder = builder.authority();
    updates.iter().for_each(|line| builder.push(record(line)).unwrap());
    let mut builder = builder.additional();
    if !signer.is_empty() {
        ClientTransaction::request(key(signer, &[7; 32]), &mut builder, Time48::from_u64(NOW.utc)).unwrap();
    }
    builder.finish()
}

/// The rcode of an update by alice, and what she has then.
fn apply(prerequisites: &[Line<'_>], updates: &[Line<'_>]) -> (u8, Snapshot) {
    let mut service = Service::new();
    let answer = service.udp(&update("box.test", prerequisites, updates, "Alice.box.test")).unwrap();
    let now = service.directory.find(0, b"alice").entry().map(Published::to_snapshot).unwrap();
    (answer[3] & 15, now)
}

const ALICE: &str = "alice.box.test";
const IN: Class = Class::IN;
const ANY: Class = Class::ANY;
const NONE: Class = Class::NONE;

fn before() -> Snapshot {
    online("203.0.113.5", Some("2001:db8:5::1"), 8443)
}

#[test]
fn a_name_is_changed_by_its_own_key() {
    let (rcode, now) =
        apply(&[], &[(ALICE, ANY, 0, Rtype::A, b""), (ALICE, IN, 60, Rtype::A, &[203, 0, 113, 99])]);
    assert_eq!((rcode, now), (0, Snapshot { v4: "203.0.113.99".parse().ok(), ..before() }));
    let (rcode, now) = apply(
        &[],
        &[
            ("_acme-challenge.ALICE.box.test", IN, 60, Rtype::TXT, b"\x03one"),
            (ALICE, NONE, 0, Rtype::AAAA, &[0x20, 1, 0xd, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            (ALICE, NONE, 0, Rtype::A, &[1, 2, 3, 4]),
            (ALICE, IN, 60, Rtype::HTTPS, &[0, 1, 0, 0, 3, 0, 2, 1, 187]),
        ],
    );
    let texts = [text("_acme-challenge", "one")].into();
    assert_eq!((rcode, now), (0, Snapshot { v6: None, port: 443, texts, ..before() }));
    assert_eq!(apply(&[], &[(ALICE, ANY, 0, Rtype::ANY, b"")]), (0, Snapshot::default()));
    assert_eq!(apply(&[], &[]), (0, before()), "nothing is asked for");
}

#[test]
fn texts_are_added_and_taken_away_one_by_one() {
    let mut service = Service::new();
    let mut ask = |lines: &[Line<'_>]| {
        let answer = service.udp(&update("box.test", &[], lines, ALICE)).unwrap();
        assert_eq!(answer[3] & 15, 0);
        service.ask("c.alice.box.test", Rtype::TXT).answer.len()
    };
    let c = "c.alice.box.test";
    assert_eq!(ask(&[(c, IN, 60, Rtype::TXT, b"\x01a"), (c, IN, 60, Rtype::TXT, b"\x01b")]), 2);
    assert_eq!(ask(&[(c, IN, 60, Rtype::TXT, b"\x01a")]), 2, "it is there");
    assert_eq!(ask(&[(c, NONE, 0, Rtype::TXT, b"\x01a")]), 1);
    assert_eq!(ask(&[(ALICE, ANY, 0, Rtype::TXT, b"")]), 1, "at another place");
    assert_eq!(ask(&[(c, ANY, 0, Rtype::ANY, b"")]), 0);
}

#[test]
fn nobody_changes_what_is_not_his() {
    let a = &[203, 0, 113, 99][..];
    let long = [&[255][..], &[b'x'; 255], &[0]].concat();
    let txt = |i: usize| {
        [b"\x00\x01\x02\x03\x04\x05"[..][i + 1]]
            .iter()
            .copied()
            .chain(std::iter::repeat_n(b'x', i + 1))
            .collect::<Vec<u8>>()
    };
    let five: Vec<Vec<u8>> = (0..5).map(txt).collect();
    let five: Vec<Line<'_>> = five.iter().map(|t| (ALICE, IN, 60, Rtype::TXT, &t[..])).collect();
    for (why, line, rcode) in [
        ("another name", ("bob.box.test", IN, 60, Rtype::A, a), 5),
        ("the apex", ("box.test", IN, 60, Rtype::A, a), 5),
        ("a name that ends alike", ("xalice.box.test", IN, 60, Rtype::A, a), 5),
        ("another zone", ("alice.example", IN, 60, Rtype::A, a), 10),
        ("two labels below", ("_stbcast._tcp.alice.box.test", IN, 60, Rtype::TXT, b"\x01a"), 5),
        ("an address below", ("x.alice.box.test", IN, 60, Rtype::A, a), 5),
        ("another type", (ALICE, IN, 60, Rtype::NS, b"\x01a\0"), 5),
        ("another kind of HTTPS", (ALICE, IN, 60, Rtype::HTTPS, &[0, 0, 1, b'a', 0]), 5),
        ("half an address", (ALICE, IN, 60, Rtype::A, &a[..3]), 1),
        ("a broken text", (ALICE, IN, 60, Rtype::TXT, b"\x05a"), 1),
        ("a text that is too long", (ALICE, IN, 60, Rtype::TXT, &long), 5),
        ("what the directory refuses", (ALICE, IN, 60, Rtype::A, &[10, 0, 0, 1]), 5),
        ("data where none may be", (ALICE, ANY, 0, Rtype::A, a), 1),
        ("another class", (ALICE, Class::CH, 0, Rtype::A, a), 1),
    ] {
        // A first change, that must not stay.
        let lines = [(ALICE, ANY, 0, Rtype::AAAA, &b""[..]), line];
        assert_eq!(apply(&[], &lines), (rcode, before()), "{why}");
    }
    assert_eq!(apply(&[], &five), (5, before()), "more texts than a name has");
    let mut service = Service::new();
    let lines = [(ALICE, ANY, 0, Rtype::A, &b""[..])];
    let mut rcode = |zone, signer| service.udp(&update(zone, &[], &lines, signer)).unwrap()[3] & 15;
    assert_eq!(rcode("box.test", ""), 5, "unsigned");
    assert_eq!(rcode("box.test", "bob.box.test"), 9, "a key that is none");
    assert_eq!(rcode("example.org", ALICE), 9, "a zone that is not ours");
    assert_eq!(rcode("alice.box.test", ALICE), 9, "not a zone");
    assert_eq!(rcode("deep.box.test", ALICE), 5, "another of our zones");
    assert_eq!(service.directory.find(0, b"alice").entry().unwrap(), before().published());
}

#[test]
fn who_transfers_does_not_update() {
    let mut service = Service::new();
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut builder = builder.question();
    builder.push((name("box.test"), Rtype::SOA)).unwrap();
    let mut builder = builder.additional();
    let key = key("transfer.key", SECRET);
    ClientTransaction::request(key, &mut builder, Time48::from_u64(NOW.utc)).unwrap();
    assert_eq!(service.udp(&builder.finish()).unwrap()[3] & 15, 5);
}

#[test]
fn prerequisites_decide() {
    let is = |line: Line<'_>| {
        let (rcode, now) = apply(&[line], &[(ALICE, ANY, 0, Rtype::A, b"")]);
        assert_eq!(now.v4.is_none(), rcode == 0);
        rcode
    };
    let a = &[203, 0, 113, 5][..];
    assert_eq!(is((ALICE, ANY, 0, Rtype::ANY, b"")), 0, "the name is in use");
    assert_eq!(is(("x.alice.box.test", ANY, 0, Rtype::ANY, b"")), 3);
    assert_eq!(is((ALICE, NONE, 0, Rtype::ANY, b"")), 6, "it is not");
    assert_eq!(is(("x.alice.box.test", NONE, 0, Rtype::ANY, b"")), 0);
    assert_eq!(is((ALICE, ANY, 0, Rtype::A, b"")), 0, "an RRset is there");
    assert_eq!(is((ALICE, ANY, 0, Rtype::TXT, b"")), 8);
    assert_eq!(is((ALICE, NONE, 0, Rtype::A, b"")), 7, "it is not");
    assert_eq!(is((ALICE, NONE, 0, Rtype::TXT, b"")), 0);
    assert_eq!(is((ALICE, IN, 0, Rtype::A, a)), 0, "it is exactly this");
    assert_eq!(is((ALICE, IN, 0, Rtype::A, &[1, 2, 3, 4])), 8);
    assert_eq!(is((ALICE, IN, 0, Rtype::TXT, b"\x01a")), 8);
    assert_eq!(is((ALICE, IN, 60, Rtype::A, a)), 1, "a TTL");
    assert_eq!(is((ALICE, ANY, 0, Rtype::A, a)), 1, "data");
    assert_eq!(is(("bob.box.test", ANY, 0, Rtype::A, b"")), 5);
    let both = [(ALICE, IN, 0, Rtype::A, a), (ALICE, IN, 0, Rtype::A, &[1, 2, 3, 4][..])];
    assert_eq!(apply(&both, &[]).0, 8, "more than is there");
}
