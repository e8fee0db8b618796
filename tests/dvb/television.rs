//! The television holds the tuner: another program that is not ours, `dvbv5-zap` of Debian.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::machine::scripts;
use super::packaged::{Case, Packaged, Running};
use super::receiver::{BOTH, DEMO, OTHER, OTHER_CHANNEL, SLOW, on_air, packaged};
use super::support::http::Viewer;
use super::support::stb::wait_at_most;
use super::support::ts::judge;

/// Streams of a mux that the television left have ended by then.
const MOVED: Duration = Duration::from_secs(1);

/// Brings `dvbv5-zap` and a list of two channels for it.
fn bring_television(packaged: &Packaged, case: &Case) {
    let mut script = Command::new(scripts().join("television"));
    let status = script.arg(case.machine).arg(packaged.shared("tv")).status().expect("it starts");
    assert!(status.success(), "tests/guest/television");
    let channel = |name: &str, service: u16, frequency: u32| {
        format!(
            "[{name}]\n SERVICE_ID = {service}\n FREQUENCY = {frequency}\n BANDWIDTH_HZ = 8000000\n \
             MODULATION = QAM/64\n INVERSION = AUTO\n DELIVERY_SYSTEM = DVBT\n"
        )
    };
    let list = channel("One", 1001, DEMO) + &channel("Other", 2001, OTHER);
    fs::write(packaged.shared("tv.conf"), list).unwrap();
}

/// The television goes to a channel and stays there; its process.
fn television(running: &Running<'_>, channel: &str) -> String {
    let process = running
        .guest
        .done(&format!("/mnt/tv/zap -c /mnt/tv.conf -r {channel} </dev/null >/tmp/tv.log 2>&1 & echo $!"));
    wait_at_most(SLOW, "the television's lock", || {
        running.guest.run("cat /tmp/tv.log").out.contains("0x1f").then_some(())
    });
    process.trim().to_owned()
}

/// Whoever watches along with the television is served without a tuner of our own, and learns within a second that it went
/// elsewhere.
pub(super) fn is_watched_along(case: &'static Case) {
    let packaged = packaged(case);
    bring_television(&packaged, case);
    // The owner of the tuner is who draws the screen: the default.
    let running = packaged.start(&BOTH, &["source = dvb:0", "import = /mnt/channels.conf"]);
    let _air = on_air(&running);
    let tv = television(&running, "One");
    let mut viewers: Vec<Viewer> = wait_at_most(SLOW, "passengers", || {
        let viewers =
            [1, 2].map(|channel| Viewer::ask_by(running.guest.client(), &running.link(channel), ""));
        viewers.iter().all(|viewer| viewer.reply.status == 200).then(|| viewers.into())
    });
    for viewer in &mut viewers {
        let report = judge(viewer.watch(300_000));
        assert!(report.pids.values().all(|pid| pid.cc_errors == 0), "{:?}", report.pids);
    }
    let other = Viewer::ask_by(running.guest.client(), &running.link(OTHER_CHANNEL), "");
    assert_ne!(other.reply.status, 200, "the television is not on that mux");
    println!(
        "the other mux: {} {}",
        other.reply.head.lines().next().unwrap_or_default(),
        running.stbcastd("channels --all --json")
    );

    running.guest.done(&format!("kill {tv}; while kill -0 {tv} 2>/dev/null; do sleep 0.05; done"));
    let left = Instant::now();
    let _tv = television(&running, "Other");
    let tuned = left.elapsed();
    for viewer in &mut viewers {
        while viewer.is_connected() {
            assert!(left.elapsed() < SLOW, "the stream goes on: {}", running.log());
        }
    }
    let took = left.elapsed().saturating_sub(tuned);
    println!(
        "{}: streams ended {} ms after the television's new lock was seen, which took {} ms",
        case.machine,
        took.as_millis(),
        tuned.as_millis()
    );
    assert!(took < MOVED, "{took:?}");
    wait_at_most(SLOW, "the other mux", || {
        let viewer = Viewer::ask_by(running.guest.client(), &running.link(OTHER_CHANNEL), "");
        (viewer.reply.status == 200).then_some(())
    });
}
