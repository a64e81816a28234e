//! `[telemetry]`: what the process says about itself.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::address;
use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::shape::shape_of_words;
use super::share::Share;

section! {
    /// What the process says about itself: log lines on standard error, and spans to a collector.
    TelemetryConfig {
        /// From which level: "error", "warn", "info", "debug" or "trace"; or by part, as in "info,fanline_websocket=debug".
        log: String = "info".to_owned();
        /// "text" for people, "json" for machines.
        format: LogFormat = LogFormat::Text;
        /// The collector that takes spans of requests, publishes and commands, by OTLP over gRPC: http://host:port, or https://
        /// for TLS. Not set: there are no spans. docs/tracing.md says more.
        otlp: Option<String> = None, like r#""http://127.0.0.1:4317""#;
        /// The share of traces that are exported, from 0 to 1, of those that begin at the hub. A client that sends a
        /// trace context has decided for its own.
        sample_ratio: Share = Share::ALL;
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

shape_of_words!(LogFormat);

/// `[telemetry]`, checked.
#[derive(Debug)]
pub(crate) struct TelemetrySettings {
    pub(crate) filter: EnvFilter,
    pub(crate) format: LogFormat,
    /// None: there are no spans.
    pub(crate) spans: Option<SpanSettings>,
}

/// Where spans go, and which.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpanSettings {
    /// The address, as the configuration says it.
    pub(crate) collector: String,
    pub(crate) is_tls: bool,
    /// From 0 to 1.
    pub(crate) sample_ratio: f64,
}

impl TelemetryConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> TelemetrySettings {
        let filter = self.filter().unwrap_or_else(|fault| {
            let remedy = "must be a level such as \"info\", or levels by part such as \"info,fanline_websocket=debug\"";
            checker.refuse(&Path::of(&["telemetry", "log"]), format!("{remedy}: {fault}"));
            EnvFilter::default()
        });
        let path = Path::of(&["telemetry"]);
        let url = self.otlp.as_ref().and_then(|text| {
            address::check(text, &path.key("otlp"), "http://127.0.0.1:4317", checker)
        });
        let spans = self.otlp.clone().zip(url).map(|(collector, url)| SpanSettings {
            collector,
            is_tls: url.scheme_str() == Some("https"),
            sample_ratio: self.sample_ratio.get(),
        });
        TelemetrySettings { filter, format: self.format, spans }
    }

    /// What is logged, or what is wrong with it.
    fn filter(&self) -> Result<EnvFilter, String> {
        let words = self.log.split(',');
        // A word by itself could be the name of a part, all of which is logged and nothing else. A slip in a level would
        // silence the hub that way.
        let is_level =
            |word: &&str| word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
        if let Some(word) = words.filter(|word| !word.is_empty()).find(|word| !is_level(word)) {
            return Err(format!("'{word}' is no level"));
        }
        EnvFilter::try_new(&self.log).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_level_is_told_and_does_not_silence_the_hub() {
        let filter = |log: &str| TelemetryConfig { log: log.into(), ..Default::default() }.filter();
        for log in
            ["info", "WARN", "off", "", "info,fanline_websocket=debug", "fanline[join]=trace"]
        {
            assert!(filter(log).is_ok(), "{log}");
        }
        assert_eq!(filter("inof").unwrap_err(), "'inof' is no level");
        assert_eq!(
            filter("info,fanline_websocket").unwrap_err(),
            "'fanline_websocket' is no level"
        );
        assert!(filter("loud=noise").is_err());
    }
}
