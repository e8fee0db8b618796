//! What streams come in: RTP, in order and not, and files with bytes between their packets.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::http::Viewer;
use support::mux::{Codec, MuxBuilder, Service, number as number_of};
use support::rap::starts_clean;
use support::rtp::{datagram, datagrams};
use support::sender::{self, Group, Sender};
use support::stb::{Stb, number};
use support::ts::{Packet, contiguous_run, elementary, is_subsequence, judge, packets};

/// How long a stream of [`SECONDS`] is sent for.
const LENGTH: Duration = Duration::from_secs(3);
const SECONDS: u64 = 6;
/// The sequence numbers of a test wrap soon.
const FIRST: u16 = 65_500;

fn one() -> Vec<Service> {
    vec![Service::tv(7, "Seven", Codec::H264, 2_000_000)]
}

fn several() -> Vec<Service> {
    vec![
        Service::tv(1, "One", Codec::H264, 900_000),
        Service::tv(2, "Two", Codec::Hevc, 700_000),
        Service::radio(3, "Three", 128_000),
    ]
}

fn built(services: &[Service]) -> Vec<Packet> {
    packets(&MuxBuilder::new(services, SECONDS).build()).0.to_vec()
}

fn singly(all: Vec<Vec<u8>>) -> Vec<Group> {
    all.into_iter().map(|datagram| vec![datagram]).collect()
}

/// All that a viewer of each of `services` gets while `groups` come, up to the last packet of `stream`; and the
/// line of the mux.
fn watched(
    source: &str,
    to: SocketAddr,
    services: &[Service],
    stream: &[Packet],
    groups: Vec<Group>,
) -> (Vec<Vec<u8>>, String) {
    let stb = Stb::start(&[source]);
    let sender = Sender::groups(to, groups, LENGTH);
    stb.wait_channels(services.len());
    let bytes = std::thread::scope(|scope| {
        let each = (1..).zip(services).map(|(channel, service)| {
            let link = stb.channel(channel);
            scope.spawn(move || {
                let last = *elementary(stream.as_flattened(), &service.pids()).last().expect("it is sent");
                let mut viewer = Viewer::open(&link);
                viewer.watch_until("the last packet", |packet| *packet == last).to_vec()
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter().map(|viewer| viewer.join().expect("it watches")).collect()
    });
    sender.finish();
    (bytes, stb.mux(0))
}

/// `got` is all of `service` in `stream` from some packet on, and sound.
fn is_exact(got: &[u8], stream: &[Packet], service: &Service) {
    let (sent, own) = (elementary(stream.as_flattened(), &service.pids()), elementary(got, &service.pids()));
    let start = contiguous_run(&sent, &own).unwrap_or_else(|why| panic!("service {}: {why}", service.sid));
    assert_eq!(start + own.len(), sent.len(), "service {}: the end is missing", service.sid);
    assert!(judge(got).pids.values().all(|p| p.cc_errors + p.duplicates + p.discontinuities == 0));
    assert_eq!(starts_clean(got), Ok(()), "service {}", service.sid);
}

/// What `sent` makes of the datagrams comes out exactly, sent over `scheme`.
fn comes_out(scheme: &str, services: &[Service], sent: impl Fn(Vec<Vec<u8>>) -> Vec<Group>) {
    let (to, stream) = (sender::unicast(), built(services));
    let sent = sent(datagrams(&stream, FIRST));
    let (got, mux) = watched(&format!("{scheme}://{to}"), to, services, &stream, sent);
    for (got, service) in got.iter().zip(services) {
        is_exact(got, &stream, service);
    }
    for name in ["dropped_datagrams", "sync_losses", "skipped_bytes", "no_sync"] {
        assert_eq!(number(&mux, name), 0, "{mux}");
    }
    assert!(mux.contains(&format!("\"{scheme}://{to}\"")), "{mux}");
}

#[test]
fn a_mux_of_one_service_by_rtp_comes_out_byte_by_byte() {
    comes_out("rtp", &one(), singly);
}

#[test]
fn a_mux_of_several_services_by_rtp_comes_out_byte_by_byte() {
    comes_out("rtp", &several(), singly);
}

#[test]
fn rtp_is_understood_where_plain_packets_are_asked_for() {
    comes_out("udp", &one(), singly);
    comes_out("udp", &several(), singly);
}

/// Every fifth pair swapped, every seventh datagram sent twice, and now and then one far behind its place. What
/// belongs together goes out at once: else a pause of this machine in between would be a loss.
fn disordered(all: Vec<Vec<u8>>) -> Vec<Group> {
    let numbered: Vec<_> = all.into_iter().enumerate().collect();
    let tens = numbered.chunks(10).map(<[_]>::to_vec).enumerate();
    let groups = tens.map(|(n, mut ten)| {
        if ten.len() == 10 {
            ten.swap(3, 4);
            if n % 4 == 1 {
                ten[..9].rotate_left(1);
            }
        }
        let doubled = ten.into_iter().map(|(i, d)| vec![d; if i % 7 == 0 { 2 } else { 1 }]);
        doubled.flatten().collect()
    });
    groups.collect()
}

#[test]
fn swapped_and_doubled_datagrams_are_put_in_order() {
    comes_out("rtp", &one(), disordered);
    comes_out("rtp", &several(), disordered);
}

#[test]
fn error_correction_beside_the_stream_leaves_no_trace() {
    comes_out("rtp", &one(), |all| {
        let with_parity = all.chunks(5).zip(0..).flat_map(|(row, n)| {
            let parity = datagram(96, n, &[0x47; 16 + 1316]);
            row.iter().cloned().chain([parity])
        });
        singly(with_parity.collect())
    });
}

#[test]
fn a_lost_datagram_is_a_gap_and_the_stream_goes_on() {
    let (to, services) = (sender::unicast(), one());
    let (service, stream) = (&services[0], built(&services));
    let mut sent = datagrams(&stream, FIRST);
    // Nearly at the end, when somebody watches for sure.
    let lost = (0..sent.len()).rev().nth(40).expect("there are more");
    sent.remove(lost);
    let (got, _) = watched(&format!("rtp://{to}"), to, &services, &stream, singly(sent));
    let all = elementary(stream.as_flattened(), &service.pids());
    let own = elementary(&got[0], &service.pids());
    assert_eq!(is_subsequence(&all, &own), Ok(()));
    let (first, last) = (number_of(&own[0]), number_of(own.last().expect("it is watched")));
    let missing: Vec<u64> = (first..=last).filter(|n| !own.iter().any(|p| number_of(p) == *n)).collect();
    let gone = elementary(stream[lost * 7..lost * 7 + 7].as_flattened(), &service.pids());
    assert_eq!(missing, gone.iter().map(number_of).collect::<Vec<_>>(), "just these are missing");
    let breaks: usize = judge(&got[0]).pids.values().map(|p| p.cc_errors + p.discontinuities).sum();
    assert!((1..=2).contains(&breaks), "{breaks} breaks: video, and perhaps audio");
}

/// A file with `before` and `behind` around each packet comes out exactly, its own packets only.
fn plays(before: &[u8], behind: &[u8]) {
    let services = several();
    let stream = built(&services);
    let file: Vec<u8> = stream.iter().flat_map(|packet| [before, packet, behind].concat()).collect();
    let stb = Stb::playing(&file, "?speed=2");
    stb.wait_channels(services.len());
    std::thread::scope(|scope| {
        for (channel, service) in (1..).zip(&services) {
            let (link, stream) = (stb.channel(channel), &stream);
            scope.spawn(move || is_exact(&Viewer::open(&link).watch_all(), stream, service));
        }
    });
}

#[test]
fn files_with_time_stamps_or_error_correction_come_out_byte_by_byte() {
    plays(&[0x12, 0x34, 0x47, 0x56], &[]);
    plays(&[], &[0x47; 16]);
}
