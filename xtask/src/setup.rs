//! Installing what a fresh Debian machine with Rust, Node 20 and Python 3.11 lacks.
//!
//! Each step looks first, says what it does, and does nothing the second time. A path in the
//! environment (`FANLINE_CHROMIUM`, `FANLINE_PYTHON`) is taken as it is: then nothing is installed
//! for it.

mod apt;
mod browser;
mod cargo_tool;
mod examples;
mod node;
mod python;
mod redis;
mod stamp;

use std::path::PathBuf;

pub(crate) use self::cargo_tool::{CARGO_DENY, CARGO_FUZZ, CARGO_NEXTEST};
pub(crate) use self::node::packages as node_packages;
use crate::{sdk, workspace::Workspace};

/// What the end-to-end tests find in their environment, besides the hub.
pub(crate) struct Clients {
    python: PathBuf,
    node_modules: PathBuf,
    chromium: PathBuf,
}

impl Clients {
    pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<Self> {
        build_tools(workspace)?;
        redis::server(workspace)?;
        // Debian's speaks HTTP/2.
        apt::program(
            workspace,
            "curl",
            "the tests of event streams and the lines that READMEs say to paste",
        )?;
        node::packages(workspace, &workspace.sdk())?;
        sdk::build(workspace)?;
        examples::install(workspace)?;
        Ok(Self {
            chromium: browser::chromium(workspace)?,
            node_modules: node::packages(workspace, &workspace.node())?,
            python: python::interpreter(workspace)?,
        })
    }

    /// The variables that the test harness reads.
    pub(crate) fn environment(&self) -> [(&'static str, &PathBuf); 3] {
        [
            ("FANLINE_PYTHON", &self.python),
            ("FANLINE_NODE_MODULES", &self.node_modules),
            ("FANLINE_CHROMIUM", &self.chromium),
        ]
    }
}

/// What the build of the hub asks for besides Rust and the C compiler that it links with.
pub(crate) fn build_tools(workspace: &Workspace) -> anyhow::Result<()> {
    apt::program(workspace, "make", "building the allocator, jemalloc")
}

/// All install steps of all habits.
pub(crate) fn everything(workspace: &Workspace) -> anyhow::Result<()> {
    let clients = Clients::install(workspace)?;
    CARGO_NEXTEST.install(workspace)?;
    CARGO_DENY.install(workspace)?;
    println!("ready:");
    for (name, path) in clients.environment() {
        println!("  {name}={}", path.display());
    }
    Ok(())
}
