//! Counting tests from what the runners print, so that one line closes a run of several of them.

use std::{collections::BTreeSet, fmt};

/// What passed and failed so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    failures: BTreeSet<String>,
    /// After its summary, nextest lists again what failed, and nothing else.
    past_summary: bool,
}

impl Tally {
    /// Takes one line of output of `cargo nextest run`, `cargo test` or `vitest run`.
    ///
    /// What libtest prints counts only at the start of a line: nextest shows the output of a failed
    /// test, with libtest's own words in it, indented.
    pub(crate) fn observe(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.count(counts, ';');
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|test| test.strip_suffix(" ... FAILED"))
        {
            self.failures.insert(name.to_owned());
        } else if let Some(counts) = line.trim_start().strip_prefix("Tests  ") {
            self.count(counts, '|');
        } else if let Some(name) = line.strip_prefix(" FAIL  ") {
            self.failures.insert(name.to_owned());
        } else if let Some(counts) = nextest_summary(line) {
            self.count(counts, ',');
            self.past_summary = true;
        } else if let Some(name) = self.past_summary.then(|| nextest_failure(line)).flatten() {
            self.failures.insert(name.to_owned());
        }
    }

    /// Adds up `3 passed (1 slow), 2 failed, 1 timed out, 4 skipped` of nextest,
    /// `ok. 3 passed; 0 failed; 4 filtered out` of libtest, or `1 failed | 3 passed (4)` of vitest.
    fn count(&mut self, counts: &str, separator: char) {
        for part in
            counts.trim_start_matches("ok. ").trim_start_matches("FAILED. ").split(separator)
        {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(outcome)) =
                (words.next().map(str::parse::<u64>), words.next())
            else {
                continue;
            };
            match outcome {
                "passed" => self.passed += number,
                // `timed out` and `exec failed` are nextest's other ways to fail.
                "failed" | "timed" | "exec" => self.failed += number,
                _ => {}
            }
        }
    }
}

/// The counts in `Summary [   2.021s] 4 tests run: 3 passed, 1 failed`.
fn nextest_summary(line: &str) -> Option<&str> {
    let (_, counts) = line.trim_start().strip_prefix("Summary [")?.split_once(" run: ")?;
    Some(counts)
}

/// The name in `FAIL [   0.005s] (1/2) package::binary module::test`, whatever the status word is.
fn nextest_failure(line: &str) -> Option<&str> {
    let (status, rest) = line.trim_start().split_once(" [")?;
    let (_, test) = rest.split_once("s] ")?;
    let (_, name) = test.split_once(") ")?;
    status
        .chars()
        .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
        .then_some(name)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.failures.is_empty() {
            writeln!(f, "These failed:")?;
            self.failures.iter().try_for_each(|name| writeln!(f, "  {name}"))?;
        }
        writeln!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_counts_every_way_to_fail_and_names_each() {
        let tally = tally(
            "        FAIL [   0.125s] (3/4) probe tests::bad
  stdout ───
    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out
     Summary [   2.021s] 4 tests run: 1 passed (1 slow), 1 failed, 1 timed out, 1 exec failed
        FAIL [   0.125s] (3/4) probe tests::bad
     TIMEOUT [   2.004s] (4/4) probe tests::slow
error: test run failed",
        );
        assert_eq!(
            tally.to_string(),
            "These failed:\n  probe tests::bad\n  probe tests::slow\n1 passed, 3 failed\n"
        );
    }

    #[test]
    fn runs_of_several_test_binaries_add_up() {
        let tally = tally(
            "test a::works ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test b::breaks ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Summary [   0.021s] 1 test run: 1 passed, 0 skipped",
        );
        assert_eq!(tally.to_string(), "These failed:\n  b::breaks\n5 passed, 1 failed\n");
    }

    #[test]
    fn vitest_counts_and_names_what_failed() {
        let tally = tally(
            " \u{2713} |unit| test/unit/cursor.test.ts (11 tests) 3ms
 FAIL  |hub| test/hub/client.test.ts > over sse > publishes
      Tests  1 failed | 75 passed | 2 skipped (78)
   Start at  08:57:36",
        );
        assert_eq!(
            tally.to_string(),
            "These failed:\n  |hub| test/hub/client.test.ts > over sse > publishes\n75 passed, 1 failed\n"
        );
    }

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.observe(line));
        tally
    }
}
