//! A directory in memory, for tests, benchmarks and the peers' side: what it is told is what there is.

#![allow(dead_code, unreachable_pub, reason = "peers and benchmarks use parts of it, too")]

use std::collections::HashMap;

use super::{
    Address, Change, Directory, Found, Published, Snapshot, Taken, Text, Ticket, Update, UpdateError,
};

/// Names of some zones.
#[derive(Default)]
pub struct Sample {
    zones: Vec<Names>,
    before: HashMap<(usize, Box<[u8]>), Option<Snapshot>>,
    lost: bool,
    commits: u64,
}

#[derive(Default)]
struct Names {
    index: HashMap<Box<[u8]>, usize>,
    entries: Vec<Option<(Box<[u8]>, Snapshot)>>,
    secrets: HashMap<Box<[u8]>, [u8; 32]>,
}

/// A name that is online.
#[must_use]
pub fn online(v4: &str, v6: Option<&str>, port: u16) -> Snapshot {
    let v6 = v6.and_then(|v6| v6.parse().ok());
    Snapshot { v4: v4.parse().ok(), v6, port, texts: Box::default() }
}

/// A text of one string, below the name where `below` is not empty.
#[must_use]
pub fn text(below: &str, text: &str) -> Text {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let text = text.as_bytes().iter().copied().take(length.into());
    Text { below: below.as_bytes().into(), data: std::iter::once(length).chain(text).collect() }
}

impl Sample {
    /// So many zones without a name.
    #[must_use]
    pub fn new(zones: usize) -> Self {
        Self { zones: (0..zones).map(|_| Names::default()).collect(), ..Self::default() }
    }

    /// What is published of a name from now on; `None`: it does not exist any more.
    pub fn set(&mut self, zone: usize, label: &str, now: Option<Snapshot>) {
        let key: Box<[u8]> = label.as_bytes().into();
        let before = self.find(zone, &key).entry().map(Published::to_snapshot);
        self.before.entry((zone, key.clone())).or_insert(before);
        self.put(zone, key, now);
    }

    /// The same, as if it had always been so.
    pub fn load(&mut self, zone: usize, label: &str, now: Snapshot) {
        self.put(zone, label.as_bytes().into(), Some(now));
    }

    /// A name's own TSIG secret.
    pub fn set_secret(&mut self, zone: usize, label: &str, secret: [u8; 32]) {
        self.zones[zone].secrets.insert(label.as_bytes().into(), secret);
    }

    /// Forgets what changed.
    pub fn lose(&mut self) {
        self.before.clear();
        self.lost = true;
    }

    fn put(&mut self, zone: usize, label: Box<[u8]>, now: Option<Snapshot>) {
        let names = &mut self.zones[zone];
        match (names.index.get(&label), now) {
            (Some(&at), Some(now)) => names.entries[at] = Some((label, now)),
            (Some(&at), None) => {
                names.entries[at] = None;
                names.index.remove(&label);
            }
            (None, Some(now)) => {
                names.index.insert(label.clone(), names.entries.len());
                names.entries.push(Some((label, now)));
            }
            (None, None) => {}
        }
    }
}

impl Directory for Sample {
    fn find(&self, zone: usize, label: &[u8]) -> Found<'_> {
        let names = &self.zones[zone];
        let entry = names.index.get(label).and_then(|&at| names.entries[at].as_ref());
        entry.map_or(Found::Never, |(_, snapshot)| Found::Entry(snapshot.published()))
    }

    fn page(&self, zone: usize, cursor: u64, visit: &mut dyn FnMut(&[u8], Published<'_>)) -> Option<u64> {
        const PAGE: usize = 256;
        let entries = &self.zones[zone].entries;
        let at = usize::try_from(cursor).unwrap_or(usize::MAX).min(entries.len());
        let end = entries.len().min(at + PAGE);
        entries[at..end].iter().flatten().for_each(|(label, snapshot)| visit(label, snapshot.published()));
        (end < entries.len()).then_some(end as u64)
    }

    fn tsig_secret(&self, zone: usize, label: &[u8]) -> Option<[u8; 32]> {
        self.zones[zone].secrets.get(label).copied()
    }

    fn update(&mut self, zone: usize, label: &[u8], update: Update) -> Result<Ticket, UpdateError> {
        fn apply<A>(place: &mut Option<A>, to: Option<Address<A>>) {
            match to {
                Some(Address::Is(address)) => *place = Some(address),
                Some(Address::Gone) => *place = None,
                None => {}
            }
        }
        let mut now = self.find(zone, label).entry().ok_or(UpdateError::Refused)?.to_snapshot();
        if update.v4 == Some(Address::Is([10, 0, 0, 1].into())) {
            return Err(UpdateError::Refused);
        }
        apply(&mut now.v4, update.v4);
        apply(&mut now.v6, update.v6);
        now.port = update.port.unwrap_or(now.port);
        now.texts = update.texts.map_or(now.texts, Vec::into_boxed_slice);
        self.set(zone, &String::from_utf8_lossy(label), Some(now));
        self.commits += 1;
        Ok(Ticket(self.commits))
    }

    fn take_changes(&mut self, changes: &mut Vec<Change>) -> Taken {
        changes.extend(self.before.drain().map(|((zone, label), before)| Change { zone, label, before }));
        if std::mem::take(&mut self.lost) { Taken::Lost } else { Taken::All }
    }
}
