//! `fanline dev`, and reading what it prints as a person would.

use std::net::SocketAddr;

use crate::hub::fanline;
use crate::process::Process;

/// A running `fanline dev` on free ports.
#[derive(Debug)]
pub struct Dev(Process);

impl Dev {
    /// Starts it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with variables in its environment.
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let mut command = fanline();
        command.arg("dev").envs(environment.iter().copied());
        for listener in ["PUBLIC", "GRPC", "OPS"] {
            command.env(format!("FANLINE_{listener}__LISTEN"), "127.0.0.1:0");
        }
        Self(Process::spawn("fanline dev", command))
    }

    /// The printed line that contains `part`, from there on.
    pub async fn line_with(&mut self, part: &str) -> String {
        let line = self.0.stdout_line(part, |line| line.contains(part)).await;
        let start = line.find(part).expect("it was found there");
        line[start..].to_owned()
    }

    /// The whole printed line that contains `part`, to be pasted.
    pub async fn command_with(&mut self, part: &str) -> String {
        let line = self.0.stdout_line(part, |line| line.contains(part)).await;
        line.trim().to_owned()
    }

    /// The printed token.
    pub async fn token(&mut self) -> String {
        let line = self.line_with("eyJ").await;
        leading(&line, "-_.").to_owned()
    }

    /// The printed API key.
    pub async fn api_key(&mut self) -> String {
        let line = self.line_with("fk_").await;
        leading(&line, "_").to_owned()
    }

    /// Where backends connect: host and port.
    pub async fn grpc(&mut self) -> String {
        let line = self.line_with("--url http://").await;
        leading(&line["--url http://".len()..], ".:").to_owned()
    }

    /// Where browsers connect.
    pub async fn public(&mut self) -> SocketAddr {
        let line = self.line_with("ws://").await;
        leading(&line["ws://".len()..], ".:")
            .parse()
            .unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }
}

/// The start of `text` that is letters, digits or `others`.
fn leading<'a>(text: &'a str, others: &str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !others.contains(c));
    &text[..end.unwrap_or(text.len())]
}
