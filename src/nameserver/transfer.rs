//! Zone transfers in steps: AXFR (RFC 5936) and IXFR (RFC 1995), each message signed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::answer::put_transfer_soa;
use super::changes::{Batch, Changed, Kept, Meanwhile};
use super::records::{self, Data, Place, TTL, put_label};
use super::request::{AA, Request};
use super::tsig::{Key, Mac};
use super::wire::{Full, HEADER, Rcode, Writer, rtype};
use super::{Directory, Nameserver, Now, Published, Zone};

/// Bytes that one record takes at most: names of 255 bytes as owner and in the data, or one full text.
const RECORD_MAX: usize = 1024;
/// Bytes of records that are made ahead before a message is cut from them.
const AHEAD: usize = 16 * 1024;
/// Names of changes or leftovers that one step looks at.
const NAMES_A_STEP: usize = 256;

/// A transfer under way.
pub struct Transfer {
    zone: usize,
    /// The serial that it tells.
    serial: u32,
    /// The answer's header and question.
    head: Vec<u8>,
    key: Key,
    /// Of the request, then of the last message.
    mac: Mac,
    is_first: bool,
    rest: Rest,
    /// Records that were made and not sent, with the length of each.
    made: Vec<u8>,
    lengths: VecDeque<usize>,
}

/// What a transfer has still to make.
enum Rest {
    /// All names of the directory from a cursor on, as they were at the serial.
    Names {
        cursor: u64,
        meanwhile: Rc<RefCell<Meanwhile>>,
    },
    /// Names that are not there any more, and were at the serial.
    Leftovers {
        names: std::vec::IntoIter<(Box<[u8]>, Kept)>,
    },
    /// Changes, from the name on that is given as a number in the first batch: first all that goes, then all that comes.
    Batches {
        batches: VecDeque<Rc<Batch>>,
        name: usize,
        comes: bool,
    },
    /// The SOA that ends it.
    End,
    Nothing,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many bytes are to be sent, and there is more.
    Send(usize),
    /// The last message.
    Last(usize),
    /// It cannot be ended as it was begun: the connection is to be closed, and the secondary comes again.
    BreakOff,
}

/// Begins what `request` asks for; `None`: it is malformed.
pub(super) fn begin<D: Directory>(
    server: &mut Nameserver,
    number: usize,
    request: &Request<'_>,
    signed: (&Key, &[u8]),
    directory: &mut D,
) -> Option<Transfer> {
    server.collect(directory);
    let served = server.zones.get_mut(number)?;
    let mut head = vec![0; HEADER];
    let mut writer = Writer::new(&mut head, 0);
    writer.u16(request.header.id).ok()?;
    writer.u16(request.header.answer_flags() | AA | Rcode::NoError as u16).ok()?;
    writer.u16(1).ok()?;
    head.extend_from_slice(request.message.get(HEADER..request.question.end)?);
    let asked = request.serial.filter(|_| request.question.qtype == rtype::IXFR);
    let batches = asked.and_then(|serial| served.changes.since(serial));
    let rest = match batches {
        // From RFC 1995 §2: who has the newest version gets its SOA alone, which is made below.
        Some(batches) if batches.is_empty() => Rest::Nothing,
        Some(batches) => Rest::Batches { batches: batches.into(), name: 0, comes: false },
        None => Rest::Names { cursor: 0, meanwhile: served.changes.watch() },
    };
    let (key, mac) = (signed.0.clone(), Mac::from_slice(signed.1).ok()?);
    let (made, lengths, serial) = (Vec::new(), VecDeque::new(), served.changes.serial());
    let mut transfer = Transfer { zone: number, serial, head, key, mac, is_first: true, rest, made, lengths };
    transfer.make(|out| put_transfer_soa(&served.zone, serial, out));
    if matches!(transfer.rest, Rest::Names { .. }) {
        transfer.make_settings(&served.zone);
    }
    Some(transfer)
}

impl Nameserver {
    /// Writes the next message of a transfer to `out`. It takes well below a millisecond; between two calls others may be
    /// served.
    pub fn transfer<D: Directory>(
        &mut self,
        now: Now,
        transfer: &mut Transfer,
        directory: &mut D,
        out: &mut [u8],
    ) -> Step {
        self.collect(directory);
        let Some(served) = self.zones.get(transfer.zone) else { return Step::BreakOff };
        let mut steps = 0;
        while transfer.made.len() < AHEAD && !matches!(transfer.rest, Rest::Nothing) {
            // Steps that make no record: names that are told by others, a page of a directory that is nearly empty.
            steps += 1;
            if steps > 4 && !transfer.lengths.is_empty() {
                break;
            }
            if transfer.advance(&served.zone, directory).is_none() {
                return Step::BreakOff;
            }
        }
        transfer.cut(now.utc, out).unwrap_or(Step::BreakOff)
    }
}

impl Transfer {
    /// Makes some more records; `None`: too much changed meanwhile.
    fn advance<D: Directory>(&mut self, zone: &Zone, directory: &D) -> Option<()> {
        match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Names { cursor, meanwhile } => {
                let next = self.page(zone, directory, cursor, &mut meanwhile.borrow_mut())?;
                self.rest = match next {
                    Some(cursor) => Rest::Names { cursor, meanwhile },
                    None => {
                        let names = std::mem::take(&mut meanwhile.borrow_mut().names);
                        Rest::Leftovers { names: names.into_iter().collect::<Vec<_>>().into_iter() }
                    }
                };
            }
            Rest::Leftovers { mut names } => {
                for (label, kept) in names.by_ref().take(NAMES_A_STEP).filter(|(_, kept)| !kept.is_told) {
                    if let Some(before) = kept.before.filter(|_| !is_settings(zone, &label)) {
                        self.make_name(zone, &label, before.published());
                    }
                }
                self.rest = if names.len() == 0 { Rest::End } else { Rest::Leftovers { names } };
            }
            Rest::Batches { batches, name, comes } => self.rest = self.changes(zone, batches, name, comes),
            Rest::End => {
                let serial = self.serial;
                self.make(|out| put_transfer_soa(zone, serial, out));
            }
            Rest::Nothing => {}
        }
        Some(())
    }

    /// A page of the directory, each name as it was at the serial.
    fn page<D: Directory>(
        &mut self,
        zone: &Zone,
        directory: &D,
        cursor: u64,
        meanwhile: &mut Meanwhile,
    ) -> Option<Option<u64>> {
        if meanwhile.is_lost {
            return None;
        }
        Some(directory.page(self.zone, cursor, &mut |label, published| {
            if is_settings(zone, label) {
                return;
            }
            match meanwhile.names.get_mut(label) {
                None => self.make_name(zone, label, published),
                Some(kept) if kept.is_told => {}
                Some(kept) => {
                    kept.is_told = true;
                    if let Some(before) = &kept.before {
                        self.make_name(zone, label, before.published());
                    }
                }
            }
        }))
    }

    /// Some changes of the first batch.
    fn changes(&mut self, zone: &Zone, mut batches: VecDeque<Rc<Batch>>, name: usize, comes: bool) -> Rest {
        let Some(batch) = batches.front() else { return Rest::End };
        if name == 0 {
            let serial = batch.from.wrapping_add(comes.into());
            self.make(|out| put_transfer_soa(zone, serial, out));
        }
        let end = batch.changes.len().min(name + NAMES_A_STEP);
        for changed in batch.changes.get(name..end).unwrap_or_default() {
            if !is_settings(zone, &changed.label) {
                self.make_changed(zone, changed, comes);
            }
        }
        if end < batch.changes.len() {
            return Rest::Batches { batches, name: end, comes };
        }
        if comes {
            batches.pop_front();
        }
        Rest::Batches { batches, name: 0, comes: !comes }
    }

    /// The records of a name that are there after a change and were not before, or the other way round.
    fn make_changed(&mut self, zone: &Zone, changed: &Changed, comes: bool) {
        let (mut these, mut others) = (&changed.before, &changed.after);
        if comes {
            std::mem::swap(&mut these, &mut others);
        }
        let others = others.iter().flat_map(|snapshot| records::of(snapshot.published())).collect::<Vec<_>>();
        let these = these.iter().flat_map(|snapshot| records::of(snapshot.published()));
        for (place, data) in these.filter(|record| !others.contains(record)) {
            self.make(|out| put_record(zone, &changed.label, place, data, out));
        }
    }

    fn make_name(&mut self, zone: &Zone, label: &[u8], published: Published<'_>) {
        for (place, data) in records::of(published) {
            self.make(|out| put_record(zone, label, place, data, out));
        }
    }

    fn make_settings(&mut self, zone: &Zone) {
        for (name, record) in
            zone.nodes().flat_map(|(name, all)| all.iter().map(move |record| (name, record)))
        {
            self.make(|out| {
                out.put(name)?;
                out.pointer(HEADER)?;
                out.record(record.rtype, record.ttl, |out| out.put(&record.data))
            });
        }
    }

    /// Makes one record. Its owner ends in a pointer to the question, so that it may stand in any message.
    fn make(&mut self, write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) {
        let start = self.made.len();
        self.made.resize(start + RECORD_MAX, 0);
        let mut writer = Writer::new(self.made.get_mut(start..).unwrap_or_default(), 0);
        let length = write(&mut writer).map_or(0, |()| writer.len());
        self.made.truncate(start + length);
        if length > 0 {
            self.lengths.push_back(length);
        }
    }

    /// Puts as many records into a message as fit, and signs it.
    fn cut(&mut self, utc: u64, out: &mut [u8]) -> Option<Step> {
        let size = out.len().min(AHEAD);
        let mut writer = Writer::new(out.get_mut(..size.checked_sub(self.key.room())?)?, 0);
        writer.put(&self.head).ok()?;
        let (mut count, mut end) = (0_u16, 0);
        while let Some(&length) = self.lengths.front() {
            if writer.put(self.made.get(end..end + length)?).is_err() {
                break;
            }
            self.lengths.pop_front();
            end += length;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        self.made.drain(..end);
        writer.set(6, count);
        let written = writer.len();
        let mut writer = Writer::new(out, written);
        let signed = if std::mem::take(&mut self.is_first) {
            self.key.sign(&mut writer, &self.mac, utc)
        } else {
            self.key.sign_next(&mut writer, &self.mac, utc)
        };
        self.mac = signed.ok()?;
        let is_last = self.lengths.is_empty() && matches!(self.rest, Rest::Nothing);
        Some(if is_last { Step::Last(writer.len()) } else { Step::Send(writer.len()) })
    }
}

/// Whether the settings have this name: theirs counts.
pub(super) fn is_settings(zone: &Zone, label: &[u8]) -> bool {
    let mut name = [0; 64];
    let mut writer = Writer::new(&mut name, 0);
    put_label(label, &mut writer).is_ok() && zone.node(writer.written()).is_some()
}

fn put_record(
    zone: &Zone,
    label: &[u8],
    place: Place<'_>,
    data: Data<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Full> {
    place.put(out)?;
    put_label(label, out)?;
    out.pointer(HEADER)?;
    out.record(data.rtype(), TTL, |out| data.put(label, zone, out))
}
