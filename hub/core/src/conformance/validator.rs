//! What every [`EventValidator`] promises, as a suite that runs on any of them.

use crate::event::{EventType, Payload};
use crate::publish::Origin;
use crate::validator::{Candidate, Enforcement, EventValidator, Verdict};
use crate::{ChannelName, Reason, Refusal};

/// An event, and what is wrong with it under a strict regime.
#[derive(Debug)]
pub struct Sample {
    /// The channel.
    pub channel: ChannelName,
    /// The type.
    pub event_type: EventType,
    /// The data.
    pub payload: Payload,
    /// Who publishes.
    pub origin: Origin,
    /// Why it is refused. None: it is not.
    pub refused: Option<Reason>,
}

/// Runs the whole suite on `samples`, of which some should be good and some not.
///
/// # Panics
/// Where a promise is broken.
pub fn run(validator: &dyn EventValidator, samples: &[Sample]) {
    for sample in samples {
        strict_refuses_what_is_wrong_and_says_why(validator, sample);
        warn_publishes_what_strict_refuses_and_says_the_same(validator, sample);
        off_looks_at_nothing(validator, sample);
        what_is_rewritten_is_accepted_as_it_is(validator, sample);
    }
}

fn ask(validator: &dyn EventValidator, sample: &Sample, enforcement: Enforcement) -> Verdict {
    validator.validate(&Candidate {
        channel: &sample.channel,
        event_type: &sample.event_type,
        payload: &sample.payload,
        origin: &sample.origin,
        enforcement: Some(enforcement),
    })
}

fn strict_refuses_what_is_wrong_and_says_why(validator: &dyn EventValidator, sample: &Sample) {
    let verdict = ask(validator, sample, Enforcement::Strict);
    match (sample.refused, &verdict) {
        (None, Verdict::Accepted | Verdict::Rewritten(_)) => {}
        (Some(reason), Verdict::Refused(refusal)) => {
            assert_eq!(refusal.reason(), reason, "{sample:?}: {refusal}");
            assert!(!refusal.message().is_empty(), "a person can read why");
            let says_where = !refusal.violations().is_empty();
            assert_eq!(says_where, reason == Reason::SchemaViolation, "{sample:?}: {refusal:?}");
        }
        _ => panic!("{sample:?}: {verdict:?}"),
    }
}

fn warn_publishes_what_strict_refuses_and_says_the_same(
    validator: &dyn EventValidator,
    sample: &Sample,
) {
    let strict = refusal_of(ask(validator, sample, Enforcement::Strict));
    let warn = ask(validator, sample, Enforcement::Warn);
    assert!(!matches!(warn, Verdict::Refused(_)), "{sample:?}: {warn:?}");
    assert_eq!(refusal_of(warn), strict, "{sample:?}");
}

fn off_looks_at_nothing(validator: &dyn EventValidator, sample: &Sample) {
    let verdict = ask(validator, sample, Enforcement::Off);
    assert!(matches!(verdict, Verdict::Accepted), "{sample:?}: {verdict:?}");
}

fn what_is_rewritten_is_accepted_as_it_is(validator: &dyn EventValidator, sample: &Sample) {
    let Verdict::Rewritten(payload) = ask(validator, sample, Enforcement::Strict) else { return };
    assert!(payload.content_type().is_json(), "clients read JSON");
    let (channel, event_type) = (sample.channel.clone(), sample.event_type.clone());
    let again =
        Sample { channel, event_type, payload, origin: sample.origin.clone(), refused: None };
    let verdict = ask(validator, &again, Enforcement::Strict);
    assert!(matches!(verdict, Verdict::Accepted), "{again:?}: {verdict:?}");
}

fn refusal_of(verdict: Verdict) -> Option<Refusal> {
    match verdict {
        Verdict::Tolerated(refusal) | Verdict::Refused(refusal) => Some(refusal),
        Verdict::Accepted | Verdict::Rewritten(_) => None,
    }
}
