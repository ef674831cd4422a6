//! One handover of a bounded batch of units, in either direction, as a state machine.
//!
//! ```text
//!   begin ─► (gather) ─► prepare ─► fence ─► drain ─► verify ─► COMMIT ─► switch ─► publish ─► release ─► follow ─► done
//!                │           │         │        │        │
//!                └───────────┴─────────┴────────┴────────┴─► undo ─► release to the old primary ─► aborted
//! ```
//!
//! Before the commit entry any failure or the fence's limit leads to `undo`; behind it there is only forward:
//! what fails is asked again until it is done. The crash paths enter at `undo` and at `switch`.

mod judging;
mod state;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use self::state::State;
use super::action::{Action, Completion, Facts, ForwarderId, NewOwner, PlannedUnit, Ticket, UnitKind, Whose};
use super::compare::{Round, busy_groups};
use super::forwarders::Forwarders;
use super::limits::HandoverLimits;
use crate::ledger::{CommittedUnit, Decider, HandoverId, Primary, Step, What};

/// What a handover shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its number, from the ledger.
    pub handover: HandoverId,
    /// Whose units they are.
    pub migration: String,
    /// The new primary.
    pub to: Primary,
    /// The units; bounded by [`HandoverLimits::units_max`].
    pub units: Vec<PlannedUnit>,
    /// Who asked for it.
    pub by: Decider,
}

impl Plan {
    fn names(&self) -> Vec<UnitId> {
        self.units.iter().map(|unit| unit.unit.clone()).collect()
    }
}

/// How a handover ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The new side is primary.
    Moved {
        /// How long clients were held.
        fence: Duration,
    },
    /// The old side is primary still.
    Aborted {
        /// In which step.
        step: Step,
        /// Why.
        reason: String,
        /// The groups that were in the middle of something, each with what: the others can go without them.
        busy: BTreeMap<UnitId, String>,
    },
    /// The ledger failed: nobody knows what it holds. The process must end; its next start reads the ledger.
    Stopped {
        /// The ledger's error.
        reason: String,
    },
}

/// The machine. Fed with completions and time; polled for actions.
#[derive(Debug)]
pub struct Handover {
    plan: Plan,
    limits: HandoverLimits,
    forwarders: Forwarders,
    state: State,
    owners: Vec<NewOwner>,
    queue: VecDeque<(Ticket, Action)>,
    /// The one question that is open, besides those to forwarders.
    waiting: Option<(Ticket, Option<Duration>)>,
    next_ticket: u64,
    /// When the same question is to be asked again.
    again_at: Option<Duration>,
    /// When the present attempt must have ended (prepare, fence).
    deadline: Option<Duration>,
    /// Until when preparation waits for a moment without any lag.
    calm_until: Option<Duration>,
    fence_began: Option<Duration>,
    fence_ended: Option<Duration>,
    not_before: Duration,
    /// Members of groups were asked to join again: an abort has to undo that.
    gathered: bool,
    /// Ends of the source when nothing was on the way any more: more than that is a bypass writer.
    drained_ends: BTreeMap<UnitId, u64>,
    bypass: BTreeMap<UnitId, (u64, u64)>,
    failure: Option<(Step, String)>,
    /// Groups that a fence would only keep from ending what they are at.
    busy: BTreeMap<UnitId, String>,
    last_reason: String,
    outcome: Option<Outcome>,
}

impl Handover {
    /// A handover that begins now. `forwarders` are all that may forward; `not_before` is when leases of an
    /// earlier run of this process are over: no fence begins earlier.
    #[must_use]
    pub fn new(
        now: Now,
        plan: Plan,
        limits: HandoverLimits,
        forwarders: impl IntoIterator<Item = ForwarderId>,
        not_before: Duration,
    ) -> Self {
        let mut machine = Self::at(State::Begin, plan, limits, forwarders, not_before);
        let prepare_max = machine.prepare_max();
        machine.deadline = Some(now.deadline(prepare_max).max(not_before + prepare_max));
        let begun = What::HandoverBegun {
            handover: machine.plan.handover,
            migration: machine.plan.migration.clone(),
            to: machine.plan.to,
            units: machine.plan.names(),
        };
        machine.ask(now, Action::Record(vec![begun]));
        machine
    }

    /// Goes on behind a commit entry that a crash has left without its `following` entry.
    #[must_use]
    pub fn resume_committed(
        now: Now,
        plan: Plan,
        owners: Vec<NewOwner>,
        limits: HandoverLimits,
        forwarders: impl IntoIterator<Item = ForwarderId>,
    ) -> Self {
        let mut machine = Self::at(State::Switch, plan, limits, forwarders, now.elapsed);
        machine.fence_began = Some(now.elapsed);
        machine.owners = owners;
        machine.forwarders.assume_drained();
        machine.enter_switch(now);
        machine
    }

    /// Ends on the old primary what a crash has left without a commit entry.
    #[must_use]
    pub fn resume_aborting(
        now: Now,
        plan: Plan,
        step: Step,
        limits: HandoverLimits,
        forwarders: impl IntoIterator<Item = ForwarderId>,
    ) -> Self {
        let mut machine = Self::at(State::Undo, plan, limits, forwarders, now.elapsed);
        machine.fence_began = Some(now.elapsed);
        machine.forwarders.assume_drained();
        machine.abort(now, step, "the process ended before the commit".to_owned());
        machine
    }

    fn at(
        state: State,
        plan: Plan,
        limits: HandoverLimits,
        forwarders: impl IntoIterator<Item = ForwarderId>,
        not_before: Duration,
    ) -> Self {
        Self {
            plan,
            forwarders: Forwarders::new(forwarders),
            limits,
            state,
            owners: Vec::new(),
            queue: VecDeque::new(),
            waiting: None,
            next_ticket: 1,
            again_at: None,
            deadline: None,
            calm_until: None,
            fence_began: None,
            fence_ended: None,
            not_before,
            gathered: false,
            drained_ends: BTreeMap::new(),
            bypass: BTreeMap::new(),
            failure: None,
            busy: BTreeMap::new(),
            last_reason: String::new(),
            outcome: None,
        }
    }

    /// Ends it on the old primary, unless clients are held already.
    pub fn give_up(&mut self, now: Now, reason: &str) {
        if self.outcome.is_none() && matches!(self.state, State::Gather | State::Prepare(_)) {
            self.abort(now, Step::Prepare, reason.to_owned());
        }
    }

    /// What it shall do.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The step it is in.
    #[must_use]
    pub fn step(&self) -> Step {
        let failed_in = || self.failure.as_ref().map_or(Step::Follow, |(step, _)| *step);
        self.state.step().unwrap_or_else(failed_in)
    }

    /// What it waits for, for the operator; empty when it waits for nothing in particular.
    #[must_use]
    pub fn waits_for(&self) -> &str {
        &self.last_reason
    }

    /// How long clients have been held so far, or were held.
    #[must_use]
    pub fn fenced_for(&self, now: Now) -> Duration {
        let end = self.fence_ended.unwrap_or(now.elapsed);
        self.fence_began.map_or(Duration::ZERO, |began| end.saturating_sub(began))
    }

    /// Whether units of this handover are held at forwarders (a forwarder that joins holds them too).
    #[must_use]
    pub fn holds(&self) -> bool {
        self.fence_began.is_some() && self.fence_ended.is_none()
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// What to do next.
    pub fn poll_action(&mut self) -> Option<(Ticket, Action)> {
        self.queue.pop_front()
    }

    /// When `handle_timeout` is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.outcome.is_some() {
            return None;
        }
        let waiting = self.waiting.and_then(|(_, until)| until);
        let deadline = self.deadline.filter(|_| self.state.may_abort());
        [waiting, self.again_at, deadline, self.forwarders.poll_timeout()].into_iter().flatten().min()
    }

    /// An action has ended.
    pub fn handle_completion(&mut self, now: Now, ticket: Ticket, completion: Completion) {
        if self.outcome.is_some() {
            return;
        }
        if self.forwarders.expects(ticket) {
            self.forwarders.handle_completion(now, ticket, &completion, &self.limits);
            self.check_forwarders(now);
        } else if self.waiting.is_some_and(|(expected, _)| expected == ticket) {
            self.waiting = None;
            self.step_on(now, completion);
        }
    }

    /// A forwarder has joined (again) and holds the units if [`Self::holds`] said so. What it sent in an
    /// earlier life can reach legacy until `safe_at`.
    pub fn handle_joined(&mut self, now: Now, forwarder: ForwarderId, safe_at: Option<Duration>) {
        if self.outcome.is_none() {
            let fencing = matches!(self.state, State::Fence);
            self.forwarders.join(now, forwarder, fencing, safe_at);
            self.check_forwarders(now);
        }
    }

    /// Does what was due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.outcome.is_some() {
            return;
        }
        if self.deadline.is_some_and(|deadline| now.elapsed >= deadline) && self.state.may_abort() {
            let reason = format!("over its limit of {:?}; {}", self.limit_in_force(), self.last_reason);
            self.abort(now, self.step(), reason);
            return;
        }
        if let Some((_, Some(until))) = self.waiting
            && now.elapsed >= until
        {
            self.waiting = None;
            self.step_on(now, Completion::Failed("no answer in time".to_owned()));
        }
        if self.again_at.is_some_and(|at| now.elapsed >= at) {
            self.again_at = None;
            self.ask_again(now);
        }
        self.forwarders.handle_timeout(now);
        self.check_forwarders(now);
    }

    fn limit_in_force(&self) -> Duration {
        if self.fence_began.is_some() { self.limits.fence_max } else { self.prepare_max() }
    }

    /// Groups cannot be given to legacy with their members: these have to come together first.
    fn gathers(&self) -> bool {
        self.plan.to == Primary::Legacy && self.plan.units.iter().any(|unit| unit.kind == UnitKind::Group)
    }

    fn prepare_max(&self) -> Duration {
        if self.gathers() { self.limits.gather_max } else { self.limits.prepare_max }
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    /// Asks for something that must be answered by the process itself; questions to others time out.
    fn ask(&mut self, now: Now, action: Action) {
        let ticket = self.ticket();
        // A ledger write is waited for as long as it takes: its fate decides what is true.
        let write = matches!(action, Action::Record(_));
        let until = (!write).then(|| now.deadline(self.limits.answer_max));
        self.waiting = Some((ticket, until));
        self.queue.push_back((ticket, action));
    }

    fn ask_again_later(&mut self, now: Now, reason: String) {
        self.last_reason = reason;
        let waits_for_members = self.gathers() && self.fence_began.is_none();
        let after = if waits_for_members { self.limits.gather_poll_every } else { self.limits.poll_every };
        self.again_at = Some(now.deadline(after));
    }

    /// Issues the question of the present state.
    fn ask_again(&mut self, now: Now) {
        let (to, units) = (self.plan.to, self.plan.names());
        let action = match &mut self.state {
            State::Prepare(round) | State::Verify(round) => match round.next() {
                Some(whose) => Action::Ask { whose, to, units },
                None => return,
            },
            State::Fence => Action::Ask { whose: Whose::Source, to, units },
            State::Gather => Action::Gather { to, units },
            State::Close => Action::Close { to, units },
            State::Undo => Action::Reopen { to, units },
            State::Switch => Action::Switch(self.owners.clone()),
            State::Publish => Action::Publish(self.owners.clone()),
            State::Follow => Action::Follow(self.owners.clone()),
            State::Begin
            | State::RecordFence
            | State::RecordVerified(_)
            | State::RecordCommit
            | State::Release
            | State::RecordReleased
            | State::RecordFollowing
            | State::ReleaseOld
            | State::RecordAborted
            | State::Done => return,
        };
        self.ask(now, action);
    }

    fn step_on(&mut self, now: Now, completion: Completion) {
        match (&mut self.state, completion) {
            (State::Prepare(round) | State::Verify(round), Completion::Facts(facts)) => {
                round.answer(facts);
                self.judge_round(now);
            }
            (State::Fence, Completion::Facts(facts)) => {
                let busy = busy_groups(&self.plan.units, &facts);
                if busy.is_empty() { self.look_at_groups(now) } else { self.leave_busy(now, busy) }
            }
            (State::Fence, _) => self.look_at_groups(now),
            (State::Gather, Completion::Done) => self.enter_prepare(now),
            (State::Close, Completion::Done) => {
                self.state = State::Verify(Round::fenced(self.plan.to));
                self.ask_again(now);
            }
            (State::Undo, Completion::Done) => self.enter_release(now, State::ReleaseOld),
            // Legacy serves whatever the kernel's state is: a kernel fault must not keep clients waiting.
            (State::Undo, Completion::Failed(_)) if self.plan.to == Primary::Kernel => {
                self.enter_release(now, State::ReleaseOld);
            }
            (
                State::Gather
                | State::Prepare(_)
                | State::Verify(_)
                | State::Close
                | State::Undo
                | State::Switch
                | State::Publish
                | State::Follow,
                Completion::Failed(reason),
            ) => self.ask_again_later(now, reason),
            (State::Switch, Completion::Done) => {
                self.state = State::Publish;
                self.ask_again(now);
            }
            (State::Publish, Completion::Done) => self.enter_release(now, State::Release),
            (State::Follow, Completion::Done) => {
                self.state = State::RecordFollowing;
                let handover = self.plan.handover;
                self.ask(now, Action::Record(vec![What::Following { handover }]));
            }
            (
                State::Begin
                | State::RecordFence
                | State::RecordVerified(_)
                | State::RecordCommit
                | State::RecordReleased
                | State::RecordFollowing
                | State::RecordAborted,
                completion,
            ) => self.recorded(now, completion),
            // An answer of the wrong kind is an executor's mistake; asking again is harmless.
            (_, _) => self.ask_again_later(now, "an answer of the wrong kind".to_owned()),
        }
    }

    /// A ledger entry is durable, or the ledger has failed.
    fn recorded(&mut self, now: Now, completion: Completion) {
        if let Completion::Failed(reason) = completion {
            self.state = State::Done;
            self.outcome = Some(Outcome::Stopped { reason });
            return;
        }
        #[allow(clippy::wildcard_enum_match_arm, reason = "only the recording states come here")]
        match std::mem::replace(&mut self.state, State::Done) {
            State::Begin if self.gathers() => {
                self.gathered = true;
                self.state = State::Gather;
                self.ask_again(now);
            }
            State::Begin => self.enter_prepare(now),
            State::RecordFence => self.enter_fence(now),
            State::RecordVerified(evidence) => self.commit(now, evidence),
            State::RecordCommit => self.enter_switch(now),
            State::RecordReleased => {
                self.state = State::Follow;
                self.ask_again(now);
            }
            State::RecordFollowing => self.outcome = Some(Outcome::Moved { fence: self.fenced_for(now) }),
            State::RecordAborted => {
                let (step, reason) = self.failure.clone().unwrap_or((Step::Prepare, String::new()));
                let busy = std::mem::take(&mut self.busy);
                self.outcome = Some(Outcome::Aborted { step, reason, busy });
            }
            other => self.state = other,
        }
    }
}

/// Owners behind a commit entry.
#[must_use]
pub fn new_owners(side: Primary, units: &[CommittedUnit]) -> Vec<NewOwner> {
    units
        .iter()
        .map(|CommittedUnit { epoch, evidence }| NewOwner {
            unit: evidence.unit.clone(),
            side,
            epoch: *epoch,
            target_epoch: evidence.target_epoch,
            cut: evidence.source_end,
        })
        .collect()
}

/// Facts by unit, as completions carry them.
pub type FactsByUnit = BTreeMap<UnitId, Facts>;

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
