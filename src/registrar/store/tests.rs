//! The file cut, flipped, full, and killed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::StorageBackend;

use super::*;
use crate::registrar::Resting;
use crate::registration::Label;

/// Commits that were answered, and the file as it was then.
type Snapshot = (u64, Vec<u8>);

/// A file in memory, with room for so many bytes.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Arc<AtomicU64>,
    /// Commits that were answered.
    answered: Arc<AtomicU64>,
    /// At some writes.
    kept: Arc<Mutex<Vec<Snapshot>>>,
    writes: Arc<AtomicU64>,
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(bytes)),
            room: Arc::new(AtomicU64::new(u64::MAX)),
            answered: Arc::default(),
            kept: Arc::default(),
            writes: Arc::default(),
        }
    }

    fn open(&self) -> Result<LocalStore, StoreError> {
        let disk = self.clone();
        let opener = move |builder: &mut redb::Builder| builder.create_with_backend(disk.clone());
        LocalStore::with(std::path::Path::new("names.redb"), Box::new(opener))
    }

    fn has_room(&self, len: u64) -> Result<(), io::Error> {
        if len <= self.room.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let (bytes, offset) = (self.bytes.lock().unwrap(), usize::try_from(offset).unwrap());
        match bytes.get(offset..offset + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.has_room(len)?;
        self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.has_room(0)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.has_room(offset + data.len() as u64)?;
        let offset = usize::try_from(offset).unwrap();
        let mut bytes = self.bytes.lock().unwrap();
        let answered = self.answered.load(Ordering::Relaxed);
        if answered > 0 && self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            self.kept.lock().unwrap().push((answered, bytes.clone()));
            // and one where only half of the write got to the disk
            let mut torn = bytes.clone();
            torn[offset..offset + data.len() / 2].copy_from_slice(&data[..data.len() / 2]);
            self.kept.lock().unwrap().push((answered, torn));
        }
        bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn put(ticket: u64, name: &str, until: u32) -> Arc<Write> {
    let key = Key::Name { zone: "box.test".into(), label: Label::new(name).unwrap() };
    let record = Record::Resting(Resting { until, key: Some([7; 32]) });
    Arc::new(Write { ticket: Ticket(ticket), seen: 0, puts: vec![(key, Some(record))] })
}

type All = BTreeMap<Key, Record>;

fn all(store: &mut LocalStore) -> Result<All, StoreError> {
    let mut all = BTreeMap::new();
    store.load(&mut |key, record| all.insert(key, record).is_none())?;
    Ok(all)
}

/// A disk after two commits, and what the store had after each.
fn two_commits() -> (Disk, [All; 3]) {
    let disk = Disk::of(Vec::new());
    let mut store = disk.open().unwrap();
    let before = all(&mut store).unwrap();
    let writes: Vec<_> = (0..300).map(|i| put(i, &format!("name-{i}"), 5)).collect();
    store.commit(&writes).unwrap();
    let first = all(&mut store).unwrap();
    assert_eq!(first.len(), 300);
    store.commit(&[put(301, "late", 9)]).unwrap();
    let second = all(&mut store).unwrap();
    drop(store);
    (disk, [before, first, second])
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let (disk, [_, _, second]) = two_commits();
    assert_eq!(all(&mut disk.open().unwrap()).unwrap(), second);
}

#[test]
fn a_torn_file_is_repaired_or_refused_and_never_believed() {
    let (disk, states) = two_commits();
    let whole = disk.bytes.lock().unwrap().clone();
    let (mut refused, mut served) = (0, 0);
    let mut check =
        |bytes: Vec<u8>, what: &dyn Debug| match Disk::of(bytes).open().and_then(|mut store| all(&mut store))
        {
            Ok(found) => {
                assert!(states.contains(&found), "{what:?}: {} records", found.len());
                served += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("names.redb"), "{error}");
                refused += 1;
            }
        };
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in (0..512).chain((512..used).step_by(37)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        check(bytes, &("flipped", at));
    }
    for at in (1..whole.len()).step_by(whole.len() / 300) {
        check(whole[..at].to_vec(), &("cut", at));
        let mut bytes = whole.clone();
        bytes[at..].fill(0);
        check(bytes, &("zero from", at));
    }
    assert!(refused > 100 && served > 100, "{refused} refused, {served} served");
}

#[test]
fn a_full_disk_takes_nothing_and_then_goes_on() {
    let (disk, [_, _, second]) = two_commits();
    let mut store = disk.open().unwrap();
    disk.room.store(0, Ordering::Relaxed);
    let error = store.commit(&[put(400, "refused", 1)]).unwrap_err();
    assert!(error.to_string().starts_with("names.redb: "), "{error}");
    assert!(store.commit(&[put(401, "refused-too", 1)]).is_err());
    disk.room.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(all(&mut disk.open().unwrap()).unwrap(), second, "nothing half-done");
    store.age();
    store.commit(&[put(402, "accepted", 1)]).unwrap();
    assert_eq!(all(&mut store).unwrap().len(), second.len() + 1);
}

#[test]
fn writes_that_come_together_are_committed_together_and_in_order() {
    let disk = Disk::of(Vec::new());
    let (thread, told) = StoreThread::start(Box::new(disk.open().unwrap())).unwrap();
    for i in 1..=50 {
        assert!(
            thread.submit(vec![put(2 * i, "same", 2), put(2 * i + 1, "same", u32::try_from(i).unwrap())])
        );
    }
    drop(thread);
    let mut last = Ticket(0);
    while let Ok(Told::Done(done)) = told.recv_blocking() {
        assert!(done.result.is_ok() && done.up_to > last);
        last = done.up_to;
    }
    assert_eq!(last, Ticket(101), "what was handed over is done before the end");
    let all = all(&mut disk.open().unwrap()).unwrap();
    assert!(matches!(all.values().next(), Some(Record::Resting(Resting { until: 50, .. }))));
}

#[test]
fn a_new_file_is_its_owners_and_an_empty_one_is_no_store() {
    use std::os::unix::fs::PermissionsExt;

    let directory = std::env::temp_dir().join(format!("stbcast-test-{}-store", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("names.redb");
    let mut store = LocalStore::open(&path).unwrap();
    store.commit(&[put(1, "alice", 1)]).unwrap();
    assert!(matches!(LocalStore::open(&path), Err(StoreError::InUse(_))));
    drop(store);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(all(&mut LocalStore::open(&path).unwrap()).unwrap().len(), 1);
    std::fs::write(&path, b"").unwrap();
    let error = LocalStore::open(&path).err().unwrap().to_string();
    assert!(error.contains("names.redb") && error.contains("empty"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_was_acknowledged_is_there_wherever_the_service_was_killed() {
    let disk = Disk::of(Vec::new());
    let mut store = disk.open().unwrap();
    for i in 1..=12 {
        let writes: Vec<_> = (0..20).map(|j| put(i, &format!("name-{i}-{j}"), 1)).collect();
        store.commit(&writes).unwrap();
        disk.answered.store(i, Ordering::Relaxed);
    }
    let kept = std::mem::take(&mut *disk.kept.lock().unwrap());
    assert!(kept.len() > 20, "killed {} times", kept.len());
    for (answered, bytes) in kept {
        let found = all(&mut Disk::of(bytes).open().unwrap()).unwrap();
        let count = u64::try_from(found.len()).unwrap();
        assert!(count >= 20 * answered, "{count} of {answered} commits");
        assert!(count.is_multiple_of(20), "a commit is there whole, or not at all");
    }
}
