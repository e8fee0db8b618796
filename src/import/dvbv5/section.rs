//! A `[Name]` with its values, and how its mux is sent.

use crate::delivery::{Modulation, Polarisation, System, Tuning};
use crate::import::dvb;
use crate::import::{Culprit, Refusal};

/// A channel or a mux being read.
pub(super) struct Section {
    pub(super) line: usize,
    pub(super) name: String,
    values: [Option<Value>; KEYS.len()],
}

#[derive(Clone)]
pub(super) struct Value {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A refusal and its line.
pub(super) type Refused = (usize, Refusal);

/// What is read; all other keys are what a demodulator finds by itself.
const KEYS: [&str; 13] = [
    "SERVICE_ID",
    "NETWORK_ID",
    "TRANSPORT_ID",
    "VCHANNEL",
    "VIDEO_PID",
    "AUDIO_PID",
    "DELIVERY_SYSTEM",
    "FREQUENCY",
    "SYMBOL_RATE",
    "POLARIZATION",
    "MODULATION",
    "BANDWIDTH_HZ",
    "STREAM_ID",
];

impl Section {
    pub(super) fn new(line: usize, name: &str) -> Self {
        Self { line, name: name.into(), values: [const { None }; KEYS.len()] }
    }

    pub(super) fn set(&mut self, line: usize, key: &str, text: &str) {
        let places = KEYS.iter().zip(&mut self.values);
        for (_, value) in places.filter(|(known, _)| **known == key) {
            *value = Some(Value { line, text: text.into() });
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        KEYS.iter().zip(&self.values).find(|(known, _)| **known == key)?.1.as_ref()
    }

    fn need(&self, key: &'static str) -> Result<&Value, Refused> {
        self.get(key).ok_or_else(|| (self.line, Refusal::Value(key, Culprit::default())))
    }

    /// The value of `key` as `read` understands it.
    pub(super) fn parse<T>(&self, key: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, Refused> {
        let value = self.need(key)?;
        read(&value.text).ok_or_else(|| (value.line, Refusal::Value(key, Culprit::new(&value.text))))
    }

    /// The same, of a key that may be left out.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        if self.get(key).is_some() { self.parse(key, read).map(Some) } else { Ok(None) }
    }

    /// How its mux is sent.
    pub(super) fn tuning(&self) -> Result<Tuning, Refused> {
        let named = self.need("DELIVERY_SYSTEM")?;
        let system = SYSTEMS.iter().find(|(name, _)| *name == named.text).map(|(_, system)| *system);
        let system = system.ok_or_else(|| (named.line, Refusal::System(Culprit::new(&named.text))))?;
        let frequency = self.parse("FREQUENCY", |text| {
            let number = text.parse().ok()?;
            if system.is_satellite() { dvb::satellite_kilohertz(number) } else { dvb::hertz(number) }
        })?;
        let tuning = Tuning {
            modulation: self.optional("MODULATION", modulation)?.unwrap_or(Modulation::Auto),
            // The scan writes 0 for signals that have one stream alone, and -1 for those it does not know of.
            stream: self.number("STREAM_ID").filter(|id| *id != u32::MAX),
            ..Tuning::new(system, frequency)
        };
        let needs_rate = matches!(system, System::DvbS | System::DvbS2 | System::DvbC | System::DvbCAnnexC);
        let rate = || self.parse("SYMBOL_RATE", |text| text.parse().ok().filter(|rate| *rate != 0));
        let symbol_rate = if needs_rate { Some(rate()?) } else { self.number("SYMBOL_RATE") };
        if system.is_satellite() {
            let polarisation = match system {
                System::IsdbS => None,
                _ => Some(self.parse("POLARIZATION", polarisation)?),
            };
            return Ok(Tuning { symbol_rate, polarisation, ..tuning });
        }
        if system.is_cable() {
            return Ok(Tuning { symbol_rate, ..tuning });
        }
        Ok(Tuning { bandwidth: self.number("BANDWIDTH_HZ"), ..tuning })
    }

    /// A number above 0, where there is one.
    fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.text.parse().ok().filter(|n| *n != 0)
    }
}

/// libdvbv5's names.
const SYSTEMS: [(&str, System); 20] = [
    ("DVBS", System::DvbS),
    ("DVBS2", System::DvbS2),
    ("DVBT", System::DvbT),
    ("DVBT2", System::DvbT2),
    ("DVBH", System::DvbH),
    ("DVBC", System::DvbC),
    ("DVBC/ANNEX_A", System::DvbC),
    ("DVBC_ANNEX_A", System::DvbC),
    ("DVBC/ANNEX_B", System::DvbCAnnexB),
    ("DVBC/ANNEX_C", System::DvbCAnnexC),
    ("DVBC2", System::DvbC2),
    ("ISDBT", System::IsdbT),
    ("ISDBS", System::IsdbS),
    ("ISDBC", System::IsdbC),
    ("ATSC", System::Atsc),
    ("ATSCMH", System::AtscMh),
    ("DTMB", System::Dtmb),
    ("CMMB", System::Cmmb),
    ("DSS", System::Dss),
    ("TURBO", System::Turbo),
];

fn polarisation(text: &str) -> Option<Polarisation> {
    Some(match text {
        "HORIZONTAL" => Polarisation::Horizontal,
        "VERTICAL" => Polarisation::Vertical,
        "LEFT" => Polarisation::CircularLeft,
        "RIGHT" => Polarisation::CircularRight,
        _ => return None,
    })
}

fn modulation(text: &str) -> Option<Modulation> {
    Some(match text {
        "QAM/AUTO" | "AUTO" => Modulation::Auto,
        "QPSK" => Modulation::Qpsk,
        "PSK/8" => Modulation::Psk8,
        "APSK/16" => Modulation::Apsk16,
        "APSK/32" => Modulation::Apsk32,
        "QAM/16" => Modulation::Qam16,
        "QAM/32" => Modulation::Qam32,
        "QAM/64" => Modulation::Qam64,
        "QAM/128" => Modulation::Qam128,
        "QAM/256" => Modulation::Qam256,
        "DQPSK" => Modulation::Dqpsk,
        "QAM/4_NR" => Modulation::Qam4Nr,
        "VSB/8" => Modulation::Vsb8,
        "VSB/16" => Modulation::Vsb16,
        _ => return None,
    })
}
