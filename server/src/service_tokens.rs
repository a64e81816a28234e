//! Tokens of services on gRPC: verified by the rules of the bridges, read in the words of the gRPC front.

use fanline_core::{Reason, Refusal};
use fanline_edge::TokenVerifier;
use fanline_edge::token::ServiceIdentity;
use fanline_grpc::backends::{Rights, ServiceTokens, VerifiedService};
use fanline_grpc::keys::{Scope, ScopeError};
use futures_util::future::BoxFuture;

/// What a service is called whose token has no `sub`.
const NAMELESS: &str = "without a name";

/// The rules of `[tokens]`, for those that a key with `use = "service"` signed.
pub(crate) struct VerifiedServices(pub(crate) TokenVerifier);

impl ServiceTokens for VerifiedServices {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<VerifiedService, Refusal>> {
        Box::pin(async move { service(self.0.verify_service(token).await?) })
    }
}

fn service(identity: ServiceIdentity) -> Result<VerifiedService, Refusal> {
    let ServiceIdentity { name, scopes, channels, methods, expires_at } = identity;
    let scope = |word: &String| word.parse().map_err(|_: ScopeError| unknown_scope());
    let scopes: Result<Vec<Scope>, Refusal> = scopes.iter().map(scope).collect();
    let name = name.unwrap_or_else(|| NAMELESS.to_owned());
    Ok(VerifiedService { name, rights: Rights { scopes: scopes?, channels, methods }, expires_at })
}

/// A word that is not known is a mistake or the right of a newer hub: to ignore it would hide the first.
fn unknown_scope() -> Refusal {
    let scopes = Scope::ALL.map(Scope::as_str).join(", ");
    let message = format!("the token's `scopes` name one that there is not; there are {scopes}");
    Refusal::new(Reason::Unauthenticated, message)
}
