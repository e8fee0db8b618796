//! Questions and their answers.

use domain::base::iana::{Class, Rtype};
use domain::base::opt::UnknownOptData;
use domain::base::{Message, MessageBuilder};
use proptest::prelude::*;

use super::*;

const SOA: &str = "box.test 30 SOA ns1.box.test. hostmaster.box.test. 1000000 300 60 1209600 30";

fn positive(answer: &[&str]) -> Shown {
    Shown { answer: answer.iter().map(|&a| a.into()).collect(), ..negative("NOERROR", &[]) }
}

fn negative(rcode: &str, authority: &[&str]) -> Shown {
    Shown {
        rcode: rcode.into(),
        flags: "aa  rd".into(),
        answer: vec![],
        authority: authority.iter().map(|&a| a.into()).collect(),
        additional: vec![],
    }
}

#[test]
fn a_name_has_what_is_published() {
    let mut service = Service::new();
    assert_eq!(service.ask("alice.box.test", Rtype::A), positive(&["alice.box.test 60 A 203.0.113.5"]));
    assert_eq!(
        service.ask("alice.box.test", Rtype::AAAA),
        positive(&["alice.box.test 60 AAAA 2001:db8:5::1"])
    );
    assert_eq!(
        service.ask("alice.box.test", Rtype::HTTPS),
        positive(&["alice.box.test 60 HTTPS 1 . port=8443"])
    );
    let mut srv = positive(&["_stbcast._tcp.alice.box.test 60 SRV 0 0 8443 alice.box.test"]);
    srv.additional =
        vec!["alice.box.test 60 A 203.0.113.5".into(), "alice.box.test 60 AAAA 2001:db8:5::1".into()];
    assert_eq!(service.ask("_stbcast._tcp.alice.box.test", Rtype::SRV), srv);
    assert_eq!(service.ask("dora.box.test", Rtype::TXT), positive(&["dora.box.test 60 TXT \"hers\""]));
    let challenge =
        ["_acme-challenge.dora.box.test 60 TXT \"one\"", "_acme-challenge.dora.box.test 60 TXT \"two\""];
    assert_eq!(service.ask("_acme-challenge.dora.box.test", Rtype::TXT), positive(&challenge));
    assert_eq!(service.ask("off.box.test", Rtype::TXT), positive(&["off.box.test 60 TXT \"v=stb1\""]));
    assert_eq!(
        service.ask("alice.box.test", Rtype::ANY),
        positive(&["alice.box.test 3600 HINFO \"RFC8482\" \"\""])
    );
    assert_eq!(
        service.ask("carol.deep.box.test", Rtype::A),
        positive(&["carol.deep.box.test 60 A 203.0.113.8"])
    );
}

#[test]
fn what_is_not_there_is_said_so_that_it_is_remembered_briefly() {
    let mut service = Service::new();
    let no_data = negative("NOERROR", &[SOA]);
    for (name, rtype) in [
        ("off.box.test", Rtype::A),
        ("bob.box.test", Rtype::AAAA),
        ("bob.box.test", Rtype::HTTPS),
        ("alice.box.test", Rtype::RRSIG),
        ("alice.box.test", Rtype::NS),
        ("_tcp.bob.box.test", Rtype::A),
        ("_stbcast._tcp.bob.box.test", Rtype::SRV),
        ("_acme-challenge.bob.box.test", Rtype::TXT),
        ("b.box.test", Rtype::A),
        ("box.test", Rtype::AAAA),
    ] {
        assert_eq!(service.ask(name, rtype), no_data, "{name} {rtype}");
    }
    for name in [
        "nobody.box.test",
        "x.alice.box.test",
        "x._stbcast._tcp.alice.box.test",
        "_udp.bob.box.test",
        "_stbcast._tcp.nobody.box.test",
        "c.b.box.test",
        "x.ns1.box.test",
    ] {
        assert_eq!(service.ask(name, Rtype::A), negative("NXDOMAIN", &[SOA]), "{name}");
    }
    // The zone below has the names below it: here nobody claimed this one.
    assert_eq!(service.ask("x.deep.box.test", Rtype::A).rcode, "NXDOMAIN");
    assert_eq!(service.ask("deep.box.test", Rtype::A).answer, [""; 0], "the apex of the zone below");
}

#[test]
fn the_apex_has_what_the_settings_say() {
    let mut service = Service::new();
    let mut ns = positive(&["box.test 3600 NS ns1.box.test.", "box.test 3600 NS ns.elsewhere.example."]);
    ns.additional = vec!["ns1.box.test 3600 A 192.0.2.1".into(), "ns1.box.test 3600 AAAA 2001:db8::1".into()];
    assert_eq!(service.ask("box.test", Rtype::NS), ns);
    let soa = SOA.replace(" 30 SOA", " 300 SOA");
    assert_eq!(service.ask("box.test", Rtype::SOA), positive(&[&soa]));
    assert_eq!(service.ask("box.test", Rtype::CAA), positive(&["box.test 3600 CAA 0 issue \"ca.example\""]));
    assert_eq!(service.ask("ns1.box.test", Rtype::A), positive(&["ns1.box.test 3600 A 192.0.2.1"]));
    assert_eq!(service.ask("a.b.box.test", Rtype::TXT), positive(&["a.b.box.test 3600 TXT \"x\""]));
}

#[test]
fn the_question_comes_back_as_it_was_written() {
    let mut service = Service::new();
    let request = question("aLiCe.BOX.tEST", Rtype::A);
    let answer = service.udp(&request).unwrap();
    assert_eq!(answer[12..request.len()], request[12..]);
    assert_eq!(shown(&answer).answer, ["aLiCe.BOX.tEST 60 A 203.0.113.5"]);
}

/// A header alone with this rcode.
fn bare(request: &[u8], rcode: u8) -> Option<Vec<u8>> {
    Some(vec![request[0], request[1], 0x80 | request[2] & 0x79, rcode, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn what_cannot_be_answered_is_refused_by_its_reason() {
    let mut service = Service::new();
    let rcode = |service: &mut Service, request: &[u8]| service.udp(request).map(|a| a[3] & 15);
    assert_eq!(rcode(&mut service, &question("example.org", Rtype::A)), Some(5));
    assert_eq!(rcode(&mut service, &question("xbox.test", Rtype::A)), Some(5));
    assert_eq!(rcode(&mut service, &question("test", Rtype::SOA)), Some(5));
    for rtype in [249, 250, 253, 254] {
        assert_eq!(rcode(&mut service, &question("box.test", Rtype::from_int(rtype))), Some(4));
    }
    for rtype in [Rtype::AXFR, Rtype::IXFR] {
        assert_eq!(rcode(&mut service, &question("box.test", rtype)), Some(5), "without a key");
        assert_eq!(service.tcp(&question("box.test", rtype)).unwrap()[3] & 15, 5, "without a key");
    }
    let mut chaos = MessageBuilder::new_vec().question();
    chaos.push((name("version.bind"), Rtype::TXT, Class::CH)).unwrap();
    assert_eq!(rcode(&mut service, &chaos.finish()), Some(5));
    let request = question("alice.box.test", Rtype::A);
    let with = |at: usize, byte: u8| {
        let mut request = request.clone();
        request[at] = byte;
        request
    };
    assert_eq!(service.udp(&with(5, 2)), bare(&request, 1), "two questions");
    assert_eq!(service.udp(&with(5, 0)), bare(&request, 1), "none");
    assert_eq!(service.udp(&with(12, 0xc0)), bare(&request, 1), "a compressed question");
    assert_eq!(service.udp(&[&request[..], b"x"].concat()), bare(&request, 1), "bytes behind its end");
    assert_eq!(service.udp(&request[..request.len() - 1]), bare(&request, 1), "cut off");
    assert_eq!(service.udp(&with(2, 0x21)), bare(&with(2, 0x21), 4), "NOTIFY is for secondaries");
    assert_eq!(service.udp(&with(2, 0x81)), None, "an answer");
    assert_eq!(service.udp(&request[..11]), None);
    assert_eq!(service.udp(&[]), None);
}

fn with_edns(version: u8, size: u16, options: bool, copies: usize) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec().question();
    builder.push((name("dora.box.test"), Rtype::A)).unwrap();
    let mut builder = builder.additional();
    for _ in 0..copies {
        builder
            .opt(|opt| {
                opt.set_version(version);
                opt.set_udp_payload_size(size);
                opt.set_dnssec_ok(true);
                if options {
                    opt.push(&UnknownOptData::new(65001.into(), b"abc").unwrap())?;
                }
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

#[test]
fn edns_is_answered_where_it_was_spoken() {
    let mut service = Service::new();
    let answer = service.udp(&with_edns(0, 4096, true, 1)).unwrap();
    let message = Message::from_octets(&answer).unwrap();
    let opt = message.opt().unwrap();
    assert_eq!((opt.udp_payload_size(), opt.version(), opt.dnssec_ok(), opt.opt().len()), (1232, 0, true, 0));
    assert_eq!(shown(&answer).answer, ["dora.box.test 60 A 203.0.113.9"]);
    let bad = service.udp(&with_edns(1, 4096, false, 1)).unwrap();
    let bad = Message::from_octets(&bad).unwrap();
    assert_eq!((bad.opt_rcode().to_int(), bad.opt().unwrap().version()), (16, 0));
    let two = with_edns(0, 4096, false, 2);
    assert_eq!(service.udp(&two), bare(&two, 1));
    assert!(
        Message::from_octets(&service.udp(&question("dora.box.test", Rtype::A)).unwrap())
            .unwrap()
            .opt()
            .is_none()
    );
}

#[test]
fn what_is_too_long_is_asked_for_again_by_tcp() {
    let mut service = Service::new();
    let mut long = online("203.0.113.9", None, 0);
    long.texts = ["a", "b", "c", "d"].map(|c| text("", &c.repeat(255))).into();
    service.directory.load(0, "long", long);
    let answer = service.ask("long.box.test", Rtype::TXT);
    assert_eq!((answer.flags.as_str(), answer.answer.len()), ("aa tc rd", 0));
    let whole = service.tcp(&question("long.box.test", Rtype::TXT)).unwrap();
    assert_eq!(shown(&whole).answer.len(), 4);
}

#[test]
fn a_flood_is_limited_by_udp_alone() {
    let mut service = Service::new();
    let source = Transport::Udp("192.0.2.7".parse().unwrap());
    let request = question("alice.box.test", Rtype::A);
    let mut replies =
        |transport| -> Vec<_> { (0..24).map(|_| service.reply(transport, &request, 512)).collect() };
    let udp = replies(source);
    assert!(udp[..20].iter().all(|reply| reply.as_ref().is_some_and(|r| r[7] == 1)));
    let [None, Some(slipped), None, Some(_)] = &udp[20..] else { panic!("every second one is dropped") };
    assert_eq!((shown(slipped).flags.as_str(), slipped.len()), ("aa tc rd", request.len()));
    assert!(replies(Transport::Tcp).iter().all(Option::is_some));
    assert_eq!(service.server.counters().limited, 4);
    let mut nobody = |i: usize| service.reply(source, &question(&format!("x{i}.box.test"), Rtype::A), 512);
    assert_eq!(
        (0..100).filter_map(&mut nobody).filter(|r| r[9] == 1).count(),
        20,
        "all that do not exist are one"
    );
}

/// Each record of the zone of the tests, flat.
fn flat() -> Vec<(&'static str, Rtype)> {
    vec![
        ("alice", Rtype::A),
        ("alice", Rtype::AAAA),
        ("alice", Rtype::HTTPS),
        ("_stbcast._tcp.alice", Rtype::SRV),
        ("bob", Rtype::A),
        ("off", Rtype::TXT),
        ("dora", Rtype::A),
        ("dora", Rtype::TXT),
        ("_acme-challenge.dora", Rtype::TXT),
        ("_acme-challenge.dora", Rtype::TXT),
        ("ns1", Rtype::A),
        ("ns1", Rtype::AAAA),
        ("a.b", Rtype::TXT),
    ]
}

/// What there is of a name: `None`: it does not exist; else so many records.
fn naive(asked: &str, rtype: Rtype) -> Option<usize> {
    let always = ["alice", "bob", "off", "dora"]
        .iter()
        .any(|n| ["_tcp", "_stbcast._tcp", "_acme-challenge"].iter().any(|p| format!("{p}.{n}") == asked));
    let exists = always || flat().iter().any(|(n, _)| *n == asked || n.ends_with(&format!(".{asked}")));
    exists.then(|| flat().iter().filter(|record| **record == (asked, rtype)).count())
}

proptest! {
    #[test]
    fn a_plain_model_answers_the_same(
        labels in proptest::collection::vec(prop::sample::select(vec![
            "alice", "bob", "off", "dora", "ns1", "a", "b", "_tcp", "_stbcast", "_acme-challenge", "x"]), 1..4),
        rtype in prop::sample::select(vec![Rtype::A, Rtype::AAAA, Rtype::TXT, Rtype::HTTPS, Rtype::SRV, Rtype::MX]),
    ) {
        let asked = labels.join(".");
        let answer = Service::new().ask(&format!("{asked}.box.test"), rtype);
        match naive(&asked, rtype) {
            None => prop_assert_eq!(answer, negative("NXDOMAIN", &[SOA])),
            Some(0) => prop_assert_eq!(answer, negative("NOERROR", &[SOA])),
            Some(n) => prop_assert_eq!((answer.answer.len(), answer.rcode.as_str()), (n, "NOERROR")),
        }
    }

    #[test]
    fn whatever_comes_the_answer_fits_and_parses(
        mut request in proptest::collection::vec(any::<u8>(), 0..300),
        begin in 0..3_usize, size in any::<u16>(), qtype in any::<u16>(), room in 0..1300_usize,
    ) {
        let start = match begin {
            0 => vec![],
            1 => question("alice.box.test", Rtype::from_int(qtype)),
            _ => with_edns(0, size, true, 1),
        };
        request = [&start[..], &request[..if begin == 0 { request.len() } else { request.len() % 3 }]].concat();
        let mut service = Service::new();
        let source = Transport::Udp("192.0.2.7".parse().unwrap());
        if let Some(answer) = service.reply(source, &request, room) {
            prop_assert!(answer.len() <= room && answer.len() <= 1232);
            let limit = if begin == 2 { size.clamp(512, 1232) } else { 512 };
            prop_assert!(begin == 0 || request.len() != start.len() || answer.len() <= limit.into());
            let message = Message::from_octets(&answer[..]).unwrap();
            prop_assert_eq!(&message.header().id().to_be_bytes(), &request[..2]);
            let (_, a, b, c) = message.sections().unwrap();
            for record in a.chain(b).chain(c) {
                record.unwrap().to_any_record::<AllRecordData<_, _>>().unwrap();
            }
        }
    }
}
