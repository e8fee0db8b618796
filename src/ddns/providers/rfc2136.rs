//! UPDATE of a zone (RFC 2136), signed by TSIG (RFC 8945), and read back: a server may say yes and do nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use domain::base::iana::{Class, Opcode, Rcode, TsigRcode};
use domain::base::message_builder::AdditionalBuilder;
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Name, Record, Rtype, Ttl};
use domain::rdata::tsig::Time48;
use domain::rdata::{A, Aaaa, Tsig};
use domain::tsig::{Algorithm, ClientTransaction, Key, KeyName, ValidationError};
use embedded_io_async::{Read as _, Write as _};

use super::manners::Outcome;
use super::settings::ProviderError;
use super::{Addresses, Means};
use crate::reactor::{Io, Reactor};
use crate::resolver;
use crate::sys::random;

/// The port of DNS.
const PORT: u16 = 53;
/// Datagrams that are tried before TCP, and the time each has.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(2);
/// A connection has so long.
const TCP_PATIENCE: Duration = Duration::from_secs(6);
/// How often it is read back, and how long after each other: a server may answer before its zone is whole.
const LOOKS: usize = 3;
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of the longest answer that is taken.
const ANSWER: usize = 1232;
/// Seconds a resolver keeps an answer.
const TTL: u32 = 60;

type DomainName = Name<Vec<u8>>;

/// A name in a zone that its server lets us change.
#[derive(Clone)]
pub(super) struct Rfc2136 {
    server: String,
    port: u16,
    zone: DomainName,
    host: DomainName,
    ttl: Ttl,
    key: Rc<Key>,
    /// What the key was made of, to tell two settings apart.
    identity: Vec<u8>,
}

impl PartialEq for Rfc2136 {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place() && self.ttl == other.ttl && self.identity == other.identity
    }
}

impl Eq for Rfc2136 {}

impl std::fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

impl Rfc2136 {
    pub(super) fn new(
        server: &str,
        (zone, host): (&str, &str),
        (name, secret, algorithm): (&str, &str, Option<&str>),
        ttl: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let bad = |key, why| ProviderError::Value(key, why);
        let domain_name =
            |key, text: &str| text.parse::<DomainName>().map_err(|_| bad(key, "no name of DNS"));
        let (zone, host) = (domain_name("zone", zone)?, domain_name("host", host)?);
        if !host.ends_with(&zone) {
            return Err(bad("host", "it is not in the zone"));
        }
        let (server, port) =
            split(server).ok_or_else(|| bad("server", "an address or a name, and perhaps :port"))?;
        let ttl = ttl.map_or(Ok(TTL), str::parse).map_err(|_| bad("ttl", "a number of seconds"))?;
        let algorithm: Algorithm = algorithm
            .map_or(Ok(Algorithm::Sha256), str::parse)
            .map_err(|_| bad("algorithm", "hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1"))?;
        let mut room = vec![0; secret.len()];
        let bytes = Base64::decode(secret, &mut room).map_err(|_| bad("secret", "no base64"))?;
        if bytes.is_empty() {
            return Err(bad("secret", "it is empty"));
        }
        let name: KeyName = name.parse().map_err(|_| bad("key", "no name of DNS"))?;
        let key = Key::new(algorithm, bytes, name.clone(), None, None);
        let key = Rc::new(key.map_err(|_| bad("key", "no key for TSIG"))?);
        let identity = [name.as_slice(), bytes].concat();
        Ok(Self { server, port, zone, host, ttl: Ttl::from_secs(ttl), key, identity })
    }

    /// Which server and zone it is.
    pub(super) fn place(&self) -> String {
        format!("{} port {} zone {} host {}", self.server, self.port, self.zone, self.host)
    }

    /// Has the server publish `addresses` and no others.
    pub(super) async fn update(&self, means: &Means, addresses: Addresses) -> Outcome {
        match self.try_update(means, addresses).await {
            Ok(()) => Outcome::Done,
            Err(other) => other,
        }
    }

    async fn try_update(&self, means: &Means, addresses: Addresses) -> Result<(), Outcome> {
        let servers = resolver::resolve(&means.reactor, &self.server).await;
        let servers = servers.map_err(|e| Outcome::Failed(e.to_string()))?;
        let mut outcome = Outcome::Failed("the server has no address".into());
        for ip in servers {
            let server = SocketAddr::new(ip, self.port);
            match Box::pin(self.exchange(means, server, |id| self.change(id, addresses))).await {
                Ok(answer) => {
                    self.judge(answer.header().rcode())?;
                    return self.read_back(means, server, addresses).await;
                }
                Err(why @ Outcome::Failed(_)) => outcome = why,
                Err(other) => return Err(other),
            }
        }
        Err(outcome)
    }

    /// What the server says, signed, of an UPDATE.
    fn judge(&self, rcode: Rcode) -> Result<(), Outcome> {
        let stop = |why: &str| Err(Outcome::Stop(format!("{} answers {rcode}: {why}", self.server)));
        match rcode {
            Rcode::NOERROR => Ok(()),
            Rcode::REFUSED => stop("this key may not change this name"),
            Rcode::NOTAUTH => stop("it is not the server of this zone, or this key may not change it"),
            Rcode::NOTZONE => stop("the name is not in the zone"),
            Rcode::NOTIMP => stop("it takes no updates"),
            other => Err(Outcome::Failed(format!("{} answers {other}", self.server))),
        }
    }

    /// The server says of the name what it was told. Where it may not be asked, its word has to do.
    async fn read_back(&self, means: &Means, server: SocketAddr, told: Addresses) -> Result<(), Outcome> {
        let wanted = [(Rtype::A, told.v4.map(IpAddr::V4)), (Rtype::AAAA, told.v6.map(IpAddr::V6))];
        for (rtype, wanted) in wanted {
            let mut looks = 0;
            loop {
                let asked = Box::pin(self.exchange(means, server, |id| self.question(id, rtype))).await;
                let Some(found) = asked.ok().and_then(|answer| found(&answer, rtype)) else {
                    log::info!("ddns {}: cannot be read back from {}", self.host, self.server);
                    return Ok(());
                };
                if found.as_slice() == wanted.as_slice() {
                    break;
                }
                looks += 1;
                if looks == LOOKS || means.reactor.sleep(LOOK).await.is_err() {
                    let why =
                        "says yes and has not changed the name: this key may not do it, or another does";
                    return Err(Outcome::Failed(format!("{} {why}", self.server)));
                }
            }
        }
        Ok(())
    }

    /// Delete the RRsets of both types, then add what there is (RFC 2136 §2.5.2, §2.5.1).
    fn change(&self, id: u16, addresses: Addresses) -> Option<AdditionalBuilder<Vec<u8>>> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(id);
        builder.header_mut().set_opcode(Opcode::UPDATE);
        let mut zone = builder.question();
        zone.push((&self.zone, Rtype::SOA)).ok()?;
        let mut update = zone.answer().authority();
        for rtype in [Rtype::A, Rtype::AAAA] {
            let nothing = UnknownRecordData::from_octets(rtype, [0; 0]).ok()?;
            update.push(Record::new(&self.host, Class::ANY, Ttl::ZERO, nothing)).ok()?;
        }
        if let Some(v4) = addresses.v4 {
            update.push(Record::new(&self.host, Class::IN, self.ttl, A::new(v4))).ok()?;
        }
        if let Some(v6) = addresses.v6 {
            update.push(Record::new(&self.host, Class::IN, self.ttl, Aaaa::new(v6))).ok()?;
        }
        Some(update.additional())
    }

    fn question(&self, id: u16, rtype: Rtype) -> Option<AdditionalBuilder<Vec<u8>>> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(id);
        let mut question = builder.question();
        question.push((&self.host, rtype)).ok()?;
        Some(question.additional())
    }

    /// Signs what `build` makes, asks by UDP, then by TCP, and checks the answer's signature.
    async fn exchange(
        &self,
        means: &Means,
        server: SocketAddr,
        build: impl Fn(u16) -> Option<AdditionalBuilder<Vec<u8>>>,
    ) -> Result<Message<Vec<u8>>, Outcome> {
        let failed = |why: &str| Outcome::Failed(format!("{}: {why}", self.server));
        let Some(now) = means.time.now().map(|utc| Time48::from_u64(utc.as_secs())) else {
            return Err(failed("the time of day is not known yet, and TSIG needs it"));
        };
        let mut id = [0; 2];
        random::fill(&mut id).map_err(|e| failed(&e.to_string()))?;
        let id = u16::from_be_bytes(id);
        let mut builder = build(id).ok_or_else(|| failed("the message has no room"))?;
        let transaction = ClientTransaction::request(Rc::clone(&self.key), &mut builder, now);
        let transaction = transaction.map_err(|_| failed("the message has no room for its signature"))?;
        let mut asked = Asked { id, transaction, now, request: builder.finish(), complaint: None };
        for _ in 0..TRIES {
            match means.reactor.within(PATIENCE, asked.by_udp(&means.reactor, server)).await {
                Ok(answer) if answer.header().tc() => break,
                Ok(answer) => return Ok(answer),
                Err(_) if asked.complaint.is_some() => break,
                Err(_) => {}
            }
        }
        if let Some(why) = &asked.complaint {
            return Err(failed(why)); // the same would be said by TCP
        }
        let answer = means.reactor.within(TCP_PATIENCE, asked.by_tcp(&means.reactor, server)).await;
        answer.map_err(|e| match (asked.complaint, e.kind()) {
            (Some(why), _) => failed(&why),
            (None, io::ErrorKind::TimedOut) => failed("it does not answer"),
            (None, _) => failed(&e.to_string()),
        })
    }
}

/// A request on its way.
struct Asked {
    id: u16,
    transaction: ClientTransaction<Rc<Key>>,
    now: Time48,
    request: Vec<u8>,
    /// What was wrong with an answer that was not taken. It is no proof: it may be somebody else's.
    complaint: Option<String>,
}

impl Asked {
    async fn by_udp(&mut self, reactor: &Rc<Reactor>, server: SocketAddr) -> io::Result<Message<Vec<u8>>> {
        let mut socket = Io::connect_udp(reactor, server)?;
        socket.write_all(&self.request).await?;
        loop {
            let mut answer = [0; ANSWER];
            let size = socket.read(&mut answer).await?;
            if let Some(answer) = self.check(answer[..size].to_vec()) {
                return Ok(answer);
            }
        }
    }

    /// RFC 1035 §4.2.2: the length in two bytes before each message.
    async fn by_tcp(&mut self, reactor: &Rc<Reactor>, server: SocketAddr) -> io::Result<Message<Vec<u8>>> {
        let too_long = || io::Error::from(io::ErrorKind::InvalidData);
        let mut socket = Io::connect_tcp(reactor, server).await?;
        let length = u16::try_from(self.request.len()).map_err(|_| too_long())?;
        socket.write_all(&[&length.to_be_bytes()[..], &self.request].concat()).await?;
        let cut = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut length = [0; 2];
        socket.read_exact(&mut length).await.map_err(cut)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        socket.read_exact(&mut answer).await.map_err(cut)?;
        self.check(answer).ok_or_else(too_long)
    }

    /// The answer, where it is signed by the server.
    fn check(&mut self, bytes: Vec<u8>) -> Option<Message<Vec<u8>>> {
        let mut answer = Message::from_octets(bytes).ok()?;
        let header = answer.header();
        if !header.qr() || header.id() != self.id {
            return None; // somebody's guess
        }
        if let Some(seconds) = clock_error(&answer, self.now) {
            let why = format!("says that this box's clock is {seconds} s off: clock suspect");
            self.complaint = Some(why);
            return None;
        }
        match self.transaction.answer(&mut answer, self.now) {
            Ok(()) => return Some(answer),
            Err(ValidationError::ServerBadKey) => {
                self.complaint = Some("does not know this key, or not for this name".into());
            }
            Err(ValidationError::ServerBadSig) => {
                self.complaint = Some("has another secret or algorithm for this key".into());
            }
            Err(why) => self.complaint = Some(format!("answers {}: {why}", answer.header().rcode())),
        }
        None
    }
}

/// BADTIME (RFC 8945 §5.2.3), and by how much. Its signature is not looked at: `domain` 0.12 hashes the server's time
/// as eight octets in place of six, so it never holds.
fn clock_error(answer: &Message<Vec<u8>>, now: Time48) -> Option<u64> {
    let tsig = answer.get_last_additional::<Tsig<_, _>>()?;
    let tsig = tsig.data();
    if answer.header().rcode() != Rcode::NOTAUTH || tsig.error() != TsigRcode::BADTIME {
        return None;
    }
    let seconds = |time: Time48| time.into_octets().iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let server = tsig.other_time().map_or(0, seconds);
    Some(server.abs_diff(seconds(now)))
}

/// The addresses that an answer has for its question; `None` where it does not say.
fn found(answer: &Message<Vec<u8>>, rtype: Rtype) -> Option<resolver::Addresses> {
    let rcode = answer.header().rcode();
    if rcode != Rcode::NOERROR && rcode != Rcode::NXDOMAIN {
        return None;
    }
    let mut found = resolver::Addresses::new();
    for record in answer.answer().ok()? {
        let record = record.ok().filter(|record| record.rtype() == rtype);
        let ip = match (record, rtype) {
            (Some(record), Rtype::A) => record.into_record::<A>().ok()?.map(|r| r.data().addr().into()),
            (Some(record), _) => record.into_record::<Aaaa>().ok()?.map(|r| r.data().addr().into()),
            _ => None,
        };
        found.extend(ip);
    }
    Some(found)
}

/// Host and port of `server=`.
fn split(text: &str) -> Option<(String, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port()));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((ip.to_string(), PORT));
    }
    let (host, port) = text.split_once(':').unwrap_or((text, "53"));
    let name: DomainName = host.parse().ok()?;
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (name.len() > 1 && host.bytes().all(letters)).then_some((host.into(), port.parse().ok()?))
}
