//! Tickets: what a token is exchanged for where it could only stand in a query (contract section 3).
//!
//! A ticket lets one request in, on any node, within its time. Its token waits with the broker until then, sealed with the
//! ticket itself, under a name that does not give the ticket away: whoever reads the broker, or its disk, can sign in
//! with nothing of it. A ticket in the log of a proxy is used up. Which requests get one is for [`Edge`](crate::Edge);
//! what comes back is only a token, and is verified like one. Read `issue` first.

use crate::limits::TICKET_LIFETIME;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fanline_core::broker::BrokerError;
use fanline_core::{Hub, Reason, Refusal};
use std::fmt;
use std::time::Duration;

/// A ticket for whoever showed its token.
pub struct Ticket {
    text: String,
    life: Duration,
}

impl Ticket {
    /// The text for `?ticket=`; nothing in it needs escaping.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How long it is good: [`TICKET_LIFETIME`](crate::limits::TICKET_LIFETIME), or what is left of its token.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.life
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("life", &self.life).finish_non_exhaustive()
    }
}

/// Exchanges a token that was verified and is good for so long.
///
/// # Errors
/// A broker that is full, or not available.
pub(crate) async fn issue(hub: &Hub, token: &str, token_life: Duration) -> Result<Ticket, Refusal> {
    let secret = Secret(hub.random().bytes());
    hub.keep_note(&secret.note_key(), secret.seal(token), TICKET_LIFETIME).await.map_err(failed)?;
    Ok(Ticket { text: secret.text(), life: TICKET_LIFETIME.min(token_life) })
}

/// The token that a ticket was issued for, once.
///
/// # Errors
/// [`Reason::Unauthenticated`] for a ticket that was never issued, is used or has expired: nobody can tell which.
/// A broker that is not available; the ticket may be used up by that.
pub(crate) async fn redeem(hub: &Hub, ticket: &str) -> Result<String, Refusal> {
    let refused = || {
        let message =
            "the ticket is used, expired or none of ours; get another by POST /v1/tickets";
        Refusal::new(Reason::Unauthenticated, message)
    };
    let secret = Secret::parse(ticket).ok_or_else(refused)?;
    let note = hub.take_note(&secret.note_key()).await.map_err(failed)?;
    note.and_then(|sealed| secret.open(&sealed)).ok_or_else(refused)
}

fn failed(error: BrokerError) -> Refusal {
    error.refusal("the broker did not answer; get another ticket")
}

/// The random bytes that a ticket is.
struct Secret([u8; 32]);

impl Secret {
    fn parse(ticket: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(ticket, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Secret(bytes))
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn note_key(&self) -> String {
        format!("ticket:{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.0)))
    }

    fn seal(&self, token: &str) -> Bytes {
        let mut text = token.as_bytes().to_vec();
        self.key()
            .seal_in_place_append_tag(Secret::nonce(), Aad::empty(), &mut text)
            .expect("a token is far shorter than what the cipher takes");
        text.into()
    }

    /// None for what was not sealed with this secret.
    fn open(&self, sealed: &[u8]) -> Option<String> {
        let mut text = sealed.to_vec();
        let token = self.key().open_in_place(Secret::nonce(), Aad::empty(), &mut text).ok()?;
        String::from_utf8(token.to_vec()).ok()
    }

    fn key(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).expect("a key has 32 bytes"))
    }

    /// Always the same, as each key seals one text only.
    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; NONCE_LEN])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::testing::TestHub;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_ticket_gives_its_token_back_once() {
        let hub = TestHub::start();
        let ticket = issue(&hub, "a.b.c", HOUR).await.unwrap();
        let other = issue(&hub, "d.e.f", HOUR).await.unwrap();
        assert_eq!(ticket.life(), TICKET_LIFETIME);
        assert_eq!(redeem(&hub, ticket.text()).await.unwrap(), "a.b.c");
        let again = redeem(&hub, ticket.text()).await.unwrap_err();
        assert_eq!(again.reason(), Reason::Unauthenticated);
        assert_eq!(redeem(&hub, other.text()).await.unwrap(), "d.e.f");
    }

    #[tokio::test]
    async fn a_ticket_is_good_until_its_time_is_over() {
        let hub = TestHub::start();
        let [last, late] = [issue(&hub, "a.b.c", HOUR).await, issue(&hub, "a.b.c", HOUR).await];
        hub.clock.advance(TICKET_LIFETIME - Duration::from_millis(1));
        assert!(redeem(&hub, last.unwrap().text()).await.is_ok());
        hub.clock.advance(Duration::from_millis(1));
        let refusal = redeem(&hub, late.unwrap().text()).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::Unauthenticated);
    }

    #[tokio::test]
    async fn what_is_no_ticket_is_refused_alike() {
        let hub = TestHub::start();
        let never_issued = Secret([7; 32]).text();
        let longer = URL_SAFE_NO_PAD.encode([7; 33]);
        let huge = "A".repeat(100_000);
        for text in ["", "A", "a.b.c", "%00", &never_issued, &longer, &huge] {
            let refusal = redeem(&hub, text).await.unwrap_err();
            assert_eq!(refusal.reason(), Reason::Unauthenticated);
        }
    }

    #[tokio::test]
    async fn a_ticket_is_told_to_live_no_longer_than_its_token() {
        let hub = TestHub::start();
        let life = Duration::from_secs(3);
        assert_eq!(issue(&hub, "a.b.c", life).await.unwrap().life(), life);
    }

    #[tokio::test]
    async fn a_broker_with_no_room_says_when_to_come_back() {
        let hub = TestHub::start();
        let refusal = loop {
            if let Err(refusal) = issue(&hub, "a.b.c", HOUR).await {
                break refusal;
            }
        };
        assert_eq!(refusal.reason(), Reason::LimitExceeded);
        assert!(refusal.retry_after().is_some());
        hub.clock.advance(TICKET_LIFETIME);
        assert!(issue(&hub, "a.b.c", HOUR).await.is_ok());
    }

    #[test]
    fn what_the_broker_holds_shows_neither_ticket_nor_token() {
        let secret = Secret([7; 32]);
        let sealed = secret.seal("header.payload.signature");
        assert!(!sealed.windows(7).any(|part| part == b"payload"));
        assert!(!secret.note_key().contains(&secret.text()));
        assert_eq!(Secret([8; 32]).open(&sealed), None);
        let mut changed = sealed.to_vec();
        changed[0] ^= 1;
        assert_eq!(secret.open(&changed), None);
    }

    #[test]
    fn debug_output_hides_the_ticket() {
        let ticket = Ticket { text: "topsecret".into(), life: HOUR };
        assert!(!format!("{ticket:?}").contains("topsecret"));
    }
}
