//! What the EIT says of the present and the following event of a service, and what time it is by the stream's own
//! clock (EN 300 468 §5.2.4 to §5.2.6).

use std::time::Duration;

use broadcast_common::Parse;
use broadcast_common::time::decode_bcd_duration;
use dvb_si::descriptors::short_event::ShortEventDescriptor;
use dvb_si::descriptors::{AnyDescriptor, DescriptorLoop};
use dvb_si::tables::eit::EitSection;

use super::psi::Language;
use super::section::Section;
use crate::text::{CleanText, Unmarked};

/// `table_id` of present/following events of the mux it is on.
pub const EIT_PF_ACTUAL: u8 = 0x4e;
/// `table_id` of the time and date table, and of the time offset table, which begins like it.
const TDT: u8 = 0x70;
const TOT: u8 = 0x73;
/// An event is shown for so long after its end: schedules slip.
const STALE: Duration = Duration::from_secs(5 * 60);

/// A title as lists show it.
pub type Title = CleanText<96>;

/// An event of a service: a programme that is on air, or comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `event_id`, the service's own.
    pub id: u16,
    /// When it begins, in seconds since 1970-01-01 UTC.
    pub start: u64,
    /// How long it is.
    pub duration: Duration,
    /// Its title; empty where none is given.
    pub title: Title,
    /// The language of the title.
    pub language: Option<Language>,
}

impl Event {
    /// The first event of an EIT section; a present/following table has no more than one in a section. `unmarked` is
    /// the table of titles that say none.
    #[must_use]
    pub fn first(section: Section<'_>, unmarked: Unmarked) -> Option<Self> {
        let eit = EitSection::parse(section.bytes()).ok()?;
        let event = eit.events.first()?;
        let short = short_event(&event.descriptors);
        let short = short.as_ref();
        Some(Self {
            id: event.event_id,
            start: utc(event.start_time_raw())?,
            duration: event.duration().unwrap_or_default(),
            title: short.map_or_else(Title::default, |s| Title::from_dvb(s.event_name.raw(), unmarked)),
            language: short.and_then(|s| Language::new(s.language_code.0)),
        })
    }

    /// It is over, and was for a while, when it is `time`.
    #[must_use]
    pub fn is_stale(&self, time: u64) -> bool {
        self.start.saturating_add((self.duration + STALE).as_secs()) < time
    }
}

fn short_event<'a>(descriptors: &DescriptorLoop<'a>) -> Option<ShortEventDescriptor<'a>> {
    descriptors.iter().flatten().find_map(|descriptor| match descriptor {
        AnyDescriptor::ShortEvent(short) => Some(short),
        _ => None,
    })
}

/// What is on a service now and next, as far as its mux told when it was last listened to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guide {
    /// The present event and the following one.
    pub events: [Option<Event>; 2],
    /// The time of the mux.
    pub time: Option<StreamTime>,
}

impl Guide {
    /// The present and the following event at `now`; none that is over for long.
    #[must_use]
    pub fn at(&self, now: Duration) -> [Option<&Event>; 2] {
        let time = self.time.map_or(0, |time| time.at(now));
        self.events.each_ref().map(|event| event.as_ref().filter(|event| !event.is_stale(time)))
    }
}

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

/// 16 bits of modified Julian date and six BCD digits, in seconds since 1970-01-01 (EN 300 468 Annex C). `None` where
/// it is undefined (all ones), no time of day, or before 1970.
fn utc([mjd_high, mjd_low, time @ ..]: [u8; 5]) -> Option<u64> {
    const MJD_1970: u16 = 40_587;
    const DAY: u64 = 86_400;
    let day = u16::from_be_bytes([mjd_high, mjd_low]).checked_sub(MJD_1970)?;
    let second = decode_bcd_duration(time)?.as_secs();
    (second < DAY).then(|| u64::from(day) * DAY + second)
}

#[cfg(test)]
mod tests {
    use super::super::section::{CRC, with_body};
    use super::*;

    /// EN 300 468 Annex C: 1993-10-13 12:45:00.
    const START: ([u8; 5], u64) = ([0xc0, 0x79, 0x12, 0x45, 0x00], 750_516_300);

    fn eit(events: &[u8]) -> Vec<u8> {
        let length = (events.len() + 15) as u16;
        let mut s = vec![EIT_PF_ACTUAL, 0xf0 | (length >> 8) as u8, length as u8, 3, 0xe9, 0xc1, 0, 1];
        s.extend([0, 1, 0x20, 0, 1, 0x4e]);
        s.extend(events);
        let crc = CRC.checksum(&s);
        s.extend(crc.to_be_bytes());
        s
    }

    fn event(duration: [u8; 3], descriptors: &[u8]) -> Vec<u8> {
        let loops = [0x80, descriptors.len() as u8];
        [&[0x12, 0x34][..], &START.0, &duration, &loops, descriptors].concat()
    }

    #[test]
    fn an_event_is_read() {
        let short = b"\x4d\x0cfRa\x05\xc2Et\xc2e\x02ab";
        let eit = eit(&event([1, 0x30, 5], short));
        let event = Event::first(Section::new(&eit).unwrap(), Unmarked::Iso6937).unwrap();
        assert_eq!((event.id, event.start), (0x1234, START.1));
        assert_eq!(event.duration.as_secs(), 5405);
        assert_eq!(event.title.as_str(), "Été");
        assert_eq!(event.language.as_ref().map(Language::as_str), Some("fra"));
        let end = START.1 + 5405;
        assert_eq!([end, end + 300, end + 301].map(|t| event.is_stale(t)), [false, false, true]);
    }

    #[test]
    fn no_event_is_none_and_no_title_is_empty() {
        let first = |eit: &[u8]| Event::first(Section::new(eit).unwrap(), Unmarked::Iso6937);
        assert_eq!(first(&eit(&[])), None);
        let untitled = first(&eit(&event([0xff; 3], &[]))).unwrap();
        assert_eq!(
            (untitled.duration, untitled.title, untitled.language),
            (Duration::ZERO, Title::new(""), None)
        );
    }

    #[test]
    fn the_stream_s_time_goes_on() {
        let tdt = [&[0x70, 0x70, 5][..], &START.0].concat();
        let at = |seconds| Duration::from_secs(seconds);
        let time = StreamTime::parse(Section::new(&tdt).unwrap(), at(100)).unwrap();
        assert_eq!([at(100), at(160), at(90)].map(|now| time.at(now)), [START.1, START.1 + 60, START.1]);
        let event = |start| Event {
            id: 1,
            start,
            duration: Duration::from_secs(60),
            title: Title::new("T"),
            language: None,
        };
        let events = [Some(event(START.1)), Some(event(START.1 + 60))];
        let mut guide = Guide { events, time: None };
        assert!(guide.at(at(9000)).iter().all(Option::is_some), "without a clock nothing is stale");
        guide.time = Some(time);
        let shown = |now| guide.at(at(now)).map(|event| event.is_some());
        assert_eq!([460, 461, 520, 521].map(shown), [[true; 2], [false, true], [false, true], [false; 2]]);
        for bad in [[0xff; 5], [0xc0, 0x79, 0x24, 0, 0], [0, 0, 0, 0, 0], [0xc0, 0x79, 0, 0x6a, 0]] {
            assert_eq!(utc(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_section_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let section = with_body(EIT_PF_ACTUAL, &bytes);
            let section = Section::new(&section).unwrap();
            if let Some(event) = Event::first(section, Unmarked::Gbk) {
                let _ = event.is_stale(u64::MAX);
            }
            let _ = StreamTime::parse(section, Duration::ZERO);
        }
    }
}
