//! TLS settings from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{ClientTls, LegacyTls};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Why TLS cannot be set up. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("{}: {reason}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error("certificate and key: {0}")]
    Settings(String),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Settings for listeners.
///
/// # Errors
///
/// [`TlsError`]
pub fn server(tls: &ClientTls) -> Result<Arc<ServerConfig>, TlsError> {
    let settings = |error: rustls::Error| TlsError::Settings(error.to_string());
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?;
    let builder = match &tls.ca {
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider())
                .build()
                .map_err(|error| TlsError::Settings(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(certificates(&tls.cert)?, key(&tls.key)?).map_err(settings)?;
    Ok(Arc::new(config))
}

/// Settings for connections to legacy.
///
/// # Errors
///
/// [`TlsError`]
pub fn client(tls: &LegacyTls) -> Result<Arc<ClientConfig>, TlsError> {
    let settings = |error: rustls::Error| TlsError::Settings(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(settings)?
        .with_root_certificates(roots(&tls.ca)?);
    let config = match &tls.identity {
        Some((cert, private)) => {
            builder.with_client_auth_cert(certificates(cert)?, key(private)?).map_err(settings)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn wrong(file: &Path, reason: impl ToString) -> TlsError {
    TlsError::File { file: file.to_owned(), reason: reason.to_string() }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(wrong(file, "holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(file, error)),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| wrong(file, error))
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| wrong(file, error))?;
    }
    Ok(roots)
}
