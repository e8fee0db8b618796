//! Zaps: none leaves anything behind, and what each takes, stage by stage.

use std::time::Instant;

use super::packaged::{Case, Running};
use super::receiver::{OTHER_CHANNEL, on_air, packaged, start, start_talkative};
use super::support::http::Viewer;

/// Zaps from one mux to the other and back leave no process, no file and no memory behind, and no tuner stuck.
pub(super) fn leave_nothing_behind(case: &'static Case, zaps: usize) {
    let packaged = packaged(case);
    let running = start(&packaged);
    let _air = on_air(&running);
    let links = [1, OTHER_CHANNEL].map(|channel| running.link(channel));
    let zap = |n: usize| {
        let mut viewer = running.viewer(&links[n % 2]);
        viewer.watch(20_000);
    };
    // What is made once is made by then.
    (0..10).for_each(zap);
    running.wait_quiet();
    let before = running.takes();
    let began = Instant::now();
    (0..zaps).for_each(zap);
    let each = began.elapsed() / u32::try_from(zaps).unwrap();
    running.wait_quiet();
    let after = running.takes();
    println!(
        "{} on {}: {zaps} zaps between two frequencies, {} ms each; processes, PSS in KiB, files: before {before:?}, \
         after {after:?}",
        case.board,
        case.machine,
        each.as_millis()
    );
    assert_eq!(after[0], before[0], "processes");
    assert!(after[2] <= before[2] + 2, "files: {before:?}, {after:?}");
    assert!(after[1] <= before[1] + 300, "KiB: {before:?}, {after:?}");
    zap(0);
}

/// The time to the first byte and to the first picture, warm and cold, as a viewer at home sees them.
pub(super) fn stage_by_stage(case: &'static Case) {
    const ROUNDS: usize = 9;
    let packaged = packaged(case);
    let running = start_talkative(&packaged);
    let _air = on_air(&running);
    let links = [1, 2, OTHER_CHANNEL].map(|channel| running.link(channel));
    let mut rows: [Vec<[f64; 3]>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let held = running.viewer(&links[0]);
        // Beside it on the same mux; then to the other mux; then back to the first.
        rows[0].push(times(&running, &links[1]));
        drop(held);
        rows[1].push(times(&running, &links[2]));
        rows[2].push(times(&running, &links[0]));
    }
    println!(
        "{} on {}, ms (median of {ROUNDS}): answer, first byte, first picture",
        case.board, case.machine
    );
    for (name, row) in ["same mux, tuned", "other mux", "back again"].iter().zip(&mut rows) {
        let median = |i: usize| {
            let mut column: Vec<f64> = row.iter().map(|times| times[i]).collect();
            column.sort_by(f64::total_cmp);
            column[column.len() / 2]
        };
        println!("  {name:16} {:7.0} {:7.0} {:7.0}", median(0), median(1), median(2));
    }
    println!("  the box's own stages:");
    for line in running.log().lines().filter(|line| line.contains("zap")).rev().take(2 * ROUNDS) {
        println!("  {line}");
    }
}

/// Milliseconds from the request to the answer's head, the first byte and the first whole picture.
fn times(running: &Running<'_>, link: &str) -> [f64; 3] {
    let began = Instant::now();
    let ms = || began.elapsed().as_secs_f64() * 1000.0;
    let mut viewer: Viewer = running.viewer(link);
    let answer = ms();
    viewer.watch(188);
    let first = ms();
    // The first access unit is whole where the next one begins: the second start of a unit on the video's PID.
    let video = std::cell::Cell::new((None, 0));
    viewer.watch_until("a picture", |packet| {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let starts = packet[1] & 0x40 != 0 && packet[3] & 0x10 != 0;
        let (found, count) = video.get();
        let is_table = pid < 0x20 || pid & 0xf000 == 0x1000 || pid.is_multiple_of(0x10);
        if starts && !is_table && found.is_none_or(|found| found == pid) {
            video.set((Some(pid), count + 1));
            return count + 1 == 2;
        }
        false
    });
    [answer, first, ms()]
}
