//! `catalog.toml`: the channels, and what holds for the whole catalog.

use super::address::Address;
use super::channel::{Audience, ChannelDefinition, Parameter, Transport, Visibility};
use super::error::CatalogError;
use super::info::{Compatibility, Enforcement, EnforcementDefaults, Info};
use super::source::{Place, Source};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The file without which a folder is no catalog.
pub(super) const FILE: &str = "catalog.toml";

/// What `catalog.toml` says, checked.
pub(super) struct Manifest {
    pub(super) info: Info,
    pub(super) channels: Vec<ChannelDefinition>,
    pub(super) enforcement: EnforcementDefaults,
    pub(super) compatibility: Compatibility,
}

impl Manifest {
    /// Reads it; complaints go to `errors`. None: nothing in it can be used.
    pub(super) fn read(source: &Source, errors: &mut Vec<CatalogError>) -> Option<Self> {
        let Some(text) = source.file(FILE) else {
            let message = format!("there is no {FILE}; it names the catalog and its channels");
            errors.push(CatalogError::new(source.place("", 0), message));
            return None;
        };
        let place = |span: Range<usize>| source.place(FILE, line_of(text, span.start));
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                let place = error.span().map_or_else(|| source.place(FILE, 0), place);
                errors.push(CatalogError::new(place, error.message()));
                return None;
            }
        };
        // In the order in which they are written, which is the order in which readers see them.
        let mut tables: Vec<_> = document.channels.into_iter().collect();
        tables.sort_by_key(|(id, _)| id.span().start);
        let mut channels: Vec<ChannelDefinition> = Vec::new();
        for (id, table) in tables {
            let place = place(id.span());
            match table.into_channel(id.into_inner(), place.clone()) {
                Ok(channel) => match channels
                    .iter()
                    .find(|other| other.address.as_str() == channel.address.as_str())
                {
                    Some(twin) => {
                        let message = format!(
                            "the address `{}` is that of channel `{}` already; name the events of both in one channel",
                            twin.address, twin.id
                        );
                        errors.push(CatalogError::new(place, message));
                    }
                    None => channels.push(channel),
                },
                Err(message) => errors.push(CatalogError::new(place, message)),
            }
        }
        Some(Manifest {
            info: document.info,
            channels,
            enforcement: document.enforcement.into(),
            compatibility: document.compatibility.mode,
        })
    }
}

/// The line of a byte.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|&&byte| byte == b'\n').count()
}

/// Whether a name can stand for a channel or an event in documents.
pub(super) fn is_id(name: &str) -> bool {
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.bytes().all(proper)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    info: Info,
    #[serde(default)]
    channels: BTreeMap<Spanned<String>, ChannelTable>,
    #[serde(default)]
    enforcement: EnforcementTable,
    #[serde(default)]
    compatibility: CompatibilityTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelTable {
    address: String,
    title: Option<String>,
    description: Option<String>,
    transports: Option<Vec<Transport>>,
    #[serde(default)]
    visibility: Visibility,
    #[serde(default)]
    auth: AuthTable,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, ParameterTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AuthTable {
    subscribe: Audience,
    publish: Audience,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterTable {
    description: Option<String>,
    pattern: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    examples: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EnforcementTable {
    default: Option<EnforcementWord>,
    unknown: Option<EnforcementWord>,
}

impl From<EnforcementTable> for EnforcementDefaults {
    fn from(table: EnforcementTable) -> Self {
        let default = table.default.map_or(EnforcementDefaults::default().default, Into::into);
        EnforcementDefaults { default, unknown: table.unknown.map_or(default, Into::into) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompatibilityTable {
    mode: Compatibility,
}

/// [`Enforcement`], as it is written.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EnforcementWord {
    Strict,
    Warn,
    Off,
}

impl From<EnforcementWord> for Enforcement {
    fn from(word: EnforcementWord) -> Self {
        match word {
            EnforcementWord::Strict => Enforcement::Strict,
            EnforcementWord::Warn => Enforcement::Warn,
            EnforcementWord::Off => Enforcement::Off,
        }
    }
}

impl ChannelTable {
    fn into_channel(mut self, id: String, place: Place) -> Result<ChannelDefinition, String> {
        if !is_id(&id) {
            return Err(format!(
                "`{id}` cannot be the id of a channel: use letters, digits, '_', '-' and '.'"
            ));
        }
        // The address alone first: its parameters tell which descriptions belong to it.
        let bare = Address::new(&self.address, &[]).map_err(|error| error.to_string())?;
        let parameters: Vec<_> = bare
            .parameters()
            .iter()
            .map(|name| {
                let table = self.parameters.remove(name);
                table.map_or_else(
                    || Parameter::undescribed(name),
                    |table| table.into_parameter(name),
                )
            })
            .collect();
        if let Some(name) = self.parameters.keys().next() {
            return Err(format!(
                "the address `{}` has no parameter `{name}`; write `{{{name}}}` in it or drop the section",
                self.address
            ));
        }
        let address =
            Address::new(&self.address, &parameters).map_err(|error| error.to_string())?;
        for parameter in &parameters {
            for example in &parameter.examples {
                let value = |name: &str| {
                    let other = parameters.iter().find(|other| other.name == name);
                    if name == parameter.name {
                        Some(example.clone())
                    } else {
                        other.and_then(Parameter::sample)
                    }
                };
                // Without a sample of the others there is no whole name to try.
                if let Err(name) = address.fill(value)
                    && !parameters.iter().any(|other| other.name == name)
                {
                    return Err(format!(
                        "the example `{example}` of parameter `{}` does not match it",
                        parameter.name
                    ));
                }
            }
        }
        let transports = self.transports.unwrap_or_else(|| Transport::ALL.to_vec());
        if transports.is_empty() {
            return Err(
                "`transports` is empty; drop it for all, or the channel if there is no way to it"
                    .to_owned(),
            );
        }
        Ok(ChannelDefinition {
            title: self.title.unwrap_or_else(|| id.clone()),
            id,
            address,
            description: self.description,
            parameters,
            transports,
            visibility: self.visibility,
            subscribe: self.auth.subscribe,
            publish: self.auth.publish,
            tags: self.tags,
            place,
        })
    }
}

impl ParameterTable {
    fn into_parameter(self, name: &str) -> Parameter {
        Parameter {
            name: name.to_owned(),
            description: self.description,
            pattern: self.pattern,
            values: self.values,
            examples: self.examples,
        }
    }
}

impl Parameter {
    fn undescribed(name: &str) -> Self {
        Parameter {
            name: name.to_owned(),
            description: None,
            pattern: None,
            values: Vec::new(),
            examples: Vec::new(),
        }
    }

    /// A value to show, if the catalog has one.
    #[must_use]
    pub fn sample(&self) -> Option<String> {
        self.examples.first().or(self.values.first()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Manifest>, Vec<CatalogError>) {
        let mut errors = Vec::new();
        let manifest = Manifest::read(&Source::of("c", [(FILE, text)]), &mut errors);
        (manifest, errors)
    }

    #[test]
    fn channels_keep_the_order_of_the_file() {
        let text = "[info]\ntitle = 'T'\n[channels.z]\naddress = 'z:{x}'\n[channels.a]\naddress = 'a'\n[channels.z.parameters.x]\nexamples = ['1']\n";
        let (manifest, errors) = read(text);
        assert_eq!(errors, []);
        let channels = manifest.unwrap().channels;
        assert_eq!(
            channels.iter().map(|channel| channel.id.as_str()).collect::<Vec<_>>(),
            ["z", "a"]
        );
        assert_eq!(channels[0].parameters[0].sample().as_deref(), Some("1"));
        assert_eq!(channels[0].place.line, 3);
        assert_eq!(channels[1].transports, Transport::ALL);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let table = [
            ("titel = 1", 1, "unknown field"),
            ("[info]\ntitle = 'T'\n[channels.a]\nadress = 'a'", 4, "unknown field `adress`"),
            ("[info]\ntitle = 'T'\n\n[channels.a]\naddress = '{x}:a'", 4, "has no parameters"),
            (
                "[info]\ntitle = 'T'\n[channels.a]\naddress = 'a'\ntransports = ['smoke']",
                5,
                "unknown variant `smoke`",
            ),
            (
                "[info]\ntitle = 'T'\n[channels.a]\naddress = 'a'\n[channels.a.parameters.x]",
                3,
                "has no parameter `x`",
            ),
            (
                "[info]\ntitle = 'T'\n[channels.a]\naddress = 'a'\n[channels.b]\naddress = 'a'",
                5,
                "that of channel `a` already",
            ),
            (
                "[info]\ntitle = 'T'\n[channels.a]\naddress = 'a:{x}'\n[channels.a.parameters.x]\npattern='[0-9]'\nexamples=['y']",
                3,
                "does not match it",
            ),
            ("[info]\ntitle = 'T'\n[enforcement]\ndefault = 'stern'", 4, "unknown variant `stern`"),
        ];
        for (text, line, message) in table {
            let (_, errors) = read(text);
            let [error] = errors.as_slice() else { panic!("{text}: {errors:?}") };
            assert!(error.message.contains(message), "{error}");
            assert_eq!(error.place.line, line, "{error}");
        }
    }
}
