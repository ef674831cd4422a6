//! A store that is slow and goes wrong, by a seed: the proof that nothing above relies on a kind one.
//!
//! It wraps a held [`MemoryStore`]. Commits become durable a fixed time after they were taken, on the time that
//! the test hands in; fencing, a full disk and a stop come at random; a crash keeps a random part of what was
//! not yet durable.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::reply::Chunk;
use kernel_model::{Commit, KernelError, LogId, Now, Offset, Seq};

use super::memory::MemoryStore;
use super::{FoundBatch, KvEntry, MaintainReport, ShardStore, StoreStats, only_removes};

/// What goes wrong, and how often. Chances are per submitted commit, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// From submit to durable.
    pub durability: Duration,
    /// Chance that a newer owner appears.
    pub fenced_ppm: u32,
    /// Chance that the disk is full from now on, for `full_for`.
    pub full_ppm: u32,
    /// How long it stays full.
    pub full_for: Duration,
    /// Chance that a sync fails: nothing more becomes durable.
    pub stopped_ppm: u32,
    /// Chance that this one commit is refused with `Overloaded`.
    pub overloaded_ppm: u32,
}

impl Faults {
    /// Slow (200 ms), and nothing else.
    #[must_use]
    pub const fn slow() -> Self {
        Self {
            durability: Duration::from_millis(200),
            fenced_ppm: 0,
            full_ppm: 0,
            full_for: Duration::from_millis(500),
            stopped_ppm: 0,
            overloaded_ppm: 0,
        }
    }

    /// Slow, with every fault about once in a few hundred commits.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            fenced_ppm: 2_000,
            full_ppm: 5_000,
            stopped_ppm: 2_000,
            overloaded_ppm: 10_000,
            ..Self::slow()
        }
    }
}

/// The store.
#[derive(Debug)]
pub struct FaultyStore {
    inner: MemoryStore,
    faults: Faults,
    random: SplitMix,
    now: Duration,
    /// When which commit becomes durable.
    due: VecDeque<(Duration, Seq)>,
    full_until: Option<Duration>,
    ended: Option<KernelError>,
}

impl FaultyStore {
    /// Wraps `inner`, which it holds; equal seeds and calls give equal faults.
    #[must_use]
    pub fn new(mut inner: MemoryStore, faults: Faults, seed: u64) -> Self {
        inner.hold();
        Self {
            inner,
            faults,
            random: SplitMix(seed),
            now: Duration::ZERO,
            due: VecDeque::new(),
            full_until: None,
            ended: None,
        }
    }

    /// Hands in the time (as [`ShardStore::maintain`] does) and makes durable what is due.
    pub fn advance(&mut self, now: Now) {
        self.now = self.now.max(now.elapsed);
        if self.full_until.is_some_and(|until| until <= self.now) {
            self.full_until = None;
        }
        if self.ended.is_some() {
            return;
        }
        while self.due.front().is_some_and(|(due, _)| *due <= self.now) {
            if let Some((_, seq)) = self.due.pop_front() {
                self.inner.settle(seq);
            }
        }
    }

    /// When the next commit becomes durable, on the monotonic clock.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.front().map(|(due, _)| *due)
    }

    /// From now on every call answers `error` ([`KernelError::Fenced`], [`KernelError::Stopped`]).
    pub fn end(&mut self, error: KernelError) {
        self.ended.get_or_insert(error);
    }

    /// Fills the disk until [`Self::advance`] passes `until`.
    pub fn fill(&mut self, until: Duration) {
        self.full_until = Some(until);
    }

    /// Crashes: of what was not durable a random part from the front survives, as on a real disk.
    pub fn crash(mut self) {
        let waiting = u64::try_from(self.due.len()).unwrap_or(0);
        let kept = usize::try_from(self.random.below(waiting + 1)).unwrap_or(0);
        if let Some((_, seq)) = kept.checked_sub(1).and_then(|last| self.due.get(last)) {
            self.inner.settle(*seq);
        }
        self.inner.crash();
    }

    fn check(&self) -> Result<(), KernelError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    fn strikes(&mut self, ppm: u32) -> bool {
        // Drawn whatever the chance is, so that one chance set to zero leaves the others' draws alone.
        self.random.below(1_000_000) < u64::from(ppm)
    }

    fn draw_faults(&mut self, commit: &Commit) -> Result<(), KernelError> {
        if self.strikes(self.faults.fenced_ppm) {
            self.end(KernelError::Fenced);
        }
        if self.strikes(self.faults.stopped_ppm) {
            self.end(KernelError::Stopped("injected: sync failed".to_owned()));
        }
        if self.strikes(self.faults.full_ppm) {
            self.fill(self.now.saturating_add(self.faults.full_for));
        }
        let overloaded = self.strikes(self.faults.overloaded_ppm);
        self.check()?;
        if self.full_until.is_some() && !only_removes(commit) {
            return Err(KernelError::Full);
        }
        if overloaded { Err(KernelError::Overloaded) } else { Ok(()) }
    }
}

impl ShardStore for FaultyStore {
    fn submit(&mut self, commit: &Commit) -> Result<Seq, KernelError> {
        self.check()?;
        self.draw_faults(commit)?;
        let seq = self.inner.submit(commit)?;
        self.due.push_back((self.now.saturating_add(self.faults.durability), seq));
        Ok(seq)
    }

    fn durable(&mut self) -> Result<Seq, KernelError> {
        self.check()?;
        self.inner.durable()
    }

    fn read(
        &self,
        log: LogId,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Vec<Chunk>, KernelError> {
        self.inner.read(log, from, end, bytes_max, at_least_one)
    }

    fn find_by_time(
        &self,
        log: LogId,
        timestamp_ms: Option<i64>,
        end: Offset,
    ) -> Result<Option<FoundBatch>, KernelError> {
        self.inner.find_by_time(log, timestamp_ms, end)
    }

    fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.inner.get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        self.inner.scan(prefix, after, entries_max)
    }

    fn checkpoint(&mut self, seq: Seq, state: Vec<(Bytes, Option<Bytes>)>) -> Result<(), KernelError> {
        self.check()?;
        self.inner.checkpoint(seq, state)
    }

    fn recover(
        &mut self,
        state: &mut dyn FnMut(Bytes, Bytes),
        replay: &mut dyn FnMut(Seq, Commit),
    ) -> Result<Seq, KernelError> {
        self.inner.recover(state, replay)
    }

    fn maintain(&mut self, now: Now) -> Result<MaintainReport, KernelError> {
        self.advance(now);
        self.check()?;
        let report = self.inner.maintain(now)?;
        Ok(MaintainReport { full: self.full_until.is_some(), ..report })
    }

    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }
}

/// A small generator of even 64-bit numbers (splitmix64), so that a seed is all a run depends on.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    /// Next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use kernel_model::{Op, OwnerEpoch};

    use super::super::memory::MemoryDisk;
    use super::*;

    fn put(value: u64) -> Commit {
        let value = Bytes::copy_from_slice(&value.to_be_bytes());
        Commit::of(vec![Op::KvPut { key: "k".into(), value, expires_ms: None }])
    }

    fn open(disk: &MemoryDisk, epoch: u64, faults: Faults, seed: u64) -> (FaultyStore, Seq) {
        let inner = MemoryStore::open(disk, OwnerEpoch(epoch)).unwrap();
        let mut store = FaultyStore::new(inner, faults, seed);
        let last = store.recover(&mut |_, _| {}, &mut |_, _| {}).unwrap();
        (store, last)
    }

    fn at(ms: u64) -> Now {
        Now::new(Duration::from_millis(ms), 0)
    }

    #[test]
    fn a_commit_is_visible_at_once_and_durable_after_its_time() {
        let (mut store, _) = open(&MemoryDisk::default(), 1, Faults::slow(), 1);
        store.advance(at(10));
        store.submit(&put(1)).unwrap();
        assert!(store.get(b"k").unwrap().is_some());
        store.advance(at(209));
        assert_eq!(store.durable(), Ok(Seq(0)));
        store.advance(at(210));
        assert_eq!(store.durable(), Ok(Seq(1)));
    }

    #[test]
    fn a_crash_keeps_what_was_durable_and_some_of_the_rest() {
        let mut survivors = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let disk = MemoryDisk::default();
            let (mut store, _) = open(&disk, 1, Faults::slow(), seed);
            store.submit(&put(1)).unwrap();
            store.advance(at(200));
            store.submit(&put(2)).unwrap();
            store.submit(&put(3)).unwrap();
            store.crash();
            survivors.insert(open(&disk, 2, Faults::slow(), seed).1);
        }
        assert_eq!(survivors, [Seq(1), Seq(2), Seq(3)].into());
    }

    #[test]
    fn a_full_store_takes_removals_and_recovers() {
        let (mut store, _) = open(&MemoryDisk::default(), 1, Faults::slow(), 1);
        store.fill(Duration::from_millis(50));
        assert_eq!(store.submit(&put(1)), Err(KernelError::Full));
        assert_eq!(store.submit(&Commit::of(vec![Op::KvDelete { key: "k".into() }])), Ok(Seq(1)));
        store.advance(at(50));
        assert_eq!(store.submit(&put(1)), Ok(Seq(2)));
    }

    #[test]
    fn equal_seeds_give_equal_faults_and_every_fault_comes() {
        let run = |seed| -> Vec<Result<Seq, KernelError>> {
            let (mut store, _) = open(&MemoryDisk::default(), 1, Faults::all(), seed);
            (0..200).map(|n| store.submit(&put(n))).collect()
        };
        let mut all = Vec::new();
        for seed in 0..32 {
            let outcomes = run(seed);
            assert_eq!(outcomes, run(seed));
            all.extend(outcomes);
        }
        assert!(all.contains(&Err(KernelError::Fenced)));
        assert!(all.contains(&Err(KernelError::Full)));
        assert!(all.contains(&Err(KernelError::Overloaded)));
        assert!(all.iter().any(|outcome| matches!(outcome, Err(KernelError::Stopped(_)))));
    }
}
