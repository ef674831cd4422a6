//! Reading what the kernel does not lead: copies of partitions that legacy leads, for the consumers that were sent
//! here (KIP-392).
//!
//! Such a reader gets what is confirmed and nothing else. On any doubt it is sent back to the leader at its position:
//! by naming the leader as its preferred replica, without records. Every client that came here follows that, and does
//! nothing else. What brokers answer in their followers' place is worse:
//!
//! - OFFSET_OUT_OF_RANGE: a Java consumer whose lease on the replica has just run out takes it for the leader's and
//!   resets its position, and kafkajs always does;
//! - NOT_LEADER_OR_FOLLOWER: franz-go stays with the replica until the leader's epoch grows, Java did before 2.8, and
//!   kafkajs joins its group again each time. It is left for where no leader can be named.

use std::time::Duration;

use crate::codec::Uuid;

/// Whether a copy may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Why the reader has to go back, if it has to.
    pub back: Option<&'static str>,
    /// Where to: the leader's node, if it is known and the client counts by the same epoch.
    pub leader: Option<i32>,
}

/// Decides who may read copies, and hears what became of it. One for each connection.
pub trait CopyReaders: Send + Sync {
    /// Whether this client may read the copy of a partition now. The topic is named by `name` or, where that is empty,
    /// by `id`; `epoch` is what the client takes for the leader's (−1: it does not say).
    fn admit(&self, client_id: &str, name: &str, id: Uuid, partition: i32, epoch: i32) -> Admission;
    /// A fetch was answered with records of copies, so many bytes.
    fn served(&self, client_id: &str, bytes: usize);
    /// A fetch was answered with the way back.
    fn sent_back(&self, client_id: &str, why: &'static str, now: Duration);
}
