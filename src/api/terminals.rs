//! `/api/v1/terminals`: who was let in, and who is to be put out; `/api/v1/links`: what a terminal hands out.

use std::io;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use serde::{Deserialize, Serialize};

use super::SetTopBox;
use super::visit::{Visit, json, read_body, read_owned_body, refuse};
use super::{reply, stream_path};
use crate::access::{
    Brief, Caller, EnrolError, Enrolment, GUEST_CHANNELS, Refusal, Scope, TerminalName, Terms,
};
use crate::channel::ChannelError;
use crate::handshake::{Role, TerminalKey};
use crate::http::{Exchange, Method, Status};
use crate::sys::{clock, random};

/// A terminal as its owner sees it.
#[derive(Serialize)]
pub struct TerminalView<'a> {
    slot: u8,
    name: &'a str,
    role: &'a str,
    /// It is the one that asks.
    #[serde(rename = "self")]
    is_self: bool,
    channels: Option<&'a heapless::Vec<u16, GUEST_CHANNELS>>,
    until: Option<u64>,
    paired: Option<u64>,
}

impl<'a> TerminalView<'a> {
    /// How `terminal` is shown; `asker` is the slot of who asks.
    #[must_use]
    pub fn of(terminal: &'a Brief, asker: Option<u8>) -> Self {
        Self {
            slot: terminal.slot,
            name: terminal.name.as_str(),
            role: terminal.role.name(),
            is_self: asker == Some(terminal.slot),
            channels: terminal.guest.as_ref().map(|terms| &terms.channels),
            until: terminal.guest.as_ref().map(|terms| terms.until),
            paired: terminal.paired,
        }
    }
}

/// A text that may have escapes.
type Text = heapless::String<256>;

#[derive(Deserialize)]
struct NewTerminal {
    role: heapless::String<16>,
    name: Text,
}

#[derive(Deserialize)]
struct NewName {
    name: Text,
}

#[derive(Serialize)]
struct PlayerView<'a> {
    slot: u8,
    playlist: &'a str,
}

#[derive(Deserialize)]
struct LinkWish {
    channel: u16,
    ttl: u32,
    connections: u16,
}

#[derive(Serialize)]
struct LinkView<'a> {
    token: &'a str,
    path: &'a str,
    expires_s: u32,
}

const BAD_NAME: &str = "the name is empty, or nothing that can be shown is in it";

/// `GET` and `POST /api/v1/terminals`.
pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    match visit.identify(stb, &mut exchange, Caller::may_manage) {
        Err(why) => refuse(stb, exchange, &why).await,
        Ok(_) if visit.request.method == Method::Post => add_player(stb, visit, exchange).await,
        Ok(caller) => list(stb, &caller, exchange).await,
    }
}

async fn list<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    caller: &Caller,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let mut body = exchange.stream("application/json").await?;
    body.write(b"{\"terminals\":[").await?;
    for (i, terminal) in stb.access.terminals().iter().enumerate() {
        let mut json = [0; 1024];
        let view = TerminalView::of(terminal, caller.slot());
        let length = serde_json_core::to_slice(&view, &mut json).unwrap_or(0);
        body.write(if i == 0 { b"" } else { b"," }).await?;
        body.write(&json[..length]).await?;
    }
    body.write(b"]}").await?;
    body.finish().await
}

/// A slot for a player that keeps a playlist's URL.
async fn add_player<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let wish = read_owned_body::<NewTerminal>(&visit.request).filter(|wish| wish.role == "player");
    let Some(wish) = wish else {
        let sentence = "the body is to be {\"role\":\"player\",\"name\":\"…\"}; others pair at the box";
        return exchange.refuse(Status::BadRequest, sentence).await;
    };
    let Some(name) = TerminalName::new(&wish.name) else {
        return exchange.refuse(Status::BadRequest, BAD_NAME).await;
    };
    match stb.let_player_in(name).await {
        Ok((slot, path)) => json(exchange, &PlayerView { slot, playlist: &path }).await,
        Err((status, sentence)) => exchange.refuse(status, &sentence).await,
    }
}

impl SetTopBox {
    /// A slot for a player, and the path of its playlist, which is good until the slot is revoked.
    pub async fn let_player_in(&self, name: TerminalName) -> Result<(u8, String), (Status, String)> {
        let no_randomness = || (Status::ServiceUnavailable, reply::NO_RANDOMNESS.to_owned());
        let mut key = [0; 32];
        random::fill(&mut key).map_err(|_| no_randomness())?;
        let enrolment = Enrolment { name, role: Role::Player, key: TerminalKey::new(key), guest: None };
        let player = self.access.enrol(enrolment).await.map_err(|why| reply::enrol_error(&why))?;
        let token = self.access.player_token(&player).map_err(|_| no_randomness())?;
        Ok((player.slot, format!("/playlist.m3u?t={token}")))
    }
}

/// `POST /api/v1/terminals/revoke-all`.
pub(super) async fn revoke_all<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    if let Err(why) = visit.caller(stb).and_then(|caller| caller.may_manage()) {
        return refuse(stb, exchange, &why).await;
    }
    done(exchange, stb.access.revoke_all().await.map(|()| true)).await
}

/// `PATCH` and `DELETE /api/v1/terminals/<slot>`.
pub(super) async fn change<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let is_number = !visit.part.is_empty() && visit.part.bytes().all(|b| b.is_ascii_digit());
    // No terminal has slot 255, so a text that is no slot is refused or not found like any other that is not there.
    let slot = visit.part.parse().ok().filter(|_| is_number).unwrap_or(u8::MAX);
    let caller = visit.caller(stb);
    if let Err(why) = caller.and_then(|caller| caller.may_change(slot)) {
        return refuse(stb, exchange, &why).await;
    }
    if visit.request.method == Method::Delete {
        return done(exchange, stb.access.revoke(slot).await).await;
    }
    let _renewed = visit.identify(stb, &mut exchange, |_| Ok(()));
    let Some(wish) = read_owned_body::<NewName>(&visit.request) else {
        return exchange.refuse(Status::BadRequest, "the body is to be {\"name\":\"…\"}").await;
    };
    match TerminalName::new(&wish.name) {
        Some(name) => done(exchange, stb.access.rename(slot, name).await).await,
        None => exchange.refuse(Status::BadRequest, BAD_NAME).await,
    }
}

/// How a change went: done, no such terminal, or done but flash does not have it.
async fn done<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: Exchange<'_, S>,
    how: io::Result<bool>,
) -> io::Result<bool> {
    match how {
        Ok(true) => exchange.reply(Status::Ok, "application/json", b"{}").await,
        Ok(false) => exchange.refuse(Status::NotFound, "there is no such terminal").await,
        Err(e) => {
            let (status, sentence) = reply::enrol_error(&EnrolError::Flash(e));
            exchange.refuse(status, &sentence).await
        }
    }
}

/// `POST /api/v1/links`.
pub(super) async fn link<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, Caller::may_hand_out) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let Some(wish) = read_body::<LinkWish>(&visit.request) else {
        let sentence = "the body is to be {\"channel\":1,\"ttl\":3600,\"connections\":1}";
        return exchange.refuse(Status::BadRequest, sentence).await;
    };
    let scope = if wish.channel == 0 { Scope::Everything } else { Scope::Channel(wish.channel) };
    let path = match wish.channel {
        0 => Some("/playlist.m3u?t=".to_owned()),
        number => stb.channels.borrow().find(number).map(|entry| format!("{}&t=", stream_path(entry))),
    };
    let Some(path) = path else {
        return refuse(stb, exchange, &Refusal::Channel(ChannelError::Unknown(wish.channel))).await;
    };
    let connections = Some(wish.connections).filter(|n| *n > 0);
    let ttl = Duration::from_secs(wish.ttl.into());
    let terms = Terms { scope, ttl, connections, recording: false };
    match stb.access.mint_for(&caller, visit.door, &terms, clock::boot()) {
        Ok(token) => {
            let path = format!("{path}{token}");
            json(exchange, &LinkView { token: &token, path: &path, expires_s: wish.ttl }).await
        }
        Err(why) => exchange.refuse(Status::BadRequest, &why.to_string()).await,
    }
}
