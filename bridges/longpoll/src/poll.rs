//! `GET /v1/poll`: a request that is answered when there is news (contract section 6).
//!
//! Nothing lasts from one poll to the next but the client's cursor, and that moves only when the client uses the next one:
//! an answer that is lost on its way is simply asked for again. A poll opens its channels as everybody does
//! ([`open_all`]), follows them with a [`Feed`] until the first news, and is gone. Read [`poll`] first, then
//! [`wait`](mod@wait).

mod answer;
mod batch;
mod request;
mod slots;
mod wait;

pub(crate) use self::slots::Slots;

use self::batch::Batch;
use self::request::PollRequest;
use self::wait::{End, Wait};
use crate::call::Call;
use crate::limits::PRESENCE_GRACE;
use crate::openapi::{self, NotFound, Problems};
use crate::reply::respond;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use fanline_core::broker::BrokerError;
use fanline_core::catchup::Recovery;
use fanline_core::connections::Ending;
use fanline_core::feed::{Opened, open_all};
use fanline_core::{Feed, Reason, Refusal};
use fanline_edge::metrics::Transport;
use fanline_edge::{Caller, Edge};
use futures_util::future::try_join_all;
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Wait for events.
///
/// Answers as soon as there are events after the cursor, or with none when the wait is over. Keep the cursor of each
/// answer and ask with it next; a request whose answer got lost is repeated with the same cursor. Without a cursor the
/// answer comes at once and holds one.
#[utoipa::path(
    get, path = "/v1/poll", tag = "poll", operation_id = "poll",
    params(openapi::PollParameters),
    responses(
        (status = 200, description = "What is new, if anything is", body = openapi::Batch, headers(
            ("etag" = String, description = "The cursor as a weak validator"),
            ("fanline-cursor" = String, description = "The cursor"),
        )),
        (status = 304, description = "With `wait=0` and `if-none-match`: nothing is new"),
        (status = 410, description = "What the cursor stands before is not in history any more",
            body = openapi::LostProblem, content_type = "application/problem+json"),
        Problems,
        NotFound,
    ),
)]
pub(crate) async fn poll(
    State(edge): State<Edge>,
    Extension(slots): Extension<Slots>,
    call: Call,
) -> Response {
    let answer = try_poll(&edge, &slots, call).await;
    respond(&edge, answer)
}

async fn try_poll(edge: &Edge, slots: &Slots, call: Call) -> Result<Response, Refusal> {
    let limits = edge.hub.limits();
    let request = PollRequest::read(&call.method, call.query(), &call.headers, limits)?;
    let client = call.caller.client();
    let _slot = slots.take(client.connection(), request.cursor.as_deref())?;
    let mut admitted = edge.admission.place(edge.proxies.client(call.peer, &call.headers))?;
    admitted.claim(client.identity())?;
    let _counted = edge.metrics.connected(Transport::Poll);
    call.caller.admit(&request.channels).await?;

    let opened = open_all(&edge.hub, &request.channels, &request.since).await?;
    // For the whole time, and for the grace after it.
    let grace = request.wait + PRESENCE_GRACE;
    let presences = call.caller.presences();
    let entering = request.channels.iter().map(|channel| presences.enter(channel, grace));
    let _present = match try_join_all(entering).await {
        // It was ordered to end just now. Its wait ends before it has begun, which says what the client may do.
        Err(_out) if call.caller.ending().is_some() => Vec::new(),
        present => present?,
    };

    let start = |opened: &Opened| (opened.channel().clone(), opened.joined());
    let starts: Vec<_> = opened.iter().map(start).collect();
    if starts.iter().any(|(_, start)| matches!(start.recovery, Some(Recovery::Lost(_)))) {
        return answer::lost(edge, &starts).await;
    }
    let mut feed = Feed::new(edge.hub.clone(), Some(client.connection()));
    for opened in in_turn(opened, request.cursor.as_deref()) {
        feed.insert(opened);
    }
    let mut batch = Batch::new(request.events_max, limits.poll_batch_bytes);
    let mut wait = Wait::new(edge, &call.caller, request.jittered_wait(edge.hub.random()));
    match poll_fn(|cx| wait.poll(cx, &mut feed, &mut batch)).await {
        End::Answer => {}
        End::Ordered => check_ending(&call.caller)?,
        End::Expired => return Err(Refusal::new(Reason::TokenExpired, "the token has expired")),
        End::NoHistory => return Err(BrokerError::Unavailable.into()),
    }
    let positions = answer::positions(&feed, &batch, &starts);
    drop(feed);
    match batch.loss() {
        // The events before a loss are still good; the next poll then begins with the loss.
        Some(loss) if batch.events() == 0 => {
            answer::lost(edge, &answer::starts_after(positions, loss)).await
        }
        Some(_) | None => {
            edge.metrics.delivered(batch.events() as u64);
            Ok(answer::batch(&request, &starts, &positions, &batch))
        }
    }
}

/// Refuses what the caller may not repeat. One that may come back gets its answer, and does so as a new connection.
fn check_ending(caller: &Caller) -> Result<(), Refusal> {
    match caller.ending() {
        Some(Ending { reason, reconnect: false }) => Err(Refusal::new(reason, reason.about())),
        Some(Ending { reconnect: true, .. }) | None => Ok(()),
    }
}

/// The channels in the order in which they fill the batch. It is another with each cursor, so that a channel that
/// always has news does not keep the others out for ever, and the same for the same cursor.
fn in_turn(mut opened: Vec<Opened>, cursor: Option<&str>) -> Vec<Opened> {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    let first = hasher.finish() % opened.len().max(1) as u64;
    opened.rotate_left(first as usize);
    opened
}
