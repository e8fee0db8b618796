//! The box with a real tuner: the kernel's DVB devices, driven by its test driver vidtv, in guests of both ARM widths.
//! `scripts/check` builds the packages, the kernels and the driver, and runs these.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[path = "dvb/air.rs"]
mod air;
#[path = "dvb/cost.rs"]
mod cost;
#[path = "dvb/delivery.rs"]
mod delivery;
#[path = "dvb/exact.rs"]
mod exact;
#[path = "dvb/faults.rs"]
mod faults;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "guest/machine.rs"]
mod machine;
#[path = "dvb/mapped.rs"]
mod mapped;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "guest/packaged.rs"]
mod packaged;
#[path = "dvb/phones.rs"]
mod phones;
#[path = "dvb/receiver.rs"]
mod receiver;
#[path = "dvb/television.rs"]
mod television;
#[path = "dvb/zaps.rs"]
mod zaps;

use packaged::Case;

/// A 64-bit box.
const ARM64: Case = Case { machine: "arm64", board: "generic-aarch64", package: ".ipk" };
/// A 32-bit box.
const ARMHF: Case = Case { machine: "armhf", board: "generic-armv7", package: ".tar.gz" };
/// A 32-bit program on a 64-bit kernel.
const COMPAT: Case = Case { machine: "arm64", board: "generic-armv7", package: ".tar.gz" };

#[test]
#[ignore = "boots a guest: scripts/check dvb"]
fn vidtv_is_found_by_two_systems_on_64_bits() {
    delivery::vidtv_is_found_by_two_systems(&ARM64);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_vidtv_is_found_by_each_system_on_64_bits() {
    delivery::vidtv_is_found_by_each_system(&ARM64);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_vidtv_is_found_by_each_system_on_32_bits() {
    delivery::vidtv_is_found_by_each_system(&ARMHF);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_vidtv_is_found_by_each_system_by_a_32_bit_program_on_64_bits() {
    delivery::vidtv_is_found_by_each_system(&COMPAT);
}

#[test]
#[ignore = "boots a guest: scripts/check dvb"]
fn services_come_out_as_they_were_sent_on_64_bits() {
    exact::services_come_out_as_they_were_sent(&ARM64);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_services_come_out_as_they_were_sent_on_32_bits() {
    exact::services_come_out_as_they_were_sent(&ARMHF);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_services_come_out_as_they_were_sent_by_a_32_bit_program_on_64_bits() {
    exact::services_come_out_as_they_were_sent(&COMPAT);
}

#[test]
#[ignore = "boots a guest: scripts/check dvb"]
fn phones_watch_what_the_television_does_on_64_bits() {
    television::is_watched_along(&ARM64);
}

#[test]
#[ignore = "boots a guest: scripts/check dvb"]
fn phones_share_one_tuner_on_64_bits() {
    phones::share_one_tuner(&ARM64);
}

#[test]
#[ignore = "boots a guest: scripts/check dvb"]
fn zaps_leave_nothing_behind_on_64_bits() {
    zaps::leave_nothing_behind(&ARM64, 40);
}

#[test]
#[ignore = "boots a guest for minutes: scripts/check tuners"]
fn long_500_zaps_leave_nothing_behind_on_64_bits() {
    zaps::leave_nothing_behind(&ARM64, 500);
}

#[test]
#[ignore = "boots a guest for minutes: scripts/check tuners"]
fn long_500_zaps_leave_nothing_behind_on_32_bits() {
    zaps::leave_nothing_behind(&ARMHF, 500);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_tuners_that_fail_hurt_nobody_else() {
    faults::hurt_nobody_else(&ARM64);
}

#[test]
#[ignore = "boots a guest for minutes: scripts/check tuners"]
fn long_what_a_tuner_costs_beside_udp() {
    cost::of_a_tuner_beside_udp(&ARM64);
    cost::of_a_tuner_beside_udp(&ARMHF);
}

#[test]
#[ignore = "boots a guest: scripts/check tuners"]
fn long_a_zap_stage_by_stage() {
    zaps::stage_by_stage(&ARM64);
}

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
