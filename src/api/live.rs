//! `GET /live/<number>.ts[?name=…][&v=…][&tracks=audio]`: a channel's stream, or its sound alone, from a place where a decoder can start, until the viewer
//! hangs up, or comes again under the same `v`.

use std::io;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use serde::Serialize;

use super::reply::{self, NotNow};
use super::visit::{Visit, challenge};
use super::zaps::{Stages, Tuned};
use super::{About, Next, SetTopBox};
use crate::access::{Caller, LinkUse, Refusal, VIEWER_ID_MAX, ViewerId};
use crate::channel::{Channel, ChannelError, Wanted};
use crate::http::{Exchange, Method, Request, Status};
use crate::sys::clock;
use crate::ts::psi::Tracks;
use crate::ts::service_info::Name;
use crate::tuner::arbiter::Choice;
use crate::tuner::{Lease, LeaseError};

/// ISO 13818-1 over HTTP (RFC 3555 registers the type).
const MPEG_TS: &str = "video/mp2t";

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<Next> {
    let is_head = visit.request.method == Method::Head;
    let came = clock::boot();
    let (caller, channel, link) = match open(stb, visit, is_head) {
        Ok(opened) => opened,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let locked = match is_head {
        true => stb.would_ask(&caller, &channel).map(|()| None),
        false => lock(stb, &caller, &channel, came).await.map(Some),
    };
    match locked {
        Ok(lease) => {
            exchange.live(MPEG_TS).await?;
            let judged = (!caller.is_recorder()).then(|| channel.service());
            let about = About { channel: channel.number(), judged };
            Ok(lease.map_or(Next::Close, |lease| Next::Watch(lease, link, about)))
        }
        Err(why) => {
            let (status, code, sentence) = why.answer(stb.take_over.can_ask());
            exchange.refuse_as(status, code, &sentence).await.map(Next::after)
        }
    }
}

impl SetTopBox {
    /// A HEAD takes no tuner; what the television would have to be asked for is said.
    pub(super) fn would_ask(&self, caller: &Caller, channel: &Channel) -> Result<(), NotNow> {
        match channel.reach(&self.tuners.borrow(), self.wish(caller), true) {
            Choice::Ask(_) => Err(NotNow::Lease(LeaseError::Ask)),
            _ => Ok(()),
        }
    }
}

/// Locks the channel for the caller, whose request `came` then.
pub(super) async fn lock(
    stb: &SetTopBox,
    caller: &Caller,
    channel: &Channel,
    came: Duration,
) -> Result<Lease, NotNow> {
    let allowed = clock::boot();
    if stb.is_kept_from(caller, channel) {
        return Err(NotNow::Kept);
    }
    let lease = channel.lease(&stb.tuners, stb.wish(caller)).await.map_err(NotNow::Lease)?;
    stb.zaps.note(caller.holder(), channel.number(), stages(stb, channel, came, allowed));
    stb.take_over.opened(caller.holder());
    if channel.is_marked_scrambled() && !shows_itself(stb, &lease).await {
        return Err(NotNow::Scrambled);
    }
    Ok(lease)
}

/// How long a zap took, stage by stage, as far as it came by now. The pump tells when the first byte goes.
fn stages(stb: &SetTopBox, channel: &Channel, came: Duration, allowed: Duration) -> Stages {
    let told = channel.tuned(&stb.tuners.borrow()).filter(|(stages, _)| stages.told >= allowed);
    let tuned = told.map(|(stages, opened)| {
        let tuned = stages.tuned.unwrap_or(stages.told);
        let locked = stages.locked.unwrap_or(tuned);
        Tuned { tuned, locked, opened: opened.unwrap_or(locked) }
    });
    Stages { came, allowed, tuned, ready: clock::boot() }
}

/// A service that is listed as scrambled turns out to be clear: so are its packets, where a decoder can start.
async fn shows_itself(stb: &SetTopBox, lease: &Lease) -> bool {
    let until = clock::boot() + PATIENCE;
    loop {
        match lease.is_scrambled(clock::boot()) {
            Some(scrambled) => return !scrambled,
            None if clock::boot() >= until || stb.reactor.sleep(LOOK).await.is_err() => return false,
            None => {}
        }
    }
}

/// In this time a service shows whether it is scrambled: a picture that can be started at comes every few seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// Who, and may they. The viewer's earlier stream ends here, before the new one needs a tuner; a HEAD ends none.
fn open(stb: &SetTopBox, visit: &Visit<'_>, is_head: bool) -> Result<(Caller, Channel, LinkUse), Refusal> {
    let (caller, channel, viewer) = admit(stb, visit)?;
    let link = stb.access.connect(&caller, viewer.filter(|_| !is_head))?;
    stb.end_what_is_over();
    Ok((caller, channel, link))
}

/// Who asks, for which channel, and what their viewer calls itself.
pub(super) fn admit(
    stb: &SetTopBox,
    visit: &Visit<'_>,
) -> Result<(Caller, Channel, Option<ViewerId>), Refusal> {
    let caller = visit.caller(stb)?;
    let channel = caller.open(&stb.channels.borrow(), &wanted(&visit.request, visit.part)?)?;
    stb.may_watch_now(&caller, &channel)?;
    let viewer = match visit.request.has_parameter("v") {
        true => Some(viewer_id(&visit.request).ok_or(Refusal::BadRequest(BAD_VIEWER))?),
        false => None,
    };
    Ok((caller, channel, viewer))
}

pub(super) const BAD_VIEWER: &str = "v is up to 32 letters, digits, '-' and '_'";

pub(super) fn viewer_id(request: &Request<'_>) -> Option<ViewerId> {
    ViewerId::new(&request.parameter::<VIEWER_ID_MAX>("v")?)
}

/// The channel a request carries: its number, the name where it has one, and what is wanted of it.
pub(super) fn wanted(request: &Request<'_>, number: &str) -> Result<Wanted, Refusal> {
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|_| digits).ok_or(Refusal::Channel(ChannelError::Unknown(0)))?;
    let name = request.has_parameter("name").then(|| {
        // A name that does not decode or is too long is nobody's, so it differs from every channel's.
        request.parameter::<256>("name").map_or_else(|| Name::new("?"), |text| Name::new(&text))
    });
    let tracks = match request.parameter::<8>("tracks").as_deref() {
        None if !request.has_parameter("tracks") => Tracks::All,
        Some("audio") => Tracks::Audio,
        _ => return Err(Refusal::BadRequest("tracks can be 'audio'")),
    };
    Ok(Wanted { number, name, tracks })
}

/// A name that is another channel's is answered with both, so that the terminal can mend its list.
pub(super) async fn refuse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
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
        return exchange.refuse_as(status, reply::code(why), &sentence).await.map(Next::after);
    };
    let asked = renamed.wanted.name.as_ref().map_or("", |name| name.as_str());
    let number = renamed.wanted.number;
    let answer = Answer { error: &sentence, number, name: renamed.name.as_str(), asked };
    let mut body = vec![0; 2048];
    let length = serde_json_core::to_slice(&answer, &mut body).unwrap_or(0);
    exchange.reply(Status::Conflict, "application/json", &body[..length]).await.map(Next::after)
}
