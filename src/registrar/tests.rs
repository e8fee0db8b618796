//! The registrar against boxes, thieves and time.

mod claims;
mod model;

use super::sample::*;
use super::*;
use crate::registration::{AckFlags, Seen, Status};

const HOME: &str = "192.0.1.7:4000";

fn ip(text: &str) -> Option<std::net::IpAddr> {
    Some(text.parse().unwrap())
}

fn online(rig: &mut Rig, name: &str) -> TestBox {
    let mut stb = TestBox::new(10);
    assert_eq!(stb.claim(rig, name), Ok(None));
    assert_eq!(stb.beat(rig, HOME).unwrap().status, Status::Published);
    stb
}

#[test]
fn a_claimed_name_leads_to_its_box_after_a_cookie() {
    let mut rig = Rig::new(settings());
    let mut stb = TestBox::new(10);
    stb.claim(&mut rig, "alice").unwrap();
    assert_eq!(rig.published("alice"), Some((None, None)), "claimed, and nowhere yet");
    assert_eq!(rig.published("bob"), None);
    let packet = stb.packet();
    let answer = rig.send(Came::Udp, HOME, &packet).unwrap();
    assert_eq!(stb.hear(&answer), None, "a cookie first");
    assert_eq!(rig.published("alice"), Some((None, None)));
    let ack = stb.beat(&mut rig, HOME).unwrap();
    assert_eq!((ack.seen, ack.port, ack.status), (Seen::V4([192, 0, 1, 7]), 4000, Status::Published));
    assert_eq!((ack.next_s, ack.srv_time, ack.flags), (60, 1_800_000_000, AckFlags::default()));
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    let retries = rig.registrar.counters().retries;
    stb.beat(&mut rig, "192.0.1.7:4001").unwrap();
    assert_eq!(rig.registrar.counters().retries, retries, "another port of the same address needs no cookie");
    stb.beat(&mut rig, "192.0.1.8:4000").unwrap();
    assert_eq!(rig.registrar.counters().retries, retries + 1);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.8"), None)));
}

#[test]
fn silence_for_all_that_is_not_proved() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let good = stb.packet();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(rig.send(Came::Udp, HOME, &bad), None, "byte {at}");
        assert_eq!(rig.send(Came::Udp, HOME, &good[..at]), None);
    }
    assert!(rig.send(Came::Udp, HOME, &good).is_some(), "what was wrong took no counter");
    assert_eq!(rig.send(Came::Udp, HOME, &good), None, "sent again");
    assert_eq!(rig.send(Came::Udp, "198.41.0.4:53", &good), None, "sent again from elsewhere");
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
}

#[test]
fn a_captured_beat_moves_no_name() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    // somebody on the way keeps a beat back, and sends it from his own address
    let caught = stb.packet();
    let answer = rig.send(Came::Udp, "198.41.0.4:53", &caught).unwrap();
    assert_eq!(crate::registration::Header::peek(&answer).unwrap().kind, crate::registration::Kind::Retry);
    assert_eq!(rig.send(Came::Udp, "198.41.0.4:53", &caught), None);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    // a cookie for one address is none for another
    let packet = stb.packet();
    let answer = rig.send(Came::Udp, "192.0.1.9:4000", &packet).unwrap();
    stb.hear(&answer);
    let stolen = stb.packet();
    let answer = rig.send(Came::Udp, "198.41.0.4:53", &stolen).unwrap();
    assert_eq!(crate::registration::Header::peek(&answer).unwrap().kind, crate::registration::Kind::Retry);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
}

#[test]
fn after_a_restart_each_box_proves_its_address_anew() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let caught = stb.packet();
    rig.restart(settings());
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)), "answered at once");
    // caught before the restart, with a source that was good then
    let answer = rig.send(Came::Udp, HOME, &caught).unwrap();
    assert_eq!(crate::registration::Header::peek(&answer).unwrap().kind, crate::registration::Kind::Retry);
    assert_eq!(rig.registrar.counters().beats, 0, "it renews nothing");
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().status, Status::Published);
    assert_eq!(rig.registrar.counters().beats, 1);
}

#[test]
fn ipv6_comes_from_the_source_or_the_list_and_is_global() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let v6 = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    stb.v6 = [v6("fd00::7"), v6("2a00::7")].into_iter().collect();
    stb.beat(&mut rig, HOME).unwrap();
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), ip("2a00::7"))), "the global one of the list");
    stb.v6.clear();
    stb.beat(&mut rig, HOME).unwrap();
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)), "it has it no more");
    stb.beat(&mut rig, "[2a00::9]:4000").unwrap();
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), ip("2a00::9"))), "both were heard of lately");
    rig.wait(400);
    stb.beat(&mut rig, "[2a00::9]:4000").unwrap();
    rig.wait(400);
    stb.beat(&mut rig, "[2a00::9]:4000").unwrap();
    assert_eq!(rig.published("alice"), Some((None, ip("2a00::9"))), "IPv4 was not, for a lease");
    let ack = stb.beat(&mut rig, "[::ffff:192.168.1.5]:4000").unwrap();
    assert_eq!((ack.status, ack.seen), (Status::NotPublished, Seen::V4([192, 168, 1, 5])));
    assert_eq!(rig.published("alice"), Some((None, ip("2a00::9"))));
}

#[test]
fn private_addresses_are_published_only_where_the_operator_says_so() {
    let mut rig = Rig::new(Settings { publish_private: true, ..settings() });
    let mut stb = TestBox::new(10);
    stb.claim(&mut rig, "alice").unwrap();
    assert_eq!(stb.beat(&mut rig, "127.0.0.1:9").unwrap().status, Status::Published);
    assert_eq!(rig.published("alice"), Some((ip("127.0.0.1"), None)));
}

#[test]
fn a_lease_ends_and_a_claim_much_later() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let lease = |rig: &Rig| rig.registrar.show(rig.now, 0, "alice").unwrap().lease;
    assert_eq!(lease(&rig), Lease::Online);
    rig.wait(200);
    assert_eq!(lease(&rig), Lease::Stale);
    rig.wait(360);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)), "not yet");
    rig.wait(100);
    assert_eq!((lease(&rig), rig.published("alice")), (Lease::Offline, Some((None, None))), "NODATA");
    stb.beat(&mut rig, HOME).unwrap();
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)), "and back");
    rig.wait(399 * 86_400);
    assert_eq!(lease(&rig), Lease::Offline);
    rig.wait(2 * 86_400);
    assert_eq!(lease(&rig), Lease::Resting);
    assert_eq!(rig.published("alice"), Some((None, None)), "a name that was claimed");
    assert!(matches!(TestBox::new(11).claim(&mut rig, "alice"), Err(Refusal::Held(..))));
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().flags, AckFlags::NAME_LOST);
    rig.wait(91 * 86_400);
    assert_eq!(rig.published("alice"), None);
    assert_eq!(stb.beat(&mut rig, HOME), None, "old keys are forgotten with it");
    assert!(rig.kept.is_empty(), "{:?}", rig.kept);
    assert_eq!(TestBox::new(11).claim(&mut rig, "alice"), Ok(None));
}

#[test]
fn a_box_that_beats_keeps_its_name_for_years() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    for _ in 0..500 {
        rig.wait(86_400);
        stb.beat(&mut rig, HOME).unwrap();
    }
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
}

#[test]
fn a_slow_fleet_has_long_leases_even_when_it_gets_fast_again() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    rig.registrar.set_next_s(rig.now, 3600);
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().next_s, 3600);
    rig.wait(3500);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    rig.registrar.set_next_s(rig.now, 1);
    rig.wait(90);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    assert_eq!(stb.beat(&mut rig, HOME).unwrap().next_s, 60);
}

#[test]
fn a_clock_that_is_ten_years_off_ends_no_claim() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    for years in [10, -10_i64] {
        rig.now.utc = rig.now.utc.saturating_add_signed(years * 365 * 86_400);
        let mut again = Rig::new(settings());
        (again.kept, again.now) = (rig.kept.clone(), rig.now);
        again.restart(settings());
        assert!(again.registrar.stats().is_clock_doubted);
        again.wait(5 * 86_400);
        assert!(again.published("alice").is_some());
        assert_eq!(stb.beat(&mut again, HOME).unwrap().status, Status::Published);
        rig.now.utc = 1_800_000_000;
    }
}

#[test]
fn a_bye_takes_the_address_out_at_once_from_the_box_alone() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let bye = crate::registration::Bye { epoch: stb.epoch };
    let packet = stb.sealed(&bye);
    assert_eq!(rig.send(Came::Udp, "198.41.0.4:53", &packet), None);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)));
    let packet = stb.sealed(&bye);
    assert_eq!(rig.send(Came::Udp, HOME, &packet), None);
    assert_eq!(rig.published("alice"), Some((None, None)));
    rig.restart(settings());
    assert_eq!(rig.published("alice"), Some((None, None)), "and it stays so");
}

#[test]
fn what_a_box_tells_of_itself_comes_by_https_alone() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let fw = heapless::String::try_from("1.2.3").unwrap();
    let about = crate::registration::About { epoch: stb.epoch, lan: Some(([192, 168, 1, 2], 80)), fw };
    let packet = stb.sealed(&about);
    assert_eq!(rig.send(Came::Udp, HOME, &packet), None);
    let answer = rig.send(Came::Https, "198.41.0.4:40000", &packet).unwrap();
    assert!(stb.hear(&answer).is_some());
    assert_eq!(rig.registrar.show(rig.now, 0, "alice").unwrap().firmware, "1.2.3");
    let mut silent = TestBox { counter: stb.counter, ..TestBox::new(10) };
    (silent.id, silent.epoch, silent.psk) = (stb.id, stb.epoch, stb.psk.clone());
    let beat = silent.packet();
    let answer = rig.send(Came::Https, "192.0.1.77:40000", &beat).unwrap();
    silent.hear(&answer);
    let beat = silent.packet();
    let answer = rig.send(Came::Https, "192.0.1.77:40001", &beat).unwrap();
    assert!(silent.hear(&answer).is_some(), "the next request may come from another port");
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.77"), None)));
}

#[test]
fn nothing_is_acknowledged_that_the_store_does_not_have() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    rig.fails = Some("no space left on device".into());
    let mut other = TestBox::new(11);
    assert!(matches!(other.claim(&mut rig, "bob"), Err(Refusal::Store(_))));
    assert_eq!(rig.published("bob"), None, "nothing half-done");
    let packet = stb.packet();
    let answer = rig.send(Came::Udp, "192.0.1.8:4000", &packet).unwrap();
    stb.hear(&answer);
    let packet = stb.packet();
    assert_eq!(rig.send(Came::Udp, "192.0.1.8:4000", &packet), None, "no acknowledgement");
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.7"), None)), "what is known is answered");
    assert_eq!(rig.registrar.stats().store_failure.as_deref(), Some("no space left on device"));
    rig.fails = None;
    assert_eq!(stb.beat(&mut rig, "192.0.1.8:4000").unwrap().status, Status::Published);
    assert_eq!(rig.published("alice"), Some((ip("192.0.1.8"), None)));
    assert_eq!(other.claim(&mut rig, "bob"), Ok(None));
    assert_eq!(rig.registrar.stats().store_failure, None);
}

#[test]
fn changes_are_told_once_with_what_was_before() {
    use crate::nameserver::{Directory, Taken};
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    let mut changes = Vec::new();
    assert_eq!(rig.registrar.take_changes(&mut changes), Taken::All);
    assert_eq!((changes.len(), &changes[0].before), (1, &None), "it was not there");
    changes.clear();
    stb.beat(&mut rig, "192.0.1.8:4000").unwrap();
    stb.beat(&mut rig, "192.0.1.9:4000").unwrap();
    rig.registrar.take_changes(&mut changes);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].before.as_ref().unwrap().v4, Some([192, 0, 1, 7].into()));
    changes.clear();
    stb.beat(&mut rig, "192.0.1.9:4000").unwrap();
    rig.registrar.take_changes(&mut changes);
    assert_eq!(changes, [], "a steady beat changes nothing");
    let mut names = Vec::new();
    assert_eq!(rig.registrar.page(0, 0, &mut |label, p| names.push((label.to_vec(), p.v4))), None);
    assert_eq!(names, [(b"alice".to_vec(), Some([192, 0, 1, 9].into()))]);
}

#[test]
fn the_steady_path_allocates_no_entry_and_stages_nothing() {
    let mut rig = Rig::new(settings());
    let mut stb = online(&mut rig, "alice");
    for _ in 0..100 {
        let packet = stb.packet();
        let mut out = [0; crate::registration::PACKET_MAX];
        let reply = rig.registrar.datagram(rig.now, Came::Udp, HOME.parse().unwrap(), &packet, &mut out);
        assert!(matches!(reply, Reply::Send(_)));
        assert!(rig.registrar.take_writes().is_none());
    }
}

proptest::proptest! {
    /// Any bytes, and packets of a known box with any bytes changed.
    #[test]
    fn any_bytes_survive(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..140), at in 0..140_usize) {
        let mut rig = Rig::new(settings());
        let mut stb = online(&mut rig, "alice");
        for came in [Came::Udp, Came::Https] {
            rig.send(came, HOME, &bytes);
            let mut packet = stb.packet();
            let end = (at + bytes.len()).min(packet.len());
            if at < end {
                packet[at..end].copy_from_slice(&bytes[..end - at]);
            }
            rig.send(came, HOME, &packet);
        }
        assert_eq!(rig.published("alice").unwrap().0, ip("192.0.1.7"));
    }
}

#[test]
fn a_box_that_goes_to_another_front_end_proves_itself_there_and_is_not_expired_here() {
    use store::Others;
    let front_end = |home| Rig::new(Settings { home, ..settings() });
    let (mut one, mut two) = (front_end(1), front_end(2));
    let mut up_to = 0;
    let mut tell = |from: &Rig, to: &mut Rig| {
        up_to += 1;
        let records = from.kept.iter().map(|(key, record)| (key.clone(), Some(record.clone()))).collect();
        assert_eq!(to.registrar.heard_of(to.now, &Others { records, up_to }), []);
        to.kept = from.kept.clone();
    };
    let mut stb = online(&mut one, "alice");
    tell(&one, &mut two);
    assert_eq!(two.published("alice"), Some((ip("192.0.1.7"), None)));
    two.wait(86_400);
    assert_eq!(two.published("alice"), Some((ip("192.0.1.7"), None)), "the other one hears it");
    let caught = stb.packet();
    let answer = two.send(Came::Udp, HOME, &caught).unwrap();
    assert_eq!(crate::registration::Header::peek(&answer).unwrap().kind, crate::registration::Kind::Retry);
    stb.counter += 1;
    stb.beat(&mut two, HOME).unwrap();
    tell(&two, &mut one);
    one.wait(1000);
    assert_eq!(one.published("alice"), Some((ip("192.0.1.7"), None)), "nor does the first one expire it now");
    stb.beat(&mut two, "192.0.1.8:4000").unwrap();
    tell(&two, &mut one);
    assert_eq!(one.published("alice"), Some((ip("192.0.1.8"), None)));
    let old = stb.packet();
    let answer = one.send(Came::Udp, HOME, &old).unwrap();
    assert_eq!(crate::registration::Header::peek(&answer).unwrap().kind, crate::registration::Kind::Retry);
    two.wait(1000);
    tell(&two, &mut one);
    assert_eq!(one.published("alice"), Some((None, None)), "who heard it last expires it");
}
