//! What the BAT says of bouquets: names, services, and numbers of services (EN 300 468 §5.2.2).

use broadcast_common::Parse;
use dvb_si::tables::bat::BatSection;

use super::network::Numbers;
use super::section::Section;
use super::service_info::{Name, ServiceTriple};
use crate::text::Unmarked;

/// `table_id` of the BAT.
pub const BAT: u8 = 0x4a;
/// Descriptor tags (EN 300 468 §6.2.4, §6.2.35).
const BOUQUET_NAME: u8 = 0x47;
const SERVICE_LIST: u8 = 0x41;

/// One section of a BAT.
pub struct Bat<'a>(BatSection<'a>);

impl<'a> Bat<'a> {
    /// Reads a section.
    #[must_use]
    pub fn parse(section: Section<'a>) -> Option<Self> {
        BatSection::parse(section.bytes()).ok().map(Self)
    }

    /// `bouquet_id`.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.0.bouquet_id
    }

    /// `version_number`, 0 to 31.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.0.version_number
    }

    /// The bouquet's name, where this section has it; `unmarked` is the table of a name that says none.
    #[must_use]
    pub fn name(&self, unmarked: Unmarked) -> Option<Name> {
        let (_, name) = self.0.bouquet_descriptors.raw_tags().find(|(tag, _)| *tag == BOUQUET_NAME)?;
        Some(Name::from_dvb(name, unmarked)).filter(|name| !name.is_empty())
    }

    /// The services that this section lists.
    pub fn services(&self) -> impl Iterator<Item = ServiceTriple> {
        self.0.transport_streams.iter().flat_map(|mux| {
            let lists = mux.descriptors.raw_tags().filter(|(tag, _)| *tag == SERVICE_LIST);
            let entries = lists.flat_map(|(_, body)| body.as_chunks::<3>().0);
            entries.map(|[high, low, _service_type]| ServiceTriple {
                original_network_id: mux.original_network_id,
                transport_stream_id: mux.transport_stream_id,
                service_id: u16::from_be_bytes([*high, *low]),
            })
        })
    }

    /// The numbers that this section gives to services of the mux `transport_stream_id`.
    #[must_use]
    pub fn numbers(&self, transport_stream_id: u16) -> Numbers {
        let muxes =
            self.0.transport_streams.iter().filter(|mux| mux.transport_stream_id == transport_stream_id);
        Numbers::of(muxes.map(|mux| &mux.descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::LcnKind;
    use super::super::section::with_body;
    use super::*;

    fn looped(bytes: &[u8]) -> Vec<u8> {
        [&(0xf000 | bytes.len() as u16).to_be_bytes()[..], bytes].concat()
    }

    #[test]
    fn a_bouquet_has_a_name_services_and_numbers() {
        let first =
            [&[0x41, 6, 0, 1, 1, 0, 2, 2][..], &[0x5f, 4, 0, 0, 0, 0x28, 0x83, 4, 0, 1, 0xfc, 7]].concat();
        let second = [0x41, 4, 0, 9, 1, 0, 0x83, 4, 0, 1, 0xfc, 8];
        let muxes = [&[0, 5, 0x20, 0][..], &looped(&first), &[0, 6, 0x20, 1], &looped(&second)].concat();
        let body = [looped(b"\x5c\x01x\x47\x05Sport"), looped(&muxes)].concat();
        let bytes = with_body(BAT, &body);
        let bat = Bat::parse(Section::new(&bytes).unwrap()).unwrap();
        assert_eq!((bat.id(), bat.version(), bat.name(Unmarked::Iso6937)), (1, 0, Some(Name::new("Sport"))));
        let services: Vec<_> =
            bat.services().map(|s| (s.original_network_id, s.transport_stream_id, s.service_id)).collect();
        assert_eq!(services, [(0x2000, 5, 1), (0x2000, 5, 2), (0x2001, 6, 9)]);
        let number = |mux| bat.numbers(mux).find(1, LcnKind::Plain).map(|lcn| lcn.number);
        assert_eq!([number(5), number(6), number(7)], [Some(7), Some(8), None]);
        let nameless = with_body(BAT, &[looped(&[]), looped(&[])].concat());
        assert_eq!(Bat::parse(Section::new(&nameless).unwrap()).unwrap().name(Unmarked::Iso6937), None);
    }

    proptest::proptest! {
        #[test]
        fn any_section_is_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let shaped = [looped(&bytes[..bytes.len() / 3]), looped(&bytes[bytes.len() / 3..])].concat();
            for body in [bytes, shaped] {
                let bytes = with_body(BAT, &body);
                if let Some(bat) = Bat::parse(Section::new(&bytes).unwrap()) {
                    let _ = (bat.name(Unmarked::Gbk), bat.services().count(), bat.numbers(0));
                }
            }
        }
    }
}
