//! What a run found: rows with verdicts, their counts, and the three files that tell it.

mod html;
mod junit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::RunError;

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this suite.
    pub suite: &'static str,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Only rows that contain one of these were run; empty for all.
    pub only: Vec<String>,
    /// The endpoint that is right.
    pub reference: Option<Side>,
    /// The endpoint that is judged.
    pub candidate: Side,
    /// Rows by verdict.
    pub counts: Counts,
    /// What was asked, in the order of the tables.
    pub rows: Vec<Row>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Where it was asked.
    pub address: String,
    /// Oldest and newest version that it advertises, by API name.
    pub versions: BTreeMap<String, (i16, i16)>,
}

/// One case in one version, or one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `API/version/name`, or `KS1/name`; unique in a report.
    pub id: String,
    /// API or `KS1`…
    pub subject: String,
    /// Priority of the API (`P0`, `P1`), or `semantics`.
    pub class: &'static str,
    /// Version of the API.
    pub version: Option<i16>,
    /// What is asked.
    pub name: String,
    /// What is documented as its answer.
    pub expected: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How long both endpoints took, in milliseconds.
    pub took_ms: u64,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Verdict {
    /// The candidate answered as the reference did.
    Same,
    /// Without a reference: the candidate answered as documented.
    Held,
    /// The candidate answered otherwise.
    Different {
        /// Each field that differs.
        differences: Vec<Difference>,
    },
    /// The candidate answered otherwise, for known reasons.
    Explained {
        /// Entries of the table of explained differences, with their reasons.
        reasons: Vec<String>,
        /// Each field that differs.
        differences: Vec<Difference>,
    },
    /// The candidate does not advertise what the row needs.
    NotServed {
        /// What is missing.
        why: String,
    },
    /// The row was not asked of anybody.
    Uncovered {
        /// Why not.
        why: String,
    },
    /// The candidate failed to answer, or the row could not be carried out.
    Failed {
        /// What happened.
        error: String,
    },
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Held => "held",
            Self::Different { .. } => "different",
            Self::Explained { .. } => "explained",
            Self::NotServed { .. } => "not served",
            Self::Uncovered { .. } => "uncovered",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether the run may still hold.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !matches!(self, Self::Different { .. } | Self::Failed { .. })
    }
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: `topics[0].error_code`, or the name of a scenario's fact.
    pub field: String,
    /// What the reference (or, without one, the documentation) says.
    pub reference: String,
    /// What the candidate says.
    pub candidate: String,
}

/// Rows by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All rows.
    pub rows: usize,
    /// As the reference.
    pub same: usize,
    /// As documented, without a reference.
    pub held: usize,
    /// Otherwise.
    pub different: usize,
    /// Otherwise, for known reasons.
    pub explained: usize,
    /// Not advertised by the candidate.
    pub not_served: usize,
    /// Not asked.
    pub uncovered: usize,
    /// Without an answer.
    pub failed: usize,
}

impl Counts {
    /// Counts `rows`.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        let mut counts = Self { rows: rows.len(), ..Self::default() };
        for row in rows {
            let count = match row.verdict {
                Verdict::Same => &mut counts.same,
                Verdict::Held => &mut counts.held,
                Verdict::Different { .. } => &mut counts.different,
                Verdict::Explained { .. } => &mut counts.explained,
                Verdict::NotServed { .. } => &mut counts.not_served,
                Verdict::Uncovered { .. } => &mut counts.uncovered,
                Verdict::Failed { .. } => &mut counts.failed,
            };
            *count += 1;
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.same, "same"),
            (self.held, "held"),
            (self.different, "different"),
            (self.failed, "failed"),
            (self.explained, "explained"),
            (self.not_served, "not served"),
            (self.uncovered, "uncovered"),
        ];
        write!(f, "{} rows", self.rows)?;
        for (count, word) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {word}")?;
        }
        Ok(())
    }
}

impl Report {
    /// Whether the candidate failed nowhere and every difference is explained. A report without a single answer holds
    /// nothing.
    #[must_use]
    pub fn holds(&self) -> bool {
        let answered = self.counts.same + self.counts.held + self.counts.explained > 0;
        answered && self.rows.iter().all(|row| row.verdict.is_well())
    }

    /// Writes `report.html`, `junit.xml` and `report.json` into `folder`.
    ///
    /// # Errors
    ///
    /// [`RunError::Unwritable`].
    pub(super) fn write(&self, folder: &Path) -> Result<(), RunError> {
        let failed = |path: &Path, why| RunError::Unwritable { path: path.to_owned(), why };
        std::fs::create_dir_all(folder).map_err(|why| failed(folder, why))?;
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        let files =
            [("report.html", html::page(self)), ("junit.xml", junit::suite(self)), ("report.json", json)];
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|why| failed(&path, why))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    /// What went wrong, row by row, and the counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows.iter().filter(|row| !row.verdict.is_well()) {
            writeln!(f, "{:10} {}", row.verdict.word(), row.id)?;
            match &row.verdict {
                Verdict::Different { differences } => {
                    for each in differences {
                        writeln!(f, "           {}: {} / {}", each.field, each.reference, each.candidate)?;
                    }
                }
                Verdict::Failed { error } => writeln!(f, "           {error}")?,
                Verdict::Same
                | Verdict::Held
                | Verdict::Explained { .. }
                | Verdict::NotServed { .. }
                | Verdict::Uncovered { .. } => {}
            }
        }
        writeln!(f, "{}", self.counts)
    }
}

/// Escapes text for HTML and XML; control characters, which XML forbids, become `·`.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter if letter.is_control() && letter != '\n' => safe.push('·'),
            letter => safe.push(letter),
        }
    }
    safe
}
