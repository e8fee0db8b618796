//! `stbcastd`: the command line, the configuration and the main loop.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

mod args;
mod ask;
mod check;
mod config;
mod desk;
mod devices;
mod events;
mod exit;
mod grants;
mod imports;
mod logos;
mod machine;
mod main_loop;
mod names;
mod pair;
mod providers;
mod questions;
mod ready;
mod receivers;
mod reception;
mod scan;
mod scans;
mod start;
mod top;
mod tuners;
mod user;
mod watchdog;

pub use args::HELP;

use exit::{Exit, Failure};

use crate::manifest;

/// Does what the command line says; `arguments` begin with the program's name.
///
/// | exit code | says |
/// |---|---|
/// | 0 | done; a box was told to stop |
/// | 1 | it could not be done |
/// | 2 | the command line or the configuration is wrong |
/// | 3 | the state is of a newer program that was told to stay; nothing was touched |
/// | 4 | the state is damaged in all its copies, or cannot be read |
/// | 5 | this machine is not what the program was built for |
/// | 6 | no box answers at the local socket, or not in time |
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match args::parse(lexopt::Parser::from_iter(arguments)) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("stbcastd: {why}\nTry 'stbcastd --help'.");
            return Exit::Usage.into();
        }
    };
    let done = match command {
        args::Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        args::Command::Version => {
            println!("stbcastd {} for board '{}'", env!("CARGO_PKG_VERSION"), crate::board::NAME);
            Ok(())
        }
        args::Command::HelperStore => return crate::store::helper::main(),
        args::Command::HelperFrontend(device) => return crate::frontend::helper::main(&device),
        args::Command::Run(settings) => start::run(&settings),
        args::Command::Check(settings) => check::check(&settings),
        args::Command::Ready(waiting) => ready::wait(&waiting),
        args::Command::Manifest(file) => print_manifest(file.as_deref()),
        args::Command::Ask(question) if question.request.cmd == "pair" => pair::pair(&question),
        args::Command::Ask(question) if question.request.cmd.starts_with("scan") => scan::scan(&question),
        args::Command::Ask(question) if question.request.cmd == "top" => top::top(&question),
        args::Command::Ask(question) => ask::ask(&question),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, why }) => {
            eprintln!("stbcastd: {why}");
            exit.into()
        }
    }
}

/// Of this program, or of the one in `file`, which is not run.
fn print_manifest(file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else {
        print!("{}", manifest::JSON);
        return Ok(());
    };
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = File::open(path).map_err(|e| named(&e))?;
    let json = manifest::find(file).map_err(|e| named(&e))?;
    println!("{json}");
    Ok(())
}
