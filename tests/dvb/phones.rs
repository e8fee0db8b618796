//! Phones that share a tuner, and one that wants another mux.

use super::packaged::Case;
use super::receiver::{OTHER_CHANNEL, SLOW, on_air, packaged, start};
use super::support::stb::{number, wait_at_most};

/// Two phones on one mux take one tuning. A third one, for another mux, is told that there is no tuner; once a screen is
/// there that can answer for the television, that it has to be asked.
pub(super) fn share_one_tuner(case: &'static Case) {
    let packaged = packaged(case);
    let running = start(&packaged);
    let _air = on_air(&running);
    let _phones = [1, 2].map(|channel| running.watches(channel));
    let tuners = running.stbcastd("tuners --json");
    let tuner = tuners.lines().find(|line| line.contains("\"device\"")).expect("a line for the tuner");
    assert_eq!(number(tuner, "watched"), 2, "{tuner}");
    assert!(tuner.contains("\"locked\"") && tuner.contains("\"viewers\""), "{tuner}");
    let log = running.log();
    let tunings = log.lines().filter(|line| line.contains("zap in") && line.contains("tune ")).count();
    assert!(tunings <= 1, "{log}");

    let third = running.link(OTHER_CHANNEL);
    let refused = running.get(&third);
    assert_eq!(refused.status, 503, "{}", refused.head);
    assert!(String::from_utf8_lossy(&refused.body).contains("\"no-tuner\""), "{:?}", refused.body);
    let listed = || {
        let list = running.stbcastd("channels --all --json");
        let own = format!("\"number\":{OTHER_CHANNEL},");
        list.lines().find(|line| line.contains(&own)).map(str::to_owned).expect("it is listed")
    };
    assert!(listed().contains("\"available\":\"no\""), "{}", listed());
    running.guest.done("/mnt/box in stbcastd pair </dev/null >/tmp/pair.log 2>&1 &");
    let asked = wait_at_most(SLOW, "a question", || Some(running.get(&third)).filter(|r| r.status == 409));
    assert!(String::from_utf8_lossy(&asked.body).contains("\"ask\""), "{:?}", asked.body);
    assert!(listed().contains("\"available\":\"ask\""), "{}", listed());
    println!("{} on {}: {}", case.board, case.machine, tuner);
}
