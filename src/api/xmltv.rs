//! `GET /xmltv.xml?t=…[&channel=N][&days=D]`: the guide for players, as XMLTV has it: from what is on by the time of
//! each channel's mux, for so many days. Its ids of channels are those of the playlist.

use std::fmt::Write as _;
use std::io;

use embedded_io_async::{Read, Write};

use super::SetTopBox;
use super::epg::{digits, is_within};
use super::visit::{Visit, refuse};
use crate::access::Caller;
use crate::channel::Entry;
use crate::guide::{Epg, Listed};
use crate::http::gzip::Coder;
use crate::http::{Body, Exchange, Method, Request, Status};
use crate::sys::clock;
use crate::ts::eit::content_name;
use crate::ts::service_info::ServiceTriple;

/// Bytes that are gathered before the thread is given to others.
const PART: usize = 8 * 1024;
const DAY: u64 = 86_400;
/// More than any schedule has (EN 300 468 §5.2.4: sixteen tables of four days).
const DAYS_MAX: u64 = 64;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE tv SYSTEM \"xmltv.dtd\">\n\
                    <tv generator-info-name=\"stbcast\">\n";

/// What XMLTV and playlists call a channel: the numbers of its service, as in `dvb://` locators, since ids are to look
/// like names of domains. Two channels of one service share its guide.
pub(super) fn channel_id(service: ServiceTriple) -> String {
    format!("{}.{}.{}", service.original_network_id, service.transport_stream_id, service.service_id)
}

/// What is asked for.
struct Wanted {
    channel: Option<u16>,
    days: Option<u64>,
}

/// How far an answer is.
#[derive(Default)]
struct Progress {
    /// The channels that have events, each service once.
    listed: Vec<(u16, ServiceTriple)>,
    /// The next of the channel table, then of those.
    index: usize,
    /// The event of it that was written last.
    after: Option<(u32, u16)>,
}

/// A body, as it is or coded.
struct Out<'c, S> {
    body: Body<'c, S>,
    coder: Option<Coder>,
}

impl<S: Read<Error = io::Error> + Write<Error = io::Error>> Out<'_, S> {
    async fn write(&mut self, text: &str) -> io::Result<()> {
        let bytes = text.as_bytes();
        self.body.write(self.coder.as_mut().map_or(bytes, |coder| coder.push(bytes))).await
    }

    async fn finish(mut self) -> io::Result<bool> {
        if let Some(coder) = self.coder {
            self.body.write(&coder.finish()).await?;
        }
        self.body.finish().await
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
    let wanted = match stb.wanted_guide(&visit.request) {
        Ok(wanted) => wanted,
        Err((status, sentence)) => return exchange.refuse(status, &sentence).await,
    };
    if let Err(why) = wanted.channel.map_or(Ok(()), |number| caller.may_see(number)) {
        return refuse(stb, exchange, &why).await;
    }
    let coder = visit.request.said.accepts_gzip.then(|| stb.gzip.coder()).flatten();
    exchange.add("Vary", format_args!("Accept-Encoding"));
    if coder.is_some() {
        exchange.add("Content-Encoding", format_args!("gzip"));
    }
    let body = exchange.stream("application/xml; charset=utf-8").await?;
    if visit.request.method == Method::Head {
        return body.finish().await;
    }
    let mut out = Out { body, coder };
    out.write(HEAD).await?;
    let mut progress = Progress::default();
    while let Some(part) = stb.xmltv_channels(&caller, &wanted, &mut progress) {
        out.write(&part).await?;
    }
    progress.index = 0;
    while let Some(part) = stb.xmltv_programmes(&wanted, &mut progress) {
        out.write(&part).await?;
        // A guide is long and a socket takes much of it at once: streams have their tick in between.
        smol::future::yield_now().await;
    }
    out.write("</tv>\n").await?;
    out.finish().await
}

impl SetTopBox {
    fn wanted_guide(&self, request: &Request<'_>) -> Result<Wanted, (Status, String)> {
        let channel = self.wanted_channel(request)?;
        let days = request.has_parameter("days").then(|| {
            let days = request.parameter::<8>("days").and_then(|text| digits(&text));
            days.filter(|days| (1..=DAYS_MAX).contains(days))
                .ok_or_else(|| (Status::BadRequest, format!("days is a number from 1 to {DAYS_MAX}")))
        });
        Ok(Wanted { channel, days: days.transpose()? })
    }

    /// The next entry of the channel table; empty where it is not to be shown, `None` behind the last.
    fn xmltv_channels(&self, caller: &Caller, wanted: &Wanted, progress: &mut Progress) -> Option<String> {
        let (channels, guide) = (self.channels.borrow(), self.guide.borrow());
        let entry = channels.get(progress.index)?;
        progress.index += 1;
        let known = progress.listed.iter().any(|(_, service)| *service == entry.service);
        let is_wanted = wanted.channel.is_none_or(|number| number == entry.number);
        let mut out = String::new();
        // Programmes without a channel are an error, and so are channels without any (tv_validate_file).
        if is_wanted && !known && caller.sees(entry.number) && shown(entry, &guide, wanted).next().is_some() {
            progress.listed.push((entry.number, entry.service));
            let _infallible = write!(out, "<channel id=\"{}\">", channel_id(entry.service));
            element(&mut out, "display-name", "", entry.name.as_str());
            element(&mut out, "display-name", "", &entry.number.to_string());
            out.push_str("</channel>\n");
        }
        Some(out)
    }

    /// The next programmes; `None` behind the last.
    fn xmltv_programmes(&self, wanted: &Wanted, progress: &mut Progress) -> Option<String> {
        let (channels, guide) = (self.channels.borrow(), self.guide.borrow());
        let mut out = String::with_capacity(PART);
        while let Some((number, service)) = progress.listed.get(progress.index) {
            // Numbers and services may have changed since the list of channels was written.
            let entry = channels.find(*number).filter(|entry| entry.service == *service);
            for event in entry.into_iter().flat_map(|entry| shown(entry, &guide, wanted)) {
                let key = (event.facts().start, event.facts().id);
                if progress.after.is_some_and(|after| key <= after) {
                    continue;
                }
                if out.len() >= PART {
                    return Some(out);
                }
                programme(&mut out, *service, &event);
                progress.after = Some(key);
            }
            (progress.index, progress.after) = (progress.index + 1, None);
        }
        (!out.is_empty()).then_some(out)
    }
}

/// The events of a channel that are shown. XMLTV knows none without a title.
fn shown<'g>(entry: &Entry, guide: &'g Epg, wanted: &Wanted) -> impl Iterator<Item = Listed<'g>> + use<'g> {
    let now = entry.guide.time.or_else(|| guide.clock().map(|clock| clock.time)).map(|t| t.at(clock::boot()));
    let until = now.zip(wanted.days).map(|(now, days)| now + days * DAY);
    guide.events(entry.service).filter(move |event| {
        is_within(event.facts(), now.unwrap_or(0), until) && has_text(event.title().as_str())
    })
}

fn programme(out: &mut String, service: ServiceTriple, event: &Listed<'_>) {
    let facts = event.facts();
    let (start, stop) = (stamp(facts.start.into()), stamp(facts.end()));
    let _infallible =
        write!(out, "<programme start=\"{start}\" stop=\"{stop}\" channel=\"{}\">", channel_id(service));
    // Three letters of ASCII need no escape.
    let language =
        facts.language.as_ref().map(|code| format!(" lang=\"{}\"", code.as_str())).unwrap_or_default();
    element(out, "title", &language, event.title().as_str());
    let (short, extended) = (event.short(), event.extended());
    let (sub_title, description) =
        if extended.is_empty() { ("", short.as_str()) } else { (short.as_str(), extended.as_str()) };
    for (name, text) in [("sub-title", sub_title), ("desc", description)] {
        if has_text(text) {
            element(out, name, &language, text);
        }
    }
    facts.content.iter().filter_map(|content| content_name(*content)).for_each(|name| {
        element(out, "category", " lang=\"en\"", name);
    });
    for (rating, age) in facts.ratings.iter().filter_map(|rating| Some((rating, rating.age()?))) {
        let _infallible =
            write!(out, "<rating system=\"{}\"><value>{age}</value></rating>", rating.country.as_str());
    }
    out.push_str("</programme>\n");
}

/// XML 1.0 §2.2 has no other characters, beside those of control.
const fn is_xml(c: char) -> bool {
    !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn has_text(text: &str) -> bool {
    text.chars().any(is_xml)
}

/// An element of one text.
fn element(out: &mut String, name: &str, attributes: &str, text: &str) {
    let _infallible = write!(out, "<{name}{attributes}>");
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if is_xml(c) => out.push(c),
            _ => {}
        }
    }
    let _infallible = write!(out, "</{name}>");
}

/// Seconds since 1970-01-01 UTC as `YYYYMMDDhhmmss +0000`. Years begin in March here, so that a leap day is the last
/// of one; there are 146 097 days in 400 years.
fn stamp(seconds: u64) -> String {
    let (day, second) = (seconds / DAY + 719_468, seconds % DAY);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "19700101000000 +0000"),
            (951_868_799, "20000229235959 +0000"),
            (951_868_800, "20000301000000 +0000"),
            (1_767_225_599, "20251231235959 +0000"),
            (u64::from(u32::MAX), "21060207062815 +0000"),
        ] {
            assert_eq!(stamp(seconds), expected);
        }
    }

    #[test]
    fn text_is_escaped_and_what_xml_does_not_know_left_out() {
        let mut out = String::new();
        element(&mut out, "title", " lang=\"fra\"", "<a href='x'>&amp;\u{ffff} \"中\"");
        assert_eq!(out, "<title lang=\"fra\">&lt;a href='x'&gt;&amp;amp; \"中\"</title>");
    }
}
