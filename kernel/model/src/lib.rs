//! Pure types of the kernel: what a shard is asked, what it answers, what it makes durable.
//!
//! The kernel knows logs, views, cursors, routes, keys and timers, and no protocol. This crate performs no
//! IO and reads no clock; everything here can be built in a test by hand. The engine (`kernel-engine`)
//! gives these types their behaviour.

pub mod batch;
pub mod commit;
pub mod coordinator;
pub mod error;
pub mod position;
pub mod reply;
pub mod request;
pub mod time;

pub use batch::{BatchHeader, VerifiedBatch};
pub use commit::{Commit, Compaction, Condition, LogConfig, LogKind, Op, TimestampSource};
pub use coordinator::{Coordinator, CoordinatorKind, Output};
pub use error::KernelError;
pub use position::{CursorId, LogEpoch, LogId, Offset, OwnerEpoch, RouterId, Seq, ShardId, ViewId};
pub use reply::Reply;
pub use request::Request;
pub use time::Now;
