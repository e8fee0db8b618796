//! The NIT: private descriptors, and how muxes are sent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::delivery::Tuning;
use stbcast::ts::network::{LcnKind, Numbers, muxes};
use stbcast::ts::section::Section;
use stbcast_fuzz::{Input, section};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let service = input.number();
    let bytes = section(0x40, 1, input.rest());
    muxes(Section::new(&bytes).expect("it is sealed"), |mux| {
        assert!(mux.tuning.is_possible());
        assert_eq!(mux.tuning.to_string().parse::<Tuning>(), Ok(mux.tuning));
    });
    // The mux is the first that the table may name: a fuzzer need not guess it.
    let network = bytes.get(8..10).map_or(0, |b| usize::from(b[0] & 0x0f) << 8 | usize::from(b[1]));
    let mux = bytes.get(12 + network..14 + network).map_or(1, |b| u16::from_be_bytes([b[0], b[1]]));
    let Some(numbers) = Numbers::parse(Section::new(&bytes).expect("it is sealed"), mux) else { return };
    for kind in [LcnKind::Plain, LcnKind::HdSimulcast] {
        assert!(numbers.find(service, kind).is_none_or(|lcn| (1..=0x3fff).contains(&lcn.number)));
    }
});
