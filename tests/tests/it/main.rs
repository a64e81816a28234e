//! End-to-end tests: each starts a hub of its own and speaks to it from outside.

#![cfg(test)]

mod catalog;
mod command_line;
mod command_nodes;
mod commands;
mod configuration;
mod console;
mod credentials;
mod crowd;
mod delivery;
mod docs_page;
mod documents;
mod drain;
mod event_stream_clients;
mod event_streams;
mod examples;
mod first_frame;
mod forgery;
mod frames;
mod grpc_access;
mod grpc_channels;
mod grpc_publish;
mod grpc_subscribe;
mod handlers;
mod http2;
mod languages;
mod limits;
mod listeners;
mod mistakes;
mod nodes;
mod permissions;
mod polls;
mod presence;
mod proto_json;
mod reload;
mod resume;
mod rooms;
mod rust_client;
mod sdk;
mod stalled;
mod tickets;
mod tls;
mod token_life;
mod two_nodes;
mod uplink;
