//! How a connection to a server is made: user, database, TLS, deadlines.

use crate::address::Address;
use crate::login::Login;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult, TlsCertificates,
};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

/// Longest wait for a connection, with its greeting.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);
/// Calls of one connection that may wait for their answers. More wait for a place: that is the back-pressure.
const IN_FLIGHT: usize = 1024;

/// Makes connections to servers that share user, database and certificates.
#[derive(Clone)]
pub(crate) struct Dialer {
    login: RedisConnectionInfo,
    tls: Option<TlsCertificates>,
}

impl Dialer {
    /// As a URL says; who it does not name is `login`.
    pub(crate) fn new(info: &ConnectionInfo, login: Option<&Login>, ca: Option<Vec<u8>>) -> Self {
        let tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. })
            .then_some(TlsCertificates { client_tls: None, root_cert: ca });
        // RESP3 lets answers and messages share a connection, and tells of its end.
        let own = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let named = own.username().is_some() || own.password().is_some();
        let own = match login {
            Some(login) if !named => login.apply(own),
            Some(_) | None => own,
        };
        // The name of the driver's library interests nobody, and would be one right more that our user needs.
        Dialer { login: own.set_skip_set_lib_name(), tls }
    }

    /// The same network and certificates, with the sentinels' own login.
    pub(crate) fn for_sentinels(&self, login: Option<&Login>) -> Self {
        let own = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        let own = match login {
            Some(login) => login.apply(own),
            None => own,
        };
        Dialer { login: own.set_skip_set_lib_name(), tls: self.tls.clone() }
    }

    /// Whether both come to a server as the same user, in the same database, with or without TLS.
    pub(crate) fn logs_in_like(&self, other: &Dialer) -> bool {
        let said = |dialer: &Dialer| {
            let Dialer { login, tls } = dialer;
            let user = login.username().map(str::to_owned);
            (user, login.password().map(str::to_owned), login.db(), tls.is_some())
        };
        said(self) == said(other)
    }

    /// Connects; `pushes` hears what the server sends unasked, also the end of the connection, and must not block.
    pub(crate) async fn dial(
        &self,
        address: &Address,
        pushes: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> RedisResult<MultiplexedConnection> {
        let (host, port) = (address.host.clone(), address.port);
        let addr = match &self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        // Off by default in this driver; a small command would wait for the answer to the one before it.
        let nodelay = TcpSettings::default().set_nodelay(true);
        let info = addr
            .into_connection_info()?
            .set_tcp_settings(nodelay)
            .set_redis_settings(self.login.clone());
        let client = match &self.tls {
            None => Client::open(info)?,
            Some(tls) => Client::build_with_tls(info, tls.clone())?,
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            // Each caller has its own deadline; the driver's would be the shortest of all.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(IN_FLIGHT)
            .set_concurrency_limit(IN_FLIGHT)
            .set_push_sender(move |push| {
                pushes(push);
                Ok::<(), Infallible>(())
            });
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        tokio::time::timeout(CONNECT, connecting)
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "the server did not greet in time").into()))
    }
}

impl fmt::Debug for Dialer {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("user", &self.login.username())
            .field("database", &self.login.db())
            .field("tls", &self.tls.is_some())
            .finish()
    }
}
