//! The fold of all entries: who is primary, which phase, what is open.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use session::UnitId;

use super::entry::{CommittedUnit, Entry, HandoverId, Primary, Step, StopCause, What};
use crate::handover::phase::Phase;

/// Why an entry cannot follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The handover was never begun, or is over.
    #[error("{0} is not open")]
    NotOpen(HandoverId),
    /// A handover with this number exists.
    #[error("{0} was begun before")]
    Begun(HandoverId),
    /// The unit is part of another open handover.
    #[error("{unit} is in {handover} already")]
    Busy {
        /// Which unit.
        unit: UnitId,
        /// Where it is.
        handover: HandoverId,
    },
    /// A commit must raise a unit's epoch by one, once, towards the side that was begun.
    #[error("commit of {unit} with epoch {found} after epoch {current}")]
    Epoch {
        /// Which unit.
        unit: UnitId,
        /// Its epoch.
        current: u64,
        /// What the entry says.
        found: u64,
    },
    /// The committed handover cannot be aborted.
    #[error("{0} is committed")]
    Committed(HandoverId),
}

/// Who serves a unit, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ownership {
    /// Unit.
    pub unit: UnitId,
    /// Which side.
    pub side: Primary,
    /// Raised by one at each commit; 0 before the first.
    pub epoch: u64,
    /// What the target leads under since the last commit (a log's leader epoch); `None` before the first.
    pub target_epoch: Option<i32>,
    /// End of the source at the last commit: a late write lies at or above it.
    pub cut: Option<u64>,
}

/// A change of a unit's primary, as far as it decides how leader epochs are counted since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideChange {
    /// The new primary.
    pub to: Primary,
    /// End of the source: where the new primary began.
    pub cut: u64,
    /// What the new primary leads under.
    pub epoch: i32,
    /// What legacy itself called that moment, if it was noted.
    pub legacy_epoch: Option<i32>,
}

/// A handover whose last entry is neither `following` nor `aborted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenHandover {
    /// Its number.
    pub handover: HandoverId,
    /// Whose units they are.
    pub migration: String,
    /// Where they go.
    pub to: Primary,
    /// The units.
    pub units: Vec<UnitId>,
    /// Last step that began.
    pub step: Step,
    /// Whether the primary has changed.
    pub committed: bool,
}

/// A migration, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Migration {
    /// Its cluster.
    pub cluster: String,
    /// Its units.
    pub units: BTreeSet<UnitId>,
    /// Phase that somebody wants, while it is not reached.
    pub intent: Option<Phase>,
    /// Share of the consumers that read from the kernel in canary, as it was set last.
    pub percent: Option<u8>,
}

/// Why a unit takes part in nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// In words.
    pub reason: String,
    /// What kind of reason.
    pub cause: StopCause,
}

/// What all entries together say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    owners: BTreeMap<UnitId, Ownership>,
    changes: BTreeMap<UnitId, Vec<SideChange>>,
    phases: BTreeMap<UnitId, Phase>,
    migrations: BTreeMap<String, Migration>,
    open: BTreeMap<HandoverId, OpenHandover>,
    stopped: BTreeMap<UnitId, Stop>,
    /// Why units that the kernel serves cannot go back.
    closed_ways: BTreeMap<UnitId, String>,
    divergences: BTreeMap<UnitId, (u64, u64)>,
    last_handover: HandoverId,
    fence_ms_max: u64,
}

impl Book {
    /// Who serves a unit: legacy, until an entry says otherwise.
    #[must_use]
    pub fn owner(&self, unit: &UnitId) -> Ownership {
        self.owners.get(unit).cloned().unwrap_or_else(|| Ownership {
            unit: unit.clone(),
            side: Primary::Legacy,
            epoch: 0,
            target_epoch: None,
            cut: None,
        })
    }

    /// Every unit whose primary has ever changed.
    pub fn owners(&self) -> impl Iterator<Item = &Ownership> {
        self.owners.values()
    }

    /// Every change of a unit's primary since its source was last made anew, oldest first.
    #[must_use]
    pub fn side_changes(&self, unit: &UnitId) -> &[SideChange] {
        self.changes.get(unit).map_or(&[], Vec::as_slice)
    }

    /// Phase of a unit.
    #[must_use]
    pub fn phase(&self, unit: &UnitId) -> Phase {
        self.phases.get(unit).copied().unwrap_or(Phase::Observe)
    }

    /// All migrations by name.
    #[must_use]
    pub fn migrations(&self) -> &BTreeMap<String, Migration> {
        &self.migrations
    }

    /// Handovers that a crash or a running machine has left open.
    pub fn open(&self) -> impl Iterator<Item = &OpenHandover> {
        self.open.values()
    }

    /// Why a unit takes part in nothing, if it does not.
    #[must_use]
    pub fn stopped(&self, unit: &UnitId) -> Option<&str> {
        self.stop(unit).map(|stop| stop.reason.as_str())
    }

    /// As [`Book::stopped`], with the kind of reason.
    #[must_use]
    pub fn stop(&self, unit: &UnitId) -> Option<&Stop> {
        self.stopped.get(unit)
    }

    /// Why a rollback of a unit that the kernel serves would lose something, if it would.
    #[must_use]
    pub fn way_back_closed(&self, unit: &UnitId) -> Option<&str> {
        self.closed_ways.get(unit).map(String::as_str)
    }

    /// Divergences of a unit: all, and those that nothing explains.
    #[must_use]
    pub fn divergences(&self, unit: &UnitId) -> (u64, u64) {
        self.divergences.get(unit).copied().unwrap_or_default()
    }

    /// A number that no handover has had.
    #[must_use]
    pub fn next_handover(&self) -> HandoverId {
        HandoverId(self.last_handover.0 + 1)
    }

    /// Longest fence of all handovers, in milliseconds.
    #[must_use]
    pub fn fence_ms_max(&self) -> u64 {
        self.fence_ms_max
    }

    /// Takes one more entry.
    ///
    /// # Errors
    ///
    /// [`BookError`]: it contradicts the entries before it, and nothing was changed.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), BookError> {
        match &entry.what {
            What::HandoverBegun { .. }
            | What::StepBegun { .. }
            | What::Verified { .. }
            | What::Committed { .. }
            | What::Released { .. }
            | What::Following { .. }
            | What::Aborted { .. } => self.apply_handover(&entry.what),
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
            | What::UnitsRemoved { .. } => {
                self.apply_other(&entry.what);
                Ok(())
            }
        }
    }

    fn apply_other(&mut self, what: &What) {
        match what {
            What::MigrationCreated { migration, cluster } => {
                self.migrations.entry(migration.clone()).or_default().cluster.clone_from(cluster);
            }
            What::UnitsAdded { migration, units } => {
                self.migrations.entry(migration.clone()).or_default().units.extend(units.iter().cloned());
            }
            What::PhaseIntent { migration, to, .. } => {
                self.migrations.entry(migration.clone()).or_default().intent = Some(*to);
            }
            What::CanaryShare { migration, percent } => {
                self.migrations.entry(migration.clone()).or_default().percent = Some(*percent);
            }
            What::IntentDropped { migration, .. } => {
                self.migrations.entry(migration.clone()).or_default().intent = None;
            }
            What::PhaseReached { migration, phase, units } => self.reach(migration, *phase, units),
            What::Diverged { unit, explained_by, .. } => {
                let (all, unexplained) = self.divergences.entry(unit.clone()).or_default();
                *all += 1;
                *unexplained += u64::from(explained_by.is_none());
            }
            What::UnitStopped { unit, reason, cause } => {
                self.stopped.insert(unit.clone(), Stop { reason: reason.clone(), cause: *cause });
            }
            What::UnitResumed { unit, discarded, .. } => {
                let stop = self.stopped.remove(unit);
                let anew = [StopCause::SourceRecreated, StopCause::SourceDeleted];
                let anew = stop.is_some_and(|stop| anew.contains(&stop.cause));
                if *discarded && anew {
                    self.begin_anew(unit);
                }
            }
            What::WayBackClosed { unit, reason } => {
                self.closed_ways.entry(unit.clone()).or_insert_with(|| reason.clone());
            }
            What::UnitsRemoved { migration, units } => self.remove(migration, units),
            What::GateChecked { .. }
            | What::Forced { .. }
            | What::HandoverBegun { .. }
            | What::StepBegun { .. }
            | What::Verified { .. }
            | What::Committed { .. }
            | What::Released { .. }
            | What::Following { .. }
            | What::Aborted { .. } => {}
        }
    }

    /// What was counted for another source does not hold for this one.
    fn begin_anew(&mut self, unit: &UnitId) {
        if self.owner(unit).side == Primary::Legacy {
            self.changes.remove(unit);
        }
    }

    /// What a unit was stays known: it may come back, and its divergences are never forgotten.
    fn remove(&mut self, migration: &str, units: &[UnitId]) {
        for unit in units {
            self.begin_anew(unit);
            self.phases.remove(unit);
            self.stopped.remove(unit);
            if let Some(record) = self.migrations.get_mut(migration) {
                record.units.remove(unit);
            }
        }
    }

    fn reach(&mut self, migration: &str, phase: Phase, units: &[UnitId]) {
        for unit in units {
            self.phases.insert(unit.clone(), phase);
        }
        let phases = &self.phases;
        if let Some(record) = self.migrations.get_mut(migration)
            && let Some(wanted) = record.intent
            && record.units.iter().all(|unit| phases.get(unit) == Some(&wanted))
        {
            record.intent = None;
        }
    }

    fn apply_handover(&mut self, what: &What) -> Result<(), BookError> {
        match what {
            What::HandoverBegun { handover, migration, to, units } => {
                self.begin(*handover, migration, *to, units)
            }
            What::StepBegun { handover, step, .. } => self.open_mut(*handover).map(|open| open.step = *step),
            What::Verified { handover, .. } => self.open_mut(*handover).map(|_| ()),
            What::Committed { handover, to, units, .. } => self.commit(*handover, *to, units),
            What::Released { handover, fence_ms } => {
                self.open_mut(*handover)?.step = Step::Follow;
                self.fence_ms_max = self.fence_ms_max.max(*fence_ms);
                Ok(())
            }
            What::Following { handover } => self.close(*handover),
            What::Aborted { handover, fence_ms, .. } => {
                if self.open_mut(*handover)?.committed {
                    return Err(BookError::Committed(*handover));
                }
                self.fence_ms_max = self.fence_ms_max.max(*fence_ms);
                self.close(*handover)
            }
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
            | What::UnitsRemoved { .. } => Ok(()),
        }
    }

    fn begin(
        &mut self,
        id: HandoverId,
        migration: &str,
        to: Primary,
        units: &[UnitId],
    ) -> Result<(), BookError> {
        if id <= self.last_handover {
            return Err(BookError::Begun(id));
        }
        for open in self.open.values() {
            if let Some(unit) = units.iter().find(|unit| open.units.contains(unit)) {
                return Err(BookError::Busy { unit: unit.clone(), handover: open.handover });
            }
        }
        self.last_handover = id;
        let open = OpenHandover {
            handover: id,
            migration: migration.to_owned(),
            to,
            units: units.to_vec(),
            step: Step::Prepare,
            committed: false,
        };
        self.open.insert(id, open);
        Ok(())
    }

    fn commit(&mut self, id: HandoverId, to: Primary, units: &[CommittedUnit]) -> Result<(), BookError> {
        let open = self.open.get(&id).ok_or(BookError::NotOpen(id))?;
        let named = |unit| units.iter().any(|committed| &committed.evidence.unit == unit);
        if open.committed || open.to != to || units.len() != open.units.len() || !open.units.iter().all(named)
        {
            return Err(BookError::Committed(id));
        }
        for CommittedUnit { epoch, evidence } in units {
            let current = self.owner(&evidence.unit);
            if *epoch != current.epoch + 1 || current.side == to {
                return Err(BookError::Epoch {
                    unit: evidence.unit.clone(),
                    current: current.epoch,
                    found: *epoch,
                });
            }
        }
        for CommittedUnit { epoch, evidence } in units {
            let owner = Ownership {
                unit: evidence.unit.clone(),
                side: to,
                epoch: *epoch,
                target_epoch: Some(evidence.target_epoch),
                cut: Some(evidence.source_end),
            };
            self.closed_ways.remove(&evidence.unit);
            self.owners.insert(evidence.unit.clone(), owner);
            let change = SideChange {
                to,
                cut: evidence.source_end,
                epoch: evidence.target_epoch,
                legacy_epoch: evidence.legacy_epoch,
            };
            self.changes.entry(evidence.unit.clone()).or_default().push(change);
        }
        let open = self.open_mut(id)?;
        open.committed = true;
        open.step = Step::Release;
        Ok(())
    }

    fn open_mut(&mut self, id: HandoverId) -> Result<&mut OpenHandover, BookError> {
        self.open.get_mut(&id).ok_or(BookError::NotOpen(id))
    }

    fn close(&mut self, id: HandoverId) -> Result<(), BookError> {
        self.open.remove(&id).map(|_| ()).ok_or(BookError::NotOpen(id))
    }
}
