//! `stbcast`, the terminal for a shell: lists a box's channels and watches one.
//!
//! Owns the command line, the link and the client's half of HTTP. Knows nothing of the box's own modules: what it
//! learns, it learns over HTTP.
//!
//! | file | owns |
//! |---|---|
//! | `args` | the command line and its help |
//! | `link` | the address and the token in a link |
//! | `http` | one request and its answer |
//! | `json` | the box's JSON, read within limits |
//! | `text` | foreign text, made fit to print |
//! | `channels` | the list of channels as a table |
//! | `guide` | the guide, a line or more an event |
//! | `watch` | a stream into a file or a pipe |
//! | `meter` | what is known of a stream while it passes |

mod args;
mod channels;
mod guide;
mod http;
mod json;
mod link;
mod meter;
mod text;
mod watch;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Command, UsageError};
use http::{Answer, HttpError};
use link::Link;
use serde::Deserialize;
use text::Text;
use watch::WatchError;

/// Runs `stbcast` with `arguments`, the program's own name first. `link` serves where `--link` is absent.
pub fn run(arguments: impl IntoIterator<Item = OsString>, link: Option<OsString>) -> ExitCode {
    let outcome = Command::parse(arguments, link).map_err(Failure::Usage).and_then(perform);
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    // A closed stderr leaves nobody to tell; the exit code still does.
    let _ = writeln!(io::stderr(), "stbcast: {failure}");
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
    Refused(Text),
    /// The list of channels, or the guide, has another shape than ours.
    ListUnknown,
    /// The stream, or where it was to go.
    Watch(WatchError),
    /// Standard output.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(e) => write!(f, "{e}\nTry 'stbcast --help'."),
            Self::Http(e) => e.fmt(f),
            Self::Refused(sentence) => write!(f, "the box says: {sentence}"),
            Self::ListUnknown => f.write_str("the box's list cannot be read: is it of another version?"),
            Self::Watch(e) => e.fmt(f),
            Self::Output(e) => write!(f, "cannot write: {e}"),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(e: HttpError) -> Self {
        Self::Http(e)
    }
}

impl From<WatchError> for Failure {
    fn from(e: WatchError) -> Self {
        Self::Watch(e)
    }
}

fn perform(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help => print(args::HELP),
        Command::Version => print(concat!("stbcast ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Channels { link } => print(&smol::block_on(channels::fetch(&link))?),
        Command::Guide { link, channel } => print(&smol::block_on(guide::fetch(&link, channel))?),
        Command::Watch(job) => smol::block_on(watch::watch(&job)),
    }
}

/// Asks the box of `link` for `path`. An answer is a 200; all else is a refusal, in the box's words where it has some.
async fn ask(link: &Link, path: &str) -> Result<Answer, Failure> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Text,
    }

    let answer = http::get(link, path).await?;
    let status = answer.status();
    if status == 200 {
        return Ok(answer);
    }
    let body = answer.body().await.unwrap_or_default();
    Err(match json::read::<Refusal>(&body) {
        Some(Refusal { error }) => Failure::Refused(Text::new(&link.redact(error.as_str()))),
        None => Failure::Http(HttpError::Status(status)),
    })
}

/// Writes to standard output. A reader that has gone, as `head` does, is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(e)),
        _ => Ok(()),
    }
}
