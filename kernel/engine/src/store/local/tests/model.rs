//! Random commits beside a plain model, with crashes and new owners at random points.

use std::collections::BTreeMap;

use kernel_model::commit::ViewEntry;
use kernel_model::{LogConfig, ShardId, ViewId};

use super::super::disk::Disk;
use super::*;
use crate::store::faulty::SplitMix;
use crate::store::memory::MemoryStore;

/// Seeds of one run; `STORE_SEEDS=n` runs more, `STORE_SEED=n` that one alone.
const SEEDS: u64 = 150;

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// One run.
struct Run {
    random: SplitMix,
    disk: SimDisk,
    owner: u64,
    store: LocalStore,
    /// Every commit taken, in order.
    history: Vec<Commit>,
    durable: Seq,
    ends: BTreeMap<u64, u64>,
    /// Chain over the commits: the derived state that is checkpointed.
    chain: u32,
}

fn chained(chain: u32, commit: &Commit) -> u32 {
    crc32c::crc32c_append(chain, format!("{commit:?}").as_bytes())
}

impl Run {
    fn new(seed: u64) -> Self {
        let (disk, store) = fresh();
        let random = SplitMix(seed);
        Self {
            random,
            disk,
            owner: 1,
            store,
            history: Vec::new(),
            durable: Seq(0),
            ends: BTreeMap::new(),
            chain: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// Replaces or removes some stored batch; now and then one that is not there.
    fn replacement(&mut self, log: u64) -> Option<Op> {
        let mut all = Bytes::from(read(&model(&self.history), log, 0).ok()?);
        let batches = kernel_model::batch::split(&mut all).unwrap();
        let at = self.below(batches.len() as u64) as usize;
        let header = *batches.get(at)?.header();
        let (base, crc) = (header.base_offset, header.crc ^ u32::from(self.below(20) == 0));
        let payload = self.below(header.size as u64) as usize;
        let batch =
            batch(header.last_offset_delta + 1, payload, header.max_timestamp_ms, self.below(256) as u8);
        let batch = (self.below(3) > 0).then(|| stored(&batch, base.0, 3));
        Some(Op::LogReplace { log: LogId(log), base_offset: base, crc, bytes: header.size as u64, batch })
    }

    fn random_op(&mut self) -> Op {
        let log = self.below(4) + 1;
        if self.below(5) == 0
            && let Some(op) = self.replacement(log)
        {
            return op;
        }
        let end = self.ends.get(&log).copied().unwrap_or(0);
        match self.below(16) {
            0 => Op::LogCreate { log: LogId(log), config: LogConfig::default(), start: Offset(0) },
            1 => Op::LogTrim { log: LogId(log), start: Offset(self.below(end + 1)) },
            2 => {
                let to = end - self.below(end.min(20) + 1);
                Op::LogTruncate { log: LogId(log), to: Offset(to) }
            }
            3 if self.below(8) == 0 => Op::LogDelete { log: LogId(log) },
            4 | 5 => put(&format!("k{}", self.below(30)), &format!("v{}", self.below(1000))),
            6 => Op::KvDelete { key: format!("k{}", self.below(30)).into() },
            7 => Op::ViewPush {
                view: ViewId(9),
                entries: vec![ViewEntry { log: LogId(log), offset: Offset(end), note: "n".into() }],
            },
            8 => {
                let inner = Commit::of(vec![append(99, 5, &batch(1, 40, 1, 7)), put("in", "side")]);
                Op::OutboxPush { to: ShardId(3), commit: Box::new(inner) }
            }
            _ => {
                let records = self.below(5) as u32 + 1;
                let gap = if self.below(10) == 0 { self.below(4) } else { 0 };
                let payload = self.below(1500) as usize;
                let timestamp = self.below(1000).cast_signed();
                let fill = self.below(256) as u8;
                self.ends.insert(log, end + gap + u64::from(records));
                append(log, end + gap, &batch(records, payload, timestamp, fill))
            }
        }
    }

    fn submit(&mut self) {
        let count = self.below(4) + 1;
        let mut ops = Vec::new();
        for _ in 0..count {
            let op = self.random_op();
            // The model's ends follow, so that the next operation continues the log.
            if let Op::LogTruncate { log, .. } | Op::LogDelete { log } = &op {
                let mut all = self.history.clone();
                ops.push(op.clone());
                all.push(Commit::of(ops.clone()));
                let end = end_of(&model(&all), *log);
                self.ends.insert(log.0, end);
                continue;
            }
            ops.push(op);
        }
        let commit = Commit::of(ops);
        let seq = self.store.submit(&commit).unwrap();
        self.chain = chained(self.chain, &commit);
        self.history.push(commit);
        assert_eq!(seq.0, self.history.len() as u64);
    }

    fn step(&mut self) {
        match self.below(100) {
            0..60 => self.submit(),
            60..80 => self.durable = self.store.durable().unwrap(),
            80..92 => {
                let report = self.store.maintain(Now::default()).unwrap();
                if report.checkpoint_wanted || self.below(10) == 0 {
                    self.checkpoint();
                }
            }
            92..94 => self.check(),
            94..96 => self.check_bound(),
            96..99 => self.crash(),
            _ => self.succeed(),
        }
    }

    fn checkpoint(&mut self) {
        let chain = Bytes::copy_from_slice(&self.chain.to_be_bytes());
        let last = Seq(self.history.len() as u64);
        match self.store.checkpoint(last, vec![("chain".into(), Some(chain))]) {
            Ok(()) | Err(KernelError::Overloaded) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Everything readable equals the model.
    fn check(&self) {
        let model = model(&self.history);
        for log in 1..=4 {
            let expected = read(&model, log, 0);
            assert!(read(&self.store, log, 0) == expected, "log {log}");
            for from in [3, 10, 50] {
                assert!(read(&self.store, log, from) == read(&model, log, from), "log {log} from {from}");
            }
            if expected.is_err() {
                continue;
            }
            for at in [None, Some(0), Some(500), Some(990), Some(5000)] {
                let ours = self.store.find_by_time(LogId(log), at, Offset(40)).unwrap();
                let theirs = model.find_by_time(LogId(log), at, Offset(40)).unwrap();
                assert_eq!(ours.map(|found| found.base_offset), theirs.map(|found| found.base_offset));
            }
        }
        for (prefix, after) in
            [("", None), ("k1", None), ("k", Some("k2")), ("k", Some("a")), ("k", Some("z"))]
        {
            for entries_max in [1, 3, 100] {
                let scan = |store: &dyn ShardStore| {
                    store.scan(prefix.as_bytes(), after.map(str::as_bytes), entries_max).unwrap()
                };
                assert_eq!(scan(&self.store), scan(&model), "{prefix} {after:?} {entries_max}");
            }
        }
        for key in 0..30 {
            let key = format!("k{key}");
            assert_eq!(self.store.get(key.as_bytes()), model.get(key.as_bytes()), "{key}");
        }
    }

    /// Design: disk ≤ 2 × live bytes + 4 segments.
    fn check_bound(&mut self) {
        for _ in 0..1000 {
            let report = self.store.maintain(Now::default()).unwrap();
            self.durable = self.store.durable().unwrap();
            if report.checkpoint_wanted {
                self.checkpoint();
            } else if !report.more {
                break;
            }
        }
        let stats = self.store.stats();
        let bound = 2 * stats.live_bytes + 4 * u64::from(options().segment_bytes);
        assert!(stats.disk_bytes <= bound, "{stats:?}");
        let files = Disk::list(&self.disk).unwrap();
        let log_files = files.iter().filter(|(name, _)| name != "checkpoint.redb");
        let on_disk: u64 = log_files.map(|(_, len)| len).sum();
        assert!(on_disk <= bound, "{files:?} {stats:?}");
        let model = model(&self.history);
        assert_eq!(stats.live_bytes, model.stats().live_bytes);
    }

    fn crash(&mut self) {
        let seed = self.random.next();
        self.disk = self.disk.crash(seed);
        self.reopen();
    }

    /// A new owner opens while the old one still lives and writes on: nothing of that arrives.
    fn succeed(&mut self) {
        let spare = open(&SimDisk::default(), 1).unwrap();
        let mut old = std::mem::replace(&mut self.store, spare);
        self.reopen();
        let _ = old.submit(&Commit::of(vec![put("k1", "of a fenced owner")]));
        let last = old.shared.state.lock().submitted;
        let _ = old.checkpoint(last, vec![("chain".into(), None)]);
        assert_eq!(old.durable(), Err(KernelError::Fenced));
        assert_eq!(old.maintain(Now::default()), Err(KernelError::Fenced));
        drop(old);
        self.check();
    }

    fn reopen(&mut self) {
        self.owner += 1;
        self.store = open(&self.disk, self.owner).unwrap();
        let mut chain = 0;
        let mut replayed = Vec::new();
        let mut state = |key: Bytes, value: Bytes| {
            assert_eq!(key, "chain");
            chain = u32::from_be_bytes(value.as_ref().try_into().unwrap());
        };
        let last = self.store.recover(&mut state, &mut |seq, commit| replayed.push((seq, commit))).unwrap();
        assert!(last >= self.durable, "lost what was durable: {last:?} < {:?}", self.durable);
        self.history.truncate(last.0 as usize);
        for (seq, commit) in &replayed {
            assert!(commit == &self.history[seq.0 as usize - 1], "another commit at {seq:?}");
            chain = chained(chain, commit);
        }
        self.chain = self.history.iter().fold(0, chained);
        assert_eq!(chain, self.chain, "derived state and replay do not fit together");
        self.durable = last;
        let model = model(&self.history);
        self.ends = (1..=4).map(|log| (log, end_of(&model, LogId(log)))).collect();
        self.check();
    }
}

/// The history in the plain store.
fn model(history: &[Commit]) -> MemoryStore {
    let mut model = MemoryStore::new();
    model.recover(&mut |_, _| {}, &mut |_, _| {}).unwrap();
    for commit in history {
        model.submit(commit).unwrap();
    }
    model
}

/// End of the last batch of a log.
fn end_of(model: &MemoryStore, log: LogId) -> u64 {
    let all = read(model, log.0, 0).unwrap_or_default();
    let mut rest = Bytes::from(all);
    let batches = kernel_model::batch::split(&mut rest).unwrap();
    batches.last().map_or(0, |batch| batch.header().end_offset().0)
}

/// Prints the seed when a run ends in a panic.
struct Announce(u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failing seed: STORE_SEED={}", self.0);
        }
    }
}

#[test]
fn nothing_durable_is_lost_and_nothing_else_is_served() {
    let only = number_from("STORE_SEED");
    let seeds = only.map_or(0..number_from("STORE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let (mut checkpoints, mut rewritten) = (0, 0);
    for seed in seeds {
        let _announce = Announce(seed);
        let mut run = Run::new(seed);
        for _ in 0..250 {
            run.step();
        }
        run.check_bound();
        run.check();
        checkpoints += run.store.stats().checkpoints;
        rewritten += run.store.stats().rewritten_bytes;
    }
    if only.is_none() {
        assert!(
            checkpoints > SEEDS && rewritten > 100_000,
            "{checkpoints} {rewritten}: the runs are too tame"
        );
    }
}
