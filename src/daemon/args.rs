//! The command line of `stbcastd`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::Arg;

use super::config::{KEYS, Settings};
use super::questions::{self, Question};
use super::ready::Waiting;
use crate::delivery::Device;
use crate::{frontend, store};

/// What `--help` prints.
pub const HELP: &str = "\
stbcastd: lets paired phones watch this box's live television

Usage:
  stbcastd run [--listen A:P]… [--source URL]… [--import FILE]…
               [--vendor-import FILE]… [--iptv-interface NAME]
               [--authority WHO] [--state DIR] [--socket PATH] [--name NAME]…
               [--log LEVEL] [--user NAME] [--tuner-owner ui|box]
               [--logos DIR] [--config FILE]
  stbcastd check [the same]
  stbcastd ready [--timeout 30s]
  stbcastd manifest [FILE]
  stbcastd pair [--qr|--pin] [--role owner|viewer] [--yes]
  stbcastd pair --role guest --for 2h [--channels 1,2,…] [--qr|--pin] [--yes]
  stbcastd terminals [--json]
  stbcastd rename <slot> <name>
  stbcastd revoke <slot>|all
  stbcastd player <name>
  stbcastd link <number>|playlist [--ttl 1h] [--connections N] [--all]
                [--recording]
  stbcastd channels [--all] [--json]
  stbcastd status [--json]
  stbcastd tuners [--json]
  stbcastd top [--once]
  stbcastd scan [--tables FILE|--range dvb-t|dvb-t2|dtmb|dvb-c|--known|
                 --mux MUX]… [--json]
  stbcastd scan --stop | --resume | --watch
  stbcastd name [--json]
  stbcastd name claim <name> [--recovery CODE | --handover TEXT] [--yes]
  stbcastd name suggest | key | recovery | cancel-move
  stbcastd name handover <key>
  stbcastd name release [--erase] --yes
  stbcastd commit
  stbcastd factory-reset --yes

run starts the box, in the foreground. It ends on SIGTERM or Ctrl-C.
  --listen A:P     an address and port to serve on; may be repeated
  --source URL     a mux; may be repeated:
                     udp://[SENDER@]GROUP:PORT[?iface=NAME]
                     rtp://[SENDER@]GROUP:PORT[?iface=NAME]
                     file:PATH[?loop][&speed=N]
                   or a tuner of this machine, which receives many muxes:
                     dvb:ADAPTER[.FRONTEND][?KEY=VALUE&…]
                       demux=N where its number is not the frontend's
                       sat=19.2E,13.0E the satellites at its DiSEqC switch
                       lnb=universal|enhanced|dbs|bs|c|c-stacked, or MHz:
                         LOF, LOW/HIGH/SWITCH or VERTICAL/HORIZONTAL
                       unicable=en50494:SLOT:MHZ or en50607:SLOT:MHZ
                       lnb-power=off behind a receiver that feeds the LNB
  --tuner-owner WHO
                   who may tune: ui, the program that draws the television's
                   screen (the box serves what the television is on, and tunes
                   where that program grants it at the local socket), or box
  --import FILE    a list of multicast channels with their numbers and names:
                   M3U, Enigma2 bouquet; may be repeated
  --vendor-import FILE
                   the same, from the programme database of the box's maker
  --iptv-interface NAME
                   the network interface of the groups that lists name
  --lan-interface NAME
                   an interface of the LAN; may be repeated. Only who is on
                   its link comes in. Without one, all interfaces count.
  --authority WHO  whose word changes the number a channel has: vendor (the
                   vendor's lists), import (the imported lists) or scan (the
                   networks' numbers); the others add at free numbers
  --state DIR      where channels and keys are kept
  --socket PATH    the local socket
  --name NAME      a host name that is this box's, beside its addresses
  --logos DIR      pictures of channels for the web app: 105.png is channel 105's;
                   also .svg, .webp, .jpg; read at the start
  --log LEVEL      error, warn, info or debug
  --user NAME      whom it becomes when root starts it, once it listens
  --clock SOURCE   whose word on the time of day is taken: rtc (the system's
                   clock is right), ntp (once NTP has set it) or none; a
                   guest's end needs it
  --ddns-service URL, --ddns-key KEY, --ddns-zone ZONE
                   the name service that this box's name is claimed from, the
                   key it signs with, and the domain that names are in
  --ddns-name NAME the name that is claimed at the start; 'stbcastd name claim'
                   does it later
  --ddns-port N    the port at which the box is reached from outside, where a
                   router forwards one; the name tells it (SRV, HTTPS)
  --factory FILE   serial number, key and voucher, from the box's maker
  --ddns-provider TEXT
                   another provider that is told where the box is, best in a
                   file that nobody else reads; may be repeated:
                     noip|he|he6 host=NAME user=U password=P
                     duckdns|dynv6 host=NAME token=T
                     dyndns2 url=URL host=NAME user=U password=P, where in URL
                       %h is the name, %4 and %6 the addresses, %t a token=
                     rfc2136 server=A[:P] zone=Z host=NAME key=K secret=BASE64
                   and check=URL: a page that says where the box comes from
  --ca-file FILE   the roots that servers' certificates are judged by (PEM)
  --config FILE    'key = value' lines with the same keys, without the dashes

check says whether it would run here with this configuration and this state; it
changes nothing and uses no network. manifest prints what this program, or the
one in FILE, which may be for another machine, says of itself.

The other commands ask the running box over its local socket; --state DIR or
--socket PATH tell which one, when there are several.
  pair             lets a new terminal in: shows a QR code and a PIN for five
                   minutes, and asks you where the board wants it (--yes: you
                   agree). The first that pairs owns the box. A guest watches
                   --channels (all of them, if none is named) --for a time.
  terminals        lists who was let in; rename and revoke change that. What
                   was made for a revoked terminal is dead at once, its
                   streams end.
  player KODI      prints the URL of a playlist that lasts until it is revoked,
                   for a player that keeps it.
  name             how it stands with the box's name on the internet.
                   claim: asks for one (it is public: take one that does not
                   tell who you are, suggest offers one); --recovery: it is
                   yours and its box is lost; --handover: what 'name handover
                   KEY' printed at the box that has it, KEY being what 'name
                   key' prints here. recovery: the code to write down, once.
                   cancel-move: no other box gets it. release: gives it up.
  ready            waits until the box serves, at most --timeout (30s).
  commit           this program stays: from now on it writes its own formats.
                   Until then the one before it can be put back.
  factory-reset    puts everybody out, destroys all keys, makes new ones. The
                   file 'factory-reset' in the state directory does the same
                   at the next start.
  link 1           prints a URL that plays channel 1 in any player.
                   --ttl: how long it lives (30s, 15m, 1h; at most 12h).
                   --connections: players at one time (1; 0 is no limit),
                   and one more while a player opens it again.
                   --all: a URL for each address the box listens on.
                   --recording: for a recorder, which gets a tuner before
                   people who watch.
  link playlist    prints the URL of an M3U list with every channel.
  channels         lists what can be watched now; --all: the rest, too.
  tuners           shows the tuners: what they receive, for whom, how well.
  scan             looks for muxes and their channels, and shows how far it
                   came. It begins with --tables, initial tables as libdvbv5
                   has them (Debian: dtv-scan-tables); --range, a raster of
                   towers or cables; --mux, such as dvb-t:474000000 or
                   dvb-s:11362000H?sr=22000000; --known, as without any of
                   these: what is known. Each may be repeated. What networks
                   name is visited, too. Who watches goes before a scan, which
                   waits. Numbers stay; what three scans did not see is greyed.
                   Ctrl-C ends the showing, --watch shows it again; --stop
                   stops the scan, also over a restart, and --resume goes on.
  status           shows muxes, viewers and what was lost.
                   --json: the box's own lines, for programs.
  top              draws each second who has which tuner, what rings hold, how
                   far behind everybody is, the last zaps, memory and the main
                   loop's latency, until q. --once: as text, and ends.

Exit codes, for scripts and for whoever updates the box:
  0  done; 'run' was told to stop
  1  it could not be done
  2  the command line or the configuration is wrong
  3  the state is of a newer program, which was told to stay: put that back
  4  the state is damaged in all its copies, or cannot be read ('check'; 'run'
     goes on without what is lost)
  5  this machine is not what it was built for: processor, kernel, page size
  6  no box answers, or not in time
An updater boots the new image, runs 'check' and 'ready', and then 'commit'; at
any code but 0 before 'commit' it puts the image before back, and nothing of
terminals, names and counters is lost.

Nobody watches who was not let in. Examples:
  stbcastd run --state /tmp/box --source 'udp://239.1.1.1:5000?iface=eth0'
  stbcastd pair --state /tmp/box
  mpv \"$(stbcastd link 1 --state /tmp/box)\"
";

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    /// Be the process that writes state.
    HelperStore,
    /// Be the process that drives a tuner.
    HelperFrontend(Box<Device>),
    Run(Box<Settings>),
    Check(Box<Settings>),
    Ready(Waiting),
    /// Of this program, or of the one in a file.
    Manifest(Option<PathBuf>),
    Ask(Box<Question>),
}

impl Command {
    fn of(question: Option<Question>) -> Self {
        question.map_or(Self::Help, |question| Self::Ask(question.into()))
    }
}

/// Reads the command line; the error is a sentence.
pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Command, String> {
    let first = parser.next().map_err(|e| e.to_string())?;
    match first {
        None => Err("what shall it do?".into()),
        Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Help),
        Some(Arg::Long("version") | Arg::Short('V')) => Ok(Command::Version),
        Some(Arg::Value(word)) if word == store::helper::HELPER => Ok(Command::HelperStore),
        Some(Arg::Value(word)) if word == frontend::HELPER => {
            let device = value(&mut parser)?.parse::<Device>().map_err(|e| e.to_string())?;
            Ok(Command::HelperFrontend(device.into()))
        }
        Some(Arg::Value(word)) if word == "help" => Ok(Command::Help),
        Some(Arg::Value(word)) if word == "run" => settings(&mut parser, Command::Run),
        Some(Arg::Value(word)) if word == "check" => settings(&mut parser, Command::Check),
        Some(Arg::Value(word)) if word == "ready" => ready(&mut parser),
        Some(Arg::Value(word)) if word == "manifest" => manifest(&mut parser),
        Some(Arg::Value(word)) => questions::parse(&word, &mut parser).map(Command::of),
        Some(other) => Err(other.unexpected().to_string()),
    }
}

fn settings(parser: &mut lexopt::Parser, command: fn(Box<Settings>) -> Command) -> Result<Command, String> {
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
    Ok(command(settings.into()))
}

/// How long `ready` waits when nobody says.
const READY_MOST: Duration = Duration::from_secs(30);

fn ready(parser: &mut lexopt::Parser) -> Result<Command, String> {
    let (mut state, mut socket, mut most) = (None, None, READY_MOST);
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("state") => state = Some(PathBuf::from(value(parser)?)),
            Arg::Long("socket") => socket = Some(PathBuf::from(value(parser)?)),
            Arg::Long("timeout") => {
                most = Duration::from_secs(questions::seconds(&value(parser)?)?.into());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Command::Ready(Waiting { sockets: questions::sockets(socket, state), most }))
}

fn manifest(parser: &mut lexopt::Parser) -> Result<Command, String> {
    let mut file = None;
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("help") => return Ok(Command::Help),
            Arg::Value(path) if file.is_none() => file = Some(path.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Command::Manifest(file))
}

pub(super) fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(|e| e.to_string())?;
    value.into_string().map_err(|v| format!("'{}' is not UTF-8", v.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        for (words, part) in [
            (&["run", "--listen", "x"][..], "'x'"),
            (&["run", "--source", "http://x"], "udp://"),
            (&["dance"], "'dance'"),
            (&["check", "--listen", "x"], "'x'"),
            (&["ready", "--timeout", "soon"], "'soon'"),
            (&["manifest", "a", "b"], "\"b\""),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }
}
