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
    [Other]\n\
    SERVICE_ID = 3\n\
    FREQUENCY = 503000000\n\
    DELIVERY_SYSTEM = DVBX # a comment\n\
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
            (None, "American", ServiceKind::Data),
        ]
    );
    let sources = import.entries().iter().map(|e| e.source.clone());
    let service = |network, stream, service_id| Triple {
        original_network_id: network,
        transport_stream_id: stream,
        service_id,
    };
    let wanted = [
        (service(Some(1), Some(1019), 10301), "dvb-s2:11493750H?sr=22000000&mod=8psk"),
        (service(None, None, 1264), "dvb-t:770000000?bw=8000000&mod=qam64"),
        (service(None, None, 3), "dvb-c:402000000?sr=6900000&mod=qam256"),
        (service(None, None, 3), "atsc:503000000?mod=8vsb"),
    ]
    .map(|(service, tuning)| DvbService { service, tuning: tuning.parse().unwrap() });
    assert_eq!(sources.collect::<Vec<_>>(), wanted.map(ImportedSource::Dvb));
    let said: Vec<_> = refused.kept().iter().map(|(line, why)| format!("{line}: {why}")).collect();
    assert_eq!(
        said,
        [
            "20: number 1 is taken by a channel before",
            "28: SERVICE_ID is missing",
            "45: 'DVBX' is a delivery system not known here",
            "47: SERVICE_ID 'x' is impossible",
            "48: 'nonsense' is not understood",
        ]
    );
}

static TABLE: &[u8] = b"# Somewhere\n\
    [CH25: one, two]\n\
    \tDELIVERY_SYSTEM = DVBT2\n\
    \tFREQUENCY = 506000000\n\
    \tBANDWIDTH_HZ = 8000000 # Sweden - \xc3\x84ngebo\n\
    \tSTREAM_ID = 4294967295\n\
    \tMODULATION = QAM/AUTO\n\
    \tINVERSION = AUTO\n\
    [CHANNEL]\n\
    \tDELIVERY_SYSTEM = DVBC/ANNEX_B\n\
    \tFREQUENCY = 57000000\n\
    \tMODULATION = QAM/256\n\
    [CHANNEL]\n\
    \tDELIVERY_SYSTEM = DVBS\n\
    \tFREQUENCY = 11362000\n\
    \tSYMBOL_RATE = 22000000\n\
    [CHANNEL]\n\
    \tDELIVERY_SYSTEM = ISDBT\n\
    \tFREQUENCY = 473142857\n\
    \tISDBT_LAYER_ENABLED = 7\n";

#[test]
fn an_initial_table_is_muxes() {
    let (tunings, refused) = initial_table(TABLE).unwrap();
    let texts: Vec<_> = tunings.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["dvb-t2:506000000?bw=8000000", "dvb-c-b:57000000?mod=qam256", "isdb-t:473142857"]);
    let said: Vec<_> = refused.kept().iter().map(|(line, why)| format!("{line}: {why}")).collect();
    assert_eq!(said, ["13: POLARIZATION is missing"]);
    assert_eq!(initial_table(b"# nothing\n").unwrap_err(), ImportError::Format);
}

/// All that Debian's `dtv-scan-tables` has: every file is read, and nothing of it is refused but what cannot be: some
/// dozen have a frequency or a symbol rate that nobody sends with.
#[test]
#[ignore = "needs the package dtv-scan-tables"]
fn every_table_of_the_field_is_read() {
    let (mut files, mut muxes, mut impossible) = (0, 0, 0);
    let mut left = vec![std::path::PathBuf::from("/usr/share/dvb")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            // Those are of the format before this one.
            let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            left.extend(all.filter(|path| !path.ends_with("dvb-legacy")));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let entries = bytes.split(|b| *b == b'\n').filter(|line| line.starts_with(b"[")).count();
        let (tunings, refused) = initial_table(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (line, why) in refused.kept() {
            let is_number = matches!(why, Refusal::Value("FREQUENCY" | "SYMBOL_RATE", _));
            assert!(is_number, "{}:{line}: {why}", path.display());
            println!("{}:{line}: {why}", path.display());
        }
        assert_eq!(tunings.len() + refused.count(), entries, "{}", path.display());
        impossible += refused.count();
        tunings.iter().for_each(|t| assert_eq!(t.to_string().parse(), Ok(*t)));
        (files, muxes) = (files + 1, muxes + entries);
    }
    println!("{files} files, {muxes} muxes, {impossible} of them impossible");
    assert!(files > 3000 && muxes > 25_000 && impossible < 20, "{files} files, {muxes} muxes, {impossible}");
}
