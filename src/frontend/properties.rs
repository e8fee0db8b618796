//! A mux as the properties that a driver is told, and what it says of itself as a mux.

use heapless::Vec;

use super::dish;
use crate::delivery::dish::Dish;
use crate::delivery::{Fec, Modulation, Polarisation, System, Tuning};
use crate::sys::dvb::frontend::{Voltage, property as p, value as v};

/// Properties of one mux at most.
const MOST: usize = 24;

const MODULATIONS: [(Modulation, u32); 14] = [
    (Modulation::Auto, v::QAM_AUTO),
    (Modulation::Qpsk, v::QPSK),
    (Modulation::Psk8, v::PSK_8),
    (Modulation::Apsk16, v::APSK_16),
    (Modulation::Apsk32, v::APSK_32),
    (Modulation::Dqpsk, v::DQPSK),
    (Modulation::Qam4Nr, v::QAM_4_NR),
    (Modulation::Qam16, v::QAM_16),
    (Modulation::Qam32, v::QAM_32),
    (Modulation::Qam64, v::QAM_64),
    (Modulation::Qam128, v::QAM_128),
    (Modulation::Qam256, v::QAM_256),
    (Modulation::Vsb8, v::VSB_8),
    (Modulation::Vsb16, v::VSB_16),
];

const FECS: [(Fec, u32); 15] = [
    (Fec::Auto, v::FEC_AUTO),
    (Fec::None, v::FEC_NONE),
    (Fec::Fec1_2, v::FEC_1_2),
    (Fec::Fec2_3, v::FEC_2_3),
    (Fec::Fec3_4, v::FEC_3_4),
    (Fec::Fec4_5, v::FEC_4_5),
    (Fec::Fec5_6, v::FEC_5_6),
    (Fec::Fec6_7, v::FEC_6_7),
    (Fec::Fec7_8, v::FEC_7_8),
    (Fec::Fec8_9, v::FEC_8_9),
    (Fec::Fec3_5, v::FEC_3_5),
    (Fec::Fec9_10, v::FEC_9_10),
    (Fec::Fec2_5, v::FEC_2_5),
    (Fec::Fec1_4, v::FEC_1_4),
    (Fec::Fec1_3, v::FEC_1_3),
];

/// Forgets the mux before, and sets the system: an error says that the frontend does not know it.
pub(super) fn begin(system: System) -> [(u32, u32); 2] {
    [(p::CLEAR, 0), (p::DELIVERY_SYSTEM, u32::from(system as u8))]
}

/// The rest, and that it is to tune; `frequency` as it comes from the aerial or down the cable, of satellites in kHz.
pub(super) fn tune(tuning: &Tuning, frequency: u32) -> Vec<(u32, u32), MOST> {
    let mut all = Vec::new();
    let mut set = |pairs: &[(u32, u32)]| all.extend_from_slice(pairs).expect("MOST holds the longest list");
    let fec = FECS.iter().find(|(fec, _)| *fec == tuning.fec).map_or(v::FEC_AUTO, |(_, value)| *value);
    set(&[(p::FREQUENCY, frequency), (p::INVERSION, v::INVERSION_AUTO), (p::MODULATION, modulation(tuning))]);
    if let Some(rate) = symbol_rate(tuning) {
        set(&[(p::SYMBOL_RATE, rate), (p::INNER_FEC, fec)]);
    }
    if let Some(bandwidth) = bandwidth(tuning) {
        set(&[(p::BANDWIDTH_HZ, bandwidth)]);
    }
    match tuning.system {
        System::DvbT | System::DvbT2 | System::DvbH => set(&[
            (p::CODE_RATE_HP, fec),
            (p::CODE_RATE_LP, v::FEC_AUTO),
            (p::GUARD_INTERVAL, v::GUARD_INTERVAL_AUTO),
            (p::TRANSMISSION_MODE, v::TRANSMISSION_MODE_AUTO),
            (p::HIERARCHY, v::HIERARCHY_AUTO),
        ]),
        // All three layers in one transport stream, whatever is in them.
        System::IsdbT => set(&[
            (p::GUARD_INTERVAL, v::GUARD_INTERVAL_AUTO),
            (p::TRANSMISSION_MODE, v::TRANSMISSION_MODE_AUTO),
            (p::ISDBT_PARTIAL_RECEPTION, 0),
            (p::ISDBT_SOUND_BROADCASTING, 0),
            (p::ISDBT_LAYER_ENABLED, 0b111),
            (p::ISDBT_LAYERA_FEC, v::FEC_AUTO),
            (p::ISDBT_LAYERA_MODULATION, v::QAM_AUTO),
            (p::ISDBT_LAYERB_FEC, v::FEC_AUTO),
            (p::ISDBT_LAYERB_MODULATION, v::QAM_AUTO),
            (p::ISDBT_LAYERC_FEC, v::FEC_AUTO),
            (p::ISDBT_LAYERC_MODULATION, v::QAM_AUTO),
        ]),
        System::Dtmb => set(&[
            (p::INNER_FEC, fec),
            (p::GUARD_INTERVAL, v::GUARD_INTERVAL_AUTO),
            (p::TRANSMISSION_MODE, v::TRANSMISSION_MODE_AUTO),
            (p::INTERLEAVING, v::INTERLEAVING_AUTO),
        ]),
        System::DvbS => set(&[(p::ROLLOFF, v::ROLLOFF_35)]), // EN 300 421 knows no other
        System::DvbS2 => set(&[(p::ROLLOFF, v::ROLLOFF_AUTO), (p::PILOT, v::PILOT_AUTO)]),
        _ => {}
    }
    if let Some(stream) = tuning.stream {
        set(&[(p::STREAM_ID, stream)]);
    }
    set(&[(p::TUNE, 0)]);
    all
}

/// The modulation. Drivers that find it do not mind what they are told; the others want one that can be.
fn modulation(tuning: &Tuning) -> u32 {
    match (tuning.system, tuning.modulation) {
        (System::DvbS | System::Dss, _) => v::QPSK, // there is no other
        (System::DvbS2 | System::Turbo | System::IsdbS, Modulation::Auto) => v::PSK_8,
        (System::Atsc | System::AtscMh, Modulation::Auto) => v::VSB_8,
        (_, modulation) => {
            MODULATIONS.iter().find(|(m, _)| *m == modulation).map_or(v::QAM_AUTO, |(_, value)| *value)
        }
    }
}

/// Symbols per second, of systems that have such; where nobody said, those that are most used.
fn symbol_rate(tuning: &Tuning) -> Option<u32> {
    let usual = match tuning.system {
        System::DvbC => 6_900_000,
        System::DvbCAnnexB => 5_360_537,                 // 256-QAM, ITU-T J.83
        System::DvbCAnnexC | System::IsdbC => 5_274_000, // ITU-T J.83
        System::DvbS | System::DvbS2 | System::Turbo => 27_500_000,
        System::IsdbS => 28_860_000, // ARIB STD-B20
        System::Dss => 20_000_000,
        _ => return None,
    };
    Some(tuning.symbol_rate.unwrap_or(usual))
}

/// Bandwidth in Hz, of systems that have such; where nobody said, those that are most used.
fn bandwidth(tuning: &Tuning) -> Option<u32> {
    const UHF: u32 = 300_000_000;
    let usual = match tuning.system {
        System::DvbT | System::DvbT2 | System::DvbH if tuning.frequency < UHF => 7_000_000,
        System::DvbT | System::DvbT2 | System::DvbH | System::DvbC2 => 8_000_000,
        System::Dtmb | System::Cmmb => 8_000_000,
        System::IsdbT | System::IsdbC | System::Atsc | System::AtscMh => 6_000_000,
        System::Dab => 1_712_000, // the kernel's name for 1.536 MHz
        _ => return None,
    };
    Some(tuning.bandwidth.unwrap_or(usual))
}

/// What is asked of a frontend that somebody else may have tuned.
pub(super) const ASKED: [u32; 8] = [
    p::DELIVERY_SYSTEM,
    p::FREQUENCY,
    p::MODULATION,
    p::BANDWIDTH_HZ,
    p::SYMBOL_RATE,
    p::STREAM_ID,
    p::VOLTAGE,
    p::TONE,
];

/// The mux that these answers stand for. `None`: nothing was tuned, or it cannot be told what.
pub(super) fn seen(answers: [u32; ASKED.len()], dish: &Dish) -> Option<Tuning> {
    let [system, frequency, modulation, bandwidth, symbol_rate, stream, voltage, tone] = answers;
    let system = System::from_number(u8::try_from(system).ok()?)?;
    if frequency == 0 {
        return None;
    }
    let voltage = [Voltage::V13, Voltage::V18].into_iter().find(|known| *known as u32 == voltage);
    let (frequency, polarisation): (u32, Option<Polarisation>) = match system.is_satellite() {
        true => dish::on_air(dish, frequency, voltage, tone == 0)?,
        false => (frequency, None),
    };
    let only = if dish.positions.len() == 1 { dish.positions.first() } else { None };
    let mut tuning = Tuning::new(system, frequency);
    tuning.polarisation = polarisation;
    tuning.position = only.copied().filter(|_| system.is_satellite());
    let known = MODULATIONS.iter().find(|(_, value)| *value == modulation);
    tuning.modulation = known.map_or(Modulation::Auto, |(m, _)| *m);
    tuning.bandwidth = Some(bandwidth).filter(|hz| *hz > 0 && self::bandwidth(&tuning).is_some());
    tuning.symbol_rate = Some(symbol_rate).filter(|rate| *rate > 0 && self::symbol_rate(&tuning).is_some());
    tuning.stream = match system {
        _ if stream == v::NO_STREAM_ID_FILTER => None,
        // Above the input stream, some drivers were told of scrambling.
        System::DvbS2 | System::DvbT2 | System::DvbC2 => Some(stream & 0xff),
        System::IsdbS => Some(stream),
        _ => None,
    };
    Some(tuning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, frequency: u32) -> Vec<(u32, u32), MOST> {
        tune(&text.parse().unwrap(), frequency)
    }

    #[test]
    fn every_system_is_told_what_it_needs() {
        for (system, name) in System::ALL {
            let frequency = if system.is_satellite() { 11_362_000 } else { 474_000_000 };
            let all = tune(&Tuning::new(system, frequency), 1_000_000);
            assert_eq!(all[0], (p::FREQUENCY, 1_000_000), "{name}");
            assert_eq!(all.last(), Some(&(p::TUNE, 0)), "{name}");
            let has = |command| all.iter().any(|(c, _)| *c == command);
            assert!(has(p::SYMBOL_RATE) || has(p::BANDWIDTH_HZ), "{name}");
            assert_eq!(has(p::SYMBOL_RATE), symbol_rate(&Tuning::new(system, frequency)).is_some(), "{name}");
            assert!(!has(p::STREAM_ID), "{name}");
        }
    }

    #[test]
    fn what_is_given_is_told() {
        let t2 = told("dvb-t2:474166000?bw=7000000&stream=3", 474_166_000);
        assert!(t2.contains(&(p::BANDWIDTH_HZ, 7_000_000)) && t2.contains(&(p::STREAM_ID, 3)));
        let c = told("dvb-c:346000000?sr=6875000&mod=qam128", 346_000_000);
        assert!(c.contains(&(p::SYMBOL_RATE, 6_875_000)) && c.contains(&(p::MODULATION, v::QAM_128)));
        let s = told("dvb-s:11362000H?sr=22000000&fec=5/6", 1_612_000);
        assert!(s.contains(&(p::INNER_FEC, v::FEC_5_6)) && s.contains(&(p::MODULATION, v::QPSK)));
        let vhf = told("dvb-t:177500000", 177_500_000);
        assert!(vhf.contains(&(p::BANDWIDTH_HZ, 7_000_000)));
        let layers = told("isdb-t:473142857", 473_142_857);
        assert!(layers.contains(&(p::ISDBT_LAYER_ENABLED, 7)));
        assert!(told("isdb-s:11727480R?stream=16625", 1_049_480).contains(&(p::STREAM_ID, 16_625)));
    }

    #[test]
    fn what_was_told_is_seen() {
        let none = v::NO_STREAM_ID_FILTER;
        let one = Dish::default();
        let t = seen([3, 474_000_000, v::QAM_64, 8_000_000, 0, none, 2, 1], &one).unwrap();
        assert_eq!(t.to_string(), "dvb-t:474000000?bw=8000000&mod=qam64");
        let c = seen([1, 346_000_000, v::QAM_256, 8_000_000, 6_900_000, none, 2, 1], &one).unwrap();
        assert_eq!(c.to_string(), "dvb-c:346000000?sr=6900000&mod=qam256");
        let s2 = seen([6, 2_132_000, v::PSK_8, 0, 29_500_000, 0x4_0006, 0, 0], &one).unwrap();
        assert_eq!(s2.to_string(), "dvb-s2:12732000V?sr=29500000&mod=8psk&stream=6");
        assert_eq!(seen([0, 474_000_000, 0, 0, 0, none, 2, 1], &one), None, "no system");
        assert_eq!(seen([3, 0, 0, 0, 0, none, 2, 1], &one), None, "never tuned");
        assert_eq!(seen([5, 1_612_000, 0, 0, 22_000_000, none, 2, 1], &one), None, "of either band");
    }

    #[test]
    fn all_values_are_told_apart() {
        for (i, (_, value)) in MODULATIONS.iter().enumerate() {
            assert!(MODULATIONS[..i].iter().all(|(_, other)| other != value));
        }
        for (i, (_, value)) in FECS.iter().enumerate() {
            assert!(FECS[..i].iter().all(|(_, other)| other != value));
        }
    }
}
