//! Shard stores: where the commits of one shard become durable.
//!
//! A store keeps the batches of its logs and the Kv primitive, and replays what it holds after a restart. It
//! judges nothing: conditions, sequences, epochs and retention are the shard's. Everything else that a shard
//! derives from its commits (producer tables, views, cursors, timers …) it hands over with
//! [`ShardStore::checkpoint`] and gets back from [`ShardStore::recover`].
//!
//! | store | what survives |
//! |---|---|
//! | [`memory`] | nothing a restart of the process; a simulated crash, where a [`memory::MemoryDisk`] is given |
//! | [`local`] | what was durable: it is on disk |
//! | [`faulty`] | what its inner store keeps, less what a crash takes from it |

pub mod faulty;
pub mod local;
pub mod memory;

use bytes::Bytes;
use kernel_model::reply::Chunk;
use kernel_model::{Commit, KernelError, LogEpoch, LogId, Now, Offset, Seq};

/// Keeps the commits of one shard. It has one owner at a time, who calls it from one thread.
///
/// [`recover`](Self::recover) comes first, once; before it, everything else answers
/// [`KernelError::Stopped`] or nothing.
pub trait ShardStore: Send {
    /// Queues a commit: visible to this store's reads at once, durable later. Never waits. Conditions are not
    /// kept: the shard has judged them.
    ///
    /// Batches must be whole record batches (v2) with a right checksum; base offset and epoch of the
    /// operation are written into the stored copy. Within one log they come in ascending order. What replaces a
    /// batch ([`kernel_model::Op::LogReplace`]) is stored as it is, and only where that batch still is.
    ///
    /// # Errors
    ///
    /// The commit was not taken, and the store is as before:
    /// - [`KernelError::Fenced`], [`KernelError::Stopped`]: never again by this instance.
    /// - [`KernelError::Full`]: no room; commits that only remove ([`only_removes`]) may still be taken.
    /// - [`KernelError::Overloaded`]: too many bytes are not yet durable.
    /// - [`KernelError::Invalid`]: bytes that are no batch, or larger than the store can hold.
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError>;

    /// Highest durable sequence number. Every commit up to it survives a crash.
    ///
    /// # Errors
    ///
    /// [`KernelError::Fenced`] or [`KernelError::Stopped`]: the store cannot go on. A full disk is not an error
    /// here: what was taken becomes durable when space returns.
    fn durable(&mut self) -> Result<Seq, KernelError>;

    /// Whole batches of `log` that hold offsets in `from..end`, in order, up to about `bytes_max` bytes: a batch
    /// that would exceed it is left out, except the first when `at_least_one`.
    ///
    /// # Errors
    ///
    /// [`KernelError::NotFound`]: no such log.
    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError>;

    /// The first batch that begins below `end` and whose greatest timestamp is at or above `timestamp_ms`; for
    /// `None` the first of those with the greatest timestamp.
    ///
    /// # Errors
    ///
    /// [`KernelError::NotFound`]: no such log.
    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError>;

    /// Value of a key, expired or not: who asks knows the time.
    ///
    /// # Errors
    ///
    /// [`KernelError::Damaged`] or [`KernelError::Stopped`] when what is stored cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError>;

    /// Up to `entries_max` keys that begin with `prefix` and follow `after`, ascending.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError>;

    /// Takes what changed in the shard's derived state since the last checkpoint (`None` removes a key), as of
    /// `seq`, which is the last submitted commit. It is persisted together with the store's own state of that
    /// moment, in the background; afterwards commits up to `seq` need no replay. Do it when
    /// [`MaintainReport::checkpoint_wanted`] says so.
    ///
    /// # Errors
    ///
    /// The state was not taken: [`KernelError::Invalid`] (`seq` is not the last submitted commit),
    /// [`KernelError::Overloaded`] (earlier checkpoints are still being written), [`KernelError::Fenced`],
    /// [`KernelError::Stopped`].
    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError>;

    /// Hands out the checkpointed state, ascending by key, then every later commit in order. Returns the
    /// last sequence number, which is durable.
    ///
    /// # Errors
    ///
    /// [`KernelError::Damaged`], naming file and offset, for anything but a torn tail;
    /// [`KernelError::Stopped`] when files cannot be read, carry an unknown version, or at a second call.
    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError>;

    /// Does a bounded piece of background work: rewriting sparse segments, deleting dead ones, retrying after a
    /// full disk. Call it about every 100 ms, and again at once while it reports `more`.
    ///
    /// # Errors
    ///
    /// [`KernelError::Fenced`] or [`KernelError::Stopped`]: the store cannot go on.
    fn maintain(&mut self, now: Now) -> Result<MaintainReport, KernelError>;

    /// Figures for metrics.
    fn stats(&self) -> StoreStats;
}

/// A value of the Kv primitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// Value.
    pub value: Bytes,
    /// When it ceases to exist, wall clock in milliseconds.
    pub expires_ms: Option<i64>,
}

/// A stored batch that answers a question.
#[derive(Debug, Clone)]
pub struct FoundBatch {
    /// Its first offset.
    pub base_offset: Offset,
    /// The offset after its last one.
    pub end_offset: Offset,
    /// Its greatest timestamp.
    pub max_timestamp_ms: i64,
    /// Epoch under which it was written.
    pub epoch: LogEpoch,
    /// Its bytes, header included.
    pub chunk: Chunk,
}

/// What a call of [`ShardStore::maintain`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaintainReport {
    /// A checkpoint would let the store drop or start past something.
    pub checkpoint_wanted: bool,
    /// There is more to do right now.
    pub more: bool,
    /// New payload is refused with [`KernelError::Full`].
    pub full: bool,
}

/// Figures of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Bytes of batches that are neither trimmed, truncated nor deleted.
    pub live_bytes: u64,
    /// Bytes that the store occupies on disk for commits, preallocated space included.
    pub disk_bytes: u64,
    /// Bytes of its checkpoint (keys, indexes, derived state).
    pub checkpoint_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes taken and not yet durable.
    pub pending_bytes: u64,
    /// Times that a file was synced on behalf of commits.
    pub fsyncs: u64,
    /// Commits taken since the store was opened.
    pub commits: u64,
    /// Bytes of batches that were copied forward since the store was opened.
    pub rewritten_bytes: u64,
    /// Checkpoints completed since the store was opened.
    pub checkpoints: u64,
    /// Stored files that were found missing or cut; reads of what they held answer
    /// [`KernelError::Damaged`].
    pub damaged: Vec<String>,
}

/// Whether a commit takes nothing into the store but the note that something goes. Such commits may use the
/// room that a full store keeps back.
#[must_use]
pub fn only_removes(commit: &Commit) -> bool {
    use kernel_model::Op;
    commit.ops.iter().all(|op| match op {
        Op::LogDelete { .. }
        | Op::LogTruncate { .. }
        | Op::LogTrim { .. }
        | Op::LogHide { .. }
        | Op::ViewDelete { .. }
        | Op::ViewAck { .. }
        | Op::CursorDelete { .. }
        | Op::CursorRelease { .. }
        | Op::RouteRemove { .. }
        | Op::KvDelete { .. }
        | Op::TimerCancel { .. }
        | Op::OutboxTrim { .. }
        | Op::LogReplace { batch: None, .. }
        | Op::LogCleaned { .. } => true,
        Op::LogCreate { .. }
        | Op::LogConfigure { .. }
        | Op::LogAppend { .. }
        | Op::LogConfirm { .. }
        | Op::LogReplace { batch: Some(_), .. }
        | Op::ViewCreate { .. }
        | Op::ViewPush { .. }
        | Op::CursorCreate { .. }
        | Op::CursorLease { .. }
        | Op::RouteAdd { .. }
        | Op::KvPut { .. }
        | Op::TimerSet { .. }
        | Op::OutboxPush { .. }
        | Op::Deliver { .. }
        | Op::OutboxApplied { .. } => false,
    })
}

/// The smallest key above every key that begins with `prefix`, where there is one.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}
