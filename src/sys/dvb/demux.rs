//! A demultiplexer of the kernel (linux/dvb/dmx.h): packets by PID, and sections by table.
//!
//! Every tap and every filter is a descriptor of its own on the demultiplexer's node. `dvr0` is never used: a 32-bit
//! program on a 64-bit kernel gets ENOTTY for each of its ioctls.
//!
//! Packets are had by `read()`, straight into a ring. Buffers of the kernel's that are mapped (`DMX_REQBUFS`) would need
//! a copy from there to the ring: by instructions counted on ARM, 0.73 ns a byte against 0.67 on 64 bits and 0.76 against
//! 0.52 on 32 (`tests/dvb/mapped.rs`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

#[cfg(test)]
pub(crate) mod sample;

/// The PID that stands for all of a mux.
pub const WHOLE_MUX: u16 = 0x2000;

/// `struct dmx_filter`: how the first bytes of a section have to be, its length left out.
#[repr(C)]
struct Filter {
    filter: [u8; 16],
    mask: [u8; 16],
    mode: [u8; 16],
}

/// `struct dmx_sct_filter_params`.
#[repr(C)]
pub(crate) struct SectionParams {
    pub(crate) pid: u16,
    filter: Filter,
    timeout: u32,
    flags: u32,
}

/// `struct dmx_pes_filter_params`.
#[repr(C)]
pub(crate) struct TapParams {
    pub(crate) pid: u16,
    input: u32,
    output: u32,
    pes_type: u32,
    flags: u32,
}

const CHECK_CRC: u32 = 1;
const IMMEDIATE_START: u32 = 4;
/// `DMX_IN_FRONTEND`.
const FRONTEND: u32 = 0;
/// `DMX_OUT_TSDEMUX_TAP`: packets, read from the demultiplexer's own node.
const TSDEMUX_TAP: u32 = 3;
/// `DMX_PES_OTHER`: for no decoder.
const PES_OTHER: u32 = 20;

mod ioctl {
    use super::{SectionParams, TapParams};
    nix::ioctl_write_ptr!(set_filter, b'o', 43, SectionParams);
    nix::ioctl_write_ptr!(set_pes_filter, b'o', 44, TapParams);
    // Declared without a size, and takes a number.
    nix::ioctl_write_int_bad!(set_buffer_size, nix::request_code_none!(b'o', 45));
    nix::ioctl_write_ptr!(add_pid, b'o', 51, u16);
    nix::ioctl_write_ptr!(remove_pid, b'o', 52, u16);
}

// Of x86-64 and 64-bit ARM, of 32-bit ARM; and as Linux' headers have it.
super::super::ioctl::abi! {
    nix::request_code_write!(b'o', 43, size_of::<SectionParams>()) => 0x403c6f2b, 0x403c6f2b; // DMX_SET_FILTER
    nix::request_code_write!(b'o', 44, size_of::<TapParams>()) => 0x40146f2c, 0x40146f2c; // DMX_SET_PES_FILTER
    nix::request_code_none!(b'o', 45) => 0x6f2d, 0x6f2d; // DMX_SET_BUFFER_SIZE
    nix::request_code_write!(b'o', 51, size_of::<u16>()) => 0x40026f33, 0x40026f33; // DMX_ADD_PID
    nix::request_code_write!(b'o', 52, size_of::<u16>()) => 0x40026f34, 0x40026f34; // DMX_REMOVE_PID
    size_of::<SectionParams>() => 60, 60; // sizeof(struct dmx_sct_filter_params)
    std::mem::offset_of!(SectionParams, filter) => 2, 2; // offsetof(struct dmx_sct_filter_params, filter)
    std::mem::offset_of!(SectionParams, timeout) => 52, 52; // offsetof(struct dmx_sct_filter_params, timeout)
    std::mem::offset_of!(SectionParams, flags) => 56, 56; // offsetof(struct dmx_sct_filter_params, flags)
    size_of::<TapParams>() => 20, 20; // sizeof(struct dmx_pes_filter_params)
    std::mem::offset_of!(TapParams, input) => 4, 4; // offsetof(struct dmx_pes_filter_params, input)
    std::mem::offset_of!(TapParams, flags) => 16, 16; // offsetof(struct dmx_pes_filter_params, flags)
    CHECK_CRC => 1, 1; // DMX_CHECK_CRC
    IMMEDIATE_START => 4, 4; // DMX_IMMEDIATE_START
    FRONTEND => 0, 0; // DMX_IN_FRONTEND
    TSDEMUX_TAP => 3, 3; // DMX_OUT_TSDEMUX_TAP
    PES_OTHER => 20, 20; // DMX_PES_OTHER
}

/// What a descriptor is told.
pub(crate) enum Control<'a> {
    Buffer(usize),
    Section(&'a SectionParams),
    Tap(&'a TapParams),
    Add(u16),
    Remove(u16),
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there yet.
    Nothing,
    /// The kernel's buffer was full and was emptied: what it held is lost.
    Overflow,
    /// The device is gone.
    Gone,
}

/// A descriptor on a demultiplexer's node.
struct Node {
    fd: OwnedFd,
    #[cfg(test)]
    fake: Option<sample::Fake>,
}

impl Node {
    fn open(path: &Path) -> io::Result<Self> {
        #[cfg(test)]
        if let Some((fd, fake)) = sample::open(path) {
            return Ok(Self { fd, fake: Some(fake) });
        }
        let file: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self {
            fd: file.into(),
            #[cfg(test)]
            fake: None,
        })
    }

    /// Lets the kernel hold `bytes`, or what it has room for.
    fn hold(&self, bytes: usize) {
        let mut bytes = bytes;
        while bytes >= 1 << 16 && self.control(&Control::Buffer(bytes)).is_err() {
            bytes /= 2;
        }
    }

    fn control(&self, control: &Control<'_>) -> io::Result<()> {
        #[cfg(test)]
        if let Some(fake) = &self.fake {
            return fake.control(control);
        }
        let fd = self.fd.as_raw_fd();
        let done = match control {
            Control::Buffer(bytes) => {
                let bytes = i32::try_from(*bytes).unwrap_or(i32::MAX);
                // SAFETY: the descriptor is open, and the argument is a number.
                unsafe { ioctl::set_buffer_size(fd, bytes) }
            }
            // SAFETY: the descriptor is open; the kernel reads one such structure at the pointer and keeps none.
            Control::Section(params) => unsafe { ioctl::set_filter(fd, *params) },
            // SAFETY: as above.
            Control::Tap(params) => unsafe { ioctl::set_pes_filter(fd, *params) },
            // SAFETY: as above, of one number.
            Control::Add(pid) => unsafe { ioctl::add_pid(fd, pid) },
            // SAFETY: as above.
            Control::Remove(pid) => unsafe { ioctl::remove_pid(fd, pid) },
        };
        Ok(done.map(drop)?)
    }

    fn read(&self, buffer: &mut [u8]) -> Got {
        let read = nix::unistd::read(&self.fd, buffer);
        #[cfg(test)]
        let read = if self.fake.is_some() { sample::reading(read, buffer) } else { read };
        match read {
            Ok(0) | Err(Errno::ENODEV | Errno::EIO | Errno::ENXIO) => Got::Gone,
            Ok(n) => Got::Bytes(n),
            Err(Errno::EOVERFLOW) => Got::Overflow,
            Err(_) => Got::Nothing, // EAGAIN, EINTR; ETIMEDOUT of a section filter
        }
    }
}

/// Packets of some PIDs, whole and in the order in which they came.
pub struct Tap(Node);

impl Tap {
    /// Taps `pid` of the demultiplexer at `path`, with `buffer_bytes` in the kernel.
    pub fn open(path: &Path, pid: u16, buffer_bytes: usize) -> io::Result<Self> {
        let node = Node::open(path)?;
        node.hold(buffer_bytes);
        let params = TapParams {
            pid,
            input: FRONTEND,
            output: TSDEMUX_TAP,
            pes_type: PES_OTHER,
            flags: IMMEDIATE_START,
        };
        node.control(&Control::Tap(&params))?;
        Ok(Self(node))
    }

    /// Its packets come, too, from now on.
    pub fn add(&self, pid: u16) -> io::Result<()> {
        self.0.control(&Control::Add(pid))
    }

    /// Its packets come no more, but for those that the kernel holds.
    pub fn remove(&self, pid: u16) -> io::Result<()> {
        self.0.control(&Control::Remove(pid))
    }

    /// Reads what is there, without waiting.
    pub fn read(&self, buffer: &mut [u8]) -> Got {
        self.0.read(buffer)
    }
}

/// The sections of one PID whose CRC is right.
pub struct SectionFilter(Node);

impl SectionFilter {
    /// Filters every section of `pid`, with `buffer_bytes` in the kernel.
    pub fn open(path: &Path, pid: u16, buffer_bytes: usize) -> io::Result<Self> {
        let node = Node::open(path)?;
        node.hold(buffer_bytes);
        let filter = Filter { filter: [0; 16], mask: [0; 16], mode: [0; 16] };
        let params = SectionParams { pid, filter, timeout: 0, flags: CHECK_CRC | IMMEDIATE_START };
        node.control(&Control::Section(&params))?;
        Ok(Self(node))
    }

    /// Reads one section, without waiting.
    pub fn read(&self, buffer: &mut [u8]) -> Got {
        self.0.read(buffer)
    }
}

/// Asks the kernel once which of `filters` have something to be read: a bit for each, of the first 64.
pub fn ready<'a>(filters: impl Iterator<Item = &'a SectionFilter>) -> u64 {
    let mut asked = heapless::Vec::<PollFd<'_>, 64>::new();
    for filter in filters {
        let _full = asked.push(PollFd::new(filter.0.fd.as_fd(), PollFlags::POLLIN));
    }
    if !matches!(poll(&mut asked, PollTimeout::ZERO), Ok(1..)) {
        return 0;
    }
    let bit = |(i, fd): (usize, &PollFd<'_>)| fd.any().unwrap_or(true).then_some(1 << i);
    asked.iter().enumerate().filter_map(bit).fold(0, |all, bit: u64| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_layouts_are_the_kernel_s() {
        // From linux/dvb/dmx.h, the same on armv7, aarch64 and x86-64: none has a pointer or 64 bits in it.
        assert_eq!(size_of::<SectionParams>(), 60);
        assert_eq!(size_of::<TapParams>(), 20);
        assert_eq!(nix::request_code_write!(b'o', 43, size_of::<SectionParams>()), 0x403c_6f2b);
        assert_eq!(nix::request_code_write!(b'o', 44, size_of::<TapParams>()), 0x4014_6f2c);
        assert_eq!(nix::request_code_none!(b'o', 45), 0x6f2d);
        assert_eq!(nix::request_code_write!(b'o', 51, size_of::<u16>()), 0x4002_6f33);
        assert_eq!(nix::request_code_write!(b'o', 52, size_of::<u16>()), 0x4002_6f34);
    }

    #[test]
    fn what_a_read_may_bring() {
        let demux = sample::Demux::new("/fake/sys/demux");
        let tap = Tap::open(Path::new("/fake/sys/demux"), 0x100, 1 << 20).unwrap();
        let mut buffer = [0; 400];
        assert_eq!(tap.read(&mut buffer), Got::Nothing);
        demux.send(0, &[7; 188]);
        demux.fail(0, Errno::EOVERFLOW);
        demux.fail(0, Errno::ETIMEDOUT);
        demux.fail(0, Errno::ENODEV);
        let read: Vec<Got> = (0..4).map(|_| tap.read(&mut buffer)).collect();
        assert_eq!(read, [Got::Bytes(188), Got::Overflow, Got::Nothing, Got::Gone]);
        tap.add(0x101).unwrap();
        tap.remove(0x100).unwrap();
        assert_eq!(demux.pids(0), [0x101]);
    }

    #[test]
    fn one_call_tells_which_filters_have_something() {
        let demux = sample::Demux::new("/fake/sys/ready");
        let open = |pid| SectionFilter::open(Path::new("/fake/sys/ready"), pid, 4096).unwrap();
        let filters = [0, 0x10, 0x11].map(open);
        assert_eq!(ready(filters.iter()), 0);
        demux.send(0, &[1, 2]);
        demux.send(2, &[3, 4]);
        assert_eq!(ready(filters.iter()), 0b101);
    }
}
