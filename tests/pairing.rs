//! How terminals are let in, on the real program.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stbcast::handshake::Mode;
use stbcast::pairing::{PER_HOUR, PER_PIN, PER_SOURCE};
use support::http::Reply;
use support::screen::Screen;
use support::stb::{STBCASTD, Stb, text, wait_for};
use support::terminal::{HOME, Phone, ask_from, b64, one_more, open_pairing, other_pin, owner, random};

/// Where others are.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn status<T>(result: Result<T, Reply>) -> u16 {
    result.map_or_else(|reply| reply.status, |_| 200)
}

/// Pairing is as closed to a stranger as if there were none.
fn is_closed(stb: &Stb) {
    for path in ["hello", "share", "finish"] {
        let path = format!("/api/v1/pair/{path}");
        let closed = ask_from(HOME, stb.address, ("POST", &path), "", Some("{}"));
        let unknown = ask_from(HOME, stb.address, ("POST", "/api/v1/pear/hello"), "", Some("{}"));
        assert_eq!((closed.status, &closed.head, &closed.body), (404, &unknown.head, &unknown.body));
    }
}

#[test]
fn a_terminal_pairs_by_qr_code_and_by_pin_and_each_secret_is_for_one() {
    let stb = Stb::start(&[]);
    is_closed(&stb);
    let first = open_pairing(&stb, ",\"role\":\"viewer\"");
    assert_eq!(first.role, "owner", "the first owns the box, whatever was asked for");
    let phone = Phone::new(&stb, "Ann's phone");
    let ann = phone.pair_by_qr(first.link()).unwrap();
    assert_eq!((ann.slot, ann.role.as_str()), (0, "owner"));
    is_closed(&stb);
    assert_eq!(status(phone.pair_by_qr(first.link())), 404, "spent");

    let second = open_pairing(&stb, "");
    assert_eq!(second.role, "viewer");
    assert!(second.link() != first.link() && second.pin() != first.pin());
    let bob = Phone::new(&stb, "Bob").at(ELSEWHERE).pair_by_pin(second.pin()).unwrap();
    assert_eq!((bob.slot, bob.role.as_str()), (1, "viewer"));
    is_closed(&stb);
    assert_eq!(status(phone.pair_by_pin(second.pin())), 404, "spent");
    assert_eq!(status(phone.pair_by_qr(second.link())), 404, "spent by the other way");

    // Of a new window neither is good, though it is open.
    let third = open_pairing(&stb, "");
    let begun = phone.hello(Mode::Qr).unwrap();
    let old = support::terminal::invitation(second.link());
    let stale = stbcast::handshake::QrTerminal::start(&old.secret, &begun.transcript);
    assert!(stale.finish(&support::terminal::unb64(text(&begun.welcome, "proof").unwrap())).is_err());
    assert!(!phone.guess(second.pin()).unwrap(), "or the two are alike by chance, one in 10^8");
    assert!(phone.pair_by_qr(third.link()).is_ok());

    for (terminal, name) in [(&ann, "Ann's phone"), (&bob, "Bob")] {
        let me = terminal.get("/api/v1/session");
        assert_eq!((me.status, text(&me.text(), "name").unwrap()), (200, name));
        let bearer = terminal.sign_in().unwrap();
        let by_bearer = format!("Authorization: Bearer {bearer}\r\n");
        let me = ask_from(HOME, stb.address, ("GET", "/api/v1/session"), &by_bearer, None);
        assert_eq!((me.status, text(&me.text(), "name").unwrap()), (200, name));
    }
}

#[test]
fn a_window_offers_what_it_was_opened_for() {
    let stb = Stb::start(&[]);
    let phone = Phone::new(&stb, "Ann");
    let qr = open_pairing(&stb, ",\"mode\":\"qr\"");
    assert!(qr.pin.is_none());
    assert_eq!(status(phone.hello(Mode::Pin)), 404);
    let pin = open_pairing(&stb, ",\"mode\":\"pin\"");
    assert!(pin.link.is_none());
    assert_eq!(status(phone.hello(Mode::Qr)), 404);
    assert_eq!(phone.hello(Mode::Pin).map(|_| ()).map_err(|r| r.status), Ok(()));
    assert_eq!(stb.query("{\"cmd\":\"pair-close\"}").unwrap(), ["{\"done\":true,\"error\":null}"]);
    is_closed(&stb);
    for (more, part) in [
        (",\"mode\":\"nfc\"", "mode 'nfc'"),
        (",\"role\":\"player\"", "player"),
        (",\"role\":\"guest\"", "lifetime"),
        (",\"role\":\"guest\",\"for_s\":0", "lifetime"),
        (",\"role\":\"viewer\",\"for_s\":60", "lifetime"),
    ] {
        let refused = stb.query(&format!("{{\"cmd\":\"pair\"{more}}}"));
        let said = refused.map_or_else(|e| e.to_string(), |lines| lines.concat());
        assert!(said.contains("\"done\":false") && said.contains(part), "{more}: {said}");
        is_closed(&stb);
    }
}

#[test]
fn a_message_that_is_wrong_lets_nobody_in() {
    let stb = Stb::start(&[]);
    let ann = Phone::new(&stb, "Ann");
    let mallory = ann.at(ELSEWHERE);
    let shown = open_pairing(&stb, "");
    // By another source, of another attempt, twice, and not at all.
    let begun = ann.hello(Mode::Qr).unwrap();
    let (proof, _) = ann.prove_by_qr(&begun, shown.link());
    assert_eq!(mallory.finish(&begun.attempt, &proof).status, 404, "another source");
    let theirs = mallory.hello(Mode::Qr).unwrap();
    assert_eq!(mallory.finish(&theirs.attempt, &proof).status, 401, "another attempt's proof");
    assert_eq!(mallory.finish(&theirs.attempt, &proof).status, 404, "a wrong proof ends its attempt");
    assert_eq!(ann.finish(&b64(&random::<16>()), &proof).status, 404);
    // The box's own proof is not the terminal's.
    let theirs = mallory.hello(Mode::Qr).unwrap();
    let of_box = support::terminal::unb64::<32>(text(&theirs.welcome, "proof").unwrap());
    assert_eq!(mallory.finish(&theirs.attempt, &of_box).status, 401);
    // A step that is not of the mode; each field short, long, padded, and gone.
    assert_eq!(status(ann.share(&begun.attempt, &[4; 65])), 404, "QR pairing has no shares");
    let by_pin = mallory.hello(Mode::Pin).unwrap();
    assert_eq!(mallory.finish(&by_pin.attempt, &proof).status, 404, "no share was sent");
    let (attempt, proof_text) = (begun.attempt.as_str(), b64(&proof));
    for body in [
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{}\"}}", &proof_text[..42]),
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{proof_text}=\"}}"),
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{proof_text}A\"}}"),
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"\"}}"),
        format!("{{\"attempt\":\"{}\",\"proof\":\"{proof_text}\"}}", &attempt[..21]),
        format!("{{\"proof\":\"{proof_text}\"}}"),
        format!("{{\"attempt\":\"{attempt}\"}}"),
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{proof_text}\"}} x"),
        format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{proof_text}\""),
    ] {
        assert_eq!(ann.post("/api/v1/pair/finish", &body).status, 400, "{body}");
    }
    let nonce = b64(&random::<16>());
    for body in [
        format!("{{\"mode\":\"nfc\",\"nonce\":\"{nonce}\",\"name\":\"Ann\"}}"),
        format!("{{\"mode\":\"qr\",\"nonce\":\"{}\",\"name\":\"Ann\"}}", &nonce[..20]),
        format!("{{\"mode\":\"qr\",\"nonce\":\"{nonce}\",\"name\":\"\"}}"),
        format!("{{\"mode\":\"qr\",\"nonce\":\"{nonce}\",\"name\":\"\\u200e\"}}"),
        format!("{{\"mode\":\"qr\",\"nonce\":\"{nonce}\",\"name\":\"{}\"}}", "x".repeat(257)),
        format!("{{\"mode\":\"qr\",\"nonce\":\"{nonce}\"}}"),
    ] {
        assert_eq!(ann.post("/api/v1/pair/hello", &body).status, 400, "{body}");
    }
    // None of it cost Ann her attempt.
    assert_eq!(ann.finish(&begun.attempt, &proof).status, 200);
    assert_eq!(ann.finish(&begun.attempt, &proof).status, 404, "replayed");
    is_closed(&stb);
}

#[test]
fn a_share_that_is_wrong_ends_its_attempt_and_counts() {
    let stb = Stb::start(&[]);
    let shown = open_pairing(&stb, "");
    let ann = Phone::new(&stb, "Ann");
    for (n, share) in [[0; 65], [4; 65]].iter().enumerate() {
        let at = ann.at(Ipv4Addr::new(127, 0, 3, u8::try_from(n).unwrap()));
        let begun = at.hello(Mode::Pin).unwrap();
        assert_eq!(status(at.share(&begun.attempt, &share[..64])), 400, "no share at all counts for none");
        assert_eq!(status(at.share(&begun.attempt, share)), 400, "no point of the curve");
        assert_eq!(status(at.share(&begun.attempt, share)), 404, "its attempt is over");
    }
    // A proof of another source's run, of an earlier run, and the share of one run in the next.
    let begun = ann.hello(Mode::Pin).unwrap();
    let (terminal, share) = ann.start_by_pin(&begun, shown.pin());
    let (box_share, confirm) = ann.share(&begun.attempt, &share).unwrap();
    let (proof, _) = terminal.finish(&box_share, &confirm).unwrap();
    assert_eq!(ann.at(ELSEWHERE).finish(&begun.attempt, &proof).status, 404, "another source");
    assert_eq!(status(ann.share(&begun.attempt, &share)), 404, "a second share");
    let again = ann.hello(Mode::Pin).unwrap();
    assert_eq!(ann.finish(&begun.attempt, &proof).status, 404, "in place of the first attempt");
    ann.share(&again.attempt, &share).unwrap();
    assert_eq!(ann.finish(&again.attempt, &proof).status, 401, "an earlier run's");
    assert_eq!(status(ann.pair_by_pin(shown.pin())), 200, "the fifth at this PIN is the last");
}

#[test]
fn of_two_phones_at_once_the_first_to_prove_is_let_in() {
    let stb = Stb::start(&[]);
    let shown = open_pairing(&stb, "");
    let (ann, bob) = (Phone::new(&stb, "Ann"), Phone::new(&stb, "Bob").at(ELSEWHERE));
    let anns = ann.hello(Mode::Qr).unwrap();
    let bobs = bob.hello(Mode::Pin).unwrap();
    let (terminal, share) = bob.start_by_pin(&bobs, shown.pin());
    let (box_share, confirm) = bob.share(&bobs.attempt, &share).unwrap();
    let (bobs_proof, _) = terminal.finish(&box_share, &confirm).unwrap();
    let (anns_proof, _) = ann.prove_by_qr(&anns, shown.link());
    assert_eq!(bob.finish(&bobs.attempt, &bobs_proof).status, 200);
    assert_eq!(ann.finish(&anns.attempt, &anns_proof).status, 404);
    assert_eq!(stb.query("{\"cmd\":\"terminals\"}").unwrap().len(), 2, "one, and the answer's end");
}

/// A guess that ends its attempt, so that there is room for the next.
fn guess(at: &Phone, pin: &str) -> Result<(), u16> {
    let begun = at.hello(Mode::Pin).map_err(|r| r.status)?;
    let (terminal, share) = at.start_by_pin(&begun, pin);
    let (box_share, confirm) = at.share(&begun.attempt, &share).map_err(|r| r.status)?;
    assert!(terminal.finish(&box_share, &confirm).is_err(), "the PIN was guessed: one in 10^8");
    assert_eq!(at.finish(&begun.attempt, &[0; 32]).status, 401);
    Ok(())
}

#[test]
fn trying_all_pins_gets_the_budget_and_no_more_and_keeps_nobody_out() {
    let mut stb = Stb::start(&[]);
    let mut screen = Screen::open(&stb);
    let shown = screen.open_pairing("");
    screen.expect("pairing-opened");
    let stranger = Phone::new(&stb, "Mallory");
    let (mut pins, mut answered) = (vec![shown.pin().to_owned()], 0);
    for tried in 0..10_000_u32 {
        // Four from one address, then each from another.
        let [_, _, third, fourth] = (tried.saturating_sub(3) % 2000).to_be_bytes();
        let at = stranger.at(Ipv4Addr::new(127, 1, third, fourth));
        let last = pins.iter().rfind(|pin| !pin.is_empty()).unwrap();
        match guess(&at, &other_pin(last)) {
            Ok(()) => answered += 1,
            Err(429) => assert_eq!((tried, answered), (3, PER_SOURCE), "this source has used its own"),
            Err(status) => assert_eq!((status, answered), (404, PER_HOUR), "closed for the hour"),
        }
        let is_first = answered == pins.len() * usize::from(PER_PIN) && pins.last().unwrap() != "";
        if is_first {
            pins.push(new_pin(&mut screen));
        }
    }
    assert_eq!((answered, pins.len(), pins[2].as_str()), (PER_HOUR, 3, ""), "five at a PIN, ten in an hour");
    assert_ne!(pins[0], pins[1]);
    // Neither who tries nor how often keeps the owner from the QR code, nor does a cut of power open the PIN again.
    let phone = Phone::new(&stb, "Owner");
    assert_eq!(status(phone.pair_by_pin(&pins[1])), 404, "not even who knows it");
    stb.kill();
    stb.begin();
    let refused = stb.query("{\"cmd\":\"pair\",\"mode\":\"pin\"}");
    let said = refused.map_or_else(|e| e.to_string(), |lines| lines.concat());
    assert!(said.contains("PIN pairing is closed for an hour"), "{said}");
    let shown = open_pairing(&stb, "");
    assert_eq!(shown.pin, None);
    let phone = Phone::new(&stb, "Owner");
    let flood = AtomicBool::new(true);
    thread::scope(|scope| {
        for n in 1..=3 {
            let (phone, flood) = (&phone, &flood);
            scope.spawn(move || {
                for source in (0..=u8::MAX).cycle().take_while(|_| flood.load(Ordering::Relaxed)) {
                    let _refused = phone.at(Ipv4Addr::new(127, 2, n, source)).hello(Mode::Pin);
                }
            });
        }
        let paired = status(phone.pair_by_qr(shown.link()));
        flood.store(false, Ordering::Relaxed);
        assert_eq!(paired, 200);
    });
}

/// The PIN that the screen shows in place of a worn one; empty: none.
fn new_pin(screen: &mut Screen) -> String {
    loop {
        let event = screen.event();
        match text(&event, "event") {
            Some("pin") => return text(&event, "pin").unwrap().to_owned(),
            Some("pair-failed") => assert_eq!(text(&event, "why"), Some("proof"), "{event}"),
            _ => panic!("{event}"),
        }
    }
}

#[test]
fn attempts_of_a_source_outlive_a_cut_of_power_and_knowing_the_pin_gives_them_back() {
    let mut stb = Stb::start(&[]);
    let mut pin = open_pairing(&stb, "").pin().to_owned();
    guess(&Phone::new(&stb, "Ann"), &other_pin(&pin)).unwrap();
    guess(&Phone::new(&stb, "Ann"), &other_pin(&pin)).unwrap();
    for round in 0..2 {
        stb.kill();
        stb.begin();
        is_closed(&stb);
        pin = open_pairing(&stb, "").pin().to_owned();
        let tried = guess(&Phone::new(&stb, "Ann"), &other_pin(&pin));
        assert_eq!(tried, if round == 0 { Ok(()) } else { Err(429) });
    }
    assert_eq!(
        guess(&Phone::new(&stb, "Ann").at(ELSEWHERE), &other_pin(&pin)),
        Ok(()),
        "to that source alone"
    );
    let shared = Phone::new(&stb, "Bob").at(ELSEWHERE);
    assert_eq!(status(shared.pair_by_pin(&pin)), 200);
    // What that source spent was no guessing: it has three again.
    pin = open_pairing(&stb, "").pin().to_owned();
    for _ in 0..3 {
        guess(&shared, &other_pin(&pin)).unwrap();
    }
    assert_eq!(guess(&shared, &pin), Err(429));
}

/// `stbcastd pair` as somebody uses it who sits at the box.
struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
    link: String,
}

impl Program {
    fn start(stb: &Stb, words: &[&str]) -> Self {
        let mut child = Command::new(STBCASTD)
            .arg("pair")
            .args(words)
            .arg("--state")
            .arg(stb.dir.state())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut program =
            Self { lines: BufReader::new(child.stdout.take().unwrap()), child, link: String::new() };
        let link = program.line();
        program.link = link.strip_prefix("link  ").unwrap_or_else(|| panic!("{link}")).to_owned();
        program.line_with("for a terminal of role ");
        program
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "'{part}' is said");
            if line.contains(part) {
                return line;
            }
        }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Its exit code, what it said last and what on standard error.
    fn end(mut self) -> (Option<i32>, String, String) {
        drop(self.child.stdin.take());
        let status = wait_for("the program's end", || self.child.try_wait().unwrap());
        let (mut out, mut err) = (String::new(), String::new());
        self.lines.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status.code(), out, err)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_second_owner_needs_the_consent_of_who_sits_at_the_box() {
    let stb = Stb::start(&[]);
    let first = Program::start(&stb, &[]);
    assert_eq!(status(Phone::new(&stb, "First").pair_by_qr(&first.link)), 200, "the first needs none");
    let (code, out, err) = first.end();
    assert_eq!((code, out.trim_end(), err.as_str()), (Some(0), "paired: 'First' in slot 0", ""));
    let phone = Phone::new(&stb, "Second");
    for (words, said, expected) in [
        (&["--role", "owner"][..], Some("n"), 403),
        (&["--role", "owner"], Some(""), 403),
        (&["--role", "owner", "--qr"], Some("y"), 200),
        (&["--role", "owner", "--yes"], None, 200),
        (&["--role", "viewer"], None, 200),
    ] {
        let mut screen = Program::start(&stb, words);
        let link = screen.link.clone();
        thread::scope(|scope| {
            let paired = scope.spawn(|| phone.pair_by_qr(&link));
            if let Some(said) = said {
                // The question comes without the end of a line.
                let mut question = vec![0; "Let 'Second' in as owner? [y/N] ".len()];
                screen.lines.read_exact(&mut question).unwrap();
                assert_eq!(String::from_utf8(question).unwrap(), "Let 'Second' in as owner? [y/N] ");
                screen.say(said);
            }
            assert_eq!(status(paired.join().unwrap()), expected, "{words:?} {said:?}");
        });
        let (code, out, err) = screen.end();
        let let_in = out.contains("paired: 'Second'");
        assert_eq!((code, let_in), (Some(i32::from(expected != 200)), expected == 200), "{out}{err}");
        assert!(let_in || err.contains("was not let in: denied"), "{err}");
        is_closed(&stb);
    }
    assert_eq!(stb.query("{\"cmd\":\"terminals\"}").unwrap().len(), 5, "four, and the answer's end");
}

#[test]
fn a_program_that_draws_the_screen_is_asked_and_nobody_else() {
    let stb = Stb::start(&[]);
    owner(&stb);
    let phone = Phone::new(&stb, "Second");
    // Nobody is there.
    let shown = open_pairing(&stb, ",\"role\":\"owner\"");
    let refused = phone.pair_by_qr(shown.link()).unwrap_err();
    assert_eq!(
        (refused.status, refused.text().contains("nobody is there")),
        (403, true),
        "{}",
        refused.text()
    );
    let mut screen = Screen::open(&stb);
    for allow in [false, true] {
        let shown = screen.open_pairing(",\"role\":\"owner\"");
        screen.expect("pairing-opened");
        thread::scope(|scope| {
            let paired = scope.spawn(|| phone.pair_by_qr(shown.link()));
            assert_eq!(text(&screen.expect("pairing-closed"), "why"), Some("proven"));
            let wrong = stb.query("{\"cmd\":\"answer\",\"ask\":99,\"allow\":true}");
            let wrong = wrong.map_or_else(|e| e.to_string(), |lines| lines.concat());
            assert!(wrong.contains("question 99 does not wait"), "{wrong}");
            let ask = screen.answer(allow);
            assert_eq!((text(&ask, "name"), text(&ask, "role")), (Some("Second"), Some("owner")), "{ask}");
            assert_eq!(status(paired.join().unwrap()), if allow { 200 } else { 403 });
        });
        if allow {
            assert_eq!(text(&screen.expect("paired"), "name"), Some("Second"));
        } else {
            assert_eq!(text(&screen.expect("pair-failed"), "why"), Some("denied"));
        }
    }
    // Who closes pairing over the question says no.
    let shown = screen.open_pairing(",\"role\":\"owner\"");
    screen.expect("pairing-opened");
    thread::scope(|scope| {
        let paired = scope.spawn(|| phone.pair_by_qr(shown.link()));
        screen.expect("pairing-closed");
        screen.expect("ask");
        screen.ask("{\"cmd\":\"pair-close\"}");
        assert_eq!(status(paired.join().unwrap()), 403);
    });
}

#[test]
fn a_table_that_is_full_is_said_to_the_phone_and_at_the_screen() {
    let stb = Stb::start(&[]);
    let owner = owner(&stb);
    for _ in 1..32 {
        let player = "{\"role\":\"player\",\"name\":\"Kodi\"}";
        assert_eq!(owner.ask("POST", "/api/v1/terminals", Some(player)).status, 200);
    }
    let screen = Program::start(&stb, &[]);
    let refused = Phone::new(&stb, "One more").pair_by_qr(&screen.link).unwrap_err();
    assert_eq!(refused.status, 409, "{}", refused.text());
    let (code, out, err) = screen.end();
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("was not let in: full"), "{err}");
    assert_eq!(owner.ask("DELETE", "/api/v1/terminals/31", None).status, 200);
    assert_eq!(one_more(&stb, "One more", "").slot, 31);
}
