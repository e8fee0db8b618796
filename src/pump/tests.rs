use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::*;
use crate::service::sample::{CAPACITY, Feeder, Reader};

/// A viewer's two ends; the far one has a small receive buffer.
fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    setsockopt(&listener, sockopt::RcvBuf, &4096).unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = listener.accept().unwrap().0;
    setsockopt(&near, sockopt::SndBuf, &4096).unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near.into(), far)
}

/// Nobody wants to know.
fn deaf<T>() -> Ears<T> {
    Ears { begun: |_, _| (), left: |_, _| () }
}

fn read_all(far: &mut TcpStream, reader: &mut Reader) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = far.read(&mut buffer) {
        reader.take(&buffer[..n]);
    }
}

#[test]
fn a_viewer_gets_everything_from_its_start_on() {
    let mut feeder = Feeder::new(CAPACITY);
    let mut pump = Pump::new(2, deaf());
    let (near, mut far) = pair();
    let ticket = Rc::new(());
    pump.adopt(near, feeder.feed.clone(), Rc::clone(&ticket), feeder.now()).unwrap();
    let mut reader = Reader::new();
    for _ in 0..100 {
        feeder.frame();
        // The test's buffers are small and the feeder writes 18 kB a tick: several turns take it all.
        for _ in 0..8 {
            pump.tick(feeder.now());
            read_all(&mut far, &mut reader);
        }
    }
    assert_eq!(pump.counts().jumps, 0);
    assert!(reader.packets >= 100 * (Feeder::FRAME + 1), "{}", reader.packets);
    drop(far);
    for _ in 0..20 {
        feeder.frame();
        pump.tick(feeder.now());
        std::thread::yield_now();
    }
    assert_eq!((pump.viewers(), Rc::strong_count(&ticket), feeder.feed.watchers()), (0, 1, 0));
}

#[test]
fn one_that_falls_behind_jumps_and_sees_no_damage() {
    for pause in 1..60 {
        let mut feeder = Feeder::new(CAPACITY);
        let mut pump = Pump::new(1, deaf());
        let (near, mut far) = pair();
        pump.adopt(near, feeder.feed.clone(), (), feeder.now()).unwrap();
        let mut reader = Reader::new();
        for i in 0..400 {
            feeder.frame();
            pump.tick(feeder.now());
            // It reads a little, stops for longer than the ring holds, and reads on.
            if i < 20 + pause || i > 250 {
                for _ in 0..3 {
                    read_all(&mut far, &mut reader);
                    pump.tick(feeder.now());
                }
            }
            if pump.viewers() == 0 {
                break;
            }
        }
        let counts = pump.counts();
        assert!(counts.jumps >= 1 && counts.skipped > 0, "{counts:?}");
        assert!(reader.announced >= 7, "each PID announces the break");
        assert_eq!(pump.viewers(), 1, "{counts:?}");
    }
}

#[test]
fn one_that_is_too_slow_loses_whole_pictures() {
    let mut feeder = Feeder::new(CAPACITY);
    let mut pump = Pump::new(1, deaf());
    // No TCP: its window opens by a timer, and the time of this test is not the kernel's.
    let (near, mut far) = UnixStream::pair().unwrap();
    setsockopt(&near, sockopt::SndBuf, &4096).unwrap();
    [&near, &far].into_iter().for_each(|end| end.set_nonblocking(true).unwrap());
    pump.adopt(near.into(), feeder.feed.clone(), (), feeder.now()).unwrap();
    let mut reader = Reader::new();
    let mut buffer = [0; 1900]; // a frame has 1880 bytes, and the tables come on top
    for i in 0..3000 {
        feeder.frame();
        pump.tick(feeder.now());
        if i % 3 != 0
            && let Ok(n) = far.read(&mut buffer)
        {
            reader.take(&buffer[..n]);
        }
    }
    assert_eq!(pump.viewers(), 1, "{:?}", pump.counts());
    assert!(pump.counts().jumps > 3, "{:?}", pump.counts());
    assert_eq!(reader.cut, 0, "{:?}", pump.counts());
}

#[test]
fn one_that_takes_nothing_is_dropped() {
    let mut feeder = Feeder::new(CAPACITY);
    let mut pump = Pump::new(1, deaf());
    let (near, _far) = pair();
    pump.adopt(near, feeder.feed.clone(), (), feeder.now()).unwrap();
    let mut lasted = 0;
    while pump.viewers() == 1 {
        feeder.frame();
        pump.tick(feeder.now());
        lasted += 40;
    }
    assert!((10_000..13_000).contains(&lasted), "{lasted} ms");
    assert_eq!(pump.counts().stalled, 1);
}

#[test]
fn a_full_table_hands_the_socket_back_and_a_seat_is_never_confused() {
    let feeder = Feeder::new(CAPACITY);
    let mut pump = Pump::new(1, deaf());
    let first = pump.adopt(pair().0, feeder.feed.clone(), (), Duration::ZERO).unwrap();
    assert!(pump.adopt(pair().0, feeder.feed.clone(), (), Duration::ZERO).is_err());
    pump.hung_up(first);
    let second = pump.adopt(pair().0, feeder.feed, (), Duration::ZERO).unwrap();
    pump.hung_up(first); // late news of who is gone
    assert_eq!(
        (pump.viewers(), pump.socket(first).is_none(), pump.socket(second).is_some()),
        (1, true, true)
    );
}

#[test]
fn at_its_end_a_stream_is_sent_to_the_last_byte() {
    let mut feeder = Feeder::new(CAPACITY);
    let mut pump = Pump::new(1, deaf());
    let (near, mut far) = pair();
    pump.adopt(near, feeder.feed.clone(), (), feeder.now()).unwrap();
    (0..30).for_each(|_| feeder.frame());
    feeder.feed.ring().borrow_mut().end(Ended::Source);
    let mut reader = Reader::new();
    for _ in 0..1000 {
        pump.tick(feeder.now());
        read_all(&mut far, &mut reader);
    }
    assert_eq!(pump.viewers(), 0);
    assert_eq!(pump.counts().bytes, reader.packets as u64 * 188);
}

/// The first piece of a ring of so many frames, with the bytes that whoever fetches it is to get.
fn piece(feeder: &Feeder) -> (Range<u64>, Vec<u8>) {
    let ring = feeder.feed.ring().borrow();
    let range = ring.segments().next().unwrap().range();
    let mut bytes = heapless::Vec::<u8, PREAMBLE_BYTES>::new();
    let rap = ring.rap_at(range.start).unwrap();
    ring.preamble(&rap, crate::service::Entrance::Join, &mut bytes).unwrap();
    let body = ring.window(range.start, usize::try_from(range.end - range.start).unwrap()).unwrap();
    (range, [&bytes[..], body].concat())
}

fn fetching(capacity: usize) -> (Feeder, Pump<()>, TcpStream, Vec<u8>) {
    let mut feeder = Feeder::new(capacity);
    (0..100).for_each(|_| feeder.frame());
    let (range, bytes) = piece(&feeder);
    let mut pump = Pump::new(1, deaf());
    let (near, far) = pair();
    pump.adopt_fetching(near, (feeder.feed.clone(), range), (), feeder.now()).unwrap();
    (feeder, pump, far, bytes)
}

#[test]
fn a_piece_is_sent_whole_and_then_the_connection_ends() {
    let (mut feeder, mut pump, mut far, expected) = fetching(8 * CAPACITY);
    assert_eq!((pump.viewers(), pump.is_idle()), (0, false), "who fetches does not watch");
    let (mut got, mut buffer) = (Vec::new(), [0; 1000]);
    for _ in 0..100_000 {
        match far.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
            Err(_) => pump.tick(feeder.now()),
        }
    }
    assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
    assert_eq!((pump.counts().fetched, pump.is_idle()), (1, true));
    feeder.frame();
    pump.tick(feeder.now());
}

#[test]
fn a_piece_that_the_ring_takes_back_is_reset_and_never_padded() {
    let (mut feeder, mut pump, mut far, expected) = fetching(8 * CAPACITY);
    let mut ticks = 0;
    while !pump.is_idle() {
        feeder.frame();
        // Fast, so that its time is not up before the ring is.
        pump.tick(Duration::from_secs(4));
        ticks += 1;
        assert!(ticks < 2000);
    }
    let (mut got, mut buffer) = (Vec::new(), [0; 1000]);
    let end = loop {
        match far.read(&mut buffer) {
            Ok(0) => break "closed",
            Ok(n) => got.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => break "reset",
            Err(_) => std::thread::yield_now(),
        }
    };
    assert_eq!((end, pump.counts().lapped, pump.counts().fetched), ("reset", 1, 0));
    assert!(got.len() < expected.len() && expected.starts_with(&got), "{} bytes", got.len());
}

#[test]
fn who_stops_reading_a_piece_is_dropped_and_who_is_put_out_gets_no_more() {
    let (feeder, mut pump, _far, _) = fetching(8 * CAPACITY);
    // What the kernels keep for it goes first.
    for tick in 0..1000 {
        pump.tick(feeder.now() + Duration::from_millis(tick));
    }
    pump.tick(feeder.now() + Duration::from_secs(12));
    assert_eq!((pump.counts().stalled, pump.is_idle()), (1, true));
    let (_, mut pump, mut far, _) = fetching(8 * CAPACITY);
    pump.put_out(Left::PutOut, |()| true);
    assert!(pump.is_idle());
    let mut buffer = [0; 1 << 16];
    let end = loop {
        match far.read(&mut buffer) {
            Ok(1..) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            other => break other.map_err(|e| e.kind()),
        }
    };
    assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
}

#[test]
fn what_is_told_of_a_viewer_is_where_it_is() {
    type Heard = Rc<std::cell::RefCell<Vec<First>>>;
    let mut feeder = Feeder::new(CAPACITY);
    let begun = |heard: &Heard, first| heard.borrow_mut().push(first);
    let mut pump = Pump::new(1, Ears { begun, left: |_, _| () });
    let (near, mut far) = pair();
    let (heard, came) = (Heard::default(), feeder.now());
    pump.adopt(near, feeder.feed.clone(), Rc::clone(&heard), came).unwrap();
    let told = |pump: &Pump<Heard>, now| pump.facts(now).next().unwrap().0;
    let before = told(&pump, came);
    assert_eq!((before.state, before.lag, before.sent, heard.borrow().len()), ("waiting", 0, 0, 0));
    let mut reader = Reader::new();
    while heard.borrow().is_empty() {
        feeder.frame();
        pump.tick(feeder.now());
    }
    let first = heard.borrow()[0];
    assert_eq!((first.placed, first.sent), (feeder.now(), feeder.now()));
    assert!(first.sent > came && u128::from(first.behind_ms) < (first.sent - came).as_millis() + 1);
    for _ in 0..8 {
        pump.tick(feeder.now());
        read_all(&mut far, &mut reader);
    }
    pump.measure(Duration::from_secs(2));
    let live = told(&pump, feeder.now());
    assert_eq!((live.state, live.lag, live.behind), ("live", 0, Some(Duration::ZERO)));
    assert_eq!((live.rate, live.since), (live.sent * 4, came), "bits in each of two seconds");
    let head = feeder.feed.ring().borrow().head();
    // It takes nothing more while 40 frames come.
    (0..40).for_each(|_| feeder.frame());
    let behind = told(&pump, feeder.now());
    assert_eq!(behind.lag, feeder.feed.ring().borrow().head() - head);
    assert!(behind.lag > 0 && behind.behind > live.behind, "{behind:?}");
    pump.measure(Duration::from_secs(1));
    assert_eq!((told(&pump, feeder.now()).rate, heard.borrow().len()), (0, 1));
}
