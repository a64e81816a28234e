//! The address of a channel: a name with parameters in it, such as `chat:{room}`.

use super::channel::Parameter;
use fanline_core::ChannelName;
use fanline_core::channel::DEFAULT_NAMESPACE;
use regex::Regex;
use std::fmt;

/// What a parameter without a pattern of its own matches: one part of the name.
const ANY_PART: &str = "[^:]+";
/// A compiled address is small; this keeps a hostile pattern from growing.
const REGEX_BYTES: usize = 256 * 1024;

/// A channel name with parameters in it, such as `chat:{room}`. The namespace has none: options belong to it.
#[derive(Clone, Debug)]
pub struct Address {
    text: String,
    parameters: Vec<String>,
    regex: Regex,
}

/// Why a text is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// A brace without its other half, or a parameter without a proper name.
    #[error(
        "`{0}` is no address: a parameter is a name of letters, digits and `_` in braces, such as `chat:{{room}}`"
    )]
    Syntax(String),
    /// The same parameter twice.
    #[error("`{{{0}}}` stands twice in the address")]
    Repeated(String),
    /// A parameter in front of the first colon.
    #[error("the namespace, in front of the first colon, has no parameters")]
    InNamespace,
    /// What is left without the parameters could not be part of a channel name.
    #[error("no channel can have this address: {0}")]
    Name(String),
    /// A pattern that is no regular expression.
    #[error("the pattern of `{parameter}` is no regular expression: {message}")]
    Pattern {
        /// Whose pattern.
        parameter: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Address {
    /// Reads an address; `parameters` describe those that it names, others match any part of a name.
    ///
    /// # Errors
    /// What is wrong with the text or with a pattern.
    pub fn new(text: &str, parameters: &[Parameter]) -> Result<Self, AddressError> {
        let pieces = pieces(text)?;
        let mut names: Vec<String> = Vec::new();
        let mut regex = String::from("^");
        for piece in &pieces {
            match *piece {
                Piece::Literal(literal) => regex.push_str(&regex::escape(literal)),
                Piece::Parameter(name) => {
                    if names.iter().any(|known| known == name) {
                        return Err(AddressError::Repeated(name.to_owned()));
                    }
                    names.push(name.to_owned());
                    let described = parameters.iter().find(|parameter| parameter.name == name);
                    regex.push_str(&group(name, described)?);
                }
            }
        }
        regex.push('$');
        check_name(text, &pieces)?;
        let built = regex::RegexBuilder::new(&regex).size_limit(REGEX_BYTES).build();
        let regex = built.map_err(|error| AddressError::Pattern {
            parameter: names.join("`, `"),
            message: error.to_string(),
        })?;
        Ok(Address { text: text.to_owned(), parameters: names, regex })
    }

    /// The address as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, in the order of the address.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The namespace that all channels of this address are in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text.split_once(':').map_or(DEFAULT_NAMESPACE, |(namespace, _)| namespace)
    }

    /// Whether a channel has this address.
    #[must_use]
    pub fn matches(&self, channel: &ChannelName) -> bool {
        self.regex.is_match(channel.as_str())
    }

    /// The channel that has this address with `value` for each parameter.
    ///
    /// # Errors
    /// The name of the parameter that `value` has nothing for, or the whole name when it is no channel of this address.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<ChannelName, String> {
        let mut name = String::new();
        for piece in pieces(&self.text).unwrap_or_default() {
            match piece {
                Piece::Literal(literal) => name.push_str(literal),
                Piece::Parameter(parameter) => {
                    name.push_str(&value(parameter).ok_or_else(|| parameter.to_owned())?);
                }
            }
        }
        let channel: ChannelName = name.parse().map_err(|_refusal| name.clone())?;
        if self.matches(&channel) { Ok(channel) } else { Err(name) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Literal(&'a str),
    Parameter(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, AddressError> {
    let syntax = || AddressError::Syntax(text.to_owned());
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(syntax)?;
        let proper = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(proper) || name.as_bytes()[0].is_ascii_digit() {
            return Err(syntax());
        }
        if literal.contains('}') {
            return Err(syntax());
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        pieces.push(Piece::Parameter(name));
        rest = after;
    }
    if rest.contains('}') || text.is_empty() {
        return Err(syntax());
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// What a parameter matches. Its pattern always speaks of the whole value, so anchors around it say nothing.
fn group(name: &str, parameter: Option<&Parameter>) -> Result<String, AddressError> {
    if let Some(parameter) = parameter
        && !parameter.values.is_empty()
    {
        let values: Vec<_> = parameter.values.iter().map(|value| regex::escape(value)).collect();
        return Ok(format!("(?:{})", values.join("|")));
    }
    let Some(pattern) = parameter.and_then(|parameter| parameter.pattern.as_deref()) else {
        return Ok(ANY_PART.to_owned());
    };
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = bare.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(bare);
    match regex::RegexBuilder::new(bare).size_limit(REGEX_BYTES).build() {
        Ok(_) => Ok(format!("(?:{bare})")),
        Err(error) => {
            Err(AddressError::Pattern { parameter: name.to_owned(), message: error.to_string() })
        }
    }
}

/// The address is a channel name once each parameter is replaced by one letter.
fn check_name(text: &str, pieces: &[Piece<'_>]) -> Result<(), AddressError> {
    if text.split_once(':').is_some_and(|(namespace, _)| namespace.contains('{')) {
        return Err(AddressError::InNamespace);
    }
    let name: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => literal,
            Piece::Parameter(_) => "x",
        })
        .collect();
    match name.parse::<ChannelName>() {
        Ok(_) => Ok(()),
        Err(refusal) => Err(AddressError::Name(refusal.message().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, pattern: Option<&str>, values: &[&str]) -> Parameter {
        Parameter {
            name: name.to_owned(),
            description: None,
            pattern: pattern.map(str::to_owned),
            values: values.iter().map(|&value| value.to_owned()).collect(),
            examples: Vec::new(),
        }
    }

    fn matches(address: &Address, channel: &str) -> bool {
        address.matches(&channel.parse().unwrap())
    }

    #[test]
    fn a_parameter_matches_one_part_of_a_name_or_its_own_pattern() {
        let plain = Address::new("chat:{room}", &[]).unwrap();
        assert!(matches(&plain, "chat:lobby") && matches(&plain, "chat:a.b"));
        assert!(
            !matches(&plain, "chat:")
                && !matches(&plain, "chat:a:b")
                && !matches(&plain, "chats:a")
        );

        let strict =
            Address::new("chat:{room}", &[parameter("room", Some("^[a-z]{1,4}$"), &[])]).unwrap();
        assert!(matches(&strict, "chat:ab") && !matches(&strict, "chat:abcde"));

        let listed =
            Address::new("ticker:{symbol}", &[parameter("symbol", None, &["A.B", "C"])]).unwrap();
        assert!(matches(&listed, "ticker:A.B") && !matches(&listed, "ticker:AxB"));
    }

    #[test]
    fn alternatives_in_a_pattern_stay_inside_their_parameter() {
        let address = Address::new("a:{x}:b", &[parameter("x", Some("one|two"), &[])]).unwrap();
        assert!(matches(&address, "a:two:b") && !matches(&address, "a:one"));
    }

    #[test]
    fn its_namespace_is_the_part_before_the_first_colon() {
        assert_eq!(Address::new("chat:{room}", &[]).unwrap().namespace(), "chat");
        assert_eq!(Address::new("news", &[]).unwrap().namespace(), "default");
    }

    #[test]
    fn filled_in_it_is_a_channel() {
        let address = Address::new("order:{id}:status", &[]).unwrap();
        assert_eq!(address.parameters(), ["id"]);
        assert_eq!(address.fill(|_| Some("7".into())).unwrap().as_str(), "order:7:status");
        assert_eq!(address.fill(|_| None).unwrap_err(), "id");
        assert_eq!(address.fill(|_| Some("a:b".into())).unwrap_err(), "order:a:b:status");
    }

    #[test]
    fn what_is_no_address_says_why() {
        let table = [
            ("", "is no address"),
            ("chat:{room", "is no address"),
            ("chat:room}", "is no address"),
            ("chat:{}", "is no address"),
            ("chat:{1}", "is no address"),
            ("chat:{a}{a}", "stands twice"),
            ("{ns}:room", "has no parameters"),
            ("chat:a b", "printable ASCII"),
        ];
        for (text, message) in table {
            let error = Address::new(text, &[]).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        let broken = Address::new("a:{x}", &[parameter("x", Some("["), &[])]).unwrap_err();
        assert!(matches!(broken, AddressError::Pattern { parameter, .. } if parameter == "x"));
    }
}
