//! Handovers of a migration, batch for batch: which begins, and what becomes of one that has ended.

use kernel_model::Now;
use session::UnitId;

use super::{Migrations, Order};
use crate::handover::lease::Leases;
use crate::handover::machine::{Handover, Outcome, Plan};
use crate::handover::phase::Phase;
use crate::handover::work::{Doing, units_of};
use crate::ledger::{Book, HandoverId, Primary, What};

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

    pub(super) fn begin_handover(&mut self, now: Now, book: &Book, name: &str, leases: &Leases) {
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

    /// Moves actions of machines into orders, and takes the ends of machines.
    pub(super) fn collect(&mut self, now: Now) {
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
