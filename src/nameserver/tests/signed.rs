//! Signatures, judged by `domain` where it is right.

use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder};
use domain::rdata::tsig::Time48;
use domain::tsig::{Algorithm, ClientTransaction, KeyName};

use super::*;
use crate::nameserver::tsig::Tsig;
use crate::nameserver::wire::{Reader, Writer};

pub(super) const SECRET: &[u8] = b"secret of the transfer";

/// A key as `domain` has it.
pub(super) fn key(name: &str, secret: &[u8]) -> Arc<domain::tsig::Key> {
    let name: KeyName = name.parse().unwrap();
    Arc::new(domain::tsig::Key::new(Algorithm::Sha256, secret, name, None, None).unwrap())
}

fn signed(key: Arc<domain::tsig::Key>, utc: u64) -> (Vec<u8>, ClientTransaction<Arc<domain::tsig::Key>>) {
    let mut builder = MessageBuilder::new_vec().question();
    builder.push((name("box.test"), Rtype::SOA)).unwrap();
    let mut builder = builder.additional();
    let transaction = ClientTransaction::request(key, &mut builder, Time48::from_u64(utc)).unwrap();
    (builder.finish(), transaction)
}

#[test]
fn what_is_signed_is_answered_signed() {
    let mut service = Service::new();
    for utc in [NOW.utc - 300, NOW.utc, NOW.utc + 300] {
        let (request, transaction) = signed(key("transfer.KEY", SECRET), utc);
        for answer in [service.udp(&request).unwrap(), service.tcp(&request).unwrap()] {
            let mut answer = Message::from_octets(answer).unwrap();
            transaction.answer(&mut answer, Time48::from_u64(NOW.utc)).unwrap();
            assert_eq!(answer.header_counts().ancount(), 1);
        }
    }
    let (request, transaction) = signed(key("alice.box.test", &[7; 32]), NOW.utc);
    let mut answer = Message::from_octets(service.udp(&request).unwrap()).unwrap();
    transaction.answer(&mut answer, Time48::from_u64(NOW.utc)).unwrap();
}

/// RCODE and TSIG error of an answer.
fn errors(answer: &[u8]) -> (u8, u16, usize) {
    let header = crate::nameserver::request::Header { id: 0, flags: 0, counts: [1, 0, 0, 1] };
    let request = crate::nameserver::request::Request::parse(header, answer).unwrap();
    let tsig = Tsig::parse(answer, request.tsig_at.unwrap()).unwrap();
    (answer[3] & 15, tsig.error, tsig.mac.len())
}

#[test]
fn what_is_signed_wrong_is_told_why() {
    let mut service = Service::new();
    let mut ask = |key, utc| errors(&service.udp(&signed(key, utc).0).unwrap());
    assert_eq!(ask(key("transfer.key", b"another"), NOW.utc), (9, 16, 0), "BADSIG");
    assert_eq!(ask(key("nobody.key", SECRET), NOW.utc), (9, 17, 0), "BADKEY");
    assert_eq!(ask(key("bob.box.test", &[7; 32]), NOW.utc), (9, 17, 0), "a name without a key");
    assert_eq!(ask(key("x.alice.box.test", &[7; 32]), NOW.utc), (9, 17, 0));
    assert_eq!(ask(key("box.test", &[7; 32]), NOW.utc), (9, 17, 0));
    assert_eq!(ask(key("transfer.key", SECRET), NOW.utc - 301), (9, 18, 32), "BADTIME");
    let mut truncated = signed(key("transfer.key", SECRET), NOW.utc).0;
    let at = truncated.len() - 1;
    truncated[at] = 1;
    assert_eq!(service.udp(&truncated).unwrap()[3] & 15, 1, "other data that is not there");
    assert_eq!(service.server.counters().bad_signatures, 6);
}

#[test]
fn a_clock_that_is_wrong_is_told_the_time_under_signature() {
    let mut service = Service::new();
    let utc = NOW.utc + 1000;
    let (request, _) = signed(key("transfer.key", SECRET), utc);
    let answer = service.udp(&request).unwrap();
    let question_end = 12 + b"\x03box\x04test\0".len() + 4;
    let request_mac = {
        let tsig = Tsig::parse(&request, question_end).unwrap();
        tsig.mac.to_vec()
    };
    // From RFC 8945 §5.3.2: the request's MAC, the answer, then the variables with 6 octets of other data.
    let mut head = answer[..question_end].to_vec();
    head[11] = 0;
    let time = |utc: u64| utc.to_be_bytes()[2..].to_vec();
    let parts: [&[u8]; 12] = [
        &[0, 32],
        &request_mac,
        &head,
        b"\x08transfer\x03key\0",
        &[0, 255, 0, 0, 0, 0],
        b"\x0bhmac-sha256\0",
        &time(utc),
        &[1, 44],
        &[0, 18],
        &[0, 6],
        &time(NOW.utc),
        &[],
    ];
    let expected = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET), &parts.concat());
    let tsig = Tsig::parse(&answer, question_end).unwrap();
    assert_eq!((tsig.mac, answer[3] & 15, tsig.error), (expected.as_ref(), 9, 18));
}

#[test]
fn our_own_two_ends_agree() {
    for algorithm in ["hmac-sha256", "hmac-sha384", "HMAC-SHA512"] {
        let key = Key::parse(&format!("{algorithm}:a.key:c2VjcmV0")).unwrap();
        let mut out = [0; 300];
        out[..12].copy_from_slice(&[1, 2, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut writer = Writer::new(&mut out, 12);
        let mac = key.sign(&mut writer, b"prior", 1000).unwrap();
        assert!(writer.len() <= 12 + key.room());
        let signed = writer.written().to_vec();
        assert_eq!(Reader { message: &signed, at: 10 }.u16(), Ok(1));
        let tsig = Tsig::parse(&signed, 12).unwrap();
        assert_eq!(tsig.mac, &*mac);
        assert_eq!(tsig.verify(&key, b"prior", false, 1300), Ok(()));
        for at in 0..signed.len() {
            let mut wrong = signed.clone();
            wrong[at] ^= 0x81;
            let tsig = Tsig::parse(&wrong, 12);
            // The ID may be another: it is the original one that is signed. ARCOUNT, class and TTL of the record are not.
            let is_unsigned = at < 2 || (12 + 7..12 + 17).contains(&at);
            assert!(
                is_unsigned || !tsig.is_ok_and(|tsig| tsig.verify(&key, b"prior", false, 1300) == Ok(())),
                "{at}"
            );
        }
    }
    for wrong in [
        "",
        "a.key:c2VjcmV0",
        "hmac-md5:a.key:c2VjcmV0",
        "hmac-sha256:a.key:!",
        "hmac-sha256:a.key:",
        "hmac-sha256:.:c2VjcmV0",
    ] {
        assert_eq!(Key::parse(wrong).unwrap_err(), crate::nameserver::KeyError);
    }
}
