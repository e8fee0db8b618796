//! The board files: all that are shipped pass, and each rule refuses a board that breaks it, with file, line and reason.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../boards/facts.rs"]
mod facts;
#[path = "../boards/judge.rs"]
mod judge;
#[path = "../boards/keys.rs"]
mod keys;
#[path = "../boards/rules.rs"]
mod rules;

use facts::{Facts, Value, known_boards, load};
use keys::KEYS;

/// The board files of this source tree.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("boards")
}

/// A directory with the shipped boards and one more, `broken`.
struct Boards(PathBuf);

impl Boards {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("stbcast-boards-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        for board in known_boards(&shipped()) {
            let file = format!("{board}.toml");
            fs::copy(shipped().join(&file), directory.join(&file)).unwrap();
        }
        Self(directory)
    }

    /// What the build says of a board of these lines.
    fn judge(&self, lines: &str) -> Result<Facts, Vec<String>> {
        fs::write(self.0.join("broken.toml"), lines).unwrap();
        let facts = load(&self.0, "broken")?;
        rules::check(&facts).map(|()| facts)
    }
}

impl Drop for Boards {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_board_that_is_shipped_passes() {
    let boards = known_boards(&shipped());
    assert!(boards.len() >= 5 && boards.contains(&"host".into()), "{boards:?}");
    for board in &boards {
        let broken = load(&shipped(), board).and_then(|facts| rules::check(&facts)).err().unwrap_or_default();
        assert!(broken.is_empty(), "board '{board}':\n{}", broken.join("\n"));
    }
}

#[test]
fn every_key_is_explained_once_and_base_has_it() {
    let base = load(&shipped(), "base").unwrap();
    for (i, (key, _, doc)) in KEYS.iter().enumerate() {
        assert!(doc.len() > 15 && doc.ends_with('.'), "{key}: {doc}");
        assert!(KEYS[..i].iter().all(|(other, ..)| other != key), "{key} is there twice");
        assert!(base.contains_key(*key), "base.toml does not say {key}");
    }
}

/// Lines of a board that inherits `base`, the key that is to blame, and part of the reason.
const BROKEN: &[(&str, &str, &str)] = &[
    ("target = \"mips-unknown-linux-musl\"", "target", "armv7, aarch64 or x86_64"),
    ("target = \"x86_64-pc-windows-gnu\"", "target", "with Linux"),
    ("target = \"armv7-unknown-linux-musl\"", "target", "musleabihf, gnueabihf"),
    ("cpu = \"\"", "cpu", "rustc --print target-cpus"),
    ("cpu = \"native\"", "cpu", "the machine that builds"),
    (
        "cpu = \"cortex-a53\"",
        "cpu",
        "is no core of it (target = \"x86_64-unknown-linux-gnu\" in boards/base.toml:",
    ),
    ("target_features = \"neon\"", "target_features", "begin with + or -"),
    ("target_features = \"+thumb-mode\"", "target_features", "only ARMv7 has Thumb-2"),
    ("target_features = \"+neon\"", "target_features", "the core has none (has_neon = false"),
    ("target_features = \"+aes\"", "target_features", "the core has none (has_aes = false"),
    ("target_features = \"+crt-static\"", "target_features", "glibc that is linked in"),
    ("has_neon = true", "has_neon", "a PC has no NEON"),
    ("has_aes = true", "has_aes", "only aarch64"),
    ("features = \"cli\"", "features", "no stbcastd"),
    ("features = \"box,cloud\"", "features", "cloud is no part of a box's firmware"),
    ("features = \"box,cli\"", "features", "cli is no part of a box's firmware"),
    ("panic = \"loud\"", "panic", "message, silent"),
    ("kernel_arch = \"aarch64\"", "kernel_arch", "runs on x86_64"),
    ("kernel_floor = \"new\"", "kernel_floor", "a version, such as 3.10"),
    ("kernel_floor = \"3.4\"\nentropy = \"device\"", "kernel_floor", "a call of 3.5"),
    (
        "kernel_floor = \"3.10\"",
        "entropy",
        "3.17: must be device (kernel_floor = \"3.10\" in boards/broken.toml:2)",
    ),
    ("entropy = \"dice\"", "entropy", "getrandom, device"),
    ("entropy_wait_s = 3600", "entropy_wait_s", "never will be"),
    ("page_bytes = 5000", "page_bytes", "power of two"),
    ("page_bytes = 16384", "page_bytes", "its pages are [4096]"),
    ("ring_bytes = 16171009", "ring_bytes", "multiple of 192512; the nearest is 16171008"),
    ("ring_bytes = 192512", "ring_bytes", "no GOP"),
    ("audio_ring_bytes = 192513", "audio_ring_bytes", "multiple of 192512; the nearest is 192512"),
    ("audio_ring_bytes = 192512", "audio_ring_bytes", "half of it"),
    ("rings = 40\nring_share_mb = 1000", "rings", "at most 31"),
    (
        "rings = 30\nring_share_mb = 1000",
        "rings",
        "at most 31 with those of audio, a bit each in the routes (audio_rings = 2",
    ),
    ("audio_rings = 3", "audio_rings", "exceed the share of all rings (audio_ring_bytes = 962560"),
    ("rings = 5", "rings", "exceed their share (ring_bytes = 16171008 in boards/base.toml:"),
    ("inputs = 17", "inputs", "more than there are muxes"),
    ("input_buffer_bytes = 100000", "input_buffer_bytes", "loses datagrams"),
    ("input_buffer_bytes = 2000000000", "input_buffer_bytes", "at most 1 GiB"),
    ("services_per_mux = 65", "services_per_mux", "1 to 64"),
    ("components = 17", "components", "1 to 16"),
    ("channels = 4097", "channels", "1 to 4096"),
    ("sources = 5000", "sources", "no more than channels"),
    ("bouquets = 256", "bouquets", "a byte each"),
    ("groups_per_channel = 65", "groups_per_channel", "1 to 64"),
    ("guide_events = 1", "guide_events", "64 bytes each"),
    ("guide_text_bytes = 8000", "guide_text_bytes", "the longest event"),
    ("head_bytes = 512", "head_bytes", "a browser's head"),
    ("connections = 70000", "connections", "a descriptor each"),
    ("listeners = 65", "listeners", "a descriptor each"),
    ("local_peers = 65", "local_peers", "a descriptor each"),
    ("streams_per_terminal = 300", "streams_per_terminal", "1 to 255"),
    ("hls_sessions = 2000", "hls_sessions", "1 to 1024"),
    ("heads = 65", "heads", "more than connections"),
    ("connections_per_source = 65", "connections_per_source", "more than connections"),
    ("silence_max_ms = 9999", "silence_max_ms", "joined anew"),
    ("scan_timeout_ms = 5000", "scan_timeout_ms", "a NIT may take 5 s"),
    ("linger_ms = 4000000", "linger_ms", "another's"),
    ("start_age_max_ms = 99", "start_age_max_ms", "too far behind"),
    ("survey_every_ms = 1000", "survey_every_ms", "up to 10 s"),
    ("charset_override = \"latin\"", "charset_override", "none, gbk, utf-8"),
    ("authority = \"me\"", "authority", "vendor, import, scan"),
    ("pair_consent = \"yes\"", "pair_consent", "always, owner, never"),
    ("clock_source = \"sun\"", "clock_source", "rtc, ntp, none"),
    ("seal = \"wax\"", "seal", "file, none"),
    ("init = \"upstart\"", "init", "systemd, procd, sysv"),
    ("log_sink = \"file\"", "log_sink", "stderr, syslog, kmsg"),
    ("state_filesystem = \"ntfs\"", "state_filesystem", "ext4"),
    ("lan_interfaces = \"eth0,a/b\"", "lan_interfaces", "'a/b' is no interface"),
    ("iptv_interface = \"eth0 1\"", "iptv_interface", "'eth0 1' is no interface"),
    ("wan_interface = \"interface-with-a-long-name\"", "wan_interface", "15 bytes"),
    ("lan_interfaces = \"br0,eth1\"\nwan_interface = \"eth1\"", "wan_interface", "all the world"),
    ("listen = \"8800\"", "listen", "an address and a port"),
    ("listen = \"0.0.0.0:0\"", "listen", "nobody finds"),
    ("listen = \"0.0.0.0:80\"", "listen", "below 1024 is root's"),
    ("socket_path = \"stbcast.sock\"", "socket_path", "begin with /"),
    ("ca_file = \"roots.pem\"", "ca_file", "begin with /"),
    ("state_path = \"/\"", "state_path", "a directory below"),
    ("state_path = \"/run/stbcast\"", "state_path", "gone with the power"),
    ("frontends = \"dvb0\"\ngroups = \"video\"", "frontends", "must be a device"),
    (
        "frontends = \"/dev/dvb/adapter0/frontend0\"",
        "frontends",
        "in no group that may open them (user = \"stbcast\"",
    ),
    ("demuxes = \"/dev/dvb/adapter0/demux0\"", "demuxes", "of no tuner"),
    ("user = \"Me\"", "user", "lower case"),
    ("user = \"root\"", "user", "would own the box"),
    ("uid = 0", "uid", "is root"),
    ("uid = 65534", "uid", "nobody's"),
    ("groups = \"video,root\"", "groups", "'root' is no group for it"),
    ("control_group = \"TV\"", "control_group", "a group's name"),
    ("view_group = \"a b\"", "view_group", "a group's name"),
    ("watchdog = \"dog\"", "watchdog", "none, systemd or a device"),
    (
        "watchdog = \"systemd\"\ninit = \"sysv\"",
        "watchdog",
        "is not what starts it (init = \"sysv\" in boards/broken.toml:3)",
    ),
    ("image_bytes_max = 500000", "image_bytes_max", "more than 600 kB"),
    ("pss_kib_max = 512", "pss_kib_max", "1024 KiB"),
    ("start_instructions_max = 1000", "start_instructions_max", "a million"),
];

#[test]
fn each_rule_refuses_a_board_that_breaks_it_and_names_file_and_line() {
    let boards = Boards::new("rules");
    for (lines, key, reason) in BROKEN {
        let broken = boards.judge(&format!("inherit = \"base\"\n{lines}\n")).err();
        let broken = broken.unwrap_or_else(|| panic!("{lines} passes"));
        let line = 2 + lines.lines().position(|line| line.starts_with(&format!("{key} ="))).unwrap_or(0);
        let named = |why: &&String| why.contains(&format!(": {key} = ")) && why.contains(reason);
        let why = broken.iter().find(named).unwrap_or_else(|| panic!("{lines}: {broken:#?}"));
        let own = lines.contains(&format!("{key} ="));
        let at = if own { format!("boards/broken.toml:{line}: ") } else { "boards/base.toml:".into() };
        assert!(why.starts_with(&at), "{why}");
    }
}

#[test]
fn arm_boards_have_rules_of_their_own() {
    let boards = Boards::new("arm");
    for (board, lines, reason) in [
        ("armv7", "kernel_arch = \"x86_64\"", "runs on arm or aarch64 (target = \"armv7"),
        ("armv7", "has_aes = true", "only aarch64 programs use them"),
        ("armv7", "ring_share_mb = 2048", "mapped twice"),
        ("armv7", "cpu = \"x86-64\"", "is no core of it"),
        ("armv7", "has_neon = false", "+neon: the core has none"),
        ("aarch64", "kernel_arch = \"arm\"", "runs on aarch64"),
        ("aarch64", "has_neon = false", "every aarch64 core"),
        ("aarch64", "kernel_floor = \"3.18\"", "begin with 4.1"),
        ("aarch64", "page_bytes = 65536", "whole pages (page_bytes = 65536"),
        ("aarch64", "page_bytes = 8192", "[4096, 16384, 65536]"),
        ("aarch64", "target_features = \"+thumb-mode\"", "only ARMv7 has Thumb-2"),
    ] {
        let broken = boards.judge(&format!("inherit = \"generic-{board}\"\n{lines}\n")).unwrap_err();
        assert!(broken.iter().any(|why| why.contains(reason)), "{board}, {lines}: {broken:#?}");
    }
    // A 64-bit kernel with a 32-bit userland is what many boxes have.
    boards.judge("inherit = \"generic-armv7\"\nkernel_arch = \"aarch64\"\n").unwrap();
    boards
        .judge("inherit = \"base\"\ngroups = \"video\"\nfrontends = \"/dev/dvb/adapter0/frontend0\"\n")
        .unwrap();
}

#[test]
fn an_unknown_key_board_or_type_is_refused_with_what_there_is() {
    let boards = Boards::new("words");
    let says = |lines: &str, parts: &[&str]| {
        let broken = boards.judge(lines).unwrap_err();
        assert!(broken.iter().any(|why| parts.iter().all(|part| why.contains(part))), "{lines}: {broken:#?}");
    };
    says(
        "inherit = \"base\"\n\nring = 4\n",
        &["boards/broken.toml:3: unknown key 'ring'", "ring_bytes, rings,"],
    );
    says("inherit = \"bass\"\n", &["there is no boards/bass.toml", "base, ", "host"]);
    says("inherit = \"../broken\"\n", &["there is no boards/../broken.toml"]);
    says("inherit = \"broken\"\n", &["'broken' inherits from itself"]);
    says("inherit = 7\n", &["boards/broken.toml:1: inherit names a board"]);
    says("inherit = \"base\"\nrings = 4 5\n", &["boards/broken.toml:2: "]);
    says("rings = 4\n", &["'target' is missing"]);
    says("inherit = \"base\"\nrings = [4]\n", &["boards/broken.toml:2: rings is neither a string"]);
    says(
        "inherit = \"base\"\nrings = 0\n",
        &["boards/broken.toml:2: rings = 0: must be a number above zero"],
    );
    says("inherit = \"base\"\nuid = -1\n", &["uid = -1: must be a number above zero"]);
    says("inherit = \"base\"\nstreams_per_terminal = 65536\n", &["that fits (u16)"]);
    for (key, kind, _) in KEYS {
        let wrong = if *kind == "&str" { "7" } else { "\"7\"" };
        says(
            &format!("inherit = \"base\"\n# the next line is wrong\n{key} = {wrong}\n"),
            &["boards/broken.toml:3: ", &format!("{key} = {wrong}: must be ")],
        );
    }
}

#[test]
fn an_inherited_value_is_blamed_where_it_stands() {
    let boards = Boards::new("inherited");
    fs::write(boards.0.join("parent.toml"), "inherit = \"base\"\n\n# too many\nrings = 29\n").unwrap();
    let broken = boards.judge("inherit = \"parent\"\nring_share_mb = 128\n").unwrap_err();
    assert_eq!(broken.len(), 1, "{broken:#?}");
    assert!(broken[0].starts_with("boards/parent.toml:4: rings = 29: "), "{broken:#?}");
    assert!(broken[0].contains("ring_share_mb = 128 in boards/broken.toml:2"), "{broken:#?}");
    // All that is wrong is said at once.
    let broken = boards.judge("inherit = \"base\"\nuid = 0\nseal = \"\"\npage_bytes = 3\n").unwrap_err();
    assert!(broken.len() >= 3, "{broken:#?}");
    let heir = boards.judge("inherit = \"parent\"\nring_share_mb = 512\n").unwrap();
    assert_eq!(
        (&heir["rings"].value, &heir["init"].value),
        (&Value::Number(29), &Value::Text("systemd".into()))
    );
}
