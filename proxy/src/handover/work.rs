//! One migration at work: what it is doing, and which units it moves next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use session::UnitId;

use super::action::{PlannedUnit, UnitKind};
use super::command::Refused;
use super::gate::{self, GateLimits, GateReport, Situation, WayBack};
use super::migration::{MigrationSpec, OrderId};
use super::phase::Phase;
use super::resume;
use crate::ledger::{Book, Decider, HandoverId, Primary};

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
    /// That units are back is being written.
    RecordBack(OrderId),
    /// Handovers run. More begin at this time: those of groups go back side by side.
    Handovers {
        running: BTreeSet<HandoverId>,
        more_at: Option<Duration>,
    },
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
    /// How often each unit was in a handover that came to nothing, or is in its first.
    pub(super) attempts: BTreeMap<UnitId, u32>,
    /// Why the path is given up as soon as the handovers that run have ended.
    pub(super) giving_up: Option<String>,
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
            | Doing::RecordBack(_)
            | Doing::Handovers { .. }
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
        self.attempts.clear();
        self.giving_up = None;
        self.set_aside.clear();
    }

    /// The handovers that run.
    pub(super) fn running(&self) -> BTreeSet<HandoverId> {
        match &self.doing {
            Doing::Handovers { running, .. } => running.clone(),
            Doing::Idle
            | Doing::WaitGate { .. }
            | Doing::RecordStep(_)
            | Doing::Apply { .. }
            | Doing::RecordReached(_)
            | Doing::RecordBack(_)
            | Doing::Retry { .. }
            | Doing::RecordDropped(_) => BTreeSet::new(),
        }
    }

    /// A handover runs no more.
    pub(super) fn ended(&mut self, handover: HandoverId) {
        if let Doing::Handovers { running, .. } = &mut self.doing {
            running.remove(&handover);
        }
    }

    /// Begins another handover at this time, or earlier where that is due.
    pub(super) fn more_at(&mut self, at: Duration) {
        let running = self.running();
        let due =
            if let Doing::Handovers { more_at: Some(due), .. } = &self.doing { at.min(*due) } else { at };
        self.doing = if running.is_empty() {
            Doing::Retry { at: due }
        } else {
            Doing::Handovers { running, more_at: Some(due) }
        };
    }

    pub(super) fn awaits(&self, id: OrderId) -> bool {
        match self.doing {
            Doing::RecordStep(order)
            | Doing::RecordReached(order)
            | Doing::RecordBack(order)
            | Doing::RecordDropped(order) => order == id,
            Doing::Apply { order, .. } => order == Some(id),
            Doing::Idle | Doing::WaitGate { .. } | Doing::Handovers { .. } | Doing::Retry { .. } => false,
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
        // A transaction has one coordinator, and so one side: what ids may write to goes with them, at once.
        if left.iter().any(|unit| unit.kind == UnitKind::Transactions) {
            return if left.len() > units_max { Err(together(left.len())) } else { Ok(left) };
        }
        let first = left.iter().map(|unit| unit.kind).min();
        left.retain(|unit| Some(unit.kind) == first);
        if left.iter().any(|unit| !self.set_aside.contains_key(&unit.unit)) {
            left.retain(|unit| !self.set_aside.contains_key(&unit.unit));
        }
        left.truncate(units_max);
        Ok(left)
    }

    /// The next units to go back, by handover: groups before logs. A group has a handover of its own: its members wait
    /// from when they have joined again, and must not wait for another group's. All of them begin together, so that
    /// every group is waited for at the same time. None while it is not known whether one can go.
    pub(super) fn batches_back(
        &self,
        book: &Book,
        units_max: usize,
        under_way: &BTreeSet<UnitId>,
    ) -> Result<Vec<Vec<PlannedUnit>>, String> {
        let mut left: Vec<PlannedUnit> = Vec::new();
        for unit in units_of(book, &self.spec.name).into_iter().filter(|unit| is_away(book, unit)) {
            match self.known_way_back(book, &unit) {
                Some(WayBack::Closed(reason)) => {
                    return Err(format!("the way back of {unit} is closed: {reason}"));
                }
                // A start has not heard of it yet.
                None => return Ok(Vec::new()),
                Some(WayBack::Open | WayBack::Lagging(_)) => {}
            }
            let kind =
                *self.kinds.get(&unit).ok_or_else(|| format!("{unit} is not found on legacy any more"))?;
            let epoch = book.owner(&unit).epoch;
            left.push(PlannedUnit { unit, kind, epoch });
        }
        // As on the way there: a transaction has one coordinator, and so one side.
        if left.iter().any(|unit| unit.kind == UnitKind::Transactions) {
            if !under_way.is_empty() {
                return Ok(Vec::new());
            }
            return if left.len() > units_max { Err(together(left.len())) } else { Ok(vec![left]) };
        }
        let first = left.iter().map(|unit| unit.kind).max();
        left.retain(|unit| Some(unit.kind) == first && !under_way.contains(&unit.unit));
        left.truncate(units_max.saturating_sub(under_way.len()));
        Ok(match first {
            Some(UnitKind::Group) => left.into_iter().map(|unit| vec![unit]).collect(),
            _ if left.is_empty() => Vec::new(),
            Some(UnitKind::Log | UnitKind::Transactions) | None => vec![left],
        })
    }

    /// Whether a rollback of this unit would lose nothing. Where legacy is primary it loses nothing now.
    pub(super) fn way_back(&self, book: &Book, unit: &UnitId) -> WayBack {
        self.known_way_back(book, unit).unwrap_or_else(|| WayBack::Closed(UNKNOWN.to_owned()))
    }

    fn known_way_back(&self, book: &Book, unit: &UnitId) -> Option<WayBack> {
        let known = self.situation.as_ref().and_then(|situation| situation.way_back.get(unit));
        let served = book.owner(unit).side == Primary::Kernel;
        if book.phase(unit) == Phase::Retired {
            Some(WayBack::Closed("retired: legacy is not contacted any more".to_owned()))
        } else if let Some(reason) = book.way_back_closed(unit).filter(|_| served) {
            Some(WayBack::Closed(reason.to_owned()))
        } else if let Some(stop) = book.stopped(unit).filter(|_| served) {
            Some(WayBack::Closed(format!("the unit is stopped: {stop}")))
        } else if !served {
            Some(WayBack::Open)
        } else {
            known.cloned()
        }
    }

    /// What a rollback of the whole migration would meet: the first unit that cannot go back, or all that lag.
    pub(super) fn ways_back(&self, book: &Book) -> WayBack {
        let units = units_of(book, &self.spec.name).into_iter();
        let ways = units.map(|unit| match self.way_back(book, &unit) {
            WayBack::Closed(reason) => WayBack::Closed(format!("{unit}: {reason}")),
            way @ (WayBack::Open | WayBack::Lagging(_)) => way,
        });
        ways.fold(WayBack::Open, WayBack::worse)
    }

    /// What will be lost with a cutover: the ways back that it closes.
    pub(super) fn ways_that_close(&self) -> Vec<String> {
        self.situation.as_ref().map(gate::given_up).unwrap_or_default()
    }
}

fn together(count: usize) -> String {
    format!("{count} units move together with their transactional ids; raise fence_units_max")
}

/// Why a way back that nobody has told of is closed.
const UNKNOWN: &str = "it is not known yet whether legacy has everything; ask again in a moment";

/// Whether a unit is with the kernel, by its owner or (a crash came between the two entries) by its phase.
pub(super) fn is_away(book: &Book, unit: &UnitId) -> bool {
    book.owner(unit).side == Primary::Kernel || book.phase(unit) >= Phase::Cutover
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
