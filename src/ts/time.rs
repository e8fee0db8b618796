//! What time it is by the stream's own clock, and by the clocks of those who watch: TDT and TOT (EN 300 468 §5.2.5,
//! §5.2.6). Fit to be shown and to tell what is over; nothing that must be true may hang on it.

use std::time::Duration;

use broadcast_common::time::decode_bcd_duration;
use dvb_si::descriptors::DescriptorLoop;
use heapless::Vec;

use super::section::Section;

/// `table_id` of the time and date table, and of the time offset table, which begins like it.
const TDT: u8 = 0x70;
const TOT: u8 = 0x73;
/// `local_time_offset_descriptor` (EN 300 468 §6.2.20).
const LOCAL_TIME_OFFSET: u8 = 0x58;
/// Local times of one TOT that are kept: Russia, with most of all, has eleven.
const ZONES: usize = 16;

/// What time it was in a stream, at a time of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTime {
    /// Seconds since 1970-01-01 UTC, as the stream says.
    utc: u64,
    /// When it said so.
    heard: Duration,
}

impl StreamTime {
    /// Reads a TDT or TOT that came at `now`.
    #[must_use]
    pub fn parse(section: Section<'_>, now: Duration) -> Option<Self> {
        let bytes = section.bytes().get(3..)?.first_chunk()?;
        let is_time = matches!(section.table_id(), TDT | TOT);
        Some(Self { utc: utc(*bytes).filter(|_| is_time)?, heard: now })
    }

    /// What time it is in the stream at `now`.
    #[must_use]
    pub fn at(&self, now: Duration) -> u64 {
        self.utc.saturating_add(now.saturating_sub(self.heard).as_secs())
    }
}

/// An ISO 3166 country code: three upper-case ASCII letters or digits, as EN 300 468 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country([u8; 3]);

impl Country {
    /// From the bytes of a code.
    #[must_use]
    pub fn new(code: [u8; 3]) -> Option<Self> {
        code.iter().all(u8::is_ascii_alphanumeric).then(|| Self(code.map(|b| b.to_ascii_uppercase())))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // they are ASCII
    }
}

/// How far the clocks of a country, or of a part of it, are from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The country.
    pub country: Country,
    /// `country_region_id`: its zones are numbered from the east, from 1; 0 where it has one.
    pub region: u8,
    /// Minutes that its clocks are ahead of UTC now.
    pub offset: i16,
    /// When that changes next, in seconds since 1970-01-01 UTC, and to what; `None` where that is undefined.
    pub change: Option<(u64, i16)>,
}

/// The local times that one TOT tells.
pub type LocalTimes = Vec<LocalTime, ZONES>;

/// The local times of a TOT; `None` of another table, none of a TOT without.
#[must_use]
pub fn local_times(section: Section<'_>) -> Option<LocalTimes> {
    let tot = section.bytes().split_last_chunk::<4>()?.0.get(8..).filter(|_| section.table_id() == TOT)?;
    let (length, looped) = tot.split_first_chunk()?;
    let looped = looped.get(..usize::from(u16::from_be_bytes(*length) & 0x0fff))?;
    let looped = DescriptorLoop::new(looped);
    let offsets = looped.raw_tags().filter(|(tag, _)| *tag == LOCAL_TIME_OFFSET);
    let zones = offsets.flat_map(|(_, body)| body.as_chunks::<13>().0);
    Some(zones.filter_map(local_time).take(ZONES).collect())
}

/// One entry:
///
/// ```text
///   country 24 | region 6 | reserved 1 | polarity 1 | offset 16 BCD | time of change 40 | next offset 16 BCD
/// ```
fn local_time(entry: &[u8; 13]) -> Option<LocalTime> {
    let [a, b, c, flags, hours, minutes, change @ .., next_hours, next_minutes] = *entry;
    let behind = flags & 1 == 1;
    let signed = |hours, minutes| {
        let minutes = i16::try_from(decode_bcd_duration([hours, minutes, 0])?.as_secs() / 60).ok()?;
        Some(if behind { -minutes } else { minutes })
    };
    Some(LocalTime {
        country: Country::new([a, b, c])?,
        region: flags >> 2,
        offset: signed(hours, minutes)?,
        change: utc(change).zip(signed(next_hours, next_minutes)),
    })
}

/// 16 bits of modified Julian date and six BCD digits, in seconds since 1970-01-01 (EN 300 468 Annex C). `None` where
/// it is undefined (all ones), no time of day, or before 1970.
pub(super) fn utc([mjd_high, mjd_low, time @ ..]: [u8; 5]) -> Option<u64> {
    const MJD_1970: u16 = 40_587;
    const DAY: u64 = 86_400;
    let day = u16::from_be_bytes([mjd_high, mjd_low]).checked_sub(MJD_1970)?;
    let second = decode_bcd_duration(time)?.as_secs();
    (second < DAY).then(|| u64::from(day) * DAY + second)
}

#[cfg(test)]
mod tests {
    use super::super::section::CRC;
    use super::*;

    /// EN 300 468 Annex C: 1993-10-13 12:45:00.
    const START: ([u8; 5], u64) = ([0xc0, 0x79, 0x12, 0x45, 0x00], 750_516_300);

    #[test]
    fn the_stream_s_time_goes_on() {
        let tdt = [&[0x70, 0x70, 5][..], &START.0].concat();
        let at = |seconds| Duration::from_secs(seconds);
        let time = StreamTime::parse(Section::new(&tdt).unwrap(), at(100)).unwrap();
        assert_eq!([at(100), at(160), at(90)].map(|now| time.at(now)), [START.1, START.1 + 60, START.1]);
        for bad in [[0xff; 5], [0xc0, 0x79, 0x24, 0, 0], [0, 0, 0, 0, 0], [0xc0, 0x79, 0, 0x6a, 0]] {
            assert_eq!(utc(bad), None, "{bad:?}");
        }
    }

    fn tot(looped: &[u8]) -> std::vec::Vec<u8> {
        let length = looped.len() as u16;
        let mut s = [&[TOT, 0x70 | ((length + 11) >> 8) as u8, (length + 11) as u8][..], &START.0].concat();
        s.extend((0xf000 | length).to_be_bytes());
        s.extend(looped);
        s.extend(CRC.checksum(&s).to_be_bytes());
        s
    }

    #[test]
    fn local_times_are_read() {
        let france = [b"fra\x02\x01\x00".as_slice(), &START.0, &[2, 0]].concat();
        let brazil = [b"BRA\x0b\x03\x30".as_slice(), &[0xff; 5], &[3, 0x30]].concat();
        let wrong = [b"F A\x02\x01\x00".as_slice(), &START.0, &[2, 0]].concat();
        let looped = [&[0x40, 1, b'x', 0x58, 40][..], &france, &brazil, &wrong, &[0]].concat();
        let bytes = tot(&looped);
        let zones = local_times(Section::new(&bytes).unwrap()).unwrap();
        let of = |z: &LocalTime| (z.country.as_str().to_owned(), z.region, z.offset, z.change);
        assert_eq!(
            zones.iter().map(of).collect::<std::vec::Vec<_>>(),
            [("FRA".into(), 0, 60, Some((START.1, 120))), ("BRA".into(), 2, -210, None)]
        );
        let many = [&[0x58, 247][..], &france.repeat(19)].concat();
        assert_eq!(local_times(Section::new(&tot(&many)).unwrap()).unwrap().len(), ZONES);
        let tdt = [&[TDT, 0x70, 5][..], &START.0].concat();
        assert_eq!(local_times(Section::new(&tdt).unwrap()), None);
    }

    proptest::proptest! {
        #[test]
        fn any_time_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..240)) {
            let mut bytes = tot(&bytes);
            let _ = local_times(Section::new(&bytes).unwrap());
            let end = bytes.len() - 4;
            bytes[8] ^= 0x0f;
            let crc = CRC.checksum(&bytes[..end]);
            bytes[end..].copy_from_slice(&crc.to_be_bytes());
            let section = Section::new(&bytes).unwrap();
            let _ = local_times(section);
            let _ = StreamTime::parse(section, Duration::ZERO);
        }
    }
}
