//! What a verification found.

use std::collections::BTreeMap;

use serde::Serialize;
use session::UnitId;
use shadow::KeysFound;

use super::fidelity::{Facts, Row};
use crate::ledger::{Digest, DivergenceKind, Explanation, Sample};

/// Differences of one partition that are written down one by one; the last one says how many there are.
pub(super) const FINDINGS_MAX: usize = 8;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whose.
    pub unit: UnitId,
    /// Which kind.
    pub divergence: DivergenceKind,
    /// Where and what.
    pub sample: Sample,
    /// Entry of the one table that explains it, if one does.
    pub explained_by: Option<Explanation>,
}

impl Finding {
    pub(super) fn new(unit: &UnitId, divergence: DivergenceKind, position: u64, detail: &str) -> Self {
        let sample = Sample::new(position, detail, &[]);
        Self { unit: unit.clone(), divergence, sample, explained_by: None }
    }

    pub(super) fn explained(mut self, by: Explanation) -> Self {
        self.explained_by = Some(by);
        self
    }
}

/// Start and end of a partition on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Scope {
    /// First offset.
    pub start: u64,
    /// End of what is final.
    pub end: u64,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LogReport {
    /// Unit.
    pub unit: String,
    /// What legacy has.
    pub legacy: Scope,
    /// What the kernel has.
    pub kernel: Scope,
    /// First offset that was compared.
    pub from: u64,
    /// Everything below was compared, from `from` on. `--from` with it goes on there.
    pub compared_to: u64,
    /// Batches that are equal.
    pub batches_equal: u64,
    /// Transaction markers among them.
    pub control_batches: u64,
    /// Records read of legacy.
    pub legacy_records: u64,
    /// Records read of the kernel.
    pub kernel_records: u64,
    /// Hash over legacy's batches that were read, begun at 0.
    pub legacy_chain: Digest,
    /// The same of the kernel.
    pub kernel_chain: Digest,
    /// Hashes that a feed had kept, and that legacy's batches make again.
    pub marks_held: u64,
    /// Differences in batches.
    pub differing: u64,
    /// Of a compacted topic: what came out of comparing the newest record of each key.
    pub keys: Option<KeysReport>,
    /// Why it was not compared, although that is as it should be.
    pub skipped: Option<String>,
    /// What kept it from being compared.
    pub error: Option<String>,
}

/// The newest record of each key of a compacted topic, on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct KeysReport {
    /// Keys whose newest record is the same: offset, timestamp, value and headers.
    pub equal: u64,
    /// Keys that were deleted, which one side has forgotten by now.
    pub forgotten: u64,
    /// Keys of which one side has a record above what was compared, and no longer what that supersedes.
    pub superseded: u64,
    /// Keys whose newest record differs, or that one side lacks.
    pub differing: u64,
    /// From here on every batch is the same on both sides; below, keys were compared.
    pub batches_equal_from: u64,
    /// One key in so many was looked at.
    pub one_in: u64,
}

impl KeysReport {
    pub(super) fn of(found: &KeysFound, batches_equal_from: u64) -> Self {
        let &KeysFound { equal, forgotten, superseded, differing, one_in, .. } = found;
        Self { equal, forgotten, superseded, differing, batches_equal_from, one_in }
    }
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GroupReport {
    /// Unit.
    pub unit: String,
    /// Committed offsets compared.
    pub offsets: u64,
    /// Those that differ, however often both sides were asked.
    pub differing: u64,
    /// Those that two readings of legacy gave differently: they moved meanwhile.
    pub noise: u64,
    /// Why it was not compared, although that is as it should be.
    pub skipped: Option<String>,
    /// What kept it from being compared.
    pub error: Option<String>,
}

/// A whole verification.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// When it began, wall clock in milliseconds.
    pub wall_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Bytes read of both sides.
    pub bytes: u64,
    /// Partitions.
    pub logs: Vec<LogReport>,
    /// Groups.
    pub groups: Vec<GroupReport>,
    /// Topics and settings compared.
    pub settings: u64,
    /// Topics whose id and partitions were compared.
    pub topics: u64,
    /// Every difference.
    pub findings: Vec<Finding>,
    /// Per client and API.
    pub fidelity: Vec<Row>,
}

impl Report {
    /// Differences that nothing explains.
    #[must_use]
    pub fn unexplained(&self) -> usize {
        self.findings.iter().filter(|finding| finding.explained_by.is_none()).count()
    }

    /// Whether everything could be compared.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.logs.iter().all(|log| log.error.is_none())
            && self.groups.iter().all(|group| group.error.is_none())
    }

    /// How much was compared of what each API answers from.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<i16, Facts> {
        let of = |kind: DivergenceKind| {
            let found = self
                .findings
                .iter()
                .filter(|finding| finding.divergence == kind && finding.explained_by.is_none());
            u64::try_from(found.count()).unwrap_or(u64::MAX)
        };
        let compared = self.logs.iter().filter(|log| log.skipped.is_none() && log.error.is_none());
        let batches = compared.clone().map(|log| log.batches_equal + log.differing).sum();
        let differing = self.logs.iter().map(|log| log.differing).sum();
        let ends = u64::try_from(compared.count()).unwrap_or(u64::MAX).saturating_mul(2);
        let offsets = self.groups.iter().map(|group| group.offsets).sum();
        let offsets_differ = self.groups.iter().map(|group| group.differing).sum();
        let noise = self.groups.iter().map(|group| group.noise).sum();
        BTreeMap::from([
            (1, Facts { compared: batches, differing, noise: 0 }),
            (2, Facts { compared: ends, differing: of(DivergenceKind::Ends), noise: 0 }),
            (3, Facts { compared: self.topics, differing: of(DivergenceKind::Source), noise: 0 }),
            (9, Facts { compared: offsets, differing: offsets_differ, noise }),
            (32, Facts { compared: self.settings, differing: of(DivergenceKind::Configuration), noise: 0 }),
        ])
    }
}
