//! Muxes that come from tuners.

use super::super::arbiter::Choice;
use super::super::sample::{Air, AirStage, TICK, at};
use super::super::{Known, LeaseError, MuxId, Probe};
use super::known;
use crate::board;
use crate::frontend::{Command, Failure, Report, Stage as Step};
use crate::service::Ended;
use crate::ts::Packet;
use crate::ts::psi::{Kind, Tracks};
use crate::ts::section::with_body;
use crate::tuner::arbiter::{Owner, Priority};
use nix::errno::Errno;
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_millis(board::LINGER_MS);
const SILENCE_MAX: Duration = Duration::from_millis(board::SILENCE_MAX_MS);

fn ended(feed: &crate::service::Feed) -> Option<Ended> {
    feed.ring().borrow().ended()
}

/// How often a break was announced in the last `packets` of a ring.
fn breaks(feed: &crate::service::Feed) -> usize {
    let ring = feed.ring().borrow();
    let window = ring.window(ring.head().saturating_sub(1_000_000), usize::MAX).unwrap_or_default();
    let packets = window.as_chunks().0.iter().map(|slot| Packet::new(slot).unwrap());
    packets.filter(Packet::is_discontinuity).count()
}

#[test]
fn the_second_viewer_shares_and_after_the_linger_the_tuner_is_closed() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let first = stage.lease(mux, 1001);
    let other = stage.lease(mux, 1002);
    let same = stage.lease(mux, 1001);
    assert!(first.is(&same));
    assert_eq!(stage.air[0].tuned(), [474], "one tuning for all");
    stage.run(3 * SECOND);
    assert!(
        first.ring().borrow().start(stage.now).is_some() && other.ring().borrow().start(stage.now).is_some()
    );
    let counts = stage.tuners.mux(mux).unwrap().open().unwrap().counts().1;
    assert!(counts.packets > 1000 && counts.no_sync == 0, "{counts:?}");
    assert_eq!(counts.continuity_errors, 0);
    drop((first, other, same));
    stage.run(LINGER - 2 * SECOND);
    assert!(stage.tuners.is_active() && !stage.air[0].is_released());
    stage.run(10 * SECOND);
    assert!(!stage.tuners.is_active() && stage.air[0].is_released());
}

#[test]
fn each_service_s_packets_come_by_a_tap_of_its_own() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.run(SECOND / 2);
    let services = &stage.tuners.mux(mux).unwrap().open().unwrap().services;
    let programme = services.find(1001).unwrap().programme.clone().unwrap();
    let taps = stage.air[0].taps();
    let (_, pids) = taps.first().expect("one at least");
    assert!(programme.components.iter().all(|c| pids.contains(&c.pid.value())), "{pids:?}");
    // All that is in the ring is the programme's, and our own tables.
    let ring = feed.ring().borrow();
    let window = ring.window(0, usize::MAX).unwrap();
    let foreign = window.as_chunks().0.iter().map(|slot| Packet::new(slot).unwrap().pid().value());
    let own = |pid: &u16| pids.contains(pid) || *pid < 0x20 || *pid >= 0x1000;
    assert_eq!(foreign.filter(|pid| !own(pid)).count(), 0);
}

#[test]
fn a_zap_to_another_mux_takes_a_tuner_that_lingers_and_nothing_of_the_mux_before_comes_along() {
    let mut stage = AirStage::new(1, Owner::Box);
    let (here, there) = (stage.mux(474), stage.mux(482));
    let services = {
        let feed = stage.lease(here, 1001);
        stage.run(SECOND);
        assert_eq!(ended(&feed), None);
        let services = &stage.tuners.mux(here).unwrap().open().unwrap().services;
        services.find(1001).unwrap().programme.clone().unwrap()
    };
    stage.run(TICK);
    assert!(stage.tuners.reach(there, Priority::VIEWER, false) == Choice::Tune(0));
    let remembered = known(1001, Some(&services));
    assert!(stage.poll(there, &remembered, Priority::VIEWER).is_pending());
    assert!(stage.air[0].demux.open().is_empty(), "before the lock nothing is filtered");
    let feed = stage.try_lease(there, &remembered, Priority::VIEWER).unwrap();
    assert_eq!(stage.air[0].tuned(), [474, 482]);
    assert_eq!(ended(&feed), None);
    assert!(stage.tuners.mux(here).unwrap().open().is_none());
}

#[test]
fn two_adapters_two_muxes_and_the_third_has_to_ask() {
    let mut stage = AirStage::new(2, Owner::Box);
    let muxes = [474, 482, 490].map(|mhz| stage.mux(mhz));
    let feeds = [stage.lease(muxes[0], 1001), stage.lease(muxes[1], 1001)];
    assert_eq!([stage.air[0].tuned(), stage.air[1].tuned()], [[474], [482]]);
    let third = stage.poll(muxes[2], &known(1001, None), Priority::VIEWER);
    assert!(matches!(third, Poll::Ready(Err(LeaseError::Ask))));
    let scan = stage.poll(muxes[2], &known(1001, None), Priority::SCAN);
    assert!(matches!(scan, Poll::Ready(Err(LeaseError::NoTuner(_)))));
    assert!(feeds.iter().all(|feed| ended(feed).is_none()));
}

#[test]
fn a_recording_goes_before_a_viewer_and_a_viewer_before_a_scan() {
    let mut stage = AirStage::new(1, Owner::Box);
    let muxes = [474, 482].map(|mhz| stage.mux(mhz));
    stage.tuners.probe(muxes[0], Priority::SCAN, stage.now);
    stage.run(5 * TICK);
    assert_eq!(stage.tuners.probed(muxes[0], stage.now), Probe::Reading);
    let viewer = stage.lease(muxes[1], 1001);
    assert_eq!(stage.tuners.probed(muxes[0], stage.now), Probe::Waits);
    let recording = stage.try_lease(muxes[0], &known(1002, None), Priority::RECORDING).unwrap();
    assert_eq!((ended(&viewer), ended(&recording)), (Some(Ended::Taken), None));
    assert_eq!(stage.air[0].tuned(), [474, 482, 474]);
}

#[test]
fn a_probe_reads_all_tables_and_lapses_when_it_is_not_kept_up() {
    let mut stage = AirStage::new(1, Owner::Box);
    let (mux, none) = (stage.mux(474), stage.mux(700));
    for _ in 0..12 {
        stage.tuners.probe(mux, Priority::SCAN, stage.now);
        stage.run(SECOND);
    }
    assert_eq!(stage.tuners.probed(mux, stage.now), Probe::Complete);
    assert!(stage.tuners.mux(mux).unwrap().open().unwrap().services.all.len() >= 4);
    stage.run(50 * SECOND);
    assert!(stage.air[0].is_released(), "nobody kept it up");
    stage.tuners.probe(none, Priority::SCAN, stage.now);
    assert_eq!(stage.tuners.probed(none, stage.now), Probe::Tuning);
    stage.run(2 * TICK);
    assert_eq!(stage.tuners.probed(none, stage.now), Probe::Failed("no signal within 2 s".into()));
    assert!(stage.air[0].told.len() >= 2);
}

#[test]
fn a_frequency_without_a_signal_says_so_and_harms_nobody() {
    let mut stage = AirStage::new(2, Owner::Box);
    let (mux, none) = (stage.mux(474), stage.mux(700));
    let feed = stage.lease(mux, 1001);
    let refused = stage.try_lease(none, &known(1, None), Priority::VIEWER).err();
    assert_eq!(refused, Some(LeaseError::Tuner("no signal within 2 s".into())));
    assert_eq!(ended(&feed), None);
    stage.run(TICK);
    assert!(stage.air[1].is_released());
    assert_eq!(stage.tuners.receivers[1].failure(), None, "it may well receive others");
    // Somebody puts up the aerial.
    stage.air[1].signals.push(700_000_000);
    stage.run(5 * SECOND);
    assert!(stage.try_lease(none, &known(1001, None), Priority::VIEWER).is_ok());
}

#[test]
fn fading_is_a_break_and_not_an_end_until_it_lasts() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.run(2 * SECOND);
    assert_eq!(breaks(&feed), 0);
    stage.air[0].playing = false;
    stage.air[0].stage(Step::Lost);
    stage.run(10 * SECOND);
    stage.air[0].playing = true;
    stage.air[0].stage(Step::Locked);
    stage.run(2 * SECOND);
    assert!(breaks(&feed) > 0);
    assert_eq!((ended(&feed), stage.air[0].tuned()), (None, vec![474]));
    stage.air[0].playing = false;
    stage.air[0].stage(Step::Lost);
    stage.run(SILENCE_MAX + SECOND);
    assert_eq!(ended(&feed), Some(Ended::Source));
    assert!(stage.air[0].is_released());
}

#[test]
fn a_full_buffer_of_the_kernel_is_a_break_of_that_service_alone() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let feeds = [stage.lease(mux, 1001), stage.lease(mux, 1002)];
    stage.run(SECOND);
    let (at, _) = stage.air[0].taps()[0].clone();
    stage.air[0].demux.fail(at, Errno::EOVERFLOW);
    stage.run(2 * SECOND);
    assert!(breaks(&feeds[0]) > 0);
    assert_eq!((breaks(&feeds[1]), ended(&feeds[0])), (0, None));
    assert_eq!(stage.tuners.mux(mux).unwrap().open().unwrap().counts().0.overflows, 1);
}

#[test]
fn a_device_that_is_gone_ends_its_own_streams_and_is_tried_again() {
    let mut stage = AirStage::new(2, Owner::Box);
    let muxes = [474, 482].map(|mhz| stage.mux(mhz));
    let feeds = muxes.map(|mux| stage.lease(mux, 1001));
    let (at, _) = stage.air[0].taps()[0].clone();
    stage.air[0].demux.fail(at, Errno::ENODEV);
    stage.run(TICK);
    assert_eq!((ended(&feeds[0]), ended(&feeds[1])), (Some(Ended::Source), None));
    let refused = stage.try_lease(muxes[0], &known(1001, None), Priority::SCAN).err();
    assert_eq!(refused, Some(LeaseError::Tuner("the tuner is gone".into())));
    stage.run(11 * SECOND);
    assert!(
        stage.try_lease(muxes[0], &known(1001, None), Priority::VIEWER).is_ok(),
        "it was plugged in again"
    );
}

#[test]
fn who_listens_has_a_tap_for_the_sound_and_of_the_picture_its_clock() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let listens = Known { tracks: Tracks::Audio, ..known(1001, None) };
    let heard = stage.try_lease(mux, &listens, Priority::VIEWER).unwrap();
    let watched = stage.lease(mux, 1001);
    assert!(!heard.is(&watched));
    stage.run(3 * SECOND);
    assert_eq!(stage.air[0].tuned(), [474], "one tuning for both");
    let open = stage.tuners.mux(mux).unwrap().open().unwrap();
    let programme = open.services.find(1001).unwrap().programme.clone().unwrap();
    let clock = programme.pcr_pid;
    let sound = programme.components.iter().find(|c| c.codec.kind() == Kind::Audio).unwrap().pid;
    assert_eq!(open.counts().1.continuity_errors, 0);
    let ring = heard.ring().borrow();
    let window = ring.window(0, usize::MAX).unwrap();
    let packets = || window.as_chunks().0.iter().map(|slot| Packet::new(slot).unwrap());
    let count = |wanted: &dyn Fn(&Packet<'_>) -> bool| packets().filter(wanted).count();
    assert!(count(&|p| p.pid() == sound) > 100 && count(&|p| p.pid() == clock && p.pcr().is_some()) > 20);
    let own = |p: &Packet<'_>| p.pid().value() < 0x20 || p.pid().value() >= 0x1000;
    assert_eq!(count(&|p| !own(p) && p.pid() != sound && (p.pid() != clock || p.has_payload())), 0);
    assert!(ring.start(stage.now).is_some() && ring.head() < watched.ring().borrow().head());
    drop(ring);
    // The tap goes with who listens.
    let taps = stage.air[0].taps().len();
    drop(heard);
    stage.run(LINGER + 2 * SECOND);
    assert_eq!(stage.air[0].taps().len(), taps - 1);
}

#[test]
fn a_frontend_that_fails_is_left_for_another() {
    let mut stage = AirStage::new(2, Owner::Box);
    let mux = stage.mux(474);
    assert!(stage.poll(mux, &known(1001, None), Priority::VIEWER).is_pending());
    let told = stage.air[0].script.told();
    let Some(Command::Tune { serial, .. }) = told else { panic!("{told:?}") };
    stage.air[0].script.say(&Report::Stage { serial, stage: Step::Failed(Failure::Busy) });
    assert!(stage.try_lease(mux, &known(1001, None), Priority::VIEWER).is_ok());
    assert_eq!(stage.air[1].tuned(), [474]);
    assert_eq!(stage.tuners.receivers[0].failure(), Some(&Failure::Busy));
}

#[test]
fn a_helper_that_dies_once_is_replaced_and_the_streams_go_on() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.run(2 * SECOND);
    stage.air[0].stage(Step::Failed(Failure::Died));
    stage.run(2 * SECOND);
    assert_eq!((ended(&feed), stage.air[0].tuned()), (None, vec![474, 474]));
    assert!(breaks(&feed) > 0);
    stage.air[0].stage(Step::Failed(Failure::Died));
    stage.run(TICK);
    assert_eq!(ended(&feed), Some(Ended::Source), "and not for ever");
}

#[test]
fn with_too_few_filters_the_whole_mux_is_filtered_here() {
    let mut stage = AirStage::new(1, Owner::Box);
    stage.air[0].demux.limit(8);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.run(3 * SECOND);
    assert_eq!(stage.air[0].demux.open().into_iter().map(|(.., pids)| pids).collect::<Vec<_>>(), [[0x2000]]);
    assert!(feed.ring().borrow().start(stage.now).is_some());
    assert_eq!(ended(&feed), None);
}

/// A stage whose television is on 474 MHz.
fn tv() -> (AirStage, MuxId) {
    let mut stage = AirStage::new(1, Owner::Ui);
    stage.air[0].tv = Some(at(474));
    stage.run(5 * TICK);
    let mux = stage.tuners.receivers[0].mux().expect("it is known from the television alone");
    (stage, mux)
}

fn only_watched(air: &Air) -> bool {
    air.told.iter().all(|command| matches!(command, Command::Watch { .. }))
}

#[test]
fn a_passenger_is_served_without_a_grant_until_the_television_moves() {
    let (mut stage, mux) = tv();
    let other = stage.mux(482);
    let feed = stage.lease(mux, 1001);
    let second = stage.lease(mux, 1003);
    stage.run(3 * SECOND);
    assert!(second.ring().borrow().start(stage.now).is_some());
    assert_eq!(stage.tuners.reach(other, Priority::VIEWER, true), Choice::Ask(0));
    assert_eq!(stage.tuners.reach(other, Priority::VIEWER, false), Choice::No);
    assert!(only_watched(&stage.air[0]));
    stage.air[0].say_tv(Some(at(490)));
    stage.run(TICK);
    assert_eq!([ended(&feed), ended(&second)], [Some(Ended::TvMoved); 2]);
    assert_ne!(stage.tuners.receivers[0].mux(), Some(mux));
    let refused = stage.try_lease(mux, &known(1001, None), Priority::VIEWER).err();
    assert_eq!(refused, Some(LeaseError::Ask));
}

#[test]
fn a_short_loss_of_lock_is_no_move_and_a_television_that_is_off_is() {
    let (mut stage, mux) = tv();
    let feed = stage.lease(mux, 1001);
    stage.air[0].say_tv(None);
    stage.run(SECOND / 2);
    stage.air[0].say_tv(Some(at(474)));
    stage.run(SECOND);
    assert_eq!(ended(&feed), None);
    stage.air[0].say_tv(None);
    stage.run(SECOND);
    assert_eq!(ended(&feed), Some(Ended::TvMoved));
    assert_eq!(stage.tuners.receivers[0].mux(), None);
}

#[test]
fn another_mux_s_tables_end_a_passenger_before_the_frontend_says_so() {
    let (mut stage, mux) = tv();
    let feed = stage.lease(mux, 1001);
    let pat = with_body(0x00, &[0, 1, 0xe1, 1]);
    let (at, ..) = stage.air[0].demux.open()[0].clone();
    stage.air[0].demux.send(at, &pat);
    stage.run(TICK);
    assert_eq!(ended(&feed), Some(Ended::TvMoved));
}

#[test]
fn a_grant_tunes_and_its_withdrawal_ends_what_came_of_it() {
    let (mut stage, _) = tv();
    let other = stage.mux(482);
    assert!(stage.tuners.grant(0, stage.now) && !stage.tuners.grant(1, stage.now));
    stage.air[0].tv = None;
    let feed = stage.lease(other, 1001);
    assert_eq!(stage.air[0].tuned(), [482]);
    assert!(!stage.tuners.is_withdrawn(0));
    stage.tuners.withdraw(0, stage.now);
    assert_eq!(ended(&feed), Some(Ended::TvTook));
    assert!(!stage.tuners.is_withdrawn(0), "its driver has yet to close it");
    stage.run(2 * TICK);
    assert!(stage.tuners.is_withdrawn(0));
    assert!(matches!(stage.air[0].told.last(), Some(Command::Watch { .. })));
}

#[test]
fn who_watches_what_the_television_gives_up_goes_on() {
    let (mut stage, mux) = tv();
    let feed = stage.lease(mux, 1001);
    stage.air[0].tv = None;
    assert!(stage.tuners.grant(0, stage.now));
    stage.run(2 * SECOND);
    assert_eq!((ended(&feed), stage.air[0].tuned()), (None, vec![474]));
    assert_eq!(breaks(&feed).min(1), 1);
}

#[test]
fn only_a_closed_tuner_of_the_box_is_used_for_a_look() {
    let mut stage = AirStage::new(1, Owner::Box);
    let muxes = [474, 482].map(|mhz| stage.mux(mhz));
    let feed = stage.lease(muxes[0], 1001);
    stage.tuners.survey(stage.now);
    assert_eq!(stage.air[0].tuned(), [474]);
    drop(feed);
    stage.run(SECOND);
    stage.tuners.survey(stage.now);
    stage.run(LINGER + 10 * SECOND);
    assert_eq!(stage.air[0].tuned(), [474], "not while it lingers");
    assert!(stage.air[0].is_released());
    stage.tuners.survey(stage.now);
    stage.run(TICK);
    assert_eq!(stage.air[0].tuned(), [474, 482], "the one that was read lately is not looked at");
    let _viewer = stage.lease(muxes[0], 1001);
    assert_eq!(stage.air[0].tuned(), [474, 482, 474]);
}

#[test]
fn what_the_box_has_tuned_itself_stays_when_the_television_leaves_the_same_mux() {
    let mut stage = AirStage::new(2, Owner::Ui);
    stage.tuners.grant(1, stage.now);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.air[0].say_tv(Some(at(474)));
    stage.run(SECOND);
    assert_eq!(stage.tuners.receivers[0].mux(), Some(mux));
    stage.air[0].say_tv(Some(at(482)));
    stage.run(SECOND);
    assert_eq!(ended(&feed), None);
    stage.tuners.survey(stage.now);
    stage.tuners.withdraw(1, stage.now);
    assert_eq!(ended(&feed), Some(Ended::TvTook));
}

#[test]
fn the_end_of_the_box_is_the_end_of_its_streams_and_of_its_helpers() {
    let mut stage = AirStage::new(1, Owner::Box);
    let mux = stage.mux(474);
    let feed = stage.lease(mux, 1001);
    stage.tuners.shut_down();
    let air = stage.air.remove(0);
    assert!(air.demux.open().is_empty() && air.script.is_alone());
    stage.run(SECOND);
    stage.tuners.survey(stage.now);
    assert_eq!(ended(&feed), Some(Ended::Shutdown));
    assert!(!stage.tuners.is_active());
}
