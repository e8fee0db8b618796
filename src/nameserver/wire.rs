//! Reading and writing messages (RFC 1035 §4.1), in place.

use super::Zone;

/// Bytes of a message's header.
pub(super) const HEADER: usize = 12;
/// Bytes of a name on the wire at most (RFC 1035 §3.1).
pub(super) const NAME_MAX: usize = 255;

/// Record types by their number.
pub(super) mod rtype {
    pub(in super::super) const A: u16 = 1;
    pub(in super::super) const NS: u16 = 2;
    pub(in super::super) const SOA: u16 = 6;
    pub(in super::super) const HINFO: u16 = 13;
    pub(in super::super) const TXT: u16 = 16;
    pub(in super::super) const AAAA: u16 = 28;
    pub(in super::super) const SRV: u16 = 33;
    pub(in super::super) const OPT: u16 = 41;
    pub(in super::super) const HTTPS: u16 = 65;
    pub(in super::super) const TSIG: u16 = 250;
    pub(in super::super) const IXFR: u16 = 251;
    pub(in super::super) const AXFR: u16 = 252;
    pub(in super::super) const ANY: u16 = 255;
}

/// Classes by their number.
pub(super) mod class {
    pub(in super::super) const IN: u16 = 1;
    pub(in super::super) const NONE: u16 = 254;
    pub(in super::super) const ANY: u16 = 255;
}

/// What an answer says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    YxRrset = 7,
    NxRrset = 8,
    NotAuth = 9,
    NotZone = 10,
    BadVers = 16,
}

/// A name in lower case on the wire, its root included.
pub(super) type Name = heapless::Vec<u8, NAME_MAX>;

/// The message ends too early, or a name in it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads a message from any place on.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) message: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(n).ok_or(Malformed)?;
        let taken = self.message.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2)?.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| Malformed)
    }

    /// A name, compressed or not. A pointer goes only to what was before, so that this ends.
    pub(super) fn name(&mut self) -> Result<Name, Malformed> {
        let mut name = Name::new();
        let (mut reader, mut jumped) = (*self, false);
        loop {
            let start = reader.at;
            let length = reader.u8()?;
            match length {
                0..=63 => {
                    name.push(length).map_err(|_| Malformed)?;
                    let label = reader.take(length.into())?;
                    for byte in label {
                        name.push(byte.to_ascii_lowercase()).map_err(|_| Malformed)?;
                    }
                }
                192.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(reader.u8()?);
                    if !jumped {
                        self.at = reader.at;
                        jumped = true;
                    }
                    if target < HEADER || target >= start {
                        return Err(Malformed);
                    }
                    // What is read from there on ends before `start`, or meets a pointer that is checked again.
                    reader = Reader { message: reader.message.get(..start).ok_or(Malformed)?, at: target };
                    continue;
                }
                _ => return Err(Malformed),
            }
            if length == 0 {
                if !jumped {
                    self.at = reader.at;
                }
                return Ok(name);
            }
        }
    }

    /// Goes behind a name without reading where it points to.
    pub(super) fn skip_name(&mut self) -> Result<(), Malformed> {
        loop {
            match self.u8()? {
                0 => return Ok(()),
                length @ 1..=63 => self.take(length.into())?,
                192.. => return self.u8().map(drop),
                _ => return Err(Malformed),
            };
        }
    }

    /// What stands behind a record's owner.
    pub(super) fn fixed(&mut self) -> Result<Fixed<'a>, Malformed> {
        let (rtype, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = self.u16()?;
        Ok(Fixed { rtype, class, ttl, data: self.take(length.into())? })
    }
}

/// A record without its owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed<'a> {
    pub(super) rtype: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) data: &'a [u8],
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Writes a message into the caller's buffer, up to a limit.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Behind what `out` already holds.
    pub(super) const fn new(out: &'a mut [u8], len: usize) -> Self {
        Self { out, len }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Forgets what stands behind `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len + bytes.len();
        self.out.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(super) fn u16(&mut self, value: u16) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// A pointer to what was written before; beyond its 14 bits the caller has nothing to point to.
    pub(super) fn pointer(&mut self, to: usize) -> Result<(), Full> {
        let to = u16::try_from(to).map_err(|_| Full)?;
        self.u16(0xc000 | to)
    }

    /// Type, class IN, TTL and data of a record; its length comes from what `data` writes.
    pub(super) fn record(
        &mut self,
        rtype: u16,
        ttl: u32,
        data: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        self.u16(rtype)?;
        self.u16(class::IN)?;
        self.u32(ttl)?;
        let length = self.len;
        self.u16(0)?;
        data(self)?;
        let written = u16::try_from(self.len - length - 2).map_err(|_| Full)?;
        self.set(length, written);
        Ok(())
    }

    /// A name of the zone or another; the zone's end of it becomes a pointer to `apex_at`.
    pub(super) fn name(&mut self, name: &[u8], zone: &Zone, apex_at: usize) -> Result<(), Full> {
        match zone.relative(name) {
            Some(inside) => {
                self.put(inside)?;
                self.pointer(apex_at)
            }
            None => self.put(name),
        }
    }

    /// Overwrites two bytes that were written.
    pub(super) fn set(&mut self, at: usize, value: u16) {
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// What was written so far.
    pub(super) fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_at(message: &[u8], at: usize) -> Result<(Vec<u8>, usize), Malformed> {
        let mut reader = Reader { message, at };
        let name = reader.name()?;
        Ok((name.to_vec(), reader.at))
    }

    #[test]
    fn names_are_read_through_pointers_that_go_back() {
        let message = b"............\x03Box\x04tesT\0\x05aLice\xc0\x0c!\xc0\x1d\xc0\x16";
        assert_eq!(name_at(message, 12), Ok((b"\x03box\x04test\0".to_vec(), 22)));
        assert_eq!(name_at(message, 22), Ok((b"\x05alice\x03box\x04test\0".to_vec(), 30)));
        assert_eq!(name_at(message, 33), Ok((b"\x05alice\x03box\x04test\0".to_vec(), 35)));
        assert_eq!(name_at(message, 31), Err(Malformed), "to itself, by way of the middle of a pointer");
        assert_eq!(name_at(b"............\xc0\x0c", 12), Err(Malformed), "to itself");
        assert_eq!(name_at(b"............\x01a\xc0\x0c", 12), Err(Malformed), "round in a circle");
        assert_eq!(name_at(b"............\xc0\x0e\x01a\0", 12), Err(Malformed), "forward");
        assert_eq!(name_at(b"............\x40a", 12), Err(Malformed), "a kind of label that is not used");
        assert_eq!(name_at(b"............\x05abc", 12), Err(Malformed), "behind the end");
        let long = [&[b'.'; 12][..], &[1, b'a'].repeat(127), &[0]].concat();
        assert_eq!(name_at(&long, 12).unwrap().0.len(), 255);
        let too_long = [&[b'.'; 12][..], &[1, b'a'].repeat(128), &[0]].concat();
        assert_eq!(name_at(&too_long, 12), Err(Malformed));
    }

    #[test]
    fn a_writer_stops_at_its_limit() {
        let mut out = [0; 13];
        let mut writer = Writer::new(&mut out, 0);
        assert_eq!(writer.record(1, 60, |w| w.put(&[1, 2, 3])), Ok(()));
        assert_eq!(writer.written(), b"\0\x01\0\x01\0\0\0\x3c\0\x03\x01\x02\x03");
        assert_eq!(writer.put(b"!"), Err(Full));
        writer.truncate(4);
        assert_eq!(writer.written(), b"\0\x01\0\x01");
    }
}
