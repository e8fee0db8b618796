//! Knot and NSD take the zone from here, follow it, go away and come back.

use std::process::Command;

use stbcast::nameserver::Secondary;

use super::daemon::{Daemon, Dir, SECRET, free_port, key, plan, wait, wait_answer};
use super::sample::Sandbox;
use super::sample_of_names::{online, text};

/// So many that the zone takes more than one message.
const MORE: usize = 5000;

fn knot(dir: &Dir, port: u16, primary: u16) -> Daemon {
    let at = dir.path().display();
    dir.make("db");
    let conf = dir.write(
        "knot.conf",
        &format!(
            "
server:
    rundir: \"{at}\"
    listen: 127.0.0.1@{port}
database:
    storage: \"{at}/db\"
log:
  - target: \"{at}/knot.log\"
    any: debug
key:
  - id: transfer.key
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: transfer.key
acl:
  - id: notify
    address: 127.0.0.1
    key: transfer.key
    action: notify
zone:
  - domain: box.test
    storage: \"{at}\"
    master: primary
    acl: notify
"
        ),
    );
    Daemon::start(Command::new("/usr/sbin/knotd").arg("-c").arg(conf))
}

fn nsd(dir: &Dir, port: u16, primary: u16) -> Daemon {
    let at = dir.path().display();
    let conf = dir.write(
        "nsd.conf",
        &format!(
            "
server:
    ip-address: 127.0.0.1@{port}
    username: \"\"
    chroot: \"\"
    zonesdir: \"{at}\"
    database: \"\"
    xfrdfile: \"{at}/xfrd.state\"
    xfrdir: \"{at}\"
    zonelistfile: \"{at}/zone.list\"
    pidfile: \"{at}/nsd.pid\"
    logfile: \"{at}/nsd.log\"
    verbosity: 3
remote-control:
    control-enable: no
key:
    name: transfer.key
    algorithm: hmac-sha256
    secret: \"{SECRET}\"
zone:
    name: box.test
    zonefile: box.zone
    allow-notify: 127.0.0.1 transfer.key
    request-xfr: 127.0.0.1@{primary} transfer.key
"
        ),
    );
    Daemon::start(Command::new("/usr/sbin/nsd").arg("-d").arg("-c").arg(conf))
}

fn follow(start: fn(&Dir, u16, u16) -> Daemon, log: &str, incremental: &str) {
    let (dir, port) = (Dir::new(), free_port());
    let address = ([127, 0, 0, 1], port).into();
    let sandbox = Sandbox::start(move || plan(vec![Secondary { address, key: Some(key()) }], MORE));
    let primary = sandbox.address.port();
    let daemon = start(&dir, port, primary);
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.5");
    wait_answer(port, &["_stbcast._tcp.alice.box.test", "SRV"], "0 0 8443 alice.box.test.");
    wait_answer(port, &["bob.box.test", "TXT"], "\"v=stb1\"");
    for i in [0, MORE / 2, MORE - 1] {
        wait_answer(port, &[&format!("n{i}.box.test"), "A"], &format!("203.0.113.{}", i % 256));
    }

    sandbox.change(|names| {
        let mut alice = online("203.0.113.6", None, 443);
        alice.texts = [text("_acme-challenge", "token")].into();
        names.set(0, "alice", Some(alice));
        names.set(0, "n7", None);
        names.set(0, "eve", Some(online("203.0.113.77", None, 0)));
    });
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.6");
    wait_answer(port, &["alice.box.test", "AAAA"], "");
    wait_answer(port, &["_acme-challenge.alice.box.test", "TXT"], "\"token\"");
    wait_answer(port, &["eve.box.test", "A"], "203.0.113.77");
    wait_answer(port, &["n7.box.test", "A"], "");
    wait("it took the changes alone", || {
        let said = dir.read(log);
        if said.contains(incremental) { Ok(()) } else { Err(said) }
    });

    drop(daemon);
    sandbox.change(|names| names.set(0, "alice", Some(online("203.0.113.8", None, 443))));
    wait_answer(primary, &["alice.box.test", "A"], "203.0.113.8");
    let _daemon = start(&dir, port, primary);
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.8");
    sandbox.change(|names| names.set(0, "alice", Some(online("203.0.113.9", None, 443))));
    wait_answer(port, &["alice.box.test", "A"], "203.0.113.9");
}

#[test]
#[ignore = "needs Knot"]
fn knot_follows_as_a_secondary() {
    follow(knot, "knot.log", "IXFR, incoming, remote 127.0.0.1");
}

#[test]
#[ignore = "needs NSD"]
fn nsd_follows_as_a_secondary() {
    follow(nsd, "nsd.log", "received update to serial");
}
