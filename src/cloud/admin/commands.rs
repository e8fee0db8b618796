//! What the operator asks and does.

use std::io;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::server::Peer;
use super::{Line, Question};
use crate::cloud::service::Service;
use crate::registrar::{Lease, Name, Refusal};

/// Names between two lines of progress.
const STRIDE: u64 = 512;

/// Answers a question; the last line is returned.
pub(super) async fn answer(service: &Rc<Service>, question: &Question, peer: &mut Peer) -> io::Result<Line> {
    match question.cmd.as_str() {
        "list" => list(service, question, peer).await,
        "stats" => {
            peer.say(&Line::Row(stats(service))).await?;
            Ok(Line::Done(String::new()))
        }
        "trust-clock" => {
            service.registrar.borrow_mut().trust_clock();
            Ok(Line::Done("the clock is trusted".to_owned()))
        }
        "export" => export(service, peer).await,
        "import" => import(service, peer).await,
        _ => {
            let (zone, name) = match named(service, question.name.as_deref().unwrap_or_default()) {
                Ok(named) => named,
                Err(why) => return Ok(Line::Error(why)),
            };
            if question.cmd == "show" {
                return match show(service, zone, &name) {
                    Some(row) => {
                        peer.say(&Line::Row(row)).await?;
                        Ok(Line::Done(String::new()))
                    }
                    None => Ok(Line::Error(Refusal::Unknown(name).to_string())),
                };
            }
            Ok(change(service, question, zone, &name).await.map_or_else(Line::Error, Line::Done))
        }
    }
}

/// Zone and label of a whole name.
fn named(service: &Service, name: &str) -> Result<(usize, String), String> {
    let (zone, label) = service.split(name).ok_or_else(|| {
        format!("'{}' is in no zone of this service: a whole name is wanted", name.escape_debug())
    })?;
    Ok((zone, label))
}

async fn change(service: &Service, question: &Question, zone: usize, name: &str) -> Result<String, String> {
    let (now, reason) = (service.now(), question.reason.as_deref().unwrap_or_default());
    let staged = {
        let mut registrar = service.registrar.borrow_mut();
        match question.cmd.as_str() {
            "release" => registrar.release_by_operator(now, zone, name, question.erase),
            "revoke" => registrar.revoke(now, zone, name),
            "suspend" => registrar.suspend(zone, name, reason),
            "resume" => registrar.resume(zone, name),
            "add" => registrar.add(now, zone, name).map(|(_, ticket)| ticket),
            other => return Err(format!("unknown command '{}'", other.escape_debug())),
        }
    };
    let ticket = staged.map_err(|why| why.to_string())?;
    service.committed(Some(ticket)).await?;
    Ok(match question.cmd.as_str() {
        "add" => format!(
            "added; 'show {}' tells with what it is updated",
            question.name.as_deref().unwrap_or_default()
        ),
        "release" => "released: it rests for 90 days".to_owned(),
        "revoke" => {
            "revoked: its box is told; its owner gets it with the recovery code and another key".to_owned()
        }
        "suspend" => "suspended".to_owned(),
        _ => "resumed".to_owned(),
    })
}

async fn list(service: &Service, question: &Question, peer: &Peer) -> io::Result<Line> {
    let end =
        question.zone.as_deref().map(|zone| format!(".{}", zone.trim_end_matches('.').to_ascii_lowercase()));
    let (mut cursor, mut rows, mut count) = (Some(0), Vec::new(), 0_u64);
    while let Some(at) = cursor {
        cursor = service.registrar.borrow().list(service.now(), at, &mut |name| rows.push(brief(name)));
        for row in rows.drain(..) {
            let is_wanted =
                |end: &String| row.get("name").and_then(Value::as_str).is_some_and(|n| n.ends_with(end));
            if end.as_ref().is_none_or(is_wanted) {
                count += 1;
                peer.say(&Line::Row(row)).await?;
            }
        }
        smol::future::yield_now().await;
    }
    Ok(Line::Done(if question.json { String::new() } else { format!("{count} names") }))
}

fn brief(name: &Name) -> Map<String, Value> {
    row([
        ("name", json!(name.name)),
        ("state", json!(state(name))),
        ("A", json!(name.v4)),
        ("AAAA", json!(name.v6)),
    ])
}

const fn state(name: &Name) -> &'static str {
    if name.suspended.is_some() {
        return "suspended";
    }
    if name.is_revoked {
        return "revoked";
    }
    match name.lease {
        Lease::Online => "online",
        Lease::Stale => "stale",
        Lease::Offline => "offline",
        Lease::Fixed => "fixed",
        Lease::Resting => "resting",
    }
}

fn show(service: &Service, zone: usize, name: &str) -> Option<Map<String, Value>> {
    use base64ct::{Base64, Encoding};
    let registrar = service.registrar.borrow();
    let shown = registrar.show(service.now(), zone, name)?;
    let mut row = brief(&shown);
    let more = [
        ("port", json!(shown.pub_port)),
        ("epoch", json!(shown.epoch)),
        ("heard", json!(shown.heard.map(|seconds| format!("{seconds} s ago")))),
        ("created", json!(shown.created)),
        ("used", json!(shown.used)),
        ("serial", json!(shown.serial)),
        ("key", json!(shown.key.map(|key| key.to_string()))),
        ("firmware", json!(shown.firmware)),
        ("suspended", json!(shown.suspended)),
        ("moves", json!(shown.moves)),
    ];
    row.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    if let Some(credentials) = registrar.credentials(zone, name) {
        row.insert("password".to_owned(), json!(credentials.password.as_str()));
        row.insert("tsig".to_owned(), json!(Base64::encode_string(&credentials.tsig_secret)));
    }
    Some(row)
}

/// Numbers of the whole service, flat.
pub(in crate::cloud) fn stats(service: &Service) -> Map<String, Value> {
    let stats = service.registrar.borrow().stats();
    let (counters, dns) = (stats.counters, service.nameserver.borrow().counters());
    row([
        ("names", json!(stats.names)),
        ("capacity", json!(stats.capacity)),
        ("old_keys", json!(stats.former)),
        ("writes_waiting", json!(stats.staged)),
        ("store_failure", json!(stats.store_failure)),
        ("clock_doubted", json!(stats.is_clock_doubted)),
        ("beats", json!(counters.beats)),
        ("beats_silent", json!(counters.silent)),
        ("beats_dropped", json!(service.dropped.get())),
        ("beats_to_prove", json!(counters.retries)),
        ("address_changes", json!(counters.address_changes)),
        ("claims", json!(counters.claims)),
        ("claims_refused", json!(counters.refused)),
        ("leases_expired", json!(counters.expired)),
        ("failed_writes", json!(counters.failed_writes)),
        ("dns_requests", json!(dns.requests)),
        ("dns_limited", json!(dns.limited)),
        ("dns_transfers", json!(dns.transfers)),
        ("dns_updates", json!(dns.updates)),
        ("dns_bad_signatures", json!(dns.bad_signatures)),
    ])
}

async fn export(service: &Service, peer: &Peer) -> io::Result<Line> {
    let all = service.registrar.borrow().stats().names as u64;
    let (mut cursor, mut lines, mut done) = (Some(0), Vec::new(), 0_u64);
    while let Some(at) = cursor {
        cursor = service.registrar.borrow().export(at, &mut |line| lines.push(line));
        for line in lines.drain(..) {
            peer.say(&Line::Row(line)).await?;
            done += 1;
        }
        peer.say(&Line::Progress(done, all)).await?;
        smol::future::yield_now().await;
    }
    Ok(Line::Done(format!("{done} claims written: whoever has this file has their keys")))
}

async fn import(service: &Service, peer: &mut Peer) -> io::Result<Line> {
    let mut done = 0_u64;
    let mut last = None;
    while let Some(line) = peer.line().await? {
        if line.trim().is_empty() {
            continue;
        }
        let taken = service.registrar.borrow_mut().import(service.now(), &line);
        match taken {
            Ok(ticket) => last = Some(ticket),
            Err(why) => {
                return Ok(Line::Error(format!("line {}: {why}; the lines before it are in", done + 1)));
            }
        }
        done += 1;
        if done.is_multiple_of(STRIDE) {
            if let Err(why) = service.committed(last.take()).await {
                return Ok(Line::Error(why));
            }
            peer.say(&Line::Progress(done, done)).await?;
        }
    }
    Ok(match service.committed(last).await {
        Ok(()) => Line::Done(format!("{done} claims are in")),
        Err(why) => Line::Error(why),
    })
}

fn row<const N: usize>(cells: [(&str, Value); N]) -> Map<String, Value> {
    cells.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
