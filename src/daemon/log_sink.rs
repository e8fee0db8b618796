//! Where log lines go: standard error, a line each, with the level and no time. Whoever collects them has a clock.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Stderr;

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
        // A log that cannot be written is no reason to stop streaming.
        let _written = writeln!(std::io::stderr().lock(), "stbcastd: {level}: {}", record.args());
    }

    fn flush(&self) {}
}

/// From now on `log` writes there, down to `level`.
pub(super) fn install(level: LevelFilter) {
    static SINK: Stderr = Stderr;
    if log::set_logger(&SINK).is_ok() {
        log::set_max_level(level);
    }
}
