//! The coordinator without a shard.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod leaving;
mod order;
mod transitions;
