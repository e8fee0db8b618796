use std::net::UdpSocket;
use std::thread::{self, JoinHandle};

use domain::base::iana::Class;
use domain::base::message_builder::AnswerBuilder;
use domain::base::{Record, Ttl};

use super::*;
use crate::reactor::sample::run;

type Script = fn(&Message<Vec<u8>>) -> Vec<Vec<u8>>;

/// The next datagram; a machine that is stopped and goes on interrupts a receive with a time-out (signal(7)).
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        match socket.recv_from(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            received => return received.unwrap(),
        }
    }
}

/// A server that answers `times` queries as `script` says, each with any number of datagrams.
fn server(times: usize, script: Script) -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let address = socket.local_addr().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..times {
            let mut query = vec![0; 512];
            let (size, from) = receive(&socket, &mut query);
            query.truncate(size);
            for answer in script(&Message::from_octets(query).unwrap()) {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    (address, serving)
}

fn name(text: &str) -> Name<Vec<u8>> {
    text.parse().unwrap()
}

fn answer(query: &Message<Vec<u8>>, rcode: Rcode, add: impl Fn(&mut AnswerBuilder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec().start_answer(query, rcode).unwrap();
    add(&mut builder);
    builder.finish()
}

fn a(builder: &mut AnswerBuilder<Vec<u8>>, owner: &str, ip: [u8; 4]) {
    builder.push(Record::new(name(owner), Class::IN, Ttl::ZERO, A::new(ip.into()))).unwrap();
}

fn cname(builder: &mut AnswerBuilder<Vec<u8>>, owner: &str, to: &str) {
    builder.push(Record::new(name(owner), Class::IN, Ttl::ZERO, Cname::new(name(to)))).unwrap();
}

fn look_up(servers: &[SocketAddr], host: &str) -> Result<Vec<String>, String> {
    let reactor = Rc::new(Reactor::new().unwrap());
    let found = run(&reactor, ask_all(&reactor, servers, host));
    found.map(|ips| ips.iter().map(ToString::to_string).collect()).map_err(|e| e.to_string())
}

#[test]
fn an_address_is_its_own_answer_and_localhost_needs_no_server() {
    let reactor = Rc::new(Reactor::new().unwrap());
    let ip = |host| run(&reactor, resolve(&reactor, host)).unwrap();
    assert_eq!(ip("192.0.2.7").as_slice(), [IpAddr::from([192, 0, 2, 7])]);
    assert_eq!(ip("[2001:db8::1]").as_slice(), ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    assert!(ip("localhost").iter().all(IpAddr::is_loopback));
    assert_eq!(in_hosts("", "a.LOCALHOST.").len(), 2);
}

#[test]
fn files_are_read_as_the_system_reads_them() {
    let hosts = "# x\n192.0.2.1 box.example box # tv\n2001:db8::1\tBOX\nbad box\n192.0.2.2 boxes\n";
    let found = in_hosts(hosts, "box.");
    assert_eq!(found.as_slice(), ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    let text = "nameserver 192.0.2.1\n#nameserver 192.0.2.9\nnameserver fe80::1%lo\noptions x\nnameserver x\n\
                nameserver 192.0.2.3\nnameserver 192.0.2.4\n";
    let found: Vec<String> = servers(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1:53", "[fe80::1%1]:53", "192.0.2.3:53"]);
    assert_eq!(servers("").as_slice(), ["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn both_families_come_in_turn_over_their_aliases() {
    let (address, serving) = server(2, |query| {
        vec![answer(query, Rcode::NOERROR, |b| {
            cname(b, "www.example", "Far.example");
            cname(b, "far.example", "near.example");
            a(b, "other.example", [192, 0, 2, 9]);
            if query.qtype() == Some(Rtype::A) {
                a(b, "near.example", [192, 0, 2, 1]);
                a(b, "NEAR.example", [192, 0, 2, 2]);
            } else {
                let ip = Aaaa::new("2001:db8::1".parse().unwrap());
                b.push(Record::new(name("near.example"), Class::IN, Ttl::ZERO, ip)).unwrap();
            }
        })]
    });
    let found = look_up(&[address], "WWW.example.").unwrap();
    assert_eq!(found, ["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
    serving.join().unwrap();
}

#[test]
fn what_answers_no_question_of_ours_is_passed_over() {
    let (address, serving) = server(2, |query| {
        let good = answer(query, Rcode::NOERROR, |b| a(b, "a.example", [192, 0, 2, 1]));
        let mut other_id = good.clone();
        other_id[1] ^= 1;
        let mut no_answer = good.clone();
        no_answer[2] &= 0x7f;
        let mut other_question = good.clone();
        other_question[13] ^= 1;
        let lie = |bytes: &Vec<u8>| {
            let mut lie = bytes.clone();
            *lie.last_mut().unwrap() = 66;
            lie
        };
        vec![vec![0; 5], lie(&other_id), lie(&no_answer), lie(&other_question), good]
    });
    assert_eq!(look_up(&[address], "a.example").unwrap(), ["192.0.2.1"]);
    serving.join().unwrap();
}

#[test]
fn a_server_that_fails_hands_on_to_the_next() {
    let (bad, failing) = server(2, |query| vec![answer(query, Rcode::SERVFAIL, |_| ())]);
    let (good, serving) =
        server(2, |query| vec![answer(query, Rcode::NOERROR, |b| a(b, "a.example", [192, 0, 2, 1]))]);
    assert_eq!(look_up(&[bad, good], "a.example").unwrap(), ["192.0.2.1"]);
    failing.join().unwrap();
    serving.join().unwrap();
}

#[test]
fn what_cannot_be_found_is_said_with_its_name() {
    let told = |times, script: Script| {
        let (address, serving) = server(times, script);
        let why = look_up(&[address], "a.example").unwrap_err();
        serving.join().unwrap();
        why
    };
    let none = told(2, |query| vec![answer(query, Rcode::NXDOMAIN, |_| ())]);
    assert_eq!(none, "the name 'a.example' cannot be looked up: there is no such name");
    let empty = told(2, |query| vec![answer(query, Rcode::NOERROR, |_| ())]);
    assert_eq!(empty, "'a.example' has no address");
    let round = told(4, |query| {
        vec![answer(query, Rcode::NOERROR, |b| {
            cname(b, "a.example", "b.example");
            cname(b, "b.example", "a.example");
        })]
    });
    assert!(round.ends_with("127.0.0.1: its aliases lead nowhere"), "{round}");
    let torn = told(4, |query| {
        let mut bytes = answer(query, Rcode::NOERROR, |b| a(b, "a.example", [192, 0, 2, 1]));
        bytes.truncate(bytes.len() - 3);
        vec![bytes]
    });
    assert!(torn.ends_with("the server's answer is malformed"), "{torn}");
    assert_eq!(look_up(&[], "a..b").unwrap_err(), "'a..b' is no name of a host");
    assert!(look_up(&[], &format!("{}.example", "x".repeat(64))).is_err());
}

#[test]
fn a_dead_server_is_named() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = look_up(&[address], "a.example").unwrap_err();
    assert!(why.starts_with("the name 'a.example' cannot be looked up: 127.0.0.1: "), "{why}");
}

proptest::proptest! {
    #[test]
    fn a_damaged_answer_is_survived(
        damage in proptest::collection::vec((12..120usize, proptest::prelude::any::<u8>()), 0..12),
        length in 12..120usize,
    ) {
        let mut query = MessageBuilder::new_vec().question();
        query.push((name("a.example"), Rtype::A)).unwrap();
        let mut bytes = answer(&query.into_message(), Rcode::NOERROR, |b| {
            cname(b, "a.example", "b.example");
            a(b, "b.example", [192, 0, 2, 1]);
        });
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        if let Ok(message) = Message::from_slice(&bytes) {
            let _whatever = read(message, &name("a.example"), Rtype::A);
        }
    }
}
