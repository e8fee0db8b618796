//! The box's guide, as lines.

use std::fmt::Write as _;

use serde::Deserialize;

use super::Failure;
use super::client::Client;
use super::json::{self, List};
use super::text::Text;

/// Pages of a guide that are asked for: more than a box has.
const PAGES: usize = 256;
/// Characters of a line of text.
const LINE: usize = 72;

#[derive(Deserialize)]
struct Page {
    clock: Option<Clock>,
    channels: List<Channel, 4096>,
    #[serde(default)]
    next: Option<Text>,
}

#[derive(Deserialize)]
struct Clock {
    #[serde(default)]
    local: List<LocalTime, 64>,
}

/// The clocks of a country.
#[derive(Deserialize)]
struct LocalTime {
    country: Text,
    /// Minutes ahead of UTC.
    offset: i16,
    #[serde(default)]
    change: Option<u64>,
    #[serde(default)]
    next_offset: Option<i16>,
}

#[derive(Deserialize)]
struct Channel {
    number: u16,
    name: Text,
    events: List<Event, 8192>,
}

#[derive(Deserialize)]
struct Event {
    start: u64,
    duration: u64,
    title: Text,
    #[serde(default)]
    text: Text,
    #[serde(default)]
    extended: Text,
    #[serde(default)]
    content: List<Content, 16>,
    #[serde(default)]
    ratings: List<Rating, 16>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    name: Option<Text>,
}

#[derive(Deserialize)]
struct Rating {
    #[serde(default)]
    age: Option<u8>,
}

/// Asks the box for the guide of a channel, or of all; what to print.
pub(super) async fn fetch(client: &Client, channel: Option<u16>) -> Result<String, Failure> {
    let mut lines = Lines { detailed: channel.is_some(), ..Lines::default() };
    let mut after = String::new();
    for _ in 0..PAGES {
        let channel = channel.map_or(String::new(), |number| format!("channel={number}&"));
        let path = format!("/api/v1/epg?{channel}{after}").trim_end_matches(['&', '?']).to_owned();
        let body = client.get(&path).await?.body().await?;
        let page: Page = json::read(&body).ok_or(Failure::ListUnknown)?;
        let next = page.next.as_ref().map(|next| next.as_str().to_owned());
        lines.add(page);
        // It goes into the next request's head.
        let sound = |next: &String| next.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let Some(next) = next.filter(sound) else { break };
        after = format!("after={next}");
    }
    Ok(lines.finish())
}

/// What is printed, under way.
#[derive(Default)]
struct Lines {
    text: String,
    /// With the texts of events.
    detailed: bool,
    /// Whose times are shown, once a page told.
    zone: Option<LocalTime>,
    channel: Option<u16>,
}

impl Lines {
    fn add(&mut self, page: Page) {
        if self.text.is_empty() {
            self.zone = page.clock.and_then(|clock| clock.local.0.into_iter().next());
            let whose = self.zone.as_ref().map_or("UTC", |zone| zone.country.as_str());
            let _infallible = writeln!(self.text, "Times are those of {whose}.");
        }
        for channel in page.channels.0 {
            if self.channel.replace(channel.number) != Some(channel.number) {
                let _infallible = writeln!(self.text, "\n{}  {}", channel.number, channel.name);
            }
            channel.events.0.iter().for_each(|event| self.event(event));
        }
    }

    fn event(&mut self, event: &Event) {
        let local = |utc| self.zone.as_ref().map_or(0, |zone| zone.at(utc)) + i64::try_from(utc).unwrap_or(0);
        let (start, end) = (local(event.start), local(event.start.saturating_add(event.duration)));
        let (year, month, day) = date(start.div_euclid(86_400));
        let mut line = format!("  {year}-{month:02}-{day:02} {}-{}  {}", time(start), time(end), event.title);
        let names = event.content.0.iter().filter_map(|content| content.name.as_ref().map(Text::to_string));
        let ages = event.ratings.0.iter().filter_map(|rating| rating.age).map(|age| format!("{age}+"));
        let mut notes: Vec<String> = names.chain(ages).collect();
        notes.dedup();
        if !notes.is_empty() {
            let _infallible = write!(line, " ({})", notes.join(", "));
        }
        self.text.push_str(&line);
        self.text.push('\n');
        if self.detailed {
            wrap(event.text.as_str(), &mut self.text);
            wrap(event.extended.as_str(), &mut self.text);
        }
    }

    fn finish(self) -> String {
        match self.channel {
            Some(_) => self.text,
            None => "The box has no guide yet.\n".to_owned(),
        }
    }
}

impl LocalTime {
    /// Seconds ahead of UTC at `utc`.
    fn at(&self, utc: u64) -> i64 {
        let changed = self.change.is_some_and(|change| utc >= change);
        60 * i64::from(self.next_offset.filter(|_| changed).unwrap_or(self.offset))
    }
}

/// `text` in lines, below an event.
fn wrap(text: &str, out: &mut String) {
    let mut line = Text::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = Text::new(&format!("{line}{}{word}", if line.as_str().is_empty() { "" } else { " " }));
        if longer.width() > LINE && !line.as_str().is_empty() {
            let _infallible = writeln!(out, "      {line}");
            line = Text::new(word);
        } else {
            line = longer;
        }
    }
    if !line.as_str().is_empty() {
        let _infallible = writeln!(out, "      {line}");
    }
}

/// Hours and minutes.
pub(super) fn time(seconds: i64) -> String {
    let minutes = seconds.div_euclid(60).rem_euclid(1440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Its years begin in March here, so that a
/// leap day is a year's last; there are 146 097 days in 400 years.
pub(super) fn date(day: i64) -> (i64, i64, i64) {
    let from_march_of_0 = day.saturating_add(719_468);
    let (era, day) = (from_march_of_0.div_euclid(146_097), from_march_of_0.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + 400 * era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(pages: &[&str], detailed: bool) -> Option<String> {
        let mut lines = Lines { detailed, ..Lines::default() };
        for page in pages {
            lines.add(json::read(page.as_bytes())?);
        }
        Some(lines.finish())
    }

    #[test]
    fn an_event_is_a_line_with_its_texts_below() {
        let first = r#"{"clock":{"utc":0,"local":[{"country":"FRA","region":0,"offset":60,"change":1774746000,
            "next_offset":120}]},"channels":[{"number":7,"name":"Télé\u001b[2J","id":"1-2-3","time":1,"events":[
            {"id":1,"start":1767222000,"duration":5400,"title":"Le journal","text":"a b","extended":"",
             "content":[{"level_1":2,"level_2":0,"name":"news"},{"level_1":15,"level_2":0,"name":null}],
             "ratings":[{"country":"FRA","value":9,"age":12}],"running":null,"scrambled":false}]}],"next":"7-1-1"}"#;
        let second = r#"{"clock":null,"channels":[{"number":7,"name":"x","events":[
            {"start":1774746000,"duration":60,"title":"中央"}]}],"next":null}"#;
        let expected = "Times are those of FRA.\n\n7  Télé[2J\n  2026-01-01 00:00-01:30  Le journal (news, 12+)\n      a b\n  2026-03-29 03:00-03:01  中央\n";
        assert_eq!(printed(&[first, second], true).unwrap(), expected);
        assert_eq!(printed(&[first, second], false).unwrap(), expected.replace("      a b\n", ""));
        let none = r#"{"clock":null,"channels":[],"next":null}"#;
        assert_eq!(printed(&[none], false).unwrap(), "The box has no guide yet.\n");
        assert_eq!(printed(&[r#"{"channels":[]}"#, "[]"], false), None);
    }

    #[test]
    fn days_have_dates() {
        for (day, is) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (24_855, (2038, 1, 19)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(day), is, "{day}");
        }
        assert_eq!((time(-60), time(86_399)), ("23:59".into(), "23:59".into()));
    }

    #[test]
    fn long_texts_are_wrapped_at_words() {
        let mut out = String::new();
        wrap(&"word ".repeat(30), &mut out);
        assert!(out.lines().all(|line| line.len() <= LINE + 6 && line.starts_with("      word")), "{out}");
        assert_eq!(out.split_whitespace().count(), 30);
    }

    proptest::proptest! {
        #[test]
        fn any_guide_is_survived(text in "\\PC{0,30}", start: u64, duration: u64, offset: i16) {
            let page = format!(
                "{{\"clock\":{{\"local\":[{{\"country\":\"A\",\"offset\":{offset}}}]}},\"channels\":[{{\"number\":1,\
                 \"name\":\"{text}\",\"events\":[{{\"start\":{start},\"duration\":{duration},\"title\":\"{text}\"}}]}}]}}"
            );
            let _ = printed(&[&page], true);
        }
    }
}
