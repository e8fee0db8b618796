//! The window in which one new terminal is let in: closed, or open with a secret, a PIN and those who try.

use std::io;
use std::time::Duration;

use heapless::Vec;
use subtle::ConstantTimeEq;

use super::{PairError, Source};
use crate::access::{GUEST_CHANNELS, TerminalName};
use crate::handshake::{
    Fingerprint, Hello, Mode, Nonce, PROOF, Pin, PinBox, QrBox, Role, Secret, TerminalKey, Transcript,
};
use crate::sys::random;

/// How long a window is open.
pub const OPEN_FOR: Duration = Duration::from_secs(300);
/// Attempts by PIN that may be under way, one per source.
pub const ATTEMPTS: usize = 4;
/// Attempts by QR code that may be under way, one per source. There is always room for one more, so that strangers who
/// never finish theirs do not keep the owner out: hers takes moments, and the oldest of so many gives way.
pub const QR_ATTEMPTS: usize = 64;
/// An attempt by PIN this old gives way to a new one when there is no room.
const STALE: Duration = Duration::from_secs(30);

/// The ways to pair that a window offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// By QR code.
    Qr,
    /// By PIN.
    Pin,
    /// By either.
    Both,
}

impl Modes {
    const fn offer(self, mode: Mode) -> bool {
        matches!((self, mode), (Self::Both, _) | (Self::Qr, Mode::Qr) | (Self::Pin, Mode::Pin))
    }
}

/// What a guest is let in for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The channels it may watch; none named: all.
    pub channels: Vec<u16, GUEST_CHANNELS>,
    /// For how long, from its enrolment.
    pub lifetime: Duration,
}

/// What a window is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How.
    pub modes: Modes,
    /// What the terminal is going to be.
    pub role: Role,
    /// For a guest, and for nobody else.
    pub guest: Option<Stay>,
    /// The box has no owner yet: whatever was asked for, this terminal becomes it.
    pub first: bool,
}

/// What the screen shows of an open window.
#[derive(Clone, Debug)]
pub struct Shown {
    /// For the QR code, where it is offered.
    pub secret: Option<Secret>,
    /// The PIN, where it is offered and attempts are left.
    pub pin: Option<Pin>,
    /// What the terminal is going to be.
    pub role: Role,
    /// When the window closes, by the boot clock.
    pub ends: Duration,
}

/// Why a window does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// A guest needs terms with a lifetime, and nobody else has any.
    Guest,
    /// PIN pairing is closed for the hour, and nothing else was asked for.
    PinShut,
    /// The kernel has no randomness yet.
    NoEntropy,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Guest => "a guest needs a lifetime, and only a guest has channels and a lifetime",
            Self::PinShut => "too many wrong PINs: PIN pairing is closed for an hour, QR pairing works",
            Self::NoEntropy => "no randomness yet",
        })
    }
}

/// Names one attempt, to who made it.
#[derive(Clone, Copy, Debug)]
pub struct AttemptId(pub [u8; 16]);

/// The box's answer to a hello.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// What the next requests have to name.
    pub attempt: AttemptId,
    /// The box's nonce.
    pub nonce: Nonce,
    /// What the terminal is going to be.
    pub role: Role,
    /// What the mode needs.
    pub opening: Opening,
}

/// What the box begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// QR: its proof.
    Proof([u8; PROOF]),
    /// PIN: the salt.
    Salt([u8; 16]),
}

/// A terminal that has proven itself; the window closed behind it.
#[derive(Debug)]
pub(super) struct Proven {
    /// What it calls itself.
    pub name: TerminalName,
    /// How it proved itself.
    pub mode: Mode,
    /// What the window was opened for.
    pub terms: Terms,
    /// Its key.
    pub key: TerminalKey,
}

/// What a share is to be answered with.
pub(super) struct Sharing {
    pub(super) pin: Pin,
    pub(super) salt: [u8; 16],
    pub(super) transcript: Transcript,
}

/// The window.
pub(super) struct Window {
    box_name: Box<str>,
    fingerprint: Fingerprint,
    open: Option<Open>,
}

struct Open {
    terms: Terms,
    shown: Shown,
    by_pin: Vec<Attempt, ATTEMPTS>,
    by_qr: Vec<Attempt, QR_ATTEMPTS>,
}

struct Attempt {
    id: AttemptId,
    source: Source,
    /// When its source first tried: trying again makes nobody younger.
    since: Duration,
    name: TerminalName,
    state: State,
}

enum State {
    /// QR: the box has proven itself.
    Qr(QrBox),
    /// PIN: waits for the terminal's share.
    Pin { salt: [u8; 16], transcript: Transcript },
    /// PIN: the share is being answered.
    Sharing,
    /// PIN: waits for the terminal's confirmation.
    Confirming(PinBox),
}

impl Window {
    /// A closed window of the box with this name and key.
    #[must_use]
    pub(super) fn new(box_name: &str, fingerprint: Fingerprint) -> Self {
        Self { box_name: box_name.into(), fingerprint, open: None }
    }

    /// The box has another key.
    pub(super) fn know_as(&mut self, fingerprint: Fingerprint) {
        self.fingerprint = fingerprint;
    }

    /// Opens, in place of what was open before; `pin`: PIN pairing has attempts left.
    pub(super) fn open(&mut self, terms: Terms, pin: bool, now: Duration) -> Result<Shown, OpenError> {
        let mut terms = terms;
        let limited = terms.guest.as_ref().is_some_and(|g| g.lifetime > Duration::ZERO);
        if (terms.role == Role::Guest) != limited || terms.guest.is_some() != limited {
            return Err(OpenError::Guest);
        }
        if terms.first {
            (terms.role, terms.guest) = (Role::Owner, None);
        }
        if terms.modes == Modes::Pin && !pin {
            return Err(OpenError::PinShut);
        }
        let secret = terms.modes.offer(Mode::Qr).then(|| drawn().map(Secret::new)).transpose();
        let pin = (pin && terms.modes.offer(Mode::Pin)).then(draw_pin).transpose();
        let shown = Shown {
            secret: secret.map_err(|_| OpenError::NoEntropy)?,
            pin: pin.map_err(|_| OpenError::NoEntropy)?,
            role: terms.role,
            ends: now + OPEN_FOR,
        };
        self.open = Some(Open { terms, shown: shown.clone(), by_pin: Vec::new(), by_qr: Vec::new() });
        Ok(shown)
    }

    /// Closes; says whether it was open.
    pub(super) fn close(&mut self) -> bool {
        self.open.take().is_some()
    }

    /// Closes when its time is over; says whether it did.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        self.ends().is_some_and(|ends| now >= ends) && self.close()
    }

    /// When it closes; `None` while it is closed.
    #[must_use]
    pub(super) fn ends(&self) -> Option<Duration> {
        self.open.as_ref().map(|open| open.shown.ends)
    }

    /// It is open, and one can pair so.
    pub(super) fn offers(&self, mode: Mode, now: Duration) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let offered = match mode {
                Mode::Qr => open.shown.secret.is_some(),
                Mode::Pin => open.shown.pin.is_some(),
            };
            offered && now < open.shown.ends
        })
    }

    /// Begins an attempt of `source` in place of the one it had in this mode.
    pub(super) fn hello(
        &mut self,
        source: Source,
        mode: Mode,
        (terminal_nonce, terminal_name): (&Nonce, &str),
        now: Duration,
    ) -> Result<Welcome, PairError> {
        let (box_name, fingerprint) = (&self.box_name, &self.fingerprint);
        let open = self.open.as_mut().filter(|open| now < open.shown.ends).ok_or(PairError::Closed)?;
        let name = TerminalName::new(terminal_name).ok_or(PairError::Name)?;
        let box_nonce = Nonce(drawn().map_err(PairError::no_entropy)?);
        let transcript = Transcript::of(&Hello {
            box_name,
            fingerprint,
            mode,
            box_nonce: &box_nonce,
            terminal_nonce,
            terminal_name,
            role: open.terms.role,
        })
        .map_err(|_| PairError::Name)?;
        let (state, opening) = match mode {
            Mode::Qr => {
                let secret = open.shown.secret.as_ref().ok_or(PairError::Closed)?;
                let (state, proof) = QrBox::start(secret, &transcript);
                (State::Qr(state), Opening::Proof(proof))
            }
            Mode::Pin if open.shown.pin.is_none() => return Err(PairError::Closed),
            Mode::Pin => {
                let salt = drawn().map_err(PairError::no_entropy)?;
                (State::Pin { salt, transcript }, Opening::Salt(salt))
            }
        };
        let attempt = AttemptId(drawn().map_err(PairError::no_entropy)?);
        let new = Attempt { id: attempt, source, since: now, name, state };
        match mode {
            Mode::Qr => admit(&mut open.by_qr, new, Duration::ZERO),
            Mode::Pin => admit(&mut open.by_pin, new, STALE),
        }?;
        Ok(Welcome { attempt, nonce: box_nonce, role: open.terms.role, opening })
    }

    /// What the attempt's share is to be answered with; it has no second one.
    pub(super) fn begin_share(
        &mut self,
        source: Source,
        id: &AttemptId,
        now: Duration,
    ) -> Result<Sharing, PairError> {
        let open = self.open.as_mut().filter(|open| now < open.shown.ends).ok_or(PairError::Closed)?;
        let pin = open.shown.pin.clone().ok_or(PairError::Closed)?;
        let attempt = open.by_pin.iter_mut().find(|a| a.is(source, id)).ok_or(PairError::Closed)?;
        let State::Pin { salt, transcript } = attempt.state else { return Err(PairError::Closed) };
        attempt.state = State::Sharing;
        Ok(Sharing { pin, salt, transcript })
    }

    /// The share was answered; `Closed` where the attempt has ended meanwhile.
    pub(super) fn end_share(
        &mut self,
        source: Source,
        id: &AttemptId,
        answered: PinBox,
    ) -> Result<(), PairError> {
        let open = self.open.as_mut().ok_or(PairError::Closed)?;
        let attempt = open.by_pin.iter_mut().find(|a| a.is(source, id)).ok_or(PairError::Closed)?;
        attempt.state = State::Confirming(answered);
        Ok(())
    }

    /// Ends an attempt by PIN.
    pub(super) fn end(&mut self, source: Source, id: &AttemptId) {
        if let Some(open) = &mut self.open {
            open.by_pin.retain(|a| !a.is(source, id));
        }
    }

    /// Shows another PIN, or none. Attempts whose share was answered go on with theirs.
    pub(super) fn renew_pin(&mut self, attempts_left: bool) -> io::Result<Option<Pin>> {
        let Some(open) = &mut self.open else { return Ok(None) };
        open.shown.pin = None; // gone even if no other can be drawn
        if attempts_left {
            open.shown.pin = Some(draw_pin()?);
        }
        Ok(open.shown.pin.clone())
    }

    /// Checks the terminal's proof. The first that is right closes the window for all others; a wrong one ends its
    /// attempt.
    pub(super) fn finish(
        &mut self,
        source: Source,
        id: &AttemptId,
        proof: &[u8; PROOF],
        now: Duration,
    ) -> Result<Proven, PairError> {
        let open = self.open.as_mut().filter(|open| now < open.shown.ends).ok_or(PairError::Closed)?;
        let by_qr = open.by_qr.iter().position(|a| a.is(source, id)).map(|i| open.by_qr.swap_remove(i));
        let attempt = by_qr.or_else(|| {
            // While its share is being answered there is nothing to be finished, and nothing is lost.
            let finishes = |a: &Attempt| a.is(source, id) && matches!(a.state, State::Confirming(_));
            open.by_pin.iter().position(finishes).map(|i| open.by_pin.swap_remove(i))
        });
        let attempt = attempt.ok_or(PairError::Closed)?;
        let (mode, key) = match attempt.state {
            State::Qr(at_box) => (Mode::Qr, at_box.finish(proof)),
            State::Confirming(at_box) => (Mode::Pin, at_box.finish(proof)),
            State::Pin { .. } | State::Sharing => return Err(PairError::Closed),
        };
        let key = key.map_err(|_| PairError::Proof)?;
        let terms = self.open.take().ok_or(PairError::Closed)?.terms;
        Ok(Proven { name: attempt.name, mode, terms, key })
    }
}

/// Takes in `new` in place of its source's attempt, or of the oldest one that is stale.
fn admit<const N: usize>(
    attempts: &mut Vec<Attempt, N>,
    mut new: Attempt,
    stale: Duration,
) -> Result<(), PairError> {
    if let Some(own) = attempts.iter_mut().find(|a| a.source == new.source) {
        new.since = own.since;
        *own = new;
        return Ok(());
    }
    if attempts.is_full() {
        let stale = attempts.iter().enumerate().filter(|(_, a)| new.since >= a.since + stale);
        let oldest = stale.min_by_key(|(_, a)| a.since).map(|(index, _)| index);
        attempts.remove(oldest.ok_or(PairError::Busy)?);
    }
    attempts.push(new).map_err(|_| PairError::Busy)
}

impl Attempt {
    fn is(&self, source: Source, id: &AttemptId) -> bool {
        self.source == source && bool::from(self.id.0.ct_eq(&id.0))
    }
}

fn drawn() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes)?;
    Ok(bytes)
}

fn draw_pin() -> io::Result<Pin> {
    loop {
        let mut number = [0; 4];
        random::fill(&mut number)?;
        if let Some(pin) = Pin::from_random(u32::from_le_bytes(number)) {
            return Ok(pin);
        }
    }
}
