//! `GET /api/v1/events`: what changes, told as it happens (server-sent events, WHATWG HTML §9.2).
//!
//! ```text
//!   hello     {"version":"…","app":"…"}           the first; `app`: what its files are called (`/app/<app>/…`)
//!   channels  {}                                  the list is another one: fetch it again; every 2 s at most
//!   now       {"number":1,"now":{…},"next":{…}}   what is on, as in the list
//!   tuners    {}                                  which channels can be watched may have changed; every second at most
//!   status    {…}                                 with `?status=1`, each second: `GET /api/v1/status`
//!   alive     {}                                  where there is nothing else to say, every 15 s
//!   out       {}                                  the terminal was put out; the last
//! ```
//!
//! News are counters, not messages: who is slow is told the newest, and who takes nothing at all is dropped. While
//! nobody listens nothing is compared and no task wakes.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use embedded_io_async::{Read, Write};
use heapless::{Deque, Vec};
use serde::Serialize;
use smol::future::FutureExt;

use super::channels::{EventView, now_and_next};
use super::visit::{Visit, refuse};
use super::{Next, SetTopBox};
use crate::access::{Caller, Holder};
use crate::board;
use crate::http::{Connection, Exchange, Method, Status};
use crate::sys::clock;
use crate::tuner::Tuners;
use crate::web;

/// Listeners of one terminal at most: windows of a browser. With one more the oldest ends.
const OF_TERMINAL: usize = 4;
/// So often something goes out, so that either end notices when the other is gone. No comment of the format: a
/// browser hides those from the page, which could not tell silence from the end.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// What goes out no oftener.
const CHANNELS_EVERY: Duration = Duration::from_secs(2);
const TUNERS_EVERY: Duration = Duration::from_secs(1);
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked what is on, while somebody listens.
const NOW_EVERY: Duration = Duration::from_secs(2);
/// Channels that are looked at before the thread is given to others.
const PART: usize = 32;
/// Channels whose news are kept; who misses more fetches the list again.
const NOWS: usize = 64;
/// A peer that acknowledges nothing for so long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// What is new, and who wants to know.
#[derive(Default)]
pub struct News {
    listeners: RefCell<Vec<Listener, { board::EVENT_LISTENERS }>>,
    last: Cell<u32>,
    /// Grows with everything that is new.
    version: Cell<u32>,
    channels: Cell<u32>,
    tuners: Cell<u32>,
    /// What was seen of tuners.
    print: Cell<u64>,
    nows: RefCell<Nows>,
    /// Who looks what is on, while nobody wants to know.
    idle: Cell<Option<Waker>>,
}

/// Channels that have something else on, the newest last, and how many there were in all.
#[derive(Default)]
struct Nows {
    last: Deque<u16, NOWS>,
    all: u32,
}

struct Listener {
    number: u32,
    holder: Holder,
    /// Its terminal has newer ones.
    over: bool,
    waker: Option<Waker>,
}

/// A listener's place; dropping it makes room.
struct Place {
    news: Rc<News>,
    number: u32,
}

impl News {
    /// Somebody wants to know.
    fn is_heard(&self) -> bool {
        !self.listeners.borrow().is_empty()
    }

    /// The list of channels is another one.
    pub fn channels(&self) {
        self.channels.set(self.channels.get().wrapping_add(1));
        self.wake();
    }

    /// Somebody was put out: each looks whether it is meant.
    pub fn people(&self) {
        self.wake();
    }

    fn now(&self, number: u16) {
        let mut nows = self.nows.borrow_mut();
        if nows.last.is_full() {
            nows.last.pop_front();
        }
        let _room = nows.last.push_back(number);
        nows.all = nows.all.wrapping_add(1);
        drop(nows);
        self.wake();
    }

    fn wake(&self) {
        self.version.set(self.version.get().wrapping_add(1));
        // A waker may come back here.
        let wakers: Vec<Waker, { board::EVENT_LISTENERS }> =
            self.listeners.borrow_mut().iter_mut().filter_map(|l| l.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A place for one more of `holder`; `None` while all are taken.
    fn listen(self: &Rc<Self>, holder: Holder) -> Option<Place> {
        let mut listeners = self.listeners.borrow_mut();
        let own = |l: &Listener| l.holder == holder && !l.over;
        if listeners.iter().filter(|l| own(l)).count() >= OF_TERMINAL
            && let Some(oldest) = listeners.iter_mut().filter(|l| own(l)).min_by_key(|l| l.number)
        {
            oldest.over = true;
            oldest.waker.take().into_iter().for_each(Waker::wake);
        }
        let number = self.last.get().wrapping_add(1);
        listeners.push(Listener { number, holder, over: false, waker: None }).ok()?;
        self.last.set(number);
        self.idle.take().into_iter().for_each(Waker::wake);
        Some(Place { news: Rc::clone(self), number })
    }

    /// Waits for somebody who wants to know.
    async fn heard(&self) {
        poll_fn(|cx| {
            if self.is_heard() {
                return Poll::Ready(());
            }
            self.idle.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Place {
    /// Its terminal has newer ones.
    fn is_over(&self) -> bool {
        self.news.listeners.borrow().iter().any(|l| l.number == self.number && l.over)
    }

    /// Waits for something newer than `version`, or for the end of this place.
    async fn news(&self, version: u32) {
        poll_fn(|cx| {
            if self.news.version.get() != version || self.is_over() {
                return Poll::Ready(());
            }
            if let Some(l) = self.news.listeners.borrow_mut().iter_mut().find(|l| l.number == self.number) {
                l.waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.news.listeners.borrow_mut().retain(|l| l.number != self.number);
    }
}

/// One who listens.
pub(super) struct Listening {
    place: Place,
    caller: Caller,
    status: bool,
    told: Told,
}

/// What it was told last, and when.
struct Told {
    channels: (u32, Duration),
    tuners: (u32, Duration),
    nows: u32,
    status: Duration,
    /// Anything at all.
    said: Duration,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let status = visit.request.parameter::<4>("status").as_deref() == Some("1");
    let may = if status { Caller::may_manage } else { Caller::may_speak_for_itself };
    let caller = match visit.identify(stb, &mut exchange, may) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await.map(Next::after),
    };
    let is_head = visit.request.method == Method::Head;
    let place = if is_head { None } else { stb.news.listen(caller.holder()) };
    if place.is_none() && !is_head {
        exchange.add("Retry-After", format_args!("10"));
        let sentence = format!("all {} places for listeners are taken", board::EVENT_LISTENERS);
        return exchange.refuse(Status::ServiceUnavailable, &sentence).await.map(Next::after);
    }
    exchange.live("text/event-stream").await?;
    let told = Told::all_of(&stb.news, clock::boot());
    Ok(place.map_or(Next::Close, |place| Next::Listen(Box::new(Listening { place, caller, status, told }))))
}

impl Listening {
    /// Tells what happens until one of both ends.
    pub(super) async fn run<S>(mut self, stb: &SetTopBox, connection: &mut Connection<S>) -> io::Result<()>
    where
        S: Read<Error = io::Error> + Write<Error = io::Error> + AsFd,
    {
        connection.give_up_after(USER_TIMEOUT)?;
        let mut lines = Lines::default();
        lines.event("hello", &Hello { version: env!("CARGO_PKG_VERSION"), app: web::VERSION });
        while !self.place.is_over() {
            let version = stb.news.version.get();
            let is_in = stb.access.still_admits(&self.caller);
            if is_in {
                self.tell(stb, clock::boot(), &mut lines);
            } else {
                lines.event("out", &Nothing {});
            }
            connection.write_all(&lines.0).await?;
            if !is_in {
                break;
            }
            lines.0.clear();
            let wait = self.next_at(&stb.news).saturating_sub(clock::boot());
            let news = async {
                self.place.news(version).await;
                Ok(())
            };
            let time = async { stb.reactor.sleep(wait).await };
            let end = async { Err(connection.ended().await) };
            news.or(time).or(end).await?;
        }
        Ok(())
    }

    /// Writes what is new and due.
    fn tell(&mut self, stb: &SetTopBox, now: Duration, lines: &mut Lines) {
        let (news, told) = (&stb.news, &mut self.told);
        let nows = news.nows.borrow();
        let missed = nows.all.wrapping_sub(told.nows) as usize;
        if missed > nows.last.len() {
            told.channels.0 = news.channels.get().wrapping_sub(1); // too many: all of them
            told.nows = nows.all;
        }
        if told.channels.0 != news.channels.get() && now >= told.channels.1 + CHANNELS_EVERY {
            told.channels = (news.channels.get(), now);
            told.nows = nows.all; // the list has it
            lines.event("channels", &Nothing {});
        }
        let missed = nows.all.wrapping_sub(told.nows) as usize;
        for number in nows.last.iter().skip(nows.last.len() - missed) {
            stb.write_now(*number, &self.caller, lines);
        }
        told.nows = nows.all;
        if told.tuners.0 != news.tuners.get() && now >= told.tuners.1 + TUNERS_EVERY {
            told.tuners = (news.tuners.get(), now);
            lines.event("tuners", &Nothing {});
        }
        if self.status && now >= told.status + STATUS_EVERY {
            told.status = now;
            lines.raw("status", &stb.status_json());
        }
        if lines.0.is_empty() && now >= told.said + ALIVE_EVERY {
            lines.event("alive", &Nothing {});
        }
        if !lines.0.is_empty() {
            told.said = now;
        }
    }

    /// When something is due that is known already.
    fn next_at(&self, news: &News) -> Duration {
        let told = &self.told;
        let channels = (told.channels.0 != news.channels.get()).then(|| told.channels.1 + CHANNELS_EVERY);
        let tuners = (told.tuners.0 != news.tuners.get()).then(|| told.tuners.1 + TUNERS_EVERY);
        let status = self.status.then(|| told.status + STATUS_EVERY);
        let rest = [channels, tuners, status].into_iter().flatten();
        rest.fold(told.said + ALIVE_EVERY, Duration::min)
    }
}

impl Told {
    /// Whoever comes has fetched what there is, or is about to.
    fn all_of(news: &News, now: Duration) -> Self {
        Self {
            channels: (news.channels.get(), Duration::ZERO),
            tuners: (news.tuners.get(), Duration::ZERO),
            nows: news.nows.borrow().all,
            status: Duration::ZERO,
            said: now,
        }
    }
}

/// Events, as they go over the line.
#[derive(Default)]
struct Lines(std::vec::Vec<u8>);

impl Lines {
    fn event<T: Serialize>(&mut self, name: &str, data: &T) {
        let mut json = vec![0; 2048];
        let length = serde_json_core::to_slice(data, &mut json).unwrap_or(0);
        self.raw(name, &json[..length]);
    }

    /// `json` has no line break: serde_json_core makes none, and escapes those in texts.
    fn raw(&mut self, name: &str, json: &[u8]) {
        for part in [b"event: ", name.as_bytes(), b"\ndata: ", json, b"\n\n"] {
            self.0.extend_from_slice(part);
        }
    }
}

#[derive(Serialize)]
struct Hello {
    version: &'static str,
    app: &'static str,
}

#[derive(Serialize)]
struct Nothing {}

/// What is on.
#[derive(Serialize)]
struct NowView {
    number: u16,
    now: Option<EventView>,
    next: Option<EventView>,
}

impl SetTopBox {
    fn write_now(&self, number: u16, caller: &Caller, lines: &mut Lines) {
        let channels = self.channels.borrow();
        if let Some(entry) = channels.find(number).filter(|entry| caller.sees(entry.number)) {
            let [now, next] = now_and_next(entry, &self.guide.borrow());
            lines.event("now", &NowView { number, now, next });
        }
    }

    /// Announces what changed of tuners since the main loop went round last. Nothing while nobody listens.
    pub fn tell_news(&self) {
        if !self.news.is_heard() {
            return;
        }
        let print = print_of(&self.tuners.borrow(), self.take_over.can_ask());
        if self.news.print.replace(print) != print {
            self.news.tuners.set(self.news.tuners.get().wrapping_add(1));
            self.news.wake();
        }
    }

    /// What is on in the channel at `index`: its number, and a number for what the list shows.
    fn now_print(&self, index: usize) -> Option<(u16, u64)> {
        let channels = self.channels.borrow();
        let entry = channels.get(index)?;
        let mut hasher = DefaultHasher::new();
        now_and_next(entry, &self.guide.borrow()).hash(&mut hasher);
        Some((entry.number, hasher.finish()))
    }
}

/// Looks what is on, while somebody listens, and announces what is new of it.
pub async fn look_what_is_on(stb: Rc<SetTopBox>) {
    let mut prints = std::vec::Vec::<(u16, u64)>::new();
    loop {
        stb.news.heard().await;
        prints.clear();
        while stb.news.is_heard() {
            let mut index = 0;
            while let Some(print) = stb.now_print(index) {
                match prints.get_mut(index) {
                    None => prints.push(print),
                    Some(before) if before.0 != print.0 => *before = print, // the list is another one
                    Some(before) if *before != print => {
                        *before = print;
                        stb.news.now(print.0);
                    }
                    Some(_) => {}
                }
                index += 1;
                if index % PART == 0 {
                    smol::future::yield_now().await;
                }
            }
            prints.truncate(index);
            if stb.reactor.sleep(NOW_EVERY).await.is_err() {
                return;
            }
        }
    }
}

/// A number that changes with what decides which channels can be watched.
fn print_of(tuners: &Tuners, can_ask: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    can_ask.hash(&mut hasher);
    for (number, receiver) in tuners.receivers().enumerate() {
        let mux = receiver.mux().map(|id| id.index());
        let users = tuners.users(number).map(|most| most.0);
        (receiver.does(), receiver.whose(), mux, users).hash(&mut hasher);
    }
    for (id, mux) in tuners.muxes() {
        let open = mux.open().map(|open| (open.is_silent(), open.services.all.len(), open.watched() > 0));
        if open.is_some() || mux.error.is_some() {
            (id.index(), open, mux.error.is_some()).hash(&mut hasher);
        }
    }
    // With all inputs or rings in use other channels cannot be had.
    let (watched, rings) = tuners.rings();
    (watched >= rings).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(news: &Rc<News>, slot: u8) -> Option<Place> {
        news.listen(Holder::sample(slot))
    }

    fn is_woken(place: &Place, version: u32) -> bool {
        smol::block_on(smol::future::poll_once(place.news(version))).is_some()
    }

    #[test]
    fn a_terminal_has_a_few_places_and_its_newest_stay() {
        let news = Rc::new(News::default());
        assert!(!news.is_heard());
        let mut places: std::vec::Vec<_> = (0..=OF_TERMINAL).map(|_| listener(&news, 1).unwrap()).collect();
        assert_eq!(places.iter().filter(|p| p.is_over()).count(), 1);
        assert!(places[0].is_over() && is_woken(&places[0], 0), "the oldest, and it hears of it");
        drop(places.remove(0));
        assert_eq!(news.listeners.borrow().len(), OF_TERMINAL);
        drop(places);
        assert!(!news.is_heard());
    }

    #[test]
    fn there_are_as_many_places_as_the_board_has() {
        let news = Rc::new(News::default());
        let slots = (0..).map(|n| u8::try_from(n / OF_TERMINAL).unwrap());
        let mut places: std::vec::Vec<_> = slots.map_while(|slot| listener(&news, slot)).collect();
        assert_eq!(places.len(), board::EVENT_LISTENERS);
        assert!(places.iter().all(|p| !p.is_over()));
        places.pop();
        assert!(listener(&news, 250).is_some());
    }

    #[test]
    fn news_wake_everybody_and_who_knows_them_sleeps() {
        let news = Rc::new(News::default());
        let places = [listener(&news, 1).unwrap(), listener(&news, 2).unwrap()];
        let version = news.version.get();
        assert!(places.iter().all(|p| !is_woken(p, version)));
        news.channels();
        assert!(places.iter().all(|p| is_woken(p, version) && !is_woken(p, news.version.get())));
    }
}
