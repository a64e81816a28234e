//! A section of the configuration, declared once: keys, what they mean, their defaults.
//!
//! From one declaration come the struct that is read, its `Default`, the manual that `fanline config default` prints, and the
//! schema of `fanline config schema`.

use serde::Serialize;

use super::shape::Object;

/// What manual and schema know of a section.
pub(crate) trait Section: Default + Serialize {
    /// What the section is for, a line each.
    const ABOUT: &'static [&'static str];
    /// Its keys, in the order of the manual.
    const KEYS: &'static [Key];
}

/// What manual and schema know of a key.
#[derive(Debug)]
pub(crate) struct Key {
    /// As Rust writes it: [`name`](Key::name) is the one of TOML.
    pub(crate) name: &'static str,
    /// What it means, a line each.
    pub(crate) about: &'static [&'static str],
    /// A value as TOML, for a key without a default.
    pub(crate) example: Option<&'static str>,
    /// How its values are written, for a sentence, where the schema alone does not say it.
    pub(crate) form: Option<&'static str>,
    /// The schema of its values.
    pub(crate) shape: fn() -> Object,
}

impl Key {
    /// The name as it is written in TOML.
    pub(crate) fn name(&self) -> &'static str {
        self.name.trim_start_matches("r#")
    }
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
                    form: <$kind as $crate::config::shape::Shape>::FORM,
                    shape: <$kind as $crate::config::shape::Shape>::shape,
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
