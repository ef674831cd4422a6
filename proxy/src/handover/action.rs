//! What a handover asks of the world, and what it is told. The contract is in the module above.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use session::UnitId;

use crate::ledger::{Acknowledged, Digest, Mark, Primary, What};

/// A process that forwards writes to legacy. 0 is the one that also runs the handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ForwarderId(pub u32);

/// Names one action of one machine; its completion carries it back. Completions with another ticket than the
/// ones that are awaited are ignored, so a late answer to a repeated question does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

/// How a unit is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A log: ends are equal to the offset.
    Log,
    /// A consumer group: the feed has read the log that holds it at least to the end that was seen.
    Group,
    /// The transactional ids of a migration: every one has the same producer on both sides, and no transaction open.
    Transactions,
}

/// One unit of a handover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedUnit {
    /// Its name.
    pub unit: UnitId,
    /// How it is compared.
    pub kind: UnitKind,
    /// Its ownership epoch now; the commit raises it by one.
    pub epoch: u64,
}

/// Whose facts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// The side that is primary now. For legacy: asked of legacy itself, at this moment.
    Source,
    /// The feed from the source to the target.
    Feed,
    /// The side that shall be primary.
    Target,
}

/// What one side knows of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// End of what is there: a log's end offset; the end of a group's offsets log; a feed's position.
    pub end: u64,
    /// How much of it is final: a source's high watermark; a target's durable and confirmed end (below `end`
    /// while there is a provisional tail). A feed repeats its position.
    pub settled: u64,
    /// Records since the feed began. A source that cannot count them says `None`.
    pub records: Option<u64>,
    /// Chained hash over the batches' checksums since the feed began (a group: hash over its committed
    /// offsets with metadata). A source that cannot tell says `None`.
    pub chain: Option<Digest>,
    /// Hashes that a feed has kept at earlier offsets, ascending, the end's last.
    pub marks: Vec<Mark>,
    /// What clients were told is safe.
    pub acknowledged: Option<Acknowledged>,
    /// Hash over the producers' state (a group: over members, generation and assignment), if known.
    pub producers: Option<Digest>,
    /// Highest leader epoch (generation) used; for a feed: the one under which its position was reached.
    pub epoch: i32,
    /// The same as legacy itself counts it, where legacy is asked: see `Evidence::legacy_epoch`.
    pub legacy_epoch: Option<i32>,
    /// Which incarnation of the unit (a hash of the topic id).
    pub incarnation: Digest,
    /// Records that the feed brings in a second, where it is slow enough to say so: a fence begins with no more than
    /// that missing.
    pub brings: Option<u64>,
    /// Why the unit cannot move now, if it cannot: open transaction, rebalancing group, feed stopped, no room.
    pub obstacle: Option<Obstacle>,
}

/// Why a unit cannot move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// For the operator.
    pub reason: String,
    /// It can pass by itself (a rebalance); otherwise the handover ends at once.
    pub passing: bool,
}

/// A unit with what it becomes at the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// Unit.
    pub unit: UnitId,
    /// The new primary.
    pub side: Primary,
    /// Its ownership epoch from the commit on.
    pub epoch: u64,
    /// Leader epoch (generation) that the new primary uses.
    pub target_epoch: i32,
    /// End of the source at the commit.
    pub cut: u64,
}

/// What shall be done. Every action is idempotent: it may come again after a crash or a lost completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make these entries durable. Completes with `Done`, or `Failed`: then the process must end.
    Record(Vec<What>),
    /// Tell what this side knows now. Completes with `Facts` (all units) or `Failed` (asked again).
    Ask {
        /// Which side.
        whose: Whose,
        /// Towards which side the units move.
        to: Primary,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Hold new writes to these units. Completes with `OnTheWay`, counted after the hold.
    Fence {
        /// Who.
        forwarder: ForwarderId,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Count again what is on its way. Completes with `OnTheWay`.
    Count {
        /// Who.
        forwarder: ForwarderId,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Renew this forwarder's lease no more. Completes with `SafeAt`: the moment after which nothing that it
    /// sent can still reach legacy (its lease's end and the send time-out).
    Revoke {
        /// Who.
        forwarder: ForwarderId,
    },
    /// Begin what needs the clients of the source, before anybody is held: members of a group that the kernel
    /// serves are asked to commit and to join again, and wait then. The source's facts name who is missing as an
    /// obstacle that passes. `Reopen` undoes it. Completes with `Done` or `Failed` (asked again).
    Gather {
        /// Towards which side the units move.
        to: Primary,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Let the source itself refuse writes, where it can (a log that the kernel leads), and let the target
    /// take what it needs beforehand without acting on it (a group's members and offsets). Completes with
    /// `Done` or `Failed`.
    Close {
        /// Towards which side the units move.
        to: Primary,
        /// The units.
        units: Vec<UnitId>,
    },
    /// Undo `Close`. Completes with `Done` or `Failed` (asked again).
    Reopen {
        /// Towards which side the units would have moved.
        to: Primary,
        /// The units.
        units: Vec<UnitId>,
    },
    /// The ledger holds the commit: let the new primary act as such (a log is led under its new epoch; a
    /// group is active) and the old one not. Completes with `Done` or `Failed` (asked again).
    Switch(Vec<NewOwner>),
    /// Let metadata name the new primary. Completes with `Done` or `Failed` (asked again).
    Publish(Vec<NewOwner>),
    /// Let the held writes go to this side. Completes with `Done`.
    Release {
        /// Who.
        forwarder: ForwarderId,
        /// The units.
        units: Vec<UnitId>,
        /// Where to.
        side: Primary,
    },
    /// Watch the old side from the cut on: what appears there is a divergence. Completes with `Done` or
    /// `Failed` (asked again).
    Follow(Vec<NewOwner>),
}

/// Names an action's kind, for logs, failpoints and the coverage of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// `Record` of the begun entry.
    RecordBegun,
    /// `Record` of the fence step.
    RecordFence,
    /// `Record` of the verified entry.
    RecordVerified,
    /// `Record` of the commit.
    RecordCommit,
    /// `Record` of released and later entries.
    RecordAfter,
    /// `Record` of the end on the old primary.
    RecordAborted,
    /// `Record` of anything else.
    RecordOther,
    /// `Ask` of the source.
    AskSource,
    /// `Ask` of the feed.
    AskFeed,
    /// `Ask` of the target.
    AskTarget,
    /// `Fence`.
    Fence,
    /// `Count`.
    Count,
    /// `Revoke`.
    Revoke,
    /// `Gather`.
    Gather,
    /// `Close`.
    Close,
    /// `Reopen`.
    Reopen,
    /// `Switch`.
    Switch,
    /// `Publish`.
    Publish,
    /// `Release`.
    Release,
    /// `Follow`.
    Follow,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::RecordBegun,
        Self::RecordFence,
        Self::RecordVerified,
        Self::RecordCommit,
        Self::RecordAfter,
        Self::RecordAborted,
        Self::RecordOther,
        Self::AskSource,
        Self::AskFeed,
        Self::AskTarget,
        Self::Fence,
        Self::Count,
        Self::Revoke,
        Self::Gather,
        Self::Close,
        Self::Reopen,
        Self::Switch,
        Self::Publish,
        Self::Release,
        Self::Follow,
    ];
}

impl Action {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Record(whats) => record_kind(whats),
            Self::Ask { whose: Whose::Source, .. } => ActionKind::AskSource,
            Self::Ask { whose: Whose::Feed, .. } => ActionKind::AskFeed,
            Self::Ask { whose: Whose::Target, .. } => ActionKind::AskTarget,
            Self::Fence { .. } => ActionKind::Fence,
            Self::Count { .. } => ActionKind::Count,
            Self::Revoke { .. } => ActionKind::Revoke,
            Self::Gather { .. } => ActionKind::Gather,
            Self::Close { .. } => ActionKind::Close,
            Self::Reopen { .. } => ActionKind::Reopen,
            Self::Switch(_) => ActionKind::Switch,
            Self::Publish(_) => ActionKind::Publish,
            Self::Release { .. } => ActionKind::Release,
            Self::Follow(_) => ActionKind::Follow,
        }
    }
}

fn record_kind(whats: &[What]) -> ActionKind {
    match whats.last() {
        Some(What::HandoverBegun { .. }) => ActionKind::RecordBegun,
        Some(What::StepBegun { .. }) => ActionKind::RecordFence,
        Some(What::Verified { .. }) => ActionKind::RecordVerified,
        Some(What::Committed { .. }) => ActionKind::RecordCommit,
        Some(What::Released { .. } | What::Following { .. }) => ActionKind::RecordAfter,
        Some(What::Aborted { .. }) => ActionKind::RecordAborted,
        Some(
            What::MigrationCreated { .. }
            | What::UnitsAdded { .. }
            | What::PhaseIntent { .. }
            | What::CanaryShare { .. }
            | What::IntentDropped { .. }
            | What::PhaseReached { .. }
            | What::GateChecked { .. }
            | What::Forced { .. }
            | What::Diverged { .. }
            | What::UnitStopped { .. }
            | What::UnitResumed { .. }
            | What::WayBackClosed { .. }
            | What::UnitsRemoved { .. },
        )
        | None => ActionKind::RecordOther,
    }
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// It is done.
    Done,
    /// It was not done, or nobody knows: why.
    Failed(String),
    /// Writes forwarded to legacy whose answers have not come.
    OnTheWay(u64),
    /// When it is safe, on the monotonic clock.
    SafeAt(Duration),
    /// What was asked for, by unit.
    Facts(BTreeMap<UnitId, Facts>),
}
