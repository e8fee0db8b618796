//! The commands that ask a running box, and how they show what it answers.

use std::io;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::names;
use super::questions::Question;
use crate::local::client::{AskError, ask as ask_box};
use crate::local::protocol::{
    BoxLine, ChannelLine, Link, MuxView, PlayerLine, TerminalLine, TunerLine, TunerView, read,
};

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
            let missing = match channel.available.as_str() {
                "now" => "",
                "tuner" => ", needs a tuner",
                "ask" => ", the television has to be asked",
                _ => ", not available",
            };
            format!("{:5}  {} ({}{missing})", channel.number, channel.name, channel.kind)
        }
        "terminals" => {
            let terminal = read::<TerminalLine>(line)?.terminal;
            format!("{:3}  {:6}  {}", terminal.slot, terminal.role, terminal.name)
        }
        "tuners" => tuner_text(&read::<TunerLine>(line)?.tuner),
        "status" => match read::<MuxView>(line) {
            Some(mux) => mux_text(&mux),
            None => box_text(&read::<BoxLine>(line)?),
        },
        cmd => return names::shown(cmd, line),
    })
}

fn mux_text(mux: &MuxView) -> String {
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

/// How a tuner is shown: what it is, what it does, how well it receives.
fn tuner_text(t: &TunerView) -> String {
    let mut text = format!("{:2}  dvb:{}  {}", t.number, t.device, t.state);
    if let Some(mux) = &t.mux {
        text += &format!("  {mux}");
    }
    if let Some(why) = &t.error {
        text += &format!(" ({why})");
    }
    let users = match t.users.as_deref() {
        None => "nobody uses it".to_owned(),
        Some("viewers") => format!("{} services watched", t.watched),
        Some(other) => format!("for {other}"),
    };
    let whose = match t.whose.as_str() {
        "ui" => "the television's",
        "granted" => "granted by the television",
        _ => "the box's",
    };
    text += &format!("\n      {users}; {whose}");
    let thousandths = |n: i32| format!("{:.1}", f64::from(n) / 1000.0);
    let permille = |n: u16| format!("{:.1} %", f64::from(n) / 10.0);
    let strength =
        t.strength_mdbm.map(|n| thousandths(n) + " dBm").or_else(|| t.strength_permille.map(permille));
    let quality = t.cnr_mdb.map(|n| thousandths(n) + " dB").or_else(|| t.cnr_permille.map(permille));
    let errors = |wrong: Option<u64>, all: Option<u64>| Some(format!("{} of {}", wrong?, all?));
    let measured = [
        ("strength", strength),
        ("carrier to noise", quality),
        ("bits wrong", errors(t.bit_errors, t.bits)),
        ("blocks lost", errors(t.block_errors, t.blocks)),
    ];
    for (what, value) in measured.into_iter().filter_map(|(what, value)| Some((what, value?))) {
        text += &format!("; {what} {value}");
    }
    if let Some(name) = &t.name {
        text += &format!(
            "\n      {name}: {}",
            t.systems.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::protocol::{line, text, word};

    #[test]
    fn a_tuner_is_shown_with_what_is_known_of_it() {
        let idle = TunerView {
            device: text("0.0"),
            state: word("idle"),
            whose: word("box"),
            ..TunerView::default()
        };
        let shown_as = |view: TunerView| shown("tuners", &line(&TunerLine { tuner: view })).unwrap();
        assert_eq!(shown_as(idle), " 0  dvb:0.0  idle\n      nobody uses it; the box's");
        let locked = TunerView {
            number: 1,
            device: text("1.0"),
            name: Some(text("Demod")),
            systems: [word("dvb-t"), word("dvb-t2")].into_iter().collect(),
            state: word("locked"),
            mux: Some(text("dvb-t2:474000000")),
            users: Some(word("viewers")),
            watched: 2,
            whose: word("granted"),
            strength_mdbm: Some(-51_250),
            cnr_permille: Some(875),
            block_errors: Some(3),
            blocks: Some(1000),
            ..TunerView::default()
        };
        let expected = " 1  dvb:1.0  locked  dvb-t2:474000000\n      2 services watched; granted by the television; \
                        strength -51.2 dBm; carrier to noise 87.5 %; blocks lost 3 of 1000\n      Demod: dvb-t, dvb-t2";
        assert_eq!(shown_as(locked), expected);
        let tv = TunerView {
            state: word("failed"),
            error: Some(text("another program uses the tuner")),
            users: Some(word("television")),
            whose: word("ui"),
            ..TunerView::default()
        };
        let text = shown_as(tv);
        assert!(
            text.contains("failed (another program uses the tuner)")
                && text.contains("for television; the tel")
        );
    }
}
