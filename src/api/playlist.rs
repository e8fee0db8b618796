//! `GET /playlist.m3u[?all=1][&groups=bouquets]&t=…`: the channels for a player, each with the link that was used to
//! ask. Players sort them into groups by kind, or by bouquet where that is asked for.

use std::io;
use std::net::{IpAddr, SocketAddr};

use embedded_io_async::{Read, Write};

use super::channels::{stream_path, triple};
use super::{SetTopBox, credentials, reply};
use crate::channel::{Available, Entry};
use crate::http::{Exchange, Request, Status};
use crate::sys::clock;
use crate::ts::service_info::{Name, ServiceKind};

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    request: &Request<'_>,
    exchange: Exchange<'_, S>,
    local: IpAddr,
) -> io::Result<bool> {
    let token = credentials(request);
    let caller = stb.access.identify(token.as_deref(), clock::boot());
    if let Err(why) = caller.and_then(|caller| caller.may_list()) {
        let (status, sentence) = reply::refusal(&why);
        return exchange.refuse(status, &sentence).await;
    }
    let token = token.unwrap_or_default();
    // The authority the client reached us by; a client of HTTP/1.0 without one gets the address it came to.
    let authority = request.host.map_or_else(|| SocketAddr::new(local, 80).to_string(), Into::into);
    let all = request.parameter::<4>("all").as_deref() == Some("1");
    let groups = match request.parameter::<16>("groups").as_deref() {
        None if !request.has_parameter("groups") => Groups::Own,
        Some("bouquets") => Groups::Bouquets,
        _ => return exchange.refuse(Status::BadRequest, "groups can be 'bouquets'").await,
    };
    let shown = Shown { all, groups };
    let mut body = exchange.stream("audio/x-mpegurl; charset=utf-8").await?;
    body.write(b"#EXTM3U\n").await?;
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
struct Shown {
    /// Channels that are not available, too.
    all: bool,
    groups: Groups,
}

impl SetTopBox {
    /// The lines of entry `index`; empty where it is not to be shown, `None` behind the last.
    fn playlist_entry(&self, index: usize, shown: Shown, authority: &str, token: &str) -> Option<String> {
        let channels = self.channels.borrow();
        let entry = channels.get(index)?;
        let available = channels.availability(entry, &self.tuners.borrow()) == Available::Now;
        if !shown.all && !available {
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
        triple(entry),
        entry.number,
        entry.name,
        stream_path(entry),
    )
}
