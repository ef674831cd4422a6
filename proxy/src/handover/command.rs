//! What operators ask, and what they are answered.

use serde::Serialize;
use session::UnitId;

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
        /// Share of the consumers that read from the kernel, 0 to 100: with [`Phase::Canary`] alone.
        percent: Option<u8>,
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
    /// Canary without a share.
    #[error("canary wants the share of the consumers that read from the kernel: --percent N, 0 to 100")]
    ShareMissing,
    /// A share without canary.
    #[error("only canary takes a share of the consumers; {} takes none", .0.map_or("the next phase", Phase::name))]
    ShareMeansNothing(Option<Phase>),
    /// No rollback leads to canary.
    #[error(
        "a rollback does not stop in canary: roll back to dual-write, then advance to canary with --percent N"
    )]
    NoRollbackToCanary,
    /// Going back would lose something.
    #[error("the way back is closed: {0}; the kernel stays primary, nothing was changed")]
    WayBackClosed(String),
    /// Legacy is not contacted any more.
    #[error("the migration is retired: no step follows, and none leads back")]
    Retired,
    /// The gate is red.
    #[error("the gate to {} is red: {}", .0.to, .0.missing().join("; "))]
    GateRed(GateReport),
    /// The migration has no such unit.
    #[error("{migration} has no unit `{unit}`; `sluice migrations` lists them")]
    NoSuchUnit {
        /// What was asked for.
        unit: String,
        /// Of which migration.
        migration: String,
    },
    /// The unit is not stopped.
    #[error("{0} is not stopped: nothing was changed")]
    NotStopped(UnitId),
    /// None of the migration's units is stopped.
    #[error("no unit of {0} is stopped: nothing was changed")]
    NothingStopped(String),
    /// An earlier resume is not done yet.
    #[error("units of {0} are being resumed already; wait a moment")]
    Resuming(String),
    /// The kernel's copy could not be deleted.
    #[error("the kernel's copy could not be deleted, and nothing was resumed: {0}; try again")]
    NotDiscarded(String),
    /// A handover is moving the unit.
    #[error("a handover of {0} runs; wait until it has ended")]
    InHandover(UnitId),
    /// The kernel is primary: what it holds exists nowhere else.
    #[error(
        "the copy of {unit} is not discarded: the kernel leads {led}, and what it holds exists nowhere else"
    )]
    KernelLeads {
        /// What was to be resumed.
        unit: UnitId,
        /// What the kernel leads.
        led: UnitId,
    },
    /// The kernel's copy is not the beginning of what legacy has.
    #[error(
        "{reason}: what the kernel has copied is no longer what legacy has, so copying cannot go on behind it; to \
         delete the kernel's copy of the whole topic and copy it from its beginning: {command}"
    )]
    CopyUnsound {
        /// Why the unit was stopped.
        reason: String,
        /// What to type.
        command: String,
    },
    /// The ledger has failed.
    #[error("the ledger has failed, nothing can be decided: {0}")]
    Stopped(String),
}
