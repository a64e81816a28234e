//! The transcoder against `prost-reflect`, which reads any message slowly and in another way; and what the two do not share.
//!
//! That both are right is held against Python's protobuf, in `tests/tests/it/proto_json.rs`.

use super::{Plans, Transcoder};
use crate::Catalog;
use crate::catalog::Source;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage,
};
use prost_reflect::{SerializeOptions, Value as Proto};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

/// The message with a field of each kind.
struct EveryKind {
    descriptor: MessageDescriptor,
    transcoder: Transcoder,
}

static EVERY_KIND: LazyLock<EveryKind> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/every_kind");
    let catalog = Catalog::load(&Source::folder(&folder).unwrap()).unwrap();
    let pool = catalog.descriptors.unwrap();
    let name = "kinds.v1.EveryKind";
    EveryKind {
        descriptor: pool.get_message_by_name(name).unwrap(),
        transcoder: Transcoder::new(&Plans::new(&pool), name).unwrap(),
    }
});

impl EveryKind {
    fn ours(&self, body: &[u8]) -> Result<Value, (String, String, String)> {
        let json = self.transcoder.to_json(body);
        json.map_err(|fault| (fault.pointer, fault.rule.into_owned(), fault.message))
    }

    /// None: `prost-reflect` does not read it.
    fn theirs(&self, body: &[u8]) -> Option<Result<Value, serde_json::Error>> {
        let message = DynamicMessage::decode(self.descriptor.clone(), body).ok()?;
        let to_value = serde_json::value::Serializer;
        Some(message.serialize_with_options(to_value, &SerializeOptions::new()))
    }

    /// A message of which the fields with these names, dots between them, hold a value.
    fn with(&self, fields: &[(&str, Proto)]) -> DynamicMessage {
        let mut message = DynamicMessage::new(self.descriptor.clone());
        for (path, value) in fields {
            set(&mut message, path, value.clone());
        }
        message
    }
}

/// The same messages at each run. `PROPTEST_CASES` asks for more, never for fewer.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..default
    }
}

/// What decides on a message: see [`Choices`].
fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_message_is_written_as_prost_reflect_writes_it(choices in choices()) {
        let body = Choices::new(&choices).message(&EVERY_KIND.descriptor, 0).encode_to_vec();
        let theirs = EVERY_KIND.theirs(&body).unwrap().unwrap();
        prop_assert!(is_same(&EVERY_KIND.ours(&body).unwrap(), &theirs), "{theirs}");
    }

    #[test]
    fn what_comes_more_than_once_and_in_any_order_counts_as_one(
        first in choices(), second in choices(), turn: prop::sample::Index,
    ) {
        let of = |choices: &[u8]| Choices::new(choices).message(&EVERY_KIND.descriptor, 0);
        let messages = [of(&first), of(&second), of(&first)];
        let mut fields: Vec<_> = messages.iter().flat_map(by_field).collect();
        if !fields.is_empty() {
            let turn = turn.index(fields.len());
            fields.rotate_left(turn);
        }
        both_agree(&fields.concat())?;
    }

    #[test]
    fn damaged_bytes_are_refused_by_both_or_mean_the_same(
        choices in choices(), damage: Vec<(prop::sample::Index, u8)>, cut: prop::sample::Index,
    ) {
        let mut body = Choices::new(&choices).message(&EVERY_KIND.descriptor, 0).encode_to_vec();
        let length = body.len();
        if length > 0 && damage.is_empty() {
            body.truncate(cut.index(length));
        } else if length > 0 {
            damage.iter().take(3).for_each(|(place, byte)| body[place.index(length)] = *byte);
        }
        both_agree(&body)?;
    }
}

/// Whether a body means the same to both, or nothing.
fn both_agree(body: &[u8]) -> Result<(), TestCaseError> {
    match (EVERY_KIND.ours(body), EVERY_KIND.theirs(body)) {
        (Ok(ours), Some(Ok(theirs))) => prop_assert!(is_same(&ours, &theirs), "{ours} {theirs}"),
        (Ok(ours), theirs) => prop_assert!(false, "{ours} {theirs:?}"),
        (Err((_, rule, _)), None) => prop_assert_eq!(rule, "protobuf"),
        (Err(_), Some(Err(_))) => {}
        // What `prost-reflect` drops, or takes though it must not.
        (Err((pointer, rule, message)), Some(Ok(theirs))) => prop_assert!(
            ["unknownField", "range"].contains(&&*rule)
                || message.contains("expected LengthDelimited")
                || message.contains("google.protobuf.FieldMask")
                || message.contains("google.protobuf.Any"),
            "{pointer} {rule} {message} {theirs}"
        ),
    }
    Ok(())
}

#[test]
fn elements_come_packed_or_one_by_one() {
    let by_one = [0xa0, 1, 1, 0xa0, 1, 2];
    let packed = [0xa2, 1, 2, 3, 4];
    let body = [&by_one[..], &packed].concat();
    assert_eq!(EVERY_KIND.ours(&body).unwrap(), json!({"int64s": ["1", "2", "3", "4"]}));
}

#[test]
fn a_float_is_written_as_short_as_it_can_be() {
    let message = EVERY_KIND.with(&[("a_float", Proto::F32(0.1)), ("a_double", Proto::F64(0.1))]);
    let text = EVERY_KIND.ours(&message.encode_to_vec()).unwrap().to_string();
    assert_eq!(text, r#"{"aFloat":0.1,"aDouble":0.1}"#);
}

#[test]
fn a_zero_keeps_its_sign() {
    let body = [&[0x5d][..], &(-0.0_f32).to_le_bytes(), &[0x61], &(-0.0_f64).to_le_bytes()];
    let text = EVERY_KIND.ours(&body.concat()).unwrap().to_string();
    assert_eq!(text, r#"{"aFloat":-0.0,"aDouble":-0.0}"#);
}

#[test]
fn a_wrapper_may_hold_what_is_no_number() {
    let message = EVERY_KIND.with(&[("double_value.value", Proto::F64(f64::NAN))]);
    let json = EVERY_KIND.ours(&message.encode_to_vec()).unwrap();
    assert_eq!(json, json!({"doubleValue": "NaN"}));
}

#[test]
fn a_fault_names_the_value_and_the_rule() {
    let unknown = [0x9a, 0x3f, 0];
    let any = |value: &[u8]| {
        let name = "type.googleapis.com/kinds.v1.EveryKind.Inner".to_owned();
        [("any.type_url", Proto::String(name)), ("any.value", Proto::Bytes(value.to_vec().into()))]
    };
    let time = |name, seconds| EVERY_KIND.with(&[(name, Proto::I64(seconds))]).encode_to_vec();
    let itself = |levels: usize| {
        let head = |inner: &[u8]| {
            let mut out = Vec::new();
            prost::encoding::encode_key(50, prost::encoding::WireType::LengthDelimited, &mut out);
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            [&out, inner].concat()
        };
        (0..levels).fold(Vec::new(), |inner, _| head(&inner))
    };
    let itself_deep = "/itself".repeat(crate::limits::JSON_DEPTH);
    let table: [(Vec<u8>, &str, &str); 11] = [
        (unknown.to_vec(), "", "unknownField"),
        (EVERY_KIND.with(&any(&unknown)).encode_to_vec(), "/any", "unknownField"),
        (EVERY_KIND.with(&any(&[1])).encode_to_vec(), "/any", "protobuf"),
        (EVERY_KIND.with(&any(&[])[1..]).encode_to_vec(), "/any", "protobuf"),
        (
            EVERY_KIND.with(&[("value.number_value", Proto::F64(f64::NAN))]).encode_to_vec(),
            "/value",
            "protobuf",
        ),
        (
            EVERY_KIND
                .with(&[("field_mask.paths", Proto::List(vec![Proto::String("aB".into())]))])
                .encode_to_vec(),
            "/fieldMask",
            "protobuf",
        ),
        (time("timestamp.seconds", 253_402_300_800), "/timestamp", "range"),
        (time("duration.seconds", -315_576_000_001), "/duration", "range"),
        (itself(80), &itself_deep, "depth"),
        (itself(101), "", "protobuf"),
        // A text that is not UTF-8.
        (vec![0x72, 1, 0xff], "", "protobuf"),
    ];
    for (body, pointer, rule) in table {
        let (at, broken, message) = EVERY_KIND.ours(&body).unwrap_err();
        assert_eq!((&*at, &*broken), (pointer, rule), "{message}");
    }
    assert!(EVERY_KIND.ours(&itself(crate::limits::JSON_DEPTH - 1)).is_ok());
}

/// Sets a field of a field.
fn set(message: &mut DynamicMessage, path: &str, value: Proto) {
    match path.split_once('.') {
        None => message.set_field_by_name(path, value),
        Some((name, rest)) => {
            let field = message.get_field_by_name_mut(name).unwrap();
            let Proto::Message(inner) = field else { panic!("{name} is no message") };
            set(inner, rest, value);
        }
    }
}

/// The encoding of each field that a message has, apart.
fn by_field(message: &DynamicMessage) -> Vec<Vec<u8>> {
    let alone = |(field, value): (FieldDescriptor, &Proto)| {
        let mut alone = DynamicMessage::new(message.descriptor());
        alone.set_field(&field, value.clone());
        alone.encode_to_vec()
    };
    message.fields().map(alone).collect()
}

/// Whether two values are one, whatever the order of names. As floats, numbers are as exact as one of 32 bits: theirs
/// were made longer.
fn is_same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, value)| {
                    theirs.get(name).is_some_and(|other| is_same(value, other))
                })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_same(a, b))
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.is_f64() || theirs.is_f64() => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            (ours - theirs).abs()
                <= ours.abs() * f64::from(f32::EPSILON) + f64::from(f32::MIN_POSITIVE)
        }
        // In a wrapper they write `null` for what is no number.
        (Value::String(ours), Value::Null) => ["NaN", "Infinity", "-Infinity"].contains(&&**ours),
        (ours, theirs) => ours == theirs,
    }
}

/// Bytes that decide what a message holds; when they are used up, it is done.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Choices(bytes.iter())
    }

    fn next(&mut self, below: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % below)
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let used = self.next(9).into();
        bytes.iter_mut().take(used).for_each(|byte| *byte = self.next(u8::MAX));
        let number = u64::from_le_bytes(bytes);
        if self.next(4) == 0 { number.wrapping_neg() } else { number }
    }

    fn text(&mut self) -> String {
        let length = self.next(4);
        (0..length).map(|_| ['a', '"', '\\', '\n', 'é', '😀'][usize::from(self.next(6))]).collect()
    }

    fn message(&mut self, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        match of.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
                set(&mut message, "seconds", Proto::I64((self.number() >> 30) as i64));
                set(&mut message, "nanos", Proto::I32(i32::from(self.next(200)) * 1000));
            }
            "google.protobuf.FieldMask" => {
                let path = Proto::String(["a_b", "c", "d.e_f"][usize::from(self.next(3))].into());
                set(&mut message, "paths", Proto::List(vec![path; self.next(3).into()]));
            }
            "google.protobuf.Any" => {
                let name =
                    ["kinds.v1.EveryKind", "google.protobuf.Duration", "google.protobuf.Value"]
                        [usize::from(self.next(3))];
                let inner = of.parent_pool().get_message_by_name(name).unwrap();
                let inner = self.message(&inner, depth + 1).encode_to_vec();
                set(&mut message, "type_url", Proto::String(format!("t/{name}")));
                set(&mut message, "value", Proto::Bytes(inner.into()));
            }
            name => {
                let is_finite = name.starts_with("google.protobuf.");
                for field in of.fields() {
                    if self.next(3) != 0 && depth < 4 {
                        let value = self.field(&field, depth, is_finite);
                        message.set_field(&field, value);
                    }
                }
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize, is_finite: bool) -> Proto {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { panic!("a map has entries") };
            let value = entry.map_entry_value_field().kind();
            let entries = (0..self.next(3)).map(|_| {
                let key = self.key(&entry.map_entry_key_field().kind());
                (key, self.one(&value, depth, is_finite))
            });
            return Proto::Map(entries.collect::<HashMap<_, _>>());
        }
        if field.is_list() {
            let length = self.next(4);
            return Proto::List(
                (0..length).map(|_| self.one(&field.kind(), depth, is_finite)).collect(),
            );
        }
        self.one(&field.kind(), depth, is_finite)
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        if *kind == Kind::Bool {
            MapKey::Bool(self.next(2) == 1)
        } else if *kind == Kind::Int32 {
            MapKey::I32(self.number() as i32)
        } else {
            MapKey::String(self.text())
        }
    }

    fn one(&mut self, kind: &Kind, depth: usize, is_finite: bool) -> Proto {
        match kind {
            Kind::Bool => Proto::Bool(self.next(2) == 1),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Proto::I32(self.number() as i32),
            Kind::Uint32 | Kind::Fixed32 => Proto::U32(self.number() as u32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Proto::I64(self.number() as i64),
            Kind::Uint64 | Kind::Fixed64 => Proto::U64(self.number()),
            Kind::Float => match self.next(8) {
                0 if !is_finite => Proto::F32(f32::NEG_INFINITY),
                _ => Proto::F32(self.number() as f32 / 7.0),
            },
            Kind::Double => match self.next(8) {
                0 if !is_finite => Proto::F64(f64::NAN),
                _ => Proto::F64(self.number() as f64 / 7.0),
            },
            Kind::String => Proto::String(self.text()),
            Kind::Bytes => Proto::Bytes(self.text().into_bytes().into()),
            Kind::Enum(values) if values.full_name() == "google.protobuf.NullValue" => {
                Proto::EnumNumber(0)
            }
            Kind::Enum(_) => Proto::EnumNumber(i32::from(self.next(5)) - 1),
            Kind::Message(of) => Proto::Message(self.message(of, depth + 1)),
        }
    }
}
