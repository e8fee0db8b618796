//! Pairing: how a new terminal is let in.
//!
//! Owns the window in which one is: its one-use secret and PIN, who tries, how often, the screen's consent, and the
//! budget of public-key work. A [`Admission`] exists only because a terminal proved itself in an open window and the
//! screen, where it was asked, consented; keeping it is the caller's. Knows no HTTP and no JSON.
//!
//! ```text
//!   open ─▶ hello ─▶ (share, counted on flash) ─▶ finish ─▶ consent ─▶ Admission
//! ```

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::{BoxedLocal, FutureExt};
use smol::channel::{Receiver, Sender, bounded};

use crate::access::TerminalName;
use crate::board;
use crate::handshake::{Ephemeral, Fingerprint, Mode, Nonce, PROOF, Pin, PinBox, Role, SHARE, TerminalKey};
use crate::reactor::Reactor;
use crate::sys::{clock, random};

mod budget;
mod consent;
#[cfg(test)]
mod sample;
mod source;
#[cfg(test)]
mod tests;
mod window;
mod work;

use budget::{Budget, Exhausted, Wear};
pub use budget::{FORMATS, PER_HOUR, PER_PIN, PER_SOURCE, RECORD_MAX};
use consent::Consent;
pub use consent::{Ask, Dissent, PATIENCE, Policy};
pub use source::Source;
use window::Window;
pub use window::{
    ATTEMPTS, AttemptId, Modes, OPEN_FOR, OpenError, Opening, QR_ATTEMPTS, Shown, Stay, Terms, Welcome,
};
pub use work::{Busy, WAITING, WAITING_PER_SOURCE, Work};

/// Has a record written to flash; completes when it is there.
pub type Save = Box<dyn Fn(Vec<u8>) -> BoxedLocal<io::Result<()>>>;
/// Tells the programs at the local socket; says how many of them show questions to a person.
pub type Tell = Box<dyn Fn(&PairEvent) -> usize>;

/// Lets new terminals in, one at a time.
pub struct Pairing {
    reactor: Rc<Reactor>,
    save: Save,
    tell: Tell,
    policy: Policy,
    state: RefCell<State>,
    consent: Consent,
    work: Work,
    /// Something that ends by itself began: [`Pairing::tend`] has to look.
    news: (Sender<()>, Receiver<()>),
}

struct State {
    window: Window,
    budget: Budget,
}

/// A terminal that is to be let in.
#[derive(Debug)]
pub struct Admission {
    /// What it is called.
    pub name: TerminalName,
    /// What it may.
    pub role: Role,
    /// Its key.
    pub key: TerminalKey,
    /// For a guest: what it is let in for.
    pub guest: Option<Stay>,
}

/// What happened, for who shows it. A secret is in [`PairEvent::Opened`] and [`PairEvent::NewPin`].
#[derive(Clone, Debug)]
pub enum PairEvent {
    /// A window opened.
    Opened(Shown),
    /// It closed: its time is over, somebody closed it, or a terminal proved itself and is let in next, or not.
    Closed {
        /// A terminal proved itself.
        proven: bool,
    },
    /// Another PIN is to be shown; `None`: none, since the hour's attempts are used.
    NewPin(Option<Pin>),
    /// Somebody is to be asked; [`Pairing::answer`] takes the answer.
    Ask(Ask),
    /// A terminal was let in.
    Paired {
        /// Its slot.
        slot: u8,
        /// Its name.
        name: TerminalName,
        /// Its role.
        role: Role,
    },
    /// A terminal tried and was not let in.
    Failed(PairError),
}

/// Why a terminal is not let in, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairError {
    /// There is no window, not in this mode, or no such attempt. They are not told apart.
    Closed,
    /// The terminal's name has nothing to show, or is too long.
    Name,
    /// The terminal's share is no valid point.
    Share,
    /// The terminal's proof is wrong.
    Proof,
    /// This source has used its attempts of the hour.
    Exhausted,
    /// Too many try at once.
    Busy,
    /// The kernel has no randomness yet.
    NoEntropy(io::ErrorKind),
    /// The attempt could not be counted on flash, so it was not answered.
    NotCounted(io::ErrorKind),
    /// The screen did not consent.
    Dissent(Dissent),
    /// The table of terminals is full.
    Full,
    /// The terminal could not be kept on flash.
    NotKept(io::ErrorKind),
    /// A guest's end cannot be told, since the time is not known.
    NoTime,
}

impl PairError {
    fn no_entropy(error: io::Error) -> Self {
        Self::NoEntropy(error.kind())
    }

    /// A word for logs and programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Name => "name",
            Self::Share => "share",
            Self::Proof => "proof",
            Self::Exhausted => "exhausted",
            Self::Busy | Self::Dissent(Dissent::Occupied) => "busy",
            Self::NoEntropy(_) => "no-entropy",
            Self::NotCounted(_) => "not-counted",
            Self::Dissent(Dissent::Denied) => "denied",
            Self::Dissent(Dissent::NoAnswer) => "no-answer",
            Self::Dissent(Dissent::NobodyThere) => "nobody-there",
            Self::Full => "full",
            Self::NotKept(_) => "not-kept",
            Self::NoTime => "no-time",
        }
    }
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "there is no such pairing",
            Self::Name => "the name has nothing to show or is too long",
            Self::Share => "the share is no valid point",
            Self::Proof => "the proof is wrong",
            Self::Exhausted => "too many attempts; try again in an hour, or by QR code",
            Self::Busy | Self::Dissent(Dissent::Occupied) => "others are pairing; try again",
            Self::NoEntropy(_) => "no randomness yet; try again",
            Self::NotCounted(_) => "the attempt could not be kept on flash",
            Self::Dissent(Dissent::Denied) => "the box's screen said no",
            Self::Dissent(Dissent::NoAnswer) => "nobody answered at the box's screen",
            Self::Dissent(Dissent::NobodyThere) => "nobody is there to be asked at the box's screen",
            Self::Full => "all places for terminals are taken",
            Self::NotKept(_) => "the box cannot write its memory",
            Self::NoTime => "this box does not know the time yet, so no guest is let in",
        })
    }
}

impl Pairing {
    /// Pairing of the box with this name and key; `attempts` is the record that `save` kept last, or empty.
    #[must_use]
    pub fn new(
        reactor: &Rc<Reactor>,
        (box_name, fingerprint): (&str, Fingerprint),
        attempts: &[u8],
        save: Save,
        tell: Tell,
    ) -> Self {
        let now = clock::boot();
        let budget = Budget::load(attempts, now).unwrap_or_else(|e| {
            log::warn!("record of PIN attempts: {e}; PIN pairing is closed for an hour");
            Budget::shut(now)
        });
        Self {
            reactor: Rc::clone(reactor),
            save,
            tell,
            policy: Policy::named(board::PAIR_CONSENT),
            state: RefCell::new(State { window: Window::new(box_name, fingerprint), budget }),
            consent: Consent::default(),
            work: Work::default(),
            news: bounded(1),
        }
    }

    /// Somebody can pair now, in one way or another.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.borrow().window.ends().is_some_and(|ends| clock::boot() < ends)
    }

    /// The box has another key from now on; a window that is open closes.
    pub fn renew(&self, fingerprint: Fingerprint) {
        self.close();
        let mut state = self.state.borrow_mut();
        state.window.know_as(fingerprint);
        state.budget = Budget::load(&[], clock::boot()).unwrap_or_else(|_| Budget::shut(clock::boot()));
    }

    /// The budget of public-key work.
    #[must_use]
    pub const fn work(&self) -> &Work {
        &self.work
    }

    /// Opens the window, in place of one that is open; a question that waits for its answer is over.
    pub fn open(&self, terms: Terms) -> Result<Shown, OpenError> {
        self.consent.cancel();
        let now = clock::boot();
        let mut state = self.state.borrow_mut();
        let pin = state.budget.is_open(now);
        let shown = state.window.open(terms, pin, now)?;
        state.budget.pin_shown();
        drop(state);
        let _known = self.news.0.try_send(());
        log::info!("pairing opened");
        (self.tell)(&PairEvent::Opened(shown.clone()));
        Ok(shown)
    }

    /// Closes the window; says whether it was open. A question that waits is answered with no.
    pub fn close(&self) -> bool {
        self.consent.cancel();
        let closed = self.state.borrow_mut().window.close();
        self.closed(closed);
        closed
    }

    /// Begins an attempt.
    pub fn hello(&self, source: Source, mode: Mode, nonce: &Nonce, name: &str) -> Result<Welcome, PairError> {
        let now = clock::boot();
        self.expire(now);
        let mut state = self.state.borrow_mut();
        if mode == Mode::Pin && state.window.offers(mode, now) {
            state.budget.has_left(source, now)?;
        }
        state.window.hello(source, mode, (nonce, name), now)
    }

    /// Answers a terminal's share with the box's share and confirmation, after it was counted on flash.
    pub async fn share(
        &self,
        source: Source,
        attempt: &AttemptId,
        share: &[u8; SHARE],
    ) -> Result<([u8; SHARE], [u8; PROOF]), PairError> {
        let answer = self.answer_share(source, attempt, share).await;
        if answer.is_err() {
            self.state.borrow_mut().window.end(source, attempt);
        }
        answer
    }

    async fn answer_share(
        &self,
        source: Source,
        attempt: &AttemptId,
        share: &[u8; SHARE],
    ) -> Result<([u8; SHARE], [u8; PROOF]), PairError> {
        let now = clock::boot();
        self.expire(now);
        // The PIN is taken and counted in one go: whatever happens while flash is written, each PIN is tried as often
        // as it may be and no more.
        let (with, wear) = {
            let mut state = self.state.borrow_mut();
            let with = state.window.begin_share(source, attempt, now)?;
            (with, state.budget.spend(source, now)?)
        };
        self.renew_pin(wear);
        self.save_attempts().await.map_err(|e| PairError::NotCounted(e.kind()))?;
        let mut bytes = [0; 64];
        random::fill(&mut bytes).map_err(PairError::no_entropy)?;
        let random = Ephemeral::new(bytes);
        let multiply = || PinBox::start(&with.pin, &with.salt, &with.transcript, random, share);
        let answered =
            self.work.step(&self.reactor, source, multiply).await.map_err(|Busy| PairError::Busy)?;
        let (at_box, share, confirm) = answered.map_err(|_| PairError::Share)?;
        self.state.borrow_mut().window.end_share(source, attempt, at_box)?;
        Ok((share, confirm))
    }

    /// Checks a terminal's proof, and asks the screen where the board wants it. The caller enrols, and says how that
    /// went by [`Pairing::enrolled`] or [`Pairing::failed`].
    pub async fn finish(
        &self,
        source: Source,
        attempt: &AttemptId,
        proof: &[u8; PROOF],
    ) -> Result<Admission, PairError> {
        let now = clock::boot();
        self.expire(now);
        let proven = self.state.borrow_mut().window.finish(source, attempt, proof, now);
        let proven = proven.inspect_err(|e| {
            if *e == PairError::Proof {
                self.failed(*e);
            }
        })?;
        log::info!("pairing closed: a terminal has proven itself");
        (self.tell)(&PairEvent::Closed { proven: true });
        if proven.mode == Mode::Pin {
            self.state.borrow_mut().budget.give_back(source);
            // Should flash fail, the count there is too high, which harms nobody but this source for an hour.
            if let Err(e) = self.save_attempts().await {
                log::warn!("record of PIN attempts: {e}");
            }
        }
        let Terms { role, guest, first, .. } = proven.terms;
        if self.policy.asks(role, first) {
            let question = (proven.name.clone(), role, proven.mode);
            let show = |ask| (self.tell)(&PairEvent::Ask(ask));
            let answer = self.consent.ask(&self.reactor, PATIENCE, question, show).await;
            answer.map_err(PairError::Dissent).inspect_err(|e| self.failed(*e))?;
        }
        Ok(Admission { name: proven.name, role, key: proven.key, guest })
    }

    /// Answers question `id`; says whether it waited for one.
    pub fn answer(&self, id: u32, allow: bool) -> bool {
        self.consent.answer(id, allow)
    }

    /// A terminal was let in.
    pub fn enrolled(&self, slot: u8, name: TerminalName, role: Role) {
        log::info!("paired: slot {slot}");
        (self.tell)(&PairEvent::Paired { slot, name, role });
    }

    /// A terminal was not let in.
    pub fn failed(&self, why: PairError) {
        log::warn!("pairing failed: {}", why.code());
        (self.tell)(&PairEvent::Failed(why));
    }

    /// Closes the window when its time is over and forgets attempts after their hour; to be run as long as the box
    /// does. It ends with the reactor's errors only.
    pub async fn tend(&self) -> io::Result<()> {
        loop {
            let now = clock::boot();
            self.expire(now);
            if self.state.borrow_mut().budget.expire(now) {
                // Should flash fail, these count for another hour after a restart.
                if let Err(e) = self.save_attempts().await {
                    log::warn!("record of PIN attempts: {e}");
                }
            }
            let news = async {
                let _open = self.news.1.recv().await;
                Ok(())
            };
            match self.next_end() {
                Some(at) => self.reactor.sleep(at.saturating_sub(clock::boot())).or(news).await?,
                None => news.await?,
            }
        }
    }

    fn next_end(&self) -> Option<Duration> {
        let state = self.state.borrow();
        [state.window.ends(), state.budget.next_expiry()].into_iter().flatten().min()
    }

    fn expire(&self, now: Duration) {
        let closed = self.state.borrow_mut().window.expire(now);
        self.closed(closed);
    }

    fn closed(&self, closed: bool) {
        if closed {
            log::info!("pairing closed");
            (self.tell)(&PairEvent::Closed { proven: false });
        }
    }

    fn renew_pin(&self, wear: Wear) {
        if wear == Wear::Good {
            return;
        }
        let mut state = self.state.borrow_mut();
        let pin = state.window.renew_pin(wear == Wear::WornOut).unwrap_or_else(|e| {
            log::warn!("no other PIN: {e}");
            None
        });
        state.budget.pin_shown();
        drop(state);
        log::warn!("pairing: the PIN was tried as often as it may be");
        (self.tell)(&PairEvent::NewPin(pin));
    }

    /// Has the attempts counted on flash.
    fn save_attempts(&self) -> impl Future<Output = io::Result<()>> + use<> {
        let record = self.state.borrow().budget.record(clock::boot());
        let _known = self.news.0.try_send(());
        (self.save)(record.to_vec())
    }
}

impl From<Exhausted> for PairError {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Source => Self::Exhausted,
            Exhausted::Hour => Self::Closed,
        }
    }
}
