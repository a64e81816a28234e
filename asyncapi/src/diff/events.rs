//! Comparing the event types: rules, proof and witness.

use super::finding::{Class, Finding, Side};
use super::schema::{Difference, Effect, Walk};
use super::schemas::Schemas;
use super::wire;
use super::witness::{Trial, sample};
use crate::Catalog;
use crate::catalog::{Enforcement, EventDefinition, Publisher, View};
use crate::checker::{Checker, covers};
use serde_json::Value;

pub(super) fn compare(
    old: &Catalog,
    new: &Catalog,
    findings: &mut Vec<Finding>,
    proved: &mut Vec<String>,
) {
    for event in old.events() {
        match new.event(&event.name) {
            Some(newer) => compare_one((old, event), (new, newer), findings, proved),
            None => {
                let witness = event.examples.first().map_or(Value::Null, |one| one.data.clone());
                for side in [Side::Publish, Side::Deliver] {
                    let message = "the event type is gone";
                    let finding =
                        Finding::new(&event.name, side, Class::Breaking, "event-removed", message);
                    findings.push(finding.with_witness(witness.clone(), "no such event type"));
                }
            }
        }
    }
    for event in new.events().filter(|event| old.event(&event.name).is_none()) {
        findings.push(Finding::new(
            &event.name,
            Side::Deliver,
            Class::Compatible,
            "event-added",
            "the event type is new",
        ));
    }
}

type Of<'a> = (&'a Catalog, &'a EventDefinition);

fn compare_one(old: Of<'_>, new: Of<'_>, findings: &mut Vec<Finding>, proved: &mut Vec<String>) {
    let before = findings.len();
    compare_options(old.1, new.1, findings);
    wire::compare(old, new, findings);
    let publish = Sides::new(Side::Publish, old, new);
    let deliver = Sides::new(Side::Deliver, old, new);
    let mut changed = false;
    let mut all_proved = true;
    for sides in [publish, deliver] {
        let found = sides.differences();
        changed |= !found.is_empty();
        let proof = sides.proof();
        all_proved &= proof;
        sides.judge(found, proof, findings);
    }
    let harmless = findings[before..].iter().all(|finding| finding.class == Class::Compatible);
    if changed && all_proved && harmless {
        proved.push(old.1.name.clone());
    }
}

fn compare_options(old: &EventDefinition, new: &EventDefinition, findings: &mut Vec<Finding>) {
    let mut push = |side, class, rule, message: String, was: &str, fault: &str| {
        findings.push(Finding::new(&old.name, side, class, rule, message).with_witness(was, fault));
    };
    for channel in old.channels.iter().filter(|channel| !new.channels.contains(channel)) {
        for side in [Side::Publish, Side::Deliver] {
            let message = format!("it is not in the channel `{channel}` any more");
            push(
                side,
                Class::Breaking,
                "channel-of-event-removed",
                message,
                channel,
                "not published there",
            );
        }
    }
    let excluded = match (old.publisher, new.publisher) {
        (Publisher::Any | Publisher::Client, Publisher::Backend) => Some("clients"),
        (Publisher::Any | Publisher::Backend, Publisher::Client) => Some("backends"),
        (_, _) => None,
    };
    if let Some(excluded) = excluded {
        let message = format!("{excluded} do not publish it any more");
        push(Side::Publish, Class::Breaking, "publisher-narrowed", message, excluded, "refused");
    }
    if new.enforcement == Some(Enforcement::Strict)
        && matches!(old.enforcement, Some(Enforcement::Warn | Enforcement::Off))
    {
        let message = "events that break the schema are refused now".to_owned();
        push(Side::Publish, Class::Risky, "enforcement-raised", message, "tolerated", "refused");
    }
}

/// The schemas of an event type before and after, from one end.
struct Sides<'a> {
    side: Side,
    name: &'a str,
    old: Schemas<'a>,
    new: Schemas<'a>,
    old_event: &'a EventDefinition,
    new_event: &'a EventDefinition,
    checkers: [Checker; 2],
}

impl<'a> Sides<'a> {
    fn new(side: Side, old: Of<'a>, new: Of<'a>) -> Self {
        let view = match side {
            Side::Publish => View::Publish,
            Side::Deliver => View::Deliver,
        };
        let checker = |of: Of<'a>| Checker::of(of.0, &of.1.schema, view);
        Sides {
            side,
            name: &old.1.name,
            old: Schemas { all: &old.0.schemas, view },
            new: Schemas { all: &new.0.schemas, view },
            old_event: old.1,
            new_event: new.1,
            checkers: [checker(old), checker(new)],
        }
    }

    fn roots(&self) -> Option<(&'a Value, &'a Value)> {
        let root =
            |schemas: &Schemas<'a>, name: &str| Some(schemas.all.get(name)?.view(schemas.view));
        Some((root(&self.old, &self.old_event.schema)?, root(&self.new, &self.new_event.schema)?))
    }

    fn differences(&self) -> Vec<Difference> {
        let Some((old, new)) = self.roots() else { return Vec::new() };
        let mut walk = Walk::new(self.old, self.new);
        walk.compare(old, new, "");
        walk.found
    }

    /// Whether whoever keeps to the older schema is proved to be as well off with the newer one.
    fn proof(&self) -> bool {
        let Some((old, new)) = self.roots() else { return false };
        let inlined = |schemas: &Schemas<'a>, root| schemas.inline(root, &mut Vec::new());
        match (inlined(&self.old, old), inlined(&self.new, new)) {
            (Some(old), Some(new)) => {
                old == new
                    || match self.side {
                        Side::Publish => covers(&new, &old),
                        Side::Deliver => covers(&old, &new),
                    }
            }
            (_, _) => false,
        }
    }

    fn judge(self, differences: Vec<Difference>, proof: bool, findings: &mut Vec<Finding>) {
        let trial = self.trial();
        let mut harmful = 0;
        for difference in &differences {
            let mut class = self.class(difference);
            // What formats mean is not part of the proof.
            if proof && !difference.rule.starts_with("format") {
                class = class.min(Class::Compatible);
            }
            if class == Class::Compatible && difference.rule != "field-added" {
                continue;
            }
            // A new field is told once, for those who may send it.
            if class == Class::Compatible && self.side == Side::Deliver {
                continue;
            }
            harmful += usize::from(class > Class::Compatible);
            let witness = match class {
                Class::Compatible => None,
                Class::Risky | Class::Breaking => {
                    trial.witness(difference, self.taking(difference))
                }
            };
            findings.push(Finding {
                subject: self.name.to_owned(),
                side: self.side,
                class,
                rule: difference.rule,
                pointer: difference.pointer.clone(),
                message: difference.message.clone(),
                witness,
            });
        }
        // Nothing that a rule knows, and no proof either: an example may still show it.
        if harmful == 0
            && !proof
            && let Some(witness) = trial.any_witness()
        {
            let message = "what was good is not any more";
            let mut finding =
                Finding::new(self.name, self.side, Class::Breaking, "schema-changed", message);
            finding.witness = Some(witness);
            findings.push(finding);
        }
    }

    /// The schema of the place in that catalog whose values are tried.
    fn taking<'d>(&self, difference: &'d Difference) -> Option<&'d Value> {
        match self.side {
            Side::Publish => difference.old.as_ref(),
            Side::Deliver => difference.new.as_ref(),
        }
    }

    fn trial(&self) -> Trial<'_> {
        let [old, new] = &self.checkers;
        let (takes, refuses, event, schemas) = match self.side {
            Side::Publish => (old, new, self.old_event, self.old),
            Side::Deliver => (new, old, self.new_event, self.new),
        };
        let mut bases: Vec<Value> =
            event.examples.iter().map(|example| example.data.clone()).collect();
        if let Some(schema) = schemas.all.get(&event.schema) {
            bases.push(sample(schema.view(schemas.view), &schemas, 0));
        }
        Trial { takes, refuses, bases, schemas }
    }

    fn class(&self, difference: &Difference) -> Class {
        match (self.side, difference.effect) {
            (Side::Publish, Effect::Wider) | (Side::Deliver, Effect::Narrower) => Class::Compatible,
            (Side::Publish, Effect::Narrower | Effect::Other) => Class::Breaking,
            (Side::Deliver, Effect::Wider | Effect::Other) => match difference.rule {
                "field-added" => Class::Compatible,
                "type-widened" | "type-changed" | "field-optional" => Class::Breaking,
                // Who relied on it being there finds nothing; who asked first is prepared.
                "field-removed" | "field-renamed" => match difference.value {
                    Some(Value::Bool(true)) => Class::Breaking,
                    Some(_) | None => Class::Risky,
                },
                _ => Class::Risky,
            },
        }
    }
}
