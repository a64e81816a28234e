//! The circuit breaker: a handler that fails again and again is not asked for a while, so that commands for it are answered
//! at once and it can come back to its senses.
//!
//! [`Circuit`] is the decision, without time or locks of its own; [`BreakerLayer`] puts it around a service.

use super::attempt::Job;
use super::failure::Failure;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

/// Failures in a row that open the circuit: fewer may be chance.
const FAILURES: u32 = 5;
/// The first pause. Each trial that fails makes the next one twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause: how late a handler may be found that has come back.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Whether a handler is asked.
#[derive(Debug, Default)]
struct Circuit {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It is asked. So many calls in a row have failed.
    Closed { failures: u32 },
    /// It is not asked until then.
    Open { until: Instant, pause: Duration },
    /// One call is on its way to see whether it is back.
    Trial { pause: Duration },
}

/// How a call was let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Passage {
    Normal,
    Trial,
}

/// What a call says about its handler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    Answers,
    Fails,
    /// It was given up before it could say anything.
    Unknown,
}

impl Default for State {
    fn default() -> Self {
        State::Closed { failures: 0 }
    }
}

impl Circuit {
    /// Lets a call through, or tells how long to wait.
    fn admit(&mut self, now: Instant) -> Result<Passage, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Passage::Normal),
            State::Open { until, pause } => {
                let left = until.saturating_duration_since(now);
                if !left.is_zero() {
                    return Err(left);
                }
                self.state = State::Trial { pause };
                Ok(Passage::Trial)
            }
            State::Trial { pause } => Err(pause),
        }
    }

    /// Takes in how a call ended. Calls that were under way when the circuit opened change nothing any more.
    fn settle(&mut self, passage: Passage, health: Health, now: Instant) {
        let open = |pause: Duration| State::Open { until: now + pause, pause };
        self.state = match (passage, self.state, health) {
            (Passage::Normal, State::Closed { .. }, Health::Answers) => State::default(),
            (Passage::Normal, State::Closed { failures }, Health::Fails) => {
                if failures + 1 < FAILURES {
                    State::Closed { failures: failures + 1 }
                } else {
                    open(PAUSE_MIN)
                }
            }
            (Passage::Trial, State::Trial { .. }, Health::Answers) => State::default(),
            (Passage::Trial, State::Trial { pause }, Health::Fails) => {
                open((pause * 2).min(PAUSE_MAX))
            }
            // The next call is the trial.
            (Passage::Trial, State::Trial { pause }, Health::Unknown) => {
                State::Open { until: now, pause }
            }
            (_, state, _) => state,
        };
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }
}

/// Puts a breaker around a service. All services of one layer share it.
#[derive(Clone, Debug)]
pub(super) struct BreakerLayer(Arc<Shared>);

/// A service behind a breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker<S> {
    inner: S,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    circuit: Mutex<Circuit>,
    /// Whose it is, for the log.
    methods: String,
    /// How many circuits are open.
    open: Gauge,
}

impl BreakerLayer {
    /// A breaker that is closed, for the handler of some methods. It counts in `open` while it is not.
    pub(super) fn new(methods: String, open: Gauge) -> Self {
        BreakerLayer(Arc::new(Shared { circuit: Mutex::default(), methods, open }))
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Breaker<S>;

    fn layer(&self, inner: S) -> Breaker<S> {
        Breaker { inner, shared: Arc::clone(&self.0) }
    }
}

impl<S> Service<Job> for Breaker<S>
where
    S: Service<Job, Error = Failure>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<S::Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, job: Job) -> Self::Future {
        let passage = self.shared.lock().admit(Instant::now());
        let passage = match passage {
            Ok(passage) => passage,
            Err(left) => return Box::pin(async move { Err(Failure::Paused(left)) }),
        };
        let pass = Pass { shared: Arc::clone(&self.shared), passage, job: Some(job.clone()) };
        let call = self.inner.call(job);
        Box::pin(async move {
            let result = call.await;
            pass.settle(result.as_ref().err());
            result
        })
    }
}

/// A call that was let through. Dropping it says that the call was given up.
struct Pass {
    shared: Arc<Shared>,
    passage: Passage,
    /// None once the circuit knows how it ended.
    job: Option<Job>,
}

impl Pass {
    fn settle(mut self, failure: Option<&Failure>) {
        self.job = None;
        let health = match failure {
            Some(failure) if failure.is_outage() => Health::Fails,
            Some(_) | None => Health::Answers,
        };
        self.shared.settle(self.passage, health, failure);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            // A client that ran out of time says as much about the handler as a timeout; one that went away says nothing.
            let health = if job.is_over() { Health::Fails } else { Health::Unknown };
            self.shared.settle(self.passage, health, None);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, passage: Passage, health: Health, failure: Option<&Failure>) {
        let mut circuit = self.lock();
        let was_closed = circuit.is_closed();
        circuit.settle(passage, health, Instant::now());
        let is_closed = circuit.is_closed();
        drop(circuit);
        let methods = &self.methods;
        if was_closed && !is_closed {
            self.open.inc();
            match failure {
                Some(failure) => tracing::warn!(%methods, %failure, "a handler is given a pause"),
                None => {
                    tracing::warn!(%methods, "a handler that lets clients wait is given a pause")
                }
            }
        } else if !was_closed && is_closed {
            self.open.dec();
            tracing::info!(%methods, "a handler answers again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A circuit, and what time it is.
    struct Case {
        circuit: Circuit,
        now: Instant,
    }

    impl Case {
        fn opened() -> Self {
            let mut case = Case { circuit: Circuit::default(), now: Instant::now() };
            for _ in 0..FAILURES {
                case.call(Health::Fails);
            }
            case
        }

        #[track_caller]
        fn call(&mut self, health: Health) -> Passage {
            let passage = self.circuit.admit(self.now).unwrap();
            self.circuit.settle(passage, health, self.now);
            passage
        }

        fn refused_for(&mut self) -> Option<Duration> {
            self.circuit.admit(self.now).err()
        }
    }

    #[tokio::test]
    async fn failures_in_a_row_open_it_and_one_answer_between_them_does_not_let_it_come_to_that() {
        let mut case = Case { circuit: Circuit::default(), now: Instant::now() };
        for health in [Health::Fails, Health::Fails, Health::Fails, Health::Fails, Health::Answers]
        {
            case.call(health);
        }
        for _ in 0..FAILURES - 1 {
            case.call(Health::Fails);
        }
        assert!(case.circuit.is_closed());
        case.call(Health::Unknown);
        case.call(Health::Fails);
        assert_eq!(case.refused_for(), Some(PAUSE_MIN));
    }

    #[tokio::test]
    async fn after_the_pause_one_call_finds_out_whether_the_handler_is_back() {
        let mut case = Case::opened();
        case.now += PAUSE_MIN;
        let trial = case.circuit.admit(case.now).unwrap();
        assert_eq!(trial, Passage::Trial);
        assert_eq!(case.refused_for(), Some(PAUSE_MIN), "one at a time");
        case.circuit.settle(trial, Health::Answers, case.now);
        assert_eq!(case.call(Health::Answers), Passage::Normal);
    }

    #[tokio::test]
    async fn each_trial_that_fails_doubles_the_pause_up_to_its_longest() {
        let mut case = Case::opened();
        let mut pause = PAUSE_MIN;
        for _ in 0..8 {
            case.now += pause;
            assert_eq!(case.call(Health::Fails), Passage::Trial);
            pause = (pause * 2).min(PAUSE_MAX);
            assert_eq!(case.refused_for(), Some(pause));
        }
        assert_eq!(pause, PAUSE_MAX);
    }

    #[tokio::test]
    async fn a_trial_that_is_given_up_leaves_the_next_call_to_try() {
        let mut case = Case::opened();
        case.now += PAUSE_MIN;
        assert_eq!(case.call(Health::Unknown), Passage::Trial);
        assert_eq!(case.call(Health::Answers), Passage::Trial);
        assert!(case.circuit.is_closed());
    }

    #[tokio::test]
    async fn what_was_under_way_when_it_opened_changes_nothing() {
        let mut case = Case { circuit: Circuit::default(), now: Instant::now() };
        let late = case.circuit.admit(case.now).unwrap();
        for _ in 0..FAILURES {
            case.call(Health::Fails);
        }
        case.circuit.settle(late, Health::Answers, case.now);
        assert_eq!(case.refused_for(), Some(PAUSE_MIN));
    }
}
