//! VDR's `channels.conf` (vdr(5)).
//!
//! ```text
//!   :Group   :@100 Group   :@100
//!   name,short;provider:frequency:parameters:source:rate:VPID:APID:TPID:CAID:SID:NID:TID:RID
//! ```
//!
//! The number of a channel is its place among the channels, or what a `:@` line before it says.

use super::dvb::{self, DvbService, Triple};
use super::lines::Line;
use super::{Culprit, Import, Imported, ImportedSource, Refusal, service_name};
use crate::delivery::{Modulation, Polarisation, Position, System, Tuning};
use crate::ts::service_info::{Name, ServiceKind};

/// Fields of the shortest line: without the radio id.
pub(super) const FIELDS_LEAST: usize = 12;

/// Reads a list.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut group = Name::default();
    let mut next = 1;
    for line in lines.filter(|l| !l.text.is_empty() && !l.text.starts_with('#')) {
        if let Some(head) = line.text.strip_prefix(':') {
            let name = renumber(line.number, head, &mut next, import);
            if !name.is_empty() {
                group = Name::new(name);
            }
            continue;
        }
        match channel(&line.text) {
            Ok(entry) => {
                // The list may be longer than there are numbers; its end goes without.
                let number = u16::try_from(next).ok();
                import.add(line.number, Imported { number, group: group.clone(), ..entry });
            }
            Err(why) => import.refuse(line.number, why),
        }
        next += 1; // a channel that is refused has its number all the same
    }
}

/// Takes the number of a group line; its name is the rest.
fn renumber<'a>(line: usize, head: &'a str, next: &mut u32, import: &mut Import) -> &'a str {
    let Some(numbered) = head.strip_prefix('@') else { return head };
    let (number, name) = numbered.split_once(' ').unwrap_or((numbered, ""));
    if let Some(number) = import.number(line, number).map(u32::from) {
        // vdr(5): it "must be larger than the number of any previous channel (otherwise it is silently ignored)".
        *next = number.max(*next);
    }
    name
}

fn channel(text: &str) -> Result<Imported, Refusal> {
    let fields: Vec<&str> = text.splitn(FIELDS_LEAST + 2, ':').collect();
    let [names, frequency, parameters, source, rate, vpid, apid, _, _, sid, nid, tid, ..] = fields[..] else {
        return Err(Refusal::Line(Culprit::new(text)));
    };
    let (names, provider) = names.split_once(';').unwrap_or((names, ""));
    let name = names.split(',').next().unwrap_or(names).replace('|', ":");
    let parameters = Parameters::of(parameters)?;
    let tuning = tuning(frequency, &parameters, source, rate)?;
    let id = |what, text: &str| text.parse::<u16>().map_err(|_| Refusal::Value(what, Culprit::new(text)));
    let service_id = id("service id", sid)?;
    if service_id == 0 {
        return Err(Refusal::Value("service id", Culprit::new(sid)));
    }
    // 0 stands for what the file does not know.
    let network = Some(id("network id", nid)?).filter(|n| *n != 0);
    let stream = id("transport stream id", tid)?;
    let service = Triple {
        original_network_id: network,
        transport_stream_id: (network.is_some() || stream != 0).then_some(stream),
        service_id,
    };
    Ok(Imported {
        number: None,
        name: service_name(&name, service),
        provider: Name::new(&provider.replace('|', ":")),
        kind: kind(vpid, apid),
        source: ImportedSource::Dvb(DvbService { service, tuning }),
        group: Name::default(),
    })
}

/// A picture makes television; PID 1 stands for an encrypted radio channel's.
fn kind(vpid: &str, apid: &str) -> ServiceKind {
    let has = |pid: &str| pid.starts_with(|c: char| matches!(c, '1'..='9'));
    if has(vpid) && vpid != "1" {
        ServiceKind::Television
    } else if has(apid) || vpid == "1" {
        ServiceKind::Radio
    } else {
        ServiceKind::Data
    }
}

fn tuning(frequency: &str, has: &Parameters, source: &str, rate: &str) -> Result<Tuning, Refusal> {
    let impossible = |what, text: &str| Refusal::Value(what, Culprit::new(text));
    let unit = scaled(frequency).ok_or_else(|| impossible("frequency", frequency))?;
    let symbol_rate = || {
        let rate_in_thousands = rate.parse::<u32>().ok().filter(|r| *r != 0);
        rate_in_thousands.and_then(|r| r.checked_mul(1000)).ok_or_else(|| impossible("symbol rate", rate))
    };
    let hertz = || dvb::hertz(unit).ok_or_else(|| impossible("frequency", frequency));
    let system = |first, second| if has.is_second { second } else { first };
    let sent = |system, frequency| Tuning { modulation: has.modulation, ..Tuning::new(system, frequency) };
    match source.split_at_checked(1) {
        Some(("S", place)) => {
            let kilohertz =
                dvb::satellite_kilohertz(unit).ok_or_else(|| impossible("frequency", frequency))?;
            Ok(Tuning {
                symbol_rate: Some(symbol_rate()?),
                polarisation: Some(has.polarisation.ok_or_else(|| impossible("polarisation", ""))?),
                position: Some(position(place).ok_or_else(|| impossible("source", source))?),
                stream: has.stream,
                ..sent(system(System::DvbS, System::DvbS2), kilohertz)
            })
        }
        Some(("T", _)) => Ok(Tuning {
            bandwidth: has.bandwidth,
            stream: has.stream,
            ..sent(system(System::DvbT, System::DvbT2), hertz()?)
        }),
        Some(("C", _)) => Ok(Tuning { symbol_rate: Some(symbol_rate()?), ..sent(System::DvbC, hertz()?) }),
        _ => Err(Refusal::System(Culprit::new(source))),
    }
}

/// A frequency in MHz, kHz or Hz: vdr(5) has it "multiplied by 1000 until it is larger than 1000000". That makes kHz
/// of a satellite's and Hz of the others.
fn scaled(text: &str) -> Option<u32> {
    let mut frequency = text.parse::<u32>().ok().filter(|f| *f != 0)?;
    while frequency <= 1_000_000 {
        frequency *= 1000;
    }
    Some(frequency)
}

/// `19.2E`, `5W`.
fn position(text: &str) -> Option<Position> {
    let (degrees, side) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (whole, tenth) = degrees.split_once('.').unwrap_or((degrees, "0"));
    let tenth: u8 = tenth.parse().ok().filter(|t| *t < 10)?;
    let tenths = i32::from(whole.parse::<u8>().ok()?) * 10 + i32::from(tenth);
    match side {
        "E" => Position::east(tenths),
        "W" => Position::east(-tenths),
        _ => None,
    }
}

/// The parameters: letters, most with a number behind.
struct Parameters {
    polarisation: Option<Polarisation>,
    modulation: Modulation,
    /// The second generation of its system.
    is_second: bool,
    bandwidth: Option<u32>,
    stream: Option<u32>,
}

impl Parameters {
    fn of(text: &str) -> Result<Self, Refusal> {
        let mut read = Self {
            polarisation: None,
            modulation: Modulation::Auto,
            is_second: false,
            bandwidth: None,
            stream: None,
        };
        let mut rest = text.trim();
        while let Some(letter) = rest.chars().next() {
            let after = rest.get(letter.len_utf8()..).unwrap_or("");
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (value, behind) = after.split_at_checked(end).unwrap_or((after, ""));
            read.set(letter, value).ok_or_else(|| Refusal::Value("parameter", Culprit::new(rest)))?;
            rest = behind;
        }
        Ok(read)
    }

    fn set(&mut self, letter: char, value: &str) -> Option<()> {
        match (letter.to_ascii_uppercase(), value) {
            ('H', _) => self.polarisation = Some(Polarisation::Horizontal),
            ('V', _) => self.polarisation = Some(Polarisation::Vertical),
            ('L', _) => self.polarisation = Some(Polarisation::CircularLeft),
            ('R', _) => self.polarisation = Some(Polarisation::CircularRight),
            ('S', "0") => self.is_second = false,
            ('S', "1") => self.is_second = true,
            ('M', _) => self.modulation = modulation(value)?,
            ('P', _) => self.stream = Some(value.parse::<u8>().ok()?.into()),
            ('B', "1712") => self.bandwidth = Some(1_712_000),
            ('B', _) => self.bandwidth = value.parse::<u8>().ok().map(|mhz| u32::from(mhz) * 1_000_000),
            ('A'..='Z', _) => {} // what a demodulator finds by itself
            _ => return None,
        }
        Some(())
    }
}

fn modulation(value: &str) -> Option<Modulation> {
    Some(match value {
        "0" | "998" | "999" => Modulation::Auto,
        "2" => Modulation::Qpsk,
        "5" => Modulation::Psk8,
        "6" => Modulation::Apsk16,
        "7" => Modulation::Apsk32,
        "16" => Modulation::Qam16,
        "32" => Modulation::Qam32,
        "64" => Modulation::Qam64,
        "128" => Modulation::Qam128,
        "256" => Modulation::Qam256,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Rules};
    use super::*;

    static LIST: &[u8] = b":Public\n\
        RTL Television,RTL;RTL World:12187:hC34M2O0S0:S19.2E:27500:163=2:104=deu;106=deu:105:0:12003:1:1089:0\n\
        Das Erste HD;ARD:11493750:HC23M5O35P3S1:S0.8W:22000:0:5102:0:0:10301:1:1019:0\n\
        :@100 Land|s\n\
        Das Erste|Nord:522:B8C23M16P1S1T8:T:27500:0:0:0:0:14:0:0:0\n\
        :@20\n\
        S\xe9rie:402000:C0M64:C:6900:2401:2402:2404:0:28225:1:1073\n\
        IPTV:10:S=0|P=0|F=HTTP|U=host|A=80:I:0:1:2:3:0:1:1:1:0\n\
        \n\
        Old:12188:h:1:27500:163:104:0:12003\n\
        Bad:522:B8:T:0:1:2:3:0:0:1:1:0\n\
        Last:522:B8:T:0:1:2:3:0:7:1:1:0\n";

    #[test]
    fn a_list_as_the_manual_has_it() {
        let mut import = Import::new(Rules { interface: None, capacity: 100 });
        let refused = import.read(LIST).unwrap();
        let entries = import.entries();
        let rows: Vec<_> =
            entries.iter().map(|e| (e.number, e.name.as_str(), e.group.as_str(), e.kind)).collect();
        assert_eq!(
            rows,
            [
                (Some(1), "RTL Television", "Public", ServiceKind::Television),
                (Some(2), "Das Erste HD", "Public", ServiceKind::Radio),
                (Some(100), "Das Erste:Nord", "Land|s", ServiceKind::Data),
                (Some(101), "Série", "Land|s", ServiceKind::Television),
                (Some(105), "Last", "Land|s", ServiceKind::Radio),
            ]
        );
        assert_eq!(entries[0].provider.as_str(), "RTL World");
        let first = "dvb-s:12187000H?sr=27500000&mod=qpsk&sat=19.2E".parse().unwrap();
        let service =
            Triple { original_network_id: Some(1), transport_stream_id: Some(1089), service_id: 12003 };
        assert_eq!(entries[0].source, ImportedSource::Dvb(DvbService { service, tuning: first }));
        let ImportedSource::Dvb(third) = &entries[2].source else { panic!() };
        let unknown = Triple { original_network_id: None, transport_stream_id: None, service_id: 14 };
        let terrestrial = "dvb-t2:522000000?bw=8000000&mod=qam16&stream=1";
        assert_eq!((third.tuning.to_string().as_str(), third.service), (terrestrial, unknown));
        let kept = refused.kept();
        assert_eq!(kept.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [8, 10, 11]);
        assert_eq!(kept[1].1, Refusal::Line(Culprit::new("Old:12188:h:1:27500:163:104:0:12003")));
        assert_eq!(kept[2].1, Refusal::Value("service id", Culprit::new("0")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, why) in [
            ("A:12187:M2:S19.2E:27500:1:2:3:0:7:1:1:0", "polarisation is missing"),
            ("A:12187:HM3:S19.2E:27500:1:2:3:0:7:1:1:0", "parameter 'M3' is impossible"),
            ("A:12187:H:S19.2N:27500:1:2:3:0:7:1:1:0", "source 'S19.2N' is impossible"),
            ("A:0:H:S19.2E:27500:1:2:3:0:7:1:1:0", "frequency '0' is impossible"),
            ("A:12187:H:S19.2E:0:1:2:3:0:7:1:1:0", "symbol rate '0' is impossible"),
            ("A:1515000:H:S19.2E:27500:1:2:3:0:7:1:1:0", "frequency '1515000' is impossible"),
            ("A:522:B8:V:0:1:2:3:0:7:1:1:0", "'V' is a delivery system not known here"),
        ] {
            let mut import = Import::new(Rules { interface: None, capacity: 1 });
            let refused = import.read_as(Format::Vdr, line.as_bytes()).unwrap();
            let said: Vec<_> = refused.kept().iter().map(|(line, why)| (*line, why.to_string())).collect();
            assert_eq!(said, [(1, why.to_owned())]);
        }
    }
}
