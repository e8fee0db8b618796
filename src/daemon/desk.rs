//! What the box answers at its local socket.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::grants::Grants;
use super::scans::Scans;
use crate::access::{Scope, Terms};
use crate::api::{ChannelView, SetTopBox, mux_view, stream_path};
use crate::board;
use crate::channel::Available;
use crate::ddns::Names;
use crate::ddns::providers::Providers;
use crate::local::hub::Hub;
use crate::local::protocol::{BoxLine, Done, Item, Link, Request, line, text};
use crate::local::server::{Answer, Number, Right, parse};
use crate::sys::{clock, socket};

/// Answers for one box.
pub(super) struct Desk {
    pub(super) stb: Rc<SetTopBox>,
    pub(super) hub: Rc<Hub>,
    pub(super) names: Rc<Names>,
    pub(super) providers: Rc<Providers>,
    /// Who granted which tuner.
    pub(super) grants: RefCell<Grants>,
    pub(super) scans: Rc<Scans>,
    /// Where the HTTP server listens.
    addresses: Vec<SocketAddr>,
    started: Duration,
}

#[derive(Serialize)]
struct ChannelLine<'a> {
    channel: ChannelView<'a>,
}

impl Desk {
    pub(super) fn new(
        stb: Rc<SetTopBox>,
        hub: Rc<Hub>,
        (names, providers): (Rc<Names>, Rc<Providers>),
        (addresses, started): (Vec<SocketAddr>, Duration),
    ) -> Self {
        let (grants, scans) = (RefCell::default(), Rc::default());
        Self { stb, hub, names, providers, grants, scans, addresses, started }
    }

    /// The answer to a request line of the conversation of this number and right.
    pub(super) async fn answer(&self, bytes: &[u8], (by, right): (Number, Right)) -> Answer {
        let request = match parse(bytes) {
            Ok(request) => request,
            Err(why) => return Answer::Lines(line(&Done::no(why))),
        };
        if request.cmd == "events" {
            return match self.hub.listen(right) {
                Some(events) => Answer::Events(line(&Done::YES), events),
                None => Answer::Lines(line(&Done::no("too many programs listen"))),
            };
        }
        let answered = match (right, request.cmd.as_str()) {
            (_, "status") => Ok(self.status()),
            (_, "tuners") => Ok(self.tuners()),
            (_, "top") => Ok(self.top()),
            (_, "name") => Ok(self.name()),
            (_, "scan-status") => Ok(self.scan_status()),
            (_, "channels") => Ok(self.channels(request.all == Some(true))),
            (Right::View, _) => Err("only members of the group 'control' may ask for that".into()),
            (Right::Control, _) => self.change(&request, by).await,
        };
        Answer::Lines(answered.unwrap_or_else(|why| line(&Done::no(&why))))
    }

    async fn change(&self, request: &Request, by: Number) -> Result<Vec<u8>, String> {
        match request.cmd.as_str() {
            "link" => self.link(request),
            "pair" => self.pair(request),
            "scan" => self.scan(request),
            "scan-stop" => self.stop_scan(),
            "scan-resume" => self.resume_scan(),
            "pair-close" => {
                self.stb.pairing.close();
                Ok(line(&Done::YES))
            }
            "answer" => self.answer_for_screen(request, by),
            "tuner-grant" => self.grant_tuner(request, by),
            "tuner-withdraw" => self.withdraw_tuner(request, by).await,
            "terminals" => Ok(self.terminals()),
            "rename" => self.rename(request).await,
            "revoke" => self.revoke(request).await,
            "revoke-all" => self.revoke_all().await,
            "player" => self.player(request).await,
            "factory-reset" => self.factory_reset().await,
            "commit" => self.commit().await,
            cmd if cmd.starts_with("name-") => Box::pin(self.change_name(request)).await,
            other => Err(format!("unknown cmd '{}'", other.escape_debug())),
        }
    }

    fn channels(&self, all: bool) -> Vec<u8> {
        let (channels, tuners) = (self.stb.channels.borrow(), self.stb.tuners.borrow());
        let guide = self.stb.guide.borrow();
        let entries = (0..channels.len()).filter_map(|i| channels.get(i));
        let can_ask = self.stb.take_over.can_ask();
        let shown = entries.map(|e| (e, channels.availability(e, &tuners, can_ask)));
        let shown = shown.filter(|(_, available)| all || *available != Available::No);
        let view = |(e, available)| {
            ChannelView::of(e, channels.groups(e), available, &guide).with_logo(&self.stb.logos)
        };
        let lines = shown.flat_map(|shown| line(&ChannelLine { channel: view(shown) }));
        lines.chain(line(&Done::YES)).collect()
    }

    fn link(&self, request: &Request) -> Result<Vec<u8>, String> {
        let number = request.channel.unwrap_or(0);
        let path = match number {
            0 => "/playlist.m3u?".to_owned(),
            number => {
                let channels = self.stb.channels.borrow();
                let entry = channels.find(number).ok_or_else(|| format!("there is no channel {number}"))?;
                format!("{}&", stream_path(entry))
            }
        };
        let terms = Terms {
            scope: if number == 0 { Scope::Everything } else { Scope::Channel(number) },
            ttl: Duration::from_secs(request.ttl.unwrap_or(3600).into()),
            connections: Some(request.connections.unwrap_or(1)).filter(|n| *n > 0),
            recording: request.recording == Some(true),
        };
        let token = self.stb.access.mint(&terms, clock::boot()).map_err(|e| e.to_string())?;
        let urls = self.reachable().into_iter().map(|address| format!("http://{address}{path}t={token}"));
        let most = if request.all == Some(true) { usize::MAX } else { 1 };
        let lines = urls.take(most).flat_map(|url| line(&Link { url: text(&url) }));
        Ok(lines.chain(line(&Done::YES)).collect())
    }

    /// The addresses a terminal can use: of a listener on all interfaces, those of the machine, its network's first.
    pub(super) fn reachable(&self) -> Vec<SocketAddr> {
        let own = socket::own_addresses();
        let usable = |ip: &IpAddr| match ip {
            IpAddr::V4(v4) => !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        };
        let mut all = Vec::new();
        for address in &self.addresses {
            if !address.ip().is_unspecified() {
                all.push(*address);
                continue;
            }
            let same_family = own.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4() && usable(ip));
            let (near, far): (Vec<&IpAddr>, _) = same_family.partition(|ip| ip.is_loopback());
            all.extend(far.into_iter().chain(near).map(|ip| SocketAddr::new(*ip, address.port())));
        }
        if all.is_empty() {
            let v4 = self.addresses.first().is_none_or(SocketAddr::is_ipv4);
            let ip = if v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            all.extend(self.addresses.first().map(|a| SocketAddr::new(ip, a.port())));
        }
        all
    }

    /// A line for each item of the status.
    fn top(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        self.stb.status(&mut |item: &Item| lines.extend(line(item)));
        lines.extend(line(&Done::YES));
        lines
    }

    fn status(&self) -> Vec<u8> {
        let tuners = self.stb.tuners.borrow();
        let mut lines: Vec<u8> = tuners.muxes().flat_map(|(_, mux)| line(&mux_view(mux))).collect();
        let (rings_watched, rings) = tuners.rings();
        let pump = self.stb.pump.borrow();
        let counts = pump.counts();
        let guide = self.stb.guide.borrow().counts();
        lines.extend(line(&BoxLine {
            done: true,
            version: text(env!("CARGO_PKG_VERSION")),
            board: text(board::NAME),
            uptime_s: clock::boot().saturating_sub(self.started).as_secs(),
            channels: self.stb.channels.borrow().len(),
            viewers: self.stb.viewers(),
            rings_watched,
            rings,
            bytes_sent: counts.bytes,
            jumps: counts.jumps,
            bytes_skipped: counts.skipped,
            hung_up: counts.hung_up,
            stalled: counts.stalled,
            too_slow: counts.too_slow,
            guide_events: guide.events.0,
            guide_events_most: guide.events.1,
            guide_text_bytes: guide.text_bytes.0,
            guide_text_bytes_most: guide.text_bytes.1,
            guide_dropped: guide.dropped,
            guide_past: guide.past,
            guide_read: guide.read,
            guide_deferred: guide.deferred,
            guide_refused: guide.refused + guide.undefined,
        }));
        lines
    }
}
