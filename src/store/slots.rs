//! Two slots per record: the older is written, the newer is never touched.
//!
//! ```text
//!   "STBS" | generation u32 LE | length u32 LE | record | CRC-32 over all before, LE
//! ```
//!
//! A slot that was being written when the power went has a wrong CRC; the other still holds the record before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISO_HDLC, Crc, Table};

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);
const MAGIC: &[u8; 4] = b"STBS";
const HEADER: usize = 12;
/// Bytes of the longest record: 4096 channels of 512 bytes.
pub const RECORD_MAX: usize = 2 << 20;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The channel table.
    Channels = 0,
    /// The key that other records are sealed with.
    Seal = 2,
    /// The box's own keys.
    Identity = 3,
    /// Who was let in.
    Terminals = 4,
    /// Attempts at pairing.
    Attempts = 5,
    /// The formats that this program was told to write.
    Commit = 6,
    /// The box's name, and the keys to it.
    Registration = 7,
    /// Counters that may have been used with these keys.
    Counter = 8,
    /// What other providers of dynamic DNS took last.
    Providers = 9,
    /// A scan for channels, and what scans missed.
    Scan = 10,
    /// The parental lock.
    Parental = 11,
}

impl Kind {
    /// Every one there is.
    pub const ALL: [Self; 11] = [
        Self::Channels,
        Self::Seal,
        Self::Identity,
        Self::Terminals,
        Self::Attempts,
        Self::Commit,
        Self::Registration,
        Self::Counter,
        Self::Providers,
        Self::Scan,
        Self::Parental,
    ];

    /// From its number on the helper's line.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// It has to last: both slots hold it, for one to be there when the other goes bad. Of the rest the slot that goes
    /// bad may be the newer one; who was let in since the older was written would be forgotten, and who was put out
    /// would be let in; keys that the name service knows no more would be used, and counters a second time; what parents
    /// locked would be open.
    const fn is_kept(self) -> bool {
        matches!(
            self,
            Self::Seal
                | Self::Identity
                | Self::Terminals
                | Self::Registration
                | Self::Counter
                | Self::Parental
        )
    }

    /// What its files are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channels => "channels",
            Self::Seal => "seal",
            Self::Identity => "identity",
            Self::Terminals => "terminals",
            Self::Attempts => "attempts",
            Self::Commit => "commit",
            Self::Registration => "registration",
            Self::Counter => "counter",
            Self::Providers => "providers",
            Self::Scan => "scan",
            Self::Parental => "parental",
        }
    }
}

/// What flash holds of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Nothing was ever written.
    Nothing,
    /// The newest record.
    Record(Vec<u8>),
    /// The only sound record; the other slot is damaged or, where both are to hold it, behind: the power went between
    /// the two. It is to be written again, for two to be there.
    HalfDamaged(Vec<u8>),
    /// Slots are there and none is sound.
    Damaged,
}

/// Why state cannot be read or written.
#[derive(Debug)]
pub struct StoreError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the kernel said.
    pub why: io::Error,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

/// Reads a record, the newer of its sound slots.
pub fn load(directory: &Path, kind: Kind) -> Result<Loaded, StoreError> {
    let [a, b] = paths(directory, kind).map(|path| read_slot(&path));
    let (a, b) = (a?, b?);
    if a.is_absent() && b.is_absent() {
        return Ok(Loaded::Nothing);
    }
    Ok(match (a, b) {
        (Slot::Sound(a, record_a), Slot::Sound(b, record_b)) => {
            let behind = kind.is_kept() && record_a != record_b;
            let newest = if newer(a, b) { record_a } else { record_b };
            if behind { Loaded::HalfDamaged(newest) } else { Loaded::Record(newest) }
        }
        (Slot::Sound(_, record), Slot::Absent) | (Slot::Absent, Slot::Sound(_, record))
            if !kind.is_kept() =>
        {
            Loaded::Record(record)
        }
        (Slot::Sound(_, record), _) | (_, Slot::Sound(_, record)) => Loaded::HalfDamaged(record),
        _ => Loaded::Damaged,
    })
}

/// Writes a record to the older slot and waits until it is on flash. Only the helper may wait so long.
pub fn save(directory: &Path, kind: Kind, record: &[u8]) -> Result<(), StoreError> {
    let paths = paths(directory, kind);
    let [a, b] = [read_slot(&paths[0])?, read_slot(&paths[1])?];
    let (target, generation) = match (a.generation(), b.generation()) {
        (Some(a), Some(b)) if newer(a, b) => (&paths[1], a.wrapping_add(1)),
        (Some(_), Some(b)) | (None, Some(b)) => (&paths[0], b.wrapping_add(1)),
        (Some(a), None) => (&paths[1], a.wrapping_add(1)),
        (None, None) => (&paths[0], 1),
    };
    let write = |path: &PathBuf, generation| {
        write_slot(path, generation, record).map_err(|why| StoreError { path: path.clone(), why })
    };
    write(target, generation)?;
    if kind.is_kept() {
        let other = if *target == paths[0] { &paths[1] } else { &paths[0] };
        write(other, generation.wrapping_add(1))?;
    }
    Ok(())
}

enum Slot {
    Absent,
    Damaged,
    Sound(u32, Vec<u8>),
}

impl Slot {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    fn generation(&self) -> Option<u32> {
        if let Self::Sound(generation, _) = self { Some(*generation) } else { None }
    }
}

fn paths(directory: &Path, kind: Kind) -> [PathBuf; 2] {
    ["a", "b"].map(|slot| directory.join(format!("{}.{slot}", kind.name())))
}

/// Generation `a` was written after `b`, also across the counter's wrap.
fn newer(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) < 1 << 31
}

fn read_slot(path: &Path) -> Result<Slot, StoreError> {
    let failed = |why| StoreError { path: path.into(), why };
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Slot::Absent),
        Err(e) => return Err(failed(e)),
        Ok(file) => file.take(RECORD_MAX as u64 + 64).read_to_end(&mut bytes).map_err(failed)?,
    };
    Ok(parse_slot(&bytes).unwrap_or(Slot::Damaged))
}

fn parse_slot(bytes: &[u8]) -> Option<Slot> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let record = body.get(HEADER..)?;
    let u32_at = |i: usize| Some(u32::from_le_bytes(*body.get(i..)?.first_chunk()?));
    let sound = body.starts_with(MAGIC)
        && u32_at(8)? as usize == record.len()
        && CRC.checksum(body) == u32::from_le_bytes(*crc);
    Some(if sound { Slot::Sound(u32_at(4)?, record.to_vec()) } else { Slot::Damaged })
}

fn write_slot(path: &Path, generation: u32, record: &[u8]) -> io::Result<()> {
    let length = u32::try_from(record.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::with_capacity(HEADER + record.len() + 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(record);
    let crc = CRC.checksum(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    let fresh = !path.exists();
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    overwrite(&mut file, &bytes)?;
    match path.parent() {
        Some(directory) if fresh => File::open(directory)?.sync_all(), // the name itself must last, too
        _ => Ok(()),
    }
}

/// Writes `bytes` over what `file` has, in place and to its old end, before it is cut: blocks that are given back to
/// the file system with an old key in them would keep it.
fn overwrite(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let old = file.metadata()?.len();
    file.write_all(bytes)?;
    let new = bytes.len() as u64;
    io::copy(&mut io::repeat(0).take(old.saturating_sub(new)), file)?;
    file.sync_data()?;
    if old > new {
        file.set_len(new)?;
        file.sync_data()?;
    }
    Ok(())
}

/// Destroys both slots of a record: their bytes are overwritten on flash, then they are removed. What a flash
/// controller keeps of old blocks is beyond its reach, and so is what a file system keeps that journals data (ext4 with
/// `data=journal`) or writes to a new place (UBIFS, F2FS); that is why secrets are sealed by a key of their own.
pub fn erase(directory: &Path, kind: Kind) -> Result<(), StoreError> {
    for path in paths(directory, kind) {
        let failed = |why| StoreError { path: path.clone(), why };
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        overwrite(&mut file, &[]).and_then(|()| fs::remove_file(&path)).map_err(failed)?;
    }
    let synced = File::open(directory).and_then(|d| d.sync_all());
    synced.map_err(|why| StoreError { path: directory.into(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("stbcast-slots-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn load(&self) -> Loaded {
            load(&self.0, Kind::Channels).unwrap()
        }

        fn save(&self, record: &[u8]) {
            save(&self.0, Kind::Channels, record).unwrap();
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_newest_record_is_read() {
        let dir = Dir::new("newest");
        assert_eq!(dir.load(), Loaded::Nothing);
        for record in [&b"one"[..], b"two", b"three", b""] {
            dir.save(record);
            assert_eq!(dir.load(), Loaded::Record(record.to_vec()));
        }
    }

    #[test]
    fn a_torn_write_leaves_the_record_before() {
        let dir = Dir::new("torn");
        dir.save(b"old");
        dir.save(b"new"); // in slot b
        let whole = fs::read(dir.0.join("channels.b")).unwrap();
        for end in 0..whole.len() {
            fs::write(dir.0.join("channels.b"), &whole[..end]).unwrap();
            assert_eq!(dir.load(), Loaded::HalfDamaged(b"old".to_vec()), "{end}");
        }
        dir.save(b"next"); // the torn slot is the one written
        assert_eq!(dir.load(), Loaded::Record(b"next".to_vec()));
        assert!(matches!(read_slot(&dir.0.join("channels.a")).unwrap(), Slot::Sound(1, _)));
    }

    #[test]
    fn a_shorter_record_and_an_erased_one_leave_nothing_of_the_old() {
        let dir = Dir::new("erased");
        let slot = dir.0.join("channels.a");
        dir.save(&[b'K'; 300]);
        let reader = File::open(&slot).unwrap(); // sees the file's own bytes, also after its name is gone
        dir.save(b"b");
        dir.save(b"a"); // in slot a again, in place
        assert_eq!(fs::read(&slot).unwrap().len(), HEADER + 1 + 4);
        assert_eq!(dir.load(), Loaded::Record(b"a".to_vec()));
        assert_eq!(reader.metadata().unwrap().len(), fs::metadata(&slot).unwrap().len(), "the same file");
        erase(&dir.0, Kind::Channels).unwrap();
        assert_eq!(dir.load(), Loaded::Nothing);
        erase(&dir.0, Kind::Channels).unwrap();
    }

    #[test]
    fn what_has_to_last_is_in_both_slots() {
        let dir = Dir::new("kept");
        save(&dir.0, Kind::Seal, b"key").unwrap();
        for slot in ["seal.a", "seal.b"] {
            fs::write(dir.0.join(slot), b"nonsense").unwrap();
            assert_eq!(load(&dir.0, Kind::Seal).unwrap(), Loaded::HalfDamaged(b"key".to_vec()), "{slot}");
            save(&dir.0, Kind::Seal, b"key").unwrap();
            assert_eq!(load(&dir.0, Kind::Seal).unwrap(), Loaded::Record(b"key".to_vec()));
        }
        // The power went after the first of the two.
        let first = fs::read(dir.0.join("seal.a")).unwrap();
        save(&dir.0, Kind::Seal, b"new").unwrap();
        let [a, b] = ["seal.a", "seal.b"].map(|slot| fs::read(dir.0.join(slot)).unwrap());
        let behind = if a[4] < b[4] { "seal.b" } else { "seal.a" };
        fs::write(dir.0.join(behind), &first).unwrap();
        assert_eq!(load(&dir.0, Kind::Seal).unwrap(), Loaded::HalfDamaged(b"new".to_vec()));
        fs::remove_file(dir.0.join(behind)).unwrap();
        assert_eq!(load(&dir.0, Kind::Seal).unwrap(), Loaded::HalfDamaged(b"new".to_vec()));
    }

    #[test]
    fn two_damaged_slots_are_said() {
        let dir = Dir::new("damaged");
        dir.save(b"old");
        fs::write(dir.0.join("channels.a"), b"STBS and then nonsense").unwrap();
        assert_eq!(dir.load(), Loaded::Damaged);
    }

    #[test]
    fn generations_wrap() {
        assert!(newer(0, u32::MAX) && !newer(u32::MAX, 0) && newer(2, 1));
    }
}
