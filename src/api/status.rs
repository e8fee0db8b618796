//! How the box does, at the local socket: who has which tuner and why, what is wrong with muxes.

use std::time::Duration;

use crate::status::{MuxView, TunerView, text, word};
use crate::tuner::{Mux, OpenMux, Tuners};

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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
