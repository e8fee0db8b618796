//! The helper process that drives one frontend: opening, tuning, DiSEqC and closing may sleep for as long as a driver
//! likes, and the box's one thread must not wait.
//!
//! The same binary, started with [`HELPER`](super::HELPER) and the device, a socket as standard input. It has one thread,
//! closes the frontend when it is told to or when it ends, and ends with its parent. What it cannot say, because it is
//! stuck in a driver, its silence says.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use super::dish::Plan;
use super::lock::Lock;
use super::thread::Thread;
use super::{Capabilities, Command, Failure, MESSAGE_MAX, Report, Stage, properties, signal};
use crate::delivery::{Device, System, Tuning};
use crate::sys::clock;
use crate::sys::dvb::frontend::{Access, Frontend, Status};

/// A frontend that is open is looked at so often, for drivers that tell nothing by themselves.
const TICK_MS: u16 = 200;
/// What is said while a frontend is open, is said so often.
const TELL: Duration = Duration::from_secs(1);
/// One that is to be watched and cannot be is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Looks without a lock until somebody else's mux counts as gone, where its frequency stayed.
const LOOKS: u8 = 3;
/// Messages to a single cable may meet another tuner's on the way: without a lock they are said again after this.
const SAY_AGAIN: Duration = Duration::from_millis(1500);

/// What the process does: commands from standard input.
#[must_use]
pub fn main(device: &Device) -> ExitCode {
    // Its parent may die by a signal that leaves no time for anything.
    if nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).is_err() {
        return ExitCode::FAILURE;
    }
    // It needs its device, and nothing else that its user may: no more rights by any program, no directory kept busy.
    if nix::sys::prctl::set_no_new_privs().is_err() || std::env::set_current_dir("/").is_err() {
        return ExitCode::FAILURE;
    }
    match serve(io::stdin().as_fd(), device, || device.node("frontend")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("stbcastd {} {device}: {e}", super::HELPER);
            ExitCode::FAILURE
        }
    }
}

/// Until the other end of `line` is closed. `node` says where the frontend is now.
pub(super) fn serve(line: BorrowedFd<'_>, device: &Device, node: impl Fn() -> PathBuf) -> Result<(), Errno> {
    let mut helper =
        Helper { line, device, node, doing: Doing::Nothing, told: Duration::ZERO, is_deaf: false };
    while helper.turn()? {}
    Ok(())
}

struct Helper<'a, N> {
    line: BorrowedFd<'a>,
    device: &'a Device,
    node: N,
    doing: Doing,
    /// When it last said that it lives.
    told: Duration,
    /// The frontend has something to say that no call takes from it: it is looked at by the clock alone.
    is_deaf: bool,
}

/// What it was told, and how far that is.
enum Doing {
    Nothing,
    Watching(Watch),
    Tuning(Box<Tune>),
}

struct Watch {
    serial: u16,
    frontend: Option<Frontend>,
    thread: Thread,
    /// What was said last.
    seen: Option<Result<Option<Tuning>, Failure>>,
    looks: u8,
    tried: Duration,
}

struct Tune {
    serial: u16,
    tuning: Tuning,
    frontend: Frontend,
    lock: Lock,
    trouble: Option<Errno>,
    asked_cable: Duration,
}

impl<N: Fn() -> PathBuf> Helper<'_, N> {
    /// Waits for something, and does it. `false`: the line is closed.
    fn turn(&mut self) -> Result<bool, Errno> {
        let begin = clock::boot();
        let (is_told, has_event) = self.wait()?;
        let waited = clock::boot().saturating_sub(begin);
        if is_told {
            match self.command()? {
                Told::Nothing => {}
                Told::Closed => return Ok(false),
                Told::Command(command) => return self.obey(&command).map(|()| true),
            }
        }
        let now = clock::boot();
        let is_time = now.saturating_sub(self.told) >= TELL && !matches!(self.doing, Doing::Nothing);
        if is_time {
            self.told = now;
            self.say(&Report::Alive)?;
        }
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => {}
            Doing::Watching(watch) => self.doing = Doing::Watching(self.look(watch, now)?),
            Doing::Tuning(tune) => self.doing = self.follow(tune, waited, has_event, is_time)?,
        }
        Ok(true)
    }

    /// For the line, for the frontend that was told to tune, or for the next look.
    fn wait(&mut self) -> Result<(bool, bool), Errno> {
        let frontend = match &self.doing {
            Doing::Tuning(tune) if !self.is_deaf => Some(tune.frontend.as_fd()),
            _ => None,
        };
        let timeout = if matches!(self.doing, Doing::Nothing) { PollTimeout::NONE } else { TICK_MS.into() };
        let line = PollFd::new(self.line, PollFlags::POLLIN);
        let (told, event) = match frontend {
            None => {
                let mut fds = [line];
                poll_again(&mut fds, timeout)?;
                (fds[0].revents(), None)
            }
            Some(frontend) => {
                let mut fds = [line, PollFd::new(frontend, PollFlags::POLLIN)];
                poll_again(&mut fds, timeout)?;
                (fds[0].revents(), fds[1].revents())
            }
        };
        self.is_deaf = false;
        let any = |flags: Option<PollFlags>| flags.is_some_and(|flags| !flags.is_empty());
        Ok((any(told), any(event)))
    }

    /// The last of the commands that wait: what was told before it counts no more.
    fn command(&self) -> Result<Told, Errno> {
        let mut told = Told::Nothing;
        let mut bytes = [0; MESSAGE_MAX];
        loop {
            match recv(self.line.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => return Ok(Told::Closed),
                Ok(n) => {
                    let command = postcard::from_bytes(&bytes[..n]).map_err(|_| Errno::EBADMSG)?;
                    told = Told::Command(command);
                }
                Err(Errno::EAGAIN) => return Ok(told),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn obey(&mut self, command: &Command) -> Result<(), Errno> {
        let before = std::mem::replace(&mut self.doing, Doing::Nothing);
        self.told = clock::boot();
        match *command {
            Command::Release { serial } => {
                self.close(before);
                self.stage(serial, Stage::Released)
            }
            Command::Watch { serial } => {
                self.close(before);
                let thread = Thread::new(self.device, "/proc");
                let watch =
                    Watch { serial, frontend: None, thread, seen: None, looks: 0, tried: Duration::ZERO };
                self.doing = Doing::Watching(self.look(watch, clock::boot())?);
                Ok(())
            }
            Command::Tune { serial, tuning } => {
                let frontend = match before {
                    Doing::Tuning(tune) => Some(tune.frontend),
                    Doing::Watching(_) | Doing::Nothing => None,
                };
                self.tune(serial, tuning, frontend)
            }
        }
    }

    /// Closes what is open. Its driver powers it down.
    fn close(&self, doing: Doing) {
        let frontend = match doing {
            Doing::Tuning(tune) if tune.tuning.system.is_satellite() => tune.frontend,
            _ => return,
        };
        if let Some(plan) = Plan::farewell(&self.device.dish) {
            let _gone_anyway = plan.run(&frontend);
        }
    }

    /// Opens it where `frontend` is not it already, and tells it the mux.
    fn tune(&mut self, serial: u16, tuning: Tuning, frontend: Option<Frontend>) -> Result<(), Errno> {
        let is_cold = frontend.is_none();
        let frontend = match frontend {
            Some(frontend) => frontend,
            None => match self.open(Access::Tune)? {
                Ok(frontend) => frontend,
                Err(why) => return self.stage(serial, Stage::Failed(why)),
            },
        };
        self.doing = match self.start(&frontend, &tuning, is_cold) {
            Ok(()) => Doing::Tuning(Box::new(Tune {
                serial,
                tuning,
                frontend,
                lock: Lock::new(tuning.system),
                trouble: None,
                asked_cable: clock::boot(),
            })),
            Err(why) => {
                drop(frontend); // who failed has nothing open
                return self.stage(serial, Stage::Failed(why));
            }
        };
        Ok(())
    }

    /// Opens it, and says what it is.
    fn open(&self, access: Access) -> Result<Result<Frontend, Failure>, Errno> {
        let opened = open(&(self.node)(), access);
        Ok(match opened {
            Ok((frontend, capabilities)) => {
                self.say(&Report::Opened(capabilities))?;
                Ok(frontend)
            }
            Err(why) => Err(why),
        })
    }

    fn start(&self, frontend: &Frontend, tuning: &Tuning, is_cold: bool) -> Result<(), Failure> {
        let known = frontend.systems().map_err(failure)?;
        let is_unknown = !known.is_empty() && !known.contains(&(tuning.system as u8));
        match frontend.set(&properties::begin(tuning.system)) {
            _ if is_unknown => return Err(Failure::System(tuning.system)),
            Err(Errno::EINVAL) => return Err(Failure::System(tuning.system)),
            begun => begun.map_err(failure)?,
        }
        let is_satellite = tuning.system.is_satellite();
        let plan = is_satellite.then(|| Plan::new(&self.device.dish, tuning, is_cold).ok_or(Failure::Dish));
        let plan = plan.transpose()?;
        let frequency = plan.as_ref().map_or(tuning.frequency, |plan| plan.frequency);
        in_range(frontend.info().map_err(failure)?.range, frequency, is_satellite)?;
        if let Some(plan) = plan {
            plan.run(frontend)?;
        }
        frontend.set(&properties::tune(tuning, frequency)).map_err(failure)
    }

    /// What became of a tuning meanwhile.
    fn follow(
        &mut self,
        mut tune: Box<Tune>,
        waited: Duration,
        has_event: bool,
        is_time: bool,
    ) -> Result<Doing, Errno> {
        let mut took_event = false;
        let status = loop {
            match if has_event { tune.frontend.event() } else { Ok(None) } {
                Ok(Some(status)) if status.has_lock() => {
                    took_event = true;
                    self.stages(&mut tune, status)?;
                }
                Ok(Some(_)) => took_event = true, // what it had on the way, or lost: the look below says what it has
                Ok(None) => break tune.frontend.status(),
                Err(e) => break Err(e),
            }
        };
        self.is_deaf = has_event && !took_event;
        tune.trouble = status.err();
        if tune.trouble == Some(Errno::ENODEV) {
            let serial = tune.serial;
            drop(tune);
            self.stage(serial, Stage::Failed(Failure::Gone))?;
            return Ok(Doing::Nothing);
        }
        self.stages(&mut tune, status.unwrap_or_default())?;
        if let Some(why) = tune.lock.wait(waited) {
            let (serial, why) = (tune.serial, tune.trouble.map_or(why, |e| Failure::Kernel(e as i32)));
            self.close(Doing::Tuning(tune));
            self.stage(serial, Stage::Failed(why))?;
            return Ok(Doing::Nothing);
        }
        if is_time {
            let answers = tune.frontend.readings(signal::ASKED).unwrap_or_default();
            self.say(&Report::Signal(signal::signal(answers)))?;
        }
        self.ask_cable_again(&mut tune);
        Ok(Doing::Tuning(tune))
    }

    fn stages(&self, tune: &mut Tune, status: Status) -> Result<(), Errno> {
        tune.lock.see(status).into_iter().try_for_each(|stage| self.stage(tune.serial, stage))
    }

    fn ask_cable_again(&self, tune: &mut Tune) {
        let is_lost = self.device.dish.cable.is_some() && !tune.lock.is_locked();
        let now = clock::boot();
        // Not all at the same time: those of one cable have different slots.
        let slot = self.device.dish.cable.map_or(0, |cable| u32::from(cable.slot));
        if is_lost
            && tune.tuning.system.is_satellite()
            && now.saturating_sub(tune.asked_cable) >= SAY_AGAIN + Duration::from_millis(70) * slot
            && let Some(plan) = Plan::new(&self.device.dish, &tune.tuning, false)
        {
            tune.asked_cable = now;
            let _looked_at_next = plan.run(&tune.frontend);
        }
    }

    /// What somebody else does with it. Whatever goes wrong is said once, and tried again.
    fn look(&self, mut watch: Watch, now: Duration) -> Result<Watch, Errno> {
        if watch.frontend.is_none() && now.saturating_sub(watch.tried) < RETRY && watch.seen.is_some() {
            return Ok(watch);
        }
        if watch.frontend.is_none() {
            watch.tried = now;
            match self.open(Access::Look)? {
                Ok(frontend) => watch.frontend = Some(frontend),
                Err(why) => return self.tell_seen(watch, Err(why)),
            }
        }
        let Some(frontend) = &watch.frontend else { return Ok(watch) };
        let status = frontend.status();
        let answers = frontend.get(properties::ASKED);
        let seen = match (status, answers) {
            (Err(Errno::ENODEV), _) | (_, Err(Errno::ENODEV)) => {
                watch.frontend = None;
                watch.tried = now;
                return self.tell_seen(watch, Err(Failure::Gone));
            }
            _ if watch.thread.is_gone(now) => None,
            (Ok(status), Ok(answers)) => {
                let mux = properties::seen(answers, &self.device.dish);
                let is_same = matches!(&watch.seen, Some(Ok(Some(before))) if Some(*before) == mux);
                watch.looks = if status.has_lock() { 0 } else { watch.looks.saturating_add(1) };
                mux.filter(|_| status.has_lock() || is_same && watch.looks < LOOKS)
            }
            _ => None,
        };
        self.tell_seen(watch, Ok(seen))
    }

    fn tell_seen(&self, mut watch: Watch, seen: Result<Option<Tuning>, Failure>) -> Result<Watch, Errno> {
        if watch.seen.as_ref() != Some(&seen) {
            let serial = watch.serial;
            match &seen {
                Ok(tuning) => self.say(&Report::Seen { serial, tuning: *tuning })?,
                Err(why) => self.stage(serial, Stage::Failed(why.clone()))?,
            }
            watch.seen = Some(seen);
        }
        Ok(watch)
    }

    fn stage(&self, serial: u16, stage: Stage) -> Result<(), Errno> {
        self.say(&Report::Stage { serial, stage })
    }

    fn say(&self, report: &Report) -> Result<(), Errno> {
        let mut bytes = [0; MESSAGE_MAX];
        let message = postcard::to_slice(report, &mut bytes).map_err(|_| Errno::EMSGSIZE)?;
        loop {
            match send(self.line.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(|_| ()),
            }
        }
    }
}

/// What was on the line.
enum Told {
    Nothing,
    Command(Command),
    Closed,
}

fn poll_again(fds: &mut [PollFd<'_>], timeout: PollTimeout) -> Result<(), Errno> {
    loop {
        match poll(fds, timeout) {
            Err(Errno::EINTR) => {}
            done => return done.map(|_| ()),
        }
    }
}

/// Opens the frontend at `path`, and learns what it is.
pub(super) fn open(path: &Path, access: Access) -> Result<(Frontend, Capabilities), Failure> {
    let frontend = Frontend::open(path, access).map_err(|e| match e {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ENXIO => Failure::NoDevice,
        Errno::EACCES | Errno::EPERM => Failure::Permission,
        Errno::EBUSY => Failure::Busy,
        Errno::EISDIR => Failure::NotAFrontend,
        e => failure(e),
    })?;
    let info = frontend.info().map_err(|e| match e {
        Errno::ENOTTY | Errno::EINVAL => Failure::NotAFrontend,
        e => failure(e),
    })?;
    let systems = frontend.systems().map_err(failure)?;
    let name = info.name.chars().filter(|c| !c.is_control());
    let mut capabilities = Capabilities { range: info.range, ..Capabilities::default() };
    for c in name {
        if capabilities.name.push(c).is_err() {
            break;
        }
    }
    capabilities.systems = systems.into_iter().filter_map(System::from_number).take(12).collect();
    Ok((frontend, capabilities))
}

fn failure(e: Errno) -> Failure {
    match e {
        Errno::ENODEV => Failure::Gone,
        e => Failure::Kernel(e as i32),
    }
}

/// `range` is in Hz, `frequency` of satellites in kHz.
fn in_range(range: (u32, u32), frequency: u32, is_satellite: bool) -> Result<(), Failure> {
    let khz = if is_satellite { frequency } else { frequency / 1000 };
    let (from, to) = (range.0 / 1000, range.1 / 1000);
    if to == 0 || (from..=to).contains(&khz) { Ok(()) } else { Err(Failure::Frequency(from, to)) }
}

#[cfg(test)]
mod tests;
