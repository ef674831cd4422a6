//! Lets a stopped unit go on, once an operator has looked: whether it may, and what becomes of the kernel's copy.
//!
//! ```text
//!                        primary   copy is sound    --discard-copy
//!   watch on             kernel    (it is the data) refused
//!   copy on behind it    legacy    yes              discards all the same
//!   make it anew         legacy    no               needed
//! ```
//!
//! A copy is sound if what it holds is still the beginning of what legacy has. Where legacy was truncated, changed,
//! deleted or made anew it is not, and following on would mix two histories. Copies are discarded by topic, so every
//! stopped partition of the topic is resumed with it.
//!
//! The executor discards first, then writes the ledger, then lets the feed follow. A crash before the entry leaves
//! the unit stopped over a copy that is missing or being made anew: the gate stays red, and the order can be repeated.

use std::collections::BTreeSet;

use session::UnitId;

use super::command::Refused;
use super::migration::Migrations;
use crate::ledger::{Book, Primary, Stop, StopCause, What};

/// An operator wants stopped units to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeOrder {
    /// Which migration.
    pub migration: String,
    /// Which unit, with or without its cluster; `None`: every one that is stopped.
    pub unit: Option<String>,
    /// Delete the kernel's copy first.
    pub discard_copy: bool,
}

/// What is known of a unit beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFacts {
    /// Units whose copies can only be discarded together with this one's, itself included.
    pub together: BTreeSet<UnitId>,
    /// By its own word the kernel takes writes for one of them.
    pub led: bool,
    /// Legacy has it now.
    pub on_legacy: bool,
    /// Why the feed does not follow it at present, if it has a reason.
    pub feed: Option<StopCause>,
}

/// What a resume does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResumePlan {
    /// Units that are stopped no more.
    pub resumed: BTreeSet<UnitId>,
    /// Units whose copies are deleted first.
    pub discarded: BTreeSet<UnitId>,
    /// Of those, the ones that legacy has no more: they leave the migration.
    pub gone: BTreeSet<UnitId>,
    /// Units that the feed has to follow again.
    pub followed: BTreeSet<UnitId>,
}

impl ResumePlan {
    /// What the ledger is to say once the copies are deleted.
    #[must_use]
    pub fn entries(&self, book: &Book, migration: &str) -> Vec<What> {
        let resumed = self.resumed.iter().map(|unit| {
            let discarded = self.discarded.contains(unit);
            let decided = match book.owner(unit).side {
                Primary::Kernel => "the kernel is primary and goes on",
                Primary::Legacy if discarded => "the copy is discarded and made anew from legacy's beginning",
                Primary::Legacy => "copying goes on behind what the kernel has",
            };
            let was = book.stopped(unit).unwrap_or_default();
            What::UnitResumed {
                unit: unit.clone(),
                reason: format!("{decided}; it was stopped: {was}"),
                discarded,
            }
        });
        let mut whats: Vec<What> = resumed.collect();
        if !self.gone.is_empty() {
            let units = self.gone.iter().cloned().collect();
            whats.push(What::UnitsRemoved { migration: migration.to_owned(), units });
        }
        whats
    }
}

/// The command that lets a stopped unit go on, for people to type.
#[must_use]
pub fn command(book: &Book, migration: &str, unit: &UnitId, stop: &Stop) -> String {
    let is_copy = book.owner(unit).side == Primary::Legacy;
    let flag = if is_copy && !stop.cause.leaves_copy_sound() { " --discard-copy" } else { "" };
    format!("sluice resume {migration} {unit}{flag}")
}

impl Migrations {
    /// What it takes to carry out an order, or why nothing is done. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why, and what to do.
    pub fn plan_resume(
        &self,
        book: &Book,
        order: &ResumeOrder,
        facts: impl Fn(&UnitId) -> CopyFacts,
    ) -> Result<ResumePlan, Refused> {
        if let Some(reason) = self.stopped() {
            return Err(Refused::Stopped(reason.to_owned()));
        }
        let mut plan = ResumePlan::default();
        for unit in self.stopped_units(book, order)? {
            let known = facts(&unit);
            self.plan_unit(book, order, &unit, &known, &mut plan)?;
        }
        plan.gone = plan.discarded.iter().filter(|unit| !facts(unit).on_legacy).cloned().collect();
        plan.followed = plan.followed.difference(&plan.gone).cloned().collect();
        Ok(plan)
    }

    /// The units that are meant: each belongs to the migration and is stopped.
    fn stopped_units(&self, book: &Book, order: &ResumeOrder) -> Result<Vec<UnitId>, Refused> {
        let name = &order.migration;
        let unknown = || Refused::Unknown(name.clone());
        let work = self.works.get(name).ok_or_else(unknown)?;
        let units = book.migrations().get(name).map(|recorded| &recorded.units).ok_or_else(unknown)?;
        let Some(wanted) = &order.unit else {
            let stopped: Vec<UnitId> =
                units.iter().filter(|unit| book.stop(unit).is_some()).cloned().collect();
            return if stopped.is_empty() { Err(Refused::NothingStopped(name.clone())) } else { Ok(stopped) };
        };
        let with_cluster = UnitId::new(&format!("{}/{wanted}", work.spec.cluster));
        let named = [UnitId::new(wanted), with_cluster].into_iter().find(|unit| units.contains(unit));
        let unit =
            named.ok_or_else(|| Refused::NoSuchUnit { unit: wanted.clone(), migration: name.clone() })?;
        if book.stop(&unit).is_none() {
            return Err(Refused::NotStopped(unit));
        }
        Ok(vec![unit])
    }

    fn plan_unit(
        &self,
        book: &Book,
        order: &ResumeOrder,
        unit: &UnitId,
        known: &CopyFacts,
        plan: &mut ResumePlan,
    ) -> Result<(), Refused> {
        let busy = |each: &UnitId| self.in_handover(each);
        if !order.discard_copy {
            if busy(unit) {
                return Err(Refused::InHandover(unit.clone()));
            }
            if book.owner(unit).side == Primary::Legacy {
                follow_on(book, &order.migration, unit, known)?;
                plan.followed.insert(unit.clone());
            }
            plan.resumed.insert(unit.clone());
            return Ok(());
        }
        // What the kernel leads exists nowhere else.
        let led = known.together.iter().find(|each| book.owner(each).side == Primary::Kernel);
        if let Some(led) = led.or(known.led.then_some(unit)) {
            return Err(Refused::KernelLeads { unit: unit.clone(), led: led.clone() });
        }
        if let Some(busy) = known.together.iter().find(|each| busy(each)) {
            return Err(Refused::InHandover(busy.clone()));
        }
        plan.resumed.extend(known.together.iter().filter(|each| book.stop(each).is_some()).cloned());
        plan.discarded.extend(known.together.iter().cloned());
        plan.followed.extend(known.together.iter().cloned());
        Ok(())
    }

    fn in_handover(&self, unit: &UnitId) -> bool {
        let mut plans = self.handovers.values().map(super::machine::Handover::plan);
        plans.any(|plan| plan.units.iter().any(|planned| planned.unit == *unit))
    }

    /// Legacy has these units no more.
    pub fn forget_units(&mut self, migration: &str, units: &BTreeSet<UnitId>) {
        if let Some(work) = self.works.get_mut(migration) {
            work.kinds.retain(|unit, _| !units.contains(unit));
        }
    }
}

/// Whether copying may go on behind the copy that is there.
fn follow_on(book: &Book, migration: &str, unit: &UnitId, known: &CopyFacts) -> Result<(), Refused> {
    let Some(stop) = book.stop(unit) else { return Err(Refused::NotStopped(unit.clone())) };
    // The feed may know better than the entry that was written first.
    let cause = known.feed.filter(|cause| !cause.leaves_copy_sound()).unwrap_or(stop.cause);
    if known.led {
        return Err(Refused::KernelLeads { unit: unit.clone(), led: unit.clone() });
    }
    if cause.leaves_copy_sound() && known.on_legacy {
        return Ok(());
    }
    let stop = Stop { cause: StopCause::Unknown, ..stop.clone() };
    Err(Refused::CopyUnsound { command: command(book, migration, unit, &stop), reason: stop.reason })
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
