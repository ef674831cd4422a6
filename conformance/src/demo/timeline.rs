//! When values were acknowledged, and by which node: phases, pauses, fences, as clients saw them.
//!
//! A fence is what a change of leader looks like from outside: the time from the last acknowledgement of the old
//! node to the first of the new one. Fences of several partitions that overlap are one.

use std::collections::BTreeMap;

/// Longest time that is kept, in ms: two hours. What comes later counts for its phase, but shows no pauses.
const SPAN_MS_MAX: usize = 2 * 3600 * 1000;

/// A phase as clients saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseSeen {
    /// Its name.
    pub phase: String,
    /// When the order to enter it was given, in ms since 1970.
    pub from_ms: u64,
    /// Values acknowledged in it.
    pub acknowledged: u64,
}

/// A change of leader as clients saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Last acknowledgement of the old leader, in ms since 1970.
    pub from_ms: u64,
    /// First acknowledgement of the new leader.
    pub until_ms: u64,
    /// Partitions that changed their leader in it.
    pub partitions: usize,
    /// Values acknowledged in other partitions in the meantime.
    pub acknowledged: u64,
}

impl Fence {
    /// How long it was.
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.until_ms.saturating_sub(self.from_ms)
    }
}

/// Clients report out of order by less than this: an acknowledgement of the leader before that comes so late is its own.
const LATE_MS: u64 = 50;

/// A time in which one node led a partition.
#[derive(Debug, Clone, Copy)]
struct Span {
    node: i32,
    first_ms: u64,
    last_ms: u64,
}

/// Acknowledgements over time.
#[derive(Debug, Default)]
pub struct Timeline {
    origin_ms: Option<u64>,
    /// Acknowledgements in each ms since the first.
    counts: Vec<u32>,
    phases: Vec<PhaseSeen>,
    /// By partition, oldest first: a node may lead again.
    spans: BTreeMap<usize, Vec<Span>>,
}

impl Timeline {
    pub(super) fn begin_phase(&mut self, name: &str, now_ms: u64) {
        self.phases.push(PhaseSeen { phase: name.to_owned(), from_ms: now_ms, acknowledged: 0 });
    }

    pub(super) fn acknowledged(&mut self, place: usize, node: i32, t_ms: u64) {
        let origin = *self.origin_ms.get_or_insert(t_ms.saturating_sub(1000));
        let index = usize::try_from(t_ms.saturating_sub(origin)).unwrap_or(usize::MAX);
        if index < SPAN_MS_MAX {
            if index >= self.counts.len() {
                self.counts.resize(index + 1, 0);
            }
            if let Some(count) = self.counts.get_mut(index) {
                *count = count.saturating_add(1);
            }
        }
        let spans = self.spans.entry(place).or_default();
        let span = match spans.as_mut_slice() {
            [.., last] if last.node == node => last,
            [.., before, last] if before.node == node && t_ms <= last.first_ms + LATE_MS => before,
            _ => spans.push_mut(Span { node, first_ms: t_ms, last_ms: t_ms }),
        };
        span.first_ms = span.first_ms.min(t_ms);
        span.last_ms = span.last_ms.max(t_ms);
        // A value that was acknowledged just before the first phase began belongs to none.
        if let Some(phase) = self.phases.iter_mut().rev().find(|phase| phase.from_ms <= t_ms) {
            phase.acknowledged += 1;
        }
    }

    /// The phases so far, oldest first.
    #[must_use]
    pub fn phases(&self) -> &[PhaseSeen] {
        &self.phases
    }

    /// Values acknowledged from `from_ms` to before `until_ms`.
    #[must_use]
    pub fn between(&self, from_ms: u64, until_ms: u64) -> u64 {
        self.slice(from_ms, until_ms).iter().map(|count| u64::from(*count)).sum()
    }

    fn slice(&self, from_ms: u64, until_ms: u64) -> &[u32] {
        let origin = self.origin_ms.unwrap_or(0);
        let index =
            |ms: u64| usize::try_from(ms.saturating_sub(origin)).unwrap_or(usize::MAX).min(self.counts.len());
        self.counts.get(index(from_ms)..index(until_ms)).unwrap_or_default()
    }

    /// Longest time without any acknowledgement in a stretch of time, in ms.
    #[must_use]
    pub fn longest_pause_ms(&self, from_ms: u64, until_ms: u64) -> u64 {
        let (mut longest, mut run) = (0_u64, 0_u64);
        for count in self.slice(from_ms, until_ms) {
            run = if *count == 0 { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest
    }

    /// Every change of leader, oldest first; those that overlap are one.
    pub(super) fn fences(&self) -> Vec<Fence> {
        let mut changes = Vec::new();
        for spans in self.spans.values() {
            for (old, new) in spans.iter().zip(spans.iter().skip(1)) {
                changes.push((old.last_ms.min(new.first_ms), new.first_ms));
            }
        }
        changes.sort_unstable();
        let mut fences: Vec<Fence> = Vec::new();
        for (from_ms, until_ms) in changes {
            match fences.last_mut() {
                Some(last) if from_ms <= last.until_ms => {
                    last.until_ms = last.until_ms.max(until_ms);
                    last.partitions += 1;
                }
                Some(_) | None => {
                    fences.push(Fence { from_ms, until_ms, partitions: 1, acknowledged: 0 });
                }
            }
        }
        for fence in &mut fences {
            fence.acknowledged = self.between(fence.from_ms + 1, fence.until_ms);
        }
        fences
    }
}
