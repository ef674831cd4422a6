//! What is done when a handover enters each of its states, and what it writes into the ledger there.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use super::state::State;
use super::{Handover, new_owners};
use crate::handover::action::Action;
use crate::handover::compare::Round;
use crate::ledger::{CommittedUnit, DivergenceKind, Evidence, Explanation, Sample, Step, What};

impl Handover {
    pub(super) fn enter_prepare(&mut self, now: Now) {
        self.state = State::Prepare(Round::before_fence(self.plan.to));
        self.ask_again(now);
    }

    pub(super) fn enter_fence(&mut self, now: Now) {
        self.state = State::Fence;
        self.fence_began = Some(now.elapsed);
        self.deadline = Some(now.deadline(self.limits.fence_max));
        self.last_reason = "waiting for what is on its way".to_owned();
        self.forwarders.fence();
        self.look_at_groups(now);
        self.check_forwarders(now);
    }

    /// Hands out questions to forwarders, and goes on when the last of them has come to its end.
    pub(super) fn check_forwarders(&mut self, now: Now) {
        let units = self.plan.names();
        // One that joins late is told too: by then the new side may long be primary.
        let side = if self.state.is_committed() { self.plan.to } else { self.plan.to.other() };
        while let Some(action) = self.forwarders.poll_action(&units, side) {
            let ticket = self.ticket();
            self.forwarders.asked(now, ticket, &action, &self.limits);
            self.queue.push_back((ticket, action));
        }
        if matches!(self.state, State::Fence) && self.forwarders.all_drained() {
            self.state = State::Close;
            self.again_at = None;
            self.ask_again(now);
        } else if matches!(self.state, State::Release) && self.forwarders.all_released() {
            self.record_released(now);
        } else if matches!(self.state, State::ReleaseOld) && self.forwarders.all_released() {
            self.record_aborted(now);
        }
    }

    pub(super) fn record_verified(&mut self, now: Now, evidence: Vec<Evidence>) {
        let began = self.fence_began.unwrap_or(now.elapsed);
        let step = What::StepBegun {
            handover: self.plan.handover,
            step: Step::Verify,
            forwarders: self.forwarders.notes(began),
        };
        let mut whats = vec![step];
        whats.extend(self.bypass.iter().map(|(unit, (from, to))| bypass_entry(unit, *from, *to)));
        whats.push(What::Verified { handover: self.plan.handover, evidence: evidence.clone() });
        self.state = State::RecordVerified(evidence);
        self.ask(now, Action::Record(whats));
    }

    /// The last look at the limit, then the entry that changes the primary.
    pub(super) fn commit(&mut self, now: Now, evidence: Vec<Evidence>) {
        if self.deadline.is_some_and(|deadline| now.elapsed >= deadline) {
            let reason = format!("over its limit of {:?} before the commit", self.limits.fence_max);
            self.abort(now, Step::Commit, reason);
            return;
        }
        let side = self.plan.to;
        let epochs: BTreeMap<&UnitId, u64> =
            self.plan.units.iter().map(|unit| (&unit.unit, unit.epoch + 1)).collect();
        let units: Vec<CommittedUnit> = evidence
            .into_iter()
            .map(|evidence| CommittedUnit {
                epoch: epochs.get(&evidence.unit).copied().unwrap_or(0),
                evidence,
            })
            .collect();
        self.owners = new_owners(side, &units);
        self.state = State::RecordCommit;
        let committed = What::Committed {
            handover: self.plan.handover,
            migration: self.plan.migration.clone(),
            to: side,
            units,
            fence_ms: millis(self.fenced_for(now)),
        };
        self.ask(now, Action::Record(vec![committed]));
    }

    pub(super) fn enter_switch(&mut self, now: Now) {
        self.deadline = None;
        self.last_reason.clear();
        self.state = State::Switch;
        self.ask_again(now);
    }

    pub(super) fn enter_release(&mut self, now: Now, state: State) {
        self.state = state;
        self.forwarders.release();
        self.check_forwarders(now);
    }

    pub(super) fn record_released(&mut self, now: Now) {
        self.fence_ended = Some(now.elapsed);
        self.state = State::RecordReleased;
        let released =
            What::Released { handover: self.plan.handover, fence_ms: millis(self.fenced_for(now)) };
        self.ask(now, Action::Record(vec![released]));
    }

    pub(super) fn record_aborted(&mut self, now: Now) {
        self.fence_ended = self.fence_began.map(|_| now.elapsed);
        self.state = State::RecordAborted;
        let (step, reason) = self.failure.clone().unwrap_or((Step::Prepare, String::new()));
        let fence_ms = millis(self.fenced_for(now));
        let aborted = What::Aborted { handover: self.plan.handover, step, reason, fence_ms };
        self.ask(now, Action::Record(vec![aborted]));
    }

    pub(super) fn abort(&mut self, now: Now, step: Step, reason: String) {
        self.failure = Some((step, reason));
        self.deadline = None;
        self.again_at = None;
        self.waiting = None;
        if self.fence_began.is_none() && !self.gathered {
            // Nobody was held and nothing was touched.
            self.record_aborted(now);
            return;
        }
        self.state = State::Undo;
        self.ask_again(now);
    }
}

fn bypass_entry(unit: &UnitId, from: u64, to: u64) -> What {
    let detail = format!("written past the fence, offsets {from} to {to}; the feed has it");
    What::Diverged {
        unit: unit.clone(),
        divergence: DivergenceKind::BypassDuringFence,
        sample: Sample::new(from, &detail, &[]),
        explained_by: Some(Explanation::MirroredBeforeCommit),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
