//! The default store: one interleaved write-ahead log per shard on the local disk, and a checkpoint beside it.
//!
//! ```text
//! folder/
//!   lock                 newest owner epoch; locked shared by every write, alone by a claim
//!   wal-NNNNNNNNNN.seg   segments: commits of all logs and keys in order, payloads included
//!   checkpoint.redb      keys, index and derived state as of one position of the log
//!   reserve              room for a checkpoint on a full disk
//! ```
//!
//! `submit` encodes a commit into a buffer; the flusher writes what has gathered and syncs once for all of it;
//! batches are read back from memory while recent, else from the segments, each checked as it is read. A
//! checkpoint is never on the way of an acknowledgement; after one, segments in which nothing lives are
//! deleted, and sparse ones are rewritten.
//!
//! Disk space of the log, its preallocated spare and reserve included: at most twice the live bytes and four
//! segments, once `maintain` reports nothing more to do.

mod checkpoint;
pub(crate) mod codec;
mod contents;
pub mod disk;
mod entry;
mod flusher;
mod index;
mod meta;
mod options;
mod recovery;
mod rewrite;
mod segment;
pub mod sim;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::batch::patch_header;
use kernel_model::reply::Chunk;
use kernel_model::{BatchHeader, Commit, KernelError, LogId, Now, Offset, Op, OwnerEpoch, Seq};

use super::{FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats, only_removes};
use checkpoint::{Checkpointer, Job};
use contents::Contents;
use disk::{Disk, FencedDisk, FolderDisk};
use entry::{ENTRY_HEADER, Kind, padded};
use flusher::Flusher;
use index::Place;
use meta::{Applied, Meta};
use options::SEGMENT_BYTES_MIN;
pub use options::{LocalOptions, Sync, Waker};
use segment::ColdBatches;
use tail::{Position, Shared};

/// The store of one shard in a folder. Dropping it writes what is pending.
pub struct LocalStore {
    shared: Arc<Shared>,
    disk: FencedDisk,
    meta: Arc<Meta>,
    contents: Contents,
    applied: Applied,
    recovered: bool,
    scratch: BytesMut,
    workers: Workers,
    /// Segments that hold damaged live batches.
    unmovable: BTreeSet<u32>,
    damaged: Vec<String>,
    commits: u64,
    checkpoints: u64,
    rewritten_bytes: u64,
}

/// Who writes.
enum Workers {
    None,
    Threads(Vec<JoinHandle<()>>),
    Inline(Box<(Flusher, Checkpointer)>),
}

impl std::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalStore").field("applied", &self.applied).finish_non_exhaustive()
    }
}

impl LocalStore {
    /// Opens the store in `folder`, which is made if need be, and fences older owners. `waker` is called
    /// whenever [`ShardStore::durable`] may have something new.
    ///
    /// # Errors
    ///
    /// [`KernelError::Fenced`]: there was an owner with this epoch or a newer one (see
    /// [`last_owner`](Self::last_owner)); [`KernelError::Damaged`], [`KernelError::Stopped`]: files that cannot be
    /// used; [`KernelError::Invalid`]: settings out of their range.
    pub fn open(
        folder: &Path,
        owner: OwnerEpoch,
        options: LocalOptions,
        waker: Waker,
    ) -> Result<Self, KernelError> {
        let disk = FolderDisk::open(folder)
            .map_err(|error| KernelError::Stopped(format!("{}: {error}", folder.display())))?;
        Self::open_on(Arc::new(disk), owner, options, waker)
    }

    /// Epoch of the newest owner that a folder has had; the next one takes a greater.
    ///
    /// # Errors
    ///
    /// [`KernelError::Stopped`]: the folder cannot be read.
    pub fn last_owner(folder: &Path) -> Result<OwnerEpoch, KernelError> {
        let owner = FolderDisk::open(folder).and_then(|disk| disk.owner());
        owner.map_err(|error| KernelError::Stopped(format!("{}: {error}", folder.display())))
    }

    /// As [`open`](Self::open), on any disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        disk: Arc<dyn Disk>,
        owner: OwnerEpoch,
        options: LocalOptions,
        waker: Waker,
    ) -> Result<Self, KernelError> {
        if options.segment_bytes < SEGMENT_BYTES_MIN {
            return Err(KernelError::Invalid("segments are too short"));
        }
        let failed = |error: std::io::Error| KernelError::Stopped(format!("lock: {error}"));
        if !disk.claim(owner).map_err(failed)? {
            return Err(KernelError::Fenced);
        }
        let disk = FencedDisk::new(disk, owner).map_err(failed)?;
        let meta = Meta::open(&disk, options.cache_bytes)?;
        let nothing = Applied { seq: Seq(0), position: Position { segment: 0, at: 0 } };
        let applied = meta.applied()?.unwrap_or(nothing);
        Ok(Self {
            shared: Arc::new(Shared::new(options, owner.0, waker)),
            disk,
            meta: Arc::new(meta),
            contents: Contents::default(),
            applied,
            recovered: false,
            scratch: BytesMut::new(),
            workers: Workers::None,
            unmovable: BTreeSet::new(),
            damaged: Vec::new(),
            commits: 0,
            checkpoints: 0,
            rewritten_bytes: 0,
        })
    }

    fn start_workers(&mut self, first: u32) -> Result<(), KernelError> {
        let failed = |error: std::io::Error| KernelError::Stopped(format!("threads: {error}"));
        let mut flusher = Flusher::new(Arc::clone(&self.shared), self.disk.another().map_err(failed)?, first);
        let disk = self.disk.another().map_err(failed)?;
        let checkpointer = Checkpointer::new(Arc::clone(&self.shared), Arc::clone(&self.meta), disk);
        flusher.step();
        if !self.shared.options.threads {
            self.workers = Workers::Inline(Box::new((flusher, checkpointer)));
            return Ok(());
        }
        let flush = self.spawn("store-flush", move || flusher.run()).map_err(failed)?;
        let mut threads = vec![flush];
        threads.push(self.spawn("store-checkpoint", move || checkpointer.run()).map_err(failed)?);
        self.workers = Workers::Threads(threads);
        Ok(())
    }

    /// Starts a worker; should it panic, the store ends, so that nobody waits for it for ever.
    fn spawn(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                shared.end(KernelError::Stopped(format!("{name} has panicked")));
            }
        })
    }

    /// Lets the workers of a store without threads work.
    fn work_inline(&mut self) {
        if let Workers::Inline(workers) = &mut self.workers {
            let (flusher, checkpointer) = workers.as_mut();
            let mut state = self.shared.state.lock();
            let flush = state.ended.is_none() && (state.flush_wanted || state.retry_flush);
            drop(state);
            if flush {
                flusher.step();
            }
            state = self.shared.state.lock();
            let go_on = state.ended.is_none();
            drop(state);
            if go_on {
                checkpointer.step();
            }
        }
    }

    /// Takes note of completed checkpoints.
    fn absorb(&mut self) {
        let completed = std::mem::take(&mut self.shared.state.lock().completed);
        for job in completed {
            self.contents.keys.settle(job.applied.seq, &job.keys);
            self.applied = job.applied;
            self.checkpoints += 1;
        }
    }

    fn ready(&self) -> Result<(), KernelError> {
        if self.recovered { Ok(()) } else { Err(KernelError::Stopped("not recovered".to_owned())) }
    }

    /// Puts an entry that says what is synced at the end of a log that rests.
    fn mark(&mut self) {
        let mut state = self.shared.state.lock();
        let rests = state.durable == state.submitted && state.pending_bytes == 0 && !state.flush_wanted;
        let synced = state.synced == state.submitted && state.mark.is_none();
        let length = padded(ENTRY_HEADER);
        if rests && synced && self.shared.fits(&state, length) {
            self.shared.append(&mut state, Kind::Mark, length, |_, _| ());
            drop(state);
            self.shared.to_flush.notify_all();
        }
    }

    /// Segments that a checkpoint from `from` on would let go.
    fn dead_segments(&self, from: Position) -> Vec<u32> {
        let state = self.shared.state.lock();
        let before = state.segments.range(..from.segment).map(|(number, _)| *number);
        before.filter(|number| self.contents.index.usage(*number).is_none()).collect()
    }

    fn checkpoint_wanted(&self) -> bool {
        let state = self.shared.state.lock();
        let from = state.replay_from();
        let busy = !state.jobs.is_empty();
        drop(state);
        !busy && (from.segment > self.applied.position.segment || !self.dead_segments(from).is_empty())
    }

    /// As chunks: from memory, or stretches of one segment to be read later.
    fn chunks(&self, places: &[(u32, Place)]) -> Vec<Chunk> {
        let state = self.shared.state.lock();
        let mut chunks = Vec::new();
        let mut cold: Option<(u32, ColdBatches)> = None;
        for (segment, place) in places {
            if let Some(bytes) = state.in_memory(*segment, place.position, place.len) {
                chunks.extend(cold.take().map(|(_, cold)| cold.into_chunk()));
                chunks.push(Chunk::Hot(bytes));
                continue;
            }
            let follows = |(number, cold): &(u32, ColdBatches)| {
                let end = cold.places.last().map_or(0, |last| last.position.saturating_add(last.len));
                *number == *segment && end == place.position
            };
            if let Some((_, cold)) = cold.as_mut().filter(|cold| follows(cold)) {
                cold.places.push(*place);
                continue;
            }
            chunks.extend(cold.take().map(|(_, cold)| cold.into_chunk()));
            let file = state.segments.get(segment).map(|registered| Arc::clone(&registered.segment));
            let file = file.unwrap_or_else(|| Arc::new(segment::Segment::missing(*segment)));
            cold = Some((*segment, ColdBatches { segment: file, places: vec![*place] }));
        }
        chunks.extend(cold.map(|(_, cold)| cold.into_chunk()));
        chunks
    }
}

/// A batch that a commit brings.
struct Brought<'a> {
    batch: &'a Bytes,
    /// Offset and epoch that the stored copy gets; `None`: it has them.
    at: Option<(Offset, kernel_model::LogEpoch)>,
}

/// The batches that a commit brings, in the order in which they are stored.
fn brought(commit: &Commit) -> impl Iterator<Item = Brought<'_>> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "two operations of many are asked for")]
    commit.ops.iter().filter_map(|op| match op {
        Op::LogAppend { base_offset, epoch, batch, .. } => {
            Some(Brought { batch, at: Some((*base_offset, *epoch)) })
        }
        Op::LogReplace { batch, .. } => batch.as_ref().map(|batch| Brought { batch, at: None }),
        _ => None,
    })
}

/// Refuses what could not be read back; returns the bytes of the batches.
fn check_commit(commit: &Commit) -> Result<usize, KernelError> {
    let pushes = |op: &Op| matches!(op, Op::OutboxPush { .. });
    let nested = |op: &Op| matches!(op, Op::OutboxPush { commit, .. } if commit.ops.iter().any(pushes));
    if commit.ops.iter().any(nested) {
        return Err(KernelError::Invalid("an outbox entry that pushes another"));
    }
    let mut bytes = 0_usize;
    for Brought { batch, .. } in brought(commit) {
        let header =
            BatchHeader::decode(batch).map_err(|_| KernelError::Invalid("what is appended is no batch"))?;
        if header.size != batch.len() {
            return Err(KernelError::Invalid("a batch of another size than its header says"));
        }
        bytes = bytes.saturating_add(batch.len());
    }
    Ok(bytes)
}

impl ShardStore for LocalStore {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        self.ready()?;
        let batch_bytes = check_commit(commit)?;
        self.scratch.clear();
        codec::encode(commit, &mut self.scratch);
        let length = padded(ENTRY_HEADER + self.scratch.len() + batch_bytes);
        let removes = only_removes(commit);
        let mut state = self.shared.state.lock();
        state.check()?;
        self.shared.make_room(&mut state, length, removes)?;
        state.submitted = Seq(state.submitted.0 + 1);
        let seq = state.submitted;
        let scratch = &self.scratch;
        let begin = self.shared.append(&mut state, Kind::Commit, length, |out, _| {
            out.put_slice(scratch);
            for brought in brought(commit) {
                let start = out.len();
                out.put_slice(brought.batch);
                if let (Some((base_offset, epoch)), Some(copy)) = (brought.at, out.get_mut(start..)) {
                    patch_header(copy, base_offset, epoch);
                }
            }
        });
        drop(state);
        self.shared.to_flush.notify_one();
        let front = u32::try_from(ENTRY_HEADER + self.scratch.len()).unwrap_or(u32::MAX);
        let batches = Position { segment: begin.segment, at: begin.at.saturating_add(front) };
        self.contents.apply(seq, commit, batches);
        self.commits += 1;
        Ok(seq)
    }

    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.ready()?;
        self.work_inline();
        self.disk.check()?;
        let state = self.shared.state.lock();
        state.check()?;
        Ok(state.durable)
    }

    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        self.ready()?;
        if !self.contents.index.contains(log) {
            return Err(KernelError::NotFound);
        }
        let mut places = Vec::new();
        let mut left = bytes_max;
        for (segment, place) in self.contents.index.places_from(log, from) {
            let len = usize::try_from(place.len).unwrap_or(usize::MAX);
            let first = places.is_empty() && at_least_one;
            if place.base >= end || (len > left && !first) {
                break;
            }
            left = left.saturating_sub(len);
            places.push((segment, place));
        }
        Ok(self.chunks(&places))
    }

    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        self.ready()?;
        if !self.contents.index.contains(log) {
            return Err(KernelError::NotFound);
        }
        let Some((segment, place)) = self.contents.index.by_time(log, timestamp_ms, end) else {
            return Ok(None);
        };
        let chunk = self.chunks(&[(segment, place)]).pop();
        Ok(chunk.map(|chunk| FoundBatch {
            base_offset: place.base,
            end_offset: place.end(),
            max_timestamp_ms: place.max_timestamp_ms,
            epoch: place.epoch,
            chunk,
        }))
    }

    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.ready()?;
        self.contents.keys.get(&self.meta, key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        self.ready()?;
        self.contents.keys.scan(&self.meta, prefix, after, entries_max)
    }

    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.ready()?;
        self.absorb();
        let shared = self.shared.state.lock();
        shared.check()?;
        if seq != shared.submitted {
            return Err(KernelError::Invalid("a checkpoint is of the last commit"));
        }
        if shared.jobs.len() >= self.shared.options.checkpoints_max {
            return Err(KernelError::Overloaded);
        }
        let position = shared.replay_from();
        drop(shared);
        let job = Job {
            applied: Applied { seq, position },
            state,
            keys: self.contents.keys.take_delta(),
            index: self.contents.index.take_delta(),
            dead: self.dead_segments(position),
        };
        self.shared.state.lock().jobs.push_back(Arc::new(job));
        self.shared.to_checkpoint.notify_all();
        Ok(())
    }

    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        if self.recovered {
            return Err(KernelError::Stopped("recovered already".to_owned()));
        }
        self.contents.index = self.meta.load_index()?;
        self.meta.each_state(state)?;
        let found =
            recovery::recover(&self.disk, self.shared.epoch, self.applied, &mut self.contents, replay)?;
        self.damaged = found.damaged;
        let mut shared = self.shared.state.lock();
        shared.segments = found.segments;
        shared.reserve_bytes = found.reserve_bytes;
        (shared.submitted, shared.durable, shared.synced) = (found.last, found.last, found.last);
        shared.tail = found.end;
        self.shared.roll(&mut shared);
        shared.written = shared.tail;
        let first = shared.tail.segment;
        drop(shared);
        self.start_workers(first)?;
        self.recovered = true;
        Ok(found.last)
    }

    fn maintain(&mut self, _now: Now) -> Result<MaintainReport, KernelError> {
        self.ready()?;
        self.disk.check()?;
        let mut state = self.shared.state.lock();
        state.check()?;
        let retry_flush = state.full || state.stuck;
        let retry_checkpoint = state.checkpoint_failed_for_room;
        state.retry_flush |= retry_flush;
        state.retry_checkpoint |= retry_checkpoint;
        drop(state);
        if retry_flush {
            self.shared.to_flush.notify_all();
        }
        if retry_checkpoint {
            self.shared.to_checkpoint.notify_all();
        }
        self.work_inline();
        self.absorb();
        self.mark();
        let more = self.rewrite()?;
        let checkpoint_wanted = self.checkpoint_wanted();
        let state = self.shared.state.lock();
        state.check()?;
        Ok(MaintainReport { checkpoint_wanted, more, full: self.shared.is_full(&state) })
    }

    fn stats(&self) -> StoreStats {
        let checkpoint_bytes = self.meta.bytes();
        let state = self.shared.state.lock();
        let segments: u64 = state.segments.values().map(|registered| registered.bytes).sum();
        StoreStats {
            live_bytes: self.contents.index.live(),
            disk_bytes: segments + state.spare_bytes + state.reserve_bytes,
            checkpoint_bytes,
            segments: u64::try_from(state.segments.len()).unwrap_or(0),
            pending_bytes: u64::try_from(state.pending_bytes).unwrap_or(0),
            fsyncs: state.fsyncs,
            commits: self.commits,
            rewritten_bytes: self.rewritten_bytes,
            checkpoints: self.checkpoints,
            damaged: self.damaged.clone(),
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.to_flush.notify_all();
        self.shared.to_checkpoint.notify_all();
        if let Workers::Threads(threads) = std::mem::replace(&mut self.workers, Workers::None) {
            for thread in threads {
                // A worker that panicked has nothing left to write.
                let _ = thread.join();
            }
        }
    }
}
