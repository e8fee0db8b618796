//! The zone is pushed to Knot, which signs it, and to BIND.

use std::net::SocketAddr;
use std::process::Command;

use stbcast::nameserver::{Key, Publisher};

use super::daemon::{Daemon, Dir, SECRET, free_port, key, plan, say, wait, wait_answer};
use super::sample::{Plan, Sandbox};
use super::sample_of_names::{online, text};

const ZONE: &str = "
$ORIGIN box.test.
@ 300 SOA ns1 hostmaster 1 300 60 1209600 30
@ 3600 NS ns1
ns1 3600 A 192.0.2.99
";

/// Names beside alice and bob; more than one batch.
const MORE: usize = 1000;

/// Knot as `scripts/name-service` sets it up; the second time nothing may be another.
fn knot(dir: &Dir, port: u16) -> (Daemon, Key) {
    let (at, listen) = (dir.path().display().to_string(), format!("127.0.0.1@{port}"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/name-service");
    let words =
        [script, "--zone", "box.test", "--dir", &at, "--listen", &listen, "--secondary", "127.0.0.1@1"];
    let said = say(&words, "");
    let conf = dir.read("knot.conf");
    assert_eq!((say(&words, ""), dir.read("knot.conf")), (said.clone(), conf));
    let line = said.lines().find_map(|line| line.strip_prefix("publish = rfc2136 127.0.0.1:"));
    let words: Vec<&str> = line.unwrap_or_else(|| panic!("{said}")).split(' ').collect();
    let key = Key::parse(words[1]).unwrap();
    let conf = dir.path().join("knot.conf");
    (Daemon::start(Command::new("/usr/sbin/knotd").arg("-c").arg(conf)), key)
}

fn bind(dir: &Dir, port: u16) -> (Daemon, Key) {
    let at = dir.path().display();
    dir.write("box.zone", ZONE);
    let conf = dir.write(
        "named.conf",
        &format!(
            "
options {{
    directory \"{at}\";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file \"{at}/named.pid\";
    session-keyfile \"{at}/session.key\";
    recursion no;
    dnssec-validation no;
    notify no;
}};
controls {{ }};
key \"transfer.key\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};
zone \"box.test\" {{ type primary; file \"{at}/box.zone\"; allow-update {{ key transfer.key; }}; }};
"
        ),
    );
    (Daemon::start(Command::new("/usr/sbin/named").arg("-g").arg("-c").arg(conf)), key())
}

/// Pushes there, and sees that it arrives, also after the server was away.
fn push(start: fn(&Dir, u16) -> (Daemon, Key)) -> (Dir, u16, Daemon) {
    let (dir, port) = (Dir::new(), free_port());
    let to: SocketAddr = ([127, 0, 0, 1], port).into();
    let (daemon, key) = start(&dir, port);
    wait_answer(port, &["box.test", "NS"], "ns1.box.test.");
    let sandbox =
        Sandbox::start(move || Plan { publisher: Some((Publisher::new(0, key), to)), ..plan(vec![], MORE) });
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.5");
    wait_answer(port, &["alice.box.test", "HTTPS"], "1 . port=8443");
    wait_answer(port, &["_stbcast._tcp.alice.box.test", "SRV"], "0 0 8443 alice.box.test.");
    wait_answer(port, &["bob.box.test", "TXT"], "\"v=stb1\"");
    wait_answer(port, &["ns1.box.test", "A"], "127.0.0.1");
    wait_answer(port, &["box.test", "CAA"], "0 issue \"ca.example\"");
    for i in [0, MORE / 2, MORE - 1] {
        wait_answer(port, &[&format!("n{i}.box.test"), "A"], &format!("203.0.113.{}", i % 256));
    }
    sandbox.change(|names| {
        let mut alice = online("203.0.113.6", None, 0);
        alice.texts = [text("note", "x"), text("", "hers")].into();
        names.set(0, "alice", Some(alice));
        names.set(0, "n7", None);
    });
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.6");
    wait_answer(port, &["note.alice.box.test", "TXT"], "\"x\"");
    wait_answer(port, &["alice.box.test", "HTTPS"], "");
    wait_answer(port, &["_stbcast._tcp.alice.box.test", "SRV"], "");
    wait_answer(port, &["n7.box.test", "A"], "");
    drop(daemon);
    sandbox.change(|names| names.set(0, "alice", Some(online("203.0.113.8", None, 443))));
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (daemon, _) = start(&dir, port);
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.8");
    wait_answer(port, &["note.alice.box.test", "TXT"], "");
    (dir, port, daemon)
}

#[test]
#[ignore = "needs Knot, kdig and delv"]
fn knot_is_pushed_to_and_signs() {
    let (dir, port, _daemon) = push(knot);
    let port = port.to_string();
    let anchor = wait("the zone's key", || {
        let said = say(&["kdig", "@127.0.0.1", "-p", &port, "+short", "box.test", "DNSKEY"], "");
        let key = said.lines().find_map(|line| line.strip_prefix("257 3 13 ")).map(str::to_owned);
        key.ok_or(said)
    });
    let anchors = dir
        .write("anchors", &format!("trust-anchors {{ \"box.test.\" static-key 257 3 13 \"{anchor}\"; }};\n"));
    let anchors = anchors.display().to_string();
    let delv = |name: &str, rtype: &str| {
        say(&["delv", "@127.0.0.1", "-p", &port, "-a", &anchors, "+root=box.test", name, rtype], "")
    };
    let alice = delv("alice.box.test", "A");
    assert!(alice.contains("; fully validated") && alice.contains("203.0.113.8"), "{alice}");
    let nobody = delv("nobody.box.test", "A");
    assert!(
        nobody.contains("; negative response, fully validated") && nobody.contains("NXDOMAIN"),
        "{nobody}"
    );
    let off = delv("bob.box.test", "A");
    assert!(off.contains("; negative response, fully validated") && off.contains("NXRRSET"), "{off}");
    let nsec3 = say(&["kdig", "@127.0.0.1", "-p", &port, "+dnssec", "nobody.box.test", "A"], "");
    assert!(nsec3.contains("NSEC3"), "{nsec3}");
}

#[test]
#[ignore = "needs BIND"]
fn bind_is_pushed_to() {
    push(bind);
}
