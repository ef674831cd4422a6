//! `sluice conformance kafka`: what a Kafka endpoint answers, compared with what another one answers.
//!
//! ```text
//!            ┌── cases: one request in one version (table) ──┐    ┌── reference
//!  runner ───┤                                               ├────┤
//!            └── scenarios: a statement in several steps ────┘    └── candidate
//!     │
//!     ├── normal:    fields that may differ, each with its reason
//!     ├── explained: differences that are known, each with its reason
//!     └── report:    HTML, JUnit, JSON
//! ```
//!
//! Both endpoints get the same requests under the same names. Requests and answers are encoded by the stock codec
//! (`kafka-protocol`); an answer is compared as a whole, field by field, but for the fields in `normal.rs`. A row says:
//! *same*, *different* (with both values), *explained*, *not served* (the candidate does not advertise it), *uncovered*
//! (nobody asked: the codec lacks the version) or *failed*. Without a reference the candidate is judged by what a case
//! documents.

mod asking;
mod batch;
mod case;
mod cases;
mod endpoint;
mod explained;
mod judge;
mod manifest;
mod newer;
mod normal;
mod report;
mod requests;
mod runner;
mod scenario;
mod scenarios;
mod scene;
mod steps;
#[cfg(test)]
mod tests;
mod tree;
mod wire;

use std::path::PathBuf;

pub use report::{Counts, Difference, Report, Row, Side, Verdict};

/// What is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The endpoint that is right (`host:port`); without it the candidate is judged alone.
    pub reference: Option<String>,
    /// The endpoint that is judged (`host:port`).
    pub candidate: String,
    /// Only rows whose id contains one of these, case ignored; empty for all.
    pub only: Vec<String>,
    /// Folder that gets `report.html`, `junit.xml` and `report.json`; made if missing.
    pub report: PathBuf,
}

/// What a run could ask.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// `API/name` or `KS1/name`.
    pub id: String,
    /// Versions of the API in which it is asked; `None` for a scenario.
    pub versions: Option<(i16, i16)>,
    /// What is expected, in words.
    pub expected: String,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The filter leaves nothing.
    #[error("no case matches {0:?}; `--list` shows them")]
    NothingMatches(Vec<String>),
    /// An endpoint does not answer ApiVersions.
    #[error("{role} {address}: {why}")]
    Unreachable {
        /// `reference` or `candidate`.
        role: &'static str,
        /// Where it should be.
        address: String,
        /// What happened instead.
        why: String,
    },
    /// The report cannot be written.
    #[error("{path}: {why}")]
    Unwritable {
        /// What should have been written.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
}

impl RunError {
    /// Whether the caller asked for something that does not exist.
    #[must_use]
    pub fn wrong_usage(&self) -> bool {
        matches!(self, Self::NothingMatches(_))
    }
}

/// Every case and scenario whose id contains one of `only`.
#[must_use]
pub fn list(only: &[String]) -> Vec<Listed> {
    runner::list(only)
}

/// Runs the suite and writes the report. Progress goes to standard error.
///
/// # Errors
///
/// There is nothing to ask, nobody to ask, or nowhere to write. What was found is no error but in the [`Report`].
pub async fn run(options: &Options) -> Result<Report, RunError> {
    runner::run(options).await
}
