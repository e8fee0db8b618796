//! The boxes that this user's terminal is paired with, and its keys, in one file.
//!
//! ```text
//!   stbcast boxes 1            what it is, and its format
//!   {"name":…,"key":…}         a line a box
//!   crc32 01234567             CRC-32 of all lines before
//! ```
//!
//! The file is its owner's alone. A change is written beside it, is on the disk and then takes its place, so there is
//! always a whole one; changes wait for each other at a lock.

use std::fmt::{self, Write as _};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::authority::Authority;
use super::bytes::{decoded, encoded};
use super::json::{self, Exact};
use crate::handshake::{BoxId, Fingerprint, Role, TerminalKey};

/// Boxes of one file at most.
const BOXES: usize = 32;
/// Bytes of the longest line.
const LINE: usize = 1024;
/// Bytes of the longest file.
const FILE: usize = (BOXES + 1) * LINE;
/// What the first line says before the format.
const TITLE: &str = "stbcast boxes ";
/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A box that this terminal is paired with.
#[derive(Debug)]
pub(super) struct Known {
    /// What it is called here; no two have one name.
    pub(super) name: String,
    /// Where it is.
    pub(super) authority: Authority,
    pub(super) id: BoxId,
    pub(super) fingerprint: Fingerprint,
    /// The terminal's place there.
    pub(super) slot: u8,
    /// What it may, when it was let in.
    pub(super) role: Role,
    pub(super) key: TerminalKey,
}

/// Why the keys cannot be had or kept.
#[derive(Debug)]
pub(super) enum KeysError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// It cannot be written.
    Write(PathBuf, io::Error),
    /// Others may read or write it.
    Open(PathBuf),
    /// It is another user's.
    Foreign(PathBuf),
    /// It is something else.
    NotKeys(PathBuf),
    /// A newer `stbcast` wrote it.
    Newer(PathBuf, u32),
    /// It is torn or was changed by hand.
    Damaged(PathBuf),
    /// It has as many boxes as it may.
    Full,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, e) => write!(f, "{}: the keys cannot be read: {e}", path.display()),
            Self::Write(path, e) => write!(f, "{}: the keys cannot be written: {e}", path.display()),
            Self::Open(path) => write!(
                f,
                "{0}: others than you may read or write the keys in it. Run 'chmod 600 {0}'; if somebody may have \
                 read it, put this terminal out at the box and pair again",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{}: the file is another user's", path.display()),
            Self::NotKeys(path) => write!(f, "{}: this is no file of keys", path.display()),
            Self::Newer(path, format) => {
                write!(f, "{}: format {format} is of a newer stbcast", path.display())
            }
            Self::Damaged(path) => write!(
                f,
                "{}: the file is damaged. Put back a copy, or remove it and pair again",
                path.display()
            ),
            Self::Full => write!(f, "there are keys of {BOXES} boxes, as many as may be: forget one"),
        }
    }
}

/// A file of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile(pub(super) PathBuf);

impl KeyFile {
    /// Its boxes; none where there is no file.
    pub(super) fn load(&self) -> Result<Vec<Known>, KeysError> {
        let path = || self.0.clone();
        let mut file = match File::open(&self.0) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(KeysError::Read(path(), e)),
        };
        let about = file.metadata().map_err(|e| KeysError::Read(path(), e))?;
        if !about.is_file() || about.len() > FILE as u64 {
            return Err(KeysError::NotKeys(path()));
        }
        match Privacy::of(&about) {
            Privacy::Private => {}
            Privacy::Open => return Err(KeysError::Open(path())),
            Privacy::Foreign => return Err(KeysError::Foreign(path())),
        }
        let mut bytes = Zeroizing::new([0; FILE]);
        let mut length = 0;
        while length < FILE {
            match file.read(&mut bytes[length..]).map_err(|e| KeysError::Read(path(), e))? {
                0 => break,
                more => length += more,
            }
        }
        read(&bytes[..length]).map_err(|fault| match fault {
            Fault::NotKeys => KeysError::NotKeys(path()),
            Fault::Newer(format) => KeysError::Newer(path(), format),
            Fault::Damaged => KeysError::Damaged(path()),
        })
    }

    /// Makes `change` to its boxes, and keeps what comes of it.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Known>) -> Result<T, KeysError>,
    ) -> Result<T, KeysError> {
        let no = |e| KeysError::Write(self.0.clone(), e);
        if let Some(directory) = self.directory() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(no)?;
        }
        let lock = private().create(true).truncate(false).open(self.beside(".lock")).map_err(no)?;
        lock.lock().map_err(no)?;
        let mut boxes = self.load()?;
        let outcome = change(&mut boxes)?;
        self.replace(&boxes).map_err(no)?;
        Ok(outcome)
    }

    fn replace(&self, boxes: &[Known]) -> io::Result<()> {
        let mut text = Text { bytes: Zeroizing::new([0; FILE]), length: 0 };
        write(boxes, &mut text).map_err(|_| io::Error::other("a name is too long"))?;
        let new = self.beside(".new");
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = private().create_new(true).open(&new)?;
        file.write_all(&text.bytes[..text.length])?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        File::open(self.directory().unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    fn directory(&self) -> Option<&Path> {
        self.0.parent().filter(|directory| !directory.as_os_str().is_empty())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// For a file that nobody else can read, from its first moment.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Who can have seen a file.
#[derive(Debug, PartialEq, Eq)]
enum Privacy {
    Private,
    Open,
    Foreign,
}

impl Privacy {
    fn of(about: &Metadata) -> Self {
        Self::by(about.uid(), nix::unistd::geteuid().as_raw(), about.mode())
    }

    fn by(owner: u32, we: u32, mode: u32) -> Self {
        match mode & 0o077 {
            _ if owner != we => Self::Foreign,
            0 => Self::Private,
            _ => Self::Open,
        }
    }
}

/// A box's line.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    at: &'a str,
    id: &'a str,
    fingerprint: &'a str,
    slot: u8,
    role: &'a str,
    key: &'a str,
}

/// The same, read.
#[derive(Deserialize)]
struct ReadLine<'a> {
    name: Exact,
    at: &'a str,
    id: &'a str,
    fingerprint: &'a str,
    slot: u8,
    role: &'a str,
    key: &'a str,
}

/// What is written, forgotten afterwards.
struct Text {
    bytes: Zeroizing<[u8; FILE]>,
    length: usize,
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn write(boxes: &[Known], text: &mut Text) -> fmt::Result {
    writeln!(text, "{TITLE}{FORMAT}")?;
    for known in boxes {
        let mut key = Zeroizing::new([0; 44]);
        let line = Line {
            name: &known.name,
            at: &known.authority.to_string(),
            id: &encoded(&known.id.0),
            fingerprint: &encoded(&known.fingerprint.0),
            slot: known.slot,
            role: known.role.name(),
            key: Base64UrlUnpadded::encode(known.key.as_bytes(), &mut *key).map_err(|_| fmt::Error)?,
        };
        let mut bytes = Zeroizing::new([0; LINE]);
        let length = serde_json_core::to_slice(&line, &mut *bytes).map_err(|_| fmt::Error)?;
        writeln!(text, "{}", str::from_utf8(&bytes[..length]).map_err(|_| fmt::Error)?)?;
    }
    let crc = CRC.checksum(&text.bytes[..text.length]);
    writeln!(text, "crc32 {crc:08x}")
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    NotKeys,
    Newer(u32),
    Damaged,
}

fn read(bytes: &[u8]) -> Result<Vec<Known>, Fault> {
    let text = str::from_utf8(bytes).map_err(|_| Fault::NotKeys)?;
    let (title, _) = text.split_once('\n').ok_or(Fault::NotKeys)?;
    let format = title.strip_prefix(TITLE).and_then(|format| format.parse().ok()).ok_or(Fault::NotKeys)?;
    if format != FORMAT {
        return Err(Fault::Newer(format));
    }
    let (rest, last) =
        text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n')).ok_or(Fault::Damaged)?;
    let summed = &bytes[..=rest.len()];
    if last != format!("crc32 {:08x}", CRC.checksum(summed)) {
        return Err(Fault::Damaged);
    }
    let boxes: Option<Vec<Known>> = rest.lines().skip(1).map(Known::parse).collect();
    boxes.filter(|boxes| boxes.len() <= BOXES).ok_or(Fault::Damaged)
}

impl Known {
    fn parse(line: &str) -> Option<Self> {
        let line: ReadLine<'_> = json::read(line.as_bytes())?;
        let key = Zeroizing::new(decoded(line.key)?);
        Some(Self {
            name: line.name.0,
            authority: Authority::parse(line.at, 0).ok()?,
            id: BoxId(decoded(line.id)?),
            fingerprint: Fingerprint(decoded(line.fingerprint)?),
            slot: line.slot,
            role: Role::named(line.role)?,
            key: TerminalKey::new(*key),
        })
    }

    /// The same place of the same box.
    pub(super) fn is(&self, id: BoxId, slot: u8) -> bool {
        self.id == id && self.slot == slot
    }
}

/// Adds `new` in place of what was known of its box; its name is made unlike all others. Gives that name.
pub(super) fn add(boxes: &mut Vec<Known>, mut new: Known) -> Result<String, KeysError> {
    boxes.retain(|known| known.id != new.id);
    if boxes.len() >= BOXES {
        return Err(KeysError::Full);
    }
    let taken = |name: &str| boxes.iter().any(|known| known.name == name);
    if taken(&new.name) {
        let mut names = (2..).map(|n| format!("{}-{n}", new.name));
        new.name = names.find(|name| !taken(name)).ok_or(KeysError::Full)?;
    }
    let name = new.name.clone();
    boxes.push(new);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn known(name: &str, id: u8) -> Known {
        Known {
            name: name.to_owned(),
            authority: Authority::parse("192.168.1.20:8800", 0).unwrap(),
            id: BoxId([id; 8]),
            fingerprint: Fingerprint([id; 32]),
            slot: 3,
            role: Role::Viewer,
            key: TerminalKey::new([id; 32]),
        }
    }

    /// A directory that goes when this does, with a file of keys to be in a directory of its own there.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> (Self, KeyFile) {
            let place = std::env::temp_dir().join(format!("stbcast-keys-{name}-{}", std::process::id()));
            let _old = fs::remove_dir_all(&place);
            let file = KeyFile(place.join("config/stbcast/boxes"));
            (Self(place), file)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    fn names(file: &KeyFile) -> Vec<String> {
        file.load().unwrap().into_iter().map(|known| known.name).collect()
    }

    #[test]
    fn what_is_kept_is_found_again_by_its_owner_alone() {
        let (_place, file) = Place::new("kept");
        assert!(file.load().unwrap().is_empty());
        file.change(|boxes| add(boxes, known("a\"\\中", 1))).unwrap();
        file.change(|boxes| add(boxes, known("b", 2))).unwrap();
        let [first, second] = &file.load().unwrap()[..] else { panic!("two") };
        assert_eq!((first.name.as_str(), first.key.as_bytes()), ("a\"\\中", &[1; 32]));
        assert_eq!((second.id, second.fingerprint, second.slot), (BoxId([2; 8]), Fingerprint([2; 32]), 3));
        assert_eq!((second.role, second.authority.to_string().as_str()), (Role::Viewer, "192.168.1.20:8800"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.0), mode(file.directory().unwrap())), (0o600, 0o700));
        assert!(!file.beside(".new").exists());
    }

    #[test]
    fn one_that_others_can_read_is_refused() {
        let (_place, file) = Place::new("open");
        file.change(|boxes| add(boxes, known("a", 1))).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&file.0, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(file.load(), Err(KeysError::Open(_))), "{mode:o}");
            assert!(matches!(file.change(|_| Ok(())), Err(KeysError::Open(_))), "{mode:o}");
        }
        assert_eq!(Privacy::by(0, 1000, 0o600), Privacy::Foreign);
        assert_eq!(Privacy::by(1000, 1000, 0o100_600), Privacy::Private);
    }

    #[test]
    fn a_torn_or_foreign_file_is_an_error_and_is_left_alone() {
        let (_place, file) = Place::new("torn");
        file.change(|boxes| add(boxes, known("a", 1))).unwrap();
        let whole = fs::read(&file.0).unwrap();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(read(&changed).is_err(), "byte {place}");
        }
        for (bytes, wanted) in [
            (b"stbcast boxes 2\nwhatever\n".as_slice(), Fault::Newer(2)),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", Fault::NotKeys),
            (&whole[..whole.len() - 1], Fault::Damaged),
        ] {
            fs::write(&file.0, bytes).unwrap();
            assert_eq!(read(bytes).unwrap_err(), wanted);
            assert!(file.change(|boxes| add(boxes, known("b", 2))).is_err());
            assert_eq!(fs::read(&file.0).unwrap(), bytes);
        }
        fs::write(&file.0, vec![b'x'; FILE + 1]).unwrap();
        assert!(matches!(file.load(), Err(KeysError::NotKeys(_))));
        // One that a crash left beside it is in nobody's way.
        fs::write(&file.0, &whole).unwrap();
        fs::write(file.beside(".new"), b"torn").unwrap();
        file.change(|boxes| add(boxes, known("b", 2))).unwrap();
        assert_eq!(names(&file), ["a", "b"]);
    }

    #[test]
    fn a_box_is_known_once_and_by_a_name_of_its_own() {
        let mut boxes = Vec::new();
        for (id, name) in [(1, "stb"), (2, "stb-2"), (3, "stb-3")] {
            assert_eq!(add(&mut boxes, known("stb", id)).unwrap(), name);
        }
        assert_eq!(add(&mut boxes, known("stb", 2)).unwrap(), "stb-2", "paired again");
        assert_eq!(boxes.len(), 3);
        for id in 4..=BOXES as u8 {
            add(&mut boxes, known("stb", id)).unwrap();
        }
        assert!(matches!(add(&mut boxes, known("stb", 99)), Err(KeysError::Full)));
        assert!(add(&mut boxes, known("stb", 5)).is_ok(), "one that was known is not one more");
    }

    #[test]
    fn changes_at_one_time_lose_nothing() {
        let (_place, file) = Place::new("lock");
        std::thread::scope(|scope| {
            for id in 0..8 {
                let file = &file;
                scope.spawn(move || file.change(|boxes| add(boxes, known("stb", id))).unwrap());
            }
        });
        assert_eq!(names(&file).len(), 8);
    }

    #[test]
    fn no_key_is_in_what_is_shown() {
        let shown = format!("{:?}", Known { key: TerminalKey::new([77; 32]), ..known("a", 1) });
        assert!(!shown.contains("77") && shown.contains("TerminalKey"), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"stbcast boxes 1\n", &bytes[..]].concat());
        }
    }
}
