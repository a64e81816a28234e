//! One running hub: its parts put together, started, and stopped again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use fanline_asyncapi::LiveCatalog;
use fanline_core::Hub;
use fanline_core::broker::notices;
use fanline_core::clock::{Clock, SystemClock};
use fanline_core::command::peers;
use fanline_core::hub::HubParts;
use fanline_core::metrics::HubMetrics;
use fanline_core::random::Random;
use fanline_core::spans::{NoSpans, SpanLinks};
use fanline_edge::http_error::method_not_allowed;
use fanline_edge::metrics::KeySetMetrics;
use fanline_edge::token::PublishedKeys;
use fanline_edge::{
    Admission, Drain, Edge, EdgeMetrics, EdgeParts, OriginPolicy, RateLimit, TokenVerifier,
};
use fanline_grpc::backends::Backends;
use fanline_grpc::handlers::{self, HandlerMetrics};
use fanline_grpc::{GrpcMetrics, GrpcParts};
use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;

use crate::broker::{self, BrokerParts};
use crate::config::{ConfigOrigin, DocsSettings, PublicSettings, Settings};
use crate::docs::{self, Documents};
use crate::jwks::KeyFetcher;
use crate::lifecycle::{Ended, Shutdown, Signals};
use crate::listener::{Listener, ListenerMetrics, ListenerOptions};
use crate::ops::{self, Readiness};
use crate::reload::{Occasions, Reload, ReloadMetrics};
use crate::service_tokens::VerifiedServices;
use crate::telemetry::{self, Flush, Spans};
use crate::{console, problem};

/// One running hub.
pub(crate) struct Node {
    addresses: Addresses,
    shutdown: Shutdown,
    /// What ends by itself once a drain begins: the listeners and all connections.
    draining: TaskTracker,
    drain_deadline: Duration,
    /// None: there are no spans.
    spans: Option<Flush>,
}

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) public: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) ops: SocketAddr,
}

/// What `dev` has and production has not.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// The token that the console page starts with. None: there is no console page.
    pub(crate) console_token: Option<String>,
    /// Whether a change of the catalog's files is noticed without a signal.
    pub(crate) watch_catalog: bool,
}

impl Node {
    /// Starts all parts. Once it returns, clients can connect.
    ///
    /// # Errors
    /// An address cannot be bound, or the operating system has no randomness.
    pub(crate) fn start(
        settings: Settings,
        origin: ConfigOrigin,
        extras: Extras,
        spans: Option<Spans>,
    ) -> Result<Self> {
        let Settings {
            public,
            grpc,
            ops,
            broker,
            tokens,
            jwks,
            api_keys,
            namespaces,
            catalog,
            handlers,
            docs,
            limits,
            drain,
            telemetry: _,
            warnings: _,
        } = settings;
        let shutdown = Shutdown::default();
        let draining = TaskTracker::new();
        // The hub outlives its fronts: what they accepted is finished.
        let lasting = TaskTracker::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let random = Random::from_system().context("the operating system has no randomness")?;
        let mut registry = Registry::default();
        telemetry::count_panics(&mut registry);

        let listeners = ListenerMetrics::register(&mut registry);
        let public_listener = bind(
            "public",
            public.listen,
            ListenerOptions::public(&limits, public.tls.clone()),
            &listeners,
        )?;
        let grpc_listener = bind(
            "grpc",
            grpc.listen,
            ListenerOptions::grpc(&limits, grpc.tls.clone()),
            &listeners,
        )?;
        let ops_listener = bind("ops", ops, ListenerOptions::ops(&limits), &listeners)?;
        let addresses = Addresses {
            public: public_listener.address()?,
            grpc: grpc_listener.address()?,
            ops: ops_listener.address()?,
        };

        let (notices_in, notices_out) = notices();
        let parts = BrokerParts {
            notices: notices_in,
            clock: Arc::clone(&clock),
            random: random.clone(),
            registry: &mut registry,
            tasks: &lasting,
            stop: shutdown.stop.clone(),
        };
        let (broker, readiness) = broker::start(broker, parts, Readiness::default());
        let span_links: Arc<dyn SpanLinks> = match &spans {
            Some(spans) => spans.links(),
            None => Arc::new(NoSpans),
        };
        let node = broker.nodes().id();
        let spans = spans.map(|spans| spans.export(node, random.clone(), &mut registry));
        let parts = HubParts {
            broker,
            notices: notices_out,
            namespaces,
            limits: limits.clone(),
            clock: Arc::clone(&clock),
            random: random.clone(),
            metrics: HubMetrics::register(&mut registry),
            spans: span_links,
        };
        let hub = Hub::start(parts, &lasting, shutdown.stop.clone());
        peers::start(hub.clone(), &lasting, shutdown.stop.clone());
        let handler_metrics = HandlerMetrics::register(&mut registry);
        handlers::start(&hub, handlers, &handler_metrics, &lasting, &shutdown.stop);
        let readiness = readiness.with("revocations", {
            let hub = hub.clone();
            move || (!hub.knows_revoked()).then_some("it is not known yet which tokens are revoked")
        });
        let published_keys =
            PublishedKeys::none(Arc::clone(&clock), KeySetMetrics::register(&mut registry));
        let tokens = TokenVerifier::new(tokens, Arc::clone(&clock))
            .context("[tokens]")?
            .with_published_keys(published_keys.clone());
        let readiness = readiness.with("jwks", {
            let keys = published_keys.clone();
            move || keys.are_missing().then_some("the keys of [tokens.jwks] were not fetched yet")
        });
        let published_keys =
            KeyFetcher::start(published_keys, jwks, random, &lasting, shutdown.stop.clone());
        let reload = Reload {
            origin,
            hub: hub.clone(),
            api_keys: api_keys.clone(),
            tokens: tokens.clone(),
            published_keys,
            catalog: LiveCatalog::default(),
            metrics: ReloadMetrics::register(&mut registry),
        };
        reload.put_in_force(catalog);
        let console = extras.console_token.is_some();
        let facts = docs::facts_of(&docs, addresses, &public, &grpc, &limits, console);
        let documents = Documents::new(reload.catalog.clone(), hub.clone(), facts);

        let readiness = readiness.with("drain", {
            let drain = shutdown.drain.clone();
            move || drain.is_cancelled().then_some("the process is stopping")
        });
        let readiness = Arc::new(readiness);
        let grpc_front = fanline_grpc::router(GrpcParts {
            hub: hub.clone(),
            backends: Backends::with_keys(api_keys)
                .and_tokens(Arc::new(VerifiedServices(tokens.clone())))
                .and_certificates(grpc.certificates),
            catalog: Arc::new(documents.clone()),
            token_life_max: {
                let tokens = tokens.clone();
                Arc::new(move || tokens.life_max())
            },
            metrics: GrpcMetrics::register(&mut registry),
            is_ready: {
                let readiness = Arc::clone(&readiness);
                Arc::new(move || readiness.is_ready())
            },
            stop: shutdown.drain.clone(),
        });
        let edge = Edge::new(EdgeParts {
            tokens,
            origins: origins(&public, &docs, addresses.public, &extras)?,
            proxies: public.trusted_proxies,
            query_token: public.query_token,
            connect_handler: public.connect_handler,
            admission: Admission::new(&limits, Arc::clone(&clock)),
            operations: RateLimit::new(
                limits.operations_per_second,
                limits.operations_burst,
                clock,
            ),
            metrics: EdgeMetrics::register(&mut registry),
            tasks: draining.clone(),
            drain: Drain::at(shutdown.drain.clone(), drain.window, &lasting),
            hub,
        });
        lasting.spawn(edge.clone().keep_house(shutdown.stop.clone()));
        let occasions = Occasions::take(extras.watch_catalog).context("SIGHUP cannot be taken")?;
        lasting.spawn(reload.run(occasions, shutdown.clone()));

        let serve =
            |listener: Listener, routes: Router, shutdown: Shutdown, tasks: &TaskTracker| {
                tasks.spawn(listener.serve(routes, shutdown, tasks.clone()));
            };
        serve(
            public_listener,
            public_routes(edge, docs.enabled.then_some(documents), extras),
            shutdown.clone(),
            &draining,
        );
        serve(grpc_listener, grpc_front, shutdown.clone(), &draining);
        serve(ops_listener, ops::router(registry, readiness), shutdown.stop_only(), &lasting);
        Ok(Node { addresses, shutdown, draining, drain_deadline: drain.deadline, spans })
    }

    /// Where it listens, with the real ports where 0 was asked for.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Runs until a signal and the drain after it have ended, and tells how.
    pub(crate) async fn run(self, signals: Signals) -> Ended {
        let last = async {
            if let Some(spans) = self.spans {
                spans.run().await;
            }
        };
        self.shutdown.run(signals, &self.draining, last, self.drain_deadline).await
    }
}

fn bind(
    name: &'static str,
    address: SocketAddr,
    options: ListenerOptions,
    metrics: &ListenerMetrics,
) -> Result<Listener> {
    let bound = Listener::bind(address, options, metrics);
    bound.with_context(|| {
        let variable = name.to_uppercase();
        format!(
            "[{name}] listen: {address} cannot be bound; choose another there or by FANLINE_{variable}__LISTEN"
        )
    })
}

/// The pages that may connect: those of the configuration and, where one of the hub's own is there to connect, the hub's.
fn origins(
    public: &PublicSettings,
    docs: &DocsSettings,
    bound: SocketAddr,
    extras: &Extras,
) -> Result<OriginPolicy> {
    let mut allowed = public.allowed_origins.clone();
    if extras.console_token.is_some() || docs.has_live_page() {
        let scheme = if public.tls.is_some() { "https" } else { "http" };
        allowed.push(format!("{scheme}://{bound}"));
        allowed.push(format!("{scheme}://localhost:{}", bound.port()));
        allowed.extend(docs.public.as_ref().map(docs::origin));
    }
    Ok(OriginPolicy::new(allowed)?)
}

fn public_routes(edge: Edge, documents: Option<Documents>, extras: Extras) -> Router {
    let routes = fanline_websocket::router(edge.clone())
        .merge(fanline_sse::router(edge.clone()))
        .merge(fanline_longpoll::router(edge));
    let routes = match documents {
        Some(documents) => routes.merge(docs::router(documents)),
        None => routes,
    };
    let routes = match extras.console_token {
        Some(token) => routes.merge(console::router(token)),
        None => routes,
    };
    routes.method_not_allowed_fallback(method_not_allowed).fallback(problem::not_found)
}
