//! What can go wrong, at which edge, and which pairs have been hit.

use std::collections::{BTreeMap, BTreeSet};

use proxy::handover::action::ActionKind;
use proxy::ledger::Primary;

use crate::rng::Rng;

/// When, around one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before it is executed.
    Before,
    /// After it was executed, before its completion is seen.
    After,
    /// After its completion was taken.
    Completed,
}

/// An edge of an action in a handover towards one side.
pub type Edge = (ActionKind, When, Primary);

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Kinds of fault, with the row of the fault matrix.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[$doc])* $name),* }
        impl Fault { pub const ALL: &'static [Self] = &[$(Self::$name),*]; }
    };
}

faults! {
    /// F1: the process with control, feed, kernel and a forwarder dies.
    CrashSluice,
    /// F1: the other forwarder dies.
    CrashForwarder,
    /// F2: the other forwarder stands still past its lease, then goes on.
    PauseForwarder,
    /// F2: the control's process stands still.
    PauseSluice,
    /// F3: the other forwarder hears everything late.
    StaleForwarder,
    /// F4
    LegacyCrash,
    /// F5: clean.
    LeaderChange,
    /// F5: unclean, acknowledged records are gone.
    UncleanElection,
    /// F6
    KernelCrash,
    /// F7: past the fence's limit.
    LegacyPause,
    /// F7
    LegacySlow,
    /// F8
    KernelSlow,
    /// F9, F10: the other forwarder and the control do not reach each other.
    CutControl,
    /// F9: the control and feed do not reach legacy.
    CutLegacy,
    /// F11: answers of legacy are lost with their connections.
    LostAnswers,
    /// F12: batches come twice and completions come twice.
    Duplicates,
    /// F13: the wall clock jumps.
    ClockJump,
    /// F14
    KernelFull,
    /// F15: a ledger write is torn and the process dies.
    LedgerTorn,
    /// F17: the ledger's fsync fails.
    LedgerFails,
    /// F22: a transaction is open.
    OpenTransaction,
    /// F24: the topic is made anew.
    Recreated,
    /// F25: somebody asks for a rollback.
    Rollback,
    /// F27: the kernel refuses what legacy took.
    Poison,
    /// A client writes past the proxy.
    Bypass,
    /// A group rebalances.
    Rebalance,
}

impl Fault {
    /// Ends the migration of a unit for good: at most one in a run.
    pub fn is_final(self) -> bool {
        matches!(self, Self::UncleanElection | Self::Recreated | Self::Poison)
    }
}

/// Edges that every fault must be seen at.
pub fn edges() -> Vec<Edge> {
    let sides = [Primary::Kernel, Primary::Legacy];
    let taken = |kind: &ActionKind, side: Primary| match kind {
        ActionKind::RecordOther => false,
        // Only groups that go back to legacy.
        ActionKind::Gather => side == Primary::Legacy,
        // What is on its way to the kernel ends with `Close`: there is nothing to count.
        ActionKind::Count => side == Primary::Kernel,
        _ => true,
    };
    let of = |side| {
        ActionKind::ALL.into_iter().filter(move |kind| taken(kind, side)).map(move |kind| (kind, side))
    };
    let both = sides.into_iter().flat_map(of);
    both.flat_map(|(kind, side)| [When::Before, When::After, When::Completed].map(|when| (kind, when, side)))
        .collect()
}

/// All pairs, in an order that mixes them.
pub fn cells() -> Vec<(Fault, Edge)> {
    let edges = edges();
    let mut cells: Vec<_> =
        edges.iter().flat_map(|edge| Fault::ALL.iter().map(|fault| (*fault, *edge))).collect();
    let mut rng = Rng::new(1);
    for at in (1..cells.len()).rev() {
        let other = rng.between(0, at as u64 + 1) as usize;
        cells.swap(at, other);
    }
    cells
}

/// Pairs that were hit, over all runs.
#[derive(Debug, Default, Clone)]
pub struct Coverage(pub BTreeMap<(Fault, Edge), u64>);

impl Coverage {
    pub fn add(&mut self, other: &Self) {
        for (cell, hits) in &other.0 {
            *self.0.entry(*cell).or_default() += hits;
        }
    }

    pub fn missing(&self) -> Vec<(Fault, Edge)> {
        cells().into_iter().filter(|cell| !self.0.contains_key(cell)).collect()
    }

    /// One line per fault: hits per edge, three figures per action (before, after, completed).
    pub fn table(&self) -> String {
        let kinds: BTreeSet<(Primary, ActionKind)> =
            edges().into_iter().map(|edge| (edge.2, edge.0)).collect();
        let mut text = String::from("fault × edge (before/after/completed of each action), hits\n");
        for fault in Fault::ALL {
            text.push_str(&format!("{fault:?}:"));
            for (side, kind) in &kinds {
                let hits = |when| self.0.get(&(*fault, (*kind, when, *side))).copied().unwrap_or(0);
                let (before, after, completed) =
                    (hits(When::Before), hits(When::After), hits(When::Completed));
                text.push_str(&format!(" {side}<-{kind:?} {before}/{after}/{completed}"));
            }
            text.push('\n');
        }
        text
    }
}
