//! `GET /live/<number>.ts[?name=…][&v=…]`: a channel's stream, from a place where a decoder can start, until the viewer
//! hangs up, or comes again under the same `v`.

use std::io;

use embedded_io_async::{Read, Write};
use serde::Serialize;

use super::visit::{Visit, challenge};
use super::{Next, SetTopBox, reply};
use crate::access::{LinkUse, Refusal, VIEWER_ID_MAX, ViewerId};
use crate::channel::{Channel, ChannelError, Wanted};
use crate::http::{Exchange, Method, Request, Status};
use crate::ts::service_info::Name;
use crate::tuner::arbiter::Priority;

/// ISO 13818-1 over HTTP (RFC 3555 registers the type).
const MPEG_TS: &str = "video/mp2t";

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let is_head = visit.request.method == Method::Head;
    let (channel, link) = match open(stb, visit, is_head) {
        Ok(opened) => opened,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    if is_head {
        exchange.live(MPEG_TS).await?;
        return Ok(Next::Close);
    }
    match channel.lease(&stb.tuners, Priority::VIEWER).await {
        Ok(lease) => {
            exchange.live(MPEG_TS).await?;
            Ok(Next::Watch(lease, link))
        }
        Err(why) => {
            let (status, sentence) = reply::lease_error(&why);
            exchange.refuse(status, &sentence).await.map(Next::after)
        }
    }
}

/// Who, and may they. The viewer's earlier stream ends here, before the new one needs a tuner; a HEAD ends none.
fn open(stb: &SetTopBox, visit: &Visit<'_>, is_head: bool) -> Result<(Channel, LinkUse), Refusal> {
    let caller = visit.caller(stb)?;
    let channel = caller.open(&stb.channels.borrow(), &wanted(&visit.request, visit.part)?)?;
    let viewer = match visit.request.has_parameter("v") && !is_head {
        true => Some(viewer_id(&visit.request).ok_or(Refusal::BadRequest(BAD_VIEWER))?),
        false => None,
    };
    let link = stb.access.connect(&caller, viewer)?;
    stb.end_what_is_over();
    Ok((channel, link))
}

pub(super) const BAD_VIEWER: &str = "v is up to 32 letters, digits, '-' and '_'";

pub(super) fn viewer_id(request: &Request<'_>) -> Option<ViewerId> {
    ViewerId::new(&request.parameter::<VIEWER_ID_MAX>("v")?)
}

/// The channel a request carries: its number, and the name where it has one.
fn wanted(request: &Request<'_>, number: &str) -> Result<Wanted, Refusal> {
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|_| digits).ok_or(Refusal::Channel(ChannelError::Unknown(0)))?;
    let name = request.has_parameter("name").then(|| {
        // A name that does not decode or is too long is nobody's, so it differs from every channel's.
        request.parameter::<256>("name").map_or_else(|| Name::new("?"), |text| Name::new(&text))
    });
    Ok(Wanted { number, name })
}

/// A name that is another channel's is answered with both, so that the terminal can mend its list.
async fn refuse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    mut exchange: Exchange<'_, S>,
    why: &Refusal,
) -> io::Result<Next> {
    #[derive(Serialize)]
    struct Answer<'a> {
        error: &'a str,
        number: u16,
        name: &'a str,
        asked: &'a str,
    }
    let (status, sentence) = reply::refusal(why);
    let Refusal::Channel(ChannelError::Renamed(renamed)) = why else {
        challenge(stb, &mut exchange, status);
        return exchange.refuse(status, &sentence).await.map(Next::after);
    };
    let asked = renamed.wanted.name.as_ref().map_or("", |name| name.as_str());
    let number = renamed.wanted.number;
    let answer = Answer { error: &sentence, number, name: renamed.name.as_str(), asked };
    let mut body = vec![0; 2048];
    let length = serde_json_core::to_slice(&answer, &mut body).unwrap_or(0);
    exchange.reply(Status::Conflict, "application/json", &body[..length]).await.map(Next::after)
}
