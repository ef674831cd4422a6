//! What a start of the process makes of the ledger.

use kernel_model::Now;
use session::{Side, UnitId};

use super::action::{Facts, ForwarderId, NewOwner, PlannedUnit, UnitKind};
use super::limits::HandoverLimits;
use super::machine::{Handover, Plan};
use crate::ledger::{Book, Decider, OpenHandover, Ownership, Primary, StopCause, What};

/// Machines for every handover that was open when the process ended: behind its commit entry it goes on to
/// the new primary, before it back to the old one. Until a machine releases them its units are held.
#[must_use]
pub fn recover(now: Now, book: &Book, limits: HandoverLimits, forwarders: &[ForwarderId]) -> Vec<Handover> {
    book.open().map(|open| recover_one(now, book, open, limits, forwarders)).collect()
}

fn recover_one(
    now: Now,
    book: &Book,
    open: &OpenHandover,
    limits: HandoverLimits,
    forwarders: &[ForwarderId],
) -> Handover {
    let forwarders = forwarders.iter().copied();
    let plan = Plan {
        handover: open.handover,
        migration: open.migration.clone(),
        to: open.to,
        // Nothing is compared any more: the kind does not matter.
        units: open
            .units
            .iter()
            .map(|unit| PlannedUnit {
                unit: unit.clone(),
                kind: UnitKind::Log,
                epoch: book.owner(unit).epoch,
            })
            .collect(),
        by: Decider::Sluice,
    };
    if open.committed {
        let owners = open.units.iter().map(|unit| owner_of(book.owner(unit))).collect();
        Handover::resume_committed(now, plan, owners, limits, forwarders)
    } else {
        Handover::resume_aborting(now, plan, open.step, limits, forwarders)
    }
}

fn owner_of(owner: Ownership) -> NewOwner {
    NewOwner {
        unit: owner.unit,
        side: owner.side,
        epoch: owner.epoch,
        target_epoch: owner.target_epoch.unwrap_or(0),
        cut: owner.cut.unwrap_or(0),
    }
}

/// How a forwarder that joins (or a start of the process) must set the gate of a unit.
#[must_use]
pub fn gate_side(book: &Book, unit: &UnitId, held: bool) -> Side {
    match book.owner(unit).side {
        _ if held => Side::Held,
        Primary::Legacy => Side::Legacy,
        Primary::Kernel => Side::Kernel,
    }
}

/// What the kernel itself is found to do with a unit, at a start, against what the ledger says. `leads` is
/// whether the kernel takes writes for it. A commit entry always comes before the kernel leads, so a kernel
/// that leads without one means that the ledger has lost entries: the unit stops until somebody has looked.
#[must_use]
pub fn contradiction(book: &Book, unit: &UnitId, leads: bool, facts: &Facts) -> Option<What> {
    let owner = book.owner(unit);
    let stop = |reason: String| {
        Some(What::UnitStopped { unit: unit.clone(), reason, cause: StopCause::Contradiction })
    };
    if book.stopped(unit).is_some() {
        return None;
    }
    if leads && owner.side == Primary::Legacy {
        return stop(
            "the kernel leads it, and no ledger entry says so: the ledger is older than the kernel"
                .to_owned(),
        );
    }
    match (owner.side, owner.cut) {
        (Primary::Kernel, Some(cut)) if facts.end < cut => {
            stop(format!("the kernel ends at {}, below the {cut} at which it took over", facts.end))
        }
        _ => None,
    }
}
