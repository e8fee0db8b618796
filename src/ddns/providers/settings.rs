//! The setting `ddns-provider`: a protocol or a provider's name, then `key=value` words.
//!
//! ```text
//!   dyndns2 url=https://dynupdate.no-ip.com/nic/update?hostname=%h&myip=%4 host=a.example user=U password=P
//!   duckdns host=a token=T
//!   rfc2136 server=192.0.2.1 zone=example host=box.example key=NAME secret=BASE64
//! ```
//!
//! A value with a blank in it stands in double quotes. Errors name keys and never repeat a value: it may be a secret.

use std::fmt;

use super::Addresses;
use super::dyndns2::{Dyndns2, Template};
use super::manners::Habits;
use super::rfc2136::Rfc2136;
use super::secret::Secret;
use crate::fetch::{HttpUrl, UrlError};

/// Words of one setting.
const WORDS: usize = 12;
/// Providers that are known by name, with the URL that their documentation gives.
const KNOWN: &[(&str, &str)] = &[
    // www.noip.com/integrate/request: both addresses with a comma between
    ("noip", "https://dynupdate.no-ip.com/nic/update?hostname=%h&myip=%4,%6"),
    // dns.he.net: one address a request, so each family is a setting
    ("he", "https://dyn.dns.he.net/nic/update?hostname=%h&myip=%4"),
    ("he6", "https://dyn.dns.he.net/nic/update?hostname=%h&myip=%6"),
    // www.duckdns.org/spec.jsp
    ("duckdns", "https://www.duckdns.org/update?domains=%h&token=%t&ip=%4&ipv6=%6"),
    // dynv6.com/docs/apis
    ("dynv6", "https://dynv6.com/api/update?hostname=%h&token=%t&ipv4=%4&ipv6=%6"),
];

/// One provider and what it is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSetting {
    /// What its owner calls it.
    name: String,
    pub(super) protocol: Protocol,
    /// A page that says where we come from, for who is behind a NAT.
    pub(super) check: Option<HttpUrl>,
}

/// How it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Dyndns2(Dyndns2),
    Rfc2136(Box<Rfc2136>),
}

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderError {
    /// Its first word is neither a protocol nor a known provider.
    Unknown,
    /// The word of this number is no `key=value`.
    Word(usize),
    /// A key that this protocol does not have.
    Key(String),
    /// A key is there twice.
    Twice(&'static str),
    /// A key is missing.
    Missing(&'static str),
    /// What is wrong with the value of a key.
    Value(&'static str, &'static str),
    /// What is wrong with a URL.
    Url(&'static str, UrlError),
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("begins with dyndns2, rfc2136")?;
                KNOWN.iter().try_for_each(|(name, _)| write!(f, ", {name}"))
            }
            Self::Word(number) => write!(f, "word {number} is no key=value"),
            Self::Key(key) => write!(f, "there is no key '{key}' here"),
            Self::Twice(key) => write!(f, "{key} is there twice"),
            Self::Missing(key) => write!(f, "{key}= is missing"),
            Self::Value(key, why) => write!(f, "{key}: {why}"),
            Self::Url(key, why) => write!(f, "{key}: {why}"),
        }
    }
}

impl ProviderSetting {
    /// Of the value of a setting.
    pub fn parse(text: &str) -> Result<Self, ProviderError> {
        let mut words = words(text);
        let what = words.next().unwrap_or_default();
        let known = KNOWN.iter().find(|(name, _)| *name == what).map(|(_, url)| *url);
        let keys: &[&'static str] = match (&*what, known) {
            ("rfc2136", _) => &["server", "zone", "host", "key", "secret", "algorithm", "ttl", "check"],
            ("dyndns2", _) => &["url", "host", "user", "password", "token", "agent", "check"],
            (_, Some(_)) => &["host", "user", "password", "token", "agent", "check"],
            _ => return Err(ProviderError::Unknown),
        };
        let mut values = Values(heapless::Vec::new());
        for (number, word) in words.enumerate() {
            let (key, value) = word.split_once('=').ok_or(ProviderError::Word(number + 2))?;
            let known = keys.iter().find(|known| **known == key);
            let key = known.ok_or_else(|| ProviderError::Key(key.chars().take(16).collect()))?;
            if values.get(key).is_some() {
                return Err(ProviderError::Twice(key));
            }
            let value = (*key, value.trim_matches('"').to_owned());
            values.0.push(value).map_err(|_| ProviderError::Word(number + 2))?;
        }
        let check = values.get("check").map(HttpUrl::parse).transpose();
        let check = check.map_err(|why| ProviderError::Url("check", why))?;
        let protocol = match &*what {
            "rfc2136" => Protocol::Rfc2136(Box::new(values.rfc2136()?)),
            _ => Protocol::Dyndns2(values.dyndns2(known)?),
        };
        Ok(Self { name: format!("{what} {}", values.need("host")?), protocol, check })
    }

    /// The same for the same name at the same provider, whoever asks.
    pub(super) fn id(&self) -> u64 {
        let place = match &self.protocol {
            Protocol::Dyndns2(it) => it.place().to_owned(),
            Protocol::Rfc2136(it) => it.place(),
        };
        let hash = ring::digest::digest(&ring::digest::SHA256, format!("{} {place}", self.name).as_bytes());
        hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    pub(super) fn habits(&self) -> Habits {
        match &self.protocol {
            Protocol::Dyndns2(it) => it.habits(),
            Protocol::Rfc2136(_) => Habits { v4: true, v6: true, withdraws: true },
        }
    }

    /// Where it asks by HTTP.
    pub fn urls(&self) -> impl Iterator<Item = HttpUrl> {
        let update = match &self.protocol {
            Protocol::Dyndns2(it) => it.url(Addresses::default()).ok(),
            Protocol::Rfc2136(_) => None,
        };
        update.into_iter().chain(self.check.clone())
    }
}

/// What its owner calls it: the provider and the name that is kept there.
impl fmt::Display for ProviderSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

struct Values(heapless::Vec<(&'static str, String), WORDS>);

impl Values {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    fn need(&self, key: &'static str) -> Result<&str, ProviderError> {
        self.get(key).filter(|value| !value.is_empty()).ok_or(ProviderError::Missing(key))
    }

    fn dyndns2(&self, known: Option<&str>) -> Result<Dyndns2, ProviderError> {
        let url = match known {
            Some(url) => url,
            None => self.need("url")?,
        };
        let host = self.need("host")?;
        let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if !host.bytes().all(is_host) || host.len() > 253 {
            return Err(ProviderError::Value("host", "letters, digits, dots and hyphens"));
        }
        for (key, value) in &self.0 {
            if value.bytes().any(|b| b.is_ascii_control()) {
                return Err(ProviderError::Value(key, "a control character"));
            }
        }
        let template = Template::parse(url)?;
        if template.needs_token() {
            self.need("token")?;
        } else {
            self.need("user")?;
            self.need("password")?;
        }
        if self.get("user").is_some_and(|user| user.contains(':')) {
            return Err(ProviderError::Value("user", "no colon, by RFC 7617"));
        }
        let secret = |key| self.get(key).map(Secret::new);
        let made = Dyndns2 {
            template,
            host: host.into(),
            login: secret("user").zip(secret("password")),
            token: secret("token"),
            agent: self.get("agent").map(Into::into),
        };
        made.url(Addresses::default()).map_err(|why| ProviderError::Url("url", why))?;
        Ok(made)
    }

    fn rfc2136(&self) -> Result<Rfc2136, ProviderError> {
        let [server, zone, host] = [self.need("server")?, self.need("zone")?, self.need("host")?];
        let key = (self.need("key")?, self.need("secret")?, self.get("algorithm"));
        Rfc2136::new(server, (zone, host), key, self.get("ttl"))
    }
}

/// The words of `text`. Blanks within double quotes part none.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = rest.find(|c: char| {
            quoted ^= c == '"';
            !quoted && c.is_ascii_whitespace()
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        Some(word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        let why = ProviderSetting::parse(text).unwrap_err().to_string();
        assert!(!why.contains("hush"), "{why}");
        why
    }

    const DYNDNS2: &str = "dyndns2 url=https://a.example/nic/update?hostname=%h&myip=%4 host=b.example";

    #[test]
    fn what_is_wrong_is_named_and_no_secret_repeated() {
        let all = "begins with dyndns2, rfc2136, noip, he, he6, duckdns, dynv6";
        assert_eq!((why(""), why("hush x=y")), (all.into(), all.into()));
        assert_eq!(why(&format!("{DYNDNS2} user=u")), "password= is missing");
        assert_eq!(why(&format!("{DYNDNS2} user=u password=a hush")), "word 6 is no key=value");
        assert_eq!(why(&format!("{DYNDNS2} pasword=hush")), "there is no key 'pasword' here");
        assert_eq!(why(&format!("{DYNDNS2} host=hush")), "host is there twice");
        assert_eq!(why(&format!("{DYNDNS2} user=a:b password=hush")), "user: no colon, by RFC 7617");
        assert_eq!(why("noip host=a/hush user=u password=hush"), "host: letters, digits, dots and hyphens");
        assert_eq!(why("duckdns host=a user=u password=hush"), "token= is missing");
        assert_eq!(why("duckdns host= token=hush"), "host= is missing");
        let url = |url: &str| why(&format!("dyndns2 url={url} host=a user=u password=hush"));
        assert_eq!(url("http://hush/?h=%h"), "url: without %4 or %6 it tells no address");
        assert_eq!(
            url("http://a/?h=%h&a=%4&x=%x"),
            "url: %h, %4, %6, %t or two hexadecimal digits follow a %"
        );
        assert_eq!(url("http://u:hush@a/?a=%4"), "url: user and password do not belong into the URL");
        assert_eq!(url("http://%4/"), "url: the address belongs behind the host");
        assert_eq!(
            why(&format!("{DYNDNS2} user=a password=b check=hush")),
            "check: a URL begins with https:// or http://"
        );
    }

    #[test]
    fn an_id_is_that_of_the_place_not_of_the_secret() {
        let id = |text: &str| ProviderSetting::parse(text).unwrap().id();
        let one = id("noip host=a.example user=u password=p");
        assert_eq!(one, id("noip user=v password=q host=a.example"));
        assert_ne!(one, id("noip host=b.example user=u password=p"));
        assert_ne!(one, id("dyndns2 url=http://a/?a=%4 host=a.example user=u password=p"));
    }

    #[test]
    fn nothing_shows_a_secret() {
        for text in [
            "noip host=a.example user=\"hush hush\" password=hush",
            "duckdns host=a token=hush",
            "rfc2136 server=192.0.2.1 zone=example host=box.example key=k secret=aHVzaA==",
        ] {
            let setting = ProviderSetting::parse(text).unwrap();
            let shown = format!("{setting} {setting:?} {:?}", setting.urls().collect::<Vec<_>>());
            assert!(!shown.contains("hush") && !shown.contains("aHVzaA"), "{shown}");
        }
    }
}
