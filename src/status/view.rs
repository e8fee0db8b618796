//! The views: what is told of tuners, muxes, rings, viewers, zaps and the box.

use serde::{Deserialize, Serialize};

/// Text of a view.
pub type Text = heapless::String<512>;

/// A word of a view.
pub type Word = heapless::String<32>;

/// As much of `from` as a word holds.
#[must_use]
pub fn word(from: &str) -> Word {
    let mut word = Word::new();
    let _full = from.chars().try_for_each(|c| word.push(c));
    word
}

/// As much of `from` as a text holds.
#[must_use]
pub fn text(from: &str) -> Text {
    let mut text = Text::new();
    let _full = from.chars().try_for_each(|c| text.push(c));
    text
}

/// One of the things that the status of the box is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "one at a time is written or read")]
pub enum Item {
    /// A tuner.
    Tuner(TunerView),
    /// A mux.
    Mux(MuxView),
    /// A ring that is fed.
    Ring(RingView),
    /// One who watches.
    Viewer(ViewerView),
    /// A zap, the last ones.
    Zap(ZapView),
    /// The box: the last.
    Box(BoxView),
}

/// Delivery systems that one tuner can know.
pub const SYSTEMS: usize = 12;

/// A tuner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunerView {
    /// For `tuner-grant` and `tuner-withdraw`: its place in the configuration, from 0.
    pub number: usize,
    /// Its device, as behind `dvb:`.
    pub device: Text,
    /// Its driver's name for it; `None` until it was opened once.
    pub name: Option<Text>,
    /// The delivery systems that it knows.
    pub systems: heapless::Vec<Word, SYSTEMS>,
    /// `idle`, `tuning`, `locked`, `lost`, `failed`, `watching` (somebody else has it) or `closing`.
    pub state: Word,
    /// What is wrong: a sentence.
    pub error: Option<Text>,
    /// What it is tuned to, by the box or by the television.
    pub mux: Option<Text>,
    /// What for: `television`, `recording`, `viewers`, `scan` or `guide`; `None` for nothing.
    pub users: Option<Word>,
    /// Services of its mux that are watched.
    pub watched: usize,
    /// Who may tune it: `box`, `ui`, or, by a grant of the `ui`, the box: `granted`.
    pub whose: Word,
    /// Power at the input, in thousandths of a dBm.
    pub strength_mdbm: Option<i32>,
    /// The same in thousandths of what the driver takes for all.
    pub strength_permille: Option<u16>,
    /// Carrier to noise, in thousandths of a dB.
    pub cnr_mdb: Option<i32>,
    /// The same in thousandths of all.
    pub cnr_permille: Option<u16>,
    /// Bits that were wrong since it was tuned, before they were corrected.
    pub bit_errors: Option<u64>,
    /// Of so many.
    pub bits: Option<u64>,
    /// Blocks that could not be corrected since it was tuned.
    pub block_errors: Option<u64>,
    /// Of so many.
    pub blocks: Option<u64>,
    /// Milliseconds until the driver took the last tuning.
    pub tune_ms: Option<u32>,
    /// Milliseconds from then on until it had its first lock.
    pub lock_ms: Option<u32>,
}

/// A mux. The counters run since it was opened; those of TR 101 290 bear its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuxView {
    /// Its source.
    pub mux: Text,
    /// `idle`, `open`, `watched`, `silent` or `failed`.
    pub state: Text,
    /// Why it failed.
    pub error: Option<Text>,
    /// Services it shows, while it is open.
    pub services: usize,
    /// Of these, how many are watched.
    pub watched: usize,
    /// 188-byte slots read since it was opened.
    pub packets: u64,
    /// Slots without a sync byte (`Sync_byte_error`, 1.2).
    pub no_sync: u64,
    /// Packets with `transport_error_indicator` (`Transport_error`, 2.1).
    pub transport_errors: u64,
    /// Packets with an adaptation field that cannot be.
    pub malformed: u64,
    /// Sections with a wrong CRC or length (`CRC_error`, 2.2).
    pub broken_sections: u64,
    /// Sections that are scrambled.
    pub scrambled_sections: u64,
    /// Breaks in a PID's continuity counter: packets are missing, or came more than twice (`Continuity_count_error`,
    /// 1.4).
    pub continuity_errors: u64,
    /// Clock references that jumped unannounced (`PCR_discontinuity_indicator_error`, 2.3b).
    pub pcr_errors: u64,
    /// Times that no PAT came for half a second (`PAT_error`, 1.3).
    pub pat_errors: u64,
    /// Times the sync byte was lost in the source (`TS_sync_loss`, 1.1).
    pub sync_losses: u64,
    /// Bytes that were no whole packet.
    pub skipped_bytes: u64,
    /// Datagrams the kernel had no room for.
    pub dropped_datagrams: u64,
    /// Datagrams that were lost on the way, by their RTP numbers.
    pub lost_datagrams: u64,
    /// Datagrams that came out of order and were put in order.
    pub reordered: u64,
    /// Datagrams that came too late to be put in order.
    pub late: u64,
    /// Datagrams of something else: forward error correction, RTCP.
    pub foreign_datagrams: u64,
}

/// A ring that is fed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingView {
    /// Its mux.
    pub mux: Text,
    /// The tuner that receives it, by its number.
    pub tuner: Option<usize>,
    /// `service_id`.
    pub service: u16,
    /// The channel that the service is, where it is one.
    pub channel: Option<u16>,
    /// That channel's name.
    pub name: Text,
    /// `watched`, `lingers` (nobody watches any more) or `warm` (nobody asked for it yet).
    pub state: Word,
    /// What it carries of the service: `all`, or `audio` alone.
    pub tracks: Word,
    /// How many watch.
    pub watchers: usize,
    /// Bytes that it holds at most.
    pub capacity: u64,
    /// Bytes that it holds.
    pub fill: u64,
    /// Milliseconds that these last, where that is known.
    pub held_ms: Option<u64>,
    /// Bits a second that it gets lately.
    pub rate: Option<u32>,
}

/// One who watches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerView {
    /// The slot of its terminal, or of the one who made its link; `None` for a link that the box made.
    pub slot: Option<u8>,
    /// That terminal's name.
    pub terminal: Text,
    /// The channel's number.
    pub channel: u16,
    /// `ts` or `hls`.
    pub path: Word,
    /// As in [`RingView::tracks`].
    pub tracks: Word,
    /// `waiting` for a place to start, `catching-up`, `live` or `jumping`; of `hls`: `waiting` or `live`.
    pub state: Word,
    /// Bytes between it and the head of its ring.
    pub lag_bytes: u64,
    /// The same in milliseconds, where that is known.
    pub lag_ms: Option<u64>,
    /// Bytes it got.
    pub sent: u64,
    /// Bits a second that it got lately; of `hls`, which comes in pieces, since it came.
    pub rate: u64,
    /// Seconds since it came.
    pub since_s: u64,
    /// Times that it fell behind and jumped.
    pub jumps: u16,
}

/// Stages that a zap has at most.
pub const STAGES: usize = 8;

/// A zap: how long it took, stage by stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZapView {
    /// Seconds since it was asked for.
    pub ago_s: u64,
    /// As in [`ViewerView::slot`].
    pub slot: Option<u8>,
    /// The terminal's name.
    pub terminal: Text,
    /// The channel's number.
    pub channel: u16,
    /// Its first byte was sent. Without, it is under way, or whoever asked went away.
    pub done: bool,
    /// Milliseconds of all stages together.
    pub total_ms: u32,
    /// The stages in their order: `rights`, `tune`, `lock`, `filters`, `packets` (`ring` where the mux was there),
    /// `place` to start, first `byte`.
    pub stages: heapless::Vec<StageView, STAGES>,
    /// How far behind the head of the ring it starts.
    pub behind_ms: Option<u32>,
}

/// A stage of a zap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageView {
    /// Its name.
    pub stage: Word,
    /// How long it took.
    pub ms: u32,
}

/// The box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxView {
    /// Of `stbcastd`.
    pub version: Text,
    /// The board it was built for.
    pub board: Text,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How many watch; the views show the first of them.
    pub watching: usize,
    /// Rings in all.
    pub rings_most: usize,
    /// Bytes sent to viewers.
    pub bytes_sent: u64,
    /// Its memory.
    pub memory: MemoryView,
    /// How long its main loop takes to go round.
    #[serde(rename = "loop")]
    pub rounds: LoopView,
}

/// Memory, in KiB. What the kernel does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryView {
    /// The process's own, with its share of what others use, too (PSS).
    pub pss_kib: Option<u64>,
    /// What is in memory of it at all (RSS); rings count twice, as they are mapped twice.
    pub rss_kib: Option<u64>,
    /// Of the PSS, what rings take.
    pub rings_kib: Option<u64>,
    /// The board's budget for the PSS beside the rings.
    pub budget_kib: u64,
    /// What all rings may take.
    pub rings_budget_kib: u64,
}

/// Rounds of the main loop in the last half minute to minute; times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopView {
    /// How many.
    pub rounds: u64,
    /// What half of them took at most.
    pub p50_us: u32,
    /// What all but one of a hundred took at most.
    pub p99_us: u32,
    /// What the longest took.
    pub max_us: u32,
    /// What a round may take: the tick.
    pub budget_us: u32,
}
