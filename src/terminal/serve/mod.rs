//! `stbcast serve`: the box for the players of this computer, which know nothing of pairing.
//!
//! Listens on loopback alone, and under a path that nobody guesses, since other users of the computer and pages in its
//! browser reach loopback, too. A thread a request; bytes of a stream go on as they come.
//!
//! | file | owns |
//! |---|---|
//! | `target` | what a request asks for, if it may |
//! | `playlist` | the box's list with our URLs in it |
//! | `relay` | a stream's way to a player |
//! | `places` | the viewer ids of the streams |

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tiny_http::{Header, Response, Server, StatusCode};

use super::bytes::{encoded, random};
use super::client::Client;
use super::http::{HttpError, Request};
use super::{Failure, note, print};

mod places;
mod playlist;
mod relay;
mod target;

use places::Places;
use target::{Live, Target};

/// Requests that are answered at one time.
const REQUESTS: usize = 64;
/// Streams among them; a box gives fewer to one terminal.
const STREAMS: usize = 32;

/// Why players cannot be served.
#[derive(Debug)]
pub(super) enum ServeError {
    /// The port cannot be listened on.
    Listen(u16, String),
    /// Nobody can come any more.
    Accept(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(port, why) => write!(f, "cannot listen on port {port} of 127.0.0.1: {why}"),
            Self::Accept(e) => write!(f, "players cannot connect any more: {e}"),
        }
    }
}

/// Serves players until the process ends.
pub(super) fn serve(client: Client, port: u16) -> Result<(), Failure> {
    // What is wrong with the box shows here, and not in a player.
    smol::block_on(client.get("/playlist.m3u"))?;
    let server =
        Server::http((Ipv4Addr::LOCALHOST, port)).map_err(|e| ServeError::Listen(port, e.to_string()))?;
    let address =
        server.server_addr().to_ip().ok_or_else(|| ServeError::Listen(port, "no address".into()))?;
    let desk = Arc::new(Desk::new(client, address)?);
    print(&format!("{}/playlist.m3u\n", desk.base()))?;
    loop {
        let request = server.recv().map_err(ServeError::Accept)?;
        let desk = Arc::clone(&desk);
        // Without a thread the request is dropped, which answers it with a 500.
        let _thread = thread::Builder::new().name("player".into()).spawn(move || desk.answer(request));
    }
}

/// Answers players.
struct Desk {
    client: Client,
    address: SocketAddr,
    /// What the path begins with.
    secret: String,
    busy: AtomicUsize,
    places: Places<STREAMS>,
}

impl Desk {
    fn new(client: Client, address: SocketAddr) -> Result<Self, Failure> {
        let (secret, places) = (encoded(&random::<16>()?), Places::new(&encoded(&random::<12>()?)));
        Ok(Self { client, address, secret, busy: AtomicUsize::new(0), places })
    }

    /// What our URLs begin with.
    fn base(&self) -> String {
        format!("http://{}/{}", self.address, self.secret)
    }

    fn answer(&self, request: tiny_http::Request) {
        let before = self.busy.fetch_add(1, Ordering::Relaxed);
        let target = if before < REQUESTS { self.target(&request) } else { Err(target::BUSY) };
        match target {
            Ok(Target::Playlist(query)) => self.playlist(request, query),
            Ok(Target::Live(live)) if *request.method() == tiny_http::Method::Head => {
                self.head(request, &live);
            }
            Ok(Target::Live(live)) => self.live(request, &live),
            Err((status, sentence)) => refuse(request, status, sentence),
        }
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    fn target(&self, request: &tiny_http::Request) -> Result<Target, target::Refusal> {
        let mut hosts = request.headers().iter().filter(|h| h.field.equiv("Host"));
        let host = hosts.next().map(|h| h.value.as_str()).filter(|_| hosts.next().is_none());
        target::Asked { method: request.method().as_str(), host, url: request.url() }.target(&self.secret)
    }

    fn playlist(&self, request: tiny_http::Request, query: &str) {
        let list = smol::block_on(async {
            let list = self.client.get(&format!("/playlist.m3u{query}")).await?.body().await?;
            Ok(playlist::rewritten(&String::from_utf8_lossy(&list), &self.base()))
        });
        match list {
            Ok(text) => respond(request, Response::from_string(text), "audio/x-mpegurl"),
            Err(why) => fail(request, &why),
        }
    }

    /// What a player would get, without it.
    fn head(&self, request: tiny_http::Request, live: &Live) {
        match smol::block_on(self.client.ask(Request::new("HEAD", &live.path()))) {
            Ok(_) => respond(request, Response::empty(200), relay::MPEG_TS),
            Err(why) => fail(request, &why),
        }
    }

    fn live(&self, request: tiny_http::Request, live: &Live) {
        let Some(place) = self.places.take() else {
            let (status, sentence) = target::BUSY;
            return refuse(request, status, sentence);
        };
        let answer = match smol::block_on(self.client.get(&live.path_as(place.viewer()))) {
            Ok(answer) if answer.is_transport_stream() => answer,
            Ok(_) => return fail(request, &HttpError::NotHttp.into()),
            Err(why) => return fail(request, &why),
        };
        let framing = relay::Framing::of(request.http_version().0, request.http_version().1);
        let why = match relay::pass(answer, request.into_writer(), framing) {
            Ok(relay::End::Player) => return,
            Ok(relay::End::Box) => smol::block_on(self.client.still_let_in()).err(),
            Err(why) => Some(why),
        };
        let why = why.map_or_else(|| "the box ended the stream".to_owned(), |why| why.to_string());
        note(&format!("channel {}: {why}", live.number));
    }
}

/// Tells the player, and who started us.
fn fail(request: tiny_http::Request, why: &Failure) {
    let sentence = why.to_string();
    note(&sentence);
    let status = match why {
        Failure::Refused { status, .. } => *status,
        _ => 502,
    };
    refuse(request, status, &sentence);
}

fn refuse(request: tiny_http::Request, status: u16, sentence: &str) {
    let mut response = Response::from_string(format!("{sentence}\n")).with_status_code(StatusCode(status));
    if status == 405 {
        response.add_header(field("Allow", "GET, HEAD"));
    }
    respond(request, response, "text/plain; charset=utf-8");
}

/// A player that has gone needs no answer.
fn respond<R: io::Read>(request: tiny_http::Request, response: Response<R>, content_type: &str) {
    let response = response.with_header(field("Content-Type", content_type));
    let _gone = request.respond(response.with_header(field("Cache-Control", "no-store")));
}

fn field(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("our own fields are ASCII")
}
