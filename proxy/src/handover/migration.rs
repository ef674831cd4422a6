//! All migrations: commands of operators and facts in; ledger entries, phases and handovers out.
//!
//! ```text
//!   advance ─► gate ─► record intent ─► apply phase ─► record phase ─► next step …
//!                │                         │
//!                └ red: wait, drop         └ cutover, and back from it: handovers of bounded batches, one at a time;
//!                                             groups go back side by side
//! ```
//!
//! Within a cutover partitions go first, groups behind them. The only mixed state is then "partition on the
//! kernel, group on legacy": a commit to legacy may name an offset that legacy's own partition has not reached,
//! which Kafka does not check. The other order would let the kernel's group hold an offset above what the
//! kernel has mirrored, which a reset consumer would be told is out of range. The way back keeps to the same
//! mixed state by moving groups first.

mod batches;
mod commands;
mod restoring;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use super::action::{Action, Completion, ForwarderId, Ticket, UnitKind};
use super::gate::{GateLimits, Situation};
use super::lease::Leases;
use super::limits::HandoverLimits;
use super::machine::Handover;
use super::phase::Phase;
pub use super::work::phase_of;
use super::work::{Doing, Work, furthest_phase, is_away, units_of};
use crate::ledger::{Book, Decider, HandoverId, Primary, What};

/// A configured migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationSpec {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
}

/// Limits of the control, beside those of a handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlLimits {
    /// Of each handover.
    pub handover: HandoverLimits,
    /// Of each gate.
    pub gate: GateLimits,
    /// How long a later step of an advance waits for its gate (the first one must be green at once).
    pub gate_wait: Duration,
    /// How long to wait before a handover that was aborted is tried again.
    pub retry_after: Duration,
    /// How often a batch is tried before the advance ends.
    pub attempts_max: u32,
}

impl Default for ControlLimits {
    fn default() -> Self {
        Self {
            handover: HandoverLimits::default(),
            gate: GateLimits::default(),
            gate_wait: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
            attempts_max: 5,
        }
    }
}

/// Names an order that is not part of a handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// What the control wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Make entries durable. Answered by [`Migrations::handle_done`]; an error ends the process.
    Record {
        /// Names it.
        id: OrderId,
        /// Who decided.
        by: Decider,
        /// The entries.
        whats: Vec<What>,
    },
    /// Run units as this phase wants: feeds, dual-write, neither. Idempotent; also given at each start.
    /// Answered by [`Migrations::handle_done`]; an error is tried again.
    Apply {
        /// Names it.
        id: OrderId,
        /// The phase.
        phase: Phase,
        /// The units.
        units: Vec<UnitId>,
    },
    /// An action of a handover. Answered by [`Migrations::handle_completion`].
    Handover {
        /// Which handover.
        handover: HandoverId,
        /// Who decided it (for `Record`).
        by: Decider,
        /// Names the action.
        ticket: Ticket,
        /// The action.
        action: Action,
    },
}

/// The control of all migrations of one process.
#[derive(Debug)]
pub struct Migrations {
    pub(super) limits: ControlLimits,
    pub(super) works: BTreeMap<String, Work>,
    pub(super) handovers: BTreeMap<HandoverId, Handover>,
    orders: VecDeque<Order>,
    next_order: u64,
    next_handover: HandoverId,
    stopped: Option<String>,
    /// Phases being applied outside an advance: at a start, and for units that were discovered.
    background: BTreeMap<OrderId, (Phase, Vec<UnitId>)>,
    apply_again: Vec<(Duration, Phase, Vec<UnitId>)>,
}

impl Migrations {
    /// What legacy is found to have for a migration. New units join it; they are brought to dual-write at the
    /// most by themselves, and cut over with the next advance.
    pub fn handle_discovered(&mut self, now: Now, book: &Book, name: &str, units: &[(UnitId, UnitKind)]) {
        let Some(work) = self.works.get_mut(name) else { return };
        work.kinds.extend(units.iter().cloned());
        let known = book.migrations().get(name).map(|recorded| &recorded.units);
        let is_new = |unit: &UnitId| known.is_none_or(|known| !known.contains(unit));
        let new: Vec<UnitId> = units.iter().map(|(unit, _)| unit.clone()).filter(is_new).collect();
        if !new.is_empty() {
            let phase = known
                .filter(|known| !known.is_empty())
                .map_or(Phase::Observe, |_| furthest_phase(book, name).min(Phase::DualWrite));
            let added = What::UnitsAdded { migration: name.to_owned(), units: new.clone() };
            let reached = What::PhaseReached { migration: name.to_owned(), phase, units: new.clone() };
            self.record(Decider::Sluice, vec![added, reached]);
            self.apply_in_background(phase, new);
        }
        self.collect(now);
    }

    /// What is known now of a migration.
    pub fn handle_situation(&mut self, now: Now, book: &Book, name: &str, situation: Situation) {
        if let Some(work) = self.works.get_mut(name) {
            work.situation = Some(situation);
            if let Doing::WaitGate { next_look, .. } = &mut work.doing {
                *next_look = now.elapsed;
            }
        }
        self.handle_timeout(now, book, None);
    }

    /// An order is done, or was not.
    pub fn handle_done(&mut self, now: Now, book: &Book, id: OrderId, outcome: Result<(), String>) {
        let name = self.works.iter().find(|(_, work)| work.awaits(id)).map(|(name, _)| name.clone());
        let background = self.background.remove(&id);
        match (name, background, outcome) {
            (Some(name), _, outcome) => self.done(now, book, &name, outcome),
            (None, Some((phase, units)), Err(_)) => {
                self.apply_again.push((now.deadline(self.limits.retry_after), phase, units));
            }
            (None, None, Err(reason)) => self.stopped = Some(reason),
            (None, _, Ok(())) => {}
        }
        self.collect(now);
    }

    fn done(&mut self, now: Now, book: &Book, name: &str, outcome: Result<(), String>) {
        let retry = self.limits.retry_after;
        let Some(work) = self.works.get_mut(name) else { return };
        match (&work.doing, outcome) {
            (Doing::Apply { .. }, Err(reason)) => {
                work.last_end = Some(reason);
                work.doing = Doing::Apply { order: None, again_at: Some(now.deadline(retry)) };
            }
            (_, Err(reason)) => self.stopped = Some(reason),
            (Doing::RecordStep(_), Ok(())) => self.apply_step(now, book, name),
            (Doing::Apply { .. }, Ok(())) => {
                let phase = work.path.front().copied().unwrap_or(Phase::Observe);
                let units = units_of(book, name);
                let by = work.by.clone();
                let whats = vec![What::PhaseReached { migration: name.to_owned(), phase, units }];
                let id = self.record(by, whats);
                self.set(name, Doing::RecordReached(id));
            }
            (Doing::RecordReached(_), Ok(())) if work.path.front() == Some(&Phase::Cutover) => {
                self.next_batch(now, book, name);
            }
            (Doing::RecordReached(_), Ok(())) => self.step_done(now, book, name),
            (Doing::RecordBack(_), Ok(())) => self.apply_step(now, book, name),
            (Doing::RecordDropped(_), Ok(())) => work.doing = Doing::Idle,
            (
                Doing::Idle | Doing::WaitGate { .. } | Doing::Handovers { .. } | Doing::Retry { .. },
                Ok(()),
            ) => {}
        }
    }

    /// A handover's action has ended.
    pub fn handle_completion(
        &mut self,
        now: Now,
        handover: HandoverId,
        ticket: Ticket,
        completion: Completion,
    ) {
        if let Some(machine) = self.handovers.get_mut(&handover) {
            machine.handle_completion(now, ticket, completion);
        }
        self.collect(now);
    }

    /// A forwarder has joined, holding what [`Self::held`] says; see [`Leases::join`] for `safe_at`.
    pub fn handle_joined(&mut self, now: Now, forwarder: ForwarderId, safe_at: Option<Duration>) {
        for machine in self.handovers.values_mut() {
            machine.handle_joined(now, forwarder, safe_at);
        }
        self.collect(now);
    }

    /// Whether a handover that gives this unit back to legacy is under way.
    #[must_use]
    pub fn goes_back(&self, unit: &UnitId) -> bool {
        self.handovers.values().any(|machine| {
            let plan = machine.plan();
            plan.to == Primary::Legacy && plan.units.iter().any(|planned| planned.unit == *unit)
        })
    }

    /// Whether a forwarder must hold writes to this unit now.
    #[must_use]
    pub fn held(&self, unit: &UnitId) -> bool {
        self.handovers.values().any(|machine| {
            machine.holds() && machine.plan().units.iter().any(|planned| planned.unit == *unit)
        })
    }

    /// Why the process must end, if it must: the ledger has failed.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Does what was due by `now`. `leases` are needed to begin handovers; without them none begins.
    pub fn handle_timeout(&mut self, now: Now, book: &Book, leases: Option<&Leases>) {
        for (at, phase, units) in std::mem::take(&mut self.apply_again) {
            if now.elapsed >= at {
                self.apply_in_background(phase, units);
            } else {
                self.apply_again.push((at, phase, units));
            }
        }
        for name in self.works.keys().cloned().collect::<Vec<_>>() {
            self.work_timeout(now, book, &name, leases);
        }
        for machine in self.handovers.values_mut() {
            if machine.poll_timeout().is_some_and(|at| now.elapsed >= at) {
                machine.handle_timeout(now);
            }
        }
        self.collect(now);
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only what is due is done")]
    fn work_timeout(&mut self, now: Now, book: &Book, name: &str, leases: Option<&Leases>) {
        let gate_limits = self.limits.gate;
        let Some(work) = self.works.get_mut(name) else { return };
        match work.doing.clone() {
            Doing::WaitGate { until, next_look } if now.elapsed >= next_look => {
                let Some(&phase) = work.path.front() else { return };
                if work.backward || work.force || work.ask_gate(phase, gate_limits).green() {
                    self.enter_step(book, name);
                } else if now.elapsed >= until {
                    let reason = "the gate did not turn green in time".to_owned();
                    self.drop_intent(name, reason);
                } else {
                    work.doing =
                        Doing::WaitGate { until, next_look: now.deadline(Duration::from_millis(200)) };
                }
            }
            Doing::Apply { order: None, again_at: Some(at) } if now.elapsed >= at => {
                self.apply_step(now, book, name)
            }
            Doing::Retry { at } | Doing::Handovers { more_at: Some(at), .. } if now.elapsed >= at => {
                if let Some(leases) = leases {
                    self.begin_handovers(now, book, name, leases);
                }
            }
            _ => {}
        }
    }

    /// When `handle_timeout` is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let works = self.works.values().filter_map(|work| match work.doing {
            Doing::WaitGate { until, next_look } => Some(until.min(next_look)),
            Doing::Apply { again_at, .. } => again_at,
            Doing::Retry { at } => Some(at),
            Doing::Handovers { more_at, .. } => more_at,
            Doing::Idle
            | Doing::RecordStep(_)
            | Doing::RecordReached(_)
            | Doing::RecordBack(_)
            | Doing::RecordDropped(_) => None,
        });
        let again = self.apply_again.iter().map(|(at, ..)| *at);
        works.chain(again).chain(self.handovers.values().filter_map(Handover::poll_timeout)).min()
    }

    /// What to do next.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    fn order_id(&mut self) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order += 1;
        id
    }

    fn apply_in_background(&mut self, phase: Phase, units: Vec<UnitId>) {
        let id = self.order_id();
        self.background.insert(id, (phase, units.clone()));
        self.orders.push_back(Order::Apply { id, phase, units });
    }

    fn record(&mut self, by: Decider, whats: Vec<What>) -> OrderId {
        let id = self.order_id();
        self.orders.push_back(Order::Record { id, by, whats });
        id
    }

    fn set(&mut self, name: &str, doing: Doing) {
        if let Some(work) = self.works.get_mut(name) {
            work.doing = doing;
        }
    }

    /// The gate is green, or forced: writes so, with the intent where it is new.
    fn enter_step(&mut self, book: &Book, name: &str) {
        let from = phase_of(book, name);
        let Some(work) = self.works.get_mut(name) else { return };
        let Some((&phase, &to)) = work.path.front().zip(work.path.back()) else {
            work.doing = Doing::Idle;
            return;
        };
        let migration = || name.to_owned();
        let mut whats = Vec::new();
        if !work.intent_recorded {
            work.intent_recorded = true;
            if let Some(percent) = work.percent {
                whats.push(What::CanaryShare { migration: migration(), percent });
            }
            whats.push(What::PhaseIntent { migration: migration(), from, to });
        }
        if let Some(report) = work.last_gate.as_ref().filter(|report| report.to == phase && !work.backward) {
            let (green, missing) = (report.green(), report.missing());
            whats.push(What::GateChecked {
                migration: migration(),
                to: phase,
                green,
                missing: missing.clone(),
            });
            if !green {
                whats.push(What::Forced { migration: migration(), to: phase, missing });
            }
        }
        let by = work.by.clone();
        let id = self.record(by, whats);
        self.set(name, Doing::RecordStep(id));
    }

    fn apply_step(&mut self, now: Now, book: &Book, name: &str) {
        let Some(work) = self.works.get_mut(name) else { return };
        let Some(&phase) = work.path.front() else {
            work.doing = Doing::Idle;
            return;
        };
        if phase == Phase::Cutover {
            self.next_batch(now, book, name);
            return;
        }
        if work.backward && units_of(book, name).iter().any(|unit| is_away(book, unit)) {
            work.doing = Doing::Retry { at: now.elapsed };
            return;
        }
        let id = self.order_id();
        self.orders.push_back(Order::Apply { id, phase, units: units_of(book, name) });
        self.set(name, Doing::Apply { order: Some(id), again_at: None });
    }

    /// The first phase of the path is reached.
    fn step_done(&mut self, now: Now, book: &Book, name: &str) {
        let until = now.deadline(self.limits.gate_wait);
        let Some(work) = self.works.get_mut(name) else { return };
        work.path.pop_front();
        work.attempts.clear();
        work.doing = if work.path.is_empty() {
            work.last_end = Some(format!("reached {}", phase_of(book, name)));
            Doing::Idle
        } else {
            Doing::WaitGate { until, next_look: now.elapsed }
        };
    }

    fn drop_intent(&mut self, name: &str, reason: String) {
        let what = What::IntentDropped { migration: name.to_owned(), reason: reason.clone() };
        let id = self.record(Decider::Sluice, vec![what]);
        if let Some(work) = self.works.get_mut(name) {
            work.last_end = Some(reason);
            work.path.clear();
            work.giving_up = None;
            work.doing = Doing::RecordDropped(id);
        }
    }
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
