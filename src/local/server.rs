//! The answering end, in the box.

use std::fs;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Gid;
use smol::channel::Receiver;
use smol::future::FutureExt;
use smol::lock::{Semaphore, SemaphoreGuardArc};

use super::protocol::{Done, Greeting, LINE_MAX, Request, line, text};
use crate::board;
use crate::reactor::{Io, Reactor};

/// A peer that does not read its answer, or asks nothing for so long, is dropped.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket's file; it is removed when this is dropped.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_file(&self.0) {
            log::debug!("{}: {e}", self.0.display());
        }
    }
}

/// What a peer may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See: the channels, the status, what happens.
    View,
    /// All: let terminals in and put them out, answer for the screen, reset the box.
    Control,
}

/// The groups whose members may ask, beside root and the user that `stbcastd` runs as, who may all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Groups {
    /// Of [`Right::Control`].
    pub control: Option<Gid>,
    /// Of [`Right::View`].
    pub view: Option<Gid>,
}

/// A peer that may ask.
pub struct Peer {
    line: Io,
    reactor: Rc<Reactor>,
    right: Right,
    number: Number,
    _place: SemaphoreGuardArc,
}

/// Which conversation, among all since the box was started.
pub type Number = u32;

/// What a conversation needs of who answers it.
pub trait Answers {
    /// The answer to a request line.
    fn answer(&self, line: Vec<u8>) -> impl Future<Output = Answer>;
    /// The conversation holds something, so it may say nothing for as long as it likes.
    fn holds(&self) -> bool;
    /// The peer is gone, or hears no more: what it held is free. Said at least once.
    fn gone(&self);
}

/// What a request line leads to.
pub enum Answer {
    /// These lines.
    Lines(Vec<u8>),
    /// These lines, and from now on the lines that come here, as they come.
    Events(Vec<u8>, Receiver<Rc<[u8]>>),
}

/// Makes the socket. Whoever may not ask is told so, and nothing else.
pub fn listen(path: &Path, groups: Groups) -> io::Result<(OwnedFd, SocketFile)> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another stbcastd runs with this socket"));
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.into());
    // Two groups cannot be said by one file's mode; each peer's groups are asked of the kernel instead.
    let open = groups.control.is_some() || groups.view.is_some();
    fs::set_permissions(path, fs::Permissions::from_mode(if open { 0o666 } else { 0o600 }))?;
    listener.set_nonblocking(true)?;
    Ok((listener.into(), file))
}

/// Accepts for ever; a peer that may ask goes to `found`.
pub async fn accept_all(
    listener: OwnedFd,
    reactor: Rc<Reactor>,
    groups: Groups,
    mut found: impl FnMut(Peer),
) -> io::Result<()> {
    let mut number: Number = 0;
    let listener = Io::new(&reactor, listener)?;
    let places = Arc::new(Semaphore::new(board::LOCAL_PEERS));
    loop {
        let place = places.acquire_arc().await;
        let stream = match listener.when_readable(crate::sys::socket::accept).await {
            Ok(stream) => stream,
            Err(e) => {
                log::debug!("local socket: {e}");
                reactor.sleep(Duration::from_millis(100)).await?;
                continue;
            }
        };
        match right_of(stream.as_fd(), groups) {
            Some(right) => {
                let (line, reactor) = (Io::new(&reactor, stream)?, Rc::clone(&reactor));
                number = number.wrapping_add(1);
                found(Peer { line, reactor, right, number, _place: place });
            }
            None => {
                let why = line(&Done::no("you are not allowed to ask this box"));
                let _told = nix::unistd::write(&stream, &why);
            }
        }
    }
}

/// What the peer may, by the user and the groups it had when it connected.
fn right_of(stream: BorrowedFd<'_>, groups: Groups) -> Option<Right> {
    let peer = getsockopt(&stream, sockopt::PeerCredentials).ok()?;
    let mut of_peer = crate::sys::socket::peer_groups(stream).unwrap_or_default();
    of_peer.push(peer.gid());
    let is_master = peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw();
    right_by(is_master, &of_peer, groups)
}

/// What a peer of these groups may; `is_master`: root or this process's own user.
fn right_by(is_master: bool, of_peer: &[u32], groups: Groups) -> Option<Right> {
    let is_in = |group: Option<Gid>| group.is_some_and(|group| of_peer.contains(&group.as_raw()));
    if is_master || is_in(groups.control) {
        return Some(Right::Control);
    }
    is_in(groups.view).then_some(Right::View)
}

/// What a peer sent and was not taken yet.
type Buffer = heapless::Vec<u8, LINE_MAX>;
/// Bytes taken from a peer at once.
const CHUNK: usize = 256;

/// What a peer is woken by.
enum Woken {
    /// It sent so many bytes.
    Read(usize),
    /// Something happened.
    Event(Rc<[u8]>),
    /// It did not take its events as they came.
    Behind,
}

impl Peer {
    /// What the peer may.
    #[must_use]
    pub fn right(&self) -> Right {
        self.right
    }

    /// Which conversation it is.
    #[must_use]
    pub fn number(&self) -> Number {
        self.number
    }

    /// Answers requests until the peer has no more.
    pub async fn serve(mut self, answers: impl Answers) -> io::Result<()> {
        let ended = self.converse(&answers).await;
        answers.gone();
        ended
    }

    async fn converse(&mut self, answers: &impl Answers) -> io::Result<()> {
        let greeting = Greeting { v: 1, product: text("stbcastd"), version: text(env!("CARGO_PKG_VERSION")) };
        self.write(&line(&greeting)).await?;
        let mut buffer = Buffer::new();
        let mut events = None;
        loop {
            while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
                let request = buffer[..end].to_vec();
                buffer.copy_within(end + 1.., 0);
                buffer.truncate(buffer.len() - end - 1);
                let reply = match self.attend(answers, request, &mut buffer).await {
                    Answer::Lines(lines) => lines,
                    Answer::Events(lines, from) => {
                        events = Some(from);
                        lines
                    }
                };
                self.write(&reply).await?;
            }
            if buffer.is_full() {
                let why = line(&Done::no("a line has at most 4096 bytes"));
                return self.write(&why).await;
            }
            let mut chunk = [0; CHUNK];
            let room = (buffer.capacity() - buffer.len()).min(chunk.len());
            match self.wait(&mut chunk[..room], events.as_ref(), answers.holds()).await? {
                Woken::Read(0) | Woken::Behind => return Ok(()),
                Woken::Read(n) => {
                    let _fits = buffer.extend_from_slice(&chunk[..n]);
                }
                Woken::Event(event) => self.write(&event).await?,
            }
        }
    }

    /// The answer to `request`, which may take its time. A peer that leaves meanwhile is gone at once; what it sends
    /// meanwhile waits in `buffer`.
    async fn attend(&mut self, answers: &impl Answers, request: Vec<u8>, buffer: &mut Buffer) -> Answer {
        let mut work = pin!(answers.answer(request));
        while !buffer.is_full() {
            let mut chunk = [0; CHUNK];
            let room = (buffer.capacity() - buffer.len()).min(chunk.len());
            let read = async { Err(self.line.read(&mut chunk[..room]).await) };
            match async { Ok(work.as_mut().await) }.or(read).await {
                Ok(answer) => return answer,
                Err(Ok(n @ 1..)) => {
                    let _fits = buffer.extend_from_slice(&chunk[..n]);
                }
                Err(_) => {
                    answers.gone();
                    break;
                }
            }
        }
        work.await
    }

    /// Waits for bytes, for a limited time, or for bytes and events, without end. Who `holds` something may wait, too.
    async fn wait(
        &mut self,
        chunk: &mut [u8],
        events: Option<&Receiver<Rc<[u8]>>>,
        holds: bool,
    ) -> io::Result<Woken> {
        let read = async { self.line.read(chunk).await.map(Woken::Read) };
        match events {
            None if holds => read.await,
            None => self.reactor.within(PATIENCE, read).await,
            Some(events) => {
                let event = async { Ok(events.recv().await.map_or(Woken::Behind, Woken::Event)) };
                event.or(read).await
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let work = async { self.line.write_all(bytes).await };
        self.reactor.within(PATIENCE, work).await
    }
}

/// Reads a request line.
pub fn parse(bytes: &[u8]) -> Result<Request, &'static str> {
    let mut unescaped = [0; LINE_MAX];
    match serde_json_core::from_slice_escaped::<Request>(bytes, &mut unescaped) {
        Ok((request, used)) if bytes[used..].trim_ascii().is_empty() => Ok(request),
        _ => Err("the line is no request of this protocol"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are nobody's.
    const CONTROL: u32 = 64_101;
    const VIEW: u32 = 64_102;
    const NOBODY: u32 = 64_103;

    #[test]
    fn groups_give_their_right_and_no_group_gives_none() {
        let [control, view] = [CONTROL, VIEW].map(|gid| Some(Gid::from_raw(gid)));
        let both = Groups { control, view };
        for (is_master, of_peer, groups, right) in [
            (true, &[][..], Groups::default(), Some(Right::Control)),
            (false, &[], both, None),
            (false, &[NOBODY], both, None),
            (false, &[CONTROL], both, Some(Right::Control)),
            (false, &[NOBODY, VIEW], both, Some(Right::View)),
            (false, &[VIEW, CONTROL], both, Some(Right::Control)),
            (false, &[CONTROL, VIEW], Groups::default(), None),
            (false, &[CONTROL], Groups { control: None, view }, None),
            // Root's group is no name for "no group".
            (false, &[0], Groups::default(), None),
        ] {
            assert_eq!(right_by(is_master, of_peer, groups), right, "{is_master} {of_peer:?}");
        }
    }

    /// The kernel's word: a program of another user, with these groups, connects.
    #[test]
    #[ignore = "needs root: run by scripts/check"]
    fn the_kernel_says_which_groups_a_peer_is_in() {
        const CONNECT: &str = "IO::Socket::UNIX->new(Peer => $ARGV[0])->getline";
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let path = std::env::temp_dir().join(format!("stbcast-groups-{}", std::process::id()));
        let groups = Groups { control: Some(Gid::from_raw(CONTROL)), view: Some(Gid::from_raw(VIEW)) };
        let (listener, _file) = listen(&path, groups).unwrap();
        let listener = UnixListener::from(listener);
        listener.set_nonblocking(false).unwrap();
        for (gid, more, right) in [
            (NOBODY, NOBODY, None),
            (NOBODY, VIEW, Some(Right::View)),
            (CONTROL, NOBODY, Some(Right::Control)),
            (VIEW, CONTROL, Some(Right::Control)),
        ] {
            let mut peer = std::process::Command::new("setpriv")
                .args([format!("--reuid={NOBODY}"), format!("--regid={gid}"), format!("--groups={more}")])
                .args(["perl", "-MIO::Socket::UNIX", "-e", CONNECT])
                .arg(&path)
                .spawn()
                .unwrap();
            let (stream, _) = listener.accept().unwrap();
            assert_eq!(right_of(stream.as_fd(), groups), right, "{gid} {more}");
            drop(stream);
            peer.wait().unwrap();
        }
    }

    /// Answers once it is told to.
    struct Slow {
        go: Receiver<()>,
        holds: bool,
        gone: Rc<std::cell::Cell<u8>>,
    }

    impl Answers for Slow {
        async fn answer(&self, line: Vec<u8>) -> Answer {
            let _go = self.go.recv().await;
            Answer::Lines([line, vec![b'\n']].concat())
        }

        fn holds(&self) -> bool {
            self.holds
        }

        fn gone(&self) {
            self.gone.set(self.gone.get() + 1);
        }
    }

    #[test]
    fn who_leaves_while_it_is_answered_is_gone_at_once() {
        use std::io::Write as _;
        let reactor = Rc::new(Reactor::new().unwrap());
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let places = Arc::new(Semaphore::new(1));
        let place = places.try_acquire_arc().unwrap();
        let line = Io::new(&reactor, near.into()).unwrap();
        let peer =
            Peer { line, reactor: Rc::clone(&reactor), right: Right::Control, number: 1, _place: place };
        let (tell, go) = smol::channel::bounded(2);
        let gone = Rc::new(std::cell::Cell::new(0));
        let executor = smol::LocalExecutor::new();
        let serving = executor.spawn(peer.serve(Slow { go, holds: true, gone: Rc::clone(&gone) }));
        let turn = || while executor.try_tick() {};
        far.write_all(b"one\ntw").unwrap();
        turn();
        far.write_all(b"o\n").unwrap();
        reactor.wait(true, |_| {}).unwrap();
        turn();
        assert_eq!(gone.get(), 0);
        tell.try_send(()).unwrap();
        turn();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        reactor.wait(true, |_| {}).unwrap();
        turn();
        assert_eq!((gone.get(), serving.is_finished()), (1, false), "the second is not answered yet");
        tell.try_send(()).unwrap();
        turn();
        assert!(serving.is_finished() && gone.get() == 2);
        drop(serving);
        let mut said = String::new();
        io::Read::read_to_string(&mut far, &mut said).unwrap();
        assert!(said.ends_with("\none\ntwo\n"), "{said}");
    }

    #[test]
    fn this_user_may_all() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(right_of(one.as_fd(), Groups::default()), Some(Right::Control));
    }
}
