use proptest::collection::vec;
use proptest::prelude::*;

use super::naive::Naive;
use super::*;
use crate::ts::section::CRC;
use crate::ts::service_info::Name;

/// 2026-01-01 00:00 UTC, and its date.
const MIDNIGHT: u32 = 1_767_225_600;
const MJD: u16 = 61_041;
const NOW: Duration = Duration::from_secs(5000);
const ROOM: Capacity = Capacity { services: 4, events: 400, text_bytes: 64 * 1024, bouquets: 2 };

/// An event as a test sends it and sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) id: u16,
    pub(super) start: u32,
    pub(super) title: String,
}

/// A section as a test sends it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) service: u16,
    pub(super) table: u8,
    pub(super) version: u8,
    pub(super) section: u8,
    pub(super) last_section: u8,
    pub(super) events: Vec<Shown>,
}

fn triple(service_id: u16) -> ServiceTriple {
    ServiceTriple { original_network_id: 0x2000, transport_stream_id: 1, service_id }
}

fn sealed(mut section: Vec<u8>) -> Vec<u8> {
    let length = section.len() as u16 + 1;
    section[1..3].copy_from_slice(&(0xf000 | length).to_be_bytes());
    section.extend(CRC.checksum(&section).to_be_bytes());
    section
}

fn bcd(n: u32) -> u8 {
    (n / 10 * 16 + n % 10) as u8
}

/// Of one hour, with a title of this text.
fn event(event: &Shown) -> Vec<u8> {
    let (day, second) = ((event.start - MIDNIGHT) / 86_400, event.start % 86_400);
    let mut bytes = event.id.to_be_bytes().to_vec();
    bytes.extend((MJD + day as u16).to_be_bytes());
    bytes.extend([second / 3600, second / 60 % 60, second % 60].map(bcd));
    let title = event.title.as_bytes();
    bytes.extend([1, 0, 0, 0, title.len() as u8 + 7, 0x4d, title.len() as u8 + 5]);
    bytes.extend([b"eng", &[title.len() as u8][..], title, &[0]].concat());
    bytes
}

impl Sent {
    /// The section, in a table of `base`: 0x50, 0x60, or 0x4e and 0x4f for present and following events. Segments have
    /// one section each, in whose place this one stands.
    fn bytes(&self, base: u8) -> Vec<u8> {
        let id = base + self.table;
        let [high, low] = self.service.to_be_bytes();
        let mut bytes = vec![id, 0, 0, high, low, 0xc1 | self.version << 1, self.section, self.last_section];
        bytes.extend([0, 1, 0x20, 0, self.section, base + 1]);
        bytes.extend(self.events.iter().flat_map(event));
        sealed(bytes)
    }
}

fn take(epg: &mut Epg, bytes: &[u8]) {
    epg.begin_tick();
    epg.take_eit(Section::new(bytes).unwrap(), NOW);
}

/// A guide of services 1 to 3, whose mux told the time of `time` seconds behind midnight.
fn guide(room: Capacity, time: Option<u32>) -> Epg {
    let mut epg = Epg::new(room, Unmarked::Iso6937);
    let time = time.map(|time| {
        let bcd = [time / 3600, time / 60 % 60, time % 60].map(bcd);
        let bytes = [&[0x70, 0x70, 5][..], &MJD.to_be_bytes(), &bcd].concat();
        StreamTime::parse(Section::new(&bytes).unwrap(), NOW).unwrap()
    });
    epg.know((1..=3).map(|service| (triple(service), time)));
    epg
}

fn shown(epg: &Epg, service: u16) -> Vec<Shown> {
    let of =
        |e: Listed<'_>| Shown { id: e.facts().id, start: e.facts().start, title: e.title().as_str().into() };
    epg.events(triple(service)).map(of).collect()
}

fn hour(id: u16, hour: u32) -> Shown {
    Shown { id, start: MIDNIGHT + hour * 3600, title: format!("Event {id}") }
}

fn sent(service: u16, version: u8, section: u8, events: &[Shown]) -> Sent {
    Sent { service, table: 0, version, section, last_section: 8, events: events.to_vec() }
}

#[test]
fn a_new_version_replaces_the_old_without_a_hole_or_a_double() {
    let mut epg = guide(ROOM, None);
    take(&mut epg, &sent(1, 1, 0, &[hour(1, 0), hour(2, 1)]).bytes(0x50));
    take(&mut epg, &sent(1, 1, 8, &[hour(3, 3), hour(4, 4)]).bytes(0x50));
    assert_eq!(shown(&epg, 1), [hour(1, 0), hour(2, 1), hour(3, 3), hour(4, 4)]);
    let reads = |epg: &Epg| epg.counts().read;
    assert_eq!(reads(&epg), 2);
    take(&mut epg, &sent(1, 1, 8, &[hour(3, 3), hour(4, 4)]).bytes(0x50));
    assert_eq!(reads(&epg), 2, "a repetition is not read");
    // Event 2 is longer gone, 5 is in its place, 3 moved to the first section; the second is not here yet.
    take(&mut epg, &sent(1, 2, 0, &[hour(1, 0), hour(5, 1), hour(3, 2)]).bytes(0x50));
    assert_eq!(shown(&epg, 1), [hour(1, 0), hour(5, 1), hour(3, 2), hour(4, 4)]);
    take(&mut epg, &sent(1, 2, 8, &[hour(6, 5)]).bytes(0x50));
    assert_eq!(shown(&epg, 1), [hour(1, 0), hour(5, 1), hour(3, 2), hour(6, 5)]);
    // A table behind the last is there no more.
    let behind = Sent { table: 1, last_section: 0, ..sent(1, 1, 0, &[hour(9, 99)]) };
    take(&mut epg, &behind.bytes(0x50));
    assert_eq!(shown(&epg, 1).len(), 5);
    let mut alone = sent(1, 3, 0, &[hour(1, 0)]).bytes(0x50);
    alone[13] = 0x50;
    alone[7] = 0;
    let body = alone.len() - 4;
    alone.truncate(body);
    take(&mut epg, &sealed(alone));
    assert_eq!(shown(&epg, 1), [hour(1, 0)]);
}

#[test]
fn the_own_mux_knows_better_and_others_are_believed_where_it_is_silent() {
    let mut epg = guide(ROOM, None);
    take(&mut epg, &sent(1, 7, 0, &[hour(1, 0)]).bytes(0x60));
    assert_eq!(shown(&epg, 1), [hour(1, 0)]);
    take(&mut epg, &sent(1, 3, 0, &[hour(2, 0)]).bytes(0x50));
    take(&mut epg, &sent(1, 8, 0, &[hour(3, 0)]).bytes(0x60));
    assert_eq!(shown(&epg, 1), [hour(2, 0)]);
    epg.begin_tick();
    let late = sent(1, 9, 0, &[hour(3, 0)]).bytes(0x60);
    epg.take_eit(Section::new(&late).unwrap(), NOW + FORGET);
    assert_eq!(shown(&epg, 1), [hour(3, 0)]);
    // Of a service that is none of the channels nothing is kept.
    take(&mut epg, &sent(9, 1, 0, &[hour(1, 0)]).bytes(0x60));
    assert_eq!((shown(&epg, 9), epg.counts().events.0), (vec![], 1));
}

#[test]
fn present_and_following_events_are_what_counts() {
    let mut epg = guide(ROOM, None);
    take(&mut epg, &sent(1, 1, 0, &[hour(1, 0), hour(2, 1), hour(3, 2)]).bytes(0x50));
    let told = |section, event: Shown| Sent { last_section: 1, ..sent(1, 0, section, &[event]) };
    let late = |id, hour_of: u32| Shown {
        title: "late".into(),
        start: MIDNIGHT + 600 + hour_of * 3600,
        ..hour(id, 0)
    };
    take(&mut epg, &told(0, late(1, 0)).bytes(0x4e));
    take(&mut epg, &told(1, late(2, 1)).bytes(0x4e));
    assert_eq!(shown(&epg, 1), [late(1, 0), late(2, 1), hour(3, 2)]);
    let reads = epg.counts().read;
    take(&mut epg, &told(1, late(2, 1)).bytes(0x4e));
    assert_eq!(epg.counts().read, reads);
    take(&mut epg, &told(0, hour(3, 0)).bytes(0x4f));
    assert_eq!(epg.counts().read, reads, "another mux tells it, too");
    // What was next is on now.
    take(&mut epg, &told(0, late(2, 1)).bytes(0x4e));
    assert_eq!(shown(&epg, 1), [hour(1, 0), late(2, 1), hour(3, 2)]);
}

#[test]
fn what_cannot_be_is_refused_and_counted() {
    let mut epg = guide(ROOM, Some(12 * 3600));
    let good = sent(1, 1, 0, &[hour(1, 13)]);
    let mut bad = good.bytes(0x50);
    bad.truncate(bad.len() - 5);
    take(&mut epg, &sealed(bad));
    let behind = Sent { section: 9, last_section: 8, ..good.clone() };
    take(&mut epg, &behind.bytes(0x50));
    assert_eq!((epg.counts().refused, epg.counts().events.0), (2, 0));
    let mut undefined = good.bytes(0x50);
    undefined[16..21].fill(0xff);
    undefined.truncate(undefined.len() - 4);
    take(&mut epg, &sealed(undefined));
    assert_eq!((epg.counts().undefined, epg.counts().events.0), (1, 0));
    take(&mut epg, &sent(2, 1, 0, &[hour(1, 10), hour(2, 11)]).bytes(0x50));
    assert_eq!((epg.counts().past, shown(&epg, 2)), (1, vec![hour(2, 11)]));
    epg.tidy(NOW + Duration::from_secs(300));
    assert_eq!(epg.counts().events.0, 1);
    epg.tidy(NOW + Duration::from_secs(301));
    assert_eq!((epg.counts().events.0, epg.counts().past), (0, 2));
}

#[test]
fn a_flood_is_read_a_tick_s_worth_at_a_time() {
    let mut epg = guide(ROOM, None);
    let sections: Vec<_> = (0..32).map(|i| sent(1, i, 0, &[hour(1, i.into())]).bytes(0x50)).collect();
    epg.begin_tick();
    for _ in 0..100 {
        for bytes in &sections {
            epg.take_eit(Section::new(bytes).unwrap(), NOW);
        }
    }
    let counts = epg.counts();
    assert!(counts.deferred > 2500 && counts.events.0 == 1, "{counts:?}");
    assert!(counts.read as usize * sections[0].len() <= BUDGET, "{counts:?}");
    assert!((counts.read as usize + 1) * sections[0].len() > BUDGET, "{counts:?}");
}

#[test]
fn when_memory_is_full_the_farthest_go_and_come_back_when_there_is_room() {
    let mut epg = guide(Capacity { events: 32, ..ROOM }, Some(0));
    let segment = |service, section: u8, from: u32| {
        let events: Vec<_> = (0..10).map(|i| hour((from + i) as u16, from + i)).collect();
        Sent { last_section: 248, ..sent(service, 1, section, &events) }
    };
    // The farthest first; then, hour by hour, what is nearer.
    let all: Vec<Sent> = (0..8).rev().map(|i: u8| segment(1, i * 8, u32::from(i) * 10)).collect();
    let repeat = |epg: &mut Epg| all.iter().for_each(|sent| take(epg, &sent.bytes(0x50)));
    repeat(&mut epg);
    let counts = epg.counts();
    let held = shown(&epg, 1);
    assert_eq!((counts.events, counts.dropped), ((held.len(), 32), 80 - held.len() as u64));
    assert!(held.len() >= 30, "{counts:?}");
    assert!(held.iter().enumerate().all(|(i, event)| event.id as usize == i), "the nearest: {held:?}");
    // A repetition changes nothing, not even counts.
    repeat(&mut epg);
    assert_eq!(epg.counts(), counts);
    // Ten hours later there is room, and what was cut is read once more.
    let later = NOW + Duration::from_secs(10 * 3600 + 301);
    epg.tidy(later);
    all.iter().for_each(|sent| {
        epg.begin_tick();
        epg.take_eit(Section::new(&sent.bytes(0x50)).unwrap(), later);
    });
    let held = shown(&epg, 1);
    assert!(held.len() >= 30 && held[0].id == 10, "{held:?}");
    assert!(held.windows(2).all(|pair| pair[1].id == pair[0].id + 1), "{held:?}");
}

#[test]
fn when_texts_are_full_the_farthest_go() {
    let mut epg = guide(Capacity { text_bytes: 64 * 8, ..ROOM }, Some(0));
    let long = |id: u16| Shown { title: "x".repeat(100), ..hour(id, u32::from(id)) };
    for id in [9, 8, 7, 6, 5, 4, 3, 2, 1] {
        let sent = Sent { section: id as u8 * 8, last_section: 248, ..sent(1 + id % 3, 1, 0, &[long(id)]) };
        take(&mut epg, &sent.bytes(0x50));
    }
    let mut held: Vec<u16> = (1..=3).flat_map(|service| shown(&epg, service)).map(|event| event.id).collect();
    held.sort_unstable();
    assert_eq!((&held[..], epg.counts().dropped), (&[1, 2, 3, 4][..], 5));
}

fn bat(id: u16, version: u8, name: &str, services: &[u16]) -> Vec<u8> {
    let looped = |bytes: &[u8]| [&(0xf000 | bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let list: Vec<u8> = services.iter().flat_map(|s| [(s >> 8) as u8, *s as u8, 1]).collect();
    let list = [&[0x41, list.len() as u8][..], &list].concat();
    let mux = [&[0, 1, 0x20, 0][..], &looped(&list)].concat();
    let name = [&[0x47, name.len() as u8][..], name.as_bytes()].concat();
    let [high, low] = id.to_be_bytes();
    let head = vec![0x4a, 0, 0, high, low, 0xc1 | version << 1, 0, 0];
    sealed([head, looped(&name), looped(&mux)].concat())
}

#[test]
fn services_know_their_bouquets() {
    let mut epg = guide(ROOM, None);
    let take = |epg: &mut Epg, bytes: &[u8]| {
        epg.begin_tick();
        epg.take_bat(Section::new(bytes).unwrap());
    };
    let of = |epg: &Epg, service| epg.bouquets(triple(service)).map(Name::to_string).collect::<Vec<_>>();
    assert!(epg.has_bouquets());
    take(&mut epg, &bat(1, 0, "Basic", &[1, 2, 9]));
    take(&mut epg, &bat(2, 0, "Sport", &[2]));
    take(&mut epg, &bat(3, 0, "Full", &[2]));
    assert_eq!([1, 2, 3].map(|s| of(&epg, s).join("+")), ["Basic", "Basic+Sport", ""]);
    let reads = epg.counts().read;
    take(&mut epg, &bat(1, 0, "Basic", &[1, 2, 9]));
    assert_eq!(epg.counts().read, reads);
    take(&mut epg, &bat(1, 1, "Family", &[1, 3]));
    assert_eq!([1, 2, 3].map(|s| of(&epg, s).join("+")), ["Family", "Sport", "Family"]);
    // Who is new is looked for again.
    epg.know((1..=4).map(|service| (triple(service), None)));
    assert!(!epg.has_bouquets());
    take(&mut epg, &bat(1, 1, "Family", &[1, 3, 4]));
    take(&mut epg, &bat(2, 0, "Sport", &[2]));
    assert_eq!((of(&epg, 4), epg.has_bouquets()), (vec!["Family".to_owned()], true));
}

#[test]
fn what_is_no_channel_any_more_goes() {
    let mut epg = guide(ROOM, None);
    for service in 1..=3 {
        take(&mut epg, &sent(service, 1, 0, &[hour(service, 0)]).bytes(0x50));
    }
    epg.know([3, 7, 1].into_iter().map(|service| (triple(service), None)));
    assert_eq!([1, 2, 3, 7].map(|s| shown(&epg, s).len()), [1, 0, 1, 0]);
    assert_eq!(epg.counts().events.0, 2);
    take(&mut epg, &sent(7, 1, 0, &[hour(7, 0)]).bytes(0x50));
    take(&mut epg, &sent(2, 1, 0, &[hour(2, 0)]).bytes(0x50));
    assert_eq!([2, 7].map(|s| shown(&epg, s).len()), [0, 1]);
}

/// A section of one of three services and two tables. Each version ends earlier than the one before, and has other ids.
fn any_section() -> impl Strategy<Value = Sent> {
    (1u16..4, 0u8..2, 0u8..3, 0u8..4, 0usize..5).prop_map(|(service, table, version, segment, count)| {
        let segment = segment.min(3 - version);
        let first = u32::from(table) * 32 + u32::from(segment) * 8;
        let ids = first + u32::from(version % 2) * 100;
        let events = (0..count as u32).map(|i| hour((ids + i) as u16, first + i)).collect();
        Sent { service, table, version, section: segment * 8, last_section: (3 - version) * 8, events }
    })
}

proptest! {
    /// The whole of each table, in the version each section has it last, is what the naive guide says.
    #[test]
    fn the_guide_is_what_a_naive_one_is(sections in vec(any_section(), 0..60)) {
        let mut epg = guide(ROOM, None);
        let mut naive = Naive::default();
        let mut last: std::collections::HashMap<(u16, u8), u8> = std::collections::HashMap::new();
        let mut whole: std::collections::HashMap<(u16, u8, u8, u8), Sent> = std::collections::HashMap::new();
        for sent in sections {
            // A version has one content: what was sent of it before is what is sent.
            let key = (sent.service, sent.table, sent.version, sent.section);
            let sent = whole.entry(key).or_insert(sent).clone();
            last.insert((sent.service, sent.table), sent.version);
            take(&mut epg, &sent.bytes(0x50));
        }
        for ((service, table), version) in last {
            let last_section = (3 - version) * 8;
            for section in (0..=last_section).step_by(8) {
                let empty = Sent { service, table, version, section, last_section, events: vec![] };
                let sent = whole.get(&(service, table, version, section)).cloned().unwrap_or(empty);
                take(&mut epg, &sent.bytes(0x50));
                naive.take(&sent);
            }
        }
        let total: usize = (1..4).map(|service| shown(&epg, service).len()).sum();
        for service in 1..4 {
            prop_assert_eq!(shown(&epg, service), naive.events(service));
        }
        prop_assert_eq!(epg.counts().events.0, total);
    }

    /// Whatever comes, memory is what it is, and nothing in it is farther than what was refused.
    #[test]
    fn memory_is_never_exceeded(sections in vec((any_section(), 0u32..400), 0..120), room in 1usize..40) {
        let mut epg = guide(Capacity { events: room, text_bytes: room * 64, ..ROOM }, Some(0));
        for (mut sent, from) in sections {
            sent.events.iter_mut().for_each(|e| (e.start, e.id) = (e.start + from * 3600, e.id + from as u16));
            take(&mut epg, &sent.bytes(0x50));
            let counts = epg.counts();
            prop_assert!(counts.events.0 <= room && counts.text_bytes.0 <= room * 64);
            let all: Vec<_> = (1..4).map(|service| shown(&epg, service)).collect();
            prop_assert_eq!(all.iter().map(Vec::len).sum::<usize>(), counts.events.0);
            prop_assert!(all.iter().all(|list| list.is_sorted_by_key(|event| (event.start, event.id))));
            let horizon = epg.horizon.unwrap_or(u64::MAX);
            let far = all.iter().flatten().map(|event| u64::from(event.start - MIDNIGHT)).max();
            prop_assert!(far.unwrap_or(0) <= horizon);
        }
    }

    #[test]
    fn any_section_is_survived(bytes in vec(any::<u8>(), 0..200), id in 0x4eu8..0x70, sound: bool) {
        let mut epg = guide(Capacity { events: 4, text_bytes: 256, ..ROOM }, None);
        let head = if sound { [id, 0, 0, 0, 1, 0xc1, 0, 0, 0, 1, 0x20, 0, 0, id] } else { [id; 14] };
        let section = sealed([&head[..], &bytes].concat());
        if let Some(section) = Section::new(&section) {
            epg.take_eit(section, NOW);
            epg.take_bat(section);
            epg.take_time(section, NOW);
            epg.tidy(NOW);
        }
    }
}

#[test]
fn what_is_on_is_rated_by_the_table_of_present_events_and_by_the_clock() {
    let rated = |shown: &Shown, value: u8| {
        let mut bytes = event(shown);
        bytes[11] += 6;
        bytes.extend([0x55, 4, b'F', b'R', b'A', value]);
        bytes
    };
    let section = |base: u8, section: u8, events: &[Vec<u8>]| {
        let sent = Sent { service: 1, table: 0, version: 1, section, last_section: 8, events: Vec::new() };
        let mut bytes = sent.bytes(base);
        bytes.truncate(bytes.len() - 4);
        bytes.extend(events.concat());
        sealed(bytes)
    };
    let at = |epg: &Epg, minute: u64| epg.age_now(triple(1), NOW + Duration::from_secs(minute * 60));
    let (first, second, third) = (rated(&hour(1, 12), 13), event(&hour(2, 13)), rated(&hour(3, 14), 15));
    let mut epg = guide(ROOM, Some(12 * 3600));
    take(&mut epg, &section(0x50, 0, &[first.clone(), second.clone(), third]));
    let ages = [0, 59, 60, 119, 120, 180].map(|minute| at(&epg, minute));
    assert_eq!(ages, [Some(16), Some(16), None, None, Some(18), None]);
    // The first runs over, as far as its mux told last.
    take(&mut epg, &section(0x4e, 0, std::slice::from_ref(&first)));
    take(&mut epg, &section(0x4e, 1, &[second]));
    assert_eq!([60, 64, 65].map(|minute| at(&epg, minute)), [Some(16), Some(16), None]);
    assert_eq!(epg.age_now(triple(2), NOW), None);
    let mut epg = guide(ROOM, None);
    take(&mut epg, &section(0x4e, 0, &[first]));
    assert_eq!(at(&epg, 9000), Some(16), "without a clock it is what was told");
}
