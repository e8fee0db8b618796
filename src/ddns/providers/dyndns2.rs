//! The protocol `dyndns2`, as many providers speak it: a GET with the name and the address, answered by a word.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};

use super::manners::{Habits, Outcome};
use super::secret::Secret;
use super::settings::ProviderError;
use super::{Addresses, Means};
use crate::fetch::{self, Cause, HttpUrl, Request, UrlError};

/// A name at such a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dyndns2 {
    pub(super) template: Template,
    pub(super) host: String,
    /// User and password, for Basic authentication (RFC 7617).
    pub(super) login: Option<(Secret, Secret)>,
    pub(super) token: Option<Secret>,
    /// What `User-Agent` says, where a provider wants another.
    pub(super) agent: Option<String>,
}

/// A URL with `%h` for the name, `%4` and `%6` for the addresses, `%t` for the token. A parameter of the query whose
/// addresses are all unknown is left out.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Template(String);

/// It may hold a key of the provider's.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(template)")
    }
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, ProviderError> {
        for (at, _) in text.match_indices('%') {
            let after = &text.as_bytes()[at + 1..];
            if !is_escape(after) && !matches!(after.first(), Some(b'h' | b'4' | b'6' | b't')) {
                return Err(ProviderError::Value(
                    "url",
                    "%h, %4, %6, %t or two hexadecimal digits follow a %",
                ));
            }
        }
        let template = Self(text.into());
        if !template.has(b'4') && !template.has(b'6') {
            return Err(ProviderError::Value("url", "without %4 or %6 it tells no address"));
        }
        let origin = text.find("://").map_or(0, |at| at + 3);
        let origin = text[origin..].split(['/', '?']).next().unwrap_or_default();
        if origin.contains('%') {
            return Err(ProviderError::Value("url", "the address belongs behind the host"));
        }
        Ok(template)
    }

    pub(super) fn needs_token(&self) -> bool {
        self.has(b't')
    }

    fn has(&self, placeholder: u8) -> bool {
        self.0.match_indices('%').any(|(at, _)| {
            let after = &self.0.as_bytes()[at + 1..];
            !is_escape(after) && after.first() == Some(&placeholder)
        })
    }

    fn fill(&self, host: &str, token: &str, addresses: Addresses) -> String {
        let (path, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let fill = |part: &str| fill(part, host, token, addresses);
        let mut url = fill(path).0;
        let parameters = query.split('&').map(fill).filter(|(_, told)| *told != Some(false));
        for (i, (parameter, _)) in parameters.enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url += &parameter;
        }
        url
    }
}

/// Two hexadecimal digits: such a `%` is of the URL.
fn is_escape(after: &[u8]) -> bool {
    after.len() >= 2 && after[..2].iter().all(u8::is_ascii_hexdigit)
}

/// `part` with its placeholders filled, and whether any of the addresses it asks for is known.
fn fill(part: &str, host: &str, token: &str, addresses: Addresses) -> (String, Option<bool>) {
    let (mut filled, mut told) = (String::new(), None);
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        filled += before;
        rest = after.get(1..).unwrap_or_default();
        if is_escape(after.as_bytes()) {
            filled.push('%');
            rest = after;
            continue;
        }
        match after.as_bytes().first() {
            Some(b'h') => filled += &escaped(host),
            Some(b't') => filled += &escaped(token),
            Some(family) => {
                let v4 = addresses.v4.filter(|_| *family == b'4').map(|ip| ip.to_string());
                let ip = v4.or_else(|| addresses.v6.filter(|_| *family == b'6').map(|ip| ip.to_string()));
                told = Some(told.unwrap_or(false) || ip.is_some());
                filled += &ip.unwrap_or_default();
            }
            None => {}
        }
    }
    filled += rest;
    if told.is_some() {
        // `%4,%6` with one of them unknown
        filled = filled.replace("=,", "=").trim_end_matches(',').to_owned();
    }
    (filled, told)
}

/// RFC 3986 §2.1: what is not unreserved is written as %XX.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(byte.into());
        } else {
            let _a_string_takes_all = write!(all, "%{byte:02X}");
        }
        all
    })
}

impl Dyndns2 {
    /// Where to tell `addresses`.
    pub(super) fn url(&self, addresses: Addresses) -> Result<HttpUrl, UrlError> {
        let token = self.token.as_ref().map_or("", Secret::expose);
        HttpUrl::parse(&self.template.fill(&self.host, token, addresses))
    }

    /// Which provider it is: its URL, whatever is filled in.
    pub(super) fn place(&self) -> &str {
        &self.template.0
    }

    pub(super) fn habits(&self) -> Habits {
        Habits { v4: self.template.has(b'4'), v6: self.template.has(b'6'), withdraws: false }
    }

    /// Tells `addresses`.
    pub(super) async fn update(&self, means: &Means, addresses: Addresses) -> Outcome {
        let url = match self.url(addresses) {
            Ok(url) => url,
            Err(why) => return Outcome::Stop(why.to_string()),
        };
        let credential = self.login.as_ref().map(|(user, password)| {
            let pair = format!("{}:{}", user.expose(), password.expose());
            let mut room = vec![0; Base64::encoded_len(pair.as_bytes())];
            format!("Basic {}", Base64::encode(pair.as_bytes(), &mut room).unwrap_or_default())
        });
        let mut headers = heapless::Vec::<_, 2>::new();
        headers.extend(credential.as_deref().map(|value| ("Authorization", value)));
        headers.extend(self.agent.as_deref().map(|value| ("User-Agent", value)));
        let request = Request { method: "GET", url: &url, headers: &headers, body: b"" };
        match fetch::fetch(&means.reactor, &means.client, request).await {
            Ok(answer) => judge(answer.status, &answer.body),
            Err(why) => match why.cause {
                Cause::Redirect(..) | Cause::Header(_) => Outcome::Stop(why.to_string()),
                _ => Outcome::Failed(why.to_string()),
            },
        }
    }
}

/// What the provider means. Only words that are known are repeated.
fn judge(status: u16, body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let mut words = text.split(|c: char| c.is_ascii_whitespace() || c == ',');
    let word = words.find(|word| !word.is_empty()).unwrap_or_default();
    let stop = |why: &str| Outcome::Stop(format!("the provider says {word}: {why}"));
    match word {
        "good" if words.any(|word| word == "127.0.0.1") => {
            Outcome::Failed("the provider says good, and that it has taken nothing".into())
        }
        // DuckDNS says OK, dynv6 `addresses updated` or `addresses unchanged`.
        "good" | "nochg" | "ok" | "addresses" if status < 300 => Outcome::Done,
        "badauth" => stop("user or password are wrong"),
        "badagent" => stop("it does not let this program in; agent= may name another"),
        "abuse" => stop("it has blocked this name or this user"),
        "nohost" | "!yours" => stop("there is no such name of this user"),
        "notfqdn" => stop("the name is not whole"),
        "numhost" => stop("too many names"),
        "!donator" => stop("this user has not paid for that"),
        "ko" => stop("name or token are wrong"),
        "911" | "dnserr" | "servererror" => {
            Outcome::Later(format!("the provider says {word}: it has a fault of its own"))
        }
        _ => match status {
            401 | 403 => {
                Outcome::Stop(format!("the provider refuses user, password or token (status {status})"))
            }
            429 | 503 => Outcome::Later(format!("the provider asks to be left in peace (status {status})")),
            200..=299 => {
                Outcome::Failed("the provider answers what no provider of this protocol says".into())
            }
            _ => Outcome::Failed(format!("the provider answers with status {status}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddns::providers::ProviderSetting;
    use crate::ddns::providers::settings::Protocol;

    fn told(text: &str, v4: Option<&str>, v6: Option<&str>) -> String {
        let Protocol::Dyndns2(it) = ProviderSetting::parse(text).unwrap().protocol else { panic!("{text}") };
        let addresses =
            Addresses { v4: v4.map(|ip| ip.parse().unwrap()), v6: v6.map(|ip| ip.parse().unwrap()) };
        let url = it.url(addresses).unwrap();
        format!("{url}{}", url.target())
    }

    #[test]
    fn urls_are_those_of_the_providers() {
        let (v4, v6) = (Some("1.1.1.1"), Some("2a00::1"));
        let noip = "noip host=a.example user=u password=p";
        let base = "https://dynupdate.no-ip.com/nic/update?hostname=a.example";
        assert_eq!(told(noip, v4, v6), format!("{base}&myip=1.1.1.1,2a00::1"));
        assert_eq!(told(noip, v4, None), format!("{base}&myip=1.1.1.1"));
        assert_eq!(told(noip, None, v6), format!("{base}&myip=2a00::1"));
        let duckdns = "duckdns host=a token=t&x";
        let base = "https://www.duckdns.org/update?domains=a&token=t%26x";
        assert_eq!(told(duckdns, v4, None), format!("{base}&ip=1.1.1.1"));
        assert_eq!(told(duckdns, v4, v6), format!("{base}&ip=1.1.1.1&ipv6=2a00::1"));
        let dynv6 = "dynv6 host=a.dynv6.net token=t";
        let base = "https://dynv6.com/api/update?hostname=a.dynv6.net&token=t";
        assert_eq!(told(dynv6, None, v6), format!("{base}&ipv6=2a00::1"));
        let he = "he6 host=a.example user=a.example password=p";
        assert_eq!(told(he, v4, v6), "https://dyn.dns.he.net/nic/update?hostname=a.example&myip=2a00::1");
        let own = "dyndns2 url=http://h:8/%h/%4?x=%20%41&i=%6 host=a user=u password=p";
        assert_eq!(told(own, v4, None), "http://h:8/a/1.1.1.1?x=%20%41");
    }

    #[test]
    fn every_word_has_its_consequence() {
        for good in [
            "good 1.1.1.1",
            "nochg",
            "NOCHG 1.1.1.1\r\n",
            "OK",
            "\nok\nx",
            "addresses updated",
            "good 1.1.1.1,2a00::1",
        ] {
            assert_eq!(judge(200, good.as_bytes()), Outcome::Done, "{good}");
        }
        for stop in
            ["badauth", "badagent", "abuse", "nohost", "notfqdn", "numhost", "!donator", "!yours x", "KO"]
        {
            assert!(matches!(judge(200, stop.as_bytes()), Outcome::Stop(_)), "{stop}");
        }
        assert!(matches!(judge(401, b"badauth"), Outcome::Stop(why) if why.contains("badauth")));
        assert!(matches!(judge(403, b"<html>"), Outcome::Stop(_)));
        for later in [(200, "911"), (200, "dnserr"), (500, "911"), (429, ""), (503, "x")] {
            assert!(matches!(judge(later.0, later.1.as_bytes()), Outcome::Later(_)), "{later:?}");
        }
        for failed in [(200, ""), (200, "<html>"), (200, "good 127.0.0.1"), (500, "good 1.1.1.1"), (404, "x")]
        {
            assert!(matches!(judge(failed.0, failed.1.as_bytes()), Outcome::Failed(_)), "{failed:?}");
        }
        assert!(matches!(judge(200, &[0xff; 20]), Outcome::Failed(_)));
    }
}
