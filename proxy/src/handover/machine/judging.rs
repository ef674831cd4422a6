//! What a round of questions to both sides comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use super::Handover;
use super::state::State;
use crate::handover::action::{Action, UnitKind};
use crate::handover::compare::{Round, Verdict};
use crate::ledger::{Step, What};

/// How often groups are looked at while writes on their way hold up a fence.
const LOOK_AT_GROUPS: Duration = Duration::from_millis(50);

impl Handover {
    pub(super) fn judge_round(&mut self, now: Now) {
        let fenced = self.fence_began.is_some();
        let calm_until = *self.calm_until.get_or_insert(now.deadline(self.limits.calm_max));
        let lag_max = if now.elapsed < calm_until { 0 } else { self.limits.lag_max_records };
        #[allow(clippy::wildcard_enum_match_arm, reason = "only the comparing states come here")]
        let verdict = match &self.state {
            // Members that are missing are waited for without asking legacy.
            State::Prepare(round) if self.gathered && !round.source_busy(&self.plan.units).is_empty() => {
                Verdict::Busy(round.source_busy(&self.plan.units))
            }
            State::Prepare(round) | State::Verify(round) if round.next().is_some() => {
                self.ask_again(now);
                return;
            }
            State::Prepare(round) => round.ready(&self.plan.units, lag_max),
            State::Verify(round) => round.equal(&self.plan.units),
            _ => return,
        };
        if fenced {
            self.watch_bypass();
        }
        match verdict {
            Verdict::Never(reason) => self.abort(now, self.step(), reason),
            Verdict::NotYet(reason) => self.judge_again(now, reason),
            // Before the fence a batch that would be empty without them waits: nobody is held.
            Verdict::Busy(busy) if !fenced && (busy.len() == self.plan.units.len() || self.gathered) => {
                self.judge_again(now, in_words(&busy));
            }
            Verdict::Busy(busy) => self.leave_busy(now, busy),
            Verdict::Equal(_) if !fenced && now.elapsed < self.not_before => {
                self.state = State::Prepare(Round::before_fence(self.plan.to));
                self.last_reason = "leases of an earlier run are not over".to_owned();
                self.again_at = Some(self.not_before);
            }
            Verdict::Equal(_) if !fenced => {
                self.state = State::RecordFence;
                let step =
                    What::StepBegun { handover: self.plan.handover, step: Step::Fence, forwarders: vec![] };
                self.ask(now, Action::Record(vec![step]));
            }
            Verdict::Equal(evidence) => self.record_verified(now, evidence),
        }
    }

    pub(super) fn judge_again(&mut self, now: Now, reason: String) {
        let fenced = self.fence_began.is_some();
        self.state = if fenced {
            State::Verify(Round::fenced(self.plan.to))
        } else {
            State::Prepare(Round::before_fence(self.plan.to))
        };
        self.ask_again_later(now, reason);
    }

    /// Gives up for the sake of groups that are in the middle of something. Behind a fence the requests that
    /// would end it wait at the proxy, so it would last until the limit.
    pub(super) fn leave_busy(&mut self, now: Now, busy: BTreeMap<UnitId, String>) {
        let reason = in_words(&busy);
        self.busy = busy;
        self.abort(now, self.step(), reason);
    }

    /// A member's request that legacy answers when the group's rebalance ends is on its way for that long.
    pub(super) fn look_at_groups(&mut self, now: Now) {
        if self.plan.units.iter().any(|unit| unit.kind != UnitKind::Log) {
            self.again_at = Some(now.deadline(LOOK_AT_GROUPS));
        }
    }

    /// Notes who wrote to the source although nothing can be on its way.
    pub(super) fn watch_bypass(&mut self) {
        let State::Verify(round) = &self.state else { return };
        for (unit, first, end) in round.source_ends() {
            let log =
                self.plan.units.iter().any(|planned| planned.unit == *unit && planned.kind == UnitKind::Log);
            let drained = *self.drained_ends.entry(unit.clone()).or_insert(first);
            if log && end > drained {
                self.bypass.insert(unit.clone(), (drained, end));
            }
        }
    }
}

fn in_words(busy: &BTreeMap<UnitId, String>) -> String {
    let each: Vec<String> = busy.iter().map(|(unit, reason)| format!("{unit}: {reason}")).collect();
    each.join("; ")
}
