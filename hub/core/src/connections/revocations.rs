//! Revoked tokens: refused when they are shown, and their connections ended.
//!
//! Every node holds all revocations, as the broker keeps them, and asks for new ones when it is told of one and twice a
//! second. Until the first answer it does not know, and lets nobody in. What the broker lost it puts back.

use super::attendance::TokenMark;
use super::order::{Ending, Order};
use crate::broker::{Revocation, RevocationPage, Subject};
use crate::clock::Timestamp;
use crate::hub::Hub;
use crate::ids::UserId;
use crate::limits::REVOCATIONS_PAGE;
use crate::position::Position;
use crate::reason::Reason;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
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
    /// The broker has lost some, or may have.
    doubtful: bool,
}

/// For how long a subject is revoked, and which of its tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    issued_before: Option<Timestamp>,
    until: Timestamp,
    /// The broker has it, as far as is known.
    kept: bool,
}

impl Revoked {
    /// There may be news.
    pub(crate) fn look(&self) {
        self.told.notify_one();
    }

    /// Whether a token is revoked.
    pub(super) fn covers(&self, user: Option<&UserId>, token: &TokenMark, now: Timestamp) -> bool {
        self.read().covers(user, token, now)
    }

    /// Takes a page in. Answers, after the last one, what was known and the broker lost: at most a page of it, and again
    /// each time until it is [put back](Self::note_kept).
    fn learn(&self, page: &RevocationPage, now: Timestamp) -> Vec<Revocation> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if page.anew {
            known.doubtful = true;
            known.until.values_mut().flatten().for_each(|span| span.kept = false);
        }
        for Revocation { subject, issued_before, until } in &page.revocations {
            let span = Span { issued_before: *issued_before, until: *until, kept: true };
            let spans = known.until.entry(subject.clone()).or_default();
            match spans.iter_mut().find(|span| span.issued_before == *issued_before) {
                Some(known) if known.until <= span.until => *known = span,
                // It was made to last longer, which the broker lost.
                Some(_) => {}
                None => spans.push(span),
            }
        }
        known.mark = page.mark;
        known.complete |= !page.more;
        if page.more || !known.doubtful {
            return Vec::new();
        }
        let lost: Vec<_> = known.lost(now).take(REVOCATIONS_PAGE).collect();
        known.doubtful = !lost.is_empty();
        lost
    }

    /// The broker took one back.
    fn note_kept(&self, revocation: &Revocation) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let spans = known.until.get_mut(&revocation.subject).into_iter().flatten();
        spans
            .filter(|span| span.issued_before == revocation.issued_before)
            .for_each(|span| span.kept = span.until <= revocation.until);
    }

    fn forget(&self, now: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.until.retain(|_, spans| {
            spans.retain(|span| span.until > now);
            !spans.is_empty()
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn covers(&self, user: Option<&UserId>, token: &TokenMark, now: Timestamp) -> bool {
        if self.until.is_empty() {
            return false;
        }
        let user = user.map(|user| Subject::User(user.clone()));
        let id = token.id.clone().map(Subject::Token);
        user.into_iter().chain(id).filter_map(|subject| self.until.get(&subject)).flatten().any(
            |span| {
                span.until > now
                    && span.issued_before.is_none_or(|before| {
                        token.issued_at.is_none_or(|issued_at| issued_at < before)
                    })
            },
        )
    }

    fn lost(&self, now: Timestamp) -> impl Iterator<Item = Revocation> {
        let all = self
            .until
            .iter()
            .flat_map(|(subject, spans)| spans.iter().map(move |span| (subject, span)));
        all.filter(move |(_, span)| !span.kept && span.until > now).map(|(subject, span)| {
            Revocation {
                subject: subject.clone(),
                issued_before: span.issued_before,
                until: span.until,
            }
        })
    }
}

impl Hub {
    /// Whether this node knows what is revoked, without which it lets nobody in.
    #[must_use]
    pub fn knows_revoked(&self) -> bool {
        self.revoked().read().complete
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
        let known = self.revoked().read();
        if !known.complete {
            let message = "this node does not know yet which tokens are revoked; try again";
            let refusal = Refusal::new(Reason::BrokerUnavailable, message);
            return Err(refusal.with_retry_after(Duration::from_secs(1)));
        }
        // The most frequent answer costs nothing.
        if known.until.is_empty() {
            return Ok(());
        }
        let token = TokenMark { id: token_id.map(Into::into), issued_at };
        if known.covers(user, &token, self.clock().wall()) {
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

/// Asks for new revocations until there are none, and ends the connections that they are about. Answers some of what the
/// broker lost.
pub(crate) async fn learn(hub: &Hub) -> Vec<Revocation> {
    loop {
        let mark = hub.revoked().read().mark;
        let page = match hub.broker().notes().revocations(mark).await {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(%error, "revocations are not readable now; trying again");
                return Vec::new();
            }
        };
        let now = hub.clock().wall();
        let lost = hub.revoked().learn(&page, now);
        if !page.revocations.is_empty() {
            let ended = hub.table().order_where(&Order::Disconnect(FAREWELL), |slot| {
                let token = slot.token().clone();
                hub.revoked().covers(slot.user.as_ref(), &token, now)
            });
            tracing::info!(revocations = page.revocations.len(), ended, "tokens were revoked");
        }
        if !page.more {
            return lost;
        }
    }
}

/// Puts back what the broker lost. What it does not take now is tried again after the next look.
async fn restore(hub: &Hub, lost: Vec<Revocation>) {
    for revocation in lost {
        if let Err(error) = hub.broker().notes().revoke(revocation.clone()).await {
            return tracing::warn!(%error, "a revocation that the broker lost could not be put back; trying again");
        }
        hub.revoked().note_kept(&revocation);
    }
}

/// Keeps the revocations of a node complete, until `stop`.
pub(crate) async fn follow(hub: Hub, stop: CancellationToken) {
    let following = async {
        for look in 1_u32.. {
            let lost = learn(&hub).await;
            restore(&hub, lost).await;
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

    const NOW: Timestamp = Timestamp::from_millis(10);

    fn revocation(user: &str, until: u64) -> Revocation {
        let subject = Subject::User(UserId::new(user).unwrap());
        Revocation { subject, issued_before: None, until: Timestamp::from_millis(until) }
    }

    fn page(revocations: &[&Revocation]) -> RevocationPage {
        let revocations = revocations.iter().copied().cloned().collect();
        RevocationPage { revocations, ..RevocationPage::default() }
    }

    #[test]
    fn a_node_knows_what_is_revoked_once_it_has_read_the_last_page() {
        let revoked = Revoked::default();
        assert!(!revoked.read().complete, "nobody was asked yet");
        revoked.learn(&RevocationPage { more: true, ..page(&[]) }, NOW);
        assert!(!revoked.read().complete, "there are more");
        revoked.learn(&page(&[]), NOW);
        assert!(revoked.read().complete);
    }

    #[test]
    fn what_the_broker_lost_is_known_after_its_last_page_and_until_it_has_it_again() {
        let revoked = Revoked::default();
        let [ada, bob, cleo, over] =
            [("ada", 20), ("bob", 20), ("cleo", 20), ("over", 9)].map(|(u, t)| revocation(u, t));
        assert_eq!(revoked.learn(&page(&[&ada, &bob, &cleo, &over]), NOW), []);
        let first = RevocationPage { anew: true, more: true, ..page(&[&ada]) };
        assert_eq!(revoked.learn(&first, NOW), [], "there are more");
        let shorter = revocation("bob", 15);
        let mut lost = revoked.learn(&page(&[&shorter]), NOW);
        lost.sort_by_key(|lost| lost.subject != bob.subject);
        assert_eq!(lost, [bob.clone(), cleo.clone()]);
        let lost = revoked.learn(&page(&[&bob]), NOW);
        assert_eq!(lost, std::slice::from_ref(&cleo), "it was not put back");
        revoked.note_kept(&cleo);
        assert_eq!(revoked.learn(&page(&[]), NOW), []);
        let user = UserId::new("bob");
        let later = Timestamp::from_millis(16);
        assert!(revoked.covers(user.as_ref(), &TokenMark::default(), later), "the longer counts");
    }
}
