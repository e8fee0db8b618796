//! The screen's consent: a terminal that has proven itself is let in once somebody in front of the screen says so.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use smol::channel::{Sender, bounded};

use crate::access::TerminalName;
use crate::handshake::{Mode, Role};
use crate::reactor::Reactor;

/// How long a question waits for its answer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// When the screen is asked: the board's `pair_consent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// For every terminal.
    Always,
    /// For a second owner, and any after it.
    Owner,
    /// Never: to open the window was consent enough.
    Never,
}

impl Policy {
    /// The policy of that name, as boards have it: `always`, `owner` or `never`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "never" => Self::Never,
            "owner" => Self::Owner,
            _ => Self::Always,
        }
    }

    /// Whether a terminal of this role has to be asked for; `first`: the box has no owner yet, so this one is it.
    #[must_use]
    pub const fn asks(self, role: Role, first: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Owner => matches!(role, Role::Owner) && !first,
            Self::Never => false,
        }
    }
}

/// A question for the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What the answer has to name.
    pub id: u32,
    /// What the terminal calls itself.
    pub name: TerminalName,
    /// What it would be.
    pub role: Role,
    /// How it proved itself.
    pub mode: Mode,
}

/// Why the screen did not consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dissent {
    /// Somebody said no, or closed pairing.
    Denied,
    /// Nobody said anything for a minute.
    NoAnswer,
    /// No program shows questions.
    NobodyThere,
    /// Another question waits.
    Occupied,
}

/// Holds the one question that may wait.
#[derive(Default)]
pub(super) struct Consent {
    waiting: RefCell<Option<(u32, Sender<bool>)>>,
    last: Cell<u32>,
}

impl Consent {
    /// Asks, by `show`, which says how many programs show the question; waits `patience` for the answer.
    pub(super) async fn ask(
        &self,
        reactor: &Reactor,
        patience: Duration,
        (name, role, mode): (TerminalName, Role, Mode),
        show: impl FnOnce(Ask) -> usize,
    ) -> Result<(), Dissent> {
        if self.waiting.borrow().is_some() {
            return Err(Dissent::Occupied);
        }
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        let (sender, receiver) = bounded(1);
        self.waiting.replace(Some((id, sender)));
        let _end = Question { consent: self, id };
        if show(Ask { id, name, role, mode }) == 0 {
            return Err(Dissent::NobodyThere);
        }
        // A channel without its sender was closed over the question.
        let answer = async { Ok(receiver.recv().await.unwrap_or(false)) };
        match reactor.within(patience, answer).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Dissent::Denied),
            Err(_) => Err(Dissent::NoAnswer),
        }
    }

    /// Answers question `id`; says whether it waited for one.
    pub(super) fn answer(&self, id: u32, allow: bool) -> bool {
        let waiting = self.waiting.borrow_mut().take_if(|(waiting, _)| *waiting == id);
        waiting.is_some_and(|(_, sender)| sender.try_send(allow).is_ok())
    }

    /// Ends the question that waits, as denied.
    pub(super) fn cancel(&self) {
        self.waiting.take();
    }
}

/// A question that waits; it ends with who waits for it.
struct Question<'a> {
    consent: &'a Consent,
    id: u32,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.consent.waiting.borrow_mut().take_if(|(waiting, _)| *waiting == self.id);
    }
}
