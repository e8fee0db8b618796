//! A join against the same cut made by hand: the source from the packet that starts the access unit on, behind its own
//! PAT and PMT. Where to cut is ffprobe's to say; what is in the two is ffmpeg's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::run::run;
use super::support::http::{DEADLINE, Viewer};
use super::support::rap::{is_video, starts_clean};
use super::support::stb::{Dir, Stb, number, text, wait_for};
use super::support::ts::{Packet, elementary, judge, packets, pid, starts_unit};

/// How much of the stream each join takes, in seconds.
const STAY: f64 = 2.0;
/// The age of a random access point that the box may not start at, and that it never starts at: `start_age_max_ms`,
/// and half a second for what a busy machine is late.
const OLD: f64 = 3.5;
const TOO_OLD: f64 = 4.5;
/// A join of radio starts a second back; after so long, another one starts somewhere else.
const SECOND_BACK: f64 = 1.5;
/// Frames that must be the same from the first one on.
const FRAMES: usize = 5;

/// Joins service `sid` of the mux at `path` at `wanted` random access points, each another one; every join must be as
/// good as the cut by hand. Where the source is too short for so many, as many as there are. Gives
/// their number; the first join, at the beginning of the source, comes on top.
pub(crate) fn joins(path: &str, sid: u16, wanted: usize) -> usize {
    let program = Program::of(path, sid);
    let stb = Stb::start_in(Dir::new(), &[&format!("file:{path}")], &[]);
    let channel = wait_for("the channel", || {
        let of = |line: &String| text(line, "id").is_some_and(|id| id.ends_with(&format!("-{sid}")));
        stb.channels().into_iter().find(of)
    });
    // The survey is over: the first viewer sees the source from its beginning.
    wait_for("the survey's end", || Some(stb.mux(0)).filter(|mux| !mux.contains("\"state\":\"open\"")));
    let url = stb.channel(u16::try_from(number(&channel, "number")).unwrap());
    let mut stays = Viewer::open(&url);
    let joined: Vec<Join> = std::thread::scope(|scope| {
        let (mut watching, mut tries) = (Vec::new(), 0);
        let mut last = None;
        // Each joins once a point came that nobody has joined at: when that is, is the stream's to say.
        while watching.len() < wanted
            && let Some(came) = program.wait_for_point(&mut stays, last)
        {
            let mut viewer = Viewer::open(&url);
            let start = program.start_of(&mut viewer);
            assert!(
                program.is_new(start, came),
                "{} came; the join is at {start}",
                program.points[came].place
            );
            // A box that was held up takes one of two points that came at one time.
            tries += 1;
            assert!(tries < 3 * wanted, "joins go to the same few points");
            if last.replace(start) == Some(start) {
                continue;
            }
            let program = &program;
            watching.push(scope.spawn(move || program.watch(start, viewer)));
        }
        let start = program.start_of(&mut stays);
        let joined = watching.into_iter().map(|join| join.join().unwrap());
        joined.chain([program.watch(start, stays)]).flatten().collect()
    });
    let mut complaints = BTreeMap::new();
    for join in &joined {
        for (kind, count) in program.compare(&stb.dir, join) {
            *complaints.entry(kind).or_insert(0) += count;
        }
    }
    let said =
        complaints.iter().map(|(kind, n)| format!("{n} x {:.40}", kind)).collect::<Vec<_>>().join(", ");
    println!("{path}, {sid}: {} joins like the cut by hand; both make ffmpeg say: {said}", joined.len());
    joined.len()
}

/// What a viewer got in its stay.
struct Join {
    /// The place in the source of its first packet, and the place behind its last.
    start: usize,
    end: usize,
    packets: Vec<Packet>,
}

/// Where an access unit of the main stream begins, as ffprobe says.
struct Point {
    /// Its packet's index.
    place: usize,
    seconds: f64,
    key: bool,
}

/// A service of a mux in a file.
struct Program {
    sid: u16,
    packets: Vec<Packet>,
    /// The PIDs of its components.
    pids: Vec<u16>,
    /// What joins go by is `v`ideo or `a`udio.
    kind: char,
    is_radio: bool,
    /// Every unit of the video; of the first audio where there is no packet of video.
    points: Vec<Point>,
    /// Its own PAT and PMT, as they came.
    tables: Vec<Packet>,
}

impl Program {
    fn of(path: &str, sid: u16) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let report = judge(&bytes);
        let pmt = report.pmts[&sid].clone();
        let pmt_pid = report.pat_programs.iter().find(|p| p.0 == sid).unwrap().1;
        let is_there = |video: bool| {
            let mut streams = pmt.streams.iter().filter(move |s| is_video(s.0) == video).map(|s| s.1);
            streams.find(|pid| report.pids.contains_key(pid))
        };
        let (kind, main) = is_there(true).map_or_else(|| ('a', is_there(false).unwrap()), |pid| ('v', pid));
        let is_radio = !pmt.streams.iter().any(|s| is_video(s.0));
        let packets = packets(&bytes).0.to_vec();
        let pids: Vec<u16> = pmt.streams.iter().map(|s| s.1).collect();
        let tables = [0, pmt_pid].map(|table| first_unit(&packets, table)).concat();
        let mut points = points(path);
        points.retain(|p| pid(&packets[p.place]) == main);
        Self { sid, packets, pids, kind, is_radio, points, tables }
    }

    /// A decoder can start at point `i`; or it is started there, since the last one where it can is older than `age`.
    fn may_start(&self, i: usize, age: f64) -> bool {
        let key = self.points[..=i].iter().rfind(|p| p.key);
        let point = &self.points[i];
        point.key || key.is_none_or(|key| point.seconds - key.seconds > age)
    }

    /// Point `came` was there, and a join at `start` is at it, at a newer one, or at the one before. Radio starts a
    /// second back.
    fn is_new(&self, start: usize, came: usize) -> bool {
        let before = (0..came).rfind(|&i| self.may_start(i, OLD)).unwrap_or(came);
        self.is_radio || start >= self.points[before].place
    }

    /// The packet behind what a join at `start` is compared by; `None` where the source ends before.
    fn end(&self, start: usize) -> Option<usize> {
        let from = self.points.iter().find(|p| p.place == start)?.seconds;
        self.points.iter().find(|p| p.place > start && p.seconds >= from + STAY).map(|p| p.place)
    }

    /// Watches with `stays` until a point came behind the start `last`, and gives its index; `None` where none is left.
    fn wait_for_point(&self, stays: &mut Viewer, last: Option<usize>) -> Option<usize> {
        let start = self.start_of(stays);
        let last = self.points.iter().find(|p| p.place == last.unwrap_or(start))?;
        let apart = if self.is_radio { SECOND_BACK } else { 0.0 };
        let far = |p: &Point| p.place > last.place && p.seconds >= last.seconds + apart;
        let more = (0..self.points.len()).filter(|&i| far(&self.points[i]) && self.may_start(i, TOO_OLD));
        let next = more.min_by_key(|&i| self.points[i].place)?;
        // The next points are there too before a slow join comes: the last one must leave room for the stay.
        self.end(self.points[next].place)?;
        let needed = self.own(start, self.points[next].place + 1).len();
        let deadline = Instant::now() + DEADLINE;
        while elementary(stays.bytes(), &self.pids).len() < needed + 20 {
            if !stays.client.receive(deadline) {
                return None;
            }
        }
        Some(next)
    }

    /// The packets of the service's components from one place to another.
    fn own(&self, from: usize, to: usize) -> Vec<Packet> {
        elementary(self.packets[from..to].as_flattened(), &self.pids)
    }

    /// The place of the first packet that `viewer` got. It must be one where ffprobe sees an access unit begin that a
    /// decoder can start at.
    fn start_of(&self, viewer: &mut Viewer) -> usize {
        while elementary(viewer.bytes(), &self.pids).len() < 4 {
            viewer.watch_on(188);
        }
        let got = elementary(viewer.bytes(), &self.pids);
        let candidates =
            (0..self.points.len()).filter(|&i| self.may_start(i, OLD)).map(|i| self.points[i].place);
        let is_it = |place: &usize| {
            let end = self.packets.len().min(place + 500);
            self.own(*place, end).starts_with(&got[..4])
        };
        candidates.into_iter().find(is_it).unwrap_or_else(|| {
            let at = self.packets.iter().position(|p| *p == got[0]);
            panic!("the join begins at packet {at:?} of the source, which ffprobe does not call a key")
        })
    }

    /// Watches for the stay of a join at `start`; `None` where the source ends before.
    fn watch(&self, start: usize, mut viewer: Viewer) -> Option<Join> {
        let end = self.end(start)?;
        let count = self.own(start, end).len();
        let deadline = Instant::now() + DEADLINE;
        while elementary(viewer.bytes(), &self.pids).len() < count {
            assert!(viewer.client.receive(deadline), "the join at {start} ends before its time");
        }
        Some(Join { start, end, packets: up_to(viewer.bytes(), &self.pids, count) })
    }

    /// Compares a join with the cut by hand; gives what ffmpeg has to say of both.
    fn compare(&self, dir: &Dir, join: &Join) -> BTreeMap<String, usize> {
        let Join { start, end, ref packets } = *join;
        if self.is_key(start) && (self.kind == 'v' || self.is_radio) {
            assert_eq!(starts_clean(packets.as_flattened()), Ok(()), "packet {start}");
        }
        let same = elementary(packets.as_flattened(), &self.pids) == self.own(start, end);
        assert!(same, "a join has every packet of the source from {start} to {end}");
        let hand = [&self.tables[..], &self.packets[start..end]].concat();
        let [ours, theirs] = [("join.ts", packets), ("hand.ts", &hand)].map(|(name, packets)| {
            let path = dir.file(name, packets.as_flattened());
            self.decode(&path)
        });
        for (kind, count) in &ours.complaints {
            let allowed = theirs.complaints.get(kind).copied().unwrap_or(0);
            assert!(*count <= allowed, "packet {start}: {count} times '{kind}', by hand {allowed}");
        }
        assert_eq!(ours.code, theirs.code, "packet {start}: {:?}", ours.complaints);
        let first = |decoded: &Decoded| decoded.frames[..FRAMES.min(decoded.frames.len())].to_vec();
        assert_eq!(first(&ours), first(&theirs), "packet {start}: the first frames");
        // Where the last key picture is too old there is nothing to decode before the next one, by hand as well.
        let is_enough = theirs.frames.len() >= FRAMES || !self.is_key(start);
        assert!(is_enough, "packet {start}: {} frames by hand", theirs.frames.len());
        assert_eq!(ours.frames.len(), theirs.frames.len(), "packet {start}: the number of frames");
        theirs.complaints
    }

    fn is_key(&self, start: usize) -> bool {
        self.points.iter().any(|p| p.place == start && p.key)
    }

    fn decode(&self, path: &str) -> Decoded {
        let map = format!("0:p:{}:{}:0", self.sid, self.kind);
        let words =
            ["ffmpeg", "-nostdin", "-loglevel", "repeat+warning", "-copyts", "-i", path, "-map", &map];
        let ran = run(&[&words[..], &["-fps_mode", "passthrough", "-f", "framemd5", "-"]].concat(), MOST);
        let mut complaints = BTreeMap::new();
        for line in ran.err.lines() {
            // Without who speaks, the file or an object at an address, and the numbers it names.
            let line = line.split_once("] ").map_or(line, |(_, said)| said).trim_start_matches(path);
            let kind = line.chars().filter(|c| !c.is_ascii_digit()).collect();
            *complaints.entry(kind).or_insert(0) += 1;
        }
        let frames = ran.out.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        Decoded { code: ran.code, complaints, frames }
    }
}

/// Decoding two seconds of 1080i takes this long on no machine.
const MOST: Duration = Duration::from_secs(60);

/// What ffmpeg makes of a file.
struct Decoded {
    code: Option<i32>,
    /// What it says, and how often.
    complaints: BTreeMap<String, usize>,
    /// Times and hash of each frame of the main stream.
    frames: Vec<String>,
}

/// The packets of `bytes` up to the one that makes `count` of `pids`.
fn up_to(bytes: &[u8], pids: &[u16], count: usize) -> Vec<Packet> {
    let all = packets(bytes).0;
    let own = all.iter().enumerate().filter(|(_, p)| pids.contains(&pid(p)));
    let last = own.map(|(i, _)| i).nth(count - 1).unwrap();
    all[..=last].to_vec()
}

/// The packets of the first unit of `wanted` that begins.
fn first_unit(packets: &[Packet], wanted: u16) -> Vec<Packet> {
    let mut own = packets.iter().filter(|p| pid(p) == wanted).skip_while(|p| !starts_unit(p));
    let first = own.next().into_iter();
    first.chain(own.take_while(|p| !starts_unit(p))).copied().collect()
}

/// Every packet of every stream that ffprobe finds in the file, in the file's order.
fn points(path: &str) -> Vec<Point> {
    let entries = "packet=dts_time,pos,flags";
    let ran = run(&["ffprobe", "-v", "quiet", "-show_entries", entries, "-of", "csv=p=0", path], MOST);
    let mut points: Vec<Point> = ran
        .out
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',');
            let seconds = fields.next()?.parse().ok()?;
            let place = fields.next()?.parse::<usize>().ok()? / 188;
            Some(Point { place, seconds, key: fields.next()?.starts_with('K') })
        })
        .collect();
    points.sort_by_key(|p| p.place);
    points.dedup_by_key(|p| p.place);
    points
}
