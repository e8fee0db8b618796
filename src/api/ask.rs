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
use crate::reactor::Reactor;
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
    waiting: RefCell<Option<(u32, Sender<bool>)>>,
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

    /// Asks for a tuner on behalf of somebody, by `shown`, which says how many heard the question who may answer it.
    /// Waits for the answer; after a yes the tuner is kept.
    async fn ask(
        &self,
        reactor: &Reactor,
        (who, tuner): (Holder, usize),
        shown: impl FnOnce(u32) -> usize,
    ) -> Result<(), No> {
        let asked = self.requests.borrow_mut().ask(who, tuner, clock::boot());
        let id = asked.map_err(|why| match why {
            Unasked::Busy => No::Busy,
            Unasked::Quiet(left) => No::Quiet(left),
        })?;
        let (sender, receiver) = bounded(1);
        self.waiting.replace(Some((id, sender)));
        let _over = Waiting { take_over: self, id };
        if shown(id) == 0 {
            self.requests.borrow_mut().unheard(id);
            return Err(No::Never(NOBODY));
        }
        // A channel without its sender was closed over the question.
        let answer = async { Ok(receiver.recv().await.unwrap_or(false)) };
        match reactor.within(PATIENCE, answer).await {
            Ok(true) => Ok(()),
            _ => Err(No::Refused),
        }
    }

    /// The screen's answer to question `id`; `None` when it does not wait for one any more. Where it is a yes, whose
    /// tuner it is grants it before anything else happens.
    pub fn answer(&self, id: u32, allow: bool) -> Option<Option<Allowed>> {
        let answered = self.requests.borrow_mut().answer(id, allow, clock::boot())?;
        if let Some((_, asker)) = self.waiting.borrow_mut().take_if(|(waits, _)| *waits == id) {
            let _gone = asker.try_send(allow);
        }
        if answered.is_some() {
            let _already = self.kept.0.try_send(());
        }
        (self.show)(TunerNews::Over(id, if allow { "allowed" } else { "refused" }));
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
        // An answer takes it; else there was none in time, or who asked has left.
        let unanswered = take_over.waiting.borrow_mut().take_if(|(waits, _)| waits == id);
        take_over.requests.borrow_mut().give_up(*id, clock::boot());
        if unanswered.is_some() {
            (take_over.show)(TunerNews::Over(*id, "no-answer"));
        }
    }
}

/// Why a terminal does not get what it asked for.
#[derive(Debug, PartialEq, Eq)]
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
        let shown = |id| self.show_question(id, tuner, caller, number);
        self.take_over.ask(&self.reactor, (caller.holder(), tuner), shown).await?;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use smol::LocalExecutor;

    use super::*;

    /// A box's way to its screen, and what the screen was told.
    struct Rig {
        take_over: Rc<TakeOver>,
        reactor: Rc<Reactor>,
        told: Rc<RefCell<Vec<(u32, &'static str)>>>,
        screens: Rc<Cell<usize>>,
    }

    impl Rig {
        fn new() -> Self {
            let told = Rc::<RefCell<Vec<_>>>::default();
            let screens = Rc::new(Cell::new(1));
            let (tell, shows, hears) = (Rc::clone(&told), Rc::clone(&screens), Rc::clone(&screens));
            let show: Show = Box::new(move |news| {
                match news {
                    TunerNews::Asked(question) => tell.borrow_mut().push((question.id, "asked")),
                    TunerNews::Over(id, why) => tell.borrow_mut().push((id, why)),
                }
                shows.get()
            });
            let take_over = Rc::new(TakeOver::new(show, Box::new(move || hears.get() > 0)));
            Self { take_over, reactor: Rc::new(Reactor::new().unwrap()), told, screens }
        }

        /// Asks as the terminal of `slot` for tuner 1.
        async fn ask(&self, slot: u8) -> Result<(), No> {
            let question = |id| TunerQuestion {
                id,
                tuner: 1,
                asker: (slot, "phone"),
                channel: (7, "Seven"),
                users: Some(Priority::LIVING_ROOM),
            };
            let shown = |id| (self.take_over.show)(TunerNews::Asked(question(id)));
            self.take_over.ask(&self.reactor, (Holder::sample(slot), 1), shown).await
        }

        fn last(&self) -> (u32, &'static str) {
            *self.told.borrow().last().unwrap()
        }
    }

    #[test]
    fn the_screens_answer_is_the_askers() {
        for allow in [true, false] {
            let (rig, executor) = (Rc::new(Rig::new()), LocalExecutor::new());
            let asks = Rc::clone(&rig);
            let asking = executor.spawn(async move { asks.ask(3).await });
            while executor.try_tick() {}
            let (id, what) = rig.last();
            assert!(what == "asked" && !asking.is_finished());
            assert_eq!(smol::block_on(rig.ask(4)), Err(No::Busy));
            assert_eq!(rig.take_over.answer(id ^ 1, allow), None, "another question");
            let allowed = rig.take_over.answer(id, allow).unwrap();
            assert_eq!(allowed.map(|allowed| allowed.receiver), allow.then_some(1));
            while executor.try_tick() {}
            assert_eq!(smol::block_on(asking), if allow { Ok(()) } else { Err(No::Refused) });
            assert_eq!(rig.last(), (id, if allow { "allowed" } else { "refused" }));
            assert_eq!(rig.take_over.answer(id, true), None, "once");
            let kept = |slot| rig.take_over.kept_for(Holder::sample(slot));
            assert_eq!((kept(3), kept(4)), (allow.then_some((1, true)), allow.then_some((1, false))));
            assert!(smol::block_on(rig.ask(4)).is_err(), "kept for the other, or quiet");
            rig.take_over.opened(Holder::sample(3));
            assert_eq!(kept(3), None, "it is there");
        }
    }

    #[test]
    fn a_question_that_nobody_hears_or_waits_for_is_none() {
        let (rig, executor) = (Rc::new(Rig::new()), LocalExecutor::new());
        rig.screens.set(0);
        assert!(!rig.take_over.can_ask());
        for _ in 0..2 {
            assert_eq!(smol::block_on(rig.ask(3)), Err(No::Never(NOBODY)), "and no quiet follows");
        }
        rig.screens.set(1);
        let asks = Rc::clone(&rig);
        let asking = executor.spawn(async move { asks.ask(3).await });
        while executor.try_tick() {}
        let (id, _) = rig.last();
        drop(asking);
        while executor.try_tick() {}
        assert_eq!(rig.last(), (id, "no-answer"), "the screen need not show it any more");
        assert_eq!(rig.take_over.answer(id, true), None);
        assert!(
            rig.take_over.waiting.borrow().is_none() && rig.take_over.kept_for(Holder::sample(3)).is_none()
        );
        let Err(No::Quiet(left)) = smol::block_on(rig.ask(3)) else { panic!("it may ask at once again") };
        let no = No::Quiet(left);
        assert_eq!((no.answer().0, no.answer().1), (Status::TooManyRequests, "cool-down"));
    }
}
