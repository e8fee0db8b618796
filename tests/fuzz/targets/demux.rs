//! The filters of a mux: each slot is counted once, and goes where it was asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::demux::Demux;
use stbcast::ts::Pid;
use stbcast::ts::psi::Pat;
use stbcast_fuzz::Input;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut demux = Demux::default();
    let asked = [0x100, u16::from(input.byte()) << 5 & 0x1fff].map(Pid::new);
    demux.route(3, asked.into_iter());
    let (mut slots, mut passed, mut refused) = (0, 0, 0);
    while let Some(slot) = input.packet(&[0, 0x10, 0x11, 0x12, 0x14, 0x20, 0x100, 0x1fff]) {
        slots += 1;
        let mut pats = Vec::new();
        match demux.push(&slot, |pid, section| {
            assert!(section.bytes().len() <= 4096);
            pats.extend(Pat::parse(section).filter(|_| pid == Pid::PAT));
        }) {
            Some((packet, mask)) => {
                assert!(mask == 1 << 3 && asked.contains(&packet.pid()) && packet.pid() != Pid::NULL);
                passed += 1;
            }
            None => refused += 1,
        }
        for pat in pats {
            demux.watch_pmts(pat.programmes.iter().map(|(_, pid)| *pid));
        }
    }
    let counts = demux.counts();
    assert_eq!((counts.packets, passed + refused), (slots, slots));
    assert!(counts.no_sync + counts.transport_errors + counts.malformed <= refused);
    assert!(counts.continuity_errors < slots.max(1) && counts.pcr_errors < slots.max(1));
});
