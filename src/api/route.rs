//! Every route there is, in one place.

use crate::http::Method;

/// What answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented where it is answered")]
pub enum Route {
    Box,
    Channels,
    Ask,
    Epg,
    Ended,
    Xmltv,
    Playlist,
    Live,
    Logo,
    HlsIndex,
    HlsPlaylist,
    HlsPiece,
    Session,
    HandOver,
    Redeem,
    Terminals,
    RevokeAll,
    Terminal,
    Links,
    Parental,
    Unlock,
    Name,
    Events,
    Status,
    PairHello,
    PairShare,
    PairFinish,
}

use Method::{Delete, Get, Patch, Post};

/// Of the interface below `/api`: its paths begin with `/api/v` and this.
pub const VERSION: u8 = 1;

/// Path, methods, what answers. `*` stands for one path segment, or the rest of one. GET includes HEAD.
pub const ROUTES: &[(&str, &[Method], Route)] = &[
    ("/api/v1/box", &[Get], Route::Box),
    ("/api/v1/channels", &[Get], Route::Channels),
    ("/api/v1/channels/*/ask", &[Post], Route::Ask),
    ("/api/v1/epg", &[Get], Route::Epg),
    ("/api/v1/ended", &[Get], Route::Ended),
    ("/xmltv.xml", &[Get], Route::Xmltv),
    ("/api/v1/events", &[Get], Route::Events),
    ("/api/v1/status", &[Get], Route::Status),
    ("/playlist.m3u", &[Get], Route::Playlist),
    ("/live/*.ts", &[Get], Route::Live),
    ("/logo/*", &[Get], Route::Logo),
    ("/live/*/index.m3u8", &[Get], Route::HlsIndex),
    ("/hls/*.m3u8", &[Get], Route::HlsPlaylist),
    ("/hls/*.ts", &[Get], Route::HlsPiece),
    ("/api/v1/session", &[Get, Post, Delete], Route::Session),
    ("/api/v1/session/handover", &[Post], Route::HandOver),
    ("/api/v1/session/redeem", &[Post], Route::Redeem),
    ("/api/v1/terminals", &[Get, Post], Route::Terminals),
    ("/api/v1/terminals/revoke-all", &[Post], Route::RevokeAll),
    ("/api/v1/terminals/*", &[Patch, Delete], Route::Terminal),
    ("/api/v1/links", &[Post], Route::Links),
    ("/api/v1/name", &[Get, Post], Route::Name),
    ("/api/v1/parental", &[Get, Post], Route::Parental),
    ("/api/v1/parental/unlock", &[Post], Route::Unlock),
    ("/api/v1/pair/hello", &[Post], Route::PairHello),
    ("/api/v1/pair/share", &[Post], Route::PairShare),
    ("/api/v1/pair/finish", &[Post], Route::PairFinish),
];

/// A route that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'p> {
    pub(super) route: Route,
    pub(super) methods: &'static [Method],
    /// What the path has for `*`.
    pub(super) part: &'p str,
}

/// The route of `path`; the first that fits.
pub(super) fn find(path: &str) -> Option<Found<'_>> {
    ROUTES.iter().find_map(|&(pattern, methods, route)| {
        let part = match pattern.split_once('*') {
            None => (path == pattern).then_some(""),
            Some((before, after)) => {
                let part = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                part.filter(|part| !part.is_empty())
            }
        };
        part.filter(|part| !part.contains('/')).map(|part| Found { route, methods, part })
    })
}

impl Found<'_> {
    /// The route has the method.
    pub(super) fn takes(&self, method: Method) -> bool {
        self.methods.contains(&if method == Method::Head { Get } else { method })
    }

    /// Its methods, for `Allow` (RFC 9110 §10.2.1).
    pub(super) fn allow(&self) -> String {
        let names = self.methods.iter().flat_map(|m| match m {
            Get => ["GET", "HEAD"].as_slice(),
            Post => &["POST"],
            Patch => &["PATCH"],
            _ => &["DELETE"],
        });
        names.copied().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_path_and_by_no_other() {
        for &(pattern, methods, route) in ROUTES {
            let pattern = pattern.replace('*', "7");
            let found = find(&pattern).map(|f| (f.methods, f.route));
            assert_eq!(found, Some((methods, route)), "{pattern}");
            for path in [
                format!("{pattern}/"),
                format!("/{pattern}"),
                pattern.to_uppercase(),
                format!("{pattern}x/y"),
            ] {
                assert_eq!(find(&path), None, "{path}");
            }
        }
        assert_eq!(find("/live/1/2.ts"), None);
        assert_eq!(find("/live/1.ts").map(|f| f.part), Some("1"));
        assert_eq!(find("/api/v1/terminals/revoke-all").map(|f| f.route), Some(Route::RevokeAll));
    }

    #[test]
    fn the_version_is_the_one_that_the_paths_have() {
        let of_api: Vec<_> = ROUTES.iter().filter(|(pattern, ..)| pattern.starts_with("/api")).collect();
        assert!(of_api.len() > 9);
        let begins = format!("/api/v{VERSION}/");
        assert!(of_api.iter().all(|(pattern, ..)| pattern.starts_with(&begins)));
    }

    #[test]
    fn get_includes_head_and_nothing_else_does() {
        let live = find("/live/1.ts").unwrap();
        assert!(live.takes(Get) && live.takes(Method::Head) && !live.takes(Post));
        let links = find("/api/v1/links").unwrap();
        assert!(!links.takes(Method::Head) && links.takes(Post) && !links.takes(Method::Other));
    }
}
