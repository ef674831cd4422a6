//! The unit of durability: one atomic entry over every primitive of one shard.

use bytes::Bytes;

use crate::position::{CursorId, LogEpoch, LogId, Offset, RouterId, ShardId, ViewId};

/// One atomic, durable entry. Either every operation holds after a crash, or none does. Operations apply in
/// order; conditions are judged against the state before the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// What must hold for the commit to be taken.
    pub conditions: Vec<Condition>,
    /// What it does, in order.
    pub ops: Vec<Op>,
}

impl Commit {
    /// A commit of `ops` without conditions.
    #[must_use]
    pub fn of(ops: Vec<Op>) -> Self {
        Self { conditions: Vec::new(), ops }
    }
}

/// What must hold before a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The key has exactly this value (`None`: is absent).
    KeyIs {
        /// Key.
        key: Bytes,
        /// Expected value.
        value: Option<Bytes>,
    },
    /// The log ends exactly here.
    LogEndsAt {
        /// Log.
        log: LogId,
        /// Expected end offset.
        end: Offset,
    },
}

/// One change to one primitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Creates a log; a log that exists with the same kind is left as it is (so that a repeat is harmless).
    LogCreate {
        /// Log.
        log: LogId,
        /// Its settings.
        config: LogConfig,
        /// First offset (a mirrored source's log start).
        start: Offset,
    },
    /// Replaces a log's settings. Changing the kind from mirrored to led is the commit point of a handover
    /// towards the kernel, and needs `epoch`.
    LogConfigure {
        /// Log.
        log: LogId,
        /// New settings.
        config: LogConfig,
        /// New leadership epoch, at least the old one, or `None` to keep it.
        epoch: Option<LogEpoch>,
    },
    /// Deletes a log with all it holds.
    LogDelete {
        /// Log.
        log: LogId,
    },
    /// Appends one batch. The engine makes this operation; base offset and epoch are final.
    LogAppend {
        /// Log.
        log: LogId,
        /// First offset of the batch; written into its header as it is stored.
        base_offset: Offset,
        /// Leadership epoch; written into its header as it is stored.
        epoch: LogEpoch,
        /// The batch (record batch v2), header included.
        batch: Bytes,
    },
    /// Appends one batch at the end of a log that the kernel leads, and a reference to each of its records
    /// to each view. The engine resolves it into `LogAppend` and `ViewPush` as it takes the commit: it is
    /// never stored. References to views that do not exist are dropped.
    ///
    /// Instead of plain records the batch may be one transaction marker, without views. A marker is dropped
    /// where there is nothing to end: the log is gone or mirrored, or a newer epoch of the producer has
    /// written.
    Deliver {
        /// Log.
        log: LogId,
        /// The batch (record batch v2), header included; its offset and epoch mean nothing yet.
        batch: Bytes,
        /// Views, in the log's own shard, with the annotation of each reference.
        views: Vec<(ViewId, Bytes)>,
    },
    /// Moves a mirrored log's confirmed position forward; what lies below is readable and final.
    LogConfirm {
        /// Log.
        log: LogId,
        /// New confirmed position, never below the old one.
        position: Offset,
    },
    /// Drops a mirrored log's provisional tail from `to` on (`to` is not below the confirmed position).
    LogTruncate {
        /// Log.
        log: LogId,
        /// New end offset.
        to: Offset,
    },
    /// Removes everything below `start`.
    LogTrim {
        /// Log.
        log: LogId,
        /// New first offset.
        start: Offset,
    },
    /// Moves a log's start like `LogTrim`, but leaves what lies below in the store: a follower still wants it. The
    /// engine makes this operation.
    LogHide {
        /// Log.
        log: LogId,
        /// New first offset.
        start: Offset,
    },
    /// Puts what compaction has left of a stored batch in its place: the same first and last offset, the same epoch.
    /// The engine makes this operation.
    LogReplace {
        /// Log.
        log: LogId,
        /// First offset of the batch, before and after.
        base_offset: Offset,
        /// Checksum of what is replaced.
        crc: u32,
        /// Bytes of what is replaced, its header included.
        bytes: u64,
        /// What takes its place (record batch v2, header included); `None`: nothing is left of it.
        batch: Option<Bytes>,
    },
    /// Says that compaction has gone through a log up to here. The engine makes this operation.
    LogCleaned {
        /// Log.
        log: LogId,
        /// Below this no record is superseded by another below it.
        to: Offset,
    },
    /// Creates an empty view.
    ViewCreate {
        /// View.
        view: ViewId,
    },
    /// Deletes a view and releases what it pins.
    ViewDelete {
        /// View.
        view: ViewId,
    },
    /// Appends references to a view. Entries are numbered on, from 0.
    ViewPush {
        /// View.
        view: ViewId,
        /// References.
        entries: Vec<ViewEntry>,
    },
    /// Acknowledges entries of a view: they are gone, and no longer pin their records.
    ViewAck {
        /// View.
        view: ViewId,
        /// Entry numbers.
        entries: Vec<u64>,
    },
    /// Creates a cursor over a view, at the view's first live entry.
    CursorCreate {
        /// Cursor.
        cursor: CursorId,
        /// What it reads.
        view: ViewId,
    },
    /// Deletes a cursor; its leased entries are available to others again.
    CursorDelete {
        /// Cursor.
        cursor: CursorId,
    },
    /// Leases entries until a wall-clock deadline and counts a delivery for each.
    CursorLease {
        /// Cursor.
        cursor: CursorId,
        /// Entry numbers of its view.
        entries: Vec<u64>,
        /// End of the lease, wall clock in milliseconds.
        until_ms: i64,
    },
    /// Gives leased entries back before their lease ends.
    CursorRelease {
        /// Cursor.
        cursor: CursorId,
        /// Entry numbers of its view.
        entries: Vec<u64>,
    },
    /// Adds a route.
    RouteAdd {
        /// Router.
        router: RouterId,
        /// What matches.
        pattern: RoutePattern,
        /// Where to.
        target: RouteTarget,
    },
    /// Removes a route.
    RouteRemove {
        /// Router.
        router: RouterId,
        /// What matched.
        pattern: RoutePattern,
        /// Where to.
        target: RouteTarget,
    },
    /// Sets a key.
    KvPut {
        /// Key: begins with the byte of its coordinator's kind.
        key: Bytes,
        /// Value.
        value: Bytes,
        /// When it ceases to exist, wall clock in milliseconds.
        expires_ms: Option<i64>,
    },
    /// Removes a key; an absent key is not an error.
    KvDelete {
        /// Key.
        key: Bytes,
    },
    /// Sets (or moves) a timer. It fires at or after its deadline, at least once, towards the coordinator
    /// that its key's first byte names.
    TimerSet {
        /// Identity within the shard.
        key: Bytes,
        /// Wall clock in milliseconds.
        deadline_ms: i64,
        /// Handed to the coordinator as it is.
        action: Bytes,
    },
    /// Removes a timer; an absent timer is not an error.
    TimerCancel {
        /// Identity within the shard.
        key: Bytes,
    },
    /// Queues a commit for another shard, applied there exactly once and in order.
    OutboxPush {
        /// Where it will be applied.
        to: ShardId,
        /// What will be applied; it carries no conditions and no outbox pushes.
        commit: Box<Commit>,
    },
    /// Written by the engine of the receiving shard with the commit that an outbox entry carried.
    OutboxApplied {
        /// Sending shard.
        from: ShardId,
        /// Its outbox position (numbered on, from 1).
        position: u64,
    },
    /// Written by the engine of the sending shard once entries up to `position` were applied.
    OutboxTrim {
        /// Receiving shard.
        to: ShardId,
        /// Last applied position.
        position: u64,
    },
}

/// A reference into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEntry {
    /// Log, in the view's own shard.
    pub log: LogId,
    /// Offset of the record.
    pub offset: Offset,
    /// Opaque annotation (deaths, expiry, priority, tag), usually empty.
    pub note: Bytes,
}

/// What a route matches. Translators split routing keys: levels arrive apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoutePattern {
    /// The whole key is equal.
    Exact(Bytes),
    /// Level by level.
    Levels(Vec<RouteLevel>),
}

/// One level of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteLevel {
    /// This level is equal.
    Is(Bytes),
    /// Exactly one level, whatever it is.
    One,
    /// Any number of levels, zero included.
    Many,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteTarget {
    /// A view; in another shard it is reached through the outbox.
    View(ViewId),
    /// Something that a coordinator or session understands (a live subscriber).
    Opaque(Bytes),
}

/// Settings of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// Who writes it.
    pub kind: LogKind,
    /// Whose clock stamps its records.
    pub timestamps: TimestampSource,
    /// Records older than this are removed (`None`: never).
    pub retention_ms: Option<u64>,
    /// The oldest records are removed while the log holds more than this (`None`: no bound).
    pub retention_bytes: Option<u64>,
    /// Retention removes records although views still refer to them; those views then see an expired entry.
    /// Otherwise a reference keeps its record.
    pub retention_over_views: bool,
    /// Of records with the same key only the last one is kept (`None`: all are). A mirrored log is left as its source
    /// shows it until the kernel leads it.
    pub compaction: Option<Compaction>,
}

/// How a log is compacted: the newest record of each key stays, at its offset; what it supersedes is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// A stretch of the log is closed when it would grow beyond this. The last stretch is never compacted.
    pub stretch_bytes: u64,
    /// A stretch is closed by a batch that is younger than its first one by more than this.
    pub stretch_ms: u64,
    /// Records younger than this stay.
    pub lag_min_ms: u64,
    /// A stretch whose records were not looked at for longer than this is due, whatever the share of such records.
    pub lag_max_ms: u64,
    /// Compaction begins when more than this share of the log's bytes was not looked at, in millionths.
    pub dirty_min_ppm: u32,
    /// How long a record without value stays after compaction has found that it is the newest of its key.
    pub deletes_stay_ms: u64,
}

/// Who writes a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogKind {
    /// The kernel assigns offsets.
    #[default]
    Led,
    /// A feed copies a source at its own offsets.
    Mirrored,
}

/// Whose clock stamps the records of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampSource {
    /// The producer's; kept as sent.
    #[default]
    Producer,
    /// The kernel's, at append; the batch header says so.
    Append,
}
