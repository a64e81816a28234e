//! The examples, run as their READMEs say.

use std::path::PathBuf;

use tokio::process::Command;

use crate::process::Process;
use crate::script::project;

/// One folder of `examples`.
#[derive(Debug)]
pub struct Example {
    folder: PathBuf,
    readme: String,
}

impl Example {
    /// The one with this name.
    pub fn named(name: &str) -> Self {
        let folder = project().join("examples").join(name);
        let readme = std::fs::read_to_string(folder.join("README.md"));
        Self { folder, readme: readme.expect("each example has a README") }
    }

    /// The one line of the README that contains `part`, with each of `changes` made in it. A change that finds nothing to
    /// change is a README that says something else by now.
    pub fn line_with(&self, part: &str, changes: &[(&str, &str)]) -> String {
        let mut lines = self.readme.lines().filter(|line| line.contains(part));
        let line =
            lines.next().unwrap_or_else(|| panic!("no line with {part:?}:\n{}", self.readme));
        assert_eq!(lines.next(), None, "{part:?} is on two lines");
        changes.iter().fold(line.to_owned(), |line, (from, to)| {
            assert!(line.contains(from), "{line:?} has no {from:?}");
            line.replace(from, to)
        })
    }

    /// Runs a line of the README in the folder of the example.
    pub fn run(&self, line: &str) -> Process {
        let mut shell = Command::new("sh");
        // `exec env`: the process that is stopped at the end is the example itself, not a shell around it, and variables
        // may stand before the program.
        shell.arg("-c").arg(format!("exec env {line}")).current_dir(&self.folder);
        Process::spawn(line, shell)
    }
}
