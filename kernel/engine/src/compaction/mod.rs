//! Compaction: of records with the same key only the newest stays, at its own offset.
//!
//! ```text
//!  start      cleaned            until                 last stretch
//!    │ looked at │ keys are gathered │ young, undecided, held │ never touched │
//!    └───────────┴───────────────────┴────────────────────────┴───────────────┘
//!     ◄────── batches are rewritten ──────►
//! ```
//!
//! A pass gathers the newest offset of each key in what was not looked at (as many keys as memory allows: `until` then
//! moves back), and goes once through everything below `until`. It is cut into tasks of about a megabyte, which whoever
//! drives the shard runs beside it; their results are commits that put each changed batch in the place of the old one.
//! A crash between two of them loses nothing: what was removed has a newer record above it, which is durable, and a pass
//! begins anew.
//!
//! What stays: the newest record of each key; a record without value until its batch's delete horizon, which the first
//! pass that meets it sets; nothing of aborted transactions; a transaction's marker until nothing of the transaction is
//! left and its horizon is over; a batch with a producer's last sequence, empty if need be.

mod keys;
mod rules;
mod task;

pub(crate) use rules::{LastOfProducers, Rules};
pub use task::{CompactionDone, CompactionTask};
pub(crate) use task::{Replacement, Stage};
