//! Who was let in, and what a terminal hands out: for those that are paired.

use serde::{Deserialize, Serialize};

use super::args::{Choice, Revocation, Wish};
use super::authority::Authority;
use super::guide::{date, time};
use super::http::Request;
use super::json::{self, Exact, List};
use super::keys::{KeyFile, Known};
use super::session::Session;
use super::table::table;
use super::text::Text;
use super::{Failure, note, prompt};

#[derive(Deserialize)]
struct Terminals {
    terminals: List<Terminal, 256>,
}

#[derive(Deserialize)]
struct Terminal {
    slot: u8,
    name: Text,
    role: Text,
    #[serde(rename = "self", default)]
    is_self: bool,
    #[serde(default)]
    channels: Option<List<u16, 256>>,
    /// Seconds since 1970, as is the next.
    #[serde(default)]
    until: Option<u64>,
    #[serde(default)]
    paired: Option<u64>,
}

/// Who was let in; what to print.
pub(super) async fn terminals(choice: &Choice) -> Result<String, Failure> {
    let session = Session::of(choice.known()?);
    let body = session.ask(Request::new("GET", "/api/v1/terminals")).await?.body().await?;
    let Terminals { terminals: List(terminals) } = json::read(&body).ok_or(Failure::ListUnknown)?;
    Ok(lines(&terminals))
}

fn lines(terminals: &[Terminal]) -> String {
    table(["SLOT", "NAME", "ROLE", "PAIRED", "NOTES"], terminals.iter().map(Terminal::cells))
}

impl Terminal {
    fn cells(&self) -> [Text; 5] {
        let mut notes = Vec::new();
        if self.is_self {
            notes.push("this terminal".to_owned());
        }
        if let Some(until) = self.until {
            let seconds = i64::try_from(until).unwrap_or(i64::MAX);
            notes.push(format!("until {} {} UTC", day(seconds), time(seconds)));
        }
        if let Some(List(channels)) = self.channels.as_ref().filter(|channels| !channels.0.is_empty()) {
            let numbers: Vec<String> = channels.iter().map(u16::to_string).collect();
            notes.push(format!("channels {}", numbers.join(", ")));
        }
        let paired = self.paired.map(|at| day(i64::try_from(at).unwrap_or(i64::MAX)));
        [
            Text::new(&self.slot.to_string()),
            self.name.clone(),
            self.role.clone(),
            Text::new(&paired.unwrap_or_default()),
            Text::new(&notes.join("; ")),
        ]
    }
}

fn day(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    format!("{year}-{month:02}-{day:02}")
}

/// Calls the terminal of `slot` something else.
pub(super) async fn rename(choice: &Choice, slot: u8, name: &str) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct NewName<'a> {
        name: &'a str,
    }

    let session = Session::of(choice.known()?);
    let (path, body) = (path_of(slot), json::write(&NewName { name }));
    session.ask(Request::new("PATCH", &path).with_body(&body)).await.map(drop)
}

/// Puts a terminal out, or all. Where that is this one, too, its key is destroyed. What to print.
pub(super) async fn revoke(choice: &Choice, revocation: &Revocation) -> Result<String, Failure> {
    let session = Session::of(choice.known()?);
    let own = session.known.slot;
    let (question, is_self) = match revocation.slot {
        None => ("Put out all terminals, this one too?".to_owned(), true),
        Some(slot) if slot == own => ("Put out this terminal itself?".to_owned(), true),
        Some(slot) => (format!("Put out terminal {slot}?"), false),
    };
    if !revocation.sure && !prompt::consents(&format!("{question} What was made for it is dead at once.")) {
        return Ok("Nothing was changed.\n".to_owned());
    }
    match revocation.slot {
        Some(slot) => session.ask(Request::new("DELETE", &path_of(slot))).await?,
        None => session.ask(Request::new("POST", "/api/v1/terminals/revoke-all")).await?,
    };
    if is_self {
        destroy(choice, &session)?;
    }
    Ok(String::new())
}

/// Leaves the box: it puts this terminal out, and the key is destroyed whatever the box says. What to print.
pub(super) async fn forget(choice: &Choice) -> Result<String, Failure> {
    let session = Session::of(choice.known()?);
    let (slot, name) = (session.known.slot, Text::new(&session.known.name));
    let told = session.ask(Request::new("DELETE", &path_of(slot))).await;
    destroy(choice, &session)?;
    match told {
        Ok(_) | Err(Failure::NotKnown { .. }) => {}
        Err(why) => note(&format!("the box was not told ({why}): put terminal {slot} out there")),
    }
    Ok(format!("'{name}' is forgotten.\n"))
}

/// The box is at `authority` now; that is kept once it answers there and knows us. What to print.
pub(super) async fn address(choice: &Choice, authority: Authority) -> Result<String, Failure> {
    let session = Session::of(Known { authority, ..choice.known()? });
    session.check().await?;
    let Known { id, slot, authority, name, .. } = &session.known;
    choice.keys.change(|boxes| {
        boxes
            .iter_mut()
            .filter(|known| known.is(*id, *slot))
            .for_each(|known| known.authority = authority.clone());
        Ok(())
    })?;
    Ok(format!("'{}' is at {authority}.\n", Text::new(name)))
}

/// The key goes.
fn destroy(choice: &Choice, session: &Session) -> Result<(), Failure> {
    let (id, slot) = (session.known.id, session.known.slot);
    Ok(choice.keys.change(|boxes| {
        boxes.retain(|known| !known.is(id, slot));
        Ok(())
    })?)
}

/// A link for players elsewhere; what to print.
pub(super) async fn link(choice: &Choice, wish: &Wish) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct WishBody {
        channel: u16,
        ttl: u32,
        connections: u16,
    }
    #[derive(Deserialize)]
    struct Made {
        path: Exact,
    }

    let session = Session::of(choice.known()?);
    let &Wish { channel, ttl, connections } = wish;
    let body = json::write(&WishBody { channel, ttl, connections });
    let answer = session.ask(Request::new("POST", "/api/v1/links").with_body(&body)).await?;
    let body = answer.body().await?;
    let made = json::read::<Made>(&body).map(|made| made.path.0);
    let path = made.filter(|path| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic()));
    let path = path.ok_or(Failure::ListUnknown)?;
    Ok(format!("http://{}{path}\n", session.known.authority))
}

/// The boxes of a file; what to print.
pub(super) fn boxes(keys: &KeyFile) -> Result<String, Failure> {
    let boxes = keys.load()?;
    if boxes.is_empty() {
        return Ok("This computer is paired with no box: 'stbcast pair'.\n".to_owned());
    }
    let row = |known: &Known| {
        let (slot, place) = (known.slot.to_string(), known.authority.to_string());
        [slot.as_str(), &known.name, known.role.name(), &place].map(Text::new)
    };
    Ok(table(["SLOT", "NAME", "ROLE", "ADDRESS"], boxes.iter().map(row)))
}

fn path_of(slot: u8) -> String {
    format!("/api/v1/terminals/{slot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_lines_of_a_table() {
        let body = r#"{"terminals":[
            {"slot":0,"name":"me@home","role":"owner","self":true,"channels":null,"until":null,"paired":null},
            {"slot":12,"name":"T\u00e9l\u001b[2J","role":"guest","self":false,"channels":[1,2],
             "until":1774746000,"paired":1767222000},
            {"slot":13,"name":"x","role":"guest","channels":[]}]}"#;
        let terminals: Terminals = json::read(body.as_bytes()).unwrap();
        let expected = "\
SLOT  NAME     ROLE   PAIRED      NOTES
   0  me@home  owner              this terminal
  12  Tél[2J   guest  2025-12-31  until 2026-03-29 01:00 UTC; channels 1, 2
  13  x        guest
";
        assert_eq!(lines(&terminals.terminals.0), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_list_is_survived(text in "\\PC{0,30}", until: u64) {
            let body = format!("{{\"terminals\":[{{\"slot\":1,\"name\":\"{text}\",\"role\":\"\",\"until\":{until}}}]}}");
            let _ = json::read::<Terminals>(body.as_bytes()).map(|t| lines(&t.terminals.0));
        }
    }
}
