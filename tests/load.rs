//! A full house: every viewer gets every packet. `scripts/check` runs these on a machine that does nothing else.
//!
//! Tests named `long_…` take minutes and run with `scripts/check --all`.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[path = "load/crowd.rs"]
mod crowd;
#[path = "load/feed.rs"]
mod feed;
#[path = "load/usage.rs"]
mod usage;

use std::time::Duration;

use crowd::{Crowd, Share};
use feed::Feed;
use support::sender::unicast;
use support::stb::{Stb, number};
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
