//! `fanline config`: checks a configuration, prints one to start from, or its schema.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{ConfigCommand, ConfigFile};
use crate::config::{Loaded, manual, schema};

pub(super) fn run(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Check(file) => check(file),
        ConfigCommand::Default => {
            io::stdout().write_all(manual().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Schema => {
            io::stdout().write_all(schema().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(file: &ConfigFile) -> Result<ExitCode> {
    let loaded = Loaded::from_file(file.config.as_deref())?;
    let settings = loaded.settings()?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    writeln!(io::stdout(), "the configuration is good")?;
    Ok(ExitCode::SUCCESS)
}
