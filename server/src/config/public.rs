//! `[public]`: the listener of browsers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fanline_edge::{OriginPolicy, TrustedProxies};
use ipnet::IpNet;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::shape::shape_of_words;
use super::text::ListenAddress;
use super::tls::Certificate;

section! {
    /// The listener of browsers: WebSocket rooms, over HTTP/1.1 and HTTP/2 on one port.
    PublicConfig {
        /// Address and port. Port 0 takes any free port.
        listen: ListenAddress = ListenAddress::loopback(8080);
        /// Origins whose pages may connect, as `scheme://host[:port]`, matched exactly. Requests without an Origin header do
        /// not come from a browser and are let in.
        allowed_origins: Vec<String> = Vec::new(), like r#"["https://app.example.com"]"#;
        /// Addresses or networks of proxies in front of this hub. Only they are believed when they say, by Forwarded or
        /// X-Forwarded-For, who the client is.
        trusted_proxies: Vec<String> = Vec::new(), like r#"["10.0.0.0/8"]"#;
        /// Whether ?access_token= counts as a credential. URLs end up in logs: leave it off where you can.
        query_token: bool = false;
        /// Who decides about a connection: "token", if it is good; or then, "handler", a backend too, as fanline.connect
        /// (docs/handlers.md), which may say who the client is and what it may do.
        connect: Connect = Connect::Token;
    }
}

/// Who decides about a connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Connect {
    Token,
    Handler,
}

shape_of_words!(Connect);

/// `[public]`, checked.
#[derive(Debug)]
pub(crate) struct PublicSettings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) query_token: bool,
    pub(crate) connect_handler: bool,
}

impl PublicConfig {
    /// `certificate` is what `[tls]` says.
    pub(crate) fn check(
        &self,
        certificate: Option<&Certificate>,
        checker: &mut Checker<'_>,
    ) -> PublicSettings {
        let path = Path::of(&["public"]);
        let mut trusted = Vec::new();
        for (index, text) in self.trusted_proxies.iter().enumerate() {
            match network(text) {
                Some(network) => trusted.push(network),
                None => checker.refuse(
                    &path.key("trusted_proxies").item(index),
                    "must be an address or a network such as \"10.0.0.0/8\"",
                ),
            }
        }
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            let is_origin = OriginPolicy::new([origin]).is_ok();
            checker.require(
                is_origin,
                &path.key("allowed_origins").item(index),
                "must be scheme://host[:port], without a path or a wildcard",
            );
        }
        PublicSettings {
            listen: self.listen.0,
            // A certificate that does not work was refused with its own section.
            tls: certificate.and_then(|certificate| certificate.server(None).ok()),
            allowed_origins: self.allowed_origins.clone(),
            trusted_proxies: TrustedProxies::new(trusted),
            query_token: self.query_token,
            connect_handler: self.connect == Connect::Handler,
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
