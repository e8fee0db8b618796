//! Pairing: the terminal's end of it, over HTTP. Nothing that the box could use is sent before the box has proven that
//! it is the one on whose screen the code is.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::args::{Offer, Pairing};
use super::authority::Authority;
use super::bytes::{decoded, encoded, random};
use super::http::{self, Answer, HttpError, Request};
use super::json::{self, Exact};
use super::keys::{Known, add};
use super::text::Text;
use super::{Failure, note, prompt, refusal};
use crate::handshake::{
    BoxId, Ephemeral, Fingerprint, Hello, Invitation, Mode, Nonce, Pin, PinTerminal, QrTerminal, Role, SHARE,
    TerminalKey, Transcript,
};

/// The screen's consent takes up to a minute.
const CONSENT: Duration = Duration::from_secs(75);
/// Characters of the longest name of a terminal or a box.
const NAME: usize = 48;

/// Why nobody was let in.
#[derive(Debug)]
pub(super) enum PairError {
    /// The box lets nobody in now.
    Closed,
    /// Another box answers than the link is of.
    AnotherBox,
    /// The box did not prove that it has the code of the link.
    BoxProof,
    /// The box did not prove that it has the PIN: it is wrong.
    PinWrong,
    /// The box does not accept our proof.
    OurProof,
    /// The screen did not consent, in the box's words.
    Screen(Text),
    /// The box's table is full, in its words.
    Full(Text),
    /// This computer has used its attempts.
    Exhausted,
    /// The box cannot, in its words.
    Unable(Text),
    /// Another refusal, with the box's words where it has some.
    Refused(u16, Text),
    /// What answers says something else than a box of this version.
    NotUnderstood,
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "the box lets nobody in by this code now: open pairing at the box ('stbcastd pair', or its remote \
                 control) and take the code it shows; a code lives five minutes and is good once",
            ),
            Self::AnotherBox => f.write_str(
                "another box answers than the one that the link is of: nothing was sent to it. Take a new link from \
                 the screen of the box",
            ),
            Self::BoxProof => f.write_str(
                "what answers does not have the link's code, so it was sent nothing: the link is of an earlier \
                 pairing, or somebody stands between. Take a new one from the screen",
            ),
            Self::PinWrong => f.write_str(
                "the PIN is not the one on the box's screen: look at it again (after some wrong ones it changes) and \
                 repeat the command",
            ),
            Self::OurProof => f.write_str(
                "the box did not accept this terminal's proof: the code changed in the meantime. Take the new one",
            ),
            Self::Screen(sentence) => write!(f, "not let in: {sentence}"),
            Self::Full(sentence) => {
                write!(f, "the box takes no more terminals ({sentence}): put one out there first")
            }
            Self::Exhausted => f.write_str(
                "too many wrong PINs came from this computer: try again in an hour, or pair by the link below the QR \
                 code",
            ),
            Self::Unable(sentence) => write!(f, "the box cannot let anybody in at the moment: {sentence}"),
            Self::Refused(status, sentence) if sentence.as_str().is_empty() => {
                write!(f, "the box answered with status {status}")
            }
            Self::Refused(_, sentence) => write!(f, "the box says: {sentence}"),
            Self::NotUnderstood => f.write_str("what answered cannot be read: is the box of another version?"),
        }
    }
}

/// Pairs; what to print.
pub(super) async fn pair(pairing: Pairing) -> Result<String, Failure> {
    let Pairing { offer, name, box_name, keys } = pairing;
    // A terminal whose key cannot be kept should not be let in.
    keys.change(|_| Ok(()))?;
    let name = name.map_or_else(own_name, |name| label(&name));
    let (authority, proven) = match offer {
        Offer::Qr(authority, invitation) => {
            let proven = by_qr(&authority, &invitation, &name).await?;
            (authority, proven)
        }
        Offer::Pin(authority, pin) => {
            note(
                "this is plain HTTP: the PIN is not sent and cannot be searched for afterwards, so somebody on this \
                 network gets between you and the box only by guessing it at the first try",
            );
            let pin = pin.map_or_else(prompt::pin, Ok)?;
            let proven = by_pin(&authority, &pin, &name).await?;
            (authority, proven)
        }
    };
    note(&format!("the box is asked to let '{name}' in; its screen may want to be answered"));
    let let_in = proven.finish(&authority).await?;
    let Proven { welcome, key, .. } = proven;
    let known = Known {
        name: label(box_name.as_deref().unwrap_or(&welcome.of_box)),
        authority,
        id: welcome.id,
        fingerprint: welcome.fingerprint,
        slot: let_in.slot,
        role: welcome.role,
        key,
    };
    let (place, id) = (known.authority.clone(), known.id);
    let is_other = |old: &Known| old.authority == place && old.id != id;
    let kept = keys.change(|boxes| {
        let replaced = boxes.iter().any(is_other);
        boxes.retain(|old| !is_other(old));
        add(boxes, known).map(|name| (name, replaced))
    });
    let (box_name, replaced) = kept.map_err(|why| Failure::NotKept { slot: let_in.slot, why })?;
    if replaced {
        note("another box was known at this address: it was reset, or replaced. Its key was destroyed here");
    }
    let (box_name, name) = (Text::new(&box_name), Text::new(&let_in.name.0));
    Ok(format!("Paired with '{box_name}' as '{name}' ({}, slot {}).\n", welcome.role.name(), let_in.slot))
}

/// `user@host`.
fn own_name() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let user = user.map_or_else(|| "shell".to_owned(), |user| user.name);
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok()).unwrap_or_default();
    label(&format!("{user}@{host}"))
}

/// A name that is fit to be shown and not too long.
fn label(text: &str) -> String {
    Text::new(text).as_str().chars().take(NAME).collect()
}

/// What the box says first.
#[derive(Deserialize)]
struct WelcomeBody {
    attempt: Exact,
    #[serde(rename = "box")]
    of_box: Exact,
    id: Exact,
    fingerprint: Exact,
    nonce: Exact,
    role: Exact,
    #[serde(default)]
    salt: Option<Exact>,
    #[serde(default)]
    proof: Option<Exact>,
}

/// The same, understood.
struct Welcome {
    attempt: [u8; 16],
    of_box: String,
    id: BoxId,
    fingerprint: Fingerprint,
    nonce: Nonce,
    role: Role,
    /// For a PIN.
    salt: Option<[u8; 16]>,
    /// For a QR code.
    proof: Option<[u8; 32]>,
}

impl Welcome {
    fn read(body: &[u8]) -> Option<Self> {
        let said: WelcomeBody = json::read(body)?;
        Some(Self {
            attempt: decoded(&said.attempt.0)?,
            of_box: said.of_box.0,
            id: BoxId(decoded(&said.id.0)?),
            fingerprint: Fingerprint(decoded(&said.fingerprint.0)?),
            nonce: Nonce(decoded(&said.nonce.0)?),
            role: Role::named(&said.role.0)?,
            salt: said.salt.and_then(|salt| decoded(&salt.0)),
            proof: said.proof.and_then(|proof| decoded(&proof.0)),
        })
    }

    fn transcript(&self, mode: Mode, terminal_nonce: &Nonce, terminal_name: &str) -> Option<Transcript> {
        let hello = Hello {
            box_name: &self.of_box,
            fingerprint: &self.fingerprint,
            mode,
            box_nonce: &self.nonce,
            terminal_nonce,
            terminal_name,
            role: self.role,
        };
        Transcript::of(&hello).ok()
    }
}

/// The box has proven itself; our own proof is not sent yet.
struct Proven {
    welcome: Welcome,
    proof: [u8; 32],
    key: TerminalKey,
}

/// What became of it.
#[derive(Deserialize)]
struct LetIn {
    slot: u8,
    /// The terminal's, as the box shows it.
    name: Exact,
}

async fn by_qr(authority: &Authority, invitation: &Invitation, name: &str) -> Result<Proven, Failure> {
    let (welcome, transcript) = hello(authority, Mode::Qr, name).await?;
    if welcome.id != invitation.box_id || !invitation.is_to(&welcome.fingerprint) {
        return Err(PairError::AnotherBox.into());
    }
    let box_proof = welcome.proof.ok_or(PairError::NotUnderstood)?;
    let terminal = QrTerminal::start(&invitation.secret, &transcript);
    let (proof, key) = terminal.finish(&box_proof).map_err(|_| PairError::BoxProof)?;
    Ok(Proven { welcome, proof, key })
}

async fn by_pin(authority: &Authority, pin: &Pin, name: &str) -> Result<Proven, Failure> {
    #[derive(Serialize)]
    struct Share<'a> {
        attempt: &'a str,
        share: &'a str,
    }
    #[derive(Deserialize)]
    struct Shared {
        share: Exact,
        confirm: Exact,
    }

    let (welcome, transcript) = hello(authority, Mode::Pin, name).await?;
    let salt = welcome.salt.ok_or(PairError::NotUnderstood)?;
    let (terminal, share) = PinTerminal::start(pin, &salt, &transcript, Ephemeral::new(random()?));
    let said = Share { attempt: &encoded(&welcome.attempt), share: &encoded(&share) };
    let body = post(authority, "/api/v1/pair/share", &said, http::STALL).await?;
    let shared = json::read::<Shared>(&body);
    let shared = shared.and_then(|s| Some((decoded::<SHARE>(&s.share.0)?, decoded(&s.confirm.0)?)));
    let (share, confirm) = shared.ok_or(PairError::NotUnderstood)?;
    let (proof, key) = terminal.finish(&share, &confirm).map_err(|_| PairError::PinWrong)?;
    Ok(Proven { welcome, proof, key })
}

async fn hello(authority: &Authority, mode: Mode, name: &str) -> Result<(Welcome, Transcript), Failure> {
    #[derive(Serialize)]
    struct HelloBody<'a> {
        mode: &'a str,
        nonce: &'a str,
        name: &'a str,
    }

    let nonce = Nonce(random()?);
    let said = HelloBody { mode: mode.name(), nonce: &encoded(&nonce.0), name };
    let body = post(authority, "/api/v1/pair/hello", &said, http::STALL).await?;
    let welcome = Welcome::read(&body).ok_or(PairError::NotUnderstood)?;
    let transcript = welcome.transcript(mode, &nonce, name).ok_or(PairError::NotUnderstood)?;
    Ok((welcome, transcript))
}

impl Proven {
    /// Sends our proof, and waits for the screen's consent.
    async fn finish(&self, authority: &Authority) -> Result<LetIn, Failure> {
        #[derive(Serialize)]
        struct Finish<'a> {
            attempt: &'a str,
            proof: &'a str,
        }

        let said = Finish { attempt: &encoded(&self.welcome.attempt), proof: &encoded(&self.proof) };
        let body = post(authority, "/api/v1/pair/finish", &said, CONSENT).await?;
        json::read(&body).ok_or_else(|| PairError::NotUnderstood.into())
    }
}

async fn post<T: Serialize>(
    authority: &Authority,
    path: &str,
    said: &T,
    patience: Duration,
) -> Result<Vec<u8>, Failure> {
    let body = json::write(said);
    let request = Request { patience, ..Request::new("POST", path).with_body(&body) };
    let answer = http::ask(authority, &request).await?;
    match answer.status() {
        200 => Ok(answer.body().await?),
        status => Err(refused(status, answer).await.into()),
    }
}

async fn refused(status: u16, answer: Answer) -> PairError {
    let sentence = refusal(answer).await.map(|refusal| refusal.error).unwrap_or_default();
    match status {
        401 => PairError::OurProof,
        403 => PairError::Screen(sentence),
        404 => PairError::Closed,
        409 => PairError::Full(sentence),
        429 => PairError::Exhausted,
        503 => PairError::Unable(sentence),
        _ => PairError::Refused(status, sentence),
    }
}

impl From<PairError> for Failure {
    fn from(e: PairError) -> Self {
        match e {
            // Something else listens at that port.
            PairError::Refused(status, sentence) if sentence.as_str().is_empty() => {
                Self::Http(HttpError::Status(status))
            }
            e => Self::Pair(e),
        }
    }
}
