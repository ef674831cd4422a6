//! The engine of the kernel: shards and the stores that make their commits durable.
//!
//! A [`Shard`] is a deterministic state machine over a [`store::ShardStore`]: requests and time in, replies
//! out. Drivers own clocks, threads and sockets; the simulation is one of them.

mod checkpoint;
mod compaction;
mod cursor;
mod draft;
pub mod invariants;
mod limits;
mod log;
mod outbox;
mod router;
mod shard;
mod state;
pub mod store;
mod timer;
mod view;

pub use compaction::{CompactionDone, CompactionTask};
pub use limits::Limits;
pub use outbox::OutboxEntry;
pub use shard::{RequestKey, Shard, ShardStats};
