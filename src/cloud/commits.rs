//! Who waits for what to be on disk.

use std::cell::RefCell;
use std::collections::BTreeMap;

use smol::channel::{Receiver, Sender, bounded};

use crate::nameserver::Ticket;
use crate::registrar::Done;

/// Told once how it went.
type Told = Sender<Result<(), String>>;

/// The waiting, by what they wait for.
pub(super) struct Commits {
    waiting: RefCell<BTreeMap<Ticket, Vec<Told>>>,
    begin: Sender<()>,
    begun: Receiver<()>,
}

impl Default for Commits {
    fn default() -> Self {
        let (begin, begun) = bounded(1);
        Self { waiting: RefCell::default(), begin, begun }
    }
}

impl Commits {
    /// Something was staged, and nobody need wait for it.
    pub(super) fn begin(&self) {
        let _full_says_the_same = self.begin.try_send(());
    }

    /// Returns when something was staged.
    pub(super) async fn begun(&self) {
        let _sender_is_ours = self.begun.recv().await;
    }

    /// Returns when `ticket` is on disk, or why it is not. To be called right after it was staged.
    pub(super) async fn wait(&self, ticket: Ticket) -> Result<(), String> {
        let (tell, told) = bounded(1);
        self.waiting.borrow_mut().entry(ticket).or_default().push(tell);
        self.begin();
        told.recv().await.unwrap_or_else(|_| Err("the service is stopping".to_owned()))
    }

    /// The store answered.
    pub(super) fn done(&self, done: &Done) {
        let later = self.waiting.borrow_mut().split_off(&Ticket(done.up_to.0 + 1));
        let finished = self.waiting.replace(later);
        for (ticket, all) in finished {
            let went = match &done.result {
                Ok(()) if done.conflicts.contains(&ticket) => Err("another front end was first".to_owned()),
                other => other.clone(),
            };
            for told in all {
                let _one_that_hung_up = told.try_send(went.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_its_own_write() {
        let executor = smol::LocalExecutor::new();
        let commits = std::rc::Rc::new(Commits::default());
        let waiting: Vec<_> = [1, 2, 2, 3]
            .map(|n| {
                let commits = std::rc::Rc::clone(&commits);
                executor.spawn(async move { commits.wait(Ticket(n)).await })
            })
            .into();
        while executor.try_tick() {}
        let done = |up_to, result, conflicts| Done { up_to: Ticket(up_to), result, conflicts };
        commits.done(&done(2, Ok(()), vec![Ticket(2)]));
        commits.done(&done(3, Err("full".to_owned()), Vec::new()));
        let told: Vec<_> = smol::block_on(executor.run(async {
            let mut told = Vec::new();
            for task in waiting {
                told.push(task.await.map_err(|why| why.len()));
            }
            told
        }));
        assert_eq!(told, [Ok(()), Err(27), Err(27), Err(4)]);
    }
}
