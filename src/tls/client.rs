//! The client's end, by rustls without its I/O.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded_io_async::{Error, ErrorKind, Read, Write};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, CipherSuite, ClientConfig, ClientConnection, RootCertStore};

use super::TrustedTime;
use super::stream::TlsStream;

/// Bytes that are read of a file of roots; those of Debian take 220 kB.
const ROOTS: u64 = 1 << 20;
/// Servers whose sessions are remembered, so that the next greeting is short.
const SESSIONS: usize = 4;
/// Bytes that wait to be sent, at most.
const BUFFER: usize = 16 * 1024;

/// Why there are no roots.
#[derive(Debug)]
pub enum RootsError {
    /// The file cannot be read.
    File(PathBuf, io::Error),
    /// It holds no certificate in PEM.
    Empty(PathBuf),
    /// What rustls says of its own settings.
    Settings(rustls::Error),
}

impl fmt::Display for RootsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "ca-file {}: {why}", path.display()),
            Self::Empty(path) => write!(f, "ca-file {}: there is no certificate in it", path.display()),
            Self::Settings(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

/// Why a TLS stream ended. `E` is the error of the stream below.
#[derive(Debug)]
pub enum TlsError<E> {
    /// The stream below failed.
    Io(E),
    /// Nobody has told the time yet, and without it no certificate can be checked.
    NoTime,
    /// The name is none that a certificate could have.
    Name,
    /// The peer hung up before the handshake was over.
    HungUp,
    /// The peer hung up without saying that it had said all (RFC 8446 §6.1).
    Truncated,
    /// The peer's certificate does not hold.
    Certificate(CertificateError),
    /// Anything else that is wrong with what the peer says.
    Peer(rustls::Error),
}

impl<E: fmt::Display> fmt::Display for TlsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => why.fmt(f),
            Self::NoTime => {
                f.write_str("the time of day is not known yet, and without it no certificate can be checked")
            }
            Self::Name => f.write_str("this name cannot be in a certificate"),
            Self::HungUp => f.write_str("the connection ended in the TLS handshake"),
            Self::Truncated => f.write_str("the connection was cut off"),
            Self::Certificate(why) => match why {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    f.write_str("its certificate is for another name")
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    f.write_str("its certificate has expired")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    f.write_str("its certificate is not valid yet")
                }
                CertificateError::UnknownIssuer => {
                    f.write_str("its certificate leads to none of the roots in ca-file")
                }
                other => write!(f, "its certificate does not hold: {other}"),
            },
            Self::Peer(why) => write!(f, "TLS: {why}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for TlsError<E> {}

impl<E: Error> Error for TlsError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(why) => why.kind(),
            Self::NoTime => ErrorKind::Unsupported,
            Self::Name => ErrorKind::InvalidInput,
            Self::HungUp | Self::Truncated => ErrorKind::ConnectionAborted,
            Self::Certificate(_) | Self::Peer(_) => ErrorKind::InvalidData,
        }
    }
}

impl<E> From<rustls::Error> for TlsError<E> {
    fn from(why: rustls::Error) -> Self {
        match why {
            rustls::Error::InvalidCertificate(why) => Self::Certificate(why),
            other => Self::Peer(other),
        }
    }
}

impl TimeProvider for TrustedTime {
    fn current_time(&self) -> Option<UnixTime> {
        self.now().map(UnixTime::since_unix_epoch)
    }
}

/// Makes streams: the roots that are trusted, and the time at which.
pub struct Connector {
    config: Arc<ClientConfig>,
    time: TrustedTime,
}

impl Connector {
    /// Trusts the certificates of a PEM file. Reads it, which takes some milliseconds: do it once.
    pub fn new(ca_file: &Path, time: TrustedTime) -> Result<Self, RootsError> {
        let mut pem = Vec::new();
        let read = File::open(ca_file).and_then(|file| file.take(ROOTS).read_to_end(&mut pem));
        read.map_err(|e| RootsError::File(ca_file.into(), e))?;
        let mut roots = RootCertStore::empty();
        let (_, refused) =
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).map_while(Result::ok));
        if refused > 0 {
            log::info!("ca-file {}: {refused} certificates are of no use", ca_file.display());
        }
        if roots.is_empty() {
            return Err(RootsError::Empty(ca_file.into()));
        }
        let mut config =
            ClientConfig::builder_with_details(Arc::new(provider(has_aes())), Arc::new(time.clone()))
                .with_safe_default_protocol_versions()
                .map_err(RootsError::Settings)?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self { config: Arc::new(config), time })
    }

    /// Greets the peer, which must prove that it is `host`, a name or an address. Set a deadline.
    pub async fn connect<S: Read + Write>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, TlsError<S::Error>> {
        if self.time.now().is_none() {
            return Err(TlsError::NoTime);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name)?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        connection.set_buffer_limit(Some(BUFFER));
        let mut stream = TlsStream::new(connection, stream);
        stream.shake_hands().await?;
        Ok(stream)
    }
}

/// ring's, with `ChaCha20` first where the processor has no instructions for AES: three times as fast there.
pub(super) fn provider(aes: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !aes {
        let chacha = |suite| {
            matches!(
                suite,
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            )
        };
        provider.cipher_suites.sort_by_key(|suite| !chacha(suite.suite()));
    }
    provider
}

/// The kernel says that the processor has AES: `flags` on x86, `Features` on ARM.
fn has_aes() -> bool {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.split_ascii_whitespace().any(|word| word == "aes")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
