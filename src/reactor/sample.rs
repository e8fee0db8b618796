//! Work of tests, as the box does it: on one thread.

use std::cell::Cell;
use std::rc::Rc;

use smol::LocalExecutor;

use super::Reactor;

/// Runs `work` to its end.
pub(crate) fn run<T>(reactor: &Rc<Reactor>, work: impl Future<Output = T>) -> T {
    let result = Cell::new(None);
    let executor = LocalExecutor::new();
    executor.spawn(async { result.set(Some(work.await)) }).detach();
    loop {
        while executor.try_tick() {}
        if let Some(result) = result.take() {
            return result;
        }
        reactor.wait(false, |_| ()).unwrap();
    }
}
