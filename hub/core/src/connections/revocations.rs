//! Revoked tokens: refused when they are shown, and their connections ended.
//!
//! Every node holds all revocations, as the broker keeps them, and asks for new ones when it is told of one and each
//! second. Until the first answer it does not know, and lets nobody in.

use super::attendance::TokenMark;
use super::order::{Ending, Order};
use crate::broker::{Revocation, Subject};
use crate::clock::Timestamp;
use crate::hub::Hub;
use crate::ids::UserId;
use crate::position::Position;
use crate::reason::Reason;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two looks for new revocations: the longest that a lost notice delays one.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two in which those are forgotten whose time is over.
const LOOKS_PER_SWEEP: u32 = 120;

/// What a connection of a revoked token is told.
pub(super) const FAREWELL: Ending = Ending { reason: Reason::TokenRevoked, reconnect: false };

/// The revocations that this node knows: at most as many as the broker keeps.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    known: RwLock<Known>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// The broker has answered once.
    complete: bool,
    mark: Option<Position>,
    until: HashMap<Subject, Vec<Span>>,
}

/// For how long a subject is revoked, and which of its tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    issued_before: Option<Timestamp>,
    until: Timestamp,
}

impl Revoked {
    /// There may be news.
    pub(crate) fn look(&self) {
        self.told.notify_one();
    }

    /// Whether all are known that the broker kept when it was first asked.
    fn is_complete(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).complete
    }

    /// Whether a token is revoked.
    pub(super) fn covers(&self, user: Option<&UserId>, token: &TokenMark, now: Timestamp) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.until.is_empty() {
            return false;
        }
        let user = user.map(|user| Subject::User(user.clone()));
        let id = token.id.clone().map(Subject::Token);
        user.into_iter().chain(id).filter_map(|subject| known.until.get(&subject)).flatten().any(
            |span| {
                span.until > now
                    && span.issued_before.is_none_or(|before| {
                        token.issued_at.is_none_or(|issued_at| issued_at < before)
                    })
            },
        )
    }

    /// Takes a page in; says what it lacks that was known: the broker has lost it.
    fn learn(
        &self,
        mark: Option<Position>,
        anew: bool,
        page: &[Revocation],
        more: bool,
    ) -> Vec<Revocation> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut lost = Vec::new();
        if anew {
            for (subject, spans) in &known.until {
                lost.extend(spans.iter().map(|span| Revocation {
                    subject: subject.clone(),
                    issued_before: span.issued_before,
                    until: span.until,
                }));
            }
        }
        for Revocation { subject, issued_before, until } in page {
            let spans = known.until.entry(subject.clone()).or_default();
            spans.retain(|span| span.issued_before != *issued_before);
            spans.push(Span { issued_before: *issued_before, until: *until });
        }
        known.mark = mark;
        known.complete |= !more;
        lost.retain(|revocation| !page.contains(revocation));
        lost
    }

    fn forget(&self, now: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.until.retain(|_, spans| {
            spans.retain(|span| span.until > now);
            !spans.is_empty()
        });
    }
}

impl Hub {
    /// Whether this node knows what is revoked, without which it lets nobody in.
    #[must_use]
    pub fn knows_revoked(&self) -> bool {
        self.revoked().is_complete()
    }

    /// Refuses a token that is revoked, whoever shows it.
    ///
    /// # Errors
    /// [`Reason::TokenRevoked`]; [`Reason::BrokerUnavailable`] as long as this node does not know what is revoked.
    pub fn check_revoked(
        &self,
        user: Option<&UserId>,
        token_id: Option<&str>,
        issued_at: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        if !self.knows_revoked() {
            let message = "this node does not know yet which tokens are revoked; try again";
            let refusal = Refusal::new(Reason::BrokerUnavailable, message);
            return Err(refusal.with_retry_after(Duration::from_secs(1)));
        }
        let token = TokenMark { id: token_id.map(Into::into), issued_at };
        if self.revoked().covers(user, &token, self.clock().wall()) {
            return Err(Refusal::new(Reason::TokenRevoked, "the token was revoked"));
        }
        Ok(())
    }

    /// Revokes tokens: they are refused from now on, on every node, and their connections are ended. Once this answers,
    /// no restart of the hub forgets it.
    ///
    /// # Errors
    /// A broker that is full, or not available.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), Refusal> {
        self.broker().notes().revoke(revocation).await?;
        // At once on this node, for whoever looks at the answer.
        learn(self).await;
        Ok(())
    }
}

/// Asks for new revocations until there are none, and ends the connections that they are about.
pub(crate) async fn learn(hub: &Hub) {
    loop {
        let mark = hub.revoked().known.read().unwrap_or_else(PoisonError::into_inner).mark;
        let page = match hub.broker().notes().revocations(mark).await {
            Ok(page) => page,
            Err(error) => {
                return tracing::debug!(%error, "revocations are not readable now; trying again");
            }
        };
        let lost = hub.revoked().learn(page.mark, page.anew, &page.revocations, page.more);
        if !page.revocations.is_empty() {
            let now = hub.clock().wall();
            let ended = hub.table().order_where(&Order::Disconnect(FAREWELL), |slot| {
                let token = slot.token().clone();
                hub.revoked().covers(slot.user.as_ref(), &token, now)
            });
            tracing::info!(revocations = page.revocations.len(), ended, "tokens were revoked");
        }
        for revocation in lost {
            if let Err(error) = hub.broker().notes().revoke(revocation).await {
                tracing::warn!(%error, "a revocation that the broker lost could not be put back");
            }
        }
        if !page.more {
            return;
        }
    }
}

/// Keeps the revocations of a node complete, until `stop`.
pub(crate) async fn follow(hub: Hub, stop: CancellationToken) {
    let following = async {
        for look in 1_u32.. {
            learn(&hub).await;
            if look % LOOKS_PER_SWEEP == 0 {
                hub.revoked().forget(hub.clock().wall());
            }
            let _either_way = tokio::time::timeout(LOOK, hub.revoked().told.notified()).await;
        }
    };
    stop.run_until_cancelled(following).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_what_is_revoked_once_it_has_read_the_last_page() {
        let revoked = Revoked::default();
        assert!(!revoked.is_complete(), "nobody was asked yet");
        revoked.learn(None, false, &[], true);
        assert!(!revoked.is_complete(), "there are more");
        revoked.learn(None, false, &[], false);
        assert!(revoked.is_complete());
    }
}
