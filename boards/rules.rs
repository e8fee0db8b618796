//! What cannot work is refused, with the reason.

use super::facts::Facts;
use super::judge::Judge;

/// Bytes of a ring's grain: 47 pages of 4 KiB, 1024 packets of 188 bytes.
const GRAIN: i64 = 192_512;
/// `PR_SET_NO_NEW_PRIVS`; all else has a way round or is older (epoll, timerfd, signalfd: 2.6.27; sendmmsg: 3.0).
const FLOOR: (u32, u32) = (3, 5);
/// What Rust's aarch64 targets promise to run on.
const FLOOR_AARCH64: (u32, u32) = (4, 1);
/// `getrandom`; `memfd_create` is of the same age, and rings do without it.
const FLOOR_GETRANDOM: (u32, u32) = (3, 17);

/// Every rule that `facts` break, a sentence each.
pub(crate) fn check(facts: &Facts) -> Result<(), Vec<String>> {
    let mut judge = Judge::new(facts)?;
    for rules in [build, kernel, rings, capacities, periods, words, network, devices, system, budgets] {
        rules(&mut judge);
    }
    if judge.broken.is_empty() { Ok(()) } else { Err(judge.broken) }
}

/// What the program is compiled for.
fn build(j: &mut Judge<'_>) {
    let target: Vec<&str> = j.text("target").split('-').collect();
    let (machine, libc) = (target[0], *target.last().unwrap_or(&""));
    let is_linux = target.len() == 4 && target[2] == "linux";
    j.rule(
        "target",
        is_linux && ["armv7", "aarch64", "x86_64"].contains(&machine),
        "must be armv7, aarch64 or x86_64 with Linux, such as armv7-unknown-linux-musleabihf",
    );
    let libcs: &[&str] = if machine == "armv7" { &["musleabihf", "gnueabihf"] } else { &["musl", "gnu"] };
    j.rule("target", libcs.contains(&libc), &format!("its libc must be one of {}", libcs.join(", ")));
    let (cpu, is_pc) = (j.text("cpu"), machine == "x86_64");
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    j.rule("cpu", plain(cpu), "must be a name of `rustc --print target-cpus`");
    j.rule("cpu", cpu != "native", "native is the machine that builds, not the box");
    j.rule_of("cpu", &["target"], cpu == "generic" || cpu.starts_with("x86") == is_pc, "is no core of it");
    for feature in j.list("target_features") {
        let why = |why: &str| format!("{feature}: {why}");
        let key = "target_features";
        j.rule(key, feature.starts_with(['+', '-']), &why("must begin with + or -"));
        let is_thumb = feature == "+thumb-mode";
        j.rule_of(key, &["target"], !is_thumb || machine == "armv7", &why("only ARMv7 has Thumb-2"));
        j.rule_of(key, &["has_neon"], feature != "+neon" || j.flag("has_neon"), &why("the core has none"));
        let is_aes = matches!(feature, "+aes" | "+crypto");
        j.rule_of(key, &["has_aes"], !is_aes || j.flag("has_aes"), &why("the core has none"));
        let is_static = feature == "+crt-static" && libc.starts_with("gnu");
        j.rule_of(
            key,
            &["target"],
            !is_static,
            &why("glibc that is linked in cannot look up users and groups"),
        );
    }
    let is_64 = machine == "aarch64";
    j.rule_of("has_neon", &["target"], j.flag("has_neon") || !is_64, "every aarch64 core has NEON");
    j.rule_of("has_neon", &["target"], !(j.flag("has_neon") && is_pc), "a PC has no NEON");
    j.rule_of("has_aes", &["target"], !j.flag("has_aes") || is_64, "only aarch64 programs use them");
    let features = j.list("features");
    j.rule("features", features.contains(&"box"), "without box there is no stbcastd");
    for other in ["cloud", "cli"] {
        j.rule("features", !features.contains(&other), &format!("{other} is no part of a box's firmware"));
    }
    j.one_of("panic", &["message", "silent"]);
}

/// What it runs on.
fn kernel(j: &mut Judge<'_>) {
    let machine = j.text("target").split('-').next().unwrap_or("");
    let kernels: &[&str] = match machine {
        "armv7" => &["arm", "aarch64"], // a 64-bit kernel may have a 32-bit userland
        "aarch64" => &["aarch64"],
        _ => &["x86_64"],
    };
    let fits = kernels.contains(&j.text("kernel_arch"));
    j.rule_of("kernel_arch", &["target"], fits, &format!("such a program runs on {}", kernels.join(" or ")));
    let floor = version(j.text("kernel_floor"));
    let at_least = |least| floor.is_none_or(|floor| floor >= least);
    j.rule("kernel_floor", floor.is_some(), "must be a version, such as 3.10");
    j.rule("kernel_floor", at_least(FLOOR), "the rights of root are given up for good by a call of 3.5");
    let rust = machine != "aarch64" || at_least(FLOOR_AARCH64);
    j.rule_of("kernel_floor", &["target"], rust, "Rust's aarch64 targets begin with 4.1");
    j.one_of("entropy", &["getrandom", "device"]);
    let has_call = j.text("entropy") != "getrandom" || at_least(FLOOR_GETRANDOM);
    j.rule_of("entropy", &["kernel_floor"], has_call, "the call came with 3.17: must be device");
    j.within("entropy_wait_s", 1, 600, "a box that is not up by then never will be");
    let page = j.number("page_bytes");
    j.rule("page_bytes", page.count_ones() == 1 && page > 0, "must be a power of two");
    let pages: &[i64] = if j.text("kernel_arch") == "aarch64" { &[4096, 16384, 65536] } else { &[4096] };
    j.rule_of("page_bytes", &["kernel_arch"], pages.contains(&page), &format!("its pages are {pages:?}"));
}

/// `major.minor`, and more that does not count.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Memory for streams.
fn rings(j: &mut Judge<'_>) {
    let (bytes, share) = (j.number("ring_bytes"), j.number("ring_share_mb"));
    for key in ["ring_bytes", "audio_ring_bytes"] {
        let bytes = j.number(key);
        let nearest = (bytes / GRAIN).max(1).saturating_mul(GRAIN);
        let why = format!("must be a multiple of {GRAIN}; the nearest is {nearest}");
        j.rule(key, bytes % GRAIN == 0, &why);
        let whole = bytes % j.number("page_bytes").max(1) == 0;
        j.rule_of(key, &["page_bytes"], whole, "must be whole pages");
    }
    j.rule("ring_bytes", bytes >= 8 * GRAIN, "below 1.5 MB no GOP of an HD service fits");
    let (audio_bytes, audio) = (j.number("audio_ring_bytes"), j.number("audio_rings"));
    j.rule("audio_ring_bytes", audio_bytes >= 2 * GRAIN, "below 0.4 MB one read fills half of it");
    let number = j.number("rings").saturating_add(audio);
    j.rule_of(
        "rings",
        &["audio_rings"],
        number <= 31,
        "at most 31 with those of audio, a bit each in the routes",
    );
    let (all, most) = (bytes.saturating_mul(j.number("rings")), share.saturating_mul(1 << 20));
    j.rule_of("rings", &["ring_bytes", "ring_share_mb"], all <= most, "all rings exceed their share");
    let fits = all > most || all.saturating_add(audio_bytes.saturating_mul(audio)) <= most;
    let others = ["audio_ring_bytes", "rings", "ring_bytes", "ring_share_mb"];
    j.rule_of("audio_rings", &others, fits, "beside the others they exceed the share of all rings");
    let is_32 = j.text("target").starts_with("armv7");
    j.rule_of(
        "ring_share_mb",
        &["target"],
        !is_32 || share <= 1024,
        "rings are mapped twice, and a 32-bit program has 3 GiB of addresses",
    );
    let (inputs, buffer) = (j.number("inputs"), j.number("input_buffer_bytes"));
    j.rule_of("inputs", &["sources"], inputs <= j.number("sources"), "more than there are muxes to open");
    j.rule("input_buffer_bytes", buffer >= 1 << 18, "below 256 KiB a tick of 20 ms loses datagrams");
    j.rule("input_buffer_bytes", buffer <= 1 << 30, "the kernel takes at most 1 GiB");
}

/// How much of everything else.
fn capacities(j: &mut Judge<'_>) {
    for (key, least, most, why) in [
        ("services_per_mux", 1, 64, "a bit each"),
        ("components", 1, 16, "no service on air has more"),
        ("channels", 1, 4096, "a record on flash holds no more"),
        ("sources", 1, 4096, "no more than channels"),
        ("bouquets", 1, 255, "a byte each"),
        ("groups_per_channel", 1, 64, "each channel has room for all of them"),
        ("guide_events", 64, 1 << 20, "64 bytes each"),
        ("guide_text_bytes", 8192, 1 << 30, "the longest event takes 8192"),
        ("head_bytes", 1024, 65_536, "a browser's head needs 1024"),
        ("connections", 1, 65_536, "a descriptor each"),
        ("listeners", 1, 64, "a descriptor each"),
        ("local_peers", 1, 64, "a descriptor each"),
        ("hls_sessions", 1, 1024, "a ring each at worst"),
        ("streams_per_terminal", 1, 255, "players that open a stream anew need two"),
    ] {
        j.within(key, least, most, why);
    }
    let connections = j.number("connections");
    j.rule_of("heads", &["connections"], j.number("heads") <= connections, "more than connections");
    let of_one = j.number("connections_per_source");
    j.rule_of("connections_per_source", &["connections"], of_one <= connections, "more than connections");
}

/// How long.
fn periods(j: &mut Judge<'_>) {
    j.within("silence_max_ms", 10_000, 600_000, "a group takes 5 s to be joined anew");
    j.within("scan_timeout_ms", 6000, 600_000, "a NIT may take 5 s, and must come before");
    j.within("linger_ms", 1, 3_600_000, "a ring that nobody watches is another's");
    j.within("start_age_max_ms", 100, 60_000, "an older picture starts a viewer too far behind");
    j.within("survey_every_ms", 10_000, 86_400_000, "a survey takes up to 10 s");
}

/// What is one of a few words.
fn words(j: &mut Judge<'_>) {
    j.one_of("charset_override", &["none", "gbk", "utf-8"]);
    j.one_of("authority", &["vendor", "import", "scan"]);
    j.one_of("pair_consent", &["always", "owner", "never"]);
    j.one_of("clock_source", &["rtc", "ntp", "none"]);
    j.one_of("seal", &["file", "none"]);
    j.one_of("init", &["systemd", "procd", "sysv"]);
    j.one_of("log_sink", &["stderr", "syslog", "kmsg"]);
    j.one_of("state_filesystem", &["any", "ext4", "f2fs", "ubifs", "jffs2", "overlay"]);
}

/// Interfaces, addresses and sockets.
fn network(j: &mut Judge<'_>) {
    for key in ["lan_interfaces", "wan_interface", "iptv_interface"] {
        for name in j.list(key) {
            let is_name = name.len() <= 15 && !name.contains(['/', ':', ' ']);
            j.rule(key, is_name, &format!("'{name}' is no interface: 15 bytes without / : and space"));
        }
    }
    let (lan, wan) = (j.list("lan_interfaces"), j.text("wan_interface"));
    j.rule_of(
        "wan_interface",
        &["lan_interfaces"],
        !lan.contains(&wan),
        "is the LAN's: all the world would come in",
    );
    let listen = j.text("listen").parse::<std::net::SocketAddr>();
    j.rule("listen", listen.is_ok(), "must be an address and a port, such as 0.0.0.0:8800");
    let port = listen.map_or(8800, |address| address.port());
    j.rule("listen", port != 0, "nobody finds a port that changes with each start");
    let may = port >= 1024 || j.text("user").is_empty();
    j.rule_of("listen", &["user"], may, "a port below 1024 is root's, and the user is not root");
    let socket = j.text("socket_path");
    j.rule("socket_path", socket.starts_with('/'), "must begin with /");
    j.rule("socket_path", socket.len() <= 107, "a socket's path has at most 107 bytes");
    j.rule("ca_file", j.text("ca_file").starts_with('/'), "must begin with /");
    let state = j.text("state_path");
    j.rule(
        "state_path",
        state.starts_with('/') && state.len() > 1,
        "must begin with / and be a directory below",
    );
    let is_memory = ["/tmp", "/run", "/var/run", "/dev", "/proc", "/sys"].iter().any(|memory| {
        state.strip_prefix(memory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    j.rule("state_path", !is_memory, "is gone with the power, and with it who was let in");
}

/// Tuners.
fn devices(j: &mut Judge<'_>) {
    for key in ["frontends", "demuxes"] {
        for node in j.list(key) {
            j.rule(
                key,
                node.starts_with("/dev/"),
                &format!("{node}: must be a device, such as /dev/dvb/adapter0/"),
            );
        }
    }
    let has = !j.list("frontends").is_empty();
    j.rule_of("demuxes", &["frontends"], has || j.list("demuxes").is_empty(), "of no tuner");
    let opens = !has || j.text("user").is_empty() || !j.list("groups").is_empty();
    j.rule_of("frontends", &["user", "groups"], opens, "the user is in no group that may open them");
}

/// Who runs it, and who looks after it.
fn system(j: &mut Judge<'_>) {
    let is_name = |name: &str| {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        name.len() <= 32
            && name.bytes().all(letters)
            && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-')
    };
    let user = j.text("user");
    j.rule("user", is_name(user), "must be a user's name: lower case, digits, - and _, at most 32");
    j.rule("user", user != "root", "whoever finds a hole in it would own the box");
    let uid = j.number("uid");
    j.rule("uid", uid != 0, "is root: whoever finds a hole in it would own the box");
    j.rule("uid", uid < 65_534, "65534 is nobody's, and older file systems end there");
    for group in j.list("groups") {
        j.rule("groups", is_name(group) && group != "root", &format!("'{group}' is no group for it"));
    }
    for key in ["control_group", "view_group"] {
        j.rule(key, is_name(j.text(key)), "must be a group's name");
    }
    let (watchdog, init) = (j.text("watchdog"), j.text("init"));
    let known = ["none", "systemd"].contains(&watchdog) || watchdog.starts_with("/dev/watchdog");
    j.rule("watchdog", known, "must be none, systemd or a device, /dev/watchdog0");
    j.rule_of("watchdog", &["init"], watchdog != "systemd" || init == "systemd", "is not what starts it");
}

/// What it may cost.
fn budgets(j: &mut Judge<'_>) {
    j.within("image_bytes_max", 600_000, 64 << 20, "the box's program alone takes more than 600 kB");
    j.within("pss_kib_max", 1024, 1 << 20, "code and tables alone touch 1024 KiB");
    j.within("start_instructions_max", 1_000_000, 1 << 40, "the C library alone takes a million");
}
