//! Turns `boards/<BOARD>.toml` into constants (`$OUT_DIR/board.rs`, read by `src/board.rs` alone).
//!
//! A board file is flat `key = value`; `inherit = "<other>"` takes what it does not say itself. What the keys mean
//! stands in `keys.rs`. An unknown board, an unknown key, a wrong type or an impossible value fails the build and says
//! why, with the file and the line that the value came from. The web app is packed here, too (`assets.rs`).

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, process};

mod assets;
mod facts;
mod judge;
mod keys;
mod rules;

use facts::Facts;

fn main() {
    println!("cargo::rerun-if-env-changed=BOARD");
    println!("cargo::rerun-if-env-changed=STBCAST_BUILD_ID");
    println!("cargo::rerun-if-changed=boards");
    let name = env::var("BOARD").unwrap_or_else(|_| "host".into());
    match facts::load(Path::new("boards"), &name).and_then(|facts| rules::check(&facts).map(|()| facts)) {
        Ok(facts) => {
            emit(&name, &facts);
            if let Err(why) = assets::pack(Path::new(&out())) {
                eprintln!("error: the web app cannot be packed: {why}");
                process::exit(1);
            }
            link();
        }
        Err(broken) => {
            broken.iter().for_each(|why| eprintln!("error: board '{name}': {why}"));
            process::exit(1);
        }
    }
}

/// Writes the constants.
fn emit(name: &str, facts: &Facts) {
    let features: Vec<_> =
        ["box", "cli", "cloud", "tls", "v4l"].into_iter().filter(|f| has_feature(f)).collect();
    let of_build = [
        ("NAME", name.to_owned(), "The board this was built for."),
        (
            "BUILT_FOR",
            env::var("TARGET").unwrap_or_default(),
            "The compiler's target; the board's, but in tests.",
        ),
        ("BUILT_WITH", features.join(","), "Cargo features."),
        ("BUILD_ID", build_id(), "The sources: a commit or a hash; `dev` where nobody said."),
    ];
    let mut code = String::new();
    for (constant, value, doc) in of_build {
        let _ = writeln!(code, "/// {doc}\npub const {constant}: &str = {value:?};");
    }
    for (key, kind, doc) in keys::KEYS {
        let _ =
            writeln!(code, "/// {doc}\npub const {}: {kind} = {};", key.to_uppercase(), facts[*key].value);
    }
    fs::write(Path::new(&out()).join("board.rs"), code).expect("OUT_DIR can be written");
}

fn out() -> String {
    env::var("OUT_DIR").expect("cargo sets OUT_DIR")
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_some()
}

/// `STBCAST_BUILD_ID`, as far as it is plain.
fn build_id() -> String {
    let id = env::var("STBCAST_BUILD_ID").unwrap_or_default();
    let plain: String =
        id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+".contains(*c)).take(80).collect();
    if plain.is_empty() { "dev".into() } else { plain }
}

/// How `stbcastd` is linked, beyond what the compiler does by itself (relro, now, noexecstack, gc-sections): its
/// manifest in a place of its own, and an id by which a file of symbols is matched to it.
fn link() {
    println!("cargo::rerun-if-changed=linker/stb.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") || !has_feature("box") {
        return;
    }
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bin=stbcastd=-Wl,-T,{root}/linker/stb.ld");
    println!("cargo::rustc-link-arg-bin=stbcastd=-Wl,--build-id=sha1");
}
