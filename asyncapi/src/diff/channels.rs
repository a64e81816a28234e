//! Comparing the channels: their addresses, transports, and who may do what.

use super::finding::{Class, Finding, Side};
use crate::Catalog;
use crate::catalog::{Audience, ChannelDefinition, Visibility};

pub(super) fn compare(old: &Catalog, new: &Catalog, findings: &mut Vec<Finding>) {
    for channel in old.channels() {
        match new.channel(&channel.id) {
            Some(newer) => compare_one(channel, newer, findings),
            None => {
                for side in [Side::Publish, Side::Deliver] {
                    let message = format!("the channel `{}` is gone", channel.id);
                    let finding = Finding::new(
                        &channel.id,
                        side,
                        Class::Breaking,
                        "channel-removed",
                        message,
                    );
                    findings
                        .push(finding.with_witness(channel.address.as_str(), "no such address"));
                }
            }
        }
    }
    for channel in new.channels().iter().filter(|channel| old.channel(&channel.id).is_none()) {
        let message = format!("the channel `{}` is new", channel.id);
        findings.push(Finding::new(
            &channel.id,
            Side::Deliver,
            Class::Compatible,
            "channel-added",
            message,
        ));
    }
}

fn compare_one(old: &ChannelDefinition, new: &ChannelDefinition, findings: &mut Vec<Finding>) {
    let both = |class, rule, message: String, witness: &str, fault: &str| {
        [Side::Publish, Side::Deliver].map(|side| {
            Finding::new(&old.id, side, class, rule, message.clone()).with_witness(witness, fault)
        })
    };
    if old.address.as_str() != new.address.as_str() {
        let message = format!("the address was `{}` and is `{}`", old.address, new.address);
        let fault = "no such address";
        findings.extend(both(
            Class::Breaking,
            "address-changed",
            message,
            old.address.as_str(),
            fault,
        ));
    } else {
        for older in &old.parameters {
            let newer = new.parameters.iter().find(|newer| newer.name == older.name);
            let Some(newer) = newer else { continue };
            if older.pattern == newer.pattern && older.values == newer.values {
                continue;
            }
            // A value that was good and is not any more settles it.
            let samples = older.examples.iter().chain(&older.values);
            let lost = samples.into_iter().find(|sample| {
                let value = |name: &str| {
                    if name == older.name { Some((*sample).clone()) } else { sample_of(old, name) }
                };
                old.address.fill(value).is_ok_and(|channel| !new.address.matches(&channel))
            });
            let message = format!("the values of parameter `{}` have changed", older.name);
            match lost {
                Some(value) => {
                    findings.extend(both(
                        Class::Breaking,
                        "parameter-narrowed",
                        message,
                        value,
                        "no such address",
                    ));
                }
                None => findings.push(Finding::new(
                    &old.id,
                    Side::Publish,
                    Class::Risky,
                    "parameter-changed",
                    message,
                )),
            }
        }
    }
    for transport in old.transports.iter().filter(|transport| !new.transports.contains(transport)) {
        let (name, fault) = (transport.as_str(), "not offered there");
        let message = format!("it is not offered on {name} any more");
        findings.extend(both(Class::Breaking, "transport-removed", message, name, fault));
    }
    if old.visibility == Visibility::Public && new.visibility == Visibility::Internal {
        let message = "the public documents do not speak of it any more";
        findings.push(Finding::new(
            &old.id,
            Side::Deliver,
            Class::Risky,
            "channel-hidden",
            message,
        ));
    }
    let pairs =
        [(Side::Deliver, old.subscribe, new.subscribe), (Side::Publish, old.publish, new.publish)];
    for (side, old_audience, new_audience) in pairs {
        if rank(new_audience) > rank(old_audience) {
            let (was, is) = (old_audience.as_str(), new_audience.as_str());
            let message = format!("`{was}` was allowed to, only `{is}` is");
            let finding =
                Finding::new(&old.id, side, Class::Breaking, "audience-narrowed", message);
            findings.push(finding.with_witness(was, "not allowed any more"));
        }
    }
}

fn sample_of(channel: &ChannelDefinition, name: &str) -> Option<String> {
    channel.parameters.iter().find(|other| other.name == name)?.sample()
}

/// From everybody to nobody.
fn rank(audience: Audience) -> u8 {
    match audience {
        Audience::Anyone => 0,
        Audience::Authenticated => 1,
        Audience::Token => 2,
        Audience::Handler => 3,
        Audience::Nobody => 4,
    }
}
