//! What the ledger can say.

use std::fmt;

use serde::{Deserialize, Serialize};
use session::UnitId;

use super::explained::Explanation;
use crate::handover::phase::Phase;

/// One durable statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Numbered on from 1, without gaps.
    pub number: u64,
    /// When it was decided, wall clock in milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// Who decided.
    pub by: Decider,
    /// What is stated.
    #[serde(flatten)]
    pub what: What,
}

/// Who decided something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A person, through the command line, the admin API or the console.
    Operator(String),
    /// Sluice itself: a limit, a failed check, a recovery.
    Sluice,
}

/// Which side answers the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primary {
    /// The existing cluster.
    Legacy,
    /// The kernel.
    Kernel,
}

impl Primary {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Kernel,
            Self::Kernel => Self::Legacy,
        }
    }
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Kernel => "kernel",
        })
    }
}

/// Names one handover; numbered on in the order of their `handover_begun` entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct HandoverId(pub u64);

impl fmt::Display for HandoverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handover {}", self.0)
    }
}

/// A step of a handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Both sides are asked whether they could.
    Prepare,
    /// New writes wait at the forwarders.
    Fence,
    /// What was on its way arrives, or can no longer arrive.
    Drain,
    /// Both sides are compared.
    Verify,
    /// The one entry at which the primary changes.
    Commit,
    /// Clients are let through to the new primary.
    Release,
    /// The old side is watched.
    Follow,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Verify => "verify",
            Self::Commit => "commit",
            Self::Release => "release",
            Self::Follow => "follow",
        })
    }
}

/// A 64-bit hash, in hexadecimal (a JSON number would lose digits in many readers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Digest(pub u64);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The chained hash at one offset, over every batch below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Offset.
    pub offset: u64,
    /// The hash there.
    pub chain: Digest,
}

/// What clients were told is safe, through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Records, in answers to clients, since the process began.
    pub records: u64,
    /// When the process began, wall clock in milliseconds.
    pub since_ms: i64,
}

/// What was found equal on both sides of one unit before its primary changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Unit.
    pub unit: UnitId,
    /// End of the source, read after the drain (a partition's log end; the end of a group's offsets log).
    pub source_end: u64,
    /// End of the target.
    pub target_end: u64,
    /// Records (or committed offsets, or transactional ids) compared.
    pub records: u64,
    /// Chained hash over the batches' checksums (of transactional ids: over their producers), equal on both sides.
    pub chain: Digest,
    /// Hash over the state of idempotent producers (or over a group's members and assignment).
    pub producers: Digest,
    /// Highest leader epoch (or generation) that the source has used.
    pub source_epoch: i32,
    /// What the target leads under: above every epoch that the source used.
    pub target_epoch: i32,
    /// Leader epoch of a partition as legacy itself counted it then, on whichever side legacy was: what clients are
    /// told since its way back differs from it. `None`: a group, or an entry of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_epoch: Option<i32>,
    /// Hashes that the feed has kept over what it was shown, ascending by offset, the end's last: whoever reads the
    /// source again later begins at the first one that it still has. Empty: the feed's own hash was not compared (a
    /// group, a way back, an entry of an older version).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What clients were told is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

/// One unit's change of primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedUnit {
    /// Its epoch from now on: the old one plus one. Not the log's leader epoch.
    pub epoch: u64,
    /// What was compared.
    pub evidence: Evidence,
}

/// How one forwarder came to forward nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwarderNote {
    /// Its number.
    pub forwarder: u32,
    /// It answered the fence and counted down to zero; or its lease ran out and its connections timed out.
    pub answered: bool,
    /// How long that took from the fence on.
    pub after_ms: u64,
}

/// Kinds of difference between the sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DivergenceKind {
    /// Legacy holds a write that came after the commit: a bypass writer, or a forwarder that lost its lease.
    LateWrite,
    /// Somebody wrote to legacy past the fence, before the commit. The feed has it: nothing is missing.
    BypassDuringFence,
    /// Bytes differ at one position.
    Content,
    /// The source was truncated, deleted or made anew.
    Source,
    /// Dual-write delivered bytes that the feed later corrected.
    AheadReplaced,
    /// The kernel missed its deadline in dual-write.
    DualWriteMissed,
    /// The sides begin or end where they should not.
    Ends,
    /// A group has committed other offsets.
    Offsets,
    /// A topic is set otherwise.
    Configuration,
}

/// What stopped a unit, as far as it decides how the unit can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Legacy lost records that had been copied.
    SourceTruncated,
    /// Legacy shows other bytes than were copied.
    SourceChanged,
    /// The topic was deleted and created again.
    SourceRecreated,
    /// The topic was deleted.
    SourceDeleted,
    /// Legacy holds records in a message format before version 2.
    OldFormat,
    /// Legacy sent a batch that fails its own checksum.
    DamagedBatch,
    /// The kernel refused what legacy sent.
    Refused,
    /// The kernel cannot read what it had copied.
    CopyDamaged,
    /// The kernel and the ledger contradict each other.
    Contradiction,
    /// An older entry, which did not say.
    #[default]
    Unknown,
}

impl StopCause {
    /// Whether what was copied before is still the beginning of what legacy has: copying can go on behind it.
    #[must_use]
    pub fn leaves_copy_sound(self) -> bool {
        match self {
            Self::OldFormat | Self::DamagedBatch | Self::Refused => true,
            Self::SourceTruncated
            | Self::SourceChanged
            | Self::SourceRecreated
            | Self::SourceDeleted
            | Self::CopyDamaged
            | Self::Contradiction
            | Self::Unknown => false,
        }
    }
}

/// What an operator needs to look at a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Position in the unit's own order.
    pub position: u64,
    /// What differs, in words.
    pub detail: String,
    /// First bytes of the record or batch in hexadecimal, bounded by [`Sample::BYTES_MAX`] bytes.
    pub bytes_hex: String,
}

impl Sample {
    /// Longest sample kept, in bytes before they become hexadecimal.
    pub const BYTES_MAX: usize = 128;

    /// A sample of `bytes` at `position`.
    #[must_use]
    pub fn new(position: u64, detail: &str, bytes: &[u8]) -> Self {
        let bytes_hex = bytes.iter().take(Self::BYTES_MAX).map(|byte| format!("{byte:02x}")).collect();
        Self { position, detail: detail.to_owned(), bytes_hex }
    }
}

/// What an entry states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A migration exists.
    MigrationCreated {
        /// Its name.
        migration: String,
        /// Its cluster.
        cluster: String,
    },
    /// Units belong to a migration, in phase observe.
    UnitsAdded {
        /// Which migration.
        migration: String,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Somebody wants a migration in this phase.
    PhaseIntent {
        /// Which migration.
        migration: String,
        /// Where it is.
        from: Phase,
        /// Where it shall be.
        to: Phase,
    },
    /// So many per cent of the consumers read from the kernel while the migration is in canary.
    CanaryShare {
        /// Which migration.
        migration: String,
        /// Share, 0 to 100.
        percent: u8,
    },
    /// An intent ended before its phase was reached.
    IntentDropped {
        /// Which migration.
        migration: String,
        /// Why.
        reason: String,
    },
    /// Units are in this phase now.
    PhaseReached {
        /// Which migration.
        migration: String,
        /// The phase.
        phase: Phase,
        /// The units.
        units: Vec<UnitId>,
    },
    /// The gate was asked before a step.
    GateChecked {
        /// Which migration.
        migration: String,
        /// The phase behind the gate.
        to: Phase,
        /// Whether it was green.
        green: bool,
        /// What was missing.
        missing: Vec<String>,
    },
    /// An operator went on although the gate was red.
    Forced {
        /// Which migration.
        migration: String,
        /// The phase behind the gate.
        to: Phase,
        /// What was missing.
        missing: Vec<String>,
    },
    /// A handover is about to begin; nothing has been touched.
    HandoverBegun {
        /// Its number.
        handover: HandoverId,
        /// Whose units they are.
        migration: String,
        /// Where they go.
        to: Primary,
        /// The units.
        units: Vec<UnitId>,
    },
    /// A step of a handover begins; the step before it is done.
    StepBegun {
        /// Which handover.
        handover: HandoverId,
        /// Which step.
        step: Step,
        /// How forwarders were stopped (known from the verify step on).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        forwarders: Vec<ForwarderNote>,
    },
    /// Both sides were found equal.
    Verified {
        /// Which handover.
        handover: HandoverId,
        /// One per unit.
        evidence: Vec<Evidence>,
    },
    /// The primary changes here and nowhere else.
    Committed {
        /// Which handover.
        handover: HandoverId,
        /// Whose units they are.
        migration: String,
        /// The new primary.
        to: Primary,
        /// The units with their new epochs and what was compared.
        units: Vec<CommittedUnit>,
        /// Milliseconds since the fence began.
        fence_ms: u64,
    },
    /// Every reachable forwarder lets clients through to the new primary.
    Released {
        /// Which handover.
        handover: HandoverId,
        /// How long clients were held, in milliseconds.
        fence_ms: u64,
    },
    /// The old side is being watched; the handover is done.
    Following {
        /// Which handover.
        handover: HandoverId,
    },
    /// The handover ended on the old primary.
    Aborted {
        /// Which handover.
        handover: HandoverId,
        /// In which step.
        step: Step,
        /// Why.
        reason: String,
        /// How long clients were held, in milliseconds (0: there was no fence).
        fence_ms: u64,
    },
    /// A difference between the sides.
    Diverged {
        /// Unit.
        unit: UnitId,
        /// Which kind.
        divergence: DivergenceKind,
        /// Where and what.
        sample: Sample,
        /// Entry of the table that explains it, if one does.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "super::explained::known"
        )]
        explained_by: Option<Explanation>,
    },
    /// A unit takes part in nothing more until an operator has looked.
    UnitStopped {
        /// Unit.
        unit: UnitId,
        /// Why.
        reason: String,
        /// What kind of reason.
        #[serde(default)]
        cause: StopCause,
    },
    /// An operator has looked.
    UnitResumed {
        /// Unit.
        unit: UnitId,
        /// What was decided.
        reason: String,
        /// The kernel's copy was deleted first: it is made anew from legacy's beginning.
        #[serde(default)]
        discarded: bool,
    },
    /// A rollback of this unit would lose records from here on, until it is moved again.
    WayBackClosed {
        /// Unit.
        unit: UnitId,
        /// Why.
        reason: String,
    },
    /// Legacy has these units no more: they leave their migration.
    UnitsRemoved {
        /// Which migration.
        migration: String,
        /// The units.
        units: Vec<UnitId>,
    },
}
