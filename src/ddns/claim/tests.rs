use ring::rand::SystemRandom;

use super::*;
use crate::registration::{Granted, Handover, ServiceKey};

fn service_key() -> ServiceKey {
    ServiceKey::from_seed([1; 32])
}

fn wanted(title: Title) -> Wanted {
    let service = Service { url: "http://s.example".try_into().unwrap(), key: service_key().public().0 };
    Wanted {
        origin: service.clone(),
        service,
        zone: "box.test".into(),
        name: Label::new("alice").unwrap(),
        title,
    }
}

fn begin(title: Title) -> (Claiming, String) {
    let (claiming, body) =
        Claiming::begin(wanted(title), &BoxKey::from_seed([2; 32]), None, Nonce([3; 16])).unwrap();
    (claiming, String::from_utf8(body).unwrap())
}

fn field<'b>(body: &'b str, name: &str) -> &'b str {
    let rest = body.split(&format!("\"{name}\":\"")).nth(1).unwrap_or_else(|| panic!("{name} in {body}"));
    rest.split('"').next().unwrap()
}

/// The service's answer to a claim, and what it keeps.
fn grant(body: &str, key: &ServiceKey, is_new: bool) -> (String, Granted) {
    let claim = Signature(decoded(field(body, "sig")).unwrap());
    let granted =
        Granted::new(&claim, &decoded(field(body, "share")).unwrap(), &SystemRandom::new()).unwrap();
    let claimed = Claimed {
        claim,
        id: BoxId([7; 8]),
        epoch: 4,
        share: granted.share,
        heartbeat: "hb.box.test:4710",
        is_new,
    };
    let sig = claimed.sign(key);
    let answer = format!(
        r#"{{"box_id":"{}","epoch":4,"share":"{}","hb":"hb.box.test:4710","created":{is_new},"sig":"{}","next_s":60}}"#,
        encoded(&[7; 8]),
        encoded(&granted.share),
        encoded(&sig.0)
    );
    (answer, granted)
}

#[test]
fn both_ends_come_to_the_same_secret_and_none_of_it_is_sent() {
    let (claiming, body) = begin(Title::None);
    let claim = Claim {
        zone: "box.test",
        name: &Label::new("alice").unwrap(),
        nonce: Nonce([3; 16]),
        key: BoxKey::from_seed([2; 32]).public(),
        share: decoded(field(&body, "share")).unwrap(),
    };
    let signature = Signature(decoded(field(&body, "sig")).unwrap());
    assert!(claim.is_signed(&claim.key, &signature), "as the service checks it");
    assert!(!body.contains("voucher") && !body.contains("recovery") && !body.contains("handover"));
    let (answer, granted) = grant(&body, &service_key(), true);
    let Outcome::Held(held) = claiming.finish(200, answer.as_bytes()) else { panic!("{answer}") };
    assert_eq!(held.psk().as_bytes(), granted.psk.as_bytes());
    assert_eq!(held.recovery.as_ref().unwrap(), &granted.recovery.shown());
    assert_eq!((held.id(), held.epoch, held.fqdn().as_str()), (BoxId([7; 8]), 4, "alice.box.test"));
    assert_eq!(held.heartbeat, "hb.box.test:4710");
    let (claiming, body) = begin(Title::None);
    let (answer, _) = grant(&body, &service_key(), false);
    let Outcome::Held(held) = claiming.finish(200, answer.as_bytes()) else { panic!("{answer}") };
    assert_eq!(held.recovery, None, "the owner has it already");
}

#[test]
fn an_answer_of_somebody_else_or_to_something_else_is_none() {
    let refuses = |make: &dyn Fn(&str) -> String| {
        let (claiming, body) = begin(Title::None);
        matches!(claiming.finish(200, make(&body).as_bytes()), Outcome::Later(_))
    };
    assert!(refuses(&|body| grant(body, &ServiceKey::from_seed([8; 32]), true).0), "another key");
    assert!(refuses(&|_| grant(&begin(Title::None).1, &service_key(), true).0), "of another claim");
    assert!(refuses(&|body| grant(body, &service_key(), true).0.replace(":4710", ":4711")));
    assert!(refuses(&|body| grant(body, &service_key(), true).0.replace("\"epoch\":4", "\"epoch\":5")));
    assert!(
        refuses(&|body| grant(body, &service_key(), false).0.replace("false", "true")),
        "no code was made"
    );
    assert!(refuses(&|body| grant(body, &service_key(), true).0[1..].into()));
    assert!(refuses(&|_| "{}".into()));
}

#[test]
fn a_title_goes_along() {
    let code = RecoveryCode::parse("ABCD-EFGH-IJKL-MNOP").unwrap();
    let (_, body) = begin(Title::Recovery(code.clone()));
    let signature = Signature(decoded(field(&body, "sig")).unwrap());
    assert!(code.hash().is_proved(&signature, &decoded(field(&body, "recovery")).unwrap()));
    assert!(!body.contains("ABCD"));
    let old = BoxKey::from_seed([6; 32]);
    let handover = Handover {
        zone: "box.test",
        name: &Label::new("alice").unwrap(),
        to: BoxKey::from_seed([2; 32]).public(),
    };
    let (_, body) = begin(Title::Handover(handover.sign(&old)));
    let sig = body.split("\"handover\":{").nth(1).map(|rest| field(rest, "sig")).unwrap();
    assert!(handover.is_signed(&old.public(), &Signature(decoded(sig).unwrap())));
    let key = BoxKey::from_seed([2; 32]);
    let brand = ServiceKey::from_seed([5; 32]);
    let voucher = Voucher { serial: "SN-1", key: key.public() }.sign(&brand);
    let text =
        format!("# box 1\nserial = SN-1\nkey = {}\nvoucher={}\n", encoded(key.seed()), encoded(&voucher.0));
    let factory = Factory::parse(&text).unwrap();
    assert!(factory.is_vouched_by(&brand.public()) && !factory.is_vouched_by(&service_key().public()));
    let (_, body) = Claiming::begin(wanted(Title::None), &key, Some(&factory), Nonce([0; 16])).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains(&format!(r#""voucher":{{"serial":"SN-1","sig":"{}"}}"#, encoded(&voucher.0))));
}

#[test]
fn a_factory_file_that_cannot_be_says_which_line() {
    for (text, part) in [
        ("", "'serial'"),
        ("serial = 1", "'key'"),
        ("serial = 1\nkey = AAAA", "'key'"),
        (&format!("serial=1\nkey={}", encoded(&[1; 32])), "'voucher'"),
    ] {
        let why = Factory::parse(text).err().unwrap();
        assert!(why.contains(part), "{text}: {why}");
    }
}

#[test]
fn each_refusal_has_its_sentence_and_only_some_are_final() {
    let said = |error: &str| format!(r#"{{"error":"{error}","message":"because of \"x\"\u001b[31m"}}"#);
    for (status, word, is_final, part) in [
        (409, "taken", true, "--recovery"),
        (409, "held", true, "not to be had now"),
        (403, "nonce", false, "too long"),
        (403, "voucher", true, "'factory'"),
        (403, "signature", true, "because of \"x\"[31m"),
        (422, "name", true, "because"),
        (400, "malformed", true, "because"),
        (429, "rate", false, "too often"),
        (503, "full", false, "no names now"),
        (500, "", false, "500"),
        (502, "", false, "502"),
    ] {
        let (claiming, _) = begin(Title::None);
        let (why, was_final) = match claiming.finish(status, said(word).as_bytes()) {
            Outcome::Taken(why) if status == 409 && word == "taken" => (why, true),
            Outcome::Refused(why) => (why, true),
            Outcome::Later(why) => (why, false),
            _ => panic!("{status}"),
        };
        assert!(why.contains(part) && was_final == is_final, "{status} {word}: {why}");
    }
    let (claiming, _) = begin(Title::None);
    assert!(matches!(claiming.finish(409, b"<html>"), Outcome::Taken(_)));
    let (claiming, _) = begin(Title::None);
    let pending = claiming.finish(202, br#"{"error":"pending","until":1800000000}"#);
    assert!(matches!(pending, Outcome::Waits(1_800_000_000)));
}

#[test]
fn time_and_moves_are_believed_by_the_pinned_key_alone() {
    let (key, nonce) = (service_key(), Nonce([4; 16]));
    let sig = TimeIs { nonce, seconds: 1_800_000_000 }.sign(&key);
    let body = format!(r#"{{"time":1800000000,"sig":"{}"}}"#, encoded(&sig.0));
    assert_eq!(signed_time(&key.public(), nonce, body.as_bytes()), Some(1_800_000_000));
    assert_eq!(signed_time(&key.public(), Nonce([5; 16]), body.as_bytes()), None, "an old answer");
    assert_eq!(signed_time(&ServicePublic([1; 32]), nonce, body.as_bytes()), None);
    let other = body.replace("1800000000", "1900000000");
    assert_eq!(signed_time(&key.public(), nonce, other.as_bytes()), None);

    let new = ServiceKey::from_seed([9; 32]).public();
    let sig = Moved { zone: "box.test", service: "https://new.example", key: new }.sign(&key);
    let body = format!(r#"{{"service":"https://new.example","key":"{new}","sig":"{}"}}"#, encoded(&sig.0));
    let there = moved(&key.public(), "box.test", body.as_bytes()).unwrap();
    assert_eq!((there.url.as_str(), there.public()), ("https://new.example", new));
    assert!(moved(&key.public(), "other.test", body.as_bytes()).is_none());
    assert!(moved(&new, "box.test", body.as_bytes()).is_none());
    assert!(moved(&key.public(), "box.test", body.replace("new.", "evil.").as_bytes()).is_none());
}

#[test]
fn a_nonce_is_read_or_not() {
    assert_eq!(nonce(format!(r#"{{"nonce":"{}"}}"#, encoded(&[1; 16])).as_bytes()), Some(Nonce([1; 16])));
    for body in ["", "{}", r#"{"nonce":"AAAA"}"#, r#"{"nonce":5}"#] {
        assert_eq!(nonce(body.as_bytes()), None, "{body}");
    }
}
