//! A reverse feed between a real shard and the stand-in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_engine::store::memory::MemoryStore;
use kernel_engine::{RequestKey, Shard};
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::{LogConfig, Op};
use kernel_model::reply::Chunk;
use kernel_model::request::ReadLimit;
use kernel_model::{Commit, KernelError, LogId, Now, Offset, Reply, Request, ShardId, VerifiedBatch};
use session::{Answer, RequestId};
use shadow::{
    Address, LinkAction, LinkEvent, LinkId, ReverseConfig, ReverseFact, ReverseFeed, ReverseLimits,
    ReverseOrder, ReverseStatus, Token, WayBack,
};

use crate::legacy::{Legacy, TOPIC};

const DIRECT: u64 = 1;
const FEED: u64 = 0;

pub(crate) struct World {
    pub(crate) legacy: Legacy,
    pub(crate) feed: ReverseFeed,
    pub(crate) facts: Vec<ReverseFact>,
    pub(crate) now: Now,
    /// Whether legacy's cleaner works on the topic.
    pub(crate) compacted: bool,
    shard: Shard,
    /// Requests that wait, oldest first, for each connection that stands.
    links: BTreeMap<LinkId, VecDeque<Bytes>>,
    direct: Option<Result<Reply, KernelError>>,
    /// Most bytes of the kernel that were read at once, with how often it was read.
    pub(crate) reads: usize,
}

fn config(limits: ReverseLimits) -> ReverseConfig {
    let bootstrap = vec![Address { host: "legacy.example".to_owned(), port: 9092 }];
    ReverseConfig { bootstrap, credentials: None, limits }
}

pub(crate) fn log(part: i32) -> LogId {
    LogId::new(ShardId(0), u64::try_from(part).unwrap() + 1)
}

/// A batch of these values.
pub(crate) fn batch(values: &[&str]) -> VerifiedBatch {
    batch_as(&BatchSpec::default(), values)
}

pub(crate) fn batch_as(spec: &BatchSpec, values: &[&str]) -> VerifiedBatch {
    let record = |value: &&'static str| NewRecord {
        timestamp_ms: 1_700_000_000_000,
        key: Some(b"k"),
        value: Some(value.as_bytes()),
        headers: &[],
    };
    let values: Vec<&'static str> = values.iter().map(|value| &*String::leak((*value).to_owned())).collect();
    spec.encode(&values.iter().map(record).collect::<Vec<_>>()).unwrap()
}

impl World {
    /// A kernel that leads from 0 on.
    pub(crate) fn new(parts: usize) -> Self {
        Self::within(parts, ReverseLimits::default())
    }

    pub(crate) fn within(parts: usize, limits: ReverseLimits) -> Self {
        let now = Now::new(Duration::from_secs(1), 1_700_000_000_000);
        let store = Box::new(MemoryStore::new());
        let shard =
            Shard::open(ShardId(0), store, kernel_engine::Limits::default(), Vec::new(), now).unwrap();
        let mut world = Self {
            legacy: Legacy::new(parts),
            feed: ReverseFeed::new(config(limits)),
            facts: Vec::new(),
            now,
            compacted: false,
            shard,
            links: BTreeMap::new(),
            direct: None,
            reads: 0,
        };
        for part in (0..).take(parts) {
            let create = Op::LogCreate { log: log(part), config: LogConfig::default(), start: Offset(0) };
            world.kernel(Request::Commit(Commit::of(vec![create]))).unwrap();
        }
        world
    }

    /// What was there before the cut, on both sides. Answers the end.
    pub(crate) fn before(&mut self, part: i32, batches: &[VerifiedBatch]) -> u64 {
        for batch in batches {
            self.append(part, batch.clone());
            self.legacy.parts[usize::try_from(part).unwrap()].append(batch.bytes());
        }
        self.legacy.parts[usize::try_from(part).unwrap()].end()
    }

    pub(crate) fn append(&mut self, part: i32, batch: VerifiedBatch) -> u64 {
        let append = Request::Append { log: log(part), batches: vec![batch], epoch: None };
        match self.kernel(append).unwrap() {
            Reply::Appended(appended) => appended.base_offset.0,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn begin(&mut self, part: i32, cut: u64) {
        self.order(ReverseOrder::Begin {
            topic: TOPIC.to_owned(),
            partition: part,
            topic_id: self.legacy.id,
            log: log(part),
            cut,
            compacted: self.compacted,
            closed: None,
        });
    }

    pub(crate) fn order(&mut self, order: ReverseOrder) {
        self.feed.order(self.now, order);
        self.turn();
    }

    /// The process ends and another one begins: nothing is remembered.
    pub(crate) fn restart(&mut self, part: i32, cut: u64) {
        self.links.clear();
        self.facts.clear();
        self.legacy.fetched.clear();
        self.feed = ReverseFeed::new(config(*self.feed.limits()));
        self.begin(part, cut);
    }

    pub(crate) fn settle_until(&mut self, token: u64, end: u64) {
        let ends = BTreeMap::from([((TOPIC.to_owned(), 0), end)]);
        self.order(ReverseOrder::SettleUntil { token: Token(token), ends });
    }

    /// Lets time pass, in small steps.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(50) {
            self.now.elapsed += Duration::from_millis(50);
            self.now.wall_ms += 50;
            self.shard.handle_timeout(self.now);
            if self.feed.poll_timeout().is_some_and(|due| due <= self.now.elapsed) {
                self.feed.handle_timeout(self.now);
            }
            self.turn();
        }
    }

    /// Every connection breaks, with what waits there.
    pub(crate) fn break_links(&mut self) {
        for id in std::mem::take(&mut self.links).into_keys() {
            self.feed.handle_link(self.now, id, LinkEvent::Closed);
        }
        self.turn();
    }

    /// Only whoever took writes breaks its connections.
    pub(crate) fn break_writes(&mut self) {
        let broken: Vec<LinkId> =
            self.links.keys().filter(|id| matches!(id, LinkId::Node(_))).copied().collect();
        for id in broken {
            self.links.remove(&id);
            self.feed.handle_link(self.now, id, LinkEvent::Closed);
        }
        self.turn();
    }

    pub(crate) fn turn(&mut self) {
        for _ in 0..20_000 {
            let moved = self.run_links() | self.run_kernel() | self.answer();
            while let Some(fact) = self.feed.poll_fact() {
                self.facts.push(fact);
            }
            if !moved {
                return;
            }
        }
        panic!("the reverse feed never comes to rest");
    }

    fn run_links(&mut self) -> bool {
        let mut moved = false;
        while let Some((id, action)) = self.feed.poll_link() {
            moved = true;
            match action {
                LinkAction::Connect(_) if self.legacy.down => {
                    self.feed.handle_link(self.now, id, LinkEvent::Closed);
                }
                LinkAction::Connect(_) => {
                    self.links.insert(id, VecDeque::new());
                    self.feed.handle_link(self.now, id, LinkEvent::Connected);
                }
                LinkAction::Transmit(bytes) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.push_back(bytes);
                    }
                }
                LinkAction::Close => {
                    self.links.remove(&id);
                }
            }
        }
        moved
    }

    fn answer(&mut self) -> bool {
        let mut moved = false;
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let node = match id {
                LinkId::Bootstrap => self.legacy.nodes[0],
                LinkId::Node(node) | LinkId::Questions(node) => node,
            };
            let Some(request) = self.links.get_mut(&id).and_then(VecDeque::pop_front) else { continue };
            moved = true;
            let Some(answer) = self.legacy.answer(node, &request) else { continue };
            let mut input = BytesMut::from(answer.as_ref());
            self.feed.handle_link(self.now, id, LinkEvent::Bytes(&mut input));
        }
        moved
    }

    fn run_kernel(&mut self) -> bool {
        let mut moved = false;
        while let Some((id, request)) = self.feed.poll_request() {
            moved = true;
            if let session::Request::Kernel { request, .. } = request {
                self.reads += usize::from(matches!(request, Request::Read { .. }));
                self.shard.handle_request(self.now, RequestKey(FEED, id.0), request);
            }
        }
        self.shard.handle_durable(self.now);
        while let Some((key, reply)) = self.shard.poll_reply() {
            moved = true;
            match key {
                RequestKey(DIRECT, _) => self.direct = Some(reply),
                RequestKey(_, id) => {
                    self.feed.handle_reply(self.now, RequestId(id), reply.map(Answer::Kernel));
                }
            }
        }
        moved
    }

    pub(crate) fn kernel(&mut self, request: Request) -> Result<Reply, KernelError> {
        self.direct = None;
        self.shard.handle_request(self.now, RequestKey(DIRECT, 0), request);
        self.turn();
        self.direct.take().expect("answered at once")
    }

    /// The kernel's bytes from an offset on, with the epochs that legacy gives.
    pub(crate) fn kernel_bytes(&mut self, part: i32, from: u64) -> Vec<u8> {
        let read = Request::Read {
            log: log(part),
            from: Offset(from),
            bytes_max: 8 << 20,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        let Reply::Records(records) = self.kernel(read).unwrap() else { panic!("no records") };
        let mut bytes = Vec::new();
        for chunk in records.chunks {
            match chunk {
                Chunk::Hot(hot) => bytes.extend_from_slice(&hot),
                Chunk::Cold(_) => panic!("a store in memory has nothing cold"),
            }
        }
        bytes
    }

    /// Whether both sides hold the same batches at the same offsets, whatever their epochs.
    pub(crate) fn is_equal(&mut self, part: i32) -> bool {
        let epochless = |bytes: Vec<u8>| {
            let mut rest = Bytes::from(bytes);
            let batches = kernel_model::batch::split(&mut rest).unwrap();
            assert!(rest.is_empty());
            let print = |batch: &VerifiedBatch| {
                let header = batch.header();
                (header.base_offset, header.crc, batch.bytes().slice(16..))
            };
            batches.iter().map(print).collect::<Vec<_>>()
        };
        let legacy = &self.legacy.parts[usize::try_from(part).unwrap()];
        let (start, legacy) = (legacy.start, legacy.read(legacy.start));
        let kernel = self.kernel_bytes(part, start);
        epochless(legacy) == epochless(kernel)
    }

    pub(crate) fn status(&self, part: i32) -> ReverseStatus {
        self.feed.status_of(self.now, TOPIC, part).unwrap()
    }

    pub(crate) fn position(&self, part: i32) -> Option<u64> {
        self.status(part).position
    }

    pub(crate) fn way_back(&self, part: i32) -> WayBack {
        self.status(part).way_back
    }
}

impl World {
    /// Connections to legacy that stand.
    pub(crate) fn connections(&self) -> usize {
        self.links.len()
    }
}

impl World {
    /// Where the kernel's log begins.
    pub(crate) fn start(&mut self, part: i32) -> u64 {
        match self.kernel(Request::Describe { log: log(part) }).unwrap() {
            Reply::Described(info) => info.start.0,
            other => panic!("{other:?}"),
        }
    }

    /// Reads what only a follower sees.
    pub(crate) fn stored_from(&mut self, part: i32, from: u64) -> Result<Reply, KernelError> {
        self.kernel(Request::Read {
            log: log(part),
            from: Offset(from),
            bytes_max: 1,
            at_least_one: true,
            limit: ReadLimit::Stored,
            epoch: None,
        })
    }

    pub(crate) fn configure(&mut self, part: i32, config: LogConfig) {
        let configure = Op::LogConfigure { log: log(part), config, epoch: None };
        self.kernel(Request::Commit(Commit::of(vec![configure]))).unwrap();
    }
}
