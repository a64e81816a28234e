//! `fanline.v1.Connections`.

use crate::caller::Caller;
use crate::convert;
use crate::front::TokenLifeMax;
use crate::scope::Scope;
use crate::status;
use fanline_core::broker::{Revocation, Subject};
use fanline_core::connections::{
    ConnectionInfo, ConnectionsPage, ConnectionsQuery, Ending, Order, Target,
};
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::limits::SUBJECT_BYTES;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1;
use tonic::{Request, Response, Status};

/// Connections on a page when the caller names no number.
const LIST_PAGE: usize = 100;
/// Most connections on a page.
const LIST_PAGE_MAX: usize = 1000;

/// The service.
pub(crate) struct Connections {
    hub: Hub,
    token_life_max: TokenLifeMax,
}

impl Connections {
    pub(crate) fn new(hub: Hub, token_life_max: TokenLifeMax) -> Self {
        Connections { hub, token_life_max }
    }

    async fn list_page(
        &self,
        caller: &Caller,
        request: &v1::ListConnectionsRequest,
    ) -> Result<v1::ListConnectionsResponse, Refusal> {
        caller.require_scope(Scope::Connections)?;
        check_length("user", &request.user)?;
        let channel = match request.channel.as_str() {
            "" => None,
            _ => Some(self.authorise(caller, &request.channel)?),
        };
        let query = ConnectionsQuery {
            user: UserId::new(&request.user),
            channel,
            after: page_token(&request.page_token)?,
            limit: match request.page_size {
                0 => LIST_PAGE,
                size => usize::try_from(size).map_or(LIST_PAGE_MAX, |size| size.min(LIST_PAGE_MAX)),
            },
        };
        let ConnectionsPage { connections, more } = self.hub.connections(query).await?;
        let next = connections.last().filter(|_| more).map(|last| last.connection.to_string());
        Ok(v1::ListConnectionsResponse {
            connections: connections.into_iter().filter_map(|info| shown(caller, info)).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    async fn disconnect_all(
        &self,
        caller: &Caller,
        request: v1::DisconnectRequest,
    ) -> Result<v1::DisconnectResponse, Refusal> {
        use v1::disconnect_request::Target as Named;
        caller.require_everywhere(Scope::Connections)?;
        let target = match request
            .target
            .ok_or_else(|| missing("target", "connection, user or token_id"))?
        {
            Named::Connection(id) => connection(&id)?,
            Named::User(name) => Target::User(user(&name)?),
            Named::TokenId(id) => Target::Token(token_id(&id)?),
        };
        let ending = Ending { reason: Reason::Disconnected, reconnect: request.reconnect };
        let connections = self.hub.order(target, Order::Disconnect(ending)).await?;
        Ok(v1::DisconnectResponse { connections: convert::count(connections) })
    }

    async fn join_all(
        &self,
        caller: &Caller,
        request: v1::JoinRequest,
    ) -> Result<v1::JoinResponse, Refusal> {
        use v1::join_request::Target as Named;
        let channel = self.authorise(caller, &request.channel)?;
        let target = match request.target.ok_or_else(|| missing("target", "user or connection"))? {
            Named::Connection(id) => connection(&id)?,
            Named::User(name) => Target::User(user(&name)?),
        };
        let connections = self.hub.order(target, Order::Join(channel)).await?;
        Ok(v1::JoinResponse { connections: convert::count(connections) })
    }

    async fn leave_all(
        &self,
        caller: &Caller,
        request: v1::LeaveRequest,
    ) -> Result<v1::LeaveResponse, Refusal> {
        use v1::leave_request::Target as Named;
        let channel = self.authorise(caller, &request.channel)?;
        let target = match request.target.ok_or_else(|| missing("target", "user or connection"))? {
            Named::Connection(id) => connection(&id)?,
            Named::User(name) => Target::User(user(&name)?),
        };
        let connections = self.hub.order(target, Order::Leave(channel)).await?;
        Ok(v1::LeaveResponse { connections: convert::count(connections) })
    }

    async fn refuse_tokens(
        &self,
        caller: &Caller,
        request: v1::RevokeRequest,
    ) -> Result<v1::RevokeResponse, Refusal> {
        use v1::revoke_request::Subject as Named;
        caller.require_everywhere(Scope::Connections)?;
        let subject = match request.subject.ok_or_else(|| missing("subject", "user or token_id"))? {
            Named::User(name) => Subject::User(user(&name)?),
            Named::TokenId(id) => Subject::Token(token_id(&id)?),
        };
        let now = self.hub.clock().wall();
        let issued_before =
            request.issued_before.map(|time| convert::moment("issued_before", time)).transpose()?;
        let until = match request.until {
            Some(time) => convert::moment("until", time)?,
            None => now.plus((self.token_life_max)()),
        };
        if until <= now {
            return Err(Refusal::invalid("until", "a revocation lasts into the future"));
        }
        self.hub.revoke(Revocation { subject, issued_before, until }).await?;
        Ok(v1::RevokeResponse { until: Some(convert::timestamp(until)) })
    }

    /// The channel of a request, which is one that the caller covers and the hub serves.
    fn authorise(&self, caller: &Caller, channel: &str) -> Result<ChannelName, Refusal> {
        let channel = channel.parse()?;
        caller.require(Scope::Connections, &channel)?;
        self.hub.options(&channel)?;
        Ok(channel)
    }
}

#[tonic::async_trait]
impl v1::connections_server::Connections for Connections {
    async fn list(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Result<Response<v1::ListConnectionsResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.list_page(&caller, request.get_ref()).await)
    }

    async fn disconnect(
        &self,
        request: Request<v1::DisconnectRequest>,
    ) -> Result<Response<v1::DisconnectResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.disconnect_all(&caller, request.into_inner()).await)
    }

    async fn join(
        &self,
        request: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.join_all(&caller, request.into_inner()).await)
    }

    async fn leave(
        &self,
        request: Request<v1::LeaveRequest>,
    ) -> Result<Response<v1::LeaveResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.leave_all(&caller, request.into_inner()).await)
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let caller = Caller::of(&request)?;
        status::answer(self.refuse_tokens(&caller, request.into_inner()).await)
    }
}

/// What a caller sees of a connection. None: nothing.
fn shown(caller: &Caller, info: ConnectionInfo) -> Option<v1::Connection> {
    let ConnectionInfo { connection, node, user, token_id, transport, connected_at, channels } =
        info;
    let channels: Vec<_> =
        channels.iter().filter(|channel| caller.covers(channel)).map(ToString::to_string).collect();
    (!channels.is_empty() || caller.covers_all()).then(|| v1::Connection {
        connection: connection.to_string(),
        user: user.map(|user| user.as_str().to_owned()).unwrap_or_default(),
        token_id: token_id.map(String::from).unwrap_or_default(),
        transport: transport.as_str().to_owned(),
        connected_at: Some(convert::timestamp(connected_at)),
        channels,
        node: node.to_string(),
    })
}

fn missing(field: &'static str, what: &str) -> Refusal {
    Refusal::invalid(field, format!("the request names no {what}"))
}

fn connection(id: &str) -> Result<Target, Refusal> {
    let id = id.parse().map_err(|error| Refusal::invalid("connection", format!("{error}")))?;
    Ok(Target::Connection(id))
}

fn user(name: &str) -> Result<UserId, Refusal> {
    check_length("user", name)?;
    UserId::new(name).ok_or_else(|| {
        Refusal::invalid("user", "a user has a name; an anonymous connection is named by its id")
    })
}

fn token_id(id: &str) -> Result<Box<str>, Refusal> {
    check_length("token_id", id)?;
    if id.is_empty() {
        return Err(Refusal::invalid("token_id", "a token that can be named has an id"));
    }
    Ok(id.into())
}

fn check_length(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.len() > SUBJECT_BYTES {
        return Err(Refusal::invalid(field, format!("this has at most {SUBJECT_BYTES} bytes")));
    }
    Ok(())
}

/// The last connection of the page before.
fn page_token(text: &str) -> Result<Option<ConnectionId>, Refusal> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_no_id| {
            Refusal::invalid("page_token", "no page of this hub ended with this token")
        }),
    }
}
