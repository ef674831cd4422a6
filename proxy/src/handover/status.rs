//! What is shown of migrations: plain data, serialised for the admin API, the command line and the console.

use kernel_model::Now;
use serde::Serialize;
use session::UnitId;

use super::action::UnitKind;
pub use super::gate::WayBack;
use super::gate::{GateReport, Lag};
use super::machine::Handover;
use super::migration::Migrations;
use super::phase::Phase;
use super::resume;
use super::work::{Doing, Work, furthest_phase, phase_of};
use crate::ledger::{Book, HandoverId, Primary, Step};

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
    /// Its phase: the lowest of its units.
    pub phase: Phase,
    /// Share of the consumers that read from the kernel, while any of its units is in canary.
    pub percent: Option<u8>,
    /// Phase it is on its way to.
    pub wanted: Option<Phase>,
    /// What it is doing, in words.
    pub doing: String,
    /// How its last attempt ended.
    pub last: Option<String>,
    /// The gate before the next phase, as it stands now; `None` on the way back and at the end.
    pub gate: Option<GateReport>,
    /// The handover that runs; of several, the one that began first, with what all of them wait for.
    pub handover: Option<HandoverStatus>,
    /// Whether a rollback would lose nothing.
    pub way_back: WayBack,
    /// What its cutover will give up, while that has not begun.
    pub cutover_gives_up: Vec<String>,
    /// Its units.
    pub units: Vec<UnitStatus>,
}

/// A handover that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoverStatus {
    /// Its number.
    pub handover: HandoverId,
    /// Its step.
    pub step: Step,
    /// Units in it.
    pub units: usize,
    /// How long clients have been held, in milliseconds.
    pub fenced_ms: u64,
    /// What it waits for; empty for nothing in particular.
    pub waits_for: String,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitStatus {
    /// Its name.
    pub unit: UnitId,
    /// Its kind; `None` while legacy has not named it since the start.
    pub kind: Option<UnitKind>,
    /// Its phase.
    pub phase: Phase,
    /// Who answers its clients.
    pub primary: Primary,
    /// Whether its rollback would lose nothing.
    pub way_back: WayBack,
    /// Its ownership epoch.
    pub epoch: u64,
    /// How far the kernel is behind; `None` without a feed.
    pub lag: Option<Lag>,
    /// Divergences on disk.
    pub divergences: u64,
    /// Those that nothing explains.
    pub unexplained: u64,
    /// Why it takes part in nothing, if it does not.
    pub stopped: Option<String>,
    /// Why a group was left for a later batch, if it was.
    pub set_aside: Option<String>,
    /// The command that lets a stopped unit go on.
    pub resume: Option<String>,
}

impl Migrations {
    /// All migrations as they stand.
    #[must_use]
    pub fn status(&self, now: Now, book: &Book) -> Vec<MigrationStatus> {
        self.works.values().map(|work| self.status_of(now, book, work)).collect()
    }

    fn status_of(&self, now: Now, book: &Book, work: &Work) -> MigrationStatus {
        let name = &work.spec.name;
        let units: Vec<UnitStatus> = book
            .migrations()
            .get(name)
            .into_iter()
            .flat_map(|recorded| &recorded.units)
            .map(|unit| unit_status(book, work, unit))
            .collect();
        MigrationStatus {
            name: name.clone(),
            cluster: work.spec.cluster.clone(),
            phase: phase_of(book, name),
            percent: canary_percent(book, name),
            wanted: work.path.back().copied(),
            doing: work.doing.to_string(),
            last: work.last_end.clone(),
            gate: self.next_gate(book, work),
            handover: self.handover_status(now, name),
            way_back: work.ways_back(book),
            cutover_gives_up: if furthest_phase(book, name) < Phase::Cutover {
                work.ways_that_close()
            } else {
                Vec::new()
            },
            units,
        }
    }

    /// What is shown of a gate must be true now, not when somebody last asked.
    fn next_gate(&self, book: &Book, work: &Work) -> Option<GateReport> {
        if work.backward && !work.path.is_empty() {
            return None;
        }
        let next = work.path.front().copied().or_else(|| phase_of(book, &work.spec.name).next())?;
        Some(work.gate_now(next, self.limits.gate))
    }

    fn handover_status(&self, now: Now, name: &str) -> Option<HandoverStatus> {
        let machines = || self.handovers.values().filter(|machine| machine.plan().migration == name);
        let machine = machines().next()?;
        let mut waits_for: Vec<&str> = machines().map(Handover::waits_for).collect();
        waits_for.retain(|reason| !reason.is_empty());
        Some(HandoverStatus {
            handover: machine.plan().handover,
            step: machine.step(),
            units: machine.plan().units.len(),
            fenced_ms: u64::try_from(machine.fenced_for(now).as_millis()).unwrap_or(u64::MAX),
            waits_for: waits_for.join("; "),
        })
    }
}

fn canary_percent(book: &Book, name: &str) -> Option<u8> {
    let recorded = book.migrations().get(name)?;
    let any = recorded.units.iter().any(|unit| book.phase(unit) == Phase::Canary);
    recorded.percent.filter(|_| any)
}

fn unit_status(book: &Book, work: &Work, unit: &UnitId) -> UnitStatus {
    let owner = book.owner(unit);
    let (divergences, unexplained) = book.divergences(unit);
    UnitStatus {
        unit: unit.clone(),
        kind: work.kinds.get(unit).copied(),
        phase: book.phase(unit),
        primary: owner.side,
        way_back: work.way_back(book, unit),
        epoch: owner.epoch,
        lag: work.situation.as_ref().and_then(|situation| situation.lag.get(unit).cloned()),
        divergences,
        unexplained,
        stopped: book.stopped(unit).map(str::to_owned),
        set_aside: work.set_aside.get(unit).cloned(),
        resume: book.stop(unit).map(|stop| resume::command(book, &work.spec.name, unit, stop)),
    }
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Idle => f.write_str("nothing"),
            Self::WaitGate { .. } => f.write_str("waiting for its gate"),
            Self::RecordStep(_) | Self::RecordReached(_) | Self::RecordBack(_) | Self::RecordDropped(_) => {
                f.write_str("writing the ledger")
            }
            Self::Apply { again_at: None, .. } => f.write_str("applying the phase"),
            Self::Apply { .. } => f.write_str("applying the phase failed; trying again"),
            Self::Handovers { running, .. } => match (running.first(), running.len()) {
                (Some(handover), 1) => write!(f, "{handover}"),
                (_, count) => write!(f, "{count} handovers"),
            },
            Self::Retry { .. } => f.write_str("about to begin a handover"),
        }
    }
}
