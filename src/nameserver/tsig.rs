//! Signed messages (TSIG, RFC 8945).
//!
//! Done here and not by `domain`, which counts the two octets of Other Len twice in what it signs, so that a clock that
//! is wrong could not be told to anybody.

use std::fmt;

use base64ct::{Base64, Encoding};
use domain::base::Name as DomainName;
use ring::hmac;

use super::wire::{Full, HEADER, Malformed, Name, Reader, Writer, class, rtype};

/// Seconds that two clocks may differ (RFC 8945 §10).
const FUDGE: u16 = 300;
/// Bytes of a secret at most.
const SECRET_MAX: usize = 512;
/// Bytes of a MAC at most: SHA-512.
const MAC_MAX: usize = 64;

/// A message authentication code.
pub(super) type Mac = heapless::Vec<u8, MAC_MAX>;

/// The hash of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    const fn wire(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"\x0bhmac-sha256\0",
            Self::Sha384 => b"\x0bhmac-sha384\0",
            Self::Sha512 => b"\x0bhmac-sha512\0",
        }
    }

    const fn ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// A secret that two servers share, with the name it goes by.
#[derive(Clone)]
pub struct Key {
    /// In lower case on the wire.
    name: Box<[u8]>,
    algorithm: Algorithm,
    secret: hmac::Key,
}

/// Not a key. It does not repeat the text, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no TSIG key: write hmac-sha256:NAME:SECRET, the secret in Base64 (also hmac-sha384, hmac-sha512)")
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &String::from_utf8_lossy(&self.name)).finish_non_exhaustive()
    }
}

impl Key {
    /// `hmac-sha256:NAME:BASE64`, as `nsupdate -y`, `dig -y` and `keymgr tsig` write it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, ':');
        let (Some(algorithm), Some(name), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError);
        };
        let algorithm = match algorithm.to_ascii_lowercase().as_str() {
            "hmac-sha256" => Algorithm::Sha256,
            "hmac-sha384" => Algorithm::Sha384,
            "hmac-sha512" => Algorithm::Sha512,
            _ => return Err(KeyError),
        };
        let name = name.parse::<DomainName<Vec<u8>>>().map_err(|_| KeyError)?;
        let mut buffer = [0; SECRET_MAX];
        let secret = Base64::decode(secret, &mut buffer).map_err(|_| KeyError)?;
        if secret.is_empty() || name.is_root() {
            return Err(KeyError);
        }
        let name = name.as_slice().to_ascii_lowercase().into();
        Ok(Self { name, algorithm, secret: hmac::Key::new(algorithm.ring(), secret) })
    }

    /// The key of a box (hmac-sha256), by its name on the wire in lower case.
    pub(super) fn of_box(name: &[u8], secret: &[u8; 32]) -> Self {
        let algorithm = Algorithm::Sha256;
        Self { name: name.into(), algorithm, secret: hmac::Key::new(algorithm.ring(), secret) }
    }

    /// The key's name in lower case, on the wire.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Bytes that a signature adds to a message at most.
    pub(super) fn room(&self) -> usize {
        room(&self.name, self.algorithm.wire(), self.algorithm.ring().digest_algorithm().output_len())
    }

    /// Signs what `out` holds, as the answer to a request with the MAC `prior`, where there was one.
    pub(super) fn sign(&self, out: &mut Writer<'_>, prior: &[u8], utc: u64) -> Result<Mac, Full> {
        let stamp = Stamp { utc, error: 0, other: &[], timers_only: false };
        self.sign_as(out, prior, stamp)
    }

    /// Signs a message of a stream that is not its first (RFC 8945 §5.3.1); `prior` is the MAC of the one before.
    pub(super) fn sign_next(&self, out: &mut Writer<'_>, prior: &[u8], utc: u64) -> Result<Mac, Full> {
        self.sign_as(out, prior, Stamp { utc, error: 0, other: &[], timers_only: true })
    }

    /// Signs the answer to a request whose clock is wrong: with its own time, so that it can check it, and ours beside.
    fn sign_bad_time(&self, out: &mut Writer<'_>, tsig: &Tsig<'_>, utc: u64) -> Result<Mac, Full> {
        let stamp =
            Stamp { utc: tsig.utc, error: TsigError::Clock.code(), other: &time48(utc), timers_only: false };
        self.sign_as(out, tsig.mac, stamp)
    }

    fn sign_as(&self, out: &mut Writer<'_>, prior: &[u8], stamp: Stamp<'_>) -> Result<Mac, Full> {
        let mut context = hmac::Context::with_key(&self.secret);
        update_counted(&mut context, prior);
        context.update(out.written());
        stamp.update(&mut context, &self.name, self.algorithm.wire(), FUDGE);
        let mac = Mac::from_slice(context.sign().as_ref()).map_err(|_| Full)?;
        put(out, &self.name, self.algorithm.wire(), stamp, &mac)?;
        Ok(mac)
    }
}

/// What is signed beside the message.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    utc: u64,
    error: u16,
    other: &'a [u8],
    timers_only: bool,
}

impl Stamp<'_> {
    fn update(&self, context: &mut hmac::Context, name: &[u8], algorithm: &[u8], fudge: u16) {
        if !self.timers_only {
            context.update(name);
            context.update(&[0, 255, 0, 0, 0, 0]); // class ANY, TTL 0
            context.update(algorithm);
        }
        context.update(&time48(self.utc));
        context.update(&fudge.to_be_bytes());
        if !self.timers_only {
            context.update(&self.error.to_be_bytes());
            update_counted(context, self.other);
            if self.other.is_empty() {
                context.update(&[0, 0]);
            }
        }
    }
}

/// Length and bytes; nothing for what is empty.
fn update_counted(context: &mut hmac::Context, bytes: &[u8]) {
    if let (false, Ok(length)) = (bytes.is_empty(), u16::try_from(bytes.len())) {
        context.update(&length.to_be_bytes());
        context.update(bytes);
    }
}

/// Seconds in the 48 bits of TSIG.
fn time48(utc: u64) -> [u8; 6] {
    let [_, _, time @ ..] = utc.to_be_bytes();
    time
}

fn room(name: &[u8], algorithm: &[u8], mac: usize) -> usize {
    name.len() + 10 + algorithm.len() + 16 + mac + 6
}

/// Appends the record and counts it.
fn put(
    out: &mut Writer<'_>,
    name: &[u8],
    algorithm: &[u8],
    stamp: Stamp<'_>,
    mac: &[u8],
) -> Result<(), Full> {
    let id = Reader { message: out.written(), at: 0 }.u16().map_err(|_| Full)?;
    let count = Reader { message: out.written(), at: 10 }.u16().map_err(|_| Full)?;
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).map_err(|_| Full);
    out.put(name)?;
    out.u16(rtype::TSIG)?;
    out.u16(class::ANY)?;
    out.u32(0)?;
    out.u16(u16::try_from(algorithm.len() + 16 + mac.len() + stamp.other.len()).map_err(|_| Full)?)?;
    out.put(algorithm)?;
    out.put(&time48(stamp.utc))?;
    out.u16(FUDGE)?;
    out.u16(length(mac)?)?;
    out.put(mac)?;
    out.u16(id)?;
    out.u16(stamp.error)?;
    out.u16(length(stamp.other)?)?;
    out.put(stamp.other)?;
    out.set(10, count.checked_add(1).ok_or(Full)?);
    Ok(())
}

/// Why a signature was not accepted (RFC 8945 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TsigError {
    Signature,
    UnknownKey,
    Clock,
    Truncated,
}

impl TsigError {
    const fn code(self) -> u16 {
        match self {
            Self::Signature => 16,
            Self::UnknownKey => 17,
            Self::Clock => 18,
            Self::Truncated => 22,
        }
    }
}

/// The TSIG record of a message.
pub(super) struct Tsig<'a> {
    /// The message before the record.
    signed: &'a [u8],
    pub(super) key_name: Name,
    algorithm: Name,
    utc: u64,
    fudge: u16,
    pub(super) mac: &'a [u8],
    original_id: u16,
    pub(super) error: u16,
    other: &'a [u8],
}

impl<'a> Tsig<'a> {
    /// The record that ends `message`, where there is one.
    pub(super) fn find(message: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader { message, at: 4 };
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.u16()?;
        }
        for _ in 0..counts[0] {
            reader.skip_name()?;
            reader.take(4)?;
        }
        let records = counts.iter().skip(1).map(|count| u32::from(*count)).sum::<u32>();
        for i in 1..=records {
            let at = reader.at;
            reader.skip_name()?;
            if reader.fixed()?.rtype == rtype::TSIG {
                return if i == records { Self::parse(message, at).map(Some) } else { Err(Malformed) };
            }
        }
        Ok(None)
    }

    /// The record that begins at `at` in `message`.
    pub(super) fn parse(message: &'a [u8], at: usize) -> Result<Self, Malformed> {
        let mut reader = Reader { message, at };
        let key_name = reader.name()?;
        let fixed = reader.fixed()?;
        let mut data =
            Reader { message: message.get(..reader.at).ok_or(Malformed)?, at: reader.at - fixed.data.len() };
        let algorithm = data.name()?;
        let utc = u64::from(data.u16()?) << 32 | u64::from(data.u32()?);
        let fudge = data.u16()?;
        let mac_length = data.u16()?;
        let mac = data.take(mac_length.into())?;
        let (original_id, error, other_length) = (data.u16()?, data.u16()?, data.u16()?);
        let other = data.take(other_length.into())?;
        if data.at != reader.at {
            return Err(Malformed);
        }
        let signed = message.get(..at).ok_or(Malformed)?;
        Ok(Self { signed, key_name, algorithm, utc, fudge, mac, original_id, error, other })
    }

    /// Checks the signature, then the clock. `prior` is the MAC of the request that this answers, or of the message
    /// before this one in a stream; `timers_only` is for the latter.
    pub(super) fn verify(
        &self,
        key: &Key,
        prior: &[u8],
        timers_only: bool,
        utc: u64,
    ) -> Result<(), TsigError> {
        if *self.key_name != *key.name || *self.algorithm != *key.algorithm.wire() {
            return Err(TsigError::UnknownKey);
        }
        let length = key.algorithm.ring().digest_algorithm().output_len();
        if self.mac.len() < length {
            // What is cut short is not taken: RFC 8945 §5.2.2.1 leaves that to us.
            return Err(if self.mac.len() < 10 { TsigError::Signature } else { TsigError::Truncated });
        }
        let mut context = hmac::Context::with_key(&key.secret);
        update_counted(&mut context, prior);
        let count = Reader { message: self.signed, at: 10 }.u16().map_err(|_| TsigError::Signature)?;
        context.update(&self.original_id.to_be_bytes());
        context.update(self.signed.get(2..10).unwrap_or_default());
        context.update(&count.wrapping_sub(1).to_be_bytes());
        context.update(self.signed.get(HEADER..).unwrap_or_default());
        let stamp = Stamp { utc: self.utc, error: self.error, other: self.other, timers_only };
        stamp.update(&mut context, &self.key_name, &self.algorithm, self.fudge);
        let expected = context.sign();
        if !bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_ref(), self.mac)) {
            return Err(TsigError::Signature);
        }
        if self.utc.abs_diff(utc) > self.fudge.into() {
            return Err(TsigError::Clock);
        }
        Ok(())
    }

    /// Bytes that [`refuse`](Self::refuse) writes at most.
    pub(super) fn room(&self) -> usize {
        room(&self.key_name, &self.algorithm, MAC_MAX)
    }

    /// Ends the answer to a request that was not accepted: signed where the key is right and only the clock is not
    /// (RFC 8945 §5.2.3), else with an empty MAC.
    pub(super) fn refuse(
        &self,
        why: TsigError,
        key: Option<&Key>,
        utc: u64,
        out: &mut Writer<'_>,
    ) -> Result<(), Full> {
        match key {
            Some(key) if why == TsigError::Clock => key.sign_bad_time(out, self, utc).map(drop),
            _ => {
                let stamp = Stamp { utc: self.utc, error: why.code(), other: &[], timers_only: false };
                put(out, &self.key_name, &self.algorithm, stamp, &[])
            }
        }
    }
}
