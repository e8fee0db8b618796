//! What the task does.

use std::rc::Rc;
use std::time::Duration;

use super::book::Book;
use super::claim::{Outcome, Title, Wanted};
use super::heartbeat::{Action, Actions, Input, Posted, Start, Way};
use super::jobs::{Done, Job};
use super::line::{Targets, split};
use super::order::Granted;
use super::record::{Held, Record, Service, hash};
use super::runner::{Names, TimeBy};
use super::service::PacketAnswer;
use super::status::{NameEvent, Phase};
use crate::registration::PACKET_MAX;
use crate::resolver;
use crate::sys::netlink::Surroundings;

/// A claim that waits is asked for anew at least so often: the box that has the name may have said no.
const ASK_ANEW: Duration = Duration::from_secs(3600);

impl Names {
    /// The heart of a name that the box has begins to beat.
    pub(super) fn begin(self: &Rc<Self>) {
        let now = crate::sys::clock::boot();
        let mut book = self.book.borrow_mut();
        let beats = book.held(&self.setup).is_some_and(|held| !held.is_lost) && !book.needs_new_keys;
        if beats {
            let is_here = book.counters.network == book.network();
            book.start_heart(&self.setup, if is_here { Start::Again } else { Start::New }, now);
        }
        if let Some(wanted) = &book.wanted {
            log::info!(
                "claiming the name {}.{}: it becomes public, by DNS and in the logs of certificates",
                wanted.name,
                wanted.zone
            );
        }
        book.told.0 = book.phase(&self.setup);
        drop(book);
        self.on_time(now);
    }

    /// Looks where the box is in its networks; what changed is told.
    pub(super) fn look(self: &Rc<Self>) {
        let there = match Surroundings::look() {
            Ok(there) => there,
            Err(e) => {
                log::debug!("the box's addresses: {e}");
                return;
            }
        };
        let mut book = self.book.borrow_mut();
        if book.surroundings == there {
            return;
        }
        log::debug!("the box's addresses or routes changed");
        book.surroundings = there;
        // What did not reach the service from where the box was may do so from here.
        if book.waits_until.is_none() && !book.claiming {
            let wanted = book.wanted.take();
            book.claim_now(wanted, crate::sys::clock::boot());
        }
        let v6 = book.v6();
        drop(book);
        self.feed(crate::sys::clock::boot(), Input::Changed(&v6));
    }

    pub(super) fn datagram(self: &Rc<Self>, now: Duration, bytes: &[u8]) {
        if bytes.len() <= PACKET_MAX {
            self.feed(now, Input::Datagram(bytes));
        }
    }

    pub(super) fn on_time(self: &Rc<Self>, now: Duration) {
        self.feed(now, Input::Time);
        let mut book = self.book.borrow_mut();
        let is_due = !book.claiming && book.claim_at <= now;
        if let Some(wanted) = book.wanted.clone().filter(|_| is_due) {
            book.claiming = true;
            let job = self.claim(&book, wanted);
            book.todo.push(job);
        }
        drop(book);
        self.tell_changes();
    }

    /// The box goes off.
    pub(super) fn goodbye(&self, now: Duration) {
        let mut book = self.book.borrow_mut();
        let actions = book.heart.as_mut().map(|heart| heart.handle(now, Input::Stop)).unwrap_or_default();
        for action in actions {
            if let Action::Send(packet) = action {
                book.targets.send(&self.line, &packet);
            }
        }
    }

    /// Tells the heart what happened, and does what it says.
    fn feed(self: &Rc<Self>, now: Duration, input: Input<'_>) {
        let mut book = self.book.borrow_mut();
        let Some(heart) = &mut book.heart else { return };
        let actions = heart.handle(now, input);
        let state = heart.state();
        self.perform(&mut book, now, actions);
        if state.heard == Some(now) {
            self.heard(&mut book);
        }
        if state.is_lost {
            self.lose(&mut book);
        }
    }

    fn perform(self: &Rc<Self>, book: &mut Book, now: Duration, actions: Actions) {
        for action in actions {
            match action {
                Action::Send(packet) => {
                    if !book.targets.send(&self.line, &packet) {
                        book.unsent = Some(packet);
                        self.resolve(book);
                    }
                }
                Action::Post(packet) => {
                    let job = self.post(book, packet.to_vec());
                    book.todo.extend(job);
                }
                Action::Save(ceiling) => {
                    book.counters.ceiling = ceiling;
                    let (number, bytes) = (book.heart_number, book.counters.write());
                    let saved = (self.seams.save_counters)(bytes);
                    book.todo.push(Box::pin(async move {
                        let saved = saved.await.inspect_err(|e| log::warn!("heartbeat counters: {e}"));
                        Done::Saved(number, saved.is_ok())
                    }));
                }
                Action::Trust(time) => {
                    book.has_time = true;
                    (self.seams.trust)(TimeBy::Ack, Duration::from_secs(time.into()));
                }
                Action::OtherAddress => {
                    if !book.targets.turn() {
                        self.resolve(book);
                    }
                }
                Action::FetchMoved => {
                    let this = Rc::clone(self);
                    let held = book.held(&self.setup).map(|held| (held.service.clone(), held.zone.clone()));
                    book.todo.extend(held.map(|(service, zone)| -> Job {
                        Box::pin(async move { Done::Moved(this.reach.moved(&service, &zone).await) })
                    }));
                }
                Action::ClaimAgain => {
                    log::warn!(
                        "the name service does not know this box's key any more: it is asked for a new one"
                    );
                    let name = book.held(&self.setup).and_then(Held::name);
                    let wanted = name.and_then(|name| book.wanted_for(&self.setup, name, Title::None));
                    if book.wanted.is_none() {
                        book.claim_now(wanted, now);
                    }
                }
            }
        }
    }

    /// The service answered: it may be told more, and where the box is now is remembered.
    fn heard(self: &Rc<Self>, book: &mut Book) {
        let network = book.network();
        if book.counters.network != network {
            book.counters.network = network;
            self.save_counters(book);
        }
        let Some(held) = book.held(&self.setup) else { return };
        let service = held.service.clone();
        let lan = book.surroundings.v4().map(|ip| (ip.octets(), self.setup.port));
        let about = hash(format!("{lan:?} {} {}", self.setup.firmware, service.url).as_bytes());
        // It stands in clear in the packet: it goes by TLS or not at all.
        if about == book.counters.about || book.telling || !service.url.starts_with("https://") {
            return;
        }
        let packet = book.heart.as_mut().and_then(|heart| heart.about(lan, self.setup.firmware));
        let this = Rc::clone(self);
        book.telling = packet.is_some();
        book.todo.extend(packet.map(|packet| -> Job {
            Box::pin(async move {
                let answer = this.reach.beat(&service, &packet).await;
                Done::Told((!matches!(answer, PacketAnswer::Failed(_))).then_some(about))
            })
        }));
    }

    fn save_counters(&self, book: &mut Book) {
        let saved = (self.seams.save_counters)(book.counters.write());
        book.todo.push(written("heartbeat counters", saved));
    }

    pub(super) fn save(&self, book: &mut Book) {
        let saved = (self.seams.save)(book.record.write());
        book.todo.push(written("the box's name", saved));
    }

    /// The name was taken away: no more beats, and it stays said.
    fn lose(&self, book: &mut Book) {
        book.stop_heart();
        if let Some(held) = book.record.held.as_mut().filter(|held| !held.is_lost) {
            held.is_lost = true;
            log::warn!(
                "the name {} is another box's now: this box does not beat for it any more",
                held.fqdn()
            );
            self.save(book);
        }
    }

    /// Looks the service's addresses up.
    fn resolve(self: &Rc<Self>, book: &mut Book) {
        let Some(held) = book.held(&self.setup).filter(|_| !book.resolving) else { return };
        let Some((host, port)) = split(&held.heartbeat).map(|(host, port)| (host.to_owned(), port)) else {
            return;
        };
        book.resolving = true;
        let this = Rc::clone(self);
        book.todo.push(Box::pin(async move {
            Done::Resolved(Box::pin(resolver::resolve(&this.reactor, &host)).await, port)
        }));
    }

    /// Sends a packet by HTTPS; certificates need the time of day.
    fn post(self: &Rc<Self>, book: &Book, packet: Vec<u8>) -> Option<Job> {
        let service = book.held(&self.setup)?.service.clone();
        let (this, number) = (Rc::clone(self), book.heart_number);
        let needs_time = self.needs_time(book, &service);
        Some(Box::pin(async move {
            if needs_time && let Ok(time) = this.reach.time(&service).await {
                this.trust_signed(time);
            }
            Done::Posted(number, this.reach.beat(&service, &packet).await)
        }))
    }

    fn needs_time(&self, book: &Book, service: &Service) -> bool {
        !book.has_time && service.url.starts_with("https://")
    }

    fn trust_signed(&self, time: Duration) {
        self.book.borrow_mut().has_time = true;
        (self.seams.trust)(TimeBy::Signature, time);
    }

    fn claim(self: &Rc<Self>, book: &Book, wanted: Wanted) -> Job {
        let (this, key, life) = (Rc::clone(self), book.record.key.clone(), book.life);
        let needs_time = !book.has_time;
        Box::pin(async move {
            let factory = this.setup.factory.as_ref().filter(|f| f.key.public() == key.public());
            let trust = |time| this.trust_signed(time);
            let trust: Option<&dyn Fn(Duration)> = if needs_time { Some(&trust) } else { None };
            let outcome = this.reach.claim(wanted.clone(), &key, factory, trust).await;
            let outcome = match outcome {
                Outcome::Held(held) if this.book.borrow().life == life => {
                    let record = Record { key, held: Some((*held).clone()), pending: None };
                    match (this.seams.save)(record.write()).await {
                        Ok(()) if this.book.borrow().life == life => Outcome::Held(held),
                        Ok(()) => Outcome::Later("the box was reset".into()),
                        Err(e) => Outcome::Later(format!("the keys to the name cannot be kept: {e}")),
                    }
                }
                Outcome::Held(_) => Outcome::Later("the box was reset".into()),
                other => other,
            };
            Done::Claimed(Box::new(wanted), outcome)
        })
    }

    /// Takes what came of a job.
    pub(super) fn done(self: &Rc<Self>, now: Duration, done: Done) {
        match done {
            Done::Posted(number, answer) if number == self.book.borrow().heart_number => {
                if let PacketAnswer::Failed(why) = &answer {
                    log::debug!("heartbeat by HTTPS: {why}");
                    self.book.borrow_mut().problem = Some(why.clone());
                }
                let posted = match &answer {
                    PacketAnswer::Packet(packet) => Posted::Answer(packet),
                    PacketAnswer::Silence => Posted::Silence,
                    PacketAnswer::Failed(_) => Posted::Failed,
                };
                self.feed(now, Input::Posted(posted));
            }
            Done::Saved(number, saved) if number == self.book.borrow().heart_number => {
                self.feed(now, Input::Saved(saved));
            }
            Done::Posted(..) | Done::Saved(..) | Done::Written => {}
            Done::Resolved(found, port) => self.resolved(found, port),
            Done::Claimed(wanted, outcome) => self.claimed(now, &wanted, outcome),
            Done::Moved(moved) => self.moved(now, moved),
            Done::Told(told) => {
                let mut book = self.book.borrow_mut();
                book.telling = false;
                if let Some(about) = told {
                    book.counters.about = about;
                    self.save_counters(&mut book);
                }
            }
        }
    }

    fn resolved(
        &self,
        found: std::io::Result<heapless::Vec<std::net::IpAddr, { resolver::ADDRESSES }>>,
        port: u16,
    ) {
        let mut book = self.book.borrow_mut();
        book.resolving = false;
        match found {
            Ok(ips) => book.targets = Targets::new(&ips, port),
            Err(e) => {
                log::debug!("name service: {e}");
                if book.targets.is_empty() {
                    book.problem = Some(e.to_string());
                }
            }
        }
        if let Some(packet) = book.unsent.take() {
            book.targets.send(&self.line, &packet);
        }
    }

    fn claimed(self: &Rc<Self>, now: Duration, wanted: &Wanted, outcome: Outcome) {
        let mut book = self.book.borrow_mut();
        let book = &mut *book;
        book.claiming = false;
        let waiter = book.waiter.take();
        let answer = match outcome {
            Outcome::Held(held) => {
                let (name, mut held) = (held.fqdn(), *held);
                log::info!("the name {name} is this box's");
                // Who asked for it is shown the recovery code here and now; else it is kept until it is asked for.
                let recovery = waiter.as_ref().and_then(|_| held.recovery.take());
                let has_recovery = held.recovery.is_some();
                (book.record.held, book.record.pending) = (Some(held), None);
                (book.wanted, book.waits_until, book.problem) = (None, None, None);
                book.counters.about = 0;
                book.start_heart(&self.setup, Start::New, now);
                if recovery.is_some() {
                    self.save(book);
                }
                (self.seams.tell)(&NameEvent::Claimed { name: name.clone(), has_recovery });
                Ok(Granted { name, recovery, waits_until: None })
            }
            Outcome::Waits(until) => {
                let left = (self.seams.utc)().map(|now| Duration::from_secs(until).saturating_sub(now));
                let left = left.map_or(ASK_ANEW, |left| left + Duration::from_secs(1));
                (book.waits_until, book.problem) = (Some(until), None);
                book.claim_at = now + left.clamp(Duration::from_secs(1), ASK_ANEW);
                let name = format!("{}.{}", wanted.name, wanted.zone);
                Ok(Granted { name, recovery: None, waits_until: Some(until) })
            }
            Outcome::Refused(ref why) | Outcome::Taken(ref why) => {
                log::warn!("{why}");
                (book.wanted, book.waits_until) = (None, None);
                if book.record.pending.take().is_some() {
                    self.save(book);
                }
                let own = book.held(&self.setup);
                let is_own = own
                    .is_some_and(|h| h.name().as_ref() == Some(&wanted.name) && h.service == wanted.service);
                if is_own && matches!(outcome, Outcome::Taken(_)) {
                    self.lose(book);
                }
                book.problem = Some(why.clone());
                (self.seams.tell)(&NameEvent::Refused(why.clone()));
                Err(why.clone())
            }
            Outcome::Later(why) => {
                let wait = book.put_claim_off(now).as_secs();
                log::info!("{why}; the claim of '{}' is tried again in {wait} s", wanted.name);
                book.problem = Some(why.clone());
                Err(format!("{why}; it is tried again in {wait} s, 'stbcastd name' shows how it stands"))
            }
        };
        if let Some(waiter) = waiter {
            let _gone = waiter.try_send(answer);
        }
    }

    fn moved(self: &Rc<Self>, now: Duration, moved: Result<Service, String>) {
        let mut book = self.book.borrow_mut();
        let held = book.held(&self.setup).and_then(|held| Some((held.name()?, held.service.clone())));
        match (moved, held) {
            (Ok(there), Some((name, here))) if there != here && book.wanted.is_none() => {
                log::info!("the name service moves to {}", there.url);
                let wanted = book.wanted_for(&self.setup, name, Title::None);
                book.claim_now(wanted.map(|wanted| Wanted { service: there, ..wanted }), now);
            }
            (Err(why), _) => book.problem = Some(why),
            _ => {}
        }
    }

    /// Tells how it stands with the name, where that changed.
    fn tell_changes(&self) {
        let mut book = self.book.borrow_mut();
        let phase = book.phase(&self.setup);
        let pending = book.heart.as_ref().is_some_and(|heart| heart.state().move_pending);
        let (phase_before, pending_before) = std::mem::replace(&mut book.told, (phase, pending));
        let https = book.heart.as_ref().is_some_and(|heart| heart.state().way == Way::Https);
        if phase == Phase::Online {
            book.problem = None;
        }
        drop(book);
        if phase != phase_before {
            let way = if https { ", by HTTPS" } else { "" };
            log::info!("the box's name is {}{way}", phase.word());
            (self.seams.tell)(&NameEvent::Phase(phase));
        }
        if pending != pending_before {
            if pending {
                log::warn!(
                    "somebody asked for this box's name to be moved to another; 'stbcastd name cancel-move' says no"
                );
            }
            (self.seams.tell)(&NameEvent::MovePending(pending));
        }
    }
}

/// A write that nobody waits for.
fn written(what: &'static str, saved: smol::future::BoxedLocal<std::io::Result<()>>) -> Job {
    Box::pin(async move {
        if let Err(e) = saved.await {
            log::warn!("{what}: {e}");
        }
        Done::Written
    })
}
