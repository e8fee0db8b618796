//! The manifest of this very build, whole and broken.

use std::io::Read;

use super::find::CHUNK;
use super::*;

fn found(bytes: &[u8]) -> Result<String, String> {
    find(bytes).map_err(|e| e.to_string())
}

#[test]
fn it_is_text_that_a_person_can_read() {
    let text = std::str::from_utf8(&BYTES).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines[1], lines.len()), ("stbcast manifest 1", JSON.trim_end(), 3));
    assert_eq!(lines[2].len(), "crc32 ".len() + 8);
    // Another implementation of the same CRC, bit by bit.
    let summed = &BYTES[..BYTES.len() - lines[2].len() - 1];
    let crc = summed.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    assert_eq!(lines[2], format!("crc32 {:08x}", !crc));
}

#[cfg(feature = "cloud")]
#[test]
fn it_says_what_the_crate_is() {
    let json: serde_json::Value = serde_json::from_str(JSON).unwrap();
    assert_eq!(json["product"], "stbcastd");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["board"], board::NAME);
    assert_eq!(json["target"], board::BUILT_FOR);
    assert!(board::BUILT_FOR.starts_with(&std::env::consts::ARCH[..3]), "{}", board::BUILT_FOR);
    assert!(json["features"].as_str().unwrap().split(',').any(|feature| feature == "box"));
    assert_eq!(json["api"], api::VERSION);
    assert_eq!(json["kernel_floor"], board::KERNEL_FLOOR);
    assert_eq!(json["budgets"]["image_bytes_max"], board::IMAGE_BYTES_MAX);
    assert_eq!(json["budgets"]["pss_kib_max"], board::PSS_KIB_MAX);
    assert_eq!(json["budgets"]["start_instructions_max"], board::START_INSTRUCTIONS_MAX);
    assert!(!json["build_id"].as_str().unwrap().is_empty());
    let formats: std::collections::BTreeMap<_, _> =
        STATE_FORMATS.iter().map(|(kind, a, b)| (kind.name(), [*a, *b])).collect();
    assert_eq!(json["state_formats"], serde_json::json!(formats));
    assert_eq!(formats["terminals"], [access::TERMINALS_FORMATS.0, access::TERMINALS_FORMATS.1]);
    // Every record is listed but the seal, which is a bare key, and the word that a program stays.
    assert_eq!(formats.len(), Kind::ALL.len() - 2);
}

#[test]
fn it_is_found_anywhere_in_a_file_and_nothing_broken_is_taken() {
    for before in [0, 1, CHUNK - 3, CHUNK + LONGEST - BYTES.len() - 1, CHUNK + LONGEST - 5, 5 * CHUNK] {
        let mut file = vec![0xee; before];
        file.extend(MAGIC.as_bytes()); // a program that looks for manifests holds this, too
        file.extend(BYTES);
        assert_eq!(found(&file).as_deref(), Ok(JSON.trim_end()), "behind {before}");
        file.extend([0xee; 3 * LONGEST]);
        assert_eq!(found(&file).as_deref(), Ok(JSON.trim_end()), "behind {before}, and more");
    }
    for end in 0..BYTES.len() {
        let wanted = if end <= MAGIC.len() { "no stbcastd" } else { "damaged" };
        assert!(found(&BYTES[..end]).unwrap_err().contains(wanted), "cut at {end}");
    }
    for at in MAGIC.len()..BYTES.len() - 1 {
        let mut changed = BYTES;
        changed[at] ^= 1;
        assert!(found(&changed).is_err(), "changed at {at}");
    }
    for foreign in [&b""[..], b"\x7fELF", &[0; 200_000], MAGIC.as_bytes()] {
        assert!(found(foreign).unwrap_err().contains("no manifest"));
    }
    let broken = std::io::empty().chain(Broken);
    assert!(matches!(find(broken), Err(FindError::Read(_))));
}

/// A file on a disk that fails.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is broken"))
    }
}
