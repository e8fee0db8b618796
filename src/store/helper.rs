//! The helper process that writes state: flash may take seconds for it, and the box's one thread must not wait.
//!
//! The same binary, started with [`HELPER`] as its only argument and a socket as standard input. A job is `kind u8 |
//! length u32 LE | record`; its answer is one byte, 0 when the record is on flash. The helper ends with its parent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{Read as _, Write as _};

use super::slots::{self, Kind, RECORD_MAX};
use crate::reactor::{Io, Reactor};

/// The argument that makes the binary a helper.
pub const HELPER: &str = "helper-store";
/// After the helper died, the next is started no sooner.
const RESTART: Duration = Duration::from_secs(5);

/// Hands records to the helper and restarts it when it dies.
pub struct Writer {
    program: std::path::PathBuf,
    directory: std::path::PathBuf,
    /// The newest record of each kind that is not yet on flash.
    waiting: RefCell<VecDeque<(Kind, Vec<u8>)>>,
    busy: Cell<bool>,
}

impl Writer {
    /// Writes to `directory`, by the running program itself.
    pub fn new(directory: &Path) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            program: std::env::current_exe()?,
            directory: directory.into(),
            waiting: RefCell::default(),
            busy: Cell::new(false),
        }))
    }

    /// Has `record` written soon. A record of the same kind that still waits is replaced.
    pub fn save(&self, kind: Kind, record: Vec<u8>) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|(k, _)| *k != kind);
        waiting.push_back((kind, record));
    }

    /// Something is to be written, and nobody was told to: [`Writer::work`] is to be run, by who asks.
    #[must_use]
    pub fn begin_work(&self) -> bool {
        !self.waiting.borrow().is_empty() && !self.busy.replace(true)
    }

    /// Nothing waits, and nobody is at work.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.busy.get() && self.waiting.borrow().is_empty()
    }

    /// Writes all that waits. A helper that fails or dies is reported, and another is tried.
    pub async fn work(self: Rc<Self>, reactor: Rc<Reactor>) {
        let mut failures = 0;
        while !self.waiting.borrow().is_empty() {
            if failures == 3 {
                self.waiting.borrow_mut().clear(); // said three times; the next change tries again
                break;
            }
            if let Err(e) = self.work_by_one_helper(&reactor).await {
                log::warn!("state in {}: {e}", self.directory.display());
                failures += 1;
                if reactor.sleep(RESTART).await.is_err() {
                    break;
                }
            }
        }
        self.busy.set(false);
    }

    async fn work_by_one_helper(&self, reactor: &Rc<Reactor>) -> io::Result<()> {
        let (mut child, socket) = self.start()?;
        let mut line = Io::new(reactor, socket)?;
        let done = self.write_all(&mut line).await;
        drop(line); // the helper's end of input
        // It answered or is dead, so it ends at once; one that hangs in the kernel is left to its parent's death.
        for _ in 0..20 {
            if child.try_wait()?.is_some() {
                break;
            }
            reactor.sleep(Duration::from_millis(5)).await?;
        }
        done
    }

    async fn write_all(&self, line: &mut Io) -> io::Result<()> {
        loop {
            let Some((kind, record)) = self.waiting.borrow().front().cloned() else { return Ok(()) };
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
            line.write_all(&[kind as u8]).await?;
            line.write_all(&length).await?;
            line.write_all(&record).await?;
            let mut answer = [0];
            if line.read(&mut answer).await? == 0 {
                return Err(io::Error::other("the helper died"));
            }
            if answer[0] != 0 {
                return Err(io::Error::from_raw_os_error(i32::from(answer[0])));
            }
            // Unless a newer one took its place meanwhile, it is done.
            self.waiting.borrow_mut().retain(|(k, r)| (*k, r) != (kind, &record));
        }
    }

    fn start(&self) -> io::Result<(Child, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(&self.program)
            .arg(HELPER)
            .current_dir(&self.directory)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok((child, ours.into()))
    }
}

/// What the helper process does: jobs from standard input, records to the current directory.
#[must_use]
pub fn main() -> ExitCode {
    // Its parent may die by a signal that leaves no time for anything.
    if nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(line) = nix::unistd::dup(io::stdin()) else { return ExitCode::FAILURE };
    match serve(UnixStream::from(line)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("stbcastd {HELPER}: {e}");
            ExitCode::FAILURE
        }
    }
}

fn serve(mut line: UnixStream) -> io::Result<()> {
    loop {
        let mut kind = [0];
        if line.read(&mut kind)? == 0 {
            return Ok(());
        }
        let mut length = [0; 4];
        line.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        let kind =
            Kind::from_number(kind[0]).filter(|_| length <= RECORD_MAX).ok_or(io::ErrorKind::InvalidData)?;
        let mut record = vec![0; length];
        line.read_exact(&mut record)?;
        let answer = match slots::save(Path::new("."), kind, &record) {
            Ok(()) => 0,
            // Linux's error numbers that a file can give are below 134; anything else is "input/output error".
            Err(e) => e.why.raw_os_error().and_then(|n| u8::try_from(n).ok()).unwrap_or(5),
        };
        line.write_all(&[answer])?;
    }
}
