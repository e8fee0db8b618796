//! What programs on the box hear and say at its local socket.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::thread;

use stbcast::board;
use support::screen::Screen;
use support::stb::{Dir, Stb, demo, number, text, wait_for};
use support::terminal::{Phone, Terminal, one_more, open_pairing, owner};

const YES: &str = "{\"done\":true,\"error\":null}";

fn screen(stb: &Stb) -> Screen {
    Screen::connect(&stb.dir.state())
}

#[test]
fn a_line_is_whole_and_short_or_refused() {
    let stb = Stb::start(&[]);
    let request = "{\"cmd\":\"pair-close\"}";
    // As long as it may be, with spaces, and one byte longer.
    let longest = format!("{}{request}\n", " ".repeat(4096 - request.len() - 1));
    let mut peer = screen(&stb);
    peer.send(longest.as_bytes());
    assert_eq!(peer.line().as_deref(), Some(YES));
    peer.send(&[b" ", longest.as_bytes()].concat());
    assert!(peer.line().unwrap().contains("a line has at most 4096 bytes"));
    assert_eq!(peer.line(), None, "its end");

    // In pieces, two at once, and with something behind that is half.
    let mut peer = screen(&stb);
    for byte in request.bytes() {
        peer.send(&[byte]);
    }
    peer.send(format!("\n{request}\n{request}\n{}", &request[..7]).as_bytes());
    for _ in 0..3 {
        assert_eq!(peer.line().as_deref(), Some(YES));
    }
    peer.send(format!("{}\n", &request[7..]).as_bytes());
    assert_eq!(peer.line().as_deref(), Some(YES));

    // A half line whose sender leaves is nobody's request.
    open_pairing(&stb, "");
    let mut peer = screen(&stb);
    peer.send(request.as_bytes());
    peer.shut_down();
    assert_eq!(peer.line(), None);
    assert!(Phone::new(&stb, "x").hello(stbcast::handshake::Mode::Qr).is_ok(), "pairing is still open");
}

#[test]
fn garbage_is_refused_and_the_conversation_goes_on() {
    let stb = Stb::start(&[]);
    let mut peer = screen(&stb);
    let garbage: [&[u8]; 14] = [
        b"",
        b"\r",
        b"hello",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"{\"cmd\":1}",
        b"{\"cmd\":\"status\"}{\"cmd\":\"status\"}",
        b"{\"cmd\":\"status\",\"slot\":256}",
        b"{\"cmd\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
        b"{\"cmd\":\"\xff\xfe\"}",
        b"\0\0\0",
        b"{\"cmd\":\"pair\",\"channels\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
    ];
    for line in garbage {
        peer.send(&[line, b"\n"].concat());
        let answer = peer.line().unwrap();
        let said = String::from_utf8_lossy(line).into_owned();
        assert_eq!(
            answer, "{\"done\":false,\"error\":\"the line is no request of this protocol\"}",
            "{said}"
        );
    }
    for (request, part) in [
        ("{\"cmd\":\"dance\"}", "unknown cmd 'dance'"),
        ("{\"cmd\":\"\\u001b[2J\"}", "unknown cmd '\\\\u{1b}[2J'"),
        ("{\"cmd\":\"answer\"}", "answer needs ask and allow"),
        ("{\"cmd\":\"revoke\"}", "which slot?"),
        ("{\"cmd\":\"rename\",\"slot\":0}", "which name?"),
        ("{\"cmd\":\"rename\",\"slot\":0,\"name\":\"\\u0000\"}", "which name?"),
        ("{\"cmd\":\"rename\",\"slot\":255,\"name\":\"x\"}", "no terminal in slot 255"),
        ("{\"cmd\":\"player\"}", "which name?"),
        ("{\"cmd\":\"link\",\"channel\":9}", "there is no channel 9"),
        ("{\"cmd\":\"tuner-grant\"}", "which tuner?"),
        ("{\"cmd\":\"tuner-grant\",\"tuner\":0}", "there is no tuner 0: this box has 0"),
        ("{\"cmd\":\"answer\",\"ask\":2147483649,\"allow\":true}", "does not wait for an answer"),
    ] {
        peer.send(format!("{request}\n").as_bytes());
        let answer = peer.line().unwrap();
        assert!(answer.starts_with("{\"done\":false,") && answer.contains(part), "{request}: {answer}");
    }
    assert_eq!(peer.ask("{\"cmd\":\"pair-close\"}"), [YES]);
}

#[test]
fn one_peer_more_than_there_are_places_waits_for_one() {
    let stb = Stb::start(&[]);
    let state = stb.dir.state();
    let mut peers: Vec<Screen> = (0..board::LOCAL_PEERS).map(|_| Screen::open(&stb)).collect();
    thread::scope(|scope| {
        let waits = scope.spawn(|| Screen::connect(&state).ask("{\"cmd\":\"pair-close\"}"));
        // All who are there are served meanwhile, and the one that waits is not.
        for peer in &mut peers {
            assert_eq!(peer.ask("{\"cmd\":\"channels\"}"), [YES]);
        }
        assert!(!waits.is_finished());
        peers.pop();
        assert_eq!(waits.join().unwrap(), [YES]);
    });
}

#[test]
fn who_does_not_read_its_events_is_dropped_and_the_others_hear_all() {
    let stb = Stb::start(&[]);
    let (mut asks, mut hears) = (screen(&stb), Screen::open(&stb));
    let mut silent = Screen::open(&stb);
    let is_dropped =
        || stb.log().contains("a program at the local socket does not read its events and is dropped");
    let mut rounds = 0;
    while !is_dropped() {
        assert!(rounds < 5000, "it is never dropped");
        asks.open_pairing(",\"mode\":\"pin\"");
        asks.ask("{\"cmd\":\"pair-close\"}");
        let opened = hears.expect("pairing-opened");
        assert!((280..=300).contains(&number(&opened, "expires_s")), "{opened}");
        hears.expect("pairing-closed");
        rounds += 1;
    }
    // It gets what it was sent before, in order and whole, and then its end.
    let mut heard = 0;
    while let Some(event) = silent.line() {
        let expected = ["pairing-opened", "pairing-closed"][heard % 2];
        assert_eq!(text(&event, "event"), Some(expected), "event {heard}");
        heard += 1;
    }
    assert!((1..rounds * 2).contains(&heard), "{heard} of {}", rounds * 2);
}

#[test]
fn a_whole_pairing_is_told_in_its_order() {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    stb.wait_channels(4);
    let first = owner(&stb);
    let mut screen = Screen::open(&stb);
    let shown = screen.open_pairing(",\"role\":\"owner\"");
    let opened = screen.expect("pairing-opened");
    assert_eq!(text(&opened, "role"), Some("owner"));
    assert!(
        !opened.contains(shown.pin()) && !opened.contains("link"),
        "secrets are for who opened it: {opened}"
    );
    let phone = Phone::new(&stb, "Ann");
    let second = thread::scope(|scope| {
        let paired = scope.spawn(|| phone.pair_by_pin(shown.pin()));
        assert_eq!(text(&screen.expect("pairing-closed"), "why"), Some("proven"));
        let ask = screen.answer(true);
        let said = ["name", "role", "mode"].map(|field| text(&ask, field).unwrap().to_owned());
        assert_eq!(said, ["Ann", "owner", "pin"]);
        paired.join().unwrap().unwrap()
    });
    let paired = screen.expect("paired");
    assert_eq!(
        (number(&paired, "slot"), text(&paired, "name"), text(&paired, "role")),
        (1, Some("Ann"), Some("owner"))
    );
    // Whoever puts whom out, and by whatever way.
    assert_eq!(first.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    assert_eq!(number(&screen.expect("revoked"), "slot"), 1);
    assert_eq!(second.get("/api/v1/session").status, 401);
    one_more(&stb, "Viewer", "");
    for event in ["pairing-opened", "pairing-closed", "paired"] {
        screen.expect(event);
    }
    assert!(stb.ask(&["revoke", "1"]).status.success());
    assert_eq!(number(&screen.expect("revoked"), "slot"), 1);
    assert_eq!(first.ask("POST", "/api/v1/terminals/revoke-all", Some("{}")).status, 200);
    assert_eq!(screen.expect("revoked"), "{\"event\":\"revoked\"}", "everybody");
    screen.open_pairing("");
    screen.expect("pairing-opened");
    assert!(stb.ask(&["factory-reset", "--yes"]).status.success());
    screen.expect("pairing-closed");
    assert_eq!(screen.expect("revoked"), "{\"event\":\"revoked\"}");
}

#[test]
fn how_many_watch_is_told_when_it_changes() {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    stb.wait_channels(4);
    let viewer: Terminal = owner(&stb);
    let mut screen = Screen::open(&stb);
    for expected in 1..=3 {
        let mut first = viewer.watch("/live/1.ts");
        first.watch(188);
        assert_eq!(screen.viewers(), 1, "{expected}");
        let second = viewer.watch("/live/2.ts");
        assert_eq!(screen.viewers(), 2, "{expected}");
        drop((first, second));
        let mut left = screen.viewers();
        while left > 0 {
            left = screen.viewers(); // both may be noticed at once, or one after the other
        }
    }
}

#[test]
fn a_tuner_is_granted_by_a_conversation_and_that_ends_with_it() {
    const TUNERS: &str = "{\"cmd\":\"tuners\"}";
    let grant = |tuner: u8| format!("{{\"cmd\":\"tuner-grant\",\"tuner\":{tuner}}}");
    let withdraw = |tuner: u8| format!("{{\"cmd\":\"tuner-withdraw\",\"tuner\":{tuner}}}");
    let mut stb = Stb::start_in(Dir::new(), &["dvb:250", "dvb:251.1"], &["--tuner-owner", "ui"]);
    let (mut one, mut other, mut listens) = (screen(&stb), screen(&stb), Screen::open(&stb));
    let whose = |peer: &mut Screen| {
        let mut lines = peer.ask(TUNERS);
        assert_eq!(lines.pop().as_deref(), Some(YES));
        lines.iter().map(|line| text(line, "whose").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let devices: Vec<_> =
        other.ask(TUNERS).iter().filter_map(|line| text(line, "device").map(str::to_owned)).collect();
    assert_eq!(devices, ["250.0", "251.1"]);
    assert_eq!(whose(&mut other), ["ui", "ui"]);
    for _ in 0..2 {
        assert_eq!(one.ask(&grant(0)), [YES]);
        assert_eq!(whose(&mut other), ["granted", "ui"]);
    }
    for (request, part) in [
        (grant(0), "granted by another program"),
        (withdraw(0), "not granted by this conversation"),
        (withdraw(1), "not granted by this conversation"),
        (grant(2), "there is no tuner 2: this box has 2"),
    ] {
        let answer = other.ask(&request);
        assert!(answer[0].starts_with("{\"done\":false,") && answer[0].contains(part), "{answer:?}");
    }
    assert_eq!(one.ask(&withdraw(0)), [YES]);
    assert_eq!(whose(&mut other), ["ui", "ui"]);
    // Its end takes back all that it granted, and nothing of another's.
    assert_eq!([one.ask(&grant(0)), one.ask(&grant(1))].concat(), [YES, YES]);
    for tuner in [0, 1] {
        let is_of_it = |event: &str| text(event, "event") == Some("tuner") && number(event, "tuner") == tuner;
        while !is_of_it(&listens.event()) {}
    }
    let mut third = screen(&stb);
    assert_eq!([one.ask(&withdraw(1)), third.ask(&grant(1))].concat(), [YES, YES]);
    drop(one);
    wait_for("the grant's end", || (whose(&mut other) == ["ui", "granted"]).then_some(()));
    let shown = String::from_utf8(stb.ask(&["tuners"]).stdout).unwrap();
    assert!(shown.contains(" 1  dvb:251.1  ") && shown.contains("granted by the television"), "{shown}");
    drop((other, third));
    stb.restart_as(&["--source", "dvb:250", "--tuner-owner", "box"]);
    let mut peer = screen(&stb);
    assert_eq!(whose(&mut peer), ["box"]);
    assert!(peer.ask(&grant(0))[0].contains("tuner 0 is the box's own"));
}
