//! Clients of led logs and of keys: idempotent producers that retry, counters by compare-and-set, readers.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kernel_engine::RequestKey;
use kernel_model::batch::{BatchSpec, NewRecord, Records, record_bytes};
use kernel_model::commit::{Condition, LogConfig, Op};
use kernel_model::reply::{Chunk, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, KernelError, LogId, Offset, ShardId, VerifiedBatch};

use super::world::{Asker, SHARDS, World};

pub fn log(shard: ShardId) -> LogId {
    LogId::new(shard, 1)
}

pub fn setup(shard: ShardId) -> Vec<Op> {
    vec![Op::LogCreate { log: log(shard), config: LogConfig::default(), start: Offset(0) }]
}

/// A commit that changes nothing anybody looks at.
pub fn touch(_shard: ShardId) -> Commit {
    Commit::of(vec![Op::KvPut {
        key: Bytes::from_static(b"\x07touch"),
        value: Bytes::new(),
        expires_ms: None,
    }])
}

pub fn batch_of(spec: BatchSpec, values: &[u64]) -> VerifiedBatch {
    let texts: Vec<[u8; 8]> = values.iter().map(|value| value.to_be_bytes()).collect();
    let records: Vec<NewRecord<'_>> = texts
        .iter()
        .map(|text| NewRecord { timestamp_ms: 1_000_000_000, value: Some(text), ..NewRecord::default() })
        .collect();
    spec.encode(&records).unwrap()
}

/// Offsets and values of a run of batches.
pub fn values_of(mut run: Bytes) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    while !run.is_empty() {
        let batch = VerifiedBatch::take(&mut run).unwrap();
        let plain = record_bytes(&batch, 1 << 20).unwrap();
        for record in Records::new(&plain, batch.header().record_count) {
            let record = record.unwrap();
            let offset = batch.header().base_offset.0 + u64::try_from(record.offset_delta).unwrap();
            let value = record.value.and_then(|value| value.try_into().ok()).map_or(0, u64::from_be_bytes);
            found.push((offset, value));
        }
    }
    found
}

struct Sent {
    sequence: i32,
    values: Vec<u64>,
    under_way: Option<RequestKey>,
    acked: bool,
}

/// An idempotent producer with up to three batches in flight, which repeats whatever was not acknowledged.
#[derive(Default)]
pub struct Producer {
    at: usize,
    shard: usize,
    window: VecDeque<Sent>,
    next_sequence: i32,
    next_value: u64,
    acked: BTreeMap<u64, u64>,
    finishing: bool,
}

impl Producer {
    pub fn new(at: usize, shard: usize) -> Self {
        Self { at, shard, next_sequence: i32::MAX - 20, ..Self::default() }
    }

    fn id(&self) -> i64 {
        100 + i64::try_from(self.at).unwrap()
    }

    pub fn act(&mut self, world: &mut World) {
        if self.window.len() < 3 && !self.finishing {
            let count = 1 + world.random.below(3);
            let values = (0..count).map(|n| (self.at as u64 + 1) * 1_000_000 + self.next_value + n).collect();
            self.next_value += count;
            self.window.push_back(Sent {
                sequence: self.next_sequence,
                values,
                under_way: None,
                acked: false,
            });
            let next = i64::from(self.next_sequence) + i64::try_from(count).unwrap();
            self.next_sequence = i32::try_from(next % (1 << 31)).unwrap();
        }
        let id = self.id();
        for sent in self.window.iter_mut().filter(|sent| sent.under_way.is_none() && !sent.acked) {
            let spec = BatchSpec {
                producer_id: id,
                producer_epoch: 0,
                base_sequence: sent.sequence,
                ..BatchSpec::default()
            };
            let log = log(world.sites[self.shard].id);
            let request = Request::Append { log, batches: vec![batch_of(spec, &sent.values)], epoch: None };
            sent.under_way = Some(world.ask(self.shard, Asker::Producer(self.at), request));
        }
    }

    pub fn answer(&mut self, world: &mut World, key: RequestKey, reply: Result<Reply, KernelError>) {
        let sent = self.window.iter_mut().find(|sent| sent.under_way == Some(key)).unwrap();
        sent.under_way = None;
        match reply {
            Ok(Reply::Appended(appended)) => {
                sent.acked = true;
                for (offset, value) in (appended.base_offset.0..).zip(&sent.values) {
                    self.acked.insert(*value, offset);
                }
                if appended.duplicate {
                    world.meet("append: duplicate answered");
                }
            }
            Err(KernelError::SequenceOutOfOrder { .. }) => world.meet("append: out of order"),
            Err(error) => assert!(error.is_retriable(), "{error}"),
            Ok(other) => panic!("{other:?}"),
        }
        while self.window.front().is_some_and(|sent| sent.acked) {
            self.window.pop_front();
        }
    }

    pub fn finish(&mut self) {
        self.finishing = true;
    }

    pub fn is_done(&self) -> bool {
        self.finishing && self.window.is_empty()
    }

    /// Everything acknowledged is there, at its offset, once, and in the order it was sent.
    pub fn judge(&mut self, world: &mut World) {
        let log = log(world.sites[self.shard].id);
        let stored: Vec<(u64, u64)> =
            world.read_all(self.shard, log).into_iter().flat_map(values_of).collect();
        assert!(stored.iter().zip(0..).all(|((offset, _), at)| *offset == at), "offsets are dense");
        let first = (self.at as u64 + 1) * 1_000_000;
        let mine: Vec<(u64, u64)> =
            stored.into_iter().filter(|(_, value)| (first..first + 1_000_000).contains(value)).collect();
        let sent: Vec<u64> = (first..first + self.next_value).collect();
        assert_eq!(mine.iter().map(|(_, value)| *value).collect::<Vec<_>>(), sent, "once, in order");
        for (offset, value) in mine {
            assert_eq!(self.acked.get(&value), Some(&offset), "acknowledged at its offset");
        }
    }
}

/// Counts a key up by compare-and-set.
#[derive(Default)]
pub struct Counter {
    at: usize,
    under_way: bool,
    acked: u64,
    unknown: u64,
    finishing: bool,
}

impl Counter {
    pub fn new(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    fn key(&self) -> Bytes {
        Bytes::from(vec![7, u8::try_from(self.at).unwrap()])
    }

    fn value(&self, world: &mut World) -> Option<Bytes> {
        match world.ask_now(self.at % SHARDS, Request::Get { key: self.key() }) {
            Ok(Reply::Value(value)) => value,
            Err(_) => None,
            other => panic!("{other:?}"),
        }
    }

    pub fn act(&mut self, world: &mut World) {
        if self.under_way || self.finishing {
            return;
        }
        let before = self.value(world);
        let count = before.as_ref().map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()));
        // Sometimes the expectation is wrong on purpose.
        let expected = if world.random.percent(10) { Some(Bytes::from_static(b"wrong")) } else { before };
        let condition = Condition::KeyIs { key: self.key(), value: expected };
        let value = Bytes::copy_from_slice(&(count + 1).to_be_bytes());
        let ops = vec![Op::KvPut { key: self.key(), value, expires_ms: None }];
        let commit = Commit { conditions: vec![condition], ops };
        self.under_way = true;
        world.ask(self.at % SHARDS, Asker::Counter(self.at), Request::Commit(commit));
    }

    pub fn answer(&mut self, reply: Result<Reply, KernelError>) {
        self.under_way = false;
        match reply {
            Ok(_) => self.acked += 1,
            Err(KernelError::Stopped(_) | KernelError::Fenced) => self.unknown += 1,
            Err(_) => {}
        }
    }

    pub fn finish(&mut self) {
        self.finishing = true;
    }

    pub fn judge(&mut self, world: &mut World) {
        let value =
            self.value(world).map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()));
        assert!((self.acked..=self.acked + self.unknown).contains(&value), "{value} is not what was counted");
    }
}

/// Readers: what was seen once stays, and the readable end never goes back, not over a crash either.
#[derive(Default)]
pub struct Reads {
    ends: [u64; SHARDS],
    seen: BTreeMap<(usize, u64), u64>,
    under_way: BTreeMap<RequestKey, usize>,
}

impl Reads {
    pub fn restarted(&mut self, at: usize) {
        self.under_way.retain(|_, shard| *shard != at);
    }

    pub fn act(&mut self, world: &mut World) {
        let at = world.random.index(SHARDS);
        let from = world.random.below(self.ends[at] + 1);
        let request = Request::Read {
            log: log(world.sites[at].id),
            from: Offset(from),
            bytes_max: 400,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        let key = world.ask(at, Asker::Reads, request);
        self.under_way.insert(key, at);
    }

    pub fn answer(&mut self, key: RequestKey, reply: Result<Reply, KernelError>) {
        let Some(at) = self.under_way.remove(&key) else { return };
        let records = match reply {
            Ok(Reply::Records(records)) => records,
            Err(KernelError::Stopped(_) | KernelError::Fenced | KernelError::Overloaded) => return,
            other => panic!("{other:?}"),
        };
        assert!(records.durable_end.0 >= self.ends[at], "the readable end went back");
        self.ends[at] = records.durable_end.0;
        for chunk in records.chunks {
            let Chunk::Hot(bytes) = chunk else { panic!("a cold chunk") };
            for (offset, value) in values_of(bytes) {
                assert!(offset < records.durable_end.0, "read past the end");
                let before = self.seen.insert((at, offset), value);
                assert!(before.is_none_or(|before| before == value), "two values at one offset");
            }
        }
    }
}
