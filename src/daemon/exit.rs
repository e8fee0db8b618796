//! What `stbcastd` ends with, for scripts and for whoever updates the box.

use std::fmt;
use std::process::ExitCode;

/// The exit codes. An updater puts the image before back at [`Exit::Newer`] and [`Exit::NotThisMachine`]; a service
/// manager need not start again at these, nor at [`Exit::Usage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// It could not be done; the reason is said.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The state was written by a newer program that was told to stay. Nothing was touched.
    Newer = 3,
    /// State is damaged in all its copies, or cannot be read. `run` goes on without what is lost, `check` says so.
    State = 4,
    /// It was built for another machine: processor, kernel or page size.
    NotThisMachine = 5,
    /// No box answers at the local socket.
    NoBox = 6,
}

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// A sentence.
    pub(super) why: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, why: impl fmt::Display) -> Self {
        Self { exit, why: why.to_string() }
    }

    /// For `map_err`: a configuration that cannot work.
    pub(super) fn usage(why: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, why)
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self { exit: Exit::Failed, why }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
