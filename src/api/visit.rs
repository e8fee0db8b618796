//! One request with all that is known of where it came from, and the small things that every answer needs.

use std::io;
use std::net::IpAddr;

use base64ct::{Base64UrlUnpadded, Encoding};
use embedded_io_async::{Read, Write};
use serde::{Deserialize, Serialize};

use super::{SetTopBox, reply};
use crate::access::{Caller, Credentials, Door, Refusal, TOKEN_CHARS};
use crate::http::request::BODY;
use crate::http::seats::Seat;
use crate::http::{Exchange, Request, Status};
use crate::sys::clock;

/// A browser keeps its cookie for so long without a visit: 400 days, the most that browsers grant.
const COOKIE_AGE: u32 = 400 * 86_400;

/// A request, and where it came from.
pub(super) struct Visit<'v> {
    pub(super) request: Request<'v>,
    /// What the path has where its route has a `*`.
    pub(super) part: &'v str,
    pub(super) door: Door,
    /// The address the client came to.
    pub(super) local: IpAddr,
    /// The address it came from.
    pub(super) peer: IpAddr,
    pub(super) seat: &'v Seat,
}

impl Visit<'_> {
    /// Who asks, if it `may`. A browser that is known by its cookie gets it anew with the reply.
    pub(super) fn identify<S: Read<Error = io::Error> + Write<Error = io::Error>>(
        &self,
        stb: &SetTopBox,
        exchange: &mut Exchange<'_, S>,
        may: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Result<Caller, Refusal> {
        let caller = self.caller(stb)?;
        if let Some(cookie) = stb.access.renewed_cookie(&caller, self.door) {
            set_cookie(exchange, self.door, &cookie);
        }
        may(&caller)?;
        Ok(caller)
    }

    /// Who asks. From now on the connection counts as the terminal's, no more as its address's.
    pub(super) fn caller(&self, stb: &SetTopBox) -> Result<Caller, Refusal> {
        let said = &self.request.said;
        if said.is_ambiguous {
            return Err(Refusal::NotKnown);
        }
        // A `t` that is there and is none is a credential that is wrong, not one that is missing.
        let link = self.request.has_parameter("t").then(|| self.link_token().unwrap_or_default());
        let bearer = said.authorization.and_then(|a| a.strip_prefix("Bearer "));
        let cookie = said.cookie(cookie_name(self.door)).filter(|_| self.is_from_own_page());
        let shown = Credentials { link: link.as_deref(), bearer, cookie };
        let caller = stb.access.identify(shown, self.door, clock::boot())?;
        self.seat.vouch();
        Ok(caller)
    }

    /// The token in the URL.
    pub(super) fn link_token(&self) -> Option<heapless::String<TOKEN_CHARS>> {
        self.request.parameter("t")
    }

    /// What asks is one of our own pages, or no page at all. Cookies of an address are sent to all its ports, so a
    /// page from another port of it would speak with this one's.
    pub(super) fn is_from_own_page(&self) -> bool {
        let said = &self.request.said;
        let near = said.fetch_site.is_none_or(|site| site == "same-origin" || site == "none");
        !said.is_ambiguous && near && said.origin.is_none_or(|origin| self.is_own(origin))
    }

    /// `origin` is what this request's `Host` makes with its door's scheme; that the host is ours was checked before.
    fn is_own(&self, origin: &str) -> bool {
        let scheme = match self.door {
            Door::Plain => "http://",
            Door::Tls => "https://",
        };
        let authority = origin.strip_prefix(scheme);
        authority.is_some_and(|a| self.request.host.is_some_and(|host| a.eq_ignore_ascii_case(host)))
    }

    /// The authority the client reached the box by; a client of HTTP/1.0 without one gets the address it came to.
    pub(super) fn authority(&self) -> String {
        let local = || std::net::SocketAddr::new(self.local, 80).to_string();
        self.request.host.map_or_else(local, Into::into)
    }
}

/// `__Host-` binds a cookie to its origin; browsers take such a name over https only.
pub(super) const fn cookie_name(door: Door) -> &'static str {
    match door {
        Door::Plain => "stb",
        Door::Tls => "__Host-stb",
    }
}

/// Has the browser keep `cookie`.
pub(super) fn set_cookie<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: &mut Exchange<'_, S>,
    door: Door,
    cookie: &str,
) {
    say_cookie(exchange, door, cookie, COOKIE_AGE);
}

/// Has the browser forget its cookie.
pub(super) fn forget_cookie<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: &mut Exchange<'_, S>,
    door: Door,
) {
    say_cookie(exchange, door, "", 0);
}

fn say_cookie<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: &mut Exchange<'_, S>,
    door: Door,
    cookie: &str,
    age: u32,
) {
    let secure = if door == Door::Tls { "; Secure" } else { "" };
    let name = cookie_name(door);
    exchange.add(
        "Set-Cookie",
        format_args!("{name}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}"),
    );
}

/// Tells why not. Who is not known is given a nonce to sign.
pub(super) async fn refuse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    mut exchange: Exchange<'_, S>,
    why: &Refusal,
) -> io::Result<bool> {
    let (status, sentence) = reply::refusal(why);
    challenge(stb, &mut exchange, status);
    exchange.refuse_as(status, reply::code(why), &sentence).await
}

/// RFC 9110 §11.6.1: a 401 says how to do better.
pub(super) fn challenge<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    exchange: &mut Exchange<'_, S>,
    status: Status,
) {
    if status == Status::Unauthorized {
        let mut text = [0; 22];
        let nonce = stb.access.challenge(clock::boot());
        let nonce = Base64UrlUnpadded::encode(&nonce.0, &mut text).unwrap_or_default();
        exchange.add("WWW-Authenticate", format_args!("STB nonce=\"{nonce}\""));
    }
}

/// A reply of one JSON value.
pub(super) async fn json<S: Read<Error = io::Error> + Write<Error = io::Error>, T: Serialize>(
    exchange: Exchange<'_, S>,
    value: &T,
) -> io::Result<bool> {
    let mut body = [0; 2048];
    let length = serde_json_core::to_slice(value, &mut body).unwrap_or(0);
    exchange.reply(Status::Ok, "application/json", &body[..length]).await
}

/// The body as a `T`: JSON, said to be JSON, so that no form of another site's page can send it.
pub(super) fn read_body<'b, T: Deserialize<'b>>(request: &Request<'b>) -> Option<T> {
    request.said.content_type.filter(|kind| kind.eq_ignore_ascii_case("application/json"))?;
    let (value, used) = serde_json_core::from_slice(request.body).ok()?;
    request.body[used..].trim_ascii().is_empty().then_some(value)
}

/// The same, for a `T` whose texts may have escapes and so are its own.
pub(super) fn read_owned_body<T: serde::de::DeserializeOwned>(request: &Request<'_>) -> Option<T> {
    request.said.content_type.filter(|kind| kind.eq_ignore_ascii_case("application/json"))?;
    let mut unescaped = [0; BODY];
    let (value, used) = serde_json_core::from_slice_escaped(request.body, &mut unescaped).ok()?;
    request.body[used..].trim_ascii().is_empty().then_some(value)
}

/// Exactly `N` bytes of base64url without padding.
pub(super) fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}
