//! `[tls]`: the certificate of the public and the gRPC listener.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::checker::Checker;
use super::path::Path;
use super::secret::Secret;
use super::section::section;

section! {
    /// The certificate of the public and the gRPC listener. Without this section both speak plain text, which is for
    /// loopback and for behind a proxy that does TLS.
    TlsConfig {
        /// Certificate chain (PEM), the server's own first.
        cert: Option<Secret> = None, like r#""file:cert.pem""#;
        /// Its private key (PEM).
        key: Option<Secret> = None, like r#""file:key.pem""#;
    }
}

/// A certificate with its key, from which both listeners get what they need to speak TLS.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl TlsConfig {
    /// Whether the listeners are to speak plain text.
    pub(crate) fn is_absent(&self) -> bool {
        self.cert.is_none() && self.key.is_none()
    }

    /// The certificate, or none where the section is absent.
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Option<Certificate> {
        if self.is_absent() {
            return None;
        }
        let path = Path::of(&["tls"]);
        let cert = checker.needed(self.cert.as_ref(), &path.key("cert"));
        let key = checker.needed(self.key.as_ref(), &path.key("key"));
        let cert = checker.reveal(&cert?, &path.key("cert"));
        let key = checker.reveal(&key?, &path.key("key"));
        let chain = certificates(&cert?, &path.key("cert"), checker);
        let key = private_key(&key?, &path.key("key"), checker)?;
        if chain.is_empty() {
            return None;
        }
        let certificate = Certificate::new(chain, key);
        // Before a listener asks: only here the complaint can name the key.
        if let Err(error) = certificate.server(None) {
            checker.refuse(&path.key("key"), format!("does not go with 'cert': {error}"));
            return None;
        }
        Some(certificate)
    }
}

impl Certificate {
    /// A certificate with the chain that leads to its authority, the server's own first.
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Certificate { chain, key }
    }

    /// TLS for a listener. With `authorities`, every client must show a certificate of theirs.
    ///
    /// # Errors
    /// The key does not go with the certificate, or there are no authorities.
    pub(crate) fn server(
        &self,
        authorities: Option<RootCertStore>,
    ) -> anyhow::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
                    .build()?,
            ),
        };
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// TLS for calls in a `protocol`: to servers of the `trusted` authorities, which are shown a certificate if there is
    /// one.
    ///
    /// # Errors
    /// The key does not go with the certificate.
    pub(crate) fn client(
        shown: Option<&Certificate>,
        trusted: RootCertStore,
        protocol: &[u8],
    ) -> anyhow::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted);
        let mut config = match shown {
            Some(Certificate { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key())?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Arc::new(config))
    }
}

/// The authorities that a server the hub calls may have its certificate from: those of a file, or else of the machine. `url`
/// is the key of the server's address.
pub(crate) fn trusted(
    ca: Option<&Secret>,
    path: &Path,
    url: &Path,
    checker: &mut Checker<'_>,
) -> Option<RootCertStore> {
    if let Some(ca) = ca {
        let mut trusted = RootCertStore::empty();
        let ca = certificates(&checker.reveal(ca, path)?, path, checker);
        trusted.add_parsable_certificates(ca);
        return Some(trusted);
    }
    let trusted = trusted_by_this_machine();
    checker.require(
        !trusted.is_empty(),
        url,
        "needs 'ca': this machine trusts no authority of its own",
    );
    Some(trusted)
}

/// The authorities that this machine trusts, or else those that the variable `SSL_CERT_FILE` names.
pub(crate) fn trusted_by_this_machine() -> RootCertStore {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trusted
}

/// The private key in a PEM file.
pub(crate) fn private_key(
    pem: &[u8],
    path: &Path,
    checker: &mut Checker<'_>,
) -> Option<PrivateKeyDer<'static>> {
    let key = PrivateKeyDer::from_pem_slice(pem).ok();
    checker.require(key.is_some(), path, "holds no private key in PEM form");
    key
}

/// The certificates in a PEM file.
pub(crate) fn certificates(
    pem: &[u8],
    path: &Path,
    checker: &mut Checker<'_>,
) -> Vec<CertificateDer<'static>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    checker.require(!certificates.is_empty(), path, "holds no certificate in PEM form");
    certificates
}
