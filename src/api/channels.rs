//! `GET /api/v1/channels[?all=1]`: the channels that the caller may watch and that can be watched now, be it after a
//! tuner is tuned (`tuner`) or the television was asked (`ask`); with `all`, the others too.

use std::io;

use embedded_io_async::{Read, Write};
use heapless::String;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::visit::{Visit, refuse};
use super::{Logos, SetTopBox};
use crate::access::Caller;
use crate::channel::{Available, Entry};
use crate::guide::{Epg, Listed};
use crate::http::Exchange;
use crate::http::request::encode;
use crate::sys::clock;
use crate::ts::eit::Facts;
use crate::ts::event::{Event, Title};
use crate::ts::service_info::{Name, ServiceTriple};

/// A channel as the list shows it.
#[derive(Serialize)]
pub struct ChannelView<'a> {
    number: u16,
    name: &'a str,
    provider: &'a str,
    kind: &'a str,
    id: String<20>,
    scrambled: bool,
    components: Components<'a>,
    groups: Groups<'a>,
    available: &'a str,
    /// What is on is locked for who asks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    rate: Option<u32>,
    stream: String<256>,
    bouquets: Bouquets<'a>,
    now: Option<EventView>,
    next: Option<EventView>,
    logo: Option<String<32>>,
}

/// An event of the guide: its times are seconds, and since 1970-01-01 UTC.
#[derive(Hash, Serialize)]
pub(super) struct EventView {
    title: Title,
    start: u64,
    duration: u64,
}

/// The names of the bouquets it is in.
struct Bouquets<'a>(&'a Epg, ServiceTriple);
/// The names of the groups that imported lists put it in.
struct Groups<'a>(&'a [Name]);

/// The components as `{pid, codec, language}`.
struct Components<'a>(&'a Entry);

#[derive(Serialize)]
struct ComponentView<'a> {
    pid: u16,
    codec: &'a str,
    language: Option<&'a str>,
}

/// `onid-tsid-sid`.
pub(super) fn triple(entry: &Entry) -> String<20> {
    let s = entry.service;
    let text = format!("{}-{}-{}", s.original_network_id, s.transport_stream_id, s.service_id);
    String::try_from(text.as_str()).unwrap_or_default() // three numbers of five digits fit
}

/// The path of a channel's stream, its name with it.
#[must_use]
pub fn stream_path(entry: &Entry) -> String<256> {
    let mut path = String::new();
    let mut push = |c| {
        let _fits = path.push(c); // 64 bytes of name are at most 192 characters
    };
    "/live/".chars().for_each(&mut push);
    entry.number.to_string().chars().for_each(&mut push);
    ".ts?name=".chars().for_each(&mut push);
    encode(entry.name.as_str(), &mut push);
    path
}

impl<'a> ChannelView<'a> {
    /// How `entry` is shown.
    #[must_use]
    pub fn of(entry: &'a Entry, groups: &'a [Name], available: Available, epg: &'a Epg) -> Self {
        let [now, next] = now_and_next(entry, epg);
        Self {
            number: entry.number,
            name: entry.name.as_str(),
            provider: entry.provider.as_str(),
            kind: entry.kind.name(),
            id: triple(entry),
            scrambled: entry.scrambled,
            components: Components(entry),
            groups: Groups(groups),
            available: available.name(),
            locked: false,
            rate: entry.rate,
            stream: stream_path(entry),
            bouquets: Bouquets(epg, entry.service),
            now,
            next,
            logo: None,
        }
    }

    /// With the path of its picture, where it has one.
    #[must_use]
    pub fn with_logo(self, logos: &Logos) -> Self {
        Self { logo: logos.path(self.number), ..self }
    }
}

/// What is on: as the service's mux told last, and where that is long ago, as its schedule has it.
pub(super) fn now_and_next(entry: &Entry, epg: &Epg) -> [Option<EventView>; 2] {
    let boot = clock::boot();
    let told = entry.guide.at(boot).map(|event| event.map(EventView::of));
    let Some(time) = entry.guide.time.map(|time| time.at(boot)).filter(|_| told.iter().any(Option::is_none))
    else {
        return told;
    };
    let scheduled = |wanted: &dyn Fn(&Facts) -> bool| {
        epg.events(entry.service)
            .find(|event| wanted(event.facts()))
            .map(|event| EventView::scheduled(&event))
    };
    let on = |at| scheduled(&|e| u64::from(e.start) <= at && at < e.end());
    let behind = |at| scheduled(&|e| u64::from(e.start) >= at);
    filled(told, time, on, behind)
}

/// What was told, with what it lacks at `time`: the event that is `on`, the first that begins at or `behind` a time.
fn filled(
    [present, following]: [Option<EventView>; 2],
    time: u64,
    on: impl Fn(u64) -> Option<EventView>,
    behind: impl Fn(u64) -> Option<EventView>,
) -> [Option<EventView>; 2] {
    let present = present.or_else(|| on(time));
    let end = present.as_ref().map_or(time, |event| event.start + event.duration);
    // What was told to follow may be what is on by now.
    let following = following.filter(|event| event.start > time).or_else(|| behind(end.max(time)));
    [present, following]
}

impl EventView {
    fn of(event: &Event) -> Self {
        Self { title: event.title.clone(), start: event.start, duration: event.duration.as_secs() }
    }

    fn scheduled(event: &Listed<'_>) -> Self {
        let facts = event.facts();
        let title = Title::new(event.title().as_str());
        Self { title, start: facts.start.into(), duration: facts.duration.into() }
    }
}

impl Serialize for Bouquets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(epg, service) = self;
        let mut list = serializer.serialize_seq(Some(epg.bouquets(*service).count()))?;
        epg.bouquets(*service).try_for_each(|name| list.serialize_element(name))?;
        list.end()
    }
}

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Name::as_str))
    }
}

impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.components.len()))?;
        for c in &self.0.components {
            let language = c.language.as_ref().map(|l| l.as_str());
            list.serialize_element(&ComponentView { pid: c.pid, codec: c.codec.name(), language })?;
        }
        list.end()
    }
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
    let all = visit.request.parameter::<4>("all").as_deref() == Some("1");
    let mut body = exchange.stream("application/json").await?;
    body.write(b"{\"channels\":[").await?;
    let mut index = 0;
    let mut first = true;
    // One entry at a time: nothing is borrowed while the terminal takes its time.
    while let Some(json) = stb.channel_json(index, all, &caller) {
        if !json.is_empty() {
            body.write(if first { b"" } else { b"," }).await?;
            body.write(&json).await?;
            first = false;
        }
        index += 1;
    }
    body.write(b"]}").await?;
    body.finish().await
}

impl SetTopBox {
    /// Entry `index` as JSON; empty where it is not to be shown, `None` behind the last.
    fn channel_json(&self, index: usize, all: bool, caller: &Caller) -> Option<Vec<u8>> {
        let channels = self.channels.borrow();
        let entry = channels.get(index)?;
        let available = channels.availability(entry, &self.tuners.borrow(), self.take_over.can_ask());
        let guide = self.guide.borrow();
        if !caller.sees(entry.number) || (!all && available == Available::No) {
            return Some(Vec::new());
        }
        let mut json = vec![0; 4096];
        let view = ChannelView::of(entry, channels.groups(entry), available, &guide).with_logo(&self.logos);
        let view = ChannelView { locked: self.is_locked(caller.holder(), entry.service), ..view };
        let length = serde_json_core::to_slice(&view, &mut json).unwrap_or(0);
        json.truncate(length);
        Some(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_long_ago_is_filled_from_the_schedule() {
        let event = |start| EventView { title: Title::new("x"), start, duration: 100 };
        let schedule = [1000, 1100, 1200, 1300];
        let on = |at: u64| schedule.into_iter().find(|s| (*s..*s + 100).contains(&at)).map(event);
        let behind = |at| schedule.into_iter().find(|s| *s >= at).map(event);
        let starts = |told: [Option<u64>; 2], time| {
            filled(told.map(|e| e.map(event)), time, on, behind).map(|e| e.map(|e| e.start))
        };
        assert_eq!(starts([None, None], 1050), [Some(1000), Some(1100)]);
        assert_eq!(starts([Some(1000), None], 1050), [Some(1000), Some(1100)]);
        assert_eq!(starts([None, Some(1110)], 1050), [Some(1000), Some(1110)], "the mux knows better");
        assert_eq!(
            starts([None, Some(1100)], 1150),
            [Some(1100), Some(1200)],
            "it has begun, and follows no more"
        );
        assert_eq!(starts([None, None], 1350), [Some(1300), None]);
        assert_eq!(starts([None, None], 900), [None, Some(1000)]);
    }
}
