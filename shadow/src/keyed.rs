//! Two copies of a compacted log, compared by what compaction must keep: the newest record of each key.
//!
//! Each side, and on a cluster each replica, removes superseded records in its own time, so its batches say little. But
//! whatever was removed, the newest record of a key is the same on both sides: same offset, timestamp, value, headers. Only
//! a record without value may be gone from one side, with the whole key, once its time is over.
//!
//! A side that is being written has records above what is compared; those supersede records below it. Where keys differ
//! both sides are read on for just these keys, and a record that is missing counts as superseded where its side has a newer
//! one of its key:
//!
//! ```text
//!             compared │ written since
//!  legacy   a1  b1  a2 │
//!  kernel       b1     │ a3        a differs; a3 is newer than a2: superseded
//! ```
//!
//! Records of transactions count from their marker on; aborted ones never do. Memory is bounded: with too many keys every
//! second one is left out, as often as need be, the same ones on both sides.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::VerifiedBatch;
use kernel_model::batch::{BatchHeader, Record, Records, record_bytes};

use crate::compare::Side;

/// Keys of one side that are kept in mind.
const KEYS_MAX: usize = 1 << 18;
/// Differences that are kept with their particulars; more are only counted.
const DIFFERENCES_MAX: usize = 64;
/// Bytes that one batch may inflate to.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// The newest record of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Newest {
    offset: u64,
    /// Hash of all that the record says.
    content: u64,
    deletes: bool,
}

type Keys = BTreeMap<u64, Newest>;

/// One side as it is read.
#[derive(Debug, Default)]
struct Reading {
    keys: Keys,
    /// Of transactions whose marker has not come yet, by producer.
    undecided: BTreeMap<i64, Keys>,
    /// Batches whose records cannot be read.
    unreadable: u64,
    /// Newest records at or above the end, of keys that differ below it.
    later: Keys,
}

/// A comparison under way.
#[derive(Debug)]
pub struct KeyComparison {
    from: u64,
    end: u64,
    legacy: Reading,
    kernel: Reading,
    /// Only keys whose hash has these bits clear are kept in mind.
    left_out: u64,
    /// Keys that differ below the end, once both sides are read up to there.
    unsettled: BTreeSet<u64>,
    /// Deletions above the end may have been forgotten on the kernel by now.
    forgets: bool,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference {
    /// Where: the newer one of the two records.
    pub offset: u64,
    /// What, without anything of the record.
    pub detail: String,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeysFound {
    /// Keys whose newest record is the same.
    pub equal: u64,
    /// Keys that one side has deleted and forgotten, where the other still says that it is deleted.
    pub forgotten: u64,
    /// Keys of which one side has a record that is newer than all that was compared, and no longer what it superseded.
    pub superseded: u64,
    /// Keys whose newest record differs, or that one side lacks.
    pub differing: u64,
    /// One key in so many was looked at.
    pub one_in: u64,
    /// Batches whose records cannot be read, on both sides together.
    pub unreadable: u64,
    /// The first differences, by offset.
    pub differences: Vec<KeyDifference>,
}

impl KeysFound {
    /// Whether every key that was looked at is the same, and all could be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differing == 0 && self.unreadable == 0
    }
}

impl KeyComparison {
    /// Compares `from..end`.
    #[must_use]
    pub fn new(from: u64, end: u64) -> Self {
        Self {
            from,
            end,
            legacy: Reading::default(),
            kernel: Reading::default(),
            left_out: 0,
            unsettled: BTreeSet::new(),
            forgets: false,
        }
    }

    /// The kernel has led for so long that it may have forgotten keys that were deleted above the end: what is gone
    /// from it without a trace counts as forgotten.
    pub fn kernel_forgets(&mut self) {
        self.forgets = true;
    }

    /// Takes a batch of one side; batches come in order. Takes time in proportion to what it inflates to.
    pub fn take(&mut self, side: Side, batch: &VerifiedBatch) {
        let (from, end, left_out) = (self.from, self.end, self.left_out);
        if batch.header().base_offset.0 < end {
            self.side(side).read(batch, |key, offset| key & left_out == 0 && (from..end).contains(&offset));
            self.thin_out();
        }
    }

    /// Whether some keys differ so far, both sides having been read to the end of what is compared: both are then to be read
    /// on, to [`take_later`](Self::take_later).
    pub fn is_unsettled(&mut self) -> bool {
        self.unsettled =
            self.pairs().filter(|(_, pair)| pair.lacks().is_some()).map(|(key, _)| key).collect();
        for reading in [&mut self.legacy, &mut self.kernel] {
            reading.undecided.clear();
        }
        !self.unsettled.is_empty()
    }

    /// Takes a batch of one side, of those that hold the end or come after it, in order.
    pub fn take_later(&mut self, side: Side, batch: &VerifiedBatch) {
        let unsettled = std::mem::take(&mut self.unsettled);
        let end = self.end;
        let reading = self.side(side);
        std::mem::swap(&mut reading.keys, &mut reading.later);
        reading.read(batch, |key, offset| offset >= end && unsettled.contains(&key));
        std::mem::swap(&mut reading.keys, &mut reading.later);
        self.unsettled = unsettled;
    }

    fn side(&mut self, side: Side) -> &mut Reading {
        match side {
            Side::Legacy => &mut self.legacy,
            Side::Kernel => &mut self.kernel,
        }
    }

    /// Leaves every second key out while there are too many.
    fn thin_out(&mut self) {
        while self.legacy.len().max(self.kernel.len()) > KEYS_MAX {
            self.left_out = self.left_out << 1 | 1;
            let left_out = self.left_out;
            for reading in [&mut self.legacy, &mut self.kernel] {
                let undecided = reading.undecided.values_mut();
                undecided
                    .chain([&mut reading.keys])
                    .for_each(|keys| keys.retain(|key, _| key & left_out == 0));
            }
        }
    }

    /// Each key with what both sides have of it.
    fn pairs(&self) -> impl Iterator<Item = (u64, Pair)> {
        let (legacy, kernel) = (&self.legacy, &self.kernel);
        let only_kernel = kernel.keys.keys().filter(|key| !legacy.keys.contains_key(key));
        legacy.keys.keys().chain(only_kernel).map(|key| {
            let of = |keys: &Keys| keys.get(key).copied();
            (*key, Pair { legacy: of(&legacy.keys), kernel: of(&kernel.keys) })
        })
    }

    /// What has come out, once both sides are read.
    #[must_use]
    pub fn found(&self) -> KeysFound {
        let unreadable = self.legacy.unreadable + self.kernel.unreadable;
        let mut found = KeysFound { one_in: self.left_out + 1, unreadable, ..KeysFound::default() };
        for (key, pair) in self.pairs() {
            let later = |side| match side {
                Side::Legacy => self.legacy.later.contains_key(&key),
                Side::Kernel => self.kernel.later.contains_key(&key),
            };
            let gone = self.forgets && pair.kernel.is_none();
            match pair.lacks() {
                None => found.equal += 1,
                Some(Lack::Of(side)) if later(side) => found.superseded += 1,
                Some(_) if pair.is_deletion_forgotten() || gone => found.forgotten += 1,
                Some(_) => found.differ(&pair),
            }
        }
        found.differences.sort_by_key(|difference| difference.offset);
        found
    }
}

/// The newest record of one key on both sides; one of them at least has it.
#[derive(Debug, Clone, Copy)]
struct Pair {
    legacy: Option<Newest>,
    kernel: Option<Newest>,
}

/// In what the sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// This side has an older record, or none.
    Of(Side),
    /// The records at one offset are not the same.
    Content,
}

impl Pair {
    fn lacks(&self) -> Option<Lack> {
        let at = |newest: &Option<Newest>| newest.map(|newest| newest.offset);
        match at(&self.legacy).cmp(&at(&self.kernel)) {
            std::cmp::Ordering::Less => Some(Lack::Of(Side::Legacy)),
            std::cmp::Ordering::Greater => Some(Lack::Of(Side::Kernel)),
            std::cmp::Ordering::Equal => (self.legacy != self.kernel).then_some(Lack::Content),
        }
    }

    fn is_deletion_forgotten(&self) -> bool {
        match (self.legacy, self.kernel) {
            (Some(alone), None) | (None, Some(alone)) => alone.deletes,
            (Some(_), Some(_)) | (None, None) => false,
        }
    }

    fn detail(&self) -> String {
        match (self.legacy, self.kernel) {
            (Some(legacy), Some(kernel)) if legacy.offset == kernel.offset => {
                format!("the record at {} is the newest of its key, and differs", legacy.offset)
            }
            (Some(legacy), Some(kernel)) => format!(
                "the newest record of a key is at {} on legacy, at {} on the kernel",
                legacy.offset, kernel.offset
            ),
            (Some(legacy), None) => {
                format!("only legacy has the key whose newest record is at {}", legacy.offset)
            }
            (None, Some(kernel)) => {
                format!("only the kernel has the key whose newest record is at {}", kernel.offset)
            }
            (None, None) => String::new(),
        }
    }
}

impl Reading {
    /// Notes the records of a batch whose key (as a hash) and offset are wanted.
    fn read(&mut self, batch: &VerifiedBatch, wanted: impl Fn(u64, u64) -> bool) {
        let header = batch.header();
        let Ok(plain) = record_bytes(batch, INFLATED_BYTES_MAX) else {
            self.unreadable += 1;
            return;
        };
        for record in Records::new(&plain, header.record_count) {
            let Ok(record) = record else {
                self.unreadable += 1;
                break;
            };
            if header.is_control() {
                self.decide(header, &record);
                continue;
            }
            let offset = header.base_offset.0.saturating_add(u64::try_from(record.offset_delta).unwrap_or(0));
            let Some(key) = record.key.map(hash).filter(|key| wanted(*key, offset)) else { continue };
            let content = content(header, &record);
            self.note(header, key, Newest { offset, content, deletes: record.value.is_none() });
        }
    }

    /// Keys in memory.
    fn len(&self) -> usize {
        self.keys.len() + self.undecided.values().map(Keys::len).sum::<usize>()
    }

    fn note(&mut self, header: &BatchHeader, key: u64, newest: Newest) {
        let keys = if header.is_transactional() {
            self.undecided.entry(header.producer_id).or_default()
        } else {
            &mut self.keys
        };
        keys.insert(key, newest);
    }

    /// A marker: what its producer wrote counts, or never did. A record of another that came in between is newer.
    fn decide(&mut self, header: &BatchHeader, marker: &Record<'_>) {
        let Some(decided) = self.undecided.remove(&header.producer_id) else { return };
        let committed = marker.key.and_then(|key| key.get(2..4)) == Some(&[0, 1]);
        for (key, newest) in decided.into_iter().filter(|_| committed) {
            let known = self.keys.entry(key).or_insert(newest);
            if known.offset < newest.offset {
                *known = newest;
            }
        }
    }
}

impl KeysFound {
    fn differ(&mut self, pair: &Pair) {
        self.differing += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            let offset = pair.legacy.into_iter().chain(pair.kernel).map(|newest| newest.offset).max();
            self.differences.push(KeyDifference { offset: offset.unwrap_or(0), detail: pair.detail() });
        }
    }
}

fn content(header: &BatchHeader, record: &Record<'_>) -> u64 {
    let own_ms = header.base_timestamp_ms.saturating_add(record.timestamp_delta);
    let timestamp_ms = if header.is_append_stamped() { header.max_timestamp_ms } else { own_ms };
    let mut hash = timestamp_ms.cast_unsigned();
    let headers = record.headers().flat_map(|(name, value)| [Some(name), value]);
    for part in [record.value].into_iter().chain(headers) {
        // Absent and empty are not the same.
        hash = mix(hash, u64::from(part.is_some()));
        hash = part.map_or(hash, |part| mix(hash, self::hash(part)));
    }
    hash
}

fn hash(bytes: &[u8]) -> u64 {
    let chunks = bytes.chunks(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    chunks.fold(mix(0, bytes.len() as u64), mix)
}

/// Two words into one: for chance, not against malice.
fn mix(state: u64, word: u64) -> u64 {
    kernel_model::batch::chain_next(state, kernel_model::Offset(word), 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use kernel_model::Offset;
    use kernel_model::batch::{BatchSpec, NewRecord};

    use super::*;

    fn at(base: u64, key: &str, value: Option<&str>) -> VerifiedBatch {
        let spec = BatchSpec { base_offset: Offset(base), ..BatchSpec::default() };
        of(spec, key.as_bytes(), value.map(str::as_bytes))
    }

    fn of(spec: BatchSpec, key: &[u8], value: Option<&[u8]>) -> VerifiedBatch {
        let record = NewRecord { timestamp_ms: 7, key: Some(key), value, headers: &[(b"h", None)] };
        spec.encode(&[record]).unwrap()
    }

    fn compared(legacy: &[VerifiedBatch], kernel: &[VerifiedBatch]) -> KeysFound {
        let mut comparison = KeyComparison::new(0, 100);
        legacy.iter().for_each(|batch| comparison.take(Side::Legacy, batch));
        kernel.iter().for_each(|batch| comparison.take(Side::Kernel, batch));
        comparison.found()
    }

    #[test]
    fn what_was_superseded_may_be_missing_on_either_side() {
        let all = [at(0, "a", Some("1")), at(1, "b", Some("1")), at(2, "a", Some("2"))];
        for (legacy, kernel) in [(&all[..], &all[1..]), (&all[1..], &all[..])] {
            let found = compared(legacy, kernel);
            assert_eq!((found.equal, found.differing, found.one_in), (2, 0, 1));
            assert!(found.is_clean());
        }
    }

    #[test]
    fn a_newest_record_that_is_missing_or_other_is_a_difference() {
        let all = [at(0, "a", Some("1")), at(1, "b", Some("1")), at(2, "a", Some("2"))];
        let missing = compared(&all, &all[..2]);
        assert_eq!((missing.equal, missing.differing), (1, 1));
        assert_eq!(missing.differences[0].offset, 2);
        assert_eq!(compared(&all, &[at(2, "a", Some("2"))]).differing, 1, "a whole key is missing");
        let other = [at(1, "b", Some("1")), at(2, "a", Some("3"))];
        assert_eq!(compared(&all, &other).differing, 1);
        assert_eq!(compared(&all, &[at(1, "b", None), at(2, "a", Some("2"))]).differing, 1);
    }

    #[test]
    fn what_a_record_above_the_end_supersedes_may_be_gone_from_its_side() {
        let all = [at(0, "a", Some("1")), at(1, "b", Some("1")), at(2, "a", Some("2"))];
        for (lacking, other) in [(Side::Legacy, Side::Kernel), (Side::Kernel, Side::Legacy)] {
            let mut comparison = KeyComparison::new(0, 3);
            all.iter().for_each(|batch| comparison.take(other, batch));
            comparison.take(lacking, &all[1]);
            assert!(comparison.is_unsettled());
            assert_eq!(comparison.found().differing, 1);
            comparison.take_later(other, &at(3, "a", Some("3")));
            comparison.take_later(lacking, &at(3, "b", Some("3")));
            assert_eq!(comparison.found().differing, 1, "the other side's newer record explains nothing");
            comparison.take_later(lacking, &at(4, "a", None));
            let found = comparison.found();
            assert_eq!((found.equal, found.superseded, found.differing), (1, 1, 0));
        }
        let mut comparison = KeyComparison::new(0, 3);
        comparison.take(Side::Legacy, &at(2, "a", Some("2")));
        comparison.take(Side::Kernel, &at(2, "a", Some("3")));
        assert!(comparison.is_unsettled());
        comparison.take_later(Side::Kernel, &at(4, "a", Some("4")));
        assert_eq!(comparison.found().differing, 1, "another content at one offset is no compaction");
    }

    #[test]
    fn what_is_gone_without_a_trace_counts_as_forgotten_only_when_the_kernel_may_forget() {
        let mut comparison = KeyComparison::new(0, 3);
        comparison.take(Side::Legacy, &at(2, "a", Some("2")));
        assert_eq!(comparison.found().differing, 1);
        comparison.kernel_forgets();
        assert_eq!((comparison.found().differing, comparison.found().forgotten), (0, 1));
        let mut comparison = KeyComparison::new(0, 3);
        comparison.take(Side::Kernel, &at(2, "a", Some("2")));
        comparison.kernel_forgets();
        assert_eq!(comparison.found().differing, 1, "legacy gets no deletions any more");
    }

    #[test]
    fn a_deleted_key_may_be_forgotten_on_one_side() {
        let legacy = [at(0, "a", Some("1")), at(1, "a", None)];
        let found = compared(&legacy, &[]);
        assert_eq!((found.forgotten, found.differing), (1, 0));
        assert_eq!(compared(&legacy, &legacy[..1]).differing, 1, "but not while its value is there");
    }

    #[test]
    fn aborted_records_count_nowhere_and_committed_ones_from_their_marker_on() {
        let spec = |base, control| BatchSpec {
            base_offset: Offset(base),
            transactional: true,
            control,
            producer_id: 4,
            producer_epoch: 0,
            ..BatchSpec::default()
        };
        let written = of(spec(0, false), b"a", Some(b"1"));
        let abort = of(spec(1, true), &[0, 0, 0, 0], Some(&[0; 6]));
        let commit = of(spec(1, true), &[0, 0, 0, 1], Some(&[0; 6]));
        assert_eq!(compared(&[written.clone(), abort], &[]).differing, 0);
        assert_eq!(compared(&[written.clone(), commit.clone()], &[]).differing, 1);
        assert_eq!(compared(&[written.clone(), commit.clone()], &[written, commit]).equal, 1);
    }

    #[test]
    fn with_too_many_keys_the_same_ones_are_left_out_on_both_sides() {
        let mut comparison = KeyComparison::new(0, u64::MAX);
        let total = KEYS_MAX as u64 + 10;
        let names: Vec<String> = (0..1000).map(|name| name.to_string()).collect();
        for side in [Side::Legacy, Side::Kernel] {
            for block in (0..total).step_by(1000) {
                let keys: Vec<String> = names.iter().map(|name| format!("{block}-{name}")).collect();
                let records: Vec<NewRecord<'_>> = keys
                    .iter()
                    .map(|key| NewRecord {
                        key: Some(key.as_bytes()),
                        value: Some(b"v"),
                        ..NewRecord::default()
                    })
                    .collect();
                let spec = BatchSpec { base_offset: Offset(block), ..BatchSpec::default() };
                comparison.take(side, &spec.encode(&records).unwrap());
            }
        }
        let found = comparison.found();
        assert_eq!((found.one_in, found.differing, found.forgotten), (2, 0, 0));
        assert!(found.equal > total / 3 && found.equal < total * 2 / 3, "{}", found.equal);
    }
}
