//! `fanline token`: mints a token.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use fanline_core::ChannelName;
use fanline_core::clock::SystemClock;
use fanline_core::pattern::Pattern;
use serde_json::{Map, Value};

use crate::cli::Token;
use crate::config::{ClientKey, Loaded};
use crate::mint::{Mint, grants};

pub(super) fn run(arguments: &Token) -> Result<ExitCode> {
    let token = mint(arguments)?.sign(claims(arguments)?, arguments.ttl, &SystemClock::start())?;
    writeln!(io::stdout(), "{token}")?;
    Ok(ExitCode::SUCCESS)
}

fn mint(arguments: &Token) -> Result<Mint> {
    let Token { config, key, kid, algorithm, issuer, audience, .. } = arguments;
    let Some(file) = config else {
        let secret =
            key.clone().context("no key to sign with: give --config, or --key and --algorithm")?;
        let (kid, issuer, audience) = (kid.clone(), issuer.clone(), audience.clone());
        return Mint::new(
            ClientKey { secret, algorithm: *algorithm, kid, issuer, audience },
            Path::new(""),
        );
    };
    let loaded = Loaded::from_file(Some(file))?;
    let key = loaded.client_key().with_context(|| {
        format!(
            "{} has no [[tokens.keys]] with a secret for clients; give --key and --algorithm",
            file.display()
        )
    })?;
    let issuer = issuer.clone().or(key.issuer);
    let audience = audience.clone().or(key.audience);
    Mint::new(ClientKey { issuer, audience, ..key }, loaded.folder())
}

fn claims(arguments: &Token) -> Result<Map<String, Value>> {
    let Token { sub, subscribe, publish, presence, history, join, info, .. } = arguments;
    for pattern in [subscribe, publish, presence, history].into_iter().flatten() {
        pattern.parse::<Pattern>().with_context(|| format!("'{pattern}'"))?;
    }
    for channel in join {
        channel.parse::<ChannelName>().with_context(|| format!("--join '{channel}'"))?;
    }
    let mut claims = Map::new();
    if let Some(sub) = sub {
        claims.insert("sub".to_owned(), sub.clone().into());
    }
    if let Some(info) = info {
        let info: Value = serde_json::from_str(info).context("--info is not JSON")?;
        claims.insert("info".to_owned(), info);
    }
    let actions: [(&str, &[String]); 5] = [
        ("subscribe", subscribe),
        ("publish", publish),
        ("presence", presence),
        ("history", history),
        ("join", join),
    ];
    claims.insert("channels".to_owned(), grants(&actions));
    Ok(claims)
}
