//! What is kept of who was let in: damaged at every byte, rolled back, reset.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::Deserialize;
use stbcast::access::{Access, Brief, ClockSource, Credentials, Door, KeyError, Loaded};
use stbcast::handshake::{Fingerprint, Mode};
use stbcast::store::{Kind, Writer, slots};
use support::http::{Viewer, request};
use support::stb::{Dir, Stb, demo, run_to_end};
use support::terminal::{Phone, Terminal, one_more, open_pairing, owner};

/// A box with a terminal of each kind, stopped.
struct Stopped {
    stb: Stb,
    owner: Terminal,
}

impl Stopped {
    fn new() -> Self {
        let mut stb = Stb::start(&[]);
        let owner = owner(&stb);
        one_more(&stb, "Viewer", "");
        one_more(&stb, "Guest", ",\"role\":\"guest\",\"for_s\":3600,\"channels\":[1,2]");
        assert!(stb.ask(&["player", "Kodi"]).status.success());
        stb.stop();
        Self { stb, owner }
    }

    fn state(&self) -> PathBuf {
        self.stb.dir.state()
    }
}

/// The files of a state directory.
fn files(state: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(state).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// What a box with its state in `directory` knows.
#[derive(Debug, PartialEq)]
struct Known {
    terminals: Vec<Brief>,
    fingerprint: Fingerprint,
    /// The cookie is known.
    admits: bool,
}

/// The same, and the records that are to be written again.
fn known(directory: &Path, cookie: &str) -> Result<(Known, Vec<Kind>), KeyError> {
    let (loaded, unsaved) = Loaded::read(directory, true)?;
    let flash = Writer::new(directory).unwrap();
    let access = Access::new(loaded, flash, ClockSource::Rtc, 0, 8).unwrap();
    let shown = Credentials { cookie: Some(cookie), ..Credentials::default() };
    let admits = access.identify(shown, Door::Plain, Duration::ZERO).is_ok();
    let (terminals, fingerprint) = (access.terminals(), access.fingerprint());
    let unsaved = unsaved.into_iter().map(|(kind, _)| kind).collect();
    Ok((Known { terminals, fingerprint, admits }, unsaved))
}

/// `bytes` cut at each place, and with a bit flipped at each.
fn damages(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..bytes.len()).map(|end| bytes[..end].to_vec());
    cut.chain((0..bytes.len()).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        flipped
    }))
}

const RECORDS: [(&str, Kind); 3] =
    [("terminals", Kind::Terminals), ("identity", Kind::Identity), ("seal", Kind::Seal)];

#[test]
fn nobody_is_lost_while_one_slot_is_sound_and_nothing_damaged_is_taken() {
    let stopped = Stopped::new();
    let (dir, cookie) = (Dir::new(), stopped.owner.cookie.as_str());
    let whole = files(&stopped.state());
    whole.iter().for_each(|(name, bytes)| drop(dir.file(name, bytes)));
    let (all, unsaved) = known(dir.path(), cookie).unwrap();
    assert_eq!((all.terminals.len(), all.admits, unsaved), (4, true, Vec::new()));
    let mut tried = 0;
    for (name, kind) in RECORDS {
        for slot in ["a", "b"] {
            let file = format!("{name}.{slot}");
            for damaged in damages(&whole[&file]) {
                dir.file(&file, &damaged);
                let (now, unsaved) = known(dir.path(), cookie).unwrap();
                assert_eq!((&now, unsaved), (&all, vec![kind]), "{file}: {damaged:?}");
                tried += 1;
            }
            fs::remove_file(dir.path().join(&file)).unwrap();
            assert_eq!(known(dir.path(), cookie).unwrap(), (known_again(&all), vec![kind]), "{file} is gone");
            dir.file(&file, &whole[&file]);
        }
    }
    assert!(tried > 2000, "{tried}");
    // The same slot of all three at once.
    for slot in ["a", "b"] {
        RECORDS
            .iter()
            .for_each(|(name, _)| drop(dir.file(&format!("{name}.{slot}"), b"STBS and then nothing")));
        let (now, unsaved) = known(dir.path(), cookie).unwrap();
        assert_eq!((&now, unsaved.len()), (&all, 3), "slot {slot}");
        whole.iter().for_each(|(name, bytes)| drop(dir.file(name, bytes)));
    }
}

fn known_again(all: &Known) -> Known {
    Known { terminals: all.terminals.clone(), ..*all }
}

#[test]
fn a_record_that_is_lost_takes_with_it_what_it_must_and_nothing_is_made_up() {
    let stopped = Stopped::new();
    let (dir, cookie) = (Dir::new(), stopped.owner.cookie.as_str());
    let whole = files(&stopped.state());
    whole.iter().for_each(|(name, bytes)| drop(dir.file(name, bytes)));
    let (all, _) = known(dir.path(), cookie).unwrap();
    for (name, kind) in RECORDS {
        let [a, b] = ["a", "b"].map(|slot| format!("{name}.{slot}"));
        for (one, other) in damages(&whole[&a]).zip(damages(&whole[&b])).step_by(7) {
            dir.file(&a, &one);
            dir.file(&b, &other);
            let (now, _) = known(dir.path(), cookie).unwrap();
            let (keeps_terminals, keeps_identity) = (kind == Kind::Identity, kind == Kind::Terminals);
            let expected: &[Brief] = if keeps_terminals { &all.terminals } else { &[] };
            assert_eq!(now.terminals, expected, "{name}");
            assert_eq!(now.fingerprint == all.fingerprint, keeps_identity, "{name}");
            assert_eq!(now.admits, keeps_terminals, "{name}");
        }
        whole.iter().for_each(|(name, bytes)| drop(dir.file(name, bytes)));
    }
    // The program itself says so and goes on; what is mended lasts.
    let mut stb = stopped.stb;
    fs::write(stb.dir.state().join("terminals.a"), b"nothing").unwrap();
    fs::write(stb.dir.state().join("terminals.b"), b"nothing").unwrap();
    fs::write(stb.dir.state().join("identity.a"), b"nothing").unwrap();
    stb.begin();
    stb.wait_log("who was let in cannot be read: everybody has to pair again");
    stb.wait_log("identity: one of two copies is damaged or behind, the other is used");
    assert_eq!(owner(&stb).fingerprint, stopped.owner.fingerprint, "the box is who it was");
    stb.stop();
    fs::write(stb.dir.state().join("identity.b"), b"nothing").unwrap();
    stb.begin();
    assert_eq!(one_more(&stb, "Next", "").fingerprint, stopped.owner.fingerprint);
}

#[test]
fn state_of_a_newer_program_is_refused_and_left_alone() {
    let stopped = Stopped::new();
    let state = stopped.state();
    let whole = files(&state);
    for (name, kind, format) in [("terminals", Kind::Terminals, 3), ("identity", Kind::Identity, 2)] {
        slots::save(&state, kind, &[&[format], &[1; 60][..]].concat()).unwrap();
        let newer = files(&state);
        let out = run_to_end(&["run", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        let sentence =
            format!("{name}: format {format} is of a newer stbcastd that was told to stay; put that back");
        assert!(said.contains(&sentence), "{said}");
        assert_eq!(files(&state), newer, "nothing is touched");
        whole.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).unwrap());
    }
    assert!(known(&state, &stopped.owner.cookie).unwrap().0.admits, "put back, it goes on");
}

/// The newest record of a kind, unsealed by the key beside it.
fn unsealed(state: &Path, kind: Kind) -> Vec<u8> {
    let record = |kind| match slots::load(state, kind).unwrap() {
        slots::Loaded::Record(record) => record,
        other => panic!("{other:?}"),
    };
    let (seal, mut sealed) = (record(Kind::Seal), record(kind));
    assert_eq!(sealed[0], 0xa1, "what is secret is sealed");
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &seal).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&sealed[1..13]).unwrap();
    key.open_in_place(nonce, Aad::from([0xa1]), &mut sealed[13..]).unwrap().to_vec()
}

/// A reader that knows format 1 and nothing else, as the program before has it: slots, roles and keys.
fn read_format_1(record: &[u8]) -> Option<Vec<(u8, u8, [u8; 32])>> {
    #[derive(Deserialize)]
    struct Line {
        slot: u8,
        _name: heapless::String<96>,
        role: u8,
        _guest: Option<(heapless::Vec<u16, 16>, u64)>,
        key: [u8; 32],
    }
    let (&format, mut rest) = record.split_first()?;
    let mut found = Vec::new();
    if format != 1 {
        return None;
    }
    rest = postcard::take_from_bytes::<u64>(rest).ok()?.1;
    for _ in 0..32 {
        rest = postcard::take_from_bytes::<u16>(rest).ok()?.1;
    }
    let (&count, mut rest) = rest.split_first()?;
    for _ in 0..count {
        let (line, after): (Line, _) = postcard::take_from_bytes(rest).ok()?;
        found.push((line.slot, line.role, line.key));
        rest = after;
    }
    rest.is_empty().then_some(found)
}

#[test]
fn the_program_before_finds_all_terminals_until_this_one_stays() {
    let stopped = Stopped::new();
    let (mut stb, first) = (stopped.stb, stopped.owner);
    let state = stb.dir.state();
    let old = read_format_1(&unsealed(&state, Kind::Terminals)).expect("format 1 is written");
    assert_eq!(
        old.iter().map(|(slot, role, _)| (*slot, *role)).collect::<Vec<_>>(),
        [(0, 0), (1, 1), (2, 2), (3, 3)]
    );
    assert_eq!(&old[0].2, first.key.as_bytes());
    assert!(slots::load(&state, Kind::Commit).is_ok_and(|c| c == slots::Loaded::Nothing));
    // Not told to stay, it goes on so over restarts.
    stb.begin();
    one_more(&stb, "Another", "");
    stb.restart();
    assert_eq!(read_format_1(&unsealed(&state, Kind::Terminals)).unwrap().len(), 5);
    assert!(stb.ask(&["commit"]).status.success());
    let record = unsealed(&state, Kind::Terminals);
    assert_eq!(
        (record[0], read_format_1(&record)),
        (2, None),
        "the program before it cannot read it any more"
    );
    assert_eq!(one_more(&stb, "After", "").slot, 5);
    for _ in 0..2 {
        let owner = Terminal { address: stb.address, ..first.clone() };
        assert_eq!(owner.ask("PATCH", "/api/v1/terminals/1", Some("{\"name\":\"x\"}")).status, 200);
        assert_eq!(unsealed(&state, Kind::Terminals)[0], 2, "it stays");
        stb.restart();
    }
    let owner = Terminal { address: stb.address, ..first };
    let list = owner.get("/api/v1/terminals").text();
    let paired = list.split("{\"slot\":5,").nth(1).unwrap();
    assert!(paired.contains("\"paired\":1"), "what format 2 adds is there: {list}");
}

#[test]
fn a_factory_reset_makes_another_box() {
    let source = format!("file:{}?loop", demo().display());
    let mut stb = Stb::start(&[&source]);
    stb.wait_channels(4);
    let hello = |stb: &Stb| {
        let begun = Phone::new(stb, "Somebody").hello(Mode::Qr).unwrap();
        (support::stb::text(&begun.welcome, "id").unwrap().to_owned(), begun.fingerprint)
    };
    for by_flag in [false, true] {
        let (owner, link) = (owner(&stb), stb.list().0);
        let handed_out = format!("http://{}/live/1.ts?t={}", stb.address, owner.hand_out(1).unwrap());
        let mut viewers =
            [owner.watch("/live/1.ts"), Viewer::open(&handed_out), Viewer::open(&stb.channel(1))];
        viewers.iter_mut().for_each(|viewer| assert!(viewer.watch(188).len() >= 188));
        open_pairing(&stb, "");
        let before = hello(&stb);
        if by_flag {
            stb.stop();
            fs::write(stb.dir.state().join("factory-reset"), b"").unwrap();
            stb.begin();
            stb.wait_channels(4);
            assert!(!stb.dir.state().join("factory-reset").exists(), "once");
        } else {
            let out = stb.ask(&["factory-reset"]);
            assert!(String::from_utf8_lossy(&out.stderr).contains("--yes"), "it is meant");
            assert_eq!(owner.get("/api/v1/session").status, 200);
            assert!(stb.ask(&["factory-reset", "--yes"]).status.success());
        }
        viewers.iter_mut().for_each(|viewer| drop(viewer.watch_all()));
        let old = Terminal { address: stb.address, ..owner };
        assert_eq!(old.get("/api/v1/session").status, 401, "cookies");
        assert!(old.sign_in().is_err(), "keys");
        for url in [link, handed_out] {
            let moved = url.replace(&support::http::split(&url).0.to_string(), &stb.address.to_string());
            assert_eq!(request("HEAD", &moved, "").status, 401, "links");
        }
        assert_eq!(stb.query("{\"cmd\":\"terminals\"}").unwrap().len(), 1, "nobody");
        assert!(Phone::new(&stb, "x").hello(Mode::Qr).is_err(), "pairing is closed");
        assert_eq!(open_pairing(&stb, "").role, "owner");
        let after = hello(&stb);
        assert!(after.0 != before.0 && after.1 != before.1, "another box");
        stb.query("{\"cmd\":\"pair-close\"}").unwrap();
        // And it stays that box.
        stb.restart();
        stb.wait_channels(4);
        open_pairing(&stb, "");
        assert_eq!(hello(&stb), after);
    }
}

/// A small file system of its own, on a file that can be read as it lies on flash.
struct Image {
    file: PathBuf,
    mounted: PathBuf,
}

impl Image {
    fn new(file: &Path, mounted: &Path, options: &str) -> Self {
        fs::File::create(file).unwrap().set_len(16 << 20).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(file));
        run(Command::new("mount").args(["-o", options]).arg(file).arg(mounted));
        Self { file: file.into(), mounted: mounted.into() }
    }

    /// All its bytes, with nothing left in memory.
    fn bytes(&self) -> Vec<u8> {
        run(Command::new("umount").arg(&self.mounted));
        let bytes = fs::read(&self.file).unwrap();
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.file).arg(&self.mounted));
        bytes
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg(&self.mounted).status();
    }
}

fn run(command: &mut Command) {
    let out = command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// What is secret in a state directory, and what its records look like on flash.
fn secrets(state: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let record = |kind| match slots::load(state, kind).unwrap() {
        slots::Loaded::Record(record) => record,
        other => panic!("{other:?}"),
    };
    let keys = unsealed(state, Kind::Identity);
    let terminals = read_format_1(&unsealed(state, Kind::Terminals)).unwrap();
    // RFC 5915: the private key is an OCTET STRING of 32 bytes behind its version.
    let scalar = keys.windows(5).position(|w| w == [2, 1, 1, 4, 32]).unwrap() + 5;
    let mut all = vec![
        ("the key that seals the others", record(Kind::Seal)),
        ("the key of the box's links", keys[1..33].to_vec()),
        ("the box's private key", keys[scalar..scalar + 32].to_vec()),
        ("the sealed keys", record(Kind::Identity)[13..45].to_vec()),
        ("the sealed terminals", record(Kind::Terminals)[13..45].to_vec()),
    ];
    all.extend(terminals.into_iter().map(|(_, _, key)| ("a terminal's key", key.to_vec())));
    all
}

fn holds(image: &[u8], secret: &[u8]) -> bool {
    image.windows(secret.len()).any(|window| window == secret)
}

#[test]
#[ignore = "needs root and a loop device: run by scripts/check"]
fn after_a_reset_no_byte_of_a_key_is_on_flash() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can mount an image");
        return;
    }
    for by_flag in [false, true] {
        let (around, dir) = (Dir::new(), Dir::new());
        let image = Image::new(&around.path().join("flash.ext4"), dir.path(), "loop");
        let mut stb = Stb::start_in(dir, &[], &[]);
        let state = stb.dir.state();
        let first = owner(&stb);
        let mut old = secrets(&state);
        // Tables grow, shrink and are written over and over.
        for round in 0..5 {
            one_more(&stb, "Somebody whose name is as long", "");
            old.extend(secrets(&state));
            let owner = Terminal { address: stb.address, ..first.clone() };
            assert_eq!(owner.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
            old.extend(secrets(&state));
            if round % 2 == 0 {
                stb.restart();
            }
        }
        stb.stop();
        let before = image.bytes();
        let sealed = |what: &str| what.starts_with("the sealed") || what == "the key that seals the others";
        let now = secrets(&state);
        for (what, secret) in &now {
            assert_eq!(holds(&before, secret), sealed(what), "{what}, before");
        }
        stb.begin();
        if by_flag {
            stb.stop();
            fs::write(state.join("factory-reset"), b"").unwrap();
            stb.begin();
        } else {
            assert!(stb.ask(&["factory-reset", "--yes"]).status.success());
        }
        stb.stop();
        let after = image.bytes();
        let left: Vec<_> =
            old.iter().filter(|(_, secret)| holds(&after, secret)).map(|(what, _)| what).collect();
        assert_eq!(left, [&""; 0], "of {} secrets", old.len());
        println!(
            "{} secrets and records, by flag: {by_flag}: none is left in {} bytes",
            old.len(),
            after.len()
        );
    }
}
