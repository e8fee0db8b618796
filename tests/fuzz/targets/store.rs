//! The two slots of a record: whatever is in them, what is saved is what is loaded.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use crc::{CRC_32_ISO_HDLC, Crc};
use libfuzzer_sys::fuzz_target;
use stbcast::store::slots::{Kind, Loaded, load, save};
use stbcast_fuzz::{Input, directory};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(directory);
static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    for slot in ["a", "b"] {
        let path = DIRECTORY.join(format!("terminals.{slot}"));
        match slot_of(&mut input) {
            Some(bytes) => std::fs::write(&path, bytes).expect("a slot can be written"),
            None => drop(std::fs::remove_file(&path)), // it may be absent
        }
    }
    let before = load(&DIRECTORY, Kind::Terminals).expect("slots can be read");
    let record = input.rest();
    save(&DIRECTORY, Kind::Terminals, record).expect("a slot can be written");
    match load(&DIRECTORY, Kind::Terminals).expect("slots can be read") {
        Loaded::Record(loaded) => assert_eq!(loaded, record),
        Loaded::HalfDamaged(loaded) => assert!(loaded == record && before != Loaded::Nothing),
        other => panic!("{other:?} behind a save, {before:?} before it"),
    }
});

/// No slot, any bytes, or a sound one.
fn slot_of(input: &mut Input<'_>) -> Option<Vec<u8>> {
    match input.byte() & 3 {
        0 => None,
        1 => Some(input.counted().to_vec()),
        _ => {
            let (generation, record) = (input.take(4), input.counted());
            let length = u32::try_from(record.len()).unwrap_or(0).to_le_bytes();
            let mut bytes = [b"STBS", generation, &length, record].concat();
            let crc = CRC.checksum(&bytes);
            bytes.extend(crc.to_le_bytes());
            Some(bytes)
        }
    }
}
