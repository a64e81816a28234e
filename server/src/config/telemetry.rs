//! `[telemetry]`: what the process says about itself.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::shape::shape_of_words;

section! {
    /// What the process says about itself, on standard error.
    TelemetryConfig {
        /// From which level: "error", "warn", "info", "debug" or "trace"; or by part, as in "info,fanline_websocket=debug".
        log: String = "info".to_owned();
        /// "text" for people, "json" for machines.
        format: LogFormat = LogFormat::Text;
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
}

impl TelemetryConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> TelemetrySettings {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|error| {
            let remedy = "must be a level such as \"info\", or levels by part such as \"info,fanline_websocket=debug\"";
            checker.refuse(&Path::of(&["telemetry", "log"]), format!("{remedy}: {error}"));
            EnvFilter::default()
        });
        TelemetrySettings { filter, format: self.format }
    }
}
