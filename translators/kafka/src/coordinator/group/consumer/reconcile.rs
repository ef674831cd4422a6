//! One step of a member from what it has towards what it is to have.

use std::collections::BTreeMap;

use kernel_model::commit::Op;

use super::records::{self, flat};
use super::{Consumer, ConsumerRecord, CurrentRecord, MemberState, Partitions};
use crate::codec::{Str, Uuid};

impl Consumer {
    /// Takes the step; `owned` is what the member says that it has, if it says so. Returns whether its assignment
    /// is another one than before.
    pub(super) fn reconcile(
        &mut self,
        group: &Str,
        id: &Str,
        owned: Option<&Partitions>,
        ops: &mut Vec<Op>,
    ) -> bool {
        let Some(member) = self.members.get(id) else { return false };
        let before = &member.current;
        let settled = match before.state {
            MemberState::Stable => before.epoch == self.target_epoch,
            MemberState::Unrevoked => holds_any(owned, &before.revoking),
            MemberState::Unreleased => false,
        };
        if settled {
            return false;
        }
        let next = self.next(id, before, owned);
        if next == *before {
            return false;
        }
        let changed = next.assigned != before.assigned;
        let record = ConsumerRecord::Current { member: id.clone(), current: Some(Box::new(next.clone())) };
        ops.extend(records::put(group, &record));
        self.place(id, next);
        changed
    }

    fn next(&self, id: &Str, before: &CurrentRecord, owned: Option<&Partitions>) -> CurrentRecord {
        let none = Partitions::new();
        let target = self.targets.get(id).unwrap_or(&none);
        let is_target = |at: &(Uuid, i32)| target.get(&at.0).is_some_and(|numbers| numbers.contains(&at.1));
        let (kept, lost): (Vec<_>, Vec<_>) = flat(&before.assigned).partition(is_target);
        let (mut assigned, revoking) = (collect(kept), collect(lost));
        if !revoking.is_empty() && holds_any(owned, &revoking) {
            // Its epoch stays: it counts as a member of the one before until it has let go.
            return CurrentRecord { state: MemberState::Unrevoked, assigned, revoking, ..before.clone() };
        }
        let mut waits = false;
        for (topic, number) in flat(target) {
            let is_free = self.owners.get(&(topic, number)).is_none_or(|owner| owner == id);
            if is_free {
                assigned.entry(topic).or_default().insert(number);
            } else {
                waits = true;
            }
        }
        let state = if waits { MemberState::Unreleased } else { MemberState::Stable };
        let epoch = self.target_epoch;
        let previous_epoch = if epoch == before.epoch { before.previous_epoch } else { before.epoch };
        CurrentRecord { epoch, previous_epoch, state, assigned, revoking: BTreeMap::new() }
    }
}

fn collect(partitions: Vec<(Uuid, i32)>) -> Partitions {
    let mut all = Partitions::new();
    for (topic, number) in partitions {
        all.entry(topic).or_default().insert(number);
    }
    all
}

/// Whether a member has any of these; one that does not say has all.
fn holds_any(owned: Option<&Partitions>, of: &Partitions) -> bool {
    owned.is_none_or(|owned| {
        flat(of).any(|(topic, number)| owned.get(&topic).is_some_and(|numbers| numbers.contains(&number)))
    })
}
