//! A scan on flash: postcard, one value behind the other.
//!
//! ```text
//!   format u8 = 1 | phase u8 | resumed u8 | Found | missing: u16, Missing each | stops: u16, Stop each
//! ```

use serde::Serialize;
use serde::de::Deserialize;

use super::plan::{Found, Outcome, STOPS, Stop};
use crate::board;
use crate::channel::Missing;

/// What this program writes and reads.
pub(super) const FORMAT: u8 = 1;
/// Bytes of the longest value.
const LONGEST: usize = 64;

/// What is kept of a scan.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Kept {
    /// What it does, by its number.
    pub(super) phase: u8,
    /// Times in a row that it was gone on with after a start, and no place was done.
    pub(super) resumed: u8,
    pub(super) found: Found,
    /// Services that scans missed.
    pub(super) missing: Vec<Missing>,
    pub(super) stops: Vec<Stop>,
}

impl Kept {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut record = Vec::new();
        put(&mut record, &(FORMAT, self.phase, self.resumed, self.found));
        put(&mut record, &u16::try_from(self.missing.len()).unwrap_or(u16::MAX));
        self.missing.iter().for_each(|missing| put(&mut record, missing));
        put(&mut record, &u16::try_from(self.stops.len()).unwrap_or(u16::MAX));
        self.stops.iter().for_each(|stop| put(&mut record, stop));
        record
    }

    /// `None`: it is damaged, or of another format.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        let mut rest = record;
        let (format, phase, resumed, found) = take::<(u8, u8, u8, Found)>(&mut rest)?;
        if format != FORMAT {
            return None;
        }
        let mut kept = Self { phase, resumed, found, ..Self::default() };
        for _ in 0..take::<u16>(&mut rest)? {
            let missing = take(&mut rest)?;
            if kept.missing.len() < board::CHANNELS {
                kept.missing.push(missing); // a record of a larger board loses its end
            }
        }
        for _ in 0..take::<u16>(&mut rest)? {
            let stop: Stop = take(&mut rest)?;
            if kept.stops.len() < STOPS && (stop.tuning.is_possible() || stop.outcome != Outcome::Open) {
                kept.stops.push(stop);
            }
        }
        rest.is_empty().then_some(kept)
    }
}

fn put<T: Serialize>(record: &mut Vec<u8>, value: &T) {
    let mut buffer = [0; LONGEST];
    if let Ok(bytes) = postcard::to_slice(value, &mut buffer) {
        record.extend_from_slice(bytes);
    }
}

fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Option<T> {
    let (value, after) = postcard::take_from_bytes(rest).ok()?;
    *rest = after;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::super::plan::{By, Plan};
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_noticed() {
        let mut plan = Plan::new();
        let longest =
            "dvb-s2:50000000R?bw=4294967295&sr=4294967295&mod=16vsb&fec=1/3&stream=4294967295&sat=179.9W";
        plan.add(longest.parse().unwrap(), By::Network((u16::MAX, u16::MAX)));
        plan.add("dvb-t:474000000".parse().unwrap(), By::Raster);
        let found = Found { muxes: u16::MAX, tv: u16::MAX, radio: u16::MAX, other: u16::MAX };
        let stops = plan.stops().to_vec();
        let kept = Kept { phase: 1, resumed: 2, found, missing: Vec::new(), stops };
        let record = kept.write();
        assert_eq!(Kept::read(&record), Some(kept));
        for end in 0..record.len() {
            assert_eq!(Kept::read(&record[..end]), None, "{end}");
        }
        assert_eq!(Kept::read(&[&[9], &record[1..]].concat()), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = Kept::read(&bytes);
            let _ = Kept::read(&[&[FORMAT][..], &bytes].concat());
        }
    }
}
