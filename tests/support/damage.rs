//! Damage of a transport stream, the same every time, and a naive count of what it does.

use std::collections::BTreeMap;

use super::ts::{Packet, pcr, pid};

/// The services of the committed mux: channel, PMT, elementary PIDs. The first two are those that are hurt.
pub const SERVICES: [(u16, u16, &[u16]); 4] = [
    (1, 0x1001, &[0x101, 0x102]),
    (2, 0x1002, &[0x201, 0x202, 0x203]),
    (3, 0x1003, &[0x302]),
    (4, 0x1004, &[0x401, 0x402]),
];
pub const VICTIMS: [u16; 5] = [0x101, 0x102, 0x201, 0x202, 0x203];
pub const SPARED: [u16; 3] = [0x302, 0x401, 0x402];

/// What happens to a stream on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets are lost.
    Lost,
    /// Sync bytes are wrong.
    BadSync,
    /// The PMT of a service has a wrong CRC.
    PmtCrc,
    /// The demodulator could not correct packets.
    TransportError,
    /// There is no PAT, or for a while none.
    NoPat,
    PatGap,
    /// Packets come twice, which is allowed.
    Doubled,
    /// All clocks jump by 20 s, unannounced.
    ClockJump,
    /// A service has the bits of scrambling set.
    Scrambled,
    /// Single bits turn round.
    BitRot,
}

/// Does damage, packet by packet.
pub struct Damage {
    kind: Kind,
    /// Elementary PIDs that may be hurt; others stay whole, where the kind is not of all of them.
    victims: Vec<u16>,
    /// The PMT that may be hurt.
    pmt: u16,
    /// PIDs on which nothing may turn up.
    spared: Vec<u16>,
    /// Packets still to come under it.
    left: usize,
    /// Packets since one was hurt.
    since: usize,
    chance: u64,
}

impl Damage {
    /// For the next `left` packets.
    pub fn new(kind: Kind, victims: &[u16], pmt: u16, spared: &[u16], left: usize) -> Self {
        let (victims, spared) = (victims.to_vec(), spared.to_vec());
        Self { kind, victims, pmt, spared, left, since: 0, chance: 290 }
    }

    /// All packets that are to be hurt went by.
    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// What is left of `packet`: it, nothing, or it twice.
    pub fn apply(&mut self, packet: &Packet) -> Vec<Packet> {
        if self.left == 0 {
            return vec![*packet];
        }
        self.left -= 1;
        self.since += 1;
        let (of, mut packet) = (pid(packet), *packet);
        let victim = self.victims.contains(&of);
        let may_be_hit = match self.kind {
            Kind::Lost | Kind::TransportError | Kind::BitRot => victim,
            Kind::Doubled => of != 0x1fff,
            Kind::BadSync => victim || of == 0x1fff,
            _ => false,
        };
        let hit = may_be_hit && self.hits();
        match self.kind {
            Kind::Lost if hit => return Vec::new(),
            Kind::Doubled if hit => return vec![packet; 2],
            Kind::NoPat | Kind::PatGap if of == 0 => return Vec::new(),
            Kind::BadSync if hit => packet[0] = 0,
            Kind::TransportError if hit => packet[1] |= 0x80,
            Kind::BitRot if hit => self.rot(&mut packet),
            Kind::PmtCrc if of == self.pmt => packet[20] ^= 0xff,
            Kind::ClockJump => jump(&mut packet),
            Kind::Scrambled if victim => packet[3] |= 0x80,
            _ => {}
        }
        vec![packet]
    }

    /// Once in about 12 packets, and never twice in four.
    fn hits(&mut self) -> bool {
        let hits = self.since > 3 && self.number().is_multiple_of(8);
        if hits {
            self.since = 0;
        }
        hits
    }

    fn rot(&mut self, packet: &mut Packet) {
        // Half of them in the header, where they hurt most.
        let bits = if self.number().is_multiple_of(2) { 12 * 8 } else { 188 * 8 };
        let bit = usize::try_from(self.number() % bits).expect("a packet is short");
        packet[bit / 8] ^= 1 << (bit % 8);
        if self.spared.contains(&pid(packet)) {
            packet[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// Marsaglia's xorshift.
    fn number(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance >> 11
    }
}

/// Adds 20 s to the clock.
fn jump(packet: &mut Packet) {
    if let Some(ticks) = pcr(packet) {
        let base = (ticks / 300 + 20 * 90_000) % (1 << 33);
        let [_, _, bytes @ ..] = (base << 15 | 0x7e00 | (ticks % 300)).to_be_bytes();
        packet[6..12].copy_from_slice(&bytes);
    }
}

/// What a box counts of slots, one behind the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub no_sync: u64,
    pub transport_errors: u64,
    pub malformed: u64,
    pub continuity_errors: u64,
    pub pcr_errors: u64,
}

/// Counts what is wrong in `slots`, from the first on.
pub fn count(slots: &[Packet]) -> Counts {
    let mut counts = Counts::default();
    let mut last: BTreeMap<u16, (u8, bool)> = BTreeMap::new();
    let mut clocks: BTreeMap<u16, u64> = BTreeMap::new();
    for slot in slots {
        if !is_well_formed(slot) {
            let why = match slot {
                [sync, ..] if *sync != 0x47 => &mut counts.no_sync,
                [_, flags, ..] if flags & 0x80 != 0 => &mut counts.transport_errors,
                _ => &mut counts.malformed,
            };
            *why += 1;
            continue;
        }
        let (pid, counter) = (pid(slot), slot[3] & 0x0f);
        let announced = slot[3] & 0x20 != 0 && slot[4] > 0 && slot[5] & 0x80 != 0;
        if pid == 0x1fff {
            continue;
        }
        if announced {
            last.insert(pid, (counter, false));
        } else if slot[3] & 0x10 != 0 {
            let state = match last.get(&pid) {
                Some((before, false)) if *before == counter => (counter, true),
                Some((before, _)) if (before + 1) % 16 != counter => {
                    counts.continuity_errors += 1;
                    (counter, false)
                }
                _ => (counter, false),
            };
            last.insert(pid, state);
        }
        if let Some(now) = pcr(slot) {
            let turn = (1 << 33) * 300;
            let before = clocks.insert(pid, now);
            let apart = before.is_some_and(|before| (now + turn - before) % turn > 2_700_000);
            counts.pcr_errors += u64::from(apart && !announced);
        }
    }
    counts
}

/// A packet that a box passes on: with its sync byte, without a transport error, its adaptation field inside of it.
pub fn is_well_formed(slot: &Packet) -> bool {
    let fits = match slot[3] >> 4 & 3 {
        0 => false,
        1 => true,
        2 => slot[4] == 183,
        _ => slot[4] <= 182,
    };
    slot[0] == 0x47 && slot[1] & 0x80 == 0 && fits
}

/// The packets of `pids` that a box passes on.
pub fn passed(slots: &[Packet], pids: &[u16]) -> Vec<Packet> {
    slots.iter().filter(|slot| is_well_formed(slot) && pids.contains(&pid(slot))).copied().collect()
}
