//! Shards from outside: requests in, replies out, over stores in memory.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

#[path = "engine/append.rs"]
mod append;
#[path = "engine/bench.rs"]
mod bench;
#[path = "engine/bounds.rs"]
mod bounds;
#[path = "engine/compaction.rs"]
mod compaction;
#[path = "engine/compaction_crash.rs"]
mod compaction_crash;
#[path = "engine/coordinators.rs"]
mod coordinators;
#[path = "engine/crash.rs"]
mod crash;
#[path = "engine/delivery.rs"]
mod delivery;
#[path = "engine/held.rs"]
mod held;
#[path = "engine/hostile.rs"]
mod hostile;
#[path = "engine/mirror.rs"]
mod mirror;
#[path = "engine/on_disk.rs"]
mod on_disk;
#[path = "engine/sim/mod.rs"]
mod sim;
#[path = "engine/transactions.rs"]
mod transactions;
#[path = "engine/vocabulary.rs"]
mod vocabulary;
