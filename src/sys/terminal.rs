//! A terminal's size, and its keys one by one.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Columns and rows of the terminal behind `fd`; `None` where that is none, or does not say.
#[must_use]
pub fn size(fd: BorrowedFd<'_>) -> Option<(u16, u16)> {
    // SAFETY: all fields of `winsize` are numbers, for which zero is a value.
    let mut size = unsafe { std::mem::zeroed::<libc::winsize>() };
    // SAFETY: the descriptor is open while it is borrowed; the pointer is to a whole `winsize`, which the kernel fills.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// A terminal that gives each key as it is pressed and shows none of them; dropping this makes it what it was.
pub struct Keys<'t> {
    terminal: BorrowedFd<'t>,
    before: libc::termios,
}

impl<'t> Keys<'t> {
    /// Of the terminal behind `fd`. Keys that would end the program are keys like others.
    pub fn of(terminal: BorrowedFd<'t>) -> io::Result<Self> {
        // SAFETY: all fields of `termios` are numbers, for which zero is a value.
        let mut before = unsafe { std::mem::zeroed::<libc::termios>() };
        // SAFETY: the descriptor is open while it is borrowed; the pointer is to a whole `termios`, which is filled.
        if unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut before) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut keys = before;
        keys.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
        (keys.c_cc[libc::VMIN], keys.c_cc[libc::VTIME]) = (1, 0);
        set(terminal, &keys).map(|()| Self { terminal, before })
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        let _gone = set(self.terminal, &self.before); // a terminal that went away needs nothing
    }
}

fn set(terminal: BorrowedFd<'_>, how: &libc::termios) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; the pointer is to a whole `termios`, which is only read.
    match unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSAFLUSH, how) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
