//! What the task knows, from one moment to the next.

use std::net::IpAddr;
use std::time::Duration;

use smol::channel::Sender;

use super::claim::{Title, Wanted};
use super::heartbeat::{Heartbeat, Packet, Registered, Start};
use super::jobs::Job;
use super::line::Targets;
use super::order::Granted;
use super::record::{Counters, Held, Pending, Record, hash};
use super::runner::Setup;
use super::status::{NameStatus, Phase, seen};
use crate::registration::{Label, RecoveryCode, Signature};
use crate::sys::netlink::Surroundings;
use crate::sys::random;

/// The waits between tries to claim.
const CLAIM_LEAST: Duration = Duration::from_secs(2);
const CLAIM_MOST: Duration = Duration::from_secs(3600);

/// Who waits for a claim.
pub(super) type Waiter = Sender<Result<Granted, String>>;

pub(super) struct Book {
    pub(super) record: Record,
    pub(super) counters: Counters,
    /// What flash had of counters is damaged: the keys they are of are not to be used any more.
    pub(super) needs_new_keys: bool,
    pub(super) heart: Option<Heartbeat>,
    /// The number of the heart; what was begun for another is not for this one.
    pub(super) heart_number: u32,
    pub(super) targets: Targets,
    pub(super) resolving: bool,
    /// A packet that waits for an address of the service.
    pub(super) unsent: Option<Packet>,
    pub(super) wanted: Option<Wanted>,
    pub(super) claim_at: Duration,
    claim_wait: Duration,
    pub(super) claiming: bool,
    pub(super) waits_until: Option<u64>,
    pub(super) problem: Option<String>,
    /// The time of day is good enough to judge certificates by.
    pub(super) has_time: bool,
    pub(super) surroundings: Surroundings,
    pub(super) telling: bool,
    pub(super) waiter: Option<Waiter>,
    pub(super) todo: Vec<Job>,
    /// What was last told of the name.
    pub(super) told: (Phase, bool),
    /// It counts factory resets: what was begun before one is not kept.
    pub(super) life: u32,
}

impl Book {
    pub(super) fn new(record: Record, counters: Option<Counters>, setup: &Setup, now: Duration) -> Self {
        let mut book = Self {
            needs_new_keys: counters.is_none(),
            counters: counters.unwrap_or_default(),
            record,
            heart: None,
            heart_number: 0,
            targets: Targets::default(),
            resolving: false,
            unsent: None,
            wanted: None,
            claim_at: now,
            claim_wait: CLAIM_LEAST,
            claiming: false,
            waits_until: None,
            problem: None,
            has_time: setup.has_time,
            surroundings: Surroundings::default(),
            telling: false,
            waiter: None,
            todo: Vec::new(),
            told: (Phase::None, false),
            life: 0,
        };
        book.wanted = book.first_wanted(setup);
        book
    }

    /// What is claimed at the start: what was asked for and is not through, or the name of the settings.
    fn first_wanted(&self, setup: &Setup) -> Option<Wanted> {
        if let Some(pending) = &self.record.pending {
            return self.wanted_for(setup, Label::new(&pending.name).ok()?, title(pending)?);
        }
        let name = match self.held(setup) {
            None => setup.name.clone()?,
            Some(held) if held.is_lost => return None,
            Some(held) if self.needs_new_keys => held.name()?,
            Some(held) => {
                let other = setup.name.as_ref().filter(|name| Some(*name) != held.name().as_ref());
                if let Some(other) = other {
                    log::warn!(
                        "ddns-name '{other}': this box has the name {}; it keeps that until 'stbcastd name release'",
                        held.fqdn()
                    );
                }
                return None;
            }
        };
        self.wanted_for(setup, name, Title::None)
    }

    /// A claim of `name`, at the service that has the box's name, else at the one of the settings.
    pub(super) fn wanted_for(&self, setup: &Setup, name: Label, title: Title) -> Option<Wanted> {
        let origin = setup.service.clone()?;
        let held = self.held(setup);
        let service = held.map_or_else(|| origin.clone(), |held| held.service.clone());
        let zone = held.map_or_else(|| setup.zone.clone(), |held| held.zone.as_str().into());
        Some(Wanted { origin, service, zone, name, title })
    }

    /// The name that the box has by the service of the settings.
    pub(super) fn held(&self, setup: &Setup) -> Option<&Held> {
        let of_settings = |held: &&Held| {
            setup.service.as_ref() == Some(&held.origin)
                && (setup.zone.is_empty() || setup.zone.as_str() == held.zone.as_str())
        };
        self.record.held.as_ref().filter(of_settings)
    }

    /// The heart of the name begins to beat.
    pub(super) fn start_heart(&mut self, setup: &Setup, start: Start, now: Duration) {
        let Some(held) = self.held(setup) else { return };
        let who = Registered {
            id: held.id(),
            epoch: held.epoch,
            keys: held.psk().beat_keys(held.epoch),
            ceiling: self.counters.ceiling,
            port: setup.public_port,
        };
        let mut seed = [0; 8];
        let _without = random::fill(&mut seed); // jitter alone
        let heart = Heartbeat::new(who, start, &self.v6(), u64::from_le_bytes(seed), now);
        self.heart = Some(heart);
        self.heart_number += 1;
        (self.targets, self.unsent, self.needs_new_keys) = (Targets::default(), None, false);
    }

    /// The heart stops, without a word to the service.
    pub(super) fn stop_heart(&mut self) {
        (self.heart, self.unsent) = (None, None);
        self.heart_number += 1;
    }

    /// The box's addresses that beats tell.
    pub(super) fn v6(&self) -> heapless::Vec<[u8; 16], 2> {
        self.surroundings.global_v6().take(2).map(|ip| ip.octets()).collect()
    }

    /// A number that tells where the box is from where it was.
    pub(super) fn network(&self) -> u64 {
        let mut bytes = Vec::new();
        for address in &self.surroundings.addresses {
            match address.ip {
                IpAddr::V4(ip) => bytes.extend(ip.octets()),
                IpAddr::V6(ip) => bytes.extend(ip.octets()),
            }
        }
        hash(&bytes)
    }

    /// The claim comes to be tried again after a while: ever longer ones (decorrelated jitter).
    pub(super) fn put_claim_off(&mut self, now: Duration) -> Duration {
        let mut random = [0; 2];
        let _without = random::fill(&mut random);
        let most = (self.claim_wait * 3).min(CLAIM_MOST).saturating_sub(CLAIM_LEAST);
        self.claim_wait = CLAIM_LEAST + most * u32::from(u16::from_le_bytes(random)) / u32::from(u16::MAX);
        self.claim_at = now + self.claim_wait;
        self.claim_wait
    }

    /// A claim is tried at once.
    pub(super) fn claim_now(&mut self, wanted: Option<Wanted>, now: Duration) {
        self.waits_until = None;
        (self.wanted, self.claim_at, self.claim_wait) = (wanted, now, CLAIM_LEAST);
    }

    /// When the task has something to do.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        let heart = self.heart.as_ref().and_then(Heartbeat::wake_at);
        let claim = self.wanted.as_ref().filter(|_| !self.claiming).map(|_| self.claim_at);
        heart.into_iter().chain(claim).min()
    }

    /// What the owner may know.
    pub(super) fn status(&self, setup: &Setup, now: Duration) -> NameStatus {
        let held = self.held(setup);
        let heart = self.heart.as_ref().map(Heartbeat::state).unwrap_or_default();
        let wanted = self.wanted.as_ref();
        NameStatus {
            phase: self.phase(setup),
            name: held
                .map(Held::fqdn)
                .or_else(|| wanted.map(|wanted| format!("{}.{}", wanted.name, wanted.zone))),
            service: held
                .map(|held| held.service.url.as_str().into())
                .or_else(|| setup.service.as_ref().map(|service| service.url.as_str().into())),
            seen: seen(&heart),
            heard: heart.heard.map(|at| now.saturating_sub(at)),
            by_https: heart.way == super::heartbeat::Way::Https,
            move_pending: heart.move_pending,
            waits_until: self.waits_until,
            problem: self.problem.clone(),
            has_recovery: held.is_some_and(|held| held.recovery.is_some()),
        }
    }

    pub(super) fn phase(&self, setup: &Setup) -> Phase {
        match (self.held(setup), &self.heart) {
            (Some(held), _) if held.is_lost => Phase::Lost,
            (Some(_), Some(heart)) => Phase::beating(&heart.state()),
            _ if self.waits_until.is_some() => Phase::Waiting,
            _ if self.wanted.is_some() => Phase::Claiming,
            (Some(_), None) => Phase::Starting,
            (None, _) => Phase::None,
        }
    }
}

/// What a claim that was asked for is entitled by.
fn title(pending: &Pending) -> Option<Title> {
    Some(match (&pending.recovery, &pending.handover) {
        (Some(code), _) => Title::Recovery(RecoveryCode::parse(code)?),
        (None, Some(signature)) => Title::Handover(Signature(super::claim::decoded(signature)?)),
        (None, None) => Title::None,
    })
}
