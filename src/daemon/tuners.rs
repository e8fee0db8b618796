//! The tuners at the local socket: who granted which, what they do, and who asks the television for one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver as Told, Sender, bounded};

use super::desk::Desk;
use super::events;
use crate::api::{TakeOver, tuner_view};
use crate::board;
use crate::frontend::State;
use crate::local::hub::Hub;
use crate::local::protocol::{Done, GrantedLine, Request, TunerLine, line};
use crate::local::server::{Answer, Answers, Number, Right};
use crate::sys::clock;
use crate::tuner::{MuxId, Receiver, Tuners};

/// A frontend that was told to close has done so in this time, or its driver hangs. Below what askers wait.
const CLOSING: Duration = Duration::from_secs(8);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// What tuners do is told this seldom.
const PAUSE: Duration = Duration::from_millis(250);

/// One conversation, as the desk knows it.
pub(super) struct Talk {
    pub(super) desk: Rc<Desk>,
    pub(super) number: Number,
    pub(super) right: Right,
}

impl Answers for Talk {
    async fn answer(&self, line: Vec<u8>) -> Answer {
        self.desk.answer(&line, (self.number, self.right)).await
    }

    fn holds(&self) -> bool {
        self.desk.grants.borrow().has_any_of(self.number)
    }

    fn gone(&self) {
        while let Some(tuner) = self.desk.end_one_grant_of(self.number) {
            log::info!("who granted tuner {tuner} has left: it is given back");
        }
    }
}

impl Desk {
    /// One line a tuner.
    pub(super) fn tuners(&self) -> Vec<u8> {
        let tuners = self.stb.tuners.borrow();
        let views = (0..).map_while(|number| tuner_view(&tuners, number));
        views.flat_map(|tuner| line(&TunerLine { tuner })).chain(line(&Done::YES)).collect()
    }

    /// Conversation `by` lets the box tune a tuner, until it takes it back or ends.
    pub(super) fn grant_tuner(&self, request: &Request, by: Number) -> Result<Vec<u8>, String> {
        let tuner = self.tuner_of(request)?;
        self.grant(tuner, by, None)?;
        Ok(line(&Done::YES))
    }

    /// Conversation `by` takes a tuner back. Done once its frontend is closed.
    pub(super) async fn withdraw_tuner(&self, request: &Request, by: Number) -> Result<Vec<u8>, String> {
        let tuner = self.tuner_of(request)?;
        if !self.grants.borrow_mut().withdraw(tuner, by) {
            return Err(format!("tuner {tuner} is not granted by this conversation"));
        }
        self.take_back(tuner);
        let until = clock::boot() + CLOSING;
        while !self.stb.tuners.borrow().is_withdrawn(tuner) {
            if clock::boot() >= until {
                return Err(format!("tuner {tuner} is not closed yet: its driver does not answer"));
            }
            self.stb.reactor.sleep(LOOK).await.map_err(|e| e.to_string())?;
        }
        Ok(line(&Done::YES))
    }

    /// Conversation `by` answers a terminal that asked for a tuner. Where it allows that, it grants the tuner.
    pub(super) fn answer_for_tuner(&self, (ask, allow): (u32, bool), by: Number) -> Result<Vec<u8>, String> {
        let answered = self.stb.take_over.answer(ask, allow);
        let answered =
            answered.ok_or_else(|| format!("question {ask} does not wait for an answer any more"))?;
        let Some(allowed) = answered else { return Ok(line(&Done::YES)) };
        let is_ours = |r: &Receiver| r.is_ours();
        if !self.stb.tuners.borrow().receivers().nth(allowed.receiver).is_some_and(is_ours) {
            self.grant(allowed.receiver, by, Some(allowed.id))?;
        }
        Ok([line(&GrantedLine { granted: allowed.receiver }), line(&Done::YES)].concat())
    }

    fn grant(&self, tuner: usize, by: Number, asked: Option<u32>) -> Result<(), String> {
        let mut tuners = self.stb.tuners.borrow_mut();
        let mut grants = self.grants.borrow_mut();
        let is_boxs =
            tuners.receivers().nth(tuner).is_some_and(Receiver::is_ours) && !grants.is_granted(tuner);
        if is_boxs {
            return Err(format!("tuner {tuner} is the box's own (tuner-owner = box)"));
        }
        if !grants.enter(tuner, by, asked) {
            return Err(format!("tuner {tuner} is granted by another program"));
        }
        tuners.grant(tuner, clock::boot());
        Ok(())
    }

    /// The box has the tuner no more.
    fn take_back(&self, tuner: usize) {
        self.stb.take_over.taken_back(tuner);
        self.stb.tuners.borrow_mut().withdraw(tuner, clock::boot());
    }

    fn end_one_grant_of(&self, by: Number) -> Option<usize> {
        let tuner = self.grants.borrow_mut().end_one_of(by)?;
        self.take_back(tuner);
        Some(tuner)
    }

    fn tuner_of(&self, request: &Request) -> Result<usize, String> {
        let tuner = usize::from(request.tuner.ok_or("which tuner?")?);
        let there = self.stb.tuners.borrow().receivers().count();
        if tuner < there {
            Ok(tuner)
        } else {
            Err(format!("there is no tuner {tuner}: this box has {there}"))
        }
    }
}

/// Gives back what was kept for a terminal that did not come.
pub(super) async fn tend(desk: Rc<Desk>) {
    loop {
        let mut until = desk.stb.take_over.keeps().await;
        while let Some(at) = until {
            if desk.stb.reactor.sleep(at.saturating_sub(clock::boot())).await.is_err() {
                return;
            }
            until = None;
            if let Some(allowed) = desk.stb.take_over.lapsed()
                && desk.grants.borrow_mut().lapse(allowed.receiver, allowed.id)
            {
                log::info!("nobody came for tuner {}: it is given back", allowed.receiver);
                desk.take_back(allowed.receiver);
                events::tuner_back(&desk.hub, allowed.receiver);
            }
        }
    }
}

/// What a tuner does, as far as it is told as it happens.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    state: State,
    failed: bool,
    mux: Option<MuxId>,
    passenger: bool,
    ours: bool,
}

impl Seen {
    fn of(receiver: &Receiver) -> Self {
        Self {
            state: receiver.state().clone(),
            failed: receiver.failure().is_some(),
            mux: receiver.mux(),
            passenger: receiver.is_passenger(),
            ours: receiver.is_ours(),
        }
    }
}

type All = heapless::Vec<Seen, { board::INPUTS }>;

/// Notices what tuners do.
pub(super) struct Watch {
    noticed: RefCell<All>,
    tell: Sender<()>,
    told: Told<()>,
}

impl Default for Watch {
    fn default() -> Self {
        let (tell, told) = bounded(1);
        Self { noticed: RefCell::default(), tell, told }
    }
}

impl Watch {
    /// Has [`Watch::follow`] look where something changed. Cheap: asked each time the loop goes round.
    pub(super) fn look(&self, tuners: &Tuners) {
        let mut noticed = self.noticed.borrow_mut();
        let now: All = tuners.receivers().map(Seen::of).collect();
        if *noticed == now {
            return;
        }
        *noticed = now;
        let _looks_already = self.tell.try_send(());
    }

    /// Tells what changed, and not too often.
    pub(super) async fn follow(&self, desk: Rc<Desk>) {
        let mut before = All::new();
        while self.told.recv().await.is_ok() {
            let now = self.noticed.borrow().clone();
            desk.tell_changes(&before, &now);
            before = now;
            if desk.stb.reactor.sleep(PAUSE).await.is_err() {
                return;
            }
        }
    }
}

impl Desk {
    fn tell_changes(&self, before: &All, now: &All) {
        let tuners = self.stb.tuners.borrow();
        for (number, seen) in now.iter().enumerate() {
            let old = before.get(number);
            if old == Some(seen) {
                continue;
            }
            let left = old.filter(|old| old.passenger && old.mux != seen.mux).and_then(|old| old.mux);
            if let Some(mux) = left.and_then(|id| tuners.mux(id)) {
                events::tv_moved(&self.hub, number, &mux.origin.to_string());
            }
            if old.is_some() || seen.state != State::Idle {
                tuner_view(&tuners, number).into_iter().for_each(|view| events::tuner(&self.hub, view));
            }
        }
    }
}

/// Has the box's screens asked, and told what became of it.
pub(super) fn take_over(hub: &Rc<Hub>) -> TakeOver {
    let (shows, hears) = (Rc::clone(hub), Rc::clone(hub));
    TakeOver::new(Box::new(move |news| events::tuner_ask(&shows, news)), Box::new(move || hears.can_answer()))
}
