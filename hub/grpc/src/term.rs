//! How long a credential counts, for streams: they end with the credential that opened them.
//!
//! A call that is answered at once needs none of this, since its credential is verified with it. Read [`Term`] first;
//! [`WhileValid`] is what the services wrap their streams in.

use crate::status;
use fanline_core::clock::{Clock, Timestamp};
use fanline_core::{Reason, Refusal};
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::SetOnce;
use tonic::Status;

/// Items between two looks at the credential while a stream has always something to say.
const ITEMS_BETWEEN_LOOKS: u8 = 64;

/// Until when a credential counts.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    /// As long as the process lives.
    Process,
    /// Until its configuration is replaced by one without it.
    Configured(Arc<SetOnce<Refusal>>),
    /// Until a moment of the wall clock.
    Until(Timestamp),
}

impl Term {
    /// That of a credential which stands in a configuration that can be replaced.
    pub(crate) fn configured() -> Self {
        Term::Configured(Arc::default())
    }

    /// Ends the term of a [configured](Self::configured) credential. The first reason counts.
    pub(crate) fn withdraw(&self, refusal: Refusal) {
        if let Term::Configured(withdrawn) = self {
            let _first = withdrawn.set(refusal);
        }
    }

    /// Waits for its end.
    pub(crate) async fn end(self, clock: Arc<dyn Clock>) -> Refusal {
        match self {
            Term::Process => pending().await,
            Term::Configured(withdrawn) => withdrawn.wait().await.clone(),
            Term::Until(moment) => {
                let left = moment.millis().saturating_sub(clock.wall().millis());
                tokio::time::sleep(Duration::from_millis(left)).await;
                Refusal::new(Reason::TokenExpired, "the token has expired; call again with another")
            }
        }
    }
}

/// A stream of answers that ends with the credential of its caller.
pub(crate) struct WhileValid<S> {
    /// None: it has ended.
    stream: Option<S>,
    end: BoxFuture<'static, Refusal>,
    items_since_look: u8,
}

impl<S> WhileValid<S> {
    /// Wraps a stream; `end` is that of its caller's term.
    pub(crate) fn new(stream: S, end: impl Future<Output = Refusal> + Send + 'static) -> Self {
        WhileValid { stream: Some(stream), end: Box::pin(end), items_since_look: 0 }
    }
}

impl<T, S: Stream<Item = Result<T, Status>> + Unpin> Stream for WhileValid<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if this.items_since_look < ITEMS_BETWEEN_LOOKS
            && let Poll::Ready(item) = stream.poll_next_unpin(cx)
        {
            this.items_since_look += 1;
            return Poll::Ready(item);
        }
        this.items_since_look = 0;
        if let Poll::Ready(refusal) = this.end.as_mut().poll(cx) {
            // What it had under way is given up, as when the connection breaks.
            this.stream = None;
            return Poll::Ready(Some(Err(status::of(&refusal))));
        }
        stream.poll_next_unpin(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::clock::ManualClock;
    use futures_util::{poll, stream};
    use tonic::Code;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_its_credential_is_withdrawn() {
        let term = Term::configured();
        let silent = stream::pending::<Result<(), Status>>();
        let mut stream = WhileValid::new(silent, term.clone().end(clock()));
        assert!(poll!(stream.next()).is_pending());
        term.withdraw(Refusal::new(Reason::Unauthenticated, "gone"));
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::Unauthenticated);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_never_silent_ends_too() {
        let moment = clock().wall().plus(Duration::from_secs(1));
        let busy = stream::repeat_with(|| Ok::<_, Status>(()));
        let mut stream = WhileValid::new(busy, Term::Until(moment).end(clock()));
        for _ in 0..1000 {
            stream.next().await.unwrap().unwrap();
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        let mut left = 0;
        let end = loop {
            match stream.next().await.unwrap() {
                Ok(()) => left += 1,
                Err(status) => break status,
            }
        };
        assert!(left <= ITEMS_BETWEEN_LOOKS, "{left}");
        assert_eq!(end.code(), Code::Unauthenticated);
    }
}
