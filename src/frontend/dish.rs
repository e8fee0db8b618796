//! From a mux on air to what its dish is told, and to the frequency that comes down the cable; and back.
//!
//! By the DiSEqC bus specification 4.2, EN 50494 (unicable) and EN 50607 (unicable II).

use std::thread::sleep;
use std::time::Duration;

use heapless::Vec;
use nix::errno::Errno;

use super::Failure;
use crate::delivery::dish::{Cable, CableKind, Dish, Lnb, is_horizontal};
use crate::delivery::{Polarisation, Tuning};
use crate::sys::dvb::frontend::{Burst, DISEQC_MAX, Frontend, Voltage};

/// Silence before and behind a message on the bus.
const SILENCE_MS: u64 = 15;
/// A switch that got its power just now listens after so long.
const START_MS: u64 = 100;
/// How long the higher voltage stays behind a message (EN 50494: 2 to 60 ms). Some drivers return before it is out.
const HOLD_MS: u64 = 50;

/// One thing that a dish is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Voltage(Voltage),
    Tone(bool),
    Message(Vec<u8, DISEQC_MAX>),
    Burst(Burst),
    /// Milliseconds.
    Wait(u64),
}

/// All that is to be told, in its order, and what the frontend is then to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step, 12>,
    /// In kHz.
    pub(super) frequency: u32,
}

impl Plan {
    /// For a mux of a satellite; `is_cold`: the dish had no power until now. `None`: it sees no such satellite, or the
    /// frequency cannot be asked of its cable.
    pub(super) fn new(dish: &Dish, tuning: &Tuning, is_cold: bool) -> Option<Self> {
        let Dish { positions, lnb, cable, is_fed } = dish;
        let port = match tuning.position {
            Some(position) if !positions.is_empty() => positions.iter().position(|p| *p == position)?,
            _ => 0,
        };
        let port = u8::try_from(port).ok()?;
        let (oscillator, tone) = lnb.oscillator(tuning.frequency, tuning.polarisation);
        let frequency = tuning.frequency.abs_diff(oscillator);
        let is_horizontal = is_horizontal(tuning.polarisation);
        let mut plan = Self { steps: Vec::new(), frequency };
        if let Some(cable) = cable {
            let bank = port << 2 | u8::from(is_horizontal) << 1 | u8::from(tone);
            plan.ask_cable(*cable, bank, is_cold)?;
        } else if !is_fed {
            let voltage = if is_horizontal { Voltage::V18 } else { Voltage::V13 };
            plan.add([Step::Tone(false), Step::Voltage(voltage)])?;
            if positions.len() > 1 {
                let bits = port << 2 | u8::from(is_horizontal) << 1 | u8::from(tone);
                plan.switch(port, bits, positions.len() > 4, is_cold)?;
            }
            plan.add([Step::Wait(SILENCE_MS), Step::Tone(tone)])?;
        }
        Some(plan)
    }

    /// What a dish is told that is needed no more; the frontend's driver takes its voltage away when it is closed.
    pub(super) fn farewell(dish: &Dish) -> Option<Self> {
        let mut plan = Self { steps: Vec::new(), frequency: 0 };
        // Transponder 0 switches the user band off.
        plan.tell_cable(dish.cable?, 0, 0, false)?;
        Some(plan)
    }

    /// Write N0, whose data clears and sets all four bits, or Write N1 of switches with more ports.
    fn switch(&mut self, port: u8, bits: u8, is_uncommitted: bool, is_cold: bool) -> Option<()> {
        let (command, data) = if is_uncommitted { (0x39, port) } else { (0x38, bits) };
        self.add([
            Step::Wait(if is_cold { START_MS } else { SILENCE_MS }),
            Step::Message(Vec::from_slice(&[0xe0, 0x10, command, 0xf0 | data & 0x0f]).ok()?),
        ])?;
        if !is_uncommitted {
            // Switches for two satellites may know nothing but this.
            let burst = if port.is_multiple_of(2) { Burst::A } else { Burst::B };
            self.add([Step::Wait(SILENCE_MS), Step::Burst(burst)])?;
        }
        Some(())
    }

    /// Has the mux at `self.frequency` moved into the user band, and goes on with where it is there.
    fn ask_cable(&mut self, cable: Cable, bank: u8, is_cold: bool) -> Option<()> {
        let band = u32::from(cable.megahertz) * 1000;
        let transponder;
        match cable.kind {
            // T = (IF + band) / 4 MHz - 350; what rounding leaves moves the mux within the band, turned round.
            CableKind::En50494 => {
                let steps = (self.frequency + band + 2000) / 4000;
                transponder = steps.checked_sub(350).filter(|t| (1..1024).contains(t))?;
                self.frequency = steps * 4000 - self.frequency;
            }
            // T = IF / 1 MHz - 100.
            CableKind::En50607 => {
                let megahertz = (self.frequency + 500) / 1000;
                transponder = megahertz.checked_sub(100).filter(|t| (1..2048).contains(t))?;
                self.frequency = band;
            }
        }
        self.tell_cable(cable, bank, u16::try_from(transponder).ok()?, is_cold)
    }

    /// ODU_Channel_change: at the higher voltage alone, which nobody may keep: others could say nothing.
    fn tell_cable(&mut self, cable: Cable, bank: u8, transponder: u16, is_cold: bool) -> Option<()> {
        let [high, low] = transponder.to_be_bytes();
        let Cable { kind, slot, .. } = cable;
        let message = match kind {
            CableKind::En50494 => Vec::from_slice(&[0xe0, 0x10, 0x5a, slot << 5 | bank << 2 | high, low]),
            CableKind::En50607 => Vec::from_slice(&[0x70, slot << 3 | high, low, bank]),
        };
        let before = if is_cold { START_MS } else { SILENCE_MS };
        self.add([Step::Tone(false), Step::Voltage(Voltage::V18), Step::Wait(before)])?;
        self.add([Step::Message(message.ok()?), Step::Wait(HOLD_MS), Step::Voltage(Voltage::V13)])
    }

    fn add<const N: usize>(&mut self, steps: [Step; N]) -> Option<()> {
        steps.into_iter().try_for_each(|step| self.steps.push(step).ok())
    }

    /// Tells it.
    pub(super) fn run(&self, frontend: &Frontend) -> Result<(), Failure> {
        for step in &self.steps {
            let done = match step {
                Step::Voltage(voltage) => frontend.voltage(*voltage),
                Step::Tone(is_on) => frontend.tone(*is_on),
                Step::Message(message) => frontend.diseqc(message),
                Step::Burst(burst) => frontend.burst(*burst),
                Step::Wait(ms) => {
                    sleep(Duration::from_millis(*ms));
                    Ok(())
                }
            };
            match done {
                // Behind a multiswitch with power of its own, a driver may know nothing of such things.
                Err(e) if is_unsupported(e) && !matches!(step, Step::Message(_)) => {}
                Err(e) if is_unsupported(e) => return Err(Failure::Dish),
                Err(Errno::ENODEV) => return Err(Failure::Gone),
                Err(e) => return Err(Failure::Kernel(e as i32)),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

/// The kernel's own number for it is not one that programs were to see.
fn is_unsupported(e: Errno) -> bool {
    const ENOTSUPP: i32 = 524;
    e == Errno::EOPNOTSUPP || e as i32 == ENOTSUPP || e == Errno::UnknownErrno || e == Errno::ENOTTY
}

/// What is on air, of an intermediate frequency in kHz that somebody else had tuned: where voltage and tone tell, which
/// are the kernel's as that other gave them. With neither, what cannot be two.
pub(super) fn on_air(
    dish: &Dish,
    intermediate: u32,
    voltage: Option<Voltage>,
    tone: bool,
) -> Option<(u32, Option<Polarisation>)> {
    let polarisation = match voltage {
        Some(Voltage::V13) => Some(Polarisation::Vertical),
        Some(Voltage::V18) => Some(Polarisation::Horizontal),
        Some(Voltage::Off) | None => None,
    };
    if dish.cable.is_some() {
        return None; // its user band is all that is to be seen
    }
    let mut all = dish.lnb.on_air(intermediate, polarisation);
    let mut all = all.by_ref().filter(|(_, with)| polarisation.is_none() || *with == tone);
    let (frequency, _) = all.next().filter(|_| all.next().is_none())?;
    // Others than Europe's may be circular.
    let is_linear = matches!(dish.lnb, Lnb::Bands(..) | Lnb::Single(9750));
    Some((frequency, polarisation.filter(|_| is_linear)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Device;

    fn plan(device: &str, tuning: &str) -> Option<Plan> {
        let device: Device = device.parse().unwrap();
        Plan::new(&device.dish, &tuning.parse().unwrap(), false)
    }

    fn message(bytes: &[u8]) -> Step {
        Step::Message(Vec::from_slice(bytes).unwrap())
    }

    fn said(plan: &Plan) -> std::vec::Vec<std::vec::Vec<u8>> {
        let messages = plan.steps.iter().filter_map(|step| match step {
            Step::Message(bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        messages.collect()
    }

    #[test]
    fn one_universal_lnb() {
        let low = plan("0", "dvb-s:11362000H?sr=22000000").unwrap();
        assert_eq!(low.frequency, 1_612_000);
        assert_eq!(
            low.steps[..],
            [Step::Tone(false), Step::Voltage(Voltage::V18), Step::Wait(15), Step::Tone(false)]
        );
        let high = plan("0", "dvb-s2:12732000V?sr=29500000").unwrap();
        assert_eq!(high.frequency, 2_132_000);
        assert_eq!(
            high.steps[..],
            [Step::Tone(false), Step::Voltage(Voltage::V13), Step::Wait(15), Step::Tone(true)]
        );
        assert_eq!(plan("0?lnb-power=off", "dvb-s:11362000H").unwrap().steps[..], []);
    }

    #[test]
    fn ports_of_a_committed_switch() {
        // The table of the DiSEqC documents: port A to D, each vertical low and high, horizontal low and high.
        let four = "0?sat=19.2E,13.0E,28.2E,5.0W";
        for (sat, mux, data) in [
            ("19.2E", "11362000V", 0xf0),
            ("19.2E", "12000000V", 0xf1),
            ("19.2E", "11362000H", 0xf2),
            ("19.2E", "12000000H", 0xf3),
            ("13.0E", "11362000V", 0xf4),
            ("13.0E", "12000000H", 0xf7),
            ("28.2E", "11362000V", 0xf8),
            ("5.0W", "12000000H", 0xff),
        ] {
            let plan = plan(four, &format!("dvb-s:{mux}?sat={sat}")).unwrap();
            assert_eq!(said(&plan), [[0xe0, 0x10, 0x38, data]], "{sat} {mux}");
        }
        assert_eq!(plan(four, "dvb-s:11362000H?sat=42.0E"), None);
        assert!(plan("0", "dvb-s:11362000H?sat=42.0E").is_some(), "who names no satellite has one");
        let steps = plan("0?sat=19.2E,13.0E", "dvb-s:12000000H?sat=13.0E").unwrap().steps;
        assert_eq!(
            steps[..],
            [
                Step::Tone(false),
                Step::Voltage(Voltage::V18),
                Step::Wait(15),
                message(&[0xe0, 0x10, 0x38, 0xf7]),
                Step::Wait(15),
                Step::Burst(Burst::B),
                Step::Wait(15),
                Step::Tone(true),
            ]
        );
    }

    #[test]
    fn a_switch_without_power_so_far_is_waited_for() {
        let device: Device = "0?sat=19.2E,13.0E".parse().unwrap();
        let cold = Plan::new(&device.dish, &"dvb-s:11362000H".parse().unwrap(), true).unwrap();
        assert_eq!(cold.steps[2], Step::Wait(100));
    }

    #[test]
    fn ports_of_an_uncommitted_switch() {
        let six = "0?sat=1.0E,2.0E,3.0E,4.0E,5.0E,6.0E";
        let plan = plan(six, "dvb-s:11362000H?sat=6.0E").unwrap();
        assert_eq!(said(&plan), [[0xe0, 0x10, 0x39, 0xf5]]);
    }

    #[test]
    fn a_cable_of_en_50494() {
        let plan = plan("0?sat=19.2E,13.0E&unicable=en50494:3:1680", "dvb-s:11362000H?sat=13.0E").unwrap();
        // (1612 + 1680 + 2) / 4 = 823, less 350 is 0x1d9; slot 3, satellite B, horizontal, low.
        assert_eq!(
            plan.steps[..],
            [
                Step::Tone(false),
                Step::Voltage(Voltage::V18),
                Step::Wait(15),
                message(&[0xe0, 0x10, 0x5a, 0x79, 0xd9]),
                Step::Wait(50),
                Step::Voltage(Voltage::V13),
            ]
        );
        assert_eq!(plan.frequency, 1_680_000);
        let rounded = self::plan("0?unicable=en50494:0:1210", "dvb-s:11361000V").unwrap();
        assert_eq!(
            (said(&rounded), rounded.frequency),
            (vec![vec![0xe0, 0x10, 0x5a, 0x01, 0x63]], 1_209_000)
        );
        let device: Device = "0?unicable=en50494:3:1680".parse().unwrap();
        assert_eq!(said(&Plan::farewell(&device.dish).unwrap()), [[0xe0, 0x10, 0x5a, 0x60, 0x00]]);
        assert_eq!(Plan::farewell(&Dish::default()), None);
    }

    #[test]
    fn a_cable_of_en_50607() {
        let plan = plan("0?sat=19.2E,13.0E&unicable=en50607:9:1210", "dvb-s2:12732000V?sat=13.0E").unwrap();
        // 2132 - 100 = 0x7f0; slot 9; satellite 1, vertical, high.
        assert_eq!(said(&plan), [[0x70, 0x4f, 0xf0, 0x05]]);
        assert_eq!(plan.frequency, 1_210_000);
        let device: Device = "0?unicable=en50607:9:1210".parse().unwrap();
        assert_eq!(said(&Plan::farewell(&device.dish).unwrap()), [[0x70, 0x48, 0x00, 0x00]]);
    }

    #[test]
    fn what_somebody_else_tuned_is_told_apart_by_voltage_and_tone() {
        let seen = |device: &str, khz, voltage, tone| {
            on_air(&device.parse::<Device>().unwrap().dish, khz, voltage, tone)
        };
        let (vertical, horizontal) = (Some(Polarisation::Vertical), Some(Polarisation::Horizontal));
        assert_eq!(seen("0", 1_612_000, Some(Voltage::V18), false), Some((11_362_000, horizontal)));
        assert_eq!(seen("0", 1_612_000, Some(Voltage::V13), true), Some((12_212_000, vertical)));
        assert_eq!(seen("0", 1_612_000, Some(Voltage::Off), false), None, "it is of either band");
        assert_eq!(seen("0", 2_100_000, None, false), Some((12_700_000, None)), "no other band has it");
        assert_eq!(seen("0?lnb=c", 1_350_000, Some(Voltage::V13), false), Some((3_800_000, None)));
        assert_eq!(seen("0?unicable=en50494:0:1210", 1_210_000, Some(Voltage::V13), false), None);
    }
}
