//! Kafka to and from the kernel: the codec, sessions that serve clients, coordinators that shards host.
//!
//! Owns Kafka's rules and its wire. Opens no socket, reads no clock, and sees neither another translator nor
//! the engine's inside: requests to shards leave a session as [`::session::Request`]s.

pub mod access;
mod audit;
pub mod canary;
pub mod catalog;
pub mod codec;
pub mod coordinator;
pub mod epochs;
pub mod errors;
pub mod gateway;
pub mod limits;
pub mod placement;
pub mod server;
pub mod session;
pub mod topic_config;
