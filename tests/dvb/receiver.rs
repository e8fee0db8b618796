//! A box in a guest that has a tuner, two muxes in reach of it, and phones.

use std::fs;
use std::time::Duration;

use super::air::{Air, DEMO_RATE, bring_play, record};
use super::packaged::{Case, Packaged, Running};
use super::support::http::Viewer;
use super::support::mux::{Codec, MuxBuilder, Service};
use super::support::stb::{number, wait_at_most};
use super::support::ts::packets;

/// The box is emulated: what takes a second at home takes some here.
pub(super) const SLOW: Duration = Duration::from_secs(60);
/// Where the demo mux is, and where the other one is.
pub(super) const DEMO: u32 = 474_000_000;
pub(super) const OTHER: u32 = 482_000_000;
/// The number of the other mux's channel.
pub(super) const OTHER_CHANNEL: u16 = 5;
/// The other mux's transport stream, service and rate.
const OTHER_TSID: u16 = 77;
const OTHER_SID: u16 = 2001;
const OTHER_RATE: u32 = 1_500_000;

/// The service of the other mux.
pub(super) fn other_service() -> Service {
    Service::tv(OTHER_SID, "Other", Codec::H264, 1_000_000)
}

/// A box that is switched off, with both muxes as files and a list of their channels.
pub(super) fn packaged(case: &'static Case) -> Packaged {
    let packaged = Packaged::new(case);
    bring_play(&packaged, case.machine);
    let mux = MuxBuilder { tsid: OTHER_TSID, ..MuxBuilder::new(&[other_service()], 10) };
    record(&packaged, "other.ts", packets(&mux.build()).0);
    let channel = |number: u16, name: &str, service: u16, frequency: u32| {
        format!(
            "[{name}]\n SERVICE_ID = {service}\n VCHANNEL = {number}\n FREQUENCY = {frequency}\n \
             BANDWIDTH_HZ = 8000000\n MODULATION = QAM/64\n DELIVERY_SYSTEM = DVBT\n"
        )
    };
    let mut list: String = (1..=4).map(|n| channel(n, &format!("Demo {n}"), 1000 + n, DEMO)).collect();
    list.push_str(&channel(OTHER_CHANNEL, "Other", OTHER_SID, OTHER));
    fs::write(packaged.shared("channels.conf"), list).unwrap();
    packaged
}

/// The options of a guest in which both muxes can be received, from what is injected.
pub(super) const BOTH: [&str; 5] = [
    "--seconds",
    "900",
    "--dvb=inject=1",
    "--parameter",
    "dvb_vidtv_bridge.vidtv_valid_dvb_t_freqs=474000000,482000000",
];

/// Switches the box on, whose tuner is its own, and knows the channels by a list.
pub(super) fn start(packaged: &Packaged) -> Running<'_> {
    packaged.start(&BOTH, &SETTINGS)
}

/// The same, and it tells more of what it does.
pub(super) fn start_talkative(packaged: &Packaged) -> Running<'_> {
    packaged.start(&BOTH, &[&SETTINGS[..], &["log = debug"]].concat())
}

const SETTINGS: [&str; 3] = ["source = dvb:0", "tuner-owner = box", "import = /mnt/channels.conf"];

/// Broadcasts both muxes.
pub(super) fn on_air<'a>(running: &'a Running<'_>) -> [Air<'a>; 2] {
    running.guest.done("cp /mnt/play /mnt/demo.ts /mnt/other.ts /tmp");
    let both = [
        Air::start(&running.guest, &format!("-l {DEMO_RATE} /tmp/demo.ts /dev/vidtv_inject@{DEMO}")),
        Air::start(&running.guest, &format!("-l {OTHER_RATE} /tmp/other.ts /dev/vidtv_inject@{OTHER}")),
    ];
    // The box may have looked already when there was nothing but the signal.
    wait_at_most(SLOW, "packets", || {
        (!running.stbcastd("status --json").contains("\"state\":\"silent\"")).then_some(())
    });
    both
}

impl Running<'_> {
    /// A phone that watches a channel.
    pub(super) fn watches(&self, channel: u16) -> Viewer {
        let mut viewer = self.viewer(&self.link(channel));
        viewer.watch(50_000);
        viewer
    }

    /// The number behind `name` in the lines of `status` that have one, added up.
    pub(super) fn counted(&self, name: &str) -> u64 {
        let status = self.stbcastd("status --json");
        let key = format!("\"{name}\":");
        status.lines().filter(|line| line.contains(&key)).map(|line| number(line, name)).sum()
    }

    /// Waits until no stream of the box's runs.
    pub(super) fn wait_quiet(&self) {
        wait_at_most(SLOW, "no viewer", || self.stbcastd("status").contains(" 0 viewers").then_some(()));
    }

    /// What the box takes: its processes, their proportional memory in KiB beside the rings, which fill
    /// up, and their open files.
    pub(super) fn takes(&self) -> [u64; 3] {
        const SUM: &str = "n=0; m=0; f=0; for p in $(pidof stbcastd); do n=$((n + 1)); \
            m=$((m + $(awk '/^[0-9a-f]+-/{r=/memfd:stbcast-ring/} /^Pss:/&&!r{s+=$2} END{print s+0}' /proc/$p/smaps))); \
            f=$((f + $(ls /proc/$p/fd | wc -l))); done; echo $n $m $f";
        let said = self.guest.done(SUM);
        let mut numbers = said.split_whitespace().map(|word| word.parse().unwrap());
        std::array::from_fn(|_| numbers.next().unwrap_or_else(|| panic!("{said}")))
    }
}
