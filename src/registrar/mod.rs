//! Claims and leases: whose name it is, and where that box is now.
//!
//! Logic without I/O, over a store behind a small trait. Knows nothing of DNS messages and of sockets.
//!
//! What has to last is *staged*: [`Registrar::take_writes`] hands it to the store, and only [`Registrar::committed`]
//! makes it so in memory. Until then nobody sees it, and when the store fails nothing of it is left. Whoever has to
//! answer waits for the [`Ticket`].
//!
//! | kept of a name | purpose | how long |
//! |---|---|---|
//! | keys, id, epoch, serial, recovery hash | to know its box and its owner | as long as the claim; old keys 90 days |
//! | current addresses, port | to answer DNS | 10 minutes after the last beat |
//! | day of the last beat | to end claims that nobody uses | 400 days |
//! | address at home, firmware version (by HTTPS alone) | certificates, support | as long as the claim |
//!
//! Nothing is kept of former addresses.

mod address;
mod admin;
mod apply;
mod arena;
mod beat;
mod claim;
mod directory;
mod export;
mod index;
mod keep;
mod look;
mod nonces;
mod rate;
mod record;
mod refusal;
#[cfg(test)]
pub(crate) mod sample;
mod stage;
pub mod store;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod update;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use ring::rand::SecureRandom;

pub use admin::{Credentials, Lease, Name, Stats};
pub use beat::{Came, Reply};
pub use claim::{Answer, ClaimRequest, Granting, Staged};
pub use rate::Rates;
pub use record::{Former, Key, Moving, Owned, Record, Resting};
pub use refusal::Refusal;
pub use stage::{Done, Write};
pub use table::Memory;

use look::BlockList;
use nonces::Nonces;
use stage::Stage;
use table::{Slot, Table};

use crate::nameserver::Text;
use crate::registration::{
    BoxId, CookieKey, Moved, Nonce, ServiceKey, ServicePublic, Signature, Statement, TimeIs,
};

/// New names a /24 or /56 may claim at once, and again in an hour.
const CLAIMS: u32 = 5;
/// Claims of any kind it may try at once, and again in an hour.
const ATTEMPTS: u32 = 60;
/// Prefixes that are counted one by one.
const PREFIXES: usize = 65_536;
/// Nonces that may be used in two minutes.
const NONCES: usize = 65_536;
/// Seconds for which a name that was given up rests, and old keys are kept.
const REST_S: u32 = 90 * 86_400;

/// What time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the service started, or any instant before that; never goes back.
    pub monotonic: Duration,
    /// Seconds since 1970.
    pub utc: u64,
}

impl Now {
    /// Second of the registrar's clock; 0 is never.
    fn second(self) -> u32 {
        u32::try_from(self.monotonic.as_secs()).unwrap_or(u32::MAX - 1).saturating_add(1)
    }

    /// Seconds since 1970, as records have them.
    fn utc_s(self) -> u32 {
        u32::try_from(self.utc).unwrap_or(u32::MAX)
    }
}

/// Who may claim a name.
#[derive(Clone, Debug)]
pub enum Enrol {
    /// A box with a voucher of one of these brand keys.
    Voucher(Vec<ServicePublic>),
    /// Whoever comes.
    Open,
}

/// A zone whose names are given.
#[derive(Clone, Debug)]
pub struct ZoneSettings {
    /// Its name in lower case, without the dot at the end.
    pub name: String,
    /// Where its boxes shall go: the URL of another service and the key that signs there.
    pub moved_to: Option<(String, ServicePublic)>,
}

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The zones, at most 255; what is kept of any other zone stays in the store.
    pub zones: Vec<ZoneSettings>,
    /// Names there is room for.
    pub capacity: usize,
    /// Who may claim.
    pub enrol: Enrol,
    /// Where heartbeats go, `host:port` each, at least one: a box keeps to the one that its id falls to.
    pub heartbeats: Vec<String>,
    /// Seconds between beats: 60 to 3600.
    pub next_s: u16,
    /// How long the box that has a name may say no to who has its recovery code.
    pub move_delay: Duration,
    /// Publish addresses that are not of the internet, too: demos and labs.
    pub publish_private: bool,
    /// Names that are not given, nor what looks like them; `*word*`: wherever it is in a name.
    pub blocked: Vec<String>,
    /// This front end's number, where several share a store; else 0.
    pub home: u32,
}

/// Who has which name, and where its box is.
pub struct Registrar {
    settings: Settings,
    key: ServiceKey,
    random: Box<dyn SecureRandom>,
    table: Table,
    former: HashMap<u64, Former>,
    moving: HashMap<Slot, Moving>,
    reasons: HashMap<Slot, Box<str>>,
    texts: HashMap<Slot, Box<[Text]>>,
    new_names: Rates,
    attempts: Rates,
    nonces: Nonces,
    blocked: BlockList,
    cookies: CookieKey,
    stage: Stage,
    changes: directory::Changes,
    now: Now,
    sweep: sweep::Sweep,
    counters: Counters,
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Beats that were answered.
    pub beats: u64,
    /// Packets that got no answer: not ours, wrong MAC, replays.
    pub silent: u64,
    /// Boxes that had to prove their address first.
    pub retries: u64,
    /// Addresses that changed.
    pub address_changes: u64,
    /// Names given.
    pub claims: u64,
    /// Claims refused.
    pub refused: u64,
    /// Leases that ran out.
    pub expired: u64,
    /// Writes that the store did not take.
    pub failed_writes: u64,
}

/// There is no room for the name, or the record is of no zone that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The table is full.
    Full(Key),
    /// None of the zones in the settings.
    Zone(Key),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(key) => write!(f, "there is no room for {key}: a larger capacity is wanted"),
            Self::Zone(key) => write!(f, "{key} is in no zone that is served"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Registrar {
    /// An empty one. `key` signs, `random` makes ids, keys and cookies.
    #[must_use]
    pub fn new(settings: Settings, key: ServiceKey, random: Box<dyn SecureRandom>) -> Self {
        let hour = Duration::from_secs(3600);
        let bytes = |random: &dyn SecureRandom| {
            let mut bytes = [0; 32];
            let filled = random.fill(&mut bytes);
            assert!(filled.is_ok(), "the system has no randomness, and cookies need it");
            bytes
        };
        Self {
            table: Table::new(settings.capacity),
            former: HashMap::new(),
            moving: HashMap::new(),
            reasons: HashMap::new(),
            texts: HashMap::new(),
            new_names: Rates::new(CLAIMS, hour / CLAIMS, PREFIXES),
            attempts: Rates::new(ATTEMPTS, hour / ATTEMPTS, PREFIXES),
            nonces: Nonces::new(&bytes(&*random), NONCES),
            blocked: BlockList::new(settings.blocked.iter().map(String::as_str)),
            cookies: CookieKey::new(&bytes(&*random)),
            stage: Stage::default(),
            changes: directory::Changes::default(),
            now: Now::default(),
            sweep: sweep::Sweep::new(settings.next_s),
            counters: Counters::default(),
            settings,
            key,
            random,
        }
    }

    /// What the operator decided.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the beats of a box go: its id modulo the number of places.
    #[must_use]
    pub fn heartbeat_of(&self, id: BoxId) -> &str {
        let places = &self.settings.heartbeats;
        let place = u64::from_be_bytes(id.0).checked_rem(places.len() as u64);
        let place = place.and_then(|place| places.get(usize::try_from(place).ok()?));
        place.map_or("", String::as_str)
    }

    /// The number of a zone by its name, whatever its case, with or without the dot at the end.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<usize> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.settings.zones.iter().position(|zone| zone.name.eq_ignore_ascii_case(name))
    }

    /// A nonce of one use for a claim, a cancel or a release; good for 120 s.
    pub fn nonce(&mut self, now: Now) -> Nonce {
        Nonce(self.nonces.issue(now.monotonic))
    }

    /// The time of day, signed.
    #[must_use]
    pub fn time(&self, now: Now, nonce: Nonce) -> Signature {
        TimeIs { nonce, seconds: now.utc }.sign(&self.key)
    }

    /// Where the boxes of `zone` shall go, signed; `None`: they stay.
    #[must_use]
    pub fn moved(&self, zone: usize) -> Option<(&str, ServicePublic, Signature)> {
        let zone = self.settings.zones.get(zone)?;
        let (service, key) = zone.moved_to.as_ref()?;
        let signature = Moved { zone: &zone.name, service, key: *key }.sign(&self.key);
        Some((service, *key, signature))
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn zone_of(&self, slot: Slot) -> &ZoneSettings {
        &self.settings.zones[usize::from(self.table.hot(slot).zone)]
    }

    /// The record's key of a name in the table.
    fn key_of(&self, slot: Slot) -> Option<Key> {
        Some(Key::Name { zone: self.zone_of(slot).name.clone(), label: self.table.label(slot)? })
    }

    fn zone_number(&self, name: &str) -> Option<u8> {
        self.zone(name).and_then(|zone| u8::try_from(zone).ok())
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Refusal> {
        self.random.fill(bytes).map_err(|_| Refusal::Randomness)
    }
}
