use std::net::UdpSocket;
use std::task::{Context, Poll, Waker};

use super::sample::{DEMO, TICK};
use super::*;
use crate::ts::PACKET;
use crate::ts::psi::{Programme, Tracks};
use crate::ts::service_info::{Name, ServiceKind};

mod air;

/// Tuners on the demo mux, driven by a clock of their own.
struct Stage {
    tuners: Tuners,
    epg: Epg,
    now: Duration,
}

const MUX: MuxId = MuxId(0);

impl Stage {
    fn new() -> Self {
        Self::of(concat!("file:", env!("CARGO_MANIFEST_DIR"), "/tests/data/demo.ts?loop"))
    }

    fn of(source: &str) -> Self {
        let tuners = Tuners::new([source.parse().unwrap()]).unwrap();
        Self { tuners, epg: crate::guide::sample(), now: Duration::from_secs(100) }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            self.tuners.tick(Now { boot: self.now, utc: Duration::ZERO }, TICK, &mut self.epg);
            while self.tuners.take_changed().is_some() {}
            if self.now.as_millis().is_multiple_of(1000) {
                self.tuners.survey(self.now);
                self.tuners.warm_up(self.now);
            }
        }
    }

    fn poll(&mut self, known: &Known) -> Poll<Result<Lease, LeaseError>> {
        self.tuners.poll_lease(
            &mut Context::from_waker(Waker::noop()),
            MUX,
            known,
            Priority::VIEWER,
            self.now,
        )
    }

    /// Leases within a few ticks.
    fn lease(&mut self, known: &Known) -> Feed {
        for _ in 0..100 {
            if let Poll::Ready(lease) = self.poll(known) {
                return lease.unwrap().into_feed();
            }
            self.run(TICK);
        }
        panic!("no lease");
    }
}

pub(super) fn known(service: u16, programme: Option<&Programme>) -> Known {
    let identity = Identity {
        transport_stream_id: 0,
        original_network_id: 0,
        name: Name::default(),
        provider: Name::default(),
        kind: ServiceKind::Television,
    };
    Known { service, tracks: Tracks::All, programme: programme.cloned().map(Box::new), identity }
}

#[test]
fn with_what_is_remembered_not_even_the_first_picture_is_missed() {
    let mut stage = Stage::new();
    let _feed = stage.lease(&known(1002, None));
    let services = &stage.tuners.mux(MUX).unwrap().open().unwrap().services;
    let programme = services.find(1002).unwrap().programme.clone().unwrap();
    let first_picture = |memory| {
        let mut stage = Stage::new();
        let feed = stage.lease(&known(1002, memory));
        while feed.ring().borrow().start(stage.now).is_none() {
            stage.run(TICK);
        }
        stage.now - Duration::from_secs(100)
    };
    // The demo's service 1002 has a picture to start at in its first packets, and then every two seconds.
    assert!(first_picture(Some(&programme)) < Duration::from_secs(1));
    assert!(first_picture(None) > Duration::from_secs(1));
}

#[test]
fn beside_what_is_watched_the_others_get_warm() {
    let mut stage = Stage::new();
    let _watched = stage.lease(&known(1001, None));
    stage.run(Duration::from_secs(7));
    assert_eq!(stage.tuners.rings().0, 1, "warm is not watched");
    for service in [1002, 1003, 1004] {
        let Poll::Ready(Ok(lease)) = stage.poll(&known(service, None)) else { panic!("{service} is cold") };
        assert!(lease.into_feed().ring().borrow().start(stage.now).is_some(), "{service} has no picture");
    }
}

#[test]
fn a_mux_lingers_for_its_last_viewer_and_closes() {
    let mut stage = Stage::new();
    let first = stage.lease(&known(1001, None));
    let second = stage.lease(&known(1001, None));
    assert!(first.is(&second), "the second viewer shares the ring");
    stage.run(Duration::from_secs(5));
    drop((first, second));
    let linger = Duration::from_millis(board::LINGER_MS);
    stage.run(linger - Duration::from_secs(2));
    assert!(stage.tuners.is_active());
    stage.run(Duration::from_secs(15));
    assert!(!stage.tuners.is_active(), "and the warm rings do not keep it open");
}

/// A stage whose source is a free port of this machine, and who sends there.
fn by_udp() -> (Stage, UdpSocket) {
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    sender.connect(free).unwrap();
    (Stage::of(&format!("udp://{free}")), sender)
}

/// Sends the demo's first two seconds, a tick each 20 ms.
fn send(stage: &mut Stage, sender: &UdpSocket) {
    for datagram in DEMO.chunks(7 * PACKET).take(300) {
        sender.send(datagram).unwrap();
        stage.run(TICK / 3);
    }
}

#[test]
fn silence_is_waited_out_up_to_its_limit() {
    let (mut stage, sender) = by_udp();
    let service = known(1001, None);
    assert!(stage.poll(&service).is_pending());
    send(&mut stage, &sender);
    let Poll::Ready(Ok(lease)) = stage.poll(&service) else { panic!("no lease") };
    let feed = lease.into_feed();
    let limit = Duration::from_millis(board::SILENCE_MAX_MS);
    // Opened anew after 5 and 10 s, it goes on where it was.
    stage.run(Duration::from_secs(12));
    assert!(stage.tuners.mux(MUX).unwrap().open().unwrap().is_silent());
    assert_eq!(stage.poll(&service).map(|lease| lease.err()), Poll::Ready(Some(LeaseError::Silent)));
    let head = feed.ring().borrow().head();
    send(&mut stage, &sender);
    assert!(feed.ring().borrow().head() > head + 100_000);
    stage.run(limit - Duration::from_secs(1));
    assert_eq!(feed.ring().borrow().ended(), None);
    stage.run(Duration::from_secs(2));
    assert_eq!(feed.ring().borrow().ended(), Some(Ended::Source));
    let mux = stage.tuners.mux(MUX).unwrap();
    assert_eq!((mux.open().is_none(), mux.error.as_deref()), (true, Some("nothing came for 30 s")));
    // Who comes now opens it again, and why it failed stays known until something comes.
    assert!(stage.poll(&service).is_pending());
    stage.run(Duration::from_secs(3));
    assert_eq!(stage.poll(&service).map(|lease| lease.err()), Poll::Ready(Some(LeaseError::Silent)));
    assert!(stage.tuners.mux(MUX).unwrap().error.is_some());
    send(&mut stage, &sender);
    assert_eq!(stage.tuners.mux(MUX).unwrap().error, None);
    assert!(matches!(stage.poll(&service), Poll::Ready(Ok(_))));
}

#[test]
fn a_mux_that_was_never_heard_is_not_there() {
    let (mut stage, _sender) = by_udp();
    stage.tuners.survey(stage.now);
    stage.run(Duration::from_secs(100));
    let mux = stage.tuners.mux(MUX).unwrap();
    assert_eq!(mux.error.as_deref(), Some("the source is silent"), "also while it is looked at again");
}

#[test]
fn a_service_that_is_not_there_is_said_not_to_be() {
    let mut stage = Stage::new();
    let lease = loop {
        if let Poll::Ready(lease) = stage.poll(&known(4711, None)) {
            break lease;
        }
        stage.run(TICK);
    };
    assert_eq!(lease.err(), Some(LeaseError::NoService(4711)));
    stage.tuners.shut_down();
    assert!(matches!(stage.poll(&known(1001, None)), Poll::Ready(Err(LeaseError::Shutdown))));
}

#[test]
fn who_listens_takes_no_ring_of_who_watches() {
    let mut stage = Stage::new();
    let _watched: std::vec::Vec<Feed> = (1001..1005).map(|s| stage.lease(&known(s, None))).collect();
    let listen = |service| Known { tracks: Tracks::Audio, ..known(service, None) };
    let heard: std::vec::Vec<Feed> =
        [1001, 1002].into_iter().map(|service| stage.lease(&listen(service))).collect();
    let full = stage.poll(&listen(1004));
    assert_eq!(full.map(|lease| lease.err()), Poll::Ready(Some(LeaseError::RingsFull(board::AUDIO_RINGS))));
    drop(heard);
    stage.run(TICK);
    let _next = stage.lease(&listen(1004));
}
