//! [`ServerTls`]: the certificate the server shows, from files; read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("`{path}` cannot be read as PEM: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The file holds no certificate.
    #[error("`{0}` holds no certificate; hint: it begins with -----BEGIN CERTIFICATE-----")]
    Empty(String),
    /// The two do not belong together, or are of a kind that is not known.
    #[error("the certificate in `{cert}` and the key in `{key}` cannot be used together: {why}")]
    Unfit {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
        /// Why.
        why: String,
    },
}

/// A certificate and its key.
#[derive(Debug)]
pub struct ServerTls {
    cert: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Reads both files: the certificate with those between it and the root, and its key.
    pub fn read(cert: &Path, key: &Path) -> Result<ServerTls, TlsError> {
        let config = RwLock::new(config(cert, key)?);
        Ok(ServerTls { cert: cert.to_owned(), key: key.to_owned(), config })
    }

    /// Reads both again: new connections see what stands there now. What cannot be used changes nothing.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = config(&self.cert, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Opens a connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let name = |path: &Path| path.display().to_string();
    let file =
        |path: &Path, why: &dyn std::fmt::Display| TlsError::File { path: name(path), why: why.to_string() };
    let chain = CertificateDer::pem_file_iter(cert).map_err(|why| file(cert, &why))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|why| file(cert, &why))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(name(cert)));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| file(key, &why))?;
    let unfit =
        |why: rustls::Error| TlsError::Unfit { cert: name(cert), key: name(key), why: why.to_string() };
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring);
    let config = config.with_safe_default_protocol_versions().map_err(unfit)?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, secret).map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
