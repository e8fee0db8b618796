//! What is on the air in a guest: transport streams that `play` writes to vidtv's injection.

use std::fs;
use std::process::Command;

use super::machine::{Guest, scripts};
use super::packaged::Packaged;
use super::support::ts::Packet;

/// Bits a second of the committed mux.
pub(super) const DEMO_RATE: u32 = 1_299_456;

/// Compiles `play` for a guest's machine into what it has as /mnt.
pub(super) fn bring_play(packaged: &Packaged, machine: &str) {
    compile(packaged, machine, "play");
}

/// The same for another program of `tests/guest`.
pub(super) fn compile(packaged: &Packaged, machine: &str, name: &str) {
    let compiler = match machine {
        "arm64" => "aarch64-linux-gnu-gcc",
        _ => "arm-linux-gnueabihf-gcc",
    };
    let mut gcc = Command::new(compiler);
    gcc.args(["-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o"]).arg(packaged.shared(name));
    let status = gcc.arg(scripts().join(format!("{name}.c"))).status().expect("the cross compiler starts");
    assert!(status.success(), "{name}.c compiles");
}

/// A broadcast that goes on until it ends or is ended.
pub(super) struct Air<'a> {
    guest: &'a Guest,
    process: String,
}

impl<'a> Air<'a> {
    /// `play` with these arguments.
    pub(super) fn start(guest: &'a Guest, words: &str) -> Self {
        let process = guest.done(&format!("/mnt/play {words} </dev/null >/tmp/play.log 2>&1 & echo $!"));
        Self { guest, process: process.trim().to_owned() }
    }

    /// Whether it is still on the air.
    pub(super) fn is_on(&self) -> bool {
        self.guest.run(&format!("kill -0 {}", self.process)).code == 0
    }
}

impl Drop for Air<'_> {
    fn drop(&mut self) {
        let _ended = self
            .guest
            .run(&format!("kill {0}; while kill -0 {0} 2>/dev/null; do sleep 0.05; done", self.process));
    }
}

/// Puts packets into a file that the guest has as /mnt/`name`.
pub(super) fn record(packaged: &Packaged, name: &str, packets: &[Packet]) -> String {
    fs::write(packaged.shared(name), packets.as_flattened()).expect("the shared directory can be written");
    format!("/mnt/{name}")
}
