//! The terminals on flash: postcard, one value behind the other.
//!
//! ```text
//!   format u8 | floor u64 | generation u16, 32 times | terminals: u8, Terminal each
//!   Terminal, format 1: slot u8 | name str | role u8 | guest Option<GuestTerms> | key 32 bytes
//!             format 2: the same, and: paired Option<u64>
//! ```
//!
//! `floor` is the latest time of day that was trusted: time never goes back below it. A program reads its own format
//! and the one before; it writes the one before until it was told that it stays (`stbcastd commit`), so that the
//! program before it, put back in place, finds all terminals.

use heapless::String;
use serde::{Deserialize, Serialize};

use super::terminals::{GuestTerms, NAME_BYTES, SLOTS, Slot, Terminal, TerminalName, Terminals};
use crate::handshake::{Role, TerminalKey};

/// The newest format.
pub(super) const FORMAT: u8 = 2;
/// The format that the program before this one reads.
pub(super) const FORMAT_BEFORE: u8 = 1;
/// The oldest format of the terminals that is read, and the newest.
pub const TERMINALS_FORMATS: (u8, u8) = (FORMAT_BEFORE, FORMAT);
/// Bytes of the longest record: 32 terminals of at most 232 bytes, with what stands before them.
pub(super) const RECORD_MAX: usize = 8192;

/// Why a record is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It is of a newer program.
    Newer(u8),
    /// It ends early or holds what cannot be.
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Line {
    slot: u8,
    name: String<NAME_BYTES>,
    role: u8,
    guest: Option<GuestTerms>,
    key: [u8; 32],
}

/// The table as bytes, in `format`.
pub(super) fn write(terminals: &Terminals, floor: u64, format: u8) -> Vec<u8> {
    let mut record = vec![0; RECORD_MAX];
    let mut at = 0;
    put(&mut record, &mut at, &(format, floor));
    for slot in &terminals.slots {
        put(&mut record, &mut at, &slot.generation);
    }
    put(&mut record, &mut at, &u8::try_from(terminals.all().count()).unwrap_or(u8::MAX));
    for (slot, _, terminal) in terminals.all() {
        let name = String::try_from(terminal.name.as_str()).unwrap_or_default();
        let (role, guest) = (terminal.role.number(), terminal.guest.clone());
        put(&mut record, &mut at, &Line { slot, name, role, guest, key: *terminal.key.as_bytes() });
        if format >= 2 {
            put(&mut record, &mut at, &terminal.paired);
        }
    }
    record.truncate(at);
    record
}

fn put<T: Serialize>(record: &mut [u8], at: &mut usize, value: &T) {
    // RECORD_MAX holds a full table of longest values; a test fills one.
    *at += postcard::to_slice(value, &mut record[*at..]).map_or(0, |bytes| bytes.len());
}

/// The table and the floor of a record.
pub(super) fn read(record: &[u8]) -> Result<(Terminals, u64), RecordError> {
    let mut rest = record;
    let format: u8 = take(&mut rest)?;
    if format > FORMAT {
        return Err(RecordError::Newer(format));
    }
    if format < FORMAT_BEFORE {
        return Err(RecordError::Damaged);
    }
    let floor = take(&mut rest)?;
    let mut terminals = Terminals::default();
    for slot in &mut terminals.slots {
        slot.generation = take(&mut rest)?;
    }
    for _ in 0..take::<u8>(&mut rest)? {
        let line: Line = take(&mut rest)?;
        let paired = if format >= 2 { take(&mut rest)? } else { None };
        let free = |slot: &&mut Slot| slot.terminal.is_none();
        let slot =
            terminals.slots.get_mut(usize::from(line.slot)).filter(free).ok_or(RecordError::Damaged)?;
        slot.terminal = Some(terminal(line, paired)?);
    }
    if rest.is_empty() { Ok((terminals, floor)) } else { Err(RecordError::Damaged) }
}

fn terminal(line: Line, paired: Option<u64>) -> Result<Terminal, RecordError> {
    let role = Role::from_number(line.role).ok_or(RecordError::Damaged)?;
    // A guest without an end would be one for ever.
    if (role == Role::Guest) != line.guest.is_some() {
        return Err(RecordError::Damaged);
    }
    let name = TerminalName::new(&line.name).ok_or(RecordError::Damaged)?;
    Ok(Terminal { name, role, guest: line.guest, paired, key: TerminalKey::new(line.key) })
}

fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, RecordError> {
    let (value, after) = postcard::take_from_bytes(rest).map_err(|_| RecordError::Damaged)?;
    *rest = after;
    Ok(value)
}

const _: () = assert!(SLOTS <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::terminals::tests::enrolment;
    use super::*;

    fn full() -> Terminals {
        let mut terminals = Terminals::default();
        for i in 0..SLOTS {
            let mut new = enrolment(&"好".repeat(32), if i == 0 { Role::Owner } else { Role::Guest });
            if let Some(guest) = &mut new.guest {
                guest.until = u64::MAX;
                guest.channels.extend([u16::MAX; 16]);
            }
            terminals.enrol(new, Some(Duration::from_secs(u64::MAX)));
            terminals.slots[i].generation = u16::MAX;
        }
        terminals
    }

    fn shown(terminals: &Terminals) -> String<{ 32 * 1024 }> {
        let mut text = String::new();
        for (slot, generation, t) in terminals.all() {
            let line = format!(
                "{slot} {generation} {:?} {:?} {:?} {:?}\n",
                t.name,
                t.role,
                t.guest,
                t.key.as_bytes()
            );
            text.push_str(&line).unwrap();
        }
        text
    }

    #[test]
    fn a_full_table_is_written_and_read_in_both_formats() {
        for format in [FORMAT_BEFORE, FORMAT] {
            let record = write(&full(), u64::MAX, format);
            assert!(record.len() < RECORD_MAX, "{}", record.len());
            let (terminals, floor) = read(&record).unwrap();
            assert_eq!((shown(&terminals), floor), (shown(&full()), u64::MAX));
            let paired = terminals.get(3).unwrap().1.paired;
            assert_eq!(paired, (format == FORMAT).then_some(u64::MAX), "the old format has no such field");
        }
    }

    #[test]
    fn damage_and_newer_formats_are_said() {
        let record = write(&full(), 1, FORMAT);
        for end in 0..record.len() {
            assert_eq!(read(&record[..end]).err(), Some(RecordError::Damaged), "{end}");
        }
        assert_eq!(read(&[record, vec![0]].concat()).err(), Some(RecordError::Damaged));
        assert_eq!(read(&[3, 1, 2]).err(), Some(RecordError::Newer(3)));
        assert_eq!(read(&[0, 1, 2]).err(), Some(RecordError::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(
            format in 0..4_u8,
            rest in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
        ) {
            let _ = read(&[vec![format], rest].concat());
        }
    }
}
