//! vidtv's own service by each delivery system that vidtv has: watched from here by number and by name.

use std::fs;
use std::process::Command;

use super::packaged::{Case, Packaged, Running};
use super::receiver::SLOW;
use super::support::http::{Viewer, escape, split};
use super::support::stb::wait_at_most;
use super::support::ts::judge;

/// vidtv's service, and its audio: SMPTE 302M in a private stream.
const NAME: &str = "Beethoven";
const SERVICE: u16 = 0x880;
const AUDIO: u16 = 0x111;

/// How it is sent, in the words of dvbv5's lists: by a universal LNB's low band, horizontal, where it is a satellite's.
const SYSTEMS: [(&str, &str); 5] = [
    ("DVBT", "FREQUENCY = 474000000\n BANDWIDTH_HZ = 8000000\n MODULATION = QAM/64"),
    ("DVBT2", "FREQUENCY = 474000000\n BANDWIDTH_HZ = 8000000\n MODULATION = QAM/64\n STREAM_ID = 0"),
    (
        "DVBC/ANNEX_A",
        "FREQUENCY = 474000000\n SYMBOL_RATE = 6900000\n MODULATION = QAM/64\n INNER_FEC = NONE",
    ),
    (
        "DVBS",
        "FREQUENCY = 11362000\n POLARIZATION = HORIZONTAL\n SYMBOL_RATE = 27500000\n INNER_FEC = 3/4\n \
         MODULATION = QPSK",
    ),
    (
        "DVBS2",
        "FREQUENCY = 11362000\n POLARIZATION = HORIZONTAL\n SYMBOL_RATE = 27500000\n INNER_FEC = 2/3\n \
         MODULATION = PSK/8\n STREAM_ID = 0",
    ),
];

/// A scan finds the channel, whichever way it is sent, and it is served.
pub(super) fn vidtv_is_found_by_each_system(case: &'static Case) {
    vidtv_is_found(case, &SYSTEMS);
}

/// The same by one from a tower and one from a satellite.
pub(super) fn vidtv_is_found_by_two_systems(case: &'static Case) {
    vidtv_is_found(case, &[SYSTEMS[0], SYSTEMS[4]]);
}

fn vidtv_is_found(case: &'static Case, systems: &[(&'static str, &'static str)]) {
    let packaged = Packaged::new(case);
    let running = packaged.start(&["--seconds", "900", "--dvb"], &["source = dvb:0", "tuner-owner = box"]);
    for &system in systems {
        let what = system.0;
        running.guest.done("/mnt/box service stop");
        running.forget();
        running.guest.done("/mnt/box service start");
        running.stbcastd("ready");
        assert_eq!(running.stbcastd("channels --all").trim(), "", "{what}: nothing is known");
        write_table(&packaged, system);
        let said = running.stbcastd("scan --tables /mnt/table");
        println!("{what}: {}", said.trim().lines().last().unwrap_or_default());
        is_served(&running, what);
    }
}

/// An initial table as libdvbv5 has them, of one mux.
fn write_table(packaged: &Packaged, (system, how): (&str, &str)) {
    let table = format!("[CHANNEL]\n DELIVERY_SYSTEM = {system}\n {how}\n");
    fs::write(packaged.shared("table"), table).unwrap();
}

/// By its number and its name, with what ffprobe of this computer reads of it.
pub(super) fn is_served(running: &Running<'_>, what: &str) {
    let listed =
        wait_at_most(SLOW, what, || Some(running.stbcastd("channels")).filter(|list| list.contains(NAME)));
    let number =
        listed.split_whitespace().find_map(|word| word.parse::<u16>().ok()).expect("it has a number");
    let link = running.link(number);
    let mut viewer = running.viewer(&link);
    viewer.watch(40_000);
    let report = judge(viewer.bytes());
    assert_eq!(report.pat_programs[0].0, SERVICE, "{what}");
    assert!(
        report.pids[&AUDIO].packets > 50 && report.pids[&AUDIO].cc_errors == 0,
        "{what}: {:?}",
        report.pids
    );
    drop(viewer);
    // A name that is not the number's is refused with 409, and the right one is not.
    let named = |name: &str| {
        let (before, rest) = link.split_once("name=").expect("a link has the channel's name");
        let (_, after) = rest.split_once('&').expect("and then its token");
        format!("{before}name={}&{after}", escape(name))
    };
    let wrong = Viewer::ask_by(running.guest.client(), &named("Mozart"), "");
    assert_eq!(wrong.reply.status, 409, "{what}: {}", wrong.reply.head);
    let right = Viewer::ask_by(running.guest.client(), &named(NAME), "");
    assert_eq!(right.reply.status, 200, "{what}: {}", right.reply.head);
    drop(right);
    let (address, path) = split(&link);
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-headers", &format!("Host: {address}\r\n"), "-analyzeduration", "2000000"])
        .args(["-show_entries", "stream=codec_name,sample_rate:program_tags=service_name", "-of", "compact"])
        .arg(format!("http://{}{path}", running.guest.address()))
        .output()
        .expect("ffprobe starts");
    let said = String::from_utf8_lossy(&probed.stdout);
    println!("{what}: {}", said.trim().replace('\n', "; "));
    assert!(said.contains("s302m") && said.contains("48000"), "{what}: {said}{probed:?}");
}

impl Running<'_> {
    /// What the box knew is gone, as on the first day.
    fn forget(&self) {
        self.guest.done("rm -rf \"/box$(sed -n 's/^STATE=//p' /box/etc/init.d/stbcast)\"/[!l]*");
    }
}
