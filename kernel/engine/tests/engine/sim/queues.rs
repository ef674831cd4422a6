//! One publisher, a queue in each shard, a consumer on each that leases, forgets, and acknowledges.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::RequestKey;
use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, Op, RouteLevel, RoutePattern, RouteTarget};
use kernel_model::reply::{Chunk, Leased, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, CursorId, KernelError, LogId, Offset, RouterId, ShardId, ViewId};

use super::clients::{batch_of, values_of};
use super::world::{Asker, SHARDS, World};

const PUBLISHING: usize = 0;

fn log(shard: ShardId) -> LogId {
    LogId::new(shard, 2)
}

fn view(shard: ShardId) -> ViewId {
    ViewId::new(shard, 1)
}

fn cursor(shard: ShardId) -> CursorId {
    CursorId::new(shard, 1)
}

pub fn setup(shard: ShardId, at: usize) -> Vec<Op> {
    let mut ops = vec![
        Op::ViewCreate { view: view(shard) },
        Op::CursorCreate { cursor: cursor(shard), view: view(shard) },
    ];
    if at == PUBLISHING {
        // Nothing is kept but what a reference pins.
        let config = LogConfig { retention_ms: Some(0), ..LogConfig::default() };
        ops.push(Op::LogCreate { log: log(shard), config, start: Offset(0) });
        ops.extend((0..SHARDS).map(|to| Op::RouteAdd {
            router: RouterId::new(shard, 1),
            pattern: RoutePattern::Levels(vec![RouteLevel::Is(Bytes::from_static(b"all")), RouteLevel::Many]),
            target: RouteTarget::View(view(ShardId(u16::try_from(to + 1).unwrap()))),
        }));
    }
    ops
}

/// Publishes values that ascend; each once, so an unanswered one may or may not be there.
#[derive(Default)]
pub struct Publisher {
    next: u64,
    under_way: BTreeMap<RequestKey, u64>,
    acked: BTreeSet<u64>,
    finishing: bool,
}

impl Publisher {
    pub fn act(&mut self, world: &mut World) {
        if self.finishing || self.under_way.len() >= 4 {
            return;
        }
        self.next += 1;
        let shard = world.sites[PUBLISHING].id;
        let request = Request::Publish {
            log: log(shard),
            batches: vec![batch_of(BatchSpec::default(), &[self.next])],
            router: RouterId::new(shard, 1),
            levels: vec![Bytes::from_static(b"all"), Bytes::from_static(b"x")],
            note: Bytes::new(),
        };
        let key = world.ask(PUBLISHING, Asker::Publisher, request);
        self.under_way.insert(key, self.next);
    }

    pub fn answer(&mut self, key: RequestKey, reply: Result<Reply, KernelError>) {
        // The asker may be told before it has noted the key: only a crash inside `ask` could do that.
        let value = self.under_way.remove(&key).unwrap();
        if reply.is_ok() {
            self.acked.insert(value);
        }
    }

    pub fn finish(&mut self) {
        self.finishing = true;
    }

    pub fn is_done(&self) -> bool {
        self.finishing && self.under_way.is_empty()
    }
}

enum Asked {
    Lease,
    Ack(Vec<u64>),
}

/// Leases entries of one queue, reads them, acknowledges some and forgets others.
#[derive(Default)]
pub struct Consumer {
    at: usize,
    under_way: BTreeMap<RequestKey, Asked>,
    /// What each delivered entry held.
    seen: BTreeMap<u64, u64>,
    to_ack: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    finishing: bool,
    /// Wall clock at which nothing more was delivered, after the end.
    empty: bool,
}

impl Consumer {
    pub fn new(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    pub fn act(&mut self, world: &mut World) {
        if !self.under_way.is_empty() {
            return;
        }
        let shard = world.sites[self.at].id;
        let (asked, request) = if self.to_ack.is_empty() {
            let entries_max = 1 + world.random.index(5);
            let lease = Duration::from_millis(1 + world.random.below(3000));
            (Asked::Lease, Request::Lease { cursor: cursor(shard), entries_max, lease })
        } else {
            let entries: Vec<u64> = self.to_ack.iter().copied().collect();
            let op = Op::ViewAck { view: view(shard), entries: entries.clone() };
            (Asked::Ack(entries), Request::Commit(Commit::of(vec![op])))
        };
        let key = world.ask(self.at, Asker::Consumer(self.at), request);
        self.under_way.insert(key, asked);
    }

    pub fn answer(&mut self, world: &mut World, key: RequestKey, reply: Result<Reply, KernelError>) {
        match (self.under_way.remove(&key).unwrap(), reply) {
            (Asked::Lease, Ok(Reply::Leased(leased))) => {
                self.empty = self.finishing && leased.is_empty();
                for one in leased {
                    self.take(world, &one);
                }
            }
            (Asked::Ack(entries), Ok(Reply::Done)) => {
                for entry in entries {
                    self.to_ack.remove(&entry);
                    self.acked.insert(entry);
                }
            }
            (_, Err(error)) => assert!(error.is_retriable(), "{error}"),
            (_, Ok(other)) => panic!("{other:?}"),
        }
    }

    fn take(&mut self, world: &mut World, leased: &Leased) {
        assert!(!self.acked.contains(&leased.entry), "delivered after its acknowledgement");
        assert!(!leased.expired, "a pinned record expired");
        let Some(value) = read_one(world, self.at, leased.reference.log, leased.reference.offset) else {
            return;
        };
        if leased.deliveries > 1 {
            world.meet("queue: redelivered");
        }
        let before = self.seen.insert(leased.entry, value);
        assert!(before.is_none_or(|before| before == value), "an entry changed");
        if self.finishing || world.random.percent(60) {
            self.to_ack.insert(leased.entry);
        }
    }

    pub fn finish(&mut self) {
        self.finishing = true;
        self.empty = false;
    }

    fn values(&self) -> BTreeSet<u64> {
        self.seen.values().copied().collect()
    }

    pub fn is_done(&self, publisher: &Publisher) -> bool {
        self.finishing
            && self.to_ack.is_empty()
            && self.under_way.is_empty()
            && self.acked.len() == self.seen.len()
            && publisher.acked.is_subset(&self.values())
            && self.empty
    }

    /// Every acknowledged publish was delivered, each one in one entry, in the order of publishing.
    pub fn judge(&self, publisher: &Publisher) {
        let values: Vec<u64> = self.seen.values().copied().collect();
        assert!(values.is_sorted_by(|a, b| a < b), "twice, or out of order: {values:?}");
        assert!(values.iter().all(|value| (1..=publisher.next).contains(value)));
        assert!(publisher.acked.is_subset(&self.values()));
    }
}

/// Reads the record that was leased; nothing when the shard has stopped meanwhile.
fn read_one(world: &mut World, at: usize, log: LogId, offset: Offset) -> Option<u64> {
    let request = Request::Read {
        log,
        from: offset,
        bytes_max: 1,
        at_least_one: true,
        limit: ReadLimit::Durable,
        epoch: None,
    };
    match world.ask_now(at, request) {
        Ok(Reply::Records(records)) => {
            let Some(Chunk::Hot(bytes)) = records.chunks.first() else {
                panic!("a delivered record is missing")
            };
            values_of(bytes.clone()).into_iter().find(|(at, _)| *at == offset.0).map(|(_, value)| value)
        }
        Err(KernelError::Stopped(_) | KernelError::Fenced | KernelError::Overloaded) => None,
        other => panic!("{other:?}"),
    }
}
