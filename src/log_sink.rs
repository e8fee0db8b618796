//! Where log lines go: standard error, the system's log or the kernel's; a line each, with the level and no time. Whoever
//! collects them has a clock.
//!
//! The thread that logs never waits and nothing is allocated: what the other end does not take is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Bytes of the longest line for the system's or the kernel's log (RFC 3164 §4.1; the kernel's own is as long).
const LINE_MAX: usize = 1024;
/// The facility "system daemons" (RFC 3164 §4.1.1), in the place that it has in a priority.
const DAEMON: u8 = 3 << 3;

/// A place for log lines.
pub enum Place {
    /// Standard error, for who started it.
    Stderr,
    /// The system's log, by its socket.
    Syslog(UnixDatagram, PathBuf),
    /// The kernel's log.
    Kernel(File),
}

impl Place {
    /// As a board names it: `stderr`, `syslog` (/dev/log) or `kmsg` (/dev/kmsg).
    pub fn open(named: &str) -> io::Result<Self> {
        match named {
            "syslog" => Self::syslog(Path::new("/dev/log")),
            "kmsg" => Self::kernel(Path::new("/dev/kmsg")),
            _ => Ok(Self::Stderr),
        }
    }

    /// The socket is looked up at each line, so that a logger that is started anew is found.
    fn syslog(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self::Syslog(socket, path.into()))
    }

    fn kernel(path: &Path) -> io::Result<Self> {
        Ok(Self::Kernel(OpenOptions::new().write(true).open(path)?))
    }
}

struct Sink {
    program: &'static str,
    place: Place,
}

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let done = match &self.place {
            Place::Stderr => return self.to_stderr(record),
            Place::Syslog(socket, path) => self.with_line(record, |line| socket.send_to(line, path)),
            Place::Kernel(kernel) => self.with_line(record, |line| (&mut &*kernel).write(line)),
        };
        // A logger that is full loses lines; one that is not there leaves them to who started the program.
        if done.is_err_and(|e| e.kind() != io::ErrorKind::WouldBlock) {
            self.to_stderr(record);
        }
    }

    fn flush(&self) {}
}

impl Sink {
    fn to_stderr(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        // A log that cannot be written is no reason to stop working.
        let _written = writeln!(io::stderr().lock(), "{}: {level}: {}", self.program, record.args());
    }

    /// `<PRI>TAG[PID]: text` (RFC 3164 §4.1). A time of its own it has none: whoever takes it adds one (§4.3.2), since a
    /// box's clock may stand at 1970.
    fn with_line(
        &self,
        record: &Record<'_>,
        send: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let severity = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        let mut buffer = [0; LINE_MAX];
        let mut line = io::Cursor::new(&mut buffer[..]);
        // What does not fit is cut off, between characters or not.
        let (program, pid) = (self.program, std::process::id());
        let _cut = write!(line, "<{}>{program}[{pid}]: {}", DAEMON | severity, record.args());
        let length = usize::try_from(line.position()).unwrap_or(LINE_MAX).min(LINE_MAX);
        send(&buffer[..length]).map(drop)
    }
}

/// From now on `log` writes to `place` in the name of `program`, down to `level`.
pub fn install(program: &'static str, level: LevelFilter, place: Place) {
    static SINK: OnceLock<Sink> = OnceLock::new();
    if log::set_logger(SINK.get_or_init(|| Sink { program, place })).is_ok() {
        log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(sink: &Sink, level: Level, text: &str) {
        sink.log(&Record::builder().level(level).args(format_args!("{text}")).build());
    }

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("stbcast-log-{name}-{}", std::process::id()));
        let _before = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn the_system_log_gets_lines_of_rfc_3164() {
        let path = path("syslog");
        let sink = Sink { program: "stbcastd", place: Place::syslog(&path).unwrap() };
        log(&sink, Level::Info, "nobody listens yet");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut bytes = [0; 2 * LINE_MAX];
        for (level, priority) in
            [(Level::Error, 27), (Level::Warn, 28), (Level::Info, 30), (Level::Debug, 31)]
        {
            log(&sink, level, "a line");
            let n = listener.recv(&mut bytes).unwrap();
            let wanted = format!("<{priority}>stbcastd[{}]: a line", std::process::id());
            assert_eq!(std::str::from_utf8(&bytes[..n]), Ok(wanted.as_str()));
        }
        log(&sink, Level::Info, &"x".repeat(5000));
        assert_eq!(listener.recv(&mut bytes).unwrap(), LINE_MAX);
        // Nobody reads: the line after the last that fits is lost, and nobody waits.
        (0..10_000).for_each(|_| log(&sink, Level::Debug, "full"));
        std::fs::remove_file(&path).unwrap();
        let again = UnixDatagram::bind(&path).unwrap();
        log(&sink, Level::Info, "a logger that was started anew is found");
        assert!(again.recv(&mut bytes).unwrap() > 30);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_kernel_log_gets_a_write_for_each_line() {
        let path = path("kmsg");
        std::fs::write(&path, "").unwrap();
        let sink = Sink { program: "stbcastd", place: Place::kernel(&path).unwrap() };
        log(&sink, Level::Warn, "one");
        log(&sink, Level::Info, "two");
        let pid = std::process::id();
        let wanted = format!("<28>stbcastd[{pid}]: one<30>stbcastd[{pid}]: two");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
        std::fs::remove_file(path).unwrap();
        assert!(Place::kernel(Path::new("/dev/kmsg-that-is-not-there")).is_err());
        assert!(matches!(Place::open("stderr"), Ok(Place::Stderr)));
    }
}
