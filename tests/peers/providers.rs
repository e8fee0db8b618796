//! Knot and BIND, as Debian has them, as what the box tells its address to by RFC 2136.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::dyndns::Provider;
use super::run::run;
use super::support::stb::{Dir, Stb, wait_for};

const SECRET: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
const ZONE: &str = "$TTL 60\n@ SOA ns admin 1 60 60 3600 30\n@ NS ns\nns A 127.0.0.1\nold.box A 127.0.0.1\n";

/// A name server that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A port of loopback that is free by UDP and TCP.
fn port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn start(words: &[&str], port: u16) -> Running {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", words[0]));
    let running = Running(child);
    wait_for(words[0], || (dig(port, "SOA", "example").lines().count() == 1).then_some(()));
    running
}

/// What the server on `port` answers, in short.
fn dig(port: u16, rtype: &str, name: &str) -> String {
    let port = port.to_string();
    let words = ["dig", "@127.0.0.1", "-p", &port, "+short", "+tries=1", "+timeout=1", "+norec", rtype, name];
    run(&words, Duration::from_secs(10))
        .out
        .lines()
        .filter(|l| !l.starts_with(';'))
        .collect::<Vec<_>>()
        .join("\n")
}

fn knot(dir: &Dir) -> (Running, u16) {
    let port = port();
    let home = dir.path().join("knot");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("example.zone"), ZONE).unwrap();
    let home = home.to_str().unwrap();
    let text = format!(
        "server:\n  listen: 127.0.0.1@{port}\n  rundir: {home}\ndatabase:\n  storage: {home}\n\
         key:\n  - id: box.example.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         acl:\n  - id: own\n    key: box.example.\n    action: update\n    update-owner: key\n    \
         update-owner-match: sub-or-equal\n    update-type: [A, AAAA]\n\
         zone:\n  - domain: example\n    storage: {home}\n    file: example.zone\n    acl: own\n"
    );
    let path = dir.file("knot.conf", text.as_bytes());
    (start(&["knotd", "-c", &path], port), port)
}

fn bind(dir: &Dir) -> (Running, u16) {
    let port = port();
    let home = dir.path().join("bind");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("example.zone"), ZONE).unwrap();
    let home = home.to_str().unwrap();
    let text = format!(
        "options {{ directory \"{home}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; pid-file \"{home}/pid\"; session-keyfile \"{home}/session\"; dnssec-validation no; }};\n\
         controls {{ }};\nkey box.example {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         zone example {{ type primary; file \"example.zone\";\n\
         update-policy {{ grant *.example selfsub *.example A AAAA; }}; }};\n"
    );
    let path = dir.file("named.conf", text.as_bytes());
    (start(&["named", "-f", "-c", &path], port), port)
}

#[test]
#[ignore = "needs knot, bind9, bind9-dnsutils: run by scripts/check"]
fn knot_and_bind_take_the_address_of_their_own_name_and_no_other() {
    let dir = Dir::new();
    let (_knot, knot) = knot(&dir);
    let (_bind, bind) = bind(&dir);
    let page = Provider::start(|_| (404, String::new()));
    let setting = |port: u16, host: &str, secret: &str| {
        let check = page.origin();
        format!(
            "rfc2136 server=127.0.0.1:{port} zone=example host={host} key=box.example secret={secret} \
             check={check}/ip"
        )
    };
    let own = [knot, bind].map(|port| setting(port, "box.example", SECRET));
    let other = [knot, bind].map(|port| setting(port, "other.example", SECRET));
    let words = |settings: &[String]| -> Vec<String> {
        settings.iter().flat_map(|text| ["--ddns-provider".to_owned(), text.clone()]).collect()
    };
    let more = words(&[own, other].concat());
    let stb = Stb::start_in(Dir::new(), &[], &more.iter().map(String::as_str).collect::<Vec<_>>());
    wait_for("both servers have it", || {
        (stb.log().matches("rfc2136 box.example: has ").count() == 2).then_some(())
    });
    let ip = dig(knot, "A", "box.example");
    assert!(stb.log().contains(&format!("box.example: has {ip}")), "{ip}");
    assert_eq!(dig(bind, "A", "box.example"), ip);
    assert!(!stb.log().contains("cannot be read back"), "{}", stb.log());
    // BIND signs its refusal, so that it counts for good; Knot does not, and it may be somebody else's.
    stb.wait_log("rfc2136 other.example: stopped until it is set right: 127.0.0.1 answers REFUSED: ");
    stb.wait_log("rfc2136 other.example: 127.0.0.1: does not know this key, or not for this name");
    assert_eq!(
        (dig(knot, "A", "other.example"), dig(bind, "A", "other.example")),
        (String::new(), String::new())
    );
    let mut said = stb.log();
    drop(stb);
    // Another secret is no key; nothing changes.
    let wrong =
        words(&[knot, bind].map(|port| setting(port, "box.example", &SECRET.replace("CQkJ", "CQkK"))));
    let stb = Stb::start_in(Dir::new(), &[], &wrong.iter().map(String::as_str).collect::<Vec<_>>());
    wait_for("both say so", || {
        (stb.log().matches("has another secret or algorithm for this key").count() == 2).then_some(())
    });
    said += &stb.log();
    let said: Vec<_> = said.lines().filter(|line| line.contains("ddns")).collect();
    assert!(!said.iter().any(|line| line.contains("CQkJ") || line.contains("CQkK")));
    println!("{}", said.join("\n"));
}
