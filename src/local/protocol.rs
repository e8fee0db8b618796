//! The lines that both ends write and read.

use serde::{Deserialize, Serialize};

/// Bytes of the longest line, its end included.
pub const LINE_MAX: usize = 4096;

/// What is asked.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// `status`, `channels` or `link`.
    pub cmd: &'a str,
    /// Of a link: the channel's number; 0 for the list and every channel.
    pub channel: Option<u16>,
    /// Of a link: seconds that it lives.
    pub ttl: Option<u32>,
    /// Of a link: how many players at one time; 0 for no limit.
    pub connections: Option<u16>,
    /// Of a link: one for every address that the box listens on. Of the channels: also those not available.
    pub all: Option<bool>,
}

/// The last line of an answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done<'a> {
    /// It was done.
    pub done: bool,
    /// Why not.
    pub error: Option<&'a str>,
}

/// A line of the answer to `link`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link<'a> {
    /// What to open in a player.
    pub url: &'a str,
}

/// The first line, from the box.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting<'a> {
    /// Of this protocol.
    pub v: u8,
    /// `stbcastd`.
    pub product: &'a str,
    /// Of the product.
    pub version: &'a str,
}

/// `value` as a line.
#[must_use]
pub fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; LINE_MAX];
    let length = serde_json_core::to_slice(value, &mut bytes[..LINE_MAX - 1]).unwrap_or(0);
    bytes[length] = b'\n';
    bytes.truncate(length + 1);
    bytes
}
