//! `cargo xtask`: the habits of the project, each one command that works on a fresh machine.
//!
//! This file is the table of contents: the command line and where each habit lives. What a habit
//! does is in the module of its name; what several of them need is in [`setup`] (installing),
//! [`hub`] (building the binary) and [`process`] (running other programs). There is no library here
//! and nothing that the product depends on.

mod bench;
mod check;
mod fuzz;
mod generate;
mod hub;
mod process;
mod sdk;
mod setup;
mod tally;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The habits of Fanline, a line each.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    habit: Habit,
}

#[derive(Debug, Subcommand)]
enum Habit {
    /// Install what this machine lacks, build the hub, run every test
    Test(test::Test),
    /// All that needs no running hub: fmt, clippy, deny, doc, proto, sources, generated
    Check(check::Check),
    /// Measure the hub: fanout, idle or latency against bare broadcasters, redis, or validate
    Bench(bench::Bench),
    /// Look for bytes that break a parser, guided by coverage, a minute for each
    Fuzz(fuzz::Fuzz),
    /// Rebuild the committed files that are generated
    Gen,
    /// Only install what `test` and `check` need, and say what was done
    Setup,
}

fn main() -> ExitCode {
    match run(Cli::parse().habit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(habit: Habit) -> anyhow::Result<()> {
    let workspace = Workspace::locate()?;
    match habit {
        Habit::Test(test) => test.run(&workspace),
        Habit::Check(check) => check.run(&workspace),
        Habit::Bench(bench) => bench.run(&workspace),
        Habit::Fuzz(fuzz) => fuzz.run(&workspace),
        Habit::Gen => generate::write(&workspace),
        Habit::Setup => setup::everything(&workspace),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_meant_for_another_program_is_passed_on() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().habit;
        let Habit::Test(test) = parse("xtask test -E package(x) --retries 2") else {
            panic!("not a test");
        };
        assert_eq!(test.filter, ["-E", "package(x)", "--retries", "2"]);
        let Habit::Bench(bench) = parse("xtask bench --quick idle --connections 10") else {
            panic!("not a bench");
        };
        assert!(bench.quick);
        assert_eq!(bench.args, ["--connections", "10"]);
        let Habit::Bench(bench) = parse("xtask bench idle -- --help") else {
            panic!("not a bench");
        };
        assert_eq!(bench.args, ["--help"]);
    }
}
