//! How tickets let requests in, and whom they do not.

use super::*;
use crate::limits::{TICKET_BURST, TICKET_LIFETIME};
use crate::testing::TestEdge;
use fanline_core::broker::{Revocation, Subject};
use fanline_core::clock::Timestamp;
use http::Request;
use std::net::Ipv4Addr;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOUR: Duration = Duration::from_secs(3600);

fn request(query: &str, token: Option<&str>) -> request::Parts {
    let mut request = Request::builder().uri(format!("/v1/sse?{query}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(()).unwrap().into_parts().0
}

async fn ticket(edge: &Edge, token: &str) -> Result<String, Refusal> {
    let ticket = edge.ticket(PEER, &request("", Some(token))).await?;
    Ok(ticket.expect("it carries a token").text().to_owned())
}

fn by(ticket: &str) -> request::Parts {
    request(&format!("channel=a:b&ticket={ticket}"), None)
}

#[tokio::test]
async fn a_ticket_is_its_token_for_one_request() {
    let edge = TestEdge::start();
    let token = edge.token("ada", HOUR);
    let by_token = edge.caller(PEER, &request("", Some(&token))).await.unwrap().unwrap();
    let by_ticket = by(&ticket(&edge, &token).await.unwrap());
    let same = edge.caller(PEER, &by_ticket).await.unwrap().unwrap();
    assert_eq!(by_token.client().connection(), same.client().connection());
    assert_eq!(edge.caller(PEER, &by_ticket).await.unwrap_err().reason(), Reason::Unauthenticated);

    let once = by(&ticket(&edge, &token).await.unwrap());
    let identity = edge.enter_http(PEER, &once).await.unwrap().identity.unwrap();
    assert_eq!(identity.user.unwrap().as_str(), "ada");
    let again = edge.enter(PEER, &once, &Subprotocols::default()).await.unwrap_err();
    assert_eq!(again.reason(), Reason::Unauthenticated);
}

#[tokio::test]
async fn a_ticket_outlives_neither_its_time_nor_its_token() {
    let edge = TestEdge::start();
    let late = by(&ticket(&edge, &edge.token("ada", HOUR)).await.unwrap());
    let soon_over = by(&ticket(&edge, &edge.token("ada", Duration::from_secs(1))).await.unwrap());
    edge.hub.clock.advance(TICKET_LIFETIME - Duration::from_secs(1));
    let refusal = edge.enter_http(PEER, &soon_over).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::TokenExpired);
    edge.hub.clock.advance(Duration::from_secs(1));
    assert_eq!(edge.enter_http(PEER, &late).await.unwrap_err().reason(), Reason::Unauthenticated);
}

#[tokio::test]
async fn a_token_that_is_revoked_gets_no_ticket_and_its_ticket_lets_nobody_in() {
    let edge = TestEdge::start();
    let token = edge.token("ada", HOUR);
    let tickets = [ticket(&edge, &token).await, ticket(&edge, &token).await];
    let subject = Subject::Token("t1".into());
    let until = Timestamp::from_millis(u64::MAX);
    edge.hub.revoke(Revocation { subject, issued_before: None, until }).await.unwrap();
    let [stream, poll] = tickets.map(|ticket| by(&ticket.unwrap()));
    assert_eq!(edge.enter_http(PEER, &stream).await.unwrap_err().reason(), Reason::TokenRevoked);
    assert_eq!(ticket(&edge, &token).await.unwrap_err().reason(), Reason::TokenRevoked);
    assert_eq!(edge.caller(PEER, &poll).await.unwrap_err().reason(), Reason::TokenRevoked);
}

#[tokio::test]
async fn a_ticket_gets_no_other_ticket_and_is_not_used_up_by_asking() {
    let edge = TestEdge::start();
    let once = by(&ticket(&edge, &edge.token("ada", HOUR)).await.unwrap());
    let refusal = edge.ticket(PEER, &once).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::PermissionDenied);
    assert!(edge.enter_http(PEER, &once).await.is_ok());
    assert!(edge.ticket(PEER, &request("", None)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_ticket_beside_a_token_is_one_credential_too_many() {
    let edge = TestEdge::start();
    let token = edge.token("ada", HOUR);
    let ticket = ticket(&edge, &token).await.unwrap();
    let both = request(&format!("ticket={ticket}"), Some(&token));
    for refusal in [
        edge.caller(PEER, &both).await.unwrap_err(),
        edge.enter_http(PEER, &both).await.unwrap_err(),
    ] {
        assert_eq!(refusal.reason(), Reason::InvalidArgument);
    }
    assert!(edge.enter_http(PEER, &by(&ticket)).await.is_ok(), "it was not used up");
}

#[tokio::test]
async fn tickets_are_given_out_at_a_rate() {
    let edge = TestEdge::start();
    let token = edge.token("ada", HOUR);
    for _ in 0..TICKET_BURST {
        assert!(ticket(&edge, &token).await.is_ok());
    }
    let refusal = ticket(&edge, &token).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::RateLimited);
    assert_eq!(refusal.retry_after(), Some(Duration::from_secs(1)));
    assert!(ticket(&edge, &edge.token("bob", HOUR)).await.is_ok());
}

#[tokio::test]
async fn guesses_at_tickets_count_as_attempts_to_connect() {
    let edge = TestEdge::with_limits(fanline_core::Limits {
        connect_burst_per_ip: 3,
        ..fanline_core::Limits::default()
    });
    for _ in 0..3 {
        let refusal = edge.caller(PEER, &by("guess")).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::Unauthenticated);
    }
    assert_eq!(edge.caller(PEER, &by("guess")).await.unwrap_err().reason(), Reason::RateLimited);
}
