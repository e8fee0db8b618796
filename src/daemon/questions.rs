//! The command line of what asks a running box.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::Arg;

use super::args::value;
use super::scan::{self, Seed};
use crate::board;
use crate::local::protocol::{GUEST_CHANNELS, Request, text, word};

/// What a running box is asked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Question {
    /// What is sent; for `pair` after `events`.
    pub(super) request: Request,
    /// The box's own lines, not a text for people.
    pub(super) json: bool,
    /// Questions for the screen are answered with yes.
    pub(super) yes: bool,
    /// Of `top`: one picture.
    pub(super) once: bool,
    pub(super) sockets: Vec<PathBuf>,
    /// What a scan is to begin with.
    pub(super) seeds: Vec<Seed>,
}

/// The options that each command has, beside those that all have.
const OPTIONS: &[(&str, &[&str])] = &[
    ("status", &["json"]),
    ("tuners", &["json"]),
    ("top", &["once"]),
    ("channels", &["json", "all"]),
    ("terminals", &["json"]),
    ("link", &["ttl", "connections", "all", "recording"]),
    ("pair", &["qr", "pin", "role", "for", "channels", "yes"]),
    ("rename", &[]),
    ("revoke", &[]),
    ("player", &[]),
    ("commit", &[]),
    ("scan", &["tables", "range", "known", "mux", "stop", "resume", "watch", "json"]),
    ("factory-reset", &["yes"]),
    ("name", &["json", "recovery", "handover", "erase", "yes"]),
];

/// Those that `scan` alone has.
const SCAN: [&str; 7] = ["tables", "range", "known", "mux", "stop", "resume", "watch"];

/// Reads what the command `named` asks; `None`: help. The error is a sentence.
pub(super) fn parse(named: &OsString, parser: &mut lexopt::Parser) -> Result<Option<Question>, String> {
    let known = OPTIONS.iter().find(|(command, _)| named == command);
    let &(command, options) =
        known.ok_or_else(|| format!("unknown command '{}'", named.to_string_lossy()))?;
    let mut question = Question { request: Request::new(command), ..Question::default() };
    let (mut words, mut state, mut socket) = (Vec::new(), None, None);
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("help") => return Ok(None),
            Arg::Long("state") => state = Some(PathBuf::from(value(parser)?)),
            Arg::Long("socket") => socket = Some(PathBuf::from(value(parser)?)),
            Arg::Long(option) if options.contains(&option) => {
                let option = option.to_owned();
                question.take(&option, parser)?;
            }
            Arg::Value(word) => {
                words
                    .push(word.into_string().map_err(|w| format!("'{}' is not UTF-8", w.to_string_lossy()))?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    question.take_words(command, &words)?;
    question.sockets = sockets(socket, state);
    Ok(Some(question))
}

/// Where the box may listen.
pub(super) fn sockets(socket: Option<PathBuf>, state: Option<PathBuf>) -> Vec<PathBuf> {
    match (socket, state) {
        (Some(socket), _) => vec![socket],
        (None, Some(state)) => vec![state.join("stbcast.sock")],
        (None, None) => vec![board::SOCKET_PATH.into(), Path::new(board::STATE_PATH).join("stbcast.sock")],
    }
}

impl Question {
    fn take(&mut self, option: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        if SCAN.contains(&option) {
            return scan::take(self, option, parser);
        }
        let request = &mut self.request;
        match option {
            "json" => self.json = true,
            "yes" => self.yes = true,
            "once" => self.once = true,
            "all" => request.all = Some(true),
            "recording" => request.recording = Some(true),
            "ttl" => request.ttl = Some(seconds(&value(parser)?)?),
            "for" => request.for_s = Some(seconds(&value(parser)?)?),
            "connections" => {
                let n = value(parser)?.parse().map_err(|_| "--connections needs a number")?;
                request.connections = Some(n);
            }
            "qr" | "pin" if request.mode.as_deref().is_some_and(|mode| mode != option) => request.mode = None,
            "qr" | "pin" => request.mode = Some(word(option)),
            "recovery" => request.recovery = Some(text(&value(parser)?)),
            "handover" => request.handover = Some(text(&value(parser)?)),
            "erase" => request.erase = Some(true),
            "role" => request.role = Some(word(&value(parser)?)),
            _ => {
                let numbers = value(parser)?;
                let numbers = numbers.split(',').map(|n| n.parse().map_err(|_| n));
                let numbers = numbers.collect::<Result<Vec<u16>, _>>();
                let numbers = numbers.map_err(|n| format!("--channels: '{n}' is no channel number"))?;
                let channels = heapless::Vec::from_slice(&numbers)
                    .map_err(|_| format!("--channels: a guest has at most {GUEST_CHANNELS}, or all"))?;
                request.channels = Some(channels);
            }
        }
        Ok(())
    }

    fn take_words(&mut self, command: &str, words: &[String]) -> Result<(), String> {
        let request = &mut self.request;
        match (command, words) {
            ("link", [target]) => {
                request.channel = Some(channel(target)?);
                request.connections.get_or_insert(1);
                request.ttl.get_or_insert(3600);
            }
            ("link", []) => return Err("link needs a channel's number, or the word playlist".into()),
            ("rename", [number, name]) => {
                request.slot = Some(slot(number)?);
                request.name = Some(text(name));
            }
            ("rename", _) => return Err("rename needs a terminal's slot and its new name".into()),
            ("revoke", [all]) if all == "all" => request.cmd = word("revoke-all"),
            ("revoke", [number]) => request.slot = Some(slot(number)?),
            ("revoke", []) => return Err("revoke needs a terminal's slot, or the word all".into()),
            ("player", [name]) => request.name = Some(text(name)),
            ("player", []) => return Err("player needs a name, for you to know it by".into()),
            ("factory-reset", []) if !self.yes => {
                return Err("factory-reset puts everybody out for good; say --yes if you mean it".into());
            }
            ("name", [verb, rest @ ..]) => return self.take_name(verb, rest),
            (_, []) => {}
            (_, [.., word]) => return Err(format!("unexpected \"{word}\"")),
        }
        Ok(())
    }

    /// What is to be done with the box's name.
    fn take_name(&mut self, verb: &str, rest: &[String]) -> Result<(), String> {
        let request = &mut self.request;
        let of_claim = request.recovery.is_some() || request.handover.is_some();
        match (verb, rest) {
            ("claim", [name]) => request.name = Some(text(name)),
            ("claim", []) => {
                return Err("name claim needs a name; 'stbcastd name suggest' offers one".into());
            }
            ("handover", [key]) => request.key = Some(text(key)),
            ("handover", []) => {
                return Err(
                    "name handover needs the key that 'stbcastd name key' prints at the other box".into()
                );
            }
            ("release", []) if !self.yes => {
                return Err("name release gives the name up for good; say --yes if you mean it".into());
            }
            ("suggest" | "key" | "recovery" | "cancel-move" | "release", []) => {}
            (_, [.., word]) => return Err(format!("unexpected \"{word}\"")),
            (verb, []) => {
                return Err(format!(
                    "name {verb}: one of claim, suggest, key, handover, recovery, cancel-move, release"
                ));
            }
        }
        if of_claim && verb != "claim" {
            return Err(format!("--recovery and --handover are for 'name claim', not for 'name {verb}'"));
        }
        request.cmd = word(&format!("name-{verb}"));
        Ok(())
    }
}

fn slot(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| format!("'{text}' is no terminal's slot; 'stbcastd terminals' lists them"))
}

/// A channel's number; 0 stands for the list.
fn channel(text: &str) -> Result<u16, String> {
    match text.parse() {
        _ if text == "playlist" => Ok(0),
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("'{text}' is no channel number (1 to 65535), nor the word playlist")),
    }
}

/// `30s`, `15m`, `2h`, `7d`, or seconds.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let seconds = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(unit));
    seconds.ok_or_else(|| format!("'{text}' is no time such as 30s, 15m or 1h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Question, String> {
        let mut parser = lexopt::Parser::from_args(&words[1..]);
        parse(&words[0].into(), &mut parser).map(Option::unwrap)
    }

    #[test]
    fn a_link_is_asked_for() {
        let asked = parsed(&["link", "3", "--ttl", "15m", "--connections", "0", "--state", "/s"]).unwrap();
        let request =
            Request { channel: Some(3), ttl: Some(900), connections: Some(0), ..Request::new("link") };
        let sockets = vec!["/s/stbcast.sock".into()];
        assert_eq!(asked, Question { request, sockets, ..Question::default() });
    }

    #[test]
    fn a_guest_is_invited() {
        let words = ["pair", "--role", "guest", "--for", "2d", "--channels", "1,20", "--pin"];
        let request = parsed(&words).unwrap().request;
        assert_eq!((request.role.as_deref(), request.for_s), (Some("guest"), Some(172_800)));
        assert_eq!((request.channels.as_deref(), request.mode.as_deref()), (Some(&[1, 20][..]), Some("pin")));
        assert_eq!(parsed(&["pair", "--pin", "--qr"]).unwrap().request.mode, None, "both");
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        let many = (1..18).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        for (words, part) in [
            (&["link"][..], "number"),
            (&["link", "0"], "'0'"),
            (&["link", "1", "2"], "\"2\""),
            (&["link", "1", "--ttl", "x"], "'x'"),
            (&["status", "--ttl", "1"], "--ttl"),
            (&["revoke", "x"], "'x'"),
            (&["revoke"], "all"),
            (&["rename", "1"], "new name"),
            (&["factory-reset"], "--yes"),
            (&["pair", "--channels", "1,x"], "'x'"),
            (&["pair", "--channels", &many], "16"),
            (&["name", "claim"], "suggest"),
            (&["name", "release"], "--yes"),
            (&["name", "dance"], "dance"),
            (&["name", "key", "x"], "\"x\""),
            (&["name", "key", "--recovery", "x"], "name claim"),
            (&["dance"], "'dance'"),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }
}
