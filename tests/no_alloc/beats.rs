//! Steady beats of boxes, without their sockets.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

use std::net::SocketAddr;
use std::time::Duration;

use ring::rand::SystemRandom;
use stbcast::registrar::{Came, Enrol, Key, Now, Owned, Record, Registrar, Reply, Settings, ZoneSettings};
use stbcast::registration::{Beat, BeatKey, BoxId, Label, PACKET_MAX, Retry, ServiceKey, open, seal};

const BOXES: u8 = 100;
const KEY: BeatKey = BeatKey([3; 16]);

/// Lets a hundred boxes beat ten times each, once they proved their address; `watched` is run around these beats.
pub(crate) fn steady(watched: impl FnOnce(&mut dyn FnMut())) {
    let mut now = Now { monotonic: Duration::from_secs(1000), utc: 1_800_000_000 };
    let mut registrar = registrar(now);
    let mut out = [0; PACKET_MAX];
    for number in 0..BOXES {
        let (packet, len) = beat(number, 1, None);
        let reply = registrar.datagram(now, Came::Udp, source(number), &packet[..len], &mut out);
        let Reply::Send(len) = reply else { panic!("{reply:?}") };
        let cookie = open::<Retry>(&out[..len], &KEY).unwrap().cookie;
        let (packet, len) = beat(number, 2, Some(cookie));
        let reply = registrar.datagram(now, Came::Udp, source(number), &packet[..len], &mut out);
        assert!(matches!(reply, Reply::Send(_)), "{reply:?}");
    }
    watched(&mut || {
        for counter in 3..13 {
            now.monotonic += Duration::from_secs(60);
            registrar.tick(now);
            for number in 0..BOXES {
                let (packet, len) = beat(number, counter, None);
                let reply = registrar.datagram(now, Came::Udp, source(number), &packet[..len], &mut out);
                assert!(matches!(reply, Reply::Send(_)), "{reply:?}");
                let reply = registrar.datagram(now, Came::Udp, source(number), &packet[..len], &mut out);
                assert_eq!(reply, Reply::Silence, "sent again");
            }
        }
    });
    assert_eq!(registrar.counters().beats, u64::from(BOXES) * 11);
}

fn source(number: u8) -> SocketAddr {
    SocketAddr::from(([198, 41, 0, number], 4000))
}

fn beat(number: u8, counter: u64, cookie: Option<[u8; 16]>) -> ([u8; PACKET_MAX], usize) {
    let (beat, mut packet) = (Beat { epoch: 1, cookie, ..Beat::default() }, [0; PACKET_MAX]);
    let len = seal(BoxId([number + 1; 8]), counter, &beat, &KEY, &mut packet);
    (packet, len)
}

fn registrar(now: Now) -> Registrar {
    let settings = Settings {
        zones: vec![ZoneSettings { name: "box.test".into(), moved_to: None }],
        capacity: 1000,
        enrol: Enrol::Open,
        heartbeats: vec!["hb0.box.test:5390".into()],
        next_s: 60,
        move_delay: Duration::from_secs(1),
        publish_private: false,
        blocked: Vec::new(),
        home: 0,
    };
    let mut registrar =
        Registrar::new(settings, ServiceKey::from_seed([1; 32]), Box::new(SystemRandom::new()));
    for number in 0..BOXES {
        let label = Label::new(&format!("name-{number}")).unwrap();
        let key = Key::Name { zone: "box.test".into(), label };
        registrar.load(now, &key, &Record::Owned(Box::new(owned(number, now)))).unwrap();
    }
    registrar.loaded(now);
    registrar
}

fn owned(number: u8, now: Now) -> Owned {
    Owned {
        id: Some([number + 1; 8]),
        epoch: 1,
        psk: [7; 32],
        to_service: KEY.0,
        to_box: KEY.0,
        key: [8; 32],
        recovery: None,
        serial: String::new(),
        created: 0,
        used: u32::try_from(now.utc).unwrap(),
        v4: Some([198, 41, 0, number]),
        v6: None,
        is_v4_fixed: false,
        is_v6_fixed: false,
        pub_port: 0,
        is_revoked: false,
        suspended: None,
        moving: None,
        texts: Vec::new(),
        lan: ([0; 4], 0),
        firmware: String::new(),
        home: 0,
    }
}
