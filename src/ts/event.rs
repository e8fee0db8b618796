//! What the EIT says of the present and the following event of a service (EN 300 468 §5.2.4).

use std::time::Duration;

use broadcast_common::Parse;
use dvb_si::descriptors::short_event::ShortEventDescriptor;
use dvb_si::tables::eit::EitSection;

use super::descriptor;
use super::psi::Language;
use super::section::Section;
use super::time::{StreamTime, utc};
use crate::text::{CleanText, Unmarked};

/// `table_id` of present/following events of the mux it is on.
pub const EIT_PF_ACTUAL: u8 = 0x4e;
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
        let short = descriptor::first::<ShortEventDescriptor<'_>>(&event.descriptors);
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
    fn what_is_over_for_long_is_not_shown() {
        let tdt = [&[0x70, 0x70, 5][..], &START.0].concat();
        let at = |seconds| Duration::from_secs(seconds);
        let time = StreamTime::parse(Section::new(&tdt).unwrap(), at(100)).unwrap();
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
    }

    proptest::proptest! {
        #[test]
        fn any_section_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let section = with_body(EIT_PF_ACTUAL, &bytes);
            let section = Section::new(&section).unwrap();
            if let Some(event) = Event::first(section, Unmarked::Gbk) {
                let _ = event.is_stale(u64::MAX);
            }
        }
    }
}
