//! Settings: from the command line, and from a file of `key = value` with the same keys.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use log::LevelFilter;
use nix::net::if_::{if_nameindex, if_nametoindex};

use super::machine;
use super::names::NameSettings;
use crate::access::ClockSource;
use crate::board;
use crate::ddns::providers::{PROVIDERS, ProviderError, ProviderSetting};
use crate::import::Authority;
use crate::source::{SourceUrl, UrlError};
use crate::tuner::arbiter::Owner;

/// What a run is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) listen: Vec<SocketAddr>,
    pub(super) state: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) sources: Vec<SourceUrl>,
    pub(super) imports: Vec<PathBuf>,
    pub(super) vendor_imports: Vec<PathBuf>,
    pub(super) authority: Option<Authority>,
    pub(super) iptv_interface: Option<String>,
    pub(super) names: Vec<String>,
    pub(super) log: Option<LevelFilter>,
    pub(super) clock: Option<ClockSource>,
    pub(super) lan_interfaces: Vec<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) logos: Option<PathBuf>,
    pub(super) naming: NameSettings,
    pub(super) ddns_providers: Vec<ProviderSetting>,
    pub(super) user: Option<String>,
    pub(super) tuner_owner: Option<Owner>,
}

/// Why a setting is refused.
#[derive(Debug, PartialEq)]
pub(super) enum SettingError {
    UnknownKey(String),
    Address(String),
    Source(String, UrlError),
    SourceLong(usize),
    Name(String),
    Authority(String),
    Interface(String, String),
    LogLevel(String),
    Clock(String),
    TunerOwner(String),
    Named { key: &'static str, value: String, why: String },
    Provider(ProviderError),
    TooMany(&'static str, usize),
    Line(PathBuf, usize, Box<Self>),
    NoKey,
    File(PathBuf, String),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => {
                write!(f, "unknown setting '{key}'; known: {}", KEYS.join(", "))
            }
            Self::Address(text) => {
                write!(f, "listen '{text}': an address and a port, such as 192.168.1.2:8800")
            }
            Self::Source(text, why) => write!(f, "source '{text}': {why}"),
            Self::SourceLong(most) => write!(f, "a source has at most {most} bytes"),
            Self::Name(text) => write!(f, "name '{text}': letters, digits, dots and hyphens"),
            Self::Authority(text) => write!(f, "authority '{text}': one of vendor, import, scan"),
            Self::Interface(name, there) => {
                write!(f, "iptv-interface '{name}': there is no such network interface here, but {there}")
            }
            Self::LogLevel(text) => write!(f, "log '{text}': one of error, warn, info, debug"),
            Self::TunerOwner(text) => {
                write!(f, "tuner-owner '{text}': ui (the television's program, which may grant it) or box")
            }
            Self::Clock(text) => write!(f, "clock '{text}': one of rtc, ntp, none"),
            Self::Named { key, value, why } => write!(f, "{key} '{value}': {why}"),
            Self::Provider(why) => write!(f, "ddns-provider: {why}"),
            Self::TooMany(key, most) => write!(f, "{key}: this board has room for {most}"),
            Self::Line(path, line, why) => write!(f, "{}:{line}: {why}", path.display()),
            Self::NoKey => f.write_str("a line is 'key = value', a comment (#) or empty"),
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl Settings {
    /// Takes one setting.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        match &*key.replace('_', "-") {
            "listen" => {
                let address = value.parse().map_err(|_| SettingError::Address(value.into()))?;
                push(&mut self.listen, address, "listen", board::LISTENERS)
            }
            "state" => {
                self.state = Some(value.into());
                Ok(())
            }
            "socket" => {
                self.socket = Some(value.into());
                Ok(())
            }
            "source" if value.len() > SOURCE_MAX => Err(SettingError::SourceLong(SOURCE_MAX)),
            "source" => {
                let url = value.parse().map_err(|why| SettingError::Source(value.into(), why))?;
                push(&mut self.sources, url, "source", board::SOURCES)
            }
            "import" => push(&mut self.imports, value.into(), "import", IMPORTS_MAX),
            "vendor-import" => push(&mut self.vendor_imports, value.into(), "vendor-import", IMPORTS_MAX),
            "iptv-interface" => {
                self.iptv_interface = Some(value.into());
                Ok(())
            }
            "authority" => {
                let named = Authority::named(value);
                self.authority = Some(named.ok_or_else(|| SettingError::Authority(value.into()))?);
                Ok(())
            }
            "name" => {
                let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
                if value.is_empty() || !value.bytes().all(letters) {
                    return Err(SettingError::Name(value.into()));
                }
                push(&mut self.names, value.into(), "name", NAMES_MAX)
            }
            "log" => {
                self.log = Some(value.parse().map_err(|_| SettingError::LogLevel(value.into()))?);
                Ok(())
            }
            "lan-interface" => {
                push(&mut self.lan_interfaces, value.into(), "lan-interface", LAN_INTERFACES_MAX)
            }
            "ddns-provider" => {
                let provider = ProviderSetting::parse(value).map_err(SettingError::Provider)?;
                push(&mut self.ddns_providers, provider, "ddns-provider", PROVIDERS)
            }
            "user" => {
                self.user = Some(value.into());
                Ok(())
            }
            "ca-file" => {
                self.ca_file = Some(value.into());
                Ok(())
            }
            "logos" => {
                self.logos = Some(value.into());
                Ok(())
            }
            "clock" => {
                let clock = ClockSource::named(value).ok_or_else(|| SettingError::Clock(value.into()))?;
                self.clock = Some(clock);
                Ok(())
            }
            "tuner-owner" => {
                let owner = Owner::named(value).ok_or_else(|| SettingError::TunerOwner(value.into()))?;
                self.tuner_owner = Some(owner);
                Ok(())
            }
            key => {
                let taken = self.naming.set(key, value);
                taken.unwrap_or_else(|| Err(SettingError::UnknownKey(key.into())))
            }
        }
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

    /// Who may change numbers.
    pub(super) fn authority(&self) -> Authority {
        let board = || Authority::named(board::AUTHORITY).unwrap_or(Authority::Import); // boards/build.rs has checked it
        self.authority.unwrap_or_else(board)
    }

    /// Whose the tuners are.
    pub(super) fn tuner_owner(&self) -> Owner {
        let board = || Owner::named(board::TUNER_OWNER).unwrap_or(Owner::Ui); // boards/build.rs has checked it
        self.tuner_owner.unwrap_or_else(board)
    }

    /// The interface of imported multicast groups; `None` where the kernel is to choose. It has to be there, but that
    /// of a board is nobody's business where no list is read.
    pub(super) fn iptv_interface(&self) -> Result<Option<&str>, SettingError> {
        let needs_none = self.imports.is_empty() && self.vendor_imports.is_empty();
        let board = if needs_none { "" } else { board::IPTV_INTERFACE };
        let name = self.iptv_interface.as_deref().unwrap_or(board);
        if name.is_empty() || if_nametoindex(name).is_ok() {
            return Ok(Some(name).filter(|name| !name.is_empty()));
        }
        let names = if_nameindex().map(|all| {
            let names = all.iter().map(|interface| interface.name().to_string_lossy().into_owned());
            names.collect::<Vec<_>>().join(", ")
        });
        Err(SettingError::Interface(name.into(), names.unwrap_or_else(|e| e.to_string())))
    }

    /// The interfaces of the LAN: those that are configured, else the board's; none: all.
    pub(super) fn lan_interfaces(&self) -> Vec<String> {
        match &self.lan_interfaces[..] {
            [] => machine::list(board::LAN_INTERFACES).map(Into::into).collect(),
            configured => configured.to_vec(),
        }
    }

    /// Where state is kept.
    pub(super) fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| board::STATE_PATH.into())
    }
}

/// All keys, which are the flags of `run`, too. In a file, an underscore does for a hyphen, as in board files.
pub(super) const KEYS: &[&str] = &[
    "authority",
    "ca-file",
    "clock",
    "ddns-key",
    "ddns-name",
    "ddns-port",
    "ddns-provider",
    "ddns-service",
    "ddns-zone",
    "factory",
    "import",
    "iptv-interface",
    "lan-interface",
    "listen",
    "log",
    "logos",
    "name",
    "socket",
    "source",
    "state",
    "tuner-owner",
    "user",
    "vendor-import",
];
/// Bytes of the longest source URL; the channel table keeps it.
const SOURCE_MAX: usize = 512;
/// Lists that are read at start: a receiver has a handful of bouquets.
const IMPORTS_MAX: usize = 64;
/// Interfaces of the LAN: a bridge, or its ports.
const LAN_INTERFACES_MAX: usize = 8;
/// Names of its own that a box can have.
const NAMES_MAX: usize = 16;

fn push<T>(list: &mut Vec<T>, item: T, key: &'static str, most: usize) -> Result<(), SettingError> {
    if list.len() >= most {
        return Err(SettingError::TooMany(key, most));
    }
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_same_keys_and_errors_name_the_line() {
        let path = std::env::temp_dir().join(format!("stbcast-config-{}", std::process::id()));
        fs::write(&path, "# a box\nlisten = 127.0.0.1:0\n\nsource=file:a.ts?loop\nname = tv.example\n")
            .unwrap();
        let mut settings = Settings::default();
        settings.read(&path).unwrap();
        assert_eq!(
            (settings.listen.len(), settings.sources.len(), &settings.names[..]),
            (1, 1, &["tv.example".into()][..])
        );
        for (value, owner) in [("ui", Some(Owner::Ui)), ("box", Some(Owner::Box)), ("me", None)] {
            let taken = settings.set("tuner_owner", value);
            assert_eq!(taken.is_ok().then(|| settings.tuner_owner()), owner, "{value}");
        }
        fs::write(&path, "\nlisten = here\n").unwrap();
        let error = Settings::default().read(&path).unwrap_err();
        assert_eq!(
            error,
            SettingError::Line(path.clone(), 2, Box::new(SettingError::Address("here".into())))
        );
        fs::remove_file(path).unwrap();
    }
}
