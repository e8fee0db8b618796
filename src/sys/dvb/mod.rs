//! Linux DVB: what the kernel's frontends and demultiplexers are asked by ioctl.

pub mod demux;
