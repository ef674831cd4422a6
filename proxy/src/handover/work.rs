//! One migration at work: what it is doing, and which units it moves next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use session::UnitId;

use super::action::{PlannedUnit, UnitKind};
use super::command::Refused;
use super::gate::{self, GateLimits, GateReport, Situation};
use super::migration::{MigrationSpec, OrderId};
use super::phase::Phase;
use super::resume;
use crate::ledger::{Book, Decider, HandoverId};

/// What a migration is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doing {
    Idle,
    /// The gate before the path's first phase is red.
    WaitGate {
        until: Duration,
        next_look: Duration,
    },
    /// Intent and gate are being written.
    RecordStep(OrderId),
    /// The phase is being applied.
    Apply {
        order: Option<OrderId>,
        again_at: Option<Duration>,
    },
    /// The reached phase is being written.
    RecordReached(OrderId),
    /// A handover runs.
    Handover(HandoverId),
    /// An aborted handover is tried again later.
    Retry {
        at: Duration,
    },
    /// The end of an intent is being written.
    RecordDropped(OrderId),
}

/// One migration at work.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) spec: MigrationSpec,
    pub(super) kinds: BTreeMap<UnitId, UnitKind>,
    pub(super) situation: Option<Situation>,
    pub(super) doing: Doing,
    pub(super) path: VecDeque<Phase>,
    pub(super) backward: bool,
    pub(super) force: bool,
    /// Share of the consumers of a canary that lies on the path.
    pub(super) percent: Option<u8>,
    pub(super) by: Decider,
    pub(super) intent_recorded: bool,
    pub(super) attempts: u32,
    pub(super) last_gate: Option<GateReport>,
    pub(super) last_end: Option<String>,
    /// Groups that an attempt found in the middle of something, each with what: the others go first.
    pub(super) set_aside: BTreeMap<UnitId, String>,
}

impl Work {
    pub(super) fn idle(&self) -> Result<(), Refused> {
        if self.doing == Doing::Idle { Ok(()) } else { Err(Refused::Busy(self.path.back().copied())) }
    }

    /// An advance that only waits can be given up for a rollback.
    pub(super) fn interruptible(&self) -> Result<(), Refused> {
        match self.doing {
            Doing::WaitGate { .. } | Doing::Retry { .. } => Ok(()),
            Doing::Idle
            | Doing::RecordStep(_)
            | Doing::Apply { .. }
            | Doing::RecordReached(_)
            | Doing::Handover(_)
            | Doing::RecordDropped(_) => self.idle(),
        }
    }

    pub(super) fn begin(&mut self, path: VecDeque<Phase>, backward: bool, force: bool, by: Decider) {
        self.path = path;
        self.backward = backward;
        self.force = force;
        self.by = by;
        self.percent = None;
        self.intent_recorded = false;
        self.attempts = 0;
        self.set_aside.clear();
    }

    pub(super) fn awaits(&self, id: OrderId) -> bool {
        match self.doing {
            Doing::RecordStep(order) | Doing::RecordReached(order) | Doing::RecordDropped(order) => {
                order == id
            }
            Doing::Apply { order, .. } => order == Some(id),
            Doing::Idle | Doing::WaitGate { .. } | Doing::Handover(_) | Doing::Retry { .. } => false,
        }
    }

    pub(super) fn ask_gate(&mut self, phase: Phase, limits: GateLimits) -> GateReport {
        let report = self.gate_now(phase, limits);
        self.last_gate = Some(report.clone());
        report
    }

    /// As [`Work::ask_gate`], for showing.
    pub(super) fn gate_now(&self, phase: Phase, limits: GateLimits) -> GateReport {
        let units: Vec<UnitId> = self.kinds.keys().cloned().collect();
        // Nothing known yet: every requirement that needs facts is red.
        let unknown = Situation::default();
        gate::check(phase, &units, self.situation.as_ref().unwrap_or(&unknown), limits)
    }

    /// The next units to move: logs before groups, at most `units_max`, in order of name. What was set aside
    /// comes when nothing else of its kind is left.
    pub(super) fn batch(&mut self, book: &Book, units_max: usize) -> Result<Vec<PlannedUnit>, String> {
        let mut left: Vec<PlannedUnit> = Vec::new();
        for unit in units_of(book, &self.spec.name) {
            if book.phase(&unit) >= Phase::Cutover {
                continue;
            }
            if let Some(stop) = book.stop(&unit) {
                let command = resume::command(book, &self.spec.name, &unit, stop);
                return Err(format!("{unit} is stopped: {}; to go on: {command}", stop.reason));
            }
            let kind =
                *self.kinds.get(&unit).ok_or_else(|| format!("{unit} is not found on legacy any more"))?;
            let epoch = book.owner(&unit).epoch;
            left.push(PlannedUnit { unit, kind, epoch });
        }
        let first = left.iter().map(|unit| unit.kind).min();
        left.retain(|unit| Some(unit.kind) == first);
        if left.iter().any(|unit| !self.set_aside.contains_key(&unit.unit)) {
            left.retain(|unit| !self.set_aside.contains_key(&unit.unit));
        }
        left.truncate(units_max);
        Ok(left)
    }
}

pub(super) fn units_of(book: &Book, name: &str) -> Vec<UnitId> {
    book.migrations().get(name).map(|recorded| recorded.units.iter().cloned().collect()).unwrap_or_default()
}

/// A migration's phase: the lowest of its units.
#[must_use]
pub fn phase_of(book: &Book, name: &str) -> Phase {
    units_of(book, name).iter().map(|unit| book.phase(unit)).min().unwrap_or(Phase::Observe)
}

pub(super) fn furthest_phase(book: &Book, name: &str) -> Phase {
    units_of(book, name).iter().map(|unit| book.phase(unit)).max().unwrap_or(Phase::Observe)
}

pub(super) fn forward_path(from: Phase, to: Phase) -> VecDeque<Phase> {
    let steps = std::iter::successors(from.next(), |phase| phase.next());
    let named = (to == Phase::Canary).then_some(to);
    steps.take_while(|phase| *phase <= to).chain(named).collect()
}

pub(super) fn back_path(from: Phase, to: Phase) -> VecDeque<Phase> {
    let between = |phase: &Phase| *phase >= to && *phase < from && *phase != Phase::Canary;
    Phase::ALL.into_iter().rev().filter(between).collect()
}
