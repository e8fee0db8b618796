//! `stbcast-cloud`: settings, sockets, administration.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

mod admin;
mod api;
mod args;
mod commits;
mod config;
pub mod dns;
pub mod heartbeat;
mod http;
mod keys;
mod metrics;
mod nic;
mod run;
mod serve;
mod service;

use args::Command;

/// Does what the command line says; `arguments` begin with the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match args::parse(lexopt::Parser::from_iter(arguments)) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("stbcast-cloud: {why}\nTry 'stbcast-cloud --help'.");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        Command::Help => {
            print!("{}", args::help());
            Ok(())
        }
        Command::Version => {
            println!("stbcast-cloud {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::Run(settings) => run::run(&settings),
        Command::Key(state) => keys::service_key(&state).map(|key| println!("{}", key.public())),
        Command::Keygen(path) => keys::make(&path).map(|key| println!("{}", key.public())),
        Command::Provision { brand, out, serials } => provision(&brand, &out, &serials),
        Command::Ask(question) => admin::ask(&question),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("stbcast-cloud: {why}");
            ExitCode::FAILURE
        }
    }
}

fn provision(brand: &Path, out: &Path, serials: &[String]) -> Result<(), String> {
    let brand = keys::brand_key(brand)?;
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    for serial in serials {
        let text = keys::factory_file(&brand, serial)?;
        keys::write_new(&out.join(serial), text.as_bytes())?;
    }
    println!("{} factory files in {}", serials.len(), out.display());
    Ok(())
}
