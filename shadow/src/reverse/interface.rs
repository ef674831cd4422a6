//! What a reverse feed is told and what it tells: its configuration, orders, facts and status.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::LogId;
use translator_kafka::codec::Uuid;

use crate::feed::{Address, LinkId, Token};
use crate::link::{Credentials, LinkError};

/// Where legacy is, and how much may be under way to it.
#[derive(Debug, Clone)]
pub struct ReverseConfig {
    /// Bootstrap addresses.
    pub bootstrap: Vec<Address>,
    /// The link's own user, where legacy wants one.
    pub credentials: Option<Credentials>,
    /// Bounds.
    pub limits: ReverseLimits,
}

/// Bounds of a reverse feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReverseLimits {
    /// Records that legacy may lack of a partition before the way back counts as lagging.
    pub lag_records_max: u64,
    /// Time for which legacy may lack records of a partition, and take none, before the way back counts as lagging.
    pub lag_max: Duration,
    /// Bytes read from the kernel, over all partitions, that legacy has not taken yet. A single larger batch still
    /// goes, alone.
    pub held_bytes_max: usize,
    /// Bytes read of one partition at once; a single larger batch still comes whole.
    pub read_bytes_max: usize,
    /// Bytes of one request to legacy; a single larger batch still goes, alone.
    pub request_bytes_max: usize,
}

impl Default for ReverseLimits {
    fn default() -> Self {
        Self {
            lag_records_max: 100_000,
            lag_max: Duration::from_secs(30),
            held_bytes_max: 64 << 20,
            read_bytes_max: 1 << 20,
            request_bytes_max: 16 << 20,
        }
    }
}

/// What a reverse feed is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReverseOrder {
    /// The kernel leads this partition from `cut` on: bring legacy everything that comes. Where legacy stands is asked
    /// of legacy itself, so the same order serves a fresh cutover and a restart years later. A partition that was
    /// begun before begins anew.
    Begin {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Legacy's id of the topic; another one found there closes the way back. All zero: not known.
        topic_id: Uuid,
        /// The kernel's log.
        log: LogId,
        /// First offset that the kernel wrote.
        cut: u64,
        /// Legacy's cleaner may change everything but the last batch of this log, so only that can be compared.
        compacted: bool,
        /// A reason known beforehand, see [`ClosedReason::of_configs`]: nothing is brought, and the status says why.
        closed: Option<ClosedReason>,
    },
    /// Bring this partition nothing more (rolled back, or retired). Unknown partitions are not an error.
    Stop {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Answer [`ReverseFact::Settled`] once legacy holds these partitions up to these offsets and nothing above, as
    /// its leaders say when they are asked after the last answer; or [`ReverseFact::SettleFailed`]. It waits as long
    /// as it takes; [`ReverseOrder::Forget`] ends the wait.
    SettleUntil {
        /// Its name.
        token: Token,
        /// Topic, partition, and the end that legacy must have: the kernel's, which must not grow meanwhile.
        ends: BTreeMap<(String, i32), u64>,
    },
    /// Wait no more for [`ReverseOrder::SettleUntil`] of this name.
    Forget {
        /// Its name.
        token: Token,
    },
    /// Contact legacy no more (phase `retired`). Nothing undoes it but a new feed.
    StopAll,
}

/// Why a rollback would lose something, or cannot be done. Nothing opens the way back again but another handover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosedReason {
    /// Legacy stamps records with its own clock: they would not be the same.
    #[error("legacy stamps the topic's records with its own clock (message.timestamp.type=LogAppendTime)")]
    LogAppendTime,
    /// Transactional ids move with the topic, and legacy takes their batches from those alone that its own coordinator
    /// knows to be in a transaction (KIP-890).
    #[error(
        "transactional ids move with the topic, and broker {broker} of legacy takes no batch that its own coordinator does not \
         know of; set transaction.partition.verification.enable=false on legacy's brokers (no restart is needed) before the \
         cutover, and until it is retired or rolled back"
    )]
    Verified {
        /// The first that does.
        broker: i32,
    },
    /// Transactional ids move with the topic, and legacy does not say whether it verifies transactions.
    #[error(
        "transactional ids move with the topic, and broker {broker} of legacy does not tell \
         transaction.partition.verification.enable (code {code}): the link's user needs DescribeConfigs on the cluster"
    )]
    VerificationUntold {
        /// The first that does not.
        broker: i32,
        /// Kafka's error code.
        code: i16,
    },
    /// The kernel's log has a hole after the cut; legacy gives out dense offsets.
    #[error("the kernel's log goes on at {next} instead of {at}: legacy cannot be given the same offsets")]
    Gap {
        /// Where legacy ends.
        at: u64,
        /// Where the kernel goes on.
        next: u64,
    },
    /// Legacy holds something at this offset that the kernel did not write: somebody wrote past the proxy.
    #[error("legacy holds other records at {at} than the kernel: somebody wrote to it past the proxy")]
    Bypassed {
        /// Offset.
        at: u64,
    },
    /// Legacy's limit (`max.message.bytes`, or its segment size) is below a batch that the kernel took.
    #[error("legacy refuses the batch at {at} of {bytes} bytes as too large")]
    TooLarge {
        /// Offset.
        at: u64,
        /// Its size.
        bytes: usize,
    },
    /// Legacy refuses a batch for what it is; asking again does not help.
    #[error("the batch at {at} is refused: {error} (code {code})")]
    Refused {
        /// Offset.
        at: u64,
        /// Kafka's error code.
        code: i16,
        /// What legacy said.
        error: String,
    },
    /// Legacy lost records from before the cut, or that the kernel does not hold any more.
    #[error("legacy was truncated to {end}; the kernel can bring it records from {from} on")]
    Truncated {
        /// Where legacy ends.
        end: u64,
        /// First offset that could be brought.
        from: u64,
    },
    /// The topic has another id now.
    #[error("the topic was deleted on legacy and created again")]
    Recreated,
    /// The topic is gone.
    #[error("the topic was deleted on legacy")]
    Deleted,
    /// The kernel cannot give what it stored.
    #[error("the kernel cannot be read at {at}: {error}")]
    Unreadable {
        /// Offset.
        at: u64,
        /// Why.
        error: String,
    },
}

impl ClosedReason {
    /// Whether a topic's configuration on legacy, as far as it was set, closes the way back before anything is moved.
    #[must_use]
    pub fn of_configs(configs: &BTreeMap<String, String>) -> Option<Self> {
        let stamped = configs.get("message.timestamp.type").is_some_and(|value| value == "LogAppendTime");
        stamped.then_some(Self::LogAppendTime)
    }
}

/// Whether a rollback of a partition would lose nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayBack {
    /// Legacy holds everything, or is behind by less than the bounds.
    Open,
    /// Nothing is lost, but legacy is behind by more than the bounds, or it is not known yet where it stands.
    Lagging,
    /// A rollback would lose something.
    Closed(ClosedReason),
}

/// What the outside is told of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseStatus {
    /// Whether a rollback would lose nothing.
    pub way_back: WayBack,
    /// Where the kernel became the primary.
    pub cut: u64,
    /// Legacy holds the kernel's own bytes below here: compared, or answered at this offset with every replica in
    /// sync. `None` until legacy has been asked after `Begin`.
    pub position: Option<u64>,
    /// The kernel's durable end, as last seen.
    pub kernel_end: u64,
    /// Records that legacy lacks, of those that the kernel had as last seen.
    pub lag_records: u64,
    /// How long legacy has been lacking records without taking any.
    pub behind_for: Duration,
    /// Records of the partition that legacy takes in a second while it is brought some; `None` before the first.
    pub records_per_second: Option<u64>,
    /// First offset that must not be removed from the kernel's log: nothing below it is needed any more.
    pub floor: u64,
    /// What keeps legacy from taking more, if anything does; it is tried again.
    pub trouble: Option<String>,
}

/// What a reverse feed reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReverseFact {
    /// The way back of a partition opened, fell behind its bounds, or closed. Told whenever it changes; while it lags,
    /// producers are to be held back.
    Changed {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What it is now.
        way_back: WayBack,
    },
    /// Legacy's log was brought to another start than before: the kernel's, which a client or retention had moved.
    Deleted {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Legacy's first offset now.
        start: u64,
    },
    /// To [`ReverseOrder::SettleUntil`]: legacy ends exactly there.
    Settled {
        /// The order.
        token: Token,
    },
    /// To [`ReverseOrder::SettleUntil`]: it never will.
    SettleFailed {
        /// The order.
        token: Token,
        /// Why.
        reason: String,
    },
    /// A connection ended: why. It is made again.
    LinkFailed {
        /// Which.
        link: LinkId,
        /// Why.
        error: LinkError,
    },
}
