//! What a tuner receives comes out as it was sent, and what was damaged on the air is counted.

use std::fs;

use super::air::{Air, DEMO_RATE, record};
use super::packaged::{Case, Packaged, Running};
use super::receiver::{DEMO, OTHER_CHANNEL, SLOW, on_air, other_service, packaged, start};
use super::support::damage::{Damage, Kind, SERVICES, SPARED, VICTIMS, count, is_well_formed, passed};
use super::support::http::Viewer;
use super::support::rap::starts_clean;
use super::support::stb::{demo, wait_at_most};
use super::support::ts::{Packet, contiguous_run, elementary, judge, packets, pid, uncounted};

/// Packets that suffer, from the first on.
const HURT: std::ops::Range<usize> = 2000..8000;
/// The broadcast of a damaged stream ends here.
const END: usize = 12_000;

/// What the kernel's demux lets through as it is. It looks for sync bytes itself, so that what hurts those is left out.
const KINDS: [Kind; 6] =
    [Kind::Lost, Kind::TransportError, Kind::Doubled, Kind::ClockJump, Kind::Scrambled, Kind::PmtCrc];

fn stream() -> Vec<Packet> {
    packets(&fs::read(demo()).unwrap()).0.to_vec()
}

/// The demo, hurt.
fn hurt(kind: Kind) -> Vec<Packet> {
    let stream = &stream()[..END];
    let mut damage = Damage::new(kind, &VICTIMS, SERVICES[0].1, &SPARED, HURT.len());
    let mut hurt = stream[..HURT.start].to_vec();
    hurt.extend(stream[HURT].iter().flat_map(|packet| damage.apply(packet)));
    hurt.extend(&stream[HURT.end..]);
    hurt
}

/// Every service of both muxes comes out whole, one tuning for all of one mux; then damage, kind by kind.
pub(super) fn services_come_out_as_they_were_sent(case: &'static Case) {
    let packaged = packaged(case);
    let running = start(&packaged);
    let [demo, other] = on_air(&running);
    let mut phones: Vec<_> = SERVICES.iter().map(|(channel, ..)| running.watches(*channel)).collect();
    for (phone, (channel, _, pids)) in phones.iter_mut().zip(SERVICES) {
        phone.watch(400_000);
        is_whole(channel, phone.bytes(), &stream(), pids);
    }
    drop(demo);
    for kind in KINDS {
        damage_is_counted(&running, &packaged, &mut phones, kind);
    }
    drop(phones);
    let _on = other;
    let mut viewer = running.watches(OTHER_CHANNEL);
    viewer.watch(400_000);
    let mux = fs::read(packaged.shared("other.ts")).unwrap();
    is_whole(OTHER_CHANNEL, viewer.bytes(), packets(&mux).0, &other_service().pids());
}

fn is_whole(channel: u16, got: &[u8], sent: &[Packet], pids: &[u16]) {
    assert_eq!(starts_clean(got), Ok(()), "channel {channel}");
    let report = judge(got);
    assert_eq!(report.crc_errors, 0, "channel {channel}");
    for (pid, counts) in &report.pids {
        assert_eq!((counts.cc_errors, counts.discontinuities), (0, 0), "channel {channel}, PID {pid:#06x}");
    }
    let sent = uncounted(&elementary(sent.as_flattened(), pids).repeat(3));
    let run = contiguous_run(&sent, &uncounted(&elementary(got, pids)));
    assert!(run.is_ok(), "channel {channel}: {run:?}");
}

fn damage_is_counted(running: &Running<'_>, packaged: &Packaged, phones: &mut [Viewer], kind: Kind) {
    let sent = hurt(kind);
    let file = record(packaged, "hurt.ts", &sent);
    let counts = || ["transport_errors", "continuity_errors", "pcr_errors"].map(|name| running.counted(name));
    let before = counts();
    let air = Air::start(&running.guest, &format!("{DEMO_RATE} {file} /dev/vidtv_inject@{DEMO}"));
    for (phone, (channel, _, pids)) in phones.iter_mut().zip(SERVICES) {
        let what = format!("{kind:?}, channel {channel}");
        let expected = passed(&sent, pids);
        let last = *expected.last().unwrap();
        let from = phone.bytes().len() / 188 * 188;
        // Every broadcast ends alike: it is this one's end that counts.
        while !packets(&phone.bytes()[from..phone.bytes().len() / 188 * 188]).0.contains(&last) {
            phone.watch_on(188);
        }
        let got =
            elementary(&phone.bytes()[..phone.bytes().len() / 188 * 188][from.saturating_sub(188)..], pids);
        let end = got.iter().rposition(|packet| *packet == last).unwrap() + 1;
        let run = contiguous_run(&got[..end], &expected);
        assert!(run.is_ok(), "{what}: of {} that came, expected {}: {run:?}", end, expected.len());
    }
    // Its last packets are out before the next one begins.
    wait_at_most(SLOW, "the end of the broadcast", || (!air.is_on()).then_some(()));
    drop(air);
    let after = counts();
    let own: Vec<Packet> = sent
        .iter()
        .filter(|p| !is_well_formed(p) || SERVICES.iter().any(|s| s.2.contains(&pid(p))))
        .copied()
        .collect();
    let wanted = count(&own);
    let counted: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    println!("{kind:?}: counted {counted:?}, expected {wanted:?}, and the seam");
    // Where one broadcast follows another, every PID may break once.
    let seam = (VICTIMS.len() + SPARED.len()) as u64;
    assert_eq!(counted[0], wanted.transport_errors, "{kind:?}");
    for (got, wanted) in [(counted[1], wanted.continuity_errors), (counted[2], wanted.pcr_errors)] {
        assert!((wanted..=wanted + seam).contains(&got), "{kind:?}: counted {got}, expected {wanted}");
    }
}
