//! The channel table on flash: postcard, one value behind the other.
//!
//! ```text
//!   format u8 = 1 | sources: u16, str each | entries: u16, Entry each
//! ```

use serde::de::Deserialize;

use super::Entry;
use crate::board;
use crate::ts::psi::Codec;

/// What this program writes and reads.
const FORMAT: u8 = 1;
/// The oldest format that is read, and the newest.
pub const FORMATS: (u8, u8) = (FORMAT, FORMAT);
/// Bytes of the longest entry or source.
const LONGEST: usize = 2048;

/// Why a record is not the channel table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It is of a format this program does not know.
    Format(u8),
    /// It ends early or holds what cannot be.
    Damaged,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Format(format) => write!(f, "format {format} is not known here"),
            Self::Damaged => f.write_str("damaged"),
        }
    }
}

/// The table as bytes.
pub(super) fn write(sources: &[String], entries: &[Entry]) -> Vec<u8> {
    let mut record = Vec::new();
    let mut buffer = [0; LONGEST];
    put(&mut record, &FORMAT, &mut buffer);
    // Indices into `sources` and the numbers of entries are u16, so both counts are too.
    put(&mut record, &u16::try_from(sources.len()).unwrap_or(u16::MAX), &mut buffer);
    sources.iter().for_each(|s| put(&mut record, &s.as_str(), &mut buffer));
    put(&mut record, &u16::try_from(entries.len()).unwrap_or(u16::MAX), &mut buffer);
    for entry in entries {
        // The format's first program does not know this codec, and would take the whole record for damaged. Its mux, or
        // the PMT that is kept, says what is left out here.
        if entry.components.iter().any(|c| c.codec == Codec::Pcm) {
            let mut known = entry.clone();
            known.components.retain(|c| c.codec != Codec::Pcm);
            put(&mut record, &known, &mut buffer);
        } else {
            put(&mut record, entry, &mut buffer);
        }
    }
    record
}

fn put<T: serde::Serialize>(record: &mut Vec<u8>, value: &T, buffer: &mut [u8]) {
    // A source URL longer than the buffer is refused by the configuration; everything else is shorter by its type.
    if let Ok(bytes) = postcard::to_slice(value, buffer) {
        record.extend_from_slice(bytes);
    }
}

/// The sources and entries of a record; none of an empty one.
pub(super) fn read(record: &[u8]) -> Result<(Vec<String>, Vec<Entry>), RecordError> {
    let mut entries = Vec::with_capacity(board::CHANNELS);
    if record.is_empty() {
        return Ok((Vec::new(), entries));
    }
    let mut rest = record;
    let format: u8 = take(&mut rest)?;
    if format != FORMAT {
        return Err(RecordError::Format(format));
    }
    let mut sources = Vec::new();
    for _ in 0..take::<u16>(&mut rest)? {
        sources.push(take::<&str>(&mut rest)?.to_owned());
    }
    for _ in 0..take::<u16>(&mut rest)? {
        let entry: Entry = take(&mut rest)?;
        if entries.len() < board::CHANNELS {
            entries.push(entry); // a record of a larger board loses its end
        }
    }
    let ordered = entries.windows(2).all(|pair| pair[0].number < pair[1].number);
    if rest.is_empty() && ordered { Ok((sources, entries)) } else { Err(RecordError::Damaged) }
}

fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, RecordError> {
    let (value, after) = postcard::take_from_bytes(rest).map_err(|_| RecordError::Damaged)?;
    *rest = after;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::ComponentEntry;
    use super::*;
    use crate::ts::service_info::{Name, ServiceKind, ServiceTriple};

    fn entry(number: u16) -> Entry {
        Entry {
            number,
            name: Name::new("综合频道 One"),
            provider: Name::new("Démo"),
            kind: ServiceKind::Radio,
            service: ServiceTriple { original_network_id: 1, transport_stream_id: 2, service_id: number },
            source: 0,
            pcr_pid: 0x101,
            components: [ComponentEntry { pid: 5, stream_type: 0x1b, codec: Codec::H264, language: None }]
                .into_iter()
                .collect(),
            scrambled: true,
            pmt: heapless::Vec::from_slice(&[2, 0xb0]).unwrap(),
            present: false,
            misses: 0,
            is_new: false,
            lcn: None,
            rate: None,
            guide: crate::ts::event::Guide::default(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (sources, entries) = (vec!["file:a?loop".to_owned()], vec![entry(1), entry(7)]);
        let record = write(&sources, &entries);
        assert_eq!(read(&record), Ok((sources, entries)));
        assert_eq!(read(&[]).map(|(s, e)| s.len() + e.len()), Ok(0));
    }

    #[test]
    fn a_program_before_this_one_reads_it() {
        let mut listed = entry(1);
        let pcm = ComponentEntry { pid: 6, stream_type: 6, codec: Codec::Pcm, language: None };
        listed.components.push(pcm).unwrap();
        assert_eq!(read(&write(&[], &[listed])), Ok((Vec::new(), vec![entry(1)])));
    }

    #[test]
    fn damage_is_said_not_guessed_around() {
        let record = write(&[], &[entry(1), entry(7)]);
        for end in 1..record.len() {
            assert_eq!(read(&record[..end]).err(), Some(RecordError::Damaged), "{end}");
        }
        assert_eq!(read(&[9, 0]).err(), Some(RecordError::Format(9)));
        assert_eq!(read(&write(&[], &[entry(7), entry(1)])).err(), Some(RecordError::Damaged));
        assert_eq!(read(&[record, vec![0]].concat()).err(), Some(RecordError::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = read(&bytes);
        }
    }
}
