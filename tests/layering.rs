//! Holds the map of `src/lib.rs`: who may use whom. An arrow that is not in the table fails the build.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules it may name. `sys` and `board` know nobody; the two programs may know what they need.
const MAY_USE: &[(&str, &[&str])] = &[
    ("board", &[]),
    ("sys", &[]),
    ("text", &[]),
    ("delivery", &[]),
    ("frontend", &["delivery", "sys"]),
    ("ring", &["sys"]),
    ("handshake", &[]),
    ("ts", &["delivery", "text"]),
    ("rap", &["ts"]),
    // filled by `tuner` with what muxes tell, shown by `api`; below both, so that it stays what the tables say
    ("guide", &["text", "ts"]),
    // views that are told by HTTP and at the local socket alike: below both
    ("status", &["sys"]),
    ("reactor", &["sys"]),
    ("store", &["reactor"]),
    // data: source ─▶ demux ─▶ service ─▶ pump
    ("source", &["delivery", "sys", "ts"]),
    ("demux", &["ts"]),
    ("service", &["board", "rap", "ring", "ts"]),
    ("pump", &["ring", "service", "sys", "ts"]),
    // beside the pump: it says what of a ring can be fetched, and sends nothing
    ("hls", &["board", "service"]),
    // control: http ─▶ api ─▶ pairing ─▶ access ─▶ channel ─▶ tuner
    ("tuner", &["board", "delivery", "demux", "frontend", "guide", "service", "source", "text", "ts"]),
    ("channel", &["board", "delivery", "import", "sys", "ts", "tuner"]),
    ("import", &["delivery", "source", "text", "ts"]),
    // which muxes there are: beside `channel`, which it fills, and started by the programs alone
    ("scan", &["board", "channel", "delivery", "frontend", "ts", "tuner"]),
    ("pairing", &["access", "board", "handshake", "reactor", "sys"]),
    ("access", &["board", "channel", "handshake", "store", "sys", "text"]),
    ("http", &["board", "reactor", "sys"]),
    (
        "api",
        &[
            "access",
            // how many may listen, and the budgets that the status is held against
            "board",
            "channel",
            // an owner sees and changes the box's name
            "ddns",
            "guide",
            "handshake",
            // the pieces that it has the pump send
            "hls",
            "http",
            "pairing",
            "pump",
            "reactor",
            "status",
            "sys",
            "text",
            "ts",
            "tuner",
            // its files are served beside the routes
            "web",
        ],
    ),
    // the app's files, as pages of HTTP
    ("web", &["http"]),
    ("local", &["board", "reactor", "status", "sys"]),
    // names: ddns ─▶ fetch ─▶ tls on the box; cloud ─▶ nameserver, registrar at the name service
    ("log_sink", &[]),
    // what the program says of itself: its formats and versions stand where they are used
    ("manifest", &["access", "api", "board", "channel", "ddns", "pairing", "scan", "store"]),
    ("network", &[]),
    ("registration", &[]),
    ("resolver", &["reactor", "sys"]),
    ("tls", &["sys"]),
    ("fetch", &["reactor", "resolver", "tls"]),
    // the text that a service answers with is shown to the owner
    ("ddns", &["fetch", "network", "reactor", "registration", "resolver", "sys", "text", "tls"]),
    ("registrar", &["nameserver", "network", "registration"]),
    ("nameserver", &["network"]),
    ("cloud", &["log_sink", "nameserver", "network", "registrar", "registration", "sys"]),
    // programs
    (
        "daemon",
        &[
            "access",
            "api",
            "board",
            "channel",
            "ddns",
            "delivery",
            "demux",
            "fetch",
            // its helper process is this program; what tuners do is told at the local socket
            "frontend",
            "guide",
            "handshake",
            "http",
            "import",
            "local",
            "log_sink",
            "manifest",
            "pairing",
            "pump",
            "reactor",
            "registration",
            "scan",
            "source",
            "status",
            "store",
            "sys",
            "text",
            "tls",
            "tuner",
        ],
    ),
    // the terminal's end of the handshake; and what foreign text may not hold is said once
    ("terminal", &["handshake", "text", "ts"]),
];

#[test]
fn every_arrow_is_in_the_table() {
    for (module, files) in modules() {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("module {module} is not in the table"));
        let used: BTreeSet<String> = files.iter().flat_map(|file| uses(&shipped(file))).collect();
        for name in used.iter().filter(|name| **name != module) {
            assert!(allowed.contains(&name.as_str()), "{module} must not use {name}");
        }
        for name in allowed {
            assert!(used.contains(*name), "{module} may use {name} and does not: take it out of the table");
        }
    }
}

#[test]
fn only_access_grants_channels_and_only_channel_leases() {
    for (module, files) in modules() {
        for file in files {
            // A tuner is granted by whose it is; that gives no terminal a right.
            let text = shipped(&file).replace("tuners.grant(", "");
            let says = |what: &str| text.contains(what) && !text.contains(&format!("fn {}", &what[1..]));
            assert!(module == "access" || !says(".grant("), "{}: only access checks rights", file.display());
            assert!(
                module == "channel" || !says(".poll_lease("),
                "{}: no lease without a channel",
                file.display()
            );
        }
    }
}

#[test]
fn unsafe_is_in_sys_alone_and_boards_are_read_in_one_place() {
    for (module, files) in modules() {
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            assert!(module == "sys" || !text.contains("allow(unsafe_code)"), "{}", file.display());
            // The web app is packed by the build, and no board has a say in it.
            let reads = matches!(module.as_str(), "board" | "web");
            assert!(reads || !text.contains("OUT_DIR"), "{}", file.display());
            assert!(!text.contains("cfg(board"), "{}: no board in logic", file.display());
        }
    }
}

/// The modules of `src/`, each with its files.
fn modules() -> Vec<(String, Vec<PathBuf>)> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "lib" && name != "bin" {
            let mut files = Vec::new();
            collect(&path, &mut files);
            modules.push((name, files));
        }
    }
    assert!(modules.len() > 15, "the modules were found");
    modules
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if path.extension().is_some_and(|e| e == "rs") {
        files.push(path.into());
    }
}

/// A file without its comments and without its tests, which may use what they judge by.
fn shipped(file: &Path) -> String {
    let is_test = |name: &str| matches!(name, "tests.rs" | "naive.rs" | "sample.rs" | "on_vidtv.rs");
    if is_test(file.file_name().unwrap().to_str().unwrap()) {
        return String::new();
    }
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|l| !l.trim_start().starts_with("//")).fold(String::new(), |all, l| all + l + "\n")
}

/// The top-level modules that `text` names by `crate::`.
fn uses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let group = rest.strip_prefix('{');
        let names = match group {
            Some(group) => top_level(group),
            None => vec![rest],
        };
        found.extend(names.iter().map(|name| {
            name.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        }));
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The parts of `use crate::{…}`, split at the commas of its outer braces.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..i]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts
}
