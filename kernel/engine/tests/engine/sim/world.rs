//! The world around the shards: stores, crashes, clocks, and the carrying of requests and answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::faulty::{Faults, FaultyStore};
use kernel_engine::store::memory::{MemoryDisk, MemoryStore};
use kernel_engine::store::{FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats};
use kernel_engine::{Limits, OutboxEntry, RequestKey, Shard};
use kernel_model::coordinator::Coordinator;
use kernel_model::reply::{Chunk, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, KernelError, LogId, Now, Offset, OwnerEpoch, Seq, ShardId};
use parking_lot::Mutex;

use super::alarms::{Alarms, KIND, Sleeper};
use super::clients::{Counter, Producer, Reads};
use super::mirror::Feed;
use super::queues::{Consumer, Publisher};

pub const SHARDS: usize = 3;

/// A generator of even 64-bit numbers (splitmix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

/// A store that the world can still reach while a shard owns it.
#[derive(Clone)]
struct Reachable(Arc<Mutex<Option<FaultyStore>>>);

impl Reachable {
    fn with<T>(&self, ask: impl FnOnce(&mut FaultyStore) -> T) -> T {
        ask(self.0.lock().as_mut().expect("the store was crashed and its shard dropped"))
    }
}

impl ShardStore for Reachable {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        self.with(|store| store.submit(commit))
    }
    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.with(ShardStore::durable)
    }
    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        self.with(|store| store.read(log, from, end, bytes_max, at_least_one))
    }
    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        self.with(|store| store.find_by_time(log, timestamp_ms, end))
    }
    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.with(|store| store.get(key))
    }
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        self.with(|store| store.scan(prefix, after, entries_max))
    }
    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.with(|store| store.checkpoint(seq, state))
    }
    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        self.with(|store| store.recover(state, replay))
    }
    fn maintain(&mut self, now: Now) -> Result<MaintainReport, KernelError> {
        self.with(|store| store.maintain(now))
    }
    fn stats(&self) -> StoreStats {
        self.with(|store| store.stats())
    }
}

/// One shard with its disk.
pub struct Site {
    pub id: ShardId,
    disk: MemoryDisk,
    owner: u64,
    store: Reachable,
    pub shard: Shard,
}

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    Producer(usize),
    Counter(usize),
    Feed,
    Ahead,
    Publisher,
    Consumer(usize),
    Reads,
    Sleeper,
    Outbox { from: usize, to: ShardId, position: u64 },
}

pub struct World {
    pub random: Random,
    pub now: Now,
    /// By how much the wall clock is off.
    jump_ms: i64,
    pub sites: Vec<Site>,
    /// Requests without an answer, by shard.
    pub open: BTreeMap<RequestKey, (usize, Asker)>,
    next_key: u64,
    healed: bool,
    pub met: BTreeMap<&'static str, u64>,
    producers: Vec<Producer>,
    counters: Vec<Counter>,
    feed: Feed,
    publisher: Publisher,
    consumers: Vec<Consumer>,
    reads: Reads,
    sleeper: Sleeper,
    /// Outbox entries under way, with their senders.
    carried: Vec<(usize, OutboxEntry)>,
    /// Answers that came while somebody waited for another one.
    early: Vec<(usize, RequestKey, Result<Reply, KernelError>)>,
}

fn open_site(
    id: ShardId,
    disk: &MemoryDisk,
    owner: u64,
    faults: Faults,
    seed: u64,
    now: Now,
) -> (Reachable, Shard) {
    let memory = MemoryStore::open(disk, OwnerEpoch(owner)).unwrap();
    let store = Reachable(Arc::new(Mutex::new(Some(FaultyStore::new(memory, faults, seed)))));
    store.with(|store| store.advance(now));
    let hosted: Vec<(_, Box<dyn Coordinator>)> = vec![(KIND, Box::new(Alarms::default()))];
    let shard = Shard::open(id, Box::new(store.clone()), Limits::default(), hosted, now).unwrap();
    (store, shard)
}

fn no_faults() -> Faults {
    Faults { durability: Duration::from_millis(20), ..Faults::slow() }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let random = Random(seed);
        let now = Now::new(Duration::from_secs(1), 1_000_000_000);
        let sites = (0..SHARDS)
            .map(|at| {
                let id = ShardId(u16::try_from(at + 1).unwrap());
                let disk = MemoryDisk::default();
                let (store, shard) = open_site(id, &disk, 1, no_faults(), seed, now);
                Site { id, disk, owner: 1, store, shard }
            })
            .collect();
        let mut world = Self {
            random,
            now,
            jump_ms: 0,
            sites,
            open: BTreeMap::new(),
            next_key: 0,
            healed: false,
            met: BTreeMap::new(),
            producers: (0..4).map(|at| Producer::new(at, at % SHARDS)).collect(),
            counters: (0..2).map(Counter::new).collect(),
            feed: Feed::new(2),
            publisher: Publisher::default(),
            consumers: (0..SHARDS).map(Consumer::new).collect(),
            reads: Reads::default(),
            sleeper: Sleeper::default(),
            carried: Vec::new(),
            early: Vec::new(),
        };
        world.prepare();
        world
    }

    /// Creates the objects, while nothing fails yet.
    fn prepare(&mut self) {
        for at in 0..SHARDS {
            let id = self.sites[at].id;
            let mut ops = super::clients::setup(id);
            ops.extend(super::queues::setup(id, at));
            if at == 2 {
                ops.extend(super::mirror::setup(id));
            }
            let key = RequestKey(0, at as u64);
            self.sites[at].shard.handle_request(self.now, key, Request::Commit(Commit::of(ops)));
            self.pass(Duration::from_millis(100));
            let site = &mut self.sites[at];
            site.shard.handle_durable(self.now);
            assert!(matches!(site.shard.poll_reply(), Some((_, Ok(Reply::Done)))));
            self.restart(at);
        }
    }

    pub fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    fn pass(&mut self, by: Duration) {
        self.now.elapsed += by;
        self.now.wall_ms += i64::try_from(by.as_millis()).unwrap();
        for site in &self.sites {
            site.store.with(|store| store.advance(self.now));
        }
    }

    /// A new owner takes the shard over. The old one is either gone (a crash) or still there and fenced.
    fn restart(&mut self, at: usize) {
        let faults = if self.healed { no_faults() } else { Faults::all() };
        let seed = self.random.next();
        let now = self.now;
        let crash = self.random.percent(70);
        if self.sites[at].shard.store_stats().checkpoints > 0 {
            self.meet("checkpoint taken");
        }
        let site = &mut self.sites[at];
        site.owner += 1;
        if crash {
            let old = site.store.0.lock().take().unwrap();
            let waiting = old.next_due().is_some();
            old.crash();
            let (store, shard) = open_site(site.id, &site.disk, site.owner, faults, seed, now);
            // What the old one would still have said reaches nobody.
            let before = site.shard.submitted();
            let lost = shard.submitted() < before;
            (site.store, site.shard) = (store, shard);
            self.meet(match (waiting, lost) {
                (true, true) => "crash: unsynced lost",
                (true, false) => "crash: unsynced survived",
                (false, _) => "crash: nothing waited",
            });
        } else {
            let (store, shard) = open_site(site.id, &site.disk, site.owner, faults, seed, now);
            let mut old_shard = std::mem::replace(&mut site.shard, shard);
            site.store = store;
            old_shard.handle_request(now, RequestKey(9, 9), Request::Commit(super::clients::touch(site.id)));
            old_shard.handle_durable(now);
            let answers: Vec<_> = std::iter::from_fn(|| old_shard.poll_reply()).collect();
            for (key, answer) in answers {
                // It acknowledged nothing after the new owner came, but what was durable before.
                assert!(answer.is_err() || key != RequestKey(9, 9), "a fenced owner acknowledged");
            }
            self.meet("fenced by a newer owner");
        }
        self.reads.restarted(at);
        self.early.retain(|(shard, _, _)| *shard != at);
        let lost: Vec<RequestKey> =
            self.open.iter().filter(|(_, (shard, _))| *shard == at).map(|(&key, _)| key).collect();
        for key in lost {
            let (_, asker) = self.open.remove(&key).unwrap();
            self.answer(asker, key, Err(KernelError::Stopped("crashed".to_owned())));
        }
    }

    /// Sends a request to a shard.
    pub fn ask(&mut self, at: usize, asker: Asker, request: Request) -> RequestKey {
        self.next_key += 1;
        let key = RequestKey(1, self.next_key);
        self.open.insert(key, (at, asker));
        self.sites[at].shard.handle_request(self.now, key, request);
        key
    }

    pub fn step(&mut self) {
        let longest = if self.random.percent(20) { 2000 } else { 60 };
        let by = self.random.below(longest);
        self.pass(Duration::from_millis(by));
        if !self.healed {
            self.disturb();
        }
        for at in 0..SHARDS {
            let site = &mut self.sites[at];
            site.shard.handle_durable(self.now);
            if self.random.percent(50) || site.shard.poll_timeout().is_some_and(|due| due <= self.now.elapsed)
            {
                site.shard.handle_timeout(self.now);
            }
        }
        for _ in 0..4 {
            self.act();
        }
        self.collect();
        for at in 0..SHARDS {
            let violations = self.sites[at].shard.violations();
            assert!(violations.is_empty(), "shard {at}: {violations:?}");
            if let Some(error) = self.sites[at].shard.stopped() {
                if !matches!(error, KernelError::Fenced) {
                    self.meet("stopped by a failed sync");
                }
                self.restart(at);
            }
        }
    }

    fn disturb(&mut self) {
        if self.random.percent(3) {
            let at = self.random.index(SHARDS);
            self.restart(at);
        }
        if self.random.percent(1) {
            let wanted = [0, 3_600_000, -3_600_000][self.random.index(3)];
            self.now.wall_ms += wanted - self.jump_ms;
            match wanted - self.jump_ms {
                by if by > 0 => self.meet("clock: forward an hour"),
                by if by < 0 => self.meet("clock: back an hour"),
                _ => {}
            }
            self.jump_ms = wanted;
        }
    }

    fn act(&mut self) {
        match self.random.below(11) {
            0..=2 => {
                let at = self.random.index(self.producers.len());
                let mut producer = std::mem::take(&mut self.producers[at]);
                producer.act(self);
                self.producers[at] = producer;
            }
            3 => {
                let at = self.random.index(self.counters.len());
                let mut counter = std::mem::take(&mut self.counters[at]);
                counter.act(self);
                self.counters[at] = counter;
            }
            4 | 5 => {
                let mut feed = std::mem::take(&mut self.feed);
                feed.act(self);
                self.feed = feed;
            }
            6 => {
                let mut publisher = std::mem::take(&mut self.publisher);
                publisher.act(self);
                self.publisher = publisher;
            }
            7 => {
                let at = self.random.index(SHARDS);
                let mut consumer = std::mem::take(&mut self.consumers[at]);
                consumer.act(self);
                self.consumers[at] = consumer;
            }
            8 => {
                let mut reads = std::mem::take(&mut self.reads);
                reads.act(self);
                self.reads = reads;
            }
            9 => {
                let mut sleeper = std::mem::take(&mut self.sleeper);
                sleeper.act(self);
                self.sleeper = sleeper;
            }
            _ => self.carry(),
        }
    }

    /// Moves outbox entries: some arrive, some twice, some never.
    fn carry(&mut self) {
        for at in 0..SHARDS {
            while let Some(entry) = self.sites[at].shard.poll_outbox() {
                self.carried.push((at, entry));
            }
        }
        let carried = std::mem::take(&mut self.carried);
        for (from, entry) in carried {
            if !self.healed && self.random.percent(15) {
                self.meet("outbox: dropped");
                continue;
            }
            if !self.healed && self.random.percent(15) {
                self.meet("outbox: repeated");
                self.carried.push((from, entry.clone()));
            }
            let to = usize::from(entry.to.0) - 1;
            let request = Request::OutboxDeliver {
                from: self.sites[from].id,
                position: entry.position,
                commit: entry.commit,
            };
            self.ask(to, Asker::Outbox { from, to: entry.to, position: entry.position }, request);
        }
    }

    /// Asks something that is answered at once.
    pub fn ask_now(&mut self, at: usize, request: Request) -> Result<Reply, KernelError> {
        let key = RequestKey(2, 1);
        let site = &mut self.sites[at];
        site.shard.handle_request(self.now, key, request);
        let mut others = Vec::new();
        let mut found = None;
        while let Some((to, reply)) = site.shard.poll_reply() {
            if to == key { found = Some(reply) } else { others.push((to, reply)) }
        }
        self.put_back(at, others);
        found.expect("an answer at once")
    }

    /// Keeps answers for later that were polled on the way to another one.
    fn put_back(&mut self, at: usize, answers: Vec<(RequestKey, Result<Reply, KernelError>)>) {
        self.early.extend(answers.into_iter().map(|(key, reply)| (at, key, reply)));
    }

    fn next_answer(&mut self, at: usize) -> Option<(RequestKey, Result<Reply, KernelError>)> {
        match self.early.iter().position(|(shard, _, _)| *shard == at) {
            Some(index) => {
                let (_, key, reply) = self.early.remove(index);
                Some((key, reply))
            }
            None => self.sites[at].shard.poll_reply(),
        }
    }

    fn collect(&mut self) {
        for at in 0..SHARDS {
            while let Some((key, reply)) = self.next_answer(at) {
                let (shard, asker) = self.open.remove(&key).expect("an answer to nothing, or a second one");
                assert_eq!(shard, at);
                match &reply {
                    Err(KernelError::Full) => self.meet("refused: full"),
                    Err(KernelError::Overloaded) => self.meet("refused: overloaded"),
                    Err(KernelError::ConditionFailed) => self.meet("kv: condition failed"),
                    _ => {}
                }
                self.answer(asker, key, reply);
            }
        }
    }

    fn answer(&mut self, asker: Asker, key: RequestKey, reply: Result<Reply, KernelError>) {
        match asker {
            Asker::Producer(at) => {
                let mut producer = std::mem::take(&mut self.producers[at]);
                producer.answer(self, key, reply);
                self.producers[at] = producer;
            }
            Asker::Counter(at) => self.counters[at].answer(reply),
            Asker::Feed | Asker::Ahead => {
                let mut feed = std::mem::take(&mut self.feed);
                feed.answer(self, asker, reply);
                self.feed = feed;
            }
            Asker::Publisher => self.publisher.answer(key, reply),
            Asker::Consumer(at) => {
                let mut consumer = std::mem::take(&mut self.consumers[at]);
                consumer.answer(self, key, reply);
                self.consumers[at] = consumer;
            }
            Asker::Sleeper => self.sleeper.answer(key, reply),
            Asker::Reads => self.reads.answer(key, reply),
            Asker::Outbox { from, to, position } => {
                // A report may be lost as well; the sender then repeats.
                if reply.is_ok() && (self.healed || !self.random.percent(20)) {
                    self.sites[from].shard.handle_outbox_applied(self.now, to, position);
                }
            }
        }
    }

    /// From here on nothing fails; what is under way may finish.
    pub fn heal(&mut self) {
        self.healed = true;
        self.now.wall_ms -= self.jump_ms;
        self.jump_ms = 0;
        // Leases that were given while the clock was ahead end as well.
        self.pass(Duration::from_secs(2 * 3600));
        for at in 0..SHARDS {
            self.restart(at);
        }
        self.producers.iter_mut().for_each(Producer::finish);
        self.counters.iter_mut().for_each(Counter::finish);
        self.feed.finish();
        self.publisher.finish();
        self.sleeper.finish();
        self.consumers.iter_mut().for_each(Consumer::finish);
    }

    pub fn is_quiet(&mut self) -> bool {
        let sleeper = std::mem::take(&mut self.sleeper);
        let rung = sleeper.is_done(self);
        self.sleeper = sleeper;
        rung && self.producers.iter().all(Producer::is_done)
            && self.feed.is_done()
            && self.publisher.is_done()
            && self.consumers.iter().all(|consumer| consumer.is_done(&self.publisher))
            && self.open.is_empty()
    }

    /// Reads a whole log as its readers see it, once nothing is under way.
    pub fn read_all(&mut self, at: usize, log: LogId) -> Vec<Bytes> {
        self.read_from(at, log, Offset(0))
    }

    pub fn read_from(&mut self, at: usize, log: LogId, from: Offset) -> Vec<Bytes> {
        let request = Request::Read {
            log,
            from,
            bytes_max: 64 << 20,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        match self.ask_now(at, request) {
            Ok(Reply::Records(records)) => records
                .chunks
                .into_iter()
                .map(|chunk| match chunk {
                    Chunk::Hot(bytes) => bytes,
                    Chunk::Cold(_) => panic!("a cold chunk"),
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    pub fn judge(&mut self) {
        assert!(self.is_quiet(), "not quiet: {}", self.stuck());
        for at in 0..self.producers.len() {
            let mut producer = std::mem::take(&mut self.producers[at]);
            producer.judge(self);
            self.producers[at] = producer;
        }
        for at in 0..self.counters.len() {
            let mut counter = std::mem::take(&mut self.counters[at]);
            counter.judge(self);
            self.counters[at] = counter;
        }
        let mut feed = std::mem::take(&mut self.feed);
        feed.judge(self);
        for consumer in &self.consumers {
            consumer.judge(&self.publisher);
        }
    }

    fn stuck(&self) -> String {
        format!(
            "producers {:?}, feed {}, publisher {}, consumers {:?}, open {:?}",
            self.producers.iter().map(Producer::is_done).collect::<Vec<_>>(),
            self.feed.is_done(),
            self.publisher.is_done(),
            self.consumers.iter().map(|consumer| consumer.is_done(&self.publisher)).collect::<Vec<_>>(),
            self.open,
        )
    }
}
