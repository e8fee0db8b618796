//! Records in PostgreSQL, where several front ends share them.
//!
//! Each row has the number of its last write and the front end that made it. Writers take turns (one advisory lock), so
//! numbers become visible in their order, and whoever asks for all above the last one misses nothing. A write says up
//! to which number its front end had heard when it was decided: where another one wrote the same row since, it does
//! not count. The connection is not encrypted: a socket of the machine, or a network that nobody else is on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

use super::{Others, Store, StoreError};
use crate::nameserver::Ticket;
use crate::registrar::record::{Key, Record};
use crate::registrar::stage::Write;

/// Made where it is not there. Rows of what is gone stay for a month, so that all hear of it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS stbcast_names (
        key bytea PRIMARY KEY, record bytea, seq bigint NOT NULL, writer bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX IF NOT EXISTS stbcast_names_seq ON stbcast_names (seq);
    CREATE SEQUENCE IF NOT EXISTS stbcast_seq;
    DELETE FROM stbcast_names WHERE record IS NULL AND at < now() - interval '30 days'";
/// Of the advisory lock that writers take in turn: "stb" in ASCII.
const TURN: i64 = 0x73_7462;
/// Of the locks by which a front end is there once; its number is added.
const SEAT: i64 = 0x73_7462_0000_0000;
/// Rows of one step of reading.
const PAGE: i64 = 20_000;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a fault it is connected anew, but not more often.
const RECONNECT: Duration = Duration::from_secs(2);

const CONFLICTS: &str = "
    SELECT k.place FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS k (key, seen, place)
    JOIN stbcast_names n ON n.key = k.key WHERE n.seq > k.seen AND n.writer <> $3";
const PUT: &str = "
    INSERT INTO stbcast_names (key, record, seq, writer)
    SELECT t.key, t.record, nextval('stbcast_seq'), $3 FROM unnest($1::bytea[], $2::bytea[]) AS t (key, record)
    ON CONFLICT (key) DO UPDATE
    SET record = excluded.record, seq = excluded.seq, writer = excluded.writer, at = now()
    RETURNING seq";
const OTHERS: &str = "
    SELECT key, record, seq FROM stbcast_names
    WHERE seq > $1 AND (writer <> $2 OR $3) ORDER BY seq LIMIT $4";
const ALL: &str = "
    SELECT key, record FROM stbcast_names
    WHERE key > $1 AND record IS NOT NULL ORDER BY key LIMIT $2";

/// A key and its record, as bytes.
type Stored = (Vec<u8>, Vec<u8>);

/// A database of records.
pub struct PostgresStore {
    config: Config,
    /// Number of this front end.
    writer: i64,
    runtime: Runtime,
    client: Option<Client>,
    tried: Option<Instant>,
    /// All writes of others up to this one were heard.
    heard: i64,
    /// The last own write that was answered.
    own: i64,
    /// An own write may be there of which no answer came.
    is_unsure: bool,
}

impl PostgresStore {
    /// Connects to the database at `url` (`postgresql://user@host/database`) as front end number `home`, and makes the
    /// tables where they are not there. Refused while another process is that front end.
    pub fn open(url: &str, home: u32) -> Result<Self, StoreError> {
        let config = url.parse::<Config>().map_err(|error| database(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Database(error.to_string()))?;
        let mut store = Self {
            config,
            writer: i64::from(home),
            runtime,
            client: None,
            tried: None,
            heard: 0,
            own: 0,
            is_unsure: false,
        };
        store.connected()?;
        Ok(store)
    }

    fn connected(&mut self) -> Result<(), StoreError> {
        if self.client.as_ref().is_some_and(|client| !client.is_closed()) {
            return Ok(());
        }
        self.client = None;
        if self.tried.is_some_and(|tried| tried.elapsed() < RECONNECT) {
            return Err(StoreError::Database("it could not be reached a moment ago".into()));
        }
        self.tried = Some(Instant::now());
        let (config, writer) = (self.config.clone(), self.writer);
        let client = patiently(&self.runtime, async move {
            let (client, connection) = config.connect(NoTls).await.map_err(|error| database(&error))?;
            tokio::spawn(connection); // ends with the client
            let turn = client.query_one("SELECT pg_try_advisory_lock($1)", &[&(SEAT + writer)]).await;
            if !turn.and_then(|row| row.try_get::<_, bool>(0)).map_err(|error| database(&error))? {
                return Err(StoreError::Database(format!("front end {writer} is another process")));
            }
            client.batch_execute(SCHEMA).await.map_err(|error| database(&error))?;
            Ok(client)
        })?;
        self.client = Some(client);
        self.tried = None;
        Ok(())
    }

    /// Does `work` with the database; after a fault the connection is given up.
    fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        self.connected()?;
        let Some(mut client) = self.client.take() else { return Err(StoreError::Database("gone".into())) };
        let done = patiently(&self.runtime, async {
            let done = work(&mut client).await.map_err(|error| database(&error))?;
            Ok((client, done))
        });
        let (client, done) = done?;
        self.client = Some(client);
        Ok(done)
    }

    fn page(&mut self, after: &[u8]) -> Result<Vec<Stored>, StoreError> {
        self.with(async |client| {
            let rows = client.query(ALL, &[&after, &PAGE]).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }
}

impl Store for PostgresStore {
    fn load(&mut self, take: &mut dyn FnMut(Key, Record) -> bool) -> Result<u64, StoreError> {
        // what is written meanwhile is heard of afterwards
        let last = "SELECT coalesce(max(seq), 0) FROM stbcast_names";
        self.heard = self.with(async |client| client.query_one(last, &[]).await?.try_get(0))?;
        self.own = self.heard;
        let mut after = Vec::new();
        loop {
            let page = self.page(&after)?;
            let Some((last, _)) = page.last() else { return Ok(self.heard.unsigned_abs()) };
            after.clone_from(last);
            for (key, record) in &page {
                let (key, record) = parsed(key, Some(record))?;
                if !record.is_none_or(|record| take(key, record)) {
                    return Ok(self.heard.unsigned_abs());
                }
            }
        }
    }

    fn commit(&mut self, writes: &[Arc<Write>]) -> Result<Vec<Ticket>, StoreError> {
        let writer = self.writer;
        let puts: Vec<_> = writes
            .iter()
            .flat_map(|write| write.puts.iter().map(move |(key, record)| (write, key.to_bytes(), record)))
            .collect();
        let keys: Vec<&[u8]> = puts.iter().map(|(_, key, _)| key.as_slice()).collect();
        let seen: Vec<i64> =
            puts.iter().map(|(write, _, _)| i64::try_from(write.seen).unwrap_or(0)).collect();
        self.is_unsure = true;
        let (last, conflicts) = self.with(async |client| {
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TURN]).await?;
            let mut conflicts = BTreeSet::new();
            for row in transaction.query(CONFLICTS, &[&keys, &seen, &writer]).await? {
                let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
                conflicts.extend(puts.get(place.wrapping_sub(1)).map(|(write, _, _)| write.ticket));
            }
            let kept = puts.iter().filter(|(write, _, _)| !conflicts.contains(&write.ticket));
            // one row a key, the last: a statement cannot touch a row twice
            let rows: BTreeMap<&[u8], Option<Vec<u8>>> = kept
                .map(|(_, key, record)| (key.as_slice(), record.as_ref().map(|record| record.to_bytes(key))))
                .collect();
            let (keys, records): (Vec<&[u8]>, Vec<Option<Vec<u8>>>) = rows.into_iter().unzip();
            let written = transaction.query(PUT, &[&keys, &records, &writer]).await?;
            let last = written.iter().filter_map(|row| row.try_get::<_, i64>(0).ok()).max();
            transaction.commit().await?;
            Ok((last, conflicts))
        })?;
        self.is_unsure = false;
        self.own = self.own.max(last.unwrap_or(0));
        Ok(conflicts.into_iter().collect())
    }

    fn others(&mut self) -> Result<Others, StoreError> {
        let (writer, is_unsure) = (self.writer, self.is_unsure);
        let after = if is_unsure { self.heard.min(self.own) } else { self.heard };
        let rows =
            self.with(async |client| client.query(OTHERS, &[&after, &writer, &is_unsure, &PAGE]).await)?;
        let mut others = Others { records: Vec::new(), up_to: self.heard.unsigned_abs() };
        for row in &rows {
            let key: Vec<u8> = row.try_get(0).map_err(|error| database(&error))?;
            let record: Option<Vec<u8>> = row.try_get(1).map_err(|error| database(&error))?;
            let seq: i64 = row.try_get(2).map_err(|error| database(&error))?;
            others.records.push(parsed(&key, record.as_deref())?);
            self.heard = self.heard.max(seq);
        }
        others.up_to = self.heard.unsigned_abs();
        self.is_unsure = is_unsure && i64::try_from(rows.len()) == Ok(PAGE);
        Ok(others)
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn parsed(key: &[u8], record: Option<&[u8]>) -> Result<(Key, Option<Record>), StoreError> {
    let shown = || String::from_utf8_lossy(key).escape_debug().to_string();
    let damaged = || StoreError::Database(format!("the record '{}' in stbcast_names is damaged", shown()));
    let name = Key::parse(key).ok_or_else(damaged)?;
    let record = record.map(|record| Record::parse(key, record).ok_or_else(damaged)).transpose()?;
    Ok((name, record))
}

/// Waits for `work`, but not for ever.
fn patiently<T>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let done = runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await });
    done.unwrap_or_else(|_| Err(StoreError::Database("no answer in 10 s".into())))
}

/// The server's own words, where it said something.
fn database(error: &tokio_postgres::Error) -> StoreError {
    let words = error.as_db_error().map(|said| said.message().to_owned());
    let source = || std::error::Error::source(error).map(|source| format!("{error}: {source}"));
    StoreError::Database(words.or_else(source).unwrap_or_else(|| error.to_string()))
}
