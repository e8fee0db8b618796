//! What stands around the records of an answer: header, question, EDNS, signature.

use super::answer::Body;
use super::request::{AA, Request, TC, UDP_EDNS};
use super::tsig::{Key, Tsig, TsigError};
use super::wire::{Full, HEADER, Rcode, Writer, rtype};

/// Bytes of an OPT record without options.
const OPT: usize = 11;

/// An answer to one request.
pub(super) struct Envelope<'m> {
    pub(super) request: Request<'m>,
    pub(super) tail: Tail<'m>,
}

/// How an answer ends.
pub(super) enum Tail<'m> {
    /// Nobody signed.
    Plain,
    /// Signed, as the request was.
    Signed(Signer<'m>),
    /// The request's signature was not accepted.
    Refused(Box<Tsig<'m>>, TsigError, Option<Key>),
}

/// Who signed a request, so that the answer is signed, too.
pub(super) struct Signer<'m> {
    pub(super) key: Key,
    pub(super) mac: &'m [u8],
    /// The name that the key belongs to; `None`: a key of the settings.
    pub(super) holder: Option<Holder>,
}

/// The name that a box's key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) zone: usize,
    /// Bytes of its label: the first one of the key's name.
    pub(super) label: usize,
}

impl Envelope<'_> {
    /// Writes the answer, whose records come by `body`; returns its length, 0 where not even the question fits.
    ///
    /// Records that do not fit are all left out, and TC is set (RFC 2181 §9).
    pub(super) fn write(
        &self,
        utc: u64,
        out: &mut [u8],
        body: impl FnOnce(&mut Writer<'_>) -> Result<Body, Full>,
    ) -> usize {
        let Some(limit) = out.len().checked_sub(self.room()) else { return 0 };
        let mut writer = Writer::new(out.get_mut(..limit).unwrap_or_default(), 0);
        let request = &self.request;
        let question = request.message.get(HEADER..request.question.end).unwrap_or_default();
        if writer.put(&[0; HEADER]).and_then(|()| writer.put(question)).is_err() {
            return 0;
        }
        let mut flags = request.header.answer_flags();
        let question_end = writer.len();
        let body = body(&mut writer).unwrap_or_else(|Full| {
            writer.truncate(question_end);
            flags |= TC;
            Body { is_authoritative: true, ..Body::only(Rcode::NoError) }
        });
        if body.is_authoritative {
            flags |= AA;
        }
        let rcode = body.rcode as u16;
        let [answers, authority, additional] = body.counts;
        let counts = [1, answers, authority, additional + u16::from(request.edns.is_some())];
        writer.set(0, request.header.id);
        writer.set(2, flags | rcode & 0xf);
        (4..).step_by(2).zip(counts).for_each(|(at, count)| writer.set(at, count));
        let written = writer.len();
        let mut writer = Writer::new(out, written);
        match self.end(rcode, utc, &mut writer) {
            Ok(()) => writer.len(),
            Err(Full) => 0,
        }
    }

    /// OPT, where the request has one, then the signature.
    fn end(&self, rcode: u16, utc: u64, out: &mut Writer<'_>) -> Result<(), Full> {
        if let Some(edns) = self.request.edns {
            out.put(&[0])?;
            out.u16(rtype::OPT)?;
            out.u16(UDP_EDNS)?;
            let [_, extended] = (rcode >> 4).to_be_bytes();
            out.put(&[extended, 0, u8::from(edns.wants_dnssec) << 7, 0])?;
            out.u16(0)?;
        }
        match &self.tail {
            Tail::Plain => Ok(()),
            Tail::Signed(signer) => signer.key.sign(out, signer.mac, utc).map(drop),
            Tail::Refused(tsig, why, key) => tsig.refuse(*why, key.as_ref(), utc, out),
        }
    }

    /// Bytes that stand behind the records.
    fn room(&self) -> usize {
        let signature = match &self.tail {
            Tail::Plain => 0,
            Tail::Signed(signer) => signer.key.room(),
            Tail::Refused(tsig, ..) => tsig.room(),
        };
        signature + if self.request.edns.is_some() { OPT } else { 0 }
    }
}
