//! What a backend changes about an identity when it is asked about a connection: claims, read as strictly as those of a
//! token, in the place of the token's own. What it does not name stays as it is.

use super::Identity;
use super::claims::{ChannelsClaim, Parsed, present, unwrap_all};
use super::validity::NumericDate;
use crate::limits::TOKEN_INFO_BYTES;
use crate::object::Object;
use bytes::Bytes;
use fanline_core::ids::UserId;
use fanline_core::pattern::Pattern;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The claims that are to be others. An unknown one is a fault: what is misspelt would else be granted by the token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amendment {
    /// The user. Empty: anonymous.
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    info: Option<Box<RawValue>>,
    /// All grants, and the channels to be put into at once.
    #[serde(default, deserialize_with = "present")]
    channels: Option<Object<ChannelsClaim>>,
    #[serde(default, deserialize_with = "present")]
    methods: Option<Vec<Parsed<Pattern>>>,
    /// The connection ends then, and never later than its token.
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
}

impl Amendment {
    /// The identity with what is changed about it.
    ///
    /// # Errors
    /// An `info` over its limit.
    pub(crate) fn apply(self, mut identity: Identity) -> Result<Identity, String> {
        if let Some(sub) = &self.sub {
            identity.user = UserId::new(sub);
        }
        if let Some(info) = self.info {
            let info = Box::<str>::from(info).into_boxed_bytes();
            if info.len() > TOKEN_INFO_BYTES {
                return Err(format!("`info` has more than {TOKEN_INFO_BYTES} bytes"));
            }
            identity.info = Some(Bytes::from(info));
        }
        if let Some(Object(channels)) = self.channels {
            (identity.grants, identity.join) = channels.into_grants();
        }
        if let Some(methods) = self.methods {
            identity.methods = Some(unwrap_all(methods));
        }
        if let Some(NumericDate(expires_at)) = self.exp {
            identity.expires_at = identity.expires_at.min(expires_at);
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::identity;
    use fanline_core::clock::Timestamp;

    fn amended(json: &str) -> Identity {
        let Object::<Amendment>(amendment) = serde_json::from_str(json).unwrap();
        let token = Identity {
            expires_at: Timestamp::from_millis(5000),
            methods: Some(Vec::new()),
            ..identity("ada")
        };
        amendment.apply(token).unwrap()
    }

    #[test]
    fn what_is_named_is_changed_and_the_rest_is_the_tokens() {
        let bob = amended(
            r#"{"sub":"bob","info":{"name": "Bob"},"methods":["chat.*"],
                "channels":{"subscribe":["chat:*"],"join":["chat:lobby"]}}"#,
        );
        assert_eq!(bob.user, UserId::new("bob"));
        assert_eq!(bob.info.as_deref(), Some(br#"{"name": "Bob"}"#.as_slice()));
        assert_eq!((bob.grants.subscribe.len(), bob.grants.publish.len()), (1, 0));
        assert_eq!(bob.join, ["chat:lobby".parse().unwrap()]);
        assert_eq!(bob.methods.unwrap().len(), 1);
        let ada = amended("{}");
        assert_eq!((ada.user, ada.methods.unwrap().len()), (UserId::new("ada"), 0));
        assert_eq!(amended(r#"{"sub":""}"#).user, None);
    }

    #[test]
    fn a_connection_ends_no_later_than_its_token() {
        let ends = |json| amended(json).expires_at.millis();
        assert_eq!((ends(r#"{"exp":2}"#), ends(r#"{"exp":9}"#)), (2000, 5000));
    }

    #[test]
    fn what_is_not_a_claim_is_refused() {
        for json in [r#"{"subs":"bob"}"#, r#"{"channels":null}"#, r#"{"exp":"1"}"#, "[]", "7"] {
            assert!(serde_json::from_str::<Object<Amendment>>(json).is_err(), "{json}");
        }
    }
}
