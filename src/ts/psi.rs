//! What PAT and PMT say (ISO 13818-1 §2.4.4), as values of fixed size.

use std::borrow::Cow;

use broadcast_common::Parse;
use dvb_si::descriptors::DescriptorLoop;
use dvb_si::tables::{pat::PatSection, pmt::PmtSection};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::Pid;
use super::section::Section;

/// Components of a programme that are kept; a PMT may name more.
pub const COMPONENTS: usize = 16;
/// Programmes of a mux that are kept.
pub const PROGRAMMES: usize = 64;
/// Bytes of a PMT section that is kept whole; those on air have some 60 to 250.
pub const SECTION_KEPT: usize = 384;
/// Bytes kept of a descriptor loop. Whole descriptors only: what does not fit is left out.
const DESCRIPTORS: usize = 96;

/// A programme association table: which programme's PMT is on which PID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pat {
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// `program_number` and the PID of its PMT, in the table's order; the network PID is not among them.
    pub programmes: Vec<(u16, Pid), PROGRAMMES>,
    /// A network PID is among them: the mux says that it carries a NIT.
    pub names_network: bool,
}

impl Pat {
    /// Reads a PAT section. Programmes beyond [`PROGRAMMES`] are left out; so are sections after the first.
    #[must_use]
    pub fn parse(section: Section<'_>) -> Option<Self> {
        let pat = PatSection::parse(section.bytes()).ok().filter(|p| p.section_number == 0)?;
        let programmes = pat.entries.iter().filter(|e| e.program_number != 0);
        Some(Self {
            transport_stream_id: pat.transport_stream_id,
            programmes: programmes
                .map(|e| (e.program_number, Pid::new(e.pid.value())))
                .take(PROGRAMMES)
                .collect(),
            names_network: pat.entries.iter().any(|e| e.program_number == 0),
        })
    }
}

/// A programme as its PMT describes it, reduced to the components a viewer can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// `program_number`, which is the `service_id`.
    pub number: u16,
    /// The PID with the programme's clock; [`Pid::NULL`] where it has none.
    pub pcr_pid: Pid,
    /// `program_info` descriptors, as they came.
    pub descriptors: Vec<u8, DESCRIPTORS>,
    /// Video, audio, subtitles, teletext, in the PMT's order.
    pub components: Vec<Component, COMPONENTS>,
    /// A `CA_descriptor` says that it is scrambled.
    pub has_ca: bool,
    /// The section it was read from, to be remembered; empty when that is longer than [`SECTION_KEPT`].
    pub section: Vec<u8, SECTION_KEPT>,
}

/// One elementary stream of a programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its packets' PID.
    pub pid: Pid,
    /// `stream_type` (ISO 13818-1 table 2-34).
    pub stream_type: u8,
    /// What it is.
    pub codec: Codec,
    /// ISO 639-2 code, where one is given.
    pub language: Option<Language>,
    /// `ES_info` descriptors, as they came.
    pub descriptors: Vec<u8, DESCRIPTORS>,
}

impl Programme {
    /// Reads a PMT section.
    #[must_use]
    pub fn parse(section: Section<'_>) -> Option<Self> {
        let pmt = PmtSection::parse(section.bytes()).ok()?;
        let components = pmt.streams.iter().filter_map(|stream| {
            let codec = Codec::of(stream.stream_type.to_u8(), &stream.es_info)?;
            Some(Component {
                pid: Pid::new(stream.elementary_pid.value()),
                stream_type: stream.stream_type.to_u8(),
                codec,
                language: Language::of(&stream.es_info),
                descriptors: whole_descriptors(&stream.es_info),
            })
        });
        let has_ca = |info: &DescriptorLoop<'_>| info.raw_tags().any(|(tag, _)| tag == tag::CA);
        Some(Self {
            number: pmt.program_number,
            pcr_pid: Pid::new(pmt.pcr_pid.value()),
            descriptors: whole_descriptors(&pmt.program_info),
            components: components.take(COMPONENTS).collect(),
            has_ca: has_ca(&pmt.program_info) || pmt.streams.iter().any(|s| has_ca(&s.es_info)),
            section: Vec::from_slice(section.bytes()).unwrap_or_default(),
        })
    }

    /// The programme of a section that was remembered.
    #[must_use]
    pub fn remembered(section: &[u8]) -> Option<Self> {
        Section::new(section).and_then(Self::parse)
    }

    /// The programme with these components alone, and its clock where it was.
    #[must_use]
    pub fn only(&self, tracks: Tracks) -> Cow<'_, Self> {
        match tracks {
            Tracks::All => Cow::Borrowed(self),
            Tracks::Audio => {
                let mut programme = self.clone();
                programme.components.retain(|c| tracks.has(c.codec));
                Cow::Owned(programme)
            }
        }
    }

    /// The component that viewers join by: the first video, else the first audio, else the first of all.
    #[must_use]
    pub fn main(&self) -> Option<&Component> {
        let of = |kind| self.components.iter().find(move |c| c.codec.kind() == kind);
        of(Kind::Video).or_else(|| of(Kind::Audio)).or_else(|| self.components.first())
    }
}

/// Which components of a programme are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracks {
    /// All that a viewer can use.
    #[default]
    All,
    /// What is heard.
    Audio,
}

impl Tracks {
    /// Components of this codec are among them.
    #[must_use]
    pub fn has(self, codec: Codec) -> bool {
        match self {
            Self::All => true,
            Self::Audio => codec.kind() == Kind::Audio,
        }
    }

    /// The name that requests and lists carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Audio => "audio",
        }
    }
}

/// What an elementary stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the codecs'")]
pub enum Codec {
    Mpeg2Video,
    H264,
    Hevc,
    Vvc,
    Avs,
    Avs2,
    Avs3,
    Vc1,
    MpegAudio,
    AacAdts,
    AacLatm,
    Ac3,
    Eac3,
    Ac4,
    Dts,
    Opus,
    Dra,
    Subtitles,
    Teletext,
    /// SMPTE 302M: PCM of studios.
    Pcm,
}

/// What a codec's stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Video,
    Audio,
    Text,
}

impl Codec {
    /// From `stream_type`, and for private data from the descriptors; `None` for what no viewer can use.
    fn of(stream_type: u8, info: &DescriptorLoop<'_>) -> Option<Self> {
        Some(match stream_type {
            0x01 | 0x02 => Self::Mpeg2Video,
            0x03 | 0x04 => Self::MpegAudio,
            0x06 => return info.raw_tags().find_map(|(tag, body)| Self::of_private(tag, body)),
            0x0f => Self::AacAdts,
            0x11 => Self::AacLatm,
            0x1b => Self::H264,
            0x24 => Self::Hevc,
            0x33 => Self::Vvc,
            0x42 => Self::Avs,
            0xd2 => Self::Avs2,
            0xd4 => Self::Avs3,
            0x43 => Self::Dra,
            0x81 => Self::Ac3,  // ATSC A/53, also ffmpeg's own
            0x87 => Self::Eac3, // ATSC A/52
            0xea => Self::Vc1,
            _ => return None,
        })
    }

    /// From a descriptor of a `stream_type` 0x06 component (EN 300 468 §6.2, §6.3 and Annex D).
    fn of_private(tag: u8, body: &[u8]) -> Option<Self> {
        match tag {
            tag::TELETEXT | tag::VBI_TELETEXT => Some(Self::Teletext),
            tag::SUBTITLING => Some(Self::Subtitles),
            tag::AC3 => Some(Self::Ac3),
            tag::ENHANCED_AC3 => Some(Self::Eac3),
            tag::DTS => Some(Self::Dts),
            tag::AAC => Some(Self::AacLatm),
            tag::EXTENSION => match body.first()? {
                0x0e => Some(Self::Dts),
                0x15 => Some(Self::Ac4),
                _ => None,
            },
            tag::REGISTRATION => match body.get(..4)? {
                b"AC-3" => Some(Self::Ac3),
                b"EAC3" => Some(Self::Eac3),
                b"HEVC" => Some(Self::Hevc),
                b"Opus" => Some(Self::Opus),
                b"BSSD" => Some(Self::Pcm), // SMPTE 302M §6
                _ => None,
            },
            _ => None,
        }
    }

    /// Video, audio or text.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Mpeg2Video | Self::H264 | Self::Hevc | Self::Vvc => Kind::Video,
            Self::Avs | Self::Avs2 | Self::Avs3 | Self::Vc1 => Kind::Video,
            Self::Subtitles | Self::Teletext => Kind::Text,
            _ => Kind::Audio,
        }
    }

    /// The name that lists carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mpeg2Video => "mpeg2video",
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Vvc => "vvc",
            Self::Avs => "avs",
            Self::Avs2 => "avs2",
            Self::Avs3 => "avs3",
            Self::Vc1 => "vc1",
            Self::MpegAudio => "mp2",
            Self::AacAdts => "aac",
            Self::AacLatm => "aac-latm",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Ac4 => "ac4",
            Self::Dts => "dts",
            Self::Opus => "opus",
            Self::Dra => "dra",
            Self::Pcm => "s302m",
            Self::Subtitles => "dvbsub",
            Self::Teletext => "teletext",
        }
    }
}

/// An ISO 639-2 language code: three lower-case ASCII letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language([u8; 3]);

impl Language {
    /// From the language, subtitling or teletext descriptor of a component: all begin with the code.
    fn of(info: &DescriptorLoop<'_>) -> Option<Self> {
        let carries = |tag| matches!(tag, tag::ISO_639_LANGUAGE | tag::SUBTITLING | tag::TELETEXT);
        Self::new(*info.raw_tags().find(|(tag, _)| carries(*tag))?.1.first_chunk()?)
    }

    /// From the bytes of a code.
    #[must_use]
    pub fn new(code: [u8; 3]) -> Option<Self> {
        code.iter().all(u8::is_ascii_alphabetic).then(|| Self(code.map(|b| b.to_ascii_lowercase())))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // `Deserialize` lets any three bytes in; they are shown as unknown then.
        std::str::from_utf8(&self.0).unwrap_or("und")
    }
}

/// Descriptor tags (ISO 13818-1 table 2-45, EN 300 468 table 12).
mod tag {
    pub(super) const REGISTRATION: u8 = 0x05;
    pub(super) const CA: u8 = 0x09;
    pub(super) const ISO_639_LANGUAGE: u8 = 0x0a;
    pub(super) const VBI_TELETEXT: u8 = 0x46;
    pub(super) const TELETEXT: u8 = 0x56;
    pub(super) const SUBTITLING: u8 = 0x59;
    pub(super) const AC3: u8 = 0x6a;
    pub(super) const ENHANCED_AC3: u8 = 0x7a;
    pub(super) const DTS: u8 = 0x7b;
    pub(super) const AAC: u8 = 0x7c;
    pub(super) const EXTENSION: u8 = 0x7f;
}

/// As many descriptors of `info` as fit, in their order; those that say what the stream is come before all others.
fn whole_descriptors<const N: usize>(info: &DescriptorLoop<'_>) -> Vec<u8, N> {
    let mut kept = Vec::new();
    let size = |body: &[u8]| 2 + body.len();
    let vital = info.raw_tags().filter(|(tag, body)| is_vital(*tag, body)).map(|(_, body)| size(body));
    let (mut vital, mut others) = (N, N.saturating_sub(vital.sum()));
    for (tag, body) in info.raw_tags() {
        let room = if is_vital(tag, body) { &mut vital } else { &mut others };
        let (Some(left), Ok(length)) = (room.checked_sub(size(body)), u8::try_from(body.len())) else {
            continue;
        };
        *room = left;
        let _fits = kept.extend_from_slice(&[tag, length]).and_then(|()| kept.extend_from_slice(body));
    }
    kept
}

/// A player needs it to know what the stream is, whose words it has, or that it is scrambled.
fn is_vital(tag: u8, body: &[u8]) -> bool {
    matches!(tag, tag::CA | tag::ISO_639_LANGUAGE) || Codec::of_private(tag, body).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::section::CRC;
    use super::*;

    fn with_crc(mut bytes: Vec<u8, 256>) -> Vec<u8, 256> {
        let crc = CRC.checksum(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes()).unwrap();
        bytes
    }

    #[test]
    fn a_pmt_becomes_the_components_a_viewer_can_use() {
        let body = [
            &[0x02, 0xb0, 0x39, 0x03, 0xe9, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0x00][..],
            &[0x1b, 0xe1, 0x01, 0xf0, 0x00],
            &[0x0f, 0xe1, 0x02, 0xf0, 0x06, 0x0a, 4, b'C', b'h', b'i', 0],
            &[0x06, 0xe1, 0x03, 0xf0, 0x03, 0x6a, 1, 0],
            &[0x06, 0xe1, 0x04, 0xf0, 0x0a, 0x59, 8, b'f', b'r', b'a', 0x10, 0, 1, 0, 2],
            &[0x0b, 0xe1, 0x05, 0xf0, 0x00], // DSM-CC: not for viewers
        ]
        .concat();
        let bytes = with_crc(Vec::from_slice(&body).unwrap());
        let programme = Programme::parse(Section::new(&bytes).unwrap()).unwrap();
        assert_eq!((programme.number, programme.pcr_pid, programme.has_ca), (1001, Pid::new(0x101), false));
        let got: std::vec::Vec<_> = programme
            .components
            .iter()
            .map(|c| (c.pid.value(), c.codec.name(), c.language.as_ref().map_or("", Language::as_str)))
            .collect();
        assert_eq!(
            got,
            [(0x101, "h264", ""), (0x102, "aac", "chi"), (0x103, "ac3", ""), (0x104, "dvbsub", "fra")]
        );
        assert_eq!(programme.main().unwrap().pid, Pid::new(0x101));
    }

    #[test]
    fn what_says_what_a_stream_is_comes_before_other_descriptors() {
        let long = |tag: u8, length: u8| [vec![tag, length], vec![0; length.into()]].concat();
        let vital = [&[0x6a, 1, 0][..], &[0x0a, 4, b'd', b'e', b'u', 0]].concat();
        let info = [&long(0x80, 90)[..], &long(0xfe, 20), &vital].concat();
        let head = [2, 0xb0, 18 + info.len() as u8, 0, 1, 0xc1, 0, 0, 0xe1, 1, 0xf0, 0];
        let body = [&head[..], &[0x06, 0xe1, 3, 0xf0, info.len() as u8], &info].concat();
        let bytes = with_crc(Vec::from_slice(&body).unwrap());
        let programme = Programme::parse(Section::new(&bytes).unwrap()).unwrap();
        let [component] = &programme.components[..] else { panic!("one component") };
        assert_eq!((component.codec, component.language.unwrap().as_str()), (Codec::Ac3, "deu"));
        // In their order, without the one for which there is no room.
        assert_eq!(component.descriptors[..], [long(0xfe, 20), vital].concat());
    }

    #[test]
    fn a_pat_lists_programmes_without_the_network() {
        let body = [0, 0xb0, 17, 4, 0x57, 0xc1, 0, 0, 0, 0, 0xe0, 0x10, 3, 0xe9, 0xf0, 0x00, 0, 0, 0, 0];
        let bytes = with_crc(Vec::from_slice(&body[..16]).unwrap());
        let pat = Pat::parse(Section::new(&bytes).unwrap()).unwrap();
        assert_eq!((pat.transport_stream_id, &pat.programmes[..]), (0x457, &[(1001, Pid::new(0x1000))][..]));
    }
}
