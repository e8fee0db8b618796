//! The command line. Words in, a [`Command`] out; nothing is opened or asked here.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use lexopt::Arg;

use super::link::{Link, LinkError};
use super::text::Text;

/// What `stbcast --help` prints.
pub(super) const HELP: &str = "\
stbcast: watch your set-top box from a shell

Usage:
  stbcast channels --link URL
  stbcast guide [NUMBER] --link URL
  stbcast watch NUMBER [-o FILE] [--seconds N] --link URL

Commands:
  channels          list the channels of the box
  guide [NUMBER]    show what is on now and comes next, on all channels or on one
  watch NUMBER      receive a channel as an MPEG transport stream

Options:
  --link URL        a link of the box: run 'stbcastd link' there to get one
  -o, --output FILE where the stream goes; '-' is standard output, and the default
  --seconds N       stop after N seconds
  -h, --help        print this
  -V, --version     print the version

A link is a key to the box: who has it can watch. Put it into STBCAST_LINK instead of --link to keep it out of the
list of processes:

  export STBCAST_LINK='http://192.168.1.20:8800/playlist.m3u?t=...'

Examples:
  stbcast watch 1 | mpv -                     watch channel 1
  stbcast watch 1 -o news.ts --seconds 600    record ten minutes of it

Exit status: 0 when done, 1 when the box or the stream failed, 2 when the command was wrong.
";

/// What the user wants.
#[derive(Debug)]
pub(super) enum Command {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// `channels`.
    Channels {
        /// Which box.
        link: Link,
    },
    /// `guide`.
    Guide {
        /// Which box.
        link: Link,
        /// Which channel; all of them where none is said.
        channel: Option<u16>,
    },
    /// `watch`.
    Watch(Job),
}

/// What to watch, and where it goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) link: Link,
    pub(super) channel: u16,
    /// Where the user said none: standard output, unless that is a screen.
    pub(super) output: Option<Output>,
    pub(super) seconds: Option<u32>,
}

/// Where a stream goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Standard output.
    Stdout,
    /// A file, made anew.
    File(PathBuf),
}

/// Why a command line is none. Never holds a value: a token may be in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UsageError {
    /// No command.
    NoCommand,
    /// None of ours.
    UnknownCommand,
    /// An option that is none of ours.
    UnknownOption(Text),
    /// An option without the value it needs.
    NoValue(Text),
    /// An option that takes no value, with one.
    Value(Text),
    /// A word too many.
    ExtraWord,
    /// An option of `watch` with another command.
    OnlyWatch,
    /// `watch` without a channel number, or with something else; `guide` with something else.
    Number,
    /// `--seconds` is no number from 1.
    Seconds,
    /// Neither `--link` nor `STBCAST_LINK`.
    NoLink,
    /// The link is none.
    Link(LinkError),
    /// The stream would go to the screen.
    Screen,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("say what to do: channels, guide or watch"),
            Self::UnknownCommand => f.write_str("the commands are channels, guide and watch"),
            Self::UnknownOption(option) => write!(f, "there is no option {option}"),
            Self::NoValue(option) => write!(f, "{option} needs a value"),
            Self::Value(option) => write!(f, "{option} takes no value"),
            Self::ExtraWord => f.write_str("there is a word too many (a link goes behind --link)"),
            Self::OnlyWatch => f.write_str("--output and --seconds are for watch"),
            Self::Number => {
                f.write_str("a channel is asked for by its number; 'stbcast channels' lists them")
            }
            Self::Seconds => f.write_str("--seconds needs a number from 1 to 4294967295"),
            Self::NoLink => f.write_str(
                "which box? Give --link or set STBCAST_LINK; 'stbcastd link' makes one on the box",
            ),
            Self::Link(e) => e.fmt(f),
            Self::Screen => f.write_str(
                "a stream is nothing for a screen: try 'stbcast watch 1 | mpv -', or give -o FILE",
            ),
        }
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(e: lexopt::Error) -> Self {
        match e {
            lexopt::Error::UnexpectedOption(option) => Self::UnknownOption(Text::new(&option)),
            lexopt::Error::MissingValue { option } => Self::NoValue(Text::new(&option.unwrap_or_default())),
            lexopt::Error::UnexpectedValue { option, .. } => Self::Value(Text::new(&option)),
            _ => Self::ExtraWord,
        }
    }
}

impl Command {
    /// Reads `arguments`, the program's own name first. `link` serves where `--link` is absent.
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        link: Option<OsString>,
    ) -> Result<Self, UsageError> {
        let given = match Given::read(lexopt::Parser::from_iter(arguments))? {
            Asked::Command(given) => given,
            Asked::Help => return Ok(Self::Help),
            Asked::Version => return Ok(Self::Version),
        };
        let command = given.command.as_ref().ok_or(UsageError::NoCommand)?;
        match command.to_str() {
            Some("channels") => given.channels(link),
            Some("guide") => given.guide(link),
            Some("watch") => given.watch(link),
            Some("help") => Ok(Self::Help),
            _ => Err(UsageError::UnknownCommand),
        }
    }
}

/// The words, sorted but not yet understood.
#[derive(Default)]
struct Given {
    command: Option<OsString>,
    number: Option<OsString>,
    link: Option<OsString>,
    output: Option<OsString>,
    seconds: Option<OsString>,
}

enum Asked {
    Help,
    Version,
    Command(Given),
}

impl Given {
    fn read(mut words: lexopt::Parser) -> Result<Asked, UsageError> {
        let mut given = Self::default();
        while let Some(word) = words.next()? {
            match word {
                Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
                Arg::Short('V') | Arg::Long("version") => return Ok(Asked::Version),
                Arg::Long("link") => given.link = Some(words.value()?),
                Arg::Short('o') | Arg::Long("output") => given.output = Some(words.value()?),
                Arg::Long("seconds") => given.seconds = Some(words.value()?),
                Arg::Value(word) if given.command.is_none() => given.command = Some(word),
                Arg::Value(word) if given.number.is_none() => given.number = Some(word),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Asked::Command(given))
    }

    fn channels(self, link: Option<OsString>) -> Result<Command, UsageError> {
        if self.number.is_some() {
            return Err(UsageError::ExtraWord);
        }
        if self.output.is_some() || self.seconds.is_some() {
            return Err(UsageError::OnlyWatch);
        }
        Ok(Command::Channels { link: read_link(self.link.or(link))? })
    }

    fn guide(self, link: Option<OsString>) -> Result<Command, UsageError> {
        if self.output.is_some() || self.seconds.is_some() {
            return Err(UsageError::OnlyWatch);
        }
        let channel = self.number.as_ref().map(|text| number(text).ok_or(UsageError::Number)).transpose()?;
        Ok(Command::Guide { link: read_link(self.link.or(link))?, channel })
    }

    fn watch(self, link: Option<OsString>) -> Result<Command, UsageError> {
        Ok(Command::Watch(Job {
            channel: self.number.as_ref().and_then(number).ok_or(UsageError::Number)?,
            output: self.output.map(|path| match path.to_str() {
                Some("-") => Output::Stdout,
                _ => Output::File(PathBuf::from(path)),
            }),
            seconds: match self.seconds {
                Some(text) => Some(number(&text).filter(|&n| n > 0).ok_or(UsageError::Seconds)?),
                None => None,
            },
            link: read_link(self.link.or(link))?,
        }))
    }
}

fn number<T: std::str::FromStr>(text: &OsString) -> Option<T> {
    text.to_str().and_then(|text| text.parse().ok())
}

fn read_link(text: Option<OsString>) -> Result<Link, UsageError> {
    let text = text.filter(|text| !text.is_empty()).ok_or(UsageError::NoLink)?;
    // Bytes that are no Unicode are no scheme either.
    Link::parse(text.to_str().unwrap_or_default()).map_err(UsageError::Link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "http://box:8800/live/1.ts?t=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

    fn parse(words: &str, link: Option<&str>) -> Result<Command, UsageError> {
        let words = words.replace("LINK", LINK);
        Command::parse(words.split(' ').map(OsString::from), link.map(OsString::from))
    }

    #[test]
    fn options_may_stand_anywhere() {
        for words in [
            "stbcast watch 7 -o a.ts --seconds 3 --link LINK",
            "stbcast --link=LINK -oa.ts watch --seconds=3 7",
        ] {
            let Ok(Command::Watch(job)) = parse(words, None) else { panic!("{words}") };
            assert_eq!((job.channel, job.seconds), (7, Some(3)));
            assert_eq!(job.output, Some(Output::File("a.ts".into())));
        }
        let Ok(Command::Watch(job)) = parse("stbcast watch 7 -o -", Some(LINK)) else { panic!() };
        assert_eq!(job.output, Some(Output::Stdout));
    }

    #[test]
    fn the_environment_is_second_to_the_option() {
        assert!(matches!(parse("stbcast channels", Some(LINK)), Ok(Command::Channels { .. })));
        assert!(matches!(
            parse("stbcast channels --link LINK", Some("nonsense")),
            Ok(Command::Channels { .. })
        ));
        assert_eq!(parse("stbcast channels", Some("")).err(), Some(UsageError::NoLink));
    }

    #[test]
    fn a_guide_is_of_one_channel_or_of_all() {
        let channel = |words| match parse(words, Some(LINK)) {
            Ok(Command::Guide { channel, .. }) => channel,
            other => panic!("{other:?}"),
        };
        assert_eq!((channel("stbcast guide"), channel("stbcast guide 7")), (None, Some(7)));
    }

    #[test]
    fn help_needs_nothing_else() {
        for words in ["stbcast --help", "stbcast watch -h", "stbcast help"] {
            assert!(matches!(parse(words, None), Ok(Command::Help)), "{words}");
        }
        assert!(matches!(parse("stbcast -V", None), Ok(Command::Version)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (words, why) in [
            ("stbcast", UsageError::NoCommand),
            ("stbcast record", UsageError::UnknownCommand),
            ("stbcast watch", UsageError::Number),
            ("stbcast watch one", UsageError::Number),
            ("stbcast watch 65536", UsageError::Number),
            ("stbcast watch 1 2", UsageError::ExtraWord),
            ("stbcast watch 1 --seconds 0", UsageError::Seconds),
            ("stbcast channels 1", UsageError::ExtraWord),
            ("stbcast guide one", UsageError::Number),
            ("stbcast guide 1 --seconds 1", UsageError::OnlyWatch),
            ("stbcast channels -o x", UsageError::OnlyWatch),
            ("stbcast channels --link", UsageError::NoValue(Text::new("--link"))),
            ("stbcast channels --colour", UsageError::UnknownOption(Text::new("--colour"))),
        ] {
            assert_eq!(parse(words, Some(LINK)).err(), Some(why), "{words}");
        }
    }

    #[test]
    fn no_error_repeats_a_link() {
        for words in [
            "stbcast LINK",
            "stbcast watch LINK",
            "stbcast channels LINK",
            "stbcast watch 1 2 LINK",
            "stbcast --LINK",
        ] {
            let e = parse(words, Some("nonsense")).unwrap_err();
            assert!(!format!("{e} {e:?}").contains("AbCdEfGh"), "{words}");
        }
    }
}
