//! `GET /live/<number>.ts[?name=…]&t=…`: a channel's stream, from a place where a decoder can start, until the
//! viewer hangs up.

use std::io;

use embedded_io_async::{Read, Write};
use serde::Serialize;

use super::{Next, SetTopBox, credentials, reply};
use crate::access::{LinkUse, Refusal};
use crate::channel::{Channel, ChannelError, Wanted};
use crate::http::{Exchange, Method, Request, Status};
use crate::sys::clock;
use crate::ts::service_info::Name;

/// ISO 13818-1 over HTTP (RFC 3555 registers the type).
const MPEG_TS: &str = "video/mp2t";

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    request: &Request<'_>,
    number: &str,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let (channel, link) = match open(stb, request, number) {
        Ok(opened) => opened,
        Err(why) => return refuse(exchange, &why).await,
    };
    if request.method == Method::Head {
        exchange.live(MPEG_TS).await?;
        return Ok(Next::Close);
    }
    match channel.lease(&stb.tuners).await {
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

/// Who, and may they.
fn open(stb: &SetTopBox, request: &Request<'_>, number: &str) -> Result<(Channel, LinkUse), Refusal> {
    let caller = stb.access.identify(credentials(request).as_deref(), clock::boot())?;
    let channel = caller.open(&stb.channels.borrow(), &wanted(request, number)?)?;
    Ok((channel, stb.access.connect(&caller)?))
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
    exchange: Exchange<'_, S>,
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
        return exchange.refuse(status, &sentence).await.map(Next::after);
    };
    let asked = renamed.wanted.name.as_ref().map_or("", |name| name.as_str());
    let number = renamed.wanted.number;
    let answer = Answer { error: &sentence, number, name: renamed.name.as_str(), asked };
    let mut body = [0; 2048];
    let length = serde_json_core::to_slice(&answer, &mut body).unwrap_or(0);
    exchange.reply(Status::Conflict, "application/json", &body[..length]).await.map(Next::after)
}
