//! The service's certificate.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;

/// What takes TLS connections, by the PEM files of a certificate with its chain and of its key. The error is a
/// sentence.
pub(in crate::cloud) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let of = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let chain = CertificateDer::pem_slice_iter(&of(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|e| format!("{}: {e}", certificate.display()))?;
    if chain.is_empty() {
        return Err(format!("{}: there is no certificate in it", certificate.display()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&of(key)?).map_err(|e| format!("{}: {e}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
    let config = config.and_then(|config| config).map_err(|e| format!("{}: {e}", key.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
