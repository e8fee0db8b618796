//! `POST /api/v1/channels/<number>/ask`: a terminal asks who sits before the television for its tuner.
//!
//! One question at a time, which waits half a minute; no answer is a no. Who was let is let in first for a moment.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use serde::Serialize;
use smol::channel::{Receiver, Sender, bounded};

use super::live::wanted;
use super::visit::{Visit, json, refuse};
use super::{SetTopBox, reply};
use crate::access::{Caller, Holder};
use crate::channel::{Available, Channel};
use crate::http::{Exchange, Status};
use crate::sys::clock;
use crate::tuner::arbiter::{Choice, Priority};
use crate::tuner::request::{Allowed, KEPT, PATIENCE, Requests, Unasked};

/// A question for the screen.
#[derive(Clone, Copy, Debug)]
pub struct TunerQuestion<'q> {
    /// What the answer has to name.
    pub id: u32,
    /// Which tuner.
    pub tuner: usize,
    /// The terminal's slot and name.
    pub asker: (u8, &'q str),
    /// The number and the name of the channel that it wants.
    pub channel: (u16, &'q str),
    /// The most important of those whose streams would end.
    pub users: Option<Priority>,
}

/// What the screen is told of questions.
#[derive(Clone, Copy, Debug)]
pub enum TunerNews<'q> {
    /// It is asked.
    Asked(TunerQuestion<'q>),
    /// This question needs no answer any more: `allowed`, `refused` or `no-answer`.
    Over(u32, &'static str),
}

/// Says what is new, and to how many who may answer.
pub(super) type Show = Box<dyn Fn(TunerNews<'_>) -> usize>;

/// The way to who sits before the television.
pub struct TakeOver {
    requests: RefCell<Requests<Holder>>,
    /// Where the answer to the question that waits goes.
    waiting: RefCell<Option<(u32, Sender<()>)>>,
    /// A tuner is kept since this was last heard.
    kept: (Sender<()>, Receiver<()>),
    show: Show,
    can_answer: Box<dyn Fn() -> bool>,
}

impl TakeOver {
    /// Questions go to `show`; `can_answer` says whether somebody would hear them.
    #[must_use]
    pub fn new(show: Show, can_answer: Box<dyn Fn() -> bool>) -> Self {
        let (requests, waiting) = (RefCell::default(), RefCell::default());
        Self { requests, waiting, kept: bounded(1), show, can_answer }
    }

    /// Somebody is there who can answer for the television.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        (self.can_answer)()
    }

    /// The screen's answer to question `id`; `None` when it does not wait for one any more. Where it is a yes, whose
    /// tuner it is grants it before anything else happens.
    pub fn answer(&self, id: u32, allow: bool) -> Option<Option<Allowed>> {
        let answered = self.requests.borrow_mut().answer(id, allow, clock::boot())?;
        let _closed = self.waiting.borrow_mut().take_if(|(waits, _)| *waits == id);
        if answered.is_some() {
            let _already = self.kept.0.try_send(());
        }
        Some(answered)
    }

    /// The tuner is not to be had any more.
    pub fn taken_back(&self, tuner: usize) {
        self.requests.borrow_mut().taken_back(tuner);
    }

    /// Waits until a tuner is kept, and gives until when.
    pub async fn keeps(&self) -> Option<Duration> {
        let _told = self.kept.1.recv().await;
        self.requests.borrow().lapses_at()
    }

    /// The tuner that was kept for somebody who did not come, once.
    pub fn lapsed(&self) -> Option<Allowed> {
        self.requests.borrow_mut().lapsed(clock::boot())
    }

    /// Who asked has its stream.
    pub(super) fn opened(&self, who: Holder) {
        self.requests.borrow_mut().opened(&who);
    }

    /// The tuner that is kept, and whether for `who`.
    pub(super) fn kept_for(&self, who: Holder) -> Option<(usize, bool)> {
        self.requests.borrow().kept(&who, clock::boot())
    }
}

/// A question that waits; it ends with who waits for it.
struct Waiting<'a> {
    take_over: &'a TakeOver,
    id: u32,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Self { take_over, id } = self;
        take_over.waiting.borrow_mut().take_if(|(waits, _)| waits == id);
        if take_over.requests.borrow_mut().give_up(*id, clock::boot()) {
            (take_over.show)(TunerNews::Over(*id, "no-answer"));
        }
    }
}

/// Why a terminal does not get what it asked for.
enum No {
    /// It is not to be had, whoever is asked.
    Never(&'static str),
    Scrambled,
    Busy,
    Quiet(Duration),
    Refused,
}

impl No {
    /// Status, word and sentence.
    const fn answer(&self) -> (Status, &'static str, &'static str) {
        match self {
            Self::Never(why) => (Status::Conflict, "no", why),
            Self::Scrambled => (Status::Conflict, "scrambled", reply::SCRAMBLED),
            Self::Busy => (Status::Conflict, "busy", "the television is asked something already"),
            Self::Quiet(_) => {
                (Status::TooManyRequests, "cool-down", "the television was asked and refused a moment ago")
            }
            Self::Refused => (Status::Forbidden, "refused", "the television keeps its tuner"),
        }
    }
}

const NOT_HERE: &str = "the channel cannot be received now, whoever is asked";
const NOBODY: &str = "nobody is at the television who could be asked";

/// What becomes of a question.
#[derive(Serialize)]
struct YesView {
    available: &'static str,
    /// Seconds within which the stream is to be opened, where a tuner is kept for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    within_s: Option<u64>,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = visit.identify(stb, &mut exchange, Caller::may_speak_for_itself);
    let opened = caller.and_then(|caller| {
        let wanted = wanted(&visit.request, visit.part)?;
        let channel = caller.open(&stb.channels.borrow(), &wanted)?;
        Ok((caller, wanted.number, channel))
    });
    let (caller, number, channel) = match opened {
        Ok(opened) => opened,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    match stb.ask(&caller, number, &channel).await {
        Ok(view) => json(exchange, &view).await,
        Err(no) => {
            if let No::Quiet(left) = no {
                exchange.add("Retry-After", format_args!("{}", left.as_millis().div_ceil(1000)));
            }
            let (status, code, sentence) = no.answer();
            exchange.refuse_as(status, Some(code), sentence).await
        }
    }
}

impl SetTopBox {
    /// Asks for what has to be asked for.
    async fn ask(&self, caller: &Caller, number: u16, channel: &Channel) -> Result<YesView, No> {
        let tuner = {
            let (channels, tuners) = (self.channels.borrow(), self.tuners.borrow());
            let entry = channels.find(number).ok_or(No::Never(NOT_HERE))?;
            match channels.availability(entry, &tuners, true) {
                available @ (Available::Now | Available::Tuner) => {
                    return Ok(YesView { available: available.name(), within_s: None });
                }
                Available::No => return Err(No::Never(NOT_HERE)),
                Available::Ask if entry.scrambled => return Err(No::Scrambled),
                Available::Ask => {}
            }
            match channel.reach(&tuners, Priority::VIEWER, true) {
                Choice::Ask(tuner) => tuner,
                _ => return Err(No::Never(NOT_HERE)),
            }
        };
        if !self.take_over.can_ask() {
            return Err(No::Never(NOBODY));
        }
        self.ask_for(tuner, caller, number).await
    }

    async fn ask_for(&self, tuner: usize, caller: &Caller, number: u16) -> Result<YesView, No> {
        let TakeOver { requests, waiting, show, .. } = &self.take_over;
        let asked = requests.borrow_mut().ask(caller.holder(), tuner, clock::boot());
        let id = asked.map_err(|why| match why {
            Unasked::Busy => No::Busy,
            Unasked::Quiet(left) => No::Quiet(left),
        })?;
        let (sender, receiver) = bounded(1);
        waiting.replace(Some((id, sender)));
        let waits = Waiting { take_over: &self.take_over, id };
        if self.show_question(id, tuner, caller, number) == 0 {
            requests.borrow_mut().unheard(id);
            return Err(No::Never(NOBODY));
        }
        // The sender goes with the question, whatever the answer.
        let _over = self.reactor.within(PATIENCE, async { Ok(receiver.recv().await) }).await;
        let kept = self.take_over.kept_for(caller.holder()).is_some_and(|(_, mine)| mine);
        if !requests.borrow().waits(id) {
            show(TunerNews::Over(id, if kept { "allowed" } else { "refused" }));
        }
        drop(waits);
        if !kept {
            return Err(No::Refused);
        }
        Ok(YesView { available: Available::Tuner.name(), within_s: Some(KEPT.as_secs()) })
    }

    /// Says to how many it was shown who may answer.
    fn show_question(&self, id: u32, tuner: usize, caller: &Caller, number: u16) -> usize {
        let channels = self.channels.borrow();
        let name = channels.find(number).map_or("", |entry| entry.name.as_str());
        let terminal = caller.slot().and_then(|slot| self.access.terminal(slot));
        let asker = terminal.as_ref().map_or((0, ""), |t| (t.slot, t.name.as_str()));
        let users = self.tuners.borrow().users(tuner);
        let question = TunerQuestion { id, tuner, asker, channel: (number, name), users };
        (self.take_over.show)(TunerNews::Asked(question))
    }

    /// How much a caller's wish for a tuner weighs. Who was just let go first weighs more than those who watch.
    pub(super) fn wish(&self, caller: &Caller) -> Priority {
        match self.take_over.kept_for(caller.holder()) {
            _ if caller.is_recorder() => Priority::RECORDING,
            Some((tuner, true)) => {
                let Priority(users) = self.tuners.borrow().users(tuner).unwrap_or(Priority::VIEWER);
                Priority(users.saturating_add(1)).max(Priority::ALLOWED)
            }
            _ => Priority::VIEWER,
        }
    }

    /// The only tuner that `channel` could have is kept for somebody else.
    pub(super) fn is_kept_from(&self, caller: &Caller, channel: &Channel) -> bool {
        let Some((tuner, false)) = self.take_over.kept_for(caller.holder()) else { return false };
        let reached = channel.reach(&self.tuners.borrow(), self.wish(caller), false);
        matches!(reached, Choice::Tune(r) | Choice::Take(r) if r == tuner)
    }
}
