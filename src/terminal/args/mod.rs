//! The command line. Words in, a [`Command`] out; nothing is opened or asked here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lexopt::Arg;

use super::authority::Authority;
use super::keys::KeyFile;
use super::link::Link;

mod offer;
#[cfg(test)]
mod tests;
mod usage;

pub(super) use offer::Offer;
pub(super) use usage::{HELP, UsageError};

use offer::PinWord;

/// What the user wants.
#[derive(Debug)]
pub(super) enum Command {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    Pair(Pairing),
    Channels(Target),
    /// Of one channel, or of all.
    Guide(Target, Option<u16>),
    Watch(Target, Job),
    /// On a port; 0 is any that is free.
    Serve(Target, u16),
    Link(Choice, Wish),
    Terminals(Choice),
    /// A slot, and what its terminal is to be called.
    Rename(Choice, u8, String),
    Revoke(Choice, Revocation),
    Boxes(KeyFile),
    /// Where the box is now.
    Address(Choice, Authority),
    Forget(Choice),
}

/// Which box.
#[derive(Debug)]
pub(super) enum Target {
    /// The one of a link.
    Link(Link),
    /// One that this computer is paired with.
    Paired(Choice),
}

/// One of the boxes that this computer is paired with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) keys: KeyFile,
    /// Its name here; needed where there are several.
    pub(super) name: Option<String>,
}

/// Whom to pair with, and how.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) offer: Offer,
    /// What the box is to call this terminal.
    pub(super) name: Option<String>,
    /// What this terminal is to call the box.
    pub(super) box_name: Option<String>,
    pub(super) keys: KeyFile,
}

/// What to watch, and where it goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) channel: u16,
    /// Where the user said none: standard output, unless that is a screen.
    pub(super) output: Option<Output>,
    pub(super) seconds: Option<u32>,
    /// Who sits before the television is asked for its tuner where that is what it takes.
    pub(super) ask: bool,
}

/// Where a stream goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Standard output.
    Stdout,
    /// A file, made anew.
    File(PathBuf),
}

/// The link that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// 0 is all.
    pub(super) channel: u16,
    /// Seconds.
    pub(super) ttl: u32,
    /// 0 is no limit.
    pub(super) connections: u16,
}

/// Who is to be put out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Revocation {
    /// All, where none is named.
    pub(super) slot: Option<u8>,
    /// Nothing is asked.
    pub(super) sure: bool,
}

/// What of the environment counts.
#[derive(Default)]
pub(super) struct Environment {
    /// `STBCAST_LINK`.
    pub(super) link: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub(super) config: Option<OsString>,
    /// `HOME`.
    pub(super) home: Option<OsString>,
}

/// Options with a value.
const VALUES: [&str; 10] =
    ["link", "box", "keys", "name", "output", "seconds", "port", "ttl", "connections", "pin"];
/// How many words each command takes at most, and its options.
const COMMANDS: [(&str, usize, &[&str]); 12] = [
    ("pair", 1, &["pin", "name", "box", "keys"]),
    ("channels", 0, &["link", "box", "keys"]),
    ("guide", 1, &["link", "box", "keys"]),
    ("watch", 1, &["link", "box", "keys", "output", "seconds", "ask"]),
    ("serve", 0, &["link", "box", "keys", "port"]),
    ("link", 1, &["box", "keys", "ttl", "connections"]),
    ("terminals", 0, &["box", "keys"]),
    ("rename", 2, &["box", "keys"]),
    ("revoke", 1, &["box", "keys", "yes"]),
    ("boxes", 0, &["keys"]),
    ("address", 1, &["box", "keys"]),
    ("forget", 0, &["box", "keys"]),
];

impl Command {
    /// Reads `arguments`, the program's own name first.
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        environment: Environment,
    ) -> Result<Self, UsageError> {
        let given = match Given::read(lexopt::Parser::from_iter(arguments), environment)? {
            Asked::Command(given) => given,
            Asked::Help => return Ok(Self::Help),
            Asked::Version => return Ok(Self::Version),
        };
        let (command, words) = given.words.split_first().ok_or(UsageError::NoCommand)?;
        if command == "help" {
            return Ok(Self::Help);
        }
        let known = COMMANDS.iter().find(|(name, ..)| command == name).ok_or(UsageError::UnknownCommand)?;
        let &(command, most, options) = known;
        if words.len() > most {
            return Err(UsageError::ExtraWord);
        }
        if let Some((other, _)) = given.options.iter().find(|(name, _)| !options.contains(name)) {
            return Err(UsageError::OtherCommand(other));
        }
        let word = |place: usize| words.get(place).map(OsString::as_os_str);
        Ok(match command {
            "pair" => Self::Pair(given.pairing(word(0))?),
            "channels" => Self::Channels(given.target()?),
            "guide" => {
                let channel = word(0).map(|text| number(text).ok_or(UsageError::Number)).transpose()?;
                Self::Guide(given.target()?, channel)
            }
            "watch" => Self::Watch(given.target()?, given.job(word(0))?),
            "serve" => {
                let port = given.number("port", 0, u16::MAX.into())?.unwrap_or(0);
                Self::Serve(given.target()?, u16::try_from(port).unwrap_or(0))
            }
            "link" => Self::Link(given.choice()?, given.wish(word(0))?),
            "terminals" => Self::Terminals(given.choice()?),
            "rename" => {
                let slot = word(0).and_then(number).ok_or(UsageError::Slot)?;
                let name = word(1).and_then(OsStr::to_str).ok_or(UsageError::NoName)?;
                Self::Rename(given.choice()?, slot, name.to_owned())
            }
            "revoke" => Self::Revoke(given.choice()?, given.revocation(word(0))?),
            "boxes" => Self::Boxes(given.keys()?),
            "address" => {
                let text = word(0).and_then(OsStr::to_str).unwrap_or_default();
                let authority = Authority::parse(text, offer::PORT).map_err(UsageError::Address)?;
                Self::Address(given.choice()?, authority)
            }
            _ => Self::Forget(given.choice()?),
        })
    }
}

/// The words, sorted but not yet understood.
struct Given {
    /// The command first.
    words: Vec<OsString>,
    /// Each by its long name; the last of a name counts.
    options: Vec<(&'static str, OsString)>,
    environment: Environment,
}

enum Asked {
    Help,
    Version,
    Command(Given),
}

impl Given {
    fn read(mut parser: lexopt::Parser, environment: Environment) -> Result<Asked, UsageError> {
        let mut given = Self { words: Vec::new(), options: Vec::new(), environment };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
                Arg::Short('V') | Arg::Long("version") => return Ok(Asked::Version),
                Arg::Long("yes") => given.options.push(("yes", OsString::new())),
                Arg::Long("ask") => given.options.push(("ask", OsString::new())),
                Arg::Long("pin") => given.options.push(("pin", pin_word(&mut parser)?)),
                Arg::Short('o') => given.options.push(("output", parser.value()?)),
                Arg::Long(name) if VALUES.contains(&name) => {
                    let known = VALUES.iter().find(|known| **known == name).copied().unwrap_or_default();
                    given.options.push((known, parser.value()?));
                }
                Arg::Value(word) => given.words.push(word),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Asked::Command(given))
    }

    fn option(&self, name: &str) -> Option<&OsStr> {
        self.options.iter().rfind(|(known, _)| *known == name).map(|(_, value)| value.as_os_str())
    }

    /// The value of an option that is text. Bytes that are none are replaced: no name of ours has them.
    fn text(&self, name: &str) -> Option<String> {
        self.option(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn number(&self, name: &'static str, from: u32, to: u32) -> Result<Option<u32>, UsageError> {
        let read = |text| number(text).filter(|n| (from..=to).contains(n));
        self.option(name).map(|text| read(text).ok_or(UsageError::Range(name, from, to))).transpose()
    }

    /// `--link` and `--box` say which, then the environment, then what we are paired with.
    fn target(&self) -> Result<Target, UsageError> {
        let by_box = self.option("box").is_some();
        let link = match self.option("link") {
            Some(_) if by_box => return Err(UsageError::TwoBoxes),
            Some(link) => Some(link),
            None if by_box => None,
            None => self.environment.link.as_deref().filter(|link| !link.is_empty()),
        };
        match link {
            // Bytes that are no Unicode are no scheme either.
            Some(text) => {
                Link::parse(text.to_str().unwrap_or_default()).map(Target::Link).map_err(UsageError::Link)
            }
            None => self.choice().map(Target::Paired),
        }
    }

    fn choice(&self) -> Result<Choice, UsageError> {
        Ok(Choice { keys: self.keys()?, name: self.text("box") })
    }

    /// `--keys`, or the place that the XDG Base Directory Specification has for it.
    fn keys(&self) -> Result<KeyFile, UsageError> {
        if let Some(path) = self.option("keys") {
            return Ok(KeyFile(path.into()));
        }
        let absolute = |path: &Option<OsString>| path.as_ref().map(PathBuf::from).filter(|p| p.is_absolute());
        let config = absolute(&self.environment.config);
        let config = config.or_else(|| absolute(&self.environment.home).map(|home| home.join(".config")));
        Ok(KeyFile(config.ok_or(UsageError::NoHome)?.join(Path::new("stbcast/boxes"))))
    }

    fn pairing(&self, with: Option<&OsStr>) -> Result<Pairing, UsageError> {
        let pin = self.text("pin").map(|pin| match pin.as_str() {
            "" => PinWord::Ask,
            _ => PinWord::Given(pin),
        });
        let with = with.ok_or(UsageError::NoOffer)?.to_str().unwrap_or_default();
        let offer = Offer::parse(with, pin.as_ref())?;
        Ok(Pairing { offer, name: self.text("name"), box_name: self.text("box"), keys: self.keys()? })
    }

    fn job(&self, channel: Option<&OsStr>) -> Result<Job, UsageError> {
        let output = self.option("output").map(|path| match path.to_str() {
            Some("-") => Output::Stdout,
            _ => Output::File(PathBuf::from(path)),
        });
        let channel = channel.and_then(number).ok_or(UsageError::Number)?;
        let (seconds, ask) = (self.number("seconds", 1, u32::MAX)?, self.option("ask").is_some());
        Ok(Job { channel, output, seconds, ask })
    }

    fn wish(&self, target: Option<&OsStr>) -> Result<Wish, UsageError> {
        let channel = match target {
            Some(word) if word == "playlist" => 0,
            word => word.and_then(number).filter(|n| *n > 0).ok_or(UsageError::LinkTo)?,
        };
        let ttl = self.text("ttl").map(|text| seconds(&text).ok_or(UsageError::Time)).transpose()?;
        let connections = self.number("connections", 0, u16::MAX.into())?.unwrap_or(1);
        Ok(Wish { channel, ttl: ttl.unwrap_or(3600), connections: u16::try_from(connections).unwrap_or(1) })
    }

    fn revocation(&self, whom: Option<&OsStr>) -> Result<Revocation, UsageError> {
        let slot = match whom {
            Some(word) if word == "all" => None,
            word => Some(word.and_then(number).ok_or(UsageError::Slot)?),
        };
        Ok(Revocation { slot, sure: self.option("yes").is_some() })
    }
}

/// What stands behind `--pin`: `=` and the digits, or the next word where it is of digits alone; else it is empty.
fn pin_word(parser: &mut lexopt::Parser) -> Result<OsString, UsageError> {
    if let Some(value) = parser.optional_value() {
        return if value.is_empty() { Err(UsageError::Pin) } else { Ok(value) };
    }
    let is_pin = |word: &OsStr| {
        word.to_str().is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    };
    let word = parser.try_raw_args().and_then(|mut rest| rest.next_if(is_pin));
    Ok(word.unwrap_or_default())
}

fn number<T: FromStr>(text: &OsStr) -> Option<T> {
    text.to_str().and_then(|text| text.parse().ok())
}

/// `30s`, `15m`, `2h`, or seconds.
fn seconds(text: &str) -> Option<u32> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let (digits, unit) =
        units.iter().find_map(|(unit, n)| Some((text.strip_suffix(unit)?, *n))).unwrap_or((text, 1));
    digits.parse::<u32>().ok()?.checked_mul(unit)
}
