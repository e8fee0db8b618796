//! Channels that every format can write, and the writers: the judges of the readers.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::delivery::{Modulation, Polarisation, Position, System, Tuning};

/// An entry every format can write: a name without its punctuation.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) radio: bool,
    service: Triple,
    system: System,
    kilohertz: u32,
    symbol_rate: u32,
    polarisation: usize,
    modulation: usize,
    pub(super) tenths: i16,
    pub(super) group: SocketAddr,
}

/// The three that a satellite's signal has in every format, as lamedb, VDR and libdvbv5 write them.
const MODULATIONS: [(Modulation, &str, &str, &str); 3] = [
    (Modulation::Qpsk, "1", "2", "QPSK"),
    (Modulation::Psk8, "2", "5", "PSK/8"),
    (Modulation::Apsk16, "4", "6", "APSK/16"),
];

const POLARISATIONS: [(Polarisation, &str, &str); 4] = [
    (Polarisation::Horizontal, "H", "HORIZONTAL"),
    (Polarisation::Vertical, "V", "VERTICAL"),
    (Polarisation::CircularLeft, "L", "LEFT"),
    (Polarisation::CircularRight, "R", "RIGHT"),
];

pub(super) fn sample() -> impl Strategy<Value = Sample> {
    let ids = (1..u16::MAX, 1..u16::MAX, 1..u16::MAX);
    let signal = (any::<bool>(), 3_000..30_000_u32, 1..60_000_u32, 0..4_usize, 0..3_usize, -1799..=1800_i16);
    let group = (0..=255_u8, 1..=255_u8, 1..u16::MAX);
    ("[A-Za-zé][A-Za-z0-9é]{0,20}", any::<bool>(), ids, signal, group).prop_map(
        |(name, radio, (network, stream, service_id), signal, (a, b, port))| Sample {
            name,
            radio,
            service: Triple {
                original_network_id: Some(network),
                transport_stream_id: Some(stream),
                service_id,
            },
            system: if signal.0 { System::DvbS2 } else { System::DvbS },
            kilohertz: signal.1 * 1000,
            symbol_rate: signal.2 * 1000,
            polarisation: signal.3,
            modulation: signal.4,
            tenths: signal.5,
            group: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 1, a, b)), port),
        },
    )
}

impl Sample {
    pub(super) fn kind(&self) -> ServiceKind {
        if self.radio { ServiceKind::Radio } else { ServiceKind::Television }
    }

    pub(super) fn position(&self) -> Position {
        Position::east(self.tenths.into()).unwrap()
    }

    pub(super) fn entry(&self, number: Option<u16>, source: ImportedSource) -> Imported {
        let name = Name::new(&self.name);
        Imported {
            number,
            name,
            provider: Name::default(),
            kind: self.kind(),
            source,
            group: Name::default(),
        }
    }

    pub(super) fn dvb(&self, position: Option<Position>) -> ImportedSource {
        let tuning = Tuning {
            symbol_rate: Some(self.symbol_rate),
            polarisation: Some(POLARISATIONS[self.polarisation].0),
            modulation: MODULATIONS[self.modulation].0,
            position,
            ..Tuning::new(self.system, self.kilohertz)
        };
        ImportedSource::Dvb(DvbService { service: self.service, tuning })
    }

    pub(super) fn ids(&self) -> (u16, u16, u16) {
        let Triple { original_network_id, transport_stream_id, service_id } = self.service;
        (original_network_id.unwrap(), transport_stream_id.unwrap(), service_id)
    }

    /// A transponder of its own for each service: the namespace's low half tells them apart.
    pub(super) fn lamedb(&self, at: usize) -> (String, String) {
        let (network, stream, sid) = self.ids();
        let namespace = (i32::from(self.tenths).rem_euclid(3600) << 16) | at as i32;
        let transponder = format!(
            "t:{namespace:08x}:{stream:04x}:{network:04x},s:{}:{}:{}:0:{}:2:0:{}:{}:0:2",
            self.kilohertz,
            self.symbol_rate,
            self.polarisation,
            self.tenths,
            u8::from(self.system == System::DvbS2),
            MODULATIONS[self.modulation].1
        );
        let kind = if self.radio { 2 } else { 1 };
        let ids = format!("{sid:04x}:{namespace:08x}:{stream:04x}:{network:04x}:{kind}:0:0");
        (transponder, format!("s:{ids},\"{}\",p:", self.name))
    }

    pub(super) fn vdr(&self) -> String {
        let (network, stream, sid) = self.ids();
        let position = self.position();
        format!(
            "{}:{}:{}M{}S{}:S{position}:{}:{}:2:3:0:{sid}:{network}:{stream}:0",
            self.name,
            self.kilohertz / 1000,
            POLARISATIONS[self.polarisation].1,
            MODULATIONS[self.modulation].2,
            u8::from(self.system == System::DvbS2),
            self.symbol_rate / 1000,
            if self.radio { "0" } else { "163=2" },
        )
    }

    pub(super) fn dvbv5(&self, number: u16) -> String {
        let (network, stream, sid) = self.ids();
        format!(
            "[{}]\nSERVICE_ID = {sid}\nNETWORK_ID = {network}\nTRANSPORT_ID = {stream}\nVCHANNEL = {number}\n\
             {} = 5\nFREQUENCY = {}\nSYMBOL_RATE = {}\nPOLARIZATION = {}\nMODULATION = {}\n\
             DELIVERY_SYSTEM = {}\n",
            self.name,
            if self.radio { "AUDIO_PID" } else { "VIDEO_PID" },
            self.kilohertz,
            self.symbol_rate,
            POLARISATIONS[self.polarisation].2,
            MODULATIONS[self.modulation].3,
            if self.system == System::DvbS2 { "DVBS2" } else { "DVBS" },
        )
    }
}

/// The lines of a version 5 file as a version 4 file has them.
pub(super) fn as_version_4(transponders: &[String], services: &[String]) -> String {
    let mut file = "eDVB services /4/\ntransponders\n".to_owned();
    for line in transponders {
        let (key, signal) = line[2..].split_once(',').unwrap();
        write!(file, "{key}\n\t{}\n/\n", signal.replacen(':', " ", 1)).unwrap();
    }
    file.push_str("end\nservices\n");
    for line in services {
        file.push_str(&line[2..].replacen(",\"", "\n", 1).replacen("\",", "\n", 1));
        file.push('\n');
    }
    file + "end\n"
}
