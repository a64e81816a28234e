//! The claims of a token (contract section 3), read strictly.
//!
//! A claim of the wrong type is refused, never taken as missing: a check that is skipped because its claim did not
//! parse is how tokens get forged.

use super::validity::{NumericDate, Validity};
use super::{Identity, others, unauthenticated};
use crate::limits::TOKEN_INFO_BYTES;
use crate::object::Object;
use bytes::Bytes;
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_core::pattern::Pattern;
use fanline_core::permission::Grants;
use fanline_core::{ChannelName, Refusal};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// The claims of a client's token.
pub(super) struct Claims {
    /// What limits it.
    pub(super) validity: Validity,
    client: ClientClaims,
    /// Read apart, since they have no names here.
    others: fanline_core::command::Claims,
}

/// What a token says of a client. Other claims are ignored, as RFC 7519, section 4 has it.
#[derive(Deserialize)]
struct ClientClaims {
    #[serde(default, deserialize_with = "present")]
    iat: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<String>,
    #[serde(default, deserialize_with = "present")]
    info: Option<Box<RawValue>>,
    #[serde(default)]
    channels: Object<ChannelsClaim>,
    #[serde(default, deserialize_with = "present")]
    methods: Option<Vec<Parsed<Pattern>>>,
}

/// The claim `channels`: patterns per action, and the channels to be put into at once.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelsClaim {
    subscribe: Vec<Parsed<Pattern>>,
    publish: Vec<Parsed<Pattern>>,
    presence: Vec<Parsed<Pattern>>,
    history: Vec<Parsed<Pattern>>,
    join: Vec<Parsed<ChannelName>>,
}

impl Claims {
    pub(super) fn decode(text: &[u8]) -> Result<Self, Refusal> {
        Ok(Claims { validity: read(text)?, client: read(text)?, others: others::read(text) })
    }

    /// What the claims say about the client, once all that limits the token has been checked.
    pub(super) fn into_identity(self, expires_at: Timestamp) -> Result<Identity, Refusal> {
        let Claims { validity: _, client, others } = self;
        let Object(channels) = client.channels;
        let info = client.info.map(|info| Box::<str>::from(info).into_boxed_bytes());
        if info.as_ref().is_some_and(|info| info.len() > TOKEN_INFO_BYTES) {
            return Err(unauthenticated(format!(
                "the token's `info` has more than {TOKEN_INFO_BYTES} bytes"
            )));
        }
        let (grants, join) = channels.into_grants();
        Ok(Identity {
            user: client.sub.as_deref().and_then(UserId::new),
            token_id: client.jti.map(String::into_boxed_str),
            issued_at: client.iat.map(|issued_at| issued_at.0),
            info: info.map(Bytes::from),
            grants,
            join,
            methods: client.methods.map(unwrap_all),
            claims: others,
            expires_at,
        })
    }
}

/// Reads the claims that a `T` has out of all that the token makes.
///
/// # Errors
/// One of them is doubled or not what it must be: named, never quoted.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let Object::<T>(claims) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // The path alone: the error's own text quotes what the token contains.
        let path = error.path();
        unauthenticated(format!(
            "the token's claims are wrong at `{path}`: doubled, or not what they must be"
        ))
    })?;
    json.end().map_err(|_| unauthenticated("the token's claims are followed by something else"))?;
    Ok(claims)
}

impl ChannelsClaim {
    /// What it grants, and the channels to be put into at once, each once.
    pub(super) fn into_grants(self) -> (Grants, Vec<ChannelName>) {
        let grants = Grants {
            subscribe: unwrap_all(self.subscribe),
            publish: unwrap_all(self.publish),
            presence: unwrap_all(self.presence),
            history: unwrap_all(self.history),
        };
        let mut join = unwrap_all(self.join);
        let mut named = HashSet::new();
        join.retain(|channel| named.insert(channel.clone()));
        (grants, join)
    }
}

/// For a claim that may be absent but, when it is there, must have its type: `null` is not absence.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A string that is parsed while it is read, so that the error's path points at it.
pub(super) struct Parsed<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Parsed).map_err(D::Error::custom)
    }
}

pub(super) fn unwrap_all<T>(parsed: Vec<Parsed<T>>) -> Vec<T> {
    parsed.into_iter().map(|Parsed(value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(json: &str) -> Identity {
        Claims::decode(json.as_bytes()).unwrap().into_identity(Timestamp::default()).unwrap()
    }

    fn fault(json: &str) -> String {
        let claims = Claims::decode(json.as_bytes())
            .and_then(|claims| claims.into_identity(Timestamp::default()));
        claims.unwrap_err().message().to_owned()
    }

    #[test]
    fn the_example_of_the_contract_is_read_whole() {
        let ada = identity(
            r#"{"sub":"u42","jti":"t1","exp":1790000000,"info":{"name": "Ada"},"extra":[1],
                "channels":{"subscribe":["chat:*","news"],"publish":["chat:lobby"],"presence":["chat:*"],
                            "history":["chat:*"],"join":["user:u42"]},
                "methods":["chat.*"]}"#,
        );
        assert_eq!(ada.user, UserId::new("u42"));
        assert_eq!(ada.token_id.as_deref(), Some("t1"));
        assert_eq!(ada.info.as_deref(), Some(br#"{"name": "Ada"}"#.as_slice()));
        assert_eq!(
            ada.grants.subscribe.iter().map(Pattern::as_str).collect::<Vec<_>>(),
            ["chat:*", "news"]
        );
        assert_eq!(ada.grants.publish.len(), 1);
        assert_eq!(ada.join, ["user:u42".parse().unwrap()]);
        assert_eq!(ada.methods.unwrap()[0].as_str(), "chat.*");
    }

    #[test]
    fn a_channel_to_be_put_into_counts_once() {
        let ada = identity(r#"{"channels":{"join":["a:b","news","a:b"]}}"#);
        assert_eq!(ada.join, ["a:b".parse().unwrap(), "news".parse().unwrap()]);
    }

    #[test]
    fn no_user_and_an_empty_one_are_anonymous_with_the_grants_of_the_token() {
        for json in
            [r#"{"channels":{"subscribe":["*"]}}"#, r#"{"sub":"","channels":{"subscribe":["*"]}}"#]
        {
            let anonymous = identity(json);
            assert_eq!(anonymous.user, None);
            assert_eq!(anonymous.grants.subscribe, [Pattern::any()]);
            assert_eq!(anonymous.methods, None);
        }
    }

    #[test]
    fn a_claim_of_the_wrong_type_is_refused_by_its_path_and_never_quoted() {
        let table = [
            (r#"{"exp":"secret"}"#, "`exp`"),
            (r#"{"exp":null}"#, "`exp`"),
            (r#"{"nbf":"secret"}"#, "`nbf`"),
            (r#"{"nbf":null}"#, "`nbf`"),
            (r#"{"nbf":-1}"#, "`nbf`"),
            (r#"{"exp":1e300}"#, "`exp`"),
            (r#"{"exp":18446744073709551615}"#, "`exp`"),
            (r#"{"sub":7}"#, "`sub`"),
            (r#"{"jti":{}}"#, "`jti`"),
            (r#"{"iss":["secret"]}"#, "`iss`"),
            (r#"{"aud":1}"#, "`aud`"),
            (r#"{"aud":["a",1]}"#, "`aud[1]`"),
            (r#"{"channels":[["secret"]]}"#, "`channels`"),
            (r#"{"channels":null}"#, "`channels`"),
            (r#"{"channels":{"subscribe":"secret"}}"#, "`channels.subscribe`"),
            (r#"{"channels":{"subscribe":["a",""]}}"#, "`channels.subscribe[1]`"),
            (r#"{"channels":{"join":["sec ret"]}}"#, "`channels.join[0]`"),
            (r#"{"methods":{}}"#, "`methods`"),
        ];
        for (json, path) in table {
            let fault = fault(json);
            assert!(fault.contains(path) && !fault.contains("sec"), "{json}: {fault}");
        }
    }

    #[test]
    fn a_doubled_claim_is_refused() {
        for json in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"exp":1,"exp":2}"#,
            r#"{"channels":{"join":[],"join":[]}}"#,
        ] {
            assert!(fault(json).contains("doubled"), "{json}");
        }
    }

    #[test]
    fn claims_are_one_json_object_and_nothing_after_it() {
        for json in ["", "{", "7", "null", "[1790000000]", "{} {}", "{}x"] {
            fault(json);
        }
    }

    #[test]
    fn info_is_bounded() {
        let info = |bytes: usize| format!(r#"{{"info":"{}"}}"#, "a".repeat(bytes - 2));
        identity(&info(TOKEN_INFO_BYTES));
        assert!(fault(&info(TOKEN_INFO_BYTES + 1)).contains("info"));
    }

    #[test]
    fn a_date_may_have_a_fraction() {
        let date = |json: &str| {
            let claims = Claims::decode(json.as_bytes()).unwrap();
            claims.validity.exp.unwrap().0.millis()
        };
        assert_eq!(date(r#"{"exp":1.5}"#), 1500);
        assert_eq!(date(r#"{"exp":1790000000}"#), 1_790_000_000_000);
    }
}
