//! Differences that are known and wanted, each with its reason. Only an entry of this table explains a difference.

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explanation {
    /// Row ids (`API/name` or `KS1/name`) begin with this.
    pub(super) rows: &'static str,
    /// Path of the field without indices, or a scenario's fact; what ends in `*` stands for all that begin so.
    pub(super) field: &'static str,
    /// The candidate's value, or `*` for any.
    pub(super) candidate: &'static str,
    /// Why it is so.
    pub(super) reason: &'static str,
}

/// The table.
pub(super) const EXPLANATIONS: &[Explanation] = &[];

/// What explains that the candidate says `candidate` in `field` of a row.
pub(super) fn explain(row: &str, field: &str, candidate: &str) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|entry| {
        row.starts_with(entry.rows)
            && match entry.field.strip_suffix('*') {
                Some(beginning) => field.starts_with(beginning),
                None => entry.field == field,
            }
            && (entry.candidate == "*" || entry.candidate == candidate)
    })
}
