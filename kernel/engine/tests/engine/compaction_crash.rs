//! Compaction on the default store, over a disk that forgets what was not synced: the process is killed in the middle of
//! passes, and a slow reader goes along meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::local::sim::SimDisk;
use kernel_engine::store::local::{LocalOptions, LocalStore};
use kernel_engine::{CompactionTask, Limits, RequestKey, Shard};
use kernel_model::batch::{BatchSpec, Codec, Records, record_bytes};
use kernel_model::commit::{Compaction, LogConfig, Op};
use kernel_model::reply::{Chunk, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, Now, Offset, OwnerEpoch, VerifiedBatch};

use crate::bench::*;
use crate::compaction::{EAGER, keyed};
use crate::sim::Random;

/// A value, or none, with its offset.
type Value = (u64, Option<String>);

/// A shard on a disk that can be taken from it at any moment.
struct Machine {
    disk: SimDisk,
    shard: Shard,
    now: Now,
    owner: u64,
    random: Random,
    task: Option<CompactionTask>,
    /// All that was acknowledged.
    written: Vec<(String, Value)>,
    crashes: u64,
    /// Those with a pass under way.
    crashes_in_pass: u64,
}

fn open_on(disk: &SimDisk, owner: u64, now: Now) -> Shard {
    let options = LocalOptions {
        segment_bytes: 32 << 10,
        hot_bytes_max: 4 << 10,
        threads: false,
        ..LocalOptions::default()
    };
    let store =
        LocalStore::open_on(Arc::new(disk.clone()), OwnerEpoch(owner), options, Arc::new(|| ())).unwrap();
    let limits = Limits { compaction_task_bytes: 2000, ..Limits::default() };
    Shard::open(SHARD, Box::new(store), limits, vec![], now).unwrap()
}

impl Machine {
    fn new(seed: u64) -> Self {
        let (disk, now) = (SimDisk::default(), Now::new(Duration::from_secs(1), 1_000_000));
        let shard = open_on(&disk, 1, now);
        let mut machine = Self {
            disk,
            shard,
            now,
            owner: 1,
            random: Random(seed),
            task: None,
            written: Vec::new(),
            crashes: 0,
            crashes_in_pass: 0,
        };
        // Deletions stay, so that a reader from the beginning must end up with what is there.
        let compaction = Some(Compaction { stretch_bytes: 1500, deletes_stay_ms: u64::MAX, ..EAGER });
        let config = LogConfig { compaction, ..LogConfig::default() };
        let create = Op::LogCreate { log: LOG, config, start: Offset(0) };
        machine.ask(Request::Commit(Commit::of(vec![create])));
        machine
    }

    fn ask(&mut self, request: Request) -> Reply {
        self.shard.handle_request(self.now, RequestKey(1, 1), request);
        for _ in 0..1000 {
            self.shard.handle_durable(self.now);
            if let Some((_, reply)) = self.shard.poll_reply() {
                return reply.unwrap();
            }
        }
        panic!("no answer");
    }

    fn write(&mut self) {
        let count = 1 + self.random.index(3);
        let codec = [Codec::None, Codec::Lz4][self.random.index(2)];
        let pairs: Vec<(String, Option<String>)> = (0..count)
            .map(|_| {
                let value = self.random.next();
                let value = self.random.percent(85).then(|| format!("{value:x}").repeat(8));
                (format!("k{}", self.random.below(25)), value)
            })
            .collect();
        let borrowed: Vec<(&str, Option<&str>)> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        let batch = keyed(BatchSpec { codec, ..BatchSpec::default() }, self.now.wall_ms, &borrowed);
        let reply = self.ask(Request::Append { log: LOG, batches: vec![batch], epoch: None });
        let Reply::Appended(appended) = reply else { panic!("{reply:?}") };
        for (offset, (key, value)) in (appended.base_offset.0..).zip(pairs) {
            self.written.push((key, (offset, value)));
        }
    }

    /// What a reader gets from `from` on; the bytes are looked at later.
    fn read(&mut self, from: u64) -> Vec<Chunk> {
        let bytes_max = 300 + self.random.index(1500);
        let limit = ReadLimit::Durable;
        let request =
            Request::Read { log: LOG, from: Offset(from), bytes_max, at_least_one: true, limit, epoch: None };
        match self.ask(request) {
            Reply::Records(records) => records.chunks,
            other => panic!("{other:?}"),
        }
    }

    /// One step of compaction, or of what the store does beside it. What it has done need not be durable.
    fn work(&mut self) {
        self.now.elapsed += Duration::from_millis(500);
        self.now.wall_ms += 500;
        self.shard.handle_timeout(self.now);
        match self.task.take() {
            Some(task) => self.shard.handle_compaction(self.now, Some(task.run())),
            None => self.task = self.shard.poll_compaction(),
        }
        if self.random.percent(60) {
            self.shard.handle_durable(self.now);
        }
        assert_eq!(self.shard.violations(), []);
    }

    /// Power off.
    fn crash(&mut self) {
        let in_pass = self.task.take().is_some();
        let seed = self.random.next();
        self.disk = self.disk.crash(seed);
        self.owner += 1;
        self.shard = open_on(&self.disk, self.owner, self.now);
        assert_eq!(self.shard.violations(), []);
        self.crashes += 1;
        self.crashes_in_pass += u64::from(in_pass);
    }

    fn newest(&self) -> BTreeMap<String, Value> {
        self.written.iter().cloned().collect()
    }

    /// Reads all of it, and holds it against what was written.
    fn check(&mut self) -> usize {
        let mut reader = Reader::default();
        while reader.step(self, 0) {}
        reader.records
    }
}

/// A consumer that keeps the newest value of each key.
#[derive(Default)]
struct Reader {
    at: u64,
    last: Option<u64>,
    state: BTreeMap<String, Value>,
    records: usize,
}

impl Reader {
    /// Reads on, with some of compaction's work between getting the answer and looking at it. False at the end, where its
    /// state must be the log's.
    fn step(&mut self, machine: &mut Machine, work: u64) -> bool {
        let chunks = machine.read(self.at);
        let written_then = machine.written.len();
        for _ in 0..work {
            machine.work();
        }
        assert_eq!(machine.written.len(), written_then);
        for chunk in &chunks {
            let mut bytes = match chunk {
                Chunk::Hot(bytes) => bytes.clone(),
                Chunk::Cold(cold) => cold.source.read(cold.position, cold.len).unwrap(),
            };
            while !bytes.is_empty() {
                self.take(&machine.written, &VerifiedBatch::take(&mut bytes).unwrap());
            }
        }
        if chunks.is_empty() {
            assert_eq!(self.state, machine.newest(), "a reader from the beginning has another state");
        }
        !chunks.is_empty()
    }

    fn take(&mut self, written: &[(String, Value)], batch: &VerifiedBatch) {
        let header = *batch.header();
        let plain: Bytes = record_bytes(batch, 1 << 20).unwrap();
        for record in Records::new(&plain, header.record_count) {
            let record = record.unwrap();
            let offset = header.base_offset.0 + u64::try_from(record.offset_delta).unwrap();
            // A batch that holds the position from which was read begins before it.
            if offset < self.at {
                continue;
            }
            assert!(self.last.is_none_or(|last| last < offset), "offsets ascend");
            self.last = Some(offset);
            self.records += 1;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let (key, value) = (text(record.key.unwrap()), record.value.map(text));
            let original = &written[usize::try_from(offset).unwrap()];
            assert_eq!(original, &(key.clone(), (offset, value.clone())), "another record than was written");
            self.state.insert(key, (offset, value));
        }
        self.at = header.end_offset().0;
    }
}

fn run(seed: u64) -> (u64, u64) {
    let mut machine = Machine::new(seed);
    let mut slow = Reader::default();
    for _ in 0..300 {
        match machine.random.below(20) {
            0..8 => machine.write(),
            8..16 => machine.work(),
            16 | 17 => {
                let work = machine.random.below(4);
                if !slow.step(&mut machine, work) {
                    slow = Reader::default();
                }
            }
            18 => {
                machine.check();
            }
            _ => machine.crash(),
        }
    }
    for _ in 0..2000 {
        machine.work();
        machine.shard.handle_durable(machine.now);
    }
    let left = machine.check();
    machine.crash();
    assert_eq!(machine.check(), left, "what was compacted stays compacted");
    // Each key once, and the last stretch.
    assert!(left < 25 + 60, "{left} records are left");
    (machine.crashes, machine.crashes_in_pass)
}

#[test]
fn a_kill_in_the_middle_of_a_pass_loses_nothing_and_readers_see_one_consistent_log() {
    let seeds = std::env::var("SLUICE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let (mut crashes, mut in_pass) = (0, 0);
    for seed in 0..seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        let (all, passes) = outcome.unwrap_or_else(|reason| {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(reason);
        });
        crashes += all;
        in_pass += passes;
    }
    assert!(crashes > seeds * 5 && in_pass > seeds, "{crashes} {in_pass}: the runs are too tame");
}
