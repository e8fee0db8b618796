//! Programme lists of other systems, read as entries for the channel table.
//!
//! Owns the formats (M3U, Enigma2, VDR, libdvbv5) and what a list from outside may name: DVB services, and multicast
//! groups on the board's own network for television. Bytes come in, entries go out; nothing is opened or fetched, and
//! nothing is known of the table that takes them.
//!
//! A line that is refused costs its own channel and no other: it is reported with its number and the culprit.

use crate::source::url::Group;
use crate::ts::service_info::{Name, ServiceKind};

mod authority;
mod bouquet;
mod detect;
mod dvb;
mod dvbv5;
mod lamedb;
mod lines;
mod m3u;
mod multicast;
mod refusal;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod vdr;

pub use authority::Authority;
pub use detect::{Format, detect};
pub use dvb::{DvbService, Triple};
pub use dvbv5::initial_table;
pub use refusal::{Culprit, ImportError, REFUSALS_KEPT, Refusal, Refusals};

/// Bytes of the largest list that is read.
pub const LIST_MAX: usize = 1 << 20;

/// What the board allows an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The interface its multicast comes in on. Every imported group is bound to it; the kernel's choice where there
    /// is none.
    pub interface: Option<String>,
    /// Most entries that are kept.
    pub capacity: usize,
}

/// One channel of an imported list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its number, where the list gives one. No two entries of an import have the same.
    pub number: Option<u16>,
    /// Its name; never empty.
    pub name: Name,
    /// Who makes it; empty where the list does not say.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
    /// Where it comes from.
    pub source: ImportedSource,
    /// The bouquet or group it stands in; empty where it stands in none.
    pub group: Name,
}

/// Where an imported channel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportedSource {
    /// A multicast group an import may name, on the board's interface.
    Multicast {
        /// The group.
        group: Group,
        /// What its datagrams hold.
        framing: Framing,
    },
    /// A service of a tuner.
    Dvb(DvbService),
}

/// What the datagrams of a multicast group hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Transport packets (`udp://`).
    Packets,
    /// Transport packets behind an RTP header (`rtp://`, RFC 2250).
    Rtp,
}

/// Lists being read: each file adds to what those before it gave.
///
/// An Enigma2 list is several files: `lamedb` first, then its bouquets in the order the receiver shows them.
pub struct Import {
    rules: Rules,
    entries: Vec<Imported>,
    numbers: Numbers,
    refusals: Refusals,
    /// The number of the next service in a bouquet: the receiver counts through all of them.
    next_in_bouquets: u32,
}

impl Import {
    /// An empty import.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            entries: Vec::new(),
            numbers: Numbers::default(),
            refusals: Refusals::default(),
            next_in_bouquets: 1,
        }
    }

    /// Reads a file of any known format; what it refused is the answer.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Refusals, ImportError> {
        self.read_as(detect(bytes).ok_or(ImportError::Format)?, bytes)
    }

    /// Reads a file of `format`; what it refused is the answer.
    pub fn read_as(&mut self, format: Format, bytes: &[u8]) -> Result<Refusals, ImportError> {
        if bytes.len() > LIST_MAX {
            return Err(ImportError::Large(bytes.len()));
        }
        let lines = lines::lines(bytes);
        match format {
            Format::M3u => m3u::read(lines, self),
            Format::Lamedb => lamedb::read(lines, self)?,
            Format::Bouquet => bouquet::read(lines, self),
            Format::Vdr => vdr::read(lines, self),
            Format::Dvbv5 => dvbv5::read(lines, self),
        }
        Ok(std::mem::take(&mut self.refusals))
    }

    /// What was read, in the lists' order.
    #[must_use]
    pub fn entries(&self) -> &[Imported] {
        &self.entries
    }

    /// What was read, in the lists' order.
    #[must_use]
    pub fn into_entries(self) -> Vec<Imported> {
        self.entries
    }

    /// Takes an entry of line `line`. One with a number that is taken stays, without it.
    fn add(&mut self, line: usize, mut entry: Imported) {
        if self.entries.len() >= self.rules.capacity {
            return self.refuse(line, Refusal::Full(self.rules.capacity));
        }
        entry.number = entry.number.filter(|number| self.claim(line, *number));
        self.entries.push(entry);
    }

    /// Takes `number` for an entry of line `line`, unless another has it.
    fn claim(&mut self, line: usize, number: u16) -> bool {
        let free = self.numbers.claim(number);
        if !free {
            self.refuse(line, Refusal::NumberTaken(number));
        }
        free
    }

    /// A number as a list writes it.
    fn number(&mut self, line: usize, text: &str) -> Option<u16> {
        let number = text.trim().parse().ok().filter(|n| *n != 0);
        if number.is_none() {
            self.refuse(line, Refusal::Number(Culprit::new(text)));
        }
        number
    }

    /// The source `url` names, if an import may name it.
    fn multicast(&self, url: &str) -> Result<ImportedSource, Refusal> {
        multicast::source(url, self.rules.interface.as_deref())
    }

    fn refuse(&mut self, line: usize, why: Refusal) {
        self.refusals.push(line, why);
    }
}

/// The name of a DVB service, or, as the channel table says it, what stands for one.
fn service_name(name: &str, service: Triple) -> Name {
    let name = Name::new(name);
    if name.is_empty() { Name::new(&format!("Service {}", service.service_id)) } else { name }
}

/// A bit per channel number: finding a double costs the same in the longest list.
struct Numbers(Box<[u64]>);

impl Default for Numbers {
    fn default() -> Self {
        Self(vec![0; (1 << u16::BITS) / u64::BITS as usize].into())
    }
}

impl Numbers {
    /// Takes `number`; whether nobody had it.
    fn claim(&mut self, number: u16) -> bool {
        let bit = 1 << (u32::from(number) % u64::BITS);
        let word = self.0.get_mut(usize::from(number) / u64::BITS as usize);
        word.is_some_and(|word| {
            let free = *word & bit == 0;
            *word |= bit;
            free
        })
    }
}
