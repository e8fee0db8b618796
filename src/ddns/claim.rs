//! The claim of a name, as logic without I/O: what is sent to the service, and what its answers mean to the owner.

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::rand::SystemRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record::{HEARTBEAT_MAX, Held, SERVICE_MAX, Service};
use crate::registration::{
    BoxId, BoxKey, Claim, Claimed, Enrolment, Label, Moved, Nonce, RecoveryCode, ServicePublic, Signature,
    Statement, TimeIs, Voucher,
};
use crate::text::CleanText;

/// Bytes of the longest answer that is read.
const ANSWER_MAX: usize = 2048;
/// Bytes of the longest request.
const REQUEST_MAX: usize = 2048;

/// What the box's maker put into it.
#[derive(Clone)]
pub struct Factory {
    /// The serial number that the voucher is for.
    pub serial: String,
    /// The box's key.
    pub key: BoxKey,
    /// The brand's word that it made this box.
    pub voucher: Signature,
}

impl Factory {
    /// Of a file: lines `serial = …`, `key = …` (the seed) and `voucher = …`, the last two in base64url. The error is a
    /// sentence, and never says the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (mut serial, mut key, mut voucher) = (None, None, None);
        for (name, value) in lines.filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            match name.trim() {
                "serial" => serial = Some(value),
                "key" => key = decoded::<32>(value).map(BoxKey::from_seed),
                "voucher" => voucher = decoded::<64>(value).map(Signature),
                _ => {}
            }
        }
        Ok(Self {
            serial: serial
                .filter(|s| (1..=64).contains(&s.len()))
                .ok_or("'serial' is missing or too long")?
                .into(),
            key: key.ok_or("'key' is missing, or no 32 bytes in base64url")?,
            voucher: voucher.ok_or("'voucher' is missing, or no 64 bytes in base64url")?,
        })
    }

    /// The voucher is for this serial number and key, by this brand.
    #[must_use]
    pub fn is_vouched_by(&self, brand: &ServicePublic) -> bool {
        Voucher { serial: &self.serial, key: self.key.public() }.is_signed(brand, &self.voucher)
    }
}

/// What entitles to a name that another key has.
#[derive(Clone, Debug)]
pub enum Title {
    /// Nothing: the name is free, or this box's already.
    None,
    /// The code that the owner wrote down.
    Recovery(RecoveryCode),
    /// The word of the box that has it.
    Handover(Signature),
}

/// What is claimed, and where.
#[derive(Clone)]
pub struct Wanted {
    /// The service that was configured.
    pub origin: Service,
    /// The service to ask; another when that moved.
    pub service: Service,
    /// The zone.
    pub zone: String,
    /// The name.
    pub name: Label,
    /// Why the box may have it.
    pub title: Title,
}

/// A claim that was sent.
pub struct Claiming {
    wanted: Wanted,
    enrolment: Enrolment,
    signature: Signature,
}

/// What came of a claim.
pub enum Outcome {
    /// The name is this box's.
    Held(Box<Held>),
    /// It is going to be, at this time in seconds since 1970, unless the box that has it says no.
    Waits(u64),
    /// Another key has it. A sentence for the owner.
    Taken(String),
    /// No, and asking again does not help. A sentence for the owner.
    Refused(String),
    /// Not now. A sentence for the owner.
    Later(String),
}

impl Claiming {
    /// Signs a claim with the service's nonce; the bytes are to be posted. The error is a sentence.
    pub fn begin(
        wanted: Wanted,
        key: &BoxKey,
        factory: Option<&Factory>,
        nonce: Nonce,
    ) -> Result<(Self, Vec<u8>), String> {
        let enrolment = Enrolment::begin(&SystemRandom::new()).map_err(|e| e.to_string())?;
        let Wanted { zone, name, title, .. } = &wanted;
        let claim = Claim { zone, name, nonce, key: key.public(), share: enrolment.share() };
        let signature = claim.sign(key);
        let voucher = factory.map(|f| VoucherBody { serial: &f.serial, sig: encoded(&f.voucher.0) });
        let (recovery, handover) = match title {
            Title::None => (None, None),
            Title::Recovery(code) => (Some(encoded(&code.prove(&signature))), None),
            Title::Handover(sig) => (None, Some(HandoverBody { sig: encoded(&sig.0) })),
        };
        let body = json(&ClaimBody {
            zone,
            name: name.as_str(),
            key: encoded(&claim.key.0),
            nonce: encoded(&nonce.0),
            share: encoded(&claim.share),
            sig: encoded(&signature.0),
            voucher,
            recovery,
            handover,
        });
        Ok((Self { wanted, enrolment, signature }, body))
    }

    /// What the answer means.
    #[must_use]
    pub fn finish(self, status: u16, body: &[u8]) -> Outcome {
        let name = self.wanted.name.clone();
        match status {
            200 => match self.granted(body) {
                Ok(held) => Outcome::Held(Box::new(held)),
                Err(why) => Outcome::Later(why),
            },
            202 => match read::<PendingAnswer>(body) {
                Some(PendingAnswer { until }) => Outcome::Waits(until),
                None => Outcome::Later("the name service says to wait and not how long".into()),
            },
            status => refusal(&name, status, body),
        }
    }

    fn granted(self, body: &[u8]) -> Result<Held, String> {
        const NONE: &str = "the name service's answer is none of this protocol";
        let answer = read::<ClaimAnswer>(body).ok_or(NONE)?;
        let id = BoxId(decoded(&answer.box_id).ok_or(NONE)?);
        let claimed = Claimed {
            claim: self.signature,
            id,
            epoch: answer.epoch,
            share: decoded(&answer.share).ok_or(NONE)?,
            heartbeat: &answer.hb,
            is_new: answer.created,
        };
        let signature = Signature(decoded(&answer.sig).ok_or(NONE)?);
        let Wanted { origin, service, zone, name, .. } = self.wanted;
        let enrolled = self.enrolment.finish(&service.public(), &claimed, &signature);
        let enrolled = enrolled.map_err(|why| why.to_string())?;
        let got = (id, answer.epoch, &enrolled.psk);
        let held = Held::new((origin, service), (&zone, &name), got, &answer.hb);
        let mut held = held.ok_or("the name service's answer is too long")?;
        held.recovery = enrolled.recovery.map(|code| code.shown());
        Ok(held)
    }
}

/// What the owner is told where a claim is not granted.
fn refusal(name: &Label, status: u16, body: &[u8]) -> Outcome {
    let said = read::<Problem>(body);
    let word = said.as_ref().map_or("", |p| p.error.as_str());
    let its_words = said.as_ref().map(|p| format!(": {}", p.message)).unwrap_or_default();
    match (status, word) {
        (409, "held") => Outcome::Refused(format!(
            "'{name}' is not to be had now{its_words}; take another name, or ask again later"
        )),
        (409, _) => Outcome::Taken(format!(
            "'{name}' is taken; take another name, or, where it is yours, 'stbcastd name claim {name} --recovery CODE'"
        )),
        (403, "voucher") => Outcome::Refused(format!(
            "the name service gives names to boxes that their maker vouches for alone (setting 'factory'){its_words}"
        )),
        (403, "nonce") => Outcome::Later(format!("the name service took too long{its_words}")),
        (400 | 403 | 404 | 422, _) => {
            Outcome::Refused(format!("the name service refuses '{name}'{its_words}"))
        }
        (429, _) => Outcome::Later(format!("the name service is asked too often from here{its_words}")),
        (503, _) => Outcome::Later(format!("the name service gives no names now{its_words}")),
        _ => Outcome::Later(format!("the name service failed, status {status}{its_words}")),
    }
}

/// What `cancel` and `release` are posted with.
#[must_use]
pub fn signed_body(
    zone: &str,
    name: &Label,
    nonce: Nonce,
    signature: &Signature,
    erase: Option<bool>,
) -> Vec<u8> {
    let (nonce, sig) = (encoded(&nonce.0), encoded(&signature.0));
    json(&SignedBody { zone, name: name.as_str(), nonce, sig, erase })
}

/// The service's own words on why it does not do it.
#[must_use]
pub fn problem(status: u16, body: &[u8]) -> String {
    match read::<Problem>(body) {
        Some(said) => format!("the name service refuses: {}", said.message),
        None => format!("the name service failed, status {status}"),
    }
}

/// The time that the service signed for this nonce, in seconds since 1970.
#[must_use]
pub fn signed_time(service: &ServicePublic, nonce: Nonce, body: &[u8]) -> Option<u64> {
    let answer = read::<TimeAnswer>(body)?;
    let signature = Signature(decoded(&answer.sig)?);
    TimeIs { nonce, seconds: answer.time }.is_signed(service, &signature).then_some(answer.time)
}

/// The nonce that the service gives.
#[must_use]
pub fn nonce(body: &[u8]) -> Option<Nonce> {
    decoded(&read::<NonceAnswer>(body)?.nonce).map(Nonce)
}

/// Where the service says that it is going to be.
#[must_use]
pub fn moved(service: &ServicePublic, zone: &str, body: &[u8]) -> Option<Service> {
    let answer = read::<MovedAnswer>(body)?;
    let key = ServicePublic(decoded(&answer.key)?);
    let signature = Signature(decoded(&answer.sig)?);
    let is_signed = Moved { zone, service: &answer.service, key }.is_signed(service, &signature);
    is_signed.then_some(Service { url: answer.service, key: key.0 })
}

#[derive(Serialize)]
struct ClaimBody<'a> {
    zone: &'a str,
    name: &'a str,
    key: Base64,
    nonce: Base64,
    share: Base64,
    sig: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    voucher: Option<VoucherBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handover: Option<HandoverBody>,
}

#[derive(Serialize)]
struct VoucherBody<'a> {
    serial: &'a str,
    sig: Base64,
}

#[derive(Serialize)]
struct HandoverBody {
    sig: Base64,
}

#[derive(Serialize)]
struct SignedBody<'a> {
    zone: &'a str,
    name: &'a str,
    nonce: Base64,
    sig: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    erase: Option<bool>,
}

#[derive(Deserialize)]
struct ClaimAnswer {
    box_id: Base64,
    epoch: u32,
    share: Base64,
    hb: heapless::String<HEARTBEAT_MAX>,
    created: bool,
    sig: Base64,
}

#[derive(Deserialize)]
struct PendingAnswer {
    until: u64,
}

#[derive(Deserialize)]
struct Problem {
    error: heapless::String<32>,
    message: CleanText<400>,
}

#[derive(Deserialize)]
struct TimeAnswer {
    time: u64,
    sig: Base64,
}

#[derive(Deserialize)]
struct NonceAnswer {
    nonce: Base64,
}

#[derive(Deserialize)]
struct MovedAnswer {
    service: heapless::String<SERVICE_MAX>,
    key: Base64,
    sig: Base64,
}

/// Base64url without padding, of 64 bytes at most.
type Base64 = heapless::String<86>;

/// `bytes`, 64 at most, in base64url.
#[must_use]
pub fn encoded(bytes: &[u8]) -> Base64 {
    let mut text = [0; 86];
    Base64::try_from(Base64UrlUnpadded::encode(bytes, &mut text).unwrap_or_default()).unwrap_or_default()
}

/// `N` bytes of their base64url.
#[must_use]
pub fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}

fn json(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![0; REQUEST_MAX];
    let length = serde_json_core::to_slice(body, &mut bytes).unwrap_or(0); // a zone of 253 bytes leaves room for all
    bytes.truncate(length);
    bytes
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut unescaped = [0; ANSWER_MAX];
    let (value, used) = serde_json_core::from_slice_escaped(body, &mut unescaped).ok()?;
    body[used..].trim_ascii().is_empty().then_some(value)
}

#[cfg(test)]
mod tests;
