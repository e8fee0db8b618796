//! The web app: the files that a browser loads to become a terminal. They are the same on every box and tell nothing of
//! this one, so strangers get them, too.
//!
//! Owns its files (`app/`, by others: `vendor/`), which the build compresses, and what they may do in a browser.

use crate::http::{Keep, Page};

/// What the app may load and do, as browsers hold it to: its own files, media that it makes itself, a decoder in
/// WebAssembly; no other site, no script in a page, no form, no frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the app.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    is_gzip: bool,
    body: &'static [u8],
}

/// All of them, in no order that matters.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The name of all files together: others, another name.
pub const VERSION: &str = include_str!(concat!(env!("OUT_DIR"), "/assets.version"));

/// The file that `path` is of: `/app/<version>/<name>` is `/app/<name>`, and what the page of this version names so is
/// kept for good: a list on the screen and a tap then wait for no file. A page of another version gets what there is.
#[must_use]
pub fn find(path: &str) -> Option<Page<'static>> {
    let versioned = path.strip_prefix("/app/").and_then(|rest| rest.split_once('/'));
    let versioned = versioned.filter(|(version, _)| is_version(version));
    let is_it = |asset: &&Asset| match versioned {
        Some((_, name)) => asset.path.strip_prefix("/app/") == Some(name),
        None => asset.path == path,
    };
    let &Asset { content_type, etag, is_gzip, body, .. } = ASSETS.iter().find(is_it)?;
    let is_of_this = versioned.is_some_and(|(version, _)| version == VERSION);
    let keep = if is_of_this { Keep::ForGood } else { Keep::Asking };
    Some(Page { content_type, policy: POLICY, keep, etag, is_gzip, body })
}

fn is_version(text: &str) -> bool {
    text.len() == VERSION.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The paths of all files.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path)
}
