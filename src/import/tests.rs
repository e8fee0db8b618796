//! What holds for any list, and what holds for one that was written by the rules.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;

use super::sample::{Sample, as_version_4, sample};
use super::*;

const FORMATS: [Format; 5] = [Format::M3u, Format::Lamedb, Format::Bouquet, Format::Vdr, Format::Dvbv5];

fn import(capacity: usize) -> Import {
    Import::new(Rules { interface: Some("tv0".into()), capacity })
}

/// What holds after any list.
fn check(import: &Import, refused: &Refusals) {
    assert!(import.entries().len() <= import.rules.capacity);
    assert!(refused.kept().len() == refused.count().min(REFUSALS_KEPT));
    let mut numbers = BTreeSet::new();
    for entry in import.entries() {
        assert!(!entry.name.is_empty());
        assert!(entry.number.is_none_or(|n| n != 0 && numbers.insert(n)));
        if let ImportedSource::Multicast { group, .. } = &entry.source {
            assert!(group.address.ip().is_multicast() && group.interface.as_deref() == Some("tv0"));
        }
    }
}

/// Bytes that resemble a list: pieces of the formats between noise.
fn resembling() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(PIECES).prop_map(|p| p.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

static PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n",
    ":",
    ":",
    ",",
    "=",
    "\"",
    "#EXTINF:-1",
    " tvg-chno=",
    "udp://@239.1.1.1:5000",
    "rtp://[ff15::1]:1",
    "eDVB services /4/\ntransponders\n",
    "eDVB services /5/\n",
    "services\n",
    "end\n",
    "00c00000:03fb:0001\n\ts 11493750:22000000:0:3:192:2:0\n/\n",
    "283d:00c00000:03fb:0001:25:0\n",
    "t:00c00000:03fb:0001,s:11493750:22000000:0:3:192:2:0\n",
    "s:283d:00c00000:03fb:0001:25:0:0,\"",
    "#NAME a\n#SERVICE 1:0:19:283D:3FB:1:C00000:0:0:0:",
    "#SERVICE 4097:0:1:1:0:0:0:0:0:0:udp%3a//239.1.1.1%3a1:",
    "#DESCRIPTION ",
    ":@",
    "65535",
    "65536",
    "A;B:12187:hC34M2S1:S19.2E:27500:163:104:0:0:3:1:2:0",
    "[A]\nSERVICE_ID = 1\nFREQUENCY = 522000000\nDELIVERY_SYSTEM = DVBT\n",
    "VCHANNEL = ",
    "€",
];

fn numbers() -> impl Iterator<Item = u16> {
    1..
}

fn read_whole(list: &str) -> Vec<Imported> {
    let mut import = import(100);
    assert_eq!(import.read(list.as_bytes()).unwrap().kept(), []);
    import.into_entries()
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = detect(&bytes);
        for format in FORMATS {
            let mut import = import(5);
            let refused = import.read_as(format, &bytes).unwrap_or_default();
            check(&import, &refused);
        }
    }

    #[test]
    fn whatever_resembles_a_list_is_survived(bytes in resembling(), more in resembling()) {
        for format in FORMATS {
            let mut import = import(5);
            for bytes in [&bytes, &more] {
                let refused = import.read_as(format, bytes).unwrap_or_default();
                check(&import, &refused);
            }
            let refused = import.read_as(Format::Bouquet, &more).unwrap();
            check(&import, &refused);
        }
    }

    #[test]
    fn m3u_says_what_was_written(samples in prop::collection::vec(sample(), 1..20)) {
        let mut list = "#EXTM3U\n".to_owned();
        let mut wanted = Vec::new();
        for (sample, number) in samples.iter().zip(numbers()) {
            let Sample { name, radio, group, .. } = sample;
            write!(list, "#EXTINF:-1 tvg-chno=\"{number}\" radio=\"{radio}\",{name}\nudp://{group}\n").unwrap();
            let group = Group { address: *group, sender: None, interface: Some("tv0".into()) };
            let source = ImportedSource::Multicast { group, framing: Framing::Packets };
            wanted.push(sample.entry(Some(number), source));
        }
        prop_assert_eq!(read_whole(&list), wanted);
    }

    #[test]
    fn both_lamedbs_say_what_was_written(samples in prop::collection::vec(sample(), 1..20)) {
        let lines = samples.iter().enumerate().map(|(at, sample)| sample.lamedb(at));
        let (transponders, services): (Vec<_>, Vec<_>) = lines.unzip();
        let five = format!("eDVB services /5/\n{}\n{}\n", transponders.join("\n"), services.join("\n"));
        let wanted: Vec<_> = samples.iter().map(|s| s.entry(None, s.dvb(Some(s.position())))).collect();
        for list in [five, as_version_4(&transponders, &services)] {
            prop_assert_eq!(&read_whole(&list), &wanted);
        }
    }

    #[test]
    fn bouquets_say_what_was_written(
        samples in prop::collection::vec(sample(), 1..20).prop_filter("one service each", |samples| {
            samples.iter().map(Sample::ids).collect::<BTreeSet<_>>().len() == samples.len()
        }),
    ) {
        let lines = samples.iter().enumerate().map(|(at, sample)| sample.lamedb(at));
        let (transponders, services): (Vec<_>, Vec<_>) = lines.unzip();
        let mut import = import(100);
        import.read(as_version_4(&transponders, &services).as_bytes()).unwrap();
        let mut list = "#NAME Backwards\n".to_owned();
        for sample in samples.iter().rev() {
            let (network, stream, sid) = sample.ids();
            let place = i32::from(sample.tenths).rem_euclid(3600);
            writeln!(list, "#SERVICE 1:0:1:{sid:X}:{stream:X}:{network:X}:{place:X}0000:0:0:0:").unwrap();
        }
        let refused = import.read(list.as_bytes()).unwrap();
        prop_assert_eq!(refused.kept(), []);
        let numbered: Vec<_> = import.entries().iter().rev().map(|e| e.number.unwrap()).collect();
        prop_assert_eq!(numbered, numbers().take(samples.len()).collect::<Vec<_>>());
        prop_assert!(import.entries().iter().all(|e| e.group.as_str() == "Backwards"));
    }

    #[test]
    fn vdr_says_what_was_written(samples in prop::collection::vec(sample(), 1..20)) {
        let list: Vec<_> = samples.iter().map(Sample::vdr).collect();
        let wanted = samples.iter().zip(numbers());
        let wanted: Vec<_> = wanted.map(|(s, n)| s.entry(Some(n), s.dvb(Some(s.position())))).collect();
        prop_assert_eq!(read_whole(&list.join("\n")), wanted);
    }

    #[test]
    fn dvbv5_says_what_was_written(samples in prop::collection::vec(sample(), 1..20)) {
        let list: String = samples.iter().zip(numbers()).map(|(s, n)| s.dvbv5(n)).collect();
        let wanted: Vec<_> =
            samples.iter().zip(numbers()).map(|(s, n)| s.entry(Some(n), s.dvb(None))).collect();
        prop_assert_eq!(read_whole(&list), wanted);
    }
}
