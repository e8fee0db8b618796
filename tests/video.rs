//! The box with a video device that gives a transport stream: v4l2loopback on a real kernel, and a program that plays the
//! encoder. `scripts/check video` builds the program with feature `v4l` for a 64-bit box, and runs this.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "guest/machine.rs"]
mod machine;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use machine::{Guest, disk, scripts};
use support::http::Viewer;
use support::rap::starts_clean;
use support::stb::{Dir, demo, wait_at_most};
use support::ts::{contiguous_run, elementary, judge, packets, uncounted};

/// Bits a second of the committed mux.
const RATE: u32 = 1_299_456;
/// The box is emulated.
const SLOW: Duration = Duration::from_secs(60);
/// The elementary PIDs of channel 1 of the committed mux.
const PIDS: [u16; 2] = [0x101, 0x102];

/// A guest with a device, the box's program and an encoder.
struct Encoder {
    guest: Guest,
    _dir: Dir,
}

impl Encoder {
    fn new() -> Self {
        let dir = Dir::new();
        let share = dir.path().join("share");
        fs::create_dir(&share).unwrap();
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("video/stbcastd");
        fs::copy(&built, share.join("stbcastd"))
            .unwrap_or_else(|why| panic!("{}: {why}; scripts/check video makes it", built.display()));
        fs::copy(demo(), share.join("demo.ts")).unwrap();
        let mut gcc = Command::new("aarch64-linux-gnu-gcc");
        gcc.args(["-O2", "-static", "-o"]).arg(share.join("play")).arg(scripts().join("play.c"));
        assert!(gcc.status().expect("the cross compiler starts").success());
        let guest = Guest::boot("arm64", &share, &disk(dir.path().join("disk")), &["--v4l"]);
        guest.done(
            "echo root:x:0:0:root:/:/bin/sh >/etc/passwd; echo root:x:0: >/etc/group; \
             chmod 666 /dev/video0; cp /mnt/stbcastd /mnt/play /mnt/demo.ts /tmp; chmod 666 /tmp/demo.ts",
        );
        Self { guest, _dir: dir }
    }

    /// The encoder begins; its process.
    fn encode(&self) -> String {
        let out = self.guest.done(&format!(
            "/tmp/play -l {RATE} /tmp/demo.ts /dev/video0 </dev/null >/dev/null 2>&1 & echo $!"
        ));
        out.trim().to_owned()
    }

    /// A box with this source; what it says at the end is in /tmp/log.
    fn start(&self, source: &str) {
        self.guest.done(&format!(
            "rm -rf /tmp/state; mkdir -p /tmp/state; \
             /tmp/stbcastd run --state /tmp/state --listen 0.0.0.0:8800 --source '{source}' </dev/null >/tmp/log 2>&1 & \
             echo $! >/tmp/pid; /tmp/stbcastd ready --state /tmp/state"
        ));
    }

    fn stop(&self) {
        self.guest
            .done("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done");
    }

    fn ask(&self, words: &str) -> String {
        self.guest.done(&format!("/tmp/stbcastd {words} --state /tmp/state"))
    }
}

#[test]
#[ignore = "boots a guest: scripts/check video"]
fn a_channel_of_an_encoder_comes_out_exact_by_read_and_by_mapped_buffers() {
    let encoder = Encoder::new();
    let _encodes = encoder.encode();
    let demo = fs::read(demo()).unwrap();
    let sent = uncounted(&elementary(&demo, &PIDS).repeat(2));
    for io in ["read", "mmap"] {
        encoder.start(&format!("v4l:/dev/video0?io={io}"));
        wait_at_most(SLOW, "four channels", || (encoder.ask("channels").lines().count() == 4).then_some(()));
        let link = encoder.ask("link 1 --connections 0").trim().to_owned();
        let mut viewer = Viewer::ask_by(encoder.guest.client(), &link, "");
        assert_eq!(viewer.reply.status, 200, "{io}: {}", viewer.reply.head);
        viewer.watch(400_000);
        let got = viewer.bytes();
        assert_eq!(starts_clean(got), Ok(()), "{io}");
        assert!(judge(got).pids.values().all(|pid| pid.cc_errors == 0), "{io}: {:?}", judge(got).pids);
        let run = contiguous_run(&sent, &uncounted(&elementary(got, &PIDS)));
        assert!(run.is_ok(), "{io}: {run:?}");
        println!("{io}: {} packets, exact; {}", packets(got).0.len(), encoder.ask("status"));
        drop(viewer);
        encoder.stop();
    }
}

#[test]
#[ignore = "boots a guest: scripts/check video"]
fn what_is_no_encoder_is_named_and_an_encoder_that_stops_is_waited_for() {
    let encoder = Encoder::new();
    for (node, why) in [
        ("/dev/video9", "No such file or directory"),
        ("/dev/null", "it is no video device"),
        ("/tmp/demo.ts", "it is no video device"),
    ] {
        encoder.start(&format!("v4l:{node}"));
        wait_at_most(SLOW, why, || {
            let said = encoder.ask("status");
            (said.contains(node) && said.contains(why)).then_some(())
        });
        encoder.stop();
    }
    // The device refuses what it does not have: nobody encodes, and its format is fixed to pictures.
    encoder.guest.done("chmod 600 /dev/video0");
    encoder.start("v4l:/dev/video0");
    wait_at_most(SLOW, "no permission", || encoder.ask("status").contains("Permission denied").then_some(()));
    encoder.stop();
    encoder.guest.done("chmod 666 /dev/video0");

    let first = encoder.encode();
    encoder.start("v4l:/dev/video0");
    wait_at_most(SLOW, "four channels", || (encoder.ask("channels").lines().count() == 4).then_some(()));
    let link = encoder.ask("link 1 --connections 0").trim().to_owned();
    let mut viewer = Viewer::ask_by(encoder.guest.client(), &link, "");
    viewer.watch(200_000);
    encoder.guest.done(&format!("kill {first}"));
    std::thread::sleep(Duration::from_secs(6));
    let before = viewer.bytes().len();
    let _second = encoder.encode();
    viewer.watch(before + 200_000);
}
