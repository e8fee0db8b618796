//! The name that an owner registers: one label of DNS.

use std::fmt;

/// Letters of the shortest name.
pub const LABEL_MIN: usize = 3;
/// Letters of the longest name.
pub const LABEL_MAX: usize = 32;

/// Names that no box gets: hosts that a zone needs, and what a stranger would take for its operator.
const RESERVED: &[&str] = &[
    "abuse",
    "acme",
    "admin",
    "administrator",
    "api",
    "autoconfig",
    "autodiscover",
    "billing",
    "broadcasthost",
    "cloud",
    "dns",
    "ftp",
    "help",
    "hostmaster",
    "imap",
    "info",
    "isatap",
    "localhost",
    "login",
    "mail",
    "mx",
    "noc",
    "nobody",
    "pop",
    "postmaster",
    "relay",
    "root",
    "security",
    "smtp",
    "ssl",
    "status",
    "support",
    "sysadmin",
    "test",
    "time",
    "tls",
    "webmail",
    "webmaster",
    "wpad",
    "www",
];
/// Names of servers that a zone numbers: `ns1`, `hb12`.
const NUMBERED: &[&str] = &["hb", "mx", "ns", "relay", "www"];

/// A name: letters `a` to `z`, digits and hyphens (RFC 1123 §2.1), 3 to 32 of them, no hyphen at either end, and none
/// at places three and four, where `xn--` has its own (RFC 5891 §4.2.3.1). What holds one is lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(heapless::String<LABEL_MAX>);

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelError {
    /// Fewer than [`LABEL_MIN`] letters.
    Short,
    /// More than [`LABEL_MAX`] letters.
    Long,
    /// This is no letter of a name.
    Letter(char),
    /// It begins or ends with a hyphen.
    HyphenAtEdge,
    /// Hyphens at places three and four.
    HyphensInside,
}

impl Label {
    /// The name in `text`; capital letters are taken for small ones.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        if let Some(culprit) = text.chars().find(|c| !allowed(c)) {
            return Err(LabelError::Letter(culprit));
        }
        if text.len() < LABEL_MIN {
            return Err(LabelError::Short);
        }
        let mut label = heapless::String::try_from(text).map_err(|_| LabelError::Long)?;
        label.make_ascii_lowercase();
        if label.starts_with('-') || label.ends_with('-') {
            return Err(LabelError::HyphenAtEdge);
        }
        if label.as_bytes().get(2..4) == Some(b"--") {
            return Err(LabelError::HyphensInside);
        }
        Ok(Self(label))
    }

    /// Its letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It is kept for servers and operators.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let numbered = |stem: &str| {
            self.0.strip_prefix(stem).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        };
        RESERVED.contains(&self.as_str()) || NUMBERED.iter().any(|stem| numbered(stem))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "a name has at least {LABEL_MIN} letters"),
            Self::Long => write!(f, "a name has at most {LABEL_MAX} letters"),
            Self::Letter(c) => {
                write!(f, "'{}' cannot be in a name: letters a to z, digits and '-' can", c.escape_debug())
            }
            Self::HyphenAtEdge => f.write_str("a name neither begins nor ends with '-'"),
            Self::HyphensInside => f.write_str("'--' cannot be at the third place of a name"),
        }
    }
}

impl std::error::Error for LabelError {}
