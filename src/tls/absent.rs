//! A program without TLS: the same types, of which there is never a value.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

use super::TrustedTime;

/// Why there are no roots.
#[derive(Debug)]
pub struct RootsError;

impl fmt::Display for RootsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this program was built without TLS (feature 'tls' of the board), and cannot ask by https",
        )
    }
}

/// Why a TLS stream ended: it never began.
#[derive(Debug)]
pub struct TlsError<E>(Infallible, PhantomData<E>);

impl<E> fmt::Display for TlsError<E> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl<E: fmt::Debug> std::error::Error for TlsError<E> {}

impl<E: fmt::Debug> Error for TlsError<E> {
    fn kind(&self) -> ErrorKind {
        match self.0 {}
    }
}

/// What would make streams.
pub struct Connector(Infallible);

impl Connector {
    /// Always refuses.
    pub fn new(_ca_file: &Path, _time: TrustedTime) -> Result<Self, RootsError> {
        Err(RootsError)
    }

    /// There is none that could be asked.
    pub async fn connect<S: Read + Write>(
        &self,
        _host: &str,
        _stream: S,
    ) -> Result<TlsStream<S>, TlsError<S::Error>> {
        match self.0 {}
    }
}

/// What a stream would be.
pub struct TlsStream<S>(Infallible, PhantomData<S>);

impl<S: ErrorType> ErrorType for TlsStream<S> {
    type Error = TlsError<S::Error>;
}

impl<S: Read> Read for TlsStream<S> {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> {
        match self.0 {}
    }
}

impl<S: Write> Write for TlsStream<S> {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> {
        match self.0 {}
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        match self.0 {}
    }
}
