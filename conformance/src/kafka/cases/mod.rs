//! The table of cases: one row a request, by family of APIs. What is compared of an answer is all of it, but for what
//! [`super::normal`] lists.

mod access;
mod cluster;
mod commits;
mod configs;
mod consumers;
mod fetch;
mod groups;
mod offsets;
mod produce;
#[cfg(test)]
mod tests;
mod topics;
mod transactions;

use super::case::Case;

/// Every case, in the order of the report.
pub(super) fn all() -> Vec<Case> {
    [
        cluster::CASES,
        topics::CASES,
        configs::CASES,
        produce::CASES,
        fetch::CASES,
        offsets::CASES,
        groups::JOINING,
        groups::STAYING,
        commits::CASES,
        groups::SEEN,
        consumers::CASES,
        transactions::BEGINNING,
        transactions::WITHIN,
        transactions::ENDING,
        access::CASES,
    ]
    .concat()
}
