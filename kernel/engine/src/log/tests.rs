//! The tables of a log beside simple models of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::collections::BTreeMap;

use kernel_model::batch::Marker;
use kernel_model::commit::{LogConfig, LogKind};
use kernel_model::position::{LogEpoch, Offset, Seq};

use super::Log;
use super::epochs::Epochs;
use super::meta::BatchMeta;

/// A small generator of even 64-bit numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn batch(base: u64, count: u64, producer_id: i64, attributes: i16, marker: Option<Marker>) -> BatchMeta {
    BatchMeta {
        base_offset: Offset(base),
        end_offset: Offset(base + count),
        size: 100,
        crc: u32::try_from(base).unwrap(),
        epoch: LogEpoch(0),
        attributes,
        max_timestamp_ms: 5,
        producer_id,
        producer_epoch: 0,
        base_sequence: -1,
        last_sequence: -1,
        record_count: u32::try_from(count).unwrap(),
        marker,
    }
}

/// What one transaction of the model did.
#[derive(Clone, Copy)]
struct Told {
    first: u64,
    last: Option<u64>,
    aborted: bool,
}

/// A log of random transactions by five producers, and the list of them.
fn random_log(random: &mut Random) -> (Log, Vec<Told>) {
    let config = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
    let mut log = Log::new(config, Offset(0));
    let mut told: Vec<Told> = Vec::new();
    let mut open: BTreeMap<i64, usize> = BTreeMap::new();
    let mut at = 0;
    for _ in 0..60 {
        let producer = i64::try_from(random.below(5)).unwrap();
        let count = 1 + random.below(3);
        match (random.below(4), open.get(&producer).copied()) {
            (0, Some(index)) => {
                let aborted = random.below(2) == 0;
                let marker = if aborted { Marker::Abort } else { Marker::Commit };
                log.append(batch(at, 1, producer, 0x30, Some(marker)));
                told[index] = Told { last: Some(at), aborted, ..told[index] };
                open.remove(&producer);
                at += 1;
                continue;
            }
            (0, None) => log.append(batch(at, count, -1, 0, None)),
            (_, known) => {
                if known.is_none() {
                    open.insert(producer, told.len());
                    told.push(Told { first: at, last: None, aborted: false });
                }
                log.append(batch(at, count, producer, 0x10, None));
            }
        }
        at += count;
    }
    (log, told)
}

#[test]
fn stable_end_and_aborted_index_are_what_a_list_of_all_transactions_says() {
    let mut lists = 0;
    for seed in 0..300 {
        let mut random = Random(seed);
        let (mut log, told) = random_log(&mut random);
        for seq in 1..=6 {
            let to = if seq == 6 { log.end } else { Offset(random.below(log.end.0 + 1)) };
            log.confirm(to);
            log.submitted(Seq(seq));
            log.release(Seq(seq));
            let high = log.high.0;
            let undecided = |one: &&Told| one.first < high && one.last.is_none_or(|last| last >= high);
            let stable = told.iter().filter(undecided).map(|one| one.first).min().unwrap_or(high);
            assert_eq!(log.stable(), Offset(stable), "seed {seed}");
            for _ in 0..10 {
                let from = random.below(stable + 1);
                let until = from + random.below(stable + 1 - from);
                let overlaps = |one: &&Told| {
                    one.aborted
                        && one.last.is_some_and(|last| last < high && last >= from)
                        && one.first < until
                };
                let mut expected: Vec<u64> = told.iter().filter(overlaps).map(|one| one.first).collect();
                let found = log.transactions.aborted_in(Offset(from), Offset(until));
                let mut found: Vec<u64> = found.iter().map(|aborted| aborted.first_offset.0).collect();
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "seed {seed}, {from}..{until}");
                lists += found.len();
            }
        }
    }
    assert!(lists > 1000, "the model met aborted transactions");
}

#[test]
fn a_truncated_tail_leaves_no_trace_in_any_table() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let (mut log, _) = random_log(&mut random);
        let to = log.confirmable(Offset(random.below(log.end.0 + 1)));
        log.confirm(to);
        log.recovered(0);
        let before = log.clone();
        log.truncate(to);
        assert_eq!(log.end, to);
        assert!(log.tail.is_empty());
        log.tail.clone_from(&before.tail);
        log.end = before.end;
        assert_eq!(log, before, "seed {seed}");
    }
}

#[test]
fn the_end_of_an_epoch_is_where_the_next_one_began() {
    let mut epochs = Epochs::default();
    let end_of = |epochs: &Epochs, epoch| {
        epochs.end_of(LogEpoch(epoch), Offset(90)).map(|(known, end)| (known.0, end.0))
    };
    assert_eq!(end_of(&epochs, 0), None);
    for (epoch, start) in [(2, 10), (3, 20), (5, 40), (5, 50), (4, 60), (7, 70), (8, 70)] {
        epochs.begin(LogEpoch(epoch), Offset(start));
    }
    let table = [(1, Some((1, 10))), (2, Some((2, 20))), (3, Some((3, 40))), (4, Some((3, 40)))];
    for (asked, expected) in table {
        assert_eq!(end_of(&epochs, asked), expected, "epoch {asked}");
    }
    assert_eq!(end_of(&epochs, 7), Some((5, 70)), "epoch 7 wrote nothing");
    assert_eq!(end_of(&epochs, 8), Some((8, 90)));
    assert_eq!(end_of(&epochs, 9), None);
    epochs.trim(Offset(30));
    assert_eq!(
        epochs.entries,
        [(LogEpoch(3), Offset(30)), (LogEpoch(5), Offset(40)), (LogEpoch(8), Offset(70))]
    );
}

#[test]
fn size_retention_keeps_at_least_its_bound() {
    let mut log = Log::new(LogConfig::default(), Offset(0));
    for base in 0..50 {
        log.append(BatchMeta { size: 1 << 20, ..batch(base, 1, -1, 0, None) });
    }
    assert_eq!(log.spans.retained_from(None, Some(10 << 20)), Some(Offset(40)));
    assert_eq!(log.spans.retained_from(None, Some((10 << 20) + 1)), Some(Offset(39)));
    assert_eq!(log.spans.retained_from(None, Some(100 << 20)), None);
    assert_eq!(log.spans.retained_from(Some(5), None), None, "not older than the bound");
    assert_eq!(log.spans.retained_from(Some(6), None), Some(Offset(50)));
}
