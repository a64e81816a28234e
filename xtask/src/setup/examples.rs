//! What the examples need to run as their READMEs say: npm packages, and the compiled NestJS application. The Python
//! one takes its packages from the environment of `tests/python`, which has the same.

use super::node;
use crate::{process, workspace::Workspace};

pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    node::packages(workspace, &workspace.path("examples/node"))?;
    let nestjs = workspace.path("examples/nestjs");
    let modules = node::packages(workspace, &nestjs)?;
    process::run(workspace.command(modules.join(".bin/tsc")).current_dir(nestjs))
}
