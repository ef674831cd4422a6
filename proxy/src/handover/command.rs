//! What operators ask, and what they are answered.

use serde::Serialize;

use super::gate::GateReport;
use super::phase::Phase;

/// A command of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Forward to a phase, through the steps between.
    Advance {
        /// Which migration.
        migration: String,
        /// Where to; `None`: the next phase.
        to: Option<Phase>,
        /// Go on although gates are red; written into the ledger.
        force: bool,
        /// Who asks.
        by: String,
    },
    /// Back to a phase.
    Rollback {
        /// Which migration.
        migration: String,
        /// Where to; `None`: observe.
        to: Option<Phase>,
        /// Who asks.
        by: String,
    },
}

/// A command that was begun; its progress is in the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Phase at present.
    pub from: Phase,
    /// Wanted phase.
    pub to: Phase,
    /// All steps.
    pub steps: Vec<Phase>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Why nothing was begun. The operator's to change, except `Stopped`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such migration.
    #[error("there is no migration `{0}`; `sluice migrations` lists them")]
    Unknown(String),
    /// It is on its way already.
    #[error("the migration is on its way to {}; wait until it is there", .0.map_or("its phase", Phase::name))]
    Busy(Option<Phase>),
    /// The wanted phase is not ahead.
    #[error("the migration is in {from}: {to} does not lie ahead")]
    NotForward {
        /// Phase at present.
        from: Phase,
        /// Wanted.
        to: Phase,
    },
    /// The wanted phase is not behind.
    #[error("the migration is in {from}: {to} does not lie behind")]
    NotBack {
        /// Phase at present.
        from: Phase,
        /// Wanted.
        to: Phase,
    },
    /// Canary is not there yet.
    #[error("canary is not built yet; advance to cutover passes over it")]
    CanaryNotBuilt,
    /// The way back from cutover is not there yet.
    #[error("going back from cutover is not built yet: the kernel stays primary, nothing was changed")]
    RollbackFromCutoverNotBuilt,
    /// Legacy is not contacted any more.
    #[error("the migration is retired: no step follows, and none leads back")]
    Retired,
    /// The gate is red.
    #[error("the gate to {} is red: {}", .0.to, .0.missing().join("; "))]
    GateRed(GateReport),
    /// The ledger has failed.
    #[error("the ledger has failed, nothing can be decided: {0}")]
    Stopped(String),
}
