//! The records of who was let in, as flash may have them: read or refused, and what is refused is not touched.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stbcast::access::{KeyError, Loaded};
use stbcast::store::slots::{self, Kind};
use stbcast_fuzz::{Input, directory};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(directory);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let kinds = [Kind::Terminals, Kind::Identity, Kind::Commit, Kind::Seal, Kind::Parental];
    let kind = kinds[usize::from(input.byte()) % kinds.len()];
    let record = input.rest();
    slots::save(&DIRECTORY, kind, record).expect("a slot can be written");
    for sealing in [false, true] {
        match Loaded::read(&DIRECTORY, sealing) {
            Ok(_) | Err(KeyError::Newer(..)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let kept = slots::load(&DIRECTORY, kind).expect("slots can be read");
    assert_eq!(kept, slots::Loaded::Record(record.to_vec()), "reading writes nothing");
    slots::erase(&DIRECTORY, kind).expect("a slot can be erased");
});
