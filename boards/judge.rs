//! Asks facts for their values and collects what is wrong with them.

use super::facts::{Facts, Value};
use super::keys::KEYS;

/// Facts under judgement.
pub(crate) struct Judge<'a> {
    facts: &'a Facts,
    /// A sentence for each rule that is broken.
    pub(crate) broken: Vec<String>,
}

impl<'a> Judge<'a> {
    /// Of `facts` that have every key, each of its type; else what is missing or wrong.
    pub(crate) fn new(facts: &'a Facts) -> Result<Self, Vec<String>> {
        let broken: Vec<String> =
            KEYS.iter().filter_map(|(key, kind, _)| mistyped(facts, key, kind)).collect();
        if broken.is_empty() { Ok(Self { facts, broken }) } else { Err(broken) }
    }

    /// The number that `key` is set to.
    pub(crate) fn number(&self, key: &str) -> i64 {
        match self.facts[key].value {
            Value::Number(number) => number,
            _ => 0, // `new` has looked
        }
    }

    /// The text that `key` is set to.
    pub(crate) fn text(&self, key: &str) -> &'a str {
        match &self.facts[key].value {
            Value::Text(text) => text,
            _ => "", // `new` has looked
        }
    }

    /// Whether `key` is set to true.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.facts[key].value == Value::Flag(true)
    }

    /// What a list with commas between holds.
    pub(crate) fn list(&self, key: &str) -> Vec<&'a str> {
        self.text(key).split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// `key` breaks a rule unless it `holds`; `why` says which.
    pub(crate) fn rule(&mut self, key: &str, holds: bool, why: &str) {
        if !holds {
            self.say(key, &[], why);
        }
    }

    /// The same for a rule about several keys. The culprit is `key`; what the `others` say is told, and where.
    pub(crate) fn rule_of(&mut self, key: &str, others: &[&str], holds: bool, why: &str) {
        if !holds {
            self.say(key, others, why);
        }
    }

    /// `key` must be one of these texts.
    pub(crate) fn one_of(&mut self, key: &str, known: &[&str]) {
        let why = format!("must be one of {}", known.join(", "));
        self.rule(key, known.contains(&self.text(key)), &why);
    }

    /// `key` must be within these numbers.
    pub(crate) fn within(&mut self, key: &str, least: i64, most: i64, why: &str) {
        let number = self.number(key);
        self.rule(key, (least..=most).contains(&number), &format!("must be {least} to {most}: {why}"));
    }

    fn say(&mut self, key: &str, others: &[&str], why: &str) {
        let fact = &self.facts[key];
        let others = others.iter().map(|other| {
            let fact = &self.facts[*other];
            format!("{other} = {} in {}", fact.value, fact.at)
        });
        let others: Vec<_> = others.collect();
        let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        self.broken.push(format!("{}: {key} = {}: {why}{others}", fact.at, fact.value));
    }
}

/// What is wrong with the type of `key`, which is to be `kind`.
fn mistyped(facts: &Facts, key: &str, kind: &str) -> Option<String> {
    let Some(fact) = facts.get(key) else {
        return Some(format!("'{key}' is missing: no board of this line says it"));
    };
    let most = match kind {
        "u16" => i64::from(u16::MAX),
        "u32" => i64::from(u32::MAX),
        _ => i64::MAX,
    };
    let (fits, wanted) = match (&fact.value, kind) {
        (Value::Text(_), "&str") | (Value::Flag(_), "bool") => (true, ""),
        (_, "&str") => (false, "a text in quotes"),
        (_, "bool") => (false, "true or false"),
        (Value::Number(0), "u32") => (true, ""),
        (Value::Number(number), _) => (*number > 0 && *number <= most, "a number above zero that fits"),
        (_, _) => (false, "a whole number"),
    };
    (!fits).then(|| format!("{}: {key} = {}: must be {wanted} ({kind})", fact.at, fact.value))
}
