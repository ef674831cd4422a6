//! Compaction of a led log: what stays, what goes, and that nothing else changes. The store keeps what was durable, so
//! a restart may come between any two tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::CompactionTask;
use kernel_model::batch::{BatchSpec, Codec, NewRecord, Records, record_bytes};
use kernel_model::commit::{Compaction, LogConfig, Op, ViewEntry};
use kernel_model::reply::{Chunk, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, LogId, LogKind, Offset, VerifiedBatch, ViewId};

use crate::bench::*;
use crate::sim::Random;

/// Every batch is a stretch of its own, whatever is dirty is due, deletes stay ten seconds.
pub const EAGER: Compaction = Compaction {
    stretch_bytes: 1,
    stretch_ms: u64::MAX,
    lag_min_ms: 0,
    lag_max_ms: u64::MAX,
    dirty_min_ppm: 0,
    deletes_stay_ms: 10_000,
};

fn desk_with(compaction: Compaction) -> Desk {
    let mut desk = Desk::new();
    let config = LogConfig { compaction: Some(compaction), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    desk
}

pub fn keyed(spec: BatchSpec, timestamp_ms: i64, pairs: &[(&str, Option<&str>)]) -> VerifiedBatch {
    let records: Vec<NewRecord<'_>> = pairs
        .iter()
        .map(|(key, value)| NewRecord {
            timestamp_ms,
            key: Some(key.as_bytes()),
            value: value.map(str::as_bytes),
            headers: &[(b"h", Some(b"1"))],
        })
        .collect();
    spec.encode(&records).unwrap()
}

fn put(desk: &mut Desk, pairs: &[(&str, Option<&str>)]) -> u64 {
    let at = desk.now.wall_ms;
    desk.append(keyed(BatchSpec::default(), at, pairs)).unwrap().base_offset.0
}

/// Gives compaction time, and does its work; answers how many tasks that were.
fn compact(desk: &mut Desk) -> usize {
    let mut tasks = 0;
    desk.tick(Duration::from_secs(1));
    while let Some(task) = desk.shard.poll_compaction() {
        tasks += 1;
        let done = task.run();
        desk.shard.handle_compaction(desk.now, Some(done));
        desk.shard.handle_durable(desk.now);
        assert_eq!(desk.shard.violations(), []);
    }
    tasks
}

/// One record as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    offset: u64,
    key: String,
    value: Option<String>,
    timestamp_ms: i64,
    producer_id: i64,
}

fn batches(desk: &mut Desk, from: u64) -> Vec<VerifiedBatch> {
    let read = desk.read(from, ReadLimit::Durable).unwrap();
    let mut found = Vec::new();
    for chunk in &read.chunks {
        let Chunk::Hot(bytes) = chunk else { panic!("a cold chunk") };
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            found.push(VerifiedBatch::take(&mut rest).unwrap());
        }
    }
    found
}

fn seen(desk: &mut Desk) -> Vec<Seen> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut found = Vec::new();
    let start = desk.describe().start.0;
    for batch in batches(desk, start) {
        let header = *batch.header();
        let plain = record_bytes(&batch, 1 << 20).unwrap();
        for record in Records::new(&plain, header.record_count) {
            let record = record.unwrap();
            if header.is_control() {
                continue;
            }
            assert_eq!(record.header_count(), 1, "headers are kept");
            found.push(Seen {
                offset: header.base_offset.0 + u64::try_from(record.offset_delta).unwrap(),
                key: record.key.map_or(String::from("-"), text),
                value: record.value.map(text),
                timestamp_ms: header.base_timestamp_ms + record.timestamp_delta,
                producer_id: header.producer_id,
            });
        }
    }
    found
}

fn offsets(desk: &mut Desk) -> Vec<u64> {
    seen(desk).iter().map(|seen| seen.offset).collect()
}

fn found_at(desk: &mut Desk, timestamp_ms: i64) -> Option<u64> {
    let request =
        Request::FindByTime { log: LOG, timestamp_ms: Some(timestamp_ms), limit: ReadLimit::Durable };
    match desk.ask(request).unwrap() {
        Reply::Found(found) => found.map(|found| found.offset.0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_of_each_key_stays_at_its_offset_and_the_last_stretch_is_left_alone() {
    let mut desk = desk_with(EAGER);
    for key in ["a", "b", "a", "c", "a", "b"] {
        put(&mut desk, &[(key, Some("v"))]);
        desk.tick(Duration::from_millis(1));
    }
    let before = desk.describe();
    put(&mut desk, &[("a", Some("tail"))]);
    assert!(compact(&mut desk) > 0);
    assert_eq!(offsets(&mut desk), [3, 4, 5, 6], "the tail supersedes nothing yet");
    let after = desk.describe();
    assert_eq!((after.start, after.end, after.epoch), (Offset(0), Offset(7), before.epoch));
    assert!(after.bytes < before.bytes, "{after:?}");
    // A read from a gap gives what comes next.
    assert_eq!(batches(&mut desk, 1).first().map(|batch| batch.header().base_offset), Some(Offset(3)));
    assert_eq!(compact(&mut desk), 0, "nothing new, nothing to do");
    desk.restart(Vec::new());
    assert_eq!(offsets(&mut desk), [3, 4, 5, 6]);
    assert_eq!(compact(&mut desk), 0, "that it was done is remembered");
}

#[test]
fn a_batch_keeps_its_offsets_times_and_codec_when_it_loses_records() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut desk = desk_with(EAGER);
        let spec = BatchSpec { codec, ..BatchSpec::default() };
        let pairs = [("a", Some("1")), ("b", Some("1")), ("c", Some("1")), ("d", Some("1"))];
        desk.append(keyed(spec, 5000, &pairs)).unwrap();
        desk.append(keyed(spec, 6000, &[("a", Some("2")), ("d", Some("2"))])).unwrap();
        put(&mut desk, &[("tail", Some("v"))]);
        compact(&mut desk);
        assert_eq!(offsets(&mut desk), [1, 2, 4, 5, 6], "{codec:?}");
        let first = *batches(&mut desk, 0)[0].header();
        assert_eq!((first.base_offset, first.last_offset_delta, first.record_count), (Offset(0), 3, 2));
        assert_eq!((first.codec(), first.max_timestamp_ms), (codec.number(), 5000));
        assert_eq!(found_at(&mut desk, 4000), Some(1), "the first record that is left");
        assert_eq!(found_at(&mut desk, 5001), Some(4));
    }
}

#[test]
fn a_record_without_value_stays_until_its_horizon_and_takes_what_it_deletes_with_it() {
    let mut desk = desk_with(EAGER);
    put(&mut desk, &[("a", Some("1"))]);
    let written_ms = desk.now.wall_ms;
    put(&mut desk, &[("a", None), ("b", Some("1"))]);
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [1, 2, 3]);
    let header = *batches(&mut desk, 0)[0].header();
    let horizon_ms = header.delete_horizon_ms().unwrap();
    assert_eq!(horizon_ms, desk.now.wall_ms + 10_000);
    assert_eq!(seen(&mut desk)[0].timestamp_ms, written_ms, "its time is its own, not the horizon's");
    assert_eq!(found_at(&mut desk, written_ms), Some(1));
    // Passes before the horizon leave it, and do not move the horizon.
    desk.tick(Duration::from_secs(5));
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(batches(&mut desk, 0)[0].header().delete_horizon_ms(), Some(horizon_ms));
    assert_eq!(offsets(&mut desk)[..2], [1, 2]);
    desk.tick(Duration::from_secs(5));
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(seen(&mut desk)[0].key, "b", "only the value beside it is left");
    assert_eq!(batches(&mut desk, 0)[0].header().last_offset_delta, 1);
}

#[test]
fn young_records_and_those_below_the_dirty_share_wait_unless_they_are_overdue() {
    let lazy = Compaction { lag_min_ms: 60_000, ..EAGER };
    let mut desk = desk_with(lazy);
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    assert_eq!(compact(&mut desk), 0, "too young");
    desk.tick(Duration::from_secs(60));
    assert!(compact(&mut desk) > 0);
    assert_eq!(offsets(&mut desk), [1, 2], "of the last two one is in the last stretch");

    let mut desk = desk_with(Compaction { dirty_min_ppm: 999_999, lag_max_ms: 30_000, ..EAGER });
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    assert!(compact(&mut desk) > 0, "all of it is dirty");
    put(&mut desk, &[("a", Some("v"))]);
    assert_eq!(compact(&mut desk), 0, "half of it is");
    desk.tick(Duration::from_secs(31));
    assert!(compact(&mut desk) > 0, "overdue");
}

#[test]
fn records_without_a_key_from_before_the_log_was_compacted_go() {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Led, 0);
    desk.append(plain(0, 2, "no key")).unwrap();
    put(&mut desk, &[("a", Some("v"))]);
    let config = LogConfig { compaction: Some(EAGER), ..LogConfig::default() };
    desk.commit(vec![Op::LogConfigure { log: LOG, config, epoch: None }]).unwrap();
    put(&mut desk, &[("b", Some("v"))]);
    put(&mut desk, &[("c", Some("v"))]);
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [2, 3, 4]);
}

#[test]
fn a_producer_goes_on_over_compaction_and_its_last_batch_is_kept_empty() {
    let mut desk = desk_with(EAGER);
    let spec = |sequence| BatchSpec {
        producer_id: 9,
        producer_epoch: 1,
        base_sequence: sequence,
        ..BatchSpec::default()
    };
    for sequence in 0..3 {
        desk.append(keyed(spec(sequence), 1000, &[("a", Some("v"))])).unwrap();
    }
    put(&mut desk, &[("a", Some("newer"))]);
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [3, 4]);
    let empty = *batches(&mut desk, 0)[0].header();
    assert_eq!((empty.base_offset, empty.record_count, empty.last_sequence()), (Offset(2), 0, 2));
    assert_eq!(found_at(&mut desk, 0), Some(3), "an empty batch has no time");
    for restarted in [false, true] {
        if restarted {
            desk.restart(Vec::new());
        }
        let again = desk.append(keyed(spec(2), 1000, &[("a", Some("v"))])).unwrap();
        assert!(again.duplicate && again.base_offset == Offset(2), "restarted {restarted}");
    }
    desk.append(keyed(spec(3), 1000, &[("z", Some("v"))])).unwrap();
    // Its sequence is in a newer batch now, so the empty one goes.
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(batches(&mut desk, 0)[0].header().base_offset, Offset(3));
}

fn part(sequence: i32, pairs: &[(&str, Option<&str>)]) -> VerifiedBatch {
    let spec = BatchSpec {
        transactional: true,
        producer_id: 5,
        producer_epoch: 0,
        base_sequence: sequence,
        ..BatchSpec::default()
    };
    keyed(spec, 1000, pairs)
}

fn end(desk: &mut Desk, commit: bool) {
    let spec = BatchSpec {
        transactional: true,
        control: true,
        producer_id: 5,
        producer_epoch: 0,
        ..BatchSpec::default()
    };
    let key = [0, 0, 0, u8::from(commit)];
    let record =
        NewRecord { timestamp_ms: 1000, key: Some(&key), value: Some(&[0; 6]), ..NewRecord::default() };
    let batch = spec.encode(&[record]).unwrap().bytes().clone();
    desk.commit(vec![Op::Deliver { log: LOG, batch, views: Vec::new() }]).unwrap();
}

fn bases_left(desk: &mut Desk) -> Vec<(u64, bool, u32)> {
    let left = batches(desk, 0);
    left.iter()
        .map(|b| (b.header().base_offset.0, b.header().is_control(), b.header().record_count))
        .collect()
}

#[test]
fn aborted_records_go_at_once_and_markers_after_all_they_end_and_their_horizon() {
    let mut desk = desk_with(EAGER);
    desk.append(part(0, &[("a", Some("aborted"))])).unwrap();
    end(&mut desk, false);
    desk.append(part(1, &[("a", Some("committed"))])).unwrap();
    end(&mut desk, true);
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(bases_left(&mut desk), [(1, true, 1), (2, false, 1), (3, true, 1), (4, false, 1)]);
    assert_eq!(seen(&mut desk)[0].value.as_deref(), Some("committed"));
    // The committed value is superseded; its batch stays empty for its sequence, so its marker stays too.
    for _ in 0..2 {
        put(&mut desk, &[("a", Some("newer"))]);
    }
    compact(&mut desk);
    assert!(batches(&mut desk, 0)[0].header().delete_horizon_ms().is_some(), "nothing of it was left");
    assert_eq!(bases_left(&mut desk)[..3], [(1, true, 1), (2, false, 0), (3, true, 1)]);
    desk.tick(Duration::from_secs(10));
    put(&mut desk, &[("a", Some("newest"))]);
    compact(&mut desk);
    assert_eq!(bases_left(&mut desk)[..2], [(2, false, 0), (3, true, 1)], "the abort's horizon is over");
    let stable = desk.read(0, ReadLimit::Stable).unwrap();
    assert_eq!(stable.aborted, [], "nothing aborted is left to be told of");
    desk.restart(Vec::new());
    assert_eq!(desk.shard.violations(), []);
}

#[test]
fn nothing_at_or_above_the_last_stable_offset_is_touched() {
    let mut desk = desk_with(EAGER);
    put(&mut desk, &[("a", Some("1"))]);
    desk.append(part(0, &[("t", Some("open"))])).unwrap();
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("2"))]);
    }
    compact(&mut desk);
    assert_eq!(
        offsets(&mut desk),
        [0, 1, 2, 3, 4],
        "what comes after the open transaction supersedes nothing"
    );
    end(&mut desk, true);
    put(&mut desk, &[("tail", Some("v"))]);
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [1, 4, 6]);
}

#[test]
fn a_mirrored_log_and_one_that_views_or_followers_still_want_are_left_alone() {
    let mut desk = Desk::new();
    let config = LogConfig { kind: LogKind::Mirrored, compaction: Some(EAGER), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    assert_eq!(compact(&mut desk), 0);

    let mut desk = desk_with(EAGER);
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    desk.ask(Request::Hold { log: LOG, from: Some(Offset(0)) }).unwrap();
    assert_eq!(compact(&mut desk), 0);
    desk.ask(Request::Hold { log: LOG, from: None }).unwrap();
    assert!(compact(&mut desk) > 0);

    let mut desk = desk_with(EAGER);
    put(&mut desk, &[("a", Some("1")), ("a", Some("2")), ("a", Some("3"))]);
    for _ in 0..2 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    let view = ViewId::new(SHARD, 1);
    let entries = vec![ViewEntry { log: LOG, offset: Offset(1), note: Bytes::new() }];
    desk.commit(vec![Op::ViewCreate { view }, Op::ViewPush { view, entries }]).unwrap();
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [0, 1, 2, 3, 4], "a batch that is wanted in part stays whole");
    desk.commit(vec![Op::ViewDelete { view }]).unwrap();
    compact(&mut desk);
    assert_eq!(offsets(&mut desk), [3, 4]);
}

#[test]
fn a_log_may_be_compacted_and_lose_what_is_old() {
    let mut desk = Desk::new();
    let config = LogConfig { compaction: Some(EAGER), retention_ms: Some(60_000), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    for key in ["a", "b", "a", "c", "d"] {
        put(&mut desk, &[(key, Some("v"))]);
    }
    assert!(compact(&mut desk) > 0);
    assert_eq!(offsets(&mut desk), [1, 2, 3, 4], "nothing is old yet");
    desk.tick(Duration::from_secs(90));
    for key in ["b", "e"] {
        put(&mut desk, &[(key, Some("v"))]);
    }
    compact(&mut desk);
    assert_eq!(
        (offsets(&mut desk), desk.describe().start),
        (vec![5, 6], Offset(5)),
        "only one of them had a newer value"
    );
}

#[test]
fn a_follower_that_comes_ends_the_pass_that_is_under_way() {
    let mut desk = desk_with(EAGER);
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    desk.tick(Duration::from_secs(1));
    let task = desk.shard.poll_compaction().unwrap();
    desk.ask(Request::Hold { log: LOG, from: Some(Offset(2)) }).unwrap();
    desk.shard.handle_compaction(desk.now, Some(task.run()));
    assert_eq!(compact(&mut desk), 0);
    assert_eq!(offsets(&mut desk), [0, 1, 2], "what is below its hold is compared too");
}

#[test]
fn a_pass_ends_when_its_log_goes_and_a_task_that_is_lost_is_begun_again() {
    let mut desk = desk_with(EAGER);
    for _ in 0..3 {
        put(&mut desk, &[("a", Some("v"))]);
    }
    desk.tick(Duration::from_secs(1));
    let task = desk.shard.poll_compaction().unwrap();
    assert!(desk.shard.poll_compaction().is_none(), "one at a time");
    desk.commit(vec![Op::LogDelete { log: LOG }]).unwrap();
    let config = LogConfig { compaction: Some(EAGER), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    for _ in 0..3 {
        put(&mut desk, &[("b", Some("v"))]);
    }
    desk.shard.handle_compaction(desk.now, Some(task.run()));
    assert!(compact(&mut desk) > 0);
    assert_eq!(offsets(&mut desk), [1, 2]);

    for _ in 0..2 {
        put(&mut desk, &[("b", Some("v"))]);
    }
    desk.tick(Duration::from_secs(1));
    drop(desk.shard.poll_compaction().unwrap());
    desk.shard.handle_compaction(desk.now, None);
    assert_eq!(desk.shard.stats().compaction_failures, 1);
    assert_eq!(compact(&mut desk), 0, "it is left alone for a while");
    desk.tick(Duration::from_secs(10));
    assert!(compact(&mut desk) > 0);
}

/// What was written, beside what a reader may see of it.
struct Model {
    records: BTreeMap<u64, (Seen, bool)>,
}

impl Model {
    /// Whatever is left is as it was written; whatever is gone has a newer record of its key, or was aborted, or deletes.
    fn judge(&self, desk: &mut Desk) {
        let left = seen(desk);
        assert!(left.is_sorted_by_key(|seen| seen.offset));
        let left: BTreeMap<u64, Seen> = left.into_iter().map(|seen| (seen.offset, seen)).collect();
        for (offset, seen) in &left {
            assert_eq!(&self.records[offset].0, seen, "another record than was written");
        }
        let newest = self.newest(u64::MAX);
        for (offset, (record, aborted)) in &self.records {
            let superseded = newest.get(&record.key).is_some_and(|newest| newest > offset);
            let may_go = superseded || *aborted || record.value.is_none();
            assert!(left.contains_key(offset) || may_go, "{record:?} is gone");
        }
        // A deletion that is gone took with it all that it deleted.
        for (key, newest) in &newest {
            let older = left
                .values()
                .any(|seen| seen.key == *key && seen.offset < *newest && !self.records[&seen.offset].1);
            assert!(left.contains_key(newest) || !older, "{key} is back");
        }
    }

    fn newest(&self, below: u64) -> BTreeMap<String, u64> {
        let counted = self.records.range(..below).filter(|(_, (_, aborted))| !aborted);
        counted.map(|(offset, (seen, _))| (seen.key.clone(), *offset)).collect()
    }

    /// As `judge`, once compaction has gone through all but the last stretch, which begins at `tail`.
    fn judge_compacted(&self, desk: &mut Desk, tail: u64) {
        self.judge(desk);
        let newest = self.newest(tail);
        for seen in seen(desk) {
            let is_newest = newest.get(&seen.key) == Some(&seen.offset);
            assert!(seen.offset >= tail || is_newest, "{seen:?} should be gone");
        }
    }
}

/// One batch of the transactional producer or of a plain one.
fn write(desk: &mut Desk, random: &mut Random, model: &mut Model, sequence: &mut i32, open: &mut Vec<u64>) {
    let codec = [Codec::None, Codec::Lz4, Codec::Zstd][random.index(3)];
    let count = 1 + random.index(4);
    let names: Vec<String> = (0..count).map(|_| format!("k{}", random.below(6))).collect();
    let values: Vec<Option<String>> =
        (0..count).map(|_| random.percent(80).then(|| format!("v{}", random.below(1000)))).collect();
    let pairs: Vec<(&str, Option<&str>)> =
        names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    let transactional = random.percent(30);
    let spec = if transactional {
        let base_sequence = *sequence;
        *sequence += i32::try_from(count).unwrap();
        BatchSpec {
            codec,
            transactional,
            producer_id: 5,
            producer_epoch: 0,
            base_sequence,
            ..BatchSpec::default()
        }
    } else {
        BatchSpec { codec, ..BatchSpec::default() }
    };
    let timestamp_ms = desk.now.wall_ms - i64::try_from(random.below(2000)).unwrap();
    let base = desk.append(keyed(spec, timestamp_ms, &pairs)).unwrap().base_offset.0;
    for (offset, (name, value)) in (base..).zip(names.iter().zip(&values)) {
        let producer_id = spec.producer_id;
        let record = Seen { offset, key: name.clone(), value: value.clone(), timestamp_ms, producer_id };
        model.records.insert(offset, (record, false));
        if transactional {
            open.push(offset);
        }
    }
}

/// Some of compaction's work; now and then the shard is opened again in the middle of it.
fn some_work(desk: &mut Desk, random: &mut Random, task: &mut Option<CompactionTask>) {
    desk.tick(Duration::from_millis(random.below(3000)));
    for _ in 0..random.below(4) {
        if random.percent(5) {
            desk.restart(Vec::new());
            *task = None;
        }
        match task.take() {
            Some(task) => desk.shard.handle_compaction(desk.now, Some(task.run())),
            None => *task = desk.shard.poll_compaction(),
        }
        if random.percent(80) {
            desk.shard.handle_durable(desk.now);
        }
    }
    desk.shard.handle_durable(desk.now);
    assert_eq!(desk.shard.violations(), []);
}

fn run(seed: u64) -> u64 {
    let mut random = Random(seed);
    let stretch_bytes = [1, 300, 2000][random.index(3)];
    let mut desk = desk_with(Compaction { stretch_bytes, deletes_stay_ms: 3000, ..EAGER });
    let mut model = Model { records: BTreeMap::new() };
    let (mut sequence, mut open, mut task) = (0, Vec::new(), None);
    for _ in 0..150 {
        match random.below(10) {
            0..6 => write(&mut desk, &mut random, &mut model, &mut sequence, &mut open),
            6 if !open.is_empty() => {
                let commit = random.percent(50);
                end(&mut desk, commit);
                for offset in std::mem::take(&mut open) {
                    model.records.get_mut(&offset).unwrap().1 = !commit;
                }
            }
            7 => model.judge(&mut desk),
            _ => some_work(&mut desk, &mut random, &mut task),
        }
    }
    if !open.is_empty() {
        end(&mut desk, true);
    }
    if let Some(task) = task {
        desk.shard.handle_compaction(desk.now, Some(task.run()));
    }
    // The last stretch is one batch of its own.
    let config =
        LogConfig { compaction: Some(Compaction { stretch_bytes: 1, ..EAGER }), ..LogConfig::default() };
    desk.commit(vec![Op::LogConfigure { log: LOG, config, epoch: None }]).unwrap();
    let tail = put(&mut desk, &[("tail", Some("v"))]);
    let timestamp_ms = desk.now.wall_ms;
    let record = Seen {
        offset: tail,
        key: "tail".to_owned(),
        value: Some("v".to_owned()),
        timestamp_ms,
        producer_id: -1,
    };
    model.records.insert(tail, (record, false));
    while compact(&mut desk) > 0 {}
    model.judge_compacted(&mut desk, tail);
    desk.restart(Vec::new());
    model.judge_compacted(&mut desk, tail);
    model.records.len() as u64 - offsets(&mut desk).len() as u64
}

#[test]
fn a_compacted_log_is_the_last_value_of_each_key_whatever_comes_between() {
    let seeds = std::env::var("SLUICE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut removed = 0;
    for seed in 0..seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        removed += outcome.unwrap_or_else(|reason| {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(reason);
        });
    }
    assert!(removed > seeds * 30, "the runs are too tame: {removed}");
}

#[test]
fn a_log_with_more_keys_than_memory_allows_is_compacted_in_several_passes() {
    let mut desk = desk_with(EAGER);
    let value = "x".repeat(200);
    for round in 0..3 {
        for key in 0..400 {
            put(&mut desk, &[(&format!("{key:0>2000}"), Some(&format!("{round}{value}")))]);
        }
    }
    put(&mut desk, &[("tail", Some("v"))]);
    let mut shard_passes = 0;
    while compact(&mut desk) > 0 {
        shard_passes += 1;
    }
    assert!(shard_passes > 0);
    assert_eq!(offsets(&mut desk).len(), 401);
}

/// The commit that a shard makes of a task is refused from outside.
#[test]
fn nobody_else_replaces_batches() {
    let mut desk = desk_with(EAGER);
    put(&mut desk, &[("a", Some("v"))]);
    let log = LogId::new(SHARD, 1);
    let replace = Op::LogReplace { log, base_offset: Offset(0), crc: 0, bytes: 0, batch: Some(Bytes::new()) };
    for op in [replace, Op::LogCleaned { log, to: Offset(1) }] {
        assert!(desk.ask(Request::Commit(Commit::of(vec![op]))).is_err());
    }
}
