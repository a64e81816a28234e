//! What is said of the checks: a line for each, and the exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, timeout};

/// The lines so far.
pub(super) struct Report {
    patience: Duration,
    passed: usize,
    failed: usize,
}

impl Report {
    /// A report on checks that may take so long each.
    pub(super) fn new(patience: Duration) -> Self {
        Report { patience, passed: 0, failed: 0 }
    }

    /// Runs a check, and says how it went.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub(super) async fn check(
        &mut self,
        what: String,
        check: impl Future<Output = Result<()>>,
    ) -> Result<bool> {
        let start = Instant::now();
        let outcome = timeout(self.patience, check).await.unwrap_or_else(|_too_long| {
            Err(anyhow!("it is not done within {:?} (--timeout)", self.patience))
        });
        let took = start.elapsed().as_millis();
        match &outcome {
            Ok(()) => {
                self.passed += 1;
                writeln!(io::stdout(), "ok   {took:>6} ms  {what}")?;
            }
            Err(error) => {
                self.failed += 1;
                writeln!(io::stdout(), "FAIL {took:>6} ms  {what}: {error:#}")?;
            }
        }
        Ok(outcome.is_ok())
    }

    /// Says how many failed.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub(super) fn close(self) -> Result<ExitCode> {
        let Report { passed, failed, .. } = self;
        let rest = if failed == 0 { "" } else { "; what builds on those was not checked" };
        let checks = if passed == 1 { "check" } else { "checks" };
        writeln!(io::stdout(), "\n{passed} {checks} passed, {failed} failed{rest}")?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
