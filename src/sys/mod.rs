//! System calls that need `unsafe`, behind safe functions. The only place in the crate that may say it.
//!
//! Owns memory mappings, batched datagrams, tuners and demultiplexers as the kernel has them, the socket options no
//! crate wraps, what the kernel says of addresses and links, its clock and randomness, the terminal, video nodes. Knows nothing of
//! transport streams.

#![allow(unsafe_code)]

#[cfg(feature = "cloud")]
pub mod burst;
pub mod clock;
pub mod datagram;
pub mod dvb;
mod ioctl;
pub mod machine;
pub mod mirror;
pub mod netlink;
pub mod random;
mod section;
pub mod socket;
pub mod terminal;
#[cfg(feature = "v4l")]
pub mod v4l;
