//! HLS sessions: who fetches a ring piece by piece (RFC 8216), and what each is told of it.
//!
//! Owns the table of sessions, how long one lives, and the text of playlists. A session keeps its ring watched as a
//! viewer of the pump does; what its right hangs on is a `Ticket` that is dropped with it. Knows nothing of HTTP, rights
//! or tuners, and sends nothing.

use std::time::Duration;

use heapless::Vec;

use crate::board;
pub use crate::service::NoList;
use crate::service::{Ended, Entrance, Feed, PREAMBLE_BYTES};

mod playlist;
#[cfg(test)]
mod tests;

/// A session that asks for nothing during so many target durations has left.
const SILENCE: u32 = 3;
/// What a target duration is before it is known.
const TARGET: Duration = Duration::from_secs(2);
/// For so many target durations no piece gets longer than a session was told.
const PROMISE: u32 = 10;
/// What is left of a stream that ended can be fetched for so long.
const LAST: Duration = Duration::from_secs(30);

/// One who watches by HLS.
pub struct Session<T> {
    id: u32,
    feed: Feed,
    ticket: T,
    /// The time since 1970 at which the boot clock was zero, where that is known.
    epoch: Option<Duration>,
    /// As it was told.
    target: Option<Duration>,
    /// The media sequence number that its list began with last.
    first: u64,
    came: Duration,
    /// When it asked for something last.
    asked: Duration,
    /// Bytes of the pieces that it fetched, and where the last one ends.
    fetched: (u64, u64),
    /// When its stream ended.
    ended: Option<Duration>,
}

/// All sessions.
pub struct Sessions<T> {
    table: Vec<Session<T>, { board::HLS_SESSIONS }>,
    made: u32,
}

/// A piece to be sent.
pub struct Piece {
    /// The ring.
    pub feed: Feed,
    /// Where in it.
    pub range: std::ops::Range<u64>,
    /// Bytes of the preamble and the piece.
    pub length: u64,
}

/// Every place of the table is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(pub usize);

impl<T> Sessions<T> {
    /// No session yet. Their numbers begin behind `made`, so that those of an earlier run are not taken for new ones.
    #[must_use]
    pub const fn new(made: u32) -> Self {
        Self { table: Vec::new(), made }
    }

    /// A new session on `feed`. Gives its number.
    pub fn begin(
        &mut self,
        feed: Feed,
        ticket: T,
        epoch: Option<Duration>,
        now: Duration,
    ) -> Result<u32, Full> {
        self.made = self.made.wrapping_add(1);
        let id = self.made;
        let session = Session {
            id,
            feed,
            ticket,
            epoch,
            target: None,
            first: 0,
            came: now,
            asked: now,
            fetched: (0, 0),
            ended: None,
        };
        self.table.push(session).map_err(|_| Full(board::HLS_SESSIONS))?;
        Ok(id)
    }

    /// The session that goes on, and whose ticket `is_meant`.
    pub fn find(&self, is_meant: impl Fn(&T) -> bool) -> Option<u32> {
        let goes_on = |s: &&Session<T>| s.ended.is_none() && s.feed.ring().borrow().ended().is_none();
        self.table.iter().filter(goes_on).find(|s| is_meant(&s.ticket)).map(|s| s.id)
    }

    /// Session `id`, for which something is asked now by who `is_holder`.
    pub fn visit(
        &mut self,
        id: u32,
        is_holder: impl FnOnce(&T) -> bool,
        now: Duration,
    ) -> Option<&mut Session<T>> {
        let session = self.table.iter_mut().find(|s| s.id == id)?;
        if !is_holder(&session.ticket) {
            return None; // nobody keeps alive what is another's
        }
        session.asked = now;
        Some(session)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Session<T>> {
        self.table.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Ends those whose ticket `is_over`; `tell` hears of each.
    pub fn end(&mut self, is_over: impl Fn(&T) -> bool, tell: impl Fn(&T)) {
        self.table.retain(|s| {
            let over = is_over(&s.ticket);
            if over {
                tell(&s.ticket);
            }
            !over
        });
    }

    /// Lets go who left: nothing was asked for, and nothing `is_busy` with its ticket. `tell` hears of each whose stream
    /// ended, and why.
    pub fn look_after(&mut self, now: Duration, is_busy: impl Fn(&T) -> bool, tell: impl Fn(&T, Ended)) {
        self.table.retain_mut(|s| {
            if s.ended.is_none()
                && let Some(why) = s.feed.ring().borrow().ended()
            {
                s.ended = Some(now);
                tell(&s.ticket, why);
            }
            if is_busy(&s.ticket) {
                s.asked = now;
            }
            let silent = now.saturating_sub(s.asked) >= s.target.unwrap_or(TARGET) * SILENCE;
            let over = s.ended.is_some_and(|ended| now.saturating_sub(ended) >= LAST);
            if silent {
                log::debug!("HLS session {} left", s.id);
            }
            !silent && !over
        });
    }
}

impl<T> Session<T> {
    /// What its right hangs on.
    #[must_use]
    pub fn ticket(&self) -> &T {
        &self.ticket
    }

    /// Its ring.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Whether there is a list, and then the most bits per second of a piece in it.
    pub fn ready(&self, now: Duration) -> Result<u64, NoList> {
        let ring = self.feed.ring().borrow();
        ring.can_list(now).map(|()| ring.peak_rate())
    }

    /// The media playlist as it is now; `query` is appended to each URI.
    pub fn playlist(&mut self, now: Duration, query: &str) -> String {
        let mut ring = self.feed.ring().borrow_mut();
        let until = now + ring.target(now) * PROMISE;
        let promised = ring.promise_target(now, until);
        let target = *self.target.get_or_insert(promised);
        let first = self.first;
        let mut listed = ring.listed(target).skip_while(|s| s.number < first).peekable();
        if let Some(segment) = listed.peek() {
            self.first = segment.number;
        }
        let ended = ring.ended().is_some();
        playlist::media(listed, (self.id, target, self.epoch), ended, query)
    }

    /// When it began.
    #[must_use]
    pub fn came(&self) -> Duration {
        self.came
    }

    /// Bytes of the pieces that it asked for, and the position where the last one ends.
    #[must_use]
    pub fn fetched(&self) -> (u64, u64) {
        self.fetched
    }

    /// The piece of that media sequence number, while it is there.
    pub fn piece(&mut self, number: u64) -> Option<Piece> {
        let ring = self.feed.ring().borrow();
        let range = ring.segment(number)?.range();
        let mut preamble = Vec::<u8, PREAMBLE_BYTES>::new();
        ring.preamble(&ring.rap_at(range.start)?, Entrance::Join, &mut preamble)?;
        let length = preamble.len() as u64 + (range.end - range.start);
        self.fetched = (self.fetched.0 + length, range.end);
        Some(Piece { feed: self.feed.clone(), range, length })
    }
}

/// The multivariant playlist of session `id` (RFC 8216 §4.3.4.2): one variant, of at most `rate` bits per second.
#[must_use]
pub fn index(id: u32, rate: u64, query: &str) -> String {
    playlist::index(id, rate, query)
}

/// What a session is called in a path below `/hls/`, without its ending: its number, and that of a piece of it.
#[must_use]
pub fn parse(name: &str) -> Option<(u32, Option<u64>)> {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| plain)
    };
    let (id, piece) = match name.split_once('-') {
        Some((id, piece)) => (id, Some(number(piece)?)),
        None => (name, None),
    };
    Some((u32::try_from(number(id)?).ok()?, piece))
}
