//! A demultiplexer that is the test: each tap and filter is one end of a pair of sockets.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};

use super::Control;

thread_local! {
    static DEMUXES: RefCell<Vec<(PathBuf, Weak<RefCell<State>>)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
struct State {
    /// In the order in which they were opened; a slot that was closed stays.
    nodes: Vec<Option<Opened>>,
    /// Descriptors that can be opened in all.
    most: Option<usize>,
}

struct Opened {
    line: OwnedFd,
    pids: Vec<u16>,
    is_section: bool,
}

/// The test's end of all that is opened at one path, as long as it lives.
pub(crate) struct Demux(Rc<RefCell<State>>);

/// A descriptor's place in its demultiplexer.
pub(super) struct Fake {
    state: Rc<RefCell<State>>,
    at: usize,
}

impl Demux {
    pub(crate) fn new(path: &str) -> Self {
        let state = Rc::new(RefCell::new(State::default()));
        DEMUXES.with_borrow_mut(|all| {
            all.retain(|(known, _)| known != Path::new(path));
            all.push((path.into(), Rc::downgrade(&state)));
        });
        Self(state)
    }

    /// No more than this many can be open at a time.
    pub(crate) fn limit(&self, most: usize) {
        self.0.borrow_mut().most = Some(most);
    }

    /// Says something to who reads `at`.
    pub(crate) fn send(&self, at: usize, bytes: &[u8]) {
        if let Some(Some(node)) = self.0.borrow().nodes.get(at) {
            send(node.line.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT).unwrap();
        }
    }

    /// The next read of `at` behind what was sent fails so.
    pub(crate) fn fail(&self, at: usize, why: Errno) {
        self.send(at, &[why as u8]);
    }

    /// The PIDs of the descriptor `at`.
    pub(crate) fn pids(&self, at: usize) -> Vec<u16> {
        self.0.borrow().nodes[at].as_ref().map(|node| node.pids.clone()).unwrap_or_default()
    }

    /// What is open: its place, whether it is for sections, and its PIDs.
    pub(crate) fn open(&self) -> Vec<(usize, bool, Vec<u16>)> {
        let nodes = &self.0.borrow().nodes;
        let open = nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.as_ref()?)));
        open.map(|(i, node)| (i, node.is_section, node.pids.clone())).collect()
    }
}

/// The descriptor, where a test stands at `path`.
pub(super) fn open(path: &Path) -> Option<(OwnedFd, Fake)> {
    let state = DEMUXES.with_borrow(|all| all.iter().find(|(known, _)| known == path)?.1.upgrade())?;
    let most = state.borrow().most;
    if most.is_some_and(|most| state.borrow().nodes.iter().flatten().count() >= most) {
        return None; // and the path is nobody's file
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    let at = state.borrow().nodes.len();
    state.borrow_mut().nodes.push(Some(Opened { line: theirs, pids: Vec::new(), is_section: false }));
    Some((ours, Fake { state, at }))
}

/// What the read of a fake means: one byte is the number of an error.
pub(super) fn reading(read: nix::Result<usize>, buffer: &[u8]) -> nix::Result<usize> {
    match read {
        Ok(1) => Err(Errno::from_raw(buffer[0].into())),
        other => other,
    }
}

impl Fake {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(super) fn control(&self, control: &Control<'_>) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let Some(node) = state.nodes[self.at].as_mut() else { return Ok(()) };
        match control {
            Control::Buffer(_) => {}
            Control::Section(params) => (node.pids, node.is_section) = (vec![params.pid], true),
            Control::Tap(params) => node.pids = vec![params.pid],
            Control::Add(pid) => node.pids.push(*pid),
            Control::Remove(pid) => node.pids.retain(|known| known != pid),
        }
        Ok(())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.borrow_mut().nodes[self.at] = None;
    }
}
