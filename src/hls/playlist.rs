//! The text of playlists (RFC 8216 §4).

use std::fmt::Write as _;
use std::time::Duration;

use crate::service::Segment;

/// Above the highest rate seen, since a higher one may come (RFC 8216 §4.3.4.2): a quarter.
const HEADROOM: u64 = 4;

/// One variant. What it is coded by is left for players to see: a PMT does not tell profiles and levels.
pub(super) fn index(id: u32, rate: u64, query: &str) -> String {
    let rate = rate + rate / HEADROOM;
    format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH={rate}\n/hls/{id}.m3u8{query}\n")
}

/// The pieces `listed` by session `id`, whose target duration is `target`, and whose times are told where `epoch`, the
/// time since 1970 at which the boot clock was zero, is known. Nothing is said to be independent (RFC 8216 §4.3.5.1):
/// broadcasts have open GOPs, and sound straddles every cut.
pub(super) fn media<'s>(
    mut listed: std::iter::Peekable<impl Iterator<Item = &'s Segment>>,
    (id, target, epoch): (u32, Duration, Option<Duration>),
    ended: bool,
    query: &str,
) -> String {
    let (sequence, breaks) = listed.peek().map_or((0, 0), |s| (s.number, s.breaks_before));
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:{breaks}\n",
        target.as_secs()
    );
    for segment in listed {
        if segment.is_break {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(epoch) = epoch {
            say_time(&mut text, epoch + segment.at);
        }
        let (seconds, micros) = (segment.duration.as_secs(), segment.duration.subsec_micros());
        let number = segment.number;
        let written = write!(text, "#EXTINF:{seconds}.{micros:06},\n{id}-{number}.ts{query}\n");
        debug_assert!(written.is_ok(), "a String takes all");
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

/// A time since 1970 as ISO 8601 has it, in milliseconds (RFC 8216 §4.3.2.6).
fn say_time(text: &mut String, time: Duration) {
    let (days, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millis = time.subsec_millis();
    let written = writeln!(
        text,
        "#EXT-X-PROGRAM-DATE-TIME:{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    );
    debug_assert!(written.is_ok(), "a String takes all");
}

/// Year, month and day, so many days behind 1970-01-01. Years begin in March here, so that the day of leap years is
/// their last.
const fn date(days: u64) -> (u64, u64, u64) {
    const OF_400_YEARS: u64 = 146_097;
    let since = days + 719_468; // 0000-03-01
    let (cycle, day) = (since / OF_400_YEARS, since % OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (cycle * 400 + year, if month < 10 { month + 3 } else { month - 9 });
    (if month <= 2 { year + 1 } else { year }, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_780, (2026, 11, 23)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
        let mut text = String::new();
        say_time(&mut text, Duration::from_millis(1_795_435_688_042));
        assert_eq!(text, "#EXT-X-PROGRAM-DATE-TIME:2026-11-23T12:08:08.042Z\n");
    }
}
