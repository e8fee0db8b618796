//! A list as `dvbv5-scan` writes it.

use super::*;
use crate::import::Rules;

static LIST: &[u8] = b"# made by a scan\n\
    [Das Erste HD]\n\
    \tSERVICE_ID = 10301\n\
    \tNETWORK_ID = 1\n\
    \tTRANSPORT_ID = 1019\n\
    \tVCHANNEL = 1\n\
    \tVIDEO_PID = 5101\n\
    \tAUDIO_PID = 5102 5103\n\
    \tPID_06 = 5104\n\
    \tSAT_NUMBER = 0\n\
    \tLNB = UNIVERSAL\n\
    \tFREQUENCY = 11493750\n\
    \tINNER_FEC = 2/3\n\
    \tSYMBOL_RATE = 22000000\n\
    \tMODULATION = PSK/8\n\
    \tPOLARIZATION = HORIZONTAL\n\
    \tSTREAM_ID = 0\n\
    \tDELIVERY_SYSTEM = DVBS2\n\
    \n\
    [Radio Vitoria]\n\
    SERVICE_ID = 1264\n\
    VCHANNEL = 1\n\
    AUDIO_PID = 7004\n\
    FREQUENCY = 770000000\n\
    MODULATION = QAM/64\n\
    BANDWIDTH_HZ = 8000000\n\
    DELIVERY_SYSTEM = DVBT\n\
    [CHANNEL]\n\
    FREQUENCY = 770000000\n\
    DELIVERY_SYSTEM = DVBT\n\
    [Cable]\n\
    SERVICE_ID = 3\n\
    FREQUENCY = 402000000\n\
    SYMBOL_RATE = 6900000\n\
    MODULATION = QAM/256\n\
    DELIVERY_SYSTEM = DVBC/ANNEX_A\n\
    [American]\n\
    SERVICE_ID = 3\n\
    FREQUENCY = 503000000\n\
    MODULATION = VSB/8\n\
    DELIVERY_SYSTEM = ATSC\n\
    [Odd]\n\
    SERVICE_ID = x\n\
    nonsense\n";

#[test]
fn a_list_as_the_scan_writes_it() {
    let mut import = Import::new(Rules { interface: None, capacity: 9 });
    let refused = import.read(LIST).unwrap();
    let rows: Vec<_> = import.entries().iter().map(|e| (e.number, e.name.as_str(), e.kind)).collect();
    assert_eq!(
        rows,
        [
            (Some(1), "Das Erste HD", ServiceKind::Television),
            (None, "Radio Vitoria", ServiceKind::Radio),
            (None, "Cable", ServiceKind::Data),
        ]
    );
    let sources = import.entries().iter().map(|e| e.source.clone());
    let service = |network, stream, service_id| Triple {
        original_network_id: network,
        transport_stream_id: stream,
        service_id,
    };
    let satellite = Delivery::Satellite {
        generation: Generation::Second,
        kilohertz: 11_493_750,
        symbol_rate: 22_000_000,
        polarisation: Polarisation::Horizontal,
        modulation: Modulation::Psk8,
        position: None,
        stream: None,
    };
    let terrestrial = Delivery::Terrestrial {
        generation: Generation::First,
        hertz: 770_000_000,
        bandwidth: Some(8_000_000),
        modulation: Modulation::Qam64,
        stream: None,
    };
    let cable =
        Delivery::Cable { hertz: 402_000_000, symbol_rate: 6_900_000, modulation: Modulation::Qam256 };
    let wanted = [
        DvbService { service: service(Some(1), Some(1019), 10301), delivery: satellite },
        DvbService { service: service(None, None, 1264), delivery: terrestrial },
        DvbService { service: service(None, None, 3), delivery: cable },
    ];
    assert_eq!(sources.collect::<Vec<_>>(), wanted.map(ImportedSource::Dvb));
    let said: Vec<_> = refused.kept().iter().map(|(line, why)| format!("{line}: {why}")).collect();
    assert_eq!(
        said,
        [
            "20: number 1 is taken by a channel before",
            "28: SERVICE_ID is missing",
            "41: 'ATSC' is a delivery system not known here",
            "44: 'nonsense' is not understood",
            "43: SERVICE_ID 'x' is impossible",
        ]
    );
}
