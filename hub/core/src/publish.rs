//! Publishing an event: the checks that hold on every transport, then the broker.

use crate::broker::{BrokerError, Publication, Published};
use crate::channel::ChannelName;
use crate::event::{EventBody, EventType, Payload};
use crate::hub::Hub;
use crate::ids::{ConnectionId, EventId, UserId};
use crate::limits::{EXCLUDED_CONNECTIONS, IDEMPOTENCY_KEY_BYTES, Limits};
use crate::metrics::{OutcomeLabel, ReasonLabel, SchemaOutcome};
use crate::spans;
use crate::trace::TRACEPARENT;
use crate::validator::{Candidate, Enforcement, Verdict};
use crate::{Reason, Refusal};
use std::time::Duration;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, trace_span};

/// What the hub calls its own blocks on an event stream, where a client could not tell a published one from them.
const RESERVED_TYPES: &str = "fanline.";

/// An event that somebody wants to publish.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The channel.
    pub channel: ChannelName,
    /// The type.
    pub event_type: EventType,
    /// The data.
    pub payload: Payload,
    /// Headers, in any order.
    pub headers: Vec<(String, String)>,
    /// Who publishes.
    pub origin: Origin,
    /// Publishes once within its window.
    pub idempotency_key: Option<String>,
    /// Connections that do not receive it.
    pub exclude: Vec<ConnectionId>,
    /// Leaves history sooner than the channel's own age limit.
    pub ttl: Option<Duration>,
}

/// Who publishes, which decides the size that is allowed.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A backend service, over gRPC.
    Backend,
    /// A client on a bridge, by its user unless anonymous.
    Client(Option<UserId>),
}

impl Hub {
    /// Publishes an event. When this answers, the event is in history and on its way.
    ///
    /// # Errors
    /// The reason says whether it was applied: only [`Reason::BrokerUnavailable`] leaves that open.
    ///
    /// # Cancel safety
    /// Dropped before it answers, the event may or may not be published.
    pub async fn publish(&self, draft: Draft) -> Result<Published, Refusal> {
        let span = self.span(&draft);
        let published = self.try_publish(draft).instrument(span.clone()).await;
        match &published {
            Ok(Published { id, duplicate, .. }) => {
                span.record("messaging.message.id", display(id));
                match duplicate {
                    false => self.metrics().published.inc(),
                    true => self.metrics().duplicates.inc(),
                };
            }
            Err(refusal) => {
                spans::fail(&span, refusal.reason().as_str());
                let label = ReasonLabel { reason: refusal.reason() };
                self.metrics().publish_refusals.get_or_create(&label).inc();
            }
        }
        published
    }

    /// The span of a publish: everything from the checks to the broker's answer. It is part of the request around it; in a
    /// stream, which is none, it is a child of what the event's own headers name.
    fn span(&self, draft: &Draft) -> Span {
        let span = trace_span!(
            target: spans::TARGET,
            "publish",
            "otel.name" = format_args!("publish {}:*", draft.channel.namespace()),
            "otel.kind" = "producer",
            "otel.status_code" = Empty,
            "messaging.system" = "fanline",
            "messaging.operation.name" = "publish",
            "messaging.operation.type" = "send",
            "messaging.destination.name" = draft.channel.as_str(),
            "messaging.destination.template" = format_args!("{}:*", draft.channel.namespace()),
            "messaging.message.id" = Empty,
            "messaging.message.body.size" = spans::number(draft.payload.data().len()),
            "fanline.event.type" = draft.event_type.as_str(),
            "error.type" = Empty,
        );
        if !span.is_disabled() && Span::current().is_none() {
            let own = draft.headers.iter().find(|(name, _)| name == TRACEPARENT);
            if let Some(parent) = own.and_then(|(_, value)| value.parse().ok()) {
                self.spans().adopt(&span, &parent);
            }
        }
        span
    }

    async fn try_publish(&self, draft: Draft) -> Result<Published, Refusal> {
        let options = self.options(&draft.channel)?;
        if draft.channel.is_own() {
            let message = "only the hub itself publishes in channels that begin with `$`";
            return Err(Refusal::new(Reason::PermissionDenied, message).with_field("channel"));
        }
        let limits = self.limits();
        check(&draft, limits)?;
        let draft = self.validate(draft, options.schema)?;
        let Draft {
            channel,
            event_type,
            payload,
            mut headers,
            origin,
            idempotency_key,
            exclude,
            ttl,
        } = draft;
        headers.sort_unstable();
        let now = self.clock().wall();
        let publication = Publication {
            channel,
            id: EventId::new(now, self.random()),
            time: now,
            body: EventBody {
                event_type,
                payload,
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
                user: match origin {
                    Origin::Backend => None,
                    Origin::Client(user) => user,
                },
                exclude: exclude.into(),
            },
            idempotency_key: idempotency_key.map(String::into_boxed_str),
            idempotency_window: limits.idempotency_window,
            retention: options.retention,
            ttl,
        };
        let answer = self.broker().publish(publication);
        let answer = tokio::time::timeout(limits.publish_timeout, answer).await;
        answer.unwrap_or(Err(BrokerError::Unavailable)).map_err(|error| {
            error.refusal(
                "the broker did not answer; the outcome is unknown: retry with the same idempotency key",
            )
        })
    }

    /// Asks the catalog about a draft, and does what it says.
    fn validate(&self, draft: Draft, schema: Option<Enforcement>) -> Result<Draft, Refusal> {
        let candidate = Candidate {
            channel: &draft.channel,
            event_type: &draft.event_type,
            payload: &draft.payload,
            origin: &draft.origin,
            enforcement: schema,
        };
        let count = |outcome| {
            self.metrics().schema_violations.get_or_create(&OutcomeLabel { outcome }).inc();
        };
        match self.validator().validate(&candidate) {
            Verdict::Accepted => Ok(draft),
            Verdict::Rewritten(payload) => {
                self.metrics().transcoded.inc();
                let draft = Draft { payload, ..draft };
                // The same data is longer as JSON.
                check_size(&draft, self.limits())?;
                Ok(draft)
            }
            Verdict::Tolerated(refusal) => {
                count(SchemaOutcome::Tolerated);
                let (channel, event_type) = (&draft.channel, &draft.event_type);
                tracing::debug!(%channel, %event_type, %refusal, "published against the catalog");
                Ok(draft)
            }
            Verdict::Refused(refusal) => {
                count(SchemaOutcome::Refused);
                Err(refusal)
            }
        }
    }
}

fn check(draft: &Draft, limits: &Limits) -> Result<(), Refusal> {
    check_size(draft, limits)?;
    if draft.headers.len() > limits.event_headers {
        return Err(Refusal::invalid(
            "headers",
            format!("an event has at most {} headers", limits.event_headers),
        ));
    }
    let header_bytes: usize =
        draft.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if header_bytes > limits.event_header_bytes {
        let message = format!(
            "headers have at most {} bytes together, these {header_bytes}",
            limits.event_header_bytes
        );
        return Err(Refusal::invalid("headers", message));
    }
    if draft.headers.iter().any(|(name, _)| name.is_empty()) {
        return Err(Refusal::invalid("headers", "a header has a name"));
    }
    let key_fits = |key: &String| (1..=IDEMPOTENCY_KEY_BYTES).contains(&key.len());
    if !draft.idempotency_key.as_ref().is_none_or(key_fits) {
        let message = format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES} bytes");
        // As whoever publishes calls it.
        let field = match draft.origin {
            Origin::Backend => "idempotency_key",
            Origin::Client(_) => "key",
        };
        return Err(Refusal::invalid(field, message));
    }
    if draft.exclude.len() > EXCLUDED_CONNECTIONS {
        let message =
            format!("an event can be kept from at most {EXCLUDED_CONNECTIONS} connections");
        return Err(Refusal::invalid("exclude_connections", message));
    }
    if draft.event_type.as_str().starts_with(RESERVED_TYPES) {
        let message = format!("types that begin with `{RESERVED_TYPES}` are the hub's own");
        return Err(Refusal::invalid("type", message));
    }
    if draft.ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(Refusal::invalid(
            "ttl",
            "a time to live is longer than zero; leave it out for the namespace's own",
        ));
    }
    Ok(())
}

fn check_size(draft: &Draft, limits: &Limits) -> Result<(), Refusal> {
    let bytes_max = match draft.origin {
        Origin::Backend => limits.grpc_event_bytes,
        Origin::Client(_) => limits.client_event_bytes,
    };
    let bytes = draft.payload.data().len();
    if bytes <= bytes_max {
        return Ok(());
    }
    let message = format!("an event has at most {bytes_max} bytes of data here, this one {bytes}");
    Err(Refusal::new(Reason::TooLarge, message).with_field("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestHub;
    use bytes::Bytes;

    fn draft(channel: &str) -> Draft {
        Draft {
            channel: channel.parse().unwrap(),
            event_type: EventType::message(),
            payload: Payload::new("text/plain".parse().unwrap(), Bytes::from_static(b"hello"))
                .unwrap(),
            headers: Vec::new(),
            origin: Origin::Backend,
            idempotency_key: None,
            exclude: Vec::new(),
            ttl: None,
        }
    }

    fn of_bytes(bytes: usize) -> Payload {
        Payload::new("text/plain".parse().unwrap(), Bytes::from(vec![b'x'; bytes])).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_a_limit_is_refused_with_its_field() {
        let hub = TestHub::start();
        let limits = Limits::default();
        let header = |name: &str, bytes| (name.to_owned(), "x".repeat(bytes));
        let client = Origin::Client(None);
        let table = [
            (
                Draft { payload: of_bytes(limits.grpc_event_bytes + 1), ..draft("a:b") },
                Reason::TooLarge,
                "data",
            ),
            (
                Draft {
                    payload: of_bytes(limits.client_event_bytes + 1),
                    origin: client,
                    ..draft("a:b")
                },
                Reason::TooLarge,
                "data",
            ),
            (
                Draft {
                    headers: (0..17).map(|n| header(&n.to_string(), 1)).collect(),
                    ..draft("a:b")
                },
                Reason::InvalidArgument,
                "headers",
            ),
            (
                Draft { headers: vec![header("a", 4096)], ..draft("a:b") },
                Reason::InvalidArgument,
                "headers",
            ),
            (
                Draft { event_type: "fanline.close".parse().unwrap(), ..draft("a:b") },
                Reason::InvalidArgument,
                "type",
            ),
            (
                Draft { headers: vec![header("", 1)], ..draft("a:b") },
                Reason::InvalidArgument,
                "headers",
            ),
            (
                Draft { idempotency_key: Some("k".repeat(129)), ..draft("a:b") },
                Reason::InvalidArgument,
                "idempotency_key",
            ),
            (
                Draft { idempotency_key: Some(String::new()), ..draft("a:b") },
                Reason::InvalidArgument,
                "idempotency_key",
            ),
            (
                Draft {
                    idempotency_key: Some(String::new()),
                    origin: Origin::Client(None),
                    ..draft("a:b")
                },
                Reason::InvalidArgument,
                "key",
            ),
            (Draft { ttl: Some(Duration::ZERO), ..draft("a:b") }, Reason::InvalidArgument, "ttl"),
            (draft("nowhere:b"), Reason::UnknownNamespace, "channel"),
        ];
        for (draft, reason, field) in table {
            let refusal = hub.publish(draft).await.unwrap_err();
            assert_eq!((refusal.reason(), refusal.field()), (reason, Some(field)), "{refusal}");
        }
        assert_eq!(
            hub.state(&"a:b".parse().unwrap()).await.unwrap().top.offset.get(),
            0,
            "nothing was applied"
        );
        hub.publish(Draft { payload: of_bytes(limits.grpc_event_bytes), ..draft("a:b") })
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_key_publishes_once_within_its_window() {
        let hub = TestHub::start();
        let keyed = || Draft { idempotency_key: Some("order-7".into()), ..draft("a:b") };
        let first = hub.publish(keyed()).await.unwrap();
        let again = hub.publish(keyed()).await.unwrap();
        assert_eq!(again, Published { duplicate: true, ..first });
        let elsewhere =
            hub.publish(Draft { channel: "a:other".parse().unwrap(), ..keyed() }).await.unwrap();
        assert!(!elsewhere.duplicate, "a key counts in its own channel");
        hub.clock.advance(Limits::default().idempotency_window);
        assert!(!hub.publish(keyed()).await.unwrap().duplicate);
    }
}
