//! The stores of the name service against real ones: PostgreSQL shared by two front ends, and a disk that is full.
//! Both need root; `scripts/check` runs them.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::SystemRandom;
use stbcast::nameserver::{Address, Directory, Ticket, Update};
use stbcast::registrar::store::{LocalStore, PostgresStore, Store};
use stbcast::registrar::{
    Done, Enrol, Key, Now, Record, Refusal, Registrar, Resting, Settings, Write, ZoneSettings,
};
use stbcast::registration::{Label, ServiceKey};

/// Longer than a store waits after a fault.
const PATIENCE: Duration = Duration::from_secs(40);

/// A directory of this test, gone when dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stbcast-test-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A cluster of PostgreSQL that listens at a socket of its own and nowhere else.
struct Cluster {
    place: Place,
    programs: PathBuf,
}

impl Cluster {
    fn start() -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is installed");
        let programs = versions.map(|entry| entry.unwrap().path().join("bin")).max().unwrap();
        let place = Place::new("postgres");
        let id = |what: &str| {
            let output = Command::new("id").args([what, "postgres"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
        };
        chown(&place.0, Some(id("-u")), Some(id("-g"))).unwrap();
        let cluster = Self { place, programs };
        succeeds(
            cluster.run("initdb").args(["-A", "trust", "-N", "-U", "postgres", "-D"]).arg(cluster.data()),
        );
        cluster.control("start");
        cluster
    }

    fn data(&self) -> PathBuf {
        self.place.0.join("data")
    }

    fn run(&self, program: &str) -> Command {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(self.programs.join(program)).current_dir("/");
        command
    }

    fn control(&self, what: &str) {
        let options = format!("-c listen_addresses= -c unix_socket_directories={}", self.place.0.display());
        let (mut command, log) = (self.run("pg_ctl"), self.place.0.join("log"));
        command.args([what, "-w", "-m", "immediate", "-t", "60", "-D"]).arg(self.data());
        if what == "start" {
            command.arg("-l").arg(log).args(["-o", &options]);
        }
        succeeds(&mut command);
    }

    fn open(&self, home: u32) -> Result<PostgresStore, String> {
        let to = format!("host={} user=postgres dbname=postgres", self.place.0.display());
        PostgresStore::open(&to, home).map_err(|error| error.to_string())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data()).output();
    }
}

const NOW: Now = Now { monotonic: Duration::from_secs(1000), utc: 1_800_000_000 };

/// One front end, whose store's thread is the test.
struct FrontEnd {
    registrar: Registrar,
    store: PostgresStore,
}

impl FrontEnd {
    fn start(cluster: &Cluster, home: u32) -> Self {
        let settings = Settings {
            zones: vec![ZoneSettings { name: "box.test".into(), moved_to: None }],
            capacity: 100_000,
            enrol: Enrol::Open,
            heartbeats: vec!["hb0.box.test:5390".into()],
            next_s: 60,
            move_delay: Duration::from_secs(1),
            publish_private: false,
            blocked: Vec::new(),
            home,
        };
        let mut registrar =
            Registrar::new(settings, ServiceKey::from_seed([1; 32]), Box::new(SystemRandom::new()));
        let mut store = cluster.open(home).unwrap();
        let heard = store.load(&mut |key, record| registrar.load(NOW, &key, &record).is_ok()).unwrap();
        registrar.heard_up_to(heard);
        registrar.loaded(NOW);
        registrar.tick(NOW);
        Self { registrar, store }
    }

    /// What waits goes to the store; the answer is that of the last write.
    fn commit(&mut self) -> Result<(), String> {
        let Some(writes) = self.registrar.take_writes() else { return Ok(()) };
        let up_to = writes.last().unwrap().ticket;
        let (result, conflicts) = match self.store.commit(&writes) {
            Ok(conflicts) => (Ok(()), conflicts),
            Err(error) => (Err(error.to_string()), Vec::new()),
        };
        let answer = if conflicts.contains(&up_to) { Err("conflict".into()) } else { result.clone() };
        self.registrar.committed(NOW, &Done { up_to, result, conflicts });
        answer
    }

    fn hear(&mut self) {
        let others = self.store.others().unwrap();
        assert_eq!(self.registrar.heard_of(NOW, &others), []);
    }

    fn add(&mut self, name: &str) -> Result<(), String> {
        self.registrar.add(NOW, 0, name).map_err(|refusal| refusal.to_string())?;
        self.commit()
    }

    fn lead_to(&mut self, name: &str, v4: &str) -> Result<(), String> {
        let update = Update { v4: Some(Address::Is(v4.parse().unwrap())), ..Update::default() };
        self.registrar.update_addresses(NOW, 0, name, update).map_err(|refusal| refusal.to_string())?;
        self.commit()
    }

    fn leads_to(&self, name: &str) -> Option<Option<IpAddr>> {
        self.registrar.find(0, name.as_bytes()).entry().map(|published| published.v4.map(IpAddr::V4))
    }
}

#[test]
#[ignore = "needs root and PostgreSQL"]
fn two_front_ends_share_a_database() {
    let cluster = Cluster::start();
    let (mut one, mut two) = (FrontEnd::start(&cluster, 1), FrontEnd::start(&cluster, 2));
    assert!(cluster.open(1).err().unwrap().contains("front end 1 is another process"));

    one.add("alice").unwrap();
    assert_eq!(two.leads_to("alice"), None, "not yet heard of");
    // both give the same name away at the same time: one of them wins, and the other says so
    assert_eq!(two.add("alice"), Err("conflict".into()));
    assert_eq!(two.leads_to("alice"), None, "nothing half-done");
    two.hear();
    assert_eq!(two.leads_to("alice"), Some(None));
    assert!(matches!(two.registrar.add(NOW, 0, "alice"), Err(Refusal::Taken(_))));
    let secret = |end: &FrontEnd| end.registrar.credentials(0, "alice").unwrap().tsig_secret;
    assert_eq!(secret(&one), secret(&two));

    // each hears what the other wrote, in turn
    for (i, v4) in ["192.0.1.1", "192.0.1.2", "192.0.1.3", "192.0.1.4"].into_iter().enumerate() {
        let (writes, hears) = if i % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        writes.lead_to("alice", v4).unwrap();
        hears.hear();
        assert_eq!(hears.leads_to("alice"), Some(Some(v4.parse().unwrap())));
        hears.hear();
    }
    // what was decided before the other's write was heard does not undo it, and what stands beside it counts
    two.registrar.add(NOW, 0, "beside").unwrap();
    one.lead_to("alice", "192.0.1.5").unwrap();
    assert_eq!(two.lead_to("alice", "192.0.1.6"), Err("conflict".into()));
    two.hear();
    one.hear();
    assert_eq!(two.leads_to("alice"), Some(Some("192.0.1.5".parse().unwrap())));
    assert_eq!((one.leads_to("beside"), two.leads_to("beside")), (Some(None), Some(None)));

    // a third one starts with all of it, and a restart changes nothing
    let mut three = FrontEnd::start(&cluster, 3);
    assert_eq!(three.leads_to("alice"), one.leads_to("alice"));
    assert_eq!(three.lead_to("alice", "192.0.1.7"), Ok(()), "it has heard all that there is");

    // the database dies and comes back
    cluster.control("stop");
    assert!(one.lead_to("beside", "192.0.1.8").is_err());
    assert!(one.add("carol").is_err());
    assert_eq!(one.leads_to("alice"), Some(Some("192.0.1.5".parse().unwrap())), "what is known is answered");
    cluster.control("start");
    let began = Instant::now();
    while let Err(why) = one.add("carol") {
        assert!(began.elapsed() < PATIENCE, "{why}");
        std::thread::sleep(Duration::from_millis(200));
    }
    one.hear();
    assert_eq!(one.leads_to("alice"), Some(Some("192.0.1.7".parse().unwrap())), "what it missed");
    drop(one);
    assert_eq!(FrontEnd::start(&cluster, 1).leads_to("carol"), Some(None));
}

/// A file system of a few megabytes, gone when dropped.
struct SmallDisk(Place);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let place = Place::new("small-disk");
        let size = format!("size={size},mode=0700");
        succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&place.0));
        Self(place)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0.0).status();
    }
}

fn resting(number: u64) -> Arc<Write> {
    let label = Label::new(&format!("name-{number}")).unwrap();
    let record = Record::Resting(Resting { until: 1, key: Some([7; 32]) });
    let puts = vec![(Key::Name { zone: "box.test".into(), label }, Some(record))];
    Arc::new(Write { ticket: Ticket(number), seen: 0, puts })
}

fn count(path: &Path) -> u64 {
    let mut count = 0;
    let mut store = LocalStore::open(path).unwrap();
    store
        .load(&mut |_, _| {
            count += 1;
            true
        })
        .unwrap();
    count
}

#[test]
#[ignore = "needs root, to mount a small disk"]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let disk = SmallDisk::mount("8m");
    let (path, filler) = (disk.0.0.join("names.redb"), disk.0.0.join("filler"));
    let mut store = LocalStore::open(&path).unwrap();
    fs::write(&filler, vec![1; 3 << 20]).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        let writes: Vec<_> = (0..500).map(|i| resting(acknowledged + i)).collect();
        match store.commit(&writes) {
            Ok(_) => acknowledged += 500,
            Err(error) => break error.to_string(),
        }
    };
    assert!(acknowledged > 1000, "{acknowledged} before it was full: {error}");
    assert!(error.contains("names.redb") && error.contains("No space left"), "{error}");
    assert!(store.commit(&[resting(1_000_000)]).is_err());
    fs::remove_file(&filler).unwrap();
    let began = Instant::now();
    while let Err(error) = store.commit(&[resting(1_000_001)]) {
        assert!(began.elapsed() < PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(store);
    assert_eq!(count(&path), acknowledged + 1, "all that was acknowledged, and nothing else");
}
