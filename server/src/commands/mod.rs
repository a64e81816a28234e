//! What each command does. What can be written on the command line is in [`cli`](crate::cli).

mod asyncapi;
mod catalog;
mod catalog_place;
pub(crate) mod channel_start;
mod check;
mod client;
mod config;
mod dev;
mod event_line;
mod key;
mod publish;
mod serve;
mod subscribe;
mod target;
mod token;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Command;

/// Runs a command to its end.
///
/// # Errors
/// What kept it from doing what was asked, for the person who asked.
pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Dev => dev::run().await,
        Command::Serve(file) => serve::run(&file).await,
        Command::Publish(arguments) => publish::run(arguments).await,
        Command::Subscribe(arguments) => subscribe::run(arguments).await,
        Command::Check(arguments) => check::run(*arguments).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Key(arguments) => key::run(arguments),
        Command::Config(command) => config::run(&command),
        Command::Catalog(command) => catalog::run(command).await,
        Command::AsyncApi(command) => asyncapi::run(command),
    }
}
