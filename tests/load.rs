//! A full house: every viewer gets every packet. `scripts/check` runs these on a machine that does nothing else.
//!
//! Tests named `long_…` take minutes and run with `scripts/check --all`.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[path = "load/crowd.rs"]
mod crowd;
#[path = "load/feed.rs"]
mod feed;
#[path = "load/flood.rs"]
mod flood;
#[path = "load/usage.rs"]
mod usage;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crowd::{Crowd, Share};
use feed::Feed;
use flood::{Answers, flood};
use stbcast::handshake::Mode;
use stbcast::pairing::{PER_HOUR, PER_SOURCE};
use support::sender::unicast;
use support::stb::{Stb, number};
use support::terminal::{Phone, open_pairing, owner};
use usage::Usage;

/// Bits per second of a good HD service, and of the richest there are.
const HD: u64 = 8_000_000;
const UHD: u64 = 40_000_000;
/// A ring of the host board (boards/host.toml), full, and the program with all its tables.
const MEMORY: u64 = 16_171_008 + (8 << 20);

#[test]
#[ignore = "loads the machine: run by scripts/check"]
fn a_hundred_viewers_of_8_mbit_s_lose_nothing() {
    watch(HD, 100, Duration::from_secs(20));
}

#[test]
#[ignore = "loads the machine: run by scripts/check"]
fn ten_viewers_of_40_mbit_s_lose_nothing() {
    watch(UHD, 10, Duration::from_secs(20));
}

#[test]
#[ignore = "takes ten minutes: run by scripts/check --all"]
fn long_ten_minutes_with_twenty_viewers_lose_nothing() {
    watch(HD, 20, Duration::from_secs(600));
}

/// The most that public-key work may take of the box's thread, whoever asks for it.
const WORK_MOST: f64 = 0.1;

#[test]
#[ignore = "loads the machine: run by scripts/check"]
fn a_flood_of_handshakes_takes_nothing_from_who_watches() {
    let length = Duration::from_secs(15);
    let address = unicast();
    let feed = Feed::start(address, HD);
    let stb = Stb::start(&[&format!("udp://{address}")]);
    stb.wait_channels(1);
    let owner = owner(&stb);
    let (step, share) = cost_of_a_step(&stb);
    let mut crowd = Crowd::join(&stb.channel(1), 1, feed.pids());
    crowd.watch(Duration::from_secs(2)); // the burst that each begins with

    let shown = open_pairing(&stb, "");
    let (stop, answers) = (AtomicBool::new(false), Answers::default());
    let stranger = Phone::new(&stb, "Mallory");
    let before = Usage::of(stb.pid());
    let used = thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(&stranger, &share, &stop, &answers));
        crowd.watch(length);
        let used = Usage::of(stb.pid()).since(&before);
        // Who has the QR code is let in under it, and who was let in is answered.
        let paired = (0..10).find_map(|_| Phone::new(&stb, "Ann").pair_by_qr(shown.link()).ok());
        assert!(paired.is_some(), "nobody is kept out");
        assert_eq!(owner.get("/api/v1/session").status, 200);
        stop.store(true, Ordering::Relaxed);
        flooding.join().unwrap();
        used
    });
    let shares = crowd.leave();
    let steps = answers.shares.load(Ordering::Relaxed);
    let work = steps as f64 * step / length.as_secs_f64();
    println!(
        "{} messages in {} s ({answers:?}): {} packets lost, {:.2} CPU seconds in all; {steps} steps of {:.1} ms of \
         public-key work: {:.2} % of the thread",
        answers.all(),
        length.as_secs(),
        shares[0].lost,
        used.cpu_seconds,
        step * 1e3,
        work * 1e2,
    );
    assert!(answers.all() > 5000, "a flood: {answers:?}");
    assert_eq!(shares[0].lost, 0);
    all_kept_up(&shares, &feed, HD);
    let status = stb.status().pop().unwrap();
    assert_eq!((number(&status, "jumps"), number(&status, "too_slow")), (0, 0), "{status}");
    assert!(steps <= u64::try_from(PER_HOUR).unwrap() && work < WORK_MOST, "{steps} steps");
}

/// CPU seconds that the box takes to answer a share; and a share that is valid.
fn cost_of_a_step(stb: &Stb) -> (f64, [u8; 65]) {
    let phone = Phone::new(stb, "Ann");
    let mut share = [0; 65];
    let mut costs = Vec::new();
    for _ in 0..PER_SOURCE {
        let shown = open_pairing(stb, "");
        let begun = phone.hello(Mode::Pin).ok().unwrap();
        let (terminal, own) = phone.start_by_pin(&begun, shown.pin());
        share = own;
        let before = Usage::of(stb.pid());
        let (box_share, confirm) = phone.share(&begun.attempt, &share).ok().unwrap();
        costs.push(Usage::of(stb.pid()).since(&before).cpu_seconds);
        // Who knows the PIN is let in, and what it spent is given back.
        let (proof, _) = terminal.finish(&box_share, &confirm).unwrap();
        assert_eq!(phone.finish(&begun.attempt, &proof).status, 200);
    }
    (costs.into_iter().fold(f64::INFINITY, f64::min), share)
}

/// So many viewers of one service for so long. Each must get all that was sent from its first packet to its last.
fn watch(rate: u64, viewers: usize, length: Duration) {
    let address = unicast();
    let feed = Feed::start(address, rate);
    let stb = Stb::start(&[&format!("udp://{address}")]);
    stb.wait_channels(1);
    let mut crowd = Crowd::join(&stb.channel(1), viewers, feed.pids());

    crowd.watch(Duration::from_secs(2)); // the burst that each begins with
    let before = Usage::of(stb.pid());
    let begun = crowd.bytes();
    crowd.watch(length);
    let used = Usage::of(stb.pid()).since(&before);
    let shares = crowd.leave();
    let delivered = shares.iter().map(|share| share.bytes).sum::<u64>() - begun;

    let lost: u64 = shares.iter().map(|share| share.lost).sum();
    let gigabytes = delivered as f64 / 1e9;
    println!(
        "{viewers} viewers x {} Mbit/s for {} s: {delivered} bytes, {lost} packets lost, {:.2} CPU seconds, \
         {:.2} per GB; {used}",
        rate / 1_000_000,
        length.as_secs(),
        used.cpu_seconds,
        used.cpu_seconds / gigabytes,
    );
    assert_eq!(lost, 0);
    all_kept_up(&shares, &feed, rate);
    let (mux, status) = (stb.mux(0), stb.status().pop().unwrap());
    assert_eq!((number(&mux, "dropped_datagrams"), number(&mux, "sync_losses")), (0, 0), "{mux}");
    assert_eq!((number(&status, "jumps"), number(&status, "too_slow")), (0, 0), "{status}");
    assert_eq!(used.threads, 1);
    assert!(used.memory < MEMORY, "{used}");
}

/// Nobody is further behind than the second that a GOP, a tick and a busy machine can explain.
fn all_kept_up(shares: &[Share], feed: &Feed, rate: u64) {
    let sent = feed.sent();
    let second = rate / 8 / 188;
    for (viewer, share) in shares.iter().enumerate() {
        let (first, last) = share.packets.expect("every viewer gets packets");
        assert!(last + second >= sent, "viewer {viewer} got {first} to {last} of {sent}");
    }
}
