//! The status as text of a width: bars, lamps, a line for each thing.

use std::fmt::Write;

use crate::local::protocol::Item;
use crate::status::{BoxView, MuxView, RingView, TunerView, ViewerView, ZapView};

/// Characters of a bar.
const BAR: usize = 20;

/// The status at one time.
#[derive(Default)]
pub(super) struct Picture {
    tuners: Vec<TunerView>,
    muxes: Vec<MuxView>,
    rings: Vec<RingView>,
    viewers: Vec<ViewerView>,
    zaps: Vec<ZapView>,
    whole: BoxView,
}

/// How it is to look.
pub(super) struct Look {
    /// Characters of a line at most.
    pub(super) width: u16,
    /// With a terminal's colours.
    pub(super) colours: bool,
}

impl Picture {
    pub(super) fn take(&mut self, item: Item) {
        match item {
            Item::Tuner(view) => self.tuners.push(view),
            Item::Mux(view) => self.muxes.push(view),
            Item::Ring(view) => self.rings.push(view),
            Item::Viewer(view) => self.viewers.push(view),
            Item::Zap(view) => self.zaps.push(view),
            Item::Box(view) => self.whole = view,
        }
    }

    /// As text; what was counted since `before` is marked.
    pub(super) fn text(&self, before: Option<&Self>, look: &Look) -> String {
        let mut page = Page { look, text: String::new() };
        self.head(&mut page);
        page.part("tuners", &self.tuners, |t| self.tuner(t));
        page.part("muxes (TR 101 290)", &self.muxes, |m| {
            mux(m, before.and_then(|b| b.muxes.iter().find(|b| b.mux == m.mux)), look)
        });
        page.part("rings", &self.rings, ring);
        page.part("viewers", &self.viewers, viewer);
        page.part("last zaps (ms)", &self.zaps, zap);
        page.text
    }

    fn head(&self, page: &mut Page<'_>) {
        let b = &self.whole;
        let (memory, rounds) = (&b.memory, &b.rounds);
        page.line(&format!(
            "stbcastd {} on board '{}', up {} s, {} watch, {} MB sent",
            b.version,
            b.board,
            b.uptime_s,
            b.watching,
            b.bytes_sent / 1_000_000
        ));
        let own = memory.pss_kib.map(|pss| pss.saturating_sub(memory.rings_kib.unwrap_or(0)));
        let part = |name: &str, kib: Option<u64>, most: u64| {
            kib.map_or_else(String::new, |kib| format!("  {name} {} {kib} of {most} KiB", bar(kib, most)))
        };
        page.line(&format!(
            "memory{}{}",
            part("own", own, memory.budget_kib),
            part("rings", memory.rings_kib, memory.rings_budget_kib)
        ));
        page.line(&format!(
            "loop    p50 {} us, p99 {} us, longest {} us of a tick of {} us {}",
            rounds.p50_us,
            rounds.p99_us,
            rounds.max_us,
            rounds.budget_us,
            bar(rounds.p99_us.into(), rounds.budget_us.into())
        ));
    }

    fn tuner(&self, t: &TunerView) -> String {
        let mut text = format!("{:2} dvb:{:6} {:8}", t.number, t.device, t.state);
        t.mux.iter().for_each(|mux| _ = write!(text, " {mux}"));
        let _ = write!(text, "  {}", t.users.as_deref().unwrap_or("free"));
        let of_it = |v: &&ViewerView| {
            self.rings.iter().any(|r| r.tuner == Some(t.number) && r.channel == Some(v.channel))
        };
        for v in self.viewers.iter().filter(of_it) {
            let _ = write!(text, " [{} {}]", name(&v.terminal), v.channel);
        }
        let strength = t.strength_permille.map(|n| (u64::from(n), 1000));
        t.cnr_mdb.iter().for_each(|n| _ = write!(text, "  C/N {}.{} dB", n / 1000, (n % 1000).abs() / 100));
        t.strength_mdbm.iter().for_each(|n| _ = write!(text, "  {} dBm", n / 1000));
        strength.iter().for_each(|(n, most)| _ = write!(text, "  {}", bar(*n, *most)));
        t.error.iter().for_each(|why| _ = write!(text, "  ({why})"));
        text
    }
}

/// What is measured of a mux, by its number in TR 101 290.
fn measured(m: &MuxView) -> [(&'static str, u64); 7] {
    [
        ("1.1 sync", m.sync_losses),
        ("1.2 byte", m.no_sync),
        ("1.3 PAT", m.pat_errors),
        ("1.4 CC", m.continuity_errors),
        ("2.1 TEI", m.transport_errors),
        ("2.2 CRC", m.broken_sections),
        ("2.3 PCR", m.pcr_errors),
    ]
}

fn mux(m: &MuxView, before: Option<&MuxView>, look: &Look) -> String {
    let mut text = format!("{:8} {}", m.state, m.mux);
    m.error.iter().for_each(|why| _ = write!(text, " ({why})"));
    if m.services == 0 {
        return text;
    }
    let _ = write!(text, "  {} of {} watched\n        ", m.watched, m.services);
    let last = before.map(measured);
    for (i, (name, count)) in measured(m).into_iter().enumerate() {
        let grows = last.is_some_and(|last| last[i].1 < count);
        let (lamp, colour) = match count {
            0 => ('o', "32"),
            _ if grows => ('X', "31"),
            _ => ('x', "33"),
        };
        let lamp = if look.colours { format!("\x1b[{colour}m{lamp}\x1b[0m") } else { lamp.to_string() };
        let _ = write!(text, " {lamp} {name}");
        if count > 0 {
            let _ = write!(text, " {count}");
        }
    }
    text
}

fn ring(r: &RingView) -> String {
    let channel = r.channel.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let held = r.held_ms.map_or_else(String::new, |ms| format!(" {}", seconds(ms)));
    let RingView { name, state, tracks, watchers, .. } = r;
    let fill = bar(r.fill, r.capacity);
    let (mb, of) = (r.fill / 100_000, r.capacity / 100_000);
    format!(
        "{channel:>5} {name:24} {tracks:5} {state:8} {watchers} watch  {fill} {}.{} of {}.{} MB{held}",
        mb / 10,
        mb % 10,
        of / 10,
        of % 10
    )
}

fn viewer(v: &ViewerView) -> String {
    let lag = v.lag_ms.map_or_else(|| format!("{} kB", v.lag_bytes / 1000), seconds);
    let ViewerView { channel, path, tracks, state, since_s, jumps, .. } = v;
    let (mb, kbit) = (v.sent / 1_000_000, v.rate / 1000);
    let who = name(&v.terminal);
    format!(
        "{channel:>5} {who:24} {path:3} {tracks:5} {state:11} behind {lag:>7}  {kbit:6} kbit/s  {mb:6} MB in {since_s} s, {jumps} jumps"
    )
}

fn zap(z: &ZapView) -> String {
    let mut text =
        format!("{:>5} {:24} {:5} s ago {:6} =", z.channel, name(&z.terminal), z.ago_s, z.total_ms);
    z.stages.iter().for_each(|s| _ = write!(text, " {} {}", s.stage, s.ms));
    match z.behind_ms {
        Some(ms) => _ = write!(text, "; began {} back", seconds(ms.into())),
        None => text += " …",
    }
    text
}

/// A link that the box made has no terminal.
fn name(terminal: &str) -> &str {
    if terminal.is_empty() { "(a link)" } else { terminal }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// How much of `most` that is.
fn bar(of: u64, most: u64) -> String {
    let full = u128::from(of) * BAR as u128 / u128::from(most.max(1));
    let full = usize::try_from(full).unwrap_or(BAR).min(BAR);
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))
}

/// A page under way.
struct Page<'l> {
    look: &'l Look,
    text: String,
}

impl Page<'_> {
    fn part<T>(&mut self, title: &str, all: &[T], line: impl Fn(&T) -> String) {
        if all.is_empty() {
            return;
        }
        let bold = if self.look.colours { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.line(&format!("{}{title}{}", bold.0, bold.1));
        all.iter().for_each(|one| self.line(&line(one)));
    }

    /// Lines, each cut at the width.
    fn line(&mut self, lines: &str) {
        lines.lines().for_each(|line| self.cut(line));
    }

    /// What colours a line takes no room.
    fn cut(&mut self, line: &str) {
        let (mut room, mut is_colour) = (self.look.width, false);
        for c in line.chars() {
            let begins = c == '\x1b';
            if begins || is_colour {
                is_colour = begins || c != 'm';
                self.text.push(c);
            } else if room > 0 {
                room -= 1;
                self.text.push(c);
            }
        }
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{LoopView, MemoryView, StageView, text, word};

    fn picture() -> Picture {
        let mut picture = Picture::default();
        picture.take(Item::Tuner(TunerView {
            device: text("0.0"),
            state: word("locked"),
            mux: Some(text("dvb-t:474000000")),
            users: Some(word("viewers")),
            cnr_mdb: Some(21_340),
            ..TunerView::default()
        }));
        picture.take(Item::Mux(MuxView {
            mux: text("dvb-t:474000000"),
            state: text("watched"),
            services: 4,
            watched: 1,
            continuity_errors: 3,
            ..MuxView::default()
        }));
        picture.take(Item::Ring(RingView {
            tuner: Some(0),
            channel: Some(7),
            name: text("Seven"),
            state: word("watched"),
            tracks: word("all"),
            watchers: 1,
            capacity: 16_000_000,
            fill: 4_000_000,
            held_ms: Some(4321),
            ..RingView::default()
        }));
        picture.take(Item::Viewer(ViewerView {
            terminal: text("Anna"),
            channel: 7,
            path: word("ts"),
            tracks: word("all"),
            state: word("live"),
            lag_ms: Some(250),
            rate: 8_000_000,
            ..ViewerView::default()
        }));
        picture.take(Item::Zap(ZapView {
            channel: 7,
            total_ms: 42,
            stages: [("rights", 2), ("ring", 40)]
                .map(|(s, ms)| StageView { stage: word(s), ms })
                .into_iter()
                .collect(),
            behind_ms: Some(800),
            ..ZapView::default()
        }));
        picture.take(Item::Box(BoxView {
            memory: MemoryView {
                pss_kib: Some(5000),
                rings_kib: Some(1000),
                budget_kib: 8000,
                rings_budget_kib: 2000,
                ..MemoryView::default()
            },
            rounds: LoopView { p99_us: 900, budget_us: 20_000, ..LoopView::default() },
            ..BoxView::default()
        }));
        picture
    }

    #[test]
    fn a_picture_has_a_line_for_each_thing() {
        let look = Look { width: 400, colours: false };
        let text = picture().text(None, &look);
        for part in [
            "own [##########..........] 4000 of 8000 KiB  rings [##########..........] 1000 of 2000 KiB",
            "p99 900 us",
            " 0 dvb:0.0    locked   dvb-t:474000000  viewers [Anna 7]  C/N 21.3 dB",
            "watched  dvb-t:474000000  1 of 4 watched\n         o 1.1 sync",
            "x 1.4 CC 3 o 2.1 TEI",
            "1 watch  [#####...............] 4.0 of 16.0 MB 4.3 s",
            "behind   0.2 s    8000 kbit/s",
            "(a link)                     0 s ago     42 = rights 2 ring 40; began 0.8 s back",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn what_grows_is_marked_and_lines_are_cut_without_their_colours() {
        let (mut before, look) = (picture(), Look { width: 60, colours: true });
        let calm = picture().text(Some(&before), &Look { width: 400, ..look });
        assert!(calm.contains("\x1b[33mx\x1b[0m 1.4 CC 3"), "{calm}");
        before.muxes[0].continuity_errors = 2;
        let text = picture().text(Some(&before), &Look { width: 400, ..look });
        assert!(text.contains("\x1b[31mX\x1b[0m 1.4 CC 3"), "{text}");
        for line in picture().text(Some(&before), &look).lines() {
            let shown = line.split('\x1b').enumerate();
            let shown = shown.map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 });
            assert!(shown.map(|part| part.chars().count()).sum::<usize>() <= 60, "{line}");
        }
    }
}
