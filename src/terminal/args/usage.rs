//! What `stbcast --help` says, and what is said of a command line that is none.

use std::fmt;

use super::super::authority::AuthorityError;
use super::super::link::LinkError;
use super::super::text::Text;

/// What `stbcast --help` prints.
pub(in super::super) const HELP: &str = "\
stbcast: watch your set-top box from a shell

Usage:
  stbcast pair LINK [--name NAME]
  stbcast pair HOST[:PORT] --pin [PIN] [--name NAME]
  stbcast channels
  stbcast guide [NUMBER]
  stbcast watch NUMBER [--ask] [-o FILE] [--seconds N]
  stbcast serve [--port N]
  stbcast link NUMBER|playlist [--ttl 1h] [--connections N]
  stbcast terminals
  stbcast rename SLOT NAME
  stbcast revoke SLOT|all [--yes]
  stbcast boxes
  stbcast address HOST[:PORT]
  stbcast forget

Pairing, once, while the box lets somebody in ('stbcastd pair' there, or its remote control):
  pair LINK         by the link below the QR code on its screen, in quotes
  pair HOST --pin   by the PIN on its screen; asked for where it is not given
  --name NAME       what the box shall call this terminal (you@this-computer)

Commands:
  channels          list the channels of the box
  guide [NUMBER]    show what is on now and comes next, on all channels or on one
  watch NUMBER      receive a channel as an MPEG transport stream
  serve             pass the box's channels to any player on this computer, and to nobody else: prints the URL of a
                    playlist, and ends on Ctrl-C
  link NUMBER       print a URL that plays a channel in a player elsewhere at home; 'link playlist': of all channels
  terminals         list who was let in
  rename, revoke    call a terminal something else; put one out, or all: its streams end at once
  boxes             list the boxes that this computer is paired with
  address HOST      the box has another address now
  forget            leave the box: it puts this terminal out, and the key here is destroyed

Options:
  --box NAME        which box, where this computer is paired with several
  --link URL        ask by a link ('stbcastd link', 'stbcast link') instead; for channels, guide, watch and serve
  --keys FILE       where keys are kept (~/.config/stbcast/boxes)
  -o, --output FILE where the stream goes; '-' is standard output, and the default
  --seconds N       stop after N seconds
  --ask             where the television would have to give up its tuner, ask who sits there, and wait for the answer
  --port N          of the playlist's URL; any that is free where it is not given
  --ttl TIME        how long a link lives: 30s, 15m, 1h; at most 12h
  --connections N   players of a link at one time; 0 is no limit
  --yes             ask nothing
  -h, --help        print this
  -V, --version     print the version

A link is a key to the box: who has it can watch. Put it into STBCAST_LINK instead of --link to keep it out of the
list of processes:

  export STBCAST_LINK='http://192.168.1.20:8800/playlist.m3u?t=...'

Examples:
  stbcast pair 192.168.1.20 --pin             asks for the PIN on the screen
  stbcast watch 1 | mpv -                     watch channel 1
  stbcast watch 1 -o news.ts --seconds 600    record ten minutes of it

Exit status: 0 when done, 1 when the box or the stream failed, 2 when the command was wrong.
";

/// Why a command line is none. Never holds a value: a token may be in it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum UsageError {
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
    /// An option of another command.
    OtherCommand(&'static str),
    /// `watch` without a channel number, or with something else; `guide` with something else.
    Number,
    /// `link` with neither a channel number nor `playlist`.
    LinkTo,
    /// An option's value is no number of these.
    Range(&'static str, u32, u32),
    /// `--ttl` is no time.
    Time,
    /// `rename` or `revoke` without a slot, or with something else.
    Slot,
    /// `rename` without a name.
    NoName,
    /// `pair` with nothing to pair with.
    NoOffer,
    /// `pair` with an address and no `--pin`.
    NoPin,
    /// `--pin` with something else than eight digits.
    Pin,
    /// The link to pair by has no invitation in it.
    Invitation,
    /// The address to pair with is none.
    Address(AuthorityError),
    /// Neither a box that we are paired with, nor a link.
    NoLink,
    /// No box of that name; those that there are.
    NoSuchBox(Text),
    /// Several boxes.
    WhichBox(Text),
    /// Both a link and a box.
    TwoBoxes,
    /// No place for the keys.
    NoHome,
    /// The link is none.
    Link(LinkError),
    /// The stream would go to the screen.
    Screen,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCommand => "say what to do: pair, channels, guide, watch, serve, ...",
            Self::UnknownCommand => "there is no such command",
            Self::UnknownOption(option) => return write!(f, "there is no option {option}"),
            Self::NoValue(option) => return write!(f, "{option} needs a value"),
            Self::Value(option) => return write!(f, "{option} takes no value"),
            Self::ExtraWord => "there is a word too many (a link goes behind --link)",
            Self::OtherCommand(option) => return write!(f, "--{option} is for another command"),
            Self::Number => "a channel is asked for by its number; 'stbcast channels' lists them",
            Self::LinkTo => "link needs a channel's number, or the word playlist",
            Self::Range(option, from, to) => return write!(f, "--{option} needs a number from {from} to {to}"),
            Self::Time => "--ttl needs a time such as 30s, 15m or 1h",
            Self::Slot => "a terminal is named by its slot; 'stbcast terminals' lists them",
            Self::NoName => "rename needs a terminal's slot and its new name",
            Self::NoOffer => "pair needs the link below the box's QR code, or the box's address and --pin",
            Self::NoPin => "with an address, pair needs --pin; or give the link below the QR code, in quotes",
            Self::Pin => "a PIN is the eight digits on the box's screen, and goes with an address, not with a link",
            Self::Invitation => {
                "the link to pair by is damaged (http://.../pair#1...): copy all of it, in quotes"
            }
            Self::Address(AuthorityError::Host) => "the box's address is none: HOST or HOST:PORT",
            Self::Address(AuthorityError::Port) => "the port of the box's address is not a number from 1 to 65535",
            Self::NoLink => {
                "which box? Pair with one first ('stbcast pair'), or give --link or set STBCAST_LINK; 'stbcastd \
                 link' makes a link on the box"
            }
            Self::NoSuchBox(names) => match names.as_str() {
                "" => "this computer is paired with no box: 'stbcast pair'",
                names => return write!(f, "this computer is not paired with a box of that name, but with: {names}"),
            },
            Self::WhichBox(names) => return write!(f, "which box? Say --box and one of: {names}"),
            Self::TwoBoxes => "--link and --box are two ways to say which box: give one",
            Self::NoHome => "where are the keys kept? Set HOME, or give --keys FILE",
            Self::Link(e) => return e.fmt(f),
            Self::Screen => {
                "a stream is nothing for a screen: try 'stbcast watch 1 | mpv -', or give -o FILE"
            }
        })
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
