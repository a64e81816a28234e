//! Building the real binary, for the habits that start it.

use std::path::PathBuf;

use crate::{process, workspace::Workspace};

/// How the hub is optimised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// As shipped, with link-time optimisation: tests and published figures are about this one.
    Shipped,
    /// Without link-time optimisation: some per cent slower, much sooner ready.
    Quick,
}

impl Profile {
    fn cargo_name(self) -> &'static str {
        match self {
            Self::Shipped => "release",
            Self::Quick => "bench",
        }
    }
}

/// Builds `fanline` and gives its path.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<PathBuf> {
    build_binary(workspace, profile, "fanline")
}

/// Builds one binary whose package has the same name.
///
/// One package per call: together, cargo would unite the features that each asks of shared dependencies, and the hub
/// under test would not be the hub that `cargo build --release` gives.
pub(crate) fn build_binary(
    workspace: &Workspace,
    profile: Profile,
    name: &str,
) -> anyhow::Result<PathBuf> {
    process::run(workspace.cargo().args([
        "build",
        "--locked",
        "--profile",
        profile.cargo_name(),
        "--package",
        name,
    ]))?;
    // Cargo gives its built-in `bench` profile no folder of its own: both land in `release`.
    Ok(workspace.target().join("release").join(name))
}
