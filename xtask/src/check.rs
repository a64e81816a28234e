//! `cargo xtask check`: what a reviewer should not have to look for.
//!
//! All parts run even when one fails; the end is a line per part. A part that could not look says
//! so and is never counted as held.

mod deny;
mod sources;

use clap::{Args, ValueEnum};

use crate::{generate, process, setup, workspace::Workspace};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Only these parts; all when none is named
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting
    Fmt,
    /// House rules that no other tool knows
    Sources,
    /// Compiler and clippy warnings, in all targets
    Clippy,
    /// Warnings of the documentation
    Doc,
    /// Bans, licences and sources of the dependencies
    Deny,
    /// Known holes in the dependencies; needs a database from the network
    Advisories,
    /// Style of the proto files
    Proto,
    /// Generated files are current
    Generated,
}

/// How a part ended, when it did not fail.
enum Outcome {
    Held,
    /// The part could not look, and why.
    NotChecked(String),
}

impl Check {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let parts = if self.parts.is_empty() { Part::value_variants() } else { &self.parts };
        let mut report = Vec::new();
        let mut failed = 0;
        for part in parts {
            println!("== {part:?}");
            report.push(match part.run(workspace) {
                Ok(Outcome::Held) => format!("{part:?}: held"),
                Ok(Outcome::NotChecked(reason)) => format!("{part:?}: NOT CHECKED, {reason}"),
                Err(error) => {
                    failed += 1;
                    eprintln!("{error:#}");
                    format!("{part:?}: FAILED")
                }
            });
        }
        println!("\n{}", report.join("\n"));
        anyhow::ensure!(failed == 0, "{failed} of {} checks failed", parts.len());
        Ok(())
    }
}

impl Part {
    fn run(self, workspace: &Workspace) -> anyhow::Result<Outcome> {
        match self {
            Self::Fmt => fmt(workspace)?,
            Self::Sources => sources::check(workspace)?,
            Self::Clippy => clippy(workspace)?,
            Self::Doc => doc(workspace)?,
            Self::Deny => deny::rules(workspace)?,
            Self::Advisories => return deny::advisories(workspace),
            Self::Proto => proto(workspace)?,
            Self::Generated => generate::check(workspace)?,
        }
        Ok(Outcome::Held)
    }
}

/// Names the files; `cargo fmt --all` mends them.
fn fmt(workspace: &Workspace) -> anyhow::Result<()> {
    process::run(workspace.cargo().args(["fmt", "--all", "--", "--check", "--files-with-diff"]))
}

// Clippy and the documentation use the same features as the tests, so that cargo compiles the
// dependencies once for both.

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--all-features"]);
    process::run(clippy.args(["--", "-D", "warnings"]))
}

fn doc(workspace: &Workspace) -> anyhow::Result<()> {
    let mut doc = workspace.cargo();
    doc.args(["doc", "--locked", "--workspace", "--all-features", "--no-deps"]);
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn proto(workspace: &Workspace) -> anyhow::Result<()> {
    let buf = setup::node_packages(workspace, &workspace.node())?.join(".bin/buf");
    process::run(workspace.command(buf).arg("lint").current_dir(workspace.path("proto")))
}
