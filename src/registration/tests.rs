use ring::rand::SystemRandom;

use super::*;

fn key(n: u8) -> BeatKey {
    BeatKey([n; 16])
}

fn longest_beat() -> Beat {
    Beat {
        flags: 0xff,
        epoch: u32::MAX,
        uptime_s: u32::MAX,
        pub_port: u16::MAX,
        v6: heapless::Vec::from_slice(&[[0xff; 16]; 2]).unwrap(),
        map: 0xff,
        cookie: Some([0xff; COOKIE]),
    }
}

/// Computed by another implementation: Python's hmac and hashlib over bytes written by hand.
#[test]
fn packets_are_those_of_the_vectors() {
    let psk = Psk::new(std::array::from_fn(|i| u8::try_from(i).unwrap()));
    let keys = psk.beat_keys(3);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(&keys.to_service.0), VECTOR_B2M);
    assert_eq!(hex(&keys.to_box.0), VECTOR_M2B);
    let beat = Beat { epoch: 3, uptime_s: 300, pub_port: 8443, ..Beat::default() };
    let mut packet = [0; PACKET_MAX];
    let length = seal(BoxId(*b"abcdefgh"), 0x0102, &beat, &keys.to_service, &mut packet);
    assert_eq!(hex(&packet[..length]), VECTOR_BEAT);
    assert_eq!(psk.dyndns2_password(3), VECTOR_PASSWORD);
}

const VECTOR_B2M: &str = "6e52e9949d7f6b42ec422cd7aba63769";
const VECTOR_M2B: &str = "e5f035134cfed99c8c4952af16379868";
const VECTOR_BEAT: &str = "535411616263646566676802010000000000000003ac02fb4100000000000000000000000000000000000000000000000000000000000000ce4bf3dee63761984f589ed8cb31db5c";
const VECTOR_PASSWORD: &str = "D3Cswl12RFJQofBUajfL";

#[test]
fn no_answer_is_longer_than_what_it_answers() {
    let mut packet = [0; PACKET_MAX];
    let shortest = seal(BoxId([0; 8]), 0, &Beat::default(), &key(1), &mut packet);
    let longest = seal(BoxId([0; 8]), 0, &longest_beat(), &key(1), &mut packet);
    let ack = Ack {
        seen: Seen::V6([0xff; 16]),
        port: u16::MAX,
        status: Status::NotPublished,
        next_s: u16::MAX,
        flags: AckFlags(0xff),
        srv_time: u32::MAX,
    };
    let acked = seal(BoxId([0; 8]), 0, &ack, &key(1), &mut packet);
    let retried = seal(BoxId([0; 8]), 0, &Retry { cookie: [0xff; COOKIE] }, &key(1), &mut packet);
    assert_eq!((shortest, longest, acked, retried), (72, 100, LONGEST_ACK, 51));
}

#[test]
fn a_packet_is_read_whole_by_its_key_and_kind_alone() {
    let mut packet = [0; PACKET_MAX];
    let length = seal(BoxId([7; 8]), u64::MAX, &longest_beat(), &key(1), &mut packet);
    let packet = &mut packet[..length];
    let header = Header { kind: Kind::Beat, id: BoxId([7; 8]), counter: u64::MAX };
    assert_eq!((Header::peek(packet), open(packet, &key(1))), (Some(header), Some(longest_beat())));
    assert_eq!((open::<Beat>(packet, &key(2)), open::<Ack>(packet, &key(1))), (None, None));
    for i in 0..length {
        assert_eq!(open::<Beat>(&packet[..i], &key(1)), None, "cut at {i}");
        for bit in 0..8 {
            packet[i] ^= 1 << bit;
            assert_eq!(open::<Beat>(packet, &key(1)), None, "bit {bit} of {i}");
            packet[i] ^= 1 << bit;
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let head = [b"ST\x11".as_slice(), &bytes].concat();
        proptest::prop_assert_eq!(open::<Beat>(&head, &key(1)), None);
        let _ = Header::peek(&bytes);
    }
}

#[test]
fn names_are_labels_and_the_reason_is_said() {
    let good = |text: &str| Label::new(text).unwrap().to_string();
    assert_eq!(
        [good("abc"), good("Alice"), good("a-1"), good(&"x".repeat(32))].map(|n| n.len()),
        [3, 5, 3, 32]
    );
    assert_eq!(good("Alice"), "alice");
    for (text, why) in [
        ("ab", LabelError::Short),
        ("", LabelError::Short),
        (&"x".repeat(33), LabelError::Long),
        ("a.b", LabelError::Letter('.')),
        ("a b", LabelError::Letter(' ')),
        ("_abc", LabelError::Letter('_')),
        ("好好好", LabelError::Letter('好')),
        ("-ab", LabelError::HyphenAtEdge),
        ("ab-", LabelError::HyphenAtEdge),
        ("xn--abc", LabelError::HyphensInside),
    ] {
        assert_eq!(Label::new(text), Err(why), "{text}");
    }
    for (text, reserved) in [("www", true), ("ns17", true), ("hb0", true), ("nsx", false), ("alice", false)] {
        assert_eq!(Label::new(text).unwrap().is_reserved(), reserved, "{text}");
    }
}

#[test]
fn both_ends_of_a_claim_have_the_same_secrets_and_nobody_between() {
    let rng = SystemRandom::new();
    let (box_key, service) = (BoxKey::from_seed([1; 32]), ServiceKey::from_seed([2; 32]));
    let name = Label::new("alice").unwrap();
    let enrolment = Enrolment::begin(&rng).unwrap();
    let nonce = Nonce([9; 16]);
    let claim =
        Claim { zone: "box.test", name: &name, nonce, key: box_key.public(), share: enrolment.share() };
    let signed = claim.sign(&box_key);
    assert!(claim.is_signed(&box_key.public(), &signed));
    let other = Claim { share: [0; 32], ..claim };
    assert!(!other.is_signed(&box_key.public(), &signed), "the share is covered");

    let granted = Granted::new(&signed, &claim.share, &rng).unwrap();
    let answer = Claimed {
        claim: signed,
        id: BoxId([5; 8]),
        epoch: 1,
        share: granted.share,
        heartbeat: "hb0.box.test:5390",
        is_new: true,
    };
    let answered = answer.sign(&service);
    let enrolled = enrolment.finish(&service.public(), &answer, &answered).unwrap();
    assert_eq!(enrolled.psk.as_bytes(), granted.psk.as_bytes());
    let code = enrolled.recovery.unwrap();
    assert_eq!(code.shown(), granted.recovery.shown());

    // The code is typed later, and proves one claim.
    let typed = RecoveryCode::parse(&code.shown().to_lowercase().replace('-', " ")).unwrap();
    assert!(code.hash().is_proved(&signed, &typed.prove(&signed)));
    assert!(!code.hash().is_proved(&answered, &typed.prove(&signed)));
    assert!(
        RecoveryCode::parse("ABCD-EFGH-IJKL-MNO").is_none() && RecoveryCode::parse(&"A".repeat(17)).is_none()
    );
    assert!(RecoveryCode::parse("ABCD-EFGH-IJKL-MNO1").is_none());
}

#[test]
fn an_answer_of_another_service_or_to_another_claim_gives_nothing() {
    let rng = SystemRandom::new();
    let (service, impostor) = (ServiceKey::from_seed([2; 32]), ServiceKey::from_seed([3; 32]));
    let answer = |share| Claimed {
        claim: Signature([1; 64]),
        id: BoxId([5; 8]),
        epoch: 1,
        share,
        heartbeat: "hb0.box.test:5390",
        is_new: true,
    };
    let granted = Granted::new(&Signature([1; 64]), &Enrolment::begin(&rng).unwrap().share(), &rng).unwrap();
    let right = answer(granted.share);
    let finish = |answer: &Claimed<'_>, signature: &Signature| {
        Enrolment::begin(&rng).unwrap().finish(&service.public(), answer, signature).map(|_| ()).unwrap_err()
    };
    assert_eq!(finish(&right, &right.sign(&impostor)), ClaimError::Signature);
    let changed = Claimed { epoch: 2, ..right };
    assert_eq!(finish(&changed, &right.sign(&service)), ClaimError::Signature);
    let zero = answer([0; 32]);
    assert_eq!(finish(&zero, &zero.sign(&service)), ClaimError::Share);
    assert_eq!(Granted::new(&Signature([1; 64]), &[0; 32], &rng).err(), Some(ClaimError::Share));
}

#[test]
fn each_statement_is_of_its_own_kind() {
    let (box_key, service) = (BoxKey::from_seed([1; 32]), ServiceKey::from_seed([1; 32]));
    let (name, nonce) = (Label::new("alice").unwrap(), Nonce([4; 16]));
    let cancel = Cancel { zone: "box.test", name: &name, nonce };
    let release = Release { zone: "box.test", name: &name, nonce, erase: false };
    let signed = cancel.sign(&box_key);
    assert!(cancel.is_signed(&box_key.public(), &signed) && !release.is_signed(&box_key.public(), &signed));
    let signed = release.sign(&box_key);
    assert!(!Release { erase: true, ..release }.is_signed(&box_key.public(), &signed));
    let voucher = Voucher { serial: "A1", key: box_key.public() };
    assert!(voucher.is_signed(&service.public(), &voucher.sign(&service)));
    // Lengths keep neighbours apart.
    let (ab, abc) = (Label::new("xab").unwrap(), Label::new("xabc").unwrap());
    let one = Cancel { zone: "c", name: &ab, nonce }.sign(&box_key);
    assert!(!Cancel { zone: "", name: &abc, nonce }.is_signed(&box_key.public(), &one));
    let text = box_key.public().to_string();
    assert_eq!(BoxPublic::parse(&text), Some(box_key.public()));
    assert_eq!((text.len(), BoxPublic::parse(&text[1..])), (43, None));
}
