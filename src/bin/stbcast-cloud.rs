//! `stbcast-cloud`: the name service of a box maker.

use std::process::ExitCode;

fn main() -> ExitCode {
    stbcast::cloud::run(std::env::args_os())
}
