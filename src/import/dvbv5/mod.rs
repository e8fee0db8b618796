//! libdvbv5's channel files, as `dvbv5-scan` writes them: `[Name]`, then `KEY = value` lines.
//!
//! Frequencies are in kHz for satellites and in Hz for all else. Orbital positions are not in the file: its
//! `SAT_NUMBER` is a switch's input.

use super::dvb::{self, Delivery, DvbService, Generation, Modulation, Polarisation, Triple};
use super::lines::Line;
use super::{Culprit, Import, Imported, ImportedSource, Refusal, service_name};
use crate::ts::service_info::{Name, ServiceKind};

#[cfg(test)]
mod tests;

/// Reads a list.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut section: Option<Section> = None;
    for line in lines {
        let text = line.text.trim();
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            finish(section.replace(Section::new(line.number, name)), import);
        } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
            match &mut section {
                Some(section) => section.set(line.number, key.trim(), value.trim()),
                None => import.refuse(line.number, Refusal::Line(Culprit::new(text))),
            }
        } else if !text.is_empty() && !text.starts_with('#') {
            import.refuse(line.number, Refusal::Line(Culprit::new(text)));
        }
    }
    finish(section, import);
}

fn finish(section: Option<Section>, import: &mut Import) {
    let Some(section) = section else { return };
    let number = section.get("VCHANNEL").filter(|v| !v.text.is_empty());
    match section.entry() {
        Ok(entry) => {
            let number = number.and_then(|value| import.number(value.line, &value.text));
            import.add(section.line, Imported { number, ..entry });
        }
        Err((line, why)) => import.refuse(line, why),
    }
}

/// A channel being read.
struct Section {
    line: usize,
    name: String,
    values: [Option<Value>; KEYS.len()],
}

#[derive(Clone)]
struct Value {
    line: usize,
    text: String,
}

/// A refusal and its line.
type Refused = (usize, Refusal);

/// What is read of a channel; all other keys are what a demodulator finds by itself.
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
    fn new(line: usize, name: &str) -> Self {
        Self { line, name: name.into(), values: [const { None }; KEYS.len()] }
    }

    fn set(&mut self, line: usize, key: &str, text: &str) {
        let places = KEYS.iter().zip(&mut self.values);
        for (_, value) in places.filter(|(known, _)| **known == key) {
            *value = Some(Value { line, text: text.into() });
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        KEYS.iter().zip(&self.values).find(|(known, _)| **known == key)?.1.as_ref()
    }

    fn need(&self, key: &'static str) -> Result<&Value, Refused> {
        self.get(key).ok_or_else(|| (self.line, Refusal::Value(key, Culprit::default())))
    }

    /// The value of `key` as `read` understands it.
    fn parse<T>(&self, key: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, Refused> {
        let value = self.need(key)?;
        read(&value.text).ok_or_else(|| (value.line, Refusal::Value(key, Culprit::new(&value.text))))
    }

    /// The same, of a key that may be left out.
    fn optional<T>(&self, key: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refused> {
        if self.get(key).is_some() { self.parse(key, read).map(Some) } else { Ok(None) }
    }

    fn entry(&self) -> Result<Imported, Refused> {
        let id = |text: &str| text.parse::<u16>().ok();
        let service = Triple {
            original_network_id: self.optional("NETWORK_ID", id)?.filter(|n| *n != 0),
            transport_stream_id: self.optional("TRANSPORT_ID", id)?,
            service_id: self.parse("SERVICE_ID", |text| id(text).filter(|sid| *sid != 0))?,
        };
        let has = |key| self.get(key).is_some_and(|v| v.text != "0");
        let kind = match (has("VIDEO_PID"), has("AUDIO_PID")) {
            (true, _) => ServiceKind::Television,
            (false, true) => ServiceKind::Radio,
            (false, false) => ServiceKind::Data,
        };
        Ok(Imported {
            number: None,
            name: service_name(&self.name, service),
            provider: Name::default(),
            kind,
            source: ImportedSource::Dvb(DvbService { service, delivery: self.delivery()? }),
            group: Name::default(),
        })
    }

    fn delivery(&self) -> Result<Delivery, Refused> {
        let system = self.need("DELIVERY_SYSTEM")?;
        match system.text.as_str() {
            "DVBS" => self.satellite(Generation::First),
            "DVBS2" => self.satellite(Generation::Second),
            "DVBT" => self.terrestrial(Generation::First),
            "DVBT2" => self.terrestrial(Generation::Second),
            "DVBC" | "DVBC/ANNEX_A" | "DVBC_ANNEX_A" => Ok(Delivery::Cable {
                hertz: self.hertz()?,
                symbol_rate: self.symbol_rate()?,
                modulation: self.modulation()?,
            }),
            other => Err((system.line, Refusal::System(Culprit::new(other)))),
        }
    }

    fn satellite(&self, generation: Generation) -> Result<Delivery, Refused> {
        Ok(Delivery::Satellite {
            generation,
            kilohertz: self.parse("FREQUENCY", |text| dvb::satellite_kilohertz(text.parse().ok()?))?,
            symbol_rate: self.symbol_rate()?,
            polarisation: self.parse("POLARIZATION", polarisation)?,
            modulation: self.modulation()?,
            position: None,
            stream: self.stream(),
        })
    }

    fn terrestrial(&self, generation: Generation) -> Result<Delivery, Refused> {
        let bandwidth = self.get("BANDWIDTH_HZ").and_then(|v| v.text.parse().ok());
        Ok(Delivery::Terrestrial {
            generation,
            hertz: self.hertz()?,
            bandwidth: bandwidth.filter(|hertz| *hertz != 0),
            modulation: self.modulation()?,
            stream: self.stream(),
        })
    }

    fn hertz(&self) -> Result<u32, Refused> {
        self.parse("FREQUENCY", |text| dvb::hertz(text.parse().ok()?))
    }

    fn symbol_rate(&self) -> Result<u32, Refused> {
        self.parse("SYMBOL_RATE", |text| text.parse().ok().filter(|rate| *rate != 0))
    }

    fn modulation(&self) -> Result<Modulation, Refused> {
        Ok(self.optional("MODULATION", modulation)?.unwrap_or(Modulation::Auto))
    }

    /// The scan writes 0 for signals that have one stream alone.
    fn stream(&self) -> Option<u8> {
        self.get("STREAM_ID")?.text.parse().ok().filter(|id| *id != 0)
    }
}

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
        _ => return None,
    })
}
