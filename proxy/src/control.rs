//! What an operator can ask of the running migrations, and the seam behind it.
//!
//! The admin API owns transport and authentication; whoever drives the handovers implements [`Control`].
//! Answers are JSON objects: the API and `--json` pass them on as they are, the text form of the command
//! line prints the fields it knows.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};

/// An answer that may take a while (a handover that the caller waits for).
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send + 'a>>;

/// Drives the migrations of a process.
pub trait Control: Send + Sync {
    /// One object: `{"clusters": [..], "migrations": [{"name", "phase", ..}], ..}`. Must be cheap: it is
    /// polled.
    fn status(&self) -> Value;
    /// An array with one object a migration: name, cluster, phase, target, units, gate, way back, lag.
    fn migrations(&self) -> Value;
    /// The ledger of one migration, oldest entry first: `{"migration", "entries": [..]}`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] for a name that is not configured.
    fn ledger(&self, migration: &str) -> Result<Value, Refusal>;
    /// Moves a migration forward. Without `wait` answers once the order is durable, with it once the phase
    /// is reached or cannot be: `{"migration", "phase", "reached": bool, ..}`. The command line's exit status
    /// follows `reached`.
    fn advance(&self, order: Advance) -> Answering<'_>;
    /// Moves a migration back.
    fn rollback(&self, order: Rollback) -> Answering<'_>;
    /// Lets stopped units go on: `{"migration", "resumed", "copy", ..}`, once the ledger has it.
    fn resume(&self, order: Resume) -> Answering<'_>;
    /// Compares both sides now: `{"migration", "verified": bool, ..}`. Ends when the answer is dropped.
    fn verify(&self, order: Verify) -> Answering<'_>;
    /// How far a verification of this migration is: `{"running": bool, ..}`.
    fn verifying(&self, migration: &str) -> Value;
}

/// An order to go forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which migration.
    pub migration: String,
    /// To which phase (`None`: the next one).
    pub phase: Option<String>,
    /// Share of consumers, 0 to 100 (canary only).
    pub percent: Option<u8>,
    /// Answer only when the phase is reached, at the latest after this.
    pub wait: Option<Duration>,
    /// Go on although the gate is not green; written into the ledger.
    pub force: bool,
    /// Who asked, for the ledger.
    pub by: String,
}

/// An order to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Which migration.
    pub migration: String,
    /// To which phase (`None`: the one before).
    pub phase: Option<String>,
    /// Answer only when the phase is reached, at the latest after this.
    pub wait: Option<Duration>,
    /// Who asked, for the ledger.
    pub by: String,
}

/// An order to let stopped units go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Which migration.
    pub migration: String,
    /// Which unit (`None`: every one that is stopped).
    pub unit: Option<String>,
    /// Delete the kernel's copy of the unit's topic first, and copy it from its beginning.
    pub discard_copy: bool,
    /// Who asked, for the ledger.
    pub by: String,
}

/// An order to compare both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// Which migration.
    pub migration: String,
    /// Only topics that one of these patterns names (none: all, and groups).
    pub topics: Vec<String>,
    /// First offset that is compared.
    pub from: u64,
    /// How fast legacy is read, in bytes a second; 0: as fast as it answers.
    pub bytes_per_second: u64,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No such migration.
    #[error("no migration is called {0:?}")]
    Unknown(String),
    /// The order contradicts itself (no such phase, a percentage where none applies).
    #[error("{0}")]
    Invalid(String),
    /// A gate is not green, the way back is closed, a fence ran out: what holds it up.
    #[error("{reason}")]
    Blocked {
        /// In one sentence, with what to do.
        reason: String,
        /// The particulars (each unmet condition of the gate).
        detail: Value,
    },
    /// Our own fault (a storage error, a lost task).
    #[error("{0}")]
    Failed(String),
}

/// Nothing to migrate: the kernel alone.
#[derive(Debug, Default)]
pub struct NoMigrations;

impl Control for NoMigrations {
    fn status(&self) -> Value {
        json!({ "clusters": [], "migrations": [] })
    }

    fn migrations(&self) -> Value {
        json!([])
    }

    fn ledger(&self, migration: &str) -> Result<Value, Refusal> {
        Err(Refusal::Unknown(migration.to_owned()))
    }

    fn advance(&self, order: Advance) -> Answering<'_> {
        Box::pin(std::future::ready(Err(Refusal::Unknown(order.migration))))
    }

    fn rollback(&self, order: Rollback) -> Answering<'_> {
        Box::pin(std::future::ready(Err(Refusal::Unknown(order.migration))))
    }

    fn resume(&self, order: Resume) -> Answering<'_> {
        Box::pin(std::future::ready(Err(Refusal::Unknown(order.migration))))
    }

    fn verify(&self, order: Verify) -> Answering<'_> {
        Box::pin(std::future::ready(Err(Refusal::Unknown(order.migration))))
    }

    fn verifying(&self, _migration: &str) -> Value {
        json!({ "running": false })
    }
}
