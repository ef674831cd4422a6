//! All migrations: commands of operators and facts in; ledger entries, phases and handovers out.
//!
//! ```text
//!   advance ─► gate ─► record intent ─► apply phase ─► record phase ─► next step …
//!                │                         │
//!                └ red: wait, drop         └ cutover, and back from it: handovers of bounded batches, one at a time
//! ```
//!
//! Within a cutover partitions go first, groups behind them. The only mixed state is then "partition on the
//! kernel, group on legacy": a commit to legacy may name an offset that legacy's own partition has not reached,
//! which Kafka does not check. The other order would let the kernel's group hold an offset above what the
//! kernel has mirrored, which a reset consumer would be told is out of range. The way back keeps to the same
//! mixed state by moving groups first.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use super::action::{Action, Completion, ForwarderId, Ticket, UnitKind};
use super::command::{Accepted, Command, Refused};
use super::gate::{GateLimits, Situation, WayBack};
use super::lease::Leases;
use super::limits::HandoverLimits;
use super::machine::{Handover, Outcome, Plan};
use super::phase::Phase;
use super::recovery;
pub use super::work::phase_of;
use super::work::{Doing, Work, back_path, forward_path, furthest_phase, is_away, units_of};
use crate::ledger::{Book, Decider, HandoverId, Primary, What};

/// What is told where a path passes over canary.
const PASSED_OVER: &str = "canary is passed over: it is entered with `advance MIGRATION canary --percent N`";

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
    /// Takes up what the ledger says: open handovers end, phases are applied again, intents go on.
    #[must_use]
    pub fn restore(
        now: Now,
        book: &Book,
        specs: Vec<MigrationSpec>,
        limits: ControlLimits,
        forwarders: &[ForwarderId],
    ) -> Self {
        let mut control = Self {
            limits,
            works: BTreeMap::new(),
            handovers: BTreeMap::new(),
            orders: VecDeque::new(),
            next_order: 1,
            next_handover: book.next_handover(),
            stopped: None,
            background: BTreeMap::new(),
            apply_again: Vec::new(),
        };
        for spec in specs {
            control.restore_one(book, spec);
        }
        for handover in recovery::recover(now, book, limits.handover, forwarders) {
            let id = handover.plan().handover;
            if let Some(work) = control.works.get_mut(&handover.plan().migration) {
                work.doing = Doing::Handover(id);
            }
            control.handovers.insert(id, handover);
        }
        for name in control.works.keys().cloned().collect::<Vec<_>>() {
            control.resume_intent(now, book, &name);
        }
        control.collect(now);
        control
    }

    fn restore_one(&mut self, book: &Book, spec: MigrationSpec) {
        let recorded = book.migrations().get(&spec.name);
        if recorded.is_none() {
            let what = What::MigrationCreated { migration: spec.name.clone(), cluster: spec.cluster.clone() };
            self.record(Decider::Sluice, vec![what]);
        }
        let mut by_phase: BTreeMap<Phase, Vec<UnitId>> = BTreeMap::new();
        for unit in recorded.iter().flat_map(|recorded| &recorded.units) {
            by_phase.entry(book.phase(unit)).or_default().push(unit.clone());
        }
        for (phase, units) in by_phase {
            self.apply_in_background(phase, units);
        }
        let work = Work {
            kinds: BTreeMap::new(),
            situation: None,
            doing: Doing::Idle,
            path: VecDeque::new(),
            backward: false,
            force: false,
            percent: None,
            by: Decider::Sluice,
            intent_recorded: true,
            attempts: 0,
            last_gate: None,
            last_end: None,
            set_aside: BTreeMap::new(),
            spec,
        };
        self.works.insert(work.spec.name.clone(), work);
    }

    /// Goes on with an intent that the ledger still holds.
    fn resume_intent(&mut self, now: Now, book: &Book, name: &str) {
        let Some(wanted) = book.migrations().get(name).and_then(|recorded| recorded.intent) else { return };
        let (from, furthest) = (phase_of(book, name), furthest_phase(book, name));
        let until = now.deadline(self.limits.gate_wait);
        let Some(work) = self.works.get_mut(name) else { return };
        // On the way forward no unit is further than where all are to be.
        work.backward = wanted < furthest;
        work.path = if work.backward { back_path(furthest, wanted) } else { forward_path(from, wanted) };
        work.intent_recorded = true;
        if work.doing == Doing::Idle {
            work.doing = Doing::WaitGate { until, next_look: now.elapsed };
        }
    }

    /// An operator's command.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why nothing was begun, and what to do.
    pub fn handle_command(&mut self, now: Now, book: &Book, command: Command) -> Result<Accepted, Refused> {
        if let Some(reason) = &self.stopped {
            return Err(Refused::Stopped(reason.clone()));
        }
        let accepted = match command {
            Command::Advance { migration, to, percent, force, by } => {
                self.advance(book, &migration, (to, percent), force, by)
            }
            Command::Rollback { migration, to, by } => self.rollback(book, &migration, to, by),
        };
        self.collect(now);
        accepted
    }

    fn advance(
        &mut self,
        book: &Book,
        name: &str,
        (to, percent): (Option<Phase>, Option<u8>),
        force: bool,
        by: String,
    ) -> Result<Accepted, Refused> {
        let limits = self.limits;
        let from = phase_of(book, name);
        let work = self.works.get_mut(name).ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        work.idle()?;
        match (to, percent) {
            (Some(Phase::Canary), None) => return Err(Refused::ShareMissing),
            (Some(Phase::Canary), Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(Refused::ShareMeansNothing(to)),
        }
        let to = to.or_else(|| from.next()).ok_or(Refused::Retired)?;
        // In canary another share may be set.
        if to <= from && (to, from) != (Phase::Canary, Phase::Canary) {
            return Err(Refused::NotForward { from, to });
        }
        let path = forward_path(from, to);
        let first = path.front().copied().unwrap_or(to);
        let report = work.ask_gate(first, limits.gate);
        // Fewer consumers on the kernel are never refused.
        let share = book.migrations().get(name).and_then(|recorded| recorded.percent);
        let eases = from == Phase::Canary && to == from && percent <= share;
        if !report.green() && !force && !eases {
            return Err(Refused::GateRed(report));
        }
        let closing = work.ways_that_close();
        let skips_canary = from < Phase::Canary && to > Phase::Canary;
        work.begin(path.clone(), false, force, Decider::Operator(by));
        work.percent = percent;
        self.enter_step(book, name);
        let mut notes = if to >= Phase::Cutover { closing } else { Vec::new() };
        if skips_canary {
            notes.push(PASSED_OVER.to_owned());
        }
        Ok(Accepted { from, to, steps: path.into(), notes })
    }

    fn rollback(
        &mut self,
        book: &Book,
        name: &str,
        to: Option<Phase>,
        by: String,
    ) -> Result<Accepted, Refused> {
        let from = furthest_phase(book, name);
        let work = self.works.get_mut(name).ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        work.interruptible()?;
        if from == Phase::Retired {
            return Err(Refused::Retired);
        }
        if to == Some(Phase::Canary) {
            return Err(Refused::NoRollbackToCanary);
        }
        let to = to.unwrap_or(Phase::Observe);
        // Before cutover legacy is the primary: nothing has to lead back to it.
        if from >= Phase::Cutover
            && let WayBack::Closed(reason) = work.ways_back(book)
        {
            return Err(Refused::WayBackClosed(reason));
        }
        if to >= from {
            return Err(Refused::NotBack { from, to });
        }
        let path = back_path(from, to);
        work.begin(path.clone(), true, false, Decider::Operator(by));
        self.enter_step(book, name);
        Ok(Accepted { from, to, steps: path.into(), notes: Vec::new() })
    }

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
            (Doing::Idle | Doing::WaitGate { .. } | Doing::Handover(_) | Doing::Retry { .. }, Ok(())) => {}
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
            Doing::Retry { at } if now.elapsed >= at => {
                if let Some(leases) = leases {
                    self.begin_handover(now, book, name, leases);
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
            Doing::Idle
            | Doing::RecordStep(_)
            | Doing::RecordReached(_)
            | Doing::RecordBack(_)
            | Doing::Handover(_)
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
        work.attempts = 0;
        work.doing = if work.path.is_empty() {
            work.last_end = Some(format!("reached {}", phase_of(book, name)));
            Doing::Idle
        } else {
            Doing::WaitGate { until, next_look: now.elapsed }
        };
    }

    /// Units that are left on legacy, or the end of the cutover.
    fn next_batch(&mut self, now: Now, book: &Book, name: &str) {
        let left = units_of(book, name).iter().any(|unit| book.phase(unit) < Phase::Cutover);
        if left {
            self.set(name, Doing::Retry { at: now.elapsed });
        } else {
            self.step_done(now, book, name);
        }
    }

    fn begin_handover(&mut self, now: Now, book: &Book, name: &str, leases: &Leases) {
        let limits = self.limits.handover;
        let Some(work) = self.works.get_mut(name) else { return };
        let to = if work.backward { Primary::Legacy } else { Primary::Kernel };
        let batch = match to {
            Primary::Kernel => work.batch(book, limits.units_max),
            Primary::Legacy => work.batch_back(book, limits.units_max),
        };
        let units = match batch {
            Ok(units) => units,
            Err(reason) => {
                self.drop_intent(name, reason);
                return;
            }
        };
        if units.is_empty() && to == Primary::Legacy {
            work.doing = Doing::Retry { at: now.deadline(self.limits.retry_after) };
            return;
        }
        let already: Vec<UnitId> = units
            .iter()
            .filter(|unit| book.owner(&unit.unit).side == to)
            .map(|unit| unit.unit.clone())
            .collect();
        if !already.is_empty() {
            // A crash came between the commit and the phase entry.
            self.record_moved(name, to, already);
            return;
        }
        let by = work.by.clone();
        work.attempts += 1;
        let id = self.next_handover.max(book.next_handover());
        self.next_handover = HandoverId(id.0 + 1);
        let plan = Plan { handover: id, migration: name.to_owned(), to, units, by };
        let machine = Handover::new(now, plan, limits, leases.forwarders(now), leases.not_before());
        self.handovers.insert(id, machine);
        self.set(name, Doing::Handover(id));
    }

    /// Writes that units have moved: to cutover, or back to the phase that is being entered.
    fn record_moved(&mut self, name: &str, to: Primary, units: Vec<UnitId>) {
        let Some(work) = self.works.get_mut(name) else { return };
        let back = work.path.front().copied().filter(|phase| *phase < Phase::Cutover);
        let phase = match to {
            Primary::Kernel => Phase::Cutover,
            Primary::Legacy => back.unwrap_or(Phase::DualWrite),
        };
        work.attempts = 0;
        for unit in &units {
            work.set_aside.remove(unit);
        }
        let by = work.by.clone();
        let whats = vec![What::PhaseReached { migration: name.to_owned(), phase, units }];
        let id = self.record(by, whats);
        let doing = if to == Primary::Kernel { Doing::RecordReached(id) } else { Doing::RecordBack(id) };
        self.set(name, doing);
    }

    fn drop_intent(&mut self, name: &str, reason: String) {
        let what = What::IntentDropped { migration: name.to_owned(), reason: reason.clone() };
        let id = self.record(Decider::Sluice, vec![what]);
        if let Some(work) = self.works.get_mut(name) {
            work.last_end = Some(reason);
            work.path.clear();
            work.doing = Doing::RecordDropped(id);
        }
    }

    /// Moves actions of machines into orders, and takes the ends of machines.
    fn collect(&mut self, now: Now) {
        let mut ended = Vec::new();
        for (&handover, machine) in &mut self.handovers {
            let by = machine.plan().by.clone();
            while let Some((ticket, action)) = machine.poll_action() {
                self.orders.push_back(Order::Handover { handover, by: by.clone(), ticket, action });
            }
            if let Some(outcome) = machine.outcome() {
                ended.push((handover, outcome.clone()));
            }
        }
        for (handover, outcome) in ended {
            if let Some(machine) = self.handovers.remove(&handover) {
                self.handover_ended(now, machine.plan(), outcome);
            }
        }
    }

    fn handover_ended(&mut self, now: Now, plan: &Plan, outcome: Outcome) {
        let name = plan.migration.as_str();
        let (retry, attempts_max) = (self.limits.retry_after, self.limits.attempts_max);
        match outcome {
            Outcome::Stopped { reason } => self.stopped = Some(reason),
            Outcome::Moved { .. } => {
                let units = plan.units.iter().map(|unit| unit.unit.clone()).collect();
                self.record_moved(name, plan.to, units);
            }
            Outcome::Aborted { step, reason, busy } => {
                let Some(work) = self.works.get_mut(name) else { return };
                work.last_end = Some(format!("{step}: {reason}"));
                let others = !busy.is_empty() && busy.len() < plan.units.len();
                for planned in &plan.units {
                    work.set_aside.remove(&planned.unit);
                }
                work.set_aside.extend(busy);
                if work.path.is_empty() {
                    work.doing = Doing::Idle;
                } else if others {
                    // No attempt of theirs: each time at least one group fewer is in the batch.
                    work.attempts = work.attempts.saturating_sub(1);
                    work.doing = Doing::Retry { at: now.elapsed };
                } else if work.attempts >= attempts_max {
                    self.drop_intent(
                        name,
                        format!("{} was tried {attempts_max} times: {reason}", plan.handover),
                    );
                } else {
                    work.doing = Doing::Retry { at: now.deadline(retry) };
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
