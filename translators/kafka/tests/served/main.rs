//! Kafka served by the kernel: transcripts of sessions over real shards, in virtual time.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

mod access;
mod administration;
mod fetch;
mod gateway;
mod group_routing;
mod groups;
mod hostile;
mod node;
mod offsets;
mod produce;
mod transactions;
