//! Other providers of dynamic DNS: the real box against one on loopback.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

#[path = "support/dyndns.rs"]
mod dyndns;
mod support;

use dyndns::Provider;
use support::stb::{Dir, Stb, run_to_end, wait_for};

const SECRET: &str = "hush-hush";

fn setting(provider: &Provider, path: &str, host: &str) -> String {
    let origin = provider.origin();
    format!(
        "dyndns2 url={origin}/{path}/nic/update?hostname=%h&myip=%4 host={host} user=me password={SECRET} \
         check={origin}/ip"
    )
}

#[test]
#[ignore = "takes 8 s: run by scripts/check"]
fn each_provider_is_told_by_its_own_manners_and_once() {
    let provider = Provider::start(|path| match path.split('/').nth(1) {
        Some("good") => (200, "good\n".into()),
        Some("bad") => (401, "badauth".into()),
        _ => (200, "911".into()),
    });
    let paths = [("good", "a.example"), ("bad", "b.example"), ("later", "c.example")];
    let settings = paths.map(|(path, host)| setting(&provider, path, host));
    let more: Vec<_> = settings.iter().flat_map(|text| ["--ddns-provider", text]).collect();
    let mut stb = Stb::start_in(Dir::new(), &[], &more);
    stb.wait_log("ddns dyndns2 a.example: has ");
    stb.wait_log("ddns dyndns2 b.example: stopped until it is set right: the provider says badauth: ");
    stb.wait_log("ddns dyndns2 c.example: the provider says 911: ");
    for (path, host) in paths {
        let asked = provider.asked(&format!("/{path}/"));
        let [asked] = &asked[..] else { panic!("{path}: {asked:?}") };
        let ip = asked.url.strip_prefix(&format!("/{path}/nic/update?hostname={host}&myip=")).unwrap();
        // A machine with a global address of its own tells that.
        assert!(ip == "1.2.3.4" || stb.log().contains(&format!("has {ip}")), "{asked:?}");
        assert_eq!(asked.authorization.as_deref(), Some("Basic bWU6aHVzaC1odXNo"));
        assert_eq!(asked.agent.as_deref(), Some(concat!("stbcast/", env!("CARGO_PKG_VERSION"))));
    }
    // The owner sees how it stands, at the local socket.
    let told = String::from_utf8(stb.ask(&["name"]).stdout).unwrap();
    assert!(told.contains("\ndyndns2 a.example: knows where the box is, has "), "{told}");
    assert!(told.contains("\ndyndns2 b.example: is not told any more, until you have set right"), "{told}");
    assert!(told.contains("\nthe provider says badauth: user or password are wrong"), "{told}");
    assert!(told.contains("\ndyndns2 c.example: could not be told\nthe provider says 911"), "{told}");
    let lines = String::from_utf8(stb.ask(&["name", "--json"]).stdout).unwrap();
    assert!(lines.contains("\"provider\":{\"name\":\"dyndns2 a.example\",\"state\":\"current\""), "{lines}");
    // After a restart the first knows what it was told; the second may have been set right since.
    let before = stb.log().len();
    stb.restart();
    for state in ["a.example: current", "b.example: stopped"] {
        wait_for(state, || stb.log()[before..].contains(state).then_some(()));
    }
    assert_eq!((provider.asked("/good/").len(), provider.asked("/bad/").len()), (1, 2));
    let said = stb.log();
    assert!(!said.contains(SECRET) && !said.contains("bWU6aHVzaC1odXNo"), "{said}");
    assert!(said.contains("is asked without TLS"));
}

#[test]
fn a_provider_that_is_not_there_stops_nothing() {
    let provider = Provider::start(|_| (200, "good".into()));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = format!(
        "dyndns2 url=http://{gone}/?a=%4 host=a.example user=me password={SECRET} check={}/ip",
        provider.origin()
    );
    let good = setting(&provider, "good", "b.example");
    let more = ["--ddns-provider", &dead, "--ddns-provider", &good];
    let mut stb = Stb::start_in(Dir::new(), &[], &more);
    stb.wait_log("b.example: has ");
    stb.wait_log(&format!("ddns dyndns2 a.example: http://{gone}: cannot be reached: 127.0.0.1: "));
    stb.stop();
}

#[test]
fn a_page_of_lies_is_not_believed() {
    let provider = Provider::start(|_| (200, "192.168.1.1".into()));
    let text = format!(
        "dyndns2 url={0}/good?a=%4 host=a.example user=me password={SECRET} check={0}/lie",
        provider.origin()
    );
    let stb = Stb::start_in(Dir::new(), &[], &["--ddns-provider", &text]);
    stb.wait_log("tells an address that is not of the Internet");
    let state = wait_for("a state", || {
        ["no-address", "current"].into_iter().find(|s| stb.log().contains(&format!("a.example: {s}")))
    });
    // `current` only with a global address of this machine's own.
    assert_eq!(provider.asked("/good").is_empty(), state == "no-address");
}

#[test]
fn a_setting_that_cannot_be_is_refused_without_its_secret() {
    let text = format!("noip host=a.example user=me pasword={SECRET}");
    let refused = run_to_end(&["run", "--ddns-provider", &text]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("ddns-provider: there is no key 'pasword' here") && !said.contains(SECRET),
        "{said}"
    );
}
