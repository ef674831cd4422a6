//! The hash that a mirror feed keeps over what legacy has shown of a partition, with marks to begin from later.
//!
//! It goes over each final batch's base offset and [fingerprint](kernel_model::batch::fingerprint), in order, by [`chain_next`]: the checksum covers
//! everything behind itself, from the attributes (which say codec, timestamp type, transaction) and the offset delta
//! of the last record on, so nothing that both sides must share is left out. The feed reckons it from legacy's own
//! bytes; the kernel reckons its own from what it stored. The feed begins where the kernel's copy ends when it
//! finds it, with the kernel's hash: so it goes on over restarts, and over what retention has removed since.

use std::collections::VecDeque;

use kernel_model::Offset;
use kernel_model::batch::{BatchHeader, chain_next};

/// Marks that are kept; when there are more, every other one goes.
const MARKS_MAX: usize = 16;
/// Batches between two marks, at first.
const MARK_EVERY: u64 = 256;
/// Batches that wait to become final. What waits beyond them is not counted, and the hash is given up.
const WAITING_MAX: usize = 65_536;

/// The hash at one offset, over every batch below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStatus {
    /// Everything below is counted.
    pub end: u64,
    /// The hash there.
    pub value: u64,
    /// Offsets with the hash there, ascending; the first is where the feed began.
    pub marks: Vec<(u64, u64)>,
}

/// The hash of one partition.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    at: Option<(u64, u64)>,
    marks: VecDeque<(u64, u64)>,
    every: u64,
    since_mark: u64,
    /// Base offset, end and fingerprint of batches that legacy may still lose.
    waiting: VecDeque<(u64, u64, u32)>,
}

impl Chain {
    /// The kernel's copy ends here, with this hash: goes on from it, unless it is counted already.
    pub(crate) fn begin(&mut self, end: u64, value: u64) {
        if self.at.is_none() {
            *self = Self { at: Some((end, value)), every: MARK_EVERY, ..Self::default() };
            self.marks.push_back((end, value));
        }
    }

    /// What was counted is not followed any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Legacy has shown this batch, with this fingerprint.
    pub(crate) fn show(&mut self, header: &BatchHeader, print: u32) {
        let Some((counted, _)) = self.at else { return };
        let base = header.base_offset.0;
        self.waiting.retain(|(_, end, _)| *end <= base);
        if self.waiting.len() >= WAITING_MAX {
            return self.forget();
        }
        if base >= counted {
            self.waiting.push_back((base, header.end_offset().0, print));
        }
    }

    /// Everything below is final on legacy.
    pub(crate) fn settle(&mut self, high_watermark: u64) {
        while let (Some((_, value)), Some((base, end, print))) = (self.at, self.waiting.front().copied()) {
            if end > high_watermark {
                return;
            }
            self.waiting.pop_front();
            let value = chain_next(value, Offset(base), print);
            self.at = Some((end, value));
            self.since_mark += 1;
            if self.since_mark >= self.every {
                self.mark(end, value);
            }
        }
    }

    fn mark(&mut self, end: u64, value: u64) {
        self.since_mark = 0;
        self.marks.push_back((end, value));
        if self.marks.len() > MARKS_MAX {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
            self.every = self.every.saturating_mul(2);
        }
    }

    pub(crate) fn status(&self) -> Option<ChainStatus> {
        let (end, value) = self.at?;
        Some(ChainStatus { end, value, marks: self.marks.iter().copied().collect() })
    }
}

#[cfg(test)]
mod tests {
    use kernel_model::LogEpoch;

    use super::*;

    fn batch(base: u64) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(base),
            size: 100,
            leader_epoch: LogEpoch(0),
            crc: u32::try_from(base).unwrap() ^ 0xabcd,
            attributes: 0,
            last_offset_delta: 9,
            base_timestamp_ms: 0,
            max_timestamp_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 10,
        }
    }

    fn show(chain: &mut Chain, batch: &BatchHeader) {
        chain.show(batch, batch.crc);
    }

    fn expected(from: u64, to: u64) -> u64 {
        let bases = (from..to).step_by(10);
        bases.fold(3, |chain, base| chain_next(chain, Offset(base), batch(base).crc))
    }

    #[test]
    fn it_counts_what_is_final_once_however_often_it_is_shown() {
        let mut chain = Chain::default();
        show(&mut chain, &batch(0));
        assert_eq!(chain.status(), None, "nothing before the kernel's copy was found");
        chain.begin(100, 3);
        for base in [90, 100, 110, 120, 110, 120, 130] {
            show(&mut chain, &batch(base));
            chain.settle(130);
        }
        let status = chain.status().unwrap();
        assert_eq!((status.end, status.value), (130, expected(100, 130)));
        chain.begin(500, 9);
        chain.settle(140);
        assert_eq!(chain.status().unwrap().value, expected(100, 140), "the last one waited");
    }

    #[test]
    fn a_tail_that_legacy_lost_is_not_counted() {
        let mut chain = Chain::default();
        chain.begin(0, 3);
        show(&mut chain, &batch(0));
        show(&mut chain, &batch(10));
        let mut other = batch(10);
        other.crc = 1;
        show(&mut chain, &other);
        chain.settle(20);
        assert_eq!(chain.status().unwrap().value, chain_next(expected(0, 10), Offset(10), 1));
    }

    #[test]
    fn marks_are_bounded_and_each_is_the_hash_at_its_offset() {
        let mut chain = Chain::default();
        chain.begin(0, 3);
        for base in (0..200_000).step_by(10) {
            show(&mut chain, &batch(base));
            chain.settle(base + 10);
        }
        let status = chain.status().unwrap();
        assert!((MARKS_MAX / 2..=MARKS_MAX).contains(&status.marks.len()), "{}", status.marks.len());
        assert_eq!(status.marks[0], (0, 3));
        for (at, value) in status.marks {
            assert_eq!(value, expected(0, at), "{at}");
        }
    }
}
