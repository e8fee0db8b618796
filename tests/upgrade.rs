//! One version for another: what a program file says of itself, what `check`, `ready` and `commit` end with, and that
//! nothing of terminals, names and counters is lost on the way there and back.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use stbcast::access::{OnFlash, look};
use stbcast::ddns::record::{Counters, Held, Record, Service};
use stbcast::manifest::{self, STATE_FORMATS};
use stbcast::pairing::Source;
use stbcast::registration::{BoxId, BoxKey, Label, Psk};
use stbcast::store::{Kind, slots};
use support::stb::{Dir, STBCASTD, Stb, demo, run_to_end, wait_for};
use support::terminal::{Terminal, one_more, owner};
use support::uninterrupted;

/// Exit code and standard error of `stbcastd` with these words.
fn ended(words: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = run_to_end(words);
    (status.code().unwrap(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn the_program_file_holds_its_manifest_and_what_is_broken_is_said() {
    let program = fs::read(STBCASTD).unwrap();
    let holds = |part: &[u8]| program.windows(part.len()).any(|bytes| bytes == part);
    assert!(holds(&manifest::BYTES) && holds(b"\0.stb_manifest\0"), "whole, in a section of its own");
    let own = run_to_end(&["manifest"]);
    assert_eq!((own.status.code(), String::from_utf8_lossy(&own.stdout).as_ref()), (Some(0), manifest::JSON));
    assert_eq!(run_to_end(&["manifest", STBCASTD]).stdout, own.stdout);
    let at = program.windows(manifest::BYTES.len()).position(|bytes| bytes == manifest::BYTES).unwrap();
    let mut changed = program.clone();
    changed[at + 40] ^= 1;
    let dir = Dir::new();
    for (name, bytes, said) in [
        ("cut", &program[..at + 100], "cut short or was changed"),
        ("changed", &changed[..at + 4096], "cut short or was changed"),
        ("foreign", &b"\x7fELF of somebody else"[..], "it is no stbcastd"),
        ("empty", b"", "it is no stbcastd"),
    ] {
        let path = dir.file(name, bytes);
        let (code, why) = ended(&["manifest", &path]);
        assert!(code == 1 && why.contains(&path) && why.contains(said), "{name}: {code} {why}");
    }
    let (code, why) = ended(&["manifest", "/nowhere/stbcastd"]);
    assert!(code == 1 && why.contains("/nowhere/stbcastd: No such file"), "{why}");
}

#[test]
fn every_record_goes_to_the_next_version_and_back() {
    let mut stb = Stb::start(&[&format!("file:{}", demo().display())]);
    stb.wait_channels(4);
    let first = owner(&stb);
    stb.stop();
    let state = stb.dir.state();
    let put = everything(&state);
    // The next version, which nobody told to stay, has it all and writes what the version before reads.
    stb.begin();
    let viewer = one_more(&stb, "Viewer", "");
    let at = |terminal: &Terminal, stb: &Stb| Terminal { address: stb.address, ..terminal.clone() };
    let rename = |stb: &Stb, name: &str| {
        let body = format!("{{\"name\":\"{name}\"}}");
        let path = format!("/api/v1/terminals/{}", viewer.slot);
        assert_eq!(at(&first, stb).ask("PATCH", &path, Some(&body)).status, 200);
    };
    rename(&stb, "Back");
    stb.stop();
    let before = kept(&state);
    for (kind, oldest, _) in STATE_FORMATS {
        assert_eq!(before[kind.name()][0], *oldest, "{}: the version before reads it", kind.name());
    }
    assert!(
        put.iter().all(|(name, record)| before[name] == *record),
        "what it does not write stays as it was"
    );
    // Told to stay it writes its own formats; what is not of it stays as it was.
    stb.begin();
    assert_eq!(stb.ask(&["commit"]).status.code(), Some(0));
    rename(&stb, "Stays");
    stb.stop();
    let after = kept(&state);
    for (kind, _, newest) in STATE_FORMATS {
        assert_eq!(after[kind.name()][0], *newest, "{}: its own format", kind.name());
    }
    assert!(
        put.iter().all(|(name, record)| after[name] == *record),
        "what it does not write stays as it was"
    );
    assert_eq!((&before["identity"], &before["channels"]), (&after["identity"], &after["channels"]));
    stb.begin();
    let list = at(&first, &stb).get("/api/v1/terminals").text();
    assert!(list.contains("\"name\":\"Stays\"") && list.matches("\"slot\":").count() == 2, "{list}");
}

/// Writes the records that need a name service, providers, attempts and a tuner to come by themselves; gives them as they are.
fn everything(state: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let slots::Loaded::Record(seal) = slots::load(state, Kind::Seal).unwrap() else { panic!("a seal") };
    let service = || Service { url: "https://names.example".try_into().unwrap(), key: [9; 32] };
    let (name, psk) = (Label::new("wohnzimmer").unwrap(), Psk::new([5; 32]));
    let got = (BoxId([1; 8]), 3, &psk);
    let held = Held::new((service(), service()), ("box.example", &name), got, "names.example:8701").unwrap();
    let mut record = Record::new(BoxKey::from_seed([3; 32]));
    record.held = Some(held);
    let registration = record.write();
    let counter = Counters { ceiling: 700_000, network: 1, about: 2 }.write();
    let line = (7_u64, Some([192_u8, 0, 2, 1]), None::<[u8; 16]>, 1_700_000_000_u64);
    let providers = postcarded(&(1_u8, [line].as_slice()));
    let spent = [(Source::V4([192, 0, 2, 9]), 3000_u16)];
    let attempts = [&[1][..], &postcarded(&spent.as_slice())].concat();
    // What is rated above 12 is locked by a PIN; slot 3 guessed once.
    let pin = Some(([4_u8; 16], [5_u8; 32]));
    let parental = postcarded(&(1_u8, Some(12_u8), pin, [(3_u8, 1_u16, 1_u8, 0_u16)].as_slice()));
    slots::save(state, Kind::Parental, &sealed(&seal, &parental)).unwrap();
    slots::save(state, Kind::Registration, &sealed(&seal, &registration)).unwrap();
    slots::save(state, Kind::Counter, &counter).unwrap();
    slots::save(state, Kind::Providers, &providers).unwrap();
    slots::save(state, Kind::Attempts, &attempts).unwrap();
    // A scan that was stopped: 3 muxes with 8 TV, 2 radio and 1 other service, no service missed, no place left.
    let scan = postcarded(&(1_u8, 2_u8, 0_u8, [3_u16, 8, 2, 1], [0_u16, 0]));
    slots::save(state, Kind::Scan, &scan).unwrap();
    [
        ("registration", registration),
        ("counter", counter),
        ("providers", providers),
        ("scan", scan),
        ("parental", parental),
    ]
    .into()
}

fn postcarded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = [0; 128];
    postcard::to_slice(value, &mut bytes).unwrap().to_vec()
}

fn sealed(key: &[u8], record: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    let mut sealed = record.to_vec();
    let nonce = Nonce::assume_unique_for_key([7; 12]);
    key.seal_in_place_append_tag(nonce, Aad::from([0xa1]), &mut sealed).unwrap();
    [&[0xa1][..], &[7; 12], &sealed].concat()
}

/// Every record that has a format, unsealed.
fn kept(state: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let record = |kind: Kind| match look(state, kind).unwrap() {
        OnFlash::Kept { record, whole: true } => (kind.name(), record),
        other => panic!("{}: {other:?}", kind.name()),
    };
    STATE_FORMATS.iter().map(|(kind, ..)| record(*kind)).collect()
}

/// The files of a directory but the socket.
fn files(state: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        fs::read_dir(state).unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_file());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn check_tells_by_its_exit_code_what_is_wrong_and_changes_nothing() {
    let mut stb = Stb::start(&[]);
    let _owner = owner(&stb);
    stb.stop();
    let (state, dir) = (stb.dir.state(), Dir::new());
    everything(&state);
    let text = state.to_str().unwrap();
    let check = |more: &[&str]| ended(&[&["check", "--state", text], more].concat());
    let whole = files(&state);
    assert_eq!(check(&[]), (0, String::new()));
    assert_eq!(ended(&["check", "--state", "/nowhere/at/all"]).0, 0, "a box that is new has no state");
    assert!(!Path::new("/nowhere").exists());
    let config = dir.file("stbcast.conf", b"listen = here\n");
    for (words, said) in [
        (&["--config", &config][..], "stbcast.conf:1: listen 'here'"),
        (&["--config", "/nowhere/stbcast.conf"], "/nowhere/stbcast.conf"),
        (&["--import", "/nowhere/list.m3u"], "/nowhere/list.m3u"),
        (&["--ddns-name", "wohnzimmer"], "ddns-service"),
        (&["--dance"], "--dance"),
    ] {
        let (code, why) = check(words);
        assert!(code == 2 && why.contains(said), "{words:?}: {code} {why}");
    }
    for (kind, _, newest) in STATE_FORMATS {
        slots::save(&state, *kind, &[&[newest + 1], &[1; 60][..]].concat()).unwrap();
        let newer = files(&state);
        let said = format!("{}: format {} is of a newer stbcastd", kind.name(), newest + 1);
        let run = ["run", "--listen", "127.0.0.1:0", "--state", text];
        for (code, why) in [check(&[]), ended(&run)] {
            assert!(code == 3 && why.contains(&said), "{}: {code} {why}", kind.name());
        }
        assert_eq!(files(&state), newer, "{}: nothing is touched", kind.name());
        for slot in ["a", "b"] {
            fs::write(state.join(format!("{}.{slot}", kind.name())), "STBS and no more").unwrap();
        }
        let (code, why) = check(&[]);
        assert!(
            code == 4 && why.contains(&format!("{}: damaged in all copies", kind.name())),
            "{code} {why}"
        );
        let _both = ["a", "b"].map(|slot| fs::remove_file(state.join(format!("{}.{slot}", kind.name()))));
        whole.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).unwrap());
    }
    assert_eq!(check(&[]).0, 0, "put back, it is good again");
    // A reset does away with what is newer, too: it is the way out that the message names.
    slots::save(&state, Kind::Channels, &[9; 60]).unwrap();
    fs::write(state.join("factory-reset"), "").unwrap();
    stb.begin();
    stb.stop();
    assert_eq!(check(&[]).0, 0);
}

#[test]
fn ready_and_commit_say_when_no_box_answers() {
    let dir = Dir::new();
    let nowhere = dir.path().to_str().unwrap();
    let (code, why) = ended(&["ready", "--timeout", "0s", "--state", nowhere]);
    assert!(
        code == 6 && why.contains("not ready within 0 s") && why.contains("stbcast.sock"),
        "{code} {why}"
    );
    assert_eq!(ended(&["commit", "--state", nowhere]).0, 6);
    assert_eq!(ended(&["ready", "--until", "1s"]).0, 2);
    let stb = Stb::start(&[]);
    let state = stb.dir.state();
    assert_eq!(ended(&["ready", "--state", state.to_str().unwrap()]), (0, String::new()));
    assert_eq!(stb.ask(&["commit"]).status.code(), Some(0));
}

/// A box that runs by a command of its own.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    /// The value of a line of `/proc/<pid>/status`, its words with single spaces.
    fn status(&self, name: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        wait_for("the box's end", || self.0.try_wait().unwrap());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_service_manager_hears_that_the_box_serves_lives_and_stops() {
    let dir = Dir::new();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut bytes = [0; 64];
        let n = uninterrupted(|| manager.recv(&mut bytes)).unwrap();
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    };
    let mut command = Command::new(STBCASTD);
    command.args(["run", "--listen", "127.0.0.1:0", "--state"]).arg(dir.state());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").stderr(Stdio::null());
    let stb = Running(command.spawn().unwrap());
    assert_eq!(hear(), "READY=1");
    assert_eq!([hear(), hear(), hear()], ["WATCHDOG=1"; 3], "although it has nothing to do");
    // A loop that hangs says nothing: what comes after it was stopped was sent before.
    stb.signal(Signal::SIGSTOP);
    wait_for("its stop", || stb.status("State").starts_with('T').then_some(()));
    manager.set_nonblocking(true).unwrap();
    while manager.recv(&mut [0; 64]).is_ok() {}
    std::thread::sleep(Duration::from_millis(300));
    assert!(manager.recv(&mut [0; 64]).is_err());
    manager.set_nonblocking(false).unwrap();
    stb.signal(Signal::SIGCONT);
    assert_eq!(hear(), "WATCHDOG=1");
    stb.signal(Signal::SIGTERM);
    wait_for("its word that it stops", || (hear() == "STOPPING=1").then_some(()));
    stb.stop();
}

/// Root's start becomes a user, with what root wrote before; helpers, too.
#[test]
#[ignore = "needs root: run by scripts/check"]
fn root_becomes_a_user_without_rights_and_its_state_goes_with_it() {
    if !geteuid().is_root() {
        return;
    }
    let user = User::from_name("nobody").unwrap().unwrap();
    let dir = Dir::new();
    let state = dir.state();
    // Where that user can run it, too.
    let program = dir.path().join("stbcastd");
    fs::copy(STBCASTD, &program).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["run", "--listen", "127.0.0.1:0", "--state"]).arg(&state).args(more);
        let stb = Running(
            command.stderr(Stdio::from(fs::File::create(dir.path().join("log")).unwrap())).spawn().unwrap(),
        );
        let state = state.to_str().unwrap();
        assert_eq!(
            ended(&["ready", "--state", state]).0,
            0,
            "{}",
            fs::read_to_string(dir.path().join("log")).unwrap()
        );
        stb
    };
    let commit = || assert_eq!(ended(&["commit", "--state", state.to_str().unwrap()]).0, 0);
    let owners = || files(&state).keys().map(|f| state.join(f).metadata().unwrap().uid()).collect::<Vec<_>>();
    let root = run(&[]);
    assert!(root.status("Uid").starts_with("0 "));
    commit();
    root.stop();
    fs::write(dir.path().join("secret"), "root's").unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), state.join("link")).unwrap();
    assert!(owners().len() > 4 && owners().iter().all(|uid| *uid == 0));
    for _ in 0..2 {
        let stb = run(&["--user", "nobody"]);
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        assert_eq!(stb.status("Uid"), format!("{uid} {uid} {uid} {uid}"));
        assert_eq!(stb.status("Gid"), format!("{gid} {gid} {gid} {gid}"));
        assert_eq!(stb.status("Groups"), "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(stb.status(set), "0".repeat(16), "{set}");
        }
        assert_eq!(stb.status("NoNewPrivs"), "1");
        assert!(owners().iter().all(|owner| *owner == uid), "{:?}", owners());
        assert_eq!(fs::metadata(dir.path().join("secret")).unwrap().uid(), 0, "a link is not followed");
        commit(); // a helper writes it, as that user
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("now user 'nobody'") && log.contains("root's rights are given up"), "{log}");
        stb.stop();
    }
    let (code, why) = ended(&["run", "--state", state.to_str().unwrap(), "--user", "root"]);
    assert!(code == 2 && why.contains("would own the box"), "{why}");
    let (code, why) = ended(&["run", "--state", state.to_str().unwrap(), "--user", "not-here"]);
    assert!(code == 2 && why.contains("no such user"), "{why}");
}
