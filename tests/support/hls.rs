//! A judge of playlists by RFC 8216; each fault names the clause that it breaks. Knows the tags that a live stream without
//! encryption and renditions has; another is a fault.

use super::http::{Client, Reply, get, split};

/// One media segment of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub uri: String,
    /// In microseconds.
    pub duration: u64,
    pub discontinuity: bool,
    pub date_time: Option<String>,
}

/// A media playlist.
#[derive(Clone, Debug, Default)]
pub struct Media {
    pub version: u64,
    /// In seconds.
    pub target: u64,
    pub sequence: u64,
    pub discontinuities: u64,
    pub segments: Vec<Segment>,
    pub ended: bool,
}

impl Media {
    /// In microseconds.
    pub fn duration(&self) -> u64 {
        self.segments.iter().map(|s| s.duration).sum()
    }

    /// The sequence number behind the last segment's.
    pub fn next(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }

    fn at(&self, number: u64) -> Option<&Segment> {
        self.segments.get(usize::try_from(number.checked_sub(self.sequence)?).ok()?)
    }
}

/// The variant of a multivariant playlist with one: its bandwidth and URI.
pub fn index(text: &str) -> Result<(u64, String), String> {
    let lines = lines(text)?;
    let [version, variant, uri] = lines[..] else {
        return Err(format!("§4.3.4.2: one variant, not {lines:?}"));
    };
    if version != "#EXT-X-VERSION:3" {
        return Err(format!("§4.3.1.2: {version}"));
    }
    let attributes = variant.strip_prefix("#EXT-X-STREAM-INF:").ok_or("§4.3.4.2: no EXT-X-STREAM-INF")?;
    let bandwidth = attributes.split(',').find_map(|a| a.strip_prefix("BANDWIDTH="));
    let bandwidth = bandwidth.ok_or("§4.3.4.2: every EXT-X-STREAM-INF MUST include BANDWIDTH")?;
    if uri.starts_with('#') {
        return Err("§4.3.4.2: the URI line MUST follow".into());
    }
    Ok((whole(bandwidth, "§4.2")?, uri.into()))
}

/// Reads a media playlist.
pub fn media(text: &str) -> Result<Media, String> {
    let mut list = Media::default();
    let (mut seen, mut duration, mut discontinuity, mut date_time) = (Vec::new(), None, false, None);
    for line in lines(text)? {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        let is_one_of_all = !["#EXTINF", "#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME"].contains(&tag);
        if line.starts_with('#') && is_one_of_all {
            if seen.contains(&tag) {
                return Err(format!("§4.3.3: more than one {tag}"));
            }
            seen.push(tag);
        }
        let began = !list.segments.is_empty() || duration.is_some() || discontinuity;
        match tag {
            "#EXT-X-VERSION" => list.version = whole(value, "§4.3.1.2")?,
            "#EXT-X-TARGETDURATION" => list.target = whole(value, "§4.3.3.1")?,
            "#EXT-X-MEDIA-SEQUENCE" if began => return Err("§4.3.3.2: behind the first segment".into()),
            "#EXT-X-MEDIA-SEQUENCE" => list.sequence = whole(value, "§4.3.3.2")?,
            "#EXT-X-DISCONTINUITY-SEQUENCE" if began => return Err("§4.3.3.3: behind a segment".into()),
            "#EXT-X-DISCONTINUITY-SEQUENCE" => list.discontinuities = whole(value, "§4.3.3.3")?,
            "#EXT-X-DISCONTINUITY" => discontinuity = true,
            "#EXT-X-PROGRAM-DATE-TIME" => date_time = Some(date(value)?),
            "#EXT-X-ENDLIST" => list.ended = true,
            "#EXTINF" => duration = Some(micros(value)?),
            _ if line.starts_with('#') => return Err(format!("a tag that nobody needs: {line}")),
            uri => {
                let duration = duration.take().ok_or("§4.3.2.1: EXTINF is REQUIRED for each segment")?;
                let (discontinuity, date_time) = (std::mem::take(&mut discontinuity), date_time.take());
                list.segments.push(Segment { uri: uri.into(), duration, discontinuity, date_time });
            }
        }
    }
    if !seen.contains(&"#EXT-X-TARGETDURATION") {
        return Err("§4.3.3.1: EXT-X-TARGETDURATION is REQUIRED".into());
    }
    if list.version < 3 {
        return Err("§7: durations with a point need version 3".into());
    }
    if duration.is_some() || discontinuity || date_time.is_some() {
        return Err("§4.3.2: a tag of a segment without its URI".into());
    }
    if let Some(long) = list.segments.iter().find(|s| (s.duration + 500_000) / 1_000_000 > list.target) {
        return Err(format!("§4.3.3.1: {long:?} is longer than {} s", list.target));
    }
    Ok(list)
}

/// Whether `after` can be the same playlist as `before`, loaded again.
pub fn follows(before: &Media, after: &Media) -> Result<(), String> {
    if (before.target, before.version) != (after.target, after.version) {
        return Err("§6.2.1: target duration and version MUST NOT change".into());
    }
    if after.sequence < before.sequence || after.next() < before.next() {
        return Err(format!("§6.2.1: {}.. came behind {}..", after.sequence, before.sequence));
    }
    if before.ended && (!after.ended || after.next() != before.next()) {
        return Err("§6.2.1: what has EXT-X-ENDLIST does not change".into());
    }
    for number in after.sequence..before.next() {
        if before.at(number) != after.at(number) {
            return Err(format!("§6.2.1: {:?} became {:?}", before.at(number), after.at(number)));
        }
    }
    if after.sequence > before.sequence && after.duration() < 3 * after.target * 1_000_000 {
        return Err(format!("§6.2.2: removed, and only {} us are left", after.duration()));
    }
    let removed = |number| before.at(number).is_some_and(|s: &Segment| s.discontinuity);
    let removed = (before.sequence..after.sequence).filter(|n| removed(*n)).count() as u64;
    // Those that came and went between the two looks cannot be counted.
    if after.discontinuities < before.discontinuities + removed
        || (after.sequence <= before.next() && after.discontinuities != before.discontinuities + removed)
    {
        return Err(format!("§6.2.2: {removed} discontinuities were removed, not {}", after.discontinuities));
    }
    Ok(())
}

/// A piece whose bytes are all there, with its head.
pub fn fetch(url: &str) -> Reply {
    let (address, path) = split(url);
    let mut client = Client::connect(address);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
    let mut reply = client.head();
    if reply.field("content-type") != Some("video/mp2t") {
        return get(url);
    }
    reply.body = client.receive_all();
    let length = reply.field("content-length").and_then(|l| l.parse().ok());
    assert_eq!(length, Some(reply.body.len()), "{url} is cut");
    reply
}

fn lines(text: &str) -> Result<Vec<&str>, String> {
    if text.chars().any(|c| c.is_control() && c != '\n') || text.starts_with('\u{feff}') {
        return Err("§4.1: no control characters but line ends, no BOM".into());
    }
    let mut lines = text.lines();
    match lines.next() {
        Some("#EXTM3U") => Ok(lines.filter(|line| !line.is_empty()).collect()),
        other => Err(format!("§4.3.1.1: the first line MUST be #EXTM3U, not {other:?}")),
    }
}

fn whole(value: &str, clause: &str) -> Result<u64, String> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| format!("{clause}: '{value}' is no decimal integer"))
}

fn micros(value: &str) -> Result<u64, String> {
    let wrong = || format!("§4.3.2.1: '{value}'");
    let number = value.split_once(',').ok_or_else(wrong)?.0;
    let (seconds, places) = number.split_once('.').unwrap_or((number, "0"));
    let places = format!("{places:0<6}");
    Ok(whole(seconds, "§4.3.2.1")? * 1_000_000 + whole(&places[..6], "§4.3.2.1")?)
}

/// As `2010-02-19T14:54:23.031Z`.
fn date(value: &str) -> Result<String, String> {
    let form: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match form.as_str() {
        "0000-00-00T00:00:00.000Z" => Ok(value.into()),
        _ => Err(format!("§4.3.2.6: '{value}' has no date, time and zone")),
    }
}
