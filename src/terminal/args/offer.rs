//! What a box offers to pair by: the link below its QR code, or its address and the PIN on its screen.

use super::super::authority::Authority;
use super::super::link::split;
use super::UsageError;
use crate::handshake::{Invitation, Pin};

/// Where boxes listen, unless their maker says otherwise.
pub(super) const PORT: u16 = 8800;

/// By what to pair, and with whom.
#[derive(Debug)]
pub(in super::super) enum Offer {
    /// A link with an invitation in it.
    Qr(Authority, Box<Invitation>),
    /// A PIN; where there is none, it is to be asked for.
    Pin(Authority, Option<Pin>),
}

/// `--pin`, as it was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PinWord {
    /// To be asked for.
    Ask,
    Given(String),
}

impl Offer {
    /// Reads `http://host[:port]/pair#1.…`, or `host[:port]` with a `pin`.
    pub(super) fn parse(text: &str, pin: Option<&PinWord>) -> Result<Self, UsageError> {
        let is_link = text.contains("://");
        match pin {
            Some(_) if is_link => Err(UsageError::Pin),
            Some(pin) => {
                let authority = Authority::parse(text, PORT).map_err(UsageError::Address)?;
                Ok(Self::Pin(
                    authority,
                    match pin {
                        PinWord::Ask => None,
                        PinWord::Given(digits) => Some(Pin::parse(digits).ok_or(UsageError::Pin)?),
                    },
                ))
            }
            None if is_link => {
                let (authority, rest) = split(text).map_err(UsageError::Link)?;
                let fragment = rest.strip_prefix("/pair#").ok_or(UsageError::Invitation)?;
                let invitation = Invitation::parse(fragment).ok_or(UsageError::Invitation)?;
                Ok(Self::Qr(authority, Box::new(invitation)))
            }
            None => Err(UsageError::NoPin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::authority::AuthorityError;
    use super::super::super::link::LinkError;
    use super::*;

    const FRAGMENT: &str = "1.AQEBAQEBAQE.AgICAgICAgICAgICAgICAg.AwMDAwMDAwMDAwMDAwMDAw";

    #[test]
    fn a_link_and_an_address_are_told_apart() {
        let link = format!("http://192.168.1.20:8800/pair#{FRAGMENT}");
        let Ok(Offer::Qr(authority, invitation)) = Offer::parse(&link, None) else { panic!() };
        assert_eq!((authority.to_string().as_str(), invitation.box_id.0), ("192.168.1.20:8800", [1; 8]));
        assert_eq!(invitation.secret.as_bytes(), &[2; 16]);
        let Ok(Offer::Pin(authority, None)) = Offer::parse("stb.lan", Some(&PinWord::Ask)) else { panic!() };
        assert_eq!(authority.to_string(), "stb.lan:8800");
        let given = PinWord::Given("12345678".into());
        assert!(matches!(Offer::parse("[::1]:1", Some(&given)), Ok(Offer::Pin(_, Some(_)))));
    }

    #[test]
    fn what_cannot_be_paired_by_is_named() {
        let given = |digits: &str| Some(PinWord::Given(digits.to_owned()));
        let link = format!("http://box/pair#{FRAGMENT}");
        for (text, pin, is) in [
            ("192.168.1.20", None, UsageError::NoPin),
            ("user@box", given("12345678"), UsageError::Address(AuthorityError::Host)),
            ("box", given("1234567"), UsageError::Pin),
            (&link, given("12345678"), UsageError::Pin),
            ("http://box/pair", None, UsageError::Invitation),
            (&link[..link.len() - 1], None, UsageError::Invitation),
            ("http://box/live/1.ts?t=x#1", None, UsageError::Invitation),
            ("https://box/pair#1", None, UsageError::Link(LinkError::Https)),
        ] {
            assert_eq!(Offer::parse(text, pin.as_ref()).err(), Some(is), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "(http://)?(box)?(/pair#)?\\PC{0,80}") {
            let _ = Offer::parse(&text, None);
            let _ = Offer::parse(&text, Some(&PinWord::Given(text.clone())));
        }
    }
}
