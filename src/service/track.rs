//! What a ring learns from the packets it takes: counters, clock, random access points.

use std::time::Duration;

use heapless::Vec;

use crate::rap::{self, Scanner};
use crate::ring::Position;
use crate::ts::clock::Ticks27M;
use crate::ts::psi::{COMPONENTS, Codec, Kind, Programme};
use crate::ts::{Packet, Pid};

use super::rap_index::{Join, Rap, RapIndex};
use super::segments::Segments;
use super::tables::Tables;

/// So long without a unit that was read as a random access point, and `random_access_indicator` alone is believed.
/// Real broadcasts carry none, and some muxers set it on every audio PES.
const INDICATOR_PATIENCE: Duration = Duration::from_secs(5);

/// So long behind a break, a PID that did not come again is not waited for.
const BREAK_PATIENCE: Duration = Duration::from_secs(5);

/// A clock reference comes at least every 100 ms (ISO 13818-1 §2.7.2): one that steps farther, or back, is of another
/// clock, or behind a gap.
const CLOCK_STEP: u64 = Ticks27M::SECOND;

/// Follows the components of one programme.
pub(super) struct Track {
    /// The components' PIDs, and the PCR's where it is apart, with the counter of the next packet of each.
    pids: Vec<(Pid, u8), { COMPONENTS + 1 }>,
    /// The PID that readers join by.
    main: Pid,
    /// The sound, which they join by where the main PID is dead; any PID where there is none.
    sound: Option<Pid>,
    codec: rap::Codec,
    scanner: Scanner,
    pcr_pid: Pid,
    last_pcr: Option<Ticks27M>,
    pub(super) raps: RapIndex,
    pub(super) segments: Segments,
    /// The access unit begun last on the main PID.
    unit: Option<Rap>,
    /// The PES packet begun last on the PID that stands in for it.
    other: Option<Rap>,
    /// When a unit was last read as a random access point, or when following began.
    read_at: Option<Duration>,
    /// PIDs whose next packet comes behind a break, and when the first one came.
    broken: Vec<Pid, { COMPONENTS + 1 }>,
    mended_at: Option<Duration>,
    /// Of the last packet that began a unit of the main PID; `None` until a packet came.
    scrambled: Option<bool>,
}

impl Default for Track {
    fn default() -> Self {
        Self {
            pids: Vec::new(),
            main: Pid::NULL,
            sound: None,
            codec: rap::Codec::Other,
            scanner: Scanner::new(rap::Codec::Other),
            pcr_pid: Pid::NULL,
            last_pcr: None,
            raps: RapIndex::default(),
            segments: Segments::default(),
            unit: None,
            other: None,
            read_at: None,
            broken: Vec::new(),
            mended_at: None,
            scrambled: None,
        }
    }
}

impl Track {
    /// From now on these are the components. Counters of PIDs that stay go on; those of PIDs that were `carried`
    /// before, and come again, do not. Says whether they are others than before.
    pub(super) fn follow(&mut self, programme: &Programme, carried: impl Fn(Pid) -> bool) -> bool {
        let next =
            |track: &Self, pid| track.pids.iter().find(|(p, _)| *p == pid).map_or(0, |(_, next)| *next);
        let mut pids: Vec<_, _> = programme.components.iter().map(|c| (c.pid, next(self, c.pid))).collect();
        let pcr_pid = programme.pcr_pid;
        if pcr_pid != Pid::NULL && !programme.components.iter().any(|c| c.pid == pcr_pid) {
            let _room = pids.push((pcr_pid, next(self, pcr_pid)));
        }
        self.broken.retain(|pid| pids.iter().any(|(p, _)| p == pid));
        for (pid, _) in &pids {
            let stays = self.pids.iter().any(|(p, _)| p == pid);
            if !stays && carried(*pid) {
                let _room = self.broken.push(*pid);
                self.mended_at = None;
            }
        }
        let main = programme.main();
        let codec = main.map_or(rap::Codec::Other, |c| codec_of(c.codec));
        let pid = main.map_or(Pid::NULL, |c| c.pid);
        if (pid, codec) != (self.main, self.codec) {
            self.scanner = Scanner::new(codec);
            self.unit = None;
        }
        self.raps.join = if codec == rap::Codec::Audio { Join::SecondBack } else { Join::Newest };
        let sound = programme.components.iter().find(|c| c.codec.kind() == Kind::Audio).map(|c| c.pid);
        let same_pids = self.pids.iter().map(|(pid, _)| pid).eq(pids.iter().map(|(pid, _)| pid));
        let others = !same_pids || (pid, codec, pcr_pid) != (self.main, self.codec, self.pcr_pid);
        (self.pids, self.pcr_pid, self.main, self.sound) = (pids, pcr_pid, pid, sound);
        self.codec = codec;
        others
    }

    /// What comes next on any PID does not follow what came last.
    pub(super) fn expect_break(&mut self) {
        self.broken = self.pids.iter().map(|(pid, _)| *pid).collect();
        self.mended_at = None;
        // Bytes of a unit before and of one behind it never join.
        (self.scanner, self.unit) = (Scanner::new(self.codec), None);
    }

    /// Some PID did not come again since.
    pub(super) fn expects_break(&self) -> bool {
        !self.broken.is_empty()
    }

    /// `packet` is the first of its PID behind a break, and does not say so itself.
    pub(super) fn take_break(&mut self, packet: Packet<'_>, now: Duration) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        let since = *self.mended_at.get_or_insert(now);
        let Some(i) = self.broken.iter().position(|pid| *pid == packet.pid()) else {
            if now.saturating_sub(since) >= BREAK_PATIENCE {
                self.broken.clear();
            }
            return false;
        };
        self.broken.swap_remove(i);
        !packet.is_discontinuity()
    }

    /// The PID that readers join by.
    pub(super) fn main(&self) -> Pid {
        self.main
    }

    pub(super) fn pcr_pid(&self) -> Pid {
        self.pcr_pid
    }

    pub(super) fn last_pcr(&self) -> Option<Ticks27M> {
        self.last_pcr
    }

    pub(super) fn is_scrambled(&self) -> Option<bool> {
        self.scrambled
    }

    /// The newest place where a PES packet of the main PID begins; of the sound where the main PID is dead.
    pub(super) fn newest_start(&self) -> Option<Rap> {
        let dead = |other: &Rap| self.unit.is_none_or(|unit| other.at >= unit.at + INDICATOR_PATIENCE);
        self.other.filter(dead).or(self.unit)
    }

    /// Takes note of a packet that goes to `position`.
    #[inline]
    pub(super) fn observe(&mut self, packet: Packet<'_>, position: Position, now: Duration, tables: &Tables) {
        // Most packets go on with a unit of which all is known; only their counter is news.
        let tells_nothing = if packet.pid() == self.main {
            self.read_at.is_some() && self.scanner.skip(packet)
        } else {
            self.scrambled.is_some() && packet.is_plain()
        };
        if tells_nothing {
            self.count(packet);
        } else {
            self.examine(packet, position, now, tables);
        }
    }

    /// The same without a short way: the judge of it in tests.
    fn examine(&mut self, packet: Packet<'_>, position: Position, now: Duration, tables: &Tables) {
        let pid = packet.pid();
        self.scrambled.get_or_insert(false);
        if pid == self.pcr_pid
            && let Some(pcr) = packet.pcr()
        {
            if self.last_pcr.is_some_and(|last| pcr.since(last) > CLOCK_STEP) {
                self.segments.break_at(position);
            }
            self.last_pcr = Some(pcr);
        }
        let unit = (pid == self.main).then(|| self.scanner.push(packet));
        // The unit's own packet is the first a reader gets, so its counters are taken before this packet counts.
        if let Some(finding) = &unit
            && let Some(start) = &finding.starts
        {
            self.scrambled = Some(packet.is_scrambled());
            let unit = Rap { pts: start.pts, ..self.place(position, now, packet, tables) };
            self.segments.unit(&unit);
            self.unit = Some(unit);
        }
        // Not subtitles beside sound: what begins in them is often nothing but stuffing.
        if pid != self.main && self.sound.is_none_or(|sound| sound == pid) && packet.starts_unit() {
            self.other = Some(self.place(position, now, packet, tables));
        }
        self.count(packet);
        if let Some(finding) = unit {
            self.judge(&finding, now);
        }
    }

    /// The counter of the next packet follows this one's: a packet without payload has that of the one before it
    /// (ISO 13818-1 §2.4.3.3).
    #[inline]
    fn count(&mut self, packet: Packet<'_>) {
        let pid = packet.pid();
        if let Some((_, next)) = self.pids.iter_mut().find(|(p, _)| *p == pid) {
            *next = (packet.counter() + 1) & 0x0f;
        }
    }

    /// Makes the unit begun last an entry of the index where the finding says so.
    fn judge(&mut self, finding: &rap::Finding, now: Duration) {
        let since = *self.read_at.get_or_insert(now);
        let believed = self.scrambled == Some(true) || now.saturating_sub(since) >= INDICATOR_PATIENCE;
        if finding.random_access {
            self.read_at = Some(now);
        }
        if (finding.random_access || finding.indicated && believed)
            && let Some(unit) = self.unit
        {
            self.raps.push(unit);
            self.segments.place(&unit);
        }
    }

    fn place(&self, position: Position, now: Duration, packet: Packet<'_>, tables: &Tables) -> Rap {
        let mut counters = [0; COMPONENTS + 1];
        for (counter, (pid, next)) in counters.iter_mut().zip(&self.pids) {
            *counter = if *pid == packet.pid() { packet.counter() } else { *next };
        }
        Rap {
            position,
            at: now,
            pcr: self.last_pcr,
            pts: None,
            psi: tables.current().map_or(0, |g| g.number),
            own: tables.next_counters(),
            counters,
        }
    }
}

/// How the scanner calls it.
fn codec_of(codec: Codec) -> rap::Codec {
    match codec {
        Codec::H264 => rap::Codec::H264,
        Codec::Hevc => rap::Codec::Hevc,
        Codec::Mpeg2Video => rap::Codec::Mpeg2Video,
        Codec::Avs => rap::Codec::Avs,
        other if other.kind() == Kind::Audio => rap::Codec::Audio,
        _ => rap::Codec::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample::{AUDIO, VIDEO, packet, programme};
    use super::*;
    use crate::ts::PACKET;

    /// What a unit begins with: an IDR picture, another picture, a delimiter that leaves it open; and no unit at all.
    const HEADS: [&[u8]; 4] = [
        &[0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 1, 0x65],
        &[0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 1, 1],
        &[0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 0, 0, 1, 9],
        &[7],
    ];

    /// A packet, in most cases with the counter that is due, plain in many.
    fn any_packet() -> impl Strategy<Value = (u8, [u8; PACKET])> {
        let pid = prop::sample::select(vec![VIDEO, VIDEO, AUDIO, Pid::new(0x777)]);
        let head = prop::option::of(prop::sample::select(&HEADS[..]));
        let pcr = prop::option::weighted(0.2, (0..1_u64 << 33).prop_map(Ticks27M::new));
        let (skipped, control) = (prop::sample::select(&[0, 0, 0, 0, 0, 1, 15][..]), 0..40_u8);
        (pid, head, pcr, skipped, control, any::<u8>()).prop_map(
            |(pid, head, pcr, skipped, control, flags)| {
                let mut bytes = packet(pid, 0, head.unwrap_or_default(), pcr);
                match control {
                    0 => bytes[3] |= 0x80,
                    1 => bytes[3..6].copy_from_slice(&[0x20, 183, flags]),
                    2 => bytes[3..6].copy_from_slice(&[0x30, 1, flags & 0xe0]),
                    _ => {}
                }
                if head.is_none() && control > 30 {
                    bytes[PACKET - 100..][..4].copy_from_slice(&[0, 0, 1, 0x65]); // a picture that goes on with a unit
                }
                (skipped, bytes)
            },
        )
    }

    fn told(track: &Track) -> String {
        let (newest, start) = (track.raps.newest(), track.newest_start());
        let (pids, at) = (&track.pids, (track.read_at, track.last_pcr, track.scrambled));
        format!("{newest:?} {start:?} {:?} {:?} {pids:?} {at:?}", track.unit, track.other)
    }

    proptest! {
        #[test]
        fn the_short_way_leads_to_the_same(packets in prop::collection::vec(any_packet(), 1..120)) {
            let (mut quick, mut whole) = (Track::default(), Track::default());
            let tables = Tables::default();
            for track in [&mut quick, &mut whole] {
                track.follow(&programme(Codec::H264), |_| false);
            }
            let mut counters = [0_u8; 4];
            for (i, (skipped, mut bytes)) in packets.into_iter().enumerate() {
                let counter = &mut counters[usize::from(bytes[2] & 3)];
                *counter = (*counter + skipped + u8::from(bytes[3] & 0x10 != 0)) & 0x0f;
                bytes[3] |= *counter;
                let packet = Packet::new(&bytes).unwrap();
                let (position, now) = ((i * PACKET) as u64, Duration::from_millis(i as u64 * 90));
                quick.observe(packet, position, now, &tables);
                whole.examine(packet, position, now, &tables);
                prop_assert_eq!(told(&quick), told(&whole), "packet {}", i);
            }
        }

        #[test]
        fn packets_without_payload_do_not_count(before in 0..16_u8, fields in 1..4) {
            let mut track = Track::default();
            track.follow(&programme(Codec::H264), |_| false);
            let mut bytes = packet(AUDIO, before, &[], None);
            let mut observe = |bytes: &[u8; PACKET]| {
                track.observe(Packet::new(bytes).unwrap(), 0, Duration::ZERO, &Tables::default());
                track.pids.iter().find(|(pid, _)| *pid == AUDIO).map(|(_, next)| *next)
            };
            let next = Some((before + 1) & 0x0f);
            prop_assert_eq!(observe(&bytes), next);
            bytes[3..6].copy_from_slice(&[0x20 | before, 183, 0]);
            for _ in 0..fields {
                prop_assert_eq!(observe(&bytes), next);
            }
        }
    }
}
