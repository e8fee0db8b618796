//! Whether this machine is the one that the board's file describes.

use std::fs;
use std::path::Path;

use nix::net::if_::if_nametoindex;
use nix::sys::statfs::statfs;

use crate::board;
use crate::sys::machine::{Kernel, kernel, page_bytes};
use crate::sys::random;

/// Names of file systems by their numbers (statfs(2)).
const FILE_SYSTEMS: &[(&str, i64)] = &[
    ("ext4", 0xef53),
    ("f2fs", 0xf2f5_2010),
    ("ubifs", 0x2405_1905),
    ("jffs2", 0x72b6),
    ("overlay", 0x794c_7630),
    ("tmpfs", 0x0102_1994),
];

/// What does not fit.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Misfits {
    /// The program cannot work here.
    pub(super) fatal: Vec<String>,
    /// It was not tried there; it may work.
    pub(super) old: Vec<String>,
    /// Whoever set the box up should know.
    pub(super) notes: Vec<String>,
}

/// Compares this machine with the board.
pub(super) fn misfits() -> Misfits {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut misfits = compare(&kernel(), page_bytes(), &cpu);
    let (target, built) = (board::TARGET, board::BUILT_FOR);
    if target.split('-').next() != built.split('-').next() {
        misfits
            .fatal
            .push(format!("board '{}' is for {target}, and this was built for {built}", board::NAME));
    }
    misfits
}

fn compare(kernel: &Kernel, page: usize, cpu: &str) -> Misfits {
    let mut misfits = Misfits::default();
    if page != board::PAGE_BYTES {
        let board = board::PAGE_BYTES;
        misfits
            .fatal
            .push(format!("this kernel has pages of {page} bytes, board '{}' of {board}", board::NAME));
    }
    let features = cpu.lines().find_map(|line| line.strip_prefix("Features")?.split_once(':'));
    let has = |names: &[&str]| {
        features.is_none_or(|(_, list)| list.split_whitespace().any(|feature| names.contains(&feature)))
    };
    if board::HAS_NEON && !has(&["neon", "asimd"]) {
        misfits.fatal.push("this core has no NEON, which the board's has".into());
    }
    if board::HAS_AES && !has(&["aes"]) {
        misfits.notes.push("this core has no AES instructions, which the board's has: TLS is slower".into());
    }
    let (here, floor) = (version(&kernel.release), version(board::KERNEL_FLOOR));
    if here < floor {
        let (release, floor) = (&kernel.release, board::KERNEL_FLOOR);
        misfits.old.push(format!("kernel {release} is older than the board's oldest, {floor}"));
    }
    if board::ENTROPY == "getrandom" && !random::has_call() {
        misfits.old.push("this kernel has no getrandom, which the board's has".into());
    }
    // A 64-bit kernel runs 32-bit programs; what it calls itself is for whoever compares boards.
    if !kernel.machine.starts_with(board::KERNEL_ARCH) {
        let (machine, arch) = (&kernel.machine, board::KERNEL_ARCH);
        misfits.notes.push(format!("this kernel is of {machine}, the board's of {arch}"));
    }
    misfits
}

/// What is not there of the board's devices and interfaces, and what the state lies on.
pub(super) fn surroundings(state: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    for node in list(board::FRONTENDS).chain(list(board::DEMUXES)) {
        if !Path::new(node).exists() {
            notes.push(format!("{node} is not there"));
        }
    }
    let interfaces = list(board::LAN_INTERFACES).chain(list(board::WAN_INTERFACE));
    for name in interfaces.chain(list(board::IPTV_INTERFACE)).filter(|name| if_nametoindex(*name).is_err()) {
        notes.push(format!("there is no network interface '{name}'"));
    }
    notes.extend(statfs(state).ok().and_then(|s| misplaced(state, number(s.filesystem_type().0))));
    notes
}

/// The number of a file system, whose type differs from C library to C library; it has 32 bits in all of them.
fn number(of_type: impl TryInto<i64>) -> i64 {
    of_type.try_into().unwrap_or(0) & 0xffff_ffff
}

/// State on another file system than the board's.
fn misplaced(state: &Path, number: i64) -> Option<String> {
    let found = FILE_SYSTEMS.iter().find(|(_, known)| *known == number);
    let name = found.map_or_else(|| format!("file system {number:#x}"), |(name, _)| (*name).into());
    let state = state.display();
    match board::STATE_FILESYSTEM {
        _ if name == "tmpfs" => Some(format!("{state} is on tmpfs: with the power goes who was let in")),
        "any" => None,
        wanted if wanted == name => None,
        wanted => Some(format!("{state} is on {name}, the board's is {wanted}")),
    }
}

/// The names of a board's list, between whose commas blanks may stand.
pub(super) fn list(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// `major.minor` of a kernel's release; what cannot be read is older than all.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(release: &str, machine: &str) -> Kernel {
        Kernel { release: release.into(), machine: machine.into() }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let good = of("6.1.0-18-amd64", board::KERNEL_ARCH);
        assert_eq!(compare(&good, board::PAGE_BYTES, ""), Misfits::default(), "the board of the tests");
        let paged = compare(&good, 2 * board::PAGE_BYTES, "");
        assert!(paged.fatal[0].contains(&format!("pages of {} bytes", 2 * board::PAGE_BYTES)), "{paged:?}");
        let old = compare(&of("2.6.32", board::KERNEL_ARCH), board::PAGE_BYTES, "");
        assert!(old.old[0].contains("kernel 2.6.32 is older") && old.fatal.is_empty(), "{old:?}");
        let other = compare(&of("6.1", "mips"), board::PAGE_BYTES, "Features\t: fp\n");
        assert!(other.notes[0].contains("of mips") && other.fatal.is_empty(), "{other:?}");
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("3.10.0-957.el7") < version("3.17"));
        assert!(version("4.9") < version("4.14.180+"));
        assert_eq!(version("5"), (5, 0));
        assert!(version("") < version("2.6.32"));
    }

    #[test]
    fn state_in_memory_is_noted() {
        assert!(misplaced(Path::new("/x"), 0x0102_1994).unwrap().contains("/x is on tmpfs"));
        assert_eq!(misplaced(Path::new("/x"), 0xef53), None, "the board of the tests takes any");
    }
}
