//! The name service, as boxes, routers and its operator use it: the real program on loopback.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::Rcode;
use stbcast::registration::{
    AckFlags, BoxKey, Bye, Nonce, ServicePublic, Signature, Statement, Status, TimeIs,
};
use support::cloud::{Cloud, STBCAST_CLOUD, ZONE};
use support::http::{get, request};
use support::registrant::{Heard, Registrant, body, look_up, post};
use support::stb::{Dir, number, text, wait_for};
use support::terminal::{b64, unb64};
use support::uninterrupted;

const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

fn found(cloud: &Cloud, label: &str) -> (Rcode, Vec<IpAddr>) {
    look_up(cloud.dns, &format!("{label}.{ZONE}"), Rtype::A)
}

#[test]
fn a_box_claims_beats_and_is_found_and_leaves() {
    let cloud = Cloud::open();
    let alice = Registrant::new("alice");
    assert_eq!(found(&cloud, "alice"), (Rcode::NXDOMAIN, Vec::new()));
    let mut stb = alice.claim(&cloud).unwrap();
    assert!(stb.recovery.is_some());
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, Vec::new()), "claimed, and not there yet");

    // The first beat only earns a cookie: nothing is published of it.
    let beat = stb.beat();
    let Heard::Retry(retry) = stb.beat_once(&beat) else { panic!("a cookie is wanted first") };
    assert_eq!(found(&cloud, "alice").1, Vec::<IpAddr>::new());
    let Heard::Ack(ack) =
        stb.beat_once(&stbcast::registration::Beat { cookie: Some(retry.cookie), ..beat.clone() })
    else {
        panic!("it is acknowledged")
    };
    assert_eq!((ack.status, IpAddr::from(ack.seen)), (Status::Published, LOOPBACK[0]));
    assert_eq!(ack.port, stb.socket.local_addr().unwrap().port());
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()), "acknowledged is published");
    // From then on no cookie, also from another port.
    stb.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    stb.socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stb.socket.connect(cloud.heartbeat).unwrap();
    assert!(matches!(stb.beat_once(&beat), Heard::Ack(_)));

    // It says good-bye.
    let bye = stb.packet(&Bye { epoch: stb.epoch });
    stb.socket.send(&bye).unwrap();
    wait_for("no address", || found(&cloud, "alice").1.is_empty().then_some(()));
}

#[test]
fn a_captured_beat_moves_nothing() {
    let cloud = Cloud::open();
    let mut stb = Registrant::new("alice").claim(&cloud).unwrap();
    stb.beat_until_heard();
    let captured = stb.packet(&stb.beat());
    let thief = UdpSocket::bind("127.0.0.2:0").unwrap();
    thief.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // Sent before the box's own comes: the thief gets a cookie that he cannot put into a packet.
    thief.send_to(&captured, cloud.heartbeat).unwrap();
    let mut answer = [0; 256];
    let n = uninterrupted(|| thief.recv(&mut answer)).unwrap();
    assert!(n <= captured.len(), "no answer is longer than its request");
    assert!(matches!(stb.understand(&answer[..n]), Heard::Retry(_)));
    // Sent again, from there and from the box's own address: silence.
    thief.send_to(&captured, cloud.heartbeat).unwrap();
    assert!(uninterrupted(|| thief.recv(&mut answer)).is_err());
    for i in 0..captured.len() {
        let mut wrong = captured.clone();
        wrong[i] ^= 1;
        thief.send_to(&wrong, cloud.heartbeat).unwrap();
    }
    assert!(uninterrupted(|| thief.recv(&mut answer)).is_err());
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
    assert!(matches!(stb.beat_once(&stb.beat()), Heard::Ack(_)), "the box itself goes on");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_boxes_are_heard_again() {
    let mut cloud = Cloud::open();
    let names: Vec<_> = (0..4).map(|i| format!("alice{i}")).collect();
    let mut boxes: Vec<_> = names.iter().map(|name| Registrant::new(name).claim(&cloud).unwrap()).collect();
    for stb in &mut boxes {
        stb.beat_until_heard();
    }
    cloud.kill();
    cloud.begin(&[]);
    for name in &names {
        assert_eq!(found(&cloud, name), (Rcode::NOERROR, LOOPBACK.to_vec()), "{name} without a beat");
    }
    for stb in &mut boxes {
        let beat = stb.beat();
        assert!(matches!(stb.beat_once(&beat), Heard::Retry(_)), "the address is proved anew");
        assert_eq!(stb.beat_until_heard().status, Status::Published);
    }
}

#[test]
fn beats_go_by_http_where_udp_does_not_pass() {
    let cloud = Cloud::open();
    let mut stb = Registrant::new("alice").claim(&cloud).unwrap();
    let mut beat = stb.beat();
    let packet = stb.packet(&beat);
    let reply = post(cloud.http, "/v1/beat", "application/octet-stream", &packet);
    let Heard::Retry(retry) = stb.understand(&reply.body) else { panic!("a cookie is wanted first") };
    beat.cookie = Some(retry.cookie);
    let packet = stb.packet(&beat);
    let reply = post(cloud.http, "/v1/beat", "application/octet-stream", &packet);
    assert!(matches!(stb.understand(&reply.body), Heard::Ack(ack) if ack.status == Status::Published));
    assert_eq!(found(&cloud, "alice").1, LOOPBACK);
    // The same again, and rubbish: nothing to say.
    for wrong in [&packet[..], b"rubbish", b""] {
        assert_eq!(post(cloud.http, "/v1/beat", "application/octet-stream", wrong).status, 204);
    }
    // What a box tells of itself does not go in the clear.
    let about = stbcast::registration::About {
        epoch: stb.epoch,
        lan: Some(([10, 0, 0, 1], 80)),
        fw: Default::default(),
    };
    let packet = stb.packet(&about);
    assert_eq!(post(cloud.http, "/v1/beat", "application/octet-stream", &packet).status, 204);
}

#[test]
fn who_has_no_right_to_a_name_does_not_get_it() {
    let dir = Dir::new();
    let brand = dir.path().join("brand.key");
    let keygen = std::process::Command::new(STBCAST_CLOUD).arg("keygen").arg(&brand).output().unwrap();
    let public = String::from_utf8(keygen.stdout).unwrap();
    let cloud = Cloud::start(
        LOOPBACK[0],
        &["--brand-key", public.trim(), "--publish-private", "--blocked", "paypal"],
    );
    let word = |registrant: &Registrant| {
        let reply = registrant.claim(&cloud).err().unwrap();
        (reply.status, text(&body(&reply), "error").unwrap().to_owned())
    };
    let mut stranger = Registrant::new("alice");
    assert_eq!(word(&stranger), (403, "voucher".into()));
    stranger.voucher = Some(("A1".into(), Signature([7; 64])));
    assert_eq!(word(&stranger), (403, "voucher".into()));

    // A factory file, as scripts/provision writes it.
    let out = dir.path().join("factory");
    let made = std::process::Command::new(STBCAST_CLOUD)
        .args(["provision", "--brand"])
        .arg(&brand)
        .arg("--out")
        .arg(&out)
        .args(["A1", "A2"])
        .output()
        .unwrap();
    assert!(made.status.success());
    let factory = |serial: &str| {
        let file = std::fs::read_to_string(out.join(serial)).unwrap();
        let value = move |key: &str| {
            file.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = ")).unwrap().to_owned()
        };
        let voucher = Some((value("serial"), Signature(unb64(&value("voucher")))));
        let seed = unb64(&value("key"));
        move |name: &str| Registrant {
            key: BoxKey::from_seed(seed),
            voucher: voucher.clone(),
            ..Registrant::new(name)
        }
    };
    assert!(factory("A1")("alice").claim(&cloud).is_ok());
    assert_eq!(word(&factory("A2")("alice")), (409, "taken".into()));
    for name in ["www", "ns7", "paypal", "paypa1", "pay-pal"] {
        assert_eq!(word(&factory("A2")(name)), (422, "name".into()), "{name}");
    }
    let mut other = factory("A2")("bob");
    other.key = BoxKey::from_seed([9; 32]);
    assert_eq!(word(&other), (403, "voucher".into()), "a voucher is for one key");
}

#[test]
fn a_name_moves_with_its_owner_and_not_behind_their_back() {
    let cloud = Cloud::start(LOOPBACK[0], &["--enrol", "open", "--publish-private", "--move-delay", "3"]);
    let old = Registrant::new("alice");
    let mut stb = old.claim(&cloud).unwrap();
    stb.beat_until_heard();
    let code = stb.recovery.clone().unwrap();
    let new = Registrant::new("alice");
    let recover = |by: &Registrant| {
        by.claim_with(&cloud, |signature| format!(",\"recovery\":\"{}\"", b64(&code.prove(signature))))
    };
    let wrong = new.claim_with(&cloud, |_| format!(",\"recovery\":\"{}\"", b64(&[1; 32]))).err().unwrap();
    assert_eq!(wrong.status, 403);

    // The live box hears of it, and says no.
    assert_eq!(recover(&new).err().unwrap().status, 202);
    assert!(stb.beat_until_heard().flags.has(AckFlags::MOVE_PENDING));
    assert_eq!(new.cancel(&cloud).status, 403, "only the box that has the name may");
    assert_eq!(old.cancel(&cloud).status, 200);
    assert!(!stb.beat_until_heard().flags.has(AckFlags::MOVE_PENDING));

    // Nobody says no: it moves, and the old box is told so.
    assert_eq!(recover(&new).err().unwrap().status, 202);
    // Tried once a second: there are sixty claims an hour for one network.
    let mut moved = wait_for("the move", || {
        std::thread::sleep(Duration::from_secs(1));
        recover(&new).ok()
    });
    assert!(moved.recovery.is_some(), "with a code of its own");
    assert!(stb.beat_until_heard().flags.has(AckFlags::NAME_LOST));
    assert_eq!(moved.beat_until_heard().status, Status::Published);

    // With the old key's word it moves at once.
    let third = Registrant::new("alice");
    let handover = new.handover(third.public());
    let moved_again =
        third.claim_with(&cloud, |_| format!(",\"handover\":{{\"sig\":\"{}\"}}", b64(&handover.0))).unwrap();
    assert!(moved_again.epoch > moved.epoch);
    assert!(moved.beat_until_heard().flags.has(AckFlags::NAME_LOST));
    // The same key again: new secrets, the same name.
    let again = third.claim(&cloud).unwrap();
    assert!(again.epoch > moved_again.epoch && again.recovery.is_none());

    assert_eq!(old.release(&cloud, false).status, 403);
    assert_eq!(third.release(&cloud, true).status, 200);
    let held = Registrant::new("alice").claim(&cloud).err().unwrap();
    assert_eq!((held.status, text(&body(&held), "error")), (409, Some("held")));
}

#[test]
fn the_time_is_signed_and_a_question_is_answered_as_it_is() {
    let cloud = Cloud::open();
    let reply = body(&get(&format!("http://{}/v1/time?nonce={}", cloud.http, b64(&[5; 16]))));
    let seconds = number(&reply, "time");
    let signature = Signature(unb64(text(&reply, "sig").unwrap()));
    let service = ServicePublic::parse(&cloud.key()).unwrap();
    assert!(TimeIs { nonce: Nonce([5; 16]), seconds }.is_signed(&service, &signature));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now.abs_diff(seconds) < 30);

    let at = |path: &str| format!("http://{}{path}", cloud.http);
    for (method, path, status) in [
        ("GET", "/v1/time", 400),
        ("GET", "/v1/time?nonce=AAAA", 400),
        ("GET", "/v1/moved?zone=box.test", 404),
        ("GET", "/v1/moved?zone=other.test", 422),
        ("GET", "/v1/claim", 405),
        ("DELETE", "/v1/nonce", 405),
        ("GET", "/metrics", 404),
        ("GET", "/", 404),
        ("GET", "/nic/update?hostname=a.box.test", 401),
    ] {
        assert_eq!(request(method, &at(path), "").status, status, "{method} {path}");
    }
    for wrong in [&b"{"[..], b"[]", b"{\"zone\":1}", &[b'x'; 5000]] {
        let reply = post(cloud.http, "/v1/claim", "application/json", wrong);
        assert!([400, 413].contains(&reply.status), "{}", reply.head);
    }
}

#[test]
fn the_operator_sees_and_does() {
    let cloud = Cloud::open();
    let alice = Registrant::new("alice");
    let mut stb = alice.claim(&cloud).unwrap();
    stb.beat_until_heard();
    cloud.tell(&["add", "router.box.test"]);
    let list = cloud.tell(&["list"]);
    assert!(
        list.contains("alice.box.test") && list.contains("online") && list.contains("127.0.0.1"),
        "{list}"
    );
    assert!(list.ends_with("2 names"), "{list}");

    // A router's client, with what show tells.
    let update = |user: &str, password: &str, query: &str| {
        use base64ct::{Base64, Encoding};
        let mut text = [0; 256];
        let basic = Base64::encode(format!("{user}:{password}").as_bytes(), &mut text).unwrap();
        let url = format!("http://{}/nic/update?{query}", cloud.http);
        body(&request("GET", &url, &format!("Authorization: Basic {basic}\r\n")))
    };
    let password = cloud.field("router.box.test", "password");
    let own = "hostname=router.box.test&myip=192.0.1.7";
    assert_eq!(update("router", &password, own), "good 192.0.1.7");
    assert_eq!(update("router.box.test", &password, own), "nochg 192.0.1.7");
    assert_eq!(update("router", "wrong", own), "badauth");
    assert_eq!(update("router", &password, "hostname=alice.box.test&myip=192.0.1.7"), "nohost");
    assert_eq!(update("router", &password, "hostname=router.example&myip=192.0.1.7"), "notfqdn");
    assert_eq!(update("router", &password, "hostname=router.box.test&myip=224.0.0.1"), "abuse");
    assert_eq!(found(&cloud, "router").1, [IpAddr::from([192, 0, 1, 7])]);

    cloud.tell(&["suspend", "alice.box.test", "--reason", "abuse"]);
    assert_eq!(stb.beat_until_heard().status, Status::Suspended);
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, Vec::new()));
    cloud.tell(&["resume", "alice.box.test"]);
    assert_eq!(found(&cloud, "alice").1, LOOPBACK);
    cloud.tell(&["revoke", "alice.box.test"]);
    assert!(stb.beat_until_heard().flags.has(AckFlags::NAME_LOST));
    let mut bob = Registrant::new("bob").claim(&cloud).unwrap();
    bob.beat_until_heard();
    cloud.tell(&["release", "bob.box.test", "--erase"]);
    assert!(bob.beat_until_heard().flags.has(AckFlags::NAME_LOST), "told, though all else is gone");
    cloud.tell(&["trust-clock"]);
    assert!(!cloud.ask(&["show", "nobody.box.test"]).status.success());
    assert!(cloud.tell(&["stats", "--json"]).contains("\"names\":3"));
}

#[test]
fn claims_leave_by_export_and_boxes_follow() {
    let mut cloud = Cloud::open();
    let mut stb = Registrant::new("alice").claim(&cloud).unwrap();
    stb.beat_until_heard();
    let file = cloud.dir.path().join("export");
    let said = cloud.tell(&["export", file.to_str().unwrap()]);
    assert!(said.contains("1 claims"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let other = Cloud::open();
    other.tell(&["import", file.to_str().unwrap()]);
    let to = format!("http://{}", other.http);
    cloud.stop();
    cloud.begin(&["--moved-to", &format!("{to} {}", other.key())]);
    assert!(stb.beat_until_heard().flags.has(AckFlags::MOVED));
    let reply = body(&get(&format!("http://{}/v1/moved?zone={ZONE}", cloud.http)));
    assert_eq!(text(&reply, "service"), Some(to.as_str()));
    // There it is known by the same keys.
    stb.socket.connect(other.heartbeat).unwrap();
    assert_eq!(stb.beat_until_heard().status, Status::Published);
    assert_eq!(found(&other, "alice").1, LOOPBACK);
}
