//! What a client may ask for, whatever it is connected by: every operation is authorised here and nowhere else.

use crate::decision::Asker;
use crate::token::Identity;
use fanline_core::broker::{Member, Published};
use fanline_core::catchup::Start;
use fanline_core::command::{Call, CommandDraft, MethodName, Reserved};
use fanline_core::connections::{Attendance, Ending, Order, Transport};
use fanline_core::event::{EventType, Payload};
use fanline_core::feed::{self, Opened};
use fanline_core::history::{History, HistoryRequest};
use fanline_core::ids::ConnectionId;
use fanline_core::permission::{Action, Permission, authorise};
use fanline_core::presence::Membership;
use fanline_core::publish::{Draft, Origin};
use fanline_core::spans::SpanLinks;
use fanline_core::trace::TraceParent;
use fanline_core::{ChannelName, Hub, Reason, Refusal, Since};
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::DropGuard;

/// A connection and who it belongs to. Cheap to clone; operations take it whole, so that they can outlive a borrow.
#[derive(Clone, Debug)]
pub struct Client {
    hub: Hub,
    connection: ConnectionId,
    identity: Arc<Identity>,
    attendance: Arc<Attendance>,
}

/// What a client publishes.
#[derive(Clone, Debug)]
pub struct ClientEvent {
    /// The channel.
    pub channel: ChannelName,
    /// The type.
    pub event_type: EventType,
    /// The data.
    pub payload: Payload,
    /// Publishes once within its window.
    pub key: Option<String>,
    /// Whether the connection that publishes receives the event too.
    pub echo: bool,
}

/// What a client calls.
#[derive(Clone, Debug)]
pub struct ClientCall {
    /// The method.
    pub method: MethodName,
    /// The channel that the call is about, if it is about one.
    pub channel: Option<ChannelName>,
    /// What is handed over.
    pub payload: Payload,
    /// Lets a second backend answer when the first went away.
    pub key: Option<String>,
    /// Where in a trace the call stands.
    pub trace: Option<TraceParent>,
}

impl Client {
    /// A connection of the hub ([`Hub::connection_id`]), with its verified identity. Others see that it is there until
    /// the last clone is gone, and may give it [orders](Self::poll_order).
    #[must_use]
    pub fn new(
        hub: Hub,
        connection: ConnectionId,
        transport: Transport,
        identity: Identity,
    ) -> Self {
        let Identity { user, token_id, issued_at, .. } = &identity;
        let attendance =
            hub.attend(connection, transport, user.clone(), token_id.clone(), *issued_at);
        Client { hub, connection, identity: Arc::new(identity), attendance: Arc::new(attendance) }
    }

    /// The next order that the bridge has to obey, and the waking of the task when there is one: one task asks. A
    /// connection that is `busy` with something gets only the order to end; the others wait.
    pub fn poll_order(&self, cx: &mut Context<'_>, busy: bool) -> Poll<Order> {
        self.attendance.poll_order(cx, busy)
    }

    /// Calls `end` when the connection is ordered to end, or without an ending when its token runs out: also while
    /// nobody polls for orders, for instance because the client takes nothing. If the guard is dropped first, `end` is
    /// dropped uncalled.
    ///
    /// To be used once. The token of a connection that is [refreshed](Self::refreshed) is the first one's here.
    #[must_use]
    pub fn at_end(&self, end: impl FnOnce(Option<Ending>) + Send + 'static) -> DropGuard {
        self.attendance.at_end(self.expires_in(), end)
    }

    /// Says why the hub is about to end the connection, for backends that are told of it. The first reason counts.
    pub fn part(&self, reason: Reason) {
        self.attendance.part(reason);
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Who it belongs to.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How the spans of what it asks for are connected with its own.
    #[must_use]
    pub fn spans(&self) -> &dyn SpanLinks {
        &**self.hub.spans()
    }

    /// How long the token still counts.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        let now = self.hub.clock().wall().millis();
        Duration::from_millis(self.identity.expires_at.millis().saturating_sub(now))
    }

    /// The same connection with the identity of a newer token.
    #[must_use]
    pub fn refreshed(&self, identity: Identity) -> Self {
        self.attendance.renew(identity.token_id.clone(), identity.issued_at);
        Client { identity: Arc::new(identity), ..self.clone() }
    }

    /// Whether the client may be in a channel: by its grants, because its token puts it there, or if a backend lets it
    /// ([`admit`](Self::admit)).
    ///
    /// # Errors
    /// [`PermissionDenied`](fanline_core::Reason::PermissionDenied), or an unknown namespace.
    pub fn may_join(&self, channel: &ChannelName) -> Result<Permission, Refusal> {
        self.identity.check_revoked(&self.hub)?;
        let user = self.identity.user.as_ref();
        let placed =
            self.identity.join.contains(channel) && channel.admits(user.map(|user| user.as_str()));
        match self.authorise(Action::Subscribe, channel) {
            Err(_denied) if placed => Ok(Permission::Granted),
            permission => permission,
        }
    }

    /// Waits for leave to be in a channel.
    ///
    /// # Errors
    /// As [`may_join`](Self::may_join), or a backend that says no, or nothing.
    pub async fn admit(&self, channel: &ChannelName) -> Result<(), Refusal> {
        let permission = self.may_join(channel)?;
        self.settle(permission, Reserved::Join, channel).await
    }

    /// Waits for leave to be in several channels. Of those that it `is_in` no backend is asked: it was let in.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), of the first channel that it may not be in, which is named.
    pub(crate) async fn admit_all(
        &self,
        channels: &[ChannelName],
        is_in: impl Fn(&ChannelName) -> bool,
    ) -> Result<(), Refusal> {
        let permissions = channels.iter().map(|channel| {
            let permission = self.may_join(channel);
            Ok((channel, permission.map_err(|refusal| refusal.with_channel(channel.as_str()))?))
        });
        // Nobody is asked about one channel while another is refused anyway.
        let permissions: Vec<_> = permissions.collect::<Result<_, Refusal>>()?;
        let open = permissions.into_iter().filter(|(channel, _)| !is_in(channel));
        let settled = open.map(async |(channel, permission)| {
            let settled = self.settle(permission, Reserved::Join, channel).await;
            settled.map_err(|refusal| refusal.with_channel(channel.as_str()))
        });
        try_join_all(settled).await?;
        Ok(())
    }

    /// Opens a channel and becomes a member of it.
    ///
    /// # Errors
    /// Not allowed, an unknown namespace, or a broker that is not available.
    pub async fn join(
        self,
        channel: ChannelName,
        start: Start,
    ) -> Result<(Opened, Membership), Refusal> {
        self.admit(&channel).await?;
        self.place(channel, start).await
    }

    /// Opens a channel and becomes a member of it because a backend says so, whatever the token grants.
    ///
    /// # Errors
    /// A channel whose name lists other users, an unknown namespace, or a broker that is not available.
    pub async fn place(
        self,
        channel: ChannelName,
        start: Start,
    ) -> Result<(Opened, Membership), Refusal> {
        let user = self.identity.user.as_ref();
        if !channel.admits(user.map(|user| user.as_str())) {
            let message = "the channel is limited to the users in its name";
            return Err(Refusal::new(Reason::PermissionDenied, message).with_field("channel"));
        }
        let opened = feed::open(self.hub.clone(), channel.clone(), start).await?;
        let membership = self.enter(&channel).await?;
        Ok((opened, membership))
    }

    /// Whether it is in a channel, or about to be.
    #[must_use]
    pub fn is_in(&self, channel: &ChannelName) -> bool {
        self.hub.is_in(self.connection, channel)
    }

    /// Opens several channels and becomes a member of each: all of them, or none.
    ///
    /// # Errors
    /// As [`join`](Self::join), of the first channel that cannot be joined.
    pub async fn join_all(
        &self,
        channels: &[ChannelName],
        since: &Since,
    ) -> Result<Vec<(Opened, Membership)>, Refusal> {
        self.admit_all(channels, |_nowhere_yet| false).await?;
        let opened = feed::open_all(&self.hub, channels, since).await?;
        let memberships = try_join_all(channels.iter().map(|channel| self.enter(channel))).await?;
        Ok(opened.into_iter().zip(memberships).collect())
    }

    /// Becomes a member of a channel that it [may join](Self::may_join).
    ///
    /// # Errors
    /// A broker that is not available.
    pub(crate) async fn enter(&self, channel: &ChannelName) -> Result<Membership, Refusal> {
        let member = Member {
            connection: self.connection,
            user: self.identity.user.clone(),
            info: self.identity.info.clone(),
            joined_at: self.hub.clock().wall(),
        };
        self.hub.enter(channel, member).await
    }

    /// Publishes.
    ///
    /// # Errors
    /// Not allowed, over a limit, or as [`Hub::publish`].
    pub async fn publish(self, event: ClientEvent) -> Result<Published, Refusal> {
        let event = match self.authorise(Action::Publish, &event.channel)? {
            Permission::Granted => event,
            Permission::UpToHandler { granted } => self.asker().about_event(event, granted).await?,
        };
        let ClientEvent { channel, event_type, payload, key, echo } = event;
        let draft = Draft {
            channel,
            event_type,
            payload,
            headers: Vec::new(),
            origin: Origin::Client(self.identity.user.clone()),
            idempotency_key: key,
            exclude: if echo { Vec::new() } else { vec![self.connection] },
            ttl: None,
        };
        self.hub.publish(draft).await
    }

    /// Reads a page of history.
    ///
    /// # Errors
    /// Not allowed, or as [`Hub::history`].
    pub async fn history(
        self,
        channel: ChannelName,
        request: HistoryRequest,
    ) -> Result<History, Refusal> {
        let permission = self.authorise(Action::History, &channel)?;
        self.settle(permission, Reserved::History, &channel).await?;
        self.hub.history(&channel, request).await
    }

    /// Lists the members of a channel.
    ///
    /// # Errors
    /// Not allowed, or as [`Hub::members`].
    pub async fn members(self, channel: ChannelName) -> Result<Vec<Member>, Refusal> {
        let permission = self.authorise(Action::Presence, &channel)?;
        self.settle(permission, Reserved::Presence, &channel).await?;
        self.hub.members(&channel).await
    }

    /// Calls a backend. Whatever it publishes is published, but what it [joins and leaves](fanline_core::command::Reply)
    /// is for the caller to do.
    ///
    /// # Errors
    /// Not allowed, or as [`Hub::call`]. Everything else comes out of the call.
    pub async fn call(self, call: ClientCall) -> Result<Call, Refusal> {
        let ClientCall { method, channel, payload, key, trace } = call;
        self.identity.check_revoked(&self.hub)?;
        self.may_call(&method)?;
        if let Some(channel) = &channel {
            self.admit(channel).await?;
        }
        self.hub.call(CommandDraft {
            method,
            channel,
            payload,
            user: self.identity.user.clone(),
            connection: Some(self.connection),
            claims: Arc::clone(&self.identity.claims),
            idempotency_key: key,
            trace,
        })
    }

    fn may_call(&self, method: &MethodName) -> Result<(), Refusal> {
        let denied = |message: &'static str| {
            Err(Refusal::new(Reason::PermissionDenied, message).with_field("method"))
        };
        if method.is_reserved() {
            return denied("methods that begin with `fanline.` are called by the hub itself");
        }
        let granted = match &self.identity.methods {
            Some(methods) => methods.iter().any(|granted| granted.matches(method.as_str())),
            // Without the claim, whoever has a user may call anything.
            None => self.identity.user.is_some(),
        };
        if granted { Ok(()) } else { denied("the token does not grant this") }
    }

    /// Asks the backend that decides, where one does.
    async fn settle(
        &self,
        permission: Permission,
        method: Reserved,
        channel: &ChannelName,
    ) -> Result<(), Refusal> {
        match permission {
            Permission::Granted => Ok(()),
            Permission::UpToHandler { granted } => {
                self.asker().about_channel(method, channel, granted).await
            }
        }
    }

    fn asker(&self) -> Asker<'_> {
        Asker { hub: &self.hub, identity: &self.identity, connection: Some(self.connection) }
    }

    fn authorise(&self, action: Action, channel: &ChannelName) -> Result<Permission, Refusal> {
        self.identity.check_revoked(&self.hub)?;
        let Identity { user, grants, .. } = &*self.identity;
        authorise(action, channel, &*self.hub.options(channel)?, user.as_ref(), grants)
    }
}
