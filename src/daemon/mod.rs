//! `stbcastd`: the command line, the configuration and the main loop.

use std::ffi::OsString;
use std::process::ExitCode;

mod args;
mod ask;
mod config;
mod desk;
mod events;
mod imports;
mod main_loop;
mod names;
mod pair;
mod providers;
mod questions;
mod reception;
mod start;

pub use args::HELP;

/// Does what the command line says; `arguments` begin with the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match args::parse(lexopt::Parser::from_iter(arguments)) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("stbcastd: {why}\nTry 'stbcastd --help'.");
            return ExitCode::from(2);
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
        args::Command::Run(settings) => start::run(&settings),
        args::Command::Ask(question) if question.request.cmd == "pair" => pair::pair(&question),
        args::Command::Ask(question) => ask::ask(&question),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("stbcastd: {why}");
            ExitCode::FAILURE
        }
    }
}
