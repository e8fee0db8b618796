//! The kernel's frontends, `/dev/dvb/adapterN/frontendN`: DVB API version 5 (linux/dvb/frontend.h), as safe calls.
//!
//! Every call may sleep for as long as the driver does; none belongs on the box's one thread. Numbers and layouts are
//! held below against those of Linux, at build time for the machine that is built for.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use heapless::Vec;
use nix::errno::Errno;

use super::super::ioctl::{none, read, write};

/// Properties of one call at most (`DTV_IOCTL_MAX_MSGS`).
pub const PROPERTIES_MAX: usize = 64;
/// Bytes of the longest message to a switch (`struct dvb_diseqc_master_cmd`).
pub const DISEQC_MAX: usize = 6;

/// `struct dvb_frontend_info`.
#[repr(C)]
struct FrontendInfo {
    name: [u8; 128],
    kind: u32,
    frequency_min: u32,
    frequency_max: u32,
    frequency_stepsize: u32,
    frequency_tolerance: u32,
    symbol_rate_min: u32,
    symbol_rate_max: u32,
    symbol_rate_tolerance: u32,
    notifier_delay: u32,
    caps: u32,
}

/// Bytes of the union in `struct dtv_property`: its longest part is `buffer`, with a pointer behind 48 bytes.
const UNION: usize = 48 + size_of::<usize>();
/// The place of `buffer.len` in that union.
const BUFFER_LEN: usize = 32;

/// `struct dtv_property`. Its union is bytes here: `data` is their first four, `st` a length and four of nine.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Property {
    cmd: u32,
    reserved: [u32; 3],
    u: [u8; UNION],
    result: libc::c_int,
}

/// `struct dtv_properties`.
#[repr(C)]
struct Properties {
    num: u32,
    props: *mut Property,
}

/// `struct dvb_frontend_event`: a status, and parameters of version 3, which nobody reads.
#[repr(C)]
struct FrontendEvent {
    status: u32,
    parameters: [u32; 9],
}

/// `struct dvb_diseqc_master_cmd`.
#[repr(C)]
struct MasterCommand {
    msg: [u8; DISEQC_MAX],
    msg_len: u8,
}

const FE_GET_INFO: u32 = read(b'o', 61, size_of::<FrontendInfo>());
const FE_DISEQC_SEND_MASTER_CMD: u32 = write(b'o', 63, size_of::<MasterCommand>());
const FE_DISEQC_SEND_BURST: u32 = none(b'o', 65);
const FE_SET_TONE: u32 = none(b'o', 66);
const FE_SET_VOLTAGE: u32 = none(b'o', 67);
const FE_READ_STATUS: u32 = read(b'o', 69, size_of::<u32>());
const FE_GET_EVENT: u32 = read(b'o', 78, size_of::<FrontendEvent>());
const FE_SET_PROPERTY: u32 = write(b'o', 82, size_of::<Properties>());
const FE_GET_PROPERTY: u32 = read(b'o', 83, size_of::<Properties>());

/// Commands of properties, by the kernel's names without `DTV_`.
#[allow(missing_docs, reason = "linux/dvb/frontend.h documents them")]
pub mod property {
    pub const TUNE: u32 = 1;
    pub const CLEAR: u32 = 2;
    pub const FREQUENCY: u32 = 3;
    pub const MODULATION: u32 = 4;
    pub const BANDWIDTH_HZ: u32 = 5;
    pub const INVERSION: u32 = 6;
    pub const SYMBOL_RATE: u32 = 8;
    pub const INNER_FEC: u32 = 9;
    pub const VOLTAGE: u32 = 10;
    pub const TONE: u32 = 11;
    pub const PILOT: u32 = 12;
    pub const ROLLOFF: u32 = 13;
    pub const DELIVERY_SYSTEM: u32 = 17;
    pub const ISDBT_PARTIAL_RECEPTION: u32 = 18;
    pub const ISDBT_SOUND_BROADCASTING: u32 = 19;
    pub const ISDBT_LAYERA_FEC: u32 = 23;
    pub const ISDBT_LAYERA_MODULATION: u32 = 24;
    pub const ISDBT_LAYERB_FEC: u32 = 27;
    pub const ISDBT_LAYERB_MODULATION: u32 = 28;
    pub const ISDBT_LAYERC_FEC: u32 = 31;
    pub const ISDBT_LAYERC_MODULATION: u32 = 32;
    pub const CODE_RATE_HP: u32 = 36;
    pub const CODE_RATE_LP: u32 = 37;
    pub const GUARD_INTERVAL: u32 = 38;
    pub const TRANSMISSION_MODE: u32 = 39;
    pub const HIERARCHY: u32 = 40;
    pub const ISDBT_LAYER_ENABLED: u32 = 41;
    pub const STREAM_ID: u32 = 42;
    pub const ENUM_DELSYS: u32 = 44;
    pub const INTERLEAVING: u32 = 60;
    pub const STAT_SIGNAL_STRENGTH: u32 = 62;
    pub const STAT_CNR: u32 = 63;
    pub const STAT_PRE_ERROR_BIT_COUNT: u32 = 64;
    pub const STAT_PRE_TOTAL_BIT_COUNT: u32 = 65;
    pub const STAT_ERROR_BLOCK_COUNT: u32 = 68;
    pub const STAT_TOTAL_BLOCK_COUNT: u32 = 69;
}

/// Values of properties, by the kernel's names.
#[allow(missing_docs, reason = "linux/dvb/frontend.h documents them")]
pub mod value {
    pub const INVERSION_AUTO: u32 = 2;
    pub const PILOT_AUTO: u32 = 2;
    pub const ROLLOFF_35: u32 = 0;
    pub const ROLLOFF_AUTO: u32 = 3;
    pub const GUARD_INTERVAL_AUTO: u32 = 4;
    pub const TRANSMISSION_MODE_AUTO: u32 = 2;
    pub const HIERARCHY_AUTO: u32 = 4;
    pub const INTERLEAVING_AUTO: u32 = 1;
    pub const NO_STREAM_ID_FILTER: u32 = u32::MAX;

    pub const QPSK: u32 = 0;
    pub const QAM_16: u32 = 1;
    pub const QAM_32: u32 = 2;
    pub const QAM_64: u32 = 3;
    pub const QAM_128: u32 = 4;
    pub const QAM_256: u32 = 5;
    pub const QAM_AUTO: u32 = 6;
    pub const VSB_8: u32 = 7;
    pub const VSB_16: u32 = 8;
    pub const PSK_8: u32 = 9;
    pub const APSK_16: u32 = 10;
    pub const APSK_32: u32 = 11;
    pub const DQPSK: u32 = 12;
    pub const QAM_4_NR: u32 = 13;

    pub const FEC_NONE: u32 = 0;
    pub const FEC_1_2: u32 = 1;
    pub const FEC_2_3: u32 = 2;
    pub const FEC_3_4: u32 = 3;
    pub const FEC_4_5: u32 = 4;
    pub const FEC_5_6: u32 = 5;
    pub const FEC_6_7: u32 = 6;
    pub const FEC_7_8: u32 = 7;
    pub const FEC_8_9: u32 = 8;
    pub const FEC_AUTO: u32 = 9;
    pub const FEC_3_5: u32 = 10;
    pub const FEC_9_10: u32 = 11;
    pub const FEC_2_5: u32 = 12;
    pub const FEC_1_3: u32 = 13;
    pub const FEC_1_4: u32 = 14;
}

/// `enum fe_sec_voltage`: what feeds the LNB, and says which polarisation it is to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voltage {
    /// 13 V: vertical, or circular right.
    V13 = 0,
    /// 18 V: horizontal, or circular left.
    V18 = 1,
    /// None: the LNB is off.
    Off = 2,
}

/// `enum fe_sec_mini_cmd`: the tone burst of switches that know no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burst {
    /// Satellite A.
    A = 0,
    /// Satellite B.
    B = 1,
}

const SEC_TONE_ON: u32 = 0;
const SEC_TONE_OFF: u32 = 1;

/// `enum fe_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(u32);

impl Status {
    const HAS_LOCK: u32 = 0x10;

    /// The status of these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Everything works.
    #[must_use]
    pub const fn has_lock(self) -> bool {
        self.0 & Self::HAS_LOCK != 0
    }

    /// Nothing at all is found; or the parameters did not come to the driver yet.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// What a frontend says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Its driver's name for it.
    pub name: String,
    /// The lowest and the highest frequency of the delivery system that is set, in Hz; 0 and 0 where it does not say.
    pub range: (u32, u32),
}

/// What a driver measured, with the scale it says it has (`enum fecap_scale_params`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Thousandths of a dB, or of a dBm.
    Decibel(i64),
    /// From 0 to 65535.
    Relative(u64),
    /// It only grows.
    Counter(u64),
}

/// Whether a frontend is opened to be tuned, which one program at a time may, or to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For writing; its driver powers it up.
    Tune,
    /// For reading alone; who tunes it notices nothing.
    Look,
}

/// A frontend that is open. Dropping it closes it, which may sleep, too.
#[derive(Debug)]
pub struct Frontend(OwnedFd);

impl AsFd for Frontend {
    /// Readable when [`Frontend::event`] has something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Frontend {
    /// Opens the node at `path`, whatever it is. Non-blocking: events are not waited for.
    pub fn open(path: &Path, access: Access) -> nix::Result<Self> {
        let mut bytes = path.as_os_str().as_bytes().to_vec();
        bytes.push(0);
        let path = CStr::from_bytes_with_nul(&bytes).map_err(|_| Errno::EINVAL)?;
        let mode = match access {
            Access::Tune => libc::O_RDWR,
            Access::Look => libc::O_RDONLY,
        };
        // SAFETY: the path ends with its one NUL and lives until the call returns; without O_CREAT there is no mode.
        let fd = Errno::result(unsafe {
            libc::open(path.as_ptr(), mode | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY)
        })?;
        // SAFETY: the kernel just gave us this descriptor, so nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Its name, and how far it can be tuned. ENOTTY where the node is no frontend's.
    pub fn info(&self) -> nix::Result<Info> {
        // SAFETY: all fields are numbers, for which zero is a value.
        let mut info = unsafe { std::mem::zeroed::<FrontendInfo>() };
        self.call(FE_GET_INFO, &raw mut info)?;
        let name = CStr::from_bytes_until_nul(&info.name).unwrap_or_default();
        // In kHz where the system that is set is a satellite's: nothing is tuned below 10 MHz.
        let hertz = |n: u32| if n < 10_000_000 { n.saturating_mul(1000) } else { n };
        let range = (hertz(info.frequency_min), hertz(info.frequency_max));
        Ok(Info { name: name.to_string_lossy().into_owned(), range })
    }

    /// The numbers of the delivery systems it knows; empty on kernels before 3.3, which do not say.
    pub fn systems(&self) -> nix::Result<Vec<u8, BUFFER_LEN>> {
        let mut properties = [Property::new(property::ENUM_DELSYS, 0)];
        match self.properties(FE_GET_PROPERTY, &mut properties) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return Ok(Vec::new()),
            Err(e) => return Err(e),
        }
        let u = properties[0].u;
        let len = usize::try_from(Property::number(&u, BUFFER_LEN)).unwrap_or(0).min(BUFFER_LEN);
        Ok(u[..len].iter().copied().collect())
    }

    /// Sets properties, in their order; [`property::TUNE`] among them has the driver tune, which does not wait for it.
    pub fn set(&self, pairs: &[(u32, u32)]) -> nix::Result<()> {
        let properties = pairs.iter().map(|(command, value)| Property::new(*command, *value));
        let mut all = Vec::<_, PROPERTIES_MAX>::new();
        for property in properties {
            all.push(property).map_err(|_| Errno::E2BIG)?;
        }
        self.properties(FE_SET_PROPERTY, &mut all)
    }

    /// The values of properties, as the driver has them now.
    pub fn get<const N: usize>(&self, commands: [u32; N]) -> nix::Result<[u32; N]> {
        let mut properties = commands.map(|command| Property::new(command, 0));
        self.properties(FE_GET_PROPERTY, &mut properties)?;
        Ok(properties.map(|property| Property::number(&{ property.u }, 0)))
    }

    /// The same of statistics; `None` where the driver has none.
    pub fn readings<const N: usize>(&self, commands: [u32; N]) -> nix::Result<[Option<Reading>; N]> {
        let mut properties = commands.map(|command| Property::new(command, 0));
        self.properties(FE_GET_PROPERTY, &mut properties)?;
        Ok(properties.map(|property| reading(&{ property.u })))
    }

    /// What is received now.
    pub fn status(&self) -> nix::Result<Status> {
        let mut status = 0_u32;
        self.call(FE_READ_STATUS, &raw mut status)?;
        Ok(Status(status))
    }

    /// The next change of the status since it was told to tune, where there is one. Not of one that is looked at.
    pub fn event(&self) -> nix::Result<Option<Status>> {
        let mut event = FrontendEvent { status: 0, parameters: [0; 9] };
        loop {
            return match self.call(FE_GET_EVENT, &raw mut event) {
                Ok(()) => Ok(Some(Status(event.status))),
                Err(Errno::EAGAIN) => Ok(None),
                Err(Errno::EOVERFLOW) => continue, // older ones were lost
                Err(e) => Err(e),
            };
        }
    }

    /// Feeds the LNB.
    pub fn voltage(&self, voltage: Voltage) -> nix::Result<()> {
        self.call_with(FE_SET_VOLTAGE, voltage as u32)
    }

    /// The tone of 22 kHz that has an LNB take its high band.
    pub fn tone(&self, is_on: bool) -> nix::Result<()> {
        self.call_with(FE_SET_TONE, if is_on { SEC_TONE_ON } else { SEC_TONE_OFF })
    }

    /// Sends a message of 3 to 6 bytes to what is at the cable.
    pub fn diseqc(&self, message: &[u8]) -> nix::Result<()> {
        let mut command = MasterCommand { msg: [0; DISEQC_MAX], msg_len: 0 };
        let bytes = command.msg.get_mut(..message.len()).ok_or(Errno::EMSGSIZE)?;
        bytes.copy_from_slice(message);
        command.msg_len = u8::try_from(message.len()).map_err(|_| Errno::EMSGSIZE)?;
        self.call(FE_DISEQC_SEND_MASTER_CMD, &raw mut command)
    }

    /// Sends a tone burst.
    pub fn burst(&self, burst: Burst) -> nix::Result<()> {
        self.call_with(FE_DISEQC_SEND_BURST, burst as u32)
    }

    fn properties(&self, request: u32, properties: &mut [Property]) -> nix::Result<()> {
        let num = u32::try_from(properties.len()).map_err(|_| Errno::E2BIG)?;
        let mut all = Properties { num, props: properties.as_mut_ptr() };
        self.call(request, &raw mut all)
    }

    /// A request with a pointer to what it reads or writes, of the type whose size is in its number.
    fn call<T>(&self, request: u32, argument: *mut T) -> nix::Result<()> {
        loop {
            // SAFETY: every caller gives a pointer to a whole value of the type that `request` is made of, mutable and
            // borrowed for the call alone. Of `Properties` the kernel reads and writes the `num` properties at `props`,
            // which is the slice it was made of; no property that is used here has it follow a pointer in one.
            let done = unsafe { libc::ioctl(self.0.as_raw_fd(), request as _, argument) };
            match Errno::result(done) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// A request whose argument is a number.
    fn call_with(&self, request: u32, argument: u32) -> nix::Result<()> {
        loop {
            // SAFETY: the kernel takes the argument of these requests as a number.
            let done =
                unsafe { libc::ioctl(self.0.as_raw_fd(), request as _, libc::c_ulong::from(argument)) };
            match Errno::result(done) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Property {
    fn new(cmd: u32, data: u32) -> Self {
        let mut u = [0; UNION];
        u[..4].copy_from_slice(&data.to_ne_bytes());
        Self { cmd, reserved: [0; 3], u, result: 0 }
    }

    /// The number at `at` of the union.
    fn number(u: &[u8; UNION], at: usize) -> u32 {
        u.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| u32::from_ne_bytes(*four))
    }
}

/// The first of `struct dtv_fe_stats`, which stands for all layers.
fn reading(u: &[u8; UNION]) -> Option<Reading> {
    let [len, scale, rest @ ..] = u;
    let value = rest.first_chunk().filter(|_| *len > 0)?;
    match scale {
        1 => Some(Reading::Decibel(i64::from_ne_bytes(*value))),
        2 => Some(Reading::Relative(u64::from_ne_bytes(*value))),
        3 => Some(Reading::Counter(u64::from_ne_bytes(*value))),
        _ => None,
    }
}

// Of x86-64 and 64-bit ARM, of 32-bit ARM; and as Linux' headers have it. `scripts/check image` holds these lines
// against the headers themselves.
super::super::ioctl::abi! {
    FE_GET_INFO => 0x80a86f3d, 0x80a86f3d; // FE_GET_INFO
    FE_DISEQC_SEND_MASTER_CMD => 0x40076f3f, 0x40076f3f; // FE_DISEQC_SEND_MASTER_CMD
    FE_DISEQC_SEND_BURST => 0x6f41, 0x6f41; // FE_DISEQC_SEND_BURST
    FE_SET_TONE => 0x6f42, 0x6f42; // FE_SET_TONE
    FE_SET_VOLTAGE => 0x6f43, 0x6f43; // FE_SET_VOLTAGE
    FE_READ_STATUS => 0x80046f45, 0x80046f45; // FE_READ_STATUS
    FE_GET_EVENT => 0x80286f4e, 0x80286f4e; // FE_GET_EVENT
    FE_SET_PROPERTY => 0x40106f52, 0x40086f52; // FE_SET_PROPERTY
    FE_GET_PROPERTY => 0x80106f53, 0x80086f53; // FE_GET_PROPERTY
    size_of::<FrontendInfo>() => 168, 168; // sizeof(struct dvb_frontend_info)
    std::mem::offset_of!(FrontendInfo, frequency_min) => 132, 132; // offsetof(struct dvb_frontend_info, frequency_min)
    std::mem::offset_of!(FrontendInfo, caps) => 164, 164; // offsetof(struct dvb_frontend_info, caps)
    size_of::<Property>() => 76, 72; // sizeof(struct dtv_property)
    std::mem::offset_of!(Property, u) => 16, 16; // offsetof(struct dtv_property, u)
    std::mem::offset_of!(Property, result) => 72, 68; // offsetof(struct dtv_property, result)
    std::mem::offset_of!(Property, u) + BUFFER_LEN => 48, 48; // offsetof(struct dtv_property, u.buffer.len)
    std::mem::offset_of!(Property, u) + 2 => 18, 18; // offsetof(struct dtv_property, u.st.stat[0].uvalue)
    size_of::<Properties>() => 16, 8; // sizeof(struct dtv_properties)
    std::mem::offset_of!(Properties, props) => 8, 4; // offsetof(struct dtv_properties, props)
    size_of::<FrontendEvent>() => 40, 40; // sizeof(struct dvb_frontend_event)
    size_of::<MasterCommand>() => 7, 7; // sizeof(struct dvb_diseqc_master_cmd)
    std::mem::offset_of!(MasterCommand, msg_len) => 6, 6; // offsetof(struct dvb_diseqc_master_cmd, msg_len)
    PROPERTIES_MAX => 64, 64; // DTV_IOCTL_MAX_MSGS
    property::DELIVERY_SYSTEM => 17, 17; // DTV_DELIVERY_SYSTEM
    property::ISDBT_LAYERC_MODULATION => 32, 32; // DTV_ISDBT_LAYERC_MODULATION
    property::HIERARCHY => 40, 40; // DTV_HIERARCHY
    property::STREAM_ID => 42, 42; // DTV_STREAM_ID
    property::ENUM_DELSYS => 44, 44; // DTV_ENUM_DELSYS
    property::INTERLEAVING => 60, 60; // DTV_INTERLEAVING
    property::STAT_TOTAL_BLOCK_COUNT => 69, 69; // DTV_STAT_TOTAL_BLOCK_COUNT
    value::QAM_4_NR => 13, 13; // QAM_4_NR
    value::FEC_1_4 => 14, 14; // FEC_1_4
    value::HIERARCHY_AUTO => 4, 4; // HIERARCHY_AUTO
    Status::HAS_LOCK => 0x10, 0x10; // FE_HAS_LOCK
    Voltage::Off as u32 => 2, 2; // SEC_VOLTAGE_OFF
    SEC_TONE_OFF => 1, 1; // SEC_TONE_OFF
    Burst::B as u32 => 1, 1; // SEC_MINI_B
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frontend_says_so() {
        let null = Frontend::open(Path::new("/dev/null"), Access::Tune).unwrap();
        assert_eq!(null.info(), Err(Errno::ENOTTY));
        assert_eq!(null.systems(), Err(Errno::ENOTTY));
        let nothing = Frontend::open(Path::new("/dev/dvb/adapter255/frontend255"), Access::Look);
        assert_eq!(nothing.err(), Some(Errno::ENOENT));
        let nul = Frontend::open(Path::new("/dev/a\0b"), Access::Look);
        assert_eq!(nul.err(), Some(Errno::EINVAL));
    }

    #[test]
    fn statistics_are_read_by_their_scale() {
        let mut u = [0; UNION];
        assert_eq!(reading(&u), None, "none was measured");
        u[..2].copy_from_slice(&[1, 1]);
        u[2..10].copy_from_slice(&(-34_120_i64).to_ne_bytes());
        assert_eq!(reading(&u), Some(Reading::Decibel(-34_120)));
        u[1] = 2;
        u[2..10].copy_from_slice(&65_535_u64.to_ne_bytes());
        assert_eq!(reading(&u), Some(Reading::Relative(65_535)));
        u[1] = 3;
        assert_eq!(reading(&u), Some(Reading::Counter(65_535)));
        u[1] = 0;
        assert_eq!(reading(&u), None, "FE_SCALE_NOT_AVAILABLE");
    }

    #[test]
    fn messages_are_bounded() {
        let null = Frontend::open(Path::new("/dev/null"), Access::Tune).unwrap();
        assert_eq!(null.diseqc(&[0; 7]), Err(Errno::EMSGSIZE));
        assert_eq!(null.set(&[(property::TUNE, 0); 65]), Err(Errno::E2BIG));
    }
}
