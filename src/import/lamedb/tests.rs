//! Lists as receivers write them.

use super::*;
use crate::delivery::{Modulation, Polarisation, Position, System};
use crate::import::{Format, LIST_MAX, Rules};

static VERSION_4: &[u8] = b"eDVB services /4/\n\
    transponders\n\
    00c00000:03fb:0001\n\
    \ts 11493750:22000000:0:3:192:2:0:1:2:0:2\n\
    /\n\
    0dd40000:0001:0002\n\
    \ts 11836000:27500000:3:4:-120:2:0\n\
    /\n\
    eeee0000:0301:2114\n\
    \tt 522000000:0:5:5:3:2:4:4:2:0:1:1\n\
    /\n\
    ffff0000:0431:0001\n\
    \tc 410000:6900000:2:3:0:0:0\n\
    /\n\
    11110000:0001:0002\n\
    \ta 551000000:0:1:0:0\n\
    /\n\
    end\n\
    services\n\
    283d:00c00000:03fb:0001:25:0\n\
    \xc2\x86Das Erste\xc2\x87 HD\n\
    p:ARD,c:0013ed,f:40\n\
    0010:eeee0000:0301:2114:31:0:0\n\
    Das Erste\n\
    p:ARD\n\
    0011:ffff0000:0431:0001:2:0\n\
    \n\
    old style\n\
    0012:0dd40000:0001:0002:1:0\n\
    Hidden\n\
    p:,f:42\n\
    not a service\n\
    lost\n\
    0013:0dd40000:0001:0002:12:0\n\
    Data\n\
    p:\n\
    0014:11110000:0001:0002:1:0\n\
    American\n\
    p:\n\
    0015:0dd40000:0001:0002:1:0\n\
    end\n";

static VERSION_5: &[u8] = b"eDVB services /5/\n\
    # a comment\n\
    t:00c00000:03fb:0001,s:11493750:22000000:0:3:192:2:0:1:2:0:2,MIS/PLS:3:131070:1\n\
    s:283d:00c00000:03fb:0001:25:0:0,\"Das Erste, HD\",p:ARD,f:40\n\
    s:283e:00c00000:03fb:0001:25:0:0,\"arte\"\n\
    t:22220000:0003:0004,s:notanumber:22000000:0:2:192:2:0\n\
    s:283f:00c00000:03fb:0001:25:0:0,broken\n";

fn read(bytes: &[u8]) -> (Vec<Imported>, Vec<String>) {
    let mut import = Import::new(Rules { interface: None, capacity: 9 });
    let refused = import.read(bytes).unwrap();
    let said = refused.kept().iter().map(|(line, why)| format!("{line}: {why}")).collect();
    (import.into_entries(), said)
}

fn dvb(entry: &Imported) -> DvbService {
    let ImportedSource::Dvb(service) = entry.source else { panic!() };
    service
}

fn satellite(stream: Option<u32>) -> Tuning {
    Tuning {
        symbol_rate: Some(22_000_000),
        polarisation: Some(Polarisation::Horizontal),
        modulation: Modulation::Psk8,
        position: Position::east(192),
        stream,
        ..Tuning::new(System::DvbS2, 11_493_750)
    }
}

#[test]
fn version_4_as_the_receiver_writes_it() {
    let (entries, said) = read(VERSION_4);
    let rows: Vec<_> =
        entries.iter().map(|e| (e.name.as_str(), e.provider.as_str(), e.kind, e.number)).collect();
    assert_eq!(
        rows,
        [
            ("Das Erste HD", "ARD", ServiceKind::Television, None),
            ("Das Erste", "ARD", ServiceKind::Television, None),
            ("Service 17", "old style", ServiceKind::Radio, None),
            ("Data", "", ServiceKind::Data, None),
        ]
    );
    let tunings: Vec<_> = entries.iter().map(|e| dvb(e).tuning.to_string()).collect();
    assert_eq!(
        tunings,
        [
            &satellite(None).to_string(),
            "dvb-t2:522000000?bw=8000000&stream=1",
            "dvb-c:410000000?sr=6900000&mod=qam64",
            "dvb-s:11836000R?sr=27500000&mod=qpsk&sat=12.0W",
        ]
    );
    assert_eq!(dvb(&entries[0]).service.transport_stream_id, Some(0x3fb));
    let wanted = [
        "16: 'a 551000000:0:1:0:0' is a delivery system not known here",
        "29: 'Hidden' is hidden in the list",
        "32: 'not a service' is not understood",
        "37: '11110000:0001:0002': the list has no such transponder",
    ];
    assert_eq!(said[..4], wanted);
    assert_eq!(said[4..], ["40: name is missing"]);
}

#[test]
fn version_5_as_the_receiver_writes_it() {
    let (entries, said) = read(VERSION_5);
    let rows: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.provider.as_str())).collect();
    assert_eq!(rows, [("Das Erste, HD", "ARD"), ("arte", "")]);
    assert_eq!(dvb(&entries[0]).tuning, satellite(Some(3)));
    let wanted = [
        "6: transponder 's:notanumber:22000000:0:2:192:2:0' is impossible",
        "7: 's:283f:00c00000:03fb:0001:25:0:0,broken' is not understood",
    ];
    assert_eq!(said, wanted);
}

#[test]
fn another_version_is_no_list() {
    let mut import = Import::new(Rules { interface: None, capacity: 9 });
    let error = import.read(b"eDVB services /3/\n").unwrap_err();
    assert_eq!(error, ImportError::Version(Culprit::new("/3/")));
    assert_eq!(import.read(b"hello").unwrap_err(), ImportError::Format);
    let large = vec![b'#'; LIST_MAX + 1];
    assert_eq!(import.read_as(Format::M3u, &large), Err(ImportError::Large(large.len())));
}
