//! RFC 2136 against a server of our own that is of many minds.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use domain::base::iana::{Class, Opcode, Rcode, TsigRcode};
use domain::base::message_builder::AdditionalBuilder;
use domain::base::{Message, MessageBuilder, Rtype};
use domain::rdata::tsig::Time48;
use domain::rdata::{A, Aaaa, Tsig};
use domain::tsig::{Algorithm, Key, ServerTransaction};

use super::manners::Outcome;
use super::settings::Protocol;
use super::*;
use crate::reactor::sample::run;

/// When the tests take place.
const NOW: Duration = Duration::from_secs(1_780_272_000);

/// What a server makes of an UPDATE.
#[derive(Clone, Copy, PartialEq)]
enum Mind {
    Willing,
    /// Says yes and does nothing.
    Deaf,
    /// Says no, signed.
    Refusing,
    /// Its clock is 1000 s ahead.
    Early,
    /// It knows no key.
    Keyless,
    /// By UDP it answers only in part.
    Chatty,
    /// Somebody without the key answers first.
    Forged,
}

type Builder = AdditionalBuilder<Vec<u8>>;

/// The zone: what each type has, and what every UPDATE said.
struct Server {
    mind: Mind,
    key: std::sync::Arc<Key>,
    records: HashMap<Rtype, Vec<IpAddr>>,
}

impl Server {
    /// The datagrams, or messages, that answer `request`.
    fn answer(&mut self, request: &[u8], tcp: bool) -> Vec<Vec<u8>> {
        let now = Time48::from_u64(NOW.as_secs());
        let mut message = Message::from_octets(request.to_vec()).unwrap();
        let reply = |m: &Message<Vec<u8>>, rcode| MessageBuilder::new_vec().start_answer(m, rcode).unwrap();
        match self.mind {
            Mind::Early => return vec![bad_time(&message)],
            Mind::Keyless => {
                let tsig = message.get_last_additional::<Tsig<_, _>>().unwrap();
                let mut answer = reply(&message, Rcode::NOTAUTH).additional();
                let data = tsig.data();
                let error = TsigRcode::BADKEY;
                let empty = Tsig::new(data.algorithm(), data.time_signed(), 300, b"", 0, error, b"").unwrap();
                answer.push((tsig.owner(), Class::ANY, 0, empty)).unwrap();
                return vec![answer.finish()];
            }
            _ => {}
        }
        let signer = ServerTransaction::request(&self.key, &mut message, now).unwrap().expect("it is signed");
        let mut answer = if message.header().opcode() == Opcode::UPDATE {
            let (owner, rtype, class) = message
                .zone()
                .next()
                .map(|q| q.unwrap())
                .map(|q| (q.qname().to_string(), q.qtype(), q.qclass()))
                .unwrap();
            assert_eq!((&*owner, rtype, class), ("example", Rtype::SOA, Class::IN));
            if self.mind != Mind::Deaf && self.mind != Mind::Refusing {
                self.change(&message);
            }
            let rcode = if self.mind == Mind::Refusing { Rcode::REFUSED } else { Rcode::NOERROR };
            reply(&message, rcode).additional()
        } else {
            self.tell(&message, reply(&message, Rcode::NOERROR))
        };
        if self.mind == Mind::Chatty && !tcp {
            answer.header_mut().set_tc(true);
        }
        let mut forged = reply(&message, Rcode::REFUSED).finish();
        forged[..2].copy_from_slice(&request[..2]);
        signer.answer(&mut answer, now).unwrap();
        let answer = answer.finish();
        if self.mind == Mind::Forged { vec![forged, answer] } else { vec![answer] }
    }

    fn change(&mut self, message: &Message<Vec<u8>>) {
        for record in message.update().unwrap().map(Result::unwrap) {
            assert_eq!(record.owner().to_string(), "box.example");
            match record.class() {
                Class::ANY => self.records.entry(record.rtype()).or_default().clear(),
                Class::IN => {
                    assert_eq!(record.ttl().as_secs(), 60);
                    let ip = match record.rtype() {
                        Rtype::A => IpAddr::V4(record.to_record::<A>().unwrap().unwrap().data().addr()),
                        _ => IpAddr::V6(record.to_record::<Aaaa>().unwrap().unwrap().data().addr()),
                    };
                    self.records.entry(record.rtype()).or_default().push(ip);
                }
                other => panic!("class {other}"),
            }
        }
    }

    fn tell(
        &self,
        message: &Message<Vec<u8>>,
        mut answer: domain::base::message_builder::AnswerBuilder<Vec<u8>>,
    ) -> Builder {
        let question = message.sole_question().unwrap();
        for ip in self.records.get(&question.qtype()).into_iter().flatten() {
            match ip {
                IpAddr::V4(ip) => answer.push((question.qname(), Class::IN, 60, A::new(*ip))).unwrap(),
                IpAddr::V6(ip) => answer.push((question.qname(), Class::IN, 60, Aaaa::new(*ip))).unwrap(),
            }
        }
        answer.additional()
    }
}

/// BADTIME as RFC 8945 §5.2.3 has it, its signature left out: it is not looked at.
fn bad_time(message: &Message<Vec<u8>>) -> Vec<u8> {
    let tsig = message.get_last_additional::<Tsig<_, _>>().unwrap();
    let mut answer = MessageBuilder::new_vec().start_answer(message, Rcode::NOTAUTH).unwrap().additional();
    let (data, server) = (tsig.data(), Time48::from_u64(NOW.as_secs() + 1000).into_octets());
    let error = TsigRcode::BADTIME;
    let told = Tsig::new(
        data.algorithm(),
        data.time_signed(),
        300,
        vec![7; 32],
        message.header().id(),
        error,
        server.to_vec(),
    );
    answer.push((tsig.owner(), Class::ANY, 0, told.unwrap())).unwrap();
    answer.finish()
}

/// A server on loopback, and what was asked by which way.
fn serve(mind: Mind) -> (SocketAddr, Receiver<&'static str>) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).unwrap();
    let key = Key::new(Algorithm::Sha256, &[9; 32], "box-key".parse().unwrap(), None, None).unwrap();
    let server = Server { mind, key: std::sync::Arc::new(key), records: HashMap::new() };
    let server = std::sync::Arc::new(std::sync::Mutex::new(server));
    let (tell, asked) = channel();
    let (other, tell_tcp) = (std::sync::Arc::clone(&server), tell.clone());
    thread::spawn(move || {
        let mut request = [0; 1500];
        while let Ok((size, from)) = udp.recv_from(&mut request) {
            let Ok(()) = tell.send("udp") else { return };
            for answer in server.lock().unwrap().answer(&request[..size], false) {
                udp.send_to(&answer, from).unwrap();
            }
        }
    });
    thread::spawn(move || {
        for socket in tcp.incoming() {
            let mut socket = socket.unwrap();
            let mut length = [0; 2];
            std::io::Read::read_exact(&mut socket, &mut length).unwrap();
            let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
            std::io::Read::read_exact(&mut socket, &mut request).unwrap();
            let Ok(()) = tell_tcp.send("tcp") else { return };
            for answer in other.lock().unwrap().answer(&request, true) {
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                std::io::Write::write_all(&mut socket, &[&length[..], &answer].concat()).unwrap();
            }
        }
    });
    (address, asked)
}

fn means(utc: Option<Duration>) -> Means {
    let time = TrustedTime::default();
    utc.into_iter().for_each(|utc| time.set(utc));
    let client = Rc::new(Client::new(Path::new("/nowhere"), time.clone()));
    Means { reactor: Rc::new(Reactor::new().unwrap()), client, time, save: Rc::new(|_| ()) }
}

const SECRET: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";

fn update(mind: Mind, addresses: Addresses) -> (Outcome, Vec<&'static str>) {
    let (address, asked) = serve(mind);
    let text =
        format!("rfc2136 server={address} zone=example. host=box.example. key=box-key secret={SECRET}");
    let Protocol::Rfc2136(it) = ProviderSetting::parse(&text).unwrap().protocol else { panic!("{text}") };
    let means = means(Some(NOW));
    let outcome = run(&means.reactor, it.update(&means, addresses));
    (outcome, asked.try_iter().collect())
}

fn both() -> Addresses {
    Addresses { v4: Some(Ipv4Addr::new(1, 1, 1, 1)), v6: "2a00::1".parse().ok() }
}

#[test]
fn an_update_is_signed_taken_and_read_back() {
    assert_eq!(update(Mind::Willing, both()), (Outcome::Done, vec!["udp"; 3]));
    let v6 = Addresses { v4: None, ..both() };
    assert_eq!(update(Mind::Willing, v6), (Outcome::Done, vec!["udp"; 3]));
}

#[test]
fn an_answer_that_is_cut_is_fetched_by_tcp() {
    let ways = vec!["udp", "tcp", "udp", "tcp", "udp", "tcp"];
    assert_eq!(update(Mind::Chatty, both()), (Outcome::Done, ways));
}

#[test]
fn an_answer_without_the_key_is_passed_over() {
    assert_eq!(update(Mind::Forged, both()), (Outcome::Done, vec!["udp"; 3]));
}

#[test]
fn a_server_that_says_yes_and_does_nothing_is_found_out() {
    let (outcome, _) = update(Mind::Deaf, both());
    assert!(matches!(outcome, Outcome::Failed(why) if why.contains("says yes and has not changed the name")));
}

#[test]
fn a_refusal_counts_when_it_is_signed() {
    let (outcome, asked) = update(Mind::Refusing, both());
    assert!(matches!(outcome, Outcome::Stop(why) if why.contains("REFUSED")));
    assert_eq!(asked, ["udp"]);
    let (outcome, _) = update(Mind::Keyless, both());
    assert!(matches!(outcome, Outcome::Failed(why) if why.contains("does not know this key")));
}

#[test]
fn a_clock_that_is_off_is_told() {
    let (outcome, _) = update(Mind::Early, both());
    let Outcome::Failed(why) = outcome else { panic!("{outcome:?}") };
    let off = [999, 1000, 1001, 1002].map(|s| format!("clock is {s} s off: clock suspect"));
    assert!(off.iter().any(|off| why.contains(off)), "{why}");
    let text = format!("rfc2136 server=127.0.0.1 zone=example host=box.example key=k secret={SECRET}");
    let Protocol::Rfc2136(it) = ProviderSetting::parse(&text).unwrap().protocol else { panic!("{text}") };
    let means = means(None);
    let outcome = run(&means.reactor, it.update(&means, both()));
    assert!(matches!(outcome, Outcome::Failed(why) if why.contains("time of day is not known yet")));
}

#[test]
fn what_is_wrong_with_a_zone_is_named() {
    let good = format!("server=192.0.2.1 zone=example host=box.example key=k secret={SECRET}");
    let why = |from: &str, to: &str| {
        let text = format!("rfc2136 {}", good.replace(from, to));
        ProviderSetting::parse(&text).unwrap_err().to_string()
    };
    assert_eq!(why("zone=example", "zone=other"), "host: it is not in the zone");
    assert_eq!(why("zone=example", "zone=a..b"), "zone: no name of DNS");
    assert_eq!(why("server=192.0.2.1", "server=a:b"), "server: an address or a name, and perhaps :port");
    assert_eq!(why(SECRET, "%"), "secret: no base64");
    assert_eq!(
        why("secret", "algorithm=md5 secret"),
        "algorithm: hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1"
    );
    assert_eq!(why("secret", "ttl=x secret"), "ttl: a number of seconds");
    for server in ["192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::1", "ns.example", "ns.example:5353"] {
        ProviderSetting::parse(&format!("rfc2136 {}", good.replace("192.0.2.1", server))).unwrap();
    }
}

#[test]
fn what_was_taken_outlives_a_restart() {
    let settings = ["noip host=a.example user=u password=p", "duckdns host=b token=t"];
    let settings = settings.map(|text| ProviderSetting::parse(text).unwrap());
    let providers = Providers::new(&settings, &[], Duration::ZERO, TrustedTime::default());
    let now = Moment { boot: Duration::from_secs(9), utc: Some(NOW) };
    providers.all[1].manners.borrow_mut().went(now, both(), Outcome::Done, 0);
    let record = providers.record();
    let again = Providers::new(&settings, &record, Duration::ZERO, TrustedTime::default());
    let published: Vec<_> = again.status().iter().map(|s| (s.name.clone(), s.published)).collect();
    assert_eq!(published, [("noip a.example".into(), Addresses::default()), ("duckdns b".into(), both())]);
    for end in 0..record.len() {
        let cut = Providers::new(&settings, &record[..end], Duration::ZERO, TrustedTime::default());
        assert!(cut.status().iter().all(|s| s.published == Addresses::default() || s.published == both()));
    }
    let newer = [&[2], &record[1..]].concat();
    assert_eq!(
        Providers::new(&settings, &newer, Duration::ZERO, TrustedTime::default()).status()[1].published,
        Addresses::default()
    );
}
