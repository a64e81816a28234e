//! What the documents say of the hub, from the enums that its edges answer with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fanline_asyncapi::document::{CloseFact, HubFacts, ReasonFact, Server, TryIt};
use fanline_core::{Limits, Reason};
use fanline_edge::http_error::http_status;
use fanline_websocket::{CloseCode, Comeback};

use crate::config::{DocsSettings, GrpcSettings, PublicSettings};
use crate::console::TOKEN_PATH;
use crate::node::Addresses;

/// The facts of a running hub. Where nobody says how it is reached, it is reached where it listens.
pub(crate) fn facts_of(
    docs: &DocsSettings,
    bound: Addresses,
    public: &PublicSettings,
    grpc: &GrpcSettings,
    limits: &Limits,
    console: bool,
) -> HubFacts {
    let public =
        docs.public.clone().unwrap_or_else(|| listener(bound.public, public.tls.is_some()));
    let grpc = docs.grpc.clone().unwrap_or_else(|| listener(bound.grpc, grpc.tls.is_some()));
    let mut facts = facts(public, grpc, limits.clone(), docs.try_it);
    facts.token_path = console.then(|| TOKEN_PATH.to_owned());
    facts
}

fn listener(bound: SocketAddr, tls: bool) -> Server {
    // An address that stands for all of this machine's is none that a client could use.
    let host = match bound.ip().is_unspecified() {
        true => format!("localhost:{}", bound.port()),
        false => bound.to_string(),
    };
    Server { host, tls }
}

/// The origin of pages that a listener serves.
pub(crate) fn origin(server: &Server) -> String {
    let scheme = if server.tls { "https" } else { "http" };
    format!("{scheme}://{}", server.host)
}

/// The facts of a hub that listens at these addresses.
pub(crate) fn facts(public: Server, grpc: Server, limits: Limits, try_it: TryIt) -> HubFacts {
    HubFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public,
        grpc,
        limits,
        reasons: Reason::ALL.into_iter().map(reason).collect(),
        closes: closes(),
        lifecycle: Vec::new(),
        services: fanline_proto::FILE_DESCRIPTOR_SET.to_vec(),
        try_it,
        token_path: None,
    }
}

fn reason(reason: Reason) -> ReasonFact {
    ReasonFact {
        name: reason.as_str(),
        about: reason.about(),
        grpc: screaming(&format!("{:?}", fanline_grpc::code(reason))),
        http: http_status(reason).as_u16(),
        retryable: reason.is_retryable(),
    }
}

/// One fact for each number: several reasons may share one.
fn closes() -> Vec<CloseFact> {
    let mut facts: BTreeMap<u16, CloseFact> = BTreeMap::new();
    for code in CloseCode::all() {
        let reconnect = match code.comeback() {
            Comeback::Never => "never",
            Comeback::WithNewToken => "with_new_token",
            Comeback::WithBackOff => "with_back_off",
        };
        let number = code.number();
        let fact = CloseFact { code: number, about: Vec::new(), reconnect };
        facts.entry(number).or_insert(fact).about.push(code.about());
    }
    facts.into_values().collect()
}

/// `InvalidArgument`, as the crate calls a status, in the spelling of gRPC: `INVALID_ARGUMENT`.
fn screaming(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_uppercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_spelled_as_grpc_spells_it() {
        assert_eq!(reason(Reason::InvalidChannel).grpc, "INVALID_ARGUMENT");
        assert_eq!(reason(Reason::RateLimited).grpc, "RESOURCE_EXHAUSTED");
    }

    #[test]
    fn close_codes_of_one_number_agree_on_what_a_client_does() {
        for fact in closes() {
            for code in CloseCode::all().filter(|code| code.number() == fact.code) {
                let same = CloseCode::all().find(|other| other.number() == fact.code);
                assert_eq!(same.map(CloseCode::comeback), Some(code.comeback()), "{}", fact.code);
            }
        }
    }
}
