//! The commands that ask a running box, and how they show what it answers.

use std::io;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::names;
use super::questions::Question;
use crate::local::client::{AskError, ask as ask_box};
use crate::local::protocol::{BoxLine, ChannelLine, Link, MuxLine, PlayerLine, TerminalLine, read};

/// Asks and prints.
pub(super) fn ask(question: &Question) -> Result<(), Failure> {
    if !names::consent(question) {
        return Err(String::from("nothing was claimed").into());
    }
    let is_status = question.request.cmd == "status";
    let show = |line: &[u8]| {
        let text = if question.json { None } else { shown(&question.request.cmd, line) };
        println!("{}", text.unwrap_or_else(|| String::from_utf8_lossy(line).into_owned()));
    };
    reach(&question.sockets, |socket| {
        let last = ask_box(socket, &question.request, show)?;
        if is_status {
            show(&last);
        }
        Ok(())
    })
}

/// Does `what` with the box at the first of `sockets` that has one.
pub(super) fn reach(
    sockets: &[PathBuf],
    mut what: impl FnMut(&Path) -> Result<(), AskError>,
) -> Result<(), Failure> {
    let mut failure = None;
    for socket in sockets {
        match what(socket) {
            Ok(()) => return Ok(()),
            Err(AskError::NotRunning(e)) if e.kind() == io::ErrorKind::NotFound => {
                failure.get_or_insert_with(|| format!("{}: {}", socket.display(), AskError::NotRunning(e)));
            }
            Err(e @ AskError::Refused(_)) => return Err(e.to_string().into()),
            Err(e) => {
                // It went away while it was asked, is stuck, or never was one.
                return Err(Failure::new(Exit::NoBox, format!("{}: {e}", socket.display())));
            }
        }
    }
    Err(Failure::new(Exit::NoBox, failure.unwrap_or_else(|| "no socket to ask at".into())))
}

/// A line of the box as a text for people; `None` where it is of no known kind.
fn shown(cmd: &str, line: &[u8]) -> Option<String> {
    Some(match cmd {
        "link" => read::<Link>(line)?.url.as_str().into(),
        "player" => read::<PlayerLine>(line)?.url.as_str().into(),
        "channels" => {
            let channel = read::<ChannelLine>(line)?.channel;
            let missing = if channel.available == "now" { "" } else { ", not available" };
            format!("{:5}  {} ({}{missing})", channel.number, channel.name, channel.kind)
        }
        "terminals" => {
            let terminal = read::<TerminalLine>(line)?.terminal;
            format!("{:3}  {:6}  {}", terminal.slot, terminal.role, terminal.name)
        }
        "status" => match read::<MuxLine>(line) {
            Some(mux) => mux_text(&mux),
            None => box_text(&read::<BoxLine>(line)?),
        },
        cmd => return names::shown(cmd, line),
    })
}

fn mux_text(mux: &MuxLine) -> String {
    let mut text = format!("{}: {}", mux.mux, mux.state);
    if let Some(why) = &mux.error {
        text += &format!(" ({why})");
    }
    if mux.services > 0 {
        text += &format!(", {} of {} services watched, {} packets", mux.watched, mux.services, mux.packets);
    }
    let damage = [
        (mux.no_sync, "without sync"),
        (mux.transport_errors, "with transport errors"),
        (mux.malformed, "malformed"),
        (mux.broken_sections, "broken sections"),
        (mux.scrambled_sections, "scrambled sections"),
        (mux.continuity_errors, "breaks of continuity"),
        (mux.pcr_errors, "jumps of a clock"),
        (mux.pat_errors, "times without PAT"),
        (mux.sync_losses, "losses of sync"),
        (mux.skipped_bytes, "bytes skipped"),
        (mux.dropped_datagrams, "datagrams dropped by the kernel"),
        (mux.lost_datagrams, "datagrams lost on the way"),
        (mux.late, "datagrams too late"),
    ];
    for (n, what) in damage.iter().filter(|(n, _)| *n > 0) {
        text += &format!(", {n} {what}");
    }
    text
}

fn box_text(b: &BoxLine) -> String {
    let BoxLine { version, board, uptime_s, channels, viewers, rings_watched, rings, .. } = b;
    let guide = guide_text(b);
    format!(
        "stbcastd {version} on board '{board}', up {uptime_s} s: {channels} channels, {viewers} viewers on \
         {rings_watched} of {rings} rings\n{} MB sent; {} jumps over {} kB; left: {} hung up, {} stalled, {} too slow\n{guide}",
        b.bytes_sent / 1_000_000,
        b.jumps,
        b.bytes_skipped / 1000,
        b.hung_up,
        b.stalled,
        b.too_slow,
    )
}

fn guide_text(b: &BoxLine) -> String {
    let mut text = format!(
        "guide: {} of {} events, {} of {} kB of texts",
        b.guide_events,
        b.guide_events_most,
        b.guide_text_bytes / 1000,
        b.guide_text_bytes_most / 1000
    );
    let rest = [
        (b.guide_dropped, "dropped for want of room"),
        (b.guide_refused, "refused"),
        (b.guide_deferred, "sections put off"),
    ];
    for (n, what) in rest.iter().filter(|(n, _)| *n > 0) {
        text += &format!(", {n} {what}");
    }
    text
}
