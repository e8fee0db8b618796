//! The command line of `stbcastd`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::Arg;

use super::config::{KEYS, Settings};
use crate::board;
use crate::store::helper::HELPER;

/// What `--help` prints.
pub const HELP: &str = "\
stbcastd: lets paired phones watch this box's live television

Usage:
  stbcastd run [--listen A:P]… [--source URL]… [--import FILE]…
               [--vendor-import FILE]… [--iptv-interface NAME]
               [--authority WHO] [--state DIR] [--socket PATH] [--name NAME]…
               [--log LEVEL] [--config FILE]
  stbcastd link <number>|playlist [--ttl 1h] [--connections N] [--all]
  stbcastd channels [--all] [--json]
  stbcastd status [--json]

run starts the box, in the foreground. It ends on SIGTERM or Ctrl-C.
  --listen A:P     an address and port to serve on; may be repeated
  --source URL     a mux; may be repeated:
                     udp://[SENDER@]GROUP:PORT[?iface=NAME]
                     rtp://[SENDER@]GROUP:PORT[?iface=NAME]
                     file:PATH[?loop][&speed=N]
  --import FILE    a list of multicast channels with their numbers and names:
                   M3U, Enigma2 bouquet; may be repeated
  --vendor-import FILE
                   the same, from the programme database of the box's maker
  --iptv-interface NAME
                   the network interface of the groups that lists name
  --authority WHO  whose word changes the number a channel has: vendor (the
                   vendor's lists), import (the imported lists) or scan (the
                   networks' numbers); the others add at free numbers
  --state DIR      where channels and keys are kept
  --socket PATH    the local socket
  --name NAME      a host name that is this box's, beside its addresses
  --log LEVEL      error, warn, info or debug
  --clock SOURCE   whose word on the time of day is taken: rtc (the system's
                   clock is right), ntp (once NTP has set it) or none; a
                   guest's end needs it
  --config FILE    'key = value' lines with the same keys, without the dashes

The other commands ask the running box over its local socket; --state DIR or
--socket PATH tell which one, when there are several.
  link 1           prints a URL that plays channel 1 in any player.
                   --ttl: how long it lives (30s, 15m, 1h; at most 12h).
                   --connections: players at one time (1; 0 is no limit),
                   and one more while a player opens it again.
                   --all: a URL for each address the box listens on.
  link playlist    prints the URL of an M3U list with every channel.
  channels         lists what can be watched now; --all: the rest, too.
  status           shows muxes, viewers and what was lost.
                   --json: the box's own lines, for programs.

Nobody watches without a link. Examples:
  stbcastd run --state /tmp/box --source 'udp://239.1.1.1:5000?iface=eth0'
  mpv \"$(stbcastd link 1 --state /tmp/box)\"
";

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    /// Be the process that writes state.
    HelperStore,
    Run(Settings),
    Ask(Question),
}

/// What a running box is asked.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub(super) what: What,
    /// The box's own lines, not a text for people.
    pub(super) json: bool,
    pub(super) sockets: Vec<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    Status,
    Channels { all: bool },
    Link { channel: u16, ttl: Duration, connections: u16, all: bool },
}

/// Reads the command line; the error is a sentence.
pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Command, String> {
    let first = parser.next().map_err(|e| e.to_string())?;
    match first {
        None => Err("what shall it do?".into()),
        Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Help),
        Some(Arg::Long("version") | Arg::Short('V')) => Ok(Command::Version),
        Some(Arg::Value(word)) if word == HELPER => Ok(Command::HelperStore),
        Some(Arg::Value(word)) if word == "help" => Ok(Command::Help),
        Some(Arg::Value(word)) if word == "run" => run(&mut parser),
        Some(Arg::Value(word)) => ask(&word, &mut parser),
        Some(other) => Err(other.unexpected().to_string()),
    }
}

fn run(parser: &mut lexopt::Parser) -> Result<Command, String> {
    let mut settings = Settings::default();
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("config") => {
                let path = value(parser)?;
                settings.read(Path::new(&path)).map_err(|e| e.to_string())?;
            }
            Arg::Long(key) if KEYS.contains(&key) => {
                let key = key.to_owned();
                settings.set(&key, &value(parser)?).map_err(|e| e.to_string())?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Command::Run(settings))
}

fn ask(word: &OsString, parser: &mut lexopt::Parser) -> Result<Command, String> {
    let (mut all, mut ttl, mut connections, mut target) = (false, Duration::from_secs(3600), 1, None);
    let (mut state, mut socket, mut json) = (None, None, false);
    let is_link = word == "link";
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("state") => state = Some(PathBuf::from(value(parser)?)),
            Arg::Long("socket") => socket = Some(PathBuf::from(value(parser)?)),
            Arg::Long("all") => all = true,
            Arg::Long("json") if !is_link => json = true,
            Arg::Long("ttl") if is_link => ttl = duration(&value(parser)?)?,
            Arg::Long("connections") if is_link => {
                connections =
                    value(parser)?.parse().map_err(|_| "--connections needs a number".to_owned())?;
            }
            Arg::Value(text) if is_link && target.is_none() => {
                target = Some(channel(&text.to_string_lossy())?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let what = match word.to_str() {
        Some("status") => What::Status,
        Some("channels") => What::Channels { all },
        Some("link") => {
            let channel = target.ok_or("link needs a channel's number, or the word playlist")?;
            What::Link { channel, ttl, connections, all }
        }
        _ => return Err(format!("unknown command '{}'", word.to_string_lossy())),
    };
    let in_state = state.map(|s| s.join("stbcast.sock"));
    let sockets = match (socket, in_state) {
        (Some(socket), _) => vec![socket],
        (None, Some(in_state)) => vec![in_state],
        (None, None) => vec![board::SOCKET_PATH.into(), Path::new(board::STATE_PATH).join("stbcast.sock")],
    };
    Ok(Command::Ask(Question { what, json, sockets }))
}

fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(|e| e.to_string())?;
    value.into_string().map_err(|v| format!("'{}' is not UTF-8", v.to_string_lossy()))
}

/// A channel's number; 0 stands for the list.
fn channel(text: &str) -> Result<u16, String> {
    match text.parse() {
        _ if text == "playlist" => Ok(0),
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("'{text}' is no channel number (1 to 65535), nor the word playlist")),
    }
}

/// `30s`, `15m`, `1h`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let seconds = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(unit));
    seconds
        .map(|s| Duration::from_secs(s.into()))
        .ok_or_else(|| format!("'{text}' is no time such as 30s, 15m or 1h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn a_link_is_asked_for() {
        let asked = parsed(&["link", "3", "--ttl", "15m", "--connections", "0", "--state", "/s"]).unwrap();
        let what = What::Link { channel: 3, ttl: Duration::from_secs(900), connections: 0, all: false };
        assert_eq!(
            asked,
            Command::Ask(Question { what, json: false, sockets: vec!["/s/stbcast.sock".into()] })
        );
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        for (words, part) in [
            (&["link"][..], "number"),
            (&["link", "0"], "'0'"),
            (&["link", "1", "2"], "\"2\""),
            (&["link", "1", "--ttl", "x"], "'x'"),
            (&["run", "--listen", "x"], "'x'"),
            (&["run", "--source", "http://x"], "udp://"),
            (&["status", "--ttl", "1"], "--ttl"),
            (&["dance"], "'dance'"),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }
}
