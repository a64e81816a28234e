//! The manual: the complete configuration with all defaults, as TOML to start from.
//!
//! Comments start with `# `. A line that starts with `#` alone is a key to be filled in: taking the `#` away leaves TOML.

use std::fmt::Write as _;

use super::api_keys::ApiKeyConfig;
use super::broker::BrokerConfig;
use super::catalog::CatalogConfig;
use super::certificates::CertificateConfig;
use super::docs::DocsConfig;
use super::drain::DrainConfig;
use super::grpc::GrpcConfig;
use super::handlers::HandlerConfig;
use super::history::HistoryConfig;
use super::jwks::JwksConfig;
use super::limits::LimitsConfig;
use super::namespaces::NamespaceConfig;
use super::ops::OpsConfig;
use super::public::PublicConfig;
use super::section::Section;
use super::telemetry::TelemetryConfig;
use super::tls::TlsConfig;
use super::tokens::{TokenKeyConfig, TokensConfig};

const INTRODUCTION: &str = "\
# The configuration of Fanline, complete, with its defaults.
#
# Every key can also be set in the environment, where it wins: FANLINE_<SECTION>__<KEY>, as in
# FANLINE_PUBLIC__LISTEN=0.0.0.0:8080. A secret may be env:NAME or file:/path instead of the secret itself; a relative path
# starts at the folder of this file.
#
# An editor completes, explains and checks it after `fanline config schema > fanline.schema.json`, with this as its first
# line: `#:schema ./fanline.schema.json`.
";

/// The manual.
pub(crate) fn manual() -> String {
    let mut manual = INTRODUCTION.to_owned();
    section::<PublicConfig>(&mut manual, "[public]", Use::AsIs);
    section::<GrpcConfig>(&mut manual, "[grpc]", Use::AsIs);
    section::<CertificateConfig>(&mut manual, "[[grpc.certificates]]", Use::FillIn);
    section::<OpsConfig>(&mut manual, "[ops]", Use::AsIs);
    section::<TlsConfig>(&mut manual, "[tls]", Use::AsIs);
    section::<BrokerConfig>(&mut manual, "[broker]", Use::AsIs);
    section::<TokensConfig>(&mut manual, "[tokens]", Use::AsIs);
    section::<TokenKeyConfig>(&mut manual, "[[tokens.keys]]", Use::FillIn);
    section::<JwksConfig>(&mut manual, "[tokens.jwks]", Use::FillIn);
    section::<ApiKeyConfig>(&mut manual, "[[api_keys]]", Use::FillIn);
    section::<HistoryConfig>(&mut manual, "[history]", Use::AsIs);
    section::<NamespaceConfig>(&mut manual, "[namespaces.chat]", Use::FillIn);
    section::<CatalogConfig>(&mut manual, "[catalog]", Use::AsIs);
    section::<HandlerConfig>(&mut manual, "[handlers.\"chat.*\"]", Use::FillIn);
    section::<DocsConfig>(&mut manual, "[docs]", Use::AsIs);
    section::<LimitsConfig>(&mut manual, "[limits]", Use::AsIs);
    section::<DrainConfig>(&mut manual, "[drain]", Use::AsIs);
    section::<TelemetryConfig>(&mut manual, "[telemetry]", Use::AsIs);
    manual
}

/// Whether a section is there by default, or an example to be filled in.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Use {
    AsIs,
    FillIn,
}

fn section<S: Section>(manual: &mut String, header: &str, usage: Use) {
    let defaults = toml::Table::try_from(S::default()).expect("sections hold only what TOML can");
    manual.push('\n');
    comment(manual, S::ABOUT);
    line(manual, usage, header);
    for key in S::KEYS {
        let name = key.name();
        let (usage, value) = match (key.example, defaults.get(name)) {
            (Some(example), _) => (Use::FillIn, example.to_owned()),
            (None, Some(default)) if !is_empty_list(default) => (usage, default.to_string()),
            // A section of its own, which follows.
            (None, _) => continue,
        };
        manual.push('\n');
        comment(manual, key.about);
        line(manual, usage, &format!("{name} = {value}"));
    }
}

fn is_empty_list(value: &toml::Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn comment(manual: &mut String, lines: &[&str]) {
    for text in lines {
        // Writing to a `String` cannot fail.
        let _ = writeln!(manual, "# {}", text.trim_start());
    }
}

fn line(manual: &mut String, usage: Use, text: &str) {
    let mark = if usage == Use::FillIn { "#" } else { "" };
    let _ = writeln!(manual, "{mark}{text}");
}

/// The manual with every key filled in by its example.
#[cfg(test)]
pub(crate) fn filled_in() -> String {
    let filled = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|letter: char| letter == '[' || letter.is_alphabetic()) => {
            key.to_owned()
        }
        _ => line.to_owned(),
    };
    manual().lines().map(filled).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::document::Node;
    use crate::config::reader;

    fn read(text: &str) -> Config {
        reader::read(&Node::from_toml(text, "manual.toml").unwrap()).unwrap()
    }

    #[test]
    fn the_manual_as_it_stands_is_the_default_configuration() {
        assert_eq!(read(&manual()), Config::default());
    }

    #[test]
    fn every_key_of_every_section_is_in_it_with_a_value_that_can_be_read() {
        let config = read(&filled_in());
        let written: toml::Table = filled_in().parse().unwrap();
        // What was read is written out again: no key may be there that the manual does not name.
        let complete = toml::Table::try_from(&config).unwrap();
        assert_eq!(keys("", &toml::Value::Table(written)), keys("", &toml::Value::Table(complete)));
    }

    fn keys(path: &str, value: &toml::Value) -> Vec<String> {
        if let Some(table) = value.as_table() {
            return table
                .iter()
                .flat_map(|(key, value)| keys(&format!("{path}.{key}"), value))
                .collect();
        }
        match value.as_array() {
            Some(items) if items.iter().any(toml::Value::is_table) => {
                items.iter().flat_map(|item| keys(path, item)).collect()
            }
            _ => vec![path.to_owned()],
        }
    }
}
