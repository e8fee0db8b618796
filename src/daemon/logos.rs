//! Pictures of channels: from a directory into memory, once.

use std::fs;
use std::path::Path;

use crate::api::{Logos, NoLogo};
use crate::board;

/// Reads `dir`. What is left out is said, and why; without the directory the box does not start.
pub(super) fn read(dir: Option<&Path>) -> Result<Logos, String> {
    let mut logos = Logos::default();
    let Some(dir) = dir else { return Ok(logos) };
    let unreadable = |e| format!("logos {}: {e}", dir.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort(); // what is left out for want of room is the same at each start
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // A larger file is not even read.
        let fits = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= board::LOGO_BYTES as u64);
        if !fits {
            log::warn!("logos: {} is no file of at most {} bytes", path.display(), board::LOGO_BYTES);
            continue;
        }
        let body = match fs::read(&path) {
            Ok(body) => body,
            Err(e) => {
                log::warn!("logos: {}: {e}", path.display());
                continue;
            }
        };
        let hash = ring::digest::digest(&ring::digest::SHA256, &body);
        let why = match logos.add(name, body, hash.as_ref(), board::LOGO_BYTES) {
            Ok(()) | Err(NoLogo::Twice) => continue,
            Err(NoLogo::Name) => "is not <number>.png, .svg, .webp or .jpg",
            Err(NoLogo::Full) => "is left out: the others take all the room that this board has",
        };
        log::warn!("logos: {} {why}", path.display());
    }
    let (count, bytes) = logos.counts();
    log::info!("{count} logos of channels, {bytes} bytes");
    Ok(logos)
}
