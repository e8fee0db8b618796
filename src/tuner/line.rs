//! The line to a mux: its input, and what becomes of it when nothing comes.
//!
//! Owns noticing silence. A line that fell silent is opened anew now and then, for who is in a multicast group loses it
//! with the interface, and a file that was written over is another file. After [`SILENCE_MAX`] it is given up.

use std::time::Duration;

use crate::board;
use crate::delivery::Device;
use crate::source::dvb::DvbInput;
use crate::source::{Input, Now, SourceCounts, SourceError, SourceUrl};

/// Without a packet for so long, a line is silent.
const SILENCE: Duration = Duration::from_secs(2);
/// Without one for so long, it is opened anew; after twice as long again, and so on.
const REOPEN: Duration = Duration::from_secs(5);
/// Without one for so long, those who watch are let go.
const SILENCE_MAX: Duration = Duration::from_millis(board::SILENCE_MAX_MS);

/// An input, through all its openings.
pub(super) struct Line {
    url: SourceUrl,
    /// `None` while it cannot be opened anew.
    input: Option<Input>,
    /// Damage met by the inputs before this one.
    before: SourceCounts,
    last_packet: Duration,
    /// When it is opened anew if it is still silent, counted from the last packet.
    reopen: Duration,
    silent: bool,
    /// What comes next does not follow what came last, and that was not said yet.
    broken: bool,
}

impl Line {
    pub(super) fn open(url: &SourceUrl, now: Duration) -> Result<Self, SourceError> {
        Ok(Self::new(url.clone(), Input::open(url, board::INPUT_BUFFER_BYTES)?, now))
    }

    /// What the tuner of `device` has.
    pub(super) fn open_air(device: &Device, now: Duration) -> Result<Self, SourceError> {
        let input = DvbInput::open(device, board::INPUT_BUFFER_BYTES, board::HARDWARE_FILTERS)?;
        Ok(Self::new(SourceUrl::Dvb(device.clone()), Input::Dvb(Box::new(input)), now))
    }

    fn new(url: SourceUrl, input: Input, now: Duration) -> Self {
        Self {
            url,
            input: Some(input),
            before: SourceCounts::default(),
            last_packet: now,
            reopen: REOPEN,
            silent: false,
            broken: false,
        }
    }

    /// The filters of a tuner's demultiplexer, where it has one for each service.
    pub(super) fn filters(&mut self) -> Option<&mut DvbInput> {
        match &mut self.input {
            Some(Input::Dvb(input)) if !input.is_whole() => Some(input),
            _ => None,
        }
    }

    /// Reads what is due into `buffer`.
    pub(super) fn read(&mut self, now: Now, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let Some(input) = &mut self.input else { return Ok(0) };
        match input.read(now, buffer) {
            Err(why @ (SourceError::Changed(_) | SourceError::Unplugged(_))) => {
                log::warn!("{}: {why}", self.url);
                self.reopen(now.boot);
                Ok(0)
            }
            read => read,
        }
    }

    /// Draws the conclusion from a tick in which `bytes` came. Fails once it was silent for too long.
    pub(super) fn listen(&mut self, now: Duration, bytes: usize) -> Result<(), SourceError> {
        if bytes > 0 {
            (self.last_packet, self.reopen, self.silent) = (now, REOPEN, false);
            return Ok(());
        }
        let silence = now.saturating_sub(self.last_packet);
        let was_silent = std::mem::replace(&mut self.silent, silence >= SILENCE);
        self.broken |= self.silent && !was_silent;
        if silence >= SILENCE_MAX {
            return Err(SourceError::Silent(SILENCE_MAX));
        }
        // A file goes on by itself, as slowly as it is to be played; filters, when the tuner has its signal again.
        let stays = self.input.is_some() && matches!(self.url, SourceUrl::File(_) | SourceUrl::Dvb(_));
        if silence >= self.reopen && !stays {
            self.reopen(now);
        }
        Ok(())
    }

    /// When the last packet came, or the line was opened.
    pub(super) fn last_packet(&self) -> Duration {
        self.last_packet
    }

    /// No packet came for a while.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// What comes next does not follow what came last: there was silence, or the input is another. Said once.
    pub(super) fn take_break(&mut self) -> bool {
        if let Some(Input::Dvb(input)) = &mut self.input {
            self.broken |= input.take_break();
        }
        std::mem::take(&mut self.broken)
    }

    /// What comes next does not follow what came last.
    pub(super) fn expect_break(&mut self) {
        self.broken = true;
    }

    /// Damage since the line was first opened.
    pub(super) fn counts(&self) -> SourceCounts {
        self.before + self.input.as_ref().map(Input::counts).unwrap_or_default()
    }

    /// Opens the input anew. The old one goes first: only who has left a group joins it.
    fn reopen(&mut self, now: Duration) {
        self.before = self.counts();
        self.input = None;
        self.broken = true;
        let silence = now.saturating_sub(self.last_packet);
        self.reopen = silence.max(REOPEN / 2) * 2;
        match Input::open(&self.url, board::INPUT_BUFFER_BYTES) {
            Ok(input) => {
                log::info!("{}: opened anew", self.url);
                self.input = Some(input);
            }
            Err(why) => log::warn!("{}: cannot be opened anew: {why}", self.url),
        }
    }
}
