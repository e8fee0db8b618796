//! Whether a stream starts where a decoder can start.

use super::ts::{Packet, Pmt, is_scrambled, judge, packets, payload, pid, starts_unit};

/// A stream starts clean: a PAT, the PMT of its programme, then, tables and packets without payload aside, the start of
/// a video unit that is a random access point. Radio: the start of an audio unit.
pub fn starts_clean(bytes: &[u8]) -> Result<(), String> {
    let packets = packets(bytes).0;
    let report = judge(bytes);
    let [(_, pmt_pid)] = report.pat_programs[..] else {
        return Err(format!("the PAT has {} programmes, not one", report.pat_programs.len()));
    };
    let pmt = report.pmt.ok_or("there is no PMT")?;
    let pids: Vec<_> = packets.iter().take(2).map(|p| (pid(p), starts_unit(p))).collect();
    if pids != [(0, true), (pmt_pid, true)] {
        return Err(format!("the first packets are not PAT and PMT: PIDs {:?}", report.first_pids));
    }
    let streams: Vec<_> = pmt.streams.iter().map(|s| s.1).collect();
    let first = packets
        .iter()
        .position(|p| streams.contains(&pid(p)) && p[3] & 0x10 != 0)
        .ok_or("there is no elementary packet")?;
    if let Some(stray) = packets[..first]
        .iter()
        .map(pid)
        .find(|&p| p > 0x1f && ![pmt_pid, pmt.pcr_pid].contains(&p) && !streams.contains(&p))
    {
        return Err(format!("PID {stray:#06x} is in no table"));
    }
    starts_at_rap(&packets[first..], &pmt).map_err(|why| format!("packet {first}: {why}"))
}

fn starts_at_rap(packets: &[Packet], pmt: &Pmt) -> Result<(), String> {
    let main = pmt.streams.iter().find(|s| is_video(s.0)).or_else(|| pmt.streams.first());
    let &(stream_type, main) = main.ok_or("the PMT has no stream")?;
    let first = &packets[0];
    if pid(first) != main || !starts_unit(first) {
        return Err(format!("PID {:#06x} comes before the start of a unit of PID {main:#06x}", pid(first)));
    }
    let random_access = first[3] & 0x20 != 0 && first[4] > 0 && first[5] & 0x40 != 0;
    if is_scrambled(first) {
        return if random_access {
            Ok(())
        } else {
            Err("scrambled, and not marked as random access".to_owned())
        };
    }
    let unit = unit(packets, main).ok_or("the unit has no PES header")?;
    let sound = match stream_type {
        0x01 | 0x02 => mpeg2_starts(&unit),
        0x1b => h264_starts(&unit),
        0x24 => codes(&unit).any(|nal| matches!(nal.first().map(|b| b >> 1 & 0x3f), Some(16..=21))),
        0x42 => avs_starts(&unit),
        _ => !is_video(stream_type),
    };
    if sound {
        Ok(())
    } else {
        Err(format!("the unit of stream type {stream_type:#04x} is no random access point"))
    }
}

/// MPEG-1, MPEG-2, MPEG-4 part 2, H.264, HEVC, AVS.
pub fn is_video(stream_type: u8) -> bool {
    matches!(stream_type, 0x01 | 0x02 | 0x10 | 0x1b | 0x24 | 0x42)
}

/// The elementary bytes of the PES packet that the first packet begins.
fn unit(packets: &[Packet], main: u16) -> Option<Vec<u8>> {
    let mut own = packets.iter().filter(|p| pid(p) == main);
    let mut bytes = payload(own.next()?).to_vec();
    own.take_while(|p| !starts_unit(p)).for_each(|p| bytes.extend(payload(p)));
    if !bytes.starts_with(&[0, 0, 1]) {
        return None;
    }
    Some(bytes.get(9 + usize::from(*bytes.get(8)?)..)?.to_vec())
}

/// What follows each start code, up to the end of the unit.
fn codes(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    unit.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(i, _)| &unit[i + 3..])
}

/// A sequence header and an I picture (ISO 13818-2 §6.2.2.1, §6.2.3).
fn mpeg2_starts(unit: &[u8]) -> bool {
    codes(unit).any(|c| c.first() == Some(&0xb3))
        && codes(unit).any(|c| c.len() > 2 && c[0] == 0 && c[2] >> 3 & 7 == 1)
}

/// An AVS sequence header and an I picture (GB/T 20090.2).
fn avs_starts(unit: &[u8]) -> bool {
    [0xb0, 0xb3].iter().all(|code| codes(unit).any(|c| c.first() == Some(code)))
}

/// An IDR picture; or an SPS with a recovery point or a picture of I slices alone (ISO 14496-10 §7.3, §D.2.8).
fn h264_starts(unit: &[u8]) -> bool {
    let has = |kind: u8| codes(unit).any(|nal| nal.first().is_some_and(|b| b & 0x1f == kind));
    let recovery =
        || codes(unit).any(|nal| nal.first().is_some_and(|b| b & 0x1f == 6) && nal.get(1) == Some(&6));
    let intra = || {
        let mut slices = codes(unit).filter(|nal| nal.first().is_some_and(|b| b & 0x1f == 1)).peekable();
        slices.peek().is_some() && slices.all(|nal| matches!(slice_type(&nal[1..]), Some(2 | 7)))
    };
    has(5) || has(7) && (recovery() || intra())
}

/// `slice_type`: the second Exp-Golomb number of a slice header.
fn slice_type(header: &[u8]) -> Option<u32> {
    let mut bits = header.iter().flat_map(|byte| (0..8).rev().map(move |i| u32::from(byte >> i & 1)));
    let mut number = || {
        let zeros = bits.by_ref().take_while(|&bit| bit == 0).count();
        let rest = (0..zeros.min(16)).try_fold(1, |value, _| bits.next().map(|bit| value << 1 | bit))?;
        Some(rest - 1)
    };
    number()?;
    number()
}
