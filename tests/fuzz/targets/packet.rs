//! One packet, and the clocks in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::ts::clock::{Ticks27M, Ticks90k};
use stbcast::ts::packet::{PACKET, Packet, Pid, discontinuity, pid_of, set_pcr};

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<12>() else { return };
    let mut slot = [0xff; PACKET];
    slot[..12].copy_from_slice(head);
    slot[0] = if head[0] == 0 { 0 } else { 0x47 };
    let Ok(packet) = Packet::new(&slot) else { return };
    assert!(packet.payload().len() <= PACKET - 4 && packet.pid() == pid_of(&slot));
    assert!(packet.has_payload() || packet.payload().is_empty());
    let announced = discontinuity(packet.pid(), packet.counter(), packet.pcr());
    let announced = Packet::new(&announced).expect("what is made here is a packet");
    assert!(announced.is_discontinuity() && !announced.has_payload());
    assert_eq!((announced.pid(), announced.pcr()), (packet.pid(), packet.pcr()));
    assert!(packet.pid().index() < Pid::COUNT);
    let (pcr, mut changed) = (packet.pcr(), slot);
    let wanted = rest.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    set_pcr(&mut changed, Ticks27M::new(wanted));
    let changed = Packet::new(&changed).expect("a packet with another clock is one");
    assert_eq!(changed.pcr(), pcr.map(|_| Ticks27M::new(wanted)));
    let pts = Ticks90k::new(wanted);
    assert_eq!(Ticks90k::from_bytes(pts.to_bytes(0x21)), pts);
    assert_eq!(pts.plus(wanted).since(pts), wanted % Ticks90k::WRAP);
});
