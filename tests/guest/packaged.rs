//! A package of the firmware, installed in a guest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::machine::{Guest, disk, scripts};
use super::support::http::{Reply, Viewer, request_by};
use super::support::rap::starts_clean;
use super::support::stb::{Dir, demo, wait_at_most};
use super::support::ts::{judge, packets, pcr};

/// Where the box is, as it says itself.
const ADDRESS: &str = "http://10.0.2.15:8800";
/// What the demo mux has.
const CHANNELS: usize = 4;
/// The box is emulated: what takes a second at home takes some here.
const SLOW: Duration = Duration::from_secs(60);
/// Seconds of stream that are looked at.
const WATCHED: f64 = 8.0;

/// What is installed where.
pub(super) struct Case {
    /// Of `tests/guest/boot`.
    pub(super) machine: &'static str,
    pub(super) board: &'static str,
    /// How the name of its package ends.
    pub(super) package: &'static str,
}

/// A box that is switched off: its package and its disk.
pub(super) struct Packaged {
    case: &'static Case,
    dir: Dir,
}

/// The same, running.
pub(super) struct Running<'a> {
    pub(super) guest: Guest,
    packaged: &'a Packaged,
}

impl Packaged {
    /// With an empty disk.
    pub(super) fn new(case: &'static Case) -> Self {
        let dir = Dir::new();
        let share = dir.path().join("share");
        fs::create_dir(&share).unwrap();
        fs::copy(case.package(), share.join(format!("stbcast{}", case.package))).unwrap();
        fs::copy(scripts().join("box"), share.join("box")).unwrap();
        fs::copy(demo(), share.join("demo.ts")).unwrap();
        disk(dir.path().join("disk"));
        Self { case, dir }
    }

    /// Switches it on and waits until it knows its channels.
    pub(super) fn boot(&self) -> Running<'_> {
        self.boot_as(&[])
    }

    /// The same with more options of `tests/guest/boot`.
    pub(super) fn boot_as(&self, more: &[&str]) -> Running<'_> {
        let running = self.start(more, &["source = file:/mnt/demo.ts?loop"]);
        running.wait_channels(CHANNELS);
        running
    }

    /// Switches it on with more options of `tests/guest/boot`, and with these settings.
    pub(super) fn start(&self, more: &[&str], settings: &[&str]) -> Running<'_> {
        self.start_after(more, "true", settings)
    }

    /// The same once the guest has done something.
    pub(super) fn start_after(&self, more: &[&str], first: &str, settings: &[&str]) -> Running<'_> {
        let guest = self.guest(more);
        guest.done(first);
        let settings: String = settings.iter().map(|line| format!(" '{line}'")).collect();
        guest.done(&format!("/mnt/box install /mnt/stbcast{}{settings}", self.case.package));
        guest.done("/mnt/box boot");
        let running = Running { guest, packaged: self };
        // As an updater asks: would it run with this state, and does it?
        running.stbcastd("check --config /etc/stbcast/stbcast.conf");
        let said = running.guest.run("/mnt/box service start");
        assert_eq!(said.code, 0, "{}; log: {}", said.out, running.log());
        running.stbcastd("ready");
        let most = running.guest.done("cat /proc/sys/net/core/rmem_max");
        assert_eq!(
            most.trim().parse(),
            Ok(self.case.fact("input_buffer_bytes")),
            "the most of a socket's buffer"
        );
        running
    }

    /// Boots the machine, and leaves the box switched off.
    pub(super) fn guest(&self, more: &[&str]) -> Guest {
        Guest::boot(self.case.machine, &self.shared(""), &self.dir.path().join("disk"), more)
    }

    /// A file that the guest has in /mnt.
    pub(super) fn shared(&self, name: &str) -> PathBuf {
        self.dir.path().join("share").join(name)
    }
}

impl Case {
    /// The package, where `scripts/image` puts it.
    fn package(&self) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let packages = target.join("image").join(self.board).join("packages");
        let files = fs::read_dir(&packages).unwrap_or_else(|why| {
            panic!("{}: {why}; scripts/image {} makes it", packages.display(), self.board)
        });
        let mut files = files.map(|file| file.unwrap().path());
        files.find(|path| path.to_str().is_some_and(|path| path.ends_with(self.package))).unwrap_or_else(
            || {
                panic!(
                    "{} has no {}; scripts/image {} makes it",
                    packages.display(),
                    self.package,
                    self.board
                )
            },
        )
    }

    /// A fact of the board, as `scripts/board` prints it.
    fn fact(&self, key: &str) -> u64 {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/board");
        let shown = Command::new(script).args(["show", self.board]).output().expect("scripts/board starts");
        let shown = String::from_utf8(shown.stdout).expect("facts are text");
        let value = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{}: no '{key}'", self.board))
    }
}

impl Running<'_> {
    /// What `stbcastd` prints there, asked by root.
    pub(super) fn stbcastd(&self, words: &str) -> String {
        self.guest.done(&format!("/mnt/box in stbcastd {words}"))
    }

    /// Waits until it lists so many channels; the list.
    pub(super) fn wait_channels(&self, count: usize) -> String {
        wait_at_most(SLOW, &format!("{count} channels"), || {
            Some(self.stbcastd("channels")).filter(|list| list.lines().count() == count)
        })
    }

    /// A link to a channel, as it is printed there.
    pub(super) fn link(&self, number: u16) -> String {
        self.stbcastd(&format!("link {number} --connections 0")).trim().to_owned()
    }

    /// Fetches a URL of the box.
    pub(super) fn get(&self, url: &str) -> Reply {
        request_by(self.guest.client(), "GET", url, "")
    }

    /// Watches a link of the box.
    pub(super) fn viewer(&self, link: &str) -> Viewer {
        let viewer = Viewer::ask_by(self.guest.client(), link, "");
        assert_eq!(viewer.reply.status, 200, "{link}: {}{}", viewer.reply.head, self.log());
        viewer
    }

    /// All that the box wrote.
    pub(super) fn log(&self) -> String {
        self.guest.run("cat /box/run/messages").out
    }

    /// It is nobody but its user, on a root file system that cannot be written.
    pub(super) fn is_set_up_right(&self) {
        assert_ne!(self.guest.run("/mnt/box in touch /written").code, 0, "the root is read-only");
        let said = self
            .guest
            .done("for p in $(/mnt/box processes); do grep -E '^(Uid|CapEff):' /proc/$p/status 2>/dev/null; done; true");
        for line in said.lines() {
            let (name, value) = line.split_once(':').unwrap();
            match name {
                "CapEff" => assert_eq!(value.trim().trim_matches('0'), "", "it has capabilities: {said}"),
                _ => assert!(value.split_whitespace().all(|uid| uid != "0"), "it is root: {said}"),
            }
        }
        assert!(said.lines().count() >= 2, "{said}");
        let manifest = self.stbcastd("manifest /usr/bin/stbcastd");
        assert!(manifest.contains(self.packaged.case.board), "{manifest}");
        self.stbcastd("commit");
    }

    /// What it takes while nobody watches, beside the rings, is within its board's budget.
    pub(super) fn idles_within_its_budget(&self) {
        // The process that writes state may end meanwhile.
        const SUM: &str = r#"for p in $(/mnt/box processes); do cat /proc/$p/smaps 2>/dev/null; done | awk '
            /^[0-9a-f]+-[0-9a-f]+ /{ring=/memfd:stbcast-ring/} /^Pss:/{sum[ring]+=$2}
            END{print sum[0]+0, sum[1]+0}'"#;
        let sums = self.guest.done(SUM);
        let [beside, rings] = numbers(&sums)[..] else { panic!("{sums}") };
        let threads = self.guest.done("ls /proc/$(/mnt/box processes | head -1)/task | wc -l");
        let case = self.packaged.case;
        let most = case.fact("pss_kib_max");
        println!(
            "{} on {}: idle PSS {beside} KiB beside {rings} KiB of rings (budget {most}), {} threads",
            case.board,
            case.machine,
            threads.trim()
        );
        assert!(beside <= most, "{beside} KiB, and the budget is {most}");
        assert_eq!(threads.trim(), "1");
    }

    /// A stranger learns what it is; who has a link gets the channel of that link, whole.
    pub(super) fn serves(&self) {
        let about = self.get(&format!("{ADDRESS}/api/v1/box"));
        assert_eq!(about.status, 200);
        assert!(about.text().contains("stbcast"), "{}", about.text());
        assert_eq!(self.get(&format!("{ADDRESS}/api/v1/channels")).status, 401);
        for (channel, name) in [(1, "综合频道 One HD"), (2, "Télé Été Ö")] {
            let mut viewer = self.viewer(&self.link(channel));
            while seconds(viewer.watch_on(20_000)) < WATCHED {}
            assert!(self.stbcastd("status").contains(" 1 viewer"), "{}", self.stbcastd("status"));
            let report = judge(viewer.bytes());
            for (pid, counts) in &report.pids {
                assert_eq!(
                    (counts.cc_errors, counts.duplicates),
                    (0, 0),
                    "PID {pid:#06x} of channel {channel}"
                );
            }
            assert_eq!((report.crc_errors, starts_clean(viewer.bytes())), (0, Ok(())));
            assert_eq!(report.pat_programs[0].0, 1000 + channel);
            assert_eq!(report.sdt_services[0].name_raw, [b"\x15", name.as_bytes()].concat());
        }
    }

    /// Its init script stops it, and it ends by itself.
    pub(super) fn stops(&self) {
        let said = self.guest.done("/mnt/box service stop");
        assert!(said.contains("stopped") && !said.contains("killed"), "{said}");
        assert_eq!(self.guest.run("/mnt/box service status").code, 3, "as LSB says of what does not run");
        assert_ne!(self.guest.run("pidof stbcastd").code, 0, "no process is left behind");
    }

    /// Is let go by its power while it streams and one write to flash follows the other. Gives the number that was
    /// acknowledged last: the name of slot `slot` ended with it.
    pub(super) fn loses_power(self, slot: u16) -> u64 {
        let _viewer = self.viewer(&self.link(1));
        let acknowledged = self.packaged.shared("acknowledged");
        self.guest.done(&format!(
            "(n=0; while /mnt/box in stbcastd rename {slot} TV-$n; do echo $n >/mnt/acknowledged; n=$((n + 1)); done) \
             </dev/null >/dev/null 2>&1 &"
        ));
        let last = || fs::read_to_string(&acknowledged).ok().and_then(|text| text.trim().parse::<u64>().ok());
        wait_at_most(SLOW, "five writes", || last().filter(|n| *n >= 5));
        self.guest.cut_power();
        last().unwrap()
    }
}

impl Running<'_> {
    /// From the first instruction of its start until it has run for a second it takes no more than its board allows.
    /// For a guest that counts instructions (`--count`), whose processor time is their number.
    pub(super) fn starts_within_its_budget(&self) {
        self.counts_right();
        let most = self.packaged.case.fact("start_instructions_max");
        for start in 1..=3 {
            self.guest.done("/mnt/box service stop");
            self.guest.done("/mnt/box service start");
            // On the processor, in nanoseconds; for how long it waited for that; how often it got it.
            let times = self
                .guest
                .done("for p in $(/mnt/box processes); do cat /proc/$p/schedstat 2>/dev/null; done; true");
            let count: u64 = times.lines().map(|line| numbers(line)[0]).sum();
            println!("{}: start {start} in {count} instructions (budget {most})", self.packaged.case.board);
            assert!(count <= most);
        }
    }

    /// A loop of known length takes as many nanoseconds as it has instructions, to 5 %.
    fn counts_right(&self) {
        const LOOPS: u32 = 200_000_000;
        let program = self.packaged.shared("counted");
        fs::write(&program, counted(LOOPS)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let times =
            self.guest.done("read a b </proc/uptime; /mnt/counted; read c d </proc/uptime; echo $a $c");
        let times: Vec<f64> = times.split_whitespace().map(|seconds| seconds.parse().unwrap()).collect();
        let ratio = (times[1] - times[0]) * 1e9 / (2.0 * f64::from(LOOPS));
        assert!((0.95..1.05).contains(&ratio), "{ratio} ns for an instruction");
    }
}

/// A program of two instructions, done `count` times: an ELF file for AArch64 that uses no library.
fn counted(count: u32) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let [high, low] = [count >> 16, count & 0xffff];
    let code = [
        0xd280_0000 | low << 5,  // movz x0, low
        0xf2a0_0000 | high << 5, // movk x0, high, lsl 16
        0xf100_0400,             // subs x0, x0, 1
        0x54ff_ffe1,             // b.ne to the instruction before
        0xd280_0ba8,             // movz x8, 93: exit, with what x0 has come to
        0xd400_0001,             // svc 0
    ];
    let size = HEADERS + 4 * code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for half in [2u16, 183] {
        elf.extend(half.to_le_bytes()); // ET_EXEC, EM_AARCH64
    }
    elf.extend(1u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes()); // entry, program headers, no sections
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for word in [1u32, 5] {
        elf.extend(word.to_le_bytes()); // PT_LOAD, to be read and executed
    }
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(code.iter().flat_map(|word| word.to_le_bytes()));
    elf
}

/// The numbers of a line.
fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Seconds of stream in `bytes`, by its PCRs.
fn seconds(bytes: &[u8]) -> f64 {
    let whole = &bytes[..bytes.len() / 188 * 188];
    let pcrs: Vec<u64> = packets(whole).0.iter().filter_map(pcr).collect();
    let steps = pcrs.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    steps.map(|ticks| ticks as f64 / 27e6).sum()
}
