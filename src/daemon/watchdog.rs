//! Who is told that the main loop still goes round: the service manager (sd_notify(3)) or a watchdog device.
//!
//! The loop itself tells them, so that a loop that hangs is noticed: the service manager starts the box anew, the device
//! resets the machine.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// Between two signs of life to a device; the shortest that drivers wait by themselves is 10 s and more.
const DEVICE_PERIOD: Duration = Duration::from_secs(3);

/// Tells that the loop lives.
#[derive(Default)]
pub(super) struct Watchdog {
    manager: Option<Manager>,
    device: Option<File>,
    period: Option<Duration>,
    told: Duration,
}

/// The service manager, by its socket.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    wants_life: bool,
}

impl Watchdog {
    /// As the board names it: `none`, `systemd` or a device. A service manager that asks to be told is told at any
    /// rate. What cannot be opened is logged: a box without a watchdog is better than none.
    pub(super) fn open(named: &str) -> Self {
        let manager = Manager::from_environment();
        let (mut watchdog, mut period) = (Self::default(), None);
        if let Some((manager, wants)) = manager {
            (watchdog.manager, period) = (Some(manager), wants);
        }
        if named == "systemd" && period.is_none() {
            log::warn!("watchdog: no service manager asks for signs of life (WATCHDOG_USEC)");
        }
        if named.starts_with('/') {
            match OpenOptions::new().write(true).open(named) {
                Ok(device) => watchdog.device = Some(device),
                Err(e) => log::warn!("watchdog {named}: {e}"),
            }
        }
        let of_device = watchdog.device.is_some().then_some(DEVICE_PERIOD);
        watchdog.period = [period, of_device].into_iter().flatten().min();
        watchdog
    }

    /// How long the loop may sleep.
    pub(super) fn period(&self) -> Option<Duration> {
        self.period
    }

    /// The box serves from now on.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The loop went round at `now`.
    pub(super) fn alive(&mut self, now: Duration) {
        let Some(period) = self.period else { return };
        if now < self.told + period {
            return;
        }
        self.told = now;
        if self.manager.as_ref().is_some_and(|manager| manager.wants_life) {
            self.tell("WATCHDOG=1");
        }
        if let Some(device) = &mut self.device {
            let _next_time = device.write(&[0]);
        }
    }

    /// The box was told to stop, and will.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        if let Some(Manager { socket, address, .. }) = &self.manager {
            // A manager that does not read is not waited for.
            let _next_time = socket.send_to_addr(what.as_bytes(), address);
        }
    }
}

impl Drop for Watchdog {
    /// The end is meant: a device that takes the word (CONFIG_WATCHDOG_NOWAYOUT is off) resets nothing.
    fn drop(&mut self) {
        if let Some(device) = &mut self.device {
            let _closing = device.write(b"V");
        }
    }
}

impl Manager {
    /// By `NOTIFY_SOCKET`, and how often it wants a sign of life: at half of `WATCHDOG_USEC`.
    fn from_environment() -> Option<(Self, Option<Duration>)> {
        let name = env::var_os("NOTIFY_SOCKET")?;
        let micros = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse::<u64>().ok());
        let of_us = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let period =
            micros.filter(|micros| of_us && *micros > 0).map(|micros| Duration::from_micros(micros / 2));
        match Self::at(name.as_bytes(), period.is_some()) {
            Ok(manager) => Some((manager, period)),
            Err(e) => {
                log::warn!("NOTIFY_SOCKET {}: {e}", name.to_string_lossy());
                None
            }
        }
    }

    fn at(name: &[u8], wants_life: bool) -> io::Result<Self> {
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(name)))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address, wants_life })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_at_its_period_and_that_the_end_is_meant() {
        let path = env::temp_dir().join(format!("stbcast-watchdog-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let mut watchdog = Watchdog::open(path.to_str().unwrap());
        assert_eq!(watchdog.period(), Some(DEVICE_PERIOD));
        let start = Duration::from_secs(100);
        for millis in [0, 1, 2999, 3000, 3500, 6001] {
            watchdog.alive(start + Duration::from_millis(millis));
        }
        assert_eq!(std::fs::read(&path).unwrap(), [0; 3]);
        drop(watchdog);
        assert_eq!(std::fs::read(&path).unwrap(), b"\0\0\0V");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn none_and_what_is_not_there_let_the_loop_sleep() {
        for named in ["none", "/dev/watchdog-that-is-not-there"] {
            let mut watchdog = Watchdog::open(named);
            assert!(watchdog.device.is_none() && watchdog.period().is_none(), "{named}");
            watchdog.alive(Duration::from_secs(9));
        }
    }

    #[test]
    fn a_manager_has_an_abstract_name_or_a_path() {
        let name = format!("stbcast-notify-{}", std::process::id());
        let listener =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        let manager = Some(Manager::at(format!("@{name}").as_bytes(), true).unwrap());
        let mut watchdog = Watchdog::default();
        (watchdog.manager, watchdog.period) = (manager, Some(Duration::from_secs(1)));
        watchdog.ready();
        for seconds in [5.0, 5.5, 6.0] {
            watchdog.alive(Duration::from_secs_f64(seconds));
        }
        watchdog.stopping();
        let mut bytes = [0; 64];
        let mut heard = || {
            let n = listener.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..n].to_vec()).unwrap()
        };
        assert_eq!(
            [heard(), heard(), heard(), heard()],
            ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]
        );
        // One that is gone holds up nobody.
        drop(listener);
        watchdog.ready();
    }
}
