//! The loops, by real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder, Name};

use super::TcpLimits;
use super::sample::{Plan, Sandbox};
use super::sample_of_names::{Sample, online, text};
use crate::nameserver::{Key, Nameserver, Notifier, Secondary, Zone, ZoneSettings};

fn plan(limits: TcpLimits, secondaries: Vec<Secondary>) -> Plan {
    let zone = Zone::new(&ZoneSettings {
        apex: "box.test".into(),
        ns: vec!["ns1.box.test".into()],
        ..ZoneSettings::default()
    })
    .unwrap();
    let mut directory = Sample::new(1);
    directory.load(0, "alice", online("203.0.113.5", None, 0));
    let mut long = online("203.0.113.6", None, 0);
    long.texts = ["a", "b", "c", "d"].map(|c| text("", &c.repeat(255))).into();
    directory.load(0, "long", long);
    let keys = vec![Key::parse("hmac-sha256:t.key:c2VjcmV0").unwrap()];
    Plan {
        server: Nameserver::new(vec![(zone, 7)], keys),
        directory,
        notifier: Notifier::new(1, secondaries),
        limits,
        publisher: None,
        tick: Duration::from_millis(50),
        clock_error: 0,
    }
}

fn question(name: &str, id: u16) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    let mut builder = builder.question();
    builder.push((name.parse::<Name<Vec<u8>>>().unwrap(), Rtype::TXT)).unwrap();
    builder.finish()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// The next datagram; a machine that is stopped and goes on interrupts a receive with a time-out (signal(7)).
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        match socket.recv_from(buffer) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            received => return received.unwrap(),
        }
    }
}

/// The next message, `None`: the connection was closed.
fn next(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

#[test]
fn more_than_a_batch_is_answered_by_udp() {
    let sandbox = Sandbox::start(|| plan(TcpLimits::default(), vec![]));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut came = std::collections::BTreeSet::new();
    // Each about another name, so that none is limited; what follows a bad datagram is answered, too.
    for i in 0..100 {
        let asked = if i % 3 == 0 { b"bad".to_vec() } else { question("long.box.test", i) };
        socket.send_to(&asked, sandbox.address).unwrap();
    }
    let mut buffer = [0; 2000];
    for _ in 0..20 {
        let (len, from) = receive(&socket, &mut buffer);
        assert_eq!(from, sandbox.address);
        let answer = Message::from_octets(&buffer[..len]).unwrap();
        assert!(answer.header().tc(), "it does not fit");
        came.insert(answer.header().id());
    }
    assert_eq!(came.into_iter().collect::<Vec<_>>(), (0..30).filter(|i| i % 3 != 0).collect::<Vec<_>>());
}

#[test]
fn questions_by_tcp_come_in_a_row_and_in_pieces() {
    let sandbox = Sandbox::start(|| plan(TcpLimits::default(), vec![]));
    let mut stream = connect(sandbox.address);
    let all: Vec<u8> = (0..50).flat_map(|id| framed(&question("long.box.test", id))).collect();
    let (first, rest) = all.split_at(333);
    stream.write_all(first).unwrap();
    assert_eq!(next(&mut stream).unwrap()[..2], [0, 0], "what came whole is answered before the rest comes");
    stream.write_all(rest).unwrap();
    for id in 1..50 {
        let answer = next(&mut stream).unwrap();
        let answer = Message::from_octets(&answer[..]).unwrap();
        assert_eq!((answer.header().id(), answer.header_counts().ancount()), (id, 4));
    }
}

#[test]
fn who_says_nothing_or_nonsense_is_dropped() {
    let limits = TcpLimits { patience: Duration::from_millis(200), ..TcpLimits::default() };
    let sandbox = Sandbox::start(move || plan(limits, vec![]));
    let (mut silent, mut slow) = (connect(sandbox.address), connect(sandbox.address));
    let mut greedy = connect(sandbox.address);
    slow.write_all(&[0, 50, 1, 2, 3]).unwrap();
    greedy.write_all(&[0xff, 0xff]).unwrap();
    assert_eq!(next(&mut greedy), None);
    assert_eq!(next(&mut silent), None);
    assert_eq!(next(&mut slow), None);
    let mut answer = connect(sandbox.address);
    answer.write_all(&framed(&[0x80; 12])).unwrap();
    assert_eq!(next(&mut answer), None, "an answer is no question");
}

#[test]
fn who_takes_no_answer_is_dropped_and_disturbs_nobody() {
    let limits = TcpLimits { patience: Duration::from_millis(300), ..TcpLimits::default() };
    let sandbox = Sandbox::start(move || plan(limits, vec![]));
    let mut slow = connect(sandbox.address);
    slow.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let many = framed(&question("long.box.test", 1)).repeat(500);
    // It asks and does not read: first its own answers fill what the kernel keeps, then it is dropped.
    let is_dropped = (0..1000).any(|_| slow.write_all(&many).is_err());
    assert!(is_dropped);
    let mut other = connect(sandbox.address);
    other.write_all(&framed(&question("alice.box.test", 2))).unwrap();
    assert!(next(&mut other).is_some());
}

#[test]
fn connections_have_bounds() {
    let limits = TcpLimits { connections: 3, of_one_source: 2, ..TcpLimits::default() };
    let sandbox = Sandbox::start(move || plan(limits, vec![]));
    let is_served = |stream: &mut TcpStream| {
        let sent = stream.write_all(&framed(&question("alice.box.test", 2)));
        sent.is_ok() && next(stream).is_some()
    };
    let (mut a, mut b) = (connect(sandbox.address), connect(sandbox.address));
    assert!(is_served(&mut a) && is_served(&mut b));
    assert!(!is_served(&mut connect(sandbox.address)), "a third of one source");
    drop(a);
    // The place is free when the server, a thread among others, saw the end.
    let is_free = (0..1000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        is_served(&mut connect(sandbox.address))
    });
    assert!(is_free);
    assert!(is_served(&mut b));
}

#[test]
fn who_was_idle_for_longest_makes_room() {
    let limits = TcpLimits { connections: 2, ..TcpLimits::default() };
    let sandbox = Sandbox::start(move || plan(limits, vec![]));
    let is_served = |stream: &mut TcpStream| {
        let sent = stream.write_all(&framed(&question("alice.box.test", 2)));
        sent.is_ok() && next(stream).is_some()
    };
    let (mut a, mut b) = (connect(sandbox.address), connect(sandbox.address));
    assert!(is_served(&mut a) && is_served(&mut b) && is_served(&mut a));
    let mut c = connect(sandbox.address);
    assert!(is_served(&mut c));
    assert!(is_served(&mut a));
    assert!(!is_served(&mut b));
}

#[test]
fn a_secondary_is_told_until_it_answers() {
    let secondary = UdpSocket::bind("127.0.0.1:0").unwrap();
    secondary.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let address = secondary.local_addr().unwrap();
    let sandbox = Sandbox::start(move || plan(TcpLimits::default(), vec![Secondary { address, key: None }]));
    let mut buffer = [0; 600];
    let mut told = || {
        let (len, from) = receive(&secondary, &mut buffer);
        assert_eq!((buffer[2], buffer[3]), (0x24, 0), "NOTIFY, AA");
        let serial = u32::from_be_bytes(buffer[len - 20..len - 16].try_into().unwrap());
        (serial, buffer[..len].to_vec(), from)
    };
    let first = told();
    let again = told();
    assert_eq!((first.0, again.0), (7, 7), "it did not answer");
    let mut answer = again.1.clone();
    answer[2] |= 0x80;
    secondary.send_to(&answer, again.2).unwrap();
    sandbox.change(|names| names.set(0, "bob", Some(online("203.0.113.7", None, 0))));
    assert_eq!(told().0, 8);
}
