//! What a player asks for, if it may: the secret path, over loopback, to look and not to change.

use std::net::IpAddr;

use subtle::ConstantTimeEq;

use super::super::authority::{Authority, Host};
use super::super::link::channel_of;

/// Why not: a status and a sentence.
pub(super) type Refusal = (u16, &'static str);

pub(super) const BUSY: Refusal = (503, "too many players at one time");
const NOT_FOUND: Refusal = (404, "there is nothing here");
const MISDIRECTED: Refusal = (421, "this is served to players on this computer alone");
const METHOD: Refusal = (405, "only GET and HEAD");

/// A request, as far as it matters.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    /// None where it is missing, or there twice.
    pub(super) host: Option<&'r str>,
    /// Path and query.
    pub(super) url: &'r str,
}

/// What there is to ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The list, with a query that the box knows.
    Playlist(&'static str),
    Live(Live),
}

/// A channel, and its name as it was encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) number: u16,
    pub(super) name: Option<String>,
}

impl Asked<'_> {
    pub(super) fn target(self, secret: &str) -> Result<Target, Refusal> {
        // A page of another site whose name was made to point here (DNS rebinding) says that name.
        if !self.host.is_some_and(is_loopback) {
            return Err(MISDIRECTED);
        }
        if !matches!(self.method, "GET" | "HEAD") {
            return Err(METHOD);
        }
        let (given, path) =
            self.url.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or(NOT_FOUND)?;
        if !bool::from(given.as_bytes().ct_eq(secret.as_bytes())) {
            return Err(NOT_FOUND);
        }
        match path {
            "playlist.m3u" => Ok(Target::Playlist("")),
            "playlist.m3u?groups=bouquets" => Ok(Target::Playlist("?groups=bouquets")),
            path => Live::parse(&format!("/{path}")).map(Target::Live).ok_or(NOT_FOUND),
        }
    }
}

impl Live {
    /// Of `/live/<number>.ts[?name=…]`. What else a player adds to the query is not for the box.
    pub(super) fn parse(path: &str) -> Option<Self> {
        if let Some((number, name)) = channel_of(path) {
            return Some(Self { number, name: Some(name) });
        }
        let path = path.split('?').next().unwrap_or_default();
        let digits = path.strip_prefix("/live/")?.strip_suffix(".ts")?;
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
        Some(Self { number, name: None })
    }

    /// As the box knows it.
    pub(super) fn path(&self) -> String {
        let Self { number, name } = self;
        name.as_ref()
            .map_or_else(|| format!("/live/{number}.ts"), |name| format!("/live/{number}.ts?name={name}"))
    }

    /// The same for `viewer`, whose new stream ends its old one.
    pub(super) fn path_as(&self, viewer: &str) -> String {
        let joint = if self.name.is_some() { '&' } else { '?' };
        format!("{}{joint}v={viewer}", self.path())
    }
}

fn is_loopback(host: &str) -> bool {
    match Authority::parse(host, 80).as_ref().map(Authority::host) {
        Ok(Host::Ip(IpAddr::V4(ip))) => ip.is_loopback(),
        Ok(Host::Ip(IpAddr::V6(ip))) => ip.is_loopback(),
        Ok(Host::Name(name)) => name.eq_ignore_ascii_case("localhost"),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, host: Option<&str>, url: &str) -> Result<Target, u16> {
        Asked { method, host, url }.target("SECRET").map_err(|(status, _)| status)
    }

    #[test]
    fn what_there_is_is_found() {
        let live =
            |number, name: Option<&str>| Ok(Target::Live(Live { number, name: name.map(str::to_owned) }));
        for (url, is) in [
            ("/SECRET/playlist.m3u", Ok(Target::Playlist(""))),
            ("/SECRET/playlist.m3u?groups=bouquets", Ok(Target::Playlist("?groups=bouquets"))),
            ("/SECRET/live/7.ts", live(7, None)),
            ("/SECRET/live/7.ts?x=1", live(7, None)),
            ("/SECRET/live/7.ts?name=%E4%B8%AD%20x&t=stolen", live(7, Some("%E4%B8%AD%20x"))),
            ("/SECRET/live/7.ts?name=a%0d b", live(7, None)),
        ] {
            for host in ["127.0.0.1:1234", "localhost:1", "LOCALHOST", "[::1]:5", "127.9.9.9"] {
                assert_eq!(target("GET", Some(host), url), is, "{host} {url}");
                assert_eq!(target("HEAD", Some(host), url), is, "{host} {url}");
            }
        }
    }

    #[test]
    fn all_else_is_not_there() {
        let host = Some("127.0.0.1:1");
        for url in [
            "",
            "/",
            "/SECRET",
            "/SECRET/",
            "//playlist.m3u",
            "/secret/playlist.m3u",
            "/SECRE/playlist.m3u",
            "/SECRETS/playlist.m3u",
            "/SECRET/api/v1/channels",
            "/SECRET/playlist.m3u?t=x",
            "/SECRET/live/.ts",
            "/SECRET/live/+1.ts",
            "/SECRET/live/65536.ts",
            "/SECRET/live/1.ts/x",
            "/SECRET/../SECRET/live/1.ts",
            "http://127.0.0.1:1/SECRET/playlist.m3u",
            "*",
        ] {
            assert_eq!(target("GET", host, url), Err(404), "{url}");
        }
    }

    #[test]
    fn a_page_of_another_site_and_what_changes_things_are_refused() {
        for host in [
            None,
            Some("evil.example"),
            Some("evil.example:80"),
            Some("192.168.1.2"),
            Some("localhost.evil"),
            Some(""),
        ] {
            assert_eq!(target("GET", host, "/SECRET/playlist.m3u"), Err(421), "{host:?}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            assert_eq!(target(method, Some("localhost"), "/SECRET/playlist.m3u"), Err(405), "{method}");
        }
    }

    #[test]
    fn the_box_is_asked_with_a_viewer() {
        let live = |name: Option<&str>| Live { number: 7, name: name.map(str::to_owned) };
        assert_eq!(live(None).path_as("x-0"), "/live/7.ts?v=x-0");
        assert_eq!(live(Some("a%20b")).path_as("x-0"), "/live/7.ts?name=a%20b&v=x-0");
        assert_eq!(live(Some("a%20b")).path(), "/live/7.ts?name=a%20b");
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_a_sound_path_goes_on(url in "(/SECRET/)?(live/)?[0-9]{0,6}(.ts)?(\\?name=)?\\PC{0,40}") {
            if let Ok(Target::Live(live)) = target("GET", Some("localhost"), &url) {
                proptest::prop_assert!(live.path_as("x").bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
