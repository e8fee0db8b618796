//! Linux DVB, API version 5: what the kernel's frontends and demultiplexers are asked by ioctl.

pub mod demux;
pub mod frontend;
