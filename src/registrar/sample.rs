//! A registrar without a store, and a box to talk to it, for tests.

use std::net::{IpAddr, SocketAddr};

use ring::rand::SystemRandom;

use super::*;
use crate::nameserver::{Directory, Found};
use crate::registration::{
    Ack, Beat, Body, BoxId, BoxKey, BoxPublic, Claim, Claimed, Enrolled, Enrolment, Handover, Header, Kind,
    Label, PACKET_MAX, Psk, RecoveryCode, Retry, Voucher, open, seal,
};

pub(crate) const ZONE: &str = "box.test";

/// The name service's key, and the brand's.
pub(crate) fn service_key() -> ServiceKey {
    ServiceKey::from_seed([1; 32])
}

pub(crate) fn brand_key() -> ServiceKey {
    ServiceKey::from_seed([2; 32])
}

pub(crate) fn settings() -> Settings {
    Settings {
        zones: vec![
            ZoneSettings { name: ZONE.into(), moved_to: None },
            ZoneSettings { name: "other.test".into(), moved_to: None },
        ],
        capacity: 64,
        enrol: Enrol::Open,
        heartbeats: vec!["hb0.box.test:5300".into(), "hb1.box.test:5300".into()],
        next_s: 60,
        move_delay: Duration::from_secs(72 * 3600),
        publish_private: false,
        blocked: vec!["examplebank".into()],
        home: 0,
    }
}

/// A registrar, its clock, and a store that takes all there is.
pub(crate) struct Rig {
    pub(crate) registrar: Registrar,
    pub(crate) now: Now,
    /// What the store would have: for a restart.
    pub(crate) kept: std::collections::BTreeMap<Key, Record>,
    /// Why the store takes nothing.
    pub(crate) fails: Option<String>,
}

impl Rig {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut registrar = Registrar::new(settings, service_key(), Box::new(SystemRandom::new()));
        let now = Now { monotonic: Duration::from_secs(1000), utc: 1_800_000_000 };
        assert!(registrar.loaded(now));
        registrar.tick(now);
        Self { registrar, now, kept: std::collections::BTreeMap::new(), fails: None }
    }

    /// Time goes on, tick by tick.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let step = (seconds / 50).max(1);
        let mut left = seconds;
        while left > 0 {
            let step = step.min(left);
            left -= step;
            self.now.monotonic += Duration::from_secs(step);
            self.now.utc += step;
            self.tick();
        }
    }

    pub(crate) fn tick(&mut self) {
        for _ in 0..3 {
            self.registrar.tick(self.now);
            self.commit();
        }
    }

    /// The store takes what waits.
    pub(crate) fn commit(&mut self) {
        while let Some(writes) = self.registrar.take_writes() {
            let result = self.fails.clone().map_or(Ok(()), Err);
            for write in writes.iter().filter(|_| self.fails.is_none()) {
                for (key, record) in &write.puts {
                    match record {
                        Some(record) => self.kept.insert(key.clone(), record.clone()),
                        None => self.kept.remove(key),
                    };
                }
            }
            let up_to = writes.last().unwrap().ticket;
            self.registrar.committed(self.now, &Done { up_to, result, conflicts: Vec::new() });
        }
    }

    /// The service is killed and starts again from what the store has.
    pub(crate) fn restart(&mut self, settings: Settings) {
        self.registrar = Registrar::new(settings, service_key(), Box::new(SystemRandom::new()));
        for (key, record) in &self.kept {
            self.registrar.load(self.now, key, record).unwrap();
        }
        self.registrar.loaded(self.now);
        self.registrar.tick(self.now);
    }

    pub(crate) fn published(&self, name: &str) -> Option<(Option<IpAddr>, Option<IpAddr>)> {
        match self.registrar.find(0, name.as_bytes()) {
            Found::Never => None,
            Found::Entry(p) => Some((p.v4.map(IpAddr::V4), p.v6.map(IpAddr::V6))),
        }
    }

    /// A packet from `source`: what comes back, once it is on disk.
    pub(crate) fn send(&mut self, came: Came, source: &str, packet: &[u8]) -> Option<Vec<u8>> {
        let (mut out, source) = ([0; PACKET_MAX], source.parse::<SocketAddr>().unwrap());
        let reply = self.registrar.datagram(self.now, came, source, packet, &mut out);
        let len = match reply {
            Reply::Silence => None,
            Reply::Send(len) => Some(len),
            Reply::AfterCommit(len, _) => (self.fails.is_none()).then_some(len),
        };
        self.commit();
        let answer = len.map(|len| out[..len].to_vec());
        assert!(answer.as_ref().is_none_or(|answer| answer.len() <= packet.len()), "no amplification");
        answer
    }
}

/// What else a claim brings.
#[derive(Default)]
pub(crate) struct Also<'a> {
    pub(crate) recovery: Option<&'a RecoveryCode>,
    pub(crate) handover: Option<Signature>,
    pub(crate) no_voucher: bool,
}

/// The box's end.
pub(crate) struct TestBox {
    pub(crate) key: BoxKey,
    pub(crate) id: BoxId,
    pub(crate) epoch: u32,
    pub(crate) psk: Option<Psk>,
    pub(crate) recovery: Option<RecoveryCode>,
    pub(crate) counter: u64,
    pub(crate) cookie: Option<[u8; 16]>,
    pub(crate) v6: heapless::Vec<[u8; 16], 2>,
}

impl TestBox {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            key: BoxKey::from_seed([seed; 32]),
            id: BoxId([0; 8]),
            epoch: 0,
            psk: None,
            recovery: None,
            counter: 1_000_000,
            cookie: None,
            v6: heapless::Vec::new(),
        }
    }

    pub(crate) fn public(&self) -> BoxPublic {
        self.key.public()
    }

    /// Claims `name` and keeps what it gets; `Ok(Some(until))` when it has to wait.
    pub(crate) fn claim_with(
        &mut self,
        rig: &mut Rig,
        name: &str,
        also: &Also<'_>,
    ) -> Result<Option<u32>, Refusal> {
        let source = IpAddr::V4((u32::from(self.public().0[0]) << 16 | 0x0b00_0001).into());
        self.claim_from(rig, source, name, also)
    }

    pub(crate) fn claim_from(
        &mut self,
        rig: &mut Rig,
        source: IpAddr,
        name: &str,
        also: &Also<'_>,
    ) -> Result<Option<u32>, Refusal> {
        let enrolment = Enrolment::begin(&SystemRandom::new()).unwrap();
        let nonce = rig.registrar.nonce(rig.now);
        let signed = Label::new(name).unwrap_or_else(|_| Label::new("no-name").unwrap());
        let share = enrolment.share();
        let claim = Claim { zone: ZONE, name: &signed, nonce, key: self.public(), share };
        let signature = claim.sign(&self.key);
        let voucher = Voucher { serial: "SN-1", key: self.public() }.sign(&brand_key());
        let request = ClaimRequest {
            zone: ZONE,
            name,
            key: self.public(),
            nonce,
            share,
            signature,
            voucher: (!also.no_voucher).then_some(("SN-1", voucher)),
            recovery: also.recovery.map(|code| code.prove(&signature)),
            handover: also.handover,
        };
        let staged = rig.registrar.claim(rig.now, source, &request)?;
        rig.commit();
        if let Some(why) = rig.fails.clone() {
            return Err(Refusal::Store(why));
        }
        let granting = match staged.answer {
            Answer::Pending(until) => return Ok(Some(until)),
            Answer::Granted(granting) => granting,
        };
        let Granting { id, epoch, share, is_new, .. } = granting;
        let answer = Claimed {
            claim: signature,
            id,
            epoch,
            share,
            heartbeat: rig.registrar.heartbeat_of(granting.id),
            is_new,
        };
        let Enrolled { psk, recovery } =
            enrolment.finish(&service_key().public(), &answer, &granting.signature).unwrap();
        (self.id, self.epoch, self.psk) = (id, epoch, Some(psk));
        self.recovery = recovery.or_else(|| self.recovery.take());
        self.cookie = None;
        Ok(None)
    }

    pub(crate) fn claim(&mut self, rig: &mut Rig, name: &str) -> Result<Option<u32>, Refusal> {
        self.claim_with(rig, name, &Also::default())
    }

    pub(crate) fn handover(&self, name: &str, to: BoxPublic) -> Signature {
        Handover { zone: ZONE, name: &Label::new(name).unwrap(), to }.sign(&self.key)
    }

    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let beat = Beat {
            epoch: self.epoch,
            pub_port: 8443,
            v6: self.v6.clone(),
            cookie: self.cookie.take(),
            ..Beat::default()
        };
        self.sealed(&beat)
    }

    pub(crate) fn sealed<B: Body>(&mut self, body: &B) -> Vec<u8> {
        self.counter += 1;
        let (mut out, keys) = ([0; PACKET_MAX], self.psk.as_ref().unwrap().beat_keys(self.epoch));
        let len = seal(self.id, self.counter, body, &keys.to_service, &mut out);
        out[..len].to_vec()
    }

    /// Beats from `source` until the service believes it; `None`: it says nothing.
    pub(crate) fn beat(&mut self, rig: &mut Rig, source: &str) -> Option<Ack> {
        for _ in 0..2 {
            let packet = self.packet();
            let answer = rig.send(Came::Udp, source, &packet)?;
            if let Some(ack) = self.hear(&answer) {
                return Some(ack);
            }
        }
        panic!("two cookies for one beat");
    }

    /// What the service said; a cookie is kept for the next beat.
    pub(crate) fn hear(&mut self, answer: &[u8]) -> Option<Ack> {
        let keys = self.psk.as_ref().unwrap().beat_keys(self.epoch);
        let header = Header::peek(answer).unwrap();
        assert_eq!((header.id, header.counter), (self.id, self.counter));
        if header.kind == Kind::Retry {
            self.cookie = Some(open::<Retry>(answer, &keys.to_box).unwrap().cookie);
            return None;
        }
        Some(open::<Ack>(answer, &keys.to_box).unwrap())
    }
}
