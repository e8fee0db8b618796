//! RTP and the order of datagrams, by real ones: what comes out is whole packets that were sent, each datagram of a
//! stream at most once.

#![no_main]

use std::cell::RefCell;
use std::net::UdpSocket;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stbcast::source::udp::{Framing, UdpInput};
use stbcast::source::url::Group;
use stbcast_fuzz::{Input, PACKET};

thread_local! {
    static LINE: RefCell<(UdpSocket, Group)> = RefCell::new(line());
}

/// A socket to send from, and a place to receive at that was free a moment ago.
fn line() -> (UdpSocket, Group) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let free = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = free.local_addr().expect("a bound socket has an address");
    (socket, Group { address, sender: None, interface: None })
}

fuzz_target!(|bytes: &[u8]| {
    LINE.with_borrow(|(socket, group)| run(Input::new(bytes), socket, group));
});

fn run(mut input: Input<'_>, socket: &UdpSocket, group: &Group) {
    let framing = if input.byte() & 1 == 0 { Framing::Plain } else { Framing::Rtp };
    let mut udp = UdpInput::open(group, 1 << 20, framing).expect("the place is free");
    let (mut now, mut sent, mut got) = (Duration::from_secs(5), 0_u64, 0);
    let mut buffer = vec![0; 64 * 7 * PACKET];
    while !input.is_empty() {
        let datagrams = input.byte() % 40;
        for _ in 0..datagrams {
            let datagram = datagram(&mut input);
            socket.send_to(&datagram, group.address).expect("loopback takes a datagram");
            sent += 1;
        }
        let room = usize::from(input.byte() & 0x3f) * 7 * PACKET + usize::from(input.byte() % 7) * PACKET;
        let n = udp.read(now, &mut buffer[..room]).expect("a socket can be read");
        assert!(n <= room && n.is_multiple_of(PACKET));
        got += n;
        now += Duration::from_millis(input.byte().into());
    }
    // Nothing is held for longer than a moment.
    now += Duration::from_secs(1);
    while let n @ 1.. = udp.read(now, &mut buffer).expect("a socket can be read") {
        got += n;
    }
    assert!(got as u64 <= sent * 7 * PACKET as u64, "nothing comes out that did not go in");
    let counts = udp.counts();
    assert!(counts.reordered <= sent && counts.foreign_datagrams <= sent && counts.late <= sent);
}

/// Mostly RTP of a few packets; sometimes anything.
fn datagram(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.byte();
    if kind & 0x30 == 0x30 {
        return input.counted().to_vec();
    }
    let head = match kind & 0x10 {
        0 => vec![0x80, 33, input.byte() & 1, input.byte(), 0, 0, 0, 0, 0, 0, 0, kind & 1],
        _ => input.take(usize::from(kind & 0x0f)).to_vec(),
    };
    let packet = [&[0x47, 0x01, 0, 0x10][..], &[kind; PACKET - 4]].concat();
    [head, packet.repeat(usize::from(kind >> 1 & 7))].concat()
}
