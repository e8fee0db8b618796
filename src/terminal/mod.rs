//! `stbcast`, the terminal for a shell: pairs with a box, lists its channels, watches one, serves it to players.
//!
//! Owns the command line, the keys of the boxes it is paired with, and the client's half of HTTP. Knows nothing of the
//! box's own modules but the handshake, which has both ends: what else it learns, it learns over HTTP.
//!
//! | file | owns |
//! |---|---|
//! | `args` | the command line and its help |
//! | `authority` | where a box is |
//! | `link` | the address and the token in a link |
//! | `keys` | the boxes we are paired with, on disk |
//! | `pair` | how we are let in |
//! | `session` | how a paired terminal is known again |
//! | `client` | whom we ask, and by what right |
//! | `http` | one request and its answer; `challenge`: what is to be signed |
//! | `json`, `bytes` | the box's JSON, read within limits; bytes as text |
//! | `text`, `table` | foreign text, made fit to print; rows and columns of it |
//! | `prompt` | questions to who sits there |
//! | `channels` | the list of channels as a table |
//! | `guide` | the guide, a line or more an event |
//! | `people` | who was let in, and what is handed out |
//! | `watch` | a stream into a file or a pipe |
//! | `serve` | streams for the players of this computer |
//! | `meter` | what is known of a stream while it passes |

mod args;
mod authority;
mod bytes;
mod challenge;
mod channels;
mod client;
mod guide;
mod http;
mod json;
mod keys;
mod link;
mod meter;
mod pair;
mod people;
mod prompt;
mod serve;
mod session;
mod table;
mod text;
mod watch;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Command, Environment, UsageError};
use client::Client;
use http::{Answer, HttpError};
use keys::KeysError;
use pair::PairError;
use prompt::PromptError;
use serde::Deserialize;
use serve::ServeError;
use text::Text;
use watch::WatchError;

/// Runs `stbcast` with `arguments`, the program's own name first, and the variables that `environment` has.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let [link, config, home] = ["STBCAST_LINK", "XDG_CONFIG_HOME", "HOME"].map(environment);
    let command = Command::parse(arguments, Environment { link, config, home });
    let outcome = command.map_err(Failure::Usage).and_then(perform);
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    note(&failure.to_string());
    match failure {
        Failure::Usage(_) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

/// Why `stbcast` did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// The command line.
    Usage(UsageError),
    /// The way to the box, or its answer.
    Http(HttpError),
    /// The box refused, and said why.
    Refused { status: u16, sentence: Text, code: Text },
    /// The box does not know us any more.
    NotKnown { name: String },
    /// We were not let in.
    Pair(PairError),
    /// We were let in, and cannot keep the key.
    NotKept { slot: u8, why: KeysError },
    /// The keys.
    Keys(KeysError),
    /// Who sits there gave no answer.
    Prompt(PromptError),
    /// The list of channels, or another answer, has another shape than ours.
    ListUnknown,
    /// The stream, or where it was to go.
    Watch(WatchError),
    /// Players cannot be served.
    Serve(ServeError),
    /// The kernel gives no randomness.
    NoRandomness,
    /// Standard output.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(e) => write!(f, "{e}\nTry 'stbcast --help'."),
            Self::Http(e) => e.fmt(f),
            Self::Refused { sentence, code, .. } => {
                write!(f, "the box says: {sentence}")?;
                // What the box cannot know: how this program asks.
                if code.as_str() == "ask" {
                    f.write_str(" ('stbcast watch --ask' asks there)")
                } else {
                    Ok(())
                }
            }
            Self::NotKnown { name } => write!(
                f,
                "the box '{}' does not know this terminal any more: it was put out there, or the box was reset and \
                 has new keys. Pair again ('stbcast pair'); 'stbcast forget' destroys the key that is left here",
                Text::new(name)
            ),
            Self::Pair(e) => e.fmt(f),
            Self::NotKept { slot, why } => {
                write!(
                    f,
                    "the box let this terminal in, but {why}. Put terminal {slot} out there and pair again"
                )
            }
            Self::Keys(e) => e.fmt(f),
            Self::Prompt(e) => e.fmt(f),
            Self::ListUnknown => f.write_str("the box's answer cannot be read: is it of another version?"),
            Self::Watch(e) => e.fmt(f),
            Self::Serve(e) => e.fmt(f),
            Self::NoRandomness => f.write_str("this computer has no randomness yet; try again in a moment"),
            Self::Output(e) => write!(f, "cannot write: {e}"),
        }
    }
}

impl From<UsageError> for Failure {
    fn from(e: UsageError) -> Self {
        Self::Usage(e)
    }
}

impl From<HttpError> for Failure {
    fn from(e: HttpError) -> Self {
        Self::Http(e)
    }
}

impl From<KeysError> for Failure {
    fn from(e: KeysError) -> Self {
        Self::Keys(e)
    }
}

impl From<PromptError> for Failure {
    fn from(e: PromptError) -> Self {
        Self::Prompt(e)
    }
}

impl From<WatchError> for Failure {
    fn from(e: WatchError) -> Self {
        Self::Watch(e)
    }
}

impl From<ServeError> for Failure {
    fn from(e: ServeError) -> Self {
        Self::Serve(e)
    }
}

fn perform(command: Command) -> Result<(), Failure> {
    let text = match command {
        Command::Help => args::HELP.to_owned(),
        Command::Version => concat!("stbcast ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        Command::Pair(pairing) => smol::block_on(pair::pair(pairing))?,
        Command::Channels(target) => smol::block_on(channels::fetch(&Client::of(target)?))?,
        Command::Guide(target, channel) => smol::block_on(guide::fetch(&Client::of(target)?, channel))?,
        Command::Watch(target, job) => return smol::block_on(watch::watch(&Client::of(target)?, &job)),
        Command::Serve(target, port) => return serve::serve(Client::of(target)?, port),
        Command::Link(choice, wish) => smol::block_on(people::link(&choice, &wish))?,
        Command::Terminals(choice) => smol::block_on(people::terminals(&choice))?,
        Command::Rename(choice, slot, name) => return smol::block_on(people::rename(&choice, slot, &name)),
        Command::Revoke(choice, revocation) => smol::block_on(people::revoke(&choice, &revocation))?,
        Command::Boxes(keys) => people::boxes(&keys)?,
        Command::Address(choice, authority) => smol::block_on(people::address(&choice, authority))?,
        Command::Forget(choice) => smol::block_on(people::forget(&choice))?,
    };
    print(&text)
}

/// An answer is a 200; all else is a refusal, in the box's words where it has some. `clean` makes them fit to be shown.
async fn accepted(answer: Answer, clean: impl Fn(Text) -> Text) -> Result<Answer, Failure> {
    let status = answer.status();
    if status == 200 {
        return Ok(answer);
    }
    Err(match refusal(answer).await {
        Some(Refusal { error, code }) => Failure::Refused { status, sentence: clean(error), code },
        None => Failure::Http(HttpError::Status(status)),
    })
}

/// The box's words on why not.
#[derive(Deserialize)]
struct Refusal {
    error: Text,
    /// A word for programs, where there is one.
    #[serde(default)]
    code: Text,
}

async fn refusal(answer: Answer) -> Option<Refusal> {
    let body = answer.body().await.unwrap_or_default();
    json::read(&body)
}

/// Writes to standard output. A reader that has gone, as `head` does, is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(e)),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. A closed one leaves nobody to tell; the exit code still does.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "stbcast: {text}");
}
