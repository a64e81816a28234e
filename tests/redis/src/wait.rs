//! Waiting with an end.

use std::time::Duration;

use tokio::time::{interval, timeout};

/// How long a test waits for what should come at once. Generous, since the machine may be busy with other tests.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for `future`, and panics naming `what` when the deadline passes first.
pub async fn within<F: Future>(limit: Duration, what: &str, future: F) -> F::Output {
    match timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {limit:?} in vain for {what}"),
    }
}

/// Asks again and again until `probe` has an answer. Only for what can be seen from outside in no other way, such as a
/// counter or a process's memory.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, async {
        let mut ticks = interval(Duration::from_millis(10));
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    })
    .await
}

/// Asks again and again until something is so, as [`eventually`] does.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    eventually(what, async || is_so().await.then_some(())).await;
}
