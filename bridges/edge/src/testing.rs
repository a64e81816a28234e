//! What the tests of this crate and of the bridges build on: an edge before a hub in memory, and tokens for it.
//!
//! Its clock stands still until it is told to move, unlike the timers of the runtime. Start with [`TestEdge`].

use crate::address::TrustedProxies;
use crate::admission::Admission;
use crate::drain::Drain;
use crate::edge::{Edge, EdgeParts};
use crate::metrics::EdgeMetrics;
use crate::origin::OriginPolicy;
use crate::rate::RateLimit;
use crate::token::{Algorithm, KeyMaterial, KeyUse, TokenKey, TokenRules, TokenVerifier};
use fanline_core::Limits;
use fanline_core::clock::Clock;
use fanline_core::testing::TestHub;
use jsonwebtoken::{EncodingKey, Header};
use prometheus_client::registry::Registry;
use serde_json::json;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

const SECRET: &[u8] = b"the secret of an edge in a test!";

/// An edge that lets pages of `https://app.example` in, before a [`TestHub`]. A drain begins when it is dropped.
pub struct TestEdge {
    /// The hub behind it, with its clock and its broker.
    pub hub: TestHub,
    edge: Edge,
    _drain: DropGuard,
}

impl TestEdge {
    /// Starts it with the default limits.
    #[must_use]
    pub fn start() -> Self {
        Self::with_limits(Limits::default())
    }

    /// Starts it with other limits.
    ///
    /// # Panics
    /// Never: what it is made of is good.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        let clock = |hub: &TestHub| -> Arc<dyn Clock> { Arc::new(hub.clock.clone()) };
        let hub = TestHub::with_limits(limits.clone());
        let key = TokenKey {
            kid: None,
            algorithm: Algorithm::HS256,
            material: KeyMaterial::Secret(SECRET.to_vec()),
            usage: KeyUse::Client,
        };
        let rules = TokenRules { keys: vec![key], ..TokenRules::default() };
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        let edge = Edge::new(EdgeParts {
            tokens: TokenVerifier::new(rules, clock(&hub)).expect("good rules"),
            origins: OriginPolicy::new(["https://app.example"]).expect("an origin"),
            proxies: TrustedProxies::default(),
            query_token: false,
            connect_handler: false,
            admission: Admission::new(&limits, clock(&hub)),
            operations: RateLimit::new(
                limits.operations_per_second,
                limits.operations_burst,
                clock(&hub),
            ),
            metrics: EdgeMetrics::register(&mut Registry::default()),
            drain: Drain::at(drain.clone(), Duration::from_secs(1), &tasks),
            tasks,
            hub: hub.clone(),
        });
        TestEdge { hub, edge, _drain: drain.drop_guard() }
    }

    /// A token of a user who may do everything everywhere, good for so long.
    ///
    /// # Panics
    /// Never: its claims are JSON.
    #[must_use]
    pub fn token(&self, user: &str, life: Duration) -> String {
        let everywhere = ["*"];
        let channels = json!({
            "subscribe": everywhere, "publish": everywhere, "presence": everywhere, "history": everywhere,
        });
        let expires = self.hub.clock.wall().millis() / 1000 + life.as_secs();
        let claims = json!({"sub": user, "jti": "t1", "exp": expires, "channels": channels});
        let key = EncodingKey::from_secret(SECRET);
        jsonwebtoken::encode(&Header::default(), &claims, &key).expect("claims are JSON")
    }
}

impl Deref for TestEdge {
    type Target = Edge;

    fn deref(&self) -> &Edge {
        &self.edge
    }
}
