//! The transport stream as bytes and as meaning (ISO 13818-1, EN 300 468): packets, sections, PSI, clocks.
//!
//! Owns the formats. Knows nothing of sources, rings or clients, nor what time it is: bytes in, values out.

pub mod bouquet;
pub mod clock;
mod descriptor;
pub mod eit;
pub mod event;
pub mod network;
pub mod packet;
pub mod packetise;
pub mod psi;
pub mod section;
pub mod service_info;
pub mod time;

pub use packet::{PACKET, Packet, Pid};
