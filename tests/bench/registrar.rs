//! How fast and how large the registrar is: beats per second of one core, bytes per name, time of a restart.
//!
//! ```text
//! cargo bench --bench registrar                     a million names, about a minute
//! cargo bench --bench registrar -- --names 100000   fewer
//! ```
//!
//! Boxes beat in random order, so that each meets a cold entry. By UDP, the service is a thread and the boxes are
//! another; all goes by loopback, where a call to send also does the receiver's work in the kernel.

#![allow(clippy::unwrap_used, reason = "a bench ends where what it relies on does not hold")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fs;
use std::future::{Future, ready};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::SockaddrStorage;
use nix::time::{ClockId, clock_gettime};
use ring::rand::SystemRandom;
use smol::LocalExecutor;

use stbcast::cloud::heartbeat::{Beats, bind, fairness, serve};
use stbcast::nameserver::Ticket;
use stbcast::registrar::store::{LocalStore, Store};
use stbcast::registrar::{
    Came, Enrol, Key, Now, Owned, Record, Registrar, Reply, Settings, Write, ZoneSettings,
};
use stbcast::registration::{
    Beat, BeatKey, BoxId, Header, Kind, Label, PACKET_MAX, Retry, ServiceKey, open, seal,
};
use stbcast::sys::burst::{BURST, send_burst};

/// Networks of /24 that the boxes are in.
const NETWORKS: u32 = 200;
/// How long a rate is measured.
const LENGTH: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let names =
        arguments.iter().position(|a| a == "--names").and_then(|at| arguments.get(at + 1)?.parse().ok());
    let names: u32 = names.unwrap_or(1_000_000);
    let mut registrar = filled(names);
    let mut packets = prove_all(&mut registrar, names);
    alone(&mut registrar, &packets);
    seal_all(&mut packets, 3);
    by_udp(registrar, &packets)?;
    restart(names)
}

fn empty(names: u32) -> Registrar {
    let settings = Settings {
        zones: vec![ZoneSettings { name: "box.test".into(), moved_to: None }],
        capacity: names as usize,
        enrol: Enrol::Open,
        heartbeats: vec!["hb0.box.test:5390".into()],
        next_s: 60,
        move_delay: Duration::from_secs(1),
        publish_private: true,
        blocked: Vec::new(),
        home: 0,
    };
    Registrar::new(settings, ServiceKey::from_seed([1; 32]), Box::new(SystemRandom::new()))
}

fn now() -> Now {
    let monotonic = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap());
    Now { monotonic, utc: 1_800_000_000 }
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
}

/// A number that looks random, of each box its own.
fn mixed(number: u64) -> u64 {
    let x = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

fn id(number: u32) -> BoxId {
    BoxId(mixed(u64::from(number) + 1).to_be_bytes())
}

fn keys(number: u32) -> (BeatKey, BeatKey) {
    let key = |salt: u64| {
        let (a, b) = (mixed(u64::from(number) << 8 | salt), mixed(u64::from(number) << 8 | (salt + 1)));
        BeatKey((u128::from(a) << 64 | u128::from(b)).to_be_bytes())
    };
    (key(2), key(4))
}

fn network(number: u32) -> [u8; 4] {
    [127, 1, u8::try_from(number % NETWORKS).unwrap(), 1]
}

fn record(number: u32) -> (Key, Record) {
    let (to_service, to_box) = keys(number);
    let label =
        Label::new(&format!("stb-{:x}", mixed(u64::from(number)) >> 32 << 20 | u64::from(number))).unwrap();
    let owned = Owned {
        id: Some(id(number).0),
        epoch: 1,
        psk: [7; 32],
        to_service: to_service.0,
        to_box: to_box.0,
        key: [8; 32],
        recovery: Some([9; 32]),
        serial: format!("SN{number:08}"),
        created: 1_790_000_000,
        used: 1_800_000_000,
        v4: Some(network(number)),
        v6: None,
        is_v4_fixed: false,
        is_v6_fixed: false,
        pub_port: 8443,
        is_revoked: false,
        suspended: None,
        moving: None,
        texts: Vec::new(),
        lan: ([192, 168, 1, 2], 80),
        firmware: "1.0.0".into(),
        home: 0,
    };
    (Key::Name { zone: "box.test".into(), label }, Record::Owned(Box::new(owned)))
}

fn rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn filled(names: u32) -> Registrar {
    let before = rss();
    let mut registrar = empty(names);
    for number in 0..names {
        let (key, record) = record(number);
        registrar.load(now(), &key, &record).unwrap();
    }
    registrar.loaded(now());
    registrar.tick(now());
    let (taken, memory) = (rss() - before, registrar.stats().memory);
    println!("bytes per name     {:6.1} resident", taken as f64 / f64::from(names));
    for (what, bytes) in [
        ("entries", memory.entries),
        ("indices", memory.indices),
        ("claims", memory.claims),
        ("letters", memory.letters),
    ] {
        println!("  {what:15}  {:6.1}", bytes as f64 / f64::from(names));
    }
    registrar
}

/// A beat that is going to be sent.
#[derive(Clone)]
struct Packet {
    bytes: [u8; PACKET_MAX],
    len: usize,
    number: u32,
}

fn packet(number: u32, counter: u64, cookie: Option<[u8; 16]>) -> Packet {
    let beat = Beat { epoch: 1, pub_port: 8443, cookie, ..Beat::default() };
    let mut bytes = [0; PACKET_MAX];
    let len = seal(id(number), counter, &beat, &keys(number).0, &mut bytes);
    Packet { bytes, len, number }
}

fn source(number: u32) -> SocketAddr {
    SocketAddr::from((network(number), 4000))
}

/// Each box proves its address; returns a beat of each, in random order.
fn prove_all(registrar: &mut Registrar, names: u32) -> Vec<Packet> {
    let mut out = [0; PACKET_MAX];
    for number in 0..names {
        let first = packet(number, 0, None);
        let reply = registrar.datagram(now(), Came::Udp, source(number), &first.bytes[..first.len], &mut out);
        let Reply::Send(len) = reply else { panic!("{reply:?}") };
        let cookie = open::<Retry>(&out[..len], &keys(number).1).unwrap().cookie;
        let second = packet(number, 1, Some(cookie));
        let reply =
            registrar.datagram(now(), Came::Udp, source(number), &second.bytes[..second.len], &mut out);
        assert!(matches!(reply, Reply::Send(_)), "{reply:?}");
    }
    let mut numbers: Vec<u32> = (0..names).collect();
    numbers.sort_unstable_by_key(|number| mixed(u64::from(*number) << 20));
    numbers.iter().map(|number| packet(*number, 2, None)).collect()
}

fn seal_all(packets: &mut [Packet], counter: u64) {
    for old in packets {
        *old = packet(old.number, counter, None);
    }
}

fn alone(registrar: &mut Registrar, packets: &[Packet]) {
    let (mut out, began, mut count) = ([0; PACKET_MAX], cpu(), 0_u32);
    for packet in packets {
        let reply = registrar.datagram(
            now(),
            Came::Udp,
            source(packet.number),
            &packet.bytes[..packet.len],
            &mut out,
        );
        assert!(matches!(reply, Reply::Send(_)), "{reply:?}");
        count += 1;
    }
    let took = (cpu() - began).as_secs_f64();
    println!(
        "beats, registrar   {:6.0} k/s of one core, {:.2} µs each",
        f64::from(count) / took / 1e3,
        took * 1e6 / f64::from(count)
    );
}

struct Service {
    registrar: RefCell<Registrar>,
    dropped: Cell<u64>,
}

impl Beats for Service {
    fn monotonic(&self) -> Duration {
        now().monotonic
    }

    fn datagram(&self, source: SocketAddr, packet: &[u8], out: &mut [u8; PACKET_MAX]) -> Reply {
        self.registrar.borrow_mut().datagram(now(), Came::Udp, source, packet, out)
    }

    fn is_committed(self: Rc<Self>, _: Ticket) -> impl Future<Output = bool> + 'static {
        ready(true)
    }

    fn dropped(&self, packets: u64) {
        self.dropped.set(self.dropped.get() + packets);
    }
}

/// The service on this thread, the boxes on another.
fn by_udp(registrar: Registrar, packets: &[Packet]) -> Result<(), Box<dyn Error>> {
    let socket = Rc::new(bind("127.0.0.1:0".parse()?)?);
    let (to, is_over) = (socket.get_ref().local_addr()?, Arc::new(AtomicBool::new(false)));
    let service = Rc::new(Service { registrar: RefCell::new(registrar), dropped: Cell::new(0) });
    let executor = Rc::new(LocalExecutor::new());
    executor.spawn(serve(socket, Rc::clone(&service), fairness(), Rc::clone(&executor))).detach();
    let (before, began, cpu_began) = (*service.registrar.borrow().counters(), Instant::now(), cpu());
    let heard = std::thread::scope(|scope| {
        let boxes = scope.spawn(|| boxes(to, packets, &is_over));
        smol::block_on(executor.run(async {
            while !is_over.load(Ordering::Relaxed) {
                async_io::Timer::after(Duration::from_millis(10)).await;
            }
        }));
        boxes.join().unwrap()
    });
    let (took, cpu) = (began.elapsed().as_secs_f64(), (cpu() - cpu_began).as_secs_f64());
    let after = *service.registrar.borrow().counters();
    let beats = (after.beats - before.beats) as f64;
    println!(
        "beats, UDP         {:6.0} k/s of one core, {:.2} µs each, system calls too ({:.0} k/s beside its clients, {heard} answers heard)",
        beats / cpu / 1e3,
        cpu * 1e6 / beats,
        beats / took / 1e3
    );
    println!("  silent {}, dropped {}", after.silent - before.silent, service.dropped.get());
    Ok(())
}

/// All boxes: sends what there is, as fast as it is answered; returns how many answers came.
fn boxes(to: SocketAddr, packets: &[Packet], is_over: &AtomicBool) -> u64 {
    let sockets: Vec<UdpSocket> =
        (0..NETWORKS).map(|n| UdpSocket::bind(SocketAddr::from((network(n), 0))).unwrap()).collect();
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let mut by_network: Vec<Vec<&Packet>> = vec![Vec::new(); NETWORKS as usize];
    packets.iter().for_each(|packet| by_network[(packet.number % NETWORKS) as usize].push(packet));
    let (to, began, mut heard, mut fresh) =
        (SockaddrStorage::from(to), Instant::now(), 0, vec![0; sockets.len()]);
    let mut answer = [0; PACKET_MAX];
    'rounds: loop {
        for ((socket, packets), at) in sockets.iter().zip(&by_network).zip(&mut fresh) {
            if began.elapsed() > LENGTH || *at + BURST > packets.len() {
                break 'rounds;
            }
            let burst = packets[*at..*at + BURST].iter().map(|p| (&to, &p.bytes[..p.len]));
            *at += send_burst(socket.as_fd(), burst).unwrap_or(0);
            // what the round before asked for has come meanwhile
            while let Ok(len) = socket.recv(&mut answer) {
                heard +=
                    u64::from(Header::peek(&answer[..len]).is_some_and(|header| header.kind == Kind::Ack));
            }
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    for socket in &sockets {
        while socket.recv(&mut answer).is_ok() {
            heard += 1;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    heard
}

fn restart(names: u32) -> Result<(), Box<dyn Error>> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registrar");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)?;
    let path = directory.join("names.redb");
    let mut store = LocalStore::open(&path)?;
    let began = Instant::now();
    for first in (0..names).step_by(20_000) {
        let last = (first + 20_000).min(names);
        let writes: Vec<_> = (first..last)
            .map(|number| {
                let (key, record) = record(number);
                Arc::new(Write {
                    ticket: Ticket(u64::from(number)),
                    seen: 0,
                    puts: vec![(key, Some(record))],
                })
            })
            .collect();
        store.commit(&writes)?;
    }
    println!(
        "store              {:6.2} s to write all, {} MB",
        began.elapsed().as_secs_f64(),
        fs::metadata(&path)?.len() / 1_000_000
    );
    drop(store);
    let (began, cpu_began) = (Instant::now(), cpu());
    let mut store = LocalStore::open(&path)?;
    let opened = cpu() - cpu_began;
    let mut registrar = empty(names);
    store.load(&mut |key, record| registrar.load(now(), &key, &record).is_ok())?;
    registrar.loaded(now());
    let (took, cpu) = (began.elapsed(), cpu() - cpu_began);
    assert_eq!(registrar.stats().names, names as usize);
    println!(
        "restart            {:6.2} s, of the processor {:.2} s, of which checking the file {:.2} s",
        took.as_secs_f64(),
        cpu.as_secs_f64(),
        opened.as_secs_f64()
    );
    drop(store);
    fs::remove_dir_all(&directory)?;
    Ok(())
}
