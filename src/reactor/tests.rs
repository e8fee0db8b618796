use std::os::unix::net::UnixStream;
use std::rc::Rc;

use embedded_io_async::{Read, Write};

use super::sample::run;
use super::*;

fn pair(reactor: &Rc<Reactor>) -> (Io, Io) {
    let (a, b) = UnixStream::pair().unwrap();
    let io = |s: UnixStream| {
        s.set_nonblocking(true).unwrap();
        Io::new(reactor, s.into()).unwrap()
    };
    (io(a), io(b))
}

#[test]
fn what_is_written_is_read_while_both_wait() {
    let reactor = Rc::new(Reactor::new().unwrap());
    let (mut a, mut b) = pair(&reactor);
    let big = vec![7; 1 << 20]; // more than the socket holds, so that the writer waits too
    let got = run(&reactor, async {
        let write = async {
            a.write_all(&big).await.unwrap();
            drop(a);
        };
        let read = async {
            let (mut buffer, mut total) = ([0; 5000], 0);
            loop {
                match b.read(&mut buffer).await.unwrap() {
                    0 => return total,
                    n => total += n,
                }
            }
        };
        Box::pin(smol::future::zip(write, read)).await.1
    });
    assert_eq!(got, big.len());
}

#[test]
fn a_deadline_ends_the_wait_and_leaves_nothing() {
    let reactor = Rc::new(Reactor::new().unwrap());
    let (mut a, _b) = pair(&reactor);
    let late = run(&reactor, reactor.within(Duration::from_millis(20), async { a.read(&mut [0]).await }));
    assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let soon = run(&reactor, reactor.within(Duration::from_secs(600), async { Ok(5) }));
    assert_eq!(soon.unwrap(), 5);
    assert!(reactor.state.borrow_mut().timers.rearm().is_none());
}

#[test]
fn ticks_and_hang_ups_reach_the_main_loop() {
    let reactor = Reactor::new().unwrap();
    let (a, b) = UnixStream::pair().unwrap();
    reactor.watch_hangup(a.as_fd(), 77).unwrap();
    reactor.set_tick(Some(Duration::from_millis(1))).unwrap();
    drop(b);
    let mut seen = Vec::new();
    while !(seen.contains(&Event::Tick) && seen.contains(&Event::HungUp(77))) {
        reactor.wait(false, |event| seen.push(event)).unwrap();
    }
}
