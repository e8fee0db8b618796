//! What the NIT says of how muxes are sent: the delivery system descriptors (EN 300 468 §6.2.13, §6.4).

use broadcast_common::Parse;
use dvb_si::descriptors::DescriptorLoop;
use dvb_si::tables::nit::NitSection;
use heapless::Vec;

use super::super::section::Section;
use crate::delivery::{Fec, Modulation, Polarisation, Position, System, Tuning};

/// `table_id` of the NIT of another network.
pub const NIT_OTHER: u8 = 0x41;
/// Ways to receive one mux that are read: transmitters of a terrestrial network.
const WAYS: usize = 32;

/// A mux that a network names, and one way to receive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkMux {
    /// `original_network_id`.
    pub original_network_id: u16,
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// How it is sent.
    pub tuning: Tuning,
}

/// Tells `each` what a section of a NIT says of muxes, a mux as often as there are ways to receive it. What cannot be
/// is left out: digits that are none, frequencies that nobody sends at.
pub fn muxes(section: Section<'_>, mut each: impl FnMut(NetworkMux)) {
    let Ok(nit) = NitSection::parse(section.bytes()) else { return };
    for mux in &nit.transport_streams {
        for tuning in ways(&mux.descriptors) {
            each(NetworkMux {
                original_network_id: mux.original_network_id,
                transport_stream_id: mux.transport_stream_id,
                tuning,
            });
        }
    }
}

/// Descriptor tags (EN 300 468 table 12), and extension tags (table 109).
const SATELLITE: u8 = 0x43;
const CABLE: u8 = 0x44;
const TERRESTRIAL: u8 = 0x5a;
const FREQUENCY_LIST: u8 = 0x62;
const S2_SATELLITE: u8 = 0x79;
const EXTENSION: u8 = 0x7f;
const T2: u8 = 0x04;
const C2: u8 = 0x0d;
const S2X: u8 = 0x17;

/// How a mux is sent, by all its descriptors together.
fn ways(descriptors: &DescriptorLoop<'_>) -> Vec<Tuning, WAYS> {
    let mut ways = Vec::<Tuning, WAYS>::new();
    let mut add = |tuning: Tuning| {
        if tuning.is_possible() && !ways.contains(&tuning) {
            let _full = ways.push(tuning);
        }
    };
    let all = || descriptors.raw_tags();
    let extended = |wanted| {
        let extensions =
            all().filter(|(tag, _)| *tag == EXTENSION).filter_map(|(_, body)| body.split_first());
        extensions.filter(move |(tag, _)| **tag == wanted).map(|(_, body)| body)
    };
    let stream = all().find(|(tag, _)| *tag == S2_SATELLITE).and_then(|(_, body)| input_stream(body));
    for (tag, body) in all() {
        match tag {
            SATELLITE => satellite(body)
                .map(|t| Tuning { stream: stream.filter(|_| t.system == System::DvbS2), ..t })
                .into_iter()
                .for_each(&mut add),
            CABLE => cable(body).into_iter().for_each(&mut add),
            _ => {}
        }
    }
    extended(S2X).filter_map(s2x).for_each(&mut add);
    extended(C2).filter_map(c2).for_each(&mut add);
    let of_t = all().find(|(tag, _)| *tag == TERRESTRIAL).and_then(|(_, body)| terrestrial(body));
    let mut of_t2 = None;
    for body in extended(T2) {
        let Some((&pipe, rest)) = body.split_first() else { continue };
        // The short form leaves the signal to the descriptor of another mux that shares it, or to that of DVB-T.
        let signal = rest.get(2..).filter(|signal| !signal.is_empty());
        let base = Tuning { bandwidth: of_t.and_then(|t| t.bandwidth), ..Tuning::new(System::DvbT2, 0) };
        let base = Tuning { stream: Some(pipe.into()), ..base };
        of_t2 = Some(signal.map_or(Some(base), |signal| t2(base, signal, &mut add)).unwrap_or(base));
    }
    match (of_t, of_t2) {
        (Some(t), Some(t2)) => add(Tuning { frequency: t.frequency, ..t2 }),
        (Some(t), None) => add(t),
        _ => {}
    }
    let terrestrial = of_t2.or(of_t);
    for (_, body) in all().filter(|(tag, _)| *tag == FREQUENCY_LIST) {
        frequencies(body, &ways.clone(), terrestrial, |tuning| {
            if tuning.is_possible() && !ways.contains(&tuning) {
                let _full = ways.push(tuning);
            }
        });
    }
    ways
}

/// Of a satellite (§6.2.13.2):
///
/// ```text
///   frequency 32 BCD, 10 kHz | orbital_position 16 BCD | east 1 | polarization 2 | roll_off 2 | S2 1 | modulation 2
///   symbol_rate 28 BCD, 100/s | FEC_inner 4
/// ```
fn satellite(body: &[u8]) -> Option<Tuning> {
    let body: &[u8; 11] = body.first_chunk()?;
    let [.., position_high, position_low, flags, _, _, _, rate] = *body;
    let is_s2 = flags & 0x04 != 0;
    let system = if is_s2 { System::DvbS2 } else { System::DvbS };
    let modulation = match flags & 3 {
        1 => Modulation::Qpsk,
        2 => Modulation::Psk8,
        3 if !is_s2 => Modulation::Qam16,
        _ => Modulation::Auto,
    };
    Some(Tuning {
        polarisation: Some(polarisation(flags >> 5)),
        symbol_rate: Some(symbol_rate(&body[7..])?),
        modulation,
        fec: fec(rate),
        position: Some(position([position_high, position_low], flags & 0x80 != 0)?),
        ..Tuning::new(system, bcd(&body[..4])?.checked_mul(10)?)
    })
}

/// Of a cable (§6.2.13.1): `frequency 32 BCD, 100 Hz | 12 | FEC_outer 4 | modulation 8 | symbol_rate 28 BCD | FEC_inner 4`.
fn cable(body: &[u8]) -> Option<Tuning> {
    let body: &[u8; 11] = body.first_chunk()?;
    let modulation = match body[6] {
        1 => Modulation::Qam16,
        2 => Modulation::Qam32,
        3 => Modulation::Qam64,
        4 => Modulation::Qam128,
        5 => Modulation::Qam256,
        _ => Modulation::Auto,
    };
    let hertz = bcd(&body[..4])?.checked_mul(100)?;
    Some(Tuning {
        symbol_rate: Some(symbol_rate(&body[7..])?),
        modulation,
        ..Tuning::new(System::DvbC, hertz)
    })
}

/// Of a tower (§6.2.13.4): `centre_frequency 32, 10 Hz | bandwidth 3 | 5 | constellation 2 | …`.
fn terrestrial(body: &[u8]) -> Option<Tuning> {
    let (frequency, rest) = body.split_first_chunk::<4>()?;
    let bandwidth = match rest.first()? >> 5 {
        0 => Some(8_000_000),
        1 => Some(7_000_000),
        2 => Some(6_000_000),
        3 => Some(5_000_000),
        _ => None,
    };
    let modulation = match rest.get(1)? >> 6 {
        0 => Modulation::Qpsk,
        1 => Modulation::Qam16,
        2 => Modulation::Qam64,
        _ => Modulation::Auto,
    };
    Some(Tuning { bandwidth, modulation, ..Tuning::new(System::DvbT, tens_of_hertz(*frequency)?) })
}

/// The signal of DVB-T2 (§6.4.6.3), behind `plp_id 8 | T2_system_id 16`; tells `each` the frequencies, and gives what
/// all have in common.
///
/// ```text
///   SISO/MISO 2 | bandwidth 4 | 2 || guard_interval 3 | mode 3 | other_frequency 1 | tfs 1
///   cells: cell_id 16 | with tfs: length 8, centre_frequency 32 each; else one | length 8, (id 8, frequency 32) each
/// ```
fn t2(base: Tuning, signal: &[u8], mut each: impl FnMut(Tuning)) -> Option<Tuning> {
    let ([bandwidth, flags], mut cells) = signal.split_first_chunk::<2>()?;
    let bandwidth = match bandwidth >> 2 & 0x0f {
        0 => Some(8_000_000),
        1 => Some(7_000_000),
        2 => Some(6_000_000),
        3 => Some(5_000_000),
        4 => Some(10_000_000),
        5 => Some(1_712_000),
        _ => None,
    };
    let base = Tuning { bandwidth, ..base };
    let mut tell = |bytes: &[u8; 4]| {
        if let Some(frequency) = tens_of_hertz(*bytes) {
            each(Tuning { frequency, ..base });
        }
    };
    while let Some((_cell, rest)) = cells.split_first_chunk::<2>() {
        let (centres, rest) = if flags & 1 != 0 { counted(rest)? } else { rest.split_at_checked(4)? };
        centres.as_chunks().0.iter().for_each(&mut tell);
        let (transposers, rest) = counted(rest)?;
        transposers.as_chunks::<5>().0.iter().map(|[_, frequency @ ..]| frequency).for_each(&mut tell);
        cells = rest;
    }
    Some(base)
}

/// Of DVB-C2 (§6.4.6.1): `plp_id 8 | data_slice_id 8 | frequency 32, Hz | type 2 | …`.
fn c2(body: &[u8]) -> Option<Tuning> {
    let ([pipe, _slice], rest) = body.split_first_chunk::<2>()?;
    let hertz = u32::from_be_bytes(*rest.first_chunk()?);
    Some(Tuning { stream: Some((*pipe).into()), ..Tuning::new(System::DvbC2, hertz) })
}

/// Of DVB-S2X (§6.4.6.5.2), whose frontends are told DVB-S2:
///
/// ```text
///   profiles 5 | 3 || mode 2 | scrambling 1 | 3 | TS_GS 2 || scrambling: 6 | index 18
///   frequency 32 BCD | orbital_position 16 BCD | east 1 | polarization 2 | several 1 | 1 | roll_off 3
///   4 | symbol_rate 28 BCD || several: input_stream_identifier 8
/// ```
fn s2x(body: &[u8]) -> Option<Tuning> {
    let ([_profiles, mode], rest) = body.split_first_chunk::<2>()?;
    let rest = rest.get(if mode & 0x20 != 0 { 3 } else { 0 }..)?;
    let (signal, rest) = rest.split_first_chunk::<11>()?;
    let flags = signal[6];
    let rate = bcd(&[signal[7] & 0x0f, signal[8], signal[9], signal[10]])?.checked_mul(100)?;
    Some(Tuning {
        polarisation: Some(polarisation(flags >> 5)),
        symbol_rate: Some(rate).filter(|rate| *rate > 0),
        stream: rest.first().filter(|_| flags & 0x10 != 0).map(|id| (*id).into()),
        position: Some(position([signal[4], signal[5]], flags & 0x80 != 0)?),
        ..Tuning::new(System::DvbS2, bcd(&signal[..4])?.checked_mul(10)?)
    })
}

/// `input_stream_identifier` of the S2 descriptor (§6.2.13.3): `scrambling 1 | several 1 | 6 || scrambling: 6 | index 18 ||
/// several: identifier 8`.
fn input_stream(body: &[u8]) -> Option<u32> {
    let (flags, rest) = body.split_first()?;
    let rest = rest.get(if flags & 0x80 != 0 { 3 } else { 0 }..)?;
    rest.first().filter(|_| flags & 0x40 != 0).map(|id| (*id).into())
}

/// Other frequencies of a mux (§6.2.17), with all else as `known` has it: `6 | coding_type 2 || frequency 32 each`.
fn frequencies(body: &[u8], known: &[Tuning], terrestrial: Option<Tuning>, each: impl FnMut(Tuning)) {
    let Some((coding, list)) = body.split_first() else { return };
    let coding = coding & 3;
    let base = match coding {
        1 => known.iter().find(|t| t.system.is_satellite()).copied(),
        2 => known.iter().find(|t| t.system.is_cable()).copied(),
        3 => Some(terrestrial.unwrap_or(Tuning::new(System::DvbT, 0))),
        _ => None,
    };
    let frequency = |bytes: &[u8; 4]| match coding {
        1 => bcd(bytes)?.checked_mul(10),
        2 => bcd(bytes)?.checked_mul(100),
        _ => tens_of_hertz(*bytes),
    };
    let Some(base) = base else { return };
    let all = list.as_chunks().0.iter().filter_map(frequency);
    all.map(|frequency| Tuning { frequency, ..base }).for_each(each);
}

/// What stands behind its own length.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked((*length).into())
}

/// A number of four-bit digits, at most eight, where all are digits.
fn bcd(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits.map(u32::from).try_fold(0_u32, |number, digit| {
        (digit < 10).then_some(digit).and_then(|digit| number.checked_mul(10)?.checked_add(digit))
    })
}

/// Seven digits of 100 symbols per second, and four bits that are none of it.
fn symbol_rate(bytes: &[u8]) -> Option<u32> {
    let [a, b, c, d] = bytes.first_chunk()?;
    let rate = bcd(&[a >> 4, a << 4 | b >> 4, b << 4 | c >> 4, c << 4 | d >> 4])?.checked_mul(100)?;
    Some(rate).filter(|rate| *rate > 0)
}

fn tens_of_hertz(bytes: [u8; 4]) -> Option<u32> {
    u32::from_be_bytes(bytes).checked_mul(10)
}

fn position(digits: [u8; 2], is_east: bool) -> Option<Position> {
    let tenths = i32::try_from(bcd(&digits)?).ok().filter(|tenths| *tenths <= 1800)?;
    Position::east(if is_east { tenths } else { -tenths })
}

const fn polarisation(bits: u8) -> Polarisation {
    match bits & 3 {
        0 => Polarisation::Horizontal,
        1 => Polarisation::Vertical,
        2 => Polarisation::CircularLeft,
        _ => Polarisation::CircularRight,
    }
}

/// Table 35, of four bits.
const fn fec(bits: u8) -> Fec {
    match bits & 0x0f {
        1 => Fec::Fec1_2,
        2 => Fec::Fec2_3,
        3 => Fec::Fec3_4,
        4 => Fec::Fec5_6,
        5 => Fec::Fec7_8,
        6 => Fec::Fec8_9,
        7 => Fec::Fec3_5,
        8 => Fec::Fec4_5,
        9 => Fec::Fec9_10,
        _ => Fec::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::section::with_body;
    use super::super::NIT_ACTUAL;
    use super::*;

    /// What a NIT says of the mux 0x0457 of network 0x2000 with these descriptors.
    fn told(descriptors: &[u8]) -> std::vec::Vec<String> {
        let length = descriptors.len() as u8;
        let mux = [&[0x04, 0x57, 0x20, 0, 0xf0, length][..], descriptors].concat();
        let body = [&[0xf0, 0, 0xf0, length + 6][..], &mux].concat();
        let bytes = with_body(NIT_ACTUAL, &body);
        let mut told = std::vec::Vec::new();
        muxes(Section::new(&bytes).unwrap(), |mux| {
            assert_eq!((mux.original_network_id, mux.transport_stream_id), (0x2000, 0x0457));
            told.push(mux.tuning.to_string());
        });
        told
    }

    /// EN 300 468 has these numbers as its examples: 11.75725 GHz, 19.2 degrees, 27.4500 Msymbol/s.
    const ASTRA: [u8; 13] = [SATELLITE, 11, 0x01, 0x17, 0x57, 0x25, 0x01, 0x92, 0xa1, 0x02, 0x74, 0x50, 0x04];

    #[test]
    fn each_system_has_its_descriptor() {
        let s2 = [SATELLITE, 11, 0x01, 0x27, 0x32, 0x00, 0x00, 0x50, 0x26, 0x02, 0x95, 0x00, 0x02];
        let cable = [CABLE, 11, 0x03, 0x46, 0x00, 0x00, 0xff, 0xf2, 5, 0x00, 0x69, 0x00, 0x0f];
        let tower = [TERRESTRIAL, 11, 0x02, 0xd3, 0x44, 0x40, 0x1f, 0x82, 0x6a, 0xff, 0xff, 0xff, 0xff];
        for (descriptors, wanted) in [
            (&ASTRA[..], &["dvb-s:11757250V?sr=27450000&mod=qpsk&fec=5/6&sat=19.2E"][..]),
            (&s2, &["dvb-s2:12732000V?sr=29500000&mod=8psk&fec=2/3&sat=5.0W"]),
            (
                &[&[S2_SATELLITE, 2, 0x40, 6][..], &s2].concat(),
                &["dvb-s2:12732000V?sr=29500000&mod=8psk&fec=2/3&stream=6&sat=5.0W"],
            ),
            (
                &[&s2[..], &[S2_SATELLITE, 5, 0xc0, 0, 0, 9, 7]].concat(),
                &["dvb-s2:12732000V?sr=29500000&mod=8psk&fec=2/3&stream=7&sat=5.0W"],
            ),
            (
                &[&ASTRA[..], &[S2_SATELLITE, 2, 0x40, 6]].concat(),
                &["dvb-s:11757250V?sr=27450000&mod=qpsk&fec=5/6&sat=19.2E"],
            ),
            (&cable, &["dvb-c:346000000?sr=6900000&mod=qam256"]),
            (&tower, &["dvb-t:474000000?bw=8000000&mod=qam64"]),
            (&[EXTENSION, 9, C2, 1, 2, 0x14, 0x9f, 0x99, 0x80, 0, 0][..10], &[]), // cut off
            (&[EXTENSION, 8, C2, 1, 2, 0x14, 0x9f, 0x99, 0x80, 0], &["dvb-c2:346003840?stream=1"]),
        ] {
            assert_eq!(told(descriptors), wanted, "{descriptors:x?}");
        }
        let s2x = [
            EXTENSION, 15, S2X, 0x08, 0, 0x01, 0x17, 0x57, 0x25, 0x01, 0x92, 0xb0, 0x00, 0x27, 0x45, 0x00, 4,
        ];
        assert_eq!(told(&s2x), ["dvb-s2:11757250V?sr=27450000&stream=4&sat=19.2E"]);
    }

    #[test]
    fn a_mux_is_sent_by_several_towers() {
        // PLP 1; 8 MHz, no TFS; a cell of 474 MHz with a transposer at 498 MHz, a cell of 506 MHz.
        let cells = [
            &[0, 1, 0x02, 0xd3, 0x44, 0x40, 5, 9, 0x02, 0xf7, 0xe3, 0x40][..],
            &[0, 2, 0x03, 0x04, 0x18, 0x40, 0],
        ]
        .concat();
        let whole = [&[EXTENSION, 25, T2, 1, 0x80, 0, 0x40, 0x40][..], &cells].concat();
        let at = |mhz: &[u32]| -> std::vec::Vec<String> {
            mhz.iter().map(|mhz| format!("dvb-t2:{mhz}000000?bw=8000000&stream=1")).collect()
        };
        assert_eq!(told(&whole), at(&[474, 498, 506]));
        // With TFS the cell has its frequencies counted.
        let tfs =
            [EXTENSION, 18, T2, 1, 0x80, 0, 0x40, 0x41, 0, 1, 8, 2, 0xd3, 0x44, 0x40, 3, 4, 0x18, 0x40, 0];
        assert_eq!(told(&tfs), at(&[474, 506]));
        // A list of more frequencies, of which one was said already.
        let list = [FREQUENCY_LIST, 9, 0xff, 0x02, 0xd3, 0x44, 0x40, 0x02, 0xdf, 0x79, 0x40];
        assert_eq!(told(&[&list[..], &whole].concat()), at(&[474, 498, 506, 482]));
        let tower = [TERRESTRIAL, 11, 0x02, 0xd3, 0x44, 0x40, 0x1f, 0x82, 0x6a, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            told(&[&tower[..], &list].concat()),
            [474, 482].map(|mhz| { format!("dvb-t:{mhz}000000?bw=8000000&mod=qam64") })
        );
        // The short form of DVB-T2 beside the descriptor of DVB-T.
        assert_eq!(told(&[&tower[..], &[EXTENSION, 4, T2, 1, 0x80, 0]].concat()), at(&[474]));
        // Frequencies of satellites are digits.
        let list = [FREQUENCY_LIST, 5, 0xfd, 0x01, 0x18, 0x36, 0x00];
        let other = "dvb-s:11836000V?sr=27450000&mod=qpsk&fec=5/6&sat=19.2E";
        assert_eq!(told(&[&ASTRA[..], &list].concat())[1], other);
    }

    #[test]
    fn nonsense_is_no_mux() {
        for (at, value) in [(2, 0x0a), (3, 0xff), (6, 0x20), (7, 0xb0), (9, 0xf0)] {
            let mut bytes = ASTRA;
            bytes[at] = value;
            assert_eq!(told(&bytes), [""; 0], "{at}");
        }
        let mut bytes = ASTRA;
        bytes[9..].fill(0);
        assert_eq!(told(&bytes), [""; 0], "no symbols");
        for end in 2..ASTRA.len() {
            assert_eq!(told(&ASTRA[..end]), [""; 0]);
        }
        for nowhere in [[0xff; 4], [0; 4]] {
            let tower =
                [&[TERRESTRIAL, 11][..], &nowhere, &[0x1f, 0x82, 0x6a, 0xff, 0xff, 0xff, 0xff]].concat();
            assert_eq!(told(&tower), [""; 0]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_descriptors_are_survived(
            kind in proptest::sample::select(&[SATELLITE, CABLE, TERRESTRIAL, FREQUENCY_LIST, S2_SATELLITE][..]),
            extension in proptest::sample::select(&[T2, C2, S2X][..]),
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100),
        ) {
            let length = bytes.len() as u8;
            let descriptors = [&[kind, length][..], &bytes, &[EXTENSION, length + 1, extension], &bytes].concat();
            for text in told(&descriptors) {
                assert!(text.parse::<Tuning>().is_ok(), "{text}");
            }
        }
    }
}
