//! What happens in the box, told to every program that wants to know.

use std::cell::RefCell;
use std::rc::Rc;

use smol::channel::{Receiver, Sender, TrySendError, bounded};

use super::server::Right;
use crate::board;

/// Events that a peer may be behind; with one more it is dropped, since it would miss one.
const BEHIND: usize = 32;

/// What it may see, and its line.
type Listener = (Right, Sender<Rc<[u8]>>);

/// Everybody who listens.
#[derive(Default)]
pub struct Hub {
    listeners: RefCell<heapless::Vec<Listener, { board::LOCAL_PEERS }>>,
}

impl Hub {
    /// One more listener, which may see what `right` may. `None` when as many listen as there are peers.
    #[must_use]
    pub fn listen(&self, right: Right) -> Option<Receiver<Rc<[u8]>>> {
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|(_, listener)| !listener.is_closed());
        let (tell, told) = bounded(BEHIND);
        listeners.push((right, tell)).ok()?;
        Some(told)
    }

    /// Somebody listens who may answer.
    #[must_use]
    pub fn can_answer(&self) -> bool {
        self.listeners
            .borrow()
            .iter()
            .any(|(right, listener)| *right == Right::Control && !listener.is_closed())
    }

    /// Tells `line` to all who may see it: with [`Right::Control`] a secret, with [`Right::View`] the rest. Says how
    /// many were told that may answer.
    pub fn tell(&self, line: &[u8], needs: Right) -> usize {
        let line: Rc<[u8]> = line.into();
        let mut can_answer = 0;
        self.listeners.borrow_mut().retain(|(right, listener)| {
            if needs == Right::Control && *right == Right::View {
                return true;
            }
            let is_told = match listener.try_send(Rc::clone(&line)) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    log::warn!("a program at the local socket does not read its events and is dropped");
                    listener.close();
                    false
                }
                Err(TrySendError::Closed(_)) => false,
            };
            can_answer += usize::from(is_told && *right == Right::Control);
            is_told
        });
        can_answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_for_those_who_may_control_the_box() {
        let hub = Hub::default();
        let (viewer, control) = (hub.listen(Right::View).unwrap(), hub.listen(Right::Control).unwrap());
        assert!(hub.can_answer());
        assert_eq!(hub.tell(b"secret", Right::Control), 1);
        assert_eq!(hub.tell(b"news", Right::View), 1);
        assert_eq!(&*viewer.try_recv().unwrap(), b"news");
        assert_eq!(&*control.try_recv().unwrap(), b"secret");
        drop(control);
        assert!(!hub.can_answer(), "who may see cannot answer");
    }

    #[test]
    fn who_does_not_read_is_dropped_and_who_left_makes_room() {
        let hub = Hub::default();
        let silent = hub.listen(Right::Control).unwrap();
        for i in 0..BEHIND {
            assert_eq!(hub.tell(b"x", Right::View), 1, "{i}");
        }
        assert_eq!(hub.tell(b"x", Right::View), 0);
        assert!(silent.is_closed());
        let all: Vec<_> = (0..board::LOCAL_PEERS).map(|_| hub.listen(Right::View).unwrap()).collect();
        assert!(hub.listen(Right::View).is_none());
        drop(all);
        assert!(hub.listen(Right::View).is_some());
    }
}
