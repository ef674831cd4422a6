//! The real shard over its memory store, with durability in the hands of the simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use kernel_engine::store::memory::{MemoryDisk, MemoryStore};
use kernel_engine::store::{self, FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats};
use kernel_engine::{Limits, RequestKey, Shard};
use kernel_model::batch::split;
use kernel_model::reply::{Chunk, LogInfo};
use kernel_model::request::ReadLimit;
use kernel_model::{
    Commit, KernelError, LogEpoch, LogId, Now, Offset, OwnerEpoch, Reply, Request, Seq, ShardId,
    VerifiedBatch,
};

struct HeldStore {
    inner: MemoryStore,
    allowed: Arc<AtomicU64>,
    full: Arc<AtomicBool>,
}

impl ShardStore for HeldStore {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        if self.full.load(Ordering::Relaxed) && !commit.ops.is_empty() && !store::only_removes(commit) {
            return Err(KernelError::Full);
        }
        self.inner.submit(commit)
    }
    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.inner.settle(Seq(self.allowed.load(Ordering::Relaxed)));
        self.inner.durable()
    }
    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        max: usize,
        one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        self.inner.read(log, from, end, max, one)
    }
    fn find_by_time(
        &self,
        log: LogId,
        at: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        self.inner.find_by_time(log, at, end)
    }
    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.inner.get(key)
    }
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        self.inner.scan(prefix, after, max)
    }
    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.inner.checkpoint(seq, state)
    }
    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        self.inner.recover(state, replay)
    }
    fn maintain(&mut self, now: Now) -> Result<MaintainReport, KernelError> {
        self.inner.maintain(now)
    }
    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }
}

/// One shard and what survives its crash.
pub struct Kernel {
    disk: MemoryDisk,
    owner: u64,
    shard: Shard,
    allowed: Arc<AtomicU64>,
    full: Arc<AtomicBool>,
    next_key: u64,
    answered: Vec<(u64, Result<Reply, KernelError>)>,
}

pub fn log_id(partition: usize) -> LogId {
    LogId::new(ShardId(0), 1 + partition as u64)
}

impl Kernel {
    pub fn new(now: Now) -> Self {
        let (disk, allowed, full) = (MemoryDisk::default(), Arc::default(), Arc::default());
        let shard = open(&disk, 1, &allowed, &full, now);
        Self { disk, owner: 1, shard, allowed, full, next_key: 0, answered: Vec::new() }
    }

    /// Loses what is not durable, and opens the disk again.
    pub fn crash(&mut self, now: Now) {
        self.owner += 1;
        self.answered.clear();
        self.shard = open(&self.disk, self.owner, &self.allowed, &self.full, now);
    }

    pub fn set_full(&mut self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// A request whose outcome is durable at once.
    pub fn call(&mut self, now: Now, request: Request) -> Result<Reply, KernelError> {
        self.next_key += 1;
        let key = RequestKey(1, self.next_key);
        self.shard.handle_request(now, key, request);
        self.settle(now);
        let mut mine = Err(KernelError::Overloaded);
        while let Some((from, reply)) = self.shard.poll_reply() {
            if from == key {
                mine = reply;
            } else {
                self.answered.push((from.1, reply));
            }
        }
        mine
    }

    /// An append; its answer comes from `flush`, unless a crash comes first.
    pub fn append(&mut self, now: Now, id: u64, request: Request) {
        self.shard.handle_request(now, RequestKey(0, id), request);
    }

    /// Whether this append would be answered well, without waiting until it is durable (a planted fault).
    pub fn append_early(&mut self, now: Now, id: u64, request: Request) -> Option<Reply> {
        let end = |kernel: &Self| kernel.shard.submitted();
        let before = end(self);
        let Request::Append { log, .. } = &request else { return None };
        let log = *log;
        let base = self.peek_end(now, log)?;
        self.shard.handle_request(now, RequestKey(2, id), request);
        (end(self) > before).then_some(Reply::Appended(kernel_model::reply::Appended {
            base_offset: base,
            start: base,
            append_time_ms: None,
            duplicate: false,
        }))
    }

    fn peek_end(&mut self, now: Now, log: LogId) -> Option<Offset> {
        self.shard.handle_request(now, RequestKey(3, 0), Request::Describe { log });
        let mut found = None;
        while let Some((from, reply)) = self.shard.poll_reply() {
            match reply {
                Ok(Reply::Described(info)) if from.0 == 3 => found = Some(info.end),
                reply => self.answered.push((from.1, reply)),
            }
        }
        found
    }

    /// Makes everything durable and answers.
    pub fn flush(&mut self, now: Now) -> Vec<(u64, Result<Reply, KernelError>)> {
        self.settle(now);
        while let Some((from, reply)) = self.shard.poll_reply() {
            if from.0 == 0 {
                self.answered.push((from.1, reply));
            }
        }
        std::mem::take(&mut self.answered)
    }

    fn settle(&mut self, now: Now) {
        self.allowed.store(self.shard.submitted().0, Ordering::Relaxed);
        self.shard.handle_durable(now);
    }

    pub fn info(&mut self, now: Now, partition: usize) -> Option<LogInfo> {
        match self.call(now, Request::Describe { log: log_id(partition) }) {
            Ok(Reply::Described(info)) => Some(info),
            _ => None,
        }
    }

    /// Readable batches from an offset on; the error a reader would get.
    pub fn read(&mut self, now: Now, partition: usize, from: u64) -> Result<Vec<VerifiedBatch>, KernelError> {
        let request = Request::Read {
            log: log_id(partition),
            from: Offset(from),
            bytes_max: 1 << 20,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        let Reply::Records(records) = self.call(now, request)? else { return Ok(vec![]) };
        let mut batches = Vec::new();
        for chunk in records.chunks {
            let mut bytes = match chunk {
                Chunk::Hot(bytes) => bytes,
                Chunk::Cold(cold) => cold.source.read(cold.position, cold.len)?,
            };
            batches.extend(split(&mut bytes).expect("stored batches are whole"));
        }
        Ok(batches)
    }

    pub fn epoch(&mut self, now: Now, partition: usize) -> LogEpoch {
        self.info(now, partition).map_or(LogEpoch(-1), |info| info.epoch)
    }
}

fn open(disk: &MemoryDisk, owner: u64, allowed: &Arc<AtomicU64>, full: &Arc<AtomicBool>, now: Now) -> Shard {
    allowed.store(0, Ordering::Relaxed);
    let mut inner = MemoryStore::open(disk, OwnerEpoch(owner)).expect("owners only grow");
    inner.hold();
    let store = HeldStore { inner, allowed: allowed.clone(), full: full.clone() };
    Shard::open(ShardId(0), Box::new(store), Limits::default(), vec![], now)
        .expect("what was durable opens again")
}
