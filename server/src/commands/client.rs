//! A gRPC connection to a hub, for the commands that call one.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::cli::Hub;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A hub that vanished without a word is noticed within the sum of both.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that sends the API key along.
pub(super) type Client = InterceptedService<Channel, Bearer>;

/// Connects. Only the first connection must succeed here: a lost one is made anew by the next call.
pub(super) async fn connect(hub: &Hub) -> Result<Client> {
    let key =
        hub.api_key.as_deref().context("no API key: set FANLINE_API_KEY or give --api-key")?;
    let bearer = Bearer::new(key)?;
    ensure!(
        hub.url.starts_with("http://"),
        "the URL must start with http://: this command speaks plain text only"
    );
    let channel = Endpoint::from_shared(hub.url.clone())
        .with_context(|| format!("{} is not a URL", hub.url))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect()
        .await
        .with_context(|| {
            format!("there is no hub at {}; is it running, and is this its gRPC listener?", hub.url)
        })?;
    Ok(InterceptedService::new(channel, bearer))
}

/// Sends the API key along.
#[derive(Clone)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    fn new(key: &str) -> Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {key}")
            .parse()
            .map_err(|_| anyhow!("the API key has letters that no key has"))?;
        value.set_sensitive(true);
        Ok(Bearer(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// What a refused call says, for a person: `PERMISSION_DENIED: ...`.
pub(super) fn refusal(status: &Status) -> anyhow::Error {
    let code = format!("{:?}", status.code());
    let mut name = String::with_capacity(code.len() + 4);
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    anyhow!("{name}: {}", status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_code_as_grpc_does() {
        let text = refusal(&Status::permission_denied("the key does not cover `a:b`")).to_string();
        assert_eq!(text, "PERMISSION_DENIED: the key does not cover `a:b`");
    }
}
