//! `fanline catalog`: checks a catalog, or says what a change of it does to those who use it.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use fanline_asyncapi::catalog::{CatalogErrors, Source};
use fanline_asyncapi::diff::{Class, Comparison, Finding};
use fanline_asyncapi::{Catalog, demo};

use crate::cli::CatalogCommand;

/// The exit code of a change that somebody may not like: told apart from a mistake, which is 1.
const OBJECTION: u8 = 2;

pub(super) fn run(command: CatalogCommand) -> Result<ExitCode> {
    match command {
        CatalogCommand::Check { catalog } => check(&catalog),
        CatalogCommand::Diff { old, new, fail_on } => diff(&old, &new, fail_on.into()),
    }
}

fn check(place: &str) -> Result<ExitCode> {
    let catalog = load(place)?;
    let (channels, events) = (catalog.channels().len(), catalog.events().len());
    let revision = catalog.revision();
    writeln!(io::stdout(), "good: {channels} channels, {events} event types, {revision}")?;
    Ok(ExitCode::SUCCESS)
}

fn diff(old: &str, new: &str, fail_on: Class) -> Result<ExitCode> {
    let old_catalog = load(old).with_context(|| format!("the old catalog, {old}"))?;
    let new_catalog = load(new).with_context(|| format!("the new catalog, {new}"))?;
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

/// A catalog from a folder, from `git:REF:path`, or the one that is built in.
fn load(place: &str) -> Result<Catalog> {
    let source = match place.strip_prefix("git:") {
        Some(rest) => from_git(rest)?,
        None if place == "builtin:demo" => demo(),
        None => Source::folder(Path::new(place)).map_err(CatalogErrors::from)?,
    };
    Ok(Catalog::load(&source)?)
}

/// The files of a folder as a commit has them.
fn from_git(place: &str) -> Result<Source> {
    let Some((reference, folder)) = place.split_once(':') else {
        bail!("`git:{place}`: write git:REF:path, such as git:main:catalog");
    };
    // A reference that starts with a dash would be an option of git's.
    ensure!(!reference.starts_with('-'), "`{reference}` is no reference");
    let folder = folder.trim_end_matches('/');
    let tree = format!("{reference}:{folder}");
    let names = git(&["ls-tree", "-r", "-z", "--name-only", &tree])?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| Source::takes(name)) {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        files.push((name.to_owned(), git(&["show", &format!("{reference}:{path}")])?));
    }
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Ok(Source::of(format!("git:{tree}"), files))
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).output().context("git cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", arguments.join(" "), said.trim());
    String::from_utf8(output.stdout).context("git answers with what is not UTF-8")
}
