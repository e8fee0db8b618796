//! The box's JSON, read within limits: a box is trusted with our screen, not with our stack or memory.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json_core::str::{EscapedStr, EscapedStringFragment};

/// Arrays and objects within each other. Skipping an unknown field recurses, so there must be a bound.
const DEPTH: usize = 16;

/// `T` as `body` has it; `None` where it has another shape or is nested too deeply.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Option<T> {
    if depth(body) > DEPTH {
        return None;
    }
    serde_json_core::from_slice(body).ok().map(|(value, _)| value)
}

/// Bytes of the longest body that a box takes.
const BODY: usize = 1024;

/// `value` as a request's body.
pub(super) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    let mut body = vec![0; BODY];
    let length = serde_json_core::to_slice(value, &mut body).unwrap_or(0);
    body.truncate(length);
    body
}

/// A string as the sender has it, for what is hashed or compared. It may hold anything: never to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exact(pub(super) String);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::new();
        for fragment in EscapedStr::deserialize(deserializer)?.fragments() {
            match fragment {
                Ok(EscapedStringFragment::NotEscaped(plain)) => text.push_str(plain),
                Ok(EscapedStringFragment::Escaped(c)) => text.push(c),
                Err(_) => return Err(de::Error::custom("an escape that is none")),
            }
        }
        Ok(Self(text))
    }
}

/// How deep arrays and objects go, strings left out.
fn depth(body: &[u8]) -> usize {
    let (mut now, mut most) = (0usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => now += 1,
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// An array of at most `MAX` items; a longer one is an error.
#[derive(Debug)]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

struct Items<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == MAX {
                return Err(de::Error::invalid_length(MAX + 1, &self));
            }
            list.push(item);
        }
        Ok(List(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_limit() {
        assert_eq!(read::<List<u8, 3>>(b"[1,2,3]").unwrap().0, [1, 2, 3]);
        assert!(read::<List<u8, 3>>(b"[1,2,3,4]").is_none());
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_followed() {
        assert_eq!(depth(br#"{"a":["]\"[[[",[{}]]}"#), 4);
        assert_eq!(depth(b"]]]["), 1);
        assert!(read::<List<u8, 3>>("[".repeat(1_000_000).as_bytes()).is_none());
    }

    #[test]
    fn an_exact_string_is_what_was_written() {
        for text in ["", "a\"b\\c", "\u{1}\n\u{202e}", "中央 é"] {
            assert_eq!(read::<Exact>(&write(&text)).unwrap().0, text);
        }
        assert!(read::<Exact>(br#""\ud83d""#).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read::<List<super::super::text::Text, 3>>(&body);
        }
    }
}
