//! The guide: schedules, bouquets and times of any content go into memory that never grows.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::guide::{Capacity, Epg};
use stbcast::text::Unmarked;
use stbcast::ts::section::Section;
use stbcast::ts::service_info::ServiceTriple;
use stbcast_fuzz::{Input, sealed, section};

const CAPACITY: Capacity = Capacity { services: 2, events: 8, text_bytes: 512, bouquets: 2 };
const SERVICE: ServiceTriple =
    ServiceTriple { original_network_id: 1, transport_stream_id: 2, service_id: 3 };

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let unmarked = [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8][usize::from(input.byte() % 3)];
    let mut guide = Epg::new(CAPACITY, unmarked);
    guide.know([(SERVICE, None)].into_iter());
    while !input.is_empty() {
        let (kind, now) = (input.byte(), Duration::from_secs(input.number().into()));
        guide.begin_tick();
        let body = input.counted();
        match kind & 3 {
            0 => {
                let bytes = section(0x4a, 7, body);
                guide.take_bat(Section::new(&bytes).expect("it is sealed"));
            }
            1 => {
                let length = u8::try_from(body.len().min(100) + 4).expect("it is short");
                let bytes = sealed([&[0x73, 0x70, length][..], &body[..body.len().min(100)]].concat());
                if let Some(tot) = Section::new(&bytes) {
                    guide.take_time(tot, now);
                }
            }
            _ => {
                // The service that is known, in a table that the kind names.
                let head = [0, 2, 0, 1, 0, kind];
                let bytes = section(0x4e + (kind >> 3 & 0x1f), 3, &[&head[..], body].concat());
                guide.take_eit(Section::new(&bytes).expect("it is sealed"), now);
            }
        }
        let counts = guide.counts();
        assert!(counts.events.0 <= counts.events.1 && counts.text_bytes.0 <= counts.text_bytes.1);
    }
    let starts: Vec<_> = guide.events(SERVICE).map(|event| event.facts().start).collect();
    assert!(starts.is_sorted() && starts.len() <= CAPACITY.events);
    assert!(guide.bouquets(SERVICE).count() <= CAPACITY.bouquets);
});
