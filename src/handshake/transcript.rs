//! T0: one hash of all that both ends said in the open before anything is proven.

use ring::digest;

use super::{Fingerprint, HandshakeError, Nonce};

/// How a terminal pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It read the secret from a QR code.
    Qr,
    /// Its user read the digits from the screen.
    Pin,
}

impl Mode {
    /// Its name, in T0 and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Pin => "pin",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Qr, Self::Pin].into_iter().find(|mode| mode.name() == name)
    }
}

/// What a terminal may, once it is paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// List, watch, make links.
    Viewer,
    /// List and watch some channels for some time.
    Guest,
    /// A player that keeps a playlist.
    Player,
}

impl Role {
    const ALL: [Self; 4] = [Self::Owner, Self::Viewer, Self::Guest, Self::Player];

    /// Its name, in T0 and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Viewer => "viewer",
            Self::Guest => "guest",
            Self::Player => "player",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Its number in records; never another's.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Owner => 0,
            Self::Viewer => 1,
            Self::Guest => 2,
            Self::Player => 3,
        }
    }

    /// The role of that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }
}

/// What both ends said.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The box's name.
    pub box_name: &'a str,
    /// Of the box's key, as the terminal knows it.
    pub fingerprint: &'a Fingerprint,
    /// How they pair.
    pub mode: Mode,
    /// From the box.
    pub box_nonce: &'a Nonce,
    /// From the terminal.
    pub terminal_nonce: &'a Nonce,
    /// The terminal's name, as it was sent.
    pub terminal_name: &'a str,
    /// What the terminal is going to be.
    pub role: Role,
}

/// T0. Two ends that have the same one heard the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript([u8; 32]);

impl Transcript {
    /// The transcript of `hello`; fails only for a name that is too long to frame.
    pub fn of(hello: &Hello<'_>) -> Result<Self, HandshakeError> {
        let mut hash = digest::Context::new(&digest::SHA256);
        let fields: [&[u8]; 8] = [
            b"stb-pair-v1",
            hello.box_name.as_bytes(),
            &hello.fingerprint.0,
            hello.mode.name().as_bytes(),
            &hello.box_nonce.0,
            &hello.terminal_nonce.0,
            hello.terminal_name.as_bytes(),
            hello.role.name().as_bytes(),
        ];
        framed(&fields, |bytes| hash.update(bytes))?;
        let mut t0 = [0; 32];
        t0.copy_from_slice(hash.finish().as_ref());
        Ok(Self(t0))
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Hands `write` each field after its length, u16 big-endian, so that no two lists of fields read alike.
pub(super) fn framed(fields: &[&[u8]], mut write: impl FnMut(&[u8])) -> Result<(), HandshakeError> {
    for field in fields {
        let length = u16::try_from(field.len()).map_err(|_| HandshakeError::NameTooLong)?;
        write(&length.to_be_bytes());
        write(field);
    }
    Ok(())
}
