//! Authentication, before any message of a request is decoded.

use crate::backends::{Backends, PeerCertificate};
use crate::caller::Caller;
use crate::status;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use fanline_core::{Reason, Refusal};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Lets a request pass with its [`Caller`], or answers it.
pub(crate) async fn authenticate(
    State(backends): State<Backends>,
    mut request: Request,
    next: Next,
) -> Response {
    match identify(&backends, request.headers(), request.extensions().get()).await {
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

/// Who calls. A credential in the metadata counts before the certificate, so that a backend can call with less than its
/// certificate allows.
async fn identify(
    backends: &Backends,
    headers: &HeaderMap,
    certificate: Option<&PeerCertificate>,
) -> Result<Caller, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) => return by_certificate(backends, certificate),
        (Some(_), Some(_)) => {
            return Err(unauthenticated("`authorization` stands there twice; send one credential"));
        }
    };
    let shown = value.to_str().ok().and_then(bearer).ok_or_else(|| {
        unauthenticated("`authorization` has the form `Bearer <API key or service token>`")
    })?;
    if let Some(caller) = backends.by_key(shown) {
        return Ok(caller);
    }
    if !looks_like_a_jwt(shown) {
        return Err(unauthenticated("this API key is not known"));
    }
    backends.by_token(shown).await.unwrap_or_else(|| {
        let message = "tokens are for the bridges; the gRPC API takes an API key";
        Err(Refusal::new(Reason::PermissionDenied, message))
    })
}

fn by_certificate(
    backends: &Backends,
    certificate: Option<&PeerCertificate>,
) -> Result<Caller, Refusal> {
    let needed = "a credential is needed: send `authorization: Bearer <API key or service token>`";
    let Some(certificate) = certificate else { return Err(unauthenticated(needed)) };
    backends.by_certificate(certificate).ok_or_else(|| {
        let message = format!(
            "{needed}; the certificate alone does not do, as none of its names ({certificate}) is a `subject` in \
             [[grpc.certificates]]"
        );
        Refusal::new(Reason::Unauthenticated, message)
    })
}

fn unauthenticated(message: &'static str) -> Refusal {
    Refusal::new(Reason::Unauthenticated, message)
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
    use crate::backends::{KnownCertificate, Rights, ServiceTokens, VerifiedService};
    use crate::keys::{ApiKey, ApiKeys, KeyHash};
    use fanline_core::clock::Timestamp;
    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, ready};
    use http::HeaderValue;
    use std::sync::Arc;

    struct Tokens;

    impl ServiceTokens for Tokens {
        fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<VerifiedService, Refusal>> {
            let verdict = match token {
                "good.token.x" => Ok(VerifiedService {
                    name: "billing".into(),
                    rights: rights(),
                    expires_at: Timestamp::default(),
                }),
                _ => Err(Refusal::new(Reason::PermissionDenied, "a client's")),
            };
            ready(verdict).boxed()
        }
    }

    fn rights() -> Rights {
        Rights { scopes: Vec::new(), channels: Vec::new(), methods: Vec::new() }
    }

    fn backends() -> Backends {
        let keys = ApiKeys::new(vec![ApiKey {
            name: "orders".into(),
            hash: KeyHash::of("fk_1"),
            scopes: Vec::new(),
            channels: Vec::new(),
            methods: Vec::new(),
        }]);
        let known = |name: &str, subject: &str| KnownCertificate {
            name: name.into(),
            subject: subject.into(),
            rights: rights(),
        };
        Backends::with_keys(keys)
            .and_tokens(Arc::new(Tokens))
            .and_certificates(vec![known("mail", "dns:mail"), known("stock", "cn:stock")])
    }

    fn answer_to(values: &[&[u8]], names: Option<&[&str]>) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let certificate = names
            .map(|names| PeerCertificate::new(names.iter().map(|&name| name.to_owned()).collect()));
        let identified = identify(&backends(), &headers, certificate.as_ref()).now_or_never();
        let identified = identified.expect("nothing here waits");
        identified.map(|caller| caller.to_string()).map_err(|refusal| {
            assert!(!refusal.message().contains("fk_"), "{refusal}");
            refusal.reason()
        })
    }

    fn answer(values: &[&[u8]]) -> Result<String, Reason> {
        answer_to(values, None)
    }

    #[test]
    fn a_certificate_counts_by_any_of_its_names_where_nothing_else_is_shown() {
        let certificate = |names: &[&str]| answer_to(&[], Some(names));
        assert_eq!(certificate(&["cn:x", "dns:mail"]).unwrap(), "the certificate `mail`");
        assert_eq!(certificate(&["cn:stock"]).unwrap(), "the certificate `stock`");
        for names in [&[][..], &["dns:stock"], &["cn:mail"], &["dns:MAIL"], &["mail"]] {
            assert_eq!(certificate(names), Err(Reason::Unauthenticated), "{names:?}");
        }
        let with_key = answer_to(&[b"Bearer fk_1"], Some(&["dns:mail"]));
        assert_eq!(with_key.unwrap(), "the API key `orders`");
        let with_a_wrong_one = answer_to(&[b"Bearer fk_2"], Some(&["dns:mail"]));
        assert_eq!(with_a_wrong_one, Err(Reason::Unauthenticated));
    }

    #[test]
    fn a_token_of_a_service_is_a_caller() {
        assert_eq!(answer(&[b"Bearer good.token.x"]).unwrap(), "the service `billing`");
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
