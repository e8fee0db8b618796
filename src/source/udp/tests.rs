//! Datagrams over the loopback interface, one read or several.

use std::net::UdpSocket;

use proptest::prelude::*;

use super::*;
use crate::source::SourceUrl;

const READ: usize = 49 * SLOT;

/// A socket under test, and one that sends to it.
struct Wire {
    input: UdpInput,
    sender: UdpSocket,
    to: SocketAddr,
}

impl Wire {
    fn new(framing: Framing) -> Self {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::open(Group { address, sender: None, interface: None }, "127.0.0.1", framing).unwrap()
    }

    /// Listens to `group`; the sender is at `from`.
    fn open(group: Group, from: &str, framing: Framing) -> Result<Self, SourceError> {
        let sender = UdpSocket::bind((from, 0)).unwrap();
        Ok(Self { input: UdpInput::open(&group, 1 << 20, framing)?, sender, to: group.address })
    }

    fn send(&self, bytes: &[u8]) {
        self.sender.send_to(bytes, self.to).unwrap();
    }

    /// All that is there at `ms`, in a buffer of `room`: the numbers of its packets.
    fn read(&mut self, ms: u64, room: usize) -> Vec<u16> {
        let mut buffer = vec![0; room];
        let n = self.input.read(Duration::from_millis(ms), &mut buffer).unwrap();
        let (packets, rest) = buffer[..n].as_chunks::<PACKET>();
        assert!(rest.is_empty());
        packets
            .iter()
            .map(|p| {
                let [high, low] = [p[1], p[2]];
                assert_eq!(p[..], packet(u16::from_be_bytes([high, low])), "a packet is whole");
                u16::from_be_bytes([high, low])
            })
            .collect()
    }
}

fn packet(number: u16) -> [u8; PACKET] {
    let [high, low] = number.to_be_bytes();
    let mut bytes = [low ^ high; PACKET];
    bytes[..3].copy_from_slice(&[SYNC, high, low]);
    bytes[PACKET - 1] = low;
    bytes
}

/// The packets of datagram `n` of a stream that has seven in each.
fn seven(n: u16) -> Vec<u8> {
    numbers(n..n + 1).into_iter().flat_map(packet).collect()
}

fn numbers(datagrams: Range<u16>) -> Vec<u16> {
    (datagrams.start * 7..datagrams.end * 7).collect()
}

/// Datagram `sequence` of SSRC 7.
fn rtp(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    [&[0x80, payload_type, high, low, 0, 0, 0, 0, 0, 0, 0, 7], payload].concat()
}

fn counts(wire: &Wire) -> SourceCounts {
    wire.input.counts()
}

#[test]
fn rtp_is_understood_at_once_where_plain_packets_were_expected() {
    for framing in [Framing::Plain, Framing::Rtp] {
        let mut wire = Wire::new(framing);
        (0..5).for_each(|n| wire.send(&rtp(33, 65_534_u16.wrapping_add(n), &seven(n))));
        assert_eq!(wire.read(0, READ), numbers(0..5));
        (5..60).for_each(|n| wire.send(&rtp(33, 65_534_u16.wrapping_add(n), &seven(n))));
        assert_eq!([wire.read(0, READ), wire.read(0, READ)].concat(), numbers(5..60));
        assert_eq!(counts(&wire), SourceCounts::default());
    }
}

#[test]
fn plain_packets_are_understood_where_rtp_was_expected_and_back_again() {
    let mut wire = Wire::new(Framing::Rtp);
    let mut expected: Vec<u16> = Vec::new();
    for n in 0..12 {
        wire.send(&if n % 4 < 2 { seven(n) } else { rtp(33, n / 4 * 2 + n % 2, &seven(n)) });
        expected.extend(numbers(n..n + 1));
        if n % 3 == 0 {
            wire.send(&seven(n)[..3 * PACKET]);
            expected.extend(&numbers(n..n + 1)[..3]);
        }
    }
    assert_eq!(wire.read(0, READ), expected);
    assert_eq!(counts(&wire), SourceCounts::default());
}

#[test]
fn optional_parts_and_short_payloads_leave_no_gap() {
    let mut wire = Wire::new(Framing::Plain);
    for n in 0..9 {
        let mut bytes = rtp(96, n, &seven(n)[..usize::from(1 + n % 7) * PACKET]);
        if n % 2 == 0 {
            bytes[0] |= 0x12; // two CSRCs, and an extension of 24 bytes
            let optional = [&[5; 8][..], &[0xbe, 0xde, 0, 6], &[SYNC; 24]].concat();
            bytes.splice(12..12, optional);
        }
        if n % 3 == 0 {
            bytes[0] |= 0x20;
            bytes.extend([0, 0, 0, 0, 5]);
        }
        wire.send(&bytes);
    }
    let expected: Vec<u16> = (0..9).flat_map(|n| n * 7..n * 7 + 1 + n % 7).collect();
    assert_eq!(wire.read(0, READ), expected);
    assert_eq!(counts(&wire), SourceCounts::default());
}

#[test]
fn swapped_datagrams_are_put_in_order_over_several_reads() {
    let mut wire = Wire::new(Framing::Rtp);
    let mut got = Vec::new();
    for start in (0..100).step_by(5) {
        for n in [0, 3, 2, 4, 1] {
            wire.send(&rtp(33, start + n, &seven(start + n)));
            if n > 2 {
                got.extend(wire.read(u64::from(start), READ));
            }
        }
    }
    got.extend(wire.read(100, READ));
    assert_eq!(got, numbers(0..100));
    let expected = SourceCounts { reordered: 40, ..SourceCounts::default() };
    assert_eq!(counts(&wire), expected);
}

#[test]
fn what_is_held_fits_a_room_of_any_size() {
    let mut wire = Wire::new(Framing::Rtp);
    (0..80).filter(|n| *n != 1 && *n != 40).for_each(|n| wire.send(&rtp(33, n, &seven(n))));
    let mut got = Vec::new();
    for (read, slots) in (0..400).zip([1, 2, 5, 33, 8, 49].into_iter().cycle()) {
        got.extend(wire.read(read, slots * SLOT));
    }
    assert_eq!(got, [numbers(0..1), numbers(2..40), numbers(41..80)].concat());
    assert_eq!(counts(&wire), SourceCounts { lost_datagrams: 2, ..SourceCounts::default() });
}

#[test]
fn what_came_while_nobody_read_was_not_late() {
    let mut wire = Wire::new(Framing::Rtp);
    [0, 2].into_iter().for_each(|n| wire.send(&rtp(33, n, &seven(n))));
    assert_eq!(wire.read(0, READ), numbers(0..1));
    [1, 3].into_iter().for_each(|n| wire.send(&rtp(33, n, &seven(n))));
    assert_eq!(wire.read(1000, READ), numbers(1..4));
    assert_eq!(counts(&wire), SourceCounts { reordered: 1, ..SourceCounts::default() });
}

#[test]
fn forward_error_correction_and_reports_are_left_out() {
    let mut wire = Wire::new(Framing::Rtp);
    for n in 0..10 {
        wire.send(&rtp(33, n, &seven(n)));
        wire.send(&rtp(96, n / 5, &[&[0; 16], &seven(n)[..]].concat()));
        wire.send(&rtp(72, 6, &[0; 16])); // a sender report, as it looks here
        wire.send(&[]);
    }
    assert_eq!(wire.read(0, READ), numbers(0..10));
    assert_eq!(counts(&wire), SourceCounts { foreign_datagrams: 30, ..SourceCounts::default() });
}

#[test]
fn what_is_lost_late_or_cut_is_counted() {
    let mut wire = Wire::new(Framing::Rtp);
    for n in [0, 1, 3, 4] {
        wire.send(&rtp(33, n, &seven(n)));
    }
    assert_eq!(wire.read(0, READ), numbers(0..2));
    assert_eq!(wire.read(60, READ), numbers(3..5));
    wire.send(&rtp(33, 2, &seven(2)));
    wire.send(&rtp(33, 5, &seven(5)[..7 * PACKET - 1]));
    assert_eq!(wire.read(70, READ), numbers(5..6)[..6]);
    let expected = SourceCounts {
        lost_datagrams: 1,
        late: 1,
        skipped_bytes: 187,
        sync_losses: 1,
        ..SourceCounts::default()
    };
    assert_eq!(counts(&wire), expected);
}

/// Sends three datagrams to a group on `lo` and gives what is read; nothing where this machine has no such groups.
fn by_group(url: &str, from: &str) -> Option<Vec<u16>> {
    let SourceUrl::Rtp(group) = url.parse().unwrap() else { panic!("{url} is not RTP") };
    let wire = Wire::open(group, from, Framing::Rtp);
    let mut wire = wire.inspect_err(|why| println!("skipped: {why}")).ok()?;
    if let SocketAddr::V6(to) = &mut wire.to {
        to.set_scope_id(nix::net::if_::if_nametoindex("lo").unwrap());
    }
    for n in 0..3 {
        wire.sender.send_to(&rtp(33, n, &seven(n)), wire.to).ok()?;
    }
    Some(wire.read(0, READ))
}

#[test]
fn groups_of_both_families_are_joined_and_one_sender_alone_is_heard() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cases = [
        (format!("rtp://239.193.7.7:{port}?iface=lo"), "127.0.0.1", true),
        (format!("rtp://127.0.0.1@232.193.7.7:{port}?iface=lo"), "127.0.0.1", true),
        (format!("rtp://127.0.0.2@232.193.7.8:{port}?iface=lo"), "127.0.0.1", false),
        (format!("rtp://[ff12::7707]:{port}?iface=lo"), "::1", true),
        (format!("rtp://[::1]@[ff32::7708]:{port}?iface=lo"), "::1", true),
        (format!("rtp://[fe80::9]@[ff32::7709]:{port}?iface=lo"), "::1", false),
    ];
    for (url, from, hears) in cases {
        if let Some(got) = by_group(&url, from) {
            assert_eq!(got, if hears { numbers(0..3) } else { Vec::new() }, "{url}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_datagrams_are_survived(
        datagrams in prop::collection::vec(
            (0..4_u8, prop::num::u8::ANY, prop::num::u8::ANY, 0..70_u16, 0..1600_usize), 0..60),
        slots in 1..50_usize,
    ) {
        let mut wire = Wire::new(Framing::Plain);
        let mut buffer = vec![0; slots * SLOT];
        for (i, (kind, flags, noise, sequence, len)) in (0..).zip(datagrams) {
            let mut bytes = match kind {
                0 => vec![noise; len],
                1 => vec![SYNC; len / PACKET * PACKET],
                _ => rtp(noise, sequence, &vec![SYNC; len]),
            };
            if let Some(first) = bytes.first_mut().filter(|_| kind == 3) {
                *first |= flags;
            }
            wire.send(&bytes);
            if flags % 3 == 0 {
                let n = wire.input.read(Duration::from_millis(10 * i), &mut buffer).unwrap();
                prop_assert!(n <= buffer.len() && n.is_multiple_of(PACKET));
            }
        }
        for i in 0..200 {
            let n = wire.input.read(Duration::from_millis(1000 + i), &mut buffer).unwrap();
            prop_assert!(n <= buffer.len() && n.is_multiple_of(PACKET));
        }
        prop_assert_eq!(wire.input.window.held(), 0);
    }
}
