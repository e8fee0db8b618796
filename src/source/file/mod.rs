//! A recording as a source, at its own pace.
//!
//! Owns playing a file by its clock, once or for ever. Played once, its packets come out as they are. Repeated, it is
//! one endless stream of today: clocks and counters go on across the seam, and the guide is moved to now.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::ts::clock::Ticks27M;
use crate::ts::{PACKET, Packet};

mod clocks;
mod date;
mod guide;
mod pace;
mod relive;
#[cfg(test)]
mod sample;
mod slots;
mod survey;
mod unit;

use super::url::FileSpec;
use super::{Now, SourceCounts, SourceError};
use pace::{Pace, Rate, step};
use relive::Relive;
use slots::Slots;
use survey::Survey;

/// Holds two clock references that are 100 ms apart, the most ISO 13818-1 §2.7.2 allows, at 40 Mbit/s.
const LOOK_AHEAD: usize = 512 << 10;

/// An open file. Reading it allocates nothing.
pub struct FileInput {
    path: PathBuf,
    /// What the file was when it was opened.
    version: Version,
    length: u64,
    survey: Survey,
    slots: Slots,
    pace: Pace,
    /// The rate of the last interval between two clock references.
    rate: Rate,
    /// The last clock reference of this pass.
    last: Option<Reference>,
    has_begun: bool,
    /// Where the file is repeated.
    relive: Option<Box<Relive>>,
}

/// A clock reference that went by, and the time and the packets spent since then.
struct Reference {
    pcr: Ticks27M,
    ticks: u64,
    packets: u64,
}

/// By what a file is told from what it becomes.
#[derive(PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl FileInput {
    /// Opens the file and learns its clock. Of a file to be repeated up to 80 MiB are read.
    pub fn open(spec: &FileSpec) -> Result<Self, SourceError> {
        let failed = |why| SourceError::File(spec.path.clone(), why);
        let metadata = std::fs::metadata(&spec.path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("not a regular file"))); // opening a pipe could wait for ever
        }
        let length = metadata.len();
        let mut slots = Slots::new(File::open(&spec.path).map_err(failed)?, LOOK_AHEAD);
        let survey = Survey::take(&mut slots, spec, length)?;
        slots.seek(survey.start, survey.start);
        slots.restart_counts(survey.start);
        Ok(Self {
            path: spec.path.clone(),
            version: Version::of(&metadata),
            length,
            rate: survey.mean,
            slots,
            pace: Pace::new(spec.speed),
            last: None,
            has_begun: false,
            relive: spec.repeat.then(|| Box::new(Relive::new(survey.pass, survey.date))),
            survey,
        })
    }

    /// Reads the packets that are due into `buffer`; the first is due at the first call. Gives the bytes written, and
    /// [`SourceError::End`] when a file that is not repeated has no more.
    ///
    /// A caller that comes up to a second late is given what it missed, later than that the stream goes on from where
    /// it is.
    pub fn read(&mut self, now: Now, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let position = self.pace.position(now.boot);
        let (packets, _) = buffer.as_chunks_mut();
        let mut written = 0;
        for packet in packets {
            match self.next(now, position, packet) {
                Ok(true) => written += PACKET,
                Ok(false) => break,
                Err(_) if written > 0 => break, // it fails again at the next call
                Err(why) => return Err(why),
            }
        }
        Ok(written)
    }

    /// Damage so far. What every pass meets counts in every pass.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        self.slots.counts()
    }

    /// Writes the next packet to `out`, if it is due at `position`.
    fn next(&mut self, now: Now, position: u64, out: &mut [u8; PACKET]) -> Result<bool, SourceError> {
        if self.pace.is_over() && !self.plan(now)? || !self.pace.take(position) {
            return Ok(false);
        }
        if let Some(relive) = &mut self.relive {
            relive.rewrite(self.slots.ahead_mut(), now.utc);
        }
        if let Some(slot) = self.slots.ahead().first() {
            *out = *slot;
        }
        self.slots.advance();
        Ok(true)
    }

    /// Plans the next stretch: the packets up to the next clock reference, or as many as can be seen. False where
    /// there are none before the next call.
    fn plan(&mut self, now: Now) -> Result<bool, SourceError> {
        if self.slots.ahead().is_empty() {
            if self.slots.is_at_end() {
                self.begin_pass(now)?;
            }
            self.fill()?;
        }
        let Some(slot) = self.slots.ahead().first() else { return Ok(false) };
        if let Some(pcr) = self.new_reference(slot) {
            self.last = Some(Reference { pcr, ticks: 0, packets: 0 });
        }
        let mut next = self.next_reference();
        if next.is_none() && !self.slots.is_at_end() {
            self.fill()?;
            next = self.next_reference();
        }
        let packets = next.map_or_else(|| self.slots.ahead().len(), |(packets, _)| packets) as u64;
        let ticks = match (next, &self.last) {
            (Some((_, pcr)), Some(last)) => match step(last.pcr, pcr) {
                Some(ticks) => {
                    // A rate far from the mean comes of lost packets: it holds here, and is not to be gone on with.
                    let rate =
                        Rate::new(ticks, last.packets + packets).filter(|r| r.is_near(self.survey.mean));
                    self.rate = rate.unwrap_or(self.survey.mean);
                    ticks.saturating_sub(last.ticks)
                }
                None => self.rate.ticks_for(packets),
            },
            (None, Some(_)) if !self.slots.is_at_end() => self.rate.ticks_for(packets),
            // Before the first reference and behind the last: the mean, by which the length of a pass is reckoned too.
            _ => self.survey.mean.ticks_for(packets),
        };
        if let Some(last) = &mut self.last {
            last.ticks = last.ticks.saturating_add(ticks);
            last.packets += packets;
        }
        self.pace.begin(packets, ticks);
        Ok(true)
    }

    fn begin_pass(&mut self, now: Now) -> Result<(), SourceError> {
        if self.relive.is_some() && self.has_begun && self.has_changed() {
            return Err(SourceError::Changed(self.path.clone()));
        }
        match &mut self.relive {
            Some(relive) => relive.begin(!self.has_begun, now.utc),
            None if self.has_begun => return Err(SourceError::End),
            None => {}
        }
        self.has_begun = true;
        self.last = None;
        self.slots.seek(self.survey.start, self.length);
        Ok(())
    }

    /// Another file has its name, or it was written to. Without a name it is what it was.
    fn has_changed(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| Version::of(&metadata) != self.version)
    }

    fn fill(&mut self) -> Result<(), SourceError> {
        self.slots.fill().map_err(|why| SourceError::File(self.path.clone(), why))
    }

    /// The next clock reference behind the next packet, and how many packets it is away.
    fn next_reference(&self) -> Option<(usize, Ticks27M)> {
        let mut slots = self.slots.ahead().iter().enumerate().skip(1);
        slots.find_map(|(i, slot)| Some((i, self.new_reference(slot)?)))
    }

    /// The clock reference of `slot`. One that says what the last one said is that of a duplicate packet.
    fn new_reference(&self, slot: &[u8; PACKET]) -> Option<Ticks27M> {
        let packet = Packet::new(slot).ok().filter(|p| p.pid() == self.survey.clock)?;
        packet.pcr().filter(|pcr| self.last.as_ref().is_none_or(|last| last.pcr != *pcr))
    }
}

#[cfg(test)]
mod tests;
