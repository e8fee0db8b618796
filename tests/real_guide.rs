//! The guides of real broadcasts, next to a reader of its own. The captures are not ours to give away: they are looked
//! for in `STBCAST_STREAMS`, and in `../shared/streams/real` beside the checkout; without them there is nothing to do.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stbcast::guide::{Capacity, Counts, Epg};
use stbcast::text::{CleanText, Unmarked};
use stbcast::ts::section::{Assembler, EIT_SECTION};
use stbcast::ts::service_info::ServiceTriple;
use stbcast::ts::{Packet, Pid};
use support::eit::{Received, received};
use support::tables::sections;
use support::ts::{crc32, packets, pid};

fn capture(name: &str) -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/streams/real");
    let place = std::env::var_os("STBCAST_STREAMS").map_or(beside, PathBuf::from).join(name);
    let bytes = std::fs::read(&place).ok();
    if bytes.is_none() {
        println!("skipped: there is no {}; STBCAST_STREAMS can say where it is", place.display());
    }
    bytes
}

/// Events by section.
type Sections = BTreeMap<u8, Vec<Received>>;

/// The events of the schedules, of this mux alone or of others, too, as the last version of each section has them.
fn naively(bytes: &[u8]) -> BTreeMap<[u16; 3], BTreeSet<Received>> {
    let mut tables = BTreeMap::<([u16; 3], u8), (u8, Sections)>::new();
    let mut buffer = Vec::new();
    for packet in packets(bytes).0.iter().filter(|p| pid(p) == 0x12) {
        for section in sections(packet, &mut buffer) {
            if !(0x50..=0x6f).contains(&section[0]) || crc32(&section) != 0 || section[5] & 1 == 0 {
                continue;
            }
            let be16 = |at: usize| u16::from_be_bytes([section[at], section[at + 1]]);
            let table = tables.entry(([be16(10), be16(8), be16(3)], section[0])).or_default();
            if table.0 != section[5] {
                *table = (section[5], Sections::new());
            }
            table.1.insert(section[6], received(&section));
        }
    }
    let mut all = BTreeMap::new();
    for ((service, _), (_, sections)) in tables {
        all.entry(service).or_insert_with(BTreeSet::new).extend(sections.into_values().flatten());
    }
    all
}

fn triple([original_network_id, transport_stream_id, service_id]: [u16; 3]) -> ServiceTriple {
    ServiceTriple { original_network_id, transport_stream_id, service_id }
}

/// Every event that the reader finds is in the guide, with its title, and no other. Gives how many there are.
fn compare(bytes: &[u8]) -> (usize, Counts) {
    let expected = naively(bytes);
    let capacity = Capacity { services: 64, events: 4096, text_bytes: 4 << 20, bouquets: 1 };
    let mut epg = Epg::new(capacity, Unmarked::Iso6937);
    epg.know(expected.keys().map(|service| (triple(*service), None)));
    let mut assembler = Assembler::<EIT_SECTION>::default();
    for packet in packets(bytes).0 {
        let packet = Packet::new(packet).expect("the capture is clean");
        if packet.pid() == Pid::EIT {
            epg.begin_tick();
            // Present and following events are another table of the same.
            assembler.push(packet, |section| {
                if section.table_id() >= 0x50 {
                    epg.take_eit(section, Duration::ZERO);
                }
            });
        }
    }
    for (service, events) in &expected {
        let title =
            |e: &Received| CleanText::<256>::from_dvb(&e.title_raw, Unmarked::Iso6937).as_str().to_owned();
        let wanted: Vec<_> = events.iter().map(|e| (e.start, e.id, title(e))).collect();
        let shown: Vec<_> = epg
            .events(triple(*service))
            .map(|e| (u64::from(e.facts().start), e.facts().id, e.title().as_str().to_owned()))
            .collect();
        assert_eq!(shown, wanted, "{service:?}");
        assert!(wanted.iter().all(|(_, _, title)| !title.is_empty()));
    }
    let counts = epg.counts();
    assert_eq!((counts.refused, counts.undefined, counts.dropped, counts.deferred), (0, 0, 0, 0));
    (counts.events.0, counts)
}

#[test]
fn a_terrestrial_mux() {
    let Some(bytes) = capture("fr-r4-eit.ts") else { return };
    let (events, counts) = compare(&bytes);
    println!("{events} events, {counts:?}");
    assert_eq!(events, 294);
}

#[test]
fn a_feed_by_satellite() {
    let Some(bytes) = capture("tnt-5w-12732v-isi6-10s.ts") else { return };
    let (events, counts) = compare(&bytes);
    println!("{events} events, {counts:?}");
    assert!(events > 900, "{events}");
}
