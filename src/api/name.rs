//! `/api/v1/name`: how it stands with the box's name, and what its owner wants done with it. The same as
//! `stbcastd name` at the box.

use std::io;

use embedded_io_async::{Read, Write};
use serde::{Deserialize, Serialize};

use super::visit::{Visit, json, read_owned_body, refuse};
use super::{SetTopBox, reply};
use crate::access::Caller;
use crate::ddns::{Names, suggest};
use crate::http::{Exchange, Method, Status};

/// How it stands.
#[derive(Serialize)]
struct NameView<'a> {
    state: &'static str,
    name: Option<&'a str>,
    service: Option<&'a str>,
    seen: Option<heapless::String<56>>,
    heard_s: Option<u64>,
    by_https: bool,
    move_pending: bool,
    waits_until: Option<u64>,
    problem: Option<&'a str>,
    has_recovery: bool,
}

/// What is to be done: `claim` (with a `name`, and where it is another box's a `recovery` code or that box's
/// `handover`), `suggest`, `recovery`, `cancel-move` or `release`.
#[derive(Deserialize)]
struct Wish {
    cmd: heapless::String<16>,
    name: Option<heapless::String<64>>,
    recovery: Option<heapless::String<32>>,
    handover: Option<heapless::String<128>>,
    erase: Option<bool>,
}

/// What came of it.
#[derive(Default, Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<DomainName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<heapless::String<19>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<u64>,
}

/// A domain name as text (RFC 1035 §2.3.4: 255 octets at most, of which two are no text).
type DomainName = heapless::String<253>;

/// Bytes of a problem that are told.
const PROBLEM: usize = 512;
const BAD_WISH: &str =
    "the body is to be {\"cmd\":\"claim\",\"name\":\"…\"}; or suggest, recovery, cancel-move, release";

/// `GET` and `POST /api/v1/name`.
pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    if let Err(why) = visit.identify(stb, &mut exchange, Caller::may_manage) {
        return refuse(stb, exchange, &why).await;
    }
    let Some(names) = stb.naming.get() else {
        return exchange.refuse(Status::ServiceUnavailable, "the box is starting").await;
    };
    if visit.request.method != Method::Post {
        return show(names, exchange).await;
    }
    let Some(wish) = read_owned_body::<Wish>(&visit.request) else {
        return exchange.refuse(Status::BadRequest, BAD_WISH).await;
    };
    match fulfil(names, &wish).await {
        Ok(outcome) => json(exchange, &outcome).await,
        Err((status, sentence)) => exchange.refuse(status, &sentence).await,
    }
}

async fn show<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    names: &Names,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let status = names.status();
    let seen = status.seen.map(|at| at.to_string());
    let problem = status.problem.as_deref().map(|text| &text[..text.floor_char_boundary(PROBLEM)]);
    let view = NameView {
        state: status.phase.word(),
        name: status.name.as_deref(),
        service: status.service.as_deref(),
        seen: seen.and_then(|at| at.as_str().try_into().ok()),
        heard_s: status.heard.map(|ago| ago.as_secs()),
        by_https: status.by_https,
        move_pending: status.move_pending,
        waits_until: status.waits_until,
        problem,
        has_recovery: status.has_recovery,
    };
    json(exchange, &view).await
}

/// Does it. Every refusal is a sentence for the owner.
async fn fulfil(names: &Names, wish: &Wish) -> Result<Outcome, (Status, String)> {
    let no = |why| (Status::Conflict, why);
    let nothing = Outcome::default();
    Ok(match wish.cmd.as_str() {
        "claim" => {
            let name = wish.name.as_deref().ok_or_else(|| (Status::BadRequest, BAD_WISH.to_owned()))?;
            let claimed = names.claim_name(name, wish.recovery.as_deref(), wish.handover.as_deref());
            let granted = claimed.await.map_err(no)?;
            let name = DomainName::try_from(granted.name.as_str()).ok();
            Outcome { name, recovery: granted.recovery, waits_until: granted.waits_until }
        }
        "suggest" => {
            let label =
                suggest().map_err(|_| (Status::ServiceUnavailable, reply::NO_RANDOMNESS.to_owned()))?;
            Outcome { name: DomainName::try_from(label.as_str()).ok(), ..nothing }
        }
        "recovery" => Outcome { recovery: Some(names.take_recovery().await.map_err(no)?), ..nothing },
        "cancel-move" => names.cancel_move().await.map(|()| nothing).map_err(no)?,
        "release" => names.release(wish.erase == Some(true)).await.map(|()| nothing).map_err(no)?,
        _ => return Err((Status::BadRequest, BAD_WISH.into())),
    })
}
