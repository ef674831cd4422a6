//! One shard on a desk: a store whose durability the test decides, and short ways to ask.

use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::memory::{MemoryDisk, MemoryStore};
use kernel_engine::{Limits, RequestKey, Shard};
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::{LogConfig, LogKind, Op};
use kernel_model::coordinator::{Coordinator, CoordinatorKind};
use kernel_model::reply::{Appended, Chunk, LogInfo, Records, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{
    BatchHeader, Commit, KernelError, LogId, Now, Offset, OwnerEpoch, ShardId, VerifiedBatch,
};

pub const SHARD: ShardId = ShardId(3);
pub const LOG: LogId = LogId::new(SHARD, 1);

pub struct Desk {
    pub disk: MemoryDisk,
    pub shard: Shard,
    pub now: Now,
    owner: u64,
    next: u64,
}

pub type Hosted = Vec<(CoordinatorKind, Box<dyn Coordinator>)>;

pub fn open(disk: &MemoryDisk, id: ShardId, owner: u64, hosted: Hosted, now: Now) -> Shard {
    let store = MemoryStore::open(disk, OwnerEpoch(owner)).unwrap();
    Shard::open(id, Box::new(store), Limits::default(), hosted, now).unwrap()
}

impl Desk {
    pub fn new() -> Self {
        Self::hosting(Vec::new())
    }

    pub fn hosting(hosted: Hosted) -> Self {
        let disk = MemoryDisk::default();
        let now = Now::new(Duration::from_secs(1), 1_000_000);
        let shard = open(&disk, SHARD, 1, hosted, now);
        Self { disk, shard, now, owner: 1, next: 0 }
    }

    /// Drops the shard and opens what its store kept.
    pub fn restart(&mut self, hosted: Hosted) {
        self.owner += 1;
        self.shard = open(&self.disk, SHARD, self.owner, hosted, self.now);
    }

    /// Hands in a request without letting anything become durable.
    pub fn send(&mut self, request: Request) -> RequestKey {
        self.next += 1;
        let key = RequestKey(7, self.next);
        self.shard.handle_request(self.now, key, request);
        key
    }

    pub fn replies(&mut self) -> Vec<(RequestKey, Result<Reply, KernelError>)> {
        std::iter::from_fn(|| self.shard.poll_reply()).collect()
    }

    /// Asks and waits for the one answer.
    pub fn ask(&mut self, request: Request) -> Result<Reply, KernelError> {
        let key = self.send(request);
        self.shard.handle_durable(self.now);
        let mut answers: Vec<_> = self.replies().into_iter().filter(|(to, _)| *to == key).collect();
        assert_eq!(answers.len(), 1, "one request, one answer");
        answers.pop().unwrap().1
    }

    pub fn commit(&mut self, ops: Vec<Op>) -> Result<Reply, KernelError> {
        self.ask(Request::Commit(Commit::of(ops)))
    }

    pub fn create(&mut self, log: LogId, kind: LogKind, start: u64) {
        let config = LogConfig { kind, ..LogConfig::default() };
        self.commit(vec![Op::LogCreate { log, config, start: Offset(start) }]).unwrap();
    }

    pub fn append(&mut self, batch: VerifiedBatch) -> Result<Appended, KernelError> {
        match self.ask(Request::Append { log: LOG, batches: vec![batch], epoch: None })? {
            Reply::Appended(appended) => Ok(appended),
            other => panic!("{other:?}"),
        }
    }

    pub fn read(&mut self, from: u64, limit: ReadLimit) -> Result<Records, KernelError> {
        let request = Request::Read {
            log: LOG,
            from: Offset(from),
            bytes_max: 1 << 20,
            at_least_one: true,
            limit,
            epoch: None,
        };
        match self.ask(request)? {
            Reply::Records(records) => Ok(records),
            other => panic!("{other:?}"),
        }
    }

    pub fn describe(&mut self) -> LogInfo {
        match self.ask(Request::Describe { log: LOG }).unwrap() {
            Reply::Described(info) => info,
            other => panic!("{other:?}"),
        }
    }

    pub fn tick(&mut self, by: Duration) {
        self.now.elapsed += by;
        self.now.wall_ms += i64::try_from(by.as_millis()).unwrap();
        self.shard.handle_timeout(self.now);
        self.shard.handle_durable(self.now);
    }
}

/// A batch of `count` records at `base`.
pub fn batch(spec: BatchSpec, count: usize, text: &str) -> VerifiedBatch {
    let value = Bytes::from(text.to_owned());
    let record = NewRecord { timestamp_ms: 1_000_000, value: Some(&value), ..NewRecord::default() };
    spec.encode(&vec![record; count]).unwrap()
}

pub fn plain(base: u64, count: usize, text: &str) -> VerifiedBatch {
    batch(BatchSpec { base_offset: Offset(base), ..BatchSpec::default() }, count, text)
}

pub fn idempotent(producer_id: i64, producer_epoch: i16, base_sequence: i32, count: usize) -> VerifiedBatch {
    let spec = BatchSpec { producer_id, producer_epoch, base_sequence, ..BatchSpec::default() };
    batch(spec, count, "idempotent")
}

/// Base offsets of the batches in a read, which must be whole and in memory.
pub fn bases(records: &Records) -> Vec<u64> {
    headers(records).iter().map(|header| header.base_offset.0).collect()
}

pub fn headers(records: &Records) -> Vec<BatchHeader> {
    let mut found = Vec::new();
    for chunk in &records.chunks {
        let Chunk::Hot(bytes) = chunk else { panic!("a cold chunk") };
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            found.push(*VerifiedBatch::take(&mut rest).unwrap().header());
        }
    }
    found
}
