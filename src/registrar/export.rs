//! Claims as lines of JSON: the way out of this service, and into another.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{Key, Record};
use super::table::flag;
use super::{Now, Refusal, Registrar, Slot};
use crate::nameserver::Ticket;
use crate::registration::Label;

/// One name with all that is kept of it: whoever has the line has its keys.
#[derive(Serialize, Deserialize)]
struct Line {
    zone: String,
    name: String,
    record: Record,
}

impl Registrar {
    /// Visits some hundreds of names from `cursor` on, 0 at first; returns the next cursor, `None` at the end. Old keys
    /// stay here: they only tell their boxes that a name is lost.
    pub fn export(&self, cursor: u64, visit: &mut dyn FnMut(Map<String, Value>)) -> Option<u64> {
        let (slots, next) = self.some(cursor);
        for slot in slots {
            if let Some(Value::Object(line)) =
                self.line(slot).and_then(|line| serde_json::to_value(line).ok())
            {
                visit(line);
            }
        }
        next
    }

    fn line(&self, slot: Slot) -> Option<Line> {
        let label = self.table.label(slot)?;
        let hot = self.table.hot(slot);
        let record = if hot.is(flag::RESTING) {
            let cold = self.table.cold(slot);
            let key = Some(cold.key).filter(|key| *key != [0; 32]);
            Record::Resting(super::Resting { until: cold.used, key })
        } else {
            Record::Owned(Box::new(self.owned(slot)))
        };
        Some(Line { zone: self.zone_of(slot).name.clone(), name: label.as_str().to_owned(), record })
    }

    /// Takes a line of an export. A name that is here already is refused: nobody loses one by it.
    pub fn import(&mut self, now: Now, line: &str) -> Result<Ticket, Refusal> {
        let Line { zone, name, mut record } =
            serde_json::from_str(line).map_err(|why| Refusal::Line(why.to_string()))?;
        let number = self.zone_number(&zone).ok_or_else(|| Refusal::Zone(zone.clone()))?;
        let label = Label::new(&name).map_err(Refusal::Name)?;
        let key = Key::Name { zone: self.settings.zones[usize::from(number)].name.clone(), label };
        if self.table.by_name(number, name.as_bytes()).is_some() || self.stage.has(&key) {
            return Err(Refusal::Taken(name));
        }
        if !self.has_room() {
            return Err(Refusal::Full);
        }
        match &mut record {
            Record::Owned(owned) => {
                let is_known =
                    owned.id.is_some_and(|id| self.table.by_id(crate::registration::BoxId(id)).is_some());
                if is_known {
                    return Err(Refusal::Line(format!("the box of '{name}' has another name here")));
                }
                // What it was last seen at, its first beat here tells anew.
                (owned.home, owned.used) = (self.settings.home, now.utc_s().min(owned.used));
            }
            Record::Resting(_) => {}
            Record::Former(_) => return Err(Refusal::Line("old keys have no name".to_owned())),
        }
        self.stage(vec![(key, Some(record))])
    }
}
