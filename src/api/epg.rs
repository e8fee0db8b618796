//! `GET /api/v1/epg?t=…[&channel=N][&from=S][&until=S][&after=…]`: the guide of all channels, or of one.
//!
//! Times are seconds since 1970-01-01 UTC. Without `from` a channel's events begin with what is on by the time of its
//! mux. An answer has a page of events; where there are more, `next` is what to ask for as `after`.

use std::io;

use embedded_io_async::{Read, Write};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::SetTopBox;
use super::channels::triple;
use super::visit::{Visit, refuse};
use crate::access::Caller;
use crate::channel::Entry;
use crate::guide::{Clock, Listed};
use crate::http::{Exchange, Request, Status};
use crate::sys::clock;
use crate::text::CleanText;
use crate::ts::eit::{EXTENDED, Facts, SHORT, TITLE, content_name};
use crate::ts::time::LocalTimes;

/// Bytes of events in one answer, at most one event more.
const PAGE: usize = 256 * 1024;
/// Bytes of events that are gathered before the thread is given to others.
const PART: usize = 8 * 1024;
/// Bytes of the longest event: all its texts, each byte of them escaped.
const LONGEST: usize = 2 * (TITLE + SHORT + EXTENDED) + 1024;

/// What is asked for.
struct Wanted {
    channel: Option<u16>,
    from: Option<u64>,
    until: Option<u64>,
    after: Option<Mark>,
}

/// An event behind which a page ended: the channel's number, its start, its id.
#[derive(Clone, Copy)]
struct Mark {
    number: u16,
    event: (u32, u16),
}

/// How far an answer is.
struct Page {
    /// The channel under way, or the lowest that can come next.
    number: u16,
    /// The last event of it that was written.
    after: Option<(u32, u16)>,
    /// The channel's list was begun.
    open: bool,
    /// Nothing stands before the next channel, or the next event.
    first: bool,
    first_event: bool,
    bytes: usize,
    next: Option<Mark>,
    done: bool,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, Caller::may_list) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let wanted = match stb.wanted(&visit.request) {
        Ok(wanted) => wanted,
        Err((status, sentence)) => return exchange.refuse(status, &sentence).await,
    };
    if let Err(why) = wanted.channel.map_or(Ok(()), |number| caller.may_see(number)) {
        return refuse(stb, exchange, &why).await;
    }
    let mut body = exchange.stream("application/json").await?;
    body.write(&stb.clock_json()).await?;
    let mut page = Page::new(&wanted);
    while let Some(part) = stb.epg_part(&caller, &wanted, &mut page) {
        body.write(&part).await?;
        // A guide is long and a socket takes much of it at once: streams have their tick in between.
        smol::future::yield_now().await;
    }
    let next =
        page.next.map_or_else(|| "null".into(), |m| format!("\"{}-{}-{}\"", m.number, m.event.0, m.event.1));
    body.write(format!("],\"next\":{next}}}").as_bytes()).await?;
    body.finish().await
}

impl SetTopBox {
    /// Reads what is asked for; the error is for who asks.
    fn wanted(&self, request: &Request<'_>) -> Result<Wanted, (Status, String)> {
        let bad = |why: &str| (Status::BadRequest, why.to_owned());
        let given =
            |name| request.has_parameter(name).then(|| request.parameter::<32>(name).unwrap_or_default());
        let time = |name| {
            let why = || bad(&format!("{name} is a time in seconds since 1970-01-01 UTC"));
            given(name).map(|text| digits(&text).ok_or_else(why)).transpose()
        };
        let (from, until) = (time("from")?, time("until")?);
        if from.zip(until).is_some_and(|(from, until)| until < from) {
            return Err(bad("until is before from"));
        }
        let channel = self.wanted_channel(request)?;
        let after = given("after")
            .map(|text| Mark::parse(&text).ok_or_else(|| bad("after is the next of an answer")));
        Ok(Wanted { channel, from, until, after: after.transpose()? })
    }

    /// The channel that a guide is asked for, where it is one; the error is for who asks.
    pub(super) fn wanted_channel(&self, request: &Request<'_>) -> Result<Option<u16>, (Status, String)> {
        if !request.has_parameter("channel") {
            return Ok(None);
        }
        let number = request.parameter::<8>("channel").and_then(|text| digits(&text)).filter(|n| *n > 0);
        match number {
            None => Err((Status::BadRequest, "channel is a number from 1 to 65535".into())),
            Some(number) if self.channels.borrow().find(number).is_none() => {
                Err((Status::NotFound, format!("there is no channel {number}")))
            }
            found => Ok(found),
        }
    }

    /// The beginning of an answer, with the clock of the broadcast.
    fn clock_json(&self) -> Vec<u8> {
        let mut json = vec![0; 4096];
        let length = match self.guide.borrow().clock() {
            Some(clock) => serde_json_core::to_slice(&ClockView::of(clock), &mut json).unwrap_or(0),
            None => 0,
        };
        json.truncate(length);
        let clock = if json.is_empty() { b"null".to_vec() } else { json };
        [b"{\"clock\":", &clock[..], b",\"channels\":["].concat()
    }

    /// The next part of an answer; `None` behind the last.
    fn epg_part(&self, caller: &Caller, wanted: &Wanted, page: &mut Page) -> Option<Vec<u8>> {
        if page.done {
            return None;
        }
        let (channels, guide) = (self.channels.borrow(), self.guide.borrow());
        let mut out = Vec::with_capacity(PART + LONGEST);
        let lowest = page.number;
        let entries = (0..channels.len())
            .filter_map(|i| channels.get(i))
            .filter(|e| e.number >= lowest && caller.sees(e.number));
        for entry in entries.filter(|e| wanted.channel.is_none_or(|number| number == e.number)) {
            if entry.number != page.number {
                page.close(&mut out);
                (page.number, page.after) = (entry.number, None);
            }
            let from =
                wanted.from.or_else(|| entry.guide.time.map(|time| time.at(clock::boot()))).unwrap_or(0);
            for event in guide.events(entry.service) {
                let key = (event.facts().start, event.facts().id);
                if page.after.is_some_and(|after| key <= after)
                    || !is_within(event.facts(), from, wanted.until)
                {
                    continue;
                }
                if page.bytes >= PAGE {
                    page.next = Some(Mark { number: entry.number, event: page.after.unwrap_or_default() });
                    page.end(&mut out);
                    return Some(out);
                }
                if out.len() >= PART {
                    return Some(out);
                }
                page.write(&mut out, entry, &event);
                page.after = Some(key);
            }
            if wanted.channel.is_some() {
                page.open(&mut out, entry); // also where it has no events
            }
        }
        page.end(&mut out);
        Some(out)
    }
}

impl Page {
    fn new(wanted: &Wanted) -> Self {
        let (number, after) = wanted.after.map_or((0, None), |mark| (mark.number, Some(mark.event)));
        let (first, first_event) = (true, true);
        Self { number, after, open: false, first, first_event, bytes: 0, next: None, done: false }
    }

    /// Begins the list of a channel, unless that was done.
    fn open(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        if self.open {
            return;
        }
        let mut json = [0; 512];
        let view = ChannelView {
            number: entry.number,
            name: entry.name.as_str(),
            id: &triple(entry),
            time: entry.guide.time.map(|time| time.at(clock::boot())),
        };
        let length = serde_json_core::to_slice(&view, &mut json).unwrap_or(0);
        out.extend_from_slice(if self.first { b"" } else { b"," });
        // The object goes on with its events.
        out.extend_from_slice(&json[..length.saturating_sub(1)]);
        out.extend_from_slice(b",\"events\":[");
        (self.open, self.first, self.first_event) = (true, false, true);
    }

    fn write(&mut self, out: &mut Vec<u8>, entry: &Entry, event: &Listed<'_>) {
        self.open(out, entry);
        let before = out.len();
        if !self.first_event {
            out.push(b',');
        }
        let at = out.len();
        out.resize(at + LONGEST, 0);
        let length = serde_json_core::to_slice(&EventView::of(event), &mut out[at..]).unwrap_or(0);
        debug_assert!(length > 0, "an event fits");
        out.truncate(if length > 0 { at + length } else { before });
        self.first_event &= length == 0;
        self.bytes += out.len() - before;
    }

    /// Ends the list of the channel under way.
    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) {
            out.extend_from_slice(b"]}");
        }
    }

    /// Ends the page.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        self.done = true;
    }
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mark =
            Self { number: digits(parts.next()?)?, event: (digits(parts.next()?)?, digits(parts.next()?)?) };
        parts.next().is_none().then_some(mark)
    }
}

/// The event is on, or comes, between the two.
pub(super) fn is_within(facts: &Facts, from: u64, until: Option<u64>) -> bool {
    facts.end().max(u64::from(facts.start) + 1) > from
        && until.is_none_or(|until| u64::from(facts.start) < until)
}

/// A number of digits alone.
pub(super) fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The clock of the broadcast: to be shown, not to be trusted.
#[derive(Serialize)]
struct ClockView<'a> {
    utc: u64,
    local: LocalTimesView<'a>,
}

struct LocalTimesView<'a>(&'a LocalTimes);

/// Offsets are minutes ahead of UTC.
#[derive(Serialize)]
struct LocalTimeView<'a> {
    country: &'a str,
    region: u8,
    offset: i16,
    change: Option<u64>,
    next_offset: Option<i16>,
}

#[derive(Serialize)]
struct ChannelView<'a> {
    number: u16,
    name: &'a str,
    id: &'a str,
    /// The time of its mux.
    time: Option<u64>,
}

#[derive(Serialize)]
struct EventView<'a> {
    id: u16,
    start: u32,
    duration: u32,
    title: CleanText<TITLE>,
    text: CleanText<SHORT>,
    extended: CleanText<EXTENDED>,
    language: Option<&'a str>,
    content: ContentView<'a>,
    ratings: RatingsView<'a>,
    running: Option<&'static str>,
    scrambled: bool,
}

struct ContentView<'a>(&'a Facts);
struct RatingsView<'a>(&'a Facts);

/// What an event is about: the two nibbles of EN 300 468 table 29, and the name of the first.
#[derive(Serialize)]
struct ContentOf {
    level_1: u8,
    level_2: u8,
    name: Option<&'static str>,
}

/// For whom it is: the value as sent, and the age that it stands for.
#[derive(Serialize)]
struct RatingOf<'a> {
    country: &'a str,
    value: u8,
    age: Option<u8>,
}

impl<'a> ClockView<'a> {
    fn of(clock: &'a Clock) -> Self {
        Self { utc: clock.time.at(clock::boot()), local: LocalTimesView(&clock.local) }
    }
}

impl<'a> EventView<'a> {
    fn of(event: &'a Listed<'_>) -> Self {
        let facts = event.facts();
        Self {
            id: facts.id,
            start: facts.start,
            duration: facts.duration,
            title: event.title(),
            text: event.short(),
            extended: event.extended(),
            language: facts.language.as_ref().map(|language| language.as_str()),
            content: ContentView(facts),
            ratings: RatingsView(facts),
            running: facts.running.name(),
            scrambled: facts.scrambled,
        }
    }
}

impl Serialize for LocalTimesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for zone in self.0 {
            list.serialize_element(&LocalTimeView {
                country: zone.country.as_str(),
                region: zone.region,
                offset: zone.offset,
                change: zone.change.map(|(at, _)| at),
                next_offset: zone.change.map(|(_, offset)| offset),
            })?;
        }
        list.end()
    }
}

impl Serialize for ContentView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.content.len()))?;
        for content in &self.0.content {
            let name = content_name(*content);
            list.serialize_element(&ContentOf { level_1: content >> 4, level_2: content & 0x0f, name })?;
        }
        list.end()
    }
}

impl Serialize for RatingsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.ratings.len()))?;
        for rating in &self.0.ratings {
            let country = rating.country.as_str();
            list.serialize_element(&RatingOf { country, value: rating.value, age: rating.age() })?;
        }
        list.end()
    }
}
