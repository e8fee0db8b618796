//! The program of the box.

use std::process::ExitCode;

stbcast::in_manifest_section!(stbcast::manifest::BYTES);

fn main() -> ExitCode {
    stbcast::daemon::run(std::env::args_os())
}
