//! The helper process that writes state: flash may take seconds for it, and the box's one thread must not wait.
//!
//! The same binary, started with [`HELPER`] as its only argument and a socket as standard input. A job is `kind u8 |
//! length u32 LE | record`, or [`ERASE`] for the length and no record; its answer is one byte, 0 when flash has it. The
//! helper ends with its parent.

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
use smol::channel::{Sender, bounded};

use super::slots::{self, Kind, RECORD_MAX};
use crate::reactor::{Io, Reactor};

/// The argument that makes the binary a helper.
pub const HELPER: &str = "helper-store";
/// The length that stands for "destroy what is there".
const ERASE: u32 = u32::MAX;
/// After the helper died, the next is started no sooner.
const RESTART: Duration = Duration::from_secs(5);
/// After so many the waiting jobs are given up.
const FAILURES: u32 = 3;

/// Hands records to the helper and restarts it when it dies.
pub struct Writer {
    program: std::path::PathBuf,
    directory: std::path::PathBuf,
    /// What is not yet done, in its order.
    waiting: RefCell<VecDeque<Job>>,
    busy: Cell<bool>,
}

/// Something to be done on flash.
struct Job {
    kind: Kind,
    /// `None`: it is to be destroyed.
    record: Option<Rc<[u8]>>,
    /// Told how it went.
    told: Vec<Sender<io::Result<()>>>,
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
        self.add(Job { kind, record: Some(record.into()), told: Vec::new() });
    }

    /// Has `record` written, and returns when it, or a later one of its kind, is on flash.
    pub async fn saved(&self, kind: Kind, record: Vec<u8>) -> io::Result<()> {
        self.done(kind, Some(record.into())).await
    }

    /// Has the record of `kind` destroyed, and returns when flash has it no more.
    pub async fn erased(&self, kind: Kind) -> io::Result<()> {
        self.done(kind, None).await
    }

    async fn done(&self, kind: Kind, record: Option<Rc<[u8]>>) -> io::Result<()> {
        let (tell, told) = bounded(1);
        self.add(Job { kind, record, told: vec![tell] });
        told.recv().await.unwrap_or_else(|_| Err(io::Error::other("the state is not written any more")))
    }

    fn add(&self, mut job: Job) {
        let mut waiting = self.waiting.borrow_mut();
        if job.record.is_some() {
            let replaced = |j: &Job| j.kind == job.kind && j.record.is_some();
            while let Some(i) = waiting.iter().position(replaced) {
                job.told.extend(waiting.remove(i).map(|j| j.told).unwrap_or_default());
            }
        }
        waiting.push_back(job);
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
            if failures == FAILURES {
                self.give_up(); // said three times; the next change tries again
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

    fn give_up(&self) {
        for told in self.waiting.take().into_iter().flat_map(|job| job.told) {
            let _gone = told.try_send(Err(io::Error::other("the state cannot be written")));
        }
    }

    async fn write_all(&self, line: &mut Io) -> io::Result<()> {
        loop {
            let Some((kind, record)) = self.first() else { return Ok(()) };
            let length = record.as_ref().map_or(ERASE, |r| u32::try_from(r.len()).unwrap_or(ERASE - 1));
            line.write_all(&[kind as u8]).await?;
            line.write_all(&length.to_le_bytes()).await?;
            line.write_all(record.as_deref().unwrap_or_default()).await?;
            let mut answer = [0];
            if line.read(&mut answer).await? == 0 {
                return Err(io::Error::other("the helper died"));
            }
            if answer[0] != 0 {
                return Err(io::Error::from_raw_os_error(i32::from(answer[0])));
            }
            self.finish(kind, record.as_ref());
        }
    }

    fn first(&self) -> Option<(Kind, Option<Rc<[u8]>>)> {
        self.waiting.borrow().front().map(|job| (job.kind, job.record.clone()))
    }

    /// Unless a newer one took its place meanwhile, the first job is done.
    fn finish(&self, kind: Kind, record: Option<&Rc<[u8]>>) {
        let mut waiting = self.waiting.borrow_mut();
        let same = |job: &Job| match (&job.record, record) {
            (Some(waits), Some(done)) => Rc::ptr_eq(waits, done),
            (None, None) => true,
            _ => false,
        };
        if let Some(job) = waiting.pop_front_if(|job| job.kind == kind && same(job)) {
            for told in job.told {
                let _gone = told.try_send(Ok(()));
            }
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
        let length = u32::from_le_bytes(length);
        let kind = Kind::from_number(kind[0]).ok_or(io::ErrorKind::InvalidData)?;
        let done = if length == ERASE {
            slots::erase(Path::new("."), kind)
        } else {
            let length = usize::try_from(length).ok().filter(|n| *n <= RECORD_MAX);
            let mut record = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
            line.read_exact(&mut record)?;
            slots::save(Path::new("."), kind, &record)
        };
        let answer = match done {
            Ok(()) => 0,
            // Linux's error numbers that a file can give are below 134; anything else is "input/output error".
            Err(e) => e.why.raw_os_error().and_then(|n| u8::try_from(n).ok()).unwrap_or(5),
        };
        line.write_all(&[answer])?;
    }
}
