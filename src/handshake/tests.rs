use proptest::prelude::*;
use serde::Deserialize;
use spake2plus::rand_core::{Infallible, TryCryptoRng, TryRng};
use spake2plus::{Context, P256Sha256, Prover, ProverSecret, Verifier};

use super::*;

/// `tests/data/handshake.json`, made by another implementation.
#[derive(Deserialize)]
struct Vectors<'a> {
    #[serde(borrow)]
    qr: heapless::Vec<QrCase<'a>, 4>,
    #[serde(borrow)]
    pin: heapless::Vec<PinCase<'a>, 4>,
    #[serde(borrow)]
    session: heapless::Vec<SessionCase<'a>, 4>,
    #[serde(borrow)]
    rfc9383: RfcCase<'a>,
}

#[derive(Deserialize)]
struct QrCase<'a> {
    r#box: &'a str,
    fingerprint: &'a str,
    mode: &'a str,
    box_nonce: &'a str,
    terminal_nonce: &'a str,
    name: &'a str,
    role: &'a str,
    t0: &'a str,
    box_id: &'a str,
    secret: &'a str,
    fragment: &'a str,
    k: &'a str,
    box_proof: &'a str,
    terminal_proof: &'a str,
    kt: &'a str,
    auth: &'a str,
    cookie: &'a str,
    link: &'a str,
    player: &'a str,
}

#[derive(Deserialize)]
struct PinCase<'a> {
    r#box: &'a str,
    fingerprint: &'a str,
    mode: &'a str,
    box_nonce: &'a str,
    terminal_nonce: &'a str,
    name: &'a str,
    role: &'a str,
    t0: &'a str,
    pin: &'a str,
    salt: &'a str,
    w0: &'a str,
    w1: &'a str,
    x: &'a str,
    y: &'a str,
    share_p: &'a str,
    share_v: &'a str,
    confirm_p: &'a str,
    confirm_v: &'a str,
    kt: &'a str,
    auth: &'a str,
}

#[derive(Deserialize)]
struct SessionCase<'a> {
    kt: &'a str,
    fingerprint: &'a str,
    box_nonce: &'a str,
    terminal_nonce: &'a str,
    body: &'a str,
    proof: &'a str,
}

#[derive(Deserialize)]
struct RfcCase<'a> {
    context: &'a str,
    prover: &'a str,
    verifier: &'a str,
    w0: &'a str,
    w1: &'a str,
    x: &'a str,
    y: &'a str,
    share_p: &'a str,
    share_v: &'a str,
    confirm_p: &'a str,
    confirm_v: &'a str,
    k_shared: &'a str,
}

fn vectors() -> Vectors<'static> {
    let text = include_str!("../../tests/data/handshake.json");
    serde_json_core::from_str(text).unwrap().0
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

/// The 64 bytes that the scalar in `text` is drawn from.
fn drawn(text: &str) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[32..].copy_from_slice(&hex::<32>(text));
    bytes
}

/// The transcript of a case, which both kinds of cases begin with.
macro_rules! transcript {
    ($case:ident) => {
        Transcript::of(&Hello {
            box_name: $case.r#box,
            fingerprint: &Fingerprint(hex($case.fingerprint)),
            mode: Mode::named($case.mode).unwrap(),
            box_nonce: &Nonce(hex($case.box_nonce)),
            terminal_nonce: &Nonce(hex($case.terminal_nonce)),
            terminal_name: $case.name,
            role: Role::named($case.role).unwrap(),
        })
        .unwrap()
    };
}

#[test]
fn a_qr_pairing_is_as_the_other_implementation_has_it() {
    let cases = vectors().qr;
    assert_eq!(cases.len(), 2);
    for case in &cases {
        let transcript = transcript!(case);
        assert_eq!(transcript.bytes(), &hex(case.t0));
        let invitation = Invitation::parse(case.fragment).unwrap();
        assert_eq!(invitation.box_id.0, hex(case.box_id));
        assert!(invitation.is_to(&Fingerprint(hex(case.fingerprint))));
        assert_eq!(invitation.fragment(), case.fragment);
        let secret = invitation.secret;
        assert_eq!(secret.as_bytes(), &hex(case.secret));
        assert_eq!(qr::common_key(&secret, &transcript).bytes(), &hex(case.k));
        let (at_box, box_proof) = QrBox::start(&secret, &transcript);
        assert_eq!(box_proof, hex(case.box_proof));
        let (terminal_proof, key) = QrTerminal::start(&secret, &transcript).finish(&box_proof).unwrap();
        assert_eq!(terminal_proof, hex(case.terminal_proof));
        assert_eq!(key.as_bytes(), &hex(case.kt));
        assert_eq!(at_box.finish(&terminal_proof).unwrap().as_bytes(), key.as_bytes());
        let purposes = [Purpose::Auth, Purpose::Cookie, Purpose::Link, Purpose::Player];
        for (purpose, expected) in purposes.into_iter().zip([case.auth, case.cookie, case.link, case.player])
        {
            assert_eq!(*key.derive(purpose), hex(expected), "{purpose:?}");
        }
    }
}

#[test]
fn a_pin_pairing_is_as_the_other_implementation_has_it() {
    let cases = vectors().pin;
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let transcript = transcript!(case);
        assert_eq!(transcript.bytes(), &hex(case.t0));
        let (pin, salt) = (Pin::parse(case.pin).unwrap(), hex(case.salt));
        // The scalars are inside; two that are given as numbers below n must come to the same record.
        let given = [[0; 8].as_slice(), &hex::<32>(case.w0), &[0; 8], &hex::<32>(case.w1)].concat();
        let given = ProverSecret::<P256Sha256>::from_pbkdf_output(&given).unwrap();
        assert_eq!(
            pin::scalars(&pin, &salt).verifier_record().to_bytes(),
            given.verifier_record().to_bytes()
        );
        let random = Ephemeral::new(drawn(case.x));
        let (terminal, share_p) = PinTerminal::start(&pin, &salt, &transcript, random);
        assert_eq!(share_p, hex(case.share_p));
        let random = Ephemeral::new(drawn(case.y));
        let (at_box, share_v, confirm_v) = PinBox::start(&pin, &salt, &transcript, random, &share_p).unwrap();
        assert_eq!((share_v, confirm_v), (hex(case.share_v), hex(case.confirm_v)));
        let (confirm_p, key) = terminal.finish(&share_v, &confirm_v).unwrap();
        assert_eq!((confirm_p, *key.as_bytes()), (hex(case.confirm_p), hex(case.kt)));
        assert_eq!(at_box.finish(&confirm_p).unwrap().as_bytes(), key.as_bytes());
        assert_eq!(*key.derive(Purpose::Auth), hex(case.auth));
    }
}

#[test]
fn a_session_is_asked_for_as_the_other_implementation_does() {
    let cases = vectors().session;
    assert_eq!(cases.len(), 2);
    for case in &cases {
        let key = TerminalKey::new(hex(case.kt));
        let (box_nonce, terminal_nonce) = (Nonce(hex(case.box_nonce)), Nonce(hex(case.terminal_nonce)));
        let fingerprint = Fingerprint(hex(case.fingerprint));
        let request = SessionRequest {
            box_nonce: &box_nonce,
            terminal_nonce: &terminal_nonce,
            body: case.body.as_bytes(),
            fingerprint: &fingerprint,
        };
        assert_eq!(request.sign(&key), hex(case.proof));
        assert_eq!(request.verify(&key, &hex(case.proof)), Ok(()));
    }
}

/// Draws what it was made of, once.
struct Replay([u8; 64]);

impl TryRng for Replay {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("scalars are drawn as bytes")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("scalars are drawn as bytes")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Replay {}

/// Appendix C of RFC 9383 has identities, which ours leaves empty: so this is of the crate, with its parameters.
#[test]
fn the_vector_of_rfc_9383_comes_out() {
    let case = vectors().rfc9383;
    let wide = [[0; 8].as_slice(), &hex::<32>(case.w0), &[0; 8], &hex::<32>(case.w1)].concat();
    let secret = ProverSecret::<P256Sha256>::from_pbkdf_output(&wide).unwrap();
    let context = Context {
        context: case.context.as_bytes(),
        prover_id: case.prover.as_bytes(),
        verifier_id: case.verifier.as_bytes(),
    };
    let (prover, share_p) = Prover::start(&secret, &context, &mut Replay(drawn(case.x)));
    assert_eq!(share_p.as_bytes(), &hex(case.share_p));
    let record = secret.verifier_record();
    let (verifier, share_v) = Verifier::start(&record, &context, &mut Replay(drawn(case.y)));
    assert_eq!(share_v.as_bytes(), &hex(case.share_v));
    let (verifier, confirm_v) = verifier.receive(&share_p).unwrap();
    assert_eq!(confirm_v.as_bytes(), &hex(case.confirm_v));
    let (confirm_p, key) = prover.receive(&share_v).unwrap().finish(&confirm_v).unwrap();
    assert_eq!(confirm_p.as_bytes(), &hex(case.confirm_p));
    assert_eq!(key.as_bytes(), &hex(case.k_shared));
    assert_eq!(verifier.finish(&confirm_p).unwrap().as_bytes(), &hex(case.k_shared));
}

/// What one end heard. Both ends start from the same.
#[derive(Clone)]
struct Heard {
    box_name: String,
    fingerprint: [u8; 32],
    mode: Mode,
    box_nonce: [u8; 16],
    terminal_nonce: [u8; 16],
    terminal_name: String,
    role: Role,
}

impl Heard {
    fn new(mode: Mode) -> Self {
        Self {
            box_name: "stb".into(),
            fingerprint: [1; 32],
            mode,
            box_nonce: [2; 16],
            terminal_nonce: [3; 16],
            terminal_name: "Anna".into(),
            role: Role::Viewer,
        }
    }

    fn transcript(&self) -> Transcript {
        Transcript::of(&Hello {
            box_name: &self.box_name,
            fingerprint: &Fingerprint(self.fingerprint),
            mode: self.mode,
            box_nonce: &Nonce(self.box_nonce),
            terminal_nonce: &Nonce(self.terminal_nonce),
            terminal_name: &self.terminal_name,
            role: self.role,
        })
        .unwrap()
    }

    /// It with every bit flipped in turn, and with words changed.
    fn misheard(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut change = |make: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            make(&mut other);
            all.push(other);
        };
        (0..256).for_each(|i| change(&|h| h.fingerprint[i / 8] ^= 1 << (i % 8)));
        (0..128).for_each(|i| change(&|h| h.box_nonce[i / 8] ^= 1 << (i % 8)));
        (0..128).for_each(|i| change(&|h| h.terminal_nonce[i / 8] ^= 1 << (i % 8)));
        change(&|h| h.mode = if h.mode == Mode::Qr { Mode::Pin } else { Mode::Qr });
        for role in [Role::Owner, Role::Guest, Role::Player] {
            change(&|h| h.role = role);
        }
        for name in ["", "Ann", "anna", "Anna ", "Annaviewer"] {
            change(&|h| h.terminal_name = name.into());
        }
        for name in ["", "st", "stB", "stb "] {
            change(&|h| h.box_name = name.into());
        }
        all
    }
}

#[test]
fn no_two_hellos_have_one_transcript() {
    let heard = Heard::new(Mode::Qr);
    let mut all: Vec<_> = heard.misheard().iter().map(|h| *h.transcript().bytes()).collect();
    all.push(*heard.transcript().bytes());
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    let framed = |fields: &[&[u8]]| {
        let mut all = Vec::new();
        transcript::framed(fields, |bytes| all.extend_from_slice(bytes)).unwrap();
        all
    };
    assert_eq!(framed(&[b"ab", b""]), [0, 2, b'a', b'b', 0, 0]);
    assert_ne!(framed(&[b"ab", b"c"]), framed(&[b"a", b"bc"]));
    let long = "x".repeat(65_536);
    let (fingerprint, nonce) = (Fingerprint([0; 32]), Nonce([0; 16]));
    let mut hello = Hello {
        box_name: "",
        fingerprint: &fingerprint,
        mode: Mode::Qr,
        box_nonce: &nonce,
        terminal_nonce: &nonce,
        terminal_name: &long,
        role: Role::Owner,
    };
    assert_eq!(Transcript::of(&hello), Err(HandshakeError::NameTooLong));
    hello.terminal_name = &long[1..];
    assert!(Transcript::of(&hello).is_ok());
}

#[test]
fn by_qr_whatever_one_end_misheard_neither_end_believes() {
    let (heard, secret) = (Heard::new(Mode::Qr), Secret::new([7; 16]));
    for other in heard.misheard() {
        let (at_box, box_proof) = QrBox::start(&secret, &heard.transcript());
        let terminal = QrTerminal::start(&secret, &other.transcript());
        assert_eq!(terminal.finish(&box_proof).err(), Some(HandshakeError::PeerProof));
        // A terminal that proves all the same, as one without the check would.
        let own = QrBox::start(&secret, &other.transcript()).1;
        let terminal = QrTerminal::start(&secret, &other.transcript());
        let proof = terminal.finish(&own).unwrap().0;
        assert_eq!(at_box.finish(&proof).err(), Some(HandshakeError::PeerProof));
    }
    let (at_box, box_proof) = QrBox::start(&secret, &heard.transcript());
    assert!(at_box.finish(&box_proof).is_err(), "the box's own proof, sent back");
}

#[test]
fn by_qr_no_bit_of_a_proof_or_the_secret_may_differ() {
    let transcript = Heard::new(Mode::Qr).transcript();
    let secret = [7; 16];
    let (_, box_proof) = QrBox::start(&Secret::new(secret), &transcript);
    let terminal = || QrTerminal::start(&Secret::new(secret), &transcript);
    let (terminal_proof, _) = terminal().finish(&box_proof).unwrap();
    for bit in 0..256 {
        let (at_box, _) = QrBox::start(&Secret::new(secret), &transcript);
        assert!(at_box.finish(&flip(&terminal_proof, bit)).is_err(), "bit {bit}");
        assert!(terminal().finish(&flip(&box_proof, bit)).is_err(), "bit {bit}");
    }
    for bit in 0..128 {
        let other = flip(&secret, bit);
        assert!(QrTerminal::start(&Secret::new(other), &transcript).finish(&box_proof).is_err(), "bit {bit}");
    }
}

/// Both ends of a PIN pairing with what each heard and typed; the terminal's last word is for the box.
struct PinRun {
    at_box: PinBox,
    terminal: PinTerminal,
    share: [u8; SHARE],
    confirm: [u8; PROOF],
}

fn pin_run(at_box: (&str, &Heard), terminal: (&str, &Heard), salt: [u8; 16]) -> PinRun {
    let (typed, heard) = terminal;
    let random = Ephemeral::new([5; 64]);
    let (terminal, share) =
        PinTerminal::start(&Pin::parse(typed).unwrap(), &salt, &heard.transcript(), random);
    let (pin, heard) = at_box;
    let random = Ephemeral::new([6; 64]);
    let (at_box, share, confirm) =
        PinBox::start(&Pin::parse(pin).unwrap(), &[4; 16], &heard.transcript(), random, &share).unwrap();
    PinRun { at_box, terminal, share, confirm }
}

#[test]
fn a_wrong_pin_is_caught_before_the_terminal_confirms() {
    let heard = Heard::new(Mode::Pin);
    for typed in ["00000000", "12345679", "22345678", "87654321"] {
        let run = pin_run(("12345678", &heard), (typed, &heard), [4; 16]);
        assert_eq!(run.terminal.finish(&run.share, &run.confirm).err(), Some(HandshakeError::PeerProof));
    }
    let run = pin_run(("12345678", &heard), ("12345678", &heard), [5; 16]);
    assert!(run.terminal.finish(&run.share, &run.confirm).is_err(), "another salt");
    let run = pin_run(("12345678", &heard), ("12345678", &heard), [4; 16]);
    let (confirm, key) = run.terminal.finish(&run.share, &run.confirm).unwrap();
    assert_eq!(run.at_box.finish(&confirm).unwrap().as_bytes(), key.as_bytes());
}

#[test]
fn by_pin_whatever_one_end_misheard_neither_end_believes() {
    let heard = Heard::new(Mode::Pin);
    for other in heard.misheard().iter().step_by(7).chain(heard.misheard().iter().rev().take(14)) {
        let run = pin_run(("12345678", &heard), ("12345678", other), [4; 16]);
        assert_eq!(run.terminal.finish(&run.share, &run.confirm).err(), Some(HandshakeError::PeerProof));
        let lone = pin_run(("12345678", other), ("12345678", other), [4; 16]);
        let (confirm, _) = lone.terminal.finish(&lone.share, &lone.confirm).unwrap();
        assert_eq!(run.at_box.finish(&confirm).err(), Some(HandshakeError::PeerProof));
    }
}

#[test]
fn by_pin_no_bit_of_a_message_may_differ() {
    let (pin, salt, transcript) =
        (Pin::parse("12345678").unwrap(), [4; 16], Heard::new(Mode::Pin).transcript());
    // With the same random bytes every run says the same.
    let terminal = || PinTerminal::start(&pin, &salt, &transcript, Ephemeral::new([5; 64]));
    let sent = terminal().1;
    let at_box = || PinBox::start(&pin, &salt, &transcript, Ephemeral::new([6; 64]), &sent).unwrap();
    let (_, share, confirm) = at_box();
    let (last, _) = terminal().0.finish(&share, &confirm).unwrap();
    assert!(at_box().0.finish(&last).is_ok());
    assert_eq!(at_box().0.finish(&confirm).err(), Some(HandshakeError::PeerProof), "its own, sent back");
    for bit in 0..PROOF * 8 {
        let flipped = flip(&confirm, bit);
        assert_eq!(terminal().0.finish(&share, &flipped).err(), Some(HandshakeError::PeerProof));
        assert_eq!(at_box().0.finish(&flip(&last, bit)).err(), Some(HandshakeError::PeerProof));
    }
    for bit in 0..SHARE * 8 {
        let (flipped, random) = (flip(&sent, bit), Ephemeral::new([6; 64]));
        // No point of the curve differs from another in one bit, except in a form that is not taken.
        let refused = Some(HandshakeError::PeerShare);
        assert_eq!(PinBox::start(&pin, &salt, &transcript, random, &flipped).err(), refused, "bit {bit}");
        assert_eq!(terminal().0.finish(&flip(&share, bit), &confirm).err(), refused, "bit {bit}");
    }
}

fn flip<const N: usize>(message: &[u8; N], bit: usize) -> [u8; N] {
    let mut flipped = *message;
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[test]
fn a_share_is_an_uncompressed_point_of_the_curve_that_hides_something() {
    let (pin, salt, transcript) =
        (Pin::parse("12345678").unwrap(), [4; 16], Heard::new(Mode::Pin).transcript());
    let random = || Ephemeral::new([6; 64]);
    let refused = |share: &[u8; SHARE]| {
        let at_box = PinBox::start(&pin, &salt, &transcript, random(), share).err();
        let (terminal, _) = PinTerminal::start(&pin, &salt, &transcript, random());
        let terminal = terminal.finish(share, &[0; PROOF]).err();
        (at_box, terminal) == (Some(HandshakeError::PeerShare), Some(HandshakeError::PeerShare))
    };
    let good = PinTerminal::start(&pin, &salt, &transcript, random()).1;
    assert!(PinBox::start(&pin, &salt, &transcript, random(), &good).is_ok());
    let mut off_curve = good;
    off_curve[64] ^= 1;
    assert!(refused(&off_curve));
    let identity = [0; SHARE]; // SEC 1 §2.3.3: the single byte 0; the rest is padding
    assert!(refused(&identity));
    for form in [0, 1, 2, 3, 5, 6, 7, 0xff] {
        let mut other = good; // compressed (2, 3), hybrid (6, 7) and no form at all
        other[0] = form;
        assert!(refused(&other), "form {form}");
    }
    let mut zero = [0; SHARE];
    zero[0] = 4;
    assert!(refused(&zero), "(0, 0) is not on the curve");
    let mut beyond = [0xff; SHARE];
    beyond[0] = 4;
    assert!(refused(&beyond), "coordinates above p");
    // With x = 0 the share is the PIN's mask alone, w0*M: nothing secret would be left in the key.
    let mask = PinTerminal::start(&pin, &salt, &transcript, Ephemeral::new([0; 64])).1;
    assert_eq!(
        PinBox::start(&pin, &salt, &transcript, random(), &mask).err(),
        Some(HandshakeError::PeerShare)
    );
}

#[test]
fn every_pin_is_eight_digits_and_as_likely_as_any() {
    assert_eq!(Pin::from_random(0).unwrap().digits(), "00000000");
    assert_eq!(Pin::from_random(123).unwrap().digits(), "00000123");
    assert_eq!(Pin::from_random(4_199_999_999).unwrap().digits(), "99999999");
    assert_eq!(Pin::from_random(4_100_000_007).unwrap().digits(), "00000007");
    for number in [4_200_000_000, u32::MAX] {
        assert!(Pin::from_random(number).is_none(), "each PIN has 42 numbers, and no more");
    }
    for text in ["", "1234567", "123456789", "1234567a", "+1234567", "１２３４５６７８", "12 45678"] {
        assert!(Pin::parse(text).is_none(), "{text}");
    }
}

#[test]
fn secrets_show_nothing() {
    let pin = Pin::parse("12345678").unwrap();
    let secret = Secret::new(*b"abcdefghijklmnop");
    let invitation = Invitation::new(BoxId([0; 8]), secret.clone(), &Fingerprint([0; 32]));
    assert_eq!(
        format!("{pin:?} {secret:?} {:?}", TerminalKey::new([1; 32])),
        "Pin(..) Secret(..) TerminalKey(..)"
    );
    assert!(format!("{invitation:?}").contains("secret: Secret(..)"));
}

#[test]
fn a_fragment_is_what_it_was_made_of_or_nothing() {
    let made = Invitation::new(BoxId([1; 8]), Secret::new([2; 16]), &Fingerprint([3; 32]));
    let text = made.fragment();
    assert_eq!(text.len(), FRAGMENT_CHARS);
    let read = Invitation::parse(&text).unwrap();
    assert_eq!((read.box_id, read.secret.as_bytes()), (BoxId([1; 8]), &[2; 16]));
    assert!(read.is_to(&Fingerprint([3; 32])) && !read.is_to(&Fingerprint([4; 32])));
    for end in 0..text.len() {
        assert!(Invitation::parse(&text[..end]).is_none(), "{end}");
    }
    for text in [format!("{text}A"), format!("{text}."), text.replacen('1', "2", 1), text.replace('.', ",")] {
        assert!(Invitation::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn names_of_modes_and_roles_are_theirs_alone() {
    for role in [Role::Owner, Role::Viewer, Role::Guest, Role::Player] {
        assert_eq!((Role::named(role.name()), Role::from_number(role.number())), (Some(role), Some(role)));
    }
    assert_eq!((Role::named("Owner"), Role::from_number(4), Mode::named("both")), (None, None, None));
    assert_eq!([Mode::named("qr"), Mode::named("pin")], [Some(Mode::Qr), Some(Mode::Pin)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn both_ends_agree_whatever_they_say(
        names in (".{0,40}", ".{0,40}"),
        bytes in any::<([u8; 32], [u8; 16], [u8; 16], [u8; 16])>(),
        randoms in (prop::collection::vec(any::<u8>(), 64), prop::collection::vec(any::<u8>(), 64)),
        number in 0..4_200_000_000_u32,
    ) {
        let (fingerprint, box_nonce, terminal_nonce, secret) = bytes;
        let heard = |mode| Heard {
            box_name: names.0.clone(), fingerprint, mode, box_nonce, terminal_nonce,
            terminal_name: names.1.clone(), role: Role::Guest,
        };
        let transcript = heard(Mode::Qr).transcript();
        let (at_box, proof) = QrBox::start(&Secret::new(secret), &transcript);
        let (proof, by_qr) = QrTerminal::start(&Secret::new(secret), &transcript).finish(&proof).unwrap();
        let at_box = at_box.finish(&proof).unwrap();
        prop_assert_eq!(at_box.as_bytes(), by_qr.as_bytes());

        let (pin, transcript) = (Pin::from_random(number).unwrap(), heard(Mode::Pin).transcript());
        let random = |bytes: &[u8]| Ephemeral::new(bytes.try_into().unwrap());
        let (terminal, share) = PinTerminal::start(&pin, &secret, &transcript, random(&randoms.0));
        let (at_box, share, confirm) =
            PinBox::start(&pin, &secret, &transcript, random(&randoms.1), &share).unwrap();
        let (confirm, by_pin) = terminal.finish(&share, &confirm).unwrap();
        let at_box = at_box.finish(&confirm).unwrap();
        prop_assert_eq!(at_box.as_bytes(), by_pin.as_bytes());
        prop_assert_ne!(by_pin.as_bytes(), by_qr.as_bytes());
    }

    #[test]
    fn any_fragment_is_survived(text in "[0-9A-Za-z_.-]{0,64}") {
        let _ = Invitation::parse(&text);
    }
}
