//! The counters at `/metrics`.

use std::net::SocketAddr;

use fanline_test_redis::until;

use crate::raw_http::get;

/// One scrape.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    pub(crate) async fn scrape(ops: SocketAddr) -> Self {
        let answer = get(ops, "/metrics").await;
        assert_eq!(answer.status, 200, "/metrics answers {}", answer.head);
        Self(answer.body)
    }

    /// Waits until a [sum](Self::sum) is so much.
    pub async fn until(ops: SocketAddr, name: &str, labels: &str, value: f64) {
        until(&format!("{name} at {value}"), async || {
            Self::scrape(ops).await.sum(name, labels) == value
        })
        .await;
    }

    /// The sum of all series of one metric whose labels contain `labels`, such as `reason="RATE_LIMITED"`.
    ///
    /// # Panics
    ///
    /// When there is no such metric at all: a test that watches a misspelt counter would pass for ever.
    pub fn sum(&self, name: &str, labels: &str) -> f64 {
        let series: Vec<(&str, f64)> = self
            .0
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
            .collect();
        assert!(!series.is_empty(), "no metric {name} in\n{}", self.0);
        series.iter().filter(|(series, _)| series.contains(labels)).map(|(_, value)| value).sum()
    }

    /// The exposition as served.
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_takes_the_series_of_one_metric_that_match() {
        let text = "# TYPE fanline_a counter\nfanline_a_total{reason=\"x\"} 2\nfanline_a_total{reason=\"y\"} 3\nfanline_a_totals 9\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!(metrics.sum("fanline_a_total", ""), 5.0);
        assert_eq!(metrics.sum("fanline_a_total", "reason=\"y\""), 3.0);
    }
}
