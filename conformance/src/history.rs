//! Judges recorded histories: what stock clients say they wrote and read, as JSON lines.
//!
//! Owns the log checks (lost, unseen, duplicate, inconsistent offset, order of polls and sends, aborted reads) and
//! their report. Knows nothing of how a history came about; the lines are described in [`mod@line`]. Every value is
//! unique by agreement (`CLIENT:SEQUENCE`), so a value names the one send it came from.
//!
//! Told apart from violations, and only counted: a record read twice by one group (redelivery, which at-least-once
//! allows), and duplicates or reordering by a producer that is not idempotent.

mod collect;
mod judge;
pub mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

/// Examples kept for each kind of violation; the count goes on past it.
pub const EXAMPLES_MAX: usize = 20;

/// What a history can be guilty of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An acknowledged value below the highest offset read of its partition that no reader saw.
    Lost,
    /// An acknowledged value above every offset read, or without a known offset, that no reader saw.
    Unseen,
    /// A group read below and above an acknowledged value, and none of its members read it.
    SkippedByGroup,
    /// One value at two offsets, from an idempotent producer.
    Duplicate,
    /// Two values at one offset of one partition.
    InconsistentOffset,
    /// A member went back, or read an offset twice, with no change of its partitions in between.
    NonMonotonicPoll,
    /// A member jumped over existing values with no change of its partitions in between.
    SkippedPoll,
    /// A later send of an idempotent producer has a lower offset than an earlier one in the same partition.
    NonMonotonicSend,
    /// A value was read whose send definitely failed, or whose transaction was aborted (by a read_committed reader).
    AbortedRead,
    /// A value was read that its producer never sent, or that was damaged on the way.
    Phantom,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

/// Violations of one kind: how many, and the first of them in words.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many.
    pub count: u64,
    /// The first [`EXAMPLES_MAX`] of them.
    pub examples: Vec<String>,
}

/// The judgement of one or more histories.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records acknowledged by a broker (acks 1 or all).
    pub acknowledged: u64,
    /// Records sent with acks=0: no broker spoke for them, so none of them counts as lost.
    pub unconfirmed: u64,
    /// Distinct values read.
    pub delivered: u64,
    /// Records read, all readers together.
    pub reads: u64,
    /// Reads of an offset that the same group had read before, across a change of partitions or a restart.
    pub redelivered: u64,
    /// Sends that failed, definitely or with unknown outcome.
    pub failed: u64,
    /// Values at two offsets, from producers that are not idempotent.
    pub duplicated_allowed: u64,
    /// Sends out of order, from producers that are not idempotent.
    pub reordered_allowed: u64,
    /// Error lines of clients.
    pub client_errors: u64,
    /// The first [`EXAMPLES_MAX`] error lines.
    pub client_error_examples: Vec<String>,
    /// Lines cut off by the end of a file: a client that was killed.
    pub torn_lines: u64,
    /// Clients and members that started and never said that they were done.
    pub unfinished: Vec<String>,
    /// Longest time from send to acknowledgement, in ms by the client's clock.
    pub ack_ms_max: u64,
    /// What is wrong, by kind. A kind that was not found is absent.
    pub violations: BTreeMap<Kind, Found>,
}

impl Report {
    /// Whether no violation was found. Client errors and unfinished clients are for the caller to judge.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations of `kind` were found.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.violations.get(&kind).map_or(0, |found| found.count)
    }

    fn add(&mut self, kind: Kind, example: impl FnOnce() -> String) {
        let found = self.violations.entry(kind).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES_MAX {
            found.examples.push(example());
        }
    }
}

/// Why a history could not be judged.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A whole line is not one of the known lines.
    #[error("{path}, line {number}: not a line of a history")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        number: u64,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads the histories in `paths`, one file per run of a client, and judges them together.
///
/// The order of files does not matter. Within a file, order is what the client saw. A last line without its end is
/// left out and counted in [`Report::torn_lines`].
///
/// # Errors
///
/// - [`HistoryError::Read`]: a file cannot be read.
/// - [`HistoryError::Line`]: a line is malformed. Nothing is judged then: a check on half a history proves nothing.
pub fn check<P: AsRef<Path>>(paths: &[P]) -> Result<Report, HistoryError> {
    let mut history = collect::History::default();
    for path in paths {
        history.read_file(path.as_ref())?;
    }
    Ok(judge::judge(&history))
}
