//! Signed statements: a tag, then fields. Whoever has the public half knows who said it, and what for.

use super::{BoxKey, BoxPublic, Label, ServiceKey, ServicePublic, Signature};

/// 16 bytes that nobody used before. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

/// Bytes of the longest statement: a zone and an URL, or a zone and a name.
pub(super) const STATEMENT_MAX: usize = 1024;

/// A statement's bytes, as they are signed: a tag in ASCII, then each field; those of any length after theirs (u16,
/// big endian).
pub struct Text(heapless::Vec<u8, STATEMENT_MAX>);

impl Text {
    pub(super) fn new(tag: &str) -> Self {
        Self(heapless::Vec::new()).with(tag.as_bytes())
    }

    /// A field of fixed length.
    pub(super) fn with(mut self, field: &[u8]) -> Self {
        // A statement cut short verifies nothing, and fields are bounded where they are parsed.
        let whole = self.0.extend_from_slice(field).is_ok();
        debug_assert!(whole, "a statement has at most {STATEMENT_MAX} bytes");
        self
    }

    /// A field of any length.
    pub(super) fn with_long(self, field: &str) -> Self {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        self.with(&length.to_be_bytes()).with(field.as_bytes())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What can be signed, and by whom.
pub trait Statement {
    /// Who signs.
    type By: Signs;

    /// As it is signed.
    fn text(&self) -> Text;

    /// Signs it.
    fn sign(&self, key: &Self::By) -> Signature {
        key.sign_text(&self.text())
    }

    /// It was signed by this one.
    fn is_signed(&self, by: &<Self::By as Signs>::Public, signature: &Signature) -> bool {
        Self::By::verify_text(by, &self.text(), signature)
    }
}

/// A role that signs.
pub trait Signs {
    /// The half that anybody may know.
    type Public;

    /// Signs.
    fn sign_text(&self, text: &Text) -> Signature;

    /// It was signed by this one.
    fn verify_text(by: &Self::Public, text: &Text, signature: &Signature) -> bool;
}

impl Signs for BoxKey {
    type Public = BoxPublic;

    fn sign_text(&self, text: &Text) -> Signature {
        self.sign(text.bytes())
    }

    fn verify_text(by: &BoxPublic, text: &Text, signature: &Signature) -> bool {
        by.verifies(text.bytes(), signature)
    }
}

impl Signs for ServiceKey {
    type Public = ServicePublic;

    fn sign_text(&self, text: &Text) -> Signature {
        self.sign(text.bytes())
    }

    fn verify_text(by: &ServicePublic, text: &Text, signature: &Signature) -> bool {
        by.verifies(text.bytes(), signature)
    }
}

/// The time of day, to a box that has none: who asked knows by the nonce that it is no old answer.
#[derive(Clone, Copy, Debug)]
pub struct TimeIs {
    /// Who asks brought it.
    pub nonce: Nonce,
    /// Since 1970.
    pub seconds: u64,
}

impl Statement for TimeIs {
    type By = ServiceKey;

    fn text(&self) -> Text {
        Text::new("stb-time-v1").with(&self.nonce.0).with(&self.seconds.to_be_bytes())
    }
}

/// The box that has the name gives it to another key.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The name.
    pub name: &'a Label,
    /// The key of the box that gets it.
    pub to: BoxPublic,
}

impl Statement for Handover<'_> {
    type By = BoxKey;

    fn text(&self) -> Text {
        Text::new("stb-handover-v1").with_long(self.zone).with_long(self.name.as_str()).with(&self.to.0)
    }
}

/// The box that has the name is there: it is not to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Cancel<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The name.
    pub name: &'a Label,
    /// The service's.
    pub nonce: Nonce,
}

impl Statement for Cancel<'_> {
    type By = BoxKey;

    fn text(&self) -> Text {
        Text::new("stb-cancel-v1").with_long(self.zone).with_long(self.name.as_str()).with(&self.nonce.0)
    }
}

/// The box gives its name up.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The name.
    pub name: &'a Label,
    /// The service's.
    pub nonce: Nonce,
    /// All that the service knows of it goes, too.
    pub erase: bool,
}

impl Statement for Release<'_> {
    type By = BoxKey;

    fn text(&self) -> Text {
        let text = Text::new("stb-release-v1").with_long(self.zone).with_long(self.name.as_str());
        text.with(&self.nonce.0).with(&[self.erase.into()])
    }
}

/// A brand says of a box that it made it: such a box may claim a name.
#[derive(Clone, Copy, Debug)]
pub struct Voucher<'a> {
    /// The box's serial number.
    pub serial: &'a str,
    /// The box's key.
    pub key: BoxPublic,
}

impl Statement for Voucher<'_> {
    type By = ServiceKey;

    fn text(&self) -> Text {
        Text::new("stb-voucher-v1").with_long(self.serial).with(&self.key.0)
    }
}

/// The service moved: where its boxes find it, and the key they know it by there.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The URL of the service.
    pub service: &'a str,
    /// The key that signs there.
    pub key: ServicePublic,
}

impl Statement for Moved<'_> {
    type By = ServiceKey;

    fn text(&self) -> Text {
        Text::new("stb-moved-v1").with_long(self.zone).with_long(self.service).with(&self.key.0)
    }
}
