//! Who calls, and what that lets them do: all that the services know about credentials.

use crate::scope::Scope;
use crate::status;
use crate::term::{Term, WhileValid};
use fanline_core::pattern::Pattern;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use std::fmt;
use std::sync::Arc;
use tonic::Status;

/// An authenticated backend. Travels with its request; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Rights>);

#[derive(Clone, Debug)]
struct Rights {
    /// Starts a sentence about it: "the API key `orders`".
    name: String,
    scopes: Vec<Scope>,
    channels: Vec<Pattern>,
    /// The methods that it may answer. None: any.
    methods: Vec<Pattern>,
    /// How long its credential counts.
    term: Term,
}

impl Caller {
    pub(crate) fn new(name: String, scopes: Vec<Scope>, channels: Vec<Pattern>) -> Self {
        Caller(Arc::new(Rights {
            name,
            scopes,
            channels,
            methods: Vec::new(),
            term: Term::Process,
        }))
    }

    /// The same caller, who may answer only some methods. None: any.
    pub(crate) fn answering(self, methods: Vec<Pattern>) -> Self {
        Caller(Arc::new(Rights { methods, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same caller, as long as its credential counts.
    pub(crate) fn with_term(self, term: Term) -> Self {
        Caller(Arc::new(Rights { term, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Waits for the end of its credential.
    pub(crate) fn end(&self, hub: &Hub) -> impl Future<Output = Refusal> + Send + use<> {
        self.0.term.clone().end(Arc::clone(hub.clock()))
    }

    /// How long its credential counts.
    pub(crate) fn term(&self) -> &Term {
        &self.0.term
    }

    /// A stream that ends with its credential.
    pub(crate) fn while_valid<S>(&self, hub: &Hub, stream: S) -> WhileValid<S> {
        WhileValid::new(stream, self.end(hub))
    }

    /// Whether another one has the same name and may do the same.
    pub(crate) fn is_like(&self, other: &Caller) -> bool {
        let Rights { name, scopes, channels, methods, term: _ } = &*self.0;
        *name == other.0.name
            && *scopes == other.0.scopes
            && *channels == other.0.channels
            && *methods == other.0.methods
    }

    /// Who sent a request.
    ///
    /// # Errors
    /// [`Reason::Unauthenticated`], should a request ever come here without having been authenticated.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get().cloned();
        caller.ok_or_else(|| {
            let message = "the request was not authenticated";
            status::of(&Refusal::new(Reason::Unauthenticated, message))
        })
    }

    /// Decides whether the caller may do something in a channel. The answer is the same whether the channel exists.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`], naming what is missing.
    pub(crate) fn require(&self, scope: Scope, channel: &ChannelName) -> Result<(), Refusal> {
        self.require_scope(scope)?;
        if self.covers(channel) {
            return Ok(());
        }
        let message = format!("{self} has no pattern that covers the channel `{channel}`");
        Err(Refusal::new(Reason::PermissionDenied, message).with_field("channel"))
    }

    /// Decides whether the caller may do something anywhere.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`], naming the scope.
    pub(crate) fn require_scope(&self, scope: Scope) -> Result<(), Refusal> {
        if self.0.scopes.contains(&scope) {
            return Ok(());
        }
        let message = format!("{self} lacks the scope `{scope}`");
        Err(Refusal::new(Reason::PermissionDenied, message))
    }

    /// Decides whether the caller may do something that touches any channel.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`], naming what is missing.
    pub(crate) fn require_everywhere(&self, scope: Scope) -> Result<(), Refusal> {
        self.require_scope(scope)?;
        if self.covers_all() {
            return Ok(());
        }
        let message = format!("{self} has no pattern that covers all channels, as `*` does");
        Err(Refusal::new(Reason::PermissionDenied, message))
    }

    /// Decides whether the caller may answer all methods of a pattern.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`], naming what is missing.
    pub(crate) fn require_method(&self, pattern: &Pattern) -> Result<(), Refusal> {
        self.require_scope(Scope::Commands)?;
        // A pattern that matches another one's text, stars and all, matches whatever the other matches.
        let covers = |own: &Pattern| own.matches(pattern.as_str());
        if self.0.methods.is_empty() || self.0.methods.iter().any(covers) {
            return Ok(());
        }
        let message = format!("{self} has no pattern that covers the methods `{pattern}`");
        Err(Refusal::new(Reason::PermissionDenied, message).with_field("methods"))
    }

    /// Whether all channels are those of the caller.
    pub(crate) fn covers_all(&self) -> bool {
        // A pattern that matches a star matches whatever the star does.
        self.0.channels.iter().any(|pattern| pattern.matches("*"))
    }

    /// Whether a channel is among those of the caller.
    pub(crate) fn covers(&self, channel: &ChannelName) -> bool {
        self.0.channels.iter().any(|pattern| pattern.matches(channel.as_str()))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_needs_the_scope_and_a_pattern_and_is_told_which_is_missing() {
        let orders = Caller::new(
            "the API key `orders`".into(),
            vec![Scope::Publish, Scope::History],
            vec!["orders:*".parse().unwrap(), "news".parse().unwrap()],
        );
        let table = [
            (Scope::Publish, "orders:1", None),
            (Scope::History, "news", None),
            (
                Scope::Subscribe,
                "orders:1",
                Some("the API key `orders` lacks the scope `subscribe`"),
            ),
            (
                Scope::Publish,
                "chat:a",
                Some("the API key `orders` has no pattern that covers the channel `chat:a`"),
            ),
            (
                Scope::Publish,
                "news:x",
                Some("the API key `orders` has no pattern that covers the channel `news:x`"),
            ),
        ];
        for (scope, channel, refused) in table {
            let denied = refused
                .map(|message| Refusal::new(Reason::PermissionDenied, message))
                .map(|refusal| match scope == Scope::Subscribe {
                    true => refusal,
                    false => refusal.with_field("channel"),
                });
            let answer = orders.require(scope, &channel.parse().unwrap());
            assert_eq!(answer.err(), denied, "{scope} in {channel}");
        }
    }

    #[test]
    fn a_caller_without_patterns_covers_nothing() {
        let nobody = Caller::new("nobody".into(), Scope::ALL.to_vec(), Vec::new());
        assert!(!nobody.covers(&"news".parse().unwrap()));
    }

    #[test]
    fn a_caller_answers_the_methods_that_its_patterns_cover_whole() {
        let scopes = vec![Scope::Commands];
        let any = Caller::new("any".into(), scopes.clone(), Vec::new());
        let some = any.clone().answering(vec!["chat.*".parse().unwrap(), "ping".parse().unwrap()]);
        let table = [
            ("chat.rename", true),
            ("chat.*", true),
            ("chat.a*b", true),
            ("ping", true),
            ("*", false),
            ("cha*", false),
            ("pin*", false),
        ];
        for (pattern, allowed) in table {
            let pattern = pattern.parse().unwrap();
            assert!(any.require_method(&pattern).is_ok());
            assert_eq!(some.require_method(&pattern).is_ok(), allowed, "{pattern}");
        }
        let nobody = Caller::new("nobody".into(), Vec::new(), Vec::new());
        assert!(nobody.require_method(&"ping".parse().unwrap()).is_err());
    }

    #[test]
    fn a_request_that_was_not_authenticated_has_no_caller() {
        let status = Caller::of(&tonic::Request::new(())).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
    }
}
