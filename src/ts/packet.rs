//! A lens on one transport packet (ISO 13818-1 §2.4.3.2).
//!
//! ```text
//!  0        1                    2         3                   4 ..
//! +--------+--+--+--+-----------+---------+----+----+---------+----------------------------+
//! | 0x47   |TE|PU|pr| PID 12..8 | PID 7..0|TSC | AFC| counter | [adaptation field] payload |
//! +--------+--+--+--+-----------+---------+----+----+---------+----------------------------+
//! ```

use super::clock::Ticks27M;

/// Bytes of a transport packet.
pub const PACKET: usize = 188;
/// The first byte of every transport packet.
pub const SYNC: u8 = 0x47;

/// A packet identifier, 0 to 0x1fff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Pid(u16);

impl Pid {
    /// Programme association table.
    pub const PAT: Self = Self(0x0000);
    /// Network information table.
    pub const NIT: Self = Self(0x0010);
    /// Service description table.
    pub const SDT: Self = Self(0x0011);
    /// Event information table.
    pub const EIT: Self = Self(0x0012);
    /// Time and date, and time offset tables.
    pub const TDT: Self = Self(0x0014);
    /// Stuffing; also says "no PCR" where a PMT names a PCR PID.
    pub const NULL: Self = Self(0x1fff);
    /// How many PIDs there are.
    pub const COUNT: usize = 0x2000;

    /// The PID in the low 13 bits; the bits above are reserved ones and are ignored.
    #[must_use]
    pub const fn new(bits: u16) -> Self {
        Self(bits & 0x1fff)
    }

    /// 0 to 0x1fff.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// For tables with an entry per PID: always below [`Pid::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// 188 bytes that begin with the sync byte and whose adaptation field, if any, ends inside them.
///
/// Holding one proves just that, so no accessor can panic. It proves nothing of the payload.
#[derive(Clone, Copy)]
pub struct Packet<'a>(&'a [u8; PACKET]);

/// Why 188 bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// The first byte is not 0x47.
    NoSync,
    /// `transport_error_indicator`: the demodulator could not correct it, so not even the PID can be trusted.
    TransportError,
    /// The adaptation field is longer than the packet, or its control bits are the reserved 00.
    AdaptationField,
}

impl<'a> Packet<'a> {
    /// Checks `bytes` once for all accessors.
    #[inline]
    pub fn new(bytes: &'a [u8; PACKET]) -> Result<Self, PacketError> {
        if bytes[0] != SYNC {
            return Err(PacketError::NoSync);
        }
        if bytes[1] & 0x80 != 0 {
            return Err(PacketError::TransportError);
        }
        let fits = match bytes[3] >> 4 & 3 {
            0 => false,
            1 => true,
            2 => bytes[4] as usize == PACKET - 5,
            _ => bytes[4] as usize <= PACKET - 6,
        };
        if fits { Ok(Self(bytes)) } else { Err(PacketError::AdaptationField) }
    }

    /// The packet's bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8; PACKET] {
        self.0
    }

    /// The packet's PID.
    #[must_use]
    pub fn pid(&self) -> Pid {
        pid_of(self.0)
    }

    /// `payload_unit_start_indicator`: a PES packet or a section begins in this payload.
    #[must_use]
    pub fn starts_unit(&self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// `transport_scrambling_control` is not 00: the payload cannot be read.
    #[must_use]
    pub fn is_scrambled(&self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// The packet carries payload, so its counter advances.
    #[must_use]
    pub fn has_payload(&self) -> bool {
        self.0[3] & 0x10 != 0
    }

    /// All of it but the head is payload that can be read and goes on with a unit: most packets are like that.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.0[1] & 0x40 == 0 && self.0[3] & 0xf0 == 0x10
    }

    /// `continuity_counter`, 0 to 15.
    #[must_use]
    pub fn counter(&self) -> u8 {
        self.0[3] & 0x0f
    }

    /// The payload; empty where there is none.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        match self.0[3] >> 4 & 3 {
            1 => &self.0[4..],
            3 => &self.0[5 + self.0[4] as usize..],
            _ => &[],
        }
    }

    /// `discontinuity_indicator` of the adaptation field.
    #[must_use]
    pub fn is_discontinuity(&self) -> bool {
        self.adaptation().first().is_some_and(|flags| flags & 0x80 != 0)
    }

    /// `random_access_indicator` of the adaptation field.
    #[must_use]
    pub fn is_random_access(&self) -> bool {
        self.adaptation().first().is_some_and(|flags| flags & 0x40 != 0)
    }

    /// The programme clock reference, where the packet carries one.
    #[must_use]
    pub fn pcr(&self) -> Option<Ticks27M> {
        let field = self.adaptation();
        (field.len() >= 7 && field[0] & 0x10 != 0).then(|| {
            let base = (u64::from(field[1]) << 25)
                | (u64::from(field[2]) << 17)
                | (u64::from(field[3]) << 9)
                | (u64::from(field[4]) << 1)
                | (u64::from(field[5]) >> 7);
            Ticks27M::new(base * 300 + (u64::from(field[5] & 1) << 8 | u64::from(field[6])))
        })
    }

    /// The adaptation field from its flags on; empty where there is none.
    fn adaptation(&self) -> &'a [u8] {
        if self.0[3] & 0x20 == 0 { &[] } else { &self.0[5..5 + self.0[4] as usize] }
    }
}

/// The PID field of any 188 bytes, sound packet or not.
#[must_use]
pub fn pid_of(bytes: &[u8; PACKET]) -> Pid {
    Pid::new(u16::from(bytes[1]) << 8 | u16::from(bytes[2]))
}

/// Writes `pcr` into a packet that [`Packet::pcr`] finds one in; leaves every other packet as it is.
pub fn set_pcr(bytes: &mut [u8; PACKET], pcr: Ticks27M) {
    if Packet::new(bytes).is_ok_and(|p| p.pcr().is_some()) {
        bytes[6..12].copy_from_slice(&pcr.to_bytes());
    }
}

/// An adaptation-only packet that announces a break in `pid`: `discontinuity_indicator` set, and the new clock where
/// `pcr` is given (ISO 13818-1 §2.4.3.5). It does not advance the counter, so `counter` is that of the packet before.
#[must_use]
pub fn discontinuity(pid: Pid, counter: u8, pcr: Option<Ticks27M>) -> [u8; PACKET] {
    let mut bytes = [0xff; PACKET];
    bytes[0] = SYNC;
    bytes[1..3].copy_from_slice(&pid.value().to_be_bytes());
    bytes[3] = 0x20 | counter & 0x0f;
    bytes[4] = 183;
    bytes[5] = 0x80;
    if let Some(pcr) = pcr {
        bytes[5] |= 0x10;
        bytes[6..12].copy_from_slice(&pcr.to_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &[u8]) -> [u8; PACKET] {
        let mut bytes = [0xff; PACKET];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn reads_every_field_of_a_pcr_packet() {
        // PID 0x101, PUSI, counter 5, adaptation of 7 bytes with random access and PCR = 90000 * 300 + 7
        let bytes = packet(&[0x47, 0x41, 0x01, 0x35, 7, 0x50, 0x00, 0x00, 0xaf, 0xc8, 0x7e, 0x07, 1, 2, 3]);
        let p = Packet::new(&bytes).unwrap();
        assert_eq!(
            (p.pid(), p.counter(), p.starts_unit(), p.is_scrambled()),
            (Pid::new(0x101), 5, true, false)
        );
        assert!(p.is_random_access() && !p.is_discontinuity());
        assert_eq!(p.pcr(), Some(Ticks27M::new(90_000 * 300 + 7)));
        assert_eq!(&p.payload()[..3], [1, 2, 3]);
        assert_eq!(p.payload().len(), PACKET - 12);
    }

    #[test]
    fn refuses_what_is_no_packet() {
        let why = |head: &[u8]| Packet::new(&packet(head)).err();
        assert_eq!(why(&[0x46, 0, 0, 0x10]), Some(PacketError::NoSync));
        assert_eq!(why(&[0x47, 0x80, 0, 0x10]), Some(PacketError::TransportError));
        assert_eq!(why(&[0x47, 0, 0, 0x00]), Some(PacketError::AdaptationField));
        assert_eq!(why(&[0x47, 0, 0, 0x30, 183]), Some(PacketError::AdaptationField));
        assert_eq!(why(&[0x47, 0, 0, 0x20, 182]), Some(PacketError::AdaptationField));
        assert_eq!(why(&[0x47, 0, 0, 0x30, 182]), None);
    }

    #[test]
    fn a_pcr_written_is_the_pcr_read() {
        let mut bytes = discontinuity(Pid::new(0x1ffe), 3, Some(Ticks27M::new(0)));
        let late = Ticks27M::new(Ticks27M::WRAP - 1);
        set_pcr(&mut bytes, late);
        let p = Packet::new(&bytes).unwrap();
        assert_eq!((p.pcr(), p.is_discontinuity(), p.has_payload()), (Some(late), true, false));
        let mut plain = packet(&[0x47, 0, 0, 0x10]);
        set_pcr(&mut plain, late);
        assert_eq!(plain, packet(&[0x47, 0, 0, 0x10]));
    }

    proptest::proptest! {
        #[test]
        fn no_accessor_panics(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, PACKET)) {
            bytes[0] = SYNC;
            let bytes: [u8; PACKET] = bytes.try_into().unwrap();
            if let Ok(p) = Packet::new(&bytes) {
                let _ = (p.pid(), p.pcr(), p.payload().len(), p.is_random_access(), p.is_discontinuity());
            }
        }
    }
}
