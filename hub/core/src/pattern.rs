//! Patterns over channel names, as tokens and API keys carry them.

use crate::limits::CHANNEL_NAME_BYTES;
use std::fmt;
use std::str::FromStr;

/// A pattern in which `*` matches any run of characters, also none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(Box<str>);

/// A pattern longer than any name that it could match.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a pattern has 1 to {CHANNEL_NAME_BYTES} bytes")]
pub struct PatternError;

impl Pattern {
    /// The pattern that matches everything.
    #[must_use]
    pub fn any() -> Self {
        Pattern("*".into())
    }

    /// Whether the whole of `name` matches. Linear in practice: a star never needs more than one retry per byte.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go back to when a literal fails: after the last star, with that star one byte longer.
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, n));
                }
                Some(&byte) if byte == name[n] => {
                    p += 1;
                    n += 1;
                }
                Some(_) | None => match retry {
                    Some((after_star, from)) => {
                        (p, n) = (after_star, from + 1);
                        retry = Some((after_star, n));
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > CHANNEL_NAME_BYTES {
            return Err(PatternError);
        }
        Ok(Pattern(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_matches_any_run_and_the_rest_matches_itself() {
        let table = [
            ("news", "news", true),
            ("news", "new", false),
            ("news", "newsy", false),
            ("*", "", true),
            ("chat:*", "chat:", true),
            ("chat:*", "chat:a:b", true),
            ("chat:*", "chatty", false),
            ("*:admin", "a:b:admin", true),
            ("a*b*c", "aXXbYYbZc", true),
            ("a*b*c", "aXXbYYbZ", false),
            ("**", "x", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                pattern.parse::<Pattern>().unwrap().matches(name),
                expected,
                "{pattern} on {name}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_obvious_recursion(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            fn obvious(pattern: &[u8], name: &[u8]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some((b'*', rest)) => (0..=name.len()).any(|n| obvious(rest, &name[n..])),
                    Some((byte, rest)) => name.first() == Some(byte) && obvious(rest, &name[1..]),
                }
            }
            let parsed: Pattern = pattern.parse().unwrap();
            prop_assert_eq!(parsed.matches(&name), obvious(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
