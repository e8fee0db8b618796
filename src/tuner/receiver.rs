//! A receiver: one frontend of this machine, who may tune it, and the mux that it has.

use std::time::Duration;

use super::MuxId;
use super::arbiter::Owner;
use crate::delivery::{Device, Tuning};
use crate::frontend::{Capabilities, Failure, Frontend, Signal, Stages, State};

/// A receiver that failed is tried again after this; after twice as long again, and so on up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(640));

/// What the box has of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Closed,
    /// The box has it tuned to this.
    Tuned(MuxId),
    /// Somebody else has; the box may take from the demultiplexer what there is.
    Passenger(MuxId),
}

/// A tuner of the configuration.
pub struct Receiver {
    pub(super) frontend: Frontend,
    pub(super) owner: Owner,
    pub(super) granted: bool,
    pub(super) role: Role,
    /// Since when the television is not seen to have it tuned any more.
    pub(super) unseen: Option<Duration>,
    /// When its helper was started again last while it had a mux.
    pub(super) revived: Option<Duration>,
    failure: Option<Failure>,
    again: (Duration, Duration),
}

impl Receiver {
    pub(super) fn new(frontend: Frontend, owner: Owner) -> Self {
        Self {
            frontend,
            owner,
            granted: false,
            role: Role::Closed,
            unseen: None,
            revived: None,
            failure: None,
            again: (Duration::ZERO, AGAIN.0),
        }
    }

    /// Which one it is.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.frontend.device()
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> &State {
        self.frontend.state()
    }

    /// How well it receives, as it said last.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.frontend.signal()
    }

    /// When the tuning that it was told last came how far.
    #[must_use]
    pub fn stages(&self) -> Stages {
        self.frontend.stages()
    }

    /// What it is; `None` until it was opened once.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.frontend.capabilities()
    }

    /// The mux that it has, tuned by the box or by somebody else.
    #[must_use]
    pub fn mux(&self) -> Option<MuxId> {
        match self.role {
            Role::Closed => None,
            Role::Tuned(id) | Role::Passenger(id) => Some(id),
        }
    }

    /// It has the mux that the television is on.
    #[must_use]
    pub fn is_passenger(&self) -> bool {
        matches!(self.role, Role::Passenger(_))
    }

    /// The box may tune it: it is the box's, or its owner granted it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.owner == Owner::Box || self.granted
    }

    /// Why it is of no use at the moment; it will be tried again.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The word for what it does: `idle`, `tuning`, `locked`, `lost`, `failed`, `watching` or `closing`.
    #[must_use]
    pub fn does(&self) -> &'static str {
        match self.state() {
            State::Idle if self.failure.is_some() => "failed",
            State::Idle => "idle",
            State::Tuning => "tuning",
            State::Locked => "locked",
            State::Lost => "lost",
            State::Failed(_) => "failed",
            State::Watching(_) => "watching",
            State::Releasing => "closing",
        }
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<&Failure> {
        match self.state() {
            State::Failed(why) => Some(why),
            _ => self.failure(),
        }
    }

    /// Who may tune it: `box`, `ui`, or, by a grant of the `ui`, the box: `granted`.
    #[must_use]
    pub fn whose(&self) -> &'static str {
        match self.owner {
            Owner::Box => "box",
            Owner::Ui if self.granted => "granted",
            Owner::Ui => "ui",
        }
    }

    /// Nothing of it is open for writing, nor about to be.
    pub(super) fn is_closed(&self) -> bool {
        let writes = matches!(self.state(), State::Tuning | State::Locked | State::Lost | State::Releasing);
        !writes && !matches!(self.role, Role::Tuned(_))
    }

    /// The box tunes it to `id`, and has no lock yet.
    pub(super) fn is_tuning(&self, id: MuxId) -> bool {
        self.role == Role::Tuned(id) && *self.state() != State::Locked
    }

    /// It can receive `tuning`, as far as is known.
    pub(super) fn can(&self, tuning: &Tuning) -> bool {
        let knows = |c: &Capabilities| {
            let (from, to) = c.range;
            // What a satellite's frequency is behind the LNB, the helper knows.
            let in_range = tuning.system.is_satellite() || to == 0 || (from..=to).contains(&tuning.frequency);
            c.systems.contains(&tuning.system) && in_range
        };
        self.failure.is_none() && self.capabilities().is_none_or(knows)
    }

    /// It is to be watched: whose it is, is somebody else.
    pub(super) fn wants_watch(&self) -> bool {
        !self.is_ours() && *self.state() == State::Idle && self.failure.is_none()
    }

    /// Something is under way that ends by time.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.role, Role::Tuned(_)) || *self.state() == State::Releasing || self.unseen.is_some()
    }

    /// It failed: it is left alone for a while, for longer each time.
    pub(super) fn fail(&mut self, why: Failure, now: Duration) {
        let (_, wait) = self.again;
        self.again = (now + wait, (wait * 2).min(AGAIN.1));
        self.failure = Some(why);
    }

    /// It works.
    pub(super) fn works(&mut self) {
        (self.failure, self.again.1) = (None, AGAIN.0);
    }

    /// When it is to be tried again, while it failed.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.failure.as_ref().map(|_| self.again.0)
    }

    /// Its time to be tried again has come. Answers whether it had failed until now.
    pub(super) fn forgive(&mut self, now: Duration) -> bool {
        self.again_at().is_some_and(|at| now >= at) && self.failure.take().is_some()
    }
}
