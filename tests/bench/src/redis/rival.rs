//! `redis-benchmark` with the hub's own script and arguments.

use std::num::NonZeroUsize;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::redis::server::RedisServer;

/// Where the event stands: after command, hash, number of keys, two keys, fence, epoch and id.
const EVENT: usize = 8;
/// What `redis-benchmark` replaces by a random number of twelve digits.
const RANDOM: &str = "__rand_int__";

pub(crate) struct Rival {
    options: Vec<String>,
    command: Vec<String>,
    event_bytes: usize,
}

impl Rival {
    /// Prepares it for a command as the hub sends it for the channel that ends with the number zero.
    pub(crate) fn new(
        redis: &RedisServer,
        sample: Vec<Vec<u8>>,
        clients: NonZeroUsize,
        pipeline: NonZeroUsize,
        channels: NonZeroUsize,
    ) -> Self {
        let event_bytes = sample.get(EVENT).map_or(0, Vec::len);
        let command = sample.into_iter().enumerate().map(|(index, argument)| match index {
            // A command line holds no zero bytes, and the script does not look into an event.
            EVENT => "x".repeat(argument.len()),
            _ => String::from_utf8_lossy(&argument).replace(&format!("{:012}", 0), RANDOM),
        });
        let options = [
            ("-p", redis.port().to_string()),
            ("-c", clients.to_string()),
            ("-P", pipeline.to_string()),
            ("-r", channels.to_string()),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        Self { options: options.collect(), command: command.collect(), event_bytes }
    }

    pub(crate) fn event_bytes(&self) -> usize {
        self.event_bytes
    }

    /// Runs about so many commands, and says how many.
    pub(crate) fn run(&self, commands: f64) -> Result<u64> {
        let commands = commands as u64;
        let output = Command::new("redis-benchmark")
            .args(&self.options)
            .args(["-q", "-n", &commands.to_string()])
            .args(&self.command)
            .stdin(Stdio::null())
            .output()
            .context("running redis-benchmark")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success()
                && said.contains("requests per second")
                && !said.contains("ERR"),
            "redis-benchmark ended with {}: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(commands)
    }
}
