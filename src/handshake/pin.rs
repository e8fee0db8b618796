//! Pairing by PIN: SPAKE2+ (RFC 9383) on P-256, since eight digits behind a plain HMAC fall to an offline search.
//!
//! The terminal is the prover, the box the verifier; Context is T0 and both identities are empty, since T0 binds them.
//! The box sends its share and its confirmation together, so a terminal with a wrong PIN knows before it says more.

use spake2plus::rand_core::{Infallible, TryCryptoRng, TryRng};
use spake2plus::{
    ConfirmP, ConfirmV, Context, P256Sha256, Prover, ProverSecret, ShareP, ShareV, Verifier,
    VerifierConfirming,
};

use super::keys::{self, CommonKey, Hidden};
use super::{HandshakeError, PROOF, TerminalKey, Transcript};

/// Bytes of a share: a point of P-256, uncompressed (SEC 1 §2.3.3).
pub const SHARE: usize = 65;
/// Digits of a PIN.
pub const PIN_DIGITS: usize = 8;

/// What the screen shows and a person types: 8 digits, every one of 10^8 equally likely.
#[derive(Clone, Debug)]
pub struct Pin(Hidden<PIN_DIGITS>);

impl Pin {
    /// The PIN of a uniformly random number. `None`, about once in 45, where the number lies in the rest that 2^32
    /// leaves of 10^8 and would make some PINs likelier than others: draw again.
    #[must_use]
    pub fn from_random(number: u32) -> Option<Self> {
        const PINS: u32 = 100_000_000;
        if number >= u32::MAX / PINS * PINS {
            return None;
        }
        let mut digits = Hidden::new([b'0'; PIN_DIGITS]);
        let mut rest = number % PINS;
        for digit in digits.bytes_mut().iter_mut().rev() {
            *digit += (rest % 10) as u8; // below 10
            rest /= 10;
        }
        Some(Self(digits))
    }

    /// The PIN that was typed: 8 digits and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; PIN_DIGITS] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then(|| Self(Hidden::new(digits)))
    }

    /// Its digits, for the screen alone.
    #[must_use]
    pub fn digits(&self) -> &str {
        str::from_utf8(self.0.bytes()).expect("digits are ASCII")
    }
}

/// 64 uniformly random bytes for one run: the scalar x or y is made of them. Nothing may use them twice.
pub struct Ephemeral(Hidden<64>);

impl Ephemeral {
    /// Of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(Hidden::new(bytes))
    }
}

/// The terminal, which has sent its share and waits for the box's share and confirmation.
pub struct PinTerminal {
    prover: Prover<P256Sha256>,
    transcript: Transcript,
}

impl PinTerminal {
    /// Starts with the PIN and the salt that the box sent; gives the share to send. Costs two multiplications.
    #[must_use]
    pub fn start(
        pin: &Pin,
        salt: &[u8; 16],
        transcript: &Transcript,
        mut random: Ephemeral,
    ) -> (Self, [u8; SHARE]) {
        let (prover, share) = Prover::start(&scalars(pin, salt), &context(transcript), &mut random);
        (Self { prover, transcript: *transcript }, *share.as_bytes())
    }

    /// Checks the box's confirmation; gives the terminal's to send, and the key. Costs three multiplications.
    pub fn finish(
        self,
        share: &[u8; SHARE],
        confirm: &[u8; PROOF],
    ) -> Result<([u8; PROOF], TerminalKey), HandshakeError> {
        let share = ShareV::from_bytes(share).map_err(|_| HandshakeError::PeerShare)?;
        let confirm = ConfirmV::from_bytes(confirm).map_err(|_| HandshakeError::PeerProof)?;
        let confirming = self.prover.receive(&share).map_err(|_| HandshakeError::PeerShare)?;
        let (confirm, key) = confirming.finish(&confirm).map_err(|_| HandshakeError::PeerProof)?;
        let key = CommonKey::new(*key.as_bytes());
        Ok((*confirm.as_bytes(), TerminalKey::of(&key, &self.transcript)))
    }
}

/// The box, which has sent its share and its confirmation and waits for the terminal's.
pub struct PinBox {
    verifier: VerifierConfirming<P256Sha256>,
    transcript: Transcript,
}

impl PinBox {
    /// Takes the terminal's share; gives the box's share and confirmation to send. Costs six multiplications.
    ///
    /// Whoever has these can try one PIN by them: a call is an attempt, to be counted before the answer is sent.
    pub fn start(
        pin: &Pin,
        salt: &[u8; 16],
        transcript: &Transcript,
        mut random: Ephemeral,
        share: &[u8; SHARE],
    ) -> Result<(Self, [u8; SHARE], [u8; PROOF]), HandshakeError> {
        let theirs = ShareP::from_bytes(share).map_err(|_| HandshakeError::PeerShare)?;
        let record = scalars(pin, salt).verifier_record();
        let (verifier, ours) = Verifier::start(&record, &context(transcript), &mut random);
        let (verifier, confirm) = verifier.receive(&theirs).map_err(|_| HandshakeError::PeerShare)?;
        Ok((Self { verifier, transcript: *transcript }, *ours.as_bytes(), *confirm.as_bytes()))
    }

    /// Checks the terminal's confirmation.
    pub fn finish(self, confirm: &[u8; PROOF]) -> Result<TerminalKey, HandshakeError> {
        let confirm = ConfirmP::from_bytes(confirm).map_err(|_| HandshakeError::PeerProof)?;
        let key = self.verifier.finish(&confirm).map_err(|_| HandshakeError::PeerProof)?;
        Ok(TerminalKey::of(&CommonKey::new(*key.as_bytes()), &self.transcript))
    }
}

/// w0|w1 = HKDF(salt, ikm = the digits, info = "stb-pin-v1", 80): two 40-byte big-endian integers, reduced mod n.
pub(super) fn scalars(pin: &Pin, salt: &[u8; 16]) -> ProverSecret<P256Sha256> {
    let wide = keys::hkdf::<80>(salt, pin.0.bytes(), b"stb-pin-v1");
    ProverSecret::from_pbkdf_output(wide.bytes())
        .expect("the suite takes 80 bytes, and a zero among them would be a preimage of SHA-256")
}

/// RFC 9383 §3.3.
const fn context(transcript: &Transcript) -> Context<'_> {
    Context { context: transcript.bytes(), prover_id: &[], verifier_id: &[] }
}

/// What the protocol draws its scalar from.
impl TryRng for Ephemeral {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        // The first draw takes the 64 bytes as they are. A second comes once in 2^256 runs, and must differ.
        for chunk in out.chunks_mut(64) {
            chunk.copy_from_slice(&self.0.bytes()[..chunk.len()]);
            self.0 = keys::hkdf(&[], self.0.bytes(), b"again");
        }
        Ok(())
    }
}

impl TryCryptoRng for Ephemeral {}
