//! Which certificates are trusted. Reads them when a connection needs them and frees them
//! with the last one: a parsed root store is most of a megabyte.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why the certificates to trust cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrustError {
    /// The file of `ca_file` cannot be read.
    #[error("the CA file cannot be read: {0}")]
    Unreadable(String),
    /// The file of `ca_file` has none.
    #[error("the CA file holds no certificate")]
    Empty,
    /// This build's cryptography cannot serve TLS.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The certificates to trust, loaded while somebody uses them.
#[derive(Debug)]
pub struct Trust {
    ca_file: Option<PathBuf>,
    current: Mutex<Weak<ClientConfig>>,
}

/// Keeps certificates loaded that were in use, for who makes one connection after the other.
pub struct Loaded(Arc<ClientConfig>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({} users)", Arc::strong_count(&self.0))
    }
}

impl Trust {
    /// What is loaded now, if anything is.
    pub fn loaded(&self) -> Option<Loaded> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).upgrade().map(Loaded)
    }

    /// Checks the file now: a wrong one stops the start instead of each connection.
    pub fn new(ca_file: Option<PathBuf>) -> Result<Trust, TrustError> {
        if let Some(path) = &ca_file {
            from_file(path)?;
        }
        Ok(Trust { ca_file, current: Mutex::new(Weak::new()) })
    }

    /// A connector over the current certificates. Blocks on the disk the first time,
    /// for some milliseconds: connections are rare.
    pub fn connector(&self) -> Result<TlsConnector, TrustError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = current.upgrade() {
            return Ok(TlsConnector::from(config));
        }
        let roots = match &self.ca_file {
            Some(path) => from_file(path)?,
            None => from_system(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        *current = Arc::downgrade(&config);
        Ok(TlsConnector::from(config))
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let unreadable =
        |error: rustls::pki_types::pem::Error| TrustError::Unreadable(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?)?;
    }
    if roots.is_empty() { Err(TrustError::Empty) } else { Ok(roots) }
}

/// The system's roots, or Mozilla's where the system has none.
fn from_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("the system has no certificates to trust: using the built-in ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_ca_file_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(matches!(Trust::new(Some(path.clone())), Err(TrustError::Unreadable(_))));
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(matches!(Trust::new(Some(path)), Err(TrustError::Empty)));
    }

    #[test]
    fn the_certificates_are_freed_with_the_last_connector() {
        let trust = Trust::new(None).unwrap();
        let connector = trust.connector().unwrap();
        assert!(trust.current.lock().unwrap().upgrade().is_some());
        let loaded = trust.loaded().unwrap();
        drop(connector);
        assert!(trust.current.lock().unwrap().upgrade().is_some());
        drop(loaded);
        assert!(trust.current.lock().unwrap().upgrade().is_none());
    }
}
