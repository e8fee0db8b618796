//! The judge of the other tests, judged: streams with a known fault must be found out.

mod support;

use support::mux::{Codec, MuxBuilder, Service, number, packetise, pat};
use support::rap::starts_clean;
use support::ts::{Packet, contiguous_run, elementary, is_subsequence, judge, packets, pcr, pid, strip_time};

fn services() -> Vec<Service> {
    vec![
        Service::tv(1, "One", Codec::H264, 2_000_000),
        Service::tv(2, "Two", Codec::Hevc, 4_000_000),
        Service::tv(3, "Three", Codec::Mpeg2, 3_000_000),
        Service { scrambled: true, ..Service::tv(4, "Four", Codec::H264Open, 1_000_000) },
        Service::radio(5, "Five", 128_000),
    ]
}

/// The index of the first packet of `wanted` from `from` on.
fn find(stream: &[u8], wanted: u16, from: usize) -> usize {
    from + packets(stream).0[from..].iter().position(|p| pid(p) == wanted).expect("the PID is in the stream")
}

/// A stream as a box should send it: the tables of `service`, then its packets from number `from` on.
fn sent_to_client(mux: &[u8], service: &Service, from: usize) -> Vec<u8> {
    let mut bytes = packetise(0, &pat(1, 0, &[(service.sid, service.pmt_pid)]), &mut 0).concat();
    bytes.extend(elementary(mux, &[service.pmt_pid])[0]);
    bytes.extend(elementary(mux, &service.pids())[from..].as_flattened());
    bytes
}

#[test]
fn a_sound_multiplex_has_nothing_to_report() {
    let services = services();
    let mux = MuxBuilder::new(&services, 2).build();
    let report = judge(&mux);
    assert_eq!((report.tail, report.crc_errors, report.transport_stream_id), (0, 0, 1));
    assert!(report.pids.values().all(|p| p.cc_errors == 0 && p.duplicates == 0));
    let programs: Vec<_> = services.iter().map(|s| (s.sid, s.pmt_pid)).collect();
    assert_eq!(report.pat_programs, programs);
    for s in &services {
        let pmt = &report.pmts[&s.sid];
        assert_eq!((&pmt.streams, pmt.pcr_pid), (&s.streams(), s.pids()[0]));
        let sdt = report.sdt_services.iter().find(|sdt| sdt.sid == s.sid).unwrap();
        assert_eq!((&sdt.name_raw, &sdt.provider_raw), (&s.name, &s.provider));
    }
    assert!((79.0..85.0).contains(&report.pat_gap.ms), "{:?}", report.pat_gap);
    assert!((79.0..85.0).contains(&report.pmt_gap.ms), "{:?}", report.pmt_gap);
    assert_eq!(report.sections[&(0x11, 0x42)], 2);
    assert_eq!(report.pids[&services[3].video_pid].scrambled, report.pids[&services[3].video_pid].packets);
}

#[test]
fn the_rate_is_the_one_asked_for() {
    let mux = MuxBuilder::new(&[Service::tv(1, "One", Codec::H264, 2_000_000)], 12).build();
    let rate = judge(&mux).pids[&0x111].payload_packets * 184 * 8 / 12;
    assert!((1_950_000..2_150_000).contains(&rate), "{rate}");
}

#[test]
fn no_two_elementary_packets_are_alike() {
    let services = services();
    let pids: Vec<_> = services.iter().flat_map(Service::pids).collect();
    let all = elementary(&MuxBuilder::new(&services, 1).build(), &pids);
    assert!(all.iter().map(number).eq(0..all.len() as u64));
    let mut bare: Vec<Packet> = all.iter().map(strip_time).collect();
    bare.sort_unstable();
    bare.dedup();
    assert_eq!(bare.len(), all.len());
}

#[test]
fn a_missing_packet_is_found() {
    let service = &services()[0];
    let mux = MuxBuilder::new(&services(), 1).build();
    let sent = elementary(&mux, &service.pids());
    let mut got = sent[20..90].to_vec();
    assert_eq!(contiguous_run(&sent, &got), Ok(20));
    got.remove(30);
    let why = contiguous_run(&sent, &got).unwrap_err();
    assert!(why.starts_with("packet 30, PID 0x011"), "{why}");
    assert!(why.ends_with("it is packet 51 of those sent"), "{why}");
    assert_eq!(is_subsequence(&sent, &got), Ok(()));
    got.swap(3, 4);
    assert!(is_subsequence(&sent, &got).is_err());
    got[3][100] ^= 1;
    assert!(contiguous_run(&sent, &got).unwrap_err().ends_with("it was never sent"));
    assert!(contiguous_run(&sent, &[]).is_err());

    let at = find(&mux, service.video_pid, 40) * 188;
    let torn = [&mux[..at], &mux[at + 188..]].concat();
    assert_eq!(judge(&torn).pids[&service.video_pid].cc_errors, 1);
}

#[test]
fn a_counter_error_and_a_duplicate_are_told_apart() {
    let mux = MuxBuilder::new(&services(), 1).build();
    let at = find(&mux, 0x111, 40) * 188;
    let doubled = [&mux[..at + 188], &mux[at..]].concat();
    let report = judge(&doubled);
    assert_eq!((report.pids[&0x111].cc_errors, report.pids[&0x111].duplicates), (0, 1));
    assert_eq!(report.pids[&0x111].payload_hash, judge(&mux).pids[&0x111].payload_hash);
    let tables = [&mux[..188], &mux].concat();
    assert_eq!(judge(&tables).sections[&(0, 0)], judge(&mux).sections[&(0, 0)]);
    let mut wrong = mux;
    wrong[at + 3] ^= 4;
    assert_eq!(judge(&wrong).pids[&0x111].cc_errors, 2);
}

#[test]
fn a_bad_crc_is_found() {
    let mut mux = MuxBuilder::new(&services(), 1).build();
    mux[13] ^= 1;
    assert_eq!(judge(&mux).crc_errors, 1);
}

#[test]
#[should_panic(expected = "packet 3 of")]
fn a_lost_byte_is_found() {
    let mut mux = MuxBuilder::new(&services(), 1).build();
    mux.remove(188 * 2 + 100);
    judge(&mux);
}

#[test]
fn a_rare_pat_is_found() {
    let mut mux = MuxBuilder::new(&services(), 2).build();
    for packet in mux.as_chunks_mut::<188>().0.iter_mut().skip(1).filter(|p| pid(p) == 0) {
        packet[1..3].copy_from_slice(&[0x1f, 0xff]);
    }
    assert!(judge(&mux).pat_gap.ms > 1_900.0);
}

#[test]
fn a_stream_must_start_at_a_random_access_point() {
    let mux = MuxBuilder::new(&services(), 2).build();
    for service in services().iter().filter(|s| !s.scrambled) {
        let main = service.pids()[0];
        let own = elementary(&mux, &service.pids());
        let starts: Vec<_> =
            (0..own.len()).filter(|&i| pid(&own[i]) == main && own[i][1] & 0x40 != 0).collect();
        let verdict = |from| starts_clean(&sent_to_client(&mux, service, from));
        assert_eq!(verdict(starts[12]), Ok(()), "service {}", service.sid);
        assert!(verdict(starts[12] + 1).is_err());
        if service.video.is_some() {
            assert!(verdict(starts[13]).unwrap_err().contains("no random access point"));
        }
    }
    assert!(starts_clean(&mux).is_err());
}

#[test]
fn an_open_gop_is_a_random_access_point() {
    let service = Service::tv(1, "One", Codec::H264Open, 1_000_000);
    let mux = MuxBuilder::new(std::slice::from_ref(&service), 1).build();
    assert_eq!(starts_clean(&sent_to_client(&mux, &service, 0)), Ok(()));
}

#[test]
fn time_is_stripped_and_nothing_else() {
    let service = &services()[0];
    let build = |seconds| elementary(&MuxBuilder::new(&services(), seconds).build(), &service.pids());
    let mut later = build(1)[0];
    assert!(pcr(&later).is_some());
    later[3] ^= 5;
    later[8] ^= 0xff;
    later[23] ^= 0xff;
    assert_eq!(strip_time(&later), strip_time(&build(1)[0]));
    later[26] ^= 1;
    assert_ne!(strip_time(&later), strip_time(&build(1)[0]));
}
