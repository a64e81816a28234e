//! `fanline catalog`: checks a catalog, or says what a change of it does to those who use it.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use fanline_asyncapi::diff::{Class, Comparison, Finding};

use super::catalog_place::find;
use crate::cli::CatalogCommand;

/// The exit code of a change that somebody may not like: told apart from a mistake, which is 1.
const OBJECTION: u8 = 2;

pub(super) async fn run(command: CatalogCommand) -> Result<ExitCode> {
    match command {
        CatalogCommand::Check { catalog } => check(&catalog).await,
        CatalogCommand::Diff { old, new, fail_on } => diff(&old, &new, fail_on.into()).await,
    }
}

async fn check(place: &str) -> Result<ExitCode> {
    let catalog = find(place).await?.catalog;
    let (channels, events) = (catalog.channels().len(), catalog.events().len());
    let revision = catalog.revision();
    writeln!(io::stdout(), "good: {channels} channels, {events} event types, {revision}")?;
    Ok(ExitCode::SUCCESS)
}

async fn diff(old: &str, new: &str, fail_on: Class) -> Result<ExitCode> {
    let old = find(old).await.with_context(|| format!("the old catalog, {old}"))?;
    let new = find(new).await.with_context(|| format!("the new catalog, {new}"))?;
    let (mut old_catalog, mut new_catalog) = (old.catalog, new.catalog);
    if old.from_document || new.from_document {
        (old_catalog, new_catalog) = (old_catalog.public(), new_catalog.public());
        eprintln!(
            "compared by document: public channels only, and not the numbers of protobuf fields"
        );
    }
    let comparison = Comparison::new(&old_catalog, &new_catalog);
    io::stdout().write_all(report(&comparison).as_bytes())?;
    let objection = comparison.class() >= fail_on;
    Ok(if objection { ExitCode::from(OBJECTION) } else { ExitCode::SUCCESS })
}

/// The findings by what they are about, each with its witness, and what was proved.
fn report(comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    let mut subject = "";
    for finding in comparison.findings() {
        if finding.subject != subject {
            subject = &finding.subject;
            lines.push(subject.to_owned());
        }
        lines.push(line_of(finding));
        if let Some(witness) = &finding.witness {
            lines.push(format!("              witness  {}", witness.value));
            lines.push(format!("                       {}", witness.fault));
        }
    }
    for name in comparison.proved() {
        lines.push(format!("{name}\n  ok          proved compatible in both directions"));
    }
    let count = |class| comparison.findings().iter().filter(|found| found.class == class).count();
    let (breaking, risky) = (count(Class::Breaking), count(Class::Risky));
    let compatible = count(Class::Compatible) + comparison.proved().len();
    lines.push(format!("{breaking} breaking, {risky} risky, {compatible} compatible\n"));
    lines.join("\n")
}

fn line_of(finding: &Finding) -> String {
    let place = match finding.pointer.as_str() {
        "" => String::new(),
        pointer => format!("{pointer}: "),
    };
    format!(
        "  {:<10}  {:<7}  {}: {place}{}",
        finding.class.as_str(),
        finding.side.as_str(),
        finding.rule,
        finding.message
    )
}
