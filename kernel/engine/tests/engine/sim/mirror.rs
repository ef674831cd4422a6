//! A source that is mirrored: it grows with gaps, rewrites what lies above its high watermark, and trims its
//! front. A feed shows it in order; dual-write brings batches ahead, some of them wrong.

use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, LogKind, Op};
use kernel_model::reply::Reply;
use kernel_model::request::{MirrorOrigin, Request};
use kernel_model::{KernelError, LogId, Offset, ShardId, VerifiedBatch};

use super::clients::batch_of;
use super::world::{Asker, World};

pub fn log(shard: ShardId) -> LogId {
    LogId::new(shard, 3)
}

pub fn setup(shard: ShardId) -> Vec<Op> {
    let config = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
    vec![Op::LogCreate { log: log(shard), config, start: Offset(40) }]
}

/// The source and the one feed of it.
#[derive(Default)]
pub struct Feed {
    at: usize,
    batches: Vec<VerifiedBatch>,
    start: u64,
    high: u64,
    next_value: u64,
    /// Where the feed reads next.
    position: u64,
    feeding: bool,
    finishing: bool,
    confirmed: u64,
    /// Where the feed stands once the request under way is answered.
    shown_to: u64,
    /// The source was truncated while a request was under way: the feed goes back to here.
    back_to: Option<u64>,
}

impl Feed {
    pub fn new(at: usize) -> Self {
        Self { at, start: 40, high: 40, position: 40, confirmed: 40, ..Self::default() }
    }

    fn end(&self) -> u64 {
        self.batches.last().map_or(self.high, |batch| batch.header().end_offset().0)
    }

    fn grow(&mut self, world: &mut World) {
        let gap = if world.random.percent(20) { world.random.below(4) } else { 0 };
        let count = 1 + world.random.below(3);
        let values: Vec<u64> = (0..count).map(|n| self.next_value + n).collect();
        self.next_value += count;
        let base_offset = Offset(self.end() + gap);
        self.batches.push(batch_of(BatchSpec { base_offset, ..BatchSpec::default() }, &values));
    }

    /// The source elects another leader: what was above its high watermark is gone.
    fn truncate(&mut self) {
        let high = self.high;
        self.batches.retain(|batch| batch.header().end_offset().0 <= high);
        self.position = self.position.min(high);
        let back_to = self.back_to.map_or(high, |to| to.min(high));
        self.back_to = self.feeding.then_some(back_to);
    }

    pub fn act(&mut self, world: &mut World) {
        if !self.finishing {
            for _ in 0..world.random.below(3) {
                self.grow(world);
            }
            if world.random.percent(5) {
                self.truncate();
            }
            if world.random.percent(20) {
                self.bring_ahead(world);
            }
        }
        // The high watermark lies at the end of some batch.
        let ends: Vec<u64> = self.batches.iter().map(|batch| batch.header().end_offset().0).collect();
        let reached = if self.finishing { ends.len() } else { world.random.index(ends.len() + 1) };
        if let Some(&to) = reached.checked_sub(1).and_then(|last| ends.get(last)) {
            self.high = self.high.max(to);
        }
        if !self.feeding {
            self.feed(world);
        }
    }

    fn feed(&mut self, world: &mut World) {
        let from = self.position;
        let left: Vec<VerifiedBatch> =
            self.batches.iter().filter(|batch| batch.header().end_offset().0 > from).cloned().collect();
        let count = if self.finishing { left.len() } else { world.random.index(left.len().min(4) + 1) };
        let request = Request::Mirror {
            log: log(world.sites[self.at].id),
            batches: left.into_iter().take(count).collect(),
            origin: MirrorOrigin::Feed,
            from: Some(Offset(from)),
            confirm: Some(Offset(self.high)),
            start: Some(Offset(self.start)),
        };
        if let Request::Mirror { batches, .. } = &request {
            self.shown_to = batches.last().map_or(from, |batch| batch.header().end_offset().0);
        }
        self.feeding = true;
        world.ask(self.at, Asker::Feed, request);
    }

    /// Dual-write: a batch of the source, or something that the source will never have.
    fn bring_ahead(&mut self, world: &mut World) {
        let above: Vec<&VerifiedBatch> =
            self.batches.iter().filter(|batch| batch.header().base_offset.0 >= self.high).collect();
        if above.is_empty() {
            return;
        }
        let chosen = above[world.random.index(above.len())].clone();
        let batch = if world.random.percent(30) {
            let spec = BatchSpec { base_offset: chosen.header().base_offset, ..BatchSpec::default() };
            batch_of(spec, &[u64::MAX - world.random.below(1000)])
        } else {
            chosen
        };
        let request = Request::Mirror {
            log: log(world.sites[self.at].id),
            batches: vec![batch],
            origin: MirrorOrigin::Ahead,
            from: None,
            confirm: None,
            start: None,
        };
        let before = world.sites[self.at].shard.stats().parked;
        world.ask(self.at, Asker::Ahead, request);
        if world.sites[self.at].shard.stats().parked > before {
            world.meet("mirror: parked");
        }
    }

    pub fn answer(&mut self, world: &mut World, asker: Asker, reply: Result<Reply, KernelError>) {
        if asker == Asker::Feed {
            self.feeding = false;
        }
        let back_to = if asker == Asker::Feed { self.back_to.take() } else { None };
        match reply {
            Ok(Reply::Mirrored { confirmed, replaced_bytes, .. }) => {
                if asker == Asker::Feed {
                    assert!(confirmed.0 >= self.confirmed, "the confirmed position went back");
                    assert!(confirmed.0 <= self.high, "confirmed above what the feed stated");
                    self.confirmed = confirmed.0;
                    self.position = self.position.max(self.shown_to);
                }
                if replaced_bytes > 0 {
                    world.meet("mirror: tail replaced");
                }
            }
            Err(KernelError::MirrorGap { end }) => {
                world.meet("mirror: conflict or gap");
                if asker == Asker::Feed {
                    self.position = end.0;
                }
            }
            Err(KernelError::MirrorConflict { .. }) => {
                assert_eq!(asker, Asker::Ahead, "the source never changed below its high watermark");
                world.meet("mirror: conflict or gap");
            }
            Err(error) => assert!(error.is_retriable(), "{error}"),
            Ok(other) => panic!("{other:?}"),
        }
        self.position = back_to.map_or(self.position, |to| self.position.min(to));
    }

    pub fn finish(&mut self) {
        self.finishing = true;
    }

    pub fn is_done(&self) -> bool {
        self.finishing && !self.feeding && self.confirmed == self.end().max(self.confirmed)
    }

    /// The mirror holds exactly the source, byte for byte, gaps included.
    pub fn judge(&mut self, world: &mut World) {
        let log = log(world.sites[self.at].id);
        let stored = world.read_from(self.at, log, Offset(40)).concat();
        let source: Vec<u8> = self.batches.iter().flat_map(|batch| batch.bytes().to_vec()).collect();
        assert!(stored == source, "the mirror differs from its source");
    }
}
