//! Two catalogs compared.

use super::finding::{Class, Finding, Side};
use super::{channels, events};
use crate::Catalog;
use crate::catalog::Compatibility;

/// What a newer catalog does to those who know the older one only.
#[derive(Debug)]
pub struct Comparison {
    findings: Vec<Finding>,
    proved: Vec<String>,
    mode: Compatibility,
}

impl Comparison {
    /// Compares two catalogs. What counts is what the older one promised.
    #[must_use]
    pub fn new(old: &Catalog, new: &Catalog) -> Self {
        let mut findings = Vec::new();
        let mut proved = Vec::new();
        channels::compare(old, new, &mut findings);
        events::compare(old, new, &mut findings, &mut proved);
        findings.sort_by(|a, b| {
            (&a.subject, b.class, a.side, &a.pointer)
                .cmp(&(&b.subject, a.class, b.side, &b.pointer))
        });
        Comparison { findings, proved, mode: old.compatibility() }
    }

    /// All findings, by subject and with the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The event types that changed, and are proved to take and deliver what they did.
    #[must_use]
    pub fn proved(&self) -> &[String] {
        &self.proved
    }

    /// The worst that happens to those to whom the older catalog promised compatibility.
    #[must_use]
    pub fn class(&self) -> Class {
        let promised = |finding: &&Finding| match (self.mode, finding.side) {
            (Compatibility::Full, _)
            | (Compatibility::Backward, Side::Publish)
            | (Compatibility::Forward, Side::Deliver) => true,
            (Compatibility::None, _)
            | (Compatibility::Backward, Side::Deliver)
            | (Compatibility::Forward, Side::Publish) => false,
        };
        let worst = self.findings.iter().filter(promised).map(|finding| finding.class).max();
        worst.unwrap_or(Class::Compatible)
    }
}
