//! `[grpc]`: the listener of backends.

use std::net::SocketAddr;
use std::sync::Arc;

use fanline_grpc::backends::KnownCertificate;
use rustls::{RootCertStore, ServerConfig};

use super::certificates::{self, CertificateConfig};
use super::checker::Checker;
use super::path::Path;
use super::secret::Secret;
use super::section::section;
use super::text::ListenAddress;
use super::tls::{self, Certificate, TlsConfig};

section! {
    /// The listener of backends: gRPC.
    GrpcConfig {
        /// Address and port. Port 0 takes any free port.
        listen: ListenAddress = ListenAddress::loopback(50051);
        /// Certificate authority (PEM) of the backends' certificates. Set, every backend must show one: mutual TLS, which
        /// needs `[tls]`. What it may do says its API key or token, or `[[grpc.certificates]]`.
        client_ca: Option<Secret> = None, like r#""file:ca.pem""#;
        /// The certificates that need no API key, in sections of their own: see `[[grpc.certificates]]`.
        certificates: Vec<CertificateConfig> = Vec::new();
    }
}

/// `[grpc]`, checked.
#[derive(Debug)]
pub(crate) struct GrpcSettings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) certificates: Vec<KnownCertificate>,
}

impl GrpcConfig {
    /// `certificate` is what came out of `section`, that of TLS.
    pub(crate) fn check(
        &self,
        section: &TlsConfig,
        certificate: Option<&Certificate>,
        checker: &mut Checker<'_>,
    ) -> GrpcSettings {
        let path = Path::of(&["grpc"]);
        let authorities = self.client_ca.as_ref().and_then(|client_ca| {
            let path = path.key("client_ca");
            checker.require(
                !section.is_absent(),
                &path,
                "needs [tls]: without it no certificates are shown",
            );
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(tls::certificates(
                &checker.reveal(client_ca, &path)?,
                &path,
                checker,
            ));
            Some(store)
        });
        let server = certificate.and_then(|certificate| {
            let refuse =
                |error| checker.refuse(&path.key("client_ca"), format!("cannot be used: {error}"));
            certificate.server(authorities).map_err(refuse).ok()
        });
        if section.is_absent() && !self.listen.0.ip().is_loopback() {
            checker.warn(
                &path.key("listen"),
                "is not on loopback and there is no [tls]: API keys cross the network in plain text",
            );
        }
        let certificates =
            certificates::check(&self.certificates, self.client_ca.is_some(), checker);
        GrpcSettings { listen: self.listen.0, tls: server, certificates }
    }
}
