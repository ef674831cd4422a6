//! SyncGroup: the leader brings the assignments, everybody takes its own.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::desk::{Pending, Turn};
use super::member::Caller;
use super::snapshot::GroupSnapshot;
use super::state::{Group, Phase};
use super::stored;
use crate::codec::Str;
use crate::codec::messages::{SyncGroupRequest, SyncGroupResponse};
use crate::errors::ErrorCode;

/// From this version members name the protocol that they think was chosen.
const NAMES_PROTOCOL_FROM: i16 = 5;

/// Refuses a sync.
pub(super) fn refuse(turn: &mut Turn<'_>, caller: Caller, refusal: ErrorCode) {
    turn.desk
        .answer(caller, &SyncGroupResponse { error_code: refusal.code(), ..SyncGroupResponse::default() });
}

impl Group {
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, request: &SyncGroupRequest, caller: Caller) {
        if let Err(refusal) = self.validate_sync(request, caller.version) {
            return refuse(turn, caller, refusal);
        }
        let id = &request.member_id;
        if let Some(unsynced) = self.unsynced_mut() {
            unsynced.remove(id);
        }
        match &self.phase {
            Phase::Preparing { .. } => refuse(turn, caller, ErrorCode::RebalanceInProgress),
            Phase::Completing { storing, .. } => {
                let is_stored = storing.is_some();
                self.park_sync(turn, id, caller);
                if self.is_leader(id) && !is_stored {
                    self.store_generation(turn, request);
                }
            }
            Phase::Stable { .. } => {
                let response = self.sync_response(id);
                turn.desk.answer(caller, &response);
            }
            Phase::Empty => refuse(turn, caller, ErrorCode::UnknownMemberId),
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest, version: i16) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        // Old clients cannot say what they think the protocol is; others have to.
        let differs = |theirs: &Option<Str>, ours: &Option<Str>| match theirs {
            None => version >= NAMES_PROTOCOL_FROM,
            Some(theirs) => ours.as_ref().is_some_and(|ours| theirs != ours),
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn park_sync(&mut self, turn: &mut Turn<'_>, id: &str, caller: Caller) {
        let Some(member) = self.members.get_mut(id) else { return };
        // A second sync of one member means that the first one's client has gone.
        if let Some(before) = member.sync.replace(caller) {
            refuse(turn, before, ErrorCode::RebalanceInProgress);
        }
    }

    /// Stores the generation with the leader's assignments. Members that it forgot get an empty one.
    fn store_generation(&mut self, turn: &mut Turn<'_>, request: &SyncGroupRequest) {
        let assignments: BTreeMap<Str, Bytes> = request
            .assignments
            .iter()
            .filter(|one| self.members.contains_key(&one.member_id))
            .map(|one| (one.member_id.detached(), Bytes::copy_from_slice(&one.assignment)))
            .collect();
        let bytes: usize = assignments.values().map(Bytes::len).sum();
        if self.bytes().saturating_add(bytes) > turn.limits.group_bytes_max {
            return self.fail_generation(turn, self.generation, ErrorCode::UnknownServerError);
        }
        let stored_ms = turn.now.wall_ms;
        let mut snapshot = GroupSnapshot { state_timestamp_ms: Some(stored_ms), ..self.snapshot() };
        for member in &mut snapshot.members {
            member.assignment = assignments.get(&member.member_id).cloned().unwrap_or_default();
        }
        let (group, generation) = (self.id.clone(), self.generation);
        let pending = Pending::Generation { group, generation, assignments, stored_ms };
        let commit = turn.desk.commit(vec![stored::put_group(&snapshot)], pending);
        if let Phase::Completing { storing, .. } = &mut self.phase {
            *storing = Some(commit);
        }
    }

    /// The generation is durable: everybody may know its assignment.
    pub(super) fn complete_generation(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        assignments: &BTreeMap<Str, Bytes>,
        stored_ms: i64,
    ) {
        let Phase::Completing { unsynced, deadline, .. } = &mut self.phase else { return };
        // Another rebalance may have begun while this one was on its way to the disk.
        if generation != self.generation {
            return;
        }
        self.phase = Phase::Stable { unsynced: std::mem::take(unsynced), deadline: Some(*deadline) };
        self.state_timestamp_ms = Some(stored_ms);
        for member in self.members.values_mut() {
            member.assignment = assignments.get(&member.id).cloned().unwrap_or_default();
        }
        self.count_bytes();
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            let parked = self.members.get_mut(&id).and_then(|member| member.sync.take());
            if let Some(caller) = parked {
                let response = self.sync_response(&id);
                turn.desk.answer(caller, &response);
                self.touch(turn.now, &id);
            }
        }
    }

    /// The generation could not be stored: members are told, and asked to join again.
    pub(super) fn fail_generation(&mut self, turn: &mut Turn<'_>, generation: i32, refusal: ErrorCode) {
        if matches!(self.phase, Phase::Completing { .. }) && generation == self.generation {
            self.drop_assignments(turn, refusal);
            self.prepare(turn);
        }
    }

    fn sync_response(&self, id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
            ..SyncGroupResponse::default()
        }
    }
}
