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
    assert!(frontend.poll(super::SILENCE));
    assert_eq!(frontend.state(), &State::Failed(Failure::Stuck));
}
