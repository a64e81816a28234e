//! The claims of a backend service's token: what an API key has in the configuration, said by whoever signs the token.
//!
//! ```json
//! {"sub":"orders","exp":1790000000,"scopes":["publish","history"],"channels":["orders:*"],"methods":["orders.*"]}
//! ```

use super::claims::{Parsed, present, read, unwrap_all};
use super::validity::Validity;
use fanline_core::Refusal;
use fanline_core::clock::Timestamp;
use fanline_core::pattern::Pattern;
use serde::Deserialize;

/// Who a verified token says a backend is, and what it may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceIdentity {
    /// The service (`sub`). None: it has no name.
    pub name: Option<String>,
    /// What it may do, in the words of API keys; unknown ones among them.
    pub scopes: Vec<String>,
    /// In which channels. None: in no channel.
    pub channels: Vec<Pattern>,
    /// Which methods it may answer. None: any.
    pub methods: Vec<Pattern>,
    /// When all of this ends.
    pub expires_at: Timestamp,
}

/// The claims of a service's token.
pub(super) struct ServiceClaims {
    /// What limits it.
    pub(super) validity: Validity,
    service: Fields,
}

/// What a token says of a service. Its `channels` are one list: a client's token, which has one for each kind of right,
/// cannot pass for one, whatever key signed it.
#[derive(Deserialize)]
struct Fields {
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    channels: Vec<Parsed<Pattern>>,
    #[serde(default)]
    methods: Vec<Parsed<Pattern>>,
}

impl ServiceClaims {
    pub(super) fn decode(text: &[u8]) -> Result<Self, Refusal> {
        Ok(ServiceClaims { validity: read(text)?, service: read(text)? })
    }

    /// What the claims say about the service, once all that limits the token has been checked.
    pub(super) fn into_identity(self, expires_at: Timestamp) -> ServiceIdentity {
        let Fields { sub, scopes, channels, methods } = self.service;
        ServiceIdentity {
            name: sub.filter(|name| !name.is_empty()),
            scopes,
            channels: unwrap_all(channels),
            methods: unwrap_all(methods),
            expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_strictly() {
        let read = |text: &str| {
            ServiceClaims::decode(text.as_bytes())
                .map(|claims| claims.into_identity(Timestamp::default()))
        };
        let orders = read(
            r#"{"sub":"orders","scopes":["publish"],"channels":["orders:*"],"methods":["a.*"]}"#,
        );
        let orders = orders.unwrap();
        assert_eq!(orders.name.as_deref(), Some("orders"));
        assert_eq!(orders.channels[0].as_str(), "orders:*");
        let nobody = read("{}").unwrap();
        assert!(nobody.name.is_none() && nobody.scopes.is_empty() && nobody.channels.is_empty());
        for (text, path) in [
            (r#"{"channels":{"publish":["*"]}}"#, "`channels`"),
            (r#"{"scopes":"publish"}"#, "`scopes`"),
            (r#"{"scopes":["publish"],"scopes":[]}"#, "doubled"),
            (r#"{"methods":[""]}"#, "`methods[0]`"),
            (r#"{"sub":null}"#, "`sub`"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.message().contains(path), "{text}: {refusal}");
        }
    }
}
