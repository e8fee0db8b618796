//! What draws the TV's screen: a program at the local socket that hears of everything and answers questions.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::http::DEADLINE;
use super::stb::{Stb, number, text};
use super::terminal::Shown;

/// A conversation at the local socket.
pub struct Screen {
    lines: BufReader<UnixStream>,
    /// What came between answers.
    events: std::collections::VecDeque<String>,
}

impl Screen {
    /// Begins one, and listens to events.
    pub fn open(stb: &Stb) -> Self {
        let mut screen = Self::connect(&stb.dir.state());
        screen.ask("{\"cmd\":\"events\"}");
        screen
    }

    /// Begins one.
    pub fn connect(state: &Path) -> Self {
        let stream = UnixStream::connect(state.join("stbcast.sock")).expect("the box listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time-out can be set");
        let mut screen = Self { lines: BufReader::new(stream), events: std::collections::VecDeque::new() };
        let greeting = screen.line().expect("the box greets");
        assert!(greeting.starts_with("{\"v\":1,\"product\":\"stbcastd\",\"version\":\""), "{greeting}");
        screen
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).expect("the box reads");
    }

    /// The next line; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => None,
            Err(e) => panic!("the box says nothing: {e}"),
        }
    }

    /// The lines of an answer, the last with `done`.
    pub fn ask(&mut self, request: &str) -> Vec<String> {
        self.send(format!("{request}\n").as_bytes());
        let mut answer = Vec::new();
        loop {
            let line = self.line().expect("the box answers");
            if line.starts_with("{\"event\":") {
                self.events.push_back(line);
                continue;
            }
            answer.push(line);
            if answer.last().is_some_and(|line| line.starts_with("{\"done\":")) {
                return answer;
            }
        }
    }

    /// Opens pairing; `more` is of the request's JSON.
    pub fn open_pairing(&mut self, more: &str) -> Shown {
        Shown::read(&self.ask(&format!("{{\"cmd\":\"pair\"{more}}}"))[0])
    }

    /// The next event; how many watch is none.
    pub fn event(&mut self) -> String {
        loop {
            let line = match self.events.pop_front() {
                Some(event) => event,
                None => self.line().expect("the box goes on"),
            };
            if text(&line, "event") != Some("viewers") {
                return line;
            }
        }
    }

    /// How many watch, as it is told next.
    pub fn viewers(&mut self) -> u64 {
        let event = self.events.pop_front().unwrap_or_else(|| self.line().expect("the box goes on"));
        assert_eq!(text(&event, "event"), Some("viewers"), "{event}");
        number(&event, "viewers")
    }

    /// Says no more.
    pub fn shut_down(&self) {
        self.lines.get_ref().shutdown(Shutdown::Write).expect("the socket is open");
    }

    /// The next event, which is of this name.
    pub fn expect(&mut self, name: &str) -> String {
        let event = self.event();
        assert_eq!(text(&event, "event"), Some(name), "{event}");
        event
    }

    /// Answers the question that comes next.
    pub fn answer(&mut self, allow: bool) -> String {
        let ask = self.expect("ask");
        let answer =
            self.ask(&format!("{{\"cmd\":\"answer\",\"ask\":{},\"allow\":{allow}}}", number(&ask, "ask")));
        assert_eq!(answer, ["{\"done\":true,\"error\":null}"]);
        ask
    }
}
