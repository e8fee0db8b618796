//! The EIT, and the time of TDT and TOT.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::text::{CleanText, Unmarked};
use stbcast::ts::event::{Event, Guide};
use stbcast::ts::section::Section;
use stbcast::ts::time::StreamTime;
use stbcast_fuzz::{Input, sealed, section};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let unmarked = [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8][usize::from(input.byte() % 3)];
    let (heard, later) =
        (Duration::from_millis(input.number().into()), Duration::from_secs(input.number().into()));
    let clock = input.take(5).to_vec();
    let mut tot = [&[0x73, 0x70, 11][..], &clock, &[0xf0, 0]].concat();
    tot[2] = u8::try_from(tot.len() + 1).expect("it is short");
    let tot = sealed(tot);
    let time = Section::new(&tot).and_then(|tot| StreamTime::parse(tot, heard));
    if let Some(time) = time {
        assert_eq!(time.at(heard + later), time.at(heard) + later.as_secs());
        assert_eq!(time.at(Duration::ZERO), time.at(heard));
    }
    let bytes = section(0x4e, 1, input.rest());
    let event = Event::first(Section::new(&bytes).expect("it is sealed"), unmarked);
    if let Some(event) = &event {
        assert_eq!(CleanText::new(event.title.as_str()), event.title, "titles are clean");
        assert!(!event.is_stale(event.start));
    }
    let guide = Guide { events: [event, None], time };
    let shown = guide.at(heard + later);
    assert!(shown[0].is_none_or(|event| Some(event) == guide.events[0].as_ref()));
});
