//! Whether buffers of the kernel's that are mapped are cheaper to read than a demux is by `read()`.

use super::air::{Air, DEMO_RATE, bring_play, compile};
use super::packaged::{Case, Packaged};

/// Seconds that each way is measured for.
const SECONDS: u32 = 8;
/// The broadcast's speed: 39 Mbit/s, a mux of DVB-T2 or DVB-S2.
const SPEED: u32 = 30;

/// The box copies into the ring that its viewers read, from either: with that, mapped buffers cost more. Instructions are
/// counted, which no load of this machine changes.
pub(super) fn mapped_buffers_cost_no_less(case: &'static Case) {
    let packaged = Packaged::new(case);
    bring_play(&packaged, case.machine);
    compile(&packaged, case.machine, "tap");
    let guest = packaged.guest(&["--seconds", "600", "--count", "--dvb=inject=1"]);
    guest.done("cp /mnt/demo.ts /mnt/play /mnt/tap /tmp");
    let air = Air::start(&guest, &format!("-l {} /tmp/demo.ts /dev/vidtv_inject", DEMO_RATE * SPEED));
    let costs = ["read", "mmap", "copied"].map(|way| {
        let said = guest.done(&format!("/tmp/tap {way} 474000000 {SECONDS}"));
        print!("{}: {said}", case.machine);
        assert!(said.contains(" 0 losses,"), "{said}");
        cost(&said)
    });
    assert!(air.is_on(), "the broadcast went on");
    let [read, mapped, copied] = costs;
    assert!(mapped < copied, "copying costs: {costs:?}");
    assert!(read < copied, "mapped buffers measure better: {costs:?}; the box should take them");
}

/// The CPU seconds for a GB.
fn cost(said: &str) -> f64 {
    let cost = said.trim().strip_suffix(" CPU s/GB").and_then(|said| said.rsplit(' ').next());
    cost.and_then(|cost| cost.parse().ok()).unwrap_or_else(|| panic!("no cost in '{said}'"))
}
