//! Video nodes (V4L2) that give bytes: what they are, and their frames by `read()` and by mapped buffers.
//!
//! Structures and numbers are crate `v4l`'s, read from the kernel's headers, but for those with a time in them: with a
//! 64-bit time on a 32-bit processor they are larger than kernels before 5.6 know them. Here their time is a `long`,
//! which every kernel knows. That crate's own wrappers are not used: they panic at values of a driver that they do not
//! know.

use std::ffi::c_ulong;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use v4l::v4l_sys::{v4l2_capability, v4l2_control, v4l2_format, v4l2_requestbuffers};
use v4l::v4l2::{self, vidioc};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`.
const CAPTURE: u32 = 1;
/// `V4L2_MEMORY_MMAP`.
const MMAP: u32 = 1;
/// `V4L2_CAP_VIDEO_CAPTURE`, `V4L2_CAP_READWRITE`, `V4L2_CAP_STREAMING`, `V4L2_CAP_DEVICE_CAPS`.
const CAP_CAPTURE: u32 = 1;
const CAP_READ: u32 = 0x0100_0000;
const CAP_STREAM: u32 = 0x0400_0000;
const CAP_OF_NODE: u32 = 0x8000_0000;
/// `V4L2_CID_MPEG_STREAM_TYPE`, and its `V4L2_MPEG_STREAM_TYPE_MPEG2_TS`.
const STREAM_TYPE: u32 = 0x0099_0900;
const STREAM_TYPE_TS: i32 = 1;
/// Buffers that are mapped.
const BUFFERS: u32 = 8;

/// `struct v4l2_buffer` of one plane, with the `timeval` of the processor's own width.
#[repr(C)]
#[derive(Default)]
struct Buffer {
    index: u32,
    kind: u32,
    used: u32,
    flags: u32,
    field: u32,
    time: [std::ffi::c_long; 2],
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    /// `m.offset`: the low half where it stands first, as on all processors that this runs on.
    offset: c_ulong,
    length: u32,
    reserved: u32,
    request: i32,
}

/// The requests that take a [`Buffer`], and those beside them (`videodev2.h`).
#[allow(missing_docs, unreachable_pub, reason = "made by a macro")]
mod request {
    use super::Buffer;

    nix::ioctl_readwrite!(query_buffer, b'V', 9, Buffer);
    nix::ioctl_readwrite!(queue, b'V', 15, Buffer);
    nix::ioctl_readwrite!(dequeue, b'V', 17, Buffer);
    nix::ioctl_write_ptr!(stream_on, b'V', 18, u32);
    nix::ioctl_write_ptr!(stream_off, b'V', 19, u32);
}

/// What a node can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It captures, by one plane.
    pub captures: bool,
    /// It can be read from.
    pub reads: bool,
    /// It has buffers that can be mapped.
    pub maps: bool,
}

/// An open node, which never waits.
pub struct Video(File);

impl Video {
    /// Opens a node for reading and settings.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).map(Self)
    }

    /// What it can do. `ENOTTY` where it is no video node.
    pub fn abilities(&self) -> io::Result<Abilities> {
        // SAFETY: plain data, for which zeroes are a value.
        let mut caps: v4l2_capability = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills `caps`, which is of the type that this number is made of.
        unsafe { self.control(vidioc::VIDIOC_QUERYCAP, &mut caps) }?;
        let all = if caps.capabilities & CAP_OF_NODE == 0 { caps.capabilities } else { caps.device_caps };
        let has = |flag| all & flag != 0;
        Ok(Abilities { captures: has(CAP_CAPTURE), reads: has(CAP_READ), maps: has(CAP_STREAM) })
    }

    /// The format in which it captures now.
    pub fn format(&self) -> io::Result<[u8; 4]> {
        let mut format = Self::empty_format();
        // SAFETY: the kernel fills `format`, which is of the type that this number is made of.
        unsafe { self.control(vidioc::VIDIOC_G_FMT, &mut format) }?;
        // SAFETY: of a capturing node the kernel fills this part of the union; any bytes are a value of it.
        Ok(unsafe { format.fmt.pix }.pixelformat.to_le_bytes())
    }

    /// Asks for another format, all else as it is. Gives the one that it has then.
    pub fn set_format(&self, wanted: [u8; 4]) -> io::Result<[u8; 4]> {
        let mut format = Self::empty_format();
        // SAFETY: as in `format`, and the kernel reads what it filled before.
        unsafe {
            self.control(vidioc::VIDIOC_G_FMT, &mut format)?;
            format.fmt.pix.pixelformat = u32::from_le_bytes(wanted);
            self.control(vidioc::VIDIOC_S_FMT, &mut format)?;
            Ok(format.fmt.pix.pixelformat.to_le_bytes())
        }
    }

    /// Has an encoder that can make several kinds of MPEG streams make a transport stream. Whether it does; that of one
    /// without the choice is its only one.
    pub fn choose_transport_stream(&self) -> io::Result<bool> {
        let mut control = v4l2_control { id: STREAM_TYPE, value: 0 };
        // SAFETY: the kernel fills and reads `control`, which is of the type that these numbers are made of.
        unsafe {
            if self.control(vidioc::VIDIOC_G_CTRL, &mut control).is_err() {
                return Ok(true);
            }
            if control.value != STREAM_TYPE_TS {
                control.value = STREAM_TYPE_TS;
                self.control(vidioc::VIDIOC_S_CTRL, &mut control)?;
            }
        }
        Ok(control.value == STREAM_TYPE_TS)
    }

    /// Reads what is there into `buffer`.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    /// Maps its buffers and starts it.
    pub fn map(self) -> io::Result<Mapped> {
        Mapped::start(self.0)
    }

    fn empty_format() -> v4l2_format {
        // SAFETY: plain data, for which zeroes are a value.
        let mut format: v4l2_format = unsafe { std::mem::zeroed() };
        format.type_ = CAPTURE;
        format
    }

    /// # Safety
    ///
    /// `number` must be of an ioctl that takes a `T`.
    unsafe fn control<T>(&self, number: vidioc::_IOC_TYPE, value: &mut T) -> io::Result<()> {
        // SAFETY: the descriptor is open, `value` lives across the call, and the caller vouches for its type.
        unsafe { v4l2::ioctl(self.0.as_raw_fd(), number, std::ptr::from_mut(value).cast()) }
    }
}

/// A node that streams into buffers that are mapped.
pub struct Mapped {
    node: File,
    buffers: Vec<(NonNull<u8>, usize)>,
    /// The buffer that is being read, how many bytes it holds, and how many of them were taken.
    taken: Option<(u32, usize, usize)>,
}

impl Mapped {
    fn start(node: File) -> io::Result<Self> {
        let video = Video(node);
        // SAFETY: plain data, for which zeroes are a value.
        let mut request: v4l2_requestbuffers = unsafe { std::mem::zeroed() };
        (request.count, request.type_, request.memory) = (BUFFERS, CAPTURE, MMAP);
        // SAFETY: the kernel reads and fills `request`, which is of the type that this number is made of.
        unsafe { video.control(vidioc::VIDIOC_REQBUFS, &mut request) }?;
        let mut mapped = Self { node: video.0, buffers: Vec::new(), taken: None };
        for index in 0..request.count.min(BUFFERS) {
            mapped.map(index)?;
            mapped.queue(index)?;
        }
        // SAFETY: the kernel reads a number that lives across the call.
        unsafe { request::stream_on(mapped.node.as_raw_fd(), &CAPTURE) }?;
        Ok(mapped)
    }

    fn map(&mut self, index: u32) -> io::Result<()> {
        let mut buffer = Buffer { index, kind: CAPTURE, memory: MMAP, ..Buffer::default() };
        // SAFETY: the kernel fills `buffer`, which has the layout of the structure that it knows by this size.
        unsafe { request::query_buffer(self.node.as_raw_fd(), &raw mut buffer) }?;
        let len = NonZeroUsize::new(buffer.length as usize).ok_or(io::ErrorKind::InvalidData)?;
        // An offset is 32 bits in a union with a pointer.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_lossless,
            reason = "the kernel fills the low half alone"
        )]
        let offset = buffer.offset as u32 as libc::off_t;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base =
            unsafe { mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &self.node, offset) }?;
        self.buffers.push((base.cast(), len.get()));
        Ok(())
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        let mut buffer = Buffer { index, kind: CAPTURE, memory: MMAP, ..Buffer::default() };
        // SAFETY: the kernel reads `buffer`, and fills the buffer behind it, which nobody looks at until it is given back.
        unsafe { request::queue(self.node.as_raw_fd(), &raw mut buffer) }?;
        Ok(())
    }

    /// Reads what is there into `buffer`; the rest of a frame that does not fit comes with the next call.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (index, used, from) = match self.taken {
            Some(taken) => taken,
            None => self.take()?,
        };
        let n = buffer.len().min(used - from);
        if let Some((base, _)) = self.buffers.get(index as usize) {
            // SAFETY: `from + n <= used`, which `take` held to the length of this mapping; the kernel writes nothing to a
            // buffer that is not queued.
            buffer[..n].copy_from_slice(unsafe { std::slice::from_raw_parts(base.as_ptr().add(from), n) });
        }
        self.taken = Some((index, used, from + n));
        if from + n == used {
            self.taken = None;
            self.queue(index)?;
        }
        Ok(n)
    }

    /// Takes a full buffer.
    fn take(&self) -> io::Result<(u32, usize, usize)> {
        let mut buffer = Buffer { kind: CAPTURE, memory: MMAP, ..Buffer::default() };
        // SAFETY: the kernel fills `buffer`, which has the layout of the structure that it knows by this size.
        unsafe { request::dequeue(self.node.as_raw_fd(), &raw mut buffer) }?;
        let (_, len) = self.buffers.get(buffer.index as usize).ok_or(io::ErrorKind::InvalidData)?;
        Ok((buffer.index, (buffer.used as usize).min(*len), 0))
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the kernel reads a number that lives across the call. What it answers changes nothing: it is closed.
        let _stopped = unsafe { request::stream_off(self.node.as_raw_fd(), &CAPTURE) };
        for (base, len) in self.buffers.drain(..) {
            // SAFETY: a mapping of this length that only this knew, and no slice of it is left.
            let _unmapped = unsafe { munmap(base.cast(), len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use v4l::v4l_sys::v4l2_buffer;

    use super::*;

    #[test]
    fn the_buffer_is_laid_out_as_the_headers_have_it() {
        if size_of::<libc::timeval>() != size_of::<[std::ffi::c_long; 2]>() {
            assert_eq!(size_of::<Buffer>(), 68, "with a time of 32 bits");
            return;
        }
        assert_eq!(size_of::<Buffer>(), size_of::<v4l2_buffer>());
        assert_eq!(offset_of!(Buffer, used), offset_of!(v4l2_buffer, bytesused));
        assert_eq!(offset_of!(Buffer, time), offset_of!(v4l2_buffer, timestamp));
        assert_eq!(offset_of!(Buffer, memory), offset_of!(v4l2_buffer, memory));
        assert_eq!(offset_of!(Buffer, offset), offset_of!(v4l2_buffer, m));
        assert_eq!(offset_of!(Buffer, length), offset_of!(v4l2_buffer, length));
    }

    #[test]
    fn what_is_no_video_node_says_so() {
        let zero = Video::open(Path::new("/dev/zero")).unwrap();
        assert_eq!(zero.abilities().unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(zero.map().map(|_| ()).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
