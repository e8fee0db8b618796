//! `GET /playlist.m3u[?all=1][&groups=bouquets]`: the channels for a player, each with a link: the one that was used to
//! ask, or, for a terminal, a new one that lives for twelve hours. Players sort them into groups: those of imported
//! lists, or bouquets where those are asked for, or else kinds. Its head says where their guide is.

use std::io;

use embedded_io_async::{Read, Write};

use super::channels::stream_path;
use super::visit::{Visit, refuse};
use super::xmltv::channel_id;
use super::{SetTopBox, reply};
use crate::access::{Caller, Scope, TTL_MAX, Terms, TokenText};
use crate::channel::{Available, Entry};
use crate::http::{Exchange, Status};
use crate::sys::clock;
use crate::ts::service_info::{Name, ServiceKind};

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, Caller::may_list) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let Some(token) = entries_token(stb, visit, &caller) else {
        return exchange.refuse(Status::ServiceUnavailable, reply::NO_RANDOMNESS).await;
    };
    let authority = visit.authority();
    let all = visit.request.parameter::<4>("all").as_deref() == Some("1");
    let groups = match visit.request.parameter::<16>("groups").as_deref() {
        None if !visit.request.has_parameter("groups") => Groups::Own,
        Some("bouquets") => Groups::Bouquets,
        _ => return exchange.refuse(Status::BadRequest, "groups can be 'bouquets'").await,
    };
    let shown = Shown { all, groups, caller: &caller };
    // Without a charset: where the first line has more than its keyword, mpv knows a list by this type alone.
    let mut body = exchange.stream("audio/x-mpegurl").await?;
    let guide = format!("http://{authority}/xmltv.xml?t={token}");
    body.write(format!("#EXTM3U url-tvg=\"{guide}\" x-tvg-url=\"{guide}\"\n").as_bytes()).await?;
    let mut index = 0;
    while let Some(lines) = stb.playlist_entry(index, shown, &authority, &token) {
        body.write(lines.as_bytes()).await?;
        index += 1;
    }
    body.finish().await
}

/// What players sort channels by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Groups {
    /// Those of imported lists.
    Own,
    /// The broadcast's.
    Bouquets,
}

/// What the list shows.
#[derive(Clone, Copy)]
struct Shown<'c> {
    /// Channels that cannot be watched or have to be asked for, too.
    all: bool,
    groups: Groups,
    /// To whom.
    caller: &'c Caller,
}

/// What the entries carry. A terminal's own credential is never among them.
fn entries_token(stb: &SetTopBox, visit: &Visit<'_>, caller: &Caller) -> Option<TokenText> {
    if caller.is_by_link() || caller.is_player() {
        return visit.link_token();
    }
    let terms = Terms { scope: Scope::Everything, ttl: TTL_MAX, connections: None, recording: false };
    stb.access.mint_for(caller, visit.door, &terms, clock::boot()).ok()
}

impl SetTopBox {
    /// The lines of entry `index`; empty where it is not to be shown, `None` behind the last.
    fn playlist_entry(&self, index: usize, shown: Shown<'_>, authority: &str, token: &str) -> Option<String> {
        let channels = self.channels.borrow();
        let entry = channels.get(index)?;
        // A plain player cannot ask for a tuner.
        let available = channels.availability(entry, &self.tuners.borrow(), false) != Available::No;
        if !shown.caller.sees(entry.number) || (!shown.all && !available) {
            return Some(String::new());
        }
        let groups = match shown.groups {
            Groups::Own => grouped(channels.groups(entry).iter().map(Name::as_str)),
            Groups::Bouquets => {
                grouped(self.guide.borrow().bouquets(entry.service).map(|name| name.as_str()))
            }
        };
        Some(lines(entry, &groups, authority, token))
    }
}

/// Names of groups with the semicolons that players know between them. M3U has no way to write a quote inside quotes.
fn grouped<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| name.replace(';', ",").replace('"', "'")).collect::<Vec<_>>().join(";")
}

/// `groups` is in place of its kind, where there is one.
fn lines(entry: &Entry, groups: &str, authority: &str, token: &str) -> String {
    let (kind, radio) = match entry.kind {
        ServiceKind::Television => ("TV", ""),
        ServiceKind::Radio => ("Radio", " radio=\"true\""),
        ServiceKind::Data => ("Data", ""),
    };
    // A name has no control characters, so it stays on its line.
    let quoted = entry.name.as_str().replace('"', "'");
    let group = if groups.is_empty() { kind } else { groups };
    format!(
        "#EXTINF:-1 tvg-id=\"{}\" tvg-chno=\"{}\" tvg-name=\"{quoted}\" group-title=\"{group}\"{radio},{}\n\
         http://{authority}{}&t={token}\n",
        channel_id(entry.service),
        entry.number,
        entry.name,
        stream_path(entry),
    )
}
