//! Why the kernel refused a valid request.

use crate::position::{LogEpoch, Offset};

/// A request that was understood and refused. Says whose fault it is and whether retrying helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No such log, view, cursor or router. It may be on its way from another shard: retry.
    #[error("no such object")]
    NotFound,
    /// The offset lies outside what can be read. The reader's fault.
    #[error("offset out of range: readable are {start} to {end}")]
    OffsetOutOfRange {
        /// First readable offset.
        start: Offset,
        /// End of what is readable (exclusive).
        end: Offset,
    },
    /// The caller's leader epoch is older than the log's.
    #[error("leader epoch is older than {}", current.0)]
    EpochFenced {
        /// The log's epoch.
        current: LogEpoch,
    },
    /// The caller's leader epoch is newer than the log's.
    #[error("leader epoch is newer than {}", current.0)]
    EpochUnknown {
        /// The log's epoch.
        current: LogEpoch,
    },
    /// The log follows a source; only its feed writes it.
    #[error("the log is mirrored and takes no writes")]
    Mirrored,
    /// An idempotent producer's batch does not continue its sequence.
    #[error("producer sequence out of order: expected {expected}, found {found}")]
    SequenceOutOfOrder {
        /// The next sequence that the log would take.
        expected: i32,
        /// What the batch began with.
        found: i32,
    },
    /// A repeated batch whose original is no longer remembered.
    #[error("duplicate of a batch that is no longer remembered")]
    SequenceForgotten,
    /// A newer instance of this producer has written.
    #[error("producer epoch {found} is older than {current}")]
    ProducerFenced {
        /// The newest epoch seen.
        current: i16,
        /// What the batch carried.
        found: i16,
    },
    /// The producer is not known and its batch does not begin at sequence zero.
    #[error("unknown producer id")]
    ProducerUnknown,
    /// The batch would begin a transaction that nobody has vouched for. Whoever does vouch for it repeats the
    /// append with this guard, which holds as long as no marker of the producer comes in between.
    #[error("the transaction is not verified")]
    TransactionUnverified {
        /// See above.
        guard: Offset,
    },
    /// A plain batch inside the producer's own open transaction.
    #[error("plain records inside the producer's open transaction")]
    TransactionOpen,
    /// A mirrored batch differs from what the log holds below its confirmed position.
    #[error("mirrored batch at {at} conflicts with what is stored")]
    MirrorConflict {
        /// Where the difference begins.
        at: Offset,
    },
    /// A mirrored batch would leave a hole or lies too far ahead. The feed resumes at `end`.
    #[error("mirrored batch does not continue the log at {end}")]
    MirrorGap {
        /// Up to here the feed has shown what the source holds (at least the confirmed position).
        end: Offset,
    },
    /// A condition of the commit does not hold.
    #[error("a condition of the commit does not hold")]
    ConditionFailed,
    /// The request contradicts itself or names an object of another shard.
    #[error("invalid request: {0}")]
    Invalid(&'static str),
    /// No room on disk; reads go on, and writes when space returns.
    #[error("storage is full")]
    Full,
    /// A newer owner has opened this shard.
    #[error("the shard has a newer owner")]
    Fenced,
    /// Stored bytes fail their checksum; never served. Names where.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The shard has stopped after a storage failure and takes nothing until it is opened again.
    #[error("the shard has stopped: {0}")]
    Stopped(String),
    /// Too much is waiting; retry later.
    #[error("overloaded")]
    Overloaded,
}

impl KernelError {
    /// Whether the same request can succeed later without a change on the caller's side.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::NotFound
            | Self::EpochFenced { .. }
            | Self::EpochUnknown { .. }
            | Self::Mirrored
            | Self::Full
            | Self::Fenced
            | Self::Stopped(_)
            | Self::Overloaded => true,
            Self::OffsetOutOfRange { .. }
            | Self::SequenceOutOfOrder { .. }
            | Self::SequenceForgotten
            | Self::ProducerFenced { .. }
            | Self::ProducerUnknown
            | Self::TransactionUnverified { .. }
            | Self::TransactionOpen
            | Self::MirrorConflict { .. }
            | Self::MirrorGap { .. }
            | Self::ConditionFailed
            | Self::Invalid(_)
            | Self::Damaged(_) => false,
        }
    }
}
