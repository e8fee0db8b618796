//! A service ring: whatever comes in, what is read is whole packets, and our own tables are sound.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::service::{Entrance, Feed, Identity, ServiceRing};
use stbcast::ts::psi::{Programme, Tracks};
use stbcast::ts::section::{Assembler, PSI_SECTION, Section};
use stbcast::ts::service_info::{Name, ServiceKind};
use stbcast::ts::{PACKET, Packet, Pid};
use stbcast_fuzz::{Input, section};

const PIDS: [u16; 5] = [0x100, 0x101, 0x102, 0x1fff, 0x1ff];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let feed = Feed::new(192_512).expect("there is memory for a ring");
    let mut ring = feed.ring().borrow_mut();
    let mut now = Duration::from_secs(1);
    let which = input.byte();
    let tracks = if which & 0x80 == 0 { Tracks::All } else { Tracks::Audio };
    ring.assign_only(tracks, &programme(which), &identity(), now);
    ring.begin(now);
    while !input.is_empty() {
        match input.byte() {
            0 => {
                now += Duration::from_millis(input.byte().into());
                ring.begin(now);
            }
            1 => now += Duration::from_secs(input.byte().into()),
            2 => ring.update(&programme(input.byte()), &identity(), now),
            3 => {
                let bytes = section(0x4e, 1, input.counted());
                ring.write_section(Pid::EIT, Section::new(&bytes).expect("it is sealed"));
            }
            4 => {
                let slots: Vec<_> = (0..3).filter_map(|_| input.packet(&PIDS)).collect();
                ring.begin_in_place(now, Duration::from_millis(20));
                let bytes = slots.as_flattened();
                ring.room()[..bytes.len()].copy_from_slice(bytes);
                ring.settle(bytes.len(), now, |slot| Packet::new(slot).is_ok());
            }
            5 => is_sound(&ring, now),
            _ => {
                let Some(slot) = input.packet(&PIDS) else { break };
                Packet::new(&slot).into_iter().for_each(|packet| ring.push(packet, now));
            }
        }
    }
    is_sound(&ring, now);
});

/// One of 32 programmes: with a picture of some codec, its clock on this PID or that one, or nowhere.
fn programme(which: u8) -> Programme {
    let pcr_pid = PIDS[usize::from(which & 3)] | 0xe000;
    let codec = [0x1b, 0x24, 0x02, 0x42, 0xea, 0x03, 0x06, 0x1b][usize::from(which >> 2 & 7)];
    let [high, low] = pcr_pid.to_be_bytes();
    let body = [high, low, 0xf0, 0, codec, 0xe1, 0, 0xf0, 0, 3, 0xe1, 1, 0xf0, 0];
    let bytes = section(2, 7, &body);
    Programme::remembered(&bytes).expect("it is a PMT")
}

fn identity() -> Identity {
    let (name, provider) = (Name::new("One"), Name::new("Two"));
    Identity { transport_stream_id: 1, original_network_id: 2, name, provider, kind: ServiceKind::Radio }
}

fn is_sound(ring: &ServiceRing, now: Duration) {
    assert!(ring.head().is_multiple_of(PACKET as u64) && ring.lag_limit() > 0);
    let Some(rap) = ring.start(now).or_else(|| ring.resume(0)) else { return };
    assert!(rap.position < ring.head());
    let mut bytes = heapless::Vec::new();
    for entrance in [Entrance::Join, Entrance::Jump] {
        bytes.clear();
        let Some(()) = ring.preamble(&rap, entrance, &mut bytes) else { continue };
        let window = ring.window(rap.position, usize::MAX).expect("a place to start is still there");
        let packets = bytes.as_chunks::<PACKET>().0.iter().chain(window.as_chunks::<PACKET>().0);
        let mut tables = [Pid::PAT, Pid::SDT, Pid::EIT].map(|pid| (pid, Assembler::<PSI_SECTION>::default()));
        for slot in packets {
            let packet = Packet::new(slot).expect("a ring holds packets alone");
            if let Some((_, table)) = tables.iter_mut().find(|(pid, _)| *pid == packet.pid()) {
                table.push(packet, |_| {});
            }
        }
        for (pid, table) in tables {
            let counts = table.counts();
            assert_eq!((counts.broken, counts.torn), (0, 0), "our own tables, on {pid:?}");
        }
    }
}
