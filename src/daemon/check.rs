//! `stbcastd check`: whether this program would run here with this configuration and this state. Nothing listens, nothing
//! is asked of a network, nothing is written.

use std::path::Path;

use log::LevelFilter;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::{devices, imports, machine, user};
use crate::access::{KeyError, OnFlash, look};
use crate::board;
use crate::manifest::STATE_FORMATS;
use crate::store::Kind;

/// Prints what it finds, a line each; the worst decides.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    log::set_max_level(LevelFilter::Off); // what a start logs is not what a check finds
    configuration(settings)?;
    println!("configuration: good");
    let state = settings.state();
    let misfits = machine::misfits();
    for note in misfits.notes.iter().chain(&machine::surroundings(&state)) {
        println!("note: {note}");
    }
    if let Some(why) = misfits.fatal.into_iter().chain(misfits.old).next() {
        return Err(Failure::new(Exit::NotThisMachine, why));
    }
    println!("machine: good for board '{}'", board::NAME);
    let user = user::wanted(settings.user.as_deref())?;
    for tuner in devices::tuners(&settings.sources, user.as_ref()) {
        println!("tuner: {tuner}");
    }
    let Records { newer, lost } = records(&state)?;
    refuse_newer(&newer)?;
    if lost.is_empty() {
        println!("state: good");
        return Ok(());
    }
    let what: Vec<_> = lost.into_iter().map(Kind::name).collect();
    let (what, state) = (what.join(", "), state.display());
    Err(Failure::new(Exit::State, format!("state in {state}: {what}: damaged in all copies")))
}

/// All that a start reads of its settings, but for what needs the network.
pub(super) fn configuration(settings: &Settings) -> Result<(), Failure> {
    imports::read(settings).map_err(Failure::usage)?;
    settings.naming.check().map_err(Failure::usage)
}

/// What cannot be used of the state.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Of a newer format: the program that wrote it was told to stay, and this one would lose it.
    pub(super) newer: Vec<(Kind, u8)>,
    pub(super) lost: Vec<Kind>,
}

/// Looks at every record in `state`.
pub(super) fn records(state: &Path) -> Result<Records, Failure> {
    let mut records = Records::default();
    if !state.exists() {
        return Ok(records);
    }
    for &(kind, oldest, newest) in STATE_FORMATS {
        let record = match look(state, kind).map_err(|e| Failure::new(Exit::State, e))? {
            OnFlash::Nothing => continue,
            OnFlash::Lost => Vec::new(),
            OnFlash::Kept { record, .. } => record,
        };
        match record.first() {
            Some(&format) if format > newest => records.newer.push((kind, format)),
            Some(&format) if format >= oldest => {}
            _ => records.lost.push(kind),
        }
    }
    Ok(records)
}

/// A start would lose what is of a newer format.
pub(super) fn refuse_newer(newer: &[(Kind, u8)]) -> Result<(), Failure> {
    match newer.first() {
        None => Ok(()),
        Some((kind, format)) => Err(Failure::new(Exit::Newer, KeyError::Newer(kind.name(), *format))),
    }
}
