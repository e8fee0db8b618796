//! The shell's end: asks, and shows what is answered.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::progress::Bar;
use super::{LINE_MAX, Line, Question, socket};

/// A service that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the running service and prints the answer. The error is a sentence.
pub(in crate::cloud) fn ask(question: &Question) -> Result<(), String> {
    let path = socket(&question.state);
    let stream = UnixStream::connect(&path).map_err(|e| {
        format!("no service answers at {}: {e} (--state tells where it runs)", path.display())
    })?;
    let talk = || -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        (&stream).write_all(&line)
    };
    talk().map_err(|e| e.to_string())?;
    let sending = match (question.cmd.as_str(), &question.file) {
        ("import", Some(file)) => Some(send_file(file, &stream)?),
        _ => None,
    };
    let mut kept = match (question.cmd.as_str(), &question.file) {
        ("export", Some(file)) => Some(BufWriter::new(create(file)?)),
        _ => None,
    };
    let shown = show(&stream, question, kept.as_mut());
    if let Some(sending) = sending {
        let _service_hung_up = stream.shutdown(Shutdown::Both);
        let _joined = sending.join();
    }
    let said = shown?;
    if let Some(file) = kept {
        let file = file.into_inner().map_err(|e| e.to_string())?;
        file.sync_all().map_err(|e| e.to_string())?;
    }
    if !said.is_empty() {
        println!("{said}");
    }
    Ok(())
}

/// A file that nobody else may read.
fn create(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|e| format!("{}: {e}", path.display()))
}

/// Sends the lines of a file, while answers are read.
fn send_file(path: &Path, stream: &UnixStream) -> Result<std::thread::JoinHandle<()>, String> {
    let mut file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut stream = stream.try_clone().map_err(|e| e.to_string())?;
    Ok(std::thread::spawn(move || {
        // A service that refuses a line hangs up, and says why in its answer.
        let _refused = std::io::copy(&mut file, &mut stream);
        let _gone = stream.shutdown(Shutdown::Write);
    }))
}

fn show(
    stream: &UnixStream,
    question: &Question,
    mut kept: Option<&mut BufWriter<File>>,
) -> Result<String, String> {
    let mut lines = BufReader::new(stream);
    let (mut bar, mut rows) = (Bar::new(), 0_u64);
    loop {
        let mut text = String::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        (&mut lines).take(most).read_line(&mut text).map_err(|e| format!("the service fell silent: {e}"))?;
        let line =
            serde_json::from_str(&text).map_err(|_| "the service hung up, look into its log".to_owned())?;
        match (line, &mut kept) {
            (Line::Row(row), Some(file)) => {
                let line = serde_json::to_string(&row).map_err(|e| e.to_string())?;
                writeln!(file, "{line}").map_err(|e| e.to_string())?;
            }
            (Line::Row(row), None) => {
                bar.end();
                print_row(&row, question, rows);
                rows += 1;
            }
            (Line::Progress(done, all), _) => bar.at(done, all),
            (Line::Done(said), _) => return Ok(said),
            (Line::Error(why), _) => return Err(why),
        }
    }
}

/// A row: JSON for programs; for people a line of a list, or a line a field.
fn print_row(row: &Map<String, Value>, question: &Question, number: u64) {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    if question.json {
        println!("{}", Value::Object(row.clone()));
    } else if question.cmd == "list" {
        let widths = [36, 10, 16, 40];
        let cells = |of: &dyn Fn((&String, &Value)) -> String| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{:<width$}", of(cell)));
            cells.collect::<Vec<_>>().join(" ")
        };
        if number == 0 {
            println!("{}", cells(&|(name, _)| name.clone()).trim_end());
        }
        println!("{}", cells(&|(_, value)| plain(value)).trim_end());
    } else {
        for (name, value) in row {
            println!("{name:<18} {}", plain(value));
        }
    }
}
