//! The reverse feed against a stand-in for legacy and a real shard, in virtual time.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

mod bringing;
mod closing;
mod legacy;
mod real;
mod settling;
mod transactions;
mod world;
