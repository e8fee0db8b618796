//! What the box wants signed: `WWW-Authenticate: STB nonce="…"` (RFC 9110 §11.6.1).

use super::bytes::decoded;
use crate::handshake::Nonce;

/// The nonce in a challenge of the box's scheme. None in one of another, or where it is there twice.
pub(super) fn nonce(field: &str) -> Option<Nonce> {
    let (scheme, parameters) = field.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("STB") {
        return None;
    }
    let pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
    let mut nonces = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("nonce")).map(|(_, value)| value);
    let nonce = nonces.next()?.strip_prefix('"')?.strip_suffix('"')?;
    nonces.next().is_none().then(|| decoded(nonce).map(Nonce)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_has_one_nonce_of_sixteen_bytes() {
        let zero = Some(Nonce([0; 16]));
        for (field, is) in [
            ("STB nonce=\"AAAAAAAAAAAAAAAAAAAAAA\"", zero),
            (" stb realm=\"x\", Nonce=\"AAAAAAAAAAAAAAAAAAAAAA\"", zero),
            ("Basic nonce=\"AAAAAAAAAAAAAAAAAAAAAA\"", None),
            ("STB", None),
            ("STB nonce=AAAAAAAAAAAAAAAAAAAAAA", None),
            ("STB nonce=\"AAAAAAAAAAAAAAAAAAAAA\"", None),
            ("STB nonce=\"AAAAAAAAAAAAAAAAAAAAAA==\"", None),
            ("STB nonce=\"AAAAAAAAAAAAAAAAAAAAAA\", nonce=\"AAAAAAAAAAAAAAAAAAAAAA\"", None),
        ] {
            assert_eq!(nonce(field), is, "{field}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_field_is_survived(field in "(STB )?(nonce=\"?)?\\PC{0,60}") {
            let _ = nonce(&field);
        }

        #[test]
        fn every_nonce_is_read(bytes: [u8; 16]) {
            let field = format!("STB nonce=\"{}\"", super::super::bytes::encoded(&bytes));
            assert_eq!(nonce(&field), Some(Nonce(bytes)));
        }
    }
}
