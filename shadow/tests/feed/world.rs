//! A feed between the stand-in and real shards.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_engine::store::memory::MemoryStore;
use kernel_engine::{RequestKey, Shard};
use kernel_model::reply::{Chunk, LogInfo};
use kernel_model::request::ReadLimit;
use kernel_model::{Coordinator, CoordinatorKind, KernelError, LogId, Now, Offset, Reply, Request, ShardId};
use session::{Answer, RequestId};
use shadow::{
    Address, Credentials, Fact, Feed, FeedConfig, FollowerState, FollowerStatus, LinkAction, LinkEvent,
    LinkId, OffsetsStatus, Order,
};
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::coordinator::catalog::{CatalogCoordinator, CatalogSettings};
use translator_kafka::coordinator::group::{GroupCoordinator, Limits};
use translator_kafka::placement::{CATALOG, GROUPS};

use crate::legacy::Legacy;

const OUTBOX: u64 = u64::MAX;
const DIRECT: u64 = u64::MAX - 1;
const FEED: u64 = 0;

pub(crate) struct World {
    pub(crate) legacy: Legacy,
    pub(crate) feed: Feed,
    pub(crate) facts: Vec<Fact>,
    pub(crate) now: Now,
    shard: Shard,
    catalog: CatalogHandle,
    /// Requests that wait, oldest first, for each connection that stands.
    links: BTreeMap<LinkId, VecDeque<Bytes>>,
    credentials: Option<Credentials>,
    /// What every feed is told before it begins.
    orders: Vec<Order>,
    direct: Option<Result<Reply, KernelError>>,
    /// Keeps the kernel's answers back while it is set.
    pub(crate) stalled: bool,
    /// Requests that legacy will never answer.
    dead: Vec<Bytes>,
    late: Vec<(u64, Result<Reply, KernelError>)>,
    /// Changes an answer before it is sent.
    pub(crate) tamper: Option<fn(i16, Bytes) -> Vec<u8>>,
    /// Flips one bit of each answer behind its envelope, another one each time.
    pub(crate) flip: Option<usize>,
    /// The kernel answers nothing, as one whose disk hangs.
    pub(crate) kernel_stalls: bool,
}

fn feed(catalog: &CatalogHandle, now: Now, credentials: Option<Credentials>) -> Feed {
    let config = FeedConfig {
        bootstrap: vec![Address { host: "legacy.example".to_owned(), port: 9092 }],
        topics: Box::new(|name| name == "t"),
        mirrored: Box::new(|_| true),
        groups: Box::new(|name| name != "unwanted"),
        moves_transactions: true,
        transactions: Box::new(|id| id.starts_with("tx")),
        credentials,
        shards: 1,
        partition_bytes_max: 4 << 20,
    };
    let mut feed = Feed::new(config, catalog.clone(), now);
    feed.order(now, Order::Mirror(true));
    feed
}

impl World {
    pub(crate) fn new(legacy: Legacy) -> Self {
        Self::as_user(legacy, None)
    }

    /// The feed is told this before it begins, and again when it begins anew.
    pub(crate) fn ordered(legacy: Legacy, orders: Vec<Order>) -> Self {
        Self::begun(legacy, None, orders)
    }

    /// The feed shows these credentials.
    pub(crate) fn as_user(legacy: Legacy, credentials: Option<Credentials>) -> Self {
        Self::begun(legacy, credentials, Vec::new())
    }

    fn begun(legacy: Legacy, credentials: Option<Credentials>, orders: Vec<Order>) -> Self {
        let now = Now::new(Duration::from_secs(1), 1_700_000_000_000);
        let catalog = CatalogHandle::default();
        let wanted = CatalogSettings {
            cluster_id: "legacy".into(),
            shards: 1,
            node_id: 7,
            seed: 3,
            ..CatalogSettings::default()
        };
        let hosted: Vec<(CoordinatorKind, Box<dyn Coordinator>)> = vec![
            (CATALOG, Box::new(CatalogCoordinator::new(wanted, catalog.clone()))),
            (GROUPS, Box::new(GroupCoordinator::new(Limits::default(), [1, 2], catalog.clone()))),
        ];
        let store = Box::new(MemoryStore::new());
        let shard = Shard::open(ShardId(0), store, kernel_engine::Limits::default(), hosted, now).unwrap();
        let mut world = Self {
            legacy,
            feed: feed(&catalog, now, credentials.clone()),
            credentials,
            orders,
            facts: Vec::new(),
            now,
            shard,
            catalog,
            links: BTreeMap::new(),
            direct: None,
            stalled: false,
            dead: Vec::new(),
            late: Vec::new(),
            tamper: None,
            flip: None,
            kernel_stalls: false,
        };
        world.begin();
        world
    }

    /// The feed begins anew; the kernel keeps what it has.
    pub(crate) fn restart_feed(&mut self) {
        self.links.clear();
        self.facts.clear();
        self.legacy.fetched.clear();
        self.legacy.named.clear();
        self.feed = feed(&self.catalog, self.now, self.credentials.clone());
        self.begin();
    }

    fn begin(&mut self) {
        for order in self.orders.clone() {
            self.feed.order(self.now, order);
        }
        self.turn();
    }

    /// Lets time pass, in small steps.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(50) {
            self.now.elapsed += Duration::from_millis(50);
            self.now.wall_ms += 50;
            self.shard.handle_timeout(self.now);
            self.feed.handle_timeout(self.now);
            self.turn();
            self.answer(true);
            self.turn();
        }
    }

    /// Legacy restarts: every connection breaks.
    pub(crate) fn break_links(&mut self) {
        for id in std::mem::take(&mut self.links).into_keys() {
            self.feed.handle_link(self.now, id, LinkEvent::Closed);
        }
        self.turn();
    }

    pub(crate) fn turn(&mut self) {
        for _ in 0..2000 {
            let moved = self.run_links() | self.run_kernel() | self.answer(false);
            while let Some(fact) = self.feed.poll_fact() {
                self.facts.push(fact);
            }
            if !moved {
                return;
            }
        }
        panic!("the feed never comes to rest");
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

    fn answer(&mut self, waited: bool) -> bool {
        let mut moved = false;
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(request) = self.links.get(&id).and_then(|link| link.front().cloned()) else { continue };
            if self.dead.contains(&request) {
                continue;
            }
            let Some(answer) = self.legacy.answer(&request, waited) else { continue };
            if let Some(link) = self.links.get_mut(&id) {
                link.pop_front();
            }
            moved = true;
            let api = i16::from_be_bytes([request[4], request[5]]);
            let answer = self.tamper.map_or_else(|| answer.to_vec(), |tamper| tamper(api, answer.clone()));
            let mut input = BytesMut::from(answer.as_slice());
            if let Some(seed) = &mut self.flip {
                *seed = seed.wrapping_mul(6_364_136_223).wrapping_add(1_442_695);
                let bit = 64 + *seed % (input.len() * 8 - 64).max(1);
                if let Some(byte) = input.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            self.feed.handle_link(self.now, id, LinkEvent::Bytes(&mut input));
        }
        moved
    }

    fn run_kernel(&mut self) -> bool {
        let mut moved = false;
        if self.kernel_stalls {
            return moved;
        }
        while let Some((id, request)) = self.feed.poll_request() {
            moved = true;
            if let session::Request::Kernel { request, .. } = request {
                self.shard.handle_request(self.now, RequestKey(FEED, id.0), request);
            }
        }
        self.shard.handle_durable(self.now);
        while let Some(entry) = self.shard.poll_outbox() {
            moved = true;
            let request =
                Request::OutboxDeliver { from: ShardId(0), position: entry.position, commit: entry.commit };
            self.shard.handle_request(self.now, RequestKey(OUTBOX, entry.position), request);
        }
        while let Some((key, reply)) = self.shard.poll_reply() {
            moved = true;
            match key {
                RequestKey(OUTBOX, position) => {
                    self.shard.handle_outbox_applied(self.now, ShardId(0), position);
                }
                RequestKey(DIRECT, _) => self.direct = Some(reply),
                RequestKey(_, id) if self.stalled => self.late.push((id, reply)),
                RequestKey(_, id) => {
                    self.feed.handle_reply(self.now, RequestId(id), reply.map(Answer::Kernel));
                }
            }
        }
        moved
    }

    /// Connections to legacy that stand.
    pub(crate) fn connections(&self) -> usize {
        self.links.len()
    }

    /// Legacy deletes a topic, and what waits at it now is never answered.
    pub(crate) fn delete(&mut self, topic: &str) {
        self.legacy.topics.remove(topic);
        self.dead = self.links.values().filter_map(|link| link.front().cloned()).collect();
        assert!(!self.dead.is_empty(), "a fetch waits");
    }

    /// The kernel's answers that were kept back arrive.
    pub(crate) fn release(&mut self) {
        self.stalled = false;
        for (id, reply) in std::mem::take(&mut self.late) {
            self.feed.handle_reply(self.now, RequestId(id), reply.map(Answer::Kernel));
        }
        self.turn();
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.feed.order(self.now, order);
        self.turn();
    }

    pub(crate) fn kernel(&mut self, request: Request) -> Reply {
        self.direct = None;
        self.shard.handle_request(self.now, RequestKey(DIRECT, 0), request);
        self.turn();
        self.direct.take().expect("answered at once").unwrap()
    }

    fn log(&self, part: i32) -> LogId {
        self.catalog.load().topic("t").expect("a copy").partition(part).expect("a partition").log
    }

    pub(crate) fn has_copy(&self) -> bool {
        self.catalog.load().topic("t").is_some()
    }

    pub(crate) fn described(&mut self, part: i32) -> LogInfo {
        let log = self.log(part);
        match self.kernel(Request::Describe { log }) {
            Reply::Described(info) => info,
            other => panic!("{other:?}"),
        }
    }

    /// The bytes that the copy holds from an offset on.
    pub(crate) fn copy(&mut self, part: i32, from: u64) -> Vec<u8> {
        let log = self.log(part);
        let read = Request::Read {
            log,
            from: Offset(from),
            bytes_max: 1 << 20,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        let Reply::Records(records) = self.kernel(read) else { panic!("no records") };
        let mut bytes = Vec::new();
        for chunk in records.chunks {
            match chunk {
                Chunk::Hot(hot) => bytes.extend_from_slice(&hot),
                Chunk::Cold(cold) => {
                    bytes.extend_from_slice(&cold.source.read(cold.position, cold.len).unwrap());
                }
            }
        }
        bytes
    }

    pub(crate) fn status(&self, part: i32) -> FollowerStatus {
        self.feed.status(self.now).partitions[&("t".to_owned(), part)].clone()
    }

    pub(crate) fn offsets(&self) -> OffsetsStatus {
        self.feed.status(self.now).offsets
    }

    pub(crate) fn is_following(&self, part: i32) -> bool {
        self.status(part).state == FollowerState::Following
    }
}
