//! TLS over any stream: the client's end (RFC 8446, RFC 5246).
//!
//! rustls without its I/O: the stream is whatever embedded-io-async reads and writes. Certificates are judged at a time
//! that the caller vouches for, because a box boots in 1970. Knows nothing of HTTP.
//!
//! Without the feature `tls` nothing of rustls is in the program, and whoever asks for a connection is told so.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod client;
#[cfg(test)]
#[cfg(feature = "tls")]
pub(crate) mod sample;
#[cfg(feature = "tls")]
mod stream;
mod time;

#[cfg(not(feature = "tls"))]
pub use absent::{Connector, RootsError, TlsError, TlsStream};
#[cfg(feature = "tls")]
pub use client::{Connector, RootsError, TlsError};
#[cfg(feature = "tls")]
pub use stream::TlsStream;
pub use time::TrustedTime;
