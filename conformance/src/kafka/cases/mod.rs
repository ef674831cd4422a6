//! The table of cases: one row a request, by family of APIs.

mod cluster;

use super::case::Case;

/// Every case, in the order of the report.
pub(super) fn all() -> Vec<Case> {
    [cluster::CASES].concat()
}
