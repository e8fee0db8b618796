//! The program of the box.

use std::process::ExitCode;

fn main() -> ExitCode {
    stbcast::daemon::run(std::env::args_os())
}
