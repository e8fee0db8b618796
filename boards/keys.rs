//! Every key that a board has: its name, its Rust type, what it means. This is the one place that documents them.
//!
//! Numbers are above zero; only those of type `u32` may be zero. A key is here because something reads it: the program,
//! the build (`scripts/image`), the packages (`scripts/package`) or a check (`scripts/sizes`, `stbcastd check`).

/// Name, type, meaning.
pub(crate) const KEYS: &[(&str, &str, &str)] = &[
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
    (
        "audio_ring_bytes",
        "usize",
        "Bytes of one ring for what is heard of a service alone. A multiple of 192 512.",
    ),
    (
        "audio_rings",
        "usize",
        "Such rings: how many services can be listened to at one time, beside those watched.",
    ),
    ("ring_share_mb", "usize", "MiB of memory that all rings may take together."),
    ("sources", "usize", "Sources that may be configured or imported."),
    (
        "muxes",
        "usize",
        "Muxes the box may know: those of its sources, and what its tuners receive. At most 4096.",
    ),
    ("inputs", "usize", "Muxes that may be open at one time."),
    ("services_per_mux", "usize", "Services of one mux, 1 to 64."),
    ("channels", "usize", "Entries of the channel table, at most 4096."),
    ("groups_per_channel", "usize", "Groups of imported lists that one channel is shown in."),
    ("components", "usize", "Elementary streams of one service, at most 16."),
    ("guide_events", "usize", "Events of the programme guide, of all channels together; 64 bytes each."),
    ("guide_text_bytes", "usize", "Bytes of the texts of these events, in blocks of 64."),
    ("logo_bytes", "usize", "Bytes of the pictures of channels that are kept for the web app, all together."),
    ("bouquets", "usize", "Bouquets whose names are kept, at most 255."),
    ("connections", "usize", "Terminals connected at one time, streams included."),
    ("connections_per_source", "usize", "Connections from one address."),
    ("heads", "usize", "Requests whose head is being read or answered at one time."),
    (
        "event_listeners",
        "usize",
        "Terminals' pages that are told what changes as it happens (server-sent events), at one time.",
    ),
    ("head_bytes", "usize", "Bytes of the longest request head."),
    ("listeners", "usize", "Addresses the HTTP server listens on."),
    ("local_peers", "usize", "Programs connected to the local socket at one time."),
    (
        "control_group",
        "&str",
        "Group whose members may ask all of the local socket, the TV's screen among them; empty: none.",
    ),
    (
        "view_group",
        "&str",
        "Group whose members may see status, channels, tuners and events there; empty: none.",
    ),
    ("streams_per_terminal", "u16", "Streams of one terminal at one time, whatever the links."),
    ("hls_sessions", "usize", "Who watches by HLS at one time, 1 to 1024; a ring serves any number of them."),
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
    (
        "hardware_filters",
        "usize",
        "PID and section filters of one demultiplexer. A mux that needs more is filtered by the processor.",
    ),
    (
        "tuner_owner",
        "&str",
        "Who may tune when the configuration names none: `ui` (the program that draws the television's screen, and the \
         box under its grant), or `box`.",
    ),
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
