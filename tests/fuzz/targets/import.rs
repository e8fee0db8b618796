//! Lists of other systems: an import names multicast alone, each number once, and no more than there is room for.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use stbcast::import::{Format, Import, ImportedSource, REFUSALS_KEPT, Rules};
use stbcast::text::CleanText;

const FORMATS: [Option<Format>; 6] = [
    None,
    Some(Format::M3u),
    Some(Format::Lamedb),
    Some(Format::Bouquet),
    Some(Format::Vdr),
    Some(Format::Dvbv5),
];
const CAPACITY: usize = 20;

fuzz_target!(|bytes: &[u8]| {
    let mut import = Import::new(Rules { interface: Some("eth0".into()), capacity: CAPACITY });
    // Several files, each behind its format: Enigma2 has a list and its bouquets.
    for file in bytes.split(|b| *b == 0) {
        let Some((kind, list)) = file.split_first() else { continue };
        let read = match FORMATS[usize::from(*kind) % FORMATS.len()] {
            None => import.read(list),
            Some(format) => import.read_as(format, list),
        };
        match read {
            Ok(refusals) => {
                assert!(refusals.kept().len() <= REFUSALS_KEPT);
                refusals
                    .kept()
                    .iter()
                    .for_each(|(line, why)| assert!(*line > 0 && !why.to_string().is_empty()));
            }
            Err(why) => assert!(!why.to_string().is_empty()),
        }
    }
    assert!(import.entries().len() <= CAPACITY);
    let mut numbers = BTreeSet::new();
    for entry in import.entries() {
        assert!(entry.number.is_none_or(|n| n != 0 && numbers.insert(n)), "a number is given once");
        assert!(!entry.name.is_empty());
        assert_eq!(CleanText::new(entry.name.as_str()), entry.name);
        if let ImportedSource::Multicast { group, .. } = &entry.source {
            assert!(group.address.ip().is_multicast() && group.interface.as_deref() == Some("eth0"));
        }
    }
});
