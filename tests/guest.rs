//! The packages of the firmware, installed and running on a real kernel for ARM. `scripts/check` builds the packages,
//! gets the kernels and runs these.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "guest/machine.rs"]
mod machine;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "guest/packaged.rs"]
mod packaged;

use packaged::{Case, Packaged};

/// A 64-bit box with the package of opkg.
const ARM64_IPK: Case = Case { machine: "arm64", board: "generic-aarch64", package: ".ipk" };
/// A 32-bit box with the tar archive.
const ARMHF_TAR: Case = Case { machine: "armhf", board: "generic-armv7", package: ".tar.gz" };
/// What many makers ship: a 32-bit program on a 64-bit kernel.
const COMPAT_TAR: Case = Case { machine: "arm64", board: "generic-armv7", package: ".tar.gz" };

/// Installed, started, asked, watched, stopped.
fn runs(case: &'static Case) {
    let packaged = Packaged::new(case);
    let guest = packaged.boot();
    guest.is_set_up_right();
    guest.idles_within_its_budget();
    guest.serves();
    guest.stops();
}

#[test]
#[ignore = "boots a guest: scripts/check guest"]
fn the_tar_archive_on_a_32_bit_kernel() {
    runs(&ARMHF_TAR);
}

#[test]
#[ignore = "boots a guest: scripts/check guest"]
fn the_32_bit_program_on_a_64_bit_kernel() {
    runs(&COMPAT_TAR);
}

#[test]
#[ignore = "boots a guest three times: scripts/check guest"]
fn the_ipk_on_a_64_bit_kernel_which_reboots_and_loses_its_power() {
    let packaged = Packaged::new(&ARM64_IPK);
    let guest = packaged.boot();
    guest.is_set_up_right();
    guest.idles_within_its_budget();
    guest.serves();
    let player = guest.stbcastd("player Kodi").trim().to_owned();
    let link = guest.link(1);
    guest.stops();
    guest.guest.switch_off();

    let guest = packaged.boot();
    let playlist = guest.get(&player);
    assert_eq!(playlist.status, 200, "a player outlives a reboot");
    assert_eq!(guest.get(&link).status, 401, "a link ends with its boot");
    guest.serves();
    let television = guest.stbcastd("player TV").trim().to_owned();
    let acknowledged = guest.loses_power(1);

    let guest = packaged.boot();
    let log = guest.log();
    assert!(!log.contains("damaged"), "a cut of power damages no record: {log}");
    for (name, url) in [("Kodi", &player), ("TV", &television)] {
        assert_eq!(guest.get(url).status, 200, "{name} outlives a cut of power");
    }
    let terminals = guest.stbcastd("terminals");
    let kept =
        terminals.split_once("TV-").and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
    let kept: u64 = kept.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{terminals}"));
    assert!(kept >= acknowledged, "the name TV-{acknowledged} was acknowledged, and it is TV-{kept}");
    guest.serves();
    guest.stops();
}

#[test]
#[ignore = "counts instructions in a guest: scripts/check start"]
fn long_start_in_instructions() {
    let packaged = Packaged::new(&ARM64_IPK);
    packaged.boot_as(&["--count"]).starts_within_its_budget();
}
