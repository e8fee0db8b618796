//! Turns `boards/<BOARD>.toml` into constants (`$OUT_DIR/board.rs`, read by `src/board.rs` alone).
//!
//! A board file is flat `key = value`; `inherit = "<other>"` takes what it does not say itself. An unknown board,
//! an unknown key, a wrong type or an impossible value fails the build and says why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, process};

use toml::Value;

/// Every key there is: its name, its Rust type, what it means. This is the one place that documents them.
const KEYS: &[(&str, &str, &str)] = &[
    ("target", "&str", "Rust's name of the machine: `rustc --print target-list`."),
    ("cpu", "&str", "`rustc -C target-cpu`: the core whose instructions and pipeline it is built for."),
    (
        "target_features",
        "&str",
        "`rustc -C target-feature`, such as `+neon,+thumb-mode`; empty: the target's own.",
    ),
    ("features", "&str", "Cargo features of the firmware, with commas between."),
    (
        "panic",
        "&str",
        "What a panic leaves: `message` (where and why, then SIGABRT) or `silent` (an illegal instruction at once, and \
         100 kB less).",
    ),
    ("kernel_floor", "&str", "The oldest kernel it may meet, such as `3.10`."),
    (
        "kernel_arch",
        "&str",
        "What `uname -m` begins with: `arm`, `aarch64` or `x86_64`; a 64-bit kernel may run a 32-bit program.",
    ),
    ("page_bytes", "usize", "Bytes of the kernel's page. Rings are mapped in whole pages."),
    ("has_neon", "bool", "The core has NEON, which ring's ciphers use."),
    ("has_aes", "bool", "The core has AES instructions, and a 64-bit program can use them."),
    ("ring_bytes", "usize", "Bytes of one service ring. A multiple of 192 512 (47 pages = 1024 packets)."),
    ("rings", "usize", "Service rings: how many services can be watched at one time."),
    ("ring_share_mb", "usize", "MiB of memory that all rings may take together."),
    ("sources", "usize", "Muxes the box may know."),
    ("inputs", "usize", "Muxes that may be open at one time."),
    ("services_per_mux", "usize", "Services of one mux, 1 to 64."),
    ("channels", "usize", "Entries of the channel table, at most 4096."),
    ("groups_per_channel", "usize", "Groups of imported lists that one channel is shown in."),
    ("components", "usize", "Elementary streams of one service, at most 16."),
    ("guide_events", "usize", "Events of the programme guide, of all channels together; 64 bytes each."),
    ("guide_text_bytes", "usize", "Bytes of the texts of these events, in blocks of 64."),
    ("bouquets", "usize", "Bouquets whose names are kept, at most 255."),
    ("connections", "usize", "Terminals connected at one time, streams included."),
    ("connections_per_source", "usize", "Connections from one address."),
    ("heads", "usize", "Requests whose head is being read or answered at one time."),
    ("head_bytes", "usize", "Bytes of the longest request head."),
    ("listeners", "usize", "Addresses the HTTP server listens on."),
    ("local_peers", "usize", "Programs connected to the local socket at one time."),
    (
        "control_group",
        "&str",
        "Group whose members may ask all of the local socket, the TV's screen among them; empty: none.",
    ),
    ("view_group", "&str", "Group whose members may see status, channels and events there; empty: none."),
    ("streams_per_terminal", "u16", "Streams of one terminal at one time, whatever the links."),
    (
        "clock_source",
        "&str",
        "Whose word on the time of day is taken: `rtc` (the system clock is right at boot), `ntp` (once it was set by \
         NTP), or `none`. A guest's end needs it.",
    ),
    (
        "seal",
        "&str",
        "How keys are kept on flash: `file` (sealed by a key in a record of its own) or `none`.",
    ),
    (
        "authority",
        "&str",
        "Whose word changes a channel's number when the configuration names none: `vendor`, `import` or `scan`.",
    ),
    (
        "lan_interfaces",
        "&str",
        "Interfaces of the LAN, with commas between: only who is on their links comes in by plain HTTP; empty: all.",
    ),
    ("wan_interface", "&str", "Interface that leads to the internet; empty: where the kernel's route leads."),
    (
        "iptv_interface",
        "&str",
        "Interface on which imported lists may name multicast groups; empty: the kernel's choice.",
    ),
    (
        "ca_file",
        "&str",
        "PEM file of the roots that servers' certificates are judged by when the configuration names none.",
    ),
    ("input_buffer_bytes", "usize", "Bytes the kernel may hold for one input: 2 s of its stream."),
    ("start_age_max_ms", "u64", "Milliseconds: an older random access point starts nobody."),
    ("linger_ms", "u64", "Milliseconds a ring and its mux stay open after the last viewer."),
    ("silence_max_ms", "u64", "Milliseconds without a packet until a mux's viewers are let go."),
    ("scan_timeout_ms", "u64", "Milliseconds to wait for PAT, PMTs and SDT of a mux."),
    ("survey_every_ms", "u64", "Milliseconds between two looks at a mux nobody watches."),
    (
        "charset_override",
        "&str",
        "Table of SI text without a selector: `gbk`, `utf-8`, or `none` for ISO 6937.",
    ),
    (
        "pair_consent",
        "&str",
        "Which new terminals the screen is asked about: `always`, `owner` (owners after the first), `never`.",
    ),
    ("listen", "&str", "Address and port of the HTTP server when the configuration names none."),
    ("socket_path", "&str", "Where the local socket is made; `<state>/stbcast.sock` when that fails."),
    ("state_path", "&str", "Directory of the state on flash when the configuration names none."),
    (
        "state_filesystem",
        "&str",
        "What it lies on: `ext4`, `f2fs`, `ubifs`, `jffs2`, `overlay`, or `any` where the board does not know.",
    ),
    ("frontends", "&str", "Device nodes of the tuners, with commas between; empty: none is known."),
    ("demuxes", "&str", "Device nodes of the demultiplexers, with commas between; empty: none is known."),
    ("hardware_filters", "u32", "PID filters that one demultiplexer has in hardware; 0: not known or none."),
    ("init", "&str", "What starts it: `systemd`, `procd` or `sysv`."),
    ("user", "&str", "The user that root's start becomes once it listens; empty: it stays who started it."),
    ("uid", "u32", "This user's number."),
    (
        "groups",
        "&str",
        "Supplementary groups of this user, with commas between, such as the tuners' `video`.",
    ),
    (
        "entropy",
        "&str",
        "Where random bytes come from: `getrandom` (kernels from 3.17 on) or `device` (/dev/urandom, once /dev/random \
         has been readable).",
    ),
    ("entropy_wait_s", "u64", "Seconds that a start waits for the kernel's random generator, then it fails."),
    (
        "watchdog",
        "&str",
        "Who is told that the main loop still goes round: `none`, `systemd` (sd_notify) or a device, `/dev/watchdog0`.",
    ),
    (
        "log_sink",
        "&str",
        "Where log lines go: `stderr`, `syslog` (/dev/log, RFC 3164) or `kmsg` (/dev/kmsg).",
    ),
    ("image_bytes_max", "usize", "Budget: bytes of the stripped program."),
    ("pss_kib_max", "usize", "Budget: KiB of memory (PSS) of the idle box, beside its rings."),
    ("start_instructions_max", "u64", "Budget: instructions from exec until it serves."),
];

fn main() {
    println!("cargo::rerun-if-env-changed=BOARD");
    println!("cargo::rerun-if-changed=boards");
    let name = env::var("BOARD").unwrap_or_else(|_| "host".into());
    let facts = load(&name, &mut Vec::new()).and_then(|facts| check(&facts).map(|()| facts));
    match facts {
        Ok(facts) => emit(&name, &facts),
        Err(why) => {
            eprintln!("error: board '{name}': {why}");
            process::exit(1);
        }
    }
}

/// The facts of board `name`, its own lines over those it inherits. `path` is who inherited whom so far.
fn load(name: &str, path: &mut Vec<String>) -> Result<BTreeMap<String, Value>, String> {
    if path.iter().any(|n| n == name) {
        return Err(format!("'{name}' inherits from itself"));
    }
    path.push(name.into());
    let file = format!("boards/{name}.toml");
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || !Path::new(&file).is_file() {
        return Err(format!("there is no {file}; known boards: {}", known_boards().join(", ")));
    }
    let text = fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
    let own: BTreeMap<String, Value> = toml::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
    let mut facts = match own.get("inherit") {
        None => BTreeMap::new(),
        Some(Value::String(parent)) => load(parent, path)?,
        Some(_) => return Err(format!("{file}: inherit names a board, as a string")),
    };
    for (key, value) in own.into_iter().filter(|(key, _)| key != "inherit") {
        if !KEYS.iter().any(|(known, ..)| *known == key) {
            let known: Vec<_> = KEYS.iter().map(|(known, ..)| *known).collect();
            let at = text.lines().position(|l| l.trim_start().starts_with(&key)).map_or(0, |n| n + 1);
            return Err(format!("{file}:{at}: unknown key '{key}'; known keys: {}", known.join(", ")));
        }
        facts.insert(key, value);
    }
    Ok(facts)
}

fn known_boards() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir("boards")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_suffix(".toml").map(Into::into))
        .collect();
    names.sort();
    names
}

/// Refuses values that cannot work, with the reason.
fn check(facts: &BTreeMap<String, Value>) -> Result<(), String> {
    for (key, kind, _) in KEYS {
        match (facts.get(*key), *kind) {
            (None, _) => return Err(format!("'{key}' is missing")),
            (Some(Value::String(_)), "&str") | (Some(Value::Boolean(_)), "bool") => {}
            (Some(Value::Integer(0)), "u32") => {}
            (Some(Value::Integer(n)), "usize" | "u64" | "u32" | "u16") if *n > 0 => {}
            (Some(value), kind) => {
                return Err(format!("{key} = {value}: must be a {kind}, and a number above zero"));
            }
        }
    }
    let n = |key: &str| facts[key].as_integer().unwrap_or(0);
    let rule = |holds: bool, why: String| if holds { Ok(()) } else { Err(why) };
    rule(
        n("ring_bytes") % 192_512 == 0,
        format!(
            "ring_bytes = {}: must be a multiple of 192512; the nearest is {}",
            n("ring_bytes"),
            (n("ring_bytes") / 192_512).max(1) * 192_512
        ),
    )?;
    rule(
        n("ring_bytes") * n("rings") <= n("ring_share_mb") << 20,
        format!("{} rings of {} bytes exceed ring_share_mb", n("rings"), n("ring_bytes")),
    )?;
    rule(n("ring_bytes") >= 8 * 192_512, "ring_bytes: below 1.5 MB no GOP of an HD service fits".into())?;
    rule(n("rings") <= 31, "rings: at most 31, a bit each in the routes".into())?;
    rule(n("services_per_mux") <= 64, "services_per_mux: at most 64".into())?;
    rule(n("components") <= 16, "components: at most 16".into())?;
    rule(n("channels") <= 4096, "channels: at most 4096".into())?;
    rule(n("bouquets") <= 255, "bouquets: at most 255".into())?;
    rule(
        n("guide_text_bytes") >= 8192,
        "guide_text_bytes: below 8192 the longest event does not fit".into(),
    )?;
    rule(n("head_bytes") >= 1024, "head_bytes: a browser's head needs 1024".into())?;
    rule(n("heads") <= n("connections"), "heads: more than connections".into())?;
    rule(n("silence_max_ms") >= 10_000, "silence_max_ms: a group takes 5 s to be joined anew".into())?;
    rule(n("scan_timeout_ms") >= 6000, "scan_timeout_ms: a NIT may take 5 s, and must come before".into())?;
    one_of(facts, "charset_override", &["none", "gbk", "utf-8"])?;
    one_of(facts, "authority", &["vendor", "import", "scan"])?;
    one_of(facts, "pair_consent", &["always", "owner", "never"])?;
    one_of(facts, "clock_source", &["rtc", "ntp", "none"])?;
    one_of(facts, "seal", &["file", "none"])?;
    let listen = facts["listen"].as_str().unwrap_or("");
    rule(
        listen.parse::<std::net::SocketAddr>().is_ok(),
        format!("listen = \"{listen}\": not an address and a port"),
    )
}

/// Refuses a text that is none of `known`.
fn one_of(facts: &BTreeMap<String, Value>, key: &str, known: &[&str]) -> Result<(), String> {
    let text = facts[key].as_str().unwrap_or("");
    if known.contains(&text) {
        return Ok(());
    }
    Err(format!("{key} = \"{text}\": must be one of {}", known.join(", ")))
}

fn emit(name: &str, facts: &BTreeMap<String, Value>) {
    let mut code = format!("/// The board this was built for.\npub const NAME: &str = {name:?};\n");
    for (key, kind, doc) in KEYS {
        let _ = writeln!(code, "/// {doc}\npub const {}: {kind} = {};", key.to_uppercase(), facts[*key]);
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("board.rs"), code).expect("OUT_DIR can be written");
}
