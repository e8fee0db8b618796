//! The box's own keys, and how what is secret is kept on flash.
//!
//! Records with keys in them are sealed: `0xa1 | nonce 12 bytes | ChaCha20-Poly1305`, under a key that is kept in a
//! record of its own. Who destroys that key has destroyed them all, whatever a flash controller keeps of old blocks.

use std::io;
use std::path::Path;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use super::Identity;
use super::parental::Parental;
use super::record::{self, RecordError};
use super::terminals::Terminals;
use crate::handshake::TerminalKey;
use crate::store::{Kind, Loaded as InSlots, StoreError, load};
use crate::sys::{clock, random};

/// The first byte of a sealed record; a plain one begins with its format.
const SEALED: u8 = 0xa1;
/// What this program writes and reads of the box's keys.
const FORMAT: u8 = 1;
/// The oldest format of the box's keys that is read, and the newest.
pub const IDENTITY_FORMATS: (u8, u8) = (FORMAT, FORMAT);

/// The box's own keys.
pub struct BoxKeys {
    pub(super) identity: Identity,
    /// Links made at the local socket come from it.
    pub(super) link_key: TerminalKey,
    pub(super) link_generation: u16,
    seal: Option<[u8; 32]>,
}

/// What the box knew when it was last on.
pub struct Loaded {
    /// Its keys.
    pub keys: BoxKeys,
    /// Who was let in.
    pub(super) terminals: Terminals,
    /// What is locked for children.
    pub(super) parental: Parental,
    /// The latest time of day that was trusted.
    pub(super) floor: u64,
    /// This program was told that it stays.
    pub(super) committed: bool,
    /// The record of the box's name, for who can read it.
    pub(super) registration: Option<Vec<u8>>,
}

/// Why the box cannot know what it knew.
#[derive(Debug)]
pub enum KeyError {
    /// Flash cannot be read.
    Store(StoreError),
    /// A newer program wrote it, and was told that it stays. Nothing is touched.
    Newer(&'static str, u8),
    /// The kernel has no randomness yet.
    NoEntropy(io::Error),
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(e) => write!(f, "state {e}"),
            Self::Newer(what, format) => write!(
                f,
                "{what}: format {format} is of a newer stbcastd that was told to stay; put that back, or reset the box"
            ),
            Self::NoEntropy(e) => write!(f, "randomness for a key: {e}"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    format: u8,
    link_key: [u8; 32],
    link_generation: u16,
}

/// What is to be written for the box to know itself again.
pub(super) type Unsaved = Vec<(Kind, Vec<u8>)>;

impl Loaded {
    /// From `directory`. What is not there is made anew: the second value is to be saved.
    pub fn read(directory: &Path, sealing: bool) -> Result<(Self, Unsaved), KeyError> {
        let mut unsaved = Unsaved::new();
        let seal = sealing.then(|| seal_key(directory, &mut unsaved)).transpose()?;
        let mut opened = |kind| opened(directory, kind, seal.as_ref(), &mut unsaved);
        let identity = opened(Kind::Identity)?;
        let (terminals, commit) = (opened(Kind::Terminals)?, opened(Kind::Commit)?);
        let (registration, parental) = (opened(Kind::Registration)?, opened(Kind::Parental)?);
        let keys = match identity.kept().map(|record| BoxKeys::read(record, seal)) {
            Some(Ok(keys)) => keys,
            Some(Err(RecordError::Newer(format))) => return Err(KeyError::Newer("identity", format)),
            None | Some(Err(RecordError::Damaged)) => {
                if !matches!(identity, Opened::Nothing) {
                    log::warn!("the box's keys cannot be read: it gets new ones, old links are dead");
                }
                let keys = BoxKeys::make(seal).map_err(KeyError::NoEntropy)?;
                unsaved.push((Kind::Identity, keys.record().map_err(KeyError::NoEntropy)?));
                keys
            }
        };
        let (terminals, floor) = match terminals.kept().map(record::read) {
            Some(Ok(known)) => known,
            Some(Err(RecordError::Newer(format))) => return Err(KeyError::Newer("terminals", format)),
            None if matches!(terminals, Opened::Nothing) => (Terminals::default(), 0),
            None | Some(Err(RecordError::Damaged)) => {
                log::warn!("who was let in cannot be read: everybody has to pair again");
                (Terminals::default(), 0)
            }
        };
        let parental = match parental.kept().map(|record| Parental::read(record, clock::boot())) {
            Some(Ok(lock)) => lock,
            Some(Err(format @ 1..)) => return Err(KeyError::Newer("parental", format)),
            None if matches!(parental, Opened::Nothing) => Parental::default(),
            None | Some(Err(0)) => {
                log::warn!("the parental lock cannot be read: nothing is locked until it is set again");
                Parental::default()
            }
        };
        let committed = commit.kept().is_some_and(|formats| formats.first() >= Some(&record::FORMAT));
        if matches!(registration, Opened::Lost) {
            log::warn!("the keys to the box's name cannot be read: it has to be claimed again");
        }
        let registration = registration.kept().map(Into::into);
        Ok((Self { keys, terminals, parental, floor, committed, registration }, unsaved))
    }
}

/// The record that says which formats this program was told to write.
pub(super) fn commit_record() -> Vec<u8> {
    vec![record::FORMAT]
}

/// What flash holds of a record, for who only looks.
#[derive(Debug, PartialEq, Eq)]
pub enum OnFlash {
    /// It was never written.
    Nothing,
    /// It was, and cannot be read: damaged, or sealed by a key that is gone.
    Lost,
    /// This, unsealed where it was sealed. `whole`: no copy of it is damaged.
    Kept {
        /// Its bytes.
        record: Vec<u8>,
        /// Both copies are sound, where there are two.
        whole: bool,
    },
}

/// Looks at the record of `kind` and changes nothing.
pub fn look(directory: &Path, kind: Kind) -> Result<OnFlash, KeyError> {
    let (seal, _) = found(directory, Kind::Seal, None)?;
    let seal = seal.kept().and_then(|key| key.try_into().ok());
    Ok(match found(directory, kind, seal.as_ref())? {
        (Opened::Nothing, _) => OnFlash::Nothing,
        (Opened::Lost, _) => OnFlash::Lost,
        (Opened::Kept(record), again) => OnFlash::Kept { record, whole: again.is_none() },
    })
}

/// The key that others are sealed with; a new one where there is none.
fn seal_key(directory: &Path, unsaved: &mut Unsaved) -> Result<[u8; 32], KeyError> {
    if let Some(key) = opened(directory, Kind::Seal, None, unsaved)?.kept().and_then(|r| r.try_into().ok()) {
        return Ok(key);
    }
    let mut key = [0; 32];
    random::fill(&mut key).map_err(KeyError::NoEntropy)?;
    unsaved.push((Kind::Seal, key.to_vec()));
    Ok(key)
}

/// What there is of a record.
enum Opened {
    /// It was never written.
    Nothing,
    /// It was, and is damaged or sealed by a key that is gone.
    Lost,
    Kept(Vec<u8>),
}

impl Opened {
    fn kept(&self) -> Option<&[u8]> {
        if let Self::Kept(record) = self { Some(record) } else { None }
    }
}

/// The record of `kind`, the newer of its slots that are sound, unsealed where it is sealed. Where only one slot is
/// sound, the other is to be written again.
fn opened(
    directory: &Path,
    kind: Kind,
    seal: Option<&[u8; 32]>,
    unsaved: &mut Unsaved,
) -> Result<Opened, KeyError> {
    let (found, again) = found(directory, kind, seal)?;
    if let Some(record) = again {
        log::warn!("{}: one of two copies is damaged or behind, the other is used", kind.name());
        unsaved.push((kind, record));
    }
    if matches!(found, Opened::Lost) {
        log::warn!("{}: it is damaged, or sealed by a key that is gone", kind.name());
    }
    Ok(found)
}

/// The same without a word; the record that is to be written again, as flash has it, comes apart.
fn found(
    directory: &Path,
    kind: Kind,
    seal: Option<&[u8; 32]>,
) -> Result<(Opened, Option<Vec<u8>>), KeyError> {
    let (record, again) = match load(directory, kind).map_err(KeyError::Store)? {
        InSlots::Nothing => return Ok((Opened::Nothing, None)),
        InSlots::Record(record) => (record, None),
        InSlots::HalfDamaged(record) => (record.clone(), Some(record)),
        InSlots::Damaged => return Ok((Opened::Lost, None)),
    };
    if record.first() != Some(&SEALED) || kind == Kind::Seal {
        return Ok((Opened::Kept(record), again));
    }
    Ok((seal.and_then(|key| unseal(key, record)).map_or(Opened::Lost, Opened::Kept), again))
}

fn unseal(key: &[u8; 32], mut record: Vec<u8>) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(record.get(1..=NONCE_LEN)?).ok()?;
    let length = key.open_within(nonce, Aad::from([SEALED]), &mut record, 1 + NONCE_LEN..).ok()?.len();
    record.truncate(length);
    Some(record)
}

impl BoxKeys {
    /// New ones.
    pub(super) fn make(seal: Option<[u8; 32]>) -> io::Result<Self> {
        let mut link_key = [0; 32];
        random::fill(&mut link_key)?;
        Ok(Self {
            identity: Identity::make()?,
            link_key: TerminalKey::new(link_key),
            link_generation: 1,
            seal,
        })
    }

    /// New ones in place of these, under a new seal. What is to be saved comes with them.
    pub(super) fn renew(&mut self) -> io::Result<Unsaved> {
        let mut seal = self.seal.is_some().then_some([0; 32]);
        if let Some(key) = &mut seal {
            random::fill(key)?;
        }
        *self = Self::make(seal)?;
        let sealing = seal.map(|key| (Kind::Seal, key.to_vec()));
        let own = (Kind::Identity, self.record()?);
        Ok(sealing.into_iter().chain([own]).collect())
    }

    fn record(&self) -> io::Result<Vec<u8>> {
        let line = Line {
            format: FORMAT,
            link_key: *self.link_key.as_bytes(),
            link_generation: self.link_generation,
        };
        let mut record = vec![0; 64];
        let length = postcard::to_slice(&line, &mut record).map_or(0, |bytes| bytes.len()); // 36 at most
        record.truncate(length);
        record.extend(self.identity.record());
        self.seal(record)
    }

    fn read(record: &[u8], seal: Option<[u8; 32]>) -> Result<Self, RecordError> {
        if let Some(format) = record.first().filter(|format| **format > FORMAT) {
            return Err(RecordError::Newer(*format));
        }
        let line = postcard::take_from_bytes::<Line>(record).ok().filter(|(l, _)| l.format == FORMAT);
        let (line, rest) = line.ok_or(RecordError::Damaged)?;
        let identity = Identity::read(rest)?;
        let link_key = TerminalKey::new(line.link_key);
        Ok(Self { identity, link_key, link_generation: line.link_generation, seal })
    }

    /// `record` as flash may have it.
    pub(super) fn seal(&self, mut record: Vec<u8>) -> io::Result<Vec<u8>> {
        let Some(key) = &self.seal else { return Ok(record) };
        let no = |_| io::Error::other("the record cannot be sealed");
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).map_err(no)?);
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_used, Aad::from([SEALED]), &mut record).map_err(no)?;
        Ok([&[SEALED], &nonce[..], &record].concat())
    }
}
