//! A recording, played by its clock: it gives whole packets, and never comes to a halt.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::source::file::FileInput;
use stbcast::source::speed::Speed;
use stbcast::source::url::FileSpec;
use stbcast::source::{Now, SourceError};
use stbcast_fuzz::{Input, PACKET, directory};

static FILE: LazyLock<PathBuf> = LazyLock::new(|| directory().join("mux.ts"));

/// At a thousand times the pace a second between two references, the most that is believed, is a millisecond.
const STEPS: u64 = 40;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (repeat, kind) = (input.byte() & 1 == 1, input.byte() & 3);
    std::fs::write(&*FILE, file(&mut input, kind)).expect("the file can be written");
    let spec = FileSpec { path: FILE.clone(), repeat, speed: Speed::new("1000").expect("it is in range") };
    let mut file = match FileInput::open(&spec) {
        Ok(file) => file,
        Err(SourceError::NoTransportStream(_) | SourceError::NoClock(_)) => return,
        Err(why) => panic!("{why}"),
    };
    let mut buffer = [0; 64 * PACKET];
    let mut played = 0;
    for step in 0..STEPS {
        let now = Now { boot: Duration::from_millis(step * 200), utc: Duration::from_secs(1 << 30) };
        match file.read(now, &mut buffer) {
            Ok(n) => {
                assert!(n <= buffer.len() && n.is_multiple_of(PACKET));
                assert!(step == 0 || n > 0, "200 s of stream went by without a packet, at {played}");
                played += n / PACKET;
            }
            Err(SourceError::End) => {
                assert!(!repeat, "a repeated file has no end");
                break;
            }
            Err(why) => panic!("{why}"),
        }
    }
    assert!(played > 0, "what can be opened can be played");
});

/// Packets with a few PIDs that matter, bare or with bytes between them.
fn file(input: &mut Input<'_>, kind: u8) -> Vec<u8> {
    let (before, behind): (&[u8], &[u8]) = match kind {
        1 => (&[1, 2, 3, 4], &[]),
        2 => (&[], &[9; 16]),
        3 => return input.rest().to_vec(),
        _ => (&[], &[]),
    };
    let mut file = Vec::new();
    while let Some(slot) = input.packet(&[0x100, 0x101, 0x12, 0x14, 0]) {
        file.extend([before, &slot, behind].concat());
    }
    file
}
