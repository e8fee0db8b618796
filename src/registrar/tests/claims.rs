//! Who gets a name, and who does not.

use std::net::IpAddr;

use super::*;
use crate::registration::{Cancel, Label, RecoveryCode, Release};

fn vouched() -> Settings {
    Settings { enrol: Enrol::Voucher(vec![brand_key().public()]), ..settings() }
}

fn taken(name: &str) -> Result<Option<u32>, Refusal> {
    Err(Refusal::Taken(name.into()))
}

fn source(last: u32) -> IpAddr {
    IpAddr::V4((0x0b00_0001 + (last << 8)).into())
}

#[test]
fn a_name_has_one_owner() {
    let mut rig = Rig::new(settings());
    online(&mut rig, "alice");
    assert_eq!(TestBox::new(11).claim(&mut rig, "alice"), taken("alice"));
    assert_eq!(TestBox::new(11).claim(&mut rig, "ALICE"), taken("alice"), "as DNS reads it");
    assert_eq!(TestBox::new(11).claim(&mut rig, "alice2"), Ok(None));
}

#[test]
fn an_unvouched_box_gets_no_name() {
    let mut rig = Rig::new(vouched());
    let without = Also { no_voucher: true, ..Also::default() };
    assert_eq!(TestBox::new(10).claim_with(&mut rig, "alice", &without), Err(Refusal::Voucher));
    assert_eq!(rig.published("alice"), None);
    assert_eq!(TestBox::new(10).claim(&mut rig, "alice"), Ok(None));
    let mut other = Rig::new(Settings { enrol: Enrol::Voucher(vec![service_key().public()]), ..settings() });
    assert_eq!(TestBox::new(10).claim(&mut other, "alice"), Err(Refusal::Voucher), "of another brand");
}

#[test]
fn names_that_are_kept_or_look_like_it_are_refused() {
    let mut rig = Rig::new(settings());
    for (seed, name) in [(10, "www"), (11, "ns1"), (12, "examp1ebank"), (13, "exarnple-bank"), (14, "adm1n")]
    {
        let refused = TestBox::new(seed).claim(&mut rig, name);
        assert_eq!(refused, Err(Refusal::Reserved(name.into())), "{name}");
    }
    assert!(matches!(TestBox::new(10).claim(&mut rig, "-a-"), Err(Refusal::Name(_))));
    assert_eq!(TestBox::new(10).claim(&mut rig, "alice"), Ok(None));
}

#[test]
fn a_network_claims_five_names_an_hour() {
    let mut rig = Rig::new(settings());
    let all = |rig: &mut Rig| {
        let claim = |i| TestBox::new(i).claim_from(rig, source(0), &format!("name-{i}"), &Also::default());
        (10..20).map(claim).filter(Result::is_ok).count()
    };
    assert_eq!(all(&mut rig), 5);
    assert_eq!(TestBox::new(30).claim_from(&mut rig, source(1), "elsewhere", &Also::default()), Ok(None));
    rig.wait(3600);
    assert_eq!(all(&mut rig), 10, "the five that have theirs get new keys, and five more");
    for i in 0..200 {
        let _ = TestBox::new(40).claim_from(&mut rig, source(0), &format!("name-{i}"), &Also::default());
    }
    let refused = TestBox::new(40).claim_from(&mut rig, source(0), "name-10", &Also::default());
    assert_eq!(refused, Err(Refusal::Rate), "tries are counted, too");
}

#[test]
fn a_full_service_says_so() {
    let mut rig = Rig::new(Settings { capacity: 2, ..settings() });
    for (seed, name) in [(10, "alice"), (11, "bob")] {
        assert_eq!(TestBox::new(seed).claim(&mut rig, name), Ok(None));
    }
    assert_eq!(TestBox::new(12).claim(&mut rig, "carol"), Err(Refusal::Full));
    assert_eq!(TestBox::new(11).claim(&mut rig, "bob"), Ok(None), "who has one keeps it");
}

#[test]
fn a_claim_is_good_once_and_for_what_it_says() {
    let mut rig = Rig::new(settings());
    let stb = TestBox::new(10);
    let (nonce, label) = (rig.registrar.nonce(rig.now), Label::new("alice").unwrap());
    let claim =
        crate::registration::Claim { zone: ZONE, name: &label, nonce, key: stb.public(), share: [9; 32] };
    let signature = claim.sign(&stb.key);
    let request = ClaimRequest {
        zone: ZONE,
        name: "alice",
        key: stb.public(),
        nonce,
        share: [9; 32],
        signature,
        voucher: None,
        recovery: None,
        handover: None,
    };
    let mut judge = |request: &ClaimRequest<'_>| {
        let answer = rig.registrar.claim(rig.now, source(1), request).map(|_| ());
        rig.commit();
        answer
    };
    assert_eq!(
        judge(&ClaimRequest { zone: "strange.test", ..request }),
        Err(Refusal::Zone("strange.test".into()))
    );
    assert_eq!(judge(&ClaimRequest { nonce: Nonce([7; 16]), ..request }), Err(Refusal::Nonce));
    assert_eq!(judge(&request), Ok(()));
    assert_eq!(judge(&request), Err(Refusal::Nonce), "sent again");
    let nonce = rig.registrar.nonce(rig.now);
    let other = ClaimRequest { nonce, ..request };
    let answer = rig.registrar.claim(rig.now, source(1), &other).map(|_| ());
    assert_eq!(answer, Err(Refusal::Signature), "another nonce than was signed");
}

#[test]
fn the_same_key_gets_new_keys_and_the_old_ones_end() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let mut old = TestBox { counter: stb.counter, ..TestBox::new(10) };
    (old.id, old.epoch, old.psk) = (stb.id, stb.epoch, stb.psk.clone());
    let code = stb.recovery.take();
    assert_eq!(stb.claim(&mut rig, "alice"), Ok(None));
    assert_eq!((stb.epoch, stb.id, stb.recovery.is_some()), (2, old.id, false));
    assert_eq!(old.beat(&mut rig, HOME), None);
    assert!(stb.beat(&mut rig, HOME).is_some());
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    // the code from the first time is still right
    let also = Also { recovery: code.as_ref(), ..Also::default() };
    assert!(matches!(TestBox::new(11).claim_with(&mut rig, "alice", &also), Ok(Some(_))));
}

#[test]
fn a_recovery_code_moves_the_name_after_three_days() {
    let mut rig = Rig::new(settings());
    let mut lost = online(&mut rig, "alice");
    let code = lost.recovery.take().unwrap();
    let mut new = TestBox::new(11);
    let wrong = RecoveryCode::parse("AAAA-AAAA-AAAA-AAAA").unwrap();
    let also = Also { recovery: Some(&wrong), ..Also::default() };
    assert_eq!(new.claim_with(&mut rig, "alice", &also), Err(Refusal::Recovery));
    let also = Also { recovery: Some(&code), ..Also::default() };
    let until = new.claim_with(&mut rig, "alice", &also).unwrap().unwrap();
    assert_eq!(u64::from(until), rig.now.utc + 72 * 3600);
    rig.restart(settings());
    rig.wait(71 * 3600);
    assert_eq!(new.claim_with(&mut rig, "alice", &also), Ok(Some(until)));
    rig.wait(3601);
    assert_eq!(new.claim_with(&mut rig, "alice", &also), Ok(None));
    assert_eq!(new.beat(&mut rig, "192.0.1.8:1").unwrap().status, Status::Published);
    assert_eq!(
        lost.beat(&mut rig, HOME).unwrap().flags,
        AckFlags::NAME_LOST,
        "a box that lost its name is told"
    );
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.8"), None)));
    assert!(new.recovery.is_some(), "there is a new code");
    assert_eq!(lost.claim_with(&mut rig, "alice", &also), Err(Refusal::Recovery), "and the old one is none");
    rig.restart(settings());
    assert_eq!(lost.beat(&mut rig, HOME).unwrap().flags, AckFlags::NAME_LOST);
}

#[test]
fn the_live_box_says_no_to_a_move() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let code = stb.recovery.take().unwrap();
    let also = Also { recovery: Some(&code), ..Also::default() };
    let mut thief = TestBox::new(11);
    assert!(thief.claim_with(&mut rig, "alice", &also).unwrap().is_some());
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::MOVE_PENDING);
    let name = Label::new("alice").unwrap();
    for (who, expected) in [(&thief, false), (&stb, true)] {
        let nonce = rig.registrar.nonce(rig.now);
        let signature = Cancel { zone: ZONE, name: &name, nonce }.sign(&who.key);
        let answer = rig.registrar.cancel(rig.now, source(3), ZONE, "alice", (nonce, signature));
        rig.commit();
        assert_eq!(answer.is_ok(), expected, "{answer:?}");
    }
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::default());
    rig.wait(73 * 3600);
    assert!(thief.claim_with(&mut rig, "alice", &also).unwrap().is_some(), "it waits anew");
}

#[test]
fn an_old_box_hands_the_name_over_at_once() {
    let mut rig = Rig::new(vouched());
    let mut old = online(&mut rig, "alice");
    let (mut new, other) = (TestBox::new(11), TestBox::new(12));
    let also = |handover| Also { handover: Some(handover), ..Also::default() };
    let bad = also(old.handover("alice", other.public()));
    assert_eq!(new.claim_with(&mut rig, "alice", &bad), Err(Refusal::Signature), "for another box");
    let bad = also(other.handover("alice", new.public()));
    assert_eq!(new.claim_with(&mut rig, "alice", &bad), Err(Refusal::Signature), "of another box");
    let good = Also { no_voucher: true, ..also(old.handover("alice", new.public())) };
    assert_eq!(new.claim_with(&mut rig, "alice", &good), Err(Refusal::Voucher));
    let good = also(old.handover("alice", new.public()));
    assert_eq!(new.claim_with(&mut rig, "alice", &good), Ok(None));
    assert_eq!((new.epoch, new.id == old.id), (2, false));
    assert_eq!(old.beat(&mut rig, HOME).unwrap().flags, AckFlags::NAME_LOST);
    assert_eq!(rig.published("alice"), Some((None, None)), "the other box's address is not this one's");
}

#[test]
fn a_released_name_rests_for_ninety_days() {
    for erase in [false, true] {
        let mut rig = Rig::new(settings());
        let mut stb = online(&mut rig, "alice");
        let name = Label::new("alice").unwrap();
        let release = |rig: &mut Rig, key: &crate::registration::BoxKey, erase, signed| {
            let nonce = rig.registrar.nonce(rig.now);
            let signature = Release { zone: ZONE, name: &name, nonce, erase: signed }.sign(key);
            let answer = rig.registrar.release(rig.now, source(4), ZONE, "alice", (nonce, erase, signature));
            rig.commit();
            answer.is_ok()
        };
        assert!(!release(&mut rig, &TestBox::new(11).key, erase, erase), "another key");
        assert!(!release(&mut rig, &stb.key, erase, !erase), "another statement");
        assert!(release(&mut rig, &stb.key, erase, erase));
        assert_eq!(rig.published("alice"), Some((None, None)));
        let shown = rig.registrar.show(rig.now, 0, "alice").unwrap();
        assert_eq!((shown.lease, shown.serial.as_str(), shown.id), (Lease::Resting, "", None));
        assert_eq!(shown.key.is_none(), erase);
        assert_eq!(
            stb.beat(&mut rig, HOME).is_none(),
            erase,
            "its keys are erased, or say that they are old"
        );
        rig.restart(settings());
        assert!(matches!(TestBox::new(11).claim(&mut rig, "alice"), Err(Refusal::Held(..))));
        assert_eq!(
            stb.claim(&mut rig, "alice").is_ok(),
            !erase,
            "it may have it again, unless it was erased"
        );
        rig.wait(91 * 86_400);
        assert_eq!(TestBox::new(12).claim(&mut rig, "alice").is_ok(), erase);
    }
}

#[test]
fn the_operator_suspends_revokes_and_releases() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    rig.registrar.suspend(0, "alice", "phishing").unwrap();
    rig.commit();
    assert_eq!(rig.published("alice"), Some((None, None)));
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().status, Status::Suspended);
    rig.restart(settings());
    assert_eq!(rig.registrar.show(rig.now, 0, "alice").unwrap().suspended.as_deref(), Some("phishing"));
    rig.registrar.resume(0, "alice").unwrap();
    rig.commit();
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().status, Status::Published);
    let secret = rig.registrar.credentials(0, "alice").unwrap();
    rig.registrar.revoke(rig.now, 0, "alice").unwrap();
    rig.commit();
    assert_eq!(rig.published("alice"), Some((None, None)));
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::NAME_LOST);
    assert_eq!(stb.claim(&mut rig, "alice"), Err(Refusal::Held("alice".into(), 0)));
    assert!(!rig.registrar.is_password(0, "alice", &secret.password));
    assert!(rig.registrar.credentials(0, "alice").is_none());
    rig.registrar.resume(0, "alice").unwrap();
    rig.commit();
    assert!(!rig.registrar.is_password(0, "alice", &secret.password), "of the old epoch");
    assert_eq!(stb.claim(&mut rig, "alice"), Ok(None));
    rig.registrar.release_by_operator(rig.now, 0, "alice", false).unwrap();
    rig.commit();
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::NAME_LOST);
    assert!(matches!(rig.registrar.suspend(0, "alice", "x"), Err(Refusal::Unknown(_))));
}

#[test]
fn other_programs_update_what_is_theirs_with_addresses_of_the_internet() {
    use crate::nameserver::{Address, Text, Update};
    let mut rig = Rig::new(settings());
    let (credentials, _) = rig.registrar.add(rig.now, 0, "router").unwrap();
    assert!(matches!(rig.registrar.add(rig.now, 0, "router"), Err(Refusal::Busy(_))));
    rig.commit();
    assert!(matches!(rig.registrar.add(rig.now, 0, "router"), Err(Refusal::Taken(_))));
    assert!(rig.registrar.is_password(0, "router", &credentials.password));
    assert!(!rig.registrar.is_password(0, "router", ""));
    assert!(!rig.registrar.is_password(0, "nobody", &credentials.password));
    assert_eq!(rig.registrar.tsig_secret_of(0, b"router"), Some(credentials.tsig_secret));
    assert_eq!(rig.registrar.tsig_secret_of(1, b"router"), None);
    let v4 = |text: &str| Update { v4: Some(Address::Is(text.parse().unwrap())), ..Update::default() };
    let update = |rig: &mut Rig, update| {
        let answer = rig.registrar.update_addresses(rig.now, 0, "router", update);
        rig.commit();
        answer.map(|staged| staged.answer)
    };
    for bad in ["192.168.1.1", "224.0.0.1", "240.0.0.1", "0.0.0.0", "203.0.113.5"] {
        assert!(matches!(update(&mut rig, v4(bad)), Err(Refusal::Address(_))), "{bad}");
    }
    assert_eq!(update(&mut rig, v4("198.41.0.4")), Ok(true));
    assert_eq!(update(&mut rig, v4("198.41.0.4")), Ok(false), "no change");
    rig.wait(500 * 86_400);
    assert_eq!(rig.published("router"), Some((ip("198.41.0.4"), None)), "no lease");
    let text = |data: &[u8]| Text { below: b"_acme-challenge".as_slice().into(), data: data.into() };
    let texts = |texts: Vec<Text>| Update { texts: Some(texts), ..Update::default() };
    assert!(matches!(update(&mut rig, texts(vec![text(b"\x01x"); 5])), Err(Refusal::Text(_))));
    assert_eq!(update(&mut rig, texts(vec![text(b"\x03abc")])), Ok(true));
    rig.restart(settings());
    let found =
        crate::nameserver::Directory::find(&rig.registrar, 0, b"router").entry().unwrap().to_snapshot();
    assert_eq!((found.v4, found.texts.len()), (Some([198, 41, 0, 4].into()), 1));
    assert_eq!(update(&mut rig, Update { v4: Some(Address::Gone), ..Update::default() }), Ok(true));
    assert_eq!(rig.published("router"), Some((None, None)));
    assert!(matches!(TestBox::new(10).claim(&mut rig, "router"), Err(Refusal::Taken(_))));
}

#[test]
fn the_service_signs_the_time_and_where_it_went() {
    let mut settings = settings();
    settings.zones[0].moved_to = Some(("https://new.test".into(), brand_key().public()));
    let mut rig = Rig::new(settings);
    let nonce = Nonce([3; 16]);
    let time = TimeIs { nonce, seconds: rig.now.utc };
    assert!(time.is_signed(&service_key().public(), &rig.registrar.time(rig.now, nonce)));
    let (url, key, signature) = rig.registrar.moved(0).unwrap();
    let moved = Moved { zone: ZONE, service: url, key };
    assert!(moved.is_signed(&service_key().public(), &signature));
    assert!(rig.registrar.moved(1).is_none());
    let mut stb = TestBox::new(10);
    stb.claim(&mut rig, "alice").unwrap();
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::MOVED);
}
