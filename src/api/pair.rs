//! `/api/v1/pair/*`: how a terminal is let in. While nobody may be, these paths are as unknown as any other.

use std::io;

use base64ct::{Base64UrlUnpadded, Encoding};
use embedded_io_async::{Read, Write};
use heapless::String;
use serde::{Deserialize, Serialize};

use super::visit::{Visit, challenge, decoded, json, read_body, read_owned_body, set_cookie};
use super::{NOTHING_HERE, SetTopBox};
use crate::access::{Brief, EnrolError, Enrolment, GuestTerms};
use crate::handshake::{Mode, Nonce, PROOF, SHARE};
use crate::http::{Exchange, Status};
use crate::pairing::{Admission, AttemptId, Opening, PairError, Stay};

#[derive(Deserialize)]
struct Hello {
    mode: String<8>,
    nonce: String<32>,
    name: String<256>,
}

#[derive(Serialize)]
struct Welcome<'a> {
    attempt: &'a str,
    #[serde(rename = "box")]
    of_box: &'a str,
    id: &'a str,
    fingerprint: &'a str,
    nonce: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a str>,
}

#[derive(Deserialize)]
struct Share<'a> {
    attempt: &'a str,
    share: &'a str,
}

#[derive(Serialize)]
struct Shared<'a> {
    share: &'a str,
    confirm: &'a str,
}

#[derive(Deserialize)]
struct Finish<'a> {
    attempt: &'a str,
    proof: &'a str,
}

#[derive(Serialize)]
struct LetIn<'a> {
    slot: u8,
    generation: u16,
    role: &'a str,
    name: &'a str,
}

/// Bytes as text, in a buffer of their own.
struct B64([u8; 88]);

impl B64 {
    const fn new() -> Self {
        Self([0; 88]) // 65 bytes are 87 characters
    }

    fn of(&mut self, bytes: &[u8]) -> &str {
        Base64UrlUnpadded::encode(bytes, &mut self.0).unwrap_or_default()
    }
}

/// `POST /api/v1/pair/hello`.
pub(super) async fn hello<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let said = read_owned_body::<Hello>(&visit.request);
    let said = said.and_then(|h| Some((Mode::named(&h.mode)?, Nonce(decoded(&h.nonce)?), h.name)));
    let Some((mode, nonce, name)) = said else {
        return malformed(exchange).await;
    };
    let welcome = match stb.pairing.hello(visit.peer.into(), mode, &nonce, &name) {
        Ok(welcome) => welcome,
        Err(why) => return refuse(stb, exchange, why).await,
    };
    let mut texts = [const { B64::new() }; 5];
    let [attempt, id, fingerprint, nonce, opening] = &mut texts;
    let (salt, proof) = match &welcome.opening {
        Opening::Salt(salt) => (Some(opening.of(salt)), None),
        Opening::Proof(proof) => (None, Some(opening.of(proof))),
    };
    let view = Welcome {
        attempt: attempt.of(&welcome.attempt.0),
        of_box: stb.name(),
        id: id.of(&stb.access.box_id().0),
        fingerprint: fingerprint.of(&stb.access.fingerprint().0),
        nonce: nonce.of(&welcome.nonce.0),
        role: welcome.role.name(),
        salt,
        proof,
    };
    json(exchange, &view).await
}

/// `POST /api/v1/pair/share`.
pub(super) async fn share<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let said = read_body::<Share<'_>>(&visit.request);
    let said = said.and_then(|s| Some((AttemptId(decoded(s.attempt)?), decoded::<SHARE>(s.share)?)));
    let Some((attempt, share)) = said else {
        return malformed(exchange).await;
    };
    match stb.pairing.share(visit.peer.into(), &attempt, &share).await {
        Ok((share, confirm)) => {
            let mut texts = [B64::new(), B64::new()];
            let [first, second] = &mut texts;
            json(exchange, &Shared { share: first.of(&share), confirm: second.of(&confirm) }).await
        }
        Err(why) => refuse(stb, exchange, why).await,
    }
}

/// `POST /api/v1/pair/finish`.
pub(super) async fn finish<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let said = read_body::<Finish<'_>>(&visit.request);
    let said = said.and_then(|f| Some((AttemptId(decoded(f.attempt)?), decoded::<PROOF>(f.proof)?)));
    let Some((attempt, proof)) = said else {
        return malformed(exchange).await;
    };
    let admission = match stb.pairing.finish(visit.peer.into(), &attempt, &proof).await {
        Ok(admission) => admission,
        Err(why) => return refuse(stb, exchange, why).await,
    };
    let terminal = match stb.let_in(admission).await {
        Ok(terminal) => terminal,
        Err(why) => {
            stb.pairing.failed(why);
            return refuse(stb, exchange, why).await;
        }
    };
    let Brief { slot, generation, name, role, .. } = terminal;
    if let Ok(cookie) = stb.access.cookie((slot, generation), visit.door) {
        set_cookie(&mut exchange, visit.door, &cookie);
    }
    json(exchange, &LetIn { slot, generation, role: role.name(), name: name.as_str() }).await
}

impl SetTopBox {
    /// Enrols who has proven itself.
    async fn let_in(&self, admission: Admission) -> Result<Brief, PairError> {
        let Admission { name, role, key, guest } = admission;
        let terms = |Stay { channels, lifetime }| {
            let now = self.access.wall_clock();
            now.map(|now| GuestTerms { channels, until: (now + lifetime).as_secs() }).ok_or(PairError::NoTime)
        };
        let enrolment = Enrolment { name, role, key, guest: guest.map(terms).transpose()? };
        let terminal = self.access.enrol(enrolment).await.map_err(|why| match why {
            EnrolError::Full => PairError::Full,
            EnrolError::Flash(e) => PairError::NotKept(e.kind()),
        })?;
        self.pairing.enrolled(terminal.slot, terminal.name.clone(), terminal.role);
        Ok(terminal)
    }
}

async fn malformed<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let sentence = "the body is JSON with each field there, bytes as base64url without padding";
    exchange.refuse(Status::BadRequest, sentence).await
}

async fn refuse<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    mut exchange: Exchange<'_, S>,
    why: PairError,
) -> io::Result<bool> {
    let status = match why {
        PairError::Closed => return exchange.refuse(Status::NotFound, NOTHING_HERE).await,
        PairError::Name | PairError::Share => Status::BadRequest,
        PairError::Proof => Status::Unauthorized,
        PairError::Exhausted => Status::TooManyRequests,
        PairError::Dissent(_) => Status::Forbidden,
        PairError::Full => Status::Conflict,
        PairError::Busy
        | PairError::NoEntropy(_)
        | PairError::NotCounted(_)
        | PairError::NotKept(_)
        | PairError::NoTime => Status::ServiceUnavailable,
    };
    challenge(stb, &mut exchange, status);
    exchange.refuse(status, &why.to_string()).await
}
