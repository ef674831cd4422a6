//! A store in memory whose durability the test moves while a shard owns it.

use std::sync::Arc;

use bytes::Bytes;
use kernel_engine::store::memory::{MemoryDisk, MemoryStore};
use kernel_engine::store::{FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats};
use kernel_model::reply::Chunk;
use kernel_model::{Commit, KernelError, LogId, Now, Offset, OwnerEpoch, Seq};
use parking_lot::Mutex;

#[derive(Clone)]
pub struct Held(Arc<Mutex<MemoryStore>>);

impl Held {
    pub fn open(disk: &MemoryDisk, owner: u64) -> Self {
        let mut store = MemoryStore::open(disk, OwnerEpoch(owner)).unwrap();
        store.hold();
        Self(Arc::new(Mutex::new(store)))
    }

    pub fn crash(&self) {
        self.0.lock().crash();
    }

    pub fn settle(&self, seq: Seq) {
        self.0.lock().settle(seq);
    }
}

impl ShardStore for Held {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        self.0.lock().submit(commit)
    }
    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.0.lock().durable()
    }
    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        self.0.lock().read(log, from, end, bytes_max, at_least_one)
    }
    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        self.0.lock().find_by_time(log, timestamp_ms, end)
    }
    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.0.lock().get(key)
    }
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        self.0.lock().scan(prefix, after, entries_max)
    }
    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.0.lock().checkpoint(seq, state)
    }
    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        self.0.lock().recover(state, replay)
    }
    fn maintain(&mut self, now: Now) -> Result<MaintainReport, KernelError> {
        self.0.lock().maintain(now)
    }
    fn stats(&self) -> StoreStats {
        self.0.lock().stats()
    }
}
