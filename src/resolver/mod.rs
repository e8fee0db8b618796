//! The address of a host, by a DNS query of its own: the system's resolver would block the thread.
//!
//! Reads what the system's resolver would: `/etc/hosts`, then the servers of `/etc/resolv.conf`. Names are whole: no
//! search list. Knows nothing of who asks.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::rc::Rc;
use std::time::Duration;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype, ToName};
use domain::rdata::{A, Aaaa, Cname};
use embedded_io_async::{Read as _, Write as _};

use crate::reactor::{Io, Reactor};
use crate::sys::random;

/// Addresses of one host at most.
pub const ADDRESSES: usize = 8;
/// What a host's addresses come in: the families in turn, IPv6 first.
pub type Addresses = heapless::Vec<IpAddr, ADDRESSES>;

/// All servers together have this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Servers that are asked at most (resolv.conf(5), MAXNS).
const SERVERS: usize = 3;
/// How often each is asked.
const ATTEMPTS: u32 = 2;
/// Names an alias may lead over.
const ALIASES: usize = 8;
/// Bytes of the longest answer without EDNS (RFC 1035 §4.2.1).
const ANSWER: usize = 512;
/// Bytes that are read of a file.
const FILE: u64 = 64 * 1024;

/// The addresses of `host`, a name or an address, within 5 s. The error is a sentence that names the host.
pub async fn resolve(reactor: &Rc<Reactor>, host: &str) -> io::Result<Addresses> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse() {
        return Ok(Addresses::from_iter([ip]));
    }
    let known = in_hosts(&text_of("/etc/hosts"), host);
    if !known.is_empty() {
        return Ok(known);
    }
    ask_all(reactor, &servers(&text_of("/etc/resolv.conf")), host).await
}

/// What there is of a file; nothing where there is none.
fn text_of(path: &str) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE).read_to_end(&mut bytes));
    if let Err(e) = read {
        log::debug!("{path}: {e}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The addresses that lines of hosts(5) give `host`; those of `localhost` need none (RFC 6761 §6.3).
fn in_hosts(text: &str, host: &str) -> Addresses {
    let host = host.trim_end_matches('.');
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(ip)
    });
    let found: Addresses = lines.take(ADDRESSES).collect();
    let local = host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
    if found.is_empty() && local {
        return Addresses::from_iter([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    found
}

/// The servers that resolv.conf(5) names; this machine where it names none.
fn servers(text: &str) -> heapless::Vec<SocketAddr, SERVERS> {
    const PORT: u16 = 53;
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let value = (words.next()? == "nameserver").then(|| words.next())??;
        match value.split_once('%') {
            None => Some(SocketAddr::new(value.parse().ok()?, PORT)),
            Some((ip, interface)) => {
                let scope =
                    interface.parse().ok().or_else(|| nix::net::if_::if_nametoindex(interface).ok())?;
                Some(SocketAddrV6::new(ip.parse().ok()?, PORT, 0, scope).into())
            }
        }
    });
    let named: heapless::Vec<_, SERVERS> = named.take(SERVERS).collect();
    if named.is_empty() {
        return heapless::Vec::from_iter([SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)]);
    }
    named
}

/// Asks `servers` for both kinds of addresses at one time.
async fn ask_all(reactor: &Rc<Reactor>, servers: &[SocketAddr], host: &str) -> io::Result<Addresses> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, format!("'{host}' is no name of a host"));
    let name: Name<Vec<u8>> = host.trim_end_matches('.').parse().map_err(|_| bad())?;
    let both = smol::future::zip(
        Box::pin(ask(reactor, servers, &name, Rtype::AAAA)),
        Box::pin(ask(reactor, servers, &name, Rtype::A)),
    );
    let found = match both.await {
        (Ok(six), Ok(four)) => in_turn(&six, &four),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => found,
        (Err(e), _) | (_, Err(e)) => {
            return Err(io::Error::new(e.kind(), format!("the name '{host}' cannot be looked up: {e}")));
        }
    };
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("'{host}' has no address")));
    }
    Ok(found)
}

/// One of each as long as there are both, so that a family without a way out costs one attempt, not all.
fn in_turn(six: &[IpAddr], four: &[IpAddr]) -> Addresses {
    let most = six.len().max(four.len());
    (0..most).flat_map(|i| [six.get(i), four.get(i)]).flatten().copied().take(ADDRESSES).collect()
}

/// Asks one server after the other, until one gives an answer that counts.
async fn ask(
    reactor: &Rc<Reactor>,
    servers: &[SocketAddr],
    name: &Name<Vec<u8>>,
    kind: Rtype,
) -> io::Result<Addresses> {
    let turns = ATTEMPTS * u32::try_from(servers.len().max(1)).unwrap_or(1);
    let mut why = io::Error::new(io::ErrorKind::NotFound, "no server is known");
    for server in servers.iter().cycle().take(turns as usize) {
        match reactor.within(PATIENCE / turns, ask_one(reactor, *server, name, kind)).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(e),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                why = io::Error::new(e.kind(), format!("{} does not answer", server.ip()));
            }
            Err(e) => why = io::Error::new(e.kind(), format!("{}: {e}", server.ip())),
            found => return found,
        }
    }
    Err(why)
}

async fn ask_one(
    reactor: &Rc<Reactor>,
    server: SocketAddr,
    name: &Name<Vec<u8>>,
    kind: Rtype,
) -> io::Result<Addresses> {
    let mut id = [0; 2];
    random::fill(&mut id)?;
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_id(u16::from_be_bytes(id));
    query.header_mut().set_rd(true);
    let mut query = query.question();
    query.push((name, kind)).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))?;
    let query = query.into_message();
    let mut socket = Io::connect_udp(reactor, server)?;
    socket.write_all(query.as_slice()).await?;
    loop {
        let mut bytes = [0; ANSWER];
        let size = socket.read(&mut bytes).await?;
        // What is no answer to this very question is somebody's guess: the true one may still come.
        if let Some(answer) = Message::from_slice(&bytes[..size]).ok().filter(|m| m.is_answer(&query)) {
            return read(answer, name, kind);
        }
    }
}

/// The addresses in an answer, over its aliases. A cut answer (TC) counts for what is in it.
fn read(answer: &Message<[u8]>, name: &Name<Vec<u8>>, kind: Rtype) -> io::Result<Addresses> {
    match answer.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name")),
        other => return Err(io::Error::other(format!("the server answers {other}"))),
    }
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the server's answer is malformed");
    let mut owner: Name<Vec<u8>> = name.clone();
    for _ in 0..ALIASES {
        let mut found = Addresses::new();
        let mut alias = None;
        for record in answer.answer().map_err(|_| malformed())? {
            let record = record.map_err(|_| malformed())?;
            if !record.owner().name_eq(&owner) {
                continue;
            }
            if record.rtype() == Rtype::CNAME {
                let record = record.into_record::<Cname<_>>().map_err(|_| malformed())?;
                alias = record.map(|record| record.data().cname().to_name::<Vec<u8>>());
            } else if record.rtype() == kind {
                let ip = match kind {
                    Rtype::A => record.into_record::<A>().map(|r| r.map(|r| IpAddr::V4(r.data().addr()))),
                    _ => record.into_record::<Aaaa>().map(|r| r.map(|r| IpAddr::V6(r.data().addr()))),
                };
                let _full = found.extend_from_slice(ip.map_err(|_| malformed())?.as_slice());
            }
        }
        match alias {
            Some(next) if found.is_empty() => owner = next,
            _ => return Ok(found),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "its aliases lead nowhere"))
}

#[cfg(test)]
mod tests;
