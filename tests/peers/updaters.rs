//! Clients of other systems keep a name at our service: inadyn and ddclient by dyndns2, nsupdate and knsupdate by
//! RFC 2136, dig and kdig ask for it. All in a network namespace without a way out, since some would ask the internet
//! for their address.

use std::process::Command;
use std::time::Duration;

use super::multicast::ip;
use super::run::{run, run_command};
use super::support::cloud::Cloud;
use super::support::stb::{Dir, wait_for};

/// Tells the inner run from the outer.
const INSIDE: &str = "STBCAST_TEST_UPDATERS";
const MOST: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs inadyn, ddclient, dig, kdig, knsupdate: run by scripts/check"]
fn other_clients_keep_a_name() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can make a network namespace");
        return;
    }
    let namespace = match Alone::new() {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace.0]).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    command.args(["--ignored", "--exact", "--nocapture", "updaters::inside_the_namespace"]);
    let ran = run_command(&mut command, Duration::from_secs(200));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.out.matches("updaters: ").count(), 5, "{}", ran.out);
}

#[test]
#[ignore = "run by the test above"]
fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let cloud = Cloud::open();
    for name in ["inadyn", "ddclient", "nsupdate", "knsupdate"] {
        cloud.tell(&["add", &format!("{name}.box.test")]);
    }
    inadyn(&cloud);
    ddclient(&cloud);
    by_rfc_2136(&cloud, "nsupdate", "192.0.1.3");
    by_rfc_2136(&cloud, "knsupdate", "192.0.1.4");
    resolvers(&cloud);
}

fn inadyn(cloud: &Cloud) {
    let dir = Dir::new();
    let password = cloud.field("inadyn.box.test", "password");
    // It knows its address by a command: the one it would ask is not there.
    let own = dir.file("ip", b"#!/bin/sh\necho 192.0.1.1\n");
    let config = format!(
        "allow-ipv6 = false\ncustom box {{\n  ssl = false\n  username = inadyn\n  password = {password}\n  \
         checkip-command = \"sh {own}\"\n  ddns-server = 127.0.0.1:{}\n  \
         ddns-path = \"/nic/update?hostname=%h&myip=%i\"\n  hostname = inadyn.box.test\n}}\n",
        cloud.http.port()
    );
    let config = dir.file("inadyn.conf", config.as_bytes());
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let cache = format!("--cache-dir={}", cache.display());
    let ran = run(
        &["inadyn", "--once", "--foreground", "--no-pidfile", "--force", &cache, "--config", &config],
        MOST,
    );
    let said = format!("{}\n{}\n{}", ran.out, ran.err, cloud.log());
    wait_for(&format!("inadyn's address: {said}"), || {
        (found(cloud, "inadyn", "A") == "192.0.1.1").then_some(())
    });
    println!("updaters: inadyn");
}

fn ddclient(cloud: &Cloud) {
    let dir = Dir::new();
    let password = cloud.field("ddclient.box.test", "password");
    let config = format!(
        "ssl=no\nuse=cmd, cmd='echo 192.0.1.2'\nprotocol=dyndns2\nserver=127.0.0.1:{}\nlogin=ddclient\n\
         password='{password}'\nddclient.box.test\n",
        cloud.http.port()
    );
    let config = dir.file("ddclient.conf", config.as_bytes());
    std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let cache = dir.path().join("cache");
    let cache = cache.to_str().unwrap();
    let ran = run(
        &["ddclient", "-daemon=0", "-noquiet", "-verbose", "-force", "-file", &config, "-cache", cache],
        MOST,
    );
    assert!(ran.out.contains("SUCCESS") || ran.err.contains("SUCCESS"), "{}\n{}", ran.out, ran.err);
    assert_eq!(found(cloud, "ddclient", "A"), "192.0.1.2");
    // A wrong password changes nothing.
    let wrong =
        dir.file("wrong.conf", std::fs::read_to_string(&config).unwrap().replace(&password, "x").as_bytes());
    std::fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let ran = run(
        &["ddclient", "-daemon=0", "-noquiet", "-verbose", "-force", "-file", &wrong, "-cache", cache],
        MOST,
    );
    assert!(!ran.out.contains("SUCCESS") && !ran.err.contains("SUCCESS"), "{}\n{}", ran.out, ran.err);
    println!("updaters: ddclient");
}

/// `program` sets its own name, and cannot set another's.
fn by_rfc_2136(cloud: &Cloud, program: &str, address: &str) {
    let dir = Dir::new();
    let name = format!("{program}.box.test");
    let secret = cloud.field(&name, "tsig");
    let update = |target: &str| {
        let script = format!(
            "server 127.0.0.1 {}\nzone box.test.\nkey hmac-sha256:{name}. {secret}\nupdate delete {target}. A\n\
             update add {target}. 60 A {address}\nsend\nquit\n",
            cloud.dns.port()
        );
        let script = dir.file("update", script.as_bytes());
        run(&[program, &script], MOST)
    };
    let ran = update(&name);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(found(cloud, program, "A"), address);
    let ran = update("inadyn.box.test");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("NOTAUTH") || said.contains("REFUSED"), "{said}");
    assert_eq!(found(cloud, "inadyn", "A"), "192.0.1.1");
    println!("updaters: {program}");
}

/// What dig and kdig are told, by UDP and by TCP.
fn resolvers(cloud: &Cloud) {
    let port = cloud.dns.port().to_string();
    for (program, more) in [("dig", "+notcp"), ("dig", "+tcp"), ("kdig", "+notcp"), ("kdig", "+tcp")] {
        let ran = run(&[program, "@127.0.0.1", "-p", &port, "ddclient.box.test", "A", more], MOST);
        assert!(ran.out.contains("192.0.1.2") && ran.out.contains(" aa"), "{program} {more}: {}", ran.out);
        let ran = run(&[program, "@127.0.0.1", "-p", &port, "nobody-there.box.test", "A", more], MOST);
        assert!(ran.out.contains("NXDOMAIN") && ran.out.contains("SOA"), "{program} {more}: {}", ran.out);
    }
    println!("updaters: dig, kdig");
}

fn found(cloud: &Cloud, label: &str, rtype: &str) -> String {
    let (port, name) = (cloud.dns.port().to_string(), format!("{label}.box.test"));
    run(&["dig", "@127.0.0.1", "-p", &port, "+short", "+tries=3", &name, rtype], MOST).out.trim().to_owned()
}

/// A network namespace with loopback and nothing else.
struct Alone(String);

impl Alone {
    fn new() -> Result<Self, String> {
        let namespace = Self(format!("stbcast-updaters-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0])?;
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Err(why) = ip(&["netns", "delete", &self.0]) {
            eprintln!("{why}");
        }
    }
}
