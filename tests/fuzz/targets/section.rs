//! Sections put together from packets; and taken apart before, they come back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::ts::packetise::Packetiser;
use stbcast::ts::section::{Assembler, EIT_SECTION, PSI_SECTION, Section, Taken};
use stbcast::ts::{Packet, Pid};
use stbcast_fuzz::{Input, section};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    if input.byte() & 1 == 0 { any_packets(input) } else { whole_sections(input) }
});

fn any_packets(mut input: Input<'_>) {
    let mut assembler = Assembler::<PSI_SECTION>::default();
    let (mut found, mut taken) = (0, Taken::<4>::default());
    while let Some(slot) = input.packet(&[0x20]) {
        let Ok(packet) = Packet::new(&slot) else { continue };
        assembler.push(packet, |section| {
            found += 1;
            assert!(section.bytes().len() <= PSI_SECTION && Section::new(section.bytes()).is_some());
            let news = taken.is_news(section);
            taken.note(section);
            assert!(!news || section.is_current());
            assert!(!taken.is_news(section), "what was noted is no news");
        });
    }
    assert_eq!(assembler.counts().whole, found);
}

fn whole_sections(mut input: Input<'_>) {
    let mut packetiser = Packetiser::starting(Pid::EIT, input.byte());
    let mut assembler = Assembler::<EIT_SECTION>::default();
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    while !input.is_empty() {
        let (table_id, extension, length) = (input.byte(), input.number(), input.number() & 0x0fff);
        if table_id == 0xff {
            continue; // stuffing
        }
        let bytes = section(table_id, extension, input.take(length.into()));
        let whole = Section::new(&bytes).expect("a sealed section is sound");
        packetiser.write(whole, |slot| {
            let packet = Packet::new(slot).expect("what is made here is a packet");
            assembler.push(packet, |section| got.push(section.bytes().to_vec()));
        });
        sent.push(bytes);
    }
    assert_eq!(got, sent);
}
