//! What the box and a frontend's helper say to each other: one message a packet, postcard.

use std::fmt;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::delivery::{System, Tuning};

/// Bytes of the longest message.
pub const MESSAGE_MAX: usize = 512;

/// What the helper is told. `serial` tells the answers to one command from those to the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Open the frontend for writing, and tune it.
    Tune {
        /// Of this command.
        serial: u16,
        /// To what.
        tuning: Tuning,
    },
    /// Open it for reading alone, and say what somebody else tuned it to, now and whenever that changes.
    Watch {
        /// Of this command.
        serial: u16,
    },
    /// Close it. Its driver powers it down.
    Release {
        /// Of this command.
        serial: u16,
    },
}

/// What the helper says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// It is not stuck: said once a second at least while the frontend is open.
    Alive,
    /// What the frontend is: said when it was opened.
    Opened(Capabilities),
    /// How far a command came.
    Stage {
        /// Of the command.
        serial: u16,
        /// How far.
        stage: Stage,
    },
    /// What somebody else tuned it to, of [`Command::Watch`].
    Seen {
        /// Of the command.
        serial: u16,
        /// `None`: nobody has it tuned, or it has no lock.
        tuning: Option<Tuning>,
    },
    /// How well it receives: said once a second while it is tuned.
    Signal(Signal),
}

/// How far a command came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The driver took the parameters; what the demux gives from here on is not of the mux before.
    Tuned,
    /// It has a lock.
    Locked,
    /// It had a lock and lost it. The driver goes on trying; [`Stage::Locked`] may come again.
    Lost,
    /// It will not come to a lock: nothing more is tried, and the frontend is closed. One that is watched is tried again.
    Failed(Failure),
    /// The frontend is closed.
    Released,
}

/// Why a frontend does not do what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no such device node.
    NoDevice,
    /// The node is not a frontend's.
    NotAFrontend,
    /// This user may not open it.
    Permission,
    /// Another program has it open for writing.
    Busy,
    /// It was unplugged, or its driver left.
    Gone,
    /// It does not know the delivery system.
    System(System),
    /// It cannot be tuned so far up or down: its range in kHz; of satellites, behind the LNB.
    Frequency(u32, u32),
    /// Its dish cannot be turned to that satellite: no LNB of the configuration is for it.
    Dish,
    /// No lock within so many milliseconds.
    NoLock(u32),
    /// Another error of the kernel, by its number.
    Kernel(i32),
    /// The helper process died.
    Died,
    /// The helper process says nothing: the driver is stuck.
    Stuck,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str("there is no such tuner"),
            Self::NotAFrontend => f.write_str("the device is not a tuner"),
            Self::Permission => f.write_str("the box has no permission to use the tuner"),
            Self::Busy => f.write_str("another program uses the tuner"),
            Self::Gone => f.write_str("the tuner is gone"),
            Self::System(system) => write!(f, "the tuner cannot receive {}", system.name()),
            Self::Frequency(from, to) => {
                write!(f, "the tuner receives from {} to {} MHz only", from / 1000, to.div_ceil(1000))
            }
            Self::Dish => f.write_str("the tuner's dish has no LNB for that satellite"),
            Self::NoLock(ms) => write!(f, "no signal within {} s", ms.div_ceil(1000)),
            Self::Kernel(number) => std::io::Error::from_raw_os_error(*number).fmt(f),
            Self::Died => f.write_str("the tuner's helper process died"),
            Self::Stuck => f.write_str("the tuner's driver is stuck"),
        }
    }
}

/// What a frontend is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Its driver's name for it.
    pub name: String<64>,
    /// The delivery systems it knows.
    pub systems: Vec<System, 12>,
    /// The lowest and the highest frequency in Hz; of satellites, after the LNB.
    pub range: (u32, u32),
}

/// How well a frontend receives. `None`: its driver does not say, or what it says cannot be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Power at the input, in thousandths of a dBm.
    pub strength_mdbm: Option<i32>,
    /// Power at the input in thousandths of what the driver takes for all, where it knows no dBm.
    pub strength_permille: Option<u16>,
    /// Carrier to noise, in thousandths of a dB.
    pub cnr_mdb: Option<i32>,
    /// Quality in thousandths of all, where the driver knows no dB.
    pub cnr_permille: Option<u16>,
    /// Bits wrong before the inner code corrected, and bits in all, since it was tuned.
    pub bit_errors: Option<(u64, u64)>,
    /// Blocks the outer code could not correct, and blocks in all, since it was tuned.
    pub block_errors: Option<(u64, u64)>,
}
