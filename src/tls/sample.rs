//! An authority and servers for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};

use super::{Connector, TrustedTime};

/// 2026-06-01, when the tests take place.
pub(crate) const NOW: Duration = Duration::from_secs(1_780_272_000);

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server with a certificate for `name` that holds from one year to the other.
    pub(crate) fn server(
        &self,
        name: &str,
        (from, to): (i32, i32),
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }

    /// A good server for `name`.
    pub(crate) fn good(&self, name: &str) -> Arc<ServerConfig> {
        self.server(name, (2025, 2030), &[&version::TLS12, &version::TLS13])
    }

    /// Its certificate in a file of its own, which is the caller's to remove.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        let number = std::process::id();
        let path = std::env::temp_dir().join(format!("stbcast-roots-{number}-{:p}.pem", &raw const *self));
        std::fs::write(&path, format!("# roots\n{}", self.pem)).unwrap();
        path
    }

    /// Who trusts it, at [`NOW`].
    pub(crate) fn connector(&self) -> Connector {
        let time = TrustedTime::default();
        time.set(NOW);
        let path = self.file();
        let connector = Connector::new(&path, time).unwrap();
        std::fs::remove_file(path).unwrap();
        connector
    }
}

pub(crate) const fn both() -> [(ProtocolVersion, &'static SupportedProtocolVersion); 2] {
    [(ProtocolVersion::TLSv1_2, &version::TLS12), (ProtocolVersion::TLSv1_3, &version::TLS13)]
}
