//! What the NIT says: how the muxes of its network are sent, and, as a BAT may, too, the numbers of a mux's services. Those
//! are in logical channel descriptors, which are private to those who agreed on them and differ by the specifier that
//! stands before them.

use broadcast_common::Parse;
use dvb_si::descriptors::DescriptorLoop;
use dvb_si::tables::nit::NitSection;
use heapless::Vec;

use super::section::Section;

mod muxes;

pub use muxes::{NIT_OTHER, NetworkMux, muxes};

/// `table_id` of the NIT of the network it is in.
pub const NIT_ACTUAL: u8 = 0x40;
/// Numbers of one mux that are kept: two for each service that a board may keep.
const NUMBERS: usize = 128;

/// A logical channel number: the one a person keys in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lcn {
    /// 1 to 16383.
    pub number: u16,
    /// `visible_service_flag`: the service belongs in lists.
    pub visible: bool,
}

/// What a number is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcnKind {
    /// For all receivers.
    Plain,
    /// For receivers of high definition, which give it to this service in place of its SD twin (EACEM, tag 0x88).
    HdSimulcast,
}

/// The numbers that one section of a NIT, or of a BAT, gives to the services of one mux.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(Vec<(u16, LcnKind, Lcn), NUMBERS>);

impl Numbers {
    /// Reads a section of a NIT, for the mux `transport_stream_id`.
    #[must_use]
    pub fn parse(section: Section<'_>, transport_stream_id: u16) -> Option<Self> {
        let nit = NitSection::parse(section.bytes()).ok()?;
        let muxes = nit.transport_streams.iter().filter(|mux| mux.transport_stream_id == transport_stream_id);
        Some(Self::of(muxes.map(|mux| &mux.descriptors)))
    }

    /// The numbers in the descriptors of a mux, of a NIT or a BAT.
    pub(super) fn of<'d>(muxes: impl Iterator<Item = &'d DescriptorLoop<'d>>) -> Self {
        let mut numbers = Self::default();
        for descriptors in muxes {
            // NorDig §12.2.9: who reads version 2 does not look at version 1.
            numbers.take(descriptors, |layout| layout == Layout::NordigV2);
            numbers.take(descriptors, |layout| layout != Layout::NordigV2);
        }
        numbers
    }

    /// The number of a service.
    #[must_use]
    pub fn find(&self, service: u16, kind: LcnKind) -> Option<Lcn> {
        self.0.iter().find(|(id, of, _)| (*id, *of) == (service, kind)).map(|(.., lcn)| *lcn)
    }

    fn take(&mut self, descriptors: &DescriptorLoop<'_>, wanted: impl Fn(Layout) -> bool) {
        let mut specifier = None;
        for (tag, body) in descriptors.raw_tags() {
            if tag == PRIVATE_DATA_SPECIFIER {
                specifier = body.first_chunk().map(|b| u32::from_be_bytes(*b));
            }
            let Some(layout) = Layout::of(tag, specifier).filter(|layout| wanted(*layout)) else { continue };
            for entry in layout.entries(body) {
                let (service, lcn) = layout.read(*entry);
                if lcn.number != 0 && self.find(service, layout.kind()).is_none() {
                    let _full = self.0.push((service, layout.kind(), lcn));
                }
            }
        }
    }
}

/// EN 300 468 §6.2.31.
const PRIVATE_DATA_SPECIFIER: u8 = 0x5f;
/// Registered specifiers (dvbservices.com): of EACEM, which IEC 62216 has, too; of NorDig; of the UK's D-Book.
const EACEM: u32 = 0x28;
const NORDIG: u32 = 0x29;
const UK: u32 = 0x233a;

/// How a descriptor is laid out. All have entries of four bytes:
///
/// ```text
///   Eacem, HdSimulcast, NordigV2   service_id 16 | visible 1 | reserved 5 | number 10
///   Uk                             service_id 16 | reserved 6 | number 10
///   NordigV1                       service_id 16 | visible 1 | reserved 1 | number 14
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Eacem,
    HdSimulcast,
    Uk,
    NordigV1,
    /// Lists by region: id 8, counted name, country 24, counted entries; again.
    NordigV2,
}

impl Layout {
    fn of(tag: u8, specifier: Option<u32>) -> Option<Self> {
        Some(match (tag, specifier) {
            // Some networks leave the specifier out.
            (0x83, Some(EACEM) | None) => Self::Eacem,
            (0x88, Some(EACEM) | None) => Self::HdSimulcast,
            (0x83, Some(UK)) => Self::Uk,
            (0x83, Some(NORDIG)) => Self::NordigV1,
            (0x87, Some(NORDIG)) => Self::NordigV2,
            _ => return None,
        })
    }

    const fn kind(self) -> LcnKind {
        match self {
            Self::HdSimulcast => LcnKind::HdSimulcast,
            _ => LcnKind::Plain,
        }
    }

    /// The entries of a descriptor. Of lists by region, the first: which region this is, the box does not know.
    fn entries(self, body: &[u8]) -> &[[u8; 4]] {
        let entries = match self {
            Self::NordigV2 => first_list(body).unwrap_or_default(),
            _ => body,
        };
        entries.as_chunks().0
    }

    fn read(self, [id_high, id_low, high, low]: [u8; 4]) -> (u16, Lcn) {
        let bits = u16::from_be_bytes([high, low]);
        let number = bits & if self == Self::NordigV1 { 0x3fff } else { 0x03ff };
        let visible = self == Self::Uk || bits & 0x8000 != 0;
        (u16::from_be_bytes([id_high, id_low]), Lcn { number, visible })
    }
}

/// The entries of the first list of a NorDig descriptor of version 2.
fn first_list(body: &[u8]) -> Option<&[u8]> {
    let name = usize::from(*body.get(1)?);
    let (length, entries) = body.get(2 + name + 3..)?.split_first()?;
    entries.get(..usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::super::section::{CRC, with_body};
    use super::*;

    const TSID: u16 = 0x0457;

    /// A NIT of the mux `TSID` and another one before it, each with these descriptors.
    fn nit(descriptors: &[u8]) -> Vec<u8, 1024> {
        let mut muxes = Vec::<u8, 1024>::new();
        for (tsid, descriptors) in [(TSID + 1, &[0x83, 4, 0, 1, 0xfc, 99][..]), (TSID, descriptors)] {
            muxes.extend(tsid.to_be_bytes().into_iter().chain([0x20, 0, 0xf0, descriptors.len() as u8]));
            muxes.extend(descriptors.iter().copied());
        }
        let length = (muxes.len() + 13) as u16;
        let mut s = Vec::new();
        s.extend([NIT_ACTUAL, 0xf0 | (length >> 8) as u8, length as u8, 0x20, 0, 0xc1, 0, 0, 0xf0, 0]);
        s.extend([0xf0 | (muxes.len() >> 8) as u8, muxes.len() as u8]);
        s.extend(muxes);
        let crc = CRC.checksum(&s);
        s.extend(crc.to_be_bytes());
        s
    }

    fn found(descriptors: &[u8], service: u16) -> Option<(u16, bool)> {
        let nit = nit(descriptors);
        let numbers = Numbers::parse(Section::new(&nit).unwrap(), TSID).unwrap();
        numbers.find(service, LcnKind::Plain).map(|lcn| (lcn.number, lcn.visible))
    }

    const EACEM_IS: [u8; 6] = [0x5f, 4, 0, 0, 0, 0x28];
    const NORDIG_IS: [u8; 6] = [0x5f, 4, 0, 0, 0, 0x29];

    #[test]
    fn each_specifier_has_its_layout() {
        // Service 1 with number 7; service 2 with all bits of a number, hidden.
        let entries = [0x83, 8, 0, 1, 0xfc, 7, 0, 2, 0x7f, 0xff];
        for (specifier, of_2) in [
            (&[][..], (1023, false)),
            (&EACEM_IS, (1023, false)),
            (&[0x5f, 4, 0, 0, 0x23, 0x3a], (1023, true)),
            (&NORDIG_IS, (16383, false)),
        ] {
            let descriptors = [specifier, &entries].concat();
            assert_eq!(found(&descriptors, 2), Some(of_2), "{specifier:?}");
            assert_eq!(found(&descriptors, 3), None);
        }
        assert_eq!(found(&[&EACEM_IS[..], &entries].concat(), 1), Some((7, true)));
        assert_eq!(found(&[&[0x5f, 4, 0, 0, 0, 0x99][..], &entries].concat(), 1), None, "a stranger's tag");
        assert_eq!(found(&[0x83, 4, 0, 1, 0xfc, 0], 1), None, "0 is no number");
        assert_eq!(found(&[0x83, 12, 0, 1], 1), None, "a descriptor that was cut off");
    }

    #[test]
    fn nordig_version_2_comes_before_version_1() {
        let v1 = [0x83, 4, 0, 1, 0xc0, 7];
        let list = [5, 2, b'S', b'E', b's', b'w', b'e', 4, 0, 1, 0xfc, 8];
        let other = [6, 0, b's', b'w', b'e', 4, 0, 1, 0xfc, 9];
        let v2 = [&[0x87, 22][..], &list, &other].concat();
        assert_eq!(found(&[&NORDIG_IS[..], &v1, &v2].concat(), 1), Some((8, true)));
        assert_eq!(found(&[&EACEM_IS[..], &v2].concat(), 1), None);
    }

    #[test]
    fn a_number_for_receivers_of_hd_is_kept_apart() {
        let nit = nit(&[&EACEM_IS[..], &[0x83, 4, 0, 1, 0xfc, 57, 0x88, 4, 0, 1, 0xfc, 7]].concat());
        let numbers = Numbers::parse(Section::new(&nit).unwrap(), TSID).unwrap();
        let number = |kind| numbers.find(1, kind).map(|lcn| lcn.number);
        assert_eq!([number(LcnKind::Plain), number(LcnKind::HdSimulcast)], [Some(57), Some(7)]);
    }

    proptest::proptest! {
        #[test]
        fn any_descriptors_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let nit = nit(&[&NORDIG_IS[..], &bytes].concat());
            let _ = Numbers::parse(Section::new(&nit).unwrap(), TSID);
        }

        #[test]
        fn any_section_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let section = with_body(NIT_ACTUAL, &bytes);
            let _ = Numbers::parse(Section::new(&section).unwrap(), 0);
        }
    }
}
