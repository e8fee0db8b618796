//! The whole data street: datagrams in, rings out, by the public entrance of the tuners.

#![no_main]

use std::cell::RefCell;
use std::net::UdpSocket;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::guide::{Capacity, Epg};
use stbcast::service::Feed;
use stbcast::source::{Now, SourceUrl};
use stbcast::text::Unmarked;
use stbcast::ts::psi::Tracks;
use stbcast::ts::service_info::{Name, ServiceKind};
use stbcast::ts::{PACKET, Packet, Pid};
use stbcast::tuner::arbiter::Priority;
use stbcast::tuner::{Identity, Known, Tuners};
use stbcast_fuzz::{Input, section};

/// One packet tables: a PAT of two programmes, their PMTs, an SDT.
const PMTS: [u16; 2] = [0x20, 0x21];
const PIDS: [u16; 10] = [0, 0x20, 0x21, 0x11, 0x10, 0x12, 0x14, 0x100, 0x101, 0x102];

thread_local! {
    static LINE: RefCell<(UdpSocket, SourceUrl)> = RefCell::new(line());
}

/// A socket that sends to a place that was free a moment ago.
fn line() -> (UdpSocket, SourceUrl) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let free = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = free.local_addr().expect("a bound socket has an address");
    socket.connect(address).expect("loopback can be reached");
    (socket, format!("udp://{address}").parse().expect("it is a source"))
}

const ROOM: Capacity = Capacity { services: 4, events: 8, text_bytes: 512, bouquets: 2 };

fuzz_target!(|bytes: &[u8]| {
    LINE.with_borrow(|(socket, url)| run(Input::new(bytes), socket, url));
});

fn run(mut input: Input<'_>, socket: &UdpSocket, url: &SourceUrl) {
    let mut tuners = Tuners::new([url.clone()]).expect("there is memory for tuners");
    let mut guide = Epg::new(ROOM, Unmarked::Iso6937);
    let mut boot = Duration::from_secs(100);
    tuners.survey(boot);
    let Some(id) = tuners.open_ids().next() else { return };
    let (mut feeds, mut counter) = (Vec::<Feed>::new(), 0);
    while !input.is_empty() {
        match input.byte() & 7 {
            0 => {
                boot += Duration::from_millis(u64::from(input.byte()) * 4);
                tuners.tick(Now { boot, utc: Duration::ZERO }, Duration::from_millis(20), &mut guide);
                while tuners.take_changed().is_some() {}
            }
            1 => {
                let known = known(input.byte());
                let mut cx = Context::from_waker(Waker::noop());
                if let Poll::Ready(Ok(lease)) = tuners.poll_lease(&mut cx, id, &known, Priority::VIEWER, boot)
                {
                    feeds.push(lease.into_feed());
                }
                tuners.warm_up(boot);
            }
            2 => {
                drop((!feeds.is_empty()).then(|| feeds.swap_remove(usize::from(input.byte()) % feeds.len())))
            }
            3 => {
                let table = table(&mut input, counter);
                counter = (counter + 1) & 0x0f;
                let _refused = socket.send(&table);
            }
            4 => drop(socket.send(input.counted())),
            _ => {
                let slots: Vec<_> = (0..7).map_while(|_| input.packet(&PIDS)).collect();
                let _refused = socket.send(slots.as_flattened());
            }
        }
    }
    boot += Duration::from_millis(20);
    tuners.tick(Now { boot, utc: Duration::ZERO }, Duration::from_millis(20), &mut guide);
    feeds.iter().for_each(|feed| is_sound(feed, boot));
    tuners.shut_down();
}

fn known(which: u8) -> Known {
    let (service, tracks) = (u16::from(which & 3), if which & 4 == 0 { Tracks::All } else { Tracks::Audio });
    let identity = Identity {
        transport_stream_id: 1,
        original_network_id: 1,
        name: Name::default(),
        provider: Name::default(),
        kind: ServiceKind::Television,
    };
    Known { service, tracks, programme: None, identity }
}

/// A packet with a sound PAT, PMT or SDT, whose counter is right now and then.
fn table(input: &mut Input<'_>, counter: u8) -> [u8; PACKET] {
    let kind = input.byte();
    let (pid, bytes) = match kind & 3 {
        0 => (0, section(0, 1, &[0, 1, 0xe0, 0x20, 0, 2, 0xe0, 0x21][..if kind & 4 == 0 { 8 } else { 4 }])),
        n @ (1 | 2) => {
            let body = [0xe1, kind >> 3 & 3, 0xf0, 0, 0x1b, 0xe1, n - 1, 0xf0, 0, 3, 0xe1, 2, 0xf0, 0];
            (PMTS[usize::from(n) - 1], section(2, n.into(), &body))
        }
        _ => (0x11, section(0x42, 1, input.counted())),
    };
    let mut packet = [0xff; PACKET];
    let [high, low] = pid.to_be_bytes();
    packet[..5].copy_from_slice(&[0x47, 0x40 | high, low, 0x10 | counter, 0]);
    let n = bytes.len().min(PACKET - 5);
    packet[5..5 + n].copy_from_slice(&bytes[..n]);
    packet
}

/// A ring holds whole packets, and the counters of our own PAT go on.
fn is_sound(feed: &Feed, now: Duration) {
    let ring = feed.ring().borrow();
    assert!(ring.head().is_multiple_of(PACKET as u64));
    let from = ring.head().saturating_sub(200 * PACKET as u64);
    let Ok(window) = ring.window(from, usize::MAX) else { return };
    let mut last = None;
    for slot in window.as_chunks::<PACKET>().0 {
        let packet = Packet::new(slot).expect("a ring holds packets alone");
        if packet.pid() == Pid::PAT {
            assert!(last.is_none_or(|last| (last + 1) & 0x0f == packet.counter()));
            last = Some(packet.counter());
        }
    }
    assert!(ring.start(now).is_none_or(|rap| rap.position < ring.head()));
}
