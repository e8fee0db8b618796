//! `GET /playlist.m3u[?all=1]&t=…`: the channels for a player, each with the link that was used to ask.

use std::io;
use std::net::{IpAddr, SocketAddr};

use embedded_io_async::{Read, Write};

use super::channels::{stream_path, triple};
use super::{SetTopBox, credentials, reply};
use crate::channel::{Available, Entry};
use crate::http::{Exchange, Request};
use crate::sys::clock;
use crate::ts::service_info::ServiceKind;

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
    let mut body = exchange.stream("audio/x-mpegurl; charset=utf-8").await?;
    body.write(b"#EXTM3U\n").await?;
    let mut index = 0;
    while let Some(lines) = stb.playlist_entry(index, all, &authority, &token) {
        body.write(lines.as_bytes()).await?;
        index += 1;
    }
    body.finish().await
}

impl SetTopBox {
    /// The lines of entry `index`; empty where it is not to be shown, `None` behind the last.
    fn playlist_entry(&self, index: usize, all: bool, authority: &str, token: &str) -> Option<String> {
        let channels = self.channels.borrow();
        let entry = channels.get(index)?;
        let shown = all || channels.availability(entry, &self.tuners.borrow()) == Available::Now;
        Some(if shown { lines(entry, authority, token) } else { String::new() })
    }
}

fn lines(entry: &Entry, authority: &str, token: &str) -> String {
    let (group, radio) = match entry.kind {
        ServiceKind::Television => ("TV", ""),
        ServiceKind::Radio => ("Radio", " radio=\"true\""),
        ServiceKind::Data => ("Data", ""),
    };
    // M3U has no way to write a quote inside quotes. A name has no control characters, so it stays on its line.
    let quoted = entry.name.as_str().replace('"', "'");
    format!(
        "#EXTINF:-1 tvg-id=\"{}\" tvg-chno=\"{}\" tvg-name=\"{quoted}\" group-title=\"{group}\"{radio},{}\n\
         http://{authority}{}&t={token}\n",
        triple(entry),
        entry.number,
        entry.name,
        stream_path(entry),
    )
}
