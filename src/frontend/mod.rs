//! A frontend: what a tuner is told, and what it says.
//!
//! Owns the helper process of each frontend, for whatever may sleep in its driver: opening, tuning, DiSEqC, closing;
//! how long a lock may take; the restart of a helper that dies or falls silent. Knows nothing of muxes, services or
//! who wants what.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use heapless::Vec;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use crate::delivery::{Device, Tuning};
use crate::sys::dvb::frontend::Access;

mod dish;
pub mod helper;
mod line;
mod lock;
mod properties;
mod signal;
mod thread;

pub use line::{Capabilities, Command, Failure, MESSAGE_MAX, Report, Signal, Stage};

/// The argument that makes the binary a frontend's helper; behind it stands the device, as in `dvb:DEVICE`.
pub const HELPER: &str = "helper-frontend";
/// A helper that says nothing for so long while it has the frontend open is stuck. Drivers were seen to sleep 3 s.
const SILENCE: Duration = Duration::from_secs(15);
/// Helpers that were ended and still hang in their driver: while there are so many, no other is started.
const HANGING_MAX: usize = 4;
/// So often it is looked whether those came to their end.
const REAP: Duration = Duration::from_secs(1);

/// What a frontend does.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing: it is closed.
    Idle,
    /// It was told to tune, and has no lock yet.
    Tuning,
    /// It has a lock.
    Locked,
    /// It had one and lost it; it goes on trying.
    Lost,
    /// It gave up, and closed it.
    Failed(Failure),
    /// It is open for reading alone; somebody else has it tuned to this, or to nothing.
    Watching(Option<Tuning>),
    /// It was told to close, and has not yet.
    Releasing,
}

/// A frontend of this machine, and the process that drives it.
pub struct Frontend {
    device: Device,
    helper: Option<Helper>,
    serial: u16,
    state: State,
    capabilities: Option<Capabilities>,
    signal: Signal,
    /// Ended, and not yet at their end.
    hanging: Vec<Child, HANGING_MAX>,
    polled: Duration,
    stages: Stages,
}

/// When a tuning came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// The helper was told.
    pub told: Duration,
    /// The driver took it.
    pub tuned: Option<Duration>,
    /// It had its first lock.
    pub locked: Option<Duration>,
}

/// A running helper.
struct Helper {
    /// `None` in tests, where the test is at the other end.
    child: Option<Child>,
    line: OwnedFd,
    /// When it last said something, or was told something after it had the frontend closed.
    heard: Duration,
}

impl Frontend {
    /// A frontend that is not touched before it is told something.
    #[must_use]
    pub fn new(device: Device) -> Self {
        Self {
            device,
            helper: None,
            serial: 0,
            state: State::Idle,
            capabilities: None,
            signal: Signal::default(),
            hanging: Vec::new(),
            polled: Duration::ZERO,
            stages: Stages::default(),
        }
    }

    /// Which one it is.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it is; `None` until it was opened once.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// How well it receives, as it said last.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// When the tuning that it was told last came how far.
    #[must_use]
    pub fn stages(&self) -> Stages {
        self.stages
    }

    /// Becomes readable when [`Frontend::poll`] has something; another one after each restart of the helper.
    #[must_use]
    pub fn line(&self) -> Option<BorrowedFd<'_>> {
        self.helper.as_ref().map(|helper| helper.line.as_fd())
    }

    /// Opens it for writing where it is not, and tunes it.
    pub fn tune(&mut self, tuning: Tuning, now: Duration) {
        let serial = self.next_serial();
        self.signal = Signal::default();
        self.stages = Stages { told: now, tuned: None, locked: None };
        self.tell(&Command::Tune { serial, tuning }, State::Tuning, now);
    }

    /// Opens it for reading alone, and follows what somebody else does with it.
    pub fn watch(&mut self, now: Duration) {
        let serial = self.next_serial();
        self.tell(&Command::Watch { serial }, State::Watching(None), now);
    }

    /// Closes it.
    pub fn release(&mut self, now: Duration) {
        let serial = self.next_serial();
        if self.helper.is_none() {
            self.state = State::Idle;
        } else {
            self.tell(&Command::Release { serial }, State::Releasing, now);
        }
    }

    /// When [`Frontend::poll`] has something to do though nothing was said; `None`: not before something is.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let silence = self.helper.as_ref().filter(|_| self.is_talking()).map(|helper| helper.heard + SILENCE);
        let reap = (!self.hanging.is_empty()).then_some(self.polled + REAP);
        silence.into_iter().chain(reap).min()
    }

    /// Takes what the helper said. Answers whether the state is another now; cheap when nothing was said.
    pub fn poll(&mut self, now: Duration) -> bool {
        self.polled = now;
        self.reap();
        let before = self.state.clone();
        while let Some(helper) = &mut self.helper {
            let mut bytes = [0; MESSAGE_MAX];
            match recv(helper.line.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => self.lose(Failure::Died),
                Ok(n) => {
                    helper.heard = now;
                    match postcard::from_bytes(&bytes[..n]) {
                        Ok(report) => self.take(report, now),
                        Err(_) => self.lose(Failure::Died), // it is not the program that it was
                    }
                }
                Err(Errno::EAGAIN) => {
                    let silence = now.saturating_sub(helper.heard);
                    if silence >= SILENCE && self.is_talking() {
                        self.lose(Failure::Stuck);
                    }
                    break;
                }
                Err(Errno::EINTR) => {}
                Err(_) => self.lose(Failure::Died),
            }
        }
        self.state != before
    }

    fn take(&mut self, report: Report, now: Duration) {
        match report {
            Report::Alive => {}
            Report::Opened(capabilities) => self.capabilities = Some(capabilities),
            Report::Signal(signal) => self.signal = signal,
            Report::Seen { serial, tuning } if serial == self.serial => self.state = State::Watching(tuning),
            Report::Stage { serial, stage } if serial == self.serial => {
                match stage {
                    Stage::Tuned => _ = self.stages.tuned.get_or_insert(now),
                    Stage::Locked => _ = self.stages.locked.get_or_insert(now),
                    _ => {}
                }
                self.state = match stage {
                    Stage::Tuned => State::Tuning,
                    Stage::Locked => State::Locked,
                    Stage::Lost => State::Lost,
                    // One of our own, which nobody could end.
                    Stage::Failed(Failure::Busy) if !self.hanging.is_empty() => State::Failed(Failure::Stuck),
                    Stage::Failed(why) => State::Failed(why),
                    Stage::Released => State::Idle,
                };
            }
            Report::Seen { .. } | Report::Stage { .. } => {} // of a command before
        }
    }

    /// Its helper has something to say, once a second at least.
    fn is_talking(&self) -> bool {
        !matches!(self.state, State::Idle | State::Failed(_))
    }

    fn reap(&mut self) {
        self.hanging.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    fn next_serial(&mut self) -> u16 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    fn tell(&mut self, command: &Command, then: State, now: Duration) {
        match self.try_tell(command, now) {
            Ok(()) => self.state = then,
            Err(why) => self.lose(why),
        }
    }

    fn try_tell(&mut self, command: &Command, now: Duration) -> Result<(), Failure> {
        self.reap();
        let is_talking = self.is_talking();
        let helper = match &mut self.helper {
            Some(helper) => helper,
            None if self.hanging.is_full() => return Err(Failure::Stuck),
            None => {
                let started = Helper::start(&self.device, now);
                self.helper.insert(started.map_err(|e| {
                    log::warn!("dvb:{}: its helper: {e}", self.device);
                    Failure::Died
                })?)
            }
        };
        if !is_talking {
            helper.heard = now; // it had nothing to say
        }
        let mut bytes = [0; MESSAGE_MAX];
        let message = postcard::to_slice(command, &mut bytes).map_err(|_| Failure::Died)?;
        // Commands are few and small; a line that is full is that of a helper that takes none.
        match send(helper.line.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::EAGAIN) => Err(Failure::Stuck),
            Err(_) => Err(Failure::Died),
        }
    }

    /// The helper is of no use any more. The next command starts another.
    fn lose(&mut self, why: Failure) {
        let child = self.helper.take().and_then(|mut helper| helper.child.take());
        if let Some(mut child) = child {
            let _ended_before = child.kill();
            if matches!(child.try_wait(), Ok(None)) {
                let _room = self.hanging.push(child); // none is started while they are as many as there is room for
            }
        }
        self.state = State::Failed(why);
    }
}

/// What the frontend at `node` is. It is opened for reading alone, so who tunes it notices nothing; it may still sleep.
pub fn look(node: &Path) -> Result<Capabilities, Failure> {
    helper::open(node, Access::Look).map(|(_, capabilities)| capabilities)
}

impl Helper {
    fn start(device: &Device, now: Duration) -> io::Result<Self> {
        let (ours, theirs) = line()?;
        let child = Process::new(std::env::current_exe()?)
            .arg(HELPER)
            .arg(device.to_string())
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child: Some(child), line: ours, heard: now })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that hangs in the kernel ends when its driver lets it; nobody waits for it.
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _reaped = child.try_wait();
        }
    }
}

/// A line: messages keep their borders.
fn line() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

#[cfg(test)]
mod on_vidtv;
#[cfg(test)]
pub(crate) mod sample;
