//! How a group comes from one generation to the next: who is waited for, how long, and what happens
//! to those who do not come.

use std::collections::BTreeSet;
use std::time::Duration;

use super::desk::{Pending, Turn};
use super::member::Member;
use super::state::{Group, InitialDelay, Phase};
use super::{join, stored, sync};
use crate::codec::Str;
use crate::errors::ErrorCode;

/// Pause before a rebalance that nobody came to is tried again, however short members' time-outs are.
const RETRY_MIN: Duration = Duration::from_secs(1);

impl Group {
    /// Starts a rebalance, or, where one is under way, sees whether it can go on.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Empty | Phase::Completing { .. } | Phase::Stable { .. } => self.prepare(turn),
            Phase::Preparing { .. } => self.continue_joining(turn),
        }
    }

    /// Goes on when everybody has joined, unless more members are waited for anyway.
    pub(super) fn continue_joining(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Preparing { initial: None, .. }) && self.all_joined() {
            self.complete_joining(turn);
        }
    }

    /// Asks every member to join again.
    pub(super) fn prepare(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Completing { .. }) {
            self.drop_assignments(turn, ErrorCode::RebalanceInProgress);
        }
        let was_empty = self.is_empty();
        let timeout = self.rebalance_timeout();
        let initial = was_empty.then(|| {
            let delay = turn.limits.initial_rebalance_delay;
            InitialDelay { delay, remaining: timeout.saturating_sub(delay), new_member: false }
        });
        let deadline = turn.now.deadline(initial.map_or(timeout, |initial| initial.delay));
        self.phase = Phase::Preparing { deadline, initial };
        self.state_timestamp_ms = Some(turn.now.wall_ms);
        self.arm(deadline);
        self.continue_joining(turn);
    }

    /// The time to join is over.
    fn end_joining(&mut self, turn: &mut Turn<'_>) {
        let Phase::Preparing { deadline, initial: Some(initial) } = &mut self.phase else {
            return self.complete_joining(turn);
        };
        if !initial.new_member || initial.remaining.is_zero() {
            return self.complete_joining(turn);
        }
        // Somebody came during the last wait, so more may follow.
        let delay = turn.limits.initial_rebalance_delay.min(initial.remaining);
        let remaining = initial.remaining.saturating_sub(initial.delay);
        *initial = InitialDelay { delay, remaining, new_member: false };
        *deadline = turn.now.deadline(delay);
        let deadline = *deadline;
        self.arm(deadline);
    }

    /// Begins the next generation with those who have joined. Static members stay in any case.
    pub(super) fn complete_joining(&mut self, turn: &mut Turn<'_>) {
        // The other side cannot be given static members that have not come either.
        let stays = |member: &Member| member.instance_id.is_some() && !self.gathering;
        let missing = |member: &&Member| member.join.is_none() && !stays(member);
        let missing: Vec<Str> =
            self.members.values().filter(missing).map(|member| member.id.clone()).collect();
        for id in missing {
            self.remove_member(turn, &id);
        }
        if self.gathering && !self.members.is_empty() {
            return self.wait_for_joins(turn);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members are left, and none has come: their sessions decide.
            return self.wait_for_joins(turn);
        }
        // The wire has no negative generations, so the count begins again at its end.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.state_timestamp_ms = Some(turn.now.wall_ms);
        if self.members.is_empty() { self.become_empty(turn) } else { self.begin_generation(turn) }
    }

    fn wait_for_joins(&mut self, turn: &mut Turn<'_>) {
        let deadline = turn.now.deadline(self.rebalance_timeout().max(RETRY_MIN));
        self.phase = Phase::Preparing { deadline, initial: None };
        self.arm(deadline);
    }

    /// The leader stays if it has joined; else somebody who has takes its place.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &Str| self.members.get(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let Some(elected) = self.members.keys().find(|id| joined(id)).cloned() else { return false };
        self.leader = Some(elected);
        true
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.protocol_name = None;
        self.leader = None;
        self.settle();
        let ops = vec![stored::put_group(&self.snapshot())];
        turn.desk.commit(ops, Pending::Emptied { replies: Vec::new() });
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.protocol_name = self.select_protocol();
        self.subscribed = super::subscription::topics(self);
        let unsynced: BTreeSet<Str> = self.members.keys().cloned().collect();
        let deadline = turn.now.deadline(self.rebalance_timeout());
        self.phase = Phase::Completing { unsynced: unsynced.clone(), deadline, storing: None };
        self.arm(deadline);
        for id in unsynced {
            if let Some(caller) = self.unpark_join(&id) {
                let response = self.join_response(&id, caller);
                turn.desk.answer(caller, &response);
            }
            self.touch(turn.now, &id);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
        }
    }

    /// Members lose the assignments of a generation that did not come about.
    pub(super) fn drop_assignments(&mut self, turn: &mut Turn<'_>, refusal: ErrorCode) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.assignment.clear();
            if let Some(caller) = member.sync.take() {
                sync::refuse(turn, caller, refusal);
                self.touch(turn.now, &id);
            }
        }
        self.count_bytes();
    }

    /// Takes a member out and answers what it has parked. The caller goes on with the rebalance.
    pub(super) fn remove_member(&mut self, turn: &mut Turn<'_>, id: &str) {
        let Some(member) = self.take_member(id) else { return };
        // A client that is still there joins again, as somebody new.
        if let Some(caller) = member.join {
            join::refuse(turn, caller, &Str::default(), ErrorCode::UnknownMemberId);
        }
        if let Some(caller) = member.sync {
            sync::refuse(turn, caller, ErrorCode::UnknownMemberId);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// What follows once members are gone.
    pub(super) fn after_removal(&mut self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Completing { .. } | Phase::Stable { .. } => self.prepare(turn),
            Phase::Preparing { .. } if self.all_joined() => self.complete_joining(turn),
            Phase::Preparing { .. } | Phase::Empty => {}
        }
    }

    /// Does what is due, and finds out when to wake up next.
    pub(super) fn wake(&mut self, turn: &mut Turn<'_>) {
        self.alarm = None;
        // A held group is woken again when it is released.
        if self.admission().is_ok() {
            self.expire(turn);
            self.alarm = self.next_deadline();
        }
    }

    fn expire(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.elapsed;
        let pending = self.pending_members.len();
        self.pending_members.retain(|_, deadline| *deadline > now);
        if self.pending_members.len() < pending && matches!(self.phase, Phase::Preparing { .. }) {
            self.after_removal(turn);
        }
        self.expire_sessions(turn);
        self.expire_consumers(turn);
        match &self.phase {
            Phase::Preparing { deadline, .. } if *deadline <= now => self.end_joining(turn),
            Phase::Completing { deadline, .. } if *deadline <= now => self.expire_unsynced(turn),
            Phase::Stable { deadline: Some(deadline), .. } if *deadline <= now => self.expire_unsynced(turn),
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } | Phase::Empty => {}
        }
    }

    fn expire_sessions(&mut self, turn: &mut Turn<'_>) {
        let due = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= turn.now.elapsed);
        let expired = self.members.values_mut().filter(|member| due(member.session_deadline));
        let mut gone = Vec::new();
        for member in expired {
            // The answer to what it has parked starts the session anew.
            if member.is_kept_alive() {
                member.session_deadline = None;
            } else {
                gone.push(member.id.clone());
            }
        }
        for id in &gone {
            self.remove_member(turn, id);
        }
        if !gone.is_empty() {
            self.after_removal(turn);
        }
    }

    /// Members joined and then never asked for their assignment.
    fn expire_unsynced(&mut self, turn: &mut Turn<'_>) {
        let unsynced = self.unsynced_mut().map(std::mem::take).unwrap_or_default();
        for id in &unsynced {
            self.remove_member(turn, id);
        }
        if !unsynced.is_empty() {
            self.prepare(turn);
        }
    }
}
