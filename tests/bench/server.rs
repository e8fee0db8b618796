//! The servers that are compared, each a process of its own.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use stbcast::board::INPUT_BUFFER_BYTES;

use super::cell::Cell;
use super::support::http::split;
use super::support::stb::Stb;
use super::{floor, threads};

/// A server that nobody ended ends after this.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// What the floor answers.
pub(crate) const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n";
/// The word behind which a server's name and its arguments stand.
pub(crate) const SERVE: &str = "--serve";
/// A thread per client does not go further.
const MOST_THREADS: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The box.
    Stbcastd,
    Floor,
    Threads,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Stbcastd, Self::Floor, Self::Threads];

    /// Whether it is measured with so many clients.
    pub(crate) fn takes(self, cell: Cell) -> bool {
        self != Self::Threads || cell.clients <= MOST_THREADS
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stbcastd => "stbcastd",
            Self::Floor => "floor",
            Self::Threads => "tiny_http",
        })
    }
}

/// One that runs, until it is dropped.
pub(crate) enum Server {
    Stbcastd { stb: Stb, url: String },
    Own { child: Child, address: SocketAddr },
}

impl Server {
    /// Starts one that serves what comes to `from`, which must be on air.
    pub(crate) fn start(kind: Kind, from: SocketAddr, cell: Cell) -> Self {
        if kind == Kind::Stbcastd {
            let stb = Stb::start(&[&format!("udp://{from}")]);
            stb.wait_channels(1);
            let url = stb.channel(1);
            return Self::Stbcastd { stb, url };
        }
        let mut child = Command::new(std::env::current_exe().expect("this program has a name"))
            .args([SERVE, &kind.to_string(), &from.to_string(), &cell.tick().as_micros().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it is");
        let address = line.trim().parse().expect("the server says its address");
        Self::Own { child, address }
    }

    /// Where its clients connect, and what they ask for.
    pub(crate) fn target(&self) -> (SocketAddr, &str) {
        match self {
            Self::Stbcastd { url, .. } => split(url),
            Self::Own { address, .. } => (*address, "/"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Stbcastd { stb, .. } => stb.pid(),
            Self::Own { child, .. } => child.id(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own { child, .. } = self {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The other end of [`Server::start`]: is the server that `words` name.
pub(crate) fn serve(words: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let [name, from, micros] = words else { return Err("a server's name, its input and its tick".into()) };
    let from = from.parse()?;
    match Kind::ALL.into_iter().find(|kind| kind.to_string() == *name) {
        Some(Kind::Floor) => Ok(floor::serve(from, Duration::from_micros(micros.parse()?))?),
        Some(Kind::Threads) => threads::serve(from),
        _ => Err(format!("no server '{name}' in this program").into()),
    }
}

/// Lets the kernel hold input, as the box does: as much as it grants.
pub(crate) fn hold(input: &UdpSocket) {
    if setsockopt(input, sockopt::RcvBufForce, &INPUT_BUFFER_BYTES).is_err() {
        let _less = setsockopt(input, sockopt::RcvBuf, &INPUT_BUFFER_BYTES);
    }
}
