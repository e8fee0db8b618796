//! `stbcast`: watches a box from a laptop's shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    stbcast::terminal::run(std::env::args_os(), |name| std::env::var_os(name))
}
