//! Two copies of a log, compared batch by batch as they are read: what one of them lacks or has otherwise.
//!
//! Whoever drives this reads both sides by itself and hands in what their batches' headers say, each side in order.
//! The checksum of a batch covers everything from its attributes on (attributes, offset deltas, timestamps, producer,
//! sequence, records), so base offset and checksum together are all that both sides must share; the other fields
//! are kept to say *what* differs. The leader epoch lies outside the checksum and is compared by itself, in the
//! epochs that clients see. Of a transaction's marker whoever wrote it chose the timestamp: what counts is what it says.

use std::collections::VecDeque;

use kernel_model::VerifiedBatch;
use kernel_model::batch::{Marker, chain_next, fingerprint};

/// Differences that are kept with their particulars; more are only counted.
pub const DIFFERENCES_MAX: usize = 64;

/// What a batch is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// First offset.
    pub base: u64,
    /// Offset after the last.
    pub end: u64,
    /// Checksum; of a marker what it says, see [`kernel_model::batch::fingerprint`].
    pub crc: u32,
    /// Leader epoch, as clients see it.
    pub epoch: i32,
    /// Codec, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// Producer id, or −1.
    pub producer_id: i64,
    /// Its epoch, or −1.
    pub producer_epoch: i16,
    /// First sequence number, or −1.
    pub base_sequence: i32,
    /// Timestamp of the first record; −1 of a marker.
    pub base_timestamp_ms: i64,
    /// Greatest timestamp; −1 of a marker.
    pub max_timestamp_ms: i64,
    /// Number of records.
    pub records: u32,
}

impl Print {
    /// What this batch says.
    #[must_use]
    pub fn of(batch: &VerifiedBatch) -> Self {
        let header = batch.header();
        let is_marker = Marker::of(header, batch.bytes()).is_some();
        let stamped = |timestamp_ms: i64| if is_marker { -1 } else { timestamp_ms };
        Self {
            base: header.base_offset.0,
            end: header.end_offset().0,
            crc: fingerprint(header, batch.bytes()),
            epoch: header.leader_epoch.0,
            attributes: header.attributes,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            base_timestamp_ms: stamped(header.base_timestamp_ms),
            max_timestamp_ms: stamped(header.max_timestamp_ms),
            records: header.record_count,
        }
    }

    /// Names of the fields in which two batches at one offset differ.
    #[must_use]
    pub fn unlike(&self, other: &Self) -> Vec<&'static str> {
        let fields = [
            ("end offset", self.end != other.end),
            ("checksum", self.crc != other.crc),
            ("attributes", self.attributes != other.attributes),
            ("producer id", self.producer_id != other.producer_id),
            ("producer epoch", self.producer_epoch != other.producer_epoch),
            ("sequence", self.base_sequence != other.base_sequence),
            ("first timestamp", self.base_timestamp_ms != other.base_timestamp_ms),
            ("greatest timestamp", self.max_timestamp_ms != other.max_timestamp_ms),
            ("number of records", self.records != other.records),
            ("leader epoch", self.epoch != other.epoch),
        ];
        fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Legacy has a batch that the kernel lacks.
    OnlyLegacy(Print),
    /// The kernel has a batch that legacy lacks.
    OnlyKernel(Print),
    /// Both have a batch there, not the same one.
    Unlike {
        /// Legacy's.
        legacy: Print,
        /// The kernel's.
        kernel: Print,
        /// What differs.
        fields: Vec<&'static str>,
    },
    /// A hash that was kept earlier does not come out of what is there now.
    Chain {
        /// Offset at which it was kept.
        at: u64,
        /// What was kept.
        kept: u64,
        /// What legacy's batches make.
        legacy: u64,
    },
}

impl Difference {
    /// Where it is.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::OnlyLegacy(print) | Self::OnlyKernel(print) => print.base,
            Self::Unlike { legacy, .. } => legacy.base,
            Self::Chain { at, .. } => *at,
        }
    }
}

impl Difference {
    /// Where it ends.
    fn end(&self) -> u64 {
        match self {
            Self::OnlyLegacy(print) | Self::OnlyKernel(print) => print.end,
            Self::Unlike { legacy, kernel, .. } => legacy.end.max(kernel.end),
            Self::Chain { at, .. } => *at,
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OnlyLegacy(print) => write!(
                f,
                "only legacy has the batch at {} ({} records, checksum {:08x}, producer {})",
                print.base, print.records, print.crc, print.producer_id
            ),
            Self::OnlyKernel(print) => write!(
                f,
                "only the kernel has the batch at {} ({} records, checksum {:08x}, producer {})",
                print.base, print.records, print.crc, print.producer_id
            ),
            Self::Unlike { legacy, kernel, fields } => write!(
                f,
                "the batch at {} differs in {}: legacy {:08x}, the kernel {:08x}",
                legacy.base,
                fields.join(", "),
                legacy.crc,
                kernel.crc
            ),
            Self::Chain { at, kept, legacy } => {
                write!(f, "the hash kept at {at} was {kept:016x}, legacy's batches make {legacy:016x}")
            }
        }
    }
}

/// Whose batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The existing cluster.
    Legacy,
    /// The kernel.
    Kernel,
}

/// One side as it is read.
#[derive(Debug, Default)]
struct Reading {
    prints: VecDeque<Print>,
    /// Everything below was read.
    to: u64,
    chain: u64,
    batches: u64,
    records: u64,
}

/// A comparison under way, from one offset to another.
#[derive(Debug)]
pub struct Comparison {
    from: u64,
    end: u64,
    legacy: Reading,
    kernel: Reading,
    /// Hashes kept earlier, ascending.
    marks: VecDeque<(u64, u64)>,
    /// The hash as it goes on from the first of them.
    kept: Option<u64>,
    marks_held: u64,
    equal: u64,
    control: u64,
    differing: u64,
    differences: Vec<Difference>,
    /// Above this no batch differs.
    differs_to: u64,
}

impl Comparison {
    /// Compares `from..end`. `marks` are offsets with the chained hash that was kept there.
    #[must_use]
    pub fn new(from: u64, end: u64, marks: &[(u64, u64)]) -> Self {
        let marks = marks.iter().copied().filter(|(at, _)| *at >= from && *at <= end).collect();
        let begun = || Reading { to: from, ..Reading::default() };
        Self {
            from,
            end: end.max(from),
            legacy: begun(),
            kernel: begun(),
            marks,
            kept: None,
            marks_held: 0,
            equal: 0,
            control: 0,
            differing: 0,
            differences: Vec::new(),
            differs_to: from,
        }
    }

    /// What to read next: the side that is behind, and from where. `None` once both are read.
    #[must_use]
    pub fn wants(&self) -> Option<(Side, u64)> {
        let behind = if self.legacy.to <= self.kernel.to { Side::Legacy } else { Side::Kernel };
        let to = self.legacy.to.min(self.kernel.to);
        (to < self.end).then_some((behind, to))
    }

    /// Takes batches of one side, in order. None at all: this side has nothing more below the end.
    pub fn take(&mut self, side: Side, prints: impl IntoIterator<Item = Print>) {
        let (from, end) = (self.from, self.end);
        let reading = match side {
            Side::Legacy => &mut self.legacy,
            Side::Kernel => &mut self.kernel,
        };
        let before = reading.to;
        for print in prints {
            if print.end <= reading.to.max(from) {
                continue;
            }
            reading.to = print.end;
            if print.base >= end {
                break;
            }
            reading.chain = chain_next(reading.chain, kernel_model::Offset(print.base), print.crc);
            reading.batches += 1;
            reading.records += u64::from(print.records);
            reading.prints.push_back(print);
        }
        if reading.to == before {
            reading.to = end;
        }
        self.advance();
    }

    fn advance(&mut self) {
        // The first batch may begin before what is compared.
        let from = self.from;
        loop {
            match (self.legacy.prints.front().copied(), self.kernel.prints.front().copied()) {
                (Some(legacy), Some(kernel)) if legacy.base == kernel.base => self.pair(legacy, kernel),
                (Some(legacy), Some(kernel)) if legacy.base < kernel.base => self.only_legacy(legacy),
                (Some(legacy), None) if self.kernel.to > legacy.base.max(from) => self.only_legacy(legacy),
                (Some(_) | None, Some(kernel)) if self.legacy.to > kernel.base.max(from) => {
                    self.only_kernel(kernel)
                }
                _ => break,
            }
        }
        if self.wants().is_none() {
            self.check_marks(self.end);
        }
    }

    fn pair(&mut self, legacy: Print, kernel: Print) {
        self.legacy.prints.pop_front();
        self.kernel.prints.pop_front();
        self.chained(&legacy);
        let fields = legacy.unlike(&kernel);
        if fields.is_empty() {
            self.equal += 1;
            self.control += u64::from(legacy.attributes & 0x20 != 0);
        } else {
            self.differ(Difference::Unlike { legacy, kernel, fields });
        }
    }

    fn only_legacy(&mut self, legacy: Print) {
        self.legacy.prints.pop_front();
        self.chained(&legacy);
        self.differ(Difference::OnlyLegacy(legacy));
    }

    fn only_kernel(&mut self, kernel: Print) {
        self.kernel.prints.pop_front();
        self.differ(Difference::OnlyKernel(kernel));
    }

    /// One more batch of legacy for the hash that was kept.
    fn chained(&mut self, legacy: &Print) {
        self.check_marks(legacy.base);
        self.kept = self.kept.map(|chain| chain_next(chain, kernel_model::Offset(legacy.base), legacy.crc));
    }

    fn check_marks(&mut self, up_to: u64) {
        while let Some((at, kept)) = self.marks.front().copied().filter(|(at, _)| *at <= up_to) {
            self.marks.pop_front();
            match self.kept {
                Some(legacy) if legacy != kept => self.differ(Difference::Chain { at, kept, legacy }),
                Some(_) => self.marks_held += 1,
                None => {}
            }
            self.kept = Some(kept);
        }
    }

    fn differ(&mut self, difference: Difference) {
        self.differing += 1;
        self.differs_to = self.differs_to.max(difference.end());
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }

    /// What was found so far.
    #[must_use]
    pub fn found(&self) -> Found<'_> {
        Found {
            from: self.from,
            end: self.end,
            reached: self.legacy.to.min(self.kernel.to).min(self.end),
            equal: self.equal,
            control: self.control,
            records: (self.legacy.records, self.kernel.records),
            chains: (self.legacy.chain, self.kernel.chain),
            marks_held: self.marks_held,
            differing: self.differing,
            differences: &self.differences,
            differs_to: self.differs_to,
        }
    }
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// First offset that was compared.
    pub from: u64,
    /// Offset up to which was to be compared.
    pub end: u64,
    /// Everything below was compared.
    pub reached: u64,
    /// Batches that are equal.
    pub equal: u64,
    /// Transaction markers among them.
    pub control: u64,
    /// Records read of legacy and of the kernel.
    pub records: (u64, u64),
    /// Hash over what was read of legacy and of the kernel, begun at 0 with the first batch compared.
    pub chains: (u64, u64),
    /// Hashes that were kept earlier and came out again.
    pub marks_held: u64,
    /// How many differences.
    pub differing: u64,
    /// The first of them, at most [`DIFFERENCES_MAX`].
    pub differences: &'a [Difference],
    /// From here on every batch is the same.
    pub differs_to: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(base: u64, crc: u32) -> Print {
        Print {
            base,
            end: base + 10,
            crc,
            epoch: 1,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            base_timestamp_ms: 5,
            max_timestamp_ms: 6,
            records: 10,
        }
    }

    fn log(bases: &[u64]) -> Vec<Print> {
        bases.iter().map(|base| print(*base, u32::try_from(*base).unwrap() + 7)).collect()
    }

    /// Reads each side in pieces of `step` batches.
    fn compare(
        legacy: &[Print],
        kernel: &[Print],
        end: u64,
        marks: &[(u64, u64)],
        step: usize,
    ) -> Comparison {
        let from = legacy.first().map_or(0, |first| first.base);
        let mut comparison = Comparison::new(from, end, marks);
        while let Some((side, at)) = comparison.wants() {
            let of = if side == Side::Legacy { legacy } else { kernel };
            let rest = of.iter().copied().filter(|print| print.end > at).take(step);
            comparison.take(side, rest.collect::<Vec<_>>());
        }
        comparison
    }

    fn chain_to(prints: &[Print], end: u64) -> u64 {
        let below = prints.iter().filter(|print| print.base < end);
        below.fold(0, |chain, print| chain_next(chain, kernel_model::Offset(print.base), print.crc))
    }

    #[test]
    fn equal_copies_are_equal_however_they_are_read() {
        let both = log(&[0, 10, 20, 40, 50]);
        for step in 1..6 {
            let comparison = compare(&both, &both, 60, &[], step);
            let found = comparison.found();
            assert_eq!((found.equal, found.differing, found.reached), (5, 0, 60));
            assert_eq!(found.chains.0, found.chains.1);
            assert_eq!(found.records, (50, 50));
        }
    }

    #[test]
    fn a_batch_that_one_side_lacks_is_named() {
        let (whole, gap) = (log(&[0, 10, 20, 30]), log(&[0, 10, 30]));
        for step in 1..5 {
            let comparison = compare(&whole, &gap, 40, &[], step);
            assert_eq!(comparison.found().differences, [Difference::OnlyLegacy(whole[2])]);
            let comparison = compare(&gap, &whole, 40, &[], step);
            assert_eq!(comparison.found().differences, [Difference::OnlyKernel(whole[2])]);
            let comparison = compare(&whole, &whole[..2], 40, &[], step);
            assert_eq!(comparison.found().differing, 2, "a copy that ends early lacks the rest");
        }
    }

    #[test]
    fn what_differs_in_a_batch_is_named() {
        let legacy = log(&[0, 10, 20]);
        let mut kernel = legacy.clone();
        kernel[1].crc ^= 1;
        kernel[2].epoch = 9;
        let comparison = compare(&legacy, &kernel, 30, &[], 2);
        let found = comparison.found();
        assert_eq!((found.equal, found.differing), (1, 2));
        let text: Vec<String> = found.differences.iter().map(ToString::to_string).collect();
        assert!(text[0].contains("at 10 differs in checksum"), "{text:?}");
        assert!(text[1].contains("at 20 differs in leader epoch"), "{text:?}");
        assert_ne!(found.chains.0, found.chains.1);
    }

    #[test]
    fn a_kept_hash_holds_from_the_mark_on_behind_which_legacy_still_begins() {
        let whole = log(&[0, 10, 20, 40, 50]);
        let marks = [0, 10, 40, 60].map(|at| (at, chain_to(&whole, at)));
        let comparison = compare(&whole[2..], &whole[2..], 60, &marks, 2);
        let found = comparison.found();
        assert_eq!(
            (found.differing, found.marks_held),
            (0, 1),
            "the mark at 40 begins it, the one at 60 holds"
        );
        let mut changed = whole.clone();
        changed[3].crc ^= 1;
        let comparison = compare(&changed[2..], &changed[2..], 60, &marks, 2);
        assert!(matches!(comparison.found().differences, [Difference::Chain { at: 60, .. }]));
    }

    #[test]
    fn a_comparison_can_begin_inside_a_batch() {
        let both = log(&[0, 10, 20]);
        let mut comparison = Comparison::new(13, 30, &[]);
        while let Some((side, at)) = comparison.wants() {
            comparison.take(side, both.iter().copied().find(|print| print.end > at));
        }
        assert_eq!((comparison.found().equal, comparison.found().differing), (2, 0));
    }

    #[test]
    fn what_lies_past_the_end_is_not_compared() {
        let (legacy, kernel) = (log(&[0, 10, 20]), log(&[0, 10]));
        let comparison = compare(&legacy, &kernel, 20, &[], 3);
        let found = comparison.found();
        assert_eq!((found.equal, found.differing, found.reached), (2, 0, 20));
    }
}
