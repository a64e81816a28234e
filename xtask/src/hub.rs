//! Building the real binary, for the habits that start it.

use std::path::PathBuf;

use crate::{process, setup, workspace::Workspace};

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
    let [hub] = build_binaries(workspace, profile, ["fanline"])?;
    Ok(hub)
}

/// Builds binaries that are named like their packages, and gives their paths.
///
/// All in one call: apart, each would compile most dependencies anew, with its own choice of their
/// features.
pub(crate) fn build_binaries<const N: usize>(
    workspace: &Workspace,
    profile: Profile,
    names: [&str; N],
) -> anyhow::Result<[PathBuf; N]> {
    setup::build_tools(workspace)?;
    let mut build = workspace.cargo();
    build.args(["build", "--locked", "--profile", profile.cargo_name()]);
    build.args(names.iter().flat_map(|name| ["--package", name]));
    process::run(&mut build)?;
    // Cargo gives its built-in `bench` profile no folder of its own: both land in `release`.
    let folder = workspace.target().join("release");
    Ok(names.map(|name| folder.join(name)))
}
