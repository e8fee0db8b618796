//! A channel's stream into a file or a pipe, with a line about it on stderr.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use async_io::Timer;
use serde::Deserialize;
use smol::Unblock;
use smol::future;
use smol::io::AsyncWriteExt;
use smol::stream::StreamExt;

use super::args::{Job, Output, UsageError};
use super::bytes::{encoded, random};
use super::client::Client;
use super::http::{Answer, Request, STALL, within};
use super::meter::{Meter, bits_per_second};
use super::text::Text;
use super::{Failure, channels, json};

/// Bytes taken from the box at once.
const READ: usize = 64 * 1024;
/// Bytes that may wait for a slow disk or player; behind that the box has to wait.
const WAITING: usize = 256 * 1024;

/// Why a stream ended badly.
#[derive(Debug)]
pub(super) enum WatchError {
    /// The answer is another kind of thing.
    NotAStream,
    /// The file cannot be made.
    Open(io::Error),
    /// The file or pipe takes no more.
    Write(io::Error),
    /// The file or pipe did not take the last bytes in time.
    WriteStalled,
    /// The connection broke.
    Broken(io::Error),
    /// The box fell silent.
    Silent,
    /// The box ended the stream before the time asked for.
    Short,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAStream => f.write_str("what answered is no box: the answer is no transport stream"),
            Self::Open(e) => write!(f, "cannot make the file: {e}"),
            Self::Write(e) => write!(f, "cannot write the stream: {e}"),
            Self::WriteStalled => f.write_str("the last bytes of the stream could not be written"),
            Self::Broken(e) => write!(f, "the connection to the box broke: {e}"),
            Self::Silent => write!(f, "the stream stalled: nothing came for {} s", STALL.as_secs()),
            Self::Short => f.write_str("the box ended the stream before the time was over"),
        }
    }
}

/// How a stream ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The time asked for is over.
    Time,
    /// The box ended it.
    Box,
    /// The reader of the pipe has gone, as a player does that is closed.
    Reader,
}

/// Watches until an end.
pub(super) async fn watch(client: &Client, job: &Job) -> Result<(), Failure> {
    if job.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::Usage(UsageError::Screen));
    }
    let name = format!("w{}", encoded(&random::<12>()?));
    let path = as_viewer(&path(client, job).await, &name);
    let answer = match client.get(&path).await {
        Err(Failure::Refused { code, .. }) if code.as_str() == "ask" && job.ask => {
            ask(client, job.channel).await?;
            client.get(&path).await?
        }
        other => other?,
    };
    if !answer.is_transport_stream() {
        return Err(WatchError::NotAStream.into());
    }
    // Only now: a refusal should not cost the recording of yesterday.
    let sink = open(job.output.as_ref()).map_err(WatchError::Open)?;
    let mut stream = Stream::new(answer, sink, job.channel);
    let outcome = stream.run(job.seconds).await;
    let flushed = stream.finish().await;
    stream.summarise();
    if matches!(outcome, Ok(End::Box) | Err(WatchError::Broken(_))) {
        client.still_let_in().await?; // the box ends the streams of whom it puts out
        if let Some(why) = why_ended(client, &name).await {
            say(&format!("{why}\n"));
        }
    }
    let end = match outcome? {
        End::Reader => return Ok(()),
        end => end,
    };
    flushed?;
    match (end, job.seconds) {
        (End::Box, Some(_)) => return Err(WatchError::Short.into()),
        (End::Box, None) => say("the box ended the stream\n"),
        _ => {}
    }
    Ok(())
}

/// What is asked for: the channel's number, and its name by the link or by the box's list. With both, a number that
/// is another channel's by now is refused and not shown.
async fn path(client: &Client, job: &Job) -> String {
    if let Client::Link(link) = client
        && let Some(path) = link.stream_path(job.channel)
    {
        return path;
    }
    let listed = channels::stream_path(client, job.channel).await;
    // A link for one channel does not open the list; the number has to do then.
    listed.unwrap_or_else(|| format!("/live/{}.ts", job.channel))
}

/// Has who sits before the television asked for its tuner.
async fn ask(client: &Client, channel: u16) -> Result<(), Failure> {
    say("asking at the television...\n");
    let path = format!("/api/v1/channels/{channel}/ask");
    client.ask(Request { patience: ANSWER, ..Request::new("POST", &path) }).await.map(drop)
}

/// Who sits there has half a minute to answer.
const ANSWER: Duration = Duration::from_secs(40);

/// The same stream, asked for by a viewer of this name.
fn as_viewer(path: &str, name: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}v={name}")
}

/// Why the box ended the stream of the viewer of this name, where it says so and it is no mere end.
async fn why_ended(client: &Client, name: &str) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct End {
        reason: Text,
    }

    let body = client.get(&as_viewer("/api/v1/ended", name)).await.ok()?.body().await.ok()?;
    let End { reason } = json::read(&body)?;
    Some(match reason.as_str() {
        "tv-moved" => "the television went to a channel of another frequency, and the stream with it",
        "tv-took" => "the television took its tuner back",
        "taken" => {
            "something more important took the tuner: a recording, or somebody the television let go first"
        }
        "source" => "the channel's source ended or went away",
        "stalled" => "the box hung up: nothing was taken from it for too long",
        "too-slow" => "the box hung up: this connection is too slow for the channel",
        "parental" => "what is on now is rated for an older age than this box lets see without its PIN",
        "shutdown" => "the box goes down",
        _ => return None,
    })
}

fn open(output: Option<&Output>) -> io::Result<File> {
    match output {
        Some(Output::File(path)) => File::create(path),
        // Past std's own buffer, which would look for line ends.
        Some(Output::Stdout) | None => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
    }
}

/// A stream on its way.
struct Stream {
    answer: Answer,
    sink: Unblock<File>,
    buffer: Vec<u8>,
    /// The part of `buffer` that is not written yet.
    unwritten: Range<usize>,
    meter: Meter,
    channel: u16,
    started: Instant,
    /// When the rate was last taken.
    rated: Instant,
}

/// What happened next.
enum Event {
    Second,
    Received(usize),
    Written(usize),
}

impl Stream {
    fn new(answer: Answer, sink: File, channel: u16) -> Self {
        let now = Instant::now();
        Self {
            answer,
            sink: Unblock::with_capacity(WAITING, sink),
            buffer: vec![0; READ],
            unwritten: 0..0,
            meter: Meter::new(),
            channel,
            started: now,
            rated: now,
        }
    }

    async fn run(&mut self, seconds: Option<u32>) -> Result<End, WatchError> {
        let limit = seconds.map(|s| Duration::from_secs(s.into()));
        let live = io::stderr().is_terminal();
        let mut seconds = Timer::interval(Duration::from_secs(1));
        // Since when the box owes us a byte.
        let mut waiting = Instant::now();
        loop {
            let event = match self.next(&mut seconds).await {
                Err(WatchError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(End::Reader),
                other => other?,
            };
            match event {
                Event::Received(0) => return Ok(End::Box),
                Event::Received(size) => {
                    self.meter.push(&self.buffer[..size]);
                    self.unwritten = 0..size;
                }
                Event::Written(size) => {
                    self.unwritten.start += size;
                    waiting = Instant::now();
                }
                Event::Second if limit.is_some_and(|limit| self.started.elapsed() >= limit) => {
                    return Ok(End::Time);
                }
                Event::Second if self.unwritten.is_empty() && waiting.elapsed() >= STALL => {
                    return Err(WatchError::Silent);
                }
                Event::Second if live => self.report(),
                Event::Second => {}
            }
        }
    }

    /// Writes what there is, else reads; a second that ends comes first.
    async fn next(&mut self, seconds: &mut Timer) -> Result<Event, WatchError> {
        let work = async {
            if self.unwritten.is_empty() {
                return self
                    .answer
                    .read(&mut self.buffer)
                    .await
                    .map(Event::Received)
                    .map_err(WatchError::Broken);
            }
            let rest = &self.buffer[self.unwritten.clone()];
            write(&mut self.sink, rest).await.map(Event::Written).map_err(WatchError::Write)
        };
        let second = async {
            seconds.next().await;
            Ok(Event::Second)
        };
        future::or(second, work).await
    }

    /// Gets the last bytes out.
    async fn finish(&mut self) -> Result<(), WatchError> {
        let rest = async {
            while !self.unwritten.is_empty() {
                self.unwritten.start += write(&mut self.sink, &self.buffer[self.unwritten.clone()]).await?;
            }
            self.sink.flush().await
        };
        match within(STALL, rest).await {
            Some(Err(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(outcome) => outcome.map_err(WatchError::Write),
            None => Err(WatchError::WriteStalled),
        }
    }

    /// The line of this second, over the one before.
    fn report(&mut self) {
        let rate = self.meter.rate(self.rated.elapsed());
        self.rated = Instant::now();
        say(&format!("\r{}\x1b[K", self.line(rate)));
    }

    /// The last line, with the average rate.
    fn summarise(&self) {
        let line = self.line(bits_per_second(self.meter.bytes(), self.started.elapsed()));
        say(&if io::stderr().is_terminal() { format!("\r{line}\x1b[K\n") } else { format!("{line}\n") });
    }

    fn line(&self, rate: u64) -> String {
        line(self.channel, self.started.elapsed(), rate, &self.meter)
    }
}

/// Hands some of `bytes` over, at least one.
async fn write(sink: &mut Unblock<File>, bytes: &[u8]) -> io::Result<usize> {
    match sink.write(bytes).await? {
        // The thread that writes has given up; flushing tells why.
        0 => Err(sink.flush().await.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into())),
        size => Ok(size),
    }
}

/// `channel 1  00:12  3.1 MB  2.1 Mbit/s  lost 0`.
fn line(channel: u16, elapsed: Duration, rate: u64, meter: &Meter) -> String {
    let (minutes, seconds) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
    let (bytes, rate, lost) = (Tenths(meter.bytes()), Tenths(rate), meter.lost());
    let line =
        format!("channel {channel}  {minutes:02}:{seconds:02}  {bytes} MB  {rate} Mbit/s  lost {lost}");
    match meter.skipped() {
        0 => line,
        skipped => format!("{line}  {skipped} bytes out of place"),
    }
}

/// Millions, with one decimal.
struct Tenths(u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1_000_000, self.0 / 100_000 % 10)
    }
}

/// Writes to stderr. A closed one is no reason to stop a recording.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::link::Link;
    use super::*;

    #[test]
    fn the_line_says_what_passed() {
        let mut meter = Meter::new();
        meter.push(&[0x47; 1_880_000]);
        let text = line(1, Duration::from_secs(3_725), 2_149_999, &meter);
        assert!(text.starts_with("channel 1  62:05  1.8 MB  2.1 Mbit/s  lost "), "{text}");
        meter.push(&[0, 0]);
        assert!(line(1, Duration::ZERO, 0, &meter).ends_with("  2 bytes out of place"));
    }

    /// A box that sends `body` as a stream and hangs up.
    fn box_with(body: Vec<u8>) -> Client {
        box_that_says("video/mp2t", body)
    }

    /// A box that answers one request.
    fn box_that_says(kind: &'static str, body: Vec<u8>) -> Client {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!(
            "http://{}/live/1.ts?name=One&t=AbCdEfGhIjKlMnOpQrStUvWxYz",
            listener.local_addr().unwrap()
        );
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = io::Read::read(&mut socket, &mut [0; 4096]).unwrap();
            socket.write_all(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n").as_bytes()).unwrap();
            socket.write_all(&body).unwrap();
        });
        Client::Link(Link::parse(&text).unwrap())
    }

    #[test]
    fn the_box_says_why_a_stream_ended() {
        let why = |body: &str| {
            let client = box_that_says("application/json", body.as_bytes().to_vec());
            smol::block_on(why_ended(&client, "w1"))
        };
        for (reason, part) in [("tv-moved", "another frequency"), ("tv-took", "back"), ("taken", "recording")]
        {
            let said = why(&format!("{{\"reason\":\"{reason}\",\"ago_s\":0}}"));
            assert!(said.is_some_and(|said| said.contains(part)), "{reason}: {said:?}");
        }
        for body in ["{\"reason\":\"put-out\"}", "{\"reason\":\"of another version\"}", "{}", "x"] {
            assert_eq!(why(body), None, "{body}");
        }
    }

    #[test]
    fn a_stream_that_ends_is_in_the_file_whole() {
        let path = std::env::temp_dir().join(format!("stbcast-watch-{}.ts", std::process::id()));
        let body: Vec<u8> = (0..2_000_000u32).map(|i| (i % 251) as u8).collect();
        for (seconds, whole) in [(None, true), (Some(3600), false)] {
            let output = Some(Output::File(path.clone()));
            let job = Job { channel: 1, output, seconds, ask: false };
            let outcome = smol::block_on(watch(&box_with(body.clone()), &job));
            assert_eq!(outcome.is_ok(), whole);
            assert!(std::fs::read(&path).unwrap() == body);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
