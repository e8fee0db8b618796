//! Box and helper against the kernel's own frontend: in a guest with vidtv, where `scripts/check tuners` runs these.
//!
//! vidtv receives DVB-T, T2 and C at 474 MHz and DVB-S and S2 at 11 362 MHz, and nothing anywhere else.

use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::helper::serve;
use super::{Capabilities, Failure, Frontend, Helper, State, line};
use crate::delivery::System;
use crate::sys::clock;

/// A frontend of the machine. Its helper is a thread, which ends with it.
fn frontend(device: &str) -> Frontend {
    let (ours, theirs) = line().unwrap();
    let mut frontend = Frontend::new(device.parse().unwrap());
    let device = frontend.device().clone();
    std::thread::spawn(move || serve(theirs.as_fd(), &device, || device.node("frontend")));
    frontend.helper = Some(Helper { child: None, line: ours, heard: clock::boot() });
    frontend
}

/// What `wanted` finds in a state that comes within a minute; the states on the way are its to refuse.
fn until<T>(frontend: &mut Frontend, mut wanted: impl FnMut(&State) -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        frontend.poll(clock::boot());
        if let Some(found) = wanted(frontend.state()) {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "still {:?}", frontend.state());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn tuned(frontend: &mut Frontend, mux: &str) -> State {
    frontend.tune(mux.parse().unwrap(), clock::boot());
    until(frontend, |state| (*state != State::Tuning).then(|| state.clone()))
}

fn released(frontend: &mut Frontend) {
    frontend.release(clock::boot());
    until(frontend, |state| (*state == State::Idle).then_some(()));
}

/// Descriptors of this process that are a frontend's.
fn open_frontends() -> usize {
    let links =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().contains("frontend")).count()
}

#[test]
#[ignore = "needs vidtv: scripts/check tuners"]
fn every_system_it_knows_comes_to_a_lock_and_says_how_good_it_is() {
    let mut frontend = frontend("0");
    for mux in [
        "dvb-t:474000000?bw=8000000",
        "dvb-t2:474000000?bw=8000000",
        "dvb-c:474000000?sr=6900000&mod=qam256",
        "dvb-s:11362000H?sr=22000000",
        "dvb-s2:11362000H?sr=22000000&mod=8psk",
    ] {
        assert_eq!(tuned(&mut frontend, mux), State::Locked, "{mux}");
        let begin = Instant::now();
        while frontend.signal().cnr_mdb.is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60), "{mux}: {:?}", frontend.signal());
            std::thread::sleep(Duration::from_millis(50));
            frontend.poll(clock::boot());
        }
        assert!((-90_000..0).contains(&frontend.signal().strength_mdbm.unwrap()), "{:?}", frontend.signal());
        assert_eq!(frontend.state(), &State::Locked, "{mux}: it is kept");
    }
    let Some(Capabilities { name, systems, range }) = frontend.capabilities() else {
        panic!("it was not opened")
    };
    assert_eq!(name, "Dummy demod for DVB-T/T2/C/S/S2");
    let known = [System::DvbT, System::DvbT2, System::DvbC, System::DvbS, System::DvbS2];
    assert!(
        known.iter().all(|system| systems.contains(system)) && systems.len() == known.len(),
        "{systems:?}"
    );
    assert!(range.0 > 0 && range.1 > range.0, "{range:?}");
    released(&mut frontend);
    assert_eq!(open_frontends(), 0);
}

#[test]
#[ignore = "needs vidtv: scripts/check tuners"]
fn what_cannot_be_received_is_said_and_the_next_mux_is() {
    let mut frontend = frontend("0?sat=19.2E");
    let failed = |frontend: &mut Frontend, mux| match tuned(frontend, mux) {
        State::Failed(why) => why,
        other => panic!("{mux}: {other:?}"),
    };
    assert_eq!(failed(&mut frontend, "dtmb:474000000"), Failure::System(System::Dtmb));
    assert_eq!(failed(&mut frontend, "dvb-t:482000000"), Failure::NoLock(5000));
    assert_eq!(tuned(&mut frontend, "dvb-t:474000000"), State::Locked);
    assert_eq!(failed(&mut frontend, "dvb-t:482000000"), Failure::NoLock(5000), "no lock of the mux before");
    assert!(matches!(failed(&mut frontend, "dvb-t:2190000000"), Failure::Frequency(..)));
    assert!(matches!(failed(&mut frontend, "dvb-s:12760000H"), Failure::Frequency(..)));
    assert_eq!(failed(&mut frontend, "dvb-s:11362000H?sat=13.0E"), Failure::Dish);
    assert_eq!(tuned(&mut frontend, "dvb-s:11362000H?sat=19.2E"), State::Locked);
    released(&mut frontend);
    assert_eq!(failed(&mut self::frontend("9"), "dvb-t:474000000"), Failure::NoDevice);
}

#[test]
#[ignore = "needs vidtv: scripts/check tuners"]
fn one_tunes_and_another_watches() {
    let (mut television, mut watcher) = (frontend("0"), frontend("0"));
    assert_eq!(tuned(&mut television, "dvb-t:474000000?bw=8000000"), State::Locked);
    assert_eq!(tuned(&mut watcher, "dvb-t:474000000"), State::Failed(Failure::Busy));
    watcher.watch(clock::boot());
    let seen = |watcher: &mut Frontend, wanted: Option<System>| {
        until(watcher, |state| match state {
            State::Watching(tuning) if tuning.map(|t| t.system) == wanted => Some(*tuning),
            State::Watching(_) => None,
            other => panic!("{other:?}"),
        })
    };
    let mux = seen(&mut watcher, Some(System::DvbT)).unwrap();
    assert!(
        mux.is_same_mux(&"dvb-t:474000000".parse().unwrap()) && mux.bandwidth == Some(8_000_000),
        "{mux}"
    );
    television.tune("dvb-t:482000000".parse().unwrap(), clock::boot());
    seen(&mut watcher, None);
    assert_eq!(tuned(&mut television, "dvb-c:474000000?sr=6900000"), State::Locked);
    assert_eq!(seen(&mut watcher, Some(System::DvbC)).unwrap().symbol_rate, Some(6_900_000));
    assert_eq!(television.state(), &State::Locked, "who watches disturbs nobody");
    released(&mut television);
    seen(&mut watcher, None); // though the driver still says that it has a lock
    // Whoever has it for writing next is not disturbed either, nor kept out.
    assert_eq!(tuned(&mut frontend("0"), "dvb-t2:474000000"), State::Locked);
    released(&mut watcher);
}

#[test]
#[ignore = "needs vidtv whose driver sleeps: scripts/check tuners"]
fn slow_a_driver_that_sleeps_is_waited_for() {
    let mut frontend = frontend("0");
    let begin = Instant::now();
    assert_eq!(tuned(&mut frontend, "dvb-t:474000000"), State::Locked);
    assert!(begin.elapsed() > Duration::from_secs(2), "it does not sleep, {:?}", begin.elapsed());
    assert_eq!(tuned(&mut frontend, "dvb-c:474000000?sr=6900000"), State::Locked);
    released(&mut frontend);
    assert_eq!(open_frontends(), 0);
}
