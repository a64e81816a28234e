//! Notes that are taken once, and revocations.

use crate::call::Argument::{Bytes as Binary, Number, Text};
use crate::call::{Call, Failure};
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::{CALL, Servers};
use bytes::Bytes;
use fanline_core::broker::{Answer, BrokerError, Notes, Revocation, RevocationPage, Subject};
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_core::limits::{NOTE_BYTES, NOTE_KEY_BYTES, REVOCATIONS, REVOCATIONS_PAGE};
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The notes.
#[derive(Debug)]
pub(crate) struct RedisNotes {
    servers: Arc<Servers>,
    /// Held by the one that revokes. Where that waits for replicas, several would wait one behind the other, and behind them
    /// all that nodes tell each other.
    revoking: Semaphore,
}

impl RedisNotes {
    pub(crate) fn new(servers: Arc<Servers>) -> Self {
        RedisNotes { servers, revoking: Semaphore::new(1) }
    }
}

impl Notes for RedisNotes {
    fn keep<'a>(&'a self, key: &'a str, value: Bytes, life: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            if key.len() > NOTE_KEY_BYTES || value.len() > NOTE_BYTES {
                return Err(BrokerError::Full("a note is too large"));
            }
            let keys = &self.servers.common.keys;
            let call = Call {
                script: Script::Keep,
                keys: &[keys.note(key)],
                arguments: &[Binary(&value), Number(millis(life))],
                lasting: false,
            };
            self.servers.call_at(&keys.note_tag(key), Lane::Writes, &call).await?;
            Ok(())
        })
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            if key.len() > NOTE_KEY_BYTES {
                return Ok(None);
            }
            let keys = &self.servers.common.keys;
            let call = Call {
                script: Script::Take,
                keys: &[keys.note(key)],
                arguments: &[],
                lasting: false,
            };
            let answer = self.servers.call_at(&keys.note_tag(key), Lane::Writes, &call).await?;
            let value: Option<Vec<u8>> =
                redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            Ok(value.map(Bytes::from))
        })
    }

    fn revoke(&self, revocation: Revocation) -> Answer<'_, ()> {
        Box::pin(async move {
            let turn = tokio::time::timeout(CALL, self.revoking.acquire()).await;
            let _turn = turn.map_err(|_elapsed| BrokerError::Unavailable)?;
            let common = &self.servers.common;
            let hub = &common.own[0];
            let epoch = Epoch::random(&common.random);
            let call = Call {
                script: Script::Revoke,
                keys: &common.keys.revoked(),
                arguments: &[
                    Text(epoch.as_str()),
                    Text(&encode(&revocation)),
                    Number(revocation.until.millis()),
                    Number(REVOCATIONS as u64),
                    Text(common.pubsub.publish()),
                    Text(&common.keys.live(hub)),
                ],
                // It must outlive Redis as well as an acknowledged event does.
                lasting: true,
            };
            let answer = self.servers.call(hub, Lane::Writes, &call).await?;
            let kept: bool = redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            if !kept {
                return Err(BrokerError::Full("as much is revoked as may be at one time"));
            }
            Ok(())
        })
    }

    fn revocations(&self, after: Option<Position>) -> Answer<'_, RevocationPage> {
        Box::pin(async move {
            let common = &self.servers.common;
            let epoch = after.map(|mark| mark.epoch);
            let number = after.map_or(0, |mark| mark.offset.get());
            let fresh = Epoch::random(&common.random);
            let call = Call {
                script: Script::Revocations,
                keys: &common.keys.revoked(),
                arguments: &[
                    Text(epoch.as_ref().map_or("", Epoch::as_str)),
                    Number(number),
                    Number(REVOCATIONS_PAGE as u64),
                    Text(fresh.as_str()),
                ],
                lasting: false,
            };
            let answer = self.servers.call(&common.own[0], Lane::Reads, &call).await?;
            let (epoch, last, anew, listed, more): (String, u64, bool, Vec<(String, f64)>, bool) =
                redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            // No epoch: nothing is revoked.
            let epoch: Option<Epoch> = epoch.parse().ok();
            Ok(RevocationPage {
                mark: epoch.map(|epoch| Position::new(epoch, Offset::new(last))),
                anew,
                revocations: listed
                    .iter()
                    .filter_map(|(text, until)| decode(text, Timestamp::from_millis(*until as u64)))
                    .collect(),
                more,
            })
        })
    }
}

/// A revocation without its end: `u` or `t`, the moment before which tokens are refused or `-`, and the subject.
fn encode(revocation: &Revocation) -> String {
    let before = revocation
        .issued_before
        .map_or_else(|| "-".to_owned(), |moment| moment.millis().to_string());
    match &revocation.subject {
        Subject::User(user) => format!("u {before} {user}"),
        Subject::Token(id) => format!("t {before} {id}"),
    }
}

fn decode(text: &str, until: Timestamp) -> Option<Revocation> {
    let mut parts = text.splitn(3, ' ');
    let (kind, before, subject) = (parts.next()?, parts.next()?, parts.next()?);
    let issued_before = match before {
        "-" => None,
        millis => Some(Timestamp::from_millis(millis.parse().ok()?)),
    };
    let subject = match kind {
        "u" => Subject::User(UserId::new(subject)?),
        "t" => Subject::Token(subject.into()),
        _ => return None,
    };
    Some(Revocation { subject, issued_before, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_survives_its_text() {
        let until = Timestamp::from_millis(9);
        let revocations = [
            (Subject::User(UserId::new("a b\\n-").unwrap()), None, "u - a b\\n-"),
            (Subject::Token("t 1".into()), Some(Timestamp::from_millis(7)), "t 7 t 1"),
        ];
        for (subject, issued_before, text) in revocations {
            let revocation = Revocation { subject, issued_before, until };
            assert_eq!(encode(&revocation), text);
            assert_eq!(decode(text, until), Some(revocation));
        }
        for foreign in ["", "u", "u -", "u - ", "x - a", "u x a"] {
            assert_eq!(decode(foreign, until), None, "{foreign}");
        }
    }
}
