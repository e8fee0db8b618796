//! Turns `boards/<BOARD>.toml` into constants (`$OUT_DIR/board.rs`, read by `src/board.rs` alone).
//!
//! A board file is flat `key = value`; `inherit = "<other>"` takes what it does not say itself. What the keys mean
//! stands in `keys.rs`. An unknown board, an unknown key, a wrong type or an impossible value fails the build and says
//! why, with the file and the line that the value came from.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, process};

mod facts;
mod judge;
mod keys;
mod rules;

use facts::Facts;

fn main() {
    println!("cargo::rerun-if-env-changed=BOARD");
    println!("cargo::rerun-if-changed=boards");
    let name = env::var("BOARD").unwrap_or_else(|_| "host".into());
    match facts::load(Path::new("boards"), &name).and_then(|facts| rules::check(&facts).map(|()| facts)) {
        Ok(facts) => emit(&name, &facts),
        Err(broken) => {
            broken.iter().for_each(|why| eprintln!("error: board '{name}': {why}"));
            process::exit(1);
        }
    }
}

/// Writes the constants.
fn emit(name: &str, facts: &Facts) {
    let mut code = format!("/// The board this was built for.\npub const NAME: &str = {name:?};\n");
    for (key, kind, doc) in keys::KEYS {
        let _ =
            writeln!(code, "/// {doc}\npub const {}: {kind} = {};", key.to_uppercase(), facts[*key].value);
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("board.rs"), code).expect("OUT_DIR can be written");
}
