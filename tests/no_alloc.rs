//! Steady streaming takes nothing from the heap: ten clients for ten seconds, and not one allocation on the box's
//! thread. Nor do steady beats at the name service.
//!
//! The box runs in this very process, under an allocator that counts, so this program has a `main` of its own: it is
//! also what the box starts when it needs a helper.

#![allow(unsafe_code, reason = "a global allocator is unsafe to implement; this one counts and hands on")]

#[path = "no_alloc/beats.rs"]
mod beats;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::eit::{Event, Place, bat, eit, tot};
use support::http::{DEADLINE, Viewer};
use support::mux::{Codec, MuxBuilder, Service};
use support::sender::{self, Sender};
use support::stb::{Dir, ask_at, number, wait_for};
use support::ts::{judge, packets};

/// For how long nothing may be allocated.
const STEADY: Duration = Duration::from_secs(10);
/// How long clients stream before that counts.
const BEFORE: Duration = Duration::from_secs(2);
const CLIENTS: u16 = 10;

/// The system's allocator, with a look at who asks.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the box's thread asked of the heap.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This is the thread whose allocations count.
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    // At a thread's end its flag may be gone; the box's thread does not end while it is watched.
    if COUNTS.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to `System` with the arguments it came with, and `count` neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds what `GlobalAlloc::alloc` asks of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the block comes from `System`, since all blocks do; the caller upholds the rest.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block comes from `System`, since all blocks do.
        unsafe { System.dealloc(block, layout) }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "helper-store") {
        return stbcast::daemon::run(arguments);
    }
    // What asks a test program for its tests runs none of them.
    if arguments.iter().any(|word| word == "--list") {
        println!("{NAME}: test\n{BEATS}: test");
        return ExitCode::SUCCESS;
    }
    println!("\nrunning 2 tests");
    steady_beats_allocate_nothing();
    println!("test {BEATS} ... ok");
    steady_streaming_allocates_nothing();
    println!(
        "test {NAME} ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
    );
    ExitCode::SUCCESS
}

const NAME: &str = "steady_streaming_allocates_nothing";
const BEATS: &str = "steady_beats_allocate_nothing";

fn steady_beats_allocate_nothing() {
    beats::steady(|all| {
        COUNTS.set(true);
        all();
        COUNTS.set(false);
    });
    assert_eq!(ALLOCATIONS.swap(0, Ordering::Relaxed), 0, "allocations by beats");
}

fn steady_streaming_allocates_nothing() {
    let dir = Dir::new();
    let services = [
        Service::tv(1, "One", Codec::H264, 4_000_000),
        Service::tv(2, "Two", Codec::Mpeg2, 2_000_000),
        Service::tv(3, "Three", Codec::Hevc, 1_000_000),
        Service::radio(4, "Four", 128_000),
    ];
    let file = format!("file:{}?loop", dir.file("mux.ts", &MuxBuilder::new(&services, 4).build()));
    let to = sender::unicast();
    let five = [Service { has_schedule: true, ..Service::tv(5, "Five", Codec::H264, 2_000_000) }];
    let guided =
        MuxBuilder { events: vec![(5, ["Now", "Next"])], sections: guide(), ..MuxBuilder::new(&five, 4) };
    let stream = packets(&guided.build()).0.to_vec();
    let _sender = Sender::forever(to, stream, Duration::from_secs(4));
    let state = dir.state();
    let _box = run_box(&state, &[file, format!("udp://{to}")]);
    let ask = |line: &str| ask_at(&state, line);
    wait_for("the channels", || {
        ask("{\"cmd\":\"channels\",\"all\":true}").ok().filter(|lines| lines.len() > services.len() + 1)
    });
    let links: Vec<String> = (0..CLIENTS).map(|client| link(&state, 1 + client % 5)).collect();
    let written = ["identity.a", "channels.a"].map(|slot| state.join(slot));
    wait_for("the state to be written", || written.iter().all(|path| path.exists()).then_some(()));

    let done = AtomicBool::new(false);
    let delivered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for link in &links {
            scope.spawn(|| watch(link, &delivered, &done));
        }
        let over = Over(&done);
        wait_for("all to stream", || {
            let last = ask("{\"cmd\":\"status\"}").ok()?.pop()?;
            (number(&last, "viewers") == u64::from(CLIENTS)).then_some(())
        });
        let events = || {
            number(
                &ask("{\"cmd\":\"status\"}").expect("the box answers").pop().expect("a line"),
                "guide_events",
            )
        };
        wait_for("the guide", || (events() == 6).then_some(()));
        let (bytes, allocations) = steady(&delivered);
        // The counter counts: one who comes costs something.
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        Viewer::open(&links[0]).watch(188);
        drop(over);
        assert!(ALLOCATIONS.load(Ordering::Relaxed) > before, "the counter sees the box's thread");
        println!("{bytes} bytes to {CLIENTS} clients in {STEADY:?}: {allocations} allocations");
        assert!(bytes > 10_000_000, "the clients stream");
        assert_eq!(allocations, 0, "steady streaming allocates");
    });
}

/// What a guide repeats: a schedule, a bouquet, the time.
fn guide() -> Vec<(u16, Vec<u8>)> {
    let event =
        |i: u16| Event { id: i, start: u64::from(i) * 600, duration: 600, title: "x".into(), more: vec![] };
    let place = |section| Place { table_id: 0x50, version: 1, section, last_section: 8, last_table: 0x50 };
    let section =
        |n: u16| eit(1, 5, place(u8::try_from(8 * n).expect("two")), &[event(2 * n), event(2 * n + 1)]);
    let schedule = [0, 1].map(|n| (0x12, section(n)));
    let rest = [(0x11, bat(7, 0, "Basic", 1, &[(5, 5)])), (0x14, tot(60, "FRA", 3600))];
    schedule.into_iter().chain(rest).collect()
}

/// Ends the clients, also where a check fails: nobody waits for who watches for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Bytes and allocations of the steady time.
fn steady(delivered: &AtomicU64) -> (u64, u64) {
    // Time itself is what is measured here: so long is steady.
    std::thread::sleep(BEFORE);
    let counts = || (delivered.load(Ordering::Relaxed), ALLOCATIONS.load(Ordering::Relaxed));
    let before = counts();
    std::thread::sleep(STEADY);
    let after = counts();
    (after.0 - before.0, after.1 - before.1)
}

/// Watches until it is `done`; what came must be sound.
fn watch(link: &str, delivered: &AtomicU64, done: &AtomicBool) {
    let mut viewer = Viewer::open(link);
    let mut kept = Vec::new();
    while !done.load(Ordering::Relaxed) {
        assert!(viewer.client.receive(Instant::now() + DEADLINE), "the stream goes on");
        delivered.fetch_add(viewer.client.unread.len() as u64, Ordering::Relaxed);
        if kept.len() < 200 * 188 {
            kept.append(&mut viewer.client.unread);
        }
        viewer.client.unread.clear();
    }
    assert!(judge(&kept).pids.values().all(|p| p.cc_errors == 0), "the stream is whole");
}

/// A box on a thread of this process; it ends with the process.
fn run_box(state: &std::path::Path, sources: &[String]) -> JoinHandle<()> {
    let mut words: Vec<OsString> =
        ["stbcastd", "run", "--listen", "127.0.0.1:0", "--log", "warn", "--state"].map(OsString::from).into();
    words.push(state.into());
    words.extend(sources.iter().flat_map(|source| ["--source".into(), source.into()]));
    std::thread::spawn(move || {
        COUNTS.set(true);
        let ended = stbcast::daemon::run(words);
        eprintln!("the box ended: {ended:?}");
        // Nobody streams any more, and the main thread waits for what cannot come.
        std::process::abort();
    })
}

fn link(state: &std::path::Path, channel: u16) -> String {
    let request = format!("{{\"cmd\":\"link\",\"channel\":{channel},\"connections\":0}}");
    let lines = ask_at(state, &request).expect("the box answers");
    support::stb::text(&lines[0], "url").expect("a link has a URL").to_owned()
}
