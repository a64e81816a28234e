//! `fanline key`: makes an API key.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use fanline_core::random::Random;
use fanline_grpc::keys::Scope;

use crate::cli::Key;
use crate::config::ApiKeyConfig;
use crate::new_key::NewKey;

pub(super) fn run(arguments: Key) -> Result<ExitCode> {
    let Key { name, scopes, channels, methods } = arguments;
    let scopes = if scopes.is_empty() { Scope::ALL.to_vec() } else { scopes };
    let scopes = scopes.iter().map(ToString::to_string).collect();
    let channels = channels.iter().map(ToString::to_string).collect();
    let methods = methods.iter().map(ToString::to_string).collect();
    let NewKey { key, hash } =
        NewKey::random(&Random::from_system().context("there is no randomness")?);
    let (name, hash) = (Some(name), Some(hash));
    let entry = ApiKeyConfig { name, hash, scopes, channels, methods };
    let section = toml::to_string(&entry).context("the section cannot be written")?;
    writeln!(
        io::stdout(),
        "# The key, for the backend; it is not shown again:\n{key}\n\n# For the hub's configuration:\n[[api_keys]]\n{section}"
    )?;
    Ok(ExitCode::SUCCESS)
}
