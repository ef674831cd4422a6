//! Carries out what the migrations decide: feeds, gates, routes, the ledger, and the ports of virtual brokers.
//!
//! [`crate::handover`] decides and performs nothing; here is its executor, one task of the process. It owns the
//! ledger and every feed, and is the only one that changes routes and gates.
//!
//! ```text
//!   operators ──► Control ──► orders ─┐                       ┌─► ledger (fsync)
//!   feeds ── facts, positions ────────┼─► runner ─ Migrations ┼─► gates, routes, holds
//!   shards ── answers ────────────────┘                       └─► catalog, groups, feeds
//! ```

mod access;
mod actions;
mod apply;
mod back;
pub(crate) mod canary;
mod cluster;
mod control;
mod discovery;
mod epochs;
mod figures;
mod job;
mod keeping;
mod links;
mod pace;
mod resume;
mod reverse;
mod runner;
mod situation;
mod transactions;
mod units;
mod verifying;
mod watch;

pub use control::MigrationControl;
pub use runner::{MigrateError, Missed, Setup, Surroundings, start};
pub use watch::Watcher;
