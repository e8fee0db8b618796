//! The thread on which a store sleeps.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Others, Store};
use crate::registrar::stage::{Done, Write};

/// How often a shared store is asked what others wrote.
const POLL: Duration = Duration::from_millis(500);

/// What the store's thread tells.
#[derive(Debug)]
pub enum Told {
    /// What became of writes.
    Done(Done),
    /// What other front ends wrote.
    Others(Others),
}

/// A store at work on a thread of its own. Writes that came while it slept go into one commit.
pub struct StoreThread {
    to: Option<Sender<Vec<Arc<Write>>>>,
    thread: Option<JoinHandle<()>>,
}

impl StoreThread {
    /// Starts it. What it has to tell comes by the channel, which ends when the thread does.
    pub fn start(store: Box<dyn Store>) -> io::Result<(Self, smol::channel::Receiver<Told>)> {
        let (to, work) = channel();
        let (tell, told) = smol::channel::unbounded(); // bounded by what may be staged
        let thread =
            std::thread::Builder::new().name("store".into()).spawn(move || run(store, &work, &tell))?;
        Ok((Self { to: Some(to), thread: Some(thread) }, told))
    }

    /// Hands over what [`Registrar::take_writes`](crate::registrar::Registrar::take_writes) gave; false when the
    /// thread is gone.
    pub fn submit(&self, writes: Vec<Arc<Write>>) -> bool {
        self.to.as_ref().is_some_and(|to| to.send(writes).is_ok())
    }
}

impl Drop for StoreThread {
    /// Waits for what was handed over.
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut store: Box<dyn Store>, work: &Receiver<Vec<Arc<Write>>>, tell: &smol::channel::Sender<Told>) {
    let mut failure = None;
    loop {
        let next = match store.is_shared() {
            true => work.recv_timeout(POLL),
            false => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(mut writes) => {
                writes.extend(work.try_iter().flatten());
                let Some(done) = commit(&mut *store, &writes, &mut failure) else { continue };
                if tell.try_send(Told::Done(done)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if store.is_shared() {
            match store.others() {
                Ok(others) if others.records.is_empty() => {}
                Ok(others) => {
                    if tell.try_send(Told::Others(others)).is_err() {
                        return;
                    }
                }
                Err(error) => say(&mut failure, Some(error.to_string())),
            }
        }
    }
}

fn commit(store: &mut dyn Store, writes: &[Arc<Write>], failure: &mut Option<String>) -> Option<Done> {
    let up_to = writes.last()?.ticket;
    let (result, conflicts) = match store.commit(writes) {
        Ok(conflicts) => (Ok(()), conflicts),
        Err(error) => (Err(error.to_string()), Vec::new()),
    };
    say(failure, result.as_ref().err().cloned());
    Some(Done { up_to, result, conflicts })
}

/// Each fault is logged once, and its end.
fn say(failure: &mut Option<String>, now: Option<String>) {
    if *failure != now {
        match &now {
            Some(why) => log::error!("the store fails, so nothing new is acknowledged: {why}"),
            None => log::warn!("the store works again"),
        }
        *failure = now;
    }
}
