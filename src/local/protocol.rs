//! The lines that both ends write and read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod scan;
mod tuners;

pub use crate::status::{Item, MuxView, SYSTEMS, Text, TunerView, Word, text, word};
pub use scan::{ScanLine, ScanView};
pub use tuners::{GrantedLine, TunerLine};

/// Bytes of the longest line, its end included.
pub const LINE_MAX: usize = 4096;

/// Channels that a guest may be let in for.
pub const GUEST_CHANNELS: usize = 16;

/// Bytes of the longest list of muxes in one line.
pub const MUXES_MAX: usize = 1024;

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The command.
    pub cmd: Word,
    /// Of a link: the channel's number; 0 for the list and every channel.
    pub channel: Option<u16>,
    /// Of a link: seconds that it lives.
    pub ttl: Option<u32>,
    /// Of a link: how many players at one time; 0 for no limit.
    pub connections: Option<u16>,
    /// Of a link: one for every address that the box listens on. Of the channels: also those not available.
    pub all: Option<bool>,
    /// Of a link: its streams are a recorder's, which goes before people who watch.
    pub recording: Option<bool>,
    /// Of pairing: `qr`, `pin` or `both`.
    pub mode: Option<Word>,
    /// Of pairing: what the terminal is going to be.
    pub role: Option<Word>,
    /// Of pairing a guest: the channels it may watch; none for all.
    pub channels: Option<heapless::Vec<u16, GUEST_CHANNELS>>,
    /// Of pairing a guest: seconds until its end.
    pub for_s: Option<u32>,
    /// Of an answer for the screen: the question.
    pub ask: Option<u32>,
    /// Of an answer for the screen: yes.
    pub allow: Option<bool>,
    /// Of a tuner: its number.
    pub tuner: Option<u8>,
    /// Of a terminal: its slot.
    pub slot: Option<u8>,
    /// Of a terminal: its new name. Of the box: the name that is claimed.
    pub name: Option<Text>,
    /// Of a claim: the recovery code.
    pub recovery: Option<Text>,
    /// Of a claim: what the box that has the name signed.
    pub handover: Option<Text>,
    /// Of a hand-over: the key of the box that gets the name.
    pub key: Option<Text>,
    /// Of a scan: muxes to begin with, blanks between them.
    pub muxes: Option<heapless::String<MUXES_MAX>>,
    /// Of a scan: the raster to begin with.
    pub range: Option<Word>,
    /// Of a scan: it begins with all muxes that are known, as without any of these.
    pub known: Option<bool>,
    /// Of a scan: another such line comes, with more to begin with.
    pub more: Option<bool>,
    /// Of a release: the service forgets all that it knows of the name.
    pub erase: Option<bool>,
}

impl Request {
    /// The command alone.
    #[must_use]
    pub fn new(cmd: &str) -> Self {
        Self { cmd: word(cmd), ..Self::default() }
    }
}

/// The first line, from the box.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Of this protocol.
    pub v: u8,
    /// `stbcastd`.
    pub product: Text,
    /// Of the product.
    pub version: Text,
}

/// The last line of an answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// It was done.
    pub done: bool,
    /// Why not.
    pub error: Option<Text>,
}

impl Done {
    /// It was done.
    pub const YES: Self = Self { done: true, error: None };

    /// It was not, and why.
    #[must_use]
    pub fn no(why: &str) -> Self {
        Self { done: false, error: Some(text(why)) }
    }
}

/// A line of the answer to `link`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What to open in a player.
    pub url: Text,
}

/// A line of the answer to `channels`, as far as a list for people needs it. The box sends more.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelLine {
    /// What it is of.
    pub channel: ChannelBrief,
}

/// A channel in short.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelBrief {
    /// Its number.
    pub number: u16,
    /// Its name.
    pub name: Text,
    /// Television, radio or data.
    pub kind: Text,
    /// Whether it can be watched now.
    pub available: Text,
}

/// The last line of the answer to `status`: the box.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxLine {
    /// It was done.
    pub done: bool,
    /// Of `stbcastd`.
    pub version: Text,
    /// The board it was built for.
    pub board: Text,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Entries of the channel table.
    pub channels: usize,
    /// Who watches now.
    pub viewers: usize,
    /// Rings that are watched.
    pub rings_watched: usize,
    /// Rings in all.
    pub rings: usize,
    /// Bytes sent to viewers.
    pub bytes_sent: u64,
    /// Times a viewer fell behind and jumped.
    pub jumps: u64,
    /// Bytes that jumps skipped.
    pub bytes_skipped: u64,
    /// Viewers that hung up.
    pub hung_up: u64,
    /// Viewers dropped since they took nothing.
    pub stalled: u64,
    /// Viewers dropped since they jumped too often.
    pub too_slow: u64,
    /// Events of the guide.
    pub guide_events: usize,
    /// Of these, how many there can be.
    pub guide_events_most: usize,
    /// Bytes of their texts.
    pub guide_text_bytes: usize,
    /// Of these, how many there can be.
    pub guide_text_bytes_most: usize,
    /// Events that found no room, or had to make some.
    pub guide_dropped: u64,
    /// Events that were over.
    pub guide_past: u64,
    /// Sections of the guide that were read.
    pub guide_read: u64,
    /// Sections that were left for another time, since too many came at once.
    pub guide_deferred: u64,
    /// Sections and events that cannot be.
    pub guide_refused: u64,
}

/// A line of the answer to `pair`: the window that is open.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingLine {
    /// What is to be shown.
    pub pairing: PairingView,
}

/// What a screen shows of an open window.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingView {
    /// For the QR code and for `stbcast pair`.
    pub link: Option<Text>,
    /// Eight digits.
    pub pin: Option<Word>,
    /// What the terminal is going to be.
    pub role: Word,
    /// Seconds until it closes.
    pub expires_s: u64,
}

/// A line of the answer to `pair`: the link as a QR code.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrLine {
    /// The code.
    pub qr: QrView,
}

/// A QR code, without the quiet zone of four modules that has to be around it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrView {
    /// Modules a side.
    pub size: usize,
    /// The rows from the top: `1` for a dark module, `0` for a light one.
    pub rows: heapless::Vec<heapless::String<QR_SIDE>, QR_SIDE>,
}

/// Modules a side of the largest code that a pairing link makes: version 8.
pub const QR_SIDE: usize = 49;

/// A line of the answer to `terminals`, as far as a list for people needs it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct TerminalLine {
    /// What it is of.
    pub terminal: TerminalBrief,
}

/// A terminal in short.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct TerminalBrief {
    /// Its slot.
    pub slot: u8,
    /// Its name.
    pub name: Text,
    /// What it may.
    pub role: Word,
    /// When a guest ends, in seconds since 1970.
    pub until: Option<u64>,
}

/// Something that happened. Which fields are there depends on `event`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// `pairing-opened`, `pairing-closed`, `pin`, `ask`, `paired`, `pair-failed`, `revoked`, `viewers`, `ended`,
    /// `tuner`, `tuner-ask`, `tuner-asked`, `tuner-back`, `tv-moved`, `scan`,
    /// `name`, `name-claimed`, `name-refused`, `name-moving`.
    pub event: Word,
    /// The question, for `answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<u32>,
    /// The tuner's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuner: Option<usize>,
    /// What the tuner does, as in [`TunerView::state`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// What the tuner is tuned to. Of `tv-moved`: what it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mux: Option<Text>,
    /// The number of the channel that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u16>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<Text>,
    /// What would end, as in [`TunerView::users`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Word>,
    /// The terminal's slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// The terminal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// What it is, or is going to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Word>,
    /// How it pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Word>,
    /// The new PIN; empty when there is none for the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Word>,
    /// Why pairing failed, or a stream ended. How a question ended, or what is wrong with a tuner. How it stands with the box's name, as in [`NameView::state`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Word>,
    /// Seconds until the window closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// How many watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewers: Option<usize>,
    /// A sentence for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<Text>,
    /// How far a scan came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanView>,
}

/// A line of the answer to `name`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameLine {
    /// How it stands with the box's name.
    pub name: NameView,
}

/// How it stands with the box's name.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameView {
    /// `none`, `claiming`, `waiting`, `starting`, `online`, `not-published`, `suspended`, `unreachable` or `lost`.
    pub state: Word,
    /// The whole name.
    pub name: Option<Text>,
    /// The URL of the name service.
    pub service: Option<Text>,
    /// Where the service sees the box.
    pub seen: Option<Text>,
    /// Seconds since the service last answered.
    pub heard_s: Option<u64>,
    /// Beats go by HTTPS, since UDP does not come through.
    pub by_https: bool,
    /// Somebody asked for the name to be moved to another box.
    pub move_pending: bool,
    /// When the name becomes this box's, in seconds since 1970.
    pub waits_until: Option<u64>,
    /// What went wrong last: a sentence.
    pub problem: Option<Text>,
    /// There is a recovery code that the owner has not seen.
    pub has_recovery: bool,
}

/// A line of the answer to `name`, one for each other provider of dynamic DNS.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLine {
    /// How it stands with it.
    pub provider: ProviderView,
}

/// How it stands with another provider.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderView {
    /// The protocol or the provider, and the name that is kept there.
    pub name: Text,
    /// `no-address`, `current`, `updating`, `retrying` or `stopped`.
    pub state: Word,
    /// The addresses that the provider took last.
    pub published: Option<Text>,
    /// How many seconds ago, where that is known.
    pub last_s: Option<u64>,
    /// Seconds until the next attempt after one that failed.
    pub retry_s: Option<u64>,
    /// What is wrong: a sentence.
    pub problem: Option<Text>,
}

/// A line of the answer to `name-claim`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedLine {
    /// What came of it.
    pub claimed: ClaimView,
}

/// What came of a claim.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// The whole name.
    pub name: Text,
    /// The recovery code; it is not shown again.
    pub recovery: Option<Word>,
    /// When the name becomes this box's, in seconds since 1970.
    pub waits_until: Option<u64>,
}

/// A line of the answer to `name-suggest`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestionLine {
    /// A name that does not tell who its owner is.
    pub suggestion: Text,
}

/// A line of the answer to `name-key`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// Who the box is to name services.
    pub key: Text,
}

/// A line of the answer to `name-handover`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoverLine {
    /// For `name-claim` at the other box.
    pub handover: Text,
}

/// A line of the answer to `name-recovery`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryLine {
    /// The recovery code; it is not shown again.
    pub recovery: Word,
}

/// A line of the answer to `player`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerLine {
    /// Its slot.
    pub slot: u8,
    /// The URL of its playlist.
    pub url: Text,
}

/// `value` as a line.
#[must_use]
pub fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; LINE_MAX];
    let length = serde_json_core::to_slice(value, &mut bytes[..LINE_MAX - 1]).unwrap_or(0);
    bytes[length] = b'\n';
    bytes.truncate(length + 1);
    bytes
}

/// A line as a `T`, where it is one.
#[must_use]
pub fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let mut unescaped = [0; LINE_MAX];
    serde_json_core::from_slice_escaped(line, &mut unescaped).ok().map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let done = Done::no("a \"quote\", a \\ and 中\u{1}");
        assert_eq!(read(&line(&done)), Some(done));
        let mux =
            MuxView { mux: text("file:a"), error: Some(text("x")), packets: u64::MAX, ..MuxView::default() };
        assert_eq!(read(&line(&mux)), Some(mux));
        assert_eq!(read::<Done>(b"{\"channel\":{\"number\":1}}"), None);
        let channel =
            br#"{"channel":{"number":7,"name":"a\"b","kind":"tv","more":[{"x":1}],"available":"now"}}"#;
        assert_eq!(
            read::<ChannelLine>(channel).map(|l| (l.channel.number, l.channel.name)),
            Some((7, text("a\"b")))
        );
    }
}
