//! What boxes and routers ask by HTTP.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/time?nonce=` | the time of day, signed |
//! | `GET /v1/nonce` | a nonce of one use |
//! | `POST /v1/claim` | a name; 202 while a recovery waits |
//! | `POST /v1/cancel`, `/v1/release` | by the box that has the name |
//! | `POST /v1/beat` | a heartbeat, where UDP does not pass; what a box tells of itself by TLS alone |
//! | `GET /v1/moved?zone=` | where the service went, signed |
//! | `GET /nic/update` | dyndns2 |
//!
//! An answer that says that something is so goes out when it is on disk.

mod json;

use std::rc::Rc;

use hyper::{Method, StatusCode};

use self::json::{ByOwner, Bytes, Claim, Claimed, Moved, NewNonce, Nothing, Pending, Time};
use super::http::{Reply, Request, fields};
use super::nic::{self, Word};
use super::service::Service;
use crate::registrar::{Answer, Came, ClaimRequest, Granting, Refusal, Reply as Beaten};
use crate::registration::{BoxPublic, Header, Kind, Nonce, PACKET_MAX, Signature};

/// Answers a request.
pub(super) async fn answer(service: Rc<Service>, request: Request) -> Reply {
    let methods: &[Method] = match request.path.as_str() {
        "/v1/time" | "/v1/nonce" | "/v1/moved" => &[Method::GET],
        "/v1/claim" | "/v1/cancel" | "/v1/release" | "/v1/beat" => &[Method::POST],
        "/nic/update" | "/v3/update" => &[Method::GET, Method::POST],
        _ => return Reply::error(StatusCode::NOT_FOUND, "path", "there is nothing at this path"),
    };
    if !methods.contains(&request.method) {
        return Reply::not_allowed(if methods.contains(&Method::GET) { "GET" } else { "POST" });
    }
    let answered = match request.path.as_str() {
        "/v1/time" => time(&service, &request),
        "/v1/nonce" => {
            let nonce = service.registrar.borrow_mut().nonce(service.now());
            Ok(Reply::json(StatusCode::OK, &NewNonce { nonce: Bytes(nonce.0) }))
        }
        "/v1/moved" => moved(&service, &request),
        "/v1/claim" => claim(&service, &request).await,
        "/v1/cancel" => by_owner(&service, &request, false).await,
        "/v1/release" => by_owner(&service, &request, true).await,
        "/v1/beat" => Ok(beat(&service, &request).await),
        _ => Ok(update(&service, &request).await),
    };
    answered.unwrap_or_else(|reply| reply)
}

fn time(service: &Service, request: &Request) -> Result<Reply, Reply> {
    let nonce = parameter(request, "nonce").and_then(|text| Bytes::<16>::parse(&text));
    let nonce = nonce.ok_or_else(|| malformed("nonce: base64url of 16 bytes is wanted"))?;
    let now = service.now();
    let sig = service.registrar.borrow().time(now, Nonce(nonce.0));
    Ok(Reply::json(StatusCode::OK, &Time { time: now.utc, sig: Bytes(sig.0) }))
}

fn moved(service: &Service, request: &Request) -> Result<Reply, Reply> {
    let zone = parameter(request, "zone").unwrap_or_default();
    let registrar = service.registrar.borrow();
    let number = registrar.zone(&zone).ok_or_else(|| refused(&Refusal::Zone(zone.clone())))?;
    let (service, key, sig) = registrar
        .moved(number)
        .ok_or_else(|| Reply::error(StatusCode::NOT_FOUND, "here", "this service did not move"))?;
    Ok(Reply::json(StatusCode::OK, &Moved { service, key: Bytes(key.0), sig: Bytes(sig.0) }))
}

async fn claim(service: &Service, request: &Request) -> Result<Reply, Reply> {
    let body: Claim = parsed(request)?;
    let claim = ClaimRequest {
        zone: &body.zone,
        name: &body.name,
        key: BoxPublic(body.key.0),
        nonce: Nonce(body.nonce.0),
        share: body.share.0,
        signature: Signature(body.sig.0),
        voucher: body.voucher.as_ref().map(|v| (v.serial.as_str(), Signature(v.sig.0))),
        recovery: body.recovery.map(|proof| proof.0),
        handover: body.handover.as_ref().map(|h| Signature(h.sig.0)),
    };
    let claimed = service.registrar.borrow_mut().claim(service.now(), request.from.ip(), &claim);
    let staged = claimed.map_err(|why| refused(&why))?;
    service.committed(staged.ticket).await.map_err(|why| refused(&Refusal::Store(why)))?;
    Ok(match staged.answer {
        Answer::Granted(granting) => granted(service, &granting),
        Answer::Pending(until) => {
            let message = "the box that has the name may say no until then; claim again after it";
            Reply::json(StatusCode::ACCEPTED, &Pending { error: "pending", message, until })
        }
    })
}

fn granted(service: &Service, granting: &Granting) -> Reply {
    let heartbeat = service.registrar.borrow().heartbeat_of(granting.id).to_owned();
    let claimed = Claimed {
        box_id: Bytes(granting.id.0),
        epoch: granting.epoch,
        share: Bytes(granting.share),
        hb: &heartbeat,
        created: granting.is_new,
        sig: Bytes(granting.signature.0),
        next_s: granting.next_s,
    };
    Reply::json(StatusCode::OK, &claimed)
}

async fn by_owner(service: &Service, request: &Request, gives_up: bool) -> Result<Reply, Reply> {
    let body: ByOwner = parsed(request)?;
    let (now, nonce, signature) = (service.now(), Nonce(body.nonce.0), Signature(body.sig.0));
    let staged = {
        let mut registrar = service.registrar.borrow_mut();
        let (source, zone, name) = (request.from.ip(), &body.zone, &body.name);
        if gives_up {
            registrar.release(now, source, zone, name, (nonce, body.erase, signature)).map(Some)
        } else {
            registrar.cancel(now, source, zone, name, (nonce, signature))
        }
    };
    let ticket = staged.map_err(|why| refused(&why))?;
    service.committed(ticket).await.map_err(|why| refused(&Refusal::Store(why)))?;
    Ok(Reply::json(StatusCode::OK, &Nothing {}))
}

async fn beat(service: &Service, request: &Request) -> Reply {
    let mut out = [0; PACKET_MAX];
    let is_about = Header::peek(&request.body).is_some_and(|header| header.kind == Kind::About);
    if is_about && !request.is_private {
        return Reply::silence();
    }
    let said = service.registrar.borrow_mut().datagram(
        service.now(),
        Came::Https,
        request.from,
        &request.body,
        &mut out,
    );
    match said {
        Beaten::Silence => Reply::silence(),
        Beaten::Send(length) => Reply::packet(&out[..length]),
        Beaten::AfterCommit(length, ticket) => match service.committed(Some(ticket)).await {
            Ok(()) => Reply::packet(&out[..length]),
            Err(_) => Reply::silence(),
        },
    }
}

async fn update(service: &Service, request: &Request) -> Reply {
    let asked = match nic::parse(request) {
        Ok(asked) => asked,
        Err(Word::BadAuth) => return Reply::who_are_you(Word::BadAuth.as_str()),
        Err(word) => return Reply::text(StatusCode::OK, word.as_str()),
    };
    let mut lines = Vec::new();
    for host in &asked.hosts {
        let word = service.update_by_password(&asked, host).await;
        if word == Word::BadAuth {
            return Reply::who_are_you(Word::BadAuth.as_str());
        }
        let shown = [asked.v4.map(|ip| ip.to_string()), asked.v6.map(|ip| ip.to_string())];
        let shown = shown.into_iter().flatten().collect::<Vec<_>>().join(",");
        lines.push(match word {
            Word::Good | Word::NoChange if !shown.is_empty() => format!("{} {shown}", word.as_str()),
            word => word.as_str().to_owned(),
        });
    }
    Reply::text(StatusCode::OK, lines.join("\n"))
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    fields(&request.query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn parsed<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_slice(&request.body).map_err(|e| malformed(&e.to_string()))
}

fn malformed(why: &str) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, "malformed", why)
}

fn refused(why: &Refusal) -> Reply {
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = Reply::error(status, why.word(), &why.to_string());
    match why {
        Refusal::Rate => reply.after(3600),
        Refusal::Busy(_) => reply.after(1),
        _ => reply,
    }
}
