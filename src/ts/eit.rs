//! Events of the EIT, present/following and schedule, of this mux and of others (EN 300 468 §5.2.4).

use broadcast_common::Parse;
use dvb_si::descriptors::DescriptorLoop;
use dvb_si::tables::eit::{EitEvent, EitSection};
use heapless::Vec;

use super::psi::Language;
use super::section::Section;
use super::service_info::ServiceTriple;
use super::time::{Country, utc};
use crate::text::{CleanText, Unmarked};

/// `table_id`s of present/following events: of the mux they are on, and of others.
pub const PRESENT_FOLLOWING: [u8; 2] = [0x4e, 0x4f];
/// The same of schedules: each of sixteen tables holds four days.
const SCHEDULE_ACTUAL: std::ops::RangeInclusive<u8> = 0x50..=0x5f;
const SCHEDULE_OTHER: std::ops::RangeInclusive<u8> = 0x60..=0x6f;

/// Bytes of a title. Descriptors have 250 at most for title and text, and one byte can become three in UTF-8; titles on
/// air stay below 100 characters.
pub const TITLE: usize = 256;
/// Bytes of a short text.
pub const SHORT: usize = 768;
/// Bytes of an extended text: as much as a section holds.
pub const EXTENDED: usize = 4096;

/// Descriptor tags (EN 300 468 table 12).
const SHORT_EVENT: u8 = 0x4d;
const EXTENDED_EVENT: u8 = 0x4e;
const CONTENT: u8 = 0x54;
const PARENTAL_RATING: u8 = 0x55;

/// Which table of events a section is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EitTable {
    /// What is on now, in section 0, and next, in section 1.
    PresentFollowing,
    /// One of the sixteen tables of a schedule, 0 to 15.
    Schedule(u8),
}

/// Where a section of an EIT belongs. Read without a look at its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EitHead {
    /// Whose events they are.
    pub service: ServiceTriple,
    /// Which table.
    pub table: EitTable,
    /// It is of the mux that the service is on.
    pub actual: bool,
    /// `version_number`, 0 to 31.
    pub version: u8,
    /// `section_number`.
    pub section: u8,
    /// `last_section_number`.
    pub last_section: u8,
    /// `segment_last_section_number`: the last one used of the eight that this section is among.
    pub segment_last: u8,
    /// The last table of the service's schedule, 0 to 15.
    pub last_table: u8,
}

impl EitHead {
    /// Reads the head of a section that is in force; `None` of another table, or where the numbers cannot be.
    #[must_use]
    pub fn parse(section: Section<'_>) -> Option<Self> {
        let id = section.table_id();
        let (table, actual) = match id {
            _ if PRESENT_FOLLOWING.contains(&id) => (EitTable::PresentFollowing, id == PRESENT_FOLLOWING[0]),
            _ if SCHEDULE_ACTUAL.contains(&id) => (EitTable::Schedule(id & 0x0f), true),
            _ if SCHEDULE_OTHER.contains(&id) => (EitTable::Schedule(id & 0x0f), false),
            _ => return None,
        };
        let head: &[u8; 14] = section.bytes().first_chunk()?;
        let (number, last_section) = section.number();
        let segment_last = head[12];
        // §5.2.4: in a schedule it is of the section's own segment. In other tables some fill in what they like.
        let in_segment = segment_last >> 3 == number >> 3 && segment_last >= number;
        let is_schedule = matches!(table, EitTable::Schedule(_));
        let sound = head[1] & 0x80 != 0 && number <= last_section && (!is_schedule || in_segment);
        (sound && section.is_current()).then(|| Self {
            service: ServiceTriple {
                original_network_id: u16::from_be_bytes([head[10], head[11]]),
                transport_stream_id: u16::from_be_bytes([head[8], head[9]]),
                service_id: section.extension(),
            },
            table,
            actual,
            version: head[5] >> 1 & 0x1f,
            section: number,
            last_section,
            segment_last,
            // Some fill in a table of another kind.
            last_table: if head[13] & 0xf0 == id & 0xf0 {
                (head[13] & 0x0f).max(id & 0x0f)
            } else {
                id & 0x0f
            },
        })
    }
}

/// What is known of an event beside its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `event_id`, the service's own.
    pub id: u16,
    /// When it begins, in seconds since 1970-01-01 UTC. The date of EN 300 468 ends in 2038, so they fit.
    pub start: u32,
    /// How long it is, in seconds.
    pub duration: u32,
    /// Whether it runs.
    pub running: Running,
    /// `free_CA_mode`: it is under a conditional access system.
    pub scrambled: bool,
    /// The language of its title.
    pub language: Option<Language>,
    /// What it is about: `content_nibble_level_1` and `_2` of table 29 in one byte.
    pub content: Vec<u8, CONTENTS, u8>,
    /// For whom it is.
    pub ratings: Vec<Rating, RATINGS, u8>,
}

/// Contents and ratings of one event that are kept.
const CONTENTS: usize = 4;
const RATINGS: usize = 2;

impl Facts {
    /// When it is over.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start as u64 + self.duration as u64
    }
}

/// `running_status` (EN 300 468 table 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Running {
    Undefined,
    NotRunning,
    StartsSoon,
    Pausing,
    Running,
    OffAir,
}

impl Running {
    const fn of(status: u8) -> Self {
        match status {
            1 => Self::NotRunning,
            2 => Self::StartsSoon,
            3 => Self::Pausing,
            4 => Self::Running,
            5 => Self::OffAir,
            _ => Self::Undefined,
        }
    }

    /// The name that lists carry; none where it is undefined.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Undefined => return None,
            Self::NotRunning => "not running",
            Self::StartsSoon => "starts soon",
            Self::Pausing => "pausing",
            Self::Running => "running",
            Self::OffAir => "off air",
        })
    }
}

/// For whom an event is, by the rules of one country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rating {
    /// The country.
    pub country: Country,
    /// As sent: 1 to 15 is an age less three, 0 is undefined, the rest is the broadcaster's (§6.2.28).
    pub value: u8,
}

impl Rating {
    /// The least age, in years.
    #[must_use]
    pub fn age(self) -> Option<u8> {
        (1..=0x0f).contains(&self.value).then_some(self.value + 3)
    }
}

/// The name of a `content_nibble_level_1` (EN 300 468 table 29).
#[must_use]
pub const fn content_name(content: u8) -> Option<&'static str> {
    Some(match content >> 4 {
        0x1 => "movie",
        0x2 => "news",
        0x3 => "show",
        0x4 => "sports",
        0x5 => "children",
        0x6 => "music",
        0x7 => "arts",
        0x8 => "social",
        0x9 => "education",
        0xa => "leisure",
        0xb => "special",
        0xc => "adult",
        _ => return None,
    })
}

/// The events of a section.
pub struct Eit<'a>(EitSection<'a>);

impl<'a> Eit<'a> {
    /// Reads a section; `None` where its events do not fill it.
    #[must_use]
    pub fn parse(section: Section<'a>) -> Option<Self> {
        EitSection::parse(section.bytes()).ok().map(Self)
    }

    /// The events, in the table's order; `None` of one that begins at no time.
    pub fn events(&self) -> impl Iterator<Item = Option<EventEntry<'a>>> {
        self.0.events.iter().map(EventEntry::of)
    }
}

/// An event as it stands in a section.
pub struct EventEntry<'a> {
    /// All but its texts.
    pub facts: Facts,
    descriptors: DescriptorLoop<'a>,
}

impl<'a> EventEntry<'a> {
    fn of(event: &EitEvent<'a>) -> Option<Self> {
        let mut facts = Facts {
            id: event.event_id,
            start: u32::try_from(utc(event.start_time_raw())?).ok()?,
            duration: event.duration().and_then(|d| u32::try_from(d.as_secs()).ok()).unwrap_or(0),
            running: Running::of(event.running_status.to_u8()),
            scrambled: event.free_ca_mode,
            language: None,
            content: Vec::new(),
            ratings: Vec::new(),
        };
        for (tag, body) in event.descriptors.raw_tags() {
            match tag {
                SHORT_EVENT if facts.language.is_none() => {
                    facts.language = body.first_chunk().and_then(|code| Language::new(*code));
                }
                CONTENT => facts
                    .content
                    .extend(body.as_chunks::<2>().0.iter().map(|c| c[0]).take(room(&facts.content))),
                PARENTAL_RATING => {
                    let all = body.as_chunks().0.iter();
                    let known = all.filter_map(|[a, b, c, value]| {
                        Some(Rating { country: Country::new([*a, *b, *c])?, value: *value })
                    });
                    let room = room(&facts.ratings);
                    facts.ratings.extend(known.take(room));
                }
                _ => {}
            }
        }
        Some(Self { facts, descriptors: DescriptorLoop::new(event.descriptors.raw()) })
    }

    /// Its title; empty where none is given. `unmarked` is the table of texts that say none.
    #[must_use]
    pub fn title(&self, unmarked: Unmarked) -> CleanText<TITLE> {
        self.short_event().map_or_else(CleanText::default, |(title, _)| CleanText::from_dvb(title, unmarked))
    }

    /// Its short text.
    #[must_use]
    pub fn short(&self, unmarked: Unmarked) -> CleanText<SHORT> {
        self.short_event().map_or_else(CleanText::default, |(_, text)| CleanText::from_dvb(text, unmarked))
    }

    /// Its extended text: what its descriptors say one behind the other, in the order of their numbers, then the items
    /// they list.
    #[must_use]
    pub fn extended(&self, unmarked: Unmarked) -> CleanText<EXTENDED> {
        let all = || {
            let bodies = self.descriptors.raw_tags().filter(|(tag, _)| *tag == EXTENDED_EVENT);
            bodies.filter_map(|(_, body)| ExtendedEvent::of(body))
        };
        // One language: that of the title, else the first there is.
        let title = self.facts.language;
        let spoken = |language: Language| all().any(|e| e.language() == Some(language));
        let language = title.filter(|l| spoken(*l)).or_else(|| all().next()?.language());
        let numbered =
            |n: u8| all().find(|e| e.number == n && (language.is_none() || e.language() == language));
        let in_order = || (0..=0x0f).filter_map(numbered);
        let mut begun = in_order().any(|e| !e.text.is_empty());
        let items = in_order().flat_map(|e| items(e.items)).flat_map(|(description, item)| {
            // An item without a description goes on with the one before (§6.2.15).
            let joint: &[u8] = if begun && !description.is_empty() { b"; " } else { b"" };
            begun = true;
            let colon: &[u8] = if description.is_empty() { b"" } else { b": " };
            [joint, description, colon, item]
        });
        CleanText::from_dvb_parts(in_order().map(|e| e.text).chain(items), unmarked)
    }

    /// Title and text of the first short event descriptor.
    fn short_event(&self) -> Option<(&'a [u8], &'a [u8])> {
        let looped = DescriptorLoop::new(self.descriptors.raw());
        let (_, body) = looped.raw_tags().find(|(tag, _)| *tag == SHORT_EVENT)?;
        let (title, rest) = counted(body.get(3..)?)?;
        Some((title, counted(rest).map_or(&[][..], |(text, _)| text)))
    }
}

/// The body of an extended event descriptor (EN 300 468 §6.2.15).
struct ExtendedEvent<'a> {
    number: u8,
    language: [u8; 3],
    items: &'a [u8],
    text: &'a [u8],
}

impl<'a> ExtendedEvent<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let ([numbers, language @ ..], rest) = body.split_first_chunk::<4>()?;
        let (items, rest) = counted(rest)?;
        let (text, _) = counted(rest)?;
        Some(Self { number: numbers >> 4, language: *language, items, text })
    }

    fn language(&self) -> Option<Language> {
        Language::new(self.language)
    }
}

/// Descriptions and items; one that is cut off ends them.
fn items(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (description, behind) = counted(rest)?;
        let (item, behind) = counted(behind)?;
        rest = behind;
        Some((description, item))
    })
}

/// The bytes behind their number, and what follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn room<T, const N: usize>(list: &Vec<T, N, u8>) -> usize {
    N - list.len()
}

#[cfg(test)]
mod tests {
    use super::super::section::{CRC, with_body};
    use super::*;

    const SERVICE: ServiceTriple =
        ServiceTriple { original_network_id: 0x2000, transport_stream_id: 1, service_id: 1001 };
    /// EN 300 468 Annex C: 1993-10-13 12:45:00.
    const START: ([u8; 5], u32) = ([0xc0, 0x79, 0x12, 0x45, 0x00], 750_516_300);

    fn eit(table_id: u8, numbers: [u8; 4], events: &[u8]) -> std::vec::Vec<u8> {
        let [number, last, segment_last, last_table] = numbers;
        let length = (events.len() + 15) as u16;
        let mut s = vec![table_id, 0xf0 | (length >> 8) as u8, length as u8, 3, 0xe9, 0xd7, number, last];
        s.extend([0, 1, 0x20, 0, segment_last, last_table]);
        s.extend(events);
        s.extend(CRC.checksum(&s).to_be_bytes());
        s
    }

    fn event(start: [u8; 5], flags: u8, descriptors: &[&[u8]]) -> std::vec::Vec<u8> {
        let descriptors = descriptors.concat();
        let loops = [flags | (descriptors.len() >> 8) as u8, descriptors.len() as u8];
        [&[0x12, 0x34][..], &start, &[1, 0x30, 5], &loops, &descriptors].concat()
    }

    fn tagged(tag: u8, body: &[&[u8]]) -> std::vec::Vec<u8> {
        let body = body.concat();
        [&[tag, body.len() as u8][..], &body].concat()
    }

    fn head(table_id: u8, numbers: [u8; 4]) -> Option<EitHead> {
        EitHead::parse(Section::new(&eit(table_id, numbers, &[])).unwrap())
    }

    #[test]
    fn a_head_says_where_a_section_belongs() {
        let schedule = EitHead {
            service: SERVICE,
            table: EitTable::Schedule(1),
            actual: true,
            version: 11,
            section: 9,
            last_section: 0xf8,
            segment_last: 10,
            last_table: 3,
        };
        assert_eq!(head(0x51, [9, 0xf8, 10, 0x53]), Some(schedule));
        assert_eq!(head(0x61, [9, 0xf8, 10, 0x63]), Some(EitHead { actual: false, ..schedule }));
        let present = head(0x4f, [0, 1, 0xff, 0x4f]).unwrap();
        assert_eq!((present.table, present.actual), (EitTable::PresentFollowing, false));
        assert_eq!(head(0x51, [9, 8, 9, 0x51]), None, "a section behind the last");
        assert_eq!(head(0x51, [9, 0xf8, 8, 0x51]), None, "a section behind the last of its segment");
        assert_eq!(head(0x51, [9, 0xf8, 16, 0x51]), None, "another segment's last");
        assert_eq!(head(0x42, [0, 0, 0, 0]), None);
        let mut next = eit(0x50, [0, 0, 0, 0x50], &[]);
        next[5] &= 0xfe;
        let end = next.len() - 4;
        let crc = CRC.checksum(&next[..end]);
        next[end..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(EitHead::parse(Section::new(&next).unwrap()), None, "not in force yet");
    }

    /// The only event of a section with these descriptors.
    fn with_entry<T>(flags: u8, descriptors: &[&[u8]], f: impl FnOnce(&EventEntry<'_>) -> T) -> T {
        let bytes = eit(0x50, [0, 0, 0, 0x50], &event(START.0, flags, descriptors));
        let eit = Eit::parse(Section::new(&bytes).unwrap()).unwrap();
        let entry = eit.events().next().unwrap().unwrap();
        f(&entry)
    }

    #[test]
    fn an_event_is_read_whole() {
        let short = tagged(SHORT_EVENT, &[b"fRa", b"\x05\xc2Et\xc2e", b"\x02ab"]);
        let other = tagged(SHORT_EVENT, &[b"eng\x06Summer\x00"]);
        let content = tagged(CONTENT, &[&[0x14, 0, 0x20, 0xff]]);
        let more = tagged(CONTENT, &[&[0x30, 0, 0x40, 0, 0x50, 0]]);
        let rating = tagged(PARENTAL_RATING, &[b"fra\x09", b"? !\x01", b"DEU\x00", b"ESP\x12"]);
        with_entry(0x90, &[&short, &other, &content, &more, &rating], |entry| {
            let facts = &entry.facts;
            assert_eq!((facts.id, facts.start, facts.duration), (0x1234, START.1, 5405));
            assert_eq!((facts.running, facts.scrambled), (Running::Running, true));
            assert_eq!(facts.end(), u64::from(START.1) + 5405);
            assert_eq!(facts.language.as_ref().map(Language::as_str), Some("fra"));
            assert_eq!(&facts.content[..], &[0x14, 0x20, 0x30, 0x40]);
            let ratings = facts.ratings.iter().map(|r| (r.country.as_str(), r.value, r.age()));
            assert!(ratings.eq([("FRA", 9, Some(12)), ("DEU", 0, None)]));
            assert_eq!(entry.title(Unmarked::Iso6937).as_str(), "Été");
            assert_eq!(entry.short(Unmarked::Iso6937).as_str(), "ab");
            assert!(entry.extended(Unmarked::Iso6937).is_empty());
        });
        assert_eq!((content_name(0x14), content_name(0xf0)), (Some("movie"), None));
    }

    #[test]
    fn extended_texts_are_joined_in_order_and_in_one_language() {
        let part = |number: u8, language: &[u8], items: &[u8], text: &[u8]| {
            let counts = [items.len() as u8, text.len() as u8];
            tagged(EXTENDED_EVENT, &[&[number << 4 | 2], language, &counts[..1], items, &counts[1..], text])
        };
        let title = tagged(SHORT_EVENT, &[b"deu\x01T\x00"]);
        let director = b"\x08Director\x07A. Smit";
        let parts = [
            &title[..],
            &part(1, b"deu", b"\x00\x01h\x04Year\x041999", b"world, "),
            &part(0, b"deu", director, b"Hello "),
            &part(0, b"eng", b"", b"English"),
            &part(2, b"deu", b"", b"\x15\xc3\xb6!"),
        ];
        let joined = with_entry(0, &parts, |entry| entry.extended(Unmarked::Iso6937));
        assert_eq!(joined.as_str(), "Hello world, ö!; Director: A. Smith; Year: 1999");
        let english = with_entry(0, &[&part(0, b"eng", b"", b"English")], |e| e.extended(Unmarked::Iso6937));
        assert_eq!(english.as_str(), "English");
        let cut = tagged(EXTENDED_EVENT, &[b"\x00eng\x09ab"]);
        assert!(with_entry(0, &[&cut], |e| e.extended(Unmarked::Iso6937)).is_empty());
    }

    #[test]
    fn an_event_without_a_beginning_is_none() {
        let both = [event([0xff; 5], 0, &[]), event(START.0, 0, &[])].concat();
        let bytes = eit(0x50, [0, 0, 0, 0x50], &both);
        let eit_ = Eit::parse(Section::new(&bytes).unwrap()).unwrap();
        let starts: std::vec::Vec<_> = eit_.events().map(|e| e.map(|e| e.facts.start)).collect();
        assert_eq!(starts, [None, Some(START.1)]);
        let torn = eit(0x50, [0, 0, 0, 0x50], &both[..both.len() - 1]);
        assert!(Eit::parse(Section::new(&torn).unwrap()).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_section_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let bytes = with_body(0x50, &bytes);
            let section = Section::new(&bytes).unwrap();
            let _ = EitHead::parse(section);
            for entry in Eit::parse(section).iter().flat_map(|eit| eit.events().flatten().collect::<std::vec::Vec<_>>()) {
                let _ = (entry.title(Unmarked::Gbk), entry.short(Unmarked::Utf8));
            }
        }

        #[test]
        fn any_descriptors_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), tag: u8) {
            let tag = 0x4d + tag % 9;
            let known = tagged(tag, &[&bytes[..bytes.len().min(255)]]);
            with_entry(0, &[&known, &bytes], |entry| {
                let _ = (entry.title(Unmarked::Gbk), entry.short(Unmarked::Utf8), entry.extended(Unmarked::Iso6937));
            });
        }
    }
}
