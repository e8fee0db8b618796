//! Looks for a manifest in a file, which is read and never run.

use std::fmt;
use std::io::{self, Read};

use super::{CRC, CRC_WORD, LONGEST, MAGIC};

/// Bytes that are read at one time.
pub(super) const CHUNK: usize = 64 * 1024;

/// Why there is no manifest.
#[derive(Debug)]
pub enum FindError {
    /// The file cannot be read.
    Read(io::Error),
    /// It has none: it is no `stbcastd`, or one from before there were manifests.
    None,
    /// It begins and is cut short, or was changed since it was written.
    Damaged,
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(why) => why.fmt(f),
            Self::None => f.write_str("there is no manifest in it: it is no stbcastd"),
            Self::Damaged => f.write_str("its manifest is damaged: the file is cut short or was changed"),
        }
    }
}

/// The line of JSON of the first manifest in `file` that is whole, without its line end. Takes 66 KiB of memory, however
/// long the file is.
pub fn find(mut file: impl Read) -> Result<String, FindError> {
    let mut window = Vec::with_capacity(CHUNK + LONGEST);
    let mut damaged = false;
    loop {
        let room = u64::try_from(CHUNK + LONGEST - window.len()).unwrap_or(0);
        let read = file.by_ref().take(room).read_to_end(&mut window).map_err(FindError::Read)?;
        let is_end = u64::try_from(read).is_ok_and(|read| read < room);
        // What begins in the last bytes is looked at again, with what follows them.
        let surely = if is_end { window.len() } else { window.len() - LONGEST };
        for at in starts(&window).take_while(|at| *at < surely) {
            match parse(&window[at..]) {
                Some(json) => return Ok(json),
                None => damaged |= window[at + MAGIC.len()..].starts_with(b"{"),
            }
        }
        if is_end {
            return Err(if damaged { FindError::Damaged } else { FindError::None });
        }
        window.drain(..surely);
    }
}

/// Where a manifest may begin. A program that looks for one holds its first line, too.
fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.windows(MAGIC.len()).enumerate().filter(|(_, part)| *part == MAGIC.as_bytes()).map(|(at, _)| at)
}

/// The JSON of the manifest that `bytes` begin with.
fn parse(bytes: &[u8]) -> Option<String> {
    let lines = &bytes[..bytes.len().min(LONGEST)];
    let json = lines.get(MAGIC.len()..)?;
    let json = &json[..json.iter().position(|b| *b == b'\n')?];
    let (summed, rest) = lines.split_at(MAGIC.len() + json.len() + 1);
    let digits = rest.strip_prefix(CRC_WORD.as_bytes())?.get(..9)?.strip_suffix(b"\n")?;
    let sum = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    (CRC.checksum(summed) == sum).then(|| String::from_utf8(json.to_vec()).ok())?
}
