//! Handovers of a migration, batch for batch: which begins, and what becomes of one that has ended.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::Now;
use session::UnitId;

use super::{Migrations, Order};
use crate::handover::action::PlannedUnit;
use crate::handover::lease::Leases;
use crate::handover::machine::{Handover, Outcome, Plan};
use crate::handover::phase::Phase;
use crate::handover::work::{Doing, units_of};
use crate::ledger::{Book, Decider, HandoverId, Primary, What};

impl Migrations {
    /// Units that are left on legacy, or the end of the cutover.
    pub(super) fn next_batch(&mut self, now: Now, book: &Book, name: &str) {
        let left = units_of(book, name).iter().any(|unit| book.phase(unit) < Phase::Cutover);
        if left {
            self.set(name, Doing::Retry { at: now.elapsed });
        } else {
            self.step_done(now, book, name);
        }
    }

    /// Begins what is next: one handover, or those of all groups that go back.
    pub(super) fn begin_handovers(&mut self, now: Now, book: &Book, name: &str, leases: &Leases) {
        let units_max = self.limits.handover.units_max;
        let under_way = self.under_way(name);
        let Some(work) = self.works.get_mut(name) else { return };
        let to = if work.backward { Primary::Legacy } else { Primary::Kernel };
        let batches = match to {
            Primary::Kernel => work.batch(book, units_max).map(|batch| vec![batch]),
            Primary::Legacy => work.batches_back(book, units_max, &under_way),
        };
        let batches = match batches {
            Ok(batches) => batches,
            Err(reason) => return self.give_up(now, name, reason),
        };
        let already: Vec<UnitId> = batches
            .iter()
            .flatten()
            .filter(|unit| book.owner(&unit.unit).side == to)
            .map(|unit| unit.unit.clone())
            .collect();
        if !already.is_empty() {
            // A crash came between the commit and the phase entry.
            return self.record_moved(now, name, to, already);
        }
        let mut running = work.running();
        if batches.is_empty() {
            // What runs asks again when it ends.
            work.doing = if running.is_empty() {
                Doing::Retry { at: now.deadline(self.limits.retry_after) }
            } else {
                Doing::Handovers { running, more_at: None }
            };
            return;
        }
        for units in batches {
            running.insert(self.begin_one(now, book, name, (to, units), leases));
        }
        self.set(name, Doing::Handovers { running, more_at: None });
    }

    fn begin_one(
        &mut self,
        now: Now,
        book: &Book,
        name: &str,
        (to, units): (Primary, Vec<PlannedUnit>),
        leases: &Leases,
    ) -> HandoverId {
        let id = self.next_handover.max(book.next_handover());
        self.next_handover = HandoverId(id.0 + 1);
        let mut by = Decider::Sluice;
        if let Some(work) = self.works.get_mut(name) {
            for planned in &units {
                *work.attempts.entry(planned.unit.clone()).or_default() += 1;
            }
            by = work.by.clone();
        }
        let plan = Plan { handover: id, migration: name.to_owned(), to, units, by };
        let limits = self.limits.handover;
        let machine = Handover::new(now, plan, limits, leases.forwarders(now), leases.not_before());
        self.handovers.insert(id, machine);
        id
    }

    /// Units of a migration that are in a handover.
    fn under_way(&self, name: &str) -> BTreeSet<UnitId> {
        let plans = self.handovers.values().map(Handover::plan).filter(|plan| plan.migration == name);
        plans.flat_map(|plan| &plan.units).map(|planned| planned.unit.clone()).collect()
    }

    /// Writes that units have moved: to cutover, or back to the phase that is being entered.
    fn record_moved(&mut self, now: Now, name: &str, to: Primary, units: Vec<UnitId>) {
        let Some(work) = self.works.get_mut(name) else { return };
        let back = work.path.front().copied().filter(|phase| *phase < Phase::Cutover);
        let phase = match to {
            Primary::Kernel => Phase::Cutover,
            Primary::Legacy => back.unwrap_or(Phase::DualWrite),
        };
        for unit in &units {
            work.attempts.remove(unit);
            work.set_aside.remove(unit);
        }
        let by = work.by.clone();
        let whats = vec![What::PhaseReached { migration: name.to_owned(), phase, units }];
        let id = self.record(by, whats);
        let Some(work) = self.works.get_mut(name) else { return };
        if let Doing::Handovers { running, more_at } = &work.doing
            && (!running.is_empty() || more_at.is_some())
        {
            // Entries are written in their order, so what looks at the ledger next finds this one. A group that is to
            // be tried again keeps its time.
            let at = more_at.unwrap_or(now.elapsed);
            if work.giving_up.is_none() {
                work.more_at(at);
            }
            return;
        }
        let back = to == Primary::Legacy;
        work.doing = if back { Doing::RecordBack(id) } else { Doing::RecordReached(id) };
    }

    /// No handover begins any more; those in which nobody is held yet end where they are.
    pub(super) fn give_up(&mut self, now: Now, name: &str, reason: String) {
        let Some(work) = self.works.get_mut(name) else { return };
        let running = work.running();
        if running.is_empty() {
            return self.drop_intent(name, reason);
        }
        work.doing = Doing::Handovers { running: running.clone(), more_at: None };
        for handover in running {
            if let Some(machine) = self.handovers.get_mut(&handover) {
                machine.give_up(now, &reason);
            }
        }
        work.giving_up.get_or_insert(reason);
    }

    /// Moves actions of machines into orders, and takes the ends of machines.
    pub(super) fn collect(&mut self, now: Now) {
        loop {
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
            if ended.is_empty() {
                return;
            }
            for (handover, outcome) in ended {
                if let Some(machine) = self.handovers.remove(&handover) {
                    self.handover_ended(now, machine.plan(), outcome);
                }
            }
        }
    }

    fn handover_ended(&mut self, now: Now, plan: &Plan, outcome: Outcome) {
        let name = plan.migration.as_str();
        let Some(work) = self.works.get_mut(name) else { return };
        work.ended(plan.handover);
        match outcome {
            Outcome::Stopped { reason } => self.stopped = Some(reason),
            Outcome::Moved { .. } => {
                let units = plan.units.iter().map(|unit| unit.unit.clone()).collect();
                self.record_moved(now, name, plan.to, units);
            }
            Outcome::Aborted { step, reason, busy } => {
                work.last_end = Some(format!("{step}: {reason}"));
                self.aborted(now, plan, &reason, busy);
            }
        }
        self.last_has_ended(name);
    }

    /// What is given up ends with the last handover that runs.
    fn last_has_ended(&mut self, name: &str) {
        let Some(work) = self.works.get_mut(name) else { return };
        if work.running().is_empty()
            && let Some(reason) = work.giving_up.take()
        {
            self.drop_intent(name, reason);
        }
    }

    fn aborted(&mut self, now: Now, plan: &Plan, reason: &str, busy: BTreeMap<UnitId, String>) {
        let name = plan.migration.as_str();
        let (retry, attempts_max) = (self.limits.retry_after, self.limits.attempts_max);
        let Some(work) = self.works.get_mut(name) else { return };
        let others = !busy.is_empty() && busy.len() < plan.units.len();
        for planned in &plan.units {
            work.set_aside.remove(&planned.unit);
        }
        work.set_aside.extend(busy);
        let attempts = |unit: &PlannedUnit| work.attempts.get(&unit.unit).copied().unwrap_or(0);
        let attempts = plan.units.iter().map(attempts).max().unwrap_or(0);
        if work.giving_up.is_some() {
            // It ends when all have.
        } else if work.path.is_empty() {
            if work.running().is_empty() {
                work.doing = Doing::Idle;
            }
        } else if others {
            // No attempt of theirs: each time at least one group fewer is in the batch.
            for planned in &plan.units {
                work.attempts
                    .entry(planned.unit.clone())
                    .and_modify(|count| *count = count.saturating_sub(1));
            }
            work.more_at(now.elapsed);
        } else if attempts >= attempts_max {
            let reason = format!("{} was tried {attempts_max} times: {reason}", plan.handover);
            self.give_up(now, name, reason);
        } else {
            work.more_at(now.deadline(retry));
        }
    }
}
