//! Where records stay: a small trait, and the thread on which it may sleep.

mod local;
mod postgres;
#[cfg(test)]
mod tests;
mod thread;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use local::LocalStore;
pub use postgres::PostgresStore;
pub use thread::{StoreThread, Told};

use super::record::{Key, Record};
use super::stage::Write;
use crate::nameserver::Ticket;

/// Where records stay. Its calls may sleep; they come from one thread.
pub trait Store: Send {
    /// Hands each record to `take`, until it returns false. Returns the number of the last write that others made.
    fn load(&mut self, take: &mut dyn FnMut(Key, Record) -> bool) -> Result<u64, StoreError>;

    /// Writes all of `writes`, or nothing. When it returns, they are on disk.
    ///
    /// Returns the tickets that another front end was in the way of; they are not written, the others are.
    fn commit(&mut self, writes: &[Arc<Write>]) -> Result<Vec<Ticket>, StoreError>;

    /// What other front ends wrote since the last call.
    fn others(&mut self) -> Result<Others, StoreError> {
        Ok(Others::default())
    }

    /// Others write there, too.
    fn is_shared(&self) -> bool {
        false
    }
}

/// What other front ends wrote.
#[derive(Debug, Default)]
pub struct Others {
    /// Each record as it is now; `None`: it is gone.
    pub records: Vec<(Key, Option<Record>)>,
    /// The number of the last of these writes.
    pub up_to: u64,
}

/// Why the store does not do it.
#[derive(Debug)]
pub enum StoreError {
    /// The file cannot be opened or written.
    Io(PathBuf, String),
    /// The file is not as it was written.
    Damaged(PathBuf, String),
    /// Another program has it open.
    InUse(PathBuf),
    /// The database does not do it.
    Database(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Damaged(path, why) => write!(
                f,
                "{} is damaged ({why}): put a copy of it there, or move it away and import an export",
                path.display()
            ),
            Self::InUse(path) => write!(f, "{} is in use by another process", path.display()),
            Self::Database(why) => write!(f, "the database: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}
