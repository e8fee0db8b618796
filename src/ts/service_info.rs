//! What the SDT says of a mux's services (EN 300 468 §5.2.3), reduced to what a channel list needs.

use broadcast_common::Parse;
use dvb_si::descriptors::service::ServiceDescriptor;
use dvb_si::tables::sdt::SdtSection;
use dvb_si::text::DvbText;
use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::descriptor;
use super::section::Section;
use crate::text::{CleanText, Unmarked};

/// `table_id` of the SDT of the mux it is on.
pub const SDT_ACTUAL: u8 = 0x42;
/// Services of one SDT section: the shortest entry has 5 bytes, but one worth keeping has a descriptor of 5 too.
const SERVICES: usize = 100;

/// A name as lists show it. EN 300 468 sets no limit below 255 bytes; names on air stay below 30 characters.
pub type Name = CleanText<64>;

/// What identifies a service everywhere (EN 300 468 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceTriple {
    /// `original_network_id`.
    pub original_network_id: u16,
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// `service_id`.
    pub service_id: u16,
}

/// One section of an SDT.
#[derive(Clone, Debug)]
pub struct Sdt {
    /// `transport_stream_id`.
    pub transport_stream_id: u16,
    /// `original_network_id`.
    pub original_network_id: u16,
    /// The services, in the table's order.
    pub services: Vec<ServiceInfo, SERVICES>,
}

/// A service as the SDT presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceInfo {
    /// `service_id`.
    pub service_id: u16,
    /// Its name; empty where none is given.
    pub name: Name,
    /// Who makes it.
    pub provider: Name,
    /// Television, radio or data.
    pub kind: ServiceKind,
    /// `EIT_present_following_flag`: the mux tells the service's present and following events.
    pub has_events: bool,
    /// `EIT_schedule_flag`: the mux tells the service's schedule.
    pub has_schedule: bool,
    /// `free_CA_mode`: the service is under a conditional access system.
    pub scrambled: bool,
}

/// What kind of service it is, from `service_type` (EN 300 468 table 89).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ServiceKind {
    Television,
    Radio,
    Data,
}

impl ServiceKind {
    /// The name that lists carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Television => "tv",
            Self::Radio => "radio",
            Self::Data => "data",
        }
    }

    /// The kind of a `service_type`.
    #[must_use]
    pub const fn of(service_type: u8) -> Self {
        match service_type {
            0x02 | 0x07 | 0x0a => Self::Radio,
            0x01 | 0x04..=0x06 | 0x11..=0x20 => Self::Television,
            _ => Self::Data,
        }
    }
}

impl Sdt {
    /// Reads an SDT section; `unmarked` is the table of names that say none.
    #[must_use]
    pub fn parse(section: Section<'_>, unmarked: Unmarked) -> Option<Self> {
        let sdt = SdtSection::parse(section.bytes()).ok()?;
        let name = |text: DvbText<'_>| Name::from_dvb(text.raw(), unmarked);
        let services = sdt.services.iter().map(|service| {
            let described = descriptor::first::<ServiceDescriptor<'_>>(&service.descriptors);
            let described = described.as_ref();
            ServiceInfo {
                service_id: service.service_id,
                name: described.map_or_else(Name::default, |d| name(d.service_name)),
                provider: described.map_or_else(Name::default, |d| name(d.provider_name)),
                kind: described.map_or(ServiceKind::Television, |d| ServiceKind::of(d.service_type.to_u8())),
                has_events: service.eit_present_following_flag,
                has_schedule: service.eit_schedule_flag,
                scrambled: service.free_ca_mode,
            }
        });
        Some(Self {
            transport_stream_id: sdt.transport_stream_id,
            original_network_id: sdt.original_network_id,
            services: services.take(SERVICES).collect(),
        })
    }
}
