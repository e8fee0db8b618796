//! `stbcastd scan`: asks the box to look for channels, and shows how far it came.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use super::args::value;
use super::ask::reach;
use super::exit::Failure;
use super::questions::Question;
use crate::delivery::Tuning;
use crate::import::{LIST_MAX, initial_table};
use crate::local::client::{AskError, Conversation};
use crate::local::protocol::{EventLine, MUXES_MAX, Request, ScanLine, ScanView, read, word};

/// What a scan is to begin with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seed {
    /// The muxes of an initial table.
    Table(PathBuf),
    /// A raster, by its name.
    Range(String),
    /// All that are known.
    Known,
    /// A mux.
    Mux(Tuning),
}

/// Takes an option of `scan`.
pub(super) fn take(question: &mut Question, option: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
    let seed = match option {
        "tables" => Seed::Table(value(parser)?.into()),
        "range" => Seed::Range(value(parser)?),
        "known" => Seed::Known,
        "mux" => {
            let text = value(parser)?;
            Seed::Mux(text.parse().map_err(|why| format!("--mux {text}: {why}"))?)
        }
        verb => {
            let cmd = if verb == "watch" { "scan-status".into() } else { format!("scan-{verb}") };
            if question.request.cmd != "scan" && question.request.cmd != cmd.as_str() {
                return Err("only one of --stop, --resume and --watch".into());
            }
            question.request.cmd = word(&cmd);
            return Ok(());
        }
    };
    question.seeds.push(seed);
    Ok(())
}

/// Asks for it and shows it. Ctrl-C ends the showing alone: the box goes on.
pub(super) fn scan(question: &Question) -> Result<(), Failure> {
    if question.request.cmd != "scan" && !question.seeds.is_empty() {
        return Err(Failure::usage(
            "--stop, --resume and --watch begin no scan: leave the other options out",
        ));
    }
    let requests = requests(question)?;
    reach(&question.sockets, |socket| run(question, &requests, socket))
}

fn run(question: &Question, requests: &[Request], socket: &Path) -> Result<(), AskError> {
    let mut line = Conversation::begin(socket)?;
    line.ask(&Request::new("events"), |_| {})?;
    let mut shown = Shown { json: question.json, is_terminal: io::stdout().is_terminal(), last: None };
    for request in requests {
        let mut news = None;
        line.ask(request, |bytes| news = event(bytes).or_else(|| news.take()))?;
        shown.last = news.or_else(|| shown.last.take());
    }
    match question.request.cmd.as_str() {
        "scan-stop" => {
            println!("stopped; 'stbcastd scan --resume' goes on with it");
            return Ok(());
        }
        "scan-status" => {
            let mut status = None;
            line.ask(&question.request, |bytes| {
                status = read::<ScanLine>(bytes).map(|l| l.scan).or_else(|| status.take());
            })?;
            shown.last = status;
        }
        _ if !question.json => {
            println!("Ctrl-C ends this picture, not the scan; 'stbcastd scan --stop' does that.");
        }
        _ => {}
    }
    loop {
        if let Some(view) = shown.last.take() {
            let is_seen = shown.show(&view).is_ok();
            if let Some(why) = view.error.filter(|_| view.state == "stopped") {
                return Err(AskError::Refused(why.as_str().into()));
            }
            if !is_seen || view.state != "running" {
                return Ok(()); // who does not look any more has ended the showing alone
            }
        }
        shown.last = event(&line.listen()?);
    }
}

/// What is to be asked: the tables are read here, since the box reads no file that somebody names.
fn requests(question: &Question) -> Result<Vec<Request>, Failure> {
    if question.request.cmd == "scan-status" {
        return Ok(Vec::new());
    }
    let mut muxes = Vec::new();
    let mut requests = Vec::new();
    for seed in &question.seeds {
        match seed {
            Seed::Table(path) => muxes.extend(table(path)?),
            Seed::Mux(tuning) => muxes.push(*tuning),
            Seed::Known => requests.push(Request { known: Some(true), ..Request::new("scan") }),
            Seed::Range(name) => requests.push(Request { range: Some(word(name)), ..Request::new("scan") }),
        }
    }
    let mut batch = heapless::String::<MUXES_MAX>::new();
    for text in muxes.iter().map(Tuning::to_string) {
        if batch.len() + 1 + text.len() > MUXES_MAX {
            requests.push(Request { muxes: Some(std::mem::take(&mut batch)), ..Request::new("scan") });
        }
        let _fits = batch.push_str(&text).and_then(|()| batch.push(' '));
    }
    if !batch.is_empty() {
        requests.push(Request { muxes: Some(batch), ..Request::new("scan") });
    }
    if requests.is_empty() {
        requests.push(question.request.clone());
    }
    // Until the last one came, the box does not take the scan for over.
    let all = requests.len();
    requests.iter_mut().take(all - 1).for_each(|request| request.more = Some(true));
    Ok(requests)
}

/// The muxes of an initial table; what it has that cannot be is told.
fn table(path: &Path) -> Result<Vec<Tuning>, Failure> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| named(&e))?;
    file.take(LIST_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|e| named(&e))?;
    let (tunings, refusals) = initial_table(&bytes).map_err(|e| named(&e))?;
    for (line, why) in refusals.kept() {
        eprintln!("{}:{line}: {why}", path.display());
    }
    if tunings.is_empty() {
        return Err(named(&"no mux in it can be").into());
    }
    Ok(tunings)
}

fn event(bytes: &[u8]) -> Option<ScanView> {
    read::<EventLine>(bytes)?.scan
}

/// What is on the screen.
struct Shown {
    json: bool,
    is_terminal: bool,
    last: Option<ScanView>,
}

impl Shown {
    /// On a terminal one line that is written anew; else a line each time. The last is the summary.
    fn show(&self, view: &ScanView) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let is_over = view.state != "running";
        if self.json {
            let line = crate::local::protocol::line(&ScanLine { scan: view.clone() });
            out.write_all(&line)?;
        } else if is_over {
            writeln!(out, "{}{}", if self.is_terminal { "\r\x1b[K" } else { "" }, summary(view))?;
        } else if self.is_terminal {
            write!(out, "\r{} {}\x1b[K", bar(view.percent), progress(view))?;
        } else {
            writeln!(out, "{}", progress(view))?;
        }
        out.flush()
    }
}

/// Characters of the bar.
const BAR: usize = 20;

fn bar(percent: u8) -> String {
    let full = usize::from(percent) * BAR / 100;
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full.min(BAR)))
}

fn progress(view: &ScanView) -> String {
    let ScanView { percent, done, all, muxes, tv, radio, .. } = view;
    let muxes = counted(usize::from(*muxes), "mux", "muxes");
    let mut text = format!("{percent:3} %  {done} of {all} looked at, {muxes}, {tv} TV, {radio} radio");
    if let Some(left) = view.left_s {
        text += &match left {
            0..60 => format!(", {left} s left"),
            _ => format!(", {} min left", left.div_ceil(60)),
        };
    }
    if view.waits {
        text += ", waits for a tuner";
    } else if let Some(mux) = &view.mux {
        text += &format!(", at {mux}");
        match (view.cnr_mdb, view.cnr_permille) {
            (Some(mdb), _) => text += &format!(" ({:.1} dB)", f64::from(mdb) / 1000.0),
            (None, Some(permille)) => text += &format!(" ({} %)", permille / 10),
            (None, None) => {}
        }
    }
    text
}

fn summary(view: &ScanView) -> String {
    let ScanView { done, all, muxes, tv, radio, other, new_channels, .. } = view;
    let muxes = counted(usize::from(*muxes), "mux", "muxes");
    let found = format!("{muxes} with {tv} TV, {radio} radio and {other} other services");
    let new = counted(*new_channels, "new channel", "new channels");
    match (view.state.as_str(), &view.error) {
        ("over", _) => format!("done: {all} looked at, {found}; {new}"),
        ("stopped", Some(why)) => {
            format!("stopped at {done} of {all}: {}; {found}; 'stbcastd scan --resume' goes on", why.as_str())
        }
        ("stopped", None) => format!("stopped at {done} of {all}: {found}; 'stbcastd scan --resume' goes on"),
        _ => "no scan runs".into(),
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<Vec<Request>, String> {
        let mut parser = lexopt::Parser::from_args(words);
        let question = super::super::questions::parse(&"scan".into(), &mut parser)?.unwrap();
        requests(&question).map_err(|failure| failure.why)
    }

    #[test]
    fn what_is_named_goes_in_lines_that_fit() {
        assert_eq!(asked(&[]).unwrap(), [Request::new("scan")]);
        let path = std::env::temp_dir().join(format!("stbcast-table-{}", std::process::id()));
        let entry =
            |n: usize| format!("[x]\nDELIVERY_SYSTEM = DVBT2\nFREQUENCY = {}\n", 400_000_000 + n * 8_000_000);
        std::fs::write(&path, (0..100).map(entry).collect::<String>()).unwrap();
        let words =
            ["--tables", path.to_str().unwrap(), "--mux", "dvb-c:346000000", "--range", "dvb-t", "--known"];
        let requests = asked(&words).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((requests[0].range.as_deref(), requests[1].known), (Some("dvb-t"), Some(true)));
        let muxes: Vec<&str> = requests.iter().filter_map(|r| r.muxes.as_deref()).collect();
        assert!(muxes.len() > 1, "one line has no room for all");
        let all: Vec<&str> = muxes.iter().flat_map(|m| m.split_ascii_whitespace()).collect();
        assert_eq!((all.len(), all[0], all[100]), (101, "dvb-t2:400000000", "dvb-c:346000000"));
        let more: Vec<bool> = requests.iter().map(|r| r.more == Some(true)).collect();
        assert!(more[..more.len() - 1].iter().all(|more| *more) && !more[more.len() - 1]);
        assert!(
            requests.iter().all(|r| crate::local::protocol::line(r).len() < crate::local::protocol::LINE_MAX)
        );
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        for (words, part) in [
            (&["--mux", "dvb-x:1"][..], "dvb-x"),
            (&["--tables", "/nowhere"], "/nowhere"),
            (&["--stop", "--resume"], "only one"),
        ] {
            let error = asked(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }

    #[test]
    fn people_see_how_far_it_came() {
        let view = ScanView {
            state: word("running"),
            percent: 42,
            done: 5,
            all: 12,
            tv: 8,
            muxes: 2,
            left_s: Some(61),
            cnr_mdb: Some(23_400),
            mux: Some(crate::local::protocol::text("dvb-t:474000000")),
            ..ScanView::default()
        };
        assert_eq!(bar(view.percent), "[########------------]");
        assert_eq!(
            progress(&view),
            " 42 %  5 of 12 looked at, 2 muxes, 8 TV, 0 radio, 2 min left, at dvb-t:474000000 (23.4 dB)"
        );
        let over = ScanView { state: word("over"), new_channels: 3, ..view };
        assert_eq!(
            summary(&over),
            "done: 12 looked at, 2 muxes with 8 TV, 0 radio and 0 other services; 3 new channels"
        );
    }
}
