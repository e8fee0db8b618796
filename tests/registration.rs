//! The box's name: the real box against the real name service, on loopback.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, Output};
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::Rcode;
use support::cloud::{Cloud, STBCAST_CLOUD, ZONE};
use support::http::Client;
use support::registrant::look_up;
use support::stb::{Dir, Stb, number, run_to_end, text, wait_at_most, wait_for};
use support::terminal::owner;
use support::uninterrupted;

const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

fn found(cloud: &Cloud, label: &str) -> (Rcode, Vec<IpAddr>) {
    look_up(cloud.dns, &format!("{label}.{ZONE}"), Rtype::A)
}

/// A box that knows `cloud`, with these arguments more.
fn stb(cloud: &Cloud, dir: Dir, more: &[&str]) -> Stb {
    let (service, key) = (format!("http://{}", cloud.http), cloud.key());
    let own = ["--ddns-service", &service, "--ddns-key", &key, "--ddns-zone", ZONE];
    Stb::start_in(dir, &[], &[&own[..], more].concat())
}

/// What the box says of its name.
fn name(stb: &Stb) -> String {
    stb.query("{\"cmd\":\"name\"}").unwrap().swap_remove(0)
}

fn state(stb: &Stb) -> String {
    text(&name(stb), "state").unwrap().to_owned()
}

fn wait_state(stb: &Stb, wanted: &str) {
    wait_for(&format!("the name to be {wanted}: {}", stb.log()), || (state(stb) == wanted).then_some(()));
}

/// What a command printed, which has to succeed.
fn tell(stb: &Stb, words: &[&str]) -> String {
    let out = stb.ask(words);
    assert!(out.status.success(), "{words:?}: {}", err(&out));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn err(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn recovery_code(printed: &str) -> String {
    let code = printed.lines().find_map(|line| line.strip_prefix("Recovery code: ")).unwrap();
    assert_eq!(code.len(), 19, "{code}");
    code.to_owned()
}

#[test]
fn an_owner_claims_a_name_and_it_leads_to_the_box() {
    let cloud = Cloud::open();
    let mut stb = stb(&cloud, Dir::new(), &[]);
    assert_eq!(state(&stb), "none");
    let suggested = tell(&stb, &["name", "suggest"]);
    assert_eq!(found(&cloud, &suggested), (Rcode::NXDOMAIN, Vec::new()));
    let claimed = stb.ask(&["name", "claim", "Alice"]);
    assert!(err(&claimed).contains("public"), "the owner is told first: {}", err(&claimed));
    let printed = String::from_utf8(claimed.stdout).unwrap();
    assert!(printed.starts_with("alice.box.test is this box's name"), "{printed}");
    let code = recovery_code(&printed);
    wait_state(&stb, "online");
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
    assert!(text(&name(&stb), "seen").unwrap().starts_with("127.0.0.1:"));
    // A request for the name is one for the box; for another it is not.
    let by_host = |host: &str| {
        let mut client = Client::connect(stb.address);
        client.send(format!("GET /api/v1/box HTTP/1.1\r\nHost: {host}:8800\r\n\r\n").as_bytes());
        client.reply().status
    };
    assert_eq!((by_host("Alice.box.test"), by_host("bob.box.test") == 200), (200, false));
    assert!(err(&stb.ask(&["name", "recovery"])).contains("shown already"));
    assert!(err(&stb.ask(&["name", "claim", "bob"])).contains("release"), "one name at a time");
    assert!(tell(&stb, &["name"]).contains("leads here"));

    // Neither the code nor a key is in a log, and flash has them sealed.
    assert!(!stb.log().contains(&code) && !cloud.log().contains(&code));
    stb.stop();
    for slot in ["registration.a", "registration.b"] {
        let bytes = std::fs::read(stb.dir.state().join(slot)).unwrap();
        assert!(!bytes.windows(5).any(|part| part == b"alice"), "{slot} is sealed");
    }
    wait_for("no address: it said good-bye", || found(&cloud, "alice").1.is_empty().then_some(()));

    // It starts again at the same place: the name is its own without a claim.
    stb.begin();
    assert!(matches!(&*state(&stb), "starting" | "online"));
    assert_eq!(stb.log().matches("is this box's").count(), 1, "of the first run");
}

#[test]
fn an_owner_claims_a_name_from_a_phone() {
    let cloud = Cloud::open();
    let stb = stb(&cloud, Dir::new(), &[]);
    let owner = owner(&stb);
    let ask = |body: &str| owner.ask("POST", "/api/v1/name", Some(body));
    let shown = || owner.ask("GET", "/api/v1/name", None).text();
    assert_eq!(text(&shown(), "state"), Some("none"));
    let suggested = ask("{\"cmd\":\"suggest\"}").text();
    assert_eq!(text(&suggested, "name").map(str::len), Some(11), "{suggested}");
    let claimed = ask("{\"cmd\":\"claim\",\"name\":\"Alice\"}").text();
    assert_eq!(text(&claimed, "name"), Some("alice.box.test"), "{claimed}");
    assert_eq!(text(&claimed, "recovery").map(str::len), Some(19), "{claimed}");
    wait_for("the name to lead here", || (text(&shown(), "state") == Some("online")).then_some(()));
    assert!(text(&shown(), "seen").is_some_and(|seen| seen.starts_with("127.0.0.1:")), "{}", shown());
    for (body, status, part) in [
        ("{\"cmd\":\"claim\",\"name\":\"bob\"}", 409, "alice.box.test"),
        ("{\"cmd\":\"recovery\"}", 409, "shown already"),
        ("{\"cmd\":\"claim\"}", 400, "cmd"),
        ("{\"cmd\":\"dance\"}", 400, "cmd"),
        ("{\"name\":\"bob\"}", 400, "cmd"),
    ] {
        let refused = ask(body);
        assert_eq!(refused.status, status, "{body}");
        assert!(refused.text().contains(part), "{body}: {}", refused.text());
    }
    assert_eq!(ask("{\"cmd\":\"release\"}").status, 200);
    assert_eq!(text(&shown(), "state"), Some("none"));
    assert_eq!(found(&cloud, "alice").1, Vec::<IpAddr>::new());
}

#[test]
fn the_name_of_the_settings_is_claimed_at_the_start_and_its_code_waits_for_the_owner() {
    let cloud = Cloud::open();
    let mut box_1 = stb(&cloud, Dir::new(), &["--ddns-name", "alice"]);
    wait_state(&box_1, "online");
    assert!(name(&box_1).contains("\"has_recovery\":true"));
    box_1.kill();
    box_1.begin();
    let code = tell(&box_1, &["name", "recovery"]);
    assert_eq!(code.len(), 19, "it is kept until somebody saw it: {code}");
    assert!(!box_1.ask(&["name", "recovery"]).status.success());

    // Another box comes second.
    let other = stb(&cloud, Dir::new(), &["--ddns-name", "alice"]);
    wait_for("the refusal", || name(&other).contains("'alice' is taken").then_some(()));
    assert_eq!(state(&other), "none");
}

#[test]
fn a_box_without_a_voucher_is_told_so_and_one_with_it_gets_its_name() {
    let maker = Dir::new();
    let brand = maker.path().join("brand");
    let keygen = Command::new(STBCAST_CLOUD).arg("keygen").arg(&brand).output().unwrap();
    let public = String::from_utf8(keygen.stdout).unwrap().trim().to_owned();
    let cloud = Cloud::start(
        Ipv4Addr::LOCALHOST.into(),
        &["--enrol", "voucher", "--brand-key", &public, "--publish-private"],
    );
    let without = stb(&cloud, Dir::new(), &[]);
    let refused = without.ask(&["name", "claim", "alice"]);
    assert!(err(&refused).contains("'factory'"), "{}", err(&refused));
    let provisioned = Command::new(STBCAST_CLOUD)
        .args(["provision", "--brand"])
        .arg(&brand)
        .arg("--out")
        .arg(maker.path())
        .arg("SN-1")
        .output()
        .unwrap();
    assert!(provisioned.status.success(), "{}", err(&provisioned));
    let factory = maker.path().join("SN-1");
    let vouched = stb(&cloud, Dir::new(), &["--factory", factory.to_str().unwrap()]);
    tell(&vouched, &["name", "claim", "alice"]);
    wait_state(&vouched, "online");
}

#[test]
#[ignore = "waits for the next beat, a minute: run by scripts/check"]
fn a_lost_box_is_replaced_by_the_code_and_is_told_that_its_name_is_gone() {
    let cloud = Cloud::start(
        Ipv4Addr::LOCALHOST.into(),
        &["--enrol", "open", "--publish-private", "--move-delay", "3"],
    );
    let old = stb(&cloud, Dir::new(), &[]);
    let code = recovery_code(&tell(&old, &["name", "claim", "alice"]));
    wait_state(&old, "online");
    let mut new = stb(&cloud, Dir::new(), &[]);
    assert!(err(&new.ask(&["name", "claim", "alice"])).contains("--recovery"));
    let wrong = new.ask(&["name", "claim", "alice", "--recovery", "AAAA-AAAA-AAAA-AAAA"]);
    assert!(!wrong.status.success());
    let asked = tell(&new, &["name", "claim", "alice", "--recovery", &code.to_lowercase()]);
    assert!(asked.contains("unless the box that has it says no"), "{asked}");
    assert_eq!(state(&new), "waiting");
    // The power goes meanwhile: it goes on asking.
    new.kill();
    new.begin();
    wait_at_most(Duration::from_secs(30), "the name", || (state(&new) == "online").then_some(()));
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
    // The old one hears it with its next beat, and is quiet from then on.
    wait_at_most(Duration::from_secs(80), "the old box to be told", || (state(&old) == "lost").then_some(()));
    assert!(old.log().contains("alice.box.test is another box's now"));
    assert!(tell(&old, &["name"]).contains("another box's"));
}

#[test]
fn a_name_is_handed_over_and_given_up() {
    let cloud = Cloud::open();
    let [old, new] = [(); 2].map(|()| stb(&cloud, Dir::new(), &[]));
    tell(&old, &["name", "claim", "alice"]);
    wait_state(&old, "online");
    let key = tell(&new, &["name", "key"]);
    let handover = tell(&old, &["name", "handover", &key]);
    let for_another = tell(&old, &["name", "handover", &"A".repeat(43)]);
    let refused = new.ask(&["name", "claim", "alice", "--handover", &for_another]);
    assert!(!refused.status.success(), "it is for another box");
    tell(&new, &["name", "claim", "alice", "--handover", &handover]);
    wait_state(&new, "online");
    tell(&new, &["name", "release", "--erase", "--yes"]);
    assert_eq!(state(&new), "none");
    assert!(found(&cloud, "alice").1.is_empty());
    let again = old.ask(&["name", "claim", "alice"]);
    assert!(!again.status.success(), "it rests");
}

#[test]
#[ignore = "waits for the next beat, a minute: run by scripts/check"]
fn a_service_that_is_killed_hears_its_boxes_again() {
    let mut cloud = Cloud::open();
    let stb = stb(&cloud, Dir::new(), &["--ddns-name", "alice"]);
    wait_state(&stb, "online");
    cloud.kill();
    cloud.begin(&[]);
    wait_for("a while", || (number(&name(&stb), "heard_s") > 5).then_some(()));
    wait_at_most(Duration::from_secs(90), "its next beat", || {
        (number(&name(&stb), "heard_s") <= 5).then_some(())
    });
    assert_eq!(found(&cloud, "alice").1, LOOPBACK);
    assert_eq!(state(&stb), "online");
}

#[test]
#[ignore = "waits half a minute for UDP: run by scripts/check"]
fn where_udp_does_not_come_through_the_same_goes_by_http() {
    // Heartbeats go to a port where nobody answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = silent.local_addr().unwrap().to_string();
    let cloud = Cloud::start(
        Ipv4Addr::LOCALHOST.into(),
        &["--enrol", "open", "--publish-private", "--shard", &nowhere],
    );
    let stb = stb(&cloud, Dir::new(), &["--ddns-name", "alice"]);
    let shown = wait_at_most(Duration::from_secs(60), "an answer by HTTP", || {
        let shown = name(&stb);
        shown.contains("\"state\":\"online\"").then_some(shown)
    });
    assert!(shown.contains("\"by_https\":true"), "{shown}");
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
    let mut packet = [0; 256];
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(uninterrupted(|| silent.recv(&mut packet)).unwrap() >= 72, "UDP was tried first");
}

/// A certificate for localhost and its key, as files; who trusts one trusts the other.
fn certificate(dir: &Dir) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    [
        dir.file("chain.pem", made.cert.pem().as_bytes()),
        dir.file("key.pem", made.signing_key.serialize_pem().as_bytes()),
    ]
}

#[test]
#[ignore = "waits half a minute for UDP: run by scripts/check"]
fn all_of_it_goes_by_https_where_udp_does_not_come_through() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = silent.local_addr().unwrap().to_string();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (dir, https) = (Dir::new(), format!("127.0.0.1:{port}"));
    let [chain, key] = certificate(&dir);
    let more = ["--enrol", "open", "--publish-private", "--shard", &nowhere, "--https", &https];
    let tls = ["--tls-cert", &chain, "--tls-key", &key];
    let cloud = Cloud::start(Ipv4Addr::LOCALHOST.into(), &[&more[..], &tls].concat());
    let (service, key) = (format!("https://localhost:{port}"), cloud.key());
    let own = ["--ddns-service", &service, "--ddns-key", &key, "--ddns-zone", ZONE, "--ddns-name", "alice"];
    let trusting = Stb::start_in(Dir::new(), &[], &[&own[..], &["--ca-file", &chain]].concat());
    wait_at_most(Duration::from_secs(60), "an answer by HTTPS", || {
        name(&trusting).contains("\"by_https\":true").then_some(())
    });
    wait_state(&trusting, "online");
    assert_eq!(found(&cloud, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
    // What a box tells of itself goes by TLS alone.
    let version = || Some(cloud.field("alice.box.test", "firmware")).filter(|version| !version.is_empty());
    assert_eq!(wait_for("its version", version), env!("CARGO_PKG_VERSION"));

    // One that does not know the certificate does not even ask.
    let other =
        dir.file("other.pem", rcgen::generate_simple_self_signed(vec![]).unwrap().cert.pem().as_bytes());
    let own = ["--ddns-service", &service, "--ddns-key", &key, "--ddns-zone", ZONE, "--ddns-name", "bob"];
    let wary = Stb::start_in(Dir::new(), &[], &[&own[..], &["--ca-file", &other]].concat());
    wait_for("a reason", || name(&wary).contains("certificate").then_some(()));
    assert_eq!(found(&cloud, "bob").0, Rcode::NXDOMAIN);
}

#[test]
#[ignore = "waits for the next beat, a minute: run by scripts/check"]
fn a_box_follows_its_service_to_where_it_moved() {
    let mut old = Cloud::open();
    let stb = stb(&old, Dir::new(), &["--ddns-name", "alice"]);
    wait_state(&stb, "online");
    let new = Cloud::open();
    let dir = Dir::new();
    let file = dir.path().join("export");
    old.tell(&["export", file.to_str().unwrap()]);
    new.tell(&["import", file.to_str().unwrap()]);
    let to = format!("http://{}", new.http);
    old.stop();
    old.begin(&["--moved-to", &format!("{to} {}", new.key())]);
    wait_at_most(Duration::from_secs(150), "the new service", || {
        let online = new.tell(&["list"]).contains("online");
        (online && name(&stb).contains(&to)).then_some(())
    });
    assert_eq!(found(&new, "alice"), (Rcode::NOERROR, LOOPBACK.to_vec()));
}

#[test]
fn a_service_that_does_not_sign_with_the_pinned_key_gives_no_name() {
    let cloud = Cloud::open();
    let service = format!("http://{}", cloud.http);
    let other = "A".repeat(43);
    let own = ["--ddns-service", &service, "--ddns-key", &other, "--ddns-zone", ZONE];
    let stb = Stb::start_in(Dir::new(), &[], &own);
    let refused = stb.ask(&["name", "claim", "alice"]);
    assert!(err(&refused).contains("trusts"), "{}", err(&refused));
    assert_eq!(state(&stb), "claiming", "it may be a service's mistake, and is asked again");
}

#[test]
fn a_service_that_cannot_be_reached_is_asked_again_and_disturbs_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (service, key) = (format!("http://{gone}"), "A".repeat(43));
    let own = ["--ddns-service", &service, "--ddns-key", &key, "--ddns-zone", ZONE, "--ddns-name", "alice"];
    let stb = Stb::start_in(Dir::new(), &[], &own);
    stb.wait_log("is tried again in");
    assert_eq!(state(&stb), "claiming");
    assert!(tell(&stb, &["name"]).contains(&gone.to_string()), "it says who");
    assert!(!stb.status().is_empty());
}

#[test]
fn a_reset_forgets_the_name_and_its_keys() {
    let cloud = Cloud::open();
    let mut stb = stb(&cloud, Dir::new(), &[]);
    tell(&stb, &["name", "claim", "alice"]);
    wait_state(&stb, "online");
    let key = tell(&stb, &["name", "key"]);
    tell(&stb, &["factory-reset", "--yes"]);
    assert_eq!(state(&stb), "none");
    assert_ne!(tell(&stb, &["name", "key"]), key);
    stb.stop();
    stb.begin();
    assert_eq!(state(&stb), "none");
}

#[test]
fn settings_that_cannot_be_are_refused_with_a_reason() {
    for (arguments, part) in [
        (&["--ddns-name", "alice"][..], "ddns-service"),
        (&["--ddns-service", "names.example"], "https://"),
        (&["--ddns-key", "x"], "43"),
        (&["--ddns-name", "www"], "kept"),
        (&["--factory", "/nonexistent/factory"], "/nonexistent/factory"),
    ] {
        let dir = Dir::new();
        let state = dir.path().to_str().unwrap();
        let out = run_to_end(&[&["run", "--listen", "127.0.0.1:0", "--state", state], arguments].concat());
        assert!(!out.status.success() && err(&out).contains(part), "{arguments:?}: {}", err(&out));
    }
}
