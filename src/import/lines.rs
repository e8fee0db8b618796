//! A list's lines as text.

use std::borrow::Cow;

/// One line, without its end.
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Its text, without the white space behind it.
    pub(super) text: Cow<'a, str>,
}

/// The lines of `bytes`. Each is UTF-8, or else ISO 8859-15, in which any byte means something.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes); // the last line's end begins no other
    let lines = bytes.split(|b| *b == b'\n').enumerate();
    lines.map(|(i, line)| Line { number: i + 1, text: decode(line.trim_ascii_end()) })
}

fn decode(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => text.into(),
        Err(_) => line.iter().map(|b| latin9(*b)).collect::<String>().into(),
    }
}

/// ISO 8859-15: ISO 8859-1 with the euro and seven letters that French, Finnish and Estonian lacked.
const fn latin9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        _ => byte as char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_decoded_by_itself() {
        let bytes = b"\xef\xbb\xbfArt\xc3\xa9\r\nS\xe9rie \xa4\n\nend\n";
        let all: Vec<_> = lines(bytes).map(|l| (l.number, l.text.into_owned())).collect();
        let wanted = [(1, "Arté"), (2, "Série €"), (3, ""), (4, "end")];
        assert_eq!(all, wanted.map(|(number, text)| (number, text.to_owned())));
    }
}
