//! NOTIFY (RFC 1996): secondaries are told that there is something new.

use std::net::SocketAddr;
use std::time::Duration;

use super::answer::put_transfer_soa;
use super::tsig::Key;
use super::wire::{Full, HEADER, Reader, Writer, class, rtype};
use super::{Nameserver, Now};

/// NOTIFY, from who has the zone (AA).
const FLAGS: u16 = 4 << 11 | 0x0400;
/// Before it is told again, when there is no answer: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A secondary that is away costs a datagram in five minutes.
const LAST_WAIT: Duration = Duration::from_secs(300);

/// A server that takes the zones from here.
#[derive(Clone, Debug)]
pub struct Secondary {
    /// Where it is told.
    pub address: SocketAddr,
    /// Signs what it is told.
    pub key: Option<Key>,
}

/// Who has to be told of what.
pub struct Notifier {
    secondaries: Vec<Secondary>,
    /// Those of the first zone, then those of the second, and so on.
    states: Vec<State>,
}

#[derive(Clone, Copy)]
struct State {
    /// There is something to tell; it changed again since it was last told.
    is_due: bool,
    is_stale: bool,
    id: u16,
    next: Duration,
    wait: Duration,
}

impl Notifier {
    /// All zones are told at the start: what a secondary has may be old.
    #[must_use]
    pub fn new(zones: usize, secondaries: Vec<Secondary>) -> Self {
        let state = State { is_due: true, is_stale: false, id: 0, next: Duration::ZERO, wait: FIRST_WAIT };
        Self { states: vec![state; zones * secondaries.len()], secondaries }
    }

    /// A zone has a new serial.
    pub fn changed(&mut self, zone: usize) {
        let count = self.secondaries.len();
        for state in self.states.iter_mut().skip(zone * count).take(count) {
            // One that does not answer is not told more often because there is more to tell.
            state.is_stale = state.is_due;
            if !state.is_due {
                *state = State { is_due: true, next: Duration::ZERO, wait: FIRST_WAIT, ..*state };
            }
        }
    }

    /// Writes what is due to `out`: to whom, and its length. `id` is random.
    pub fn poll(
        &mut self,
        now: Now,
        server: &Nameserver,
        id: u16,
        out: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let count = self.secondaries.len();
        let mut due = self.states.iter_mut().enumerate().filter(|(_, s)| s.is_due && s.next <= now.monotonic);
        let (i, state) = due.next()?;
        let secondary = self.secondaries.get(i % count)?;
        state.is_stale = false;
        state.id = id;
        state.next = now.monotonic + state.wait;
        state.wait = (state.wait * 2).min(LAST_WAIT);
        let len = message(server, i / count, id, secondary.key.as_ref(), now.utc, out).ok()?;
        Some((secondary.address, len))
    }

    /// When the next one is due, on the monotonic clock.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.states.iter().filter(|state| state.is_due).map(|state| state.next).min()
    }

    /// Takes an answer; the zone that was told of and the rcode, where it is one. It needs no signature: who forges it
    /// only makes a secondary ask later.
    pub fn answered(&mut self, from: SocketAddr, message: &[u8]) -> Option<(usize, u16)> {
        let mut reader = Reader { message, at: 0 };
        let (id, flags) = (reader.u16().ok()?, reader.u16().ok()?);
        if flags & 0xf800 != 0x8000 | 4 << 11 {
            return None;
        }
        let count = self.secondaries.len();
        let secondaries = &self.secondaries;
        let mut told = self.states.iter_mut().enumerate().filter(|(i, state)| {
            state.is_due && state.id == id && secondaries.get(i % count).is_some_and(|s| s.address == from)
        });
        let (i, state) = told.next()?;
        *state = State {
            is_due: state.is_stale,
            is_stale: false,
            next: Duration::ZERO,
            wait: FIRST_WAIT,
            ..*state
        };
        Some((i / count, flags & 0xf))
    }
}

fn message(
    server: &Nameserver,
    zone: usize,
    id: u16,
    key: Option<&Key>,
    utc: u64,
    out: &mut [u8],
) -> Result<usize, Full> {
    let served = server.zones.get(zone).ok_or(Full)?;
    let mut writer = Writer::new(out, 0);
    [id, FLAGS, 1, 1, 0, 0].into_iter().try_for_each(|word| writer.u16(word))?;
    debug_assert_eq!(writer.len(), HEADER);
    writer.put(served.zone.apex())?;
    writer.u16(rtype::SOA)?;
    writer.u16(class::IN)?;
    put_transfer_soa(&served.zone, served.changes.serial(), &mut writer)?;
    if let Some(key) = key {
        key.sign(&mut writer, &[], utc)?;
    }
    Ok(writer.len())
}
