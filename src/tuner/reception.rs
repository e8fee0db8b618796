//! The receivers: which one gets which mux, what their frontends say, and what the television does with them.

use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::Duration;

use heapless::Vec;

use super::arbiter::{Choice, Owner, Priority, View, choose};
use super::receiver::{Receiver, Role};
use super::{LeaseError, MuxId, OpenMux, Origin, SURVEY_AIR_EVERY, Tuners};
use crate::board;
use crate::delivery::Tuning;
use crate::frontend::{Failure, Stages, State};
use crate::service::Ended;

/// For so long the television may be seen to have nothing tuned until it is taken to have left its mux: longer than a
/// retry of its driver, and short of the second in which who watches along is to know.
const UNSEEN_MAX: Duration = Duration::from_millis(600);
/// A mux without a signal is not tried again for so long: who waits for it is told.
const REFUSED: Duration = Duration::from_secs(3);
/// A helper that dies again so soon is not started again for the same streams.
const REVIVE: Duration = Duration::from_secs(30);

impl Tuners {
    /// The receivers, in the configuration's order.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.receivers.iter()
    }

    /// Says whose the tuners are. Once, at start.
    pub fn set_owner(&mut self, owner: Owner) {
        self.receivers.iter_mut().for_each(|receiver| receiver.owner = owner);
    }

    /// The most important of those who use what a receiver is tuned to.
    #[must_use]
    pub fn users(&self, receiver: usize) -> Option<Priority> {
        let receiver = self.receivers.get(receiver)?;
        match receiver.role {
            Role::Closed => None,
            Role::Passenger(_) if receiver.is_ours() => None,
            Role::Passenger(_) => Some(Priority::LIVING_ROOM),
            Role::Tuned(id) => {
                let mux = self.mux(id)?;
                let lingers = mux.open().is_some_and(|open| open.outlets() > 0);
                mux.wish().or_else(|| (!lingers).then_some(Priority::SURVEY))
            }
        }
    }

    /// When the tuning to a mux that the box has tuned came how far, and since when its filters are open.
    #[must_use]
    pub fn tuned(&self, id: MuxId) -> Option<(Stages, Option<Duration>)> {
        let receiver = self.receivers.iter().find(|r| r.role == Role::Tuned(id))?;
        let opened = self.mux(id).and_then(super::Mux::open).map(OpenMux::opened);
        Some((receiver.stages(), opened))
    }

    /// What a wish for a mux would lead to now. A mux with a line of its own is shared: `Share`, of no receiver.
    #[must_use]
    pub fn reach(&self, id: MuxId, wish: Priority, can_ask: bool) -> Choice {
        match self.mux(id).map(|mux| &mux.origin) {
            None => Choice::No,
            Some(Origin::Line(_)) => Choice::Share(0),
            Some(Origin::Air(tuning)) => choose(&self.views(tuning), id, wish, can_ask),
        }
    }

    fn views(&self, tuning: &Tuning) -> Vec<View, { board::INPUTS }> {
        let view = |(i, r): (usize, &Receiver)| View {
            can: r.can(tuning),
            ours: r.is_ours(),
            mux: r.mux(),
            users: self.users(i),
        };
        self.receivers.iter().enumerate().map(view).collect()
    }

    /// Why no tuner can be had for mux `i`, which comes from one.
    pub(super) fn no_tuner(&self, i: usize) -> LeaseError {
        let Some(tuning) = self.muxes[i].origin.tuning() else { return LeaseError::Silent };
        let able = |r: &&Receiver| r.failure().is_some() || r.can(tuning);
        let mut able = self.receivers.iter().filter(able);
        let failed = able.clone().find_map(Receiver::failure);
        match (self.receivers.is_empty(), able.next(), failed) {
            (true, ..) => LeaseError::NoTuner("this box has no tuner".into()),
            (_, None, _) => {
                LeaseError::NoTuner(format!("no tuner of this box receives {}", tuning.system.name()))
            }
            (_, Some(_), Some(why)) => LeaseError::Tuner(why.to_string()),
            (_, Some(r), None) if !r.is_ours() => {
                LeaseError::NoTuner("the television's tuner is on other channels, or off".into())
            }
            _ => LeaseError::NoTuner("every tuner is in use for other channels".into()),
        }
    }

    /// Whose receiver it is lets the box tune it. `false`: there is no such receiver. Who watches what the television
    /// was on goes on: the box tunes to the same.
    pub fn grant(&mut self, receiver: usize, now: Duration) -> bool {
        let Some(of) = self.receivers.get_mut(receiver) else { return false };
        of.granted = true;
        of.unseen = None;
        match of.role {
            Role::Passenger(id) if self.muxes[id.index()].is_watched_by(receiver) => {
                self.tell_break(id.index());
                self.tell_tune(receiver, id.index(), now);
            }
            Role::Passenger(id) => {
                of.role = Role::Closed;
                of.frontend.release(now);
                self.leave(receiver, id, Ended::TvMoved, now);
            }
            Role::Closed if matches!(of.state(), State::Watching(_)) => of.frontend.release(now),
            _ => {}
        }
        self.heed(receiver);
        true
    }

    /// Whose receiver it is wants it back: what the box has of it ends, and it is closed.
    pub fn withdraw(&mut self, receiver: usize, now: Duration) {
        let Some(of) = self.receivers.get_mut(receiver) else { return };
        of.granted = false;
        if of.owner == Owner::Box {
            return; // it was never granted
        }
        if let Role::Tuned(id) = of.role {
            of.role = Role::Closed;
            of.frontend.release(now);
            self.leave(receiver, id, Ended::TvTook, now);
        }
        self.rest(receiver, now);
        self.heed(receiver);
        self.wake_all();
    }

    /// It was withdrawn, and it is closed.
    #[must_use]
    pub fn is_withdrawn(&self, receiver: usize) -> bool {
        self.receivers.get(receiver).is_none_or(|r| !r.is_ours() && r.is_closed())
    }

    /// Takes what helpers said. Answers whether a receiver's state or mux is another now.
    pub fn poll_frontends(&mut self, now: Duration) -> bool {
        if self.shutdown {
            return false;
        }
        let mut changed = false;
        for r in 0..self.receivers.len() {
            let forgiven = self.receivers[r].forgive(now);
            if self.receivers[r].frontend.poll(now) || forgiven {
                changed = true;
                self.follow(r, now);
            }
            self.rest(r, now);
            self.heed(r);
        }
        if changed {
            self.wake_all();
        }
        changed
    }

    /// Waits for the line on which receiver `receiver`'s helper speaks: there is none while no helper runs. What is
    /// given is another descriptor of the same line, to wait on.
    pub fn poll_line(&mut self, cx: &mut Context<'_>, receiver: usize) -> Poll<OwnedFd> {
        let line = self.receivers.get(receiver).and_then(|r| r.frontend.line());
        if let Some(line) = line.and_then(|line| line.try_clone_to_owned().ok()) {
            return Poll::Ready(line);
        }
        if let Some(place) = self.listening.get_mut(receiver) {
            *place = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// A helper may have been started: who waits for its line is woken.
    pub(super) fn heed(&mut self, receiver: usize) {
        if self.receivers[receiver].frontend.line().is_some()
            && let Some(waker) = self.listening[receiver].take()
        {
            waker.wake();
        }
    }

    /// Has the receiver tuned to mux `i`; what it had before ends.
    pub(super) fn tune(&mut self, receiver: usize, i: usize, now: Duration) {
        if let Some(before) = self.receivers[receiver].mux().filter(|id| id.index() != i) {
            self.receivers[receiver].role = Role::Closed; // it is not closed on the way from one to the other
            self.leave(receiver, before, Ended::Taken, now);
        }
        self.tell_tune(receiver, i, now);
        self.heed(receiver);
        self.wake_all();
    }

    fn tell_tune(&mut self, receiver: usize, i: usize, now: Duration) {
        let Some(tuning) = self.muxes[i].origin.tuning() else { return };
        let of = &mut self.receivers[receiver];
        log::debug!("{tuning}: dvb:{} is tuned to it", of.device());
        of.frontend.tune(*tuning, now);
        of.role = Role::Tuned(MuxId::of(i));
        if let State::Failed(_) = of.state() {
            self.follow(receiver, now);
        }
    }

    /// What a frontend says now, and what follows of it.
    fn follow(&mut self, receiver: usize, now: Duration) {
        let of = &mut self.receivers[receiver];
        match (of.state().clone(), of.role) {
            (State::Locked, Role::Tuned(id)) => {
                of.works();
                self.muxes[id.index()].pause = Duration::ZERO;
                self.lock(receiver, id.index(), now);
            }
            (State::Lost, Role::Tuned(id)) => {
                log::info!("{}: no signal", self.muxes[id.index()].origin);
                self.tell_break(id.index());
            }
            (State::Failed(why), _) => self.fail(receiver, &why, now),
            (State::Watching(seen), _) => self.see(receiver, seen, now),
            _ => {}
        }
    }

    fn lock(&mut self, receiver: usize, i: usize, now: Duration) {
        if self.muxes[i].open.is_some() {
            log::info!("{}: signal again", self.muxes[i].origin);
            return self.tell_break(i);
        }
        if let Err(why) = self.open_air(i, receiver, now) {
            log::warn!("{}: {why}", self.muxes[i].origin);
            self.refuse(i, why, now);
            self.receivers[receiver].role = Role::Closed;
            self.receivers[receiver].frontend.release(now);
        }
    }

    /// Opens the filters of mux `i`, which the receiver has.
    pub(super) fn open_air(&mut self, i: usize, receiver: usize, now: Duration) -> Result<(), String> {
        let open = OpenMux::open_air(self.receivers[receiver].device(), now).map_err(|e| e.to_string())?;
        let mux = &mut self.muxes[i];
        (mux.open, mux.by) = (Some(Box::new(open)), Some(receiver));
        log::debug!("{}: filters are open", mux.origin);
        Ok(())
    }

    fn fail(&mut self, receiver: usize, why: &Failure, now: Duration) {
        let of = &mut self.receivers[receiver];
        log::warn!("dvb:{}: {why}", of.device());
        let role = std::mem::replace(&mut of.role, Role::Closed);
        of.unseen = None;
        if let Role::Tuned(id) = role
            && matches!(why, Failure::Died | Failure::Stuck)
            && self.muxes[id.index()].open.is_some()
            && of.revived.is_none_or(|at| now >= at + REVIVE)
        {
            of.revived = Some(now);
            self.tell_break(id.index());
            return self.tell_tune(receiver, id.index(), now);
        }
        // That it cannot receive this mux says nothing of others.
        let of_mux =
            matches!(why, Failure::NoLock(_) | Failure::System(_) | Failure::Frequency(..) | Failure::Dish);
        if !of_mux {
            of.fail(why.clone(), now);
        }
        of.frontend.release(now);
        match role {
            Role::Closed => {}
            Role::Passenger(id) => self.leave(receiver, id, Ended::Source, now),
            Role::Tuned(id) => {
                self.leave(receiver, id, Ended::Source, now);
                if of_mux {
                    self.refuse(id.index(), why.to_string(), now);
                }
            }
        }
    }

    /// Mux `i` is not there: who waits for it is told why.
    fn refuse(&mut self, i: usize, why: String, now: Duration) {
        let mux = &mut self.muxes[i];
        mux.refused_until = now + REFUSED;
        mux.pause = (mux.pause * 2).clamp(Duration::from_millis(board::SURVEY_EVERY_MS), SURVEY_AIR_EVERY);
        mux.survey_at = now + mux.pause;
        mux.error = Some(why);
        if let Some(probe) = &mut mux.probe {
            probe.failed = true;
        }
        self.note_change(i);
        self.wake_all();
    }

    /// What the television has tuned, as its frontend says.
    fn see(&mut self, receiver: usize, seen: Option<Tuning>, now: Duration) {
        self.receivers[receiver].works();
        let Some(tuning) = seen else {
            let of = &mut self.receivers[receiver];
            of.unseen = of.unseen.or(Some(now)).filter(|_| of.is_passenger());
            return;
        };
        let id = self.add_mux(tuning);
        if id.is_none() {
            log::warn!("this board knows {} muxes: that of the television is left out", board::MUXES);
        }
        let of = &mut self.receivers[receiver];
        of.unseen = None;
        let before = of.mux();
        if before == id {
            return;
        }
        of.role = id.map_or(Role::Closed, Role::Passenger);
        if let Some(before) = before {
            self.leave(receiver, before, Ended::TvMoved, now);
        }
        if let Some(id) = id {
            self.muxes[id.index()].survey_at = now; // it is there, and has not been looked at lately
            self.muxes[id.index()].error = None;
            self.note_change(id.index());
        }
    }

    /// Notices the television that left its mux without another.
    pub(super) fn notice_leave(&mut self, now: Duration) {
        for r in 0..self.receivers.len() {
            let of = &mut self.receivers[r];
            if let Role::Passenger(id) = of.role
                && of.unseen.is_some_and(|since| now >= since + UNSEEN_MAX)
            {
                (of.role, of.unseen) = (Role::Closed, None);
                self.leave(r, id, Ended::TvMoved, now);
            }
        }
    }

    /// Mux `i` is open by what the television is on.
    pub(super) fn is_passenger(&self, i: usize) -> bool {
        self.muxes[i].by.and_then(|r| self.receivers.get(r)).is_some_and(Receiver::is_passenger)
    }

    /// The device that mux `i` comes from is gone. It is tried again later.
    pub(super) fn lose_receiver(&mut self, i: usize, now: Duration) {
        if let Some(of) = self.muxes[i].by.and_then(|r| self.receivers.get_mut(r)) {
            (of.role, of.unseen) = (Role::Closed, None);
            of.fail(Failure::Gone, now);
            of.frontend.release(now);
        }
        self.close(i, now, None);
        self.wake_all();
    }

    /// Where the television's mux was, another one's tables come: its frontend is asked anew what it is tuned to.
    pub(super) fn notice_move(&mut self, i: usize, now: Duration) {
        let Some(receiver) = self.muxes[i].by else { return };
        let of = &mut self.receivers[receiver];
        (of.role, of.unseen) = (Role::Closed, None);
        of.frontend.watch(now);
        self.leave(receiver, MuxId::of(i), Ended::TvMoved, now);
    }

    /// Ends what comes of a mux by this receiver, and closes it there.
    fn leave(&mut self, receiver: usize, id: MuxId, why: Ended, now: Duration) {
        if self.muxes[id.index()].by == Some(receiver) {
            if let Some(open) = self.muxes[id.index()].open() {
                open.end(why);
            }
            self.close(id.index(), now, None);
        }
        self.wake_all();
    }

    fn tell_break(&mut self, i: usize) {
        if let Some(open) = &mut self.muxes[i].open {
            open.expect_break();
        }
    }

    /// Mux `id` could be looked at now: a line, what the television is on, or what a tuner of the box that is closed
    /// can receive.
    pub(super) fn can_survey(&self, id: MuxId) -> bool {
        let Some(tuning) = self.mux(id).and_then(|mux| mux.origin.tuning()) else { return true };
        // A tuner that was granted was granted for who asked.
        let free = |r: &Receiver| r.role == Role::Closed && r.owner == Owner::Box && r.can(tuning);
        self.receivers.iter().any(|r| r.role == Role::Passenger(id) || free(r))
    }

    pub(super) fn survey_air(&mut self, i: usize, now: Duration) {
        if self.can_survey(MuxId::of(i)) {
            let _why = self.tune_for(i, Priority::SURVEY, now); // which is kept where it says something of the mux
        }
    }

    /// Nothing is wanted of the receiver: it is closed where the box has it open, and watched where it is another's.
    pub(super) fn rest(&mut self, receiver: usize, now: Duration) {
        let of = &mut self.receivers[receiver];
        if of.wants_watch() {
            of.frontend.watch(now);
            if let State::Failed(_) = of.state() {
                self.follow(receiver, now);
            }
        }
    }

    /// Closes the frontend of a mux that the box had tuned.
    pub(super) fn release(&mut self, id: MuxId, now: Duration) {
        if let Some(of) = self.receivers.iter_mut().find(|r| r.role == Role::Tuned(id)) {
            of.role = Role::Closed;
            of.frontend.release(now);
        }
    }
}
