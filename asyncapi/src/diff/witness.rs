//! Making a witness: a value that one schema takes and the other does not, at the place of a difference.

use super::finding::Witness;
use super::schema::Difference;
use super::schemas::Schemas;
use crate::checker::Checker;
use serde_json::{Map, Value, json};

/// Values that are tried for one difference; each is checked against both schemas.
const CANDIDATES_MAX: usize = 200;
/// Levels of a made value, where a schema refers to itself.
const DEPTH_MAX: usize = 6;

/// What takes the value, and what should not.
pub(super) struct Trial<'a> {
    pub(super) takes: &'a Checker,
    pub(super) refuses: &'a Checker,
    /// Values that the first takes, to start from.
    pub(super) bases: Vec<Value>,
    /// The schemas that the first is made of.
    pub(super) schemas: Schemas<'a>,
}

impl Trial<'_> {
    /// A value that shows the difference, if one can be made.
    pub(super) fn witness(
        &self,
        difference: &Difference,
        taking: Option<&Value>,
    ) -> Option<Witness> {
        let mut tried = 0;
        for base in &self.bases {
            if let Some(witness) = self.shown_by(base, difference) {
                return Some(witness);
            }
            for value in self.candidates(difference, taking) {
                tried += 1;
                if tried > CANDIDATES_MAX {
                    return None;
                }
                let Some(changed) = with(base, &difference.pointer, value) else {
                    continue;
                };
                if let Some(witness) = self.shown_by(&changed, difference) {
                    return Some(witness);
                }
            }
        }
        None
    }

    /// A value that shows that something is different, wherever.
    pub(super) fn any_witness(&self) -> Option<Witness> {
        self.bases.iter().find_map(|base| {
            let fault = self.refuses.violations(base).into_iter().next()?;
            self.takes.is_valid(base).then(|| Witness {
                value: base.clone(),
                fault: format!("{:?}: {} ({})", fault.pointer, fault.message, fault.rule),
            })
        })
    }

    fn shown_by(&self, value: &Value, difference: &Difference) -> Option<Witness> {
        if !self.takes.is_valid(value) {
            return None;
        }
        let wanted = |pointer: &str| {
            matches(&difference.pointer, pointer) || difference.rule == "combination-changed"
        };
        let fault =
            self.refuses.violations(value).into_iter().find(|fault| wanted(&fault.pointer))?;
        let fault = format!("{:?}: {} ({})", fault.pointer, fault.message, fault.rule);
        Some(Witness { value: value.clone(), fault })
    }

    /// What may stand at the place. `None` among them: nothing.
    fn candidates(&self, difference: &Difference, taking: Option<&Value>) -> Vec<Option<Value>> {
        let mut candidates = Vec::new();
        if matches!(difference.rule, "field-required" | "field-optional") {
            candidates.push(None);
        }
        if !matches!(difference.rule, "field-removed" | "field-renamed") {
            candidates.extend(difference.value.clone().map(Some));
        }
        for schema in [&difference.old, &difference.new].into_iter().flatten() {
            candidates.extend(at_the_bounds(schema).into_iter().map(Some));
        }
        candidates.extend(taking.map(|schema| Some(sample(schema, &self.schemas, 0))));
        candidates
    }
}

/// Whether a violation at `found` is one of the place `pattern`, in which `*` stands for any step.
fn matches(pattern: &str, found: &str) -> bool {
    let (pattern, found): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), found.split('/').collect());
    found.len() >= pattern.len()
        && pattern.iter().zip(&found).all(|(want, have)| *want == "*" || want == have)
}

/// The value with another one at the place, made on the way where it is not there; `None` takes it away.
fn with(base: &Value, pointer: &str, value: Option<Value>) -> Option<Value> {
    let mut changed = base.clone();
    let mut place = &mut changed;
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let Some((last, before)) = steps.split_last() else { return value };
    for step in before {
        place = enter(place, step)?;
    }
    match (place, value) {
        (Value::Object(object), Some(value)) => {
            let name = if last == "*" {
                object.keys().next().cloned().unwrap_or("a".to_owned())
            } else {
                last.clone()
            };
            object.insert(name, value);
        }
        (Value::Object(object), None) => {
            object.shift_remove(last)?;
        }
        (Value::Array(items), Some(value)) if last == "*" => {
            *items = vec![value];
        }
        (_, _) => return None,
    }
    Some(changed)
}

fn enter<'a>(place: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match place {
        Value::Object(object) => {
            if step == "*" {
                object.values_mut().next()
            } else {
                object.get_mut(step)
            }
        }
        Value::Array(items) => items.first_mut(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Values just inside and just outside of what a schema bounds.
fn at_the_bounds(schema: &Value) -> Vec<Value> {
    let whole = |keyword: &str| {
        schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
    };
    let mut values = Vec::new();
    // Longer than this a witness shows nothing to people.
    const LENGTH_MAX: usize = 10_000;
    for keyword in ["minLength", "maxLength"] {
        let length = whole(keyword).filter(|length| *length <= LENGTH_MAX);
        for length in
            length.into_iter().flat_map(|length| [length, length + 1, length.saturating_sub(1)])
        {
            values.push("x".repeat(length).into());
        }
    }
    for keyword in ["minItems", "maxItems"] {
        let length = whole(keyword).filter(|length| *length <= LENGTH_MAX);
        let item = schema.get("items").map_or(Value::Null, sample_plain);
        for length in
            length.into_iter().flat_map(|length| [length, length + 1, length.saturating_sub(1)])
        {
            values.push(vec![item.clone(); length].into());
        }
    }
    for keyword in ["minProperties", "maxProperties"] {
        let value = schema.get("additionalProperties").map_or(Value::Null, sample_plain);
        let length = whole(keyword).filter(|length| *length <= LENGTH_MAX);
        for length in
            length.into_iter().flat_map(|length| [length, length + 1, length.saturating_sub(1)])
        {
            values.push(
                (0..length).map(|n| (format!("k{n}"), value.clone())).collect::<Map<_, _>>().into(),
            );
        }
    }
    for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        match schema.get(keyword) {
            Some(bound) if bound.is_i64() => {
                let bound = bound.as_i64().unwrap_or_default();
                values.extend(
                    [bound, bound.saturating_add(1), bound.saturating_sub(1)].map(Value::from),
                );
            }
            Some(bound) => {
                let bound = bound.as_f64().unwrap_or_default();
                values.extend([bound, bound + 1.0, bound - 1.0, bound + 0.5].map(Value::from));
            }
            None => {}
        }
    }
    if schema.get("uniqueItems").is_some() {
        let item = schema.get("items").map_or(Value::Null, sample_plain);
        values.push(json!([item, item]));
    }
    if let Some(Value::Array(listed)) = schema.get("enum") {
        values.extend(listed.iter().cloned());
    }
    values.extend([
        json!("x"),
        json!("an unlisted value"),
        json!(1),
        json!(1.5),
        json!(-1),
        Value::Null,
        json!(true),
        json!({}),
        json!([]),
    ]);
    values
}

fn sample_plain(schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("null") => Value::Null,
        Some(_) | None => json!("x"),
    }
}

/// A value that a schema most likely takes.
pub(super) fn sample(schema: &Value, schemas: &Schemas<'_>, depth: usize) -> Value {
    let owned = schema.clone();
    let schema = resolved(&owned, schemas);
    if let Some(only) = schema.get("const") {
        return only.clone();
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.first().cloned().unwrap_or_default();
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = schema.get(keyword)
            && schema.get("type").is_none()
            && let Some(first) = branches.first()
        {
            return sample(first, schemas, depth);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(several)) => several.first().and_then(Value::as_str),
        Some(_) | None => None,
    };
    match kind {
        Some("string") => text(&schema).into(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(16);
            let item = schema.get("items").filter(|_| depth < DEPTH_MAX);
            let items = item.map(|item| sample(item, schemas, depth + 1));
            items.map_or(json!([]), |item| (0..count).map(|_| item.clone()).collect())
        }
        Some("object") => {
            let mut object = Map::new();
            let names =
                schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            let chosen = schema
                .get("oneOf")
                .and_then(|one| one.get(0)?.get("required")?.as_array().cloned());
            for name in names.iter().chain(chosen.iter().flatten()).filter_map(Value::as_str) {
                if let Some(field) = schema.get("properties").and_then(|fields| fields.get(name))
                    && depth < DEPTH_MAX
                {
                    object.insert(name.to_owned(), sample(field, schemas, depth + 1));
                }
            }
            object.into()
        }
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some(_) | None => json!("x"),
    }
}

fn resolved(schema: &Value, schemas: &Schemas<'_>) -> Value {
    let mut current = schema.clone();
    for _ in 0..=schemas.all.len() {
        let alone = current.get("allOf").and_then(|all| all.get(0)).and_then(|one| one.get("$ref"));
        let target = current.get("$ref").or(alone).and_then(Value::as_str);
        let name = target.and_then(|target| target.strip_prefix(crate::catalog::PREFIX));
        match name.and_then(|name| schemas.all.get(name)) {
            Some(schema) => current = schema.view(schemas.view).clone(),
            None => break,
        }
    }
    current
}

fn text(schema: &Value) -> String {
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => return "2026-11-24T09:30:00Z".to_owned(),
        Some("date") => return "2026-11-24".to_owned(),
        Some("uuid") => return "0198f2b7-0000-7000-8000-000000000001".to_owned(),
        Some("email") => return "a@example.com".to_owned(),
        Some("uri") => return "https://example.com/".to_owned(),
        Some("int64" | "uint64") => return "1".to_owned(),
        Some(_) | None => {}
    }
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(1).min(10_000);
    "x".repeat(usize::try_from(least).unwrap_or(1))
}
