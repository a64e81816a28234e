//! A mistake that reading found, kept in parts until its sentence is made.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::error::ConfigError;
use super::origin::Origin;
use super::path::Path;

/// What went wrong and, once known, where.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Kind,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    path: Path,
    origin: Option<Origin>,
}

#[derive(Debug)]
enum Kind {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    Wrong {
        found: String,
        expected: String,
    },
    /// A sentence that only lacks its subject.
    Other(String),
    /// An error that is complete already.
    Told(ConfigError),
}

impl Fault {
    /// A value other than a word where one word of several is wanted.
    pub(crate) fn not_a_word() -> Self {
        Kind::Other("must be one word in quotes".to_owned()).into()
    }

    /// An error that already says all.
    pub(crate) fn told(error: ConfigError) -> Self {
        Kind::Told(error).into()
    }

    /// Places the fault, unless something further inside did.
    pub(crate) fn at(mut self, path: &Path, origin: Option<&Origin>) -> Self {
        self.place.get_or_insert_with(|| Place { path: path.clone(), origin: origin.cloned() });
        self
    }

    /// What could have stood there instead, where that is one word or key of several.
    pub(crate) fn known(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::UnknownKey { known, .. } | Kind::UnknownWord { known, .. } => known,
            Kind::Wrong { .. } | Kind::Other(_) | Kind::Told(_) => &[],
        }
    }

    /// The finished sentence.
    pub(crate) fn into_error(self) -> ConfigError {
        let (path, origin) =
            self.place.map_or_else(Default::default, |place| (place.path, place.origin));
        let sentence = match self.kind {
            Kind::UnknownKey { key, known } => {
                format!("unknown key '{key}' {}; {}", path.inside(), suggestion(&key, known))
            }
            Kind::UnknownWord { word, known } => {
                format!("{} cannot be \"{word}\"; {}", path.value(), suggestion(&word, known))
            }
            Kind::Wrong { found, expected } => {
                format!("{} must be {expected}, not {found}", path.value())
            }
            Kind::Other(predicate) => format!("{} {predicate}", path.value()),
            Kind::Told(error) => return error,
        };
        ConfigError::new(origin, sentence)
    }
}

/// The nearest known word when one is near, else all of them.
fn suggestion(word: &str, known: &[&str]) -> String {
    // Half of the letters may differ: more is no slip of the pen.
    let near = |candidate: &&&str| {
        strsim::osa_distance(word, candidate) <= word.chars().count().div_ceil(2)
    };
    let nearest =
        known.iter().min_by_key(|candidate| strsim::osa_distance(word, candidate)).filter(near);
    match nearest {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!("it can be {}", listed(known)),
    }
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// The words of serde and Rust for what is wanted, in the words of TOML.
fn plain(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a string" => "text in quotes",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        other => other,
    }
}

/// What was found. Text is told only where the caller knows that it is no secret; numbers are told nowhere, since a
/// secret may look like one.
fn found(unexpected: Unexpected<'_>, text_is_told: bool) -> String {
    let what = match unexpected {
        Unexpected::Str(text) if text_is_told => return format!("\"{text}\""),
        Unexpected::Str(_) => "text",
        Unexpected::Bool(value) => return value.to_string(),
        Unexpected::Signed(..0) => "a negative number",
        Unexpected::Signed(_) | Unexpected::Unsigned(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        Unexpected::Char(_)
        | Unexpected::Bytes(_)
        | Unexpected::Unit
        | Unexpected::Option
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => "something else",
    };
    what.to_owned()
}

impl From<Kind> for Fault {
    fn from(kind: Kind) -> Self {
        Fault { kind, place: None }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(predicate: T) -> Self {
        Kind::Other(predicate.to_string()).into()
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain(&expected.to_string()).to_owned();
        Kind::Wrong { found: found(unexpected, false), expected }.into()
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain(&expected.to_string()).to_owned();
        Kind::Wrong { found: found(unexpected, true), expected }.into()
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Kind::UnknownKey { key: key.to_owned(), known }.into()
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Kind::UnknownWord { word: word.to_owned(), known }.into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_lists_all() {
        let known = ["history_size", "history_ttl", "lag"];
        assert_eq!(suggestion("histroy_size", &known), "did you mean 'history_size'?");
        assert_eq!(suggestion("shoe", &known), "it can be 'history_size', 'history_ttl' or 'lag'");
    }
}
