//! A box as the name service sees it: claims by HTTP, beats by UDP. And whoever looks a name up.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use domain::base::iana::{Class, Rcode};
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::AllRecordData;
use ring::rand::SystemRandom;
use stbcast::registration::{
    Ack, Beat, Body, BoxId, BoxKey, BoxPublic, Cancel, Claim, Claimed, Enrolment, Handover, Header, Kind,
    Label, Nonce, PACKET_MAX, Psk, RecoveryCode, Release, Retry, ServicePublic, Signature, Statement, open,
    seal,
};

use super::cloud::{Cloud, ZONE};
use super::http::{Client, Reply};
use super::stb::{number, text};
use super::terminal::{b64, random, unb64};
use super::uninterrupted;

/// An answer by UDP on one machine takes much less.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts a body and takes the answer.
pub fn post(at: SocketAddr, path: &str, kind: &str, body: &[u8]) -> Reply {
    let mut client = Client::connect(at);
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    client.send(&[head.as_bytes(), body].concat());
    client.reply()
}

/// What comes back as text.
pub fn body(reply: &Reply) -> String {
    String::from_utf8(reply.body.clone()).expect("the answer is text")
}

/// A box with a key.
pub struct Registrant {
    pub key: BoxKey,
    pub name: Label,
    pub voucher: Option<(String, Signature)>,
}

/// A box with a name.
pub struct Registered {
    pub id: BoxId,
    pub epoch: u32,
    pub psk: Psk,
    pub recovery: Option<RecoveryCode>,
    pub counter: u64,
    pub socket: UdpSocket,
}

impl Registrant {
    pub fn new(name: &str) -> Self {
        Self { key: BoxKey::from_seed(random()), name: Label::new(name).expect("a name"), voucher: None }
    }

    pub fn public(&self) -> BoxPublic {
        self.key.public()
    }

    fn nonce(cloud: &Cloud) -> Nonce {
        let reply = super::http::get(&format!("http://{}/v1/nonce", cloud.http));
        Nonce(unb64(text(&body(&reply), "nonce").expect("a nonce")))
    }

    /// Claims its name.
    pub fn claim(&self, cloud: &Cloud) -> Result<Registered, Reply> {
        self.claim_with(cloud, |_| String::new())
    }

    /// The same with more in the request, made of the claim's signature.
    pub fn claim_with(
        &self,
        cloud: &Cloud,
        more: impl Fn(&Signature) -> String,
    ) -> Result<Registered, Reply> {
        let enrolment = Enrolment::begin(&SystemRandom::new()).expect("randomness");
        let nonce = Self::nonce(cloud);
        let (key, share) = (self.key.public(), enrolment.share());
        let signature = Claim { zone: ZONE, name: &self.name, nonce, key, share }.sign(&self.key);
        let voucher = self.voucher.as_ref().map(|(serial, signature)| {
            format!(",\"voucher\":{{\"serial\":\"{serial}\",\"sig\":\"{}\"}}", b64(&signature.0))
        });
        let json = format!(
            "{{\"zone\":\"{ZONE}\",\"name\":\"{}\",\"key\":\"{}\",\"nonce\":\"{}\",\"share\":\"{}\",\"sig\":\"{}\"{}{}}}",
            self.name,
            b64(&key.0),
            b64(&nonce.0),
            b64(&share),
            b64(&signature.0),
            voucher.unwrap_or_default(),
            more(&signature),
        );
        let reply = post(cloud.http, "/v1/claim", "application/json", json.as_bytes());
        if reply.status != 200 {
            return Err(reply);
        }
        let said = body(&reply);
        let field = |key: &str| text(&said, key).unwrap_or_else(|| panic!("no {key} in {said}")).to_owned();
        let (id, epoch) =
            (BoxId(unb64(&field("box_id"))), u32::try_from(number(&said, "epoch")).expect("an epoch"));
        let heartbeat = field("hb");
        let answer = Claimed {
            claim: signature,
            id,
            epoch,
            share: unb64(&field("share")),
            heartbeat: &heartbeat,
            is_new: said.contains("\"created\":true"),
        };
        let service = ServicePublic::parse(&cloud.key()).expect("a key");
        let enrolled =
            enrolment.finish(&service, &answer, &Signature(unb64(&field("sig")))).expect("of the service");
        let socket = UdpSocket::bind((cloud.heartbeat.ip(), 0)).expect("a port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        socket.connect(heartbeat).expect("an address");
        Ok(Registered { id, epoch, psk: enrolled.psk, recovery: enrolled.recovery, counter: 1, socket })
    }

    /// What the box says that has the name, so that `to` gets it.
    pub fn handover(&self, to: BoxPublic) -> Signature {
        Handover { zone: ZONE, name: &self.name, to }.sign(&self.key)
    }

    pub fn cancel(&self, cloud: &Cloud) -> Reply {
        let nonce = Self::nonce(cloud);
        let signature = Cancel { zone: ZONE, name: &self.name, nonce }.sign(&self.key);
        self.by_owner(cloud, "/v1/cancel", nonce, &signature, "")
    }

    pub fn release(&self, cloud: &Cloud, erase: bool) -> Reply {
        let nonce = Self::nonce(cloud);
        let signature = Release { zone: ZONE, name: &self.name, nonce, erase }.sign(&self.key);
        self.by_owner(cloud, "/v1/release", nonce, &signature, &format!(",\"erase\":{erase}"))
    }

    fn by_owner(&self, cloud: &Cloud, path: &str, nonce: Nonce, signature: &Signature, more: &str) -> Reply {
        let (nonce, signature) = (b64(&nonce.0), b64(&signature.0));
        let json = format!(
            "{{\"zone\":\"{ZONE}\",\"name\":\"{}\",\"nonce\":\"{nonce}\",\"sig\":\"{signature}\"{more}}}",
            self.name
        );
        post(cloud.http, path, "application/json", json.as_bytes())
    }
}

/// What comes back to a beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard {
    Ack(Ack),
    Retry(Retry),
    Nothing,
}

impl Registered {
    /// A packet of its own, with the next counter.
    pub fn packet(&mut self, body: &impl Body) -> Vec<u8> {
        let (mut packet, keys) = ([0; PACKET_MAX], self.psk.beat_keys(self.epoch));
        self.counter += 1;
        let length = seal(self.id, self.counter, body, &keys.to_service, &mut packet);
        packet[..length].to_vec()
    }

    pub fn beat(&self) -> Beat {
        Beat { epoch: self.epoch, pub_port: 8443, ..Beat::default() }
    }

    /// Beats once by its socket, whatever comes back.
    pub fn beat_once(&mut self, beat: &Beat) -> Heard {
        let packet = self.packet(beat);
        self.socket.send(&packet).expect("it can be sent");
        self.hear()
    }

    /// Beats until it is acknowledged, as a box does.
    pub fn beat_until_heard(&mut self) -> Ack {
        let mut beat = self.beat();
        for _ in 0..5 {
            match self.beat_once(&beat) {
                Heard::Ack(ack) => return ack,
                Heard::Retry(retry) => beat.cookie = Some(retry.cookie),
                Heard::Nothing => {}
            }
        }
        panic!("nobody acknowledges");
    }

    /// What comes next.
    pub fn hear(&self) -> Heard {
        let mut packet = [0; 256];
        match uninterrupted(|| self.socket.recv(&mut packet)) {
            Ok(n) => self.understand(&packet[..n]),
            Err(_) => Heard::Nothing,
        }
    }

    pub fn understand(&self, packet: &[u8]) -> Heard {
        let key = self.psk.beat_keys(self.epoch).to_box;
        let header = Header::peek(packet).expect("an answer is a packet");
        assert_eq!((header.id, header.counter), (self.id, self.counter), "it answers the last beat");
        match header.kind {
            Kind::Ack => Heard::Ack(open(packet, &key).expect("it is of the service")),
            Kind::Retry => Heard::Retry(open(packet, &key).expect("it is of the service")),
            other => panic!("{other:?}"),
        }
    }
}

/// What a name leads to: the code, and the addresses.
pub fn look_up(server: SocketAddr, name: &str, rtype: Rtype) -> (Rcode, Vec<IpAddr>) {
    let mut question = MessageBuilder::new_vec();
    question.header_mut().set_id(u16::from_le_bytes(random()));
    let mut question = question.question();
    question.push((name.parse::<Name<Vec<u8>>>().expect("a name"), rtype, Class::IN)).expect("there is room");
    let question = question.finish();
    let socket = UdpSocket::bind((server.ip(), 0)).expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    socket.send_to(&question, server).expect("it can be sent");
    let mut bytes = [0; 4096];
    let n = uninterrupted(|| socket.recv(&mut bytes)).expect("DNS answers");
    let message = Message::from_octets(&bytes[..n]).expect("a message");
    assert_eq!(message.header().id(), u16::from_be_bytes([question[0], question[1]]));
    let records = message.answer().expect("a section").limit_to::<AllRecordData<_, _>>();
    let addresses = records.filter_map(|record| match record.expect("a record").into_data() {
        AllRecordData::A(a) => Some(IpAddr::V4(a.addr())),
        AllRecordData::Aaaa(aaaa) => Some(IpAddr::V6(aaaa.addr())),
        _ => None,
    });
    (message.header().rcode(), addresses.collect())
}
