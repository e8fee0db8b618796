//! What a tuner costs beside UDP: processor time of the box for a GB that its viewers got of the same broadcast, in the
//! same guest.

use std::time::{Duration, Instant};

use super::air::{Air, DEMO_RATE};
use super::packaged::{Case, Running};
use super::receiver::{BOTH, DEMO, SLOW, packaged};
use super::support::http::Viewer;
use super::support::stb::wait_at_most;

/// The broadcast's speed, and what all its services are watched for.
const SPEED: u32 = 8;
const WATCHED: Duration = Duration::from_secs(40);

/// Measures both, twice.
pub(super) fn of_a_tuner_beside_udp(case: &'static Case) {
    let packaged = packaged(case);
    let running = packaged.start(&BOTH, &["source = file:/mnt/demo.ts"]);
    running.guest.done("/mnt/box service stop; cp /mnt/play /mnt/demo.ts /tmp");
    let rate = DEMO_RATE * SPEED;
    let mut costs: [Vec<f64>; 2] = Default::default();
    for _round in 0..2 {
        for (way, (source, to)) in [
            (
                "--source dvb:0 --tuner-owner box --import /mnt/channels.conf",
                format!("/dev/vidtv_inject@{DEMO}"),
            ),
            ("--source udp://127.0.0.1:5000", "udp:127.0.0.1:5000".to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let _air = Air::start(&running.guest, &format!("-l {rate} /tmp/demo.ts {to}"));
            costs[way].push(cost(&running, source));
        }
    }
    println!("{} on {}: CPU s/GB of dvb {:.2?}, of udp {:.2?}", case.board, case.machine, costs[0], costs[1]);
}

/// Processor time, in seconds, for a GB that four viewers got.
fn cost(running: &Running<'_>, source: &str) -> f64 {
    running.guest.done(&format!(
        "rm -rf /box/tmp/state; mkdir /box/tmp/state; \
         chroot /box stbcastd run --state /tmp/state --listen 0.0.0.0:8800 {source} </dev/null >/tmp/log 2>&1 & \
         echo $! >/tmp/pid; chroot /box stbcastd ready --state /tmp/state"
    ));
    let ask = |words: &str| running.guest.done(&format!("chroot /box stbcastd {words} --state /tmp/state"));
    wait_at_most(SLOW, "four channels", || (ask("channels --all").lines().count() >= 4).then_some(()));
    let mut viewers: Vec<Viewer> = (1..=4)
        .map(|n| {
            let link = ask(&format!("link {n} --connections 0"));
            let mut viewer = running.viewer(link.trim());
            viewer.watch(100_000);
            viewer
        })
        .collect();
    let taken = || -> f64 {
        let said = running.guest.done(
            "for p in $(pidof stbcastd); do cat /proc/$p/schedstat; done | awk '{s+=$1} END{printf \"%.0f\\n\", s}'",
        );
        said.trim().parse::<f64>().unwrap() / 1e9
    };
    let got = |viewers: &[Viewer]| viewers.iter().map(|viewer| viewer.bytes().len()).sum::<usize>();
    let (before, bytes) = (taken(), got(&viewers));
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        viewers.iter_mut().for_each(|viewer| assert!(viewer.is_connected(), "a stream ended"));
    }
    let (spent, bytes) = (taken() - before, got(&viewers) - bytes);
    drop(viewers);
    running.guest.done("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done");
    spent / (bytes as f64 / 1e9)
}
