//! Authentication, before any message of a request is decoded.

use crate::caller::Caller;
use crate::keys::ApiKeys;
use crate::status;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use fanline_core::{Reason, Refusal};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Lets a request pass with its [`Caller`], or answers it.
pub(crate) async fn authenticate(
    State(keys): State<ApiKeys>,
    mut request: Request,
    next: Next,
) -> Response {
    match identify(&keys, request.headers()) {
        Ok(caller) => {
            // Nobody behind here needs the key, so nobody can log it.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => {
            tracing::debug!(%refusal, path = request.uri().path(), "a call was not authenticated");
            status::of(&refusal).into_http()
        }
    }
}

fn identify(keys: &ApiKeys, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let unauthenticated = |message: &'static str| Refusal::new(Reason::Unauthenticated, message);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unauthenticated(
            "one credential is needed: send `authorization: Bearer <API key>`",
        ));
    };
    let shown = value
        .to_str()
        .ok()
        .and_then(bearer)
        .ok_or_else(|| unauthenticated("`authorization` has the form `Bearer <API key>`"))?;
    if let Some(caller) = keys.find(shown) {
        return Ok(caller);
    }
    if looks_like_a_jwt(shown) {
        let message = "a client's token is for the bridges; the gRPC API takes an API key";
        return Err(Refusal::new(Reason::PermissionDenied, message));
    }
    Err(unauthenticated("this API key is not known"))
}

/// The credential of the scheme `Bearer`, whose name is written in any case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, credential) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim_start())
}

/// Whether a text has the form of a signed token (RFC 7515, section 7.1), whatever it says.
fn looks_like_a_jwt(text: &str) -> bool {
    let base64url =
        |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let mut parts = text.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    !header.is_empty()
        && !claims.is_empty()
        && [header, claims, signature].into_iter().all(base64url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ApiKey, KeyHash};
    use http::HeaderValue;

    fn answer(values: &[&[u8]]) -> Result<String, Reason> {
        let keys = ApiKeys::new(vec![ApiKey {
            name: "orders".into(),
            hash: KeyHash::of("fk_1"),
            scopes: Vec::new(),
            channels: Vec::new(),
            methods: Vec::new(),
        }]);
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        identify(&keys, &headers).map(|caller| caller.to_string()).map_err(|refusal| {
            assert!(!refusal.message().contains("fk_"), "{refusal}");
            refusal.reason()
        })
    }

    #[test]
    fn exactly_one_known_key_is_let_in() {
        for value in [&b"Bearer fk_1"[..], b"bearer fk_1", b"BEARER  fk_1"] {
            assert_eq!(answer(&[value]).unwrap(), "the API key `orders`");
        }
        let refused: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"fk_1"],
            &[b"Bearer"],
            &[b"Bearer fk_2"],
            &[b"Basic fk_1"],
            &[b"Bearer fk_1 fk_1"],
            &[b"Bearer fk_\xff"],
            &[b"Bearer fk_1", b"Bearer fk_1"],
        ];
        for values in refused {
            assert_eq!(answer(values), Err(Reason::Unauthenticated), "{values:?}");
        }
    }

    #[test]
    fn a_clients_token_is_denied_rather_than_unknown() {
        for token in
            ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NDIifQ.c2lnbmF0dXJl", "eyJhbGciOiJub25lIn0.e30."]
        {
            let value = format!("Bearer {token}");
            assert_eq!(answer(&[value.as_bytes()]), Err(Reason::PermissionDenied), "{token}");
        }
        for key in ["a.b", "a..c", ".b.c", "a.b.c.d", "a.b.c=", "fk.1.ä"] {
            assert!(!looks_like_a_jwt(key), "{key}");
        }
    }
}
