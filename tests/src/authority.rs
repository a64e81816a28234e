//! A certificate authority for one test, and TLS as its clients speak it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Endpoint;

use crate::api_key::ApiKey;
use crate::rpc::Rpc;

/// The name in the server's certificate.
const SERVER: &str = "localhost";

/// The name in the certificate of a backend.
pub const BACKEND: &str = "backend.test";

/// Signs certificates, and keeps those of the server in files.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new authority with a certificate for the hub.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // OpenSSL takes a certificate for its own issuer when both have the same name.
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority signs itself");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let authority = Self { issuer, folder };
        let (certificate, key) = authority.issue(SERVER);
        authority.write("ca.pem", &authority.issuer.pem());
        authority.write("cert.pem", &certificate);
        authority.write("key.pem", &key);
        authority
    }

    /// The path of one of its files: `ca.pem`, which clients trust, or the hub's `cert.pem` and `key.pem`.
    pub fn path(&self, file: &str) -> PathBuf {
        Path::new(self.folder.path()).join(file)
    }

    /// A reference to one of its files as the configuration has it.
    pub fn reference(&self, file: &str) -> String {
        format!("file:{}", self.path(file).display())
    }

    /// Connects as a client that trusts this authority.
    ///
    /// # Errors
    ///
    /// Whatever the handshake fails with.
    pub async fn connect(
        &self,
        address: SocketAddr,
        client: TlsClient<'_>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect(address, Arc::new(self.client(client))).await
    }

    /// Connects to a gRPC listener as a backend that trusts this authority, with the key to everything. It connects
    /// again when the hub has closed the connection.
    ///
    /// # Errors
    ///
    /// Whatever the connection fails with.
    pub async fn rpc(
        &self,
        address: SocketAddr,
        client: TlsClient<'_>,
    ) -> Result<Rpc, tonic::transport::Error> {
        self.rpc_as(address, client, Some(&ApiKey::all().secret)).await
    }

    /// The same with another credential, or with none but the certificate.
    ///
    /// # Errors
    ///
    /// Whatever the connection fails with after the handshake.
    pub async fn rpc_as(
        &self,
        address: SocketAddr,
        client: TlsClient<'_>,
        credential: Option<&str>,
    ) -> Result<Rpc, tonic::transport::Error> {
        let config = Arc::new(self.client(client));
        let connector = tower::service_fn(move |_| {
            let stream = connect(address, Arc::clone(&config));
            async { stream.await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let connection = endpoint.connect_with_connector(connector).await?;
        Ok(Rpc::over(connection, credential))
    }

    /// TLS for a server at `localhost` that speaks gRPC and takes only clients of this authority.
    pub fn server(&self) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.server_for(verifier.build().expect("there is an authority"), &["h2"])
    }

    /// The same for a server that takes anybody.
    pub fn open_server(&self) -> Arc<ServerConfig> {
        self.server_for(WebPkiClientVerifier::no_client_auth(), &["h2"])
    }

    /// TLS for a web server at `localhost` that takes anybody.
    pub fn web_server(&self) -> Arc<ServerConfig> {
        self.server_for(WebPkiClientVerifier::no_client_auth(), &[])
    }

    fn server_for(
        &self,
        clients: Arc<dyn ClientCertVerifier>,
        protocols: &[&str],
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (certificate, key) = self.server_identity();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks them")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate], key)
            .expect("they belong together");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    fn server_identity(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_file(self.path("cert.pem"));
        let key = PrivateKeyDer::from_pem_file(self.path("key.pem"));
        (certificate.expect("it was written"), key.expect("it was written"))
    }

    fn client(&self, client: TlsClient<'_>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks them")
            .with_root_certificates(roots);
        let mut config = if let Some(issuer) = client.shows_certificate_of {
            let (certificate, key) = issuer.issue(BACKEND);
            let certificate =
                CertificateDer::from_pem_slice(certificate.as_bytes()).expect("it is PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
            builder.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![client.protocol.as_bytes().to_vec()];
        config
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs");
        (certificate.pem(), key.serialize_pem())
    }

    fn write(&self, file: &str, pem: &str) {
        std::fs::write(self.path(file), pem).expect("the folder is ours");
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(SERVER).expect("it is a name");
    TlsConnector::from(config).connect(name, stream).await
}

/// What a TLS client offers.
#[derive(Clone, Copy, Debug)]
pub struct TlsClient<'a> {
    /// The one protocol that it offers by ALPN.
    pub protocol: &'static str,
    /// Who issued the certificate for [`BACKEND`] that it shows. None: it shows none.
    pub shows_certificate_of: Option<&'a Authority>,
}

impl TlsClient<'_> {
    /// A client that offers this protocol and shows no certificate.
    pub const fn new(protocol: &'static str) -> Self {
        Self { protocol, shows_certificate_of: None }
    }
}
