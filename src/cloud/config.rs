//! Settings: from the command line, and from a file of `key = value` with the same keys.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use crate::registration::ServicePublic;

/// What a run is told.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) state: Option<PathBuf>,
    pub(super) zones: Vec<String>,
    pub(super) ns: Vec<String>,
    pub(super) contact: Option<String>,
    pub(super) records: Vec<String>,
    pub(super) dns: Vec<SocketAddr>,
    pub(super) heartbeat: Vec<SocketAddr>,
    pub(super) http: Vec<SocketAddr>,
    pub(super) https: Vec<SocketAddr>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) proxies: Vec<IpAddr>,
    pub(super) enrol: Option<Enrol>,
    pub(super) brand_keys: Vec<ServicePublic>,
    pub(super) blocked: Vec<String>,
    pub(super) move_delay: Option<Duration>,
    pub(super) interval: Option<u16>,
    pub(super) shards: Vec<String>,
    pub(super) publish_private: bool,
    pub(super) capacity: Option<u32>,
    pub(super) moved_to: Option<(String, ServicePublic)>,
    pub(super) secondaries: Vec<String>,
    pub(super) publish: Option<String>,
    pub(super) store: Option<String>,
    pub(super) front_end: u32,
    pub(super) log: Option<LevelFilter>,
}

/// Who may claim a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enrol {
    /// A box with a voucher of its brand.
    Voucher,
    /// Whoever comes first: for tests, and for who serves their own boxes alone.
    Open,
}

/// A key with what it takes, as `--help` shows it.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    pub(super) says: &'static str,
}

/// All keys, which are the flags of `run`, too.
pub(super) const KEYS: &[Key] = &[
    key("state", "DIR", "where claims and the service's key are kept"),
    key("zone", "NAME", "a zone it serves, such as box.example; may be repeated"),
    key("ns", "HOST", "a name server of the zones; may be repeated (ns1.ZONE)"),
    key("contact", "MAIL", "who is in charge of the zones (hostmaster@ZONE)"),
    key("record", "LINE", "a record of the zones: 'ns1 A 192.0.2.1'; may be repeated"),
    key("dns", "A:P", "answers DNS here, by UDP and TCP; may be repeated"),
    key("heartbeat", "A:P", "takes heartbeats here, by UDP; may be repeated"),
    key("http", "A:P", "claims, updates and time by plain HTTP; may be repeated"),
    key("https", "A:P", "the same by TLS; may be repeated"),
    key("tls-cert", "FILE", "the certificate with its chain, PEM"),
    key("tls-key", "FILE", "the certificate's key, PEM"),
    key("metrics", "A:P", "Prometheus' metrics, for nobody else's eyes"),
    key("proxy", "IP", "a reverse proxy whose X-Forwarded-For is believed"),
    key("enrol", "WHO", "who may claim: voucher (of a brand; the default) or open"),
    key("brand-key", "KEY", "a brand whose vouchers count; may be repeated"),
    key("blocked", "WORD", "no name may be or look like this; may be repeated"),
    key("move-delay", "S", "seconds that a live box has to stop a move (259200)"),
    key("interval", "S", "seconds between two beats of a box: 60 to 3600 (60)"),
    key("shard", "HOST:P", "where beats go, box id modulo shards; may be repeated (hb0.ZONE)"),
    key("publish-private", "BOOL", "addresses of private networks, too: for labs (false)"),
    key("capacity", "N", "names that it keeps at most (1000000)"),
    key("moved-to", "URL KEY", "tells boxes to go there; its key is trusted from then on"),
    key("secondary", "LINE", "takes the zones: 'A:P hmac-sha256:KEYNAME:SECRET'; repeated"),
    key("publish", "LINE", "pushes the zones: 'rfc2136 A:P hmac-sha256:KEYNAME:SECRET'"),
    key("store", "WHICH", "redb (the default), or 'postgres host=… dbname=…'"),
    key("front-end", "N", "the number of this one of several that share a store (0)"),
    key("log", "LEVEL", "error, warn, info or debug"),
];

const fn key(name: &'static str, takes: &'static str, says: &'static str) -> Key {
    Key { name, takes, says }
}

/// Why a setting is refused.
#[derive(Debug, PartialEq)]
pub(super) enum SettingError {
    UnknownKey(String),
    Value { key: &'static str, value: String, wants: &'static str },
    TooMany(&'static str, usize),
    Line(PathBuf, usize, Box<Self>),
    NoKey,
    File(PathBuf, String),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => {
                let known = KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
                write!(f, "unknown setting '{key}'; known: {known}")
            }
            Self::Value { key, value, wants } => write!(f, "{key} '{value}': {wants}"),
            Self::TooMany(key, most) => write!(f, "{key}: at most {most} of them"),
            Self::Line(path, line, why) => write!(f, "{}:{line}: {why}", path.display()),
            Self::NoKey => f.write_str("a line is 'key = value'"),
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

/// Of a setting that may be repeated.
const MANY: usize = 64;

impl Settings {
    /// Takes one setting.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let key = key.replace('_', "-");
        let known = KEYS.iter().find(|known| known.name == key);
        let key = known.ok_or_else(|| SettingError::UnknownKey(key.clone()))?.name;
        let wrong = |wants| SettingError::Value { key, value: value.to_owned(), wants };
        let address = || value.parse::<SocketAddr>().map_err(|_| wrong("an address with its port is wanted"));
        let number = |range: std::ops::RangeInclusive<u32>, wants| {
            value.parse::<u32>().ok().filter(|n| range.contains(n)).ok_or_else(|| wrong(wants))
        };
        match key {
            "state" => self.state = Some(value.into()),
            "zone" => push(&mut self.zones, value.trim_end_matches('.').to_ascii_lowercase(), key)?,
            "ns" => push(&mut self.ns, value.to_owned(), key)?,
            "contact" => self.contact = Some(value.to_owned()),
            "record" => push(&mut self.records, value.to_owned(), key)?,
            "dns" => push(&mut self.dns, address()?, key)?,
            "heartbeat" => push(&mut self.heartbeat, address()?, key)?,
            "http" => push(&mut self.http, address()?, key)?,
            "https" => push(&mut self.https, address()?, key)?,
            "metrics" => self.metrics = Some(address()?),
            "tls-cert" => self.tls_cert = Some(value.into()),
            "tls-key" => self.tls_key = Some(value.into()),
            "proxy" => {
                let ip = value.parse().map_err(|_| wrong("an address is wanted"))?;
                push(&mut self.proxies, ip, key)?;
            }
            "enrol" => {
                let enrol = match value {
                    "voucher" => Enrol::Voucher,
                    "open" => Enrol::Open,
                    _ => return Err(wrong("voucher or open is wanted")),
                };
                self.enrol = Some(enrol);
            }
            "brand-key" => {
                let key_of_brand =
                    ServicePublic::parse(value).ok_or_else(|| wrong("43 letters of base64url are wanted"))?;
                push(&mut self.brand_keys, key_of_brand, key)?;
            }
            "blocked" => push(&mut self.blocked, value.to_ascii_lowercase(), key)?,
            "move-delay" => {
                let seconds = number(0..=30 * 86_400, "seconds are wanted, 30 days at most")?;
                self.move_delay = Some(Duration::from_secs(seconds.into()));
            }
            "interval" => {
                let seconds = number(60..=3600, "seconds are wanted, 60 to 3600")?;
                self.interval = u16::try_from(seconds).ok();
            }
            "shard" => push(&mut self.shards, value.to_owned(), key)?,
            "publish-private" => {
                self.publish_private = match value {
                    "true" | "yes" | "1" => true,
                    "false" | "no" | "0" => false,
                    _ => return Err(wrong("true or false is wanted")),
                };
            }
            "capacity" => self.capacity = Some(number(1..=20_000_000, "a number up to 20000000 is wanted")?),
            "moved-to" => {
                self.moved_to = Some(moved(value).ok_or_else(|| wrong("an URL and a key are wanted"))?);
            }
            "secondary" => push(&mut self.secondaries, value.to_owned(), key)?,
            "publish" => self.publish = Some(value.to_owned()),
            "store" => self.store = Some(value.to_owned()),
            "front-end" => self.front_end = number(0..=9999, "a number up to 9999 is wanted")?,
            "log" => {
                self.log = Some(value.parse().map_err(|_| wrong("error, warn, info or debug is wanted"))?);
            }
            _ => return Err(SettingError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }

    /// Takes the settings of a file.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), SettingError> {
        let text = fs::read_to_string(path).map_err(|e| SettingError::File(path.into(), e.to_string()))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let setting = line.split_once('=').ok_or(SettingError::NoKey);
            let taken = setting.and_then(|(key, value)| self.set(key.trim(), value.trim()));
            taken.map_err(|why| SettingError::Line(path.into(), number + 1, Box::new(why)))?;
        }
        Ok(())
    }

    /// Where state is kept.
    pub(super) fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| "/var/lib/stbcast-cloud".into())
    }
}

fn moved(value: &str) -> Option<(String, ServicePublic)> {
    let (url, key) = value.split_once(' ')?;
    let known = url.starts_with("https://") || url.starts_with("http://");
    (known && url.len() <= 256).then_some(())?;
    Some((url.to_owned(), ServicePublic::parse(key.trim())?))
}

fn push<T>(list: &mut Vec<T>, item: T, key: &'static str) -> Result<(), SettingError> {
    if list.len() >= MANY {
        return Err(SettingError::TooMany(key, MANY));
    }
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_taken_and_an_error_names_key_and_value() {
        for key in KEYS {
            // What is wrong for one key is right for none of those that check.
            let taken = Settings::default().set(key.name, "\u{1}");
            assert!(!matches!(taken, Err(SettingError::UnknownKey(_))), "{}", key.name);
        }
        for (key, value) in [
            ("dns", "here"),
            ("interval", "59"),
            ("enrol", "all"),
            ("brand-key", "abc"),
            ("move_delay", "-1"),
            ("capacity", "0"),
            ("moved-to", "ftp://x abc"),
            ("publish-private", "maybe"),
        ] {
            let error = Settings::default().set(key, value).unwrap_err().to_string();
            assert!(error.contains(&key.replace('_', "-")) && error.contains(value), "{error}");
        }
        let unknown = Settings::default().set("color", "blue").unwrap_err().to_string();
        assert!(unknown.contains("'color'") && unknown.contains("heartbeat"), "{unknown}");
    }
}
