//! The hub under test: the real `fanline` binary in a process of its own, with the memory broker or on one Redis, throw-away credentials and
//! the limits on connections out of the way (all members of a bench share one address and one user).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest;
use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use serde_json::json;
use tempfile::TempDir;

use crate::cores::Cores;

const API_KEY: &str = "fanline-bench-publisher";
const TOKEN_SECRET: &str = "a secret of the bench, which guards nothing";
const TOKEN_LIFETIME_SECONDS: u64 = 3600;
const START_DEADLINE: Duration = Duration::from_secs(20);
const READINESS_INTERVAL: Duration = Duration::from_millis(50);
const OPS_TIMEOUT: Duration = Duration::from_secs(5);

/// A running hub, killed when dropped: draining would only be waited for.
pub(crate) struct Hub {
    child: Child,
    listeners: Listeners,
    pub(crate) token: String,
    _folder: TempDir,
}

#[derive(Clone, Copy)]
struct Listeners {
    public: SocketAddr,
    grpc: SocketAddr,
    ops: SocketAddr,
}

impl Hub {
    pub(crate) fn start(cores: Cores, binary: &Path) -> Result<Self> {
        Self::run(cores.on_server_core(binary), binary, r#"kind = "memory""#)
    }

    /// On the core of the load generator: the server's belongs to Redis.
    pub(crate) fn start_on_redis(binary: &Path, url: &str) -> Result<Self> {
        Self::run(Command::new(binary), binary, &format!("kind = \"redis\"\nurls = [\"{url}\"]"))
    }

    fn run(mut command: Command, binary: &Path, broker: &str) -> Result<Self> {
        let listeners = Listeners::free()?;
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("fanline.toml");
        std::fs::write(&config, configuration(listeners, broker))?;
        let child = command
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut hub = Self { child, listeners, token: token("bench")?, _folder: folder };
        hub.wait_until_ready(binary)?;
        Ok(hub)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn public(&self) -> SocketAddr {
        self.listeners.public
    }

    /// A token of another user, by its number.
    pub(crate) fn token_of(&self, user: usize) -> Result<String> {
        token(&format!("bench{user}"))
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        self.listeners.grpc
    }

    pub(crate) fn api_key(&self) -> &'static str {
        API_KEY
    }

    /// Clients that the hub counts on all its transports.
    pub(crate) fn open_connections(&self) -> Result<u64> {
        sum(&get(self.listeners.ops, "/metrics")?, "fanline_connections")
    }

    fn wait_until_ready(&mut self, binary: &Path) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} instead of serving", binary.display());
            }
            // Refused while the hub is not listening yet: any failure only means to ask again.
            if is_ready(self.listeners.ops).unwrap_or(false) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{} is not ready after {START_DEADLINE:?}",
                binary.display()
            );
            std::thread::sleep(READINESS_INTERVAL);
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listeners {
    /// Three free ports, held together until all are known so that they differ.
    fn free() -> Result<Self> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (public, grpc, ops) = (bind()?, bind()?, bind()?);
        Ok(Self { public: public.local_addr()?, grpc: grpc.local_addr()?, ops: ops.local_addr()? })
    }
}

fn configuration(Listeners { public, grpc, ops }: Listeners, broker: &str) -> String {
    let api_key_hash: String = digest::digest(&digest::SHA256, API_KEY.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        r#"
[public]
listen = "{public}"

[grpc]
listen = "{grpc}"

[ops]
listen = "{ops}"

[broker]
{broker}

[tokens]
issuer = "fanline-bench"
audience = "fanline"

[[tokens.keys]]
kid = "bench"
algorithm = "HS256"
secret = "{TOKEN_SECRET}"
use = "client"

[[api_keys]]
name = "bench"
hash = "sha256:{api_key_hash}"
scopes = ["publish"]
channels = ["bench:*"]

[namespaces.bench]

[limits]
connections_per_user = 1000000
connections_per_ip = 1000000
connect_rate_per_ip = 1000000
connect_burst_per_ip = 1000000

[telemetry]
log = "warn"
"#
    )
}

fn token(user: &str) -> Result<String> {
    let header = Header { kid: Some("bench".to_owned()), ..Header::default() };
    let claims = json!({
        "iss": "fanline-bench",
        "aud": "fanline",
        "sub": user,
        "exp": get_current_timestamp() + TOKEN_LIFETIME_SECONDS,
        "channels": {"subscribe": ["bench:*"]},
    });
    let key = EncodingKey::from_secret(TOKEN_SECRET.as_bytes());
    jsonwebtoken::encode(&header, &claims, &key).context("minting the members' token")
}

fn is_ready(ops: SocketAddr) -> Result<bool> {
    Ok(get(ops, "/readyz")?.starts_with("HTTP/1.1 200"))
}

fn get(ops: SocketAddr, path: &str) -> Result<String> {
    let mut socket = TcpStream::connect(ops)?;
    socket.set_read_timeout(Some(OPS_TIMEOUT))?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {ops}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}

fn sum(metrics: &str, name: &str) -> Result<u64> {
    let of_series = |line: &str| -> Option<u64> {
        line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once(' ')?.1.parse().ok()
    };
    let mut series = metrics.lines().filter_map(of_series).peekable();
    ensure!(series.peek().is_some(), "the hub has no metric {name}");
    Ok(series.sum())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    #[test]
    fn the_token_is_one_that_the_configured_key_verifies() {
        let mut expected = Validation::default();
        expected.set_audience(&["fanline"]);
        expected.set_issuer(&["fanline-bench"]);
        let key = DecodingKey::from_secret(TOKEN_SECRET.as_bytes());
        let token =
            jsonwebtoken::decode::<serde_json::Value>(token("bench").unwrap(), &key, &expected)
                .unwrap();
        assert_eq!(token.header.kid.as_deref(), Some("bench"));
        assert_eq!(token.claims["channels"]["subscribe"][0], "bench:*");
    }

    #[test]
    fn connections_of_all_transports_are_summed() {
        let metrics = "# TYPE fanline_connections gauge\n\
                       fanline_connections{transport=\"poll\"} 3\n\
                       fanline_connections{transport=\"sse\"} 4\n\
                       fanline_connections_opened_total{transport=\"sse\"} 9\n";
        assert_eq!(sum(metrics, "fanline_connections").unwrap(), 7);
        assert!(sum(metrics, "fanline_streams").is_err());
    }

    #[test]
    fn a_binary_that_ends_at_once_is_told() {
        let cores = Cores { server: 0, generator: 0 };
        let error = Hub::start(cores, Path::new("/bin/false")).err().unwrap();
        assert!(error.to_string().contains("instead of serving"), "{error}");
    }
}
