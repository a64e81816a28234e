//! `POST /v1/tickets`: a credential for one request that cannot carry a token (contract sections 3 and 7).

use crate::call::{known, peer};
use crate::openapi::{self, Problems};
use crate::reply::json;
use axum::extract::State;
use axum::response::Response;
use fanline_edge::answer::Seconds;
use fanline_edge::{Edge, Ticket};
use http::request::Parts;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct TicketAnswer<'a> {
    ticket: &'a str,
    expires_in: Seconds,
}

impl<'a> TicketAnswer<'a> {
    fn new(ticket: &'a Ticket) -> Self {
        let seconds = Duration::from_secs(ticket.life().as_secs());
        TicketAnswer { ticket: ticket.text(), expires_in: Seconds(seconds) }
    }
}

/// Get a ticket.
///
/// It lets one request in, on any node, as `?ticket=`: for a native `EventSource` or `WebSocket`, which cannot send the
/// token in a header. Get another for every connection, also when one is to be made again.
#[utoipa::path(
    post, path = "/v1/tickets", tag = "uplink", operation_id = "ticket",
    responses((status = 200, description = "The ticket", body = openapi::Ticket), Problems),
    security(("bearer" = []), ("cookie" = [])),
)]
pub(crate) async fn issue(State(edge): State<Edge>, request: Parts) -> Response {
    match known(&edge, edge.ticket(peer(&request), &request).await) {
        Ok(ticket) => json(&TicketAnswer::new(&ticket)),
        Err(refused) => refused,
    }
}
