//! `GET /api/v1/status`: how the box does, for its owners: who has which tuner and why, what is wrong with muxes, how
//! far behind everybody is, how long zaps took, memory, and the latency of the main loop. The same is told item by item
//! at the local socket, and each second at `GET /api/v1/events?status=1`.

use std::io;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use serde::Serialize;

use super::SetTopBox;
use super::visit::{Visit, refuse};
use crate::access::{Caller, Holder};
use crate::board;
use crate::http::Exchange;
use crate::pump::Facts;
use crate::status::{
    BoxView, Item, LoopView, MemoryView, MuxView, RingView, Text, TunerView, ViewerView, text, word,
};
use crate::sys::clock;
use crate::ts::psi::Tracks;
use crate::tuner::mux::Fed;
use crate::tuner::{Mux, MuxId, OpenMux, Tuners};

/// Viewers that are told of; there can be thousands.
const VIEWERS: usize = 64;
/// Bytes of the longest item.
const ITEM: usize = 4096;

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    if let Err(why) = visit.identify(stb, &mut exchange, Caller::may_manage) {
        return refuse(stb, exchange, &why).await;
    }
    let mut body = exchange.stream("application/json").await?;
    body.write(&stb.status_json()).await?;
    body.finish().await
}

impl SetTopBox {
    /// The status as one JSON object.
    pub(super) fn status_json(&self) -> Vec<u8> {
        const LISTS: [&str; 5] = ["receivers", "muxes", "rings", "viewers", "zaps"];
        let mut json = b"{\"receivers\":[".to_vec();
        let (mut list, mut first) = (0, true);
        self.status(&mut |item| {
            let place = match item {
                Item::Tuner(_) => 0,
                Item::Mux(_) => 1,
                Item::Ring(_) => 2,
                Item::Viewer(_) => 3,
                Item::Zap(_) => 4,
                Item::Box(_) => LISTS.len(),
            };
            while list < place {
                list += 1;
                let next = LISTS.get(list).map(|next| format!("],\"{next}\":["));
                json.extend_from_slice(next.as_deref().unwrap_or("],").as_bytes());
                first = true;
            }
            if !std::mem::take(&mut first) {
                json.push(b',');
            }
            let at = json.len();
            match item {
                Item::Tuner(view) => append(&mut json, view),
                Item::Mux(view) => append(&mut json, view),
                Item::Ring(view) => append(&mut json, view),
                Item::Viewer(view) => append(&mut json, view),
                Item::Zap(view) => append(&mut json, view),
                Item::Box(view) => {
                    append(&mut json, view);
                    json.remove(at); // the object goes on with its members
                }
            }
        });
        json
    }

    /// Tells `found` each item of the status: tuners, muxes, rings, viewers, zaps, and the box.
    pub fn status(&self, found: &mut dyn FnMut(&Item)) {
        let now = clock::boot();
        let tuners = self.tuners.borrow();
        for number in 0..tuners.receivers().count() {
            tuner_view(&tuners, number).map(Item::Tuner).iter().for_each(&mut *found);
        }
        // Of a dish hundreds are known: those that nothing is to be said of are left out.
        let few = tuners.muxes().count() <= board::SOURCES;
        for (id, mux) in tuners.muxes() {
            if few || mux.open().is_some() || mux.error.is_some() {
                found(&Item::Mux(mux_view(mux)));
            }
            for fed in mux.open().into_iter().flat_map(OpenMux::fed) {
                found(&Item::Ring(self.ring_view(&tuners, (id, mux), &fed, now)));
            }
        }
        drop(tuners);
        self.tell_viewers(now, found);
        for zap in self.zaps.all() {
            let terminal = self.name_of(zap.holder);
            found(&Item::Zap(crate::status::ZapView { terminal, ..zap.view(now) }));
        }
        found(&Item::Box(self.box_view(now)));
    }

    fn ring_view(&self, tuners: &Tuners, (id, mux): (MuxId, &Mux), fed: &Fed<'_>, now: Duration) -> RingView {
        let channels = self.channels.borrow();
        let entry = channels.of_service(id, fed.service);
        let ring = fed.feed.ring().borrow();
        let state = match fed.watchers {
            0 if fed.warm => "warm",
            0 => "lingers",
            _ => "watched",
        };
        let oldest = ring.oldest();
        let fill = ring.head() - oldest;
        let since = ring.written_at(oldest, now).map(|at| now.saturating_sub(at));
        RingView {
            mux: text(&mux.origin.to_string()),
            tuner: tuners.receivers().position(|receiver| receiver.mux() == Some(id)),
            service: fed.service,
            channel: entry.map(|e| e.number),
            name: text(entry.map_or("", |e| e.name.as_str())),
            state: word(state),
            tracks: word(ring.tracks().name()),
            watchers: fed.watchers,
            capacity: ring.capacity(),
            fill,
            held_ms: since.map(millis),
            rate: ring.rate(),
        }
    }

    /// Tells of those who watch, the first of them where they are many.
    fn tell_viewers(&self, now: Duration, found: &mut dyn FnMut(&Item)) {
        let pump = self.pump.borrow();
        for (facts, ticket) in pump.facts(now).take(VIEWERS) {
            let Some((holder, _)) = ticket.link.viewer() else { continue };
            let who = (holder.slot(), self.name_of(holder));
            found(&Item::Viewer(viewer_view(who, (ticket.about.channel, "ts"), &facts, now)));
        }
        for session in self.hls.borrow().iter().take(VIEWERS) {
            let holder = session.ticket().holder();
            let who = (holder.slot(), self.name_of(holder));
            let (sent, position) = session.fetched();
            let ring = session.feed().ring().borrow();
            let behind = ring.written_at(position, now).map(|at| now.saturating_sub(at));
            let lag = (ring.head().saturating_sub(position), behind);
            let facts = hls_facts(ring.tracks(), (session.came(), sent), lag, now);
            found(&Item::Viewer(viewer_view(who, (session.ticket().channel(), "hls"), &facts, now)));
        }
    }

    /// What the terminal of `holder` is called.
    fn name_of(&self, holder: Holder) -> Text {
        let terminal = holder.slot().and_then(|slot| self.access.terminal(slot));
        terminal.map(|t| text(t.name.as_str())).unwrap_or_default()
    }

    fn box_view(&self, now: Duration) -> BoxView {
        let health = &self.health;
        let (memory, rounds) = (health.memory(now), health.latency.borrow().quantiles());
        let pump = self.pump.borrow();
        let rings_most = self.tuners.borrow().rings().1;
        BoxView {
            version: text(env!("CARGO_PKG_VERSION")),
            board: text(board::NAME),
            uptime_s: now.saturating_sub(health.started).as_secs(),
            watching: self.viewers(),
            rings_most,
            bytes_sent: pump.counts().bytes,
            memory: MemoryView {
                pss_kib: memory.pss,
                rss_kib: memory.rss,
                rings_kib: memory.pss_shared,
                budget_kib: board::PSS_KIB_MAX as u64,
                rings_budget_kib: (rings_most * board::RING_BYTES / 1024) as u64,
            },
            rounds: LoopView {
                rounds: rounds.rounds,
                p50_us: rounds.median,
                p99_us: rounds.p99,
                max_us: rounds.longest,
                budget_us: u32::try_from(health.tick.get().as_micros()).unwrap_or(u32::MAX),
            },
        }
    }
}

/// What is told of who fetched so many bytes since it came, the last of them that far behind the head.
fn hls_facts(
    tracks: Tracks,
    (came, sent): (Duration, u64),
    (lag, behind): (u64, Option<Duration>),
    now: Duration,
) -> Facts {
    let has_some = sent > 0;
    Facts {
        tracks,
        state: if has_some { "live" } else { "waiting" },
        lag: if has_some { lag } else { 0 },
        behind: behind.filter(|_| has_some),
        sent,
        rate: sent.saturating_mul(8000) / millis(now.saturating_sub(came)).max(1),
        since: came,
        jumps: 0,
    }
}

fn viewer_view(
    (slot, terminal): (Option<u8>, Text),
    (channel, path): (u16, &str),
    facts: &Facts,
    now: Duration,
) -> ViewerView {
    ViewerView {
        slot,
        terminal,
        channel,
        path: word(path),
        tracks: word(facts.tracks.name()),
        state: word(facts.state),
        lag_bytes: facts.lag,
        lag_ms: facts.behind.map(millis),
        sent: facts.sent,
        rate: facts.rate,
        since_s: now.saturating_sub(facts.since).as_secs(),
        jumps: facts.jumps,
    }
}

/// What is told of tuner `number`.
#[must_use]
pub fn tuner_view(tuners: &Tuners, number: usize) -> Option<TunerView> {
    let receiver = tuners.receivers().nth(number)?;
    let mux = receiver.mux().and_then(|id| tuners.mux(id));
    let (signal, known, stages) = (receiver.signal(), receiver.capabilities(), receiver.stages());
    let took = |from: Duration, to: Option<Duration>| {
        to.map(|to| u32::try_from(millis(to.saturating_sub(from))).unwrap_or(u32::MAX))
    };
    Some(TunerView {
        number,
        device: text(&receiver.device().to_string()),
        name: known.map(|c| text(&c.name)),
        systems: known.iter().flat_map(|c| &c.systems).map(|system| word(system.name())).collect(),
        state: word(receiver.does()),
        error: receiver.problem().map(|why| text(&why.to_string())),
        mux: mux.map(|mux| text(&mux.origin.to_string())),
        users: tuners.users(number).map(|most| word(most.name())),
        watched: mux.and_then(|mux| mux.open()).map_or(0, OpenMux::watched),
        whose: word(receiver.whose()),
        strength_mdbm: signal.strength_mdbm,
        strength_permille: signal.strength_permille,
        cnr_mdb: signal.cnr_mdb,
        cnr_permille: signal.cnr_permille,
        bit_errors: signal.bit_errors.map(|(wrong, _)| wrong),
        bits: signal.bit_errors.map(|(_, all)| all),
        block_errors: signal.block_errors.map(|(wrong, _)| wrong),
        blocks: signal.block_errors.map(|(_, all)| all),
        tune_ms: took(stages.told, stages.tuned),
        lock_ms: stages.tuned.and_then(|tuned| took(tuned, stages.locked)),
    })
}

/// What is told of a mux.
#[must_use]
pub fn mux_view(mux: &Mux) -> MuxView {
    let open = mux.open();
    let (source, demux) = open.map(OpenMux::counts).unwrap_or_default();
    let state = match open {
        None if mux.error.is_some() => "failed",
        None => "idle",
        Some(open) if open.is_silent() => "silent",
        Some(open) if open.watched() > 0 => "watched",
        Some(_) => "open",
    };
    MuxView {
        mux: text(&mux.origin.to_string()),
        state: text(state),
        error: mux.error.as_deref().map(text),
        services: open.map_or(0, |o| o.services.all.len()),
        watched: open.map_or(0, OpenMux::watched),
        packets: demux.packets,
        no_sync: demux.no_sync,
        transport_errors: demux.transport_errors,
        malformed: demux.malformed,
        broken_sections: demux.broken_sections,
        scrambled_sections: demux.scrambled_sections,
        continuity_errors: demux.continuity_errors,
        pcr_errors: demux.pcr_errors,
        pat_errors: open.map_or(0, OpenMux::pat_errors),
        sync_losses: source.sync_losses,
        skipped_bytes: source.skipped_bytes,
        dropped_datagrams: source.dropped_datagrams,
        lost_datagrams: source.lost_datagrams,
        reordered: source.reordered,
        late: source.late,
        foreign_datagrams: source.foreign_datagrams,
    }
}

/// Writes `view` behind what is there.
fn append<T: Serialize>(json: &mut Vec<u8>, view: &T) {
    let at = json.len();
    json.resize(at + ITEM, 0);
    let length = serde_json_core::to_slice(view, &mut json[at..]).unwrap_or(0);
    debug_assert!(length > 0, "an item fits");
    json.truncate(at + length);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
