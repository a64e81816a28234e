//! Turns the tree of written values into sections: a serde deserializer whose errors know where they are.
//!
//! The usual way, through `toml::from_str`, forgets the line once values from the environment are laid over the file, and
//! says what is wrong in the words of Rust. Here a mistake keeps its structure until the sentence is made, in
//! [`fault`](super::fault).

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::document::{Node, Value};
use super::error::ConfigError;
use super::fault::Fault;
use super::origin::Origin;
use super::path::Path;

/// Reads a whole configuration.
///
/// # Errors
/// The first key that is unknown or holds something else than it should.
pub(crate) fn read<T: DeserializeOwned>(tree: &Node) -> Result<T, ConfigError> {
    let reader = Reader { node: tree, path: Path::default() };
    T::deserialize(reader).map_err(Fault::into_error)
}

/// Reads one value.
struct Reader<'a> {
    node: &'a Node,
    path: Path,
}

impl Reader<'_> {
    /// Runs the visitor on a node; what goes wrong and is not placed yet went wrong here.
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Reader { node, path } = self;
        match &node.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) | Value::Raw(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items { items, path: &path, next: 0 }),
            Value::Table(entries) => visitor.visit_map(Entries { entries, path: &path, next: 0 }),
        }
        .map_err(|fault| fault.at(&path, node.origin.as_ref()))
    }

    /// Reads the text of an environment variable as TOML; other values stay as they are.
    fn visit_parsed<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.toml_value() {
            Some(Ok(node)) => Reader { node: &node, path: self.path }.visit(visitor),
            Some(Err(error)) => Err(Fault::told(error)),
            None => self.visit(visitor),
        }
    }

    fn toml_value(&self) -> Option<Result<Node, ConfigError>> {
        match (&self.node.value, &self.node.origin) {
            (Value::Raw(text), Some(Origin::Environment { variable })) => {
                Some(Node::from_toml_value(text, variable))
            }
            _ => None,
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    /// For keys that take several kinds of value. What an environment variable says is TOML when it can be (`256`,
    /// `true`), else text (`64KiB`).
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.toml_value() {
            Some(Ok(node)) => Reader { node: &node, path: self.path }.visit(visitor),
            Some(Err(_)) | None => self.visit(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit_parsed(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit_parsed(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.visit_parsed(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Reader { node, path } = self;
        match &node.value {
            Value::Text(word) | Value::Raw(word) => visitor.visit_enum(Word(word)),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Table(_) => Err(Fault::not_a_word()),
        }
        .map_err(|fault| fault.at(&path, node.origin.as_ref()))
    }

    /// A key that stands there has a value: absence is the default, which serde fills in.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

/// The values of a list.
struct Items<'a> {
    items: &'a [Node],
    path: &'a Path,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.items.get(self.next) else { return Ok(None) };
        let path = self.path.item(self.next);
        self.next += 1;
        seed.deserialize(Reader { node, path }).map(Some)
    }
}

/// The keys and values of a table.
struct Entries<'a> {
    entries: &'a [(String, Node)],
    path: &'a Path,
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.entries.get(self.next) else { return Ok(None) };
        // An unknown key stands at its own line, in this table.
        let key = seed
            .deserialize(Word(key))
            .map_err(|fault| fault.at(self.path, node.origin.as_ref()))?;
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, node) = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(Reader { node, path: self.path.key(key) })
    }
}

/// A bare word: a key, or the chosen word of an enum.
struct Word<'a>(&'a str);

impl<'de> Deserializer<'de> for Word<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = Fault;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NoContent), Fault> {
        Ok((seed.deserialize(self)?, NoContent))
    }
}

/// What follows the chosen word of an enum: nothing, since none of ours carries more.
struct NoContent;

impl<'de> serde::de::VariantAccess<'de> for NoContent {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Fault> {
        Err(Fault::not_a_word())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Fault> {
        Err(Fault::not_a_word())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::not_a_word())
    }
}
