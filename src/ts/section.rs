//! Sections: putting them together from packets (ISO 13818-1 §2.4.4) and proving their CRC.

use crc::{CRC_32_MPEG_2, Crc, Table};

use super::Packet;

/// The CRC of PSI and SI sections (ISO 13818-1 Annex A).
pub static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_MPEG_2);

/// Bytes of the longest PSI section, and of every SI table but the EIT (ISO 13818-1 §2.4.4.3).
pub const PSI_SECTION: usize = 1024;
/// Bytes of the longest EIT section (EN 300 468 §5.1.1).
pub const EIT_SECTION: usize = 4096;

/// A whole section. Holding one proves that its length field is right, and that its CRC is where its table has one.
#[derive(Clone, Copy)]
pub struct Section<'a>(&'a [u8]);

impl<'a> Section<'a> {
    /// Checks `bytes`: one section from its `table_id` to its last byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let length = section_length(bytes)?;
        // TDT (0x70) is the one table we read that carries no CRC; TOT (0x73) has one without the long header.
        let has_crc = bytes[1] & 0x80 != 0 || bytes[0] == 0x73;
        let least = if bytes[1] & 0x80 != 0 { 12 } else { 3 };
        let sound = length == bytes.len() && length >= least && (!has_crc || CRC.checksum(bytes) == 0);
        sound.then_some(Self(bytes))
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Which table it belongs to.
    #[must_use]
    pub fn table_id(&self) -> u8 {
        self.0[0]
    }

    /// `table_id_extension`: `transport_stream_id`, `program_number` or `service_id`. 0 in a short section.
    #[must_use]
    pub fn extension(&self) -> u16 {
        if self.is_long() { u16::from_be_bytes([self.0[3], self.0[4]]) } else { 0 }
    }

    /// `current_next_indicator`: the table is in force now. True of a short section.
    #[must_use]
    pub fn is_current(&self) -> bool {
        !self.is_long() || self.0[5] & 1 == 1
    }

    /// `section_number` and `last_section_number`.
    #[must_use]
    pub fn number(&self) -> (u8, u8) {
        if self.is_long() { (self.0[6], self.0[7]) } else { (0, 0) }
    }

    /// The last four bytes, which tell one content from another: the CRC wherever there is one.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        self.0.last_chunk().map_or(0, |crc| u32::from_be_bytes(*crc))
    }

    fn is_long(&self) -> bool {
        self.0[1] & 0x80 != 0
    }
}

/// Bytes of the section that begins at `bytes[0]`, header and CRC included; `None` before its third byte.
#[must_use]
pub fn section_length(bytes: &[u8]) -> Option<usize> {
    bytes.get(1..3).map(|b| 3 + (usize::from(b[0] & 0x0f) << 8 | usize::from(b[1])))
}

/// Which sections of a table were taken, so that each content is read once. At most `N` section numbers are
/// remembered: a section beyond them is read again each time it comes, which is slower, not wrong.
#[derive(Default)]
pub struct Taken<const N: usize> {
    /// Section numbers and fingerprints.
    known: heapless::Vec<(u8, u32), N>,
    last: Option<u8>,
}

impl<const N: usize> Taken<N> {
    /// The section is in force, and what it says was not taken yet.
    #[must_use]
    pub fn is_news(&self, section: Section<'_>) -> bool {
        section.is_current() && !self.known.contains(&(section.number().0, section.fingerprint()))
    }

    /// What the section says was taken.
    pub fn note(&mut self, section: Section<'_>) {
        let (number, last) = section.number();
        self.known.retain(|(known, _)| *known != number);
        let _full = self.known.push((number, section.fingerprint()));
        self.last = Some(last);
    }

    /// The whole table was taken.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.last.is_some_and(|last| self.known.len() >= (usize::from(last) + 1).min(N))
    }

    /// Everything is to be read again.
    pub fn forget(&mut self) {
        self.known.clear();
        self.last = None;
    }
}

/// What an [`Assembler`] counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionCounts {
    /// Sections handed out.
    pub whole: u32,
    /// Sections refused: wrong CRC, or a length that cannot be.
    pub broken: u32,
    /// Sections lost because a packet was missing or scrambled.
    pub torn: u32,
    /// Scrambled packets that begin a section, which nobody can read.
    pub scrambled: u32,
}

/// Puts the sections of one PID together, in `N` bytes. A longer section is skipped and counted as broken.
pub struct Assembler<const N: usize> {
    buffer: heapless::Vec<u8, N>,
    /// Counter of the packet before; `None` until a packet came.
    last: Option<u8>,
    /// A section has begun in `buffer` and goes on.
    open: bool,
    counts: SectionCounts,
}

impl<const N: usize> Default for Assembler<N> {
    fn default() -> Self {
        Self { buffer: heapless::Vec::new(), last: None, open: false, counts: SectionCounts::default() }
    }
}

impl<const N: usize> Assembler<N> {
    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> SectionCounts {
        self.counts
    }

    /// Takes the next packet of the PID and hands each section it completes to `found`.
    pub fn push(&mut self, packet: Packet<'_>, mut found: impl FnMut(Section<'_>)) {
        if !packet.has_payload() {
            return;
        }
        let expected = self.last.map(|c| (c + 1) & 0x0f);
        if self.last == Some(packet.counter()) && !packet.is_discontinuity() {
            return; // a duplicate packet, which §2.4.3.3 allows once
        }
        let broken = expected.is_some_and(|c| c != packet.counter()) || packet.is_scrambled();
        self.last = Some(packet.counter());
        if broken {
            self.tear();
        }
        if packet.is_scrambled() {
            self.counts.scrambled += u32::from(packet.starts_unit());
            return;
        }
        let payload = packet.payload();
        if !packet.starts_unit() {
            self.extend(payload, &mut found);
            return;
        }
        let Some((&pointer, rest)) = payload.split_first() else { return };
        let Some((before, after)) = rest.split_at_checked(usize::from(pointer)) else {
            self.tear();
            self.counts.broken += 1;
            return;
        };
        self.extend(before, &mut found);
        self.tear();
        self.open = true;
        self.extend(after, &mut found);
    }

    /// Appends to the open section; several may end in one payload.
    fn extend(&mut self, mut bytes: &[u8], found: &mut impl FnMut(Section<'_>)) {
        while self.open && !bytes.is_empty() {
            if self.buffer.is_empty() && bytes[0] == 0xff {
                self.open = false; // stuffing up to the end of the packet
                return;
            }
            let wanted = section_length(&self.buffer).map_or(3, |n| n.max(3)) - self.buffer.len();
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            if self.buffer.extend_from_slice(taken).is_err() {
                self.counts.broken += 1;
                self.reset();
                return;
            }
            bytes = rest;
            if section_length(&self.buffer).is_some_and(|n| n <= self.buffer.len()) {
                match Section::new(&self.buffer) {
                    Some(section) => {
                        self.counts.whole += 1;
                        found(section);
                    }
                    None => self.counts.broken += 1,
                }
                self.buffer.clear();
            }
        }
    }

    /// Gives up the section under way: its rest will not come.
    fn tear(&mut self) {
        if self.open && !self.buffer.is_empty() {
            self.counts.torn += 1;
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.buffer.clear();
        self.open = false;
    }
}

/// A long section of this table whose body is `body`, sound but for what the body may say.
#[cfg(test)]
pub(crate) fn with_body(table_id: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 9).unwrap_or(0);
    let mut section = vec![table_id, 0xb0 | (length >> 8) as u8, length as u8, 0, 1, 0xc1, 0, 0];
    section.extend(body);
    let crc = CRC.checksum(&section);
    section.extend(crc.to_be_bytes());
    section
}

#[cfg(test)]
mod tests {
    use super::super::{PACKET, Pid, packetise::Packetiser};
    use super::*;

    /// A long section of `table_id` with `n` bytes of body.
    fn section(table_id: u8, n: usize) -> Vec<u8> {
        with_body(table_id, &(0..n).map(|i| (i % 251) as u8).collect::<Vec<_>>())
    }

    fn packets(sections: &[Vec<u8>]) -> Vec<[u8; PACKET]> {
        let mut out = Vec::new();
        let mut packetiser = Packetiser::new(Pid::new(0x20));
        for s in sections {
            packetiser.write(Section::new(s).unwrap(), |p| out.push(*p));
        }
        out
    }

    fn found(packets: &[[u8; PACKET]]) -> (Vec<Vec<u8>>, SectionCounts) {
        let mut assembler = Assembler::<PSI_SECTION>::default();
        let mut all = Vec::new();
        for p in packets {
            assembler.push(Packet::new(p).unwrap(), |s| all.push(s.bytes().to_vec()));
        }
        (all, assembler.counts())
    }

    #[test]
    fn whole_sections_come_back() {
        let sent =
            [section(0x42, 20), section(0x42, 600), section(2, 167), section(2, 168), section(2, 1012)];
        let (got, counts) = found(&packets(&sent));
        assert_eq!(got, sent);
        assert_eq!(counts, SectionCounts { whole: 5, ..SectionCounts::default() });
    }

    #[test]
    fn a_lost_packet_costs_only_its_section() {
        let sent = [section(0x42, 600), section(0x42, 601)];
        let mut packets = packets(&sent);
        packets.remove(1);
        let (got, counts) = found(&packets);
        assert_eq!(got, sent[1..]);
        assert_eq!(counts, SectionCounts { whole: 1, torn: 1, ..SectionCounts::default() });
    }

    #[test]
    fn damage_is_counted_not_passed_on() {
        let mut packets = packets(&[section(0x42, 100), section(0x42, 101)]);
        packets[0][40] ^= 1;
        let (got, counts) = found(&packets);
        assert_eq!(
            (got.len(), counts),
            (1, SectionCounts { whole: 1, broken: 1, ..SectionCounts::default() })
        );
        packets[1][4] = 200; // a pointer_field beyond the packet
        assert_eq!(found(&packets).1.broken, 2);
    }

    #[test]
    fn scrambled_sections_are_counted_not_read() {
        let mut packets = packets(&[section(0x50, 600), section(0x50, 601)]);
        packets.iter_mut().take(4).for_each(|p| p[3] |= 0x80);
        let (got, counts) = found(&packets);
        assert_eq!(got, [section(0x50, 601)]);
        assert_eq!(counts, SectionCounts { whole: 1, scrambled: 1, ..SectionCounts::default() });
    }

    #[test]
    fn each_content_is_taken_once() {
        let numbered = |number: u8, byte: u8| {
            let mut s = with_body(0x40, &[byte]);
            s.truncate(9);
            (s[6], s[7]) = (number, 2);
            let crc = CRC.checksum(&s);
            s.extend(crc.to_be_bytes());
            s
        };
        let mut taken = Taken::<2>::default();
        let mut news = |number, byte| {
            let bytes = numbered(number, byte);
            let section = Section::new(&bytes).unwrap();
            let news = taken.is_news(section);
            taken.note(section);
            (news, taken.is_complete())
        };
        assert_eq!([news(0, 1), news(0, 1), news(0, 2)], [(true, false), (false, false), (true, false)]);
        assert_eq!([news(2, 1), news(1, 1), news(1, 1)], [(true, true), (true, true), (true, true)]);
        taken.forget();
        assert!(!taken.is_complete());
    }

    #[test]
    fn a_duplicate_packet_is_ignored() {
        let sent = [section(0x42, 600)];
        let mut packets = packets(&sent);
        packets.insert(1, packets[1]);
        packets.insert(1, packets[0]);
        assert_eq!(found(&packets).0, sent);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(data in proptest::collection::vec(proptest::num::u8::ANY, 0..20 * 184)) {
            let mut assembler = Assembler::<PSI_SECTION>::default();
            for (i, chunk) in data.chunks_exact(184).enumerate() {
                let mut p = [0; PACKET];
                p[..4].copy_from_slice(&[0x47, chunk[0] & 0x40, 0, 0x10 | (i & 15) as u8]);
                p[4..].copy_from_slice(chunk);
                assembler.push(Packet::new(&p).unwrap(), |s| assert!(s.bytes().len() <= PSI_SECTION));
            }
        }
    }
}
