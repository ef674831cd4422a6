//! The mirror feed against a stand-in for legacy and real shards, in virtual time.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

mod committed;
mod epochs;
mod groups;
mod hostile;
mod legacy;
mod mirror;
mod resume;
mod stops;
mod transactions;
mod world;
