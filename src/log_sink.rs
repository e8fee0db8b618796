//! Where log lines go: standard error, a line each, with the level and no time. Whoever collects them has a clock.

use std::io::Write;
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Stderr {
    program: &'static str,
}

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        // A log that cannot be written is no reason to stop working.
        let _written = writeln!(std::io::stderr().lock(), "{}: {level}: {}", self.program, record.args());
    }

    fn flush(&self) {}
}

/// From now on `log` writes there in the name of `program`, down to `level`.
pub fn install(program: &'static str, level: LevelFilter) {
    static SINK: OnceLock<Stderr> = OnceLock::new();
    if log::set_logger(SINK.get_or_init(|| Stderr { program })).is_ok() {
        log::set_max_level(level);
    }
}
