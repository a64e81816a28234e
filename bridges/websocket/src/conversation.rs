//! What a connection does about a request: nothing before the token, then one operation after the other.

use crate::calls::Answered;
use crate::close::CloseCode;
use crate::connection::Connection;
use crate::limits::{FAULTS_BEFORE_CLOSE, RETRY_CALL};
use crate::message;
use crate::request::{BadRequest, Operation, Request, RequestId};
use crate::session::Session;
use crate::timer::Timer;
use crate::work::{self, Done, Entry};
use fanline_core::command::CommandError;
use fanline_core::connections::{Ending, Order, Transport};
use fanline_core::{Reason, Refusal};
use fanline_edge::limits::EXPIRING;
use fanline_edge::{Client, ClientCall, Identity, Verdict};
use std::time::Duration;

impl Connection {
    /// The token is verified: from here on the connection may act. `auth` is the request that brought it, if one did.
    pub(crate) fn begin(&mut self, identity: Identity, auth: Option<RequestId>) {
        let limits = self.limits();
        let budget = self.edge.operations.operation_budget(limits.violations_before_close);
        let mut channels = identity.join.clone();
        channels.truncate(limits.channels_per_connection);
        let client = Client::new(self.edge.hub.clone(), self.id, Transport::WebSocket, identity);
        let mut session = Session::new(self.edge.hub.clone(), client.clone(), budget);
        session.feed.serve_by(self.express.clone());
        self.session = Some(session);
        if channels.is_empty() {
            self.on_done(Done::Placed { auth, entries: Vec::new() });
        } else {
            self.work = Some(work::place(client, auth, channels));
        }
    }

    pub(crate) fn on_request(&mut self, request: Result<Request, BadRequest>) {
        let id = match &request {
            Ok(Request::Auth { id, .. } | Request::Operation { id, .. }) => Some(id),
            Err(bad) => bad.id.as_ref(),
        };
        match self.session.as_mut().map(|session| session.budget.take()) {
            None | Some(Verdict::Allowed) => {}
            Some(Verdict::Refused { retry_after }) => {
                let refusal = Refusal::new(Reason::RateLimited, "too many operations; slow down");
                return self.answer_refusal(id, &refusal.with_retry_after(retry_after));
            }
            Some(Verdict::TooMany) => {
                return self.refuse(Reason::RateLimited, "too many operations");
            }
        }
        match request {
            Ok(Request::Auth { id, token }) => self.on_auth(id, token),
            Ok(Request::Operation { id, operation }) => self.on_operation(id, operation),
            Err(bad) => self.on_bad_request(&bad),
        }
    }

    /// What came of the operation under way.
    pub(crate) fn on_done(&mut self, done: Done) {
        let channels_max = self.limits().channels_per_connection;
        let Some(session) = &mut self.session else {
            if let Done::Identified { id, identified } = done {
                self.on_identified(id, identified);
            }
            return;
        };
        match done {
            Done::Identified { id, identified } => self.on_identified(id, identified),
            Done::Answer(frame) => self.socket.outbox.push(frame),
            Done::Refused { id, refusal } => self.answer_refusal(Some(&id), &refusal),
            Done::Joined { id, entry } => match session.take_in(entry, channels_max) {
                Ok((channel, joined)) => {
                    self.edge.metrics.joined();
                    self.socket.outbox.push(message::joined(&id, &channel, joined));
                }
                Err(refusal) => self.answer_refusal(Some(&id), &refusal),
            },
            Done::Nothing => {}
            Done::Moved(entry) => self.move_into(entry),
            Done::Placed { auth, entries } => {
                let entries = entries.into_iter();
                let channels: Vec<_> =
                    entries.filter_map(|entry| session.take_in(entry, channels_max).ok()).collect();
                channels.iter().for_each(|_| self.edge.metrics.joined());
                let user = session.client.identity().user.as_ref();
                let expires_in = session.client.expires_in();
                let ping_interval = self.edge.hub.limits().ping_interval;
                self.socket.outbox.push(message::welcome(
                    self.id,
                    user,
                    ping_interval,
                    expires_in,
                    &channels,
                ));
                self.schedule_expiry(expires_in);
                if let Some(id) = auth {
                    self.socket.outbox.push(message::authenticated(&id, expires_in));
                }
            }
        }
    }

    /// Does what others than the client want of the connection.
    pub(crate) fn obey(&mut self, order: Order) {
        let channels_max = self.limits().channels_per_connection;
        let Some(session) = &mut self.session else { return };
        match order {
            Order::Disconnect(Ending { reason, reconnect }) => {
                let retry_after = reconnect.then(|| self.reconnect_after());
                self.part(reason);
                self.socket.outbox.push(message::closing(reason, retry_after));
                if reconnect {
                    self.close(CloseCode::Drain, "a backend ended the connection; connect anew");
                } else {
                    self.refuse(reason, "a backend ended the connection");
                }
            }
            // What is so already, or cannot be, is nothing to do: the order was not the client's.
            Order::Join(channel) => {
                if session.admits(&channel, channels_max).is_ok() {
                    self.work = Some(work::move_in(session.client.clone(), channel));
                }
            }
            Order::Leave(channel) => {
                if let Ok(membership) = session.leave(&channel) {
                    self.work = Some(work::move_out(membership));
                }
            }
        }
    }

    /// Tells the client that its token runs out.
    pub(crate) fn warn_of_expiry(&mut self) {
        if let Some(session) = &self.session {
            let expires_in = session.client.expires_in();
            self.socket.outbox.push(message::expiring(expires_in));
        }
    }

    fn on_auth(&mut self, id: RequestId, token: String) {
        self.faults = 0;
        // It has come in time. A backend that decides about connections has its own.
        self.timers.clear(Timer::Auth);
        self.work = Some(work::identify(self.edge.clone(), id, token));
    }

    /// Who a token says the client is.
    fn on_identified(&mut self, id: RequestId, identified: Result<Identity, Refusal>) {
        let claimed =
            identified.and_then(|identity| self.admitted.claim(&identity).map(|()| identity));
        let identity = match claimed {
            Ok(identity) => identity,
            Err(refusal) => {
                self.answer_refusal(Some(&id), &refusal);
                if self.session.is_none() {
                    self.close(CloseCode::Refused(refusal.reason()), "the token was refused");
                }
                return;
            }
        };
        let Some(session) = &mut self.session else {
            return self.begin(identity, Some(id));
        };
        match session.refresh(identity, &mut self.socket.outbox) {
            Ok(()) => {
                let expires_in = session.client.expires_in();
                self.socket.outbox.push(message::authenticated(&id, expires_in));
                self.schedule_expiry(expires_in);
            }
            Err(refusal) => self.answer_refusal(Some(&id), &refusal),
        }
    }

    fn on_operation(&mut self, id: RequestId, operation: Operation) {
        self.faults = 0;
        let channels_max = self.limits().channels_per_connection;
        let Some(session) = &mut self.session else {
            return self.refuse(Reason::Unauthenticated, "the first frame is auth");
        };
        let client = session.client.clone();
        let work = match operation {
            Operation::Call(call) => return self.on_call(id, client, call),
            Operation::Ping => return self.socket.outbox.push(message::pong(&id)),
            Operation::Leave { channel } => match session.leave(&channel) {
                Ok(membership) => work::leave(membership, id),
                Err(refusal) => return self.answer_refusal(Some(&id), &refusal),
            },
            Operation::Join { channel, start } => match session.admits(&channel, channels_max) {
                Ok(()) => work::join(client, id, channel, start),
                Err(refusal) => return self.answer_refusal(Some(&id), &refusal),
            },
            Operation::Publish(event) => work::publish(client, id, event),
            Operation::Presence { channel } => work::presence(client, id, channel),
            Operation::History { channel, request } => work::history(client, id, channel, request),
        };
        self.work = Some(work);
    }

    /// Sends a command on its way. It is no work of the connection, which goes on.
    fn on_call(&mut self, id: RequestId, client: Client, call: ClientCall) {
        let calls_max = self.limits().commands_in_flight;
        if self.calls.len() >= calls_max {
            let message = format!("a connection has at most {calls_max} commands under way");
            let refusal = Refusal::new(Reason::LimitExceeded, message);
            return self.answer_refusal(Some(&id), &refusal.with_retry_after(RETRY_CALL));
        }
        self.calls.add(id, client, call);
    }

    /// Takes a channel in that the server opened, and tells the client. What is so already, or cannot be, is told to
    /// nobody: the client did not ask.
    fn move_into(&mut self, entry: Entry) {
        let channels_max = self.limits().channels_per_connection;
        let Some(session) = &mut self.session else { return };
        if let Ok((channel, joined)) = session.move_into(entry, channels_max) {
            self.edge.metrics.joined();
            self.socket.outbox.push(message::placed(&channel, joined));
        }
    }

    /// What came of a command. A reply moves the connection before the client gets it.
    pub(crate) fn on_answered(&mut self, answered: Answered) {
        if self.session.is_none() {
            return;
        }
        let (id, reply, entries) = match answered {
            Answered::Failed { id, error } => {
                if let CommandError::Hub(refusal) = &error {
                    self.edge.metrics.refused(refusal.reason());
                }
                return self.socket.outbox.push(message::failed(&id, &error));
            }
            Answered::Reply { id, reply, entries } => (id, reply, entries),
        };
        for entry in entries {
            self.move_into(entry);
        }
        let Some(session) = &mut self.session else { return };
        for channel in &reply.leave {
            // Dropping the membership ends it.
            if session.leave(channel).is_ok() {
                self.socket.outbox.push(message::left_by_backend(channel));
            }
        }
        self.socket.outbox.push(message::reply(&id, &reply));
    }

    fn on_bad_request(&mut self, bad: &BadRequest) {
        self.answer_refusal(bad.id.as_ref(), &bad.refusal);
        self.faults += 1;
        if self.session.is_none() {
            self.refuse(Reason::Unauthenticated, "the first frame is auth");
        } else if self.faults >= FAULTS_BEFORE_CLOSE {
            self.refuse(Reason::InvalidArgument, "too many bad requests");
        }
    }

    fn answer_refusal(&mut self, id: Option<&RequestId>, refusal: &Refusal) {
        self.edge.metrics.refused(refusal.reason());
        self.socket.outbox.push(message::error(id, refusal));
    }

    fn schedule_expiry(&mut self, expires_in: Duration) {
        self.timers.set(Timer::Expiring, expires_in.saturating_sub(EXPIRING));
        self.timers.set(Timer::Expiry, expires_in);
    }
}
