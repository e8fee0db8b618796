//! The registrar against boxes, thieves and time.

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
