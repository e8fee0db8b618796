//! libdvbv5's files: lists of channels, as `dvbv5-scan` writes them, and initial tables, as it reads them.
//!
//! Both are `[Name]`, then `KEY = value` lines. Frequencies are in kHz for satellites and in Hz for all else. Orbital
//! positions are not in the file: its `SAT_NUMBER` is a switch's input.

use super::dvb::{DvbService, Triple};
use super::lines::{Line, lines};
use super::{
    Culprit, Import, ImportError, Imported, ImportedSource, LIST_MAX, Refusal, Refusals, service_name,
};
use crate::delivery::Tuning;
use crate::ts::service_info::{Name, ServiceKind};

mod section;
#[cfg(test)]
mod tests;

use section::{Refused, Section};

/// Reads a list.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, import: &mut Import) {
    let mut refused = Vec::new();
    for section in sections(lines, &mut refused) {
        let number = section.get("VCHANNEL").filter(|v| !v.text.is_empty());
        match entry(&section) {
            Ok(entry) => {
                let number = number.and_then(|value| import.number(value.line, &value.text));
                import.add(section.line, Imported { number, ..entry });
            }
            Err((line, why)) => import.refuse(line, why),
        }
    }
    refused.into_iter().for_each(|(line, why)| import.refuse(line, why));
}

/// Reads an initial table: how the muxes are sent that a scan begins with. Answers what it refused, too.
pub fn initial_table(bytes: &[u8]) -> Result<(Vec<Tuning>, Refusals), ImportError> {
    if bytes.len() > LIST_MAX {
        return Err(ImportError::Large(bytes.len()));
    }
    let (mut tunings, mut refused, mut refusals) = (Vec::new(), Vec::new(), Refusals::default());
    for section in sections(lines(bytes), &mut refused) {
        match section.tuning() {
            Ok(tuning) => tunings.push(tuning),
            Err((line, why)) => refusals.push(line, why),
        }
    }
    refused.into_iter().for_each(|(line, why)| refusals.push(line, why));
    if tunings.is_empty() && refusals.count() == 0 {
        Err(ImportError::Format)
    } else {
        Ok((tunings, refusals))
    }
}

/// The sections of a file; what is no line of one goes to `refused`.
fn sections<'a>(lines: impl Iterator<Item = Line<'a>>, refused: &mut Vec<Refused>) -> Vec<Section> {
    let mut sections = Vec::<Section>::new();
    for line in lines {
        let text = line.text.trim();
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section::new(line.number, name));
        } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
            // A comment may stand behind a value.
            let value = value.split_once(" #").map_or(value, |(value, _)| value);
            match sections.last_mut() {
                Some(section) => section.set(line.number, key.trim(), value.trim()),
                None => refused.push((line.number, Refusal::Line(Culprit::new(text)))),
            }
        } else if !text.is_empty() && !text.starts_with('#') {
            refused.push((line.number, Refusal::Line(Culprit::new(text))));
        }
    }
    sections
}

fn entry(section: &Section) -> Result<Imported, Refused> {
    let id = |text: &str| text.parse::<u16>().ok();
    let service = Triple {
        original_network_id: section.optional("NETWORK_ID", id)?.filter(|n| *n != 0),
        transport_stream_id: section.optional("TRANSPORT_ID", id)?,
        service_id: section.parse("SERVICE_ID", |text| id(text).filter(|sid| *sid != 0))?,
    };
    let has = |key| section.get(key).is_some_and(|v| v.text != "0");
    let kind = match (has("VIDEO_PID"), has("AUDIO_PID")) {
        (true, _) => ServiceKind::Television,
        (false, true) => ServiceKind::Radio,
        (false, false) => ServiceKind::Data,
    };
    Ok(Imported {
        number: None,
        name: service_name(&section.name, service),
        provider: Name::default(),
        kind,
        source: ImportedSource::Dvb(DvbService { service, tuning: section.tuning()? }),
        group: Name::default(),
    })
}
