//! The API: what a terminal can ask of the box. Its resource sharing module.
//!
//! Owns the routes and the wording of every answer. Checks no right itself: it asks `access`, and what `access` gives
//! out is what the rest works with.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use embedded_io_async::{Read, Write};

use crate::access::{Access, Door, LinkUse};
use crate::channel::ChannelTable;
use crate::ddns::Names;
use crate::guide::Epg;
use crate::hls::{Piece, Sessions};
use crate::http::connection::{Asked, HeadBuffer};
use crate::http::gzip::Gzip;
use crate::http::request::{address_of, host_of};
use crate::http::seats::Seat;
use crate::http::server::Accepted;
use crate::http::{Connection, Exchange, Request, Status};
use crate::pairing::Pairing;
use crate::pump::{self, First, Left, Pump};
use crate::reactor::Reactor;
use crate::status::Health;
use crate::sys::clock;
use crate::ts::service_info::ServiceTriple;
use crate::tuner::{Lease, Tuners};
use crate::web;

mod ask;
mod channels;
mod ended;
mod epg;
mod events;
mod hls;
mod live;
mod logos;
mod name;
mod pair;
mod parental;
mod playlist;
mod reply;
mod route;
mod session;
mod status;
mod terminals;
mod visit;
mod xmltv;
mod zaps;

pub use ask::{TakeOver, TunerNews, TunerQuestion};
pub use channels::{ChannelView, stream_path};
pub use ended::{Departed, Departures};
pub use events::{News, look_what_is_on};
pub use hls::{Watcher, no_sessions};
pub use logos::{Logos, NoLogo};
pub use route::{ROUTES, Route, VERSION};
pub use status::{mux_view, tuner_view};
pub use terminals::TerminalView;
pub use zaps::Zaps;

use events::Listening;
use visit::Visit;

/// What is sent to a viewer.
#[derive(Clone, Copy)]
struct About {
    /// The number of its channel.
    channel: u16,
    /// What is on there is judged by the parental lock; `None` where nobody sees it, and of pieces: their session is.
    judged: Option<ServiceTriple>,
}

/// What a viewer's place hangs on.
pub struct Ticket {
    /// Its connection.
    _seat: Seat,
    /// Its right.
    link: Rc<LinkUse>,
    /// Of what.
    about: About,
    /// How its zap went.
    zaps: Rc<Zaps>,
    /// Who wants to know why it leaves; nobody where it fetches a piece.
    departures: Option<Rc<Departures>>,
}

/// Keeps why a viewer left, for itself to ask.
pub fn note_end(ticket: &Ticket, why: Left) {
    if let Some(departures) = &ticket.departures {
        departures.note(&ticket.link, why, clock::boot());
    }
}

/// Takes note of how long a viewer's first byte took.
pub fn note_begin(ticket: &Ticket, first: First) {
    if let Some((holder, _)) = ticket.link.viewer() {
        ticket.zaps.begun(holder, ticket.about.channel, first);
    }
}

/// What a box without a name is called.
pub const BOX_NAME: &str = "stbcast";

/// Everything a request can reach.
pub struct SetTopBox {
    /// Where tasks wait.
    pub reactor: Rc<Reactor>,
    /// Who may what.
    pub access: Access,
    /// How others are let in.
    pub pairing: Pairing,
    /// The programme database.
    pub channels: RefCell<ChannelTable>,
    /// The muxes.
    pub tuners: RefCell<Tuners>,
    /// The programme guide.
    pub guide: RefCell<Epg>,
    /// All whom something is sent to.
    pub pump: RefCell<Pump<Ticket>>,
    /// All who watch by HLS.
    pub hls: RefCell<Sessions<Watcher>>,
    /// The way to who sits before the television.
    pub take_over: TakeOver,
    /// Why streams ended.
    pub departures: Rc<Departures>,
    /// Makes long answers short.
    pub gzip: Gzip,
    /// Pictures of channels.
    pub logos: Logos,
    /// What is new, for who listens.
    pub news: Rc<News>,
    /// How long zaps took.
    pub zaps: Rc<Zaps>,
    /// How the process does.
    pub health: Health,
    /// Names that are this box's, beside its addresses and `localhost`.
    pub names: Vec<String>,
    /// The name that it has from its name service.
    pub registered: RefCell<Option<String>>,
    /// Who asks the name service. It knows the box, so it comes after it.
    pub naming: OnceCell<Rc<Names>>,
}

/// What a request leads to.
enum Next {
    /// Another request on the same connection.
    Again,
    /// The end of the connection.
    Close,
    /// The socket becomes a viewer's.
    Watch(Lease, LinkUse, About),
    /// The socket gets a piece of a ring.
    Fetch(Piece, Rc<LinkUse>, About),
    /// The connection becomes a listener's.
    Listen(Box<Listening>),
}

impl Next {
    fn after(keep_alive: bool) -> Self {
        if keep_alive { Self::Again } else { Self::Close }
    }
}

/// Serves a connection until it ends or becomes a viewer.
pub async fn serve(stb: Rc<SetTopBox>, accepted: Accepted) {
    let Accepted { stream, local, peer, seat, mut head } = accepted;
    let mut connection = Connection::new(stream, &stb.reactor);
    match converse(&stb, &mut connection, (local, peer, &seat), head.buffer()).await {
        Ok(Next::Watch(lease, link, about)) => {
            stb.seat(connection.into_stream().into_fd(), lease, (seat, Rc::new(link), about));
        }
        Ok(Next::Fetch(piece, link, about)) => {
            stb.send(connection.into_stream().into_fd(), piece, (seat, link, about));
        }
        Ok(Next::Listen(listening)) => {
            drop(head); // for other requests
            if let Err(e) = Box::pin(listening.run(&stb, &mut connection)).await {
                log::debug!("a listener left: {e}");
            }
        }
        Ok(_) => connection.linger().await,
        Err(e) => log::debug!("a connection ended: {e}"),
    }
}

impl SetTopBox {
    /// What the box is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or(BOX_NAME, String::as_str)
    }

    /// Ends the streams of who was put out, and of viewers that have a newer one.
    pub fn end_what_is_over(&self) {
        if self.access.take_over() {
            self.pump.borrow_mut().put_out(Left::PutOut, |ticket| ticket.link.is_over());
            self.end_hls(Left::PutOut, |watcher| watcher.is_over());
        }
    }

    /// How many watch.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.pump.borrow().viewers() + self.hls.borrow().len()
    }

    /// From here on the pump serves the socket.
    fn seat(&self, socket: OwnedFd, lease: Lease, (seat, link, about): (Seat, Rc<LinkUse>, About)) {
        if link.is_over() {
            return; // put out while its channel was being locked
        }
        let (zaps, departures) = (Rc::clone(&self.zaps), Some(Rc::clone(&self.departures)));
        let ticket = Ticket { _seat: seat, link, about, zaps, departures };
        let adopted = self.pump.borrow_mut().adopt(socket, lease.into_feed(), ticket, clock::boot());
        self.attend(adopted);
    }

    /// From here on the pump sends the piece.
    fn send(&self, socket: OwnedFd, piece: Piece, (seat, link, about): (Seat, Rc<LinkUse>, About)) {
        if link.is_over() {
            return; // put out while the head was being sent
        }
        let zaps = Rc::clone(&self.zaps);
        let ticket = Ticket { _seat: seat, link, about, zaps, departures: None };
        let piece = (piece.feed, piece.range);
        let adopted = self.pump.borrow_mut().adopt_fetching(socket, piece, ticket, clock::boot());
        self.attend(adopted);
    }

    /// Whoever hangs up is let go at once.
    fn attend(&self, adopted: Result<u64, pump::Full>) {
        // Every connection has a seat and the pump has as many, so that it is full is a race that cannot be.
        let Ok(number) = adopted else { return };
        let watched = self.pump.borrow().socket(number).map(|s| self.reactor.watch_hangup(s, number));
        if let Some(Err(e)) = watched {
            log::debug!("a viewer's end will be noticed only when it is written to: {e}");
        }
    }

    /// `host` is an address the client can have come to, or a name of ours. Anything else is a page of another site
    /// whose name was made to point here (DNS rebinding).
    fn is_ours(&self, authority: &str, local: IpAddr) -> bool {
        match address_of(authority) {
            Some(ip) => ip.to_canonical() == local || crate::sys::socket::is_own_address(ip),
            None => {
                let host = host_of(authority);
                host.eq_ignore_ascii_case("localhost")
                    || self.names.iter().any(|n| host.eq_ignore_ascii_case(n))
                    || self.registered.borrow().as_ref().is_some_and(|n| host.eq_ignore_ascii_case(n))
            }
        }
    }
}

/// Requests and replies until something else is to be done with the connection.
async fn converse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    connection: &mut Connection<S>,
    place: (IpAddr, IpAddr, &Seat),
    buffer: &mut HeadBuffer,
) -> io::Result<Next> {
    // When the head in `buffer` began to come.
    let mut begun = None;
    let why = loop {
        match Request::parse(buffer) {
            Ok(Some((request, length))) => {
                let exchange = Exchange::new(connection, Asked::of(&request));
                match answer(stb, request, exchange, place).await? {
                    Next::Again => {}
                    next => return Ok(next),
                }
                let rest = buffer.len() - length;
                buffer.copy_within(length.., 0);
                buffer.truncate(rest);
                begun = None;
            }
            Ok(None) => match connection.read_more(buffer, &mut begun).await? {
                Ok(true) => {}
                Ok(false) => return Ok(Next::Close),
                Err(why) => break why,
            },
            Err(why) => break why,
        }
    };
    let (status, sentence) = why.answer();
    Exchange::new(connection, Asked::NOTHING).refuse(status, sentence).await?;
    Ok(Next::Close)
}

/// Finds the route.
async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    request: Request<'_>,
    exchange: Exchange<'_, S>,
    (local, peer, seat): (IpAddr, IpAddr, &Seat),
) -> io::Result<Next> {
    if let Some(host) = request.host.filter(|host| !stb.is_ours(host, local)) {
        log::debug!("a request for host '{}'", host.escape_debug());
        let done = exchange.refuse(Status::MisdirectedRequest, "this box is not that host").await?;
        return Ok(Next::after(done));
    }
    if let Some(page) = web::find(request.path) {
        if !request.method.is_safe() {
            return not_allowed(exchange, "GET, HEAD").await;
        }
        let is_known = request.said.has(page.etag);
        return exchange.page(&page, is_known).await.map(Next::after);
    }
    let Some(found) = route::find(request.path) else {
        return exchange.refuse(Status::NotFound, NOTHING_HERE).await.map(Next::after);
    };
    let is_pairing = matches!(found.route, Route::PairHello | Route::PairShare | Route::PairFinish);
    if is_pairing && !stb.pairing.is_open() {
        return exchange.refuse(Status::NotFound, NOTHING_HERE).await.map(Next::after);
    }
    if !found.takes(request.method) {
        return not_allowed(exchange, &found.allow()).await;
    }
    let visit = Visit { part: found.part, door: Door::Plain, local, peer, seat, request };
    if !visit.request.method.is_safe() && !visit.is_from_own_page() {
        let sentence = "a page of another site cannot ask for that";
        return exchange.refuse(Status::Forbidden, sentence).await.map(Next::after);
    }
    // What is asked for now and then is boxed, for the future of every connection to stay small.
    let going_on = match found.route {
        Route::Logo => logos::answer(stb, &visit, exchange).await,
        Route::Live => return Box::pin(live::answer(stb, &visit, exchange)).await,
        Route::HlsIndex => return Box::pin(hls::index(stb, &visit, exchange)).await,
        Route::HlsPlaylist => return Box::pin(hls::playlist(stb, &visit, exchange)).await,
        Route::HlsPiece => return Box::pin(hls::piece(stb, &visit, exchange)).await,
        Route::Events => return Box::pin(events::answer(stb, &visit, exchange)).await,
        Route::Status => Box::pin(status::answer(stb, &visit, exchange)).await,
        Route::Box => introduce(exchange).await,
        Route::Channels => channels::answer(stb, &visit, exchange).await,
        Route::Epg => epg::answer(stb, &visit, exchange).await,
        Route::Ask => Box::pin(ask::answer(stb, &visit, exchange)).await,
        Route::Ended => Box::pin(ended::answer(stb, &visit, exchange)).await,
        Route::Xmltv => Box::pin(xmltv::answer(stb, &visit, exchange)).await,
        Route::Playlist => playlist::answer(stb, &visit, exchange).await,
        Route::Session => Box::pin(session::answer(stb, &visit, exchange)).await,
        Route::HandOver => Box::pin(session::hand_over(stb, &visit, exchange)).await,
        Route::Redeem => Box::pin(session::redeem(stb, &visit, exchange)).await,
        Route::Terminals => Box::pin(terminals::answer(stb, &visit, exchange)).await,
        Route::RevokeAll => Box::pin(terminals::revoke_all(stb, &visit, exchange)).await,
        Route::Terminal => Box::pin(terminals::change(stb, &visit, exchange)).await,
        Route::Parental => Box::pin(parental::answer(stb, &visit, exchange)).await,
        Route::Unlock => Box::pin(parental::unlock(stb, &visit, exchange)).await,
        Route::Links => Box::pin(terminals::link(stb, &visit, exchange)).await,
        Route::Name => Box::pin(name::answer(stb, &visit, exchange)).await,
        Route::PairHello => Box::pin(pair::hello(stb, &visit, exchange)).await,
        Route::PairShare => Box::pin(pair::share(stb, &visit, exchange)).await,
        Route::PairFinish => Box::pin(pair::finish(stb, &visit, exchange)).await,
    };
    going_on.map(Next::after)
}

/// The path has these methods, and not the one that was asked for.
async fn not_allowed<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    mut exchange: Exchange<'_, S>,
    methods: &str,
) -> io::Result<Next> {
    exchange.add("Allow", format_args!("{methods}"));
    exchange.refuse(Status::MethodNotAllowed, &format!("only {methods}")).await.map(Next::after)
}

/// What is said of a path that nobody knows, and of one that is closed.
const NOTHING_HERE: &str = "there is nothing here";

/// All that a stranger learns.
async fn introduce<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    const INTRODUCTION: &str =
        concat!("{\"product\":\"stbcastd\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"api\":1}");
    exchange.reply(Status::Ok, "application/json", INTRODUCTION.as_bytes()).await
}
