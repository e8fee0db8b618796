//! The scanners of video units: however a PES packet is cut into packets, the same is found.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stbcast::rap::{Codec, Scanner};
use stbcast::ts::Packet;
use stbcast_fuzz::{Input, PACKET};

const CODECS: [Codec; 6] =
    [Codec::H264, Codec::Hevc, Codec::Mpeg2Video, Codec::Avs, Codec::Audio, Codec::Other];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let codec = CODECS[usize::from(input.byte()) % CODECS.len()];
    if input.byte() & 1 == 0 {
        let mut scanner = Scanner::new(codec);
        while let Some(slot) = input.packet(&[0x100]) {
            let Ok(packet) = Packet::new(&slot) else { continue };
            let finding = scanner.push(packet);
            assert!(!finding.random_access || !packet.is_scrambled() && packet.has_payload());
            assert!(finding.starts.is_none() || packet.starts_unit() && packet.has_payload());
        }
        return;
    }
    let sizes = [input.byte(), input.byte(), input.byte()];
    let stream_id = [0xe0, 0xbd, 0xc0, 0xbe][usize::from(input.byte() & 3)];
    let stuffing = input.byte() % 32;
    let mut pes = vec![0, 0, 1, stream_id, 0, 0, 0x84, 0x80, 5 + stuffing, 0x21, 0, 1, 0, 1];
    pes.extend(std::iter::repeat_n(0xff, stuffing.into()));
    pes.extend(input.rest());
    let (whole, torn) = (found(codec, &pes, &[183]), found(codec, &pes, &sizes));
    assert_eq!(whole, torn, "{codec:?}, cut by {sizes:?}");
    assert!(whole <= 1, "once a unit");
});

/// How often a random access point was found, with payloads of `sizes` bytes in turn.
fn found(codec: Codec, pes: &[u8], sizes: &[u8]) -> usize {
    let mut scanner = Scanner::new(codec);
    let (mut rest, mut found, mut counter) = (pes, 0, 0);
    for size in sizes.iter().cycle().map(|size| usize::from(size % 184) + 1) {
        // Of a packet that ends within the start code, nobody knows yet whether it begins a unit of sound.
        let size = if counter == 0 { size.max(4) } else { size };
        let (now, later) = rest.split_at(size.min(rest.len()));
        let slot = packet(now, rest.len() == pes.len(), counter);
        found += usize::from(scanner.push(Packet::new(&slot).expect("it is a packet")).random_access);
        (rest, counter) = (later, (counter + 1) & 0x0f);
        if rest.is_empty() {
            break;
        }
    }
    found
}

/// A packet that ends with `payload`, 1 to 184 bytes.
fn packet(payload: &[u8], starts: bool, counter: u8) -> [u8; PACKET] {
    let mut slot = [0xff; PACKET];
    slot[..4].copy_from_slice(&[0x47, if starts { 0x41 } else { 1 }, 0, 0x10 | counter]);
    let field = PACKET - 4 - payload.len();
    if field > 0 {
        slot[3] |= 0x20;
        slot[4] = u8::try_from(field - 1).expect("a field is short");
    }
    if field > 1 {
        slot[5] = 0;
    }
    slot[PACKET - payload.len()..].copy_from_slice(payload);
    slot
}
