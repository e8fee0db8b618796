//! Tuners that are not as they should be, and frequencies with nothing on them: each is named, and hurts nobody else.

use std::fs;
use std::time::Duration;

use super::air::{Air, DEMO_RATE};
use super::packaged::{Case, Running};
use super::receiver::{DEMO, OTHER_CHANNEL, SLOW, packaged};
use super::support::http::Viewer;
use super::support::stb::{demo, wait_at_most};
use super::support::ts::{contiguous_run, elementary, judge, packets, uncounted};

/// A channel where nothing is sent.
const NOWHERE_CHANNEL: u16 = 6;
/// Where the stream that must not notice comes from.
const LINE: &str = "udp:127.0.0.1:5000";
/// The elementary PIDs of channel 1 of the committed mux.
const PIDS: [u16; 2] = [0x101, 0x102];

/// One tuner works, slowly: its driver sleeps 3 s at each tuning. The other is missing, no tuner, or closed to the box.
pub(super) fn hurt_nobody_else(case: &'static Case) {
    for (adapter, why) in [(7, "there is no such tuner"), (6, "permission"), (5, "not a tuner")] {
        hurts_nobody_else(case, adapter, why);
    }
}

fn hurts_nobody_else(case: &'static Case, adapter: u8, why: &str) {
    let packaged = packaged(case);
    let entry = |number: u16, name: &str, service: u16, frequency: u32| {
        format!(
            "[{name}]\n SERVICE_ID = {service}\n VCHANNEL = {number}\n FREQUENCY = {frequency}\n \
             BANDWIDTH_HZ = 8000000\n MODULATION = QAM/64\n DELIVERY_SYSTEM = DVBT\n"
        )
    };
    let list = entry(OTHER_CHANNEL, "Other", 2001, DEMO) + &entry(NOWHERE_CHANNEL, "Nowhere", 9, 490_000_000);
    fs::write(packaged.shared("channels.conf"), list).unwrap();
    let guest =
        ["--seconds", "900", "--dvb=inject=1", "--parameter", "dvb_vidtv_bridge.mock_tune_delay_msec=3000"];
    let running = packaged.start_after(
        &guest,
        "for n in 5 6; do mkdir -p /dev/dvb/adapter$n; done; \
         for node in frontend0 demux0; do mknod /dev/dvb/adapter5/$node c 1 3; mknod -m 600 /dev/dvb/adapter6/$node c 212 0; done",
        &[
            "source = udp://127.0.0.1:5000",
            &format!("source = dvb:{adapter}"),
            "source = dvb:0",
            "tuner-owner = box",
            "import = /mnt/channels.conf",
        ],
    );
    running.guest.done("cp /mnt/play /mnt/demo.ts /mnt/other.ts /tmp");
    // The guest opens all its devices to the box when it is installed; it has to find this one closed.
    running.guest.done("/mnt/box service stop; chmod 600 /dev/dvb/adapter6/*; /mnt/box service start");
    running.stbcastd("ready");
    let _line = Air::start(&running.guest, &format!("-l {DEMO_RATE} /tmp/demo.ts {LINE}"));
    let _air = Air::start(&running.guest, &format!("-l {DEMO_RATE} /tmp/other.ts /dev/vidtv_inject"));
    wait_at_most(SLOW, "the line's channels", || {
        (running.stbcastd("channels").lines().count() >= 4).then_some(())
    });
    let mut undisturbed = running.viewer(&running.link(1));
    undisturbed.watch(20_000);

    let refused = ask(&running, NOWHERE_CHANNEL);
    println!("nothing is sent there: {refused}");
    assert!(refused.contains("no signal"), "{refused}");
    let tuners = running.stbcastd("tuners --json");
    println!("{tuners}");
    assert!(tuners.contains(why), "'{why}' is in none of {tuners}");
    let mut viewer = running.viewer(&running.link(OTHER_CHANNEL));
    viewer.watch(200_000);
    assert!(judge(viewer.bytes()).pids.values().all(|pid| pid.cc_errors == 0));
    drop(viewer);

    undisturbed.watch_on(50_000);
    let got = undisturbed.bytes();
    assert!(
        judge(got).pids.values().all(|pid| pid.cc_errors + pid.discontinuities == 0),
        "{:?}",
        judge(got).pids
    );
    let file = fs::read(demo()).unwrap();
    let sent = uncounted(&elementary(packets(&file).0.as_flattened(), &PIDS).repeat(12));
    let run = contiguous_run(&sent, &uncounted(&elementary(got, &PIDS)));
    assert!(run.is_ok(), "the stream by UDP beside it: {run:?}");
}

/// What somebody is told who cannot watch a channel.
fn ask(running: &Running<'_>, channel: u16) -> String {
    let mut viewer = Viewer::ask_by(running.guest.client(), &running.link(channel), "");
    assert_ne!(viewer.reply.status, 200, "{}", viewer.reply.head);
    let _more = viewer.client.receive(std::time::Instant::now() + Duration::from_secs(5));
    format!("{} {}", viewer.reply.status, String::from_utf8_lossy(viewer.bytes()))
}
