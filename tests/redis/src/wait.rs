//! Waiting for what has no event of its own.

use std::time::Duration;

/// Longest wait for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
        panic!("not in time: {what}");
    }
}
