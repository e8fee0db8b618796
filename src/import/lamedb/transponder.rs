//! A transponder of `lamedb`: its ids and its signal.

use super::hex16;
use crate::delivery::{Modulation, Polarisation, Position, System, Tuning};
use crate::import::dvb;
use crate::import::{Culprit, Refusal};

/// The ids of a transponder: namespace, transport stream, network.
pub(super) fn key(text: &str) -> Option<(u32, u16, u16)> {
    let mut ids = text.split(':');
    let namespace = u32::from_str_radix(ids.next()?, 16).ok()?;
    Some((namespace, hex16(ids.next()?)?, hex16(ids.next()?)?))
}

/// How its mux is sent: version 4 has a blank behind the system, version 5 a colon.
pub(super) fn tuning(text: &str) -> Result<Tuning, Refusal> {
    let (numbers, options) = text.split_once(',').unwrap_or((text, ""));
    let (system, numbers) = numbers.split_at_checked(2).unwrap_or((numbers, ""));
    let numbers: Vec<Option<i32>> = numbers.split(':').take(16).map(|n| n.trim().parse().ok()).collect();
    let at = |i: usize| numbers.get(i).copied().flatten();
    let read = match system.trim_end_matches([' ', ':']) {
        "s" => satellite(at, options),
        "t" => terrestrial(at),
        "c" => cable(at),
        _ => return Err(Refusal::System(Culprit::new(text))),
    };
    read.ok_or_else(|| Refusal::Value("transponder", Culprit::new(text)))
}

fn satellite(at: impl Fn(usize) -> Option<i32>, options: &str) -> Option<Tuning> {
    let ids = options.split(',').find_map(|o| o.strip_prefix("MIS/PLS:"));
    let multistream = ids.and_then(|ids| ids.split(':').next()?.parse::<u8>().ok());
    let system = generation(at(7), System::DvbS, System::DvbS2)?;
    Some(Tuning {
        symbol_rate: Some(unsigned(at(1)).filter(|r| *r != 0)?),
        polarisation: Some(match at(2)? {
            0 => Polarisation::Horizontal,
            1 => Polarisation::Vertical,
            2 => Polarisation::CircularLeft,
            3 => Polarisation::CircularRight,
            _ => return None,
        }),
        modulation: match at(8) {
            None | Some(1) => Modulation::Qpsk,
            Some(0) => Modulation::Auto,
            Some(2) => Modulation::Psk8,
            Some(3) => Modulation::Qam16,
            Some(4) => Modulation::Apsk16,
            Some(5) => Modulation::Apsk32,
            Some(_) => return None,
        },
        position: Some(Position::east(at(4)?)?),
        stream: multistream.or_else(|| u8::try_from(at(11)?).ok()).map(u32::from),
        ..Tuning::new(system, dvb::satellite_kilohertz(unsigned(at(0))?)?)
    })
}

fn terrestrial(at: impl Fn(usize) -> Option<i32>) -> Option<Tuning> {
    let system = generation(at(10), System::DvbT, System::DvbT2)?;
    let pipe = at(11).filter(|_| system == System::DvbT2).and_then(|plp| u8::try_from(plp).ok());
    Some(Tuning {
        bandwidth: [8_000_000, 7_000_000, 6_000_000, 0, 5_000_000, 1_712_000, 10_000_000]
            .get(usize::try_from(at(1)?).ok()?)
            .copied()
            .filter(|hertz| *hertz != 0),
        modulation: match at(4)? {
            0 => Modulation::Qpsk,
            1 => Modulation::Qam16,
            2 => Modulation::Qam64,
            3 => Modulation::Auto,
            4 => Modulation::Qam256,
            _ => return None,
        },
        stream: pipe.map(u32::from),
        ..Tuning::new(system, dvb::hertz(unsigned(at(0))?)?)
    })
}

fn cable(at: impl Fn(usize) -> Option<i32>) -> Option<Tuning> {
    Some(Tuning {
        symbol_rate: Some(unsigned(at(1)).filter(|r| *r != 0)?),
        modulation: match at(3)? {
            0 => Modulation::Auto,
            1 => Modulation::Qam16,
            2 => Modulation::Qam32,
            3 => Modulation::Qam64,
            4 => Modulation::Qam128,
            5 => Modulation::Qam256,
            _ => return None,
        },
        ..Tuning::new(System::DvbC, dvb::hertz(unsigned(at(0))?.checked_mul(1000)?)?)
    })
}

fn unsigned(number: Option<i32>) -> Option<u32> {
    u32::try_from(number?).ok()
}

fn generation(number: Option<i32>, first: System, second: System) -> Option<System> {
    match number.unwrap_or(0) {
        0 => Some(first),
        1 => Some(second),
        _ => None,
    }
}
