//! State that many connections share.
//!
//! A coordinator (of consumer groups, of a range of client ids, of a namespace's layout) is a deterministic
//! state machine that a shard hosts: messages and time in; commits, replies and notifications out. Each shard
//! hosts one of each kind, which owns its range of the names.

use std::time::Duration;

use bytes::Bytes;

use crate::commit::Commit;
use crate::error::KernelError;
use crate::time::Now;

/// Which coordinator of a shard. Also the first byte of its keys and timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoordinatorKind(pub u8);

/// Names a message that waits for a reply; unique within its shard's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// Names a commit that a coordinator asked for; chosen by the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u64);

/// Reads the keys of a shard.
pub trait KvRead {
    /// Value of a key.
    fn get(&self, key: &[u8]) -> Option<Bytes>;
    /// All keys that begin with `prefix`, ascending.
    fn scan(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = (Bytes, Bytes)> + '_>;
}

/// A deterministic state machine that a shard hosts. Reads no clock; performs no IO.
pub trait Coordinator: Send {
    /// Rebuilds its state from its keys, once, before anything else.
    fn restore(&mut self, now: Now, state: &dyn KvRead);
    /// Takes a message. Each message gets exactly one [`Output::Reply`], now or later.
    fn handle_message(&mut self, now: Now, id: MessageId, message: Bytes);
    /// A commit it asked for is durable, or was refused.
    fn handle_commit(&mut self, now: Now, id: CommitId, outcome: Result<(), KernelError>);
    /// A durable timer of its kind has come due.
    fn handle_timer(&mut self, now: Now, key: Bytes, action: Bytes);
    /// Does what was due by `now`.
    fn handle_timeout(&mut self, now: Now);
    /// What it wants done next.
    fn poll_output(&mut self) -> Option<Output>;
    /// When `handle_timeout` is next due, on the monotonic clock.
    fn poll_timeout(&self) -> Option<Duration>;
}

/// What a coordinator wants done.
#[derive(Debug, Clone)]
pub enum Output {
    /// Make this durable, then call `handle_commit`.
    Commit {
        /// Its name for it.
        id: CommitId,
        /// The commit.
        commit: Commit,
    },
    /// Answer a message.
    Reply {
        /// Which.
        id: MessageId,
        /// Opaque to the kernel.
        message: Bytes,
    },
}
