//! Fetches the keys that an issuer publishes, so that there is always the newest set of them.
//!
//! When a fetch is due is decided here; what its document holds, and what becomes of tokens meanwhile, in
//! [`fanline_edge::token`]. Read [`KeyFetcher`] first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fanline_core::random::Random;
use fanline_edge::limits::{JITTER, KEY_SET_BYTES, KEY_SET_TIMEOUT};
use fanline_edge::token::{Fetched, KeySetError, PublishedKeys};
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::config::JwksSettings;
use crate::http_client;

/// The wait after the first failed fetch. It doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failed fetch: an issuer that is back is noticed within a minute.
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// RFC 7517, section 8.5; most issuers know only the other one.
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// Keeps published keys fresh, on a task of its own. Clones are the same fetcher.
#[derive(Clone, Debug)]
pub(crate) struct KeyFetcher {
    keys: PublishedKeys,
    settings: Arc<watch::Sender<Option<JwksSettings>>>,
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0:#}")]
    Unreachable(anyhow::Error),
    #[error("what is published there cannot be used: {0}")]
    Unusable(#[from] KeySetError),
}

impl KeyFetcher {
    /// Fetches as the settings say, on `tasks`, until `stop`. Nothing of it is waited for here: a hub whose issuer is away
    /// starts, and is ready once it has keys.
    pub(crate) fn start(
        keys: PublishedKeys,
        settings: Option<JwksSettings>,
        random: Random,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let fetcher = KeyFetcher { keys, settings: Arc::default() };
        fetcher.configure(settings);
        tasks.spawn(fetcher.clone().run(random, stop));
        fetcher
    }

    /// Lets other settings count, and fetches at once. Keys of another source than before are no longer taken.
    pub(crate) fn configure(&self, settings: Option<JwksSettings>) {
        let is_the_same_source = match (&*self.settings.borrow(), &settings) {
            (Some(before), Some(now)) => before.is_the_same_source(now),
            (None, _) | (_, None) => false,
        };
        let policy = settings.as_ref().map(|settings| settings.policy.clone());
        self.keys.expect(policy, is_the_same_source);
        self.settings.send_replace(settings);
    }

    async fn run(self, random: Random, stop: CancellationToken) {
        let _our_crash_stops_the_process = stop.clone().drop_guard();
        let mut settings = self.settings.subscribe();
        loop {
            let now = settings.borrow_and_update().clone();
            tokio::select! {
                () = stop.cancelled() => return,
                // A fetch by other settings is given up. It cannot fail: the sender is ours.
                _ = settings.changed() => {}
                () = self.keep_fresh(now, &random) => {}
            }
        }
    }

    /// Fetches again and again, as long as there is something to fetch.
    async fn keep_fresh(&self, settings: Option<JwksSettings>, random: &Random) {
        let Some(settings) = settings else { return std::future::pending().await };
        let mut failures = 0;
        loop {
            let wait = match self.fetch(&settings).await {
                Ok(fetched) => {
                    failures = 0;
                    tell(&settings, &fetched);
                    // Earlier, never later, and not all nodes at once.
                    random.between(settings.refresh.mul_f64(1.0 - JITTER), settings.refresh)
                }
                Err(error) => {
                    failures += 1;
                    let wait = random.around(retry_after(failures).min(settings.refresh), JITTER);
                    self.warn(&settings, &error, wait);
                    wait
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.keys.asked_for() => {}
            }
        }
    }

    async fn fetch(&self, settings: &JwksSettings) -> Result<Fetched, FetchError> {
        let fetch = self.keys.fetch();
        match document(settings).await {
            Ok(document) => Ok(fetch.bring(&document)?),
            Err(error) => {
                fetch.fail();
                Err(FetchError::Unreachable(error))
            }
        }
    }

    fn warn(&self, settings: &JwksSettings, error: &FetchError, wait: Duration) {
        let url = &settings.url;
        let meanwhile = match self.keys.len() {
            0 => {
                "until then tokens of these keys are refused, and this node is not ready".to_owned()
            }
            keys => format!("until then those of before go on counting, {keys} in number"),
        };
        warn!(
            %url,
            "the keys of [tokens.jwks] cannot be fetched: {error}; check that the issuer runs and that `url` is right; \
             tried again in {wait:.1?}; {meanwhile}"
        );
    }
}

/// The document at the URL.
async fn document(settings: &JwksSettings) -> Result<Bytes> {
    let exchange = async {
        let answer = http_client::get(&settings.url, settings.tls.clone(), ACCEPT).await?;
        let status = answer.status();
        ensure!(!status.is_redirection(), "it answers {status}: `url` must be the final address");
        ensure!(status == StatusCode::OK, "it answers {status}");
        answer.bytes(KEY_SET_BYTES).await
    };
    let exchanged = timeout(KEY_SET_TIMEOUT, exchange).await;
    exchanged.with_context(|| format!("there is no whole answer within {KEY_SET_TIMEOUT:?}"))?
}

fn tell(settings: &JwksSettings, fetched: &Fetched) {
    let Fetched { keys, unusable, is_new } = fetched;
    let url = &settings.url;
    if !is_new {
        debug!(%url, keys, "the keys of [tokens.jwks] are as before");
    } else if unusable.is_empty() {
        info!(%url, keys, "keys of [tokens.jwks] in force");
    } else {
        info!(%url, keys, "keys of [tokens.jwks] in force; others cannot be used: {unusable}");
    }
}

/// The wait after so many failures in a row, before jitter.
fn retry_after(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures - 1)).min(RETRY_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let waits = [1, 2, 3, 6, 7, 100].map(|failures| retry_after(failures).as_secs());
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
    }
}
