//! `cargo xtask bench`: builds the hub and the load generator, then hands over to the generator.
//!
//! What is measured, and against what, is described in the `fanline-bench` crate.

use clap::{Args, ValueEnum};

use crate::{
    hub::{self, Profile},
    process,
    workspace::Workspace,
};

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Build without link-time optimisation, for the loop of change and measure
    #[arg(long)]
    pub(crate) quick: bool,
    /// What to measure
    measure: Measure,
    /// Passed on to the load generator; `bench fanout -- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Measure {
    /// Deliveries per second and CPU per delivery, as a ratio to broadcasters that only write
    Fanout,
    /// Resident bytes per idle room member, event stream and poll, and what is left when all are cut
    Idle,
    /// Publish to receipt at a fixed rate
    Latency,
    /// Publishes per second through one Redis, as a ratio to redis-benchmark with the same script
    Redis,
    /// CPU time of the check that an event gets from the catalog; runs no hub
    Validate,
}

impl Measure {
    /// What the load generator calls it. None: it needs none.
    fn subcommand(self) -> Option<&'static str> {
        match self {
            Self::Fanout => Some("fanout"),
            Self::Idle => Some("idle"),
            Self::Latency => Some("latency"),
            Self::Redis => Some("redis"),
            Self::Validate => None,
        }
    }
}

impl Bench {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let Some(subcommand) = self.measure.subcommand() else {
            let mut measure = workspace.cargo();
            measure.args(["bench", "--locked", "--quiet", "--package", "fanline-asyncapi"]);
            measure.args(["--bench", "validation"]);
            return process::run(&mut measure);
        };
        let profile = if self.quick { Profile::Quick } else { Profile::Shipped };
        let [hub, generator] =
            hub::build_binaries(workspace, profile, ["fanline", "fanline-bench"])?;
        let mut measure = workspace.command(generator);
        measure.env("FANLINE_BIN", hub).arg(subcommand).args(&self.args);
        process::run(&mut measure)
    }
}
