//! Records in one file, by redb: what was committed is there after a crash, all of it or nothing.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
};

use super::{Store, StoreError};
use crate::nameserver::Ticket;
use crate::registrar::record::{Key, Record};
use crate::registrar::stage::Write;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("names");
/// Memory for pages of the file.
const CACHE: usize = 64 << 20;
/// After a fault the file is opened anew, but not more often.
const REOPEN: Duration = Duration::from_secs(5);

type Opener = Box<dyn Fn(&mut Builder) -> Result<Database, DatabaseError> + Send>;

fn opener(path: &Path, is_new: bool) -> Opener {
    let path = path.to_owned();
    Box::new(move |builder| {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(is_new).mode(0o600);
        let file = options.open(&path)?;
        if !is_new && file.metadata()?.len() == 0 {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it is empty").into());
        }
        builder.create_with_backend(FileBackend::new(file)?)
    })
}

/// A file of records.
pub struct LocalStore {
    path: PathBuf,
    opener: Opener,
    database: Option<Database>,
    tried: Instant,
}

impl LocalStore {
    /// Opens the file at `path`, or makes an empty one that only its owner reads. Every page of it is checked first.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let io = |error: std::io::Error| StoreError::Io(path.to_owned(), error.to_string());
        if !path.try_exists().map_err(io)? {
            // a file of that name is whole from the start
            let new = path.with_extension("new");
            let _ = std::fs::remove_file(&new);
            drop(Self::with(&new, opener(&new, true))?);
            std::fs::rename(&new, path).map_err(io)?;
        }
        Self::with(path, opener(path, false))
    }

    /// Opens what `opener` opens.
    pub(super) fn with(path: &Path, opener: Opener) -> Result<Self, StoreError> {
        let mut store = Self { path: path.to_owned(), opener, database: None, tried: Instant::now() };
        store.reopen()?;
        Ok(store)
    }

    /// As if the last fault were long ago.
    #[cfg(test)]
    pub(super) fn age(&mut self) {
        self.tried -= REOPEN;
    }

    fn reopen(&mut self) -> Result<&Database, StoreError> {
        self.tried = Instant::now();
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
        let opened = (self.opener)(&mut builder);
        let database = opened.map_err(|error| self.cannot_open(error))?;
        Ok(self.database.insert(database))
    }

    fn cannot_open(&self, error: DatabaseError) -> StoreError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(self.path.clone()),
            DatabaseError::Storage(StorageError::Io(error)) => {
                use std::io::ErrorKind::{InvalidData, UnexpectedEof};
                if matches!(error.kind(), InvalidData | UnexpectedEof) {
                    self.damaged(&error)
                } else {
                    StoreError::Io(self.path.clone(), error.to_string())
                }
            }
            error => self.damaged(&error),
        }
    }

    fn damaged(&self, why: &dyn std::fmt::Display) -> StoreError {
        StoreError::Damaged(self.path.clone(), why.to_string())
    }

    fn read(&self, take: &mut dyn FnMut(Key, Record) -> bool) -> Result<(), redb::Error> {
        let Some(database) = &self.database else { return Err(redb::Error::DatabaseClosed) };
        let transaction = database.begin_read()?;
        let table = match transaction.open_table(TABLE) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            table => table?,
        };
        for entry in table.iter()? {
            let (key, value) = entry?;
            let parsed = Key::parse(key.value()).zip(Record::parse(key.value(), value.value()));
            let Some((key, record)) = parsed else {
                let name = String::from_utf8_lossy(key.value()).escape_debug().to_string();
                return Err(redb::Error::Corrupted(format!("the record '{name}' is none")));
            };
            if !take(key, record) {
                break;
            }
        }
        Ok(())
    }

    fn write(database: &Database, writes: &[Arc<Write>]) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, record) in writes.iter().flat_map(|write| &write.puts) {
                let key = key.to_bytes();
                match record {
                    Some(record) => table.insert(key.as_slice(), record.to_bytes(&key).as_slice())?,
                    None => table.remove(key.as_slice())?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Store for LocalStore {
    fn load(&mut self, take: &mut dyn FnMut(Key, Record) -> bool) -> Result<u64, StoreError> {
        match self.read(take) {
            Ok(()) => Ok(0),
            Err(redb::Error::Io(error)) => Err(StoreError::Io(self.path.clone(), error.to_string())),
            Err(error) => Err(self.damaged(&error)),
        }
    }

    fn commit(&mut self, writes: &[Arc<Write>]) -> Result<Vec<Ticket>, StoreError> {
        let database = match self.database.take() {
            Some(database) => self.database.insert(database),
            None if self.tried.elapsed() < REOPEN => {
                return Err(StoreError::Io(self.path.clone(), "it could not be written a moment ago".into()));
            }
            None => self.reopen()?,
        };
        match Self::write(database, writes) {
            Ok(()) => Ok(Vec::new()),
            Err(error) => {
                // redb takes nothing more after a fault until the file is opened anew
                self.database = None;
                self.tried = Instant::now();
                Err(StoreError::Io(self.path.clone(), error.to_string()))
            }
        }
    }
}
