//! The service's end: reads questions, answers in steps so that nobody else waits.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_io::Async;
use smol::LocalExecutor;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::commands;
use super::{LINE_MAX, Line, Question, socket};
use crate::cloud::service::Service;

/// The stream of one who asks.
type Stream = Async<std::os::unix::net::UnixStream>;

/// Commands at one time.
const PEERS: usize = 8;

/// The socket's file, which goes with the service.
pub(in crate::cloud) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Listens in the state directory, for its owner alone. Where another service runs there, this one does not start.
pub(in crate::cloud) fn listen(state: &Path) -> Result<(Async<UnixListener>, SocketFile), String> {
    let path = socket(state);
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(format!("another service runs in {}", state.display()));
    }
    let _left_by_one_that_was_killed = std::fs::remove_file(&path);
    let listening = || -> io::Result<_> {
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Async::new(listener)
    };
    let listener = listening().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok((listener, SocketFile(path)))
}

/// Answers for ever.
pub(in crate::cloud) async fn answer_all(
    listener: Async<UnixListener>,
    executor: Rc<LocalExecutor<'static>>,
    service: Rc<Service>,
) {
    let seats = Rc::new(());
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if Rc::strong_count(&seats) > PEERS {
            continue;
        }
        let (service, seat) = (Rc::clone(&service), Rc::clone(&seats));
        executor
            .spawn(async move {
                // One who hangs up wants no answer.
                let _gone = converse(stream, &service).await;
                drop(seat);
            })
            .detach();
    }
}

async fn converse(stream: Stream, service: &Rc<Service>) -> io::Result<()> {
    let mut peer = Peer { lines: BufReader::new(stream) };
    let line = peer.line().await?.unwrap_or_default();
    let last = match serde_json::from_str::<Question>(&line) {
        Ok(question) => commands::answer(service, &question, &mut peer).await?,
        Err(e) => Line::Error(format!("no question: {e}")),
    };
    peer.say(&last).await
}

/// Who asks.
pub(super) struct Peer {
    lines: BufReader<Stream>,
}

impl Peer {
    /// The next line they send; `None` at their end.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        let mut text = String::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        let n = (&mut self.lines).take(most).read_line(&mut text).await?;
        Ok((n > 0).then_some(text))
    }

    /// A line of the answer.
    pub(super) async fn say(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.lines.get_ref().write_all(&text).await
    }
}
