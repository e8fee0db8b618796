//! PAT and PMT; and the tables that a ring makes of them.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::service::{Feed, Identity};
use stbcast::ts::psi::{COMPONENTS, Component, PROGRAMMES, Pat, Programme};
use stbcast::ts::section::{Assembler, PSI_SECTION, Section};
use stbcast::ts::service_info::{Name, ServiceKind};
use stbcast::ts::{PACKET, Packet, Pid};
use stbcast_fuzz::{Input, section};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (table_id, extension) = (input.byte() % 3, input.number().max(1));
    let bytes = section(table_id, extension, input.rest());
    let section = Section::new(&bytes).expect("a sealed section is sound");
    if let Some(pat) = Pat::parse(section) {
        assert!(pat.programmes.len() <= PROGRAMMES && pat.programmes.iter().all(|(id, _)| *id != 0));
    }
    let Some(programme) = Programme::parse(section) else { return };
    let components = &programme.components;
    assert!(components.len() <= COMPONENTS && programme.number == extension);
    assert_eq!(programme.main().is_none(), components.is_empty());
    is_whole(&programme.descriptors);
    components.iter().for_each(|c| is_whole(&c.descriptors));
    if !programme.section.is_empty() {
        assert_eq!(Programme::remembered(&programme.section).as_ref(), Some(&programme));
    }
    comes_back(&programme);
});

/// A loop of descriptors ends where its last descriptor does.
fn is_whole(mut descriptors: &[u8]) {
    while let [_, length, rest @ ..] = descriptors {
        descriptors = rest.get(usize::from(*length)..).expect("descriptors are kept whole or not at all");
    }
    assert!(descriptors.is_empty());
}

/// A ring's own PMT says what the programme is.
fn comes_back(programme: &Programme) {
    let feed = Feed::new(192_512).expect("there is memory for a ring");
    let identity = Identity {
        transport_stream_id: 1,
        original_network_id: 1,
        name: Name::new("One"),
        provider: Name::default(),
        kind: ServiceKind::Television,
    };
    let mut ring = feed.ring().borrow_mut();
    ring.assign(programme, &identity, Duration::ZERO);
    ring.begin(Duration::ZERO);
    let written = ring.window(0, usize::MAX).expect("nothing is lost yet").as_chunks::<PACKET>().0;
    let (mut pats, mut pmts, mut found) = (Assembler::<PSI_SECTION>::default(), Assembler::default(), None);
    let mut pmt_pid = None;
    for packet in written.iter().map(|slot| Packet::new(slot).expect("it is a packet")) {
        if packet.pid() == Pid::PAT {
            pats.push(packet, |s| pmt_pid = Pat::parse(s).map(|pat| pat.programmes[0].1));
        } else if Some(packet.pid()) == pmt_pid {
            Assembler::<PSI_SECTION>::push(&mut pmts, packet, |s| found = Programme::parse(s));
        }
    }
    let pmt_pid = pmt_pid.expect("a ring begins with a PAT");
    let found = found.expect("and goes on with a PMT");
    assert!(programme.components.iter().all(|c| c.pid != pmt_pid) && programme.pcr_pid != pmt_pid);
    assert_eq!((found.number, found.pcr_pid), (programme.number, programme.pcr_pid));
    // What does not fit a section is left out. What private data is, a descriptor says that may have no room.
    let long = programme.components.iter().map(|c| c.descriptors.len() + 5).sum::<usize>() > 800;
    let of = |p: &Programme| -> Vec<Component> {
        p.components.iter().filter(|c| c.stream_type != 0x06).cloned().collect()
    };
    let (made, meant) = (of(&found), of(programme));
    assert!(long || made.len() == meant.len());
    for (made, meant) in made.iter().zip(&meant) {
        assert_eq!((made.pid, made.stream_type), (meant.pid, meant.stream_type));
        assert_eq!(made.descriptors, meant.descriptors);
        // A list of subtitles or pages begins with a language, and may have no room.
        assert!(made.language.is_none() || made.language == meant.language);
    }
}
