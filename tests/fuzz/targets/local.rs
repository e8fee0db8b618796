//! Lines of the local protocol, at both ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stbcast::local::protocol::{
    BoxLine, ChannelLine, Done, EventLine, Greeting, LINE_MAX, Link, MuxView, PairingLine, PlayerLine,
    QrLine, TerminalLine, line, read,
};
use stbcast::local::server::parse;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 12 {
        0 => {
            if let Ok(request) = parse(bytes) {
                let line = line(&request);
                assert_eq!(parse(&line[..line.len() - 1]), Ok(request));
            }
        }
        1 => comes_back::<Greeting>(bytes),
        2 => comes_back::<Done>(bytes),
        3 => comes_back::<Link>(bytes),
        4 => comes_back::<MuxView>(bytes),
        5 => comes_back::<BoxLine>(bytes),
        6 => comes_back::<PairingLine>(bytes),
        7 => comes_back::<QrLine>(bytes),
        8 => comes_back::<EventLine>(bytes),
        9 => comes_back::<PlayerLine>(bytes),
        10 => drop(read::<TerminalLine>(bytes)),
        _ => drop(read::<ChannelLine>(bytes)),
    }
});

/// What is read is written as a line, and read again.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Some(value) = read::<T>(bytes) else { return };
    let line = line(&value);
    assert!(line.len() <= LINE_MAX && line.ends_with(b"\n"));
    assert_eq!(read::<T>(&line), Some(value));
}
