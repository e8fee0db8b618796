//! Terminals and screens that are not ours: one in JavaScript, as a browser without `crypto.subtle` would be, and a
//! screen in C that drives the local socket.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::run::{Ran, run, run_command};
use super::support::http::Viewer;
use super::support::stb::{Dir, Stb, demo, wait_for};
use super::support::terminal::open_pairing;

const MOST: Duration = Duration::from_secs(60);

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// What the terminal in JavaScript prints; its exit code says whether it was done.
fn terminal(words: &[&str]) -> Ran {
    let script = place("peers/js/terminal.mjs");
    run_command(Command::new("node").arg(script).args(words), MOST)
}

/// The text of a field that the terminal printed.
fn field(ran: &Ran, name: &str) -> String {
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let (_, rest) =
        ran.out.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {}", ran.out));
    let rest = rest.trim_start_matches('"');
    rest.split(['"', ',', '}']).next().unwrap_or_default().to_owned()
}

fn demo_box() -> Stb {
    let stb = Stb::start(&[&format!("file:{}?loop&speed=2", demo().display())]);
    stb.wait_channels(4);
    stb
}

#[test]
#[ignore = "needs node: run by scripts/check"]
fn both_sides_of_the_handshake_agree_on_its_vectors() {
    let vectors = place("data/handshake.json");
    let ran = run_command(Command::new("node").arg(place("peers/js/vectors.mjs")).arg(vectors), MOST);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    println!("vectors: {}", ran.out.trim());
}

#[test]
#[ignore = "needs node: run by scripts/check"]
fn a_terminal_in_javascript_pairs_hands_over_and_is_put_out_while_it_watches() {
    let stb = demo_box();
    let origin = format!("http://{}", stb.address);
    let by_qr = terminal(&["qr", open_pairing(&stb, "").link(), "Owner's phone"]);
    assert_eq!(field(&by_qr, "role"), "owner");
    let pin = open_pairing(&stb, ",\"role\":\"viewer\"").pin().to_owned();
    let wrong = terminal(&["pin", &origin, if pin == "00000000" { "11111111" } else { "00000000" }, "Eve"]);
    assert!(wrong.code == Some(1) && wrong.out.contains("another PIN"), "{}", wrong.out);
    let by_pin = terminal(&["pin", &origin, &pin, "Bob's phone"]);
    let (slot, cookie) = (field(&by_pin, "slot"), field(&by_pin, "cookie"));
    let other = terminal(&["handover", &origin, &cookie]);
    assert_eq!(field(&other, "slot"), slot, "the same terminal in another browser");
    let session =
        terminal(&["session", &origin, &slot, &field(&by_pin, "kt"), &field(&by_pin, "fingerprint")]);
    assert_eq!(field(&session, "token").len(), 43);
    let list = terminal(&["get", &format!("{origin}/api/v1/channels"), &field(&other, "cookie")]);
    assert!(list.code == Some(0) && list.out.contains("\"number\":4"), "{}", list.out);

    let mut watching = Viewer::ask(&format!("{origin}/live/1.ts"), &format!("Cookie: {cookie}\r\n"));
    watching.watch_on(18_800);
    let revoked = stb.query(&format!("{{\"cmd\":\"revoke\",\"slot\":{slot}}}")).expect("the box answers");
    assert!(revoked.last().is_some_and(|line| line.contains("\"done\":true")), "{revoked:?}");
    wait_for("the stream to end", || {
        watching.client.receive(std::time::Instant::now() + Duration::from_millis(100));
        watching.client.ended.then_some(())
    });
    let dead = terminal(&["get", &format!("{origin}/api/v1/session"), &cookie]);
    assert!(dead.code == Some(1) && dead.out.contains("401"), "{}", dead.out);
    println!("javascript: paired by QR and PIN, handed over, signed in, put out while it watched");
}

#[test]
#[ignore = "needs node and cc: run by scripts/check"]
fn a_screen_in_c_lets_a_second_owner_in() {
    let dir = Dir::new();
    let program = dir.path().join("screen");
    let source = place("peers/c/screen.c");
    let words =
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", source.to_str().unwrap(), "-o"];
    let built = run(&[&words[..], &[program.to_str().unwrap()]].concat(), MOST);
    assert_eq!(built.code, Some(0), "{}", built.err);
    let stb = demo_box();
    for (name, asked) in [("First", false), ("Second", true)] {
        let mut screen = Screen::start(&program, &stb);
        let link = screen.shows("link ");
        let ran = terminal(&["qr", &link, name]);
        assert_eq!(field(&ran, "role"), "owner");
        if asked {
            assert_eq!(screen.shows("asked about "), format!("'{name}'"));
        }
        assert_eq!(screen.shows("paired "), format!("'{name}'"));
        assert!(screen.0.wait().expect("it ran").success());
    }
    println!("c: a screen of one file let two owners in, and was asked about the second");
}

struct Screen(Child, BufReader<std::process::ChildStdout>);

impl Screen {
    fn start(program: &Path, stb: &Stb) -> Self {
        let socket = stb.dir.state().join("stbcast.sock");
        let mut child =
            Command::new(program).arg(socket).stdout(Stdio::piped()).spawn().expect("it was built");
        let out = child.stdout.take().expect("it is piped");
        Self(child, BufReader::new(out))
    }

    /// What follows `what` on the first line that begins so.
    fn shows(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.1.read_line(&mut line).expect("it writes text");
            assert!(length > 0, "it ended without '{what}'");
            if let Some(rest) = line.trim_end().strip_prefix(what) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _gone = (self.0.kill(), self.0.wait());
    }
}
