//! The heartbeat: when the box says where it is, and what it makes of the answers.
//!
//! Logic alone: time, packets and news come in, [`Action`]s come out. Who calls it owns sockets, flash and clocks.
//!
//! A *round* is a beat and its repetitions after 2, 4 and 8 s; there is one every interval, ±10 %. While nothing comes
//! back by UDP, the same packets go by HTTPS, and a round by UDP is tried now and then, so as to come back to it.
//! A counter is used only when flash holds a ceiling above it, so that after a crash none is used twice.

use std::time::Duration;

use crate::registration::{
    About, Ack, AckFlags, Beat, BeatKeys, Body, BoxId, Bye, COOKIE, Header, Kind, PACKET_MAX, Retry, Seen,
    Status, open, seal,
};

mod schedule;
#[cfg(test)]
mod tests;

use schedule::{Jitter, Rounds};

/// A packet, ready to be sent.
pub type Packet = heapless::Vec<u8, PACKET_MAX>;

/// Counters that one write to flash is good for: 2.8 days of beats.
pub const CEILING_STEP: u64 = 4096;
/// With so few left the next write is asked for.
const CEILING_AHEAD: u64 = 64;
/// A ceiling that flash did not take is asked for again after this.
const SAVE_AGAIN: Duration = Duration::from_secs(60);
/// Beats whose answer may still come.
const OUTSTANDING: usize = 8;
/// An answer that took longer does not tell the time.
const PROMPT: Duration = Duration::from_secs(5);
/// The service answers HTTPS and keeps silent about so many packets in a row: it does not know this key any more.
const SILENCES: u32 = 3;
/// A new key is asked for no more often.
const CLAIM_AGAIN: Duration = Duration::from_secs(3600);
/// `moved-to` is asked for no more often.
const FETCH_AGAIN: Duration = Duration::from_secs(3600);

/// Who beats.
pub struct Registered {
    /// What the service knows the box by.
    pub id: BoxId,
    /// Of the keys.
    pub epoch: u32,
    /// The keys of this epoch.
    pub keys: BeatKeys,
    /// No counter above it was ever used.
    pub ceiling: u64,
    /// At which terminals from outside reach the box; 0 for none.
    pub port: u16,
}

/// What is known of the last time, at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The service does not know yet where the box is: it was claimed just now, or its addresses are others.
    New,
    /// It was here when it last beat. A power cut ends for a whole town at once, so it takes its time.
    Again,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Input<'p> {
    /// Time passed.
    Time,
    /// A datagram came from the service, or from anybody.
    Datagram(&'p [u8]),
    /// How the packet of the last [`Action::Post`] fared.
    Posted(Posted<'p>),
    /// The box's addresses or routes changed; these are its global IPv6 addresses now, the best first.
    Changed(&'p [[u8; 16]]),
    /// Flash has the ceiling of the last [`Action::Save`]; or has it not.
    Saved(bool),
    /// The box shuts down.
    Stop,
}

/// What came of a packet that went by HTTPS.
#[derive(Clone, Copy, Debug)]
pub enum Posted<'p> {
    /// The service answered with this packet.
    Answer(&'p [u8]),
    /// The service answered that it has no answer.
    Silence,
    /// The service was not reached.
    Failed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send it by UDP.
    Send(Packet),
    /// Send it by HTTPS; one at a time.
    Post(Packet),
    /// Have this ceiling on flash, and say so.
    Save(u64),
    /// The time of day, in seconds since 1970, by the service's word.
    Trust(u32),
    /// Nothing came back: use the service's next address from now on.
    OtherAddress,
    /// The service is going to be elsewhere: ask it where.
    FetchMoved,
    /// The service does not know the box's key: claim the name again.
    ClaimAgain,
}

/// All that is to be done at one time.
pub type Actions = heapless::Vec<Action, 8>;

/// The way that packets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Nothing came back yet.
    #[default]
    Unknown,
    /// UDP.
    Udp,
    /// HTTPS, since UDP does not come through.
    Https,
    /// None comes through.
    None,
}

/// What the owner may know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How the service is reached.
    pub way: Way,
    /// Where the service sees the box.
    pub seen: Option<(Seen, u16)>,
    /// Whether it publishes that.
    pub status: Option<Status>,
    /// When it last answered.
    pub heard: Option<Duration>,
    /// The name is another's now; there are no more beats.
    pub is_lost: bool,
    /// Somebody asked for the name to be moved to another box.
    pub move_pending: bool,
}

/// What the service answers to a beat.
enum Answer {
    Ack(Ack),
    Retry(Retry),
}

/// The heartbeat of one name.
pub struct Heartbeat {
    who: Registered,
    state: State,
    started: Duration,
    v6: heapless::Vec<[u8; 16], 2>,
    /// The last one used.
    counter: u64,
    /// Flash is asked for a higher ceiling, or was and failed: no sooner than this again.
    saving: Option<u64>,
    save_after: Duration,
    outstanding: heapless::Deque<(u64, Duration), OUTSTANDING>,
    /// Proof that packets from here come from where they say.
    cookie: Option<[u8; COOKIE]>,
    rounds: Rounds,
    posting: bool,
    silences: u32,
    claim_after: Duration,
    fetch_after: Duration,
    is_stopped: bool,
}

impl Heartbeat {
    /// One that starts `now`, with the box's global IPv6 addresses. `seed` is for jitter alone.
    #[must_use]
    pub fn new(who: Registered, start: Start, v6: &[[u8; 16]], seed: u64, now: Duration) -> Self {
        Self {
            counter: who.ceiling,
            who,
            state: State::default(),
            started: now,
            v6: v6.iter().copied().take(2).collect(),
            saving: None,
            save_after: now,
            outstanding: heapless::Deque::new(),
            cookie: None,
            rounds: Rounds::new(start, Jitter(seed), now),
            posting: false,
            silences: 0,
            claim_after: now,
            fetch_after: now,
            is_stopped: false,
        }
    }

    /// Takes what happened, and says what is to be done.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) -> Actions {
        let mut actions = Actions::new();
        if self.is_over() {
            return actions;
        }
        match input {
            Input::Time => {}
            Input::Datagram(packet) => self.datagram(now, packet, &mut actions),
            Input::Posted(posted) => self.posted(now, posted, &mut actions),
            Input::Changed(v6) => {
                self.v6 = v6.iter().copied().take(2).collect();
                self.rounds.network_changed(now);
            }
            Input::Saved(done) => match self.saving.take() {
                Some(ceiling) if done => self.who.ceiling = ceiling,
                _ => self.save_after = now + SAVE_AGAIN,
            },
            Input::Stop => return self.stop(),
        }
        if !self.state.is_lost {
            self.save_ahead(now, &mut actions);
            self.on_time(now, &mut actions);
            self.save_ahead(now, &mut actions);
        }
        actions
    }

    /// When [`Input::Time`] is due; `None`: something else has to happen first.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        if self.has_counter() {
            return Some(self.rounds.wake_at());
        }
        self.saving.is_none().then_some(self.save_after)
    }

    /// What the owner may know.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The packet that tells what beats do not: for HTTPS alone. `None` while there is no counter for it.
    pub fn about(&mut self, lan: Option<([u8; 4], u16)>, firmware: &str) -> Option<Packet> {
        let firmware = heapless::String::try_from(firmware).unwrap_or_default();
        let about = About { epoch: self.who.epoch, lan, fw: firmware };
        self.has_counter().then(|| self.sealed(&about))
    }

    fn is_over(&self) -> bool {
        self.is_stopped || self.state.is_lost
    }

    /// The rounds that are due.
    fn on_time(&mut self, now: Duration, actions: &mut Actions) {
        if !self.has_counter() {
            return;
        }
        let due = self.rounds.take_due(now);
        if due.begins {
            self.cookie = None;
        }
        // Where HTTPS is tried now, its answer says how it stands.
        if due.gives_up && !due.post && !self.posting {
            self.state.way = if self.rounds.https_works() { Way::Https } else { Way::None };
        }
        if due.other_address {
            let _room = actions.push(Action::OtherAddress);
        }
        if due.send {
            self.beat(now, actions);
        }
        if due.post && !self.posting {
            self.post(now, actions);
        }
    }

    fn datagram(&mut self, now: Duration, packet: &[u8], actions: &mut Actions) {
        match self.judge(packet) {
            Some((Answer::Ack(ack), sent)) => {
                self.rounds.answered_by_udp(now, ack.next_s);
                self.state.way = Way::Udp;
                self.take(now, &ack, sent, actions);
            }
            Some((Answer::Retry(retry), _)) if self.rounds.may_echo(now) => {
                self.cookie = Some(retry.cookie);
                if self.has_counter() {
                    self.beat(now, actions);
                }
            }
            _ => {}
        }
    }

    fn posted(&mut self, now: Duration, posted: Posted<'_>, actions: &mut Actions) {
        self.posting = false;
        let answer = match posted {
            Posted::Answer(packet) => self.judge(packet),
            Posted::Silence | Posted::Failed => None,
        };
        match answer {
            Some((Answer::Ack(ack), sent)) => {
                self.silences = 0;
                self.rounds.answered_by_https(now, ack.next_s);
                self.state.way = if self.rounds.udp_works() { Way::Udp } else { Way::Https };
                self.take(now, &ack, sent, actions);
                return;
            }
            Some((Answer::Retry(retry), _)) if self.rounds.may_echo(now) => {
                self.cookie = Some(retry.cookie);
                if self.has_counter() {
                    self.post(now, actions);
                    return;
                }
            }
            _ => {}
        }
        self.rounds.https_failed(now);
        if !self.rounds.udp_works() {
            self.state.way = Way::None;
        }
        // What is no answer of the service's is silence, too: so says who does not know the key.
        self.silences = if matches!(posted, Posted::Failed) { 0 } else { self.silences + 1 };
        if self.silences >= SILENCES && now >= self.claim_after {
            self.silences = 0;
            self.claim_after = now + CLAIM_AGAIN;
            let _room = actions.push(Action::ClaimAgain);
        }
    }

    /// An answer of the service to a packet that is outstanding, and when that was sent. It counts once.
    fn judge(&mut self, packet: &[u8]) -> Option<(Answer, Duration)> {
        let header = Header::peek(packet).filter(|h| h.id == self.who.id)?;
        let (_, sent) = *self.outstanding.iter().find(|(counter, _)| *counter == header.counter)?;
        let key = &self.who.keys.to_box;
        let answer = match header.kind {
            Kind::Ack => Answer::Ack(open::<Ack>(packet, key)?),
            Kind::Retry => Answer::Retry(open::<Retry>(packet, key)?),
            _ => return None,
        };
        self.outstanding.retain(|(counter, _)| *counter != header.counter);
        Some((answer, sent))
    }

    fn take(&mut self, now: Duration, ack: &Ack, sent: Duration, actions: &mut Actions) {
        self.cookie = None;
        self.state.heard = Some(now);
        self.state.seen = Some((ack.seen, ack.port));
        self.state.status = Some(ack.status);
        self.state.is_lost = ack.flags.has(AckFlags::NAME_LOST);
        self.state.move_pending = ack.flags.has(AckFlags::MOVE_PENDING);
        if ack.srv_time != 0 && now.saturating_sub(sent) <= PROMPT {
            let _room = actions.push(Action::Trust(ack.srv_time));
        }
        if ack.flags.has(AckFlags::MOVED) && now >= self.fetch_after {
            self.fetch_after = now + FETCH_AGAIN;
            let _room = actions.push(Action::FetchMoved);
        }
    }

    fn beat(&mut self, now: Duration, actions: &mut Actions) {
        let packet = self.sealed_beat(now);
        let _room = actions.push(Action::Send(packet));
    }

    fn post(&mut self, now: Duration, actions: &mut Actions) {
        self.posting = true;
        let packet = self.sealed_beat(now);
        let _room = actions.push(Action::Post(packet));
    }

    fn sealed_beat(&mut self, now: Duration) -> Packet {
        let uptime = now.saturating_sub(self.started).as_secs();
        let beat = Beat {
            flags: 0,
            epoch: self.who.epoch,
            uptime_s: u32::try_from(uptime).unwrap_or(u32::MAX),
            pub_port: self.who.port,
            v6: self.v6.clone(),
            map: 0,
            cookie: self.cookie,
        };
        let packet = self.sealed(&beat);
        if self.outstanding.is_full() {
            self.outstanding.pop_front();
        }
        let _room = self.outstanding.push_back((self.counter, now));
        packet
    }

    fn sealed(&mut self, body: &impl Body) -> Packet {
        self.counter += 1;
        let mut bytes = [0; PACKET_MAX];
        let length = seal(self.who.id, self.counter, body, &self.who.keys.to_service, &mut bytes);
        bytes[..length].iter().copied().collect()
    }

    fn has_counter(&self) -> bool {
        self.counter < self.who.ceiling
    }

    fn save_ahead(&mut self, now: Duration, actions: &mut Actions) {
        let is_ahead = self.counter + CEILING_AHEAD < self.who.ceiling;
        if is_ahead || self.saving.is_some() || now < self.save_after {
            return;
        }
        let ceiling = self.counter + CEILING_STEP;
        self.saving = Some(ceiling);
        let _room = actions.push(Action::Save(ceiling));
    }

    /// Says good-bye, where somebody listens.
    fn stop(&mut self) -> Actions {
        let mut actions = Actions::new();
        if self.state.way == Way::Udp && self.has_counter() {
            let packet = self.sealed(&Bye { epoch: self.who.epoch });
            let _room = actions.push(Action::Send(packet));
        }
        self.is_stopped = true;
        actions
    }
}
