//! One request in, one reply out.

use std::net::IpAddr;

use super::answer::{Asked, Body, is_data};
use super::changes::Changes;
use super::envelope::{Envelope, Holder, Signer, Tail};
use super::request::{Header, Question, Request, TC};
use super::rrl::{Fate, Limiter};
use super::transfer::{self, Transfer};
use super::tsig::{Key, Tsig, TsigError};
use super::wire::{HEADER, Malformed, Rcode, Reader, Writer, rtype};
use super::{Directory, Now, Ticket, Zone, update};

/// Opcodes (RFC 6895 §2.2).
const QUERY: u16 = 0;
const UPDATE: u16 = 5;

/// What becomes of a request.
pub enum Reply {
    /// Nothing is sent.
    Silence,
    /// So many bytes of the caller's buffer are sent.
    Send(usize),
    /// The same, when the ticket's commit is on disk; nothing when it failed.
    AfterCommit(usize, Ticket),
    /// By TCP alone: all messages that [`Nameserver::transfer`] writes, one after the other.
    Transfer(Box<Transfer>),
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By UDP: the source may be forged, and the answer must be short.
    Udp(IpAddr),
    /// By TCP.
    Tcp,
}

/// What was answered since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests, those that deserved silence included.
    pub requests: u64,
    /// Answers that were not sent, or sent empty, for the sake of their alleged source.
    pub limited: u64,
    /// Transfers that were begun.
    pub transfers: u64,
    /// Updates that were applied.
    pub updates: u64,
    /// Requests whose signature was not accepted.
    pub bad_signatures: u64,
}

/// An authoritative responder for some zones.
pub struct Nameserver {
    pub(super) zones: Vec<Served>,
    /// Their numbers, those with the longest names first.
    order: Vec<usize>,
    /// Those who may transfer zones.
    keys: Vec<Key>,
    limiter: Limiter,
    counters: Counters,
}

/// A zone with what happened to it.
pub(super) struct Served {
    pub(super) zone: Zone,
    pub(super) changes: Changes,
}

/// A request that cannot be answered as it asks.
struct Refusal {
    rcode: Rcode,
}

impl Nameserver {
    /// `zones` are numbered as in the [`Directory`]; each comes with its serial: the later one of what was kept and the
    /// time, so that it never goes back. Who has one of `keys` may transfer them.
    #[must_use]
    pub fn new(zones: Vec<(Zone, u32)>, keys: Vec<Key>) -> Self {
        let zones: Vec<Served> =
            zones.into_iter().map(|(zone, serial)| Served { zone, changes: Changes::new(serial) }).collect();
        let mut order: Vec<usize> = (0..zones.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(zones[number].zone.apex().len()));
        Self { zones, order, keys, limiter: Limiter::new(), counters: Counters::default() }
    }

    /// What was answered since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Answers a message; what is to be sent stands in `out`, whose length limits it.
    pub fn reply<D: Directory>(
        &mut self,
        now: Now,
        transport: Transport,
        message: &[u8],
        directory: &mut D,
        out: &mut [u8],
    ) -> Reply {
        self.counters.requests += 1;
        let Some(header) = Header::peek(message) else { return Reply::Silence };
        let request = match header.opcode() {
            QUERY | UPDATE => Request::parse(header, message).map_err(|Malformed| Rcode::FormErr),
            _ => Err(Rcode::NotImp),
        };
        let envelope = request.and_then(|request| {
            let tail = self.tail(now, &request, directory).map_err(|Malformed| Rcode::FormErr)?;
            Ok(Envelope { request, tail })
        });
        let envelope = match envelope {
            Ok(envelope) => envelope,
            Err(rcode) => {
                let len = bare(header, rcode, out);
                return self.limited(now, transport, rcode as u64, len, out);
            }
        };
        let size = match transport {
            Transport::Udp(_) => envelope.request.udp_limit(),
            Transport::Tcp => usize::from(u16::MAX),
        };
        let size = size.min(out.len());
        let out = out.get_mut(..size).unwrap_or_default();
        if matches!(envelope.tail, Tail::Refused(..)) {
            self.counters.bad_signatures += 1;
            return self.refuse(now, transport, &envelope, Rcode::NotAuth, out);
        }
        if envelope.request.edns.is_some_and(|edns| edns.version > 0) {
            return self.refuse(now, transport, &envelope, Rcode::BadVers, out);
        }
        let replied = match header.opcode() {
            UPDATE => self.update(now, &envelope, directory, out),
            _ => self.query(now, transport, &envelope, directory, out),
        };
        replied.unwrap_or_else(|Refusal { rcode }| self.refuse(now, transport, &envelope, rcode, out))
    }

    fn query<D: Directory>(
        &mut self,
        now: Now,
        transport: Transport,
        envelope: &Envelope<'_>,
        directory: &mut D,
        out: &mut [u8],
    ) -> Result<Reply, Refusal> {
        let question = &envelope.request.question;
        is_data(question.qclass, question.qtype).map_err(|rcode| Refusal { rcode })?;
        let (number, inside) = self.zone_of(&question.name).ok_or(Refusal { rcode: Rcode::Refused })?;
        let mut qtype = question.qtype;
        if matches!(qtype, rtype::AXFR | rtype::IXFR) {
            if inside != 0 {
                return Err(Refusal { rcode: Rcode::NotAuth });
            }
            let Tail::Signed(Signer { key, mac, holder: None }) = &envelope.tail else {
                return Err(Refusal { rcode: Rcode::Refused });
            };
            if transport == Transport::Tcp {
                self.counters.transfers += 1;
                let transfer = transfer::begin(self, number, &envelope.request, (key, mac), directory);
                return transfer
                    .map(|transfer| Reply::Transfer(Box::new(transfer)))
                    .ok_or(Refusal { rcode: Rcode::ServFail });
            }
            if qtype == rtype::AXFR {
                return Err(Refusal { rcode: Rcode::Refused });
            }
            // From RFC 1995 §2: by UDP the answer may be the SOA alone, and the client comes by TCP.
            qtype = rtype::SOA;
        }
        let served = self.zones.get(number).ok_or(Refusal { rcode: Rcode::Refused })?;
        let relative = question.name.get(..inside).unwrap_or_default();
        let (zone, serial) = (&served.zone, served.changes.serial());
        let asked = Asked { zone, number, serial, directory: &*directory, qtype, relative };
        let mut kind = 0;
        let len = envelope.write(now.utc, out, |out| {
            let body = asked.answer(out);
            kind = body.map_or(0, |body| body.kind);
            body
        });
        Ok(self.limited(now, transport, kind, len, out))
    }

    fn update<D: Directory>(
        &mut self,
        now: Now,
        envelope: &Envelope<'_>,
        directory: &mut D,
        out: &mut [u8],
    ) -> Result<Reply, Refusal> {
        let Tail::Signed(Signer { key, holder: Some(holder), .. }) = &envelope.tail else {
            return Err(Refusal { rcode: Rcode::Refused });
        };
        let label = key.name().get(1..=holder.label).unwrap_or_default();
        let applied = update::apply(self, &envelope.request, (holder.zone, label), directory);
        let ticket = applied.map_err(|rcode| Refusal { rcode })?;
        self.counters.updates += 1;
        let len = envelope.write(now.utc, out, |_| Ok(Body::only(Rcode::NoError)));
        Ok(ticket.map_or(Reply::Send(len), |ticket| Reply::AfterCommit(len, ticket)))
    }

    /// The zone of a name, the longest that fits, and how much of the name stands before its apex.
    pub(super) fn zone_of(&self, name: &[u8]) -> Option<(usize, usize)> {
        self.order
            .iter()
            .find_map(|&number| Some((number, self.zones.get(number)?.zone.relative(name)?.len())))
    }

    /// Whose signature the request has.
    fn tail<'m, D: Directory>(
        &self,
        now: Now,
        request: &Request<'m>,
        directory: &D,
    ) -> Result<Tail<'m>, Malformed> {
        let Some(at) = request.tsig_at else { return Ok(Tail::Plain) };
        let tsig = Tsig::parse(request.message, at)?;
        let Some((key, holder)) = self.key(&tsig.key_name, directory) else {
            return Ok(Tail::Refused(Box::new(tsig), TsigError::UnknownKey, None));
        };
        Ok(match tsig.verify(&key, &[], false, now.utc) {
            Ok(()) => Tail::Signed(Signer { mac: tsig.mac, key, holder }),
            Err(why) => Tail::Refused(Box::new(tsig), why, Some(key)),
        })
    }

    /// The key of that name, and whose it is; `None`: one of the settings.
    fn key<D: Directory>(&self, name: &[u8], directory: &D) -> Option<(Key, Option<Holder>)> {
        if let Some(key) = self.keys.iter().find(|key| key.name() == name) {
            return Some((key.clone(), None));
        }
        let (zone, inside) = self.zone_of(name)?;
        let label = name.get(1..inside)?;
        if usize::from(*name.first()?) != label.len() {
            return None;
        }
        let secret = directory.tsig_secret(zone, label)?;
        Some((Key::of_box(name, &secret), Some(Holder { zone, label: label.len() })))
    }

    /// An answer without records.
    fn refuse(
        &mut self,
        now: Now,
        transport: Transport,
        envelope: &Envelope<'_>,
        rcode: Rcode,
        out: &mut [u8],
    ) -> Reply {
        let len = envelope.write(now.utc, out, |_| Ok(Body::only(rcode)));
        self.limited(now, transport, rcode as u64, len, out)
    }

    /// What a source gets of an answer that is ready; by UDP it may be forged.
    fn limited(&mut self, now: Now, transport: Transport, kind: u64, len: usize, out: &mut [u8]) -> Reply {
        if len == 0 {
            return Reply::Silence;
        }
        let Transport::Udp(source) = transport else { return Reply::Send(len) };
        match self.limiter.count(now.monotonic, source, kind) {
            Fate::Send => Reply::Send(len),
            fate => {
                self.counters.limited += 1;
                if fate == Fate::Drop { Reply::Silence } else { Reply::Send(emptied(len, out)) }
            }
        }
    }
}

/// A header alone: the answer to what has no question that could be repeated. Returns its length.
fn bare(header: Header, rcode: Rcode, out: &mut [u8]) -> usize {
    let mut writer = Writer::new(out, 0);
    let flags = header.answer_flags() | rcode as u16;
    let written = writer.u16(header.id).and_then(|()| writer.u16(flags)).and_then(|()| writer.put(&[0; 8]));
    written.map_or(0, |()| HEADER)
}

/// Leaves of an answer its header and question, and says that there is more. Returns its length.
fn emptied(len: usize, out: &mut [u8]) -> usize {
    let sent = out.get(..len).unwrap_or_default();
    let questions = Reader { message: sent, at: 4 }.u16().unwrap_or_default();
    let flags = Reader { message: sent, at: 2 }.u16().unwrap_or_default();
    let header = Header { id: 0, flags, counts: [questions, 0, 0, 0] };
    let end = Question::parse(header, sent).map_or(HEADER, |question| question.end);
    let mut writer = Writer::new(out, HEADER);
    writer.set(2, flags | TC);
    [6, 8, 10].into_iter().for_each(|at| writer.set(at, 0));
    end
}
