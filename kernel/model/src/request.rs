//! What a shard is asked.

use std::time::Duration;

use bytes::Bytes;

use crate::batch::VerifiedBatch;
use crate::commit::Commit;
use crate::coordinator::CoordinatorKind;
use crate::position::{CursorId, LogEpoch, LogId, Offset, RouterId, ShardId};

/// One request to one shard. Every request gets exactly one [`crate::Reply`] or one
/// [`crate::KernelError`]; writes are answered once they are durable.
#[derive(Debug, Clone)]
pub enum Request {
    /// Takes a commit as it is (administration, tests).
    Commit(Commit),
    /// Appends batches to a log that the kernel leads, all or none. Answer: `Appended`.
    Append {
        /// Log.
        log: LogId,
        /// Batches; the log assigns offsets.
        batches: Vec<VerifiedBatch>,
        /// The epoch under which the caller believes the log is led (`None`: no check).
        epoch: Option<LogEpoch>,
    },
    /// Appends one batch to a log that the kernel leads, as `Append`. One that would begin a transaction is
    /// refused with `TransactionUnverified` unless `guard` is the one of such a refusal and still holds: a
    /// write that was late on its way can then never open a transaction that nobody will end. Answer:
    /// `Appended`.
    AppendTransactional {
        /// Log.
        log: LogId,
        /// The batch; the log assigns its offset. Boxed: no other request is as large.
        batch: Box<VerifiedBatch>,
        /// From the refusal before, once somebody has vouched for the transaction.
        guard: Option<Offset>,
    },
    /// Appends batches to a mirrored log at the offsets in their headers. Answer: `Mirrored`.
    Mirror {
        /// Log.
        log: LogId,
        /// Batches in ascending order.
        batches: Vec<VerifiedBatch>,
        /// Who brings them.
        origin: MirrorOrigin,
        /// Where the feed's read of the source began (feed only): between here and the first batch the
        /// source has nothing. `None` says nothing about that, and the first batch must then begin
        /// where the feed stopped showing. Refused with `MirrorGap` when it lies beyond that, so that a
        /// lost request can never become a silent hole. After a restart of the shard the feed shows again
        /// from the confirmed position on; bytes that are stored already are not written again.
        from: Option<Offset>,
        /// The source's high watermark: confirmed up to here, as far as the log reaches (feed only).
        confirm: Option<Offset>,
        /// The source's log start: trimmed up to here (feed only).
        start: Option<Offset>,
    },
    /// Reads batches. Answer: `Records`. Never waits; see `Watch`.
    Read {
        /// Log.
        log: LogId,
        /// First wanted offset.
        from: Offset,
        /// About how many bytes; batches are whole, and the first one comes whatever its size when
        /// `at_least_one`.
        bytes_max: usize,
        /// Return the first batch even if it exceeds `bytes_max`.
        at_least_one: bool,
        /// How far to read.
        limit: ReadLimit,
        /// The reader's idea of the leadership epoch (`None`: no check).
        epoch: Option<LogEpoch>,
    },
    /// Answers `Changed` once a log's readable end passes its mark, at the latest after `wait`.
    Watch {
        /// Logs with the ends the caller has seen; all in this shard.
        logs: Vec<(LogId, Offset)>,
        /// Which end is watched.
        limit: ReadLimit,
        /// Longest wait.
        wait: Duration,
    },
    /// Positions and sizes of a log. Answer: `Described`.
    Describe {
        /// Log.
        log: LogId,
    },
    /// Keeps a log's records from an offset on for a follower that has not copied them yet: retention leaves them, and
    /// a commit that removes them moves the log's start but leaves them readable with [`ReadLimit::Stored`]. Not
    /// kept over a restart of the shard: the follower says it again. Answer: `Done`.
    Hold {
        /// Log.
        log: LogId,
        /// First offset that is kept; `None` ends it.
        from: Option<Offset>,
    },
    /// First offset whose record has a timestamp at or above this. Answer: `Found`.
    FindByTime {
        /// Log.
        log: LogId,
        /// Milliseconds since the Unix epoch; `None` asks for the record with the greatest timestamp.
        timestamp_ms: Option<i64>,
        /// How far to look.
        limit: ReadLimit,
    },
    /// End of an epoch: the largest epoch at or below this, and where the next one began. Answer: `EpochEnd`.
    FindEpochEnd {
        /// Log.
        log: LogId,
        /// Epoch.
        epoch: LogEpoch,
    },
    /// Idempotent producers that a log remembers. Answer: `Producers`.
    Producers {
        /// Log.
        log: LogId,
    },
    /// Leases up to `entries_max` available entries of a cursor's view. Answer: `Leased`.
    Lease {
        /// Cursor.
        cursor: CursorId,
        /// How many at the most.
        entries_max: usize,
        /// How long.
        lease: Duration,
    },
    /// Appends batches and hands a reference to each record to every view that the routing key leads to,
    /// in one commit. A view of another shard gets a copy of the batches through the outbox, in the log of
    /// the same local number there. Answer: `Appended`.
    Publish {
        /// Log, in this shard.
        log: LogId,
        /// Batches; the log assigns offsets.
        batches: Vec<VerifiedBatch>,
        /// Router, in this shard.
        router: RouterId,
        /// Routing key, level by level.
        levels: Vec<Bytes>,
        /// Annotation of each reference.
        note: Bytes,
    },
    /// Where a routing key leads. Answer: `Routed`.
    Route {
        /// Router.
        router: RouterId,
        /// Routing key, level by level.
        levels: Vec<Bytes>,
    },
    /// Value of a key. Answer: `Value`.
    Get {
        /// Key.
        key: Bytes,
    },
    /// Keys that begin with a prefix, ascending, and their values. Answer: `Pairs`.
    Scan {
        /// Prefix.
        prefix: Bytes,
        /// Only keys above this one (`None`: from the first).
        after: Option<Bytes>,
        /// How many at the most.
        pairs_max: usize,
    },
    /// A message for a coordinator of this shard. Answer: `Coordinated`, with the coordinator's reply.
    Coordinate {
        /// Which.
        kind: CoordinatorKind,
        /// Opaque to the kernel.
        message: Bytes,
    },
    /// Delivers an outbox entry of another shard (drivers only). Answer: `Done`, when durable.
    OutboxDeliver {
        /// Sending shard.
        from: ShardId,
        /// Position in the sender's outbox.
        position: u64,
        /// What to apply.
        commit: Commit,
    },
}

/// Who brings mirrored batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorOrigin {
    /// The feed: the authority. It replaces a provisional tail that differs.
    Feed,
    /// Dual-write: bytes ahead of the feed, held until they are contiguous, provisional until confirmed.
    Ahead,
}

/// How far a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadLimit {
    /// All durable (in a mirrored log: confirmed) records: the high watermark.
    #[default]
    Durable,
    /// Only below the first open transaction: the last stable offset. The answer lists aborted ranges.
    Stable,
    /// Everything stored, a mirrored log's provisional tail included (feeds and verification only).
    Stored,
}
