//! What a program file says of itself without being run: product, version, board, formats, budgets.
//!
//! ```text
//!   stbcast manifest 1\n
//!   {"product":"stbcastd","version":"…",…}\n
//!   crc32 xxxxxxxx\n                          CRC-32 (ISO-HDLC) of the two lines before, with their line ends
//! ```
//!
//! `stbcastd` has this text in a section of its own, so that a person, a build and an updater find it in a file for any
//! machine: `objcopy -O binary --only-section=.stb_manifest FILE OUT`, or `stbcastd manifest FILE`. Owns the text and
//! how it is found. Knows nothing of who asks.
//!
//! | field | says |
//! |---|---|
//! | `product`, `version` | the program and its version |
//! | `board`, `target`, `features` | what it was built for, by which compiler target, with which Cargo features |
//! | `api` | the version of the HTTP interface |
//! | `state_formats` | per record on flash: the oldest format it reads, and the newest, which it writes once committed |
//! | `kernel_floor` | the oldest kernel it may meet |
//! | `budgets` | what it may cost |
//! | `build_id` | the sources: a commit or a hash, `dev` where nobody said |

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use crate::store::Kind;
use crate::{access, api, board, channel, ddns, pairing, scan};

mod find;
mod text;

pub use find::{FindError, find};
use text::Text;

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);
/// The first line.
const MAGIC: &str = "stbcast manifest 1\n";
/// What stands before the checksum's eight digits.
const CRC_WORD: &str = "crc32 ";
/// Bytes of the longest manifest.
pub const LONGEST: usize = 2048;

/// Every record on flash that has a format: the oldest that this program reads, and its newest.
pub const STATE_FORMATS: &[(Kind, u8, u8)] = &[
    (Kind::Channels, channel::FORMATS.0, channel::FORMATS.1),
    (Kind::Identity, access::IDENTITY_FORMATS.0, access::IDENTITY_FORMATS.1),
    (Kind::Terminals, access::TERMINALS_FORMATS.0, access::TERMINALS_FORMATS.1),
    (Kind::Attempts, pairing::FORMATS.0, pairing::FORMATS.1),
    (Kind::Registration, ddns::record::FORMATS.0, ddns::record::FORMATS.1),
    (Kind::Counter, ddns::record::FORMATS.0, ddns::record::FORMATS.1),
    (Kind::Providers, ddns::providers::FORMATS.0, ddns::providers::FORMATS.1),
    (Kind::Scan, scan::FORMATS.0, scan::FORMATS.1),
    (Kind::Parental, access::PARENTAL_FORMATS.0, access::PARENTAL_FORMATS.1),
];

const LINE: Text<LONGEST> = line();
const WHOLE: Text<LONGEST> = {
    let lines = Text::new().with(MAGIC).with(as_str(&LINE));
    lines.with(CRC_WORD).with_hex(CRC.checksum(lines.as_bytes())).with("\n")
};
/// The whole manifest of this program.
pub const BYTES: [u8; WHOLE.length()] = WHOLE.exactly();
/// Its second line, with the line's end.
pub const JSON: &str = as_str(&LINE);

const fn line() -> Text<LONGEST> {
    let mut text = Text::new().with("{\"product\":\"stbcastd\"");
    text = text.with_field("version", env!("CARGO_PKG_VERSION")).with_field("board", board::NAME);
    text = text.with_field("target", board::BUILT_FOR).with_field("features", board::BUILT_WITH);
    text = text.with(",\"api\":").with_number(api::VERSION as u64).with(",\"state_formats\":{");
    let mut i = 0;
    while i < STATE_FORMATS.len() {
        let (kind, oldest, newest) = STATE_FORMATS[i];
        text = text.with(if i > 0 { ",\"" } else { "\"" }).with(kind.name()).with("\":[");
        text = text.with_number(oldest as u64).with(",").with_number(newest as u64).with("]");
        i += 1;
    }
    text = text.with("}").with_field("kernel_floor", board::KERNEL_FLOOR);
    text = text.with(",\"budgets\":{\"image_bytes_max\":").with_number(board::IMAGE_BYTES_MAX as u64);
    text = text.with(",\"pss_kib_max\":").with_number(board::PSS_KIB_MAX as u64);
    text = text.with(",\"start_instructions_max\":").with_number(board::START_INSTRUCTIONS_MAX);
    text.with("}").with_field("build_id", board::BUILD_ID).with("}\n")
}

const fn as_str(text: &'static Text<LONGEST>) -> &'static str {
    match std::str::from_utf8(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("fields are plain text"),
    }
}

#[cfg(test)]
mod tests;
