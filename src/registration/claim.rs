//! The claim of a name, both ends. What is secret is derived from an exchange of X25519 shares (RFC 7748), each signed
//! by its end, and never sent: so a box that has no time of day yet, and cannot check a certificate, can claim.

use std::fmt;

use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::keys::expand;
use super::statement::{Statement, Text};
use super::{
    BoxId, BoxKey, BoxPublic, Label, Nonce, Psk, RecoveryCode, ServiceKey, ServicePublic, Signature,
};

/// What a box signs to claim a name.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The name.
    pub name: &'a Label,
    /// The service's, good for one claim.
    pub nonce: Nonce,
    /// The box's key, which is going to own the name.
    pub key: BoxPublic,
    /// The box's X25519 share, good for one claim.
    pub share: [u8; 32],
}

impl Statement for Claim<'_> {
    type By = BoxKey;

    fn text(&self) -> Text {
        let text = Text::new("stb-claim-v1").with_long(self.zone).with_long(self.name.as_str());
        text.with(&self.nonce.0).with(&self.key.0).with(&self.share)
    }
}

/// What the service signs when it gives the name.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// The signature of the claim that this answers.
    pub claim: Signature,
    /// What the claim is known by in heartbeats.
    pub id: BoxId,
    /// The epoch of the keys.
    pub epoch: u32,
    /// The service's X25519 share, good for one claim.
    pub share: [u8; 32],
    /// Where heartbeats go: `host:port`.
    pub heartbeat: &'a str,
    /// The name is new: a recovery code goes with it.
    pub is_new: bool,
}

impl Statement for Claimed<'_> {
    type By = ServiceKey;

    fn text(&self) -> Text {
        let text = Text::new("stb-claimed-v1").with(&self.claim.0).with(&self.id.0);
        let text = text.with(&self.epoch.to_be_bytes()).with(&self.share);
        text.with_long(self.heartbeat).with(&[self.is_new.into()])
    }
}

/// Why a claim is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// The answer is not signed by the service, or answers another claim.
    Signature,
    /// The share is no point that hides anything (RFC 7748 §6.1).
    Share,
    /// No share could be made.
    Randomness,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "the answer is not of the name service that this box trusts",
            Self::Share => "the other end's share is none",
            Self::Randomness => "there is no randomness for a key",
        })
    }
}

impl std::error::Error for ClaimError {}

/// The box's end of a claim that was sent.
pub struct Enrolment {
    private: EphemeralPrivateKey,
    share: [u8; 32],
}

/// What a box has when its claim was granted.
#[derive(Debug)]
pub struct Enrolled {
    /// Shared with the service.
    pub psk: Psk,
    /// For the owner, once: where the name is new.
    pub recovery: Option<RecoveryCode>,
}

impl Enrolment {
    /// Makes a share for one claim.
    pub fn begin(rng: &dyn SecureRandom) -> Result<Self, ClaimError> {
        let (private, share) = ephemeral(rng)?;
        Ok(Self { private, share })
    }

    /// The share that goes into the claim.
    #[must_use]
    pub const fn share(&self) -> [u8; 32] {
        self.share
    }

    /// Checks the answer and derives what it gives.
    pub fn finish(
        self,
        service: &ServicePublic,
        answer: &Claimed<'_>,
        signature: &Signature,
    ) -> Result<Enrolled, ClaimError> {
        if !answer.is_signed(service, signature) {
            return Err(ClaimError::Signature);
        }
        let common = agree(self.private, &answer.share)?;
        let (psk, recovery) = derive(&common, &answer.claim, &answer.share);
        Ok(Enrolled { psk, recovery: answer.is_new.then_some(recovery) })
    }
}

/// The service's end of a claim that it grants.
pub struct Granted {
    /// The service's share, for the answer.
    pub share: [u8; 32],
    /// Shared with the box.
    pub psk: Psk,
    /// Of a new name; the service keeps its hash.
    pub recovery: RecoveryCode,
}

impl Granted {
    /// Derives what the claim of this signature and share gets.
    pub fn new(claim: &Signature, share: &[u8; 32], rng: &dyn SecureRandom) -> Result<Self, ClaimError> {
        let (private, own) = ephemeral(rng)?;
        let common = agree(private, share)?;
        let (psk, recovery) = derive(&common, claim, &own);
        Ok(Self { share: own, psk, recovery })
    }
}

fn ephemeral(rng: &dyn SecureRandom) -> Result<(EphemeralPrivateKey, [u8; 32]), ClaimError> {
    let private = EphemeralPrivateKey::generate(&X25519, rng).map_err(|_| ClaimError::Randomness)?;
    let public = private.compute_public_key().map_err(|_| ClaimError::Randomness)?;
    let share = public.as_ref().try_into().map_err(|_| ClaimError::Randomness)?;
    Ok((private, share))
}

/// What both ends have in common.
fn agree(private: EphemeralPrivateKey, share: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, ClaimError> {
    let peer = UnparsedPublicKey::new(&X25519, share);
    let agreed = agree_ephemeral(private, &peer, |common| common.try_into().ok().map(Zeroizing::new));
    agreed.ok().flatten().ok_or(ClaimError::Share)
}

fn derive(common: &[u8; 32], claim: &Signature, share: &[u8; 32]) -> (Psk, RecoveryCode) {
    let mut salt = digest::Context::new(&digest::SHA256);
    salt.update(&claim.0);
    salt.update(share);
    let salt = salt.finish();
    let psk = Psk::new(expand(salt.as_ref(), common, &[b"psk"]));
    (psk, RecoveryCode::new(expand(salt.as_ref(), common, &[b"recovery"])))
}
