//! A store in memory: for tests, and for what may be lost.
//!
//! By itself it keeps nothing over a restart and no history. On a [`MemoryDisk`] it keeps what was durable,
//! so that a simulation can drop ("crash") the store and open the disk again. Durability is at once, or, when
//! [`MemoryStore::hold`] was called, when the test says so.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::patch_header;
use kernel_model::reply::Chunk;
use kernel_model::{BatchHeader, Commit, KernelError, LogEpoch, LogId, Now, Offset, Op, OwnerEpoch, Seq};
use parking_lot::Mutex;

use super::{FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats, after_prefix};

/// What survives a crash of a [`MemoryStore`]. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Durable>>);

/// Durable content: a checkpoint and the commits after it.
#[derive(Debug, Default)]
struct Durable {
    owner: OwnerEpoch,
    seq: Seq,
    state: BTreeMap<Bytes, Bytes>,
    contents: Contents,
    later: VecDeque<(Seq, Commit)>,
    waiting: VecDeque<Checkpoint>,
}

/// A checkpoint that waits until its commits are durable.
#[derive(Debug)]
struct Checkpoint {
    seq: Seq,
    state: Vec<(Bytes, Option<Bytes>)>,
}

impl Durable {
    /// Makes every waiting checkpoint up to `durable` the new base.
    fn settle(&mut self, durable: Seq) {
        while self.waiting.front().is_some_and(|checkpoint| checkpoint.seq <= durable) {
            let Some(checkpoint) = self.waiting.pop_front() else { return };
            while self.later.front().is_some_and(|(seq, _)| *seq <= checkpoint.seq) {
                if let Some((_, commit)) = self.later.pop_front() {
                    self.contents.apply(&commit);
                }
            }
            self.seq = checkpoint.seq;
            for (key, value) in checkpoint.state {
                match value {
                    Some(value) => self.state.insert(key, value),
                    None => self.state.remove(&key),
                };
            }
        }
    }
}

/// A store that holds everything in memory.
#[derive(Debug)]
pub struct MemoryStore {
    contents: Contents,
    disk: Option<MemoryDisk>,
    owner: OwnerEpoch,
    recovered: bool,
    /// Submitted and not durable; kept only where there is a disk.
    pending: VecDeque<(Seq, Commit)>,
    submitted: Seq,
    durable: Seq,
    held: bool,
    commits: u64,
    checkpoints: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store that forgets everything when it is dropped.
    #[must_use]
    pub fn new() -> Self {
        Self {
            contents: Contents::default(),
            disk: None,
            owner: OwnerEpoch(0),
            recovered: false,
            pending: VecDeque::new(),
            submitted: Seq(0),
            durable: Seq(0),
            held: false,
            commits: 0,
            checkpoints: 0,
        }
    }

    /// A store on what earlier ones left on `disk`; they are fenced.
    ///
    /// # Errors
    ///
    /// [`KernelError::Fenced`]: the disk has seen this owner epoch or a newer one.
    pub fn open(disk: &MemoryDisk, owner: OwnerEpoch) -> Result<Self, KernelError> {
        let mut durable = disk.0.lock();
        if owner <= durable.owner {
            return Err(KernelError::Fenced);
        }
        durable.owner = owner;
        durable.waiting.clear();
        drop(durable);
        Ok(Self { disk: Some(disk.clone()), owner, ..Self::new() })
    }

    /// From now on nothing becomes durable but by [`settle`](Self::settle).
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Makes everything up to `seq` durable. Of no effect once fenced.
    pub fn settle(&mut self, seq: Seq) {
        let to = seq.min(self.submitted);
        if to <= self.durable || self.check().is_err() {
            return;
        }
        self.durable = to;
        let Some(disk) = &self.disk else { return };
        let mut durable = disk.0.lock();
        while self.pending.front().is_some_and(|(seq, _)| *seq <= to) {
            durable.later.extend(self.pending.pop_front());
        }
        durable.settle(to);
    }

    /// Last submitted sequence number.
    #[must_use]
    pub fn submitted(&self) -> Seq {
        self.submitted
    }

    /// Crashes: forgets what was not durable and fences this instance. The same as dropping it, for owners that
    /// cannot.
    pub fn crash(&mut self) {
        self.pending.clear();
        self.contents = Contents::default();
        self.recovered = false;
    }

    fn check(&self) -> Result<(), KernelError> {
        if let Some(disk) = &self.disk
            && disk.0.lock().owner != self.owner
        {
            return Err(KernelError::Fenced);
        }
        if !self.recovered {
            return Err(KernelError::Stopped("not recovered".to_owned()));
        }
        Ok(())
    }
}

impl ShardStore for MemoryStore {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        self.check()?;
        for op in &commit.ops {
            check_op(op)?;
        }
        self.contents.apply(commit);
        self.submitted = Seq(self.submitted.0 + 1);
        self.commits += 1;
        if self.disk.is_some() {
            let kept = Commit::of(commit.ops.clone());
            self.pending.push_back((self.submitted, kept));
        }
        if !self.held {
            self.settle(self.submitted);
        }
        Ok(self.submitted)
    }

    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.check()?;
        Ok(self.durable)
    }

    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        let stored = self.contents.logs.get(&log).ok_or(KernelError::NotFound)?;
        let mut chunks = Vec::new();
        let mut left = bytes_max;
        for batch in stored.from(from).take_while(|batch| batch.base < end) {
            let first = chunks.is_empty() && at_least_one;
            if batch.bytes.len() > left && !first {
                break;
            }
            left = left.saturating_sub(batch.bytes.len());
            chunks.push(Chunk::Hot(batch.bytes.clone()));
        }
        Ok(chunks)
    }

    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        let stored = self.contents.logs.get(&log).ok_or(KernelError::NotFound)?;
        let mut below = stored.batches.values().take_while(|batch| batch.base < end);
        let found = match timestamp_ms {
            Some(at) => below.find(|batch| batch.max_timestamp_ms >= at),
            None => below.reduce(
                |best, next| {
                    if next.max_timestamp_ms > best.max_timestamp_ms { next } else { best }
                },
            ),
        };
        Ok(found.map(StoredBatch::found))
    }

    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        Ok(self.contents.keys.get(key).cloned())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let end = after_prefix(prefix);
        if end.as_deref().is_some_and(|end| after.is_some_and(|after| after >= end)) {
            return Ok(Vec::new());
        }
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let found = self.contents.keys.range::<[u8], _>((start, end));
        Ok(found.take(entries_max).map(|(key, entry)| (key.clone(), entry.clone())).collect())
    }

    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.check()?;
        if seq != self.submitted {
            return Err(KernelError::Invalid("a checkpoint is of the last commit"));
        }
        self.checkpoints += 1;
        if let Some(disk) = &self.disk {
            let mut durable = disk.0.lock();
            durable.waiting.push_back(Checkpoint { seq, state });
            durable.settle(self.durable);
        }
        Ok(())
    }

    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        if self.recovered || self.submitted > Seq(0) {
            return Err(KernelError::Stopped("recovered already".to_owned()));
        }
        self.recovered = true;
        self.check()?;
        let Some(disk) = &self.disk else { return Ok(Seq(0)) };
        let durable = disk.0.lock();
        self.contents = durable.contents.clone();
        self.submitted = durable.seq;
        for (key, value) in &durable.state {
            state(key.clone(), value.clone());
        }
        for (seq, commit) in &durable.later {
            self.contents.apply(commit);
            self.submitted = *seq;
            replay(*seq, commit.clone());
        }
        self.durable = self.submitted;
        Ok(self.durable)
    }

    fn maintain(&mut self, _now: Now) -> Result<MaintainReport, KernelError> {
        self.check()?;
        let later = self.disk.as_ref().map_or(0, |disk| disk.0.lock().later.len());
        Ok(MaintainReport { checkpoint_wanted: later >= CHECKPOINT_AFTER, ..MaintainReport::default() })
    }

    fn stats(&self) -> StoreStats {
        StoreStats {
            live_bytes: self.contents.live_bytes(),
            commits: self.commits,
            checkpoints: self.checkpoints,
            ..StoreStats::default()
        }
    }
}

/// Commits on a [`MemoryDisk`] after which a checkpoint is asked for.
const CHECKPOINT_AFTER: usize = 256;

/// Refuses an append that is no batch.
fn check_op(op: &Op) -> Result<(), KernelError> {
    if let Op::LogAppend { batch, .. } | Op::LogReplace { batch: Some(batch), .. } = op {
        let header =
            BatchHeader::decode(batch).map_err(|_| KernelError::Invalid("what is appended is no batch"))?;
        if header.size != batch.len() {
            return Err(KernelError::Invalid("a batch of another size than its header says"));
        }
    }
    Ok(())
}

/// Logs and keys as of one commit.
#[derive(Debug, Clone, Default)]
struct Contents {
    logs: BTreeMap<LogId, StoredLog>,
    keys: BTreeMap<Bytes, KvEntry>,
}

/// One log, by base offset.
#[derive(Debug, Clone, Default)]
struct StoredLog {
    batches: BTreeMap<Offset, StoredBatch>,
}

#[derive(Debug, Clone)]
struct StoredBatch {
    base: Offset,
    end: Offset,
    max_timestamp_ms: i64,
    epoch: LogEpoch,
    bytes: Bytes,
}

impl StoredLog {
    /// Batches that end after `from`.
    fn from(&self, from: Offset) -> impl Iterator<Item = &StoredBatch> {
        let first = self.batches.range(..=from).next_back().filter(|(_, batch)| batch.end > from);
        let after = self.batches.range((Bound::Excluded(from), Bound::Unbounded));
        first.into_iter().chain(after).map(|(_, batch)| batch)
    }
}

impl StoredLog {
    /// Puts a batch in the place of one with this checksum, or removes that one.
    fn replace(&mut self, base: Offset, crc: u32, by: Option<&Bytes>) {
        let held = self.batches.get(&base).and_then(|held| BatchHeader::decode(&held.bytes).ok());
        let Some(held) = held.filter(|held| held.crc == crc) else { return };
        let by = by.and_then(|batch| StoredBatch::new(base, held.leader_epoch, batch));
        match by {
            Some(batch) => self.batches.insert(base, batch),
            None => self.batches.remove(&base),
        };
    }
}

impl StoredBatch {
    fn new(base: Offset, epoch: LogEpoch, batch: &Bytes) -> Option<Self> {
        let header = BatchHeader::decode(batch).ok()?;
        let mut copy = BytesMut::from(batch.as_ref());
        patch_header(&mut copy, base, epoch);
        let end = base.plus(u64::from(header.last_offset_delta) + 1);
        Some(Self { base, end, max_timestamp_ms: header.max_timestamp_ms, epoch, bytes: copy.freeze() })
    }

    fn found(&self) -> FoundBatch {
        FoundBatch {
            base_offset: self.base,
            end_offset: self.end,
            max_timestamp_ms: self.max_timestamp_ms,
            epoch: self.epoch,
            chunk: Chunk::Hot(self.bytes.clone()),
        }
    }
}

impl Contents {
    fn apply(&mut self, commit: &Commit) {
        for op in &commit.ops {
            self.apply_op(op);
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a store keeps logs and keys; the rest is the shard's")]
    fn apply_op(&mut self, op: &Op) {
        match op {
            Op::LogCreate { log, .. } => {
                self.logs.entry(*log).or_default();
            }
            Op::LogDelete { log } => {
                self.logs.remove(log);
            }
            Op::LogAppend { log, base_offset, epoch, batch } => {
                let stored = self.logs.entry(*log).or_default();
                if let Some(batch) = StoredBatch::new(*base_offset, *epoch, batch) {
                    stored.batches.insert(*base_offset, batch);
                }
            }
            Op::LogTruncate { log, to } => {
                if let Some(stored) = self.logs.get_mut(log) {
                    while stored.batches.last_key_value().is_some_and(|(_, batch)| batch.end > *to) {
                        stored.batches.pop_last();
                    }
                }
            }
            Op::LogTrim { log, start } => {
                if let Some(stored) = self.logs.get_mut(log) {
                    while stored.batches.first_key_value().is_some_and(|(_, batch)| batch.end <= *start) {
                        stored.batches.pop_first();
                    }
                }
            }
            Op::LogReplace { log, base_offset, crc, batch, .. } => {
                if let Some(stored) = self.logs.get_mut(log) {
                    stored.replace(*base_offset, *crc, batch.as_ref());
                }
            }
            Op::KvPut { key, value, expires_ms } => {
                self.keys.insert(key.clone(), KvEntry { value: value.clone(), expires_ms: *expires_ms });
            }
            Op::KvDelete { key } => {
                self.keys.remove(key);
            }
            _ => {}
        }
    }

    fn live_bytes(&self) -> u64 {
        let batches = self.logs.values().flat_map(|log| log.batches.values());
        batches.map(|batch| u64::try_from(batch.bytes.len()).unwrap_or(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, value: &'static str) -> Commit {
        Commit::of(vec![Op::KvPut { key: key.into(), value: value.into(), expires_ms: None }])
    }

    fn open(disk: &MemoryDisk, epoch: u64) -> (MemoryStore, Vec<Seq>) {
        let mut store = MemoryStore::open(disk, OwnerEpoch(epoch)).unwrap();
        let mut replayed = Vec::new();
        store.recover(&mut |_, _| {}, &mut |seq, _| replayed.push(seq)).unwrap();
        (store, replayed)
    }

    #[test]
    fn a_crash_forgets_what_was_not_durable_and_only_that() {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk, 1);
        store.hold();
        for value in ["a", "b", "c"] {
            store.submit(&put("k", value)).unwrap();
        }
        store.settle(Seq(2));
        assert_eq!(store.get(b"k").unwrap().unwrap().value, "c");
        drop(store);
        let (store, replayed) = open(&disk, 2);
        assert_eq!(replayed, [Seq(1), Seq(2)]);
        assert_eq!(store.get(b"k").unwrap().unwrap().value, "b");
    }

    #[test]
    fn a_checkpoint_replaces_the_commits_before_it_once_they_are_durable() {
        let disk = MemoryDisk::default();
        let (mut store, _) = open(&disk, 1);
        store.hold();
        store.submit(&put("k", "a")).unwrap();
        store.checkpoint(Seq(1), vec![("s".into(), Some("1".into()))]).unwrap();
        store.submit(&put("k", "b")).unwrap();
        store.checkpoint(Seq(2), vec![("s".into(), Some("2".into()))]).unwrap();
        store.settle(Seq(1));
        let mut states = Vec::new();
        let mut store = MemoryStore::open(&disk, OwnerEpoch(2)).unwrap();
        let mut replayed = 0;
        store.recover(&mut |key, value| states.push((key, value)), &mut |_, _| replayed += 1).unwrap();
        assert_eq!(states, [("s".into(), "1".into())]);
        assert_eq!(replayed, 0);
        assert_eq!(store.get(b"k").unwrap().unwrap().value, "a");
    }

    #[test]
    fn a_newer_owner_fences_the_older() {
        let disk = MemoryDisk::default();
        let (mut old, _) = open(&disk, 1);
        let (_new, _) = open(&disk, 2);
        assert_eq!(old.submit(&put("k", "a")), Err(KernelError::Fenced));
        assert_eq!(old.durable(), Err(KernelError::Fenced));
        assert_eq!(MemoryStore::open(&disk, OwnerEpoch(2)).unwrap_err(), KernelError::Fenced);
    }

    #[test]
    fn scan_pages_through_a_prefix() {
        let (mut store, _) = open(&MemoryDisk::default(), 1);
        for key in ["a", "b1", "b2", "b3", "c"] {
            store.submit(&put(key, "v")).unwrap();
        }
        let keys = |after: Option<&[u8]>| -> Vec<Bytes> {
            store.scan(b"b", after, 2).unwrap().into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(None), ["b1", "b2"]);
        assert_eq!(keys(Some(b"b2")), ["b3"]);
        assert!(keys(Some(b"c")).is_empty());
        assert_eq!(keys(Some(b"a")), ["b1", "b2"]);
    }
}
