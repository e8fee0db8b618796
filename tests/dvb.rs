//! The box with a real tuner: the kernel's DVB devices, driven by its test driver vidtv, in guests of both ARM widths.
//! `scripts/check` builds the packages, the kernels and the driver, and runs these.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[path = "dvb/air.rs"]
mod air;
#[path = "guest/machine.rs"]
mod machine;
#[path = "dvb/mapped.rs"]
mod mapped;
#[path = "guest/packaged.rs"]
mod packaged;

use packaged::Case;

/// A 64-bit box.
const ARM64: Case = Case { machine: "arm64", board: "generic-aarch64", package: ".ipk" };
/// A 32-bit box.
const ARMHF: Case = Case { machine: "armhf", board: "generic-armv7", package: ".tar.gz" };
/// A 32-bit program on a 64-bit kernel.
const COMPAT: Case = Case { machine: "arm64", board: "generic-armv7", package: ".tar.gz" };

#[test]
#[ignore = "counts instructions in a guest: scripts/check tuners"]
fn long_mapped_buffers_are_not_cheaper_on_64_bits() {
    mapped::mapped_buffers_cost_no_less(&ARM64);
}

#[test]
#[ignore = "counts instructions in a guest: scripts/check tuners"]
fn long_mapped_buffers_are_not_cheaper_on_32_bits() {
    mapped::mapped_buffers_cost_no_less(&ARMHF);
}
