//! The API: what a terminal can ask of the box. Its resource sharing module.
//!
//! Owns the routes and the wording of every answer. Checks no right itself: it asks `access`, and what `access` gives
//! out is what the rest works with.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use embedded_io_async::{Read, Write};

use crate::access::{Access, LinkUse, TOKEN_CHARS};
use crate::channel::ChannelTable;
use crate::guide::Epg;
use crate::http::connection::{Asked, HeadBuffer};
use crate::http::request::{address_of, host_of};
use crate::http::seats::Seat;
use crate::http::server::Accepted;
use crate::http::{Connection, Exchange, Method, Request, Status};
use crate::pump::Pump;
use crate::reactor::Reactor;
use crate::sys::clock;
use crate::tuner::{Lease, Tuners};

mod channels;
mod epg;
mod live;
mod playlist;
mod reply;

pub use channels::{ChannelView, stream_path};

/// What a viewer's place hangs on: its connection and its link.
pub type Ticket = (Seat, LinkUse);

/// Everything a request can reach.
pub struct SetTopBox {
    /// Where tasks wait.
    pub reactor: Rc<Reactor>,
    /// Who may what.
    pub access: Access,
    /// The programme database.
    pub channels: RefCell<ChannelTable>,
    /// The muxes.
    pub tuners: RefCell<Tuners>,
    /// The programme guide.
    pub guide: RefCell<Epg>,
    /// All who watch.
    pub pump: RefCell<Pump<Ticket>>,
    /// Names that are this box's, beside its addresses and `localhost`.
    pub names: Vec<String>,
}

/// What a request leads to.
enum Next {
    /// Another request on the same connection.
    Again,
    /// The end of the connection.
    Close,
    /// The socket becomes a viewer's.
    Watch(Lease, LinkUse),
}

impl Next {
    fn after(keep_alive: bool) -> Self {
        if keep_alive { Self::Again } else { Self::Close }
    }
}

/// Serves a connection until it ends or becomes a viewer.
pub async fn serve(stb: Rc<SetTopBox>, accepted: Accepted) {
    let Accepted { stream, local, seat, mut head } = accepted;
    let mut connection = Connection::new(stream, &stb.reactor);
    match converse(&stb, &mut connection, local, head.buffer()).await {
        Ok(Next::Watch(lease, link)) => stb.seat(connection.into_stream().into_fd(), lease, (seat, link)),
        Ok(_) => connection.linger().await,
        Err(e) => log::debug!("a connection ended: {e}"),
    }
}

impl SetTopBox {
    /// From here on the pump serves the socket.
    fn seat(&self, socket: OwnedFd, lease: Lease, ticket: Ticket) {
        let mut pump = self.pump.borrow_mut();
        match pump.adopt(socket, lease.into_feed(), ticket, clock::boot()) {
            Ok(number) => {
                let watched = pump.socket(number).map(|s| self.reactor.watch_hangup(s, number));
                if let Some(Err(e)) = watched {
                    log::debug!("a viewer's end will be noticed only when it is written to: {e}");
                }
            }
            // Every connection has a seat and the pump has as many, so this is a race that cannot be.
            Err(full) => drop(full),
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
            }
        }
    }
}

/// Requests and replies until something else is to be done with the connection.
async fn converse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    connection: &mut Connection<S>,
    local: IpAddr,
    buffer: &mut HeadBuffer,
) -> io::Result<Next> {
    // When the head in `buffer` began to come.
    let mut begun = None;
    let why = loop {
        match Request::parse(buffer) {
            Ok(Some((request, length))) => {
                let exchange = Exchange::new(connection, Asked::of(&request));
                match answer(stb, &request, exchange, local).await? {
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
    request: &Request<'_>,
    exchange: Exchange<'_, S>,
    local: IpAddr,
) -> io::Result<Next> {
    if let Some(host) = request.host.filter(|host| !stb.is_ours(host, local)) {
        log::debug!("a request for host '{}'", host.escape_debug());
        let done = exchange.refuse(Status::MisdirectedRequest, "this box is not that host").await?;
        return Ok(Next::after(done));
    }
    let live = request.path.strip_prefix("/live/").and_then(|p| p.strip_suffix(".ts"));
    let known = live.is_some()
        || matches!(request.path, "/api/v1/box" | "/api/v1/channels" | "/api/v1/epg" | "/playlist.m3u");
    if known && request.method == Method::Other {
        return exchange.refuse(Status::MethodNotAllowed, "only GET and HEAD").await.map(Next::after);
    }
    match (request.path, live) {
        (_, Some(number)) => live::answer(stb, request, number, exchange).await,
        ("/api/v1/box", _) => introduce(exchange).await.map(Next::after),
        ("/api/v1/channels", _) => channels::answer(stb, request, exchange).await.map(Next::after),
        ("/api/v1/epg", _) => epg::answer(stb, request, exchange).await.map(Next::after),
        ("/playlist.m3u", _) => playlist::answer(stb, request, exchange, local).await.map(Next::after),
        _ => exchange.refuse(Status::NotFound, "there is nothing here").await.map(Next::after),
    }
}

/// All that a stranger learns.
async fn introduce<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    const INTRODUCTION: &str =
        concat!("{\"product\":\"stbcastd\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"api\":1}");
    exchange.reply(Status::Ok, "application/json", INTRODUCTION.as_bytes()).await
}

/// The token of a request.
fn credentials(request: &Request<'_>) -> Option<heapless::String<TOKEN_CHARS>> {
    request.parameter("t")
}
