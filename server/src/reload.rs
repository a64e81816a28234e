//! Replacing keys, namespaces and the catalog while the hub runs.
//!
//! All of a configuration is read and checked before any of it is put in force: one with a fault replaces nothing. What
//! cannot be replaced (listeners, limits, ...) is named in the log when it has changed. Read [`Reload`] first.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, fs};

use anyhow::{Context, Result};
use fanline_asyncapi::{Catalog, CatalogValidator, LiveCatalog};
use fanline_core::Hub;
use fanline_core::validator::NoCatalog;
use fanline_edge::TokenVerifier;
use fanline_grpc::keys::ApiKeys;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::block_in_place;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{debug, error, info, warn};

use crate::config::{Config, ConfigOrigin};
use crate::jwks::KeyFetcher;
use crate::lifecycle::Shutdown;

/// Between two looks at the files of a watched catalog. Polled, because a catalog is small and polling works on every
/// file system, also on those that editors and containers mount.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What can be replaced, and where the new comes from.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) origin: ConfigOrigin,
    pub(crate) hub: Hub,
    pub(crate) api_keys: ApiKeys,
    pub(crate) tokens: TokenVerifier,
    pub(crate) published_keys: KeyFetcher,
    pub(crate) catalog: LiveCatalog,
    pub(crate) metrics: ReloadMetrics,
}

impl Reload {
    /// Lets a catalog count for all that is published from now on.
    pub(crate) fn put_in_force(&self, catalog: Option<Arc<Catalog>>) {
        match &catalog {
            Some(catalog) => {
                info!(revision = %catalog.revision(), events = catalog.events().len(), "catalog in force");
                self.hub.replace_validator(Arc::new(CatalogValidator::new(catalog)));
            }
            None => self.hub.replace_validator(Arc::new(NoCatalog)),
        }
        self.catalog.replace(catalog);
    }

    /// Reloads at every occasion, as long as the process lasts.
    pub(crate) async fn run(self, mut occasions: Occasions, shutdown: Shutdown) {
        let mut running = match self.origin.load() {
            Ok(loaded) => Some(loaded.config().clone()),
            // It was good a moment ago, and is read again at the next occasion.
            Err(_changed) => None,
        };
        occasions.watch(running.as_ref(), &self.origin);
        while let Some(occasion) = shutdown.stop.run_until_cancelled(occasions.next()).await {
            if occasion == Occasion::TerminalGone {
                shutdown.drain.cancel();
                return;
            }
            // Reads files and compiles schemas: not on a thread that serves sockets.
            let outcome = blocking(|| self.reload(running.as_ref()));
            match outcome {
                Ok(config) => {
                    self.metrics.count(Outcome::Applied);
                    occasions.watch(Some(&config), &self.origin);
                    running = Some(config);
                }
                Err(fault) => {
                    self.metrics.count(Outcome::Refused);
                    error!(%occasion, "not reloaded, the old one stays in force: {fault:#}");
                }
            }
        }
    }

    fn reload(&self, running: Option<&Config>) -> Result<Config> {
        let loaded = self.origin.load()?;
        let settings = loaded.settings()?;
        let rules = settings.tokens.ready().context("[tokens]")?;
        // From here on nothing fails.
        self.hub.replace_namespaces(settings.namespaces);
        self.api_keys.replace(&settings.api_keys);
        self.tokens.replace(rules);
        self.published_keys.configure(settings.jwks);
        self.put_in_force(settings.catalog);
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        if let Some(running) = running {
            let sections = loaded.config().sections_that_need_a_restart(running);
            if !sections.is_empty() {
                warn!(?sections, "changed, but only a restart puts these sections in force");
            }
        }
        info!("reloaded");
        Ok(loaded.config().clone())
    }
}

/// Does work that reads files, and leaves sockets to the other threads meanwhile. On one core there is none, and they wait.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread;
    if has_others { block_in_place(work) } else { work() }
}

/// Why a configuration is read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Occasion {
    Signal,
    FileChanged,
    /// The terminal that a `fanline dev` was started from was closed. Nobody wants it to go on unseen.
    TerminalGone,
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Occasion::Signal => "SIGHUP",
            Occasion::FileChanged => "a file changed",
            Occasion::TerminalGone => "the terminal is gone",
        })
    }
}

/// The occasions to reload, as they come.
#[derive(Debug)]
pub(crate) struct Occasions {
    hangup: Signal,
    watched: Option<Watched>,
}

/// A folder whose changes are noticed.
#[derive(Debug)]
struct Watched {
    ticks: Interval,
    /// None: there is no folder to watch.
    folder: Option<PathBuf>,
    seen: Fingerprint,
    had_terminal: bool,
}

/// Files with size and time of change. Two that are equal hold the same, as far as a look tells.
type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Occasions {
    /// Takes SIGHUP over from here on, and watches the catalog if asked to.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub(crate) fn take(watch_catalog: bool) -> io::Result<Self> {
        let watched = watch_catalog.then(|| {
            let mut ticks = interval(LOOK_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Watched {
                ticks,
                folder: None,
                seen: Vec::new(),
                had_terminal: io::stdin().is_terminal(),
            }
        });
        Ok(Occasions { hangup: signal(SignalKind::hangup())?, watched })
    }

    /// Looks after the catalog of this configuration from now on.
    fn watch(&mut self, config: Option<&Config>, origin: &ConfigOrigin) {
        if let Some(watched) = &mut self.watched {
            watched.folder = config.and_then(|config| config.catalog.folder(origin.folder()));
            watched.seen = watched.look();
        }
    }

    async fn next(&mut self) -> Occasion {
        let Some(watched) = &mut self.watched else {
            self.hangup.recv().await;
            return Occasion::Signal;
        };
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    let gone = watched.had_terminal && !io::stdin().is_terminal();
                    return if gone { Occasion::TerminalGone } else { Occasion::Signal };
                }
                _ = watched.ticks.tick() => {
                    let seen = blocking(|| watched.look());
                    if seen != watched.seen {
                        debug!(files = seen.len(), "the catalog has changed");
                        watched.seen = seen;
                        return Occasion::FileChanged;
                    }
                }
            }
        }
    }
}

impl Watched {
    fn look(&self) -> Fingerprint {
        let mut found = Fingerprint::new();
        if let Some(folder) = &self.folder {
            look_into(folder, 0, &mut found);
        }
        found.sort();
        found
    }
}

/// What cannot be read is not there: the reload that follows says why.
fn look_into(folder: &Path, depth: usize, found: &mut Fingerprint) {
    use fanline_asyncapi::limits::{FILES, FOLDER_DEPTH};
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if metadata.is_dir() && depth < FOLDER_DEPTH {
            look_into(&entry.path(), depth + 1, found);
        } else if metadata.is_file() && found.len() < FILES {
            found.push((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
}

/// How a reload went, as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OutcomeLabel {
    outcome: Outcome,
}

/// How a reload went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Outcome {
    Applied,
    Refused,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        fmt::Write::write_str(
            encoder,
            match self {
                Outcome::Applied => "applied",
                Outcome::Refused => "refused",
            },
        )
    }
}

/// `fanline_reloads_total{outcome}`: configurations that were read again, put in force or refused.
#[derive(Clone, Debug)]
pub(crate) struct ReloadMetrics(Family<OutcomeLabel, Counter>);

impl ReloadMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let reloads = Family::default();
        for outcome in [Outcome::Applied, Outcome::Refused] {
            let _starts_at_zero = reloads.get_or_create(&OutcomeLabel { outcome });
        }
        let help = "Configurations read again while running";
        registry.sub_registry_with_prefix("fanline").register("reloads", help, reloads.clone());
        ReloadMetrics(reloads)
    }

    fn count(&self, outcome: Outcome) {
        self.0.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
