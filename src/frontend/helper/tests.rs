//! The helper on nodes that are no frontends; what a frontend does is in `on_vidtv`.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::*;
use crate::frontend::line;

/// What a helper says that is told by `talk`, whose frontend is at `node`.
fn helped(node: &str, talk: impl FnOnce(&End)) -> Result<(), Errno> {
    let (ours, theirs) = line().unwrap();
    let path = PathBuf::from(node);
    std::thread::scope(|scope| {
        let helper = scope.spawn(move || {
            let device = "0".parse::<Device>().unwrap();
            serve(theirs.as_fd(), &device, || path.clone())
        });
        let end = End(ours);
        talk(&end);
        drop(end);
        helper.join().unwrap()
    })
}

struct End(OwnedFd);

impl End {
    fn tell(&self, command: &Command) {
        let mut bytes = [0; MESSAGE_MAX];
        let message = postcard::to_slice(command, &mut bytes).unwrap();
        send(self.0.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL).unwrap();
    }

    /// The next stage, whatever is said besides.
    fn stage(&self) -> (u16, Stage) {
        loop {
            let mut bytes = [0; MESSAGE_MAX];
            let n = recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
            if let Report::Stage { serial, stage } = postcard::from_bytes(&bytes[..n]).unwrap() {
                return (serial, stage);
            }
        }
    }
}

fn tune(serial: u16) -> Command {
    Command::Tune { serial, tuning: "dvb-t:474000000".parse().unwrap() }
}

#[test]
fn what_cannot_be_opened_is_said_and_the_next_command_is_taken() {
    let done = helped("/nonexistent/frontend0", |end| {
        end.tell(&tune(1));
        assert_eq!(end.stage(), (1, Stage::Failed(Failure::NoDevice)));
        end.tell(&Command::Release { serial: 2 });
        assert_eq!(end.stage(), (2, Stage::Released));
    });
    assert_eq!(done, Ok(()), "it ends with its line");
    for node in ["/dev/null", "/"] {
        let done = helped(node, |end| {
            end.tell(&tune(7));
            assert_eq!(end.stage(), (7, Stage::Failed(Failure::NotAFrontend)), "{node}");
        });
        assert_eq!(done, Ok(()));
    }
}

#[test]
fn what_is_no_command_ends_it() {
    let done = helped("/dev/null", |end| {
        send(end.0.as_raw_fd(), &[0xff; 7], MsgFlags::MSG_NOSIGNAL).unwrap();
        let mut bytes = [0; 1];
        assert_eq!(recv(end.0.as_raw_fd(), &mut bytes, MsgFlags::empty()), Ok(0));
    });
    assert_eq!(done, Err(Errno::EBADMSG));
}

#[test]
fn one_that_is_watched_is_tried_again_until_it_comes() {
    let (ours, theirs) = line().unwrap();
    let device = "0".parse::<Device>().unwrap();
    let node = Rc::new(RefCell::new(PathBuf::from("/nonexistent/frontend0")));
    let at = Rc::clone(&node);
    let mut helper = Helper {
        line: theirs.as_fd(),
        device: &device,
        node: move || at.borrow().clone(),
        doing: Doing::Nothing,
        told: Duration::ZERO,
        is_deaf: false,
    };
    let end = End(ours);
    end.tell(&Command::Watch { serial: 3 });
    helper.turn().unwrap();
    assert_eq!(end.stage(), (3, Stage::Failed(Failure::NoDevice)));
    // Another device comes, which is none either: each is said once.
    *node.borrow_mut() = "/dev/null".into();
    let mut turns = 0;
    while !matches!(&helper.doing, Doing::Watching(w) if w.seen == Some(Err(Failure::NotAFrontend))) {
        assert!(helper.turn().unwrap());
        turns += 1;
        assert!(turns < 100, "it is not tried again");
    }
    assert!(turns > 1, "it is tried at every turn");
    assert_eq!(end.stage(), (3, Stage::Failed(Failure::NotAFrontend)));
}

#[test]
fn of_commands_that_wait_the_last_counts() {
    let (ours, theirs) = line().unwrap();
    let end = End(ours);
    for serial in 1..4 {
        end.tell(&tune(serial));
    }
    end.tell(&Command::Release { serial: 4 });
    let device = "0".parse::<Device>().unwrap();
    let node = || panic!("nothing is opened any more");
    let doing = Doing::Nothing;
    let mut helper =
        Helper { line: theirs.as_fd(), device: &device, node, doing, told: Duration::ZERO, is_deaf: false };
    assert!(helper.turn().unwrap());
    assert_eq!(end.stage(), (4, Stage::Released));
}

#[test]
fn a_frequency_out_of_range_is_refused_with_the_range() {
    let satellite = (950_000_000, 2_150_000_000);
    assert_eq!(in_range(satellite, 1_612_000, true), Ok(()));
    assert_eq!(in_range(satellite, 2_151_000, true), Err(Failure::Frequency(950_000, 2_150_000)));
    let terrestrial = (51_000_000, 858_000_000);
    assert_eq!(in_range(terrestrial, 40_000_000, false), Err(Failure::Frequency(51_000, 858_000)));
    assert_eq!(in_range(terrestrial, 858_000_000, false), Ok(()));
    assert_eq!(in_range((0, 0), 1, false), Ok(()), "its driver does not say");
}
