//! A list's format, seen from its content.

use super::lines::lines;

/// The formats of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// M3U, plain or extended.
    M3u,
    /// Enigma2: all services of the receiver, version 4 or 5.
    Lamedb,
    /// Enigma2: one list of services, which `lamedb` defines.
    Bouquet,
    /// VDR's `channels.conf`.
    Vdr,
    /// libdvbv5's channel files.
    Dvbv5,
}

/// The format that `bytes` look like. The first line that is no comment decides.
#[must_use]
pub fn detect(bytes: &[u8]) -> Option<Format> {
    let searched = bytes.get(..SEARCHED).unwrap_or(bytes);
    lines(searched).find_map(|line| of_line(line.text.trim_start()))
}

fn of_line(line: &str) -> Option<Format> {
    let begins = |with: &[&str]| with.iter().any(|w| line.starts_with(w));
    let fields = line.matches(':').count() + 1;
    if begins(&["eDVB services "]) {
        Some(Format::Lamedb)
    } else if begins(&["#NAME", "#SERVICE"]) {
        Some(Format::Bouquet)
    } else if begins(&["#EXTM3U", "#EXTINF"]) {
        Some(Format::M3u)
    } else if begins(&["#"]) {
        None
    } else if line.starts_with('[') && line.ends_with(']') {
        Some(Format::Dvbv5)
    } else if has_scheme(line) {
        Some(Format::M3u)
    } else {
        (line.starts_with(':') || fields >= super::vdr::FIELDS_LEAST).then_some(Format::Vdr)
    }
}

/// It is a URL, which may have as many colons as a line of VDR's.
fn has_scheme(line: &str) -> bool {
    let scheme = line.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Bytes of comments a list may begin with.
const SEARCHED: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_says_something_decides() {
        for (text, format) in [
            ("#EXTM3U\n", Some(Format::M3u)),
            ("\u{feff}#EXTM3U url-tvg=\"\"\n", Some(Format::M3u)),
            ("# mine\n\nudp://239.1.1.1:5000\n", Some(Format::M3u)),
            ("udp://1:2:3:4:5:6:7:8@[ff3e:2:3:4:5:6:7:8]:1\n", Some(Format::M3u)),
            ("eDVB services /4/\ntransponders\n", Some(Format::Lamedb)),
            ("#NAME Favourites (TV)\r\n", Some(Format::Bouquet)),
            (":First group\n", Some(Format::Vdr)),
            ("A;B:522:B8:T:27500:1:2:3:0:14:1:2:0", Some(Format::Vdr)),
            ("# made by a scan\n[Das Erste]\n\tSERVICE_ID = 14", Some(Format::Dvbv5)),
            ("hello\n", None),
            ("", None),
            ("\0\0\0", None),
        ] {
            assert_eq!(detect(text.as_bytes()), format, "{text}");
        }
    }
}
