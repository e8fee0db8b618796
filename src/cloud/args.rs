//! The command line of `stbcast-cloud`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use lexopt::Arg;

use super::admin::Question;
use super::config::{KEYS, Settings};

const HEAD: &str = "\
stbcast-cloud: the name service of a box maker

Usage:
  stbcast-cloud run --zone NAME … [--config FILE]
  stbcast-cloud list [--zone Z] [--json]
  stbcast-cloud show|release|revoke|resume|add NAME
  stbcast-cloud suspend NAME --reason TEXT
  stbcast-cloud stats [--json]
  stbcast-cloud trust-clock
  stbcast-cloud export FILE
  stbcast-cloud import FILE
  stbcast-cloud key
  stbcast-cloud keygen FILE
  stbcast-cloud provision --brand FILE --out DIR SERIAL…

run starts the service, in the foreground. It ends on SIGTERM or Ctrl-C.
";

const TAIL: &str = "  \
  --config FILE       'key = value' lines with the same keys

key prints the public key of the service, which boxes are told to trust; it is
made at the first start. NAME is a whole name: alice.box.example.
  list       the names, and where their boxes are
  show       what is known of a name; what its owner may update it with
  add        a name without a box: for a router with dyndns2 or nsupdate
  release    gives a name up; nobody gets it for 90 days. --erase: what is
             known of its owner goes, too
  revoke     the box's keys count no more; the owner claims it again
  suspend    the name has no address until it is resumed
  export     all claims with their keys, for another service; a file that
             nobody else may read
  import     takes what export wrote
  trust-clock  the clock is right, though it is far from the newest claim:
             unused claims end again
  keygen     makes the key of a brand: who has it decides which boxes may claim
  provision  makes the factory file of each serial number: key and voucher
These ask the running service by the socket in --state DIR.
";

/// What is to be done.
#[derive(Debug)]
pub(super) enum Command {
    Help,
    Version,
    Run(Box<Settings>),
    /// Print the service's public key.
    Key(PathBuf),
    /// Make the key of a brand.
    Keygen(PathBuf),
    Provision {
        brand: PathBuf,
        out: PathBuf,
        serials: Vec<String>,
    },
    Ask(Box<Question>),
}

/// What `--help` prints.
pub(super) fn help() -> String {
    let mut help = HEAD.to_owned();
    for key in KEYS {
        let flag = format!("--{} {}", key.name, key.takes);
        let _ = if flag.len() > 19 {
            writeln!(help, "  {flag}\n                      {}", key.says)
        } else {
            writeln!(help, "  {flag:<19} {}", key.says)
        };
    }
    help + TAIL
}

/// Reads the command line; the error is a sentence.
pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Command, String> {
    let first = parser.next().map_err(|e| e.to_string())?;
    let word = match first {
        None => return Err("what shall it do?".into()),
        Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help),
        Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Command::Version),
        Some(Arg::Value(word)) => word.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().to_string()),
    };
    match word.as_str() {
        "help" => Ok(Command::Help),
        "run" => run(&mut parser),
        "provision" => provision(&mut parser),
        "keygen" => {
            let rest = Rest::parse(&mut parser, &[])?;
            Ok(Command::Keygen(rest.one("a file for the key")?.into()))
        }
        "key" => {
            let rest = Rest::parse(&mut parser, &["state"])?;
            rest.none()?;
            Ok(Command::Key(rest.state()))
        }
        "list" | "stats" | "trust-clock" | "show" | "release" | "revoke" | "suspend" | "resume" | "add"
        | "export" | "import" => ask(&word, &mut parser),
        other => Err(format!("unknown command '{}'", other.escape_debug())),
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
            // A flag that is either there or not.
            Arg::Long("publish-private") => {
                let said = parser.optional_value().map_or_else(|| Ok("true".to_owned()), text)?;
                settings.set("publish-private", &said).map_err(|e| e.to_string())?;
            }
            Arg::Long(key) if KEYS.iter().any(|known| known.name == key) => {
                let key = key.to_owned();
                settings.set(&key, &value(parser)?).map_err(|e| e.to_string())?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Command::Run(settings.into()))
}

fn ask(command: &str, parser: &mut lexopt::Parser) -> Result<Command, String> {
    let flags: &[&str] = match command {
        "list" => &["state", "zone", "json"],
        "stats" => &["state", "json"],
        "release" => &["state", "erase"],
        "suspend" => &["state", "reason"],
        _ => &["state"],
    };
    let rest = Rest::parse(parser, flags)?;
    let mut question = Question { cmd: command.to_owned(), ..Question::default() };
    match command {
        "list" | "stats" | "trust-clock" => rest.none()?,
        "export" | "import" => {
            question.file = Some(std::path::absolute(rest.one("a file")?).map_err(|e| e.to_string())?);
        }
        _ => question.name = Some(rest.one("a name, such as alice.box.example")?.to_owned()),
    }
    if command == "suspend" && rest.reason.is_none() {
        return Err("--reason is wanted: the owner is told it".into());
    }
    question.state = rest.state();
    (question.zone, question.reason, question.erase, question.json) =
        (rest.zone, rest.reason, rest.erase, rest.json);
    Ok(Command::Ask(question.into()))
}

fn provision(parser: &mut lexopt::Parser) -> Result<Command, String> {
    let rest = Rest::parse(parser, &["brand", "out"])?;
    let brand = rest.brand.ok_or("--brand FILE is wanted: what keygen made")?;
    let out = rest.out.ok_or("--out DIR is wanted: where the factory files go")?;
    if rest.words.is_empty() {
        return Err("serial numbers are wanted".into());
    }
    Ok(Command::Provision { brand, out, serials: rest.words })
}

/// What stands behind a command.
#[derive(Default)]
struct Rest {
    words: Vec<String>,
    state: Option<PathBuf>,
    zone: Option<String>,
    reason: Option<String>,
    brand: Option<PathBuf>,
    out: Option<PathBuf>,
    erase: bool,
    json: bool,
}

impl Rest {
    fn parse(parser: &mut lexopt::Parser, flags: &[&str]) -> Result<Self, String> {
        let mut rest = Self::default();
        while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
            match argument {
                Arg::Value(word) => rest.words.push(text(word)?),
                Arg::Long(flag) if flags.contains(&flag) => match flag {
                    "state" => rest.state = Some(value(parser)?.into()),
                    "zone" => rest.zone = Some(value(parser)?),
                    "reason" => rest.reason = Some(value(parser)?),
                    "brand" => rest.brand = Some(value(parser)?.into()),
                    "out" => rest.out = Some(value(parser)?.into()),
                    "erase" => rest.erase = true,
                    _ => rest.json = true,
                },
                other => return Err(other.unexpected().to_string()),
            }
        }
        Ok(rest)
    }

    fn state(&self) -> PathBuf {
        Settings { state: self.state.clone(), ..Settings::default() }.state()
    }

    fn one(&self, what: &str) -> Result<&str, String> {
        match &self.words[..] {
            [word] => Ok(word),
            [] => Err(format!("{what} is wanted")),
            [_, more, ..] => Err(format!("'{}' is one too many", more.escape_debug())),
        }
    }

    fn none(&self) -> Result<(), String> {
        self.words.first().map_or(Ok(()), |word| Err(format!("'{}' is one too many", word.escape_debug())))
    }
}

fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    text(parser.value().map_err(|e| e.to_string())?)
}

fn text(value: std::ffi::OsString) -> Result<String, String> {
    value.into_string().map_err(|v| format!("'{}' is not UTF-8", v.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_what_is_wrong() {
        for (words, part) in [
            (&["dance"][..], "'dance'"),
            (&["run", "--dns", "x"], "'x'"),
            (&["show"], "alice.box.example"),
            (&["show", "a", "b"], "'b'"),
            (&["suspend", "a"], "--reason"),
            (&["list", "--erase"], "--erase"),
            (&["provision", "--brand", "b", "--out", "o"], "serial"),
        ] {
            let error = parse(lexopt::Parser::from_args(words)).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }

    #[test]
    fn help_names_every_setting_and_fits_a_terminal() {
        let help = help();
        assert!(KEYS.iter().all(|key| help.contains(&format!("--{} ", key.name))));
        let long = help.lines().find(|line| line.len() > 90);
        assert_eq!(long, None);
    }
}
