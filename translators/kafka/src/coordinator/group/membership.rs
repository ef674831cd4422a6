//! Heartbeat and LeaveGroup: staying and going.

use kernel_model::coordinator::MessageId;

use super::desk::{Pending, Turn};
use super::member::Caller;
use super::state::{Group, Phase};
use crate::codec::Message as _;
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::{HeartbeatRequest, LeaveGroupRequest, LeaveGroupResponse};
use crate::errors::ErrorCode;

/// From this version LeaveGroup names any number of members.
const BATCH_FROM: i16 = 3;

impl Group {
    /// Keeps a member's session alive.
    ///
    /// # Errors
    ///
    /// What the client is told: among them, that a rebalance wants it to join again.
    pub(super) fn heartbeat(&mut self, turn: &Turn<'_>, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        self.touch(turn.now, &request.member_id);
        match self.phase {
            Phase::Preparing { .. } => Err(ErrorCode::RebalanceInProgress),
            Phase::Completing { .. } | Phase::Stable { .. } => Ok(()),
            Phase::Empty => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// Lets members go. When the last one does, the answer waits until the empty generation is durable.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, request: &LeaveGroupRequest, caller: Caller) {
        let members = identities(request, caller.version);
        let outcomes: Vec<_> = members.iter().map(|member| self.leave_one(turn, member)).collect();
        let before = turn.desk.last_commit();
        if outcomes.iter().any(Result::is_ok) {
            match self.phase {
                Phase::Stable { .. } | Phase::Completing { .. } => self.prepare(turn),
                Phase::Preparing { .. } => self.continue_joining(turn),
                Phase::Empty => {}
            }
        }
        let response = leave_response(&members, &outcomes, caller.version);
        let reply = response.to_bytes(caller.version).unwrap_or_default();
        turn.desk.reply_after(before, caller.message, reply);
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        if self.has_consumers() {
            return self.remove_consumer(turn, &identity.member_id, identity.group_instance_id.as_ref());
        }
        // An administrator removes a static member by its instance id alone.
        if identity.member_id.is_empty() {
            let named = identity.group_instance_id.as_ref();
            let id = named.and_then(|name| self.static_members.get(name)).cloned();
            self.remove_member(turn, &id.ok_or(ErrorCode::UnknownMemberId)?);
            return Ok(());
        }
        if self.pending_members.remove(&identity.member_id).is_some() {
            return Ok(());
        }
        self.validate_member(&identity.member_id, identity.group_instance_id.as_ref())?;
        self.remove_member(turn, &identity.member_id);
        Ok(())
    }
}

impl super::desk::Desk {
    /// Answers once the empty generation committed after `before` is durable, or at once if there is none.
    fn reply_after(
        &mut self,
        before: kernel_model::coordinator::CommitId,
        id: MessageId,
        reply: bytes::Bytes,
    ) {
        match self.pending_after(before) {
            Some(Pending::Emptied { replies }) => replies.push((id, reply)),
            _ => self.reply(id, reply),
        }
    }
}

/// Answers a LeaveGroup for a group that refuses all of it. A group that does not exist refuses member
/// by member.
pub(super) fn refuse_leave(
    turn: &mut Turn<'_>,
    request: &LeaveGroupRequest,
    caller: Caller,
    refusal: ErrorCode,
) {
    let response = if refusal == ErrorCode::UnknownMemberId {
        let members = identities(request, caller.version);
        let outcomes = vec![Err(refusal); members.len()];
        leave_response(&members, &outcomes, caller.version)
    } else {
        LeaveGroupResponse { error_code: refusal.code(), ..LeaveGroupResponse::default() }
    };
    turn.desk.answer(caller, &response);
}

fn identities(request: &LeaveGroupRequest, version: i16) -> Vec<MemberIdentity> {
    if version >= BATCH_FROM {
        return request.members.clone();
    }
    vec![MemberIdentity { member_id: request.member_id.clone(), ..MemberIdentity::default() }]
}

fn leave_response(
    members: &[MemberIdentity],
    outcomes: &[Result<(), ErrorCode>],
    version: i16,
) -> LeaveGroupResponse {
    let code = |outcome: &Result<(), ErrorCode>| outcome.err().map_or(0, ErrorCode::code);
    if version < BATCH_FROM {
        let error_code = outcomes.first().map_or(0, code);
        return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
    }
    let response = |(member, outcome): (&MemberIdentity, &Result<(), ErrorCode>)| MemberResponse {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        error_code: code(outcome),
        ..MemberResponse::default()
    };
    let members = members.iter().zip(outcomes).map(response).collect();
    LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
}
