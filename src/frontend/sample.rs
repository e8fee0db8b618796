//! A frontend whose helper is the test.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv, send};

use super::{Command, Frontend, Helper, MESSAGE_MAX, Report, line};

/// The helper's end.
pub(crate) struct Script(OwnedFd);

impl Script {
    /// The next command, where one was given.
    pub(crate) fn told(&self) -> Option<Command> {
        let mut bytes = [0; MESSAGE_MAX];
        let n = recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).ok().filter(|n| *n > 0)?;
        postcard::from_bytes(&bytes[..n]).ok()
    }

    /// Nobody is at the other end any more.
    pub(crate) fn is_alone(&self) -> bool {
        recv(self.0.as_raw_fd(), &mut [0; MESSAGE_MAX], MsgFlags::MSG_DONTWAIT) == Ok(0)
    }

    /// Says something.
    pub(crate) fn say(&self, report: &Report) {
        let mut bytes = [0; MESSAGE_MAX];
        let message = postcard::to_slice(report, &mut bytes).unwrap();
        send(self.0.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL).unwrap();
    }
}

/// The frontend `device`, and its helper. Once the helper's end is dropped, the next command starts a real process.
pub(crate) fn scripted(device: &str) -> (Frontend, Script) {
    let (ours, theirs) = line().unwrap();
    let mut frontend = Frontend::new(device.parse().unwrap());
    frontend.helper = Some(Helper { child: None, line: ours, heard: Duration::ZERO });
    (frontend, Script(theirs))
}

#[test]
fn what_the_helper_says_is_the_state() {
    use super::{Failure, Stage, State};
    let (mut frontend, helper) = scripted("0");
    frontend.tune("dvb-t:474000000".parse().unwrap(), Duration::ZERO);
    let Some(Command::Tune { serial, .. }) = helper.told() else { panic!("nothing was told") };
    assert_eq!(frontend.state(), &State::Tuning);
    helper.say(&Report::Stage { serial: serial.wrapping_sub(1), stage: Stage::Failed(Failure::NoLock(1)) });
    assert!(!frontend.poll(Duration::ZERO), "of the command before");
    helper.say(&Report::Stage { serial, stage: Stage::Locked });
    assert!(frontend.poll(Duration::ZERO));
    assert_eq!(frontend.state(), &State::Locked);
    assert_eq!(frontend.deadline(), Some(super::SILENCE));
    assert!(frontend.poll(super::SILENCE));
    assert_eq!(frontend.state(), &State::Failed(Failure::Stuck));
}

#[test]
fn who_has_nothing_to_say_is_not_stuck() {
    use super::{Failure, Stage, State};
    let (mut frontend, helper) = scripted("0");
    frontend.tune("dvb-t:474000000".parse().unwrap(), Duration::ZERO);
    let Some(Command::Tune { serial, .. }) = helper.told() else { panic!("nothing was told") };
    helper.say(&Report::Stage { serial, stage: Stage::Failed(Failure::NoLock(4000)) });
    assert!(frontend.poll(Duration::ZERO));
    assert_eq!(frontend.deadline(), None);
    assert!(!frontend.poll(super::SILENCE * 2));
    assert_eq!(frontend.state(), &State::Failed(Failure::NoLock(4000)));
    // From the next command on it has.
    frontend.release(super::SILENCE * 2);
    assert!(!frontend.poll(super::SILENCE * 2));
    assert_eq!(frontend.state(), &State::Releasing);
    frontend.poll(super::SILENCE * 3);
    assert_eq!(frontend.state(), &State::Failed(Failure::Stuck));
}

#[test]
fn a_helper_that_died_is_said_and_the_next_command_starts_another() {
    use super::{Failure, State};
    let (mut frontend, helper) = scripted("0");
    frontend.watch(Duration::ZERO);
    drop(helper);
    assert!(frontend.poll(Duration::ZERO));
    assert_eq!(frontend.state(), &State::Failed(Failure::Died));
    assert!(frontend.line().is_none());
    // A real process: this one, which is no helper and ends at once.
    frontend.watch(Duration::ZERO);
    assert_eq!(frontend.state(), &State::Watching(None));
    let child =
        frontend.helper.as_ref().and_then(|helper| helper.child.as_ref()).map(std::process::Child::id);
    let stat = format!("/proc/{}/stat", child.unwrap());
    let waited = std::time::Instant::now();
    while frontend.state() != &State::Failed(Failure::Died) || !frontend.hanging.is_empty() {
        assert!(waited.elapsed() < Duration::from_secs(60), "{:?}", frontend.state());
        std::thread::sleep(Duration::from_millis(5));
        frontend.poll(Duration::ZERO);
    }
    assert!(!std::path::Path::new(&stat).exists(), "no zombie is left of it");
}

#[test]
fn one_that_takes_no_commands_is_stuck() {
    use super::{Failure, State};
    let (mut frontend, helper) = scripted("0");
    for _ in 0..100_000 {
        frontend.watch(Duration::ZERO);
        if frontend.state() == &State::Failed(Failure::Stuck) {
            break;
        }
    }
    assert_eq!(frontend.state(), &State::Failed(Failure::Stuck));
    drop(helper);
}
