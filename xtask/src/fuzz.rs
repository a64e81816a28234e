//! `cargo xtask fuzz`: looks for bytes that break a parser, guided by what they reach.
//!
//! What a target promises stands in the `fanline-fuzz` crate. Inputs that reached something new are kept in
//! `target/fuzz/corpus`, so that the next run goes on from there; one that breaks a target is kept and named at the end.

use std::fs;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::{process, setup::CARGO_FUZZ, workspace::Workspace};

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How long to look at each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Which targets; all when none is named
    targets: Vec<String>,
}

impl Fuzz {
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        CARGO_FUZZ.install(workspace)?;
        let folder = workspace.path("tests/fuzz");
        let targets: Vec<String> = if self.targets.is_empty() {
            let mut list = workspace.cargo();
            list.args(["fuzz", "list", "--fuzz-dir"]).arg(&folder);
            process::read(&mut list)?.lines().map(str::to_owned).collect()
        } else {
            self.targets.clone()
        };
        ensure!(!targets.is_empty(), "no target is listed in tests/fuzz/Cargo.toml");
        for target in targets {
            let corpus = workspace.path("target/fuzz/corpus").join(&target);
            fs::create_dir_all(&corpus)
                .with_context(|| format!("{} cannot be made", corpus.display()))?;
            let mut fuzz = workspace.cargo();
            fuzz.args(["fuzz", "run", "--fuzz-dir"]).arg(&folder);
            // The code is safe Rust: there is nothing for a sanitizer, which only a nightly compiler has.
            fuzz.args(["--sanitizer", "none", &target]).arg(corpus);
            fuzz.arg(folder.join("seeds").join(&target));
            fuzz.args(["--", &format!("-max_total_time={}", self.seconds), "-timeout=10"]);
            process::run(&mut fuzz)?;
        }
        Ok(())
    }
}
