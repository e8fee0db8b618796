//! HLS (RFC 8216). `GET /live/<number>/index.m3u8[?name=…][&v=…]` begins a session on a channel and names its playlist,
//! `/hls/<session>.m3u8`, which names its pieces, `/hls/<session>-<n>.ts`. A session ends when nothing is asked for during
//! three target durations, when its viewer comes again under the same `v` for something else, and with its right.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{Read, Write};

use super::live::{self, admit, lock, wanted};
use super::visit::{self, Visit};
use super::{About, Next, SetTopBox};
use crate::access::{Caller, Holder, LinkUse, Refusal, ViewerId};
use crate::hls::{self, Full, NoList, Sessions};
use crate::http::{Exchange, Method, Status};
use crate::pump::Left;
use crate::sys::clock;
use crate::ts::service_info::ServiceTriple;
use crate::tuner::Lease;

/// RFC 8216 §10.
const M3U8: &str = "application/vnd.apple.mpegurl";
const MPEG_TS: &str = "video/mp2t";
/// So long the first pieces are waited for: players give up after 20 s and more.
const PATIENCE: Duration = Duration::from_secs(16);
/// Between two looks for them.
const LOOK: Duration = Duration::from_millis(50);

/// Who watches by HLS.
pub struct Watcher {
    asked: Asked,
    link: Rc<LinkUse>,
    /// What is on there is judged by the parental lock; `None` where nobody sees it.
    pub(super) judged: Option<ServiceTriple>,
}

/// What a session is for: who asks for the same again gets the same session.
#[derive(PartialEq, Eq)]
struct Asked {
    channel: u16,
    audio: bool,
    holder: Holder,
    viewer: Option<ViewerId>,
    /// Of players that do not say who they are.
    peer: Option<IpAddr>,
}

impl Watcher {
    /// By whose credential.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.asked.holder
    }

    /// Its right is over.
    pub(super) fn is_over(&self) -> bool {
        self.link.is_over()
    }

    /// The channel's number.
    #[must_use]
    pub fn channel(&self) -> u16 {
        self.asked.channel
    }
}

/// No sessions yet. What a player still has of an earlier run of the box is no session of this one.
#[must_use]
pub fn no_sessions() -> Sessions<Watcher> {
    Sessions::new(u32::try_from(clock::boot().as_millis() & 0x7fff_ffff).unwrap_or(0))
}

/// Why there is no session, or nothing to be had of it.
enum NoHls {
    Full(Full),
    List(NoList),
    /// There is none of that number, or it is somebody else's, or over.
    NoSession,
    /// The viewer has a newer stream, or was put out.
    Over,
    /// The stream ended before it began.
    Ended,
    /// The piece is not in the ring any more, or not yet.
    NoPiece,
}

pub(super) async fn index<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let came = clock::boot();
    let (caller, channel, viewer) = match admit(stb, visit) {
        Ok(admitted) => admitted,
        Err(why) => return live::refuse(stb, exchange, &why).await,
    };
    let is_head = visit.request.method == Method::Head;
    let query = query(visit, &caller);
    let asked = Asked::new(visit, &caller, viewer);
    let known = stb.hls.borrow().find(|w| w.asked == asked && !w.link.is_over());
    let id = match known {
        _ if is_head => match stb.would_ask(&caller, &channel) {
            Ok(()) => return exchange.stream(M3U8).await?.finish().await.map(Next::after),
            Err(why) => {
                let (status, code, sentence) = why.answer(stb.take_over.can_ask());
                return exchange.refuse_as(status, code, &sentence).await.map(Next::after);
            }
        },
        Some(id) => Ok(id),
        None => {
            let link = match stb.access.connect(&caller, asked.viewer.clone()) {
                Ok(link) => link,
                Err(why) => return live::refuse(stb, exchange, &why).await,
            };
            stb.end_what_is_over();
            match lock(stb, &caller, &channel, came).await {
                Ok(lease) => {
                    let judged = (!caller.is_recorder()).then(|| channel.service());
                    stb.begin_hls(asked, lease, (link, judged))
                }
                Err(why) => {
                    let (status, code, sentence) = why.answer(stb.take_over.can_ask());
                    return exchange.refuse_as(status, code, &sentence).await.map(Next::after);
                }
            }
        }
    };
    let rate = match id {
        Ok(id) => stb.hls_ready(id).await.map(|rate| (id, rate)),
        Err(why) => Err(why),
    };
    match rate {
        Ok((id, rate)) => {
            exchange.reply(Status::Ok, M3U8, hls::index(id, rate, &query).as_bytes()).await.map(Next::after)
        }
        Err(why) => refuse(exchange, &why).await,
    }
}

pub(super) async fn playlist<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let caller = match visit.caller(stb) {
        Ok(caller) => caller,
        Err(why) => return visit::refuse(stb, exchange, &why).await.map(Next::after),
    };
    let query = query(visit, &caller);
    let text = match stb
        .of_session(&caller, visit.part, |session, _| Some(session.playlist(clock::boot(), &query)))
    {
        Ok(text) => text,
        Err(Denied::Right(why)) => return visit::refuse(stb, exchange, &why).await.map(Next::after),
        Err(Denied::Hls(why)) => return refuse(exchange, &why).await,
    };
    exchange.reply(Status::Ok, M3U8, text.as_bytes()).await.map(Next::after)
}

pub(super) async fn piece<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let caller = match visit.caller(stb) {
        Ok(caller) => caller,
        Err(why) => return visit::refuse(stb, exchange, &why).await.map(Next::after),
    };
    let found = stb.of_session(&caller, visit.part, |session, number| {
        let (link, channel) = (Rc::clone(&session.ticket().link), session.ticket().channel());
        session.piece(number?).map(|piece| (piece, link, channel))
    });
    match found {
        Ok((piece, link, channel)) => Ok(match exchange.announce(MPEG_TS, piece.length).await? {
            true => Next::Fetch(piece, link, About { channel, judged: None }),
            false => Next::Close,
        }),
        Err(Denied::Right(why)) => visit::refuse(stb, exchange, &why).await.map(Next::after),
        Err(Denied::Hls(why)) => refuse(exchange, &why).await,
    }
}

impl Asked {
    fn new(visit: &Visit<'_>, caller: &Caller, viewer: Option<ViewerId>) -> Self {
        let channel = wanted(&visit.request, visit.part).map_or(0, |wanted| wanted.number);
        let audio = visit.request.parameter::<8>("tracks").as_deref() == Some("audio");
        let peer = viewer.is_none().then_some(visit.peer);
        Self { channel, audio, holder: caller.holder(), viewer, peer }
    }
}

enum Denied {
    Right(Refusal),
    Hls(NoHls),
}

impl SetTopBox {
    /// Tells those whose stream ended, and lets go who left.
    pub fn look_after_hls(&self, now: Duration) {
        let mut sessions = self.hls.borrow_mut();
        let is_busy = |w: &Watcher| Rc::strong_count(&w.link) > 1;
        sessions.look_after(now, is_busy, |w, why| self.departures.note(&w.link, Left::Ended(why), now));
    }

    /// Ends the sessions that are over, for this reason.
    pub(super) fn end_hls(&self, why: Left, is_over: impl Fn(&Watcher) -> bool) {
        let now = clock::boot();
        self.hls.borrow_mut().end(is_over, |w| self.departures.note(&w.link, why, now));
    }

    /// From here on a session holds the lease.
    fn begin_hls(
        &self,
        asked: Asked,
        lease: Lease,
        (link, judged): (LinkUse, Option<ServiceTriple>),
    ) -> Result<u32, NoHls> {
        if link.is_over() {
            return Err(NoHls::Over); // put out while its channel was being locked
        }
        let mut sessions = self.hls.borrow_mut();
        if let Some(id) = sessions.find(|w| w.asked == asked) {
            return Ok(id); // asked for twice at once
        }
        let now = clock::boot();
        let epoch = self.access.wall_clock().and_then(|utc| utc.checked_sub(now));
        let watcher = Watcher { asked, link: Rc::new(link), judged };
        sessions.begin(lease.into_feed(), watcher, epoch, now).map_err(NoHls::Full)
    }

    /// Waits until session `id` has a list, and gives its highest rate.
    async fn hls_ready(&self, id: u32) -> Result<u64, NoHls> {
        let until = clock::boot() + PATIENCE;
        loop {
            let now = clock::boot();
            let why = {
                let mut sessions = self.hls.borrow_mut();
                let session = sessions.visit(id, |_| true, now).ok_or(NoHls::Over)?;
                match session.ready(now) {
                    Ok(rate) => return Ok(rate),
                    Err(_) if session.feed().ring().borrow().ended().is_some() => return Err(NoHls::Ended),
                    Err(why) => why,
                }
            };
            if why != NoList::NotYet || now >= until || self.reactor.sleep(LOOK).await.is_err() {
                return Err(NoHls::List(why));
            }
        }
    }

    /// What `of` makes of the session that `name` tells of and that is the caller's.
    fn of_session<R>(
        &self,
        caller: &Caller,
        name: &str,
        of: impl FnOnce(&mut hls::Session<Watcher>, Option<u64>) -> Option<R>,
    ) -> Result<R, Denied> {
        let none = || Denied::Hls(NoHls::NoSession);
        let (id, number) = hls::parse(name).ok_or_else(none)?;
        let mut sessions = self.hls.borrow_mut();
        let is_holder = |w: &Watcher| w.holder() == caller.holder();
        let session = sessions.visit(id, is_holder, clock::boot()).ok_or_else(none)?;
        caller.may_see(session.ticket().channel()).map_err(Denied::Right)?;
        of(session, number).ok_or(Denied::Hls(NoHls::NoPiece))
    }
}

/// What a link's or player's URIs carry on; a browser has its cookie.
fn query(visit: &Visit<'_>, caller: &Caller) -> String {
    let mut query = String::new();
    if (caller.is_by_link() || caller.is_player())
        && let Some(token) = visit.link_token()
    {
        let written = write!(query, "?t={token}");
        debug_assert!(written.is_ok(), "a String takes all");
    }
    query
}

async fn refuse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    mut exchange: Exchange<'_, S>,
    why: &NoHls,
) -> io::Result<Next> {
    let (status, code, sentence) = why.answer();
    if matches!(why, NoHls::List(NoList::NotYet)) {
        exchange.add("Retry-After", format_args!("2"));
    }
    exchange.refuse_as(status, Some(code), &sentence).await.map(Next::after)
}

impl NoHls {
    /// Status, a word for programs, and a sentence.
    fn answer(&self) -> (Status, &'static str, String) {
        const NOW: Status = Status::ServiceUnavailable;
        match self {
            Self::Full(Full(most)) => {
                (NOW, "full", format!("all {most} places for watching by HLS are taken"))
            }
            Self::List(NoList::NotYet) => {
                (NOW, "not-yet", "the stream has no pieces for HLS yet; ask again in a moment".into())
            }
            Self::List(NoList::TooSmall { needed, capacity }) => {
                let [needed, capacity] = [needed, capacity].map(|bytes| bytes.div_ceil(1_000_000));
                let sentence = format!(
                    "HLS of this channel needs {needed} MB of memory for its stream, and this box has {capacity}: \
                     watch /live/<number>.ts"
                );
                (NOW, "ring", sentence)
            }
            Self::NoSession => {
                (Status::NotFound, "ended", "this HLS session is over: open the channel anew".into())
            }
            Self::Over => (Status::Conflict, "replaced", "this viewer has a newer stream".into()),
            Self::Ended => (NOW, "ended", "the stream ended before it could begin".into()),
            Self::NoPiece => (
                Status::NotFound,
                "piece",
                "this piece is not there any more; load the playlist again".into(),
            ),
        }
    }
}
