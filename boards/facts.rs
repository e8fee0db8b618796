//! Reads board files: each fact with the file and the line it stands in.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::keys::KEYS;

/// What a key is set to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
}

/// As TOML and, for what board files may hold, Rust write it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// A value and where it came from: `boards/<board>.toml:<line>`.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) value: Value,
    pub(crate) at: String,
}

/// The facts of a board, by key.
pub(crate) type Facts = BTreeMap<String, Fact>;

/// The facts of the board `name` in `directory`, its own over those it inherits. The error: a sentence each.
pub(crate) fn load(directory: &Path, name: &str) -> Result<Facts, Vec<String>> {
    load_heir(directory, name, &mut Vec::new())
}

/// The same; `heirs` is who inherited whom so far.
fn load_heir(directory: &Path, name: &str, heirs: &mut Vec<String>) -> Result<Facts, Vec<String>> {
    if heirs.iter().any(|heir| heir == name) {
        return Err(vec![format!("'{name}' inherits from itself: {}", heirs.join(", "))]);
    }
    heirs.push(name.into());
    let file = format!("boards/{name}.toml");
    let known = known_boards(directory);
    if !known.iter().any(|board| board == name) {
        return Err(vec![format!("there is no {file}; known boards: {}", known.join(", "))]);
    }
    let text = fs::read_to_string(directory.join(format!("{name}.toml")))
        .map_err(|e| vec![format!("{file}: {e}")])?;
    let own = parse(&file, &text)?;
    let mut facts = match own.get("inherit") {
        None => Facts::new(),
        Some(Fact { value: Value::Text(parent), .. }) => load_heir(directory, parent, heirs)?,
        Some(Fact { at, .. }) => return Err(vec![format!("{at}: inherit names a board, as a string")]),
    };
    facts.extend(own.into_iter().filter(|(key, _)| key != "inherit"));
    Ok(facts)
}

/// The lines of one file, of keys that are known.
fn parse(file: &str, text: &str) -> Result<Facts, Vec<String>> {
    let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|e| {
        let line = e.span().map_or(1, |span| line_of(span.start));
        vec![format!("{file}:{line}: {}", e.message())]
    })?;
    let (mut facts, mut broken) = (Facts::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let at = format!("{file}:{}", line_of(key.span().start));
        let key = key.get_ref().to_string();
        if key != "inherit" && !KEYS.iter().any(|(known, ..)| *known == key) {
            let known: Vec<_> = KEYS.iter().map(|(known, ..)| *known).collect();
            broken.push(format!("{at}: unknown key '{key}'; known keys: {}", known.join(", ")));
            continue;
        }
        match of(value.get_ref()) {
            Some(value) => drop(facts.insert(key, Fact { value, at })),
            None => broken.push(format!("{at}: {key} is neither a string, a whole number, true nor false")),
        }
    }
    if broken.is_empty() { Ok(facts) } else { Err(broken) }
}

fn of(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Number)
        }
        DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
        _ => None,
    }
}

/// The boards that have a file in `directory`.
pub(crate) fn known_boards(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|e| e.file_name().to_str()?.strip_suffix(".toml").map(Into::into)).collect();
    names.sort();
    names
}
