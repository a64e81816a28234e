//! A section of the configuration, declared once: keys, what they mean, their defaults.
//!
//! From one declaration come the struct that is read, its `Default`, and the manual that `fanline config default` prints.

use serde::Serialize;

/// What the manual knows of a section.
pub(crate) trait Section: Default + Serialize {
    /// What the section is for, a line each.
    const ABOUT: &'static [&'static str];
    /// Its keys, in the order of the manual.
    const KEYS: &'static [Key];
}

/// What the manual knows of a key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What it means, a line each.
    pub(crate) about: &'static [&'static str],
    /// A value as TOML, for a key without a default.
    pub(crate) example: Option<&'static str>,
}

/// Declares a section. After a key's type comes its default; after `like`, an example as TOML for a key whose default says
/// nothing.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $key_about:literal])+ $key:ident: $kind:ty = $default:expr $(, like $example:literal)?; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields, expecting = "a table")]
        pub(crate) struct $name {
            $( $(#[doc = $key_about])+ pub(crate) $key: $kind, )+
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $key: $default, )+ }
            }
        }

        impl $crate::config::section::Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const KEYS: &'static [$crate::config::section::Key] = &[
                $( $crate::config::section::Key {
                    name: stringify!($key),
                    about: &[$($key_about),+],
                    example: $crate::config::section::example!($($example)?),
                }, )+
            ];
        }
    };
}

/// The optional example of a key.
macro_rules! example {
    () => {
        None
    };
    ($example:literal) => {
        Some($example)
    };
}

pub(crate) use {example, section};
