//! JoinGroup: new members, members that come again, and static members that take their own place.

use kernel_model::coordinator::CommitId;

use super::desk::{Pending, Turn};
use super::member::{Caller, Member, Protocol, millis};
use super::state::{Group, Phase};
use super::stored;
use crate::codec::Str;
use crate::codec::messages::join_group_response::JoinGroupResponseMember;
use crate::codec::messages::{JoinGroupRequest, JoinGroupResponse};
use crate::errors::ErrorCode;

/// From this version a new member is told its id before it joins (KIP-394).
const ID_REQUIRED_FROM: i16 = 4;
/// From this version a leader can be told that there is nothing to assign (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// From this version the protocol's name may be null.
const NULL_PROTOCOL_FROM: i16 = 7;

/// Who sends a request.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: Str,
    pub(super) host: Str,
}

/// Refuses a join.
pub(super) fn refuse(turn: &mut Turn<'_>, caller: Caller, member_id: &Str, refusal: ErrorCode) {
    let response = JoinGroupResponse {
        error_code: refusal.code(),
        member_id: member_id.clone(),
        protocol_name: (caller.version < NULL_PROTOCOL_FROM).then(Str::default),
        ..JoinGroupResponse::default()
    };
    turn.desk.answer(caller, &response);
}

impl Group {
    /// Takes a join whose group id and session time-out are in order.
    pub(super) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        request: &JoinGroupRequest,
        client: &Client,
        caller: Caller,
    ) {
        if !self.become_classic(turn) {
            return refuse(turn, caller, &request.member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if !self.accepts(turn, request) {
            self.pending_members.remove(&request.member_id);
            self.remove_member(turn, &request.member_id);
            return refuse(turn, caller, &Str::default(), ErrorCode::GroupMaxSizeReached);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return refuse(turn, caller, &request.member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if request.member_id.is_empty() {
            self.join_new(turn, request, client, caller);
        } else {
            self.join_known(turn, request, client, caller);
        }
    }

    /// While members are joining, those who have not are not counted: the last ones find the group full.
    fn accepts(&self, turn: &Turn<'_>, request: &JoinGroupRequest) -> bool {
        let max = turn.limits.group_members_max;
        let member = self.members.get(&request.member_id);
        let has_place = match self.phase {
            Phase::Empty => true,
            Phase::Preparing { .. } => {
                member.is_some_and(|member| member.join.is_some()) || self.awaiting_join() < max
            }
            Phase::Completing { .. } | Phase::Stable { .. } => member.is_some() || self.members.len() < max,
        };
        let brings: usize =
            request.protocols.iter().map(|one| one.name.as_bytes().len() + one.metadata.len()).sum();
        let others = self.bytes().saturating_sub(member.map_or(0, Member::bytes));
        has_place && others.saturating_add(brings) <= turn.limits.group_bytes_max
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, request: &JoinGroupRequest, client: &Client, caller: Caller) {
        let prefix = request.group_instance_id.as_ref().unwrap_or(&client.id);
        let id = turn.desk.member_id(turn.now, prefix);
        if let Some(instance_id) = &request.group_instance_id {
            return match self.static_members.get(instance_id).cloned() {
                Some(before) => self.replace_static(turn, request, &before, &id, caller),
                None => self.add(turn, request, client, &id, caller),
            };
        }
        if caller.version < ID_REQUIRED_FROM {
            return self.add(turn, request, client, &id, caller);
        }
        if self.pending_members.len() >= turn.limits.group_members_max {
            return refuse(turn, caller, &Str::default(), ErrorCode::CoordinatorNotAvailable);
        }
        let deadline = turn.now.deadline(millis(request.session_timeout_ms));
        self.pending_members.insert(id.clone(), deadline);
        self.arm(deadline);
        refuse(turn, caller, &id, ErrorCode::MemberIdRequired);
    }

    fn add(
        &mut self,
        turn: &mut Turn<'_>,
        request: &JoinGroupRequest,
        client: &Client,
        id: &Str,
        caller: Caller,
    ) {
        if let Phase::Preparing { initial: Some(initial), .. } = &mut self.phase {
            initial.new_member = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.detached());
        }
        self.insert_member(Member {
            id: id.detached(),
            instance_id: request.group_instance_id.as_ref().map(Str::detached),
            client_id: client.id.detached(),
            client_host: client.host.detached(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: rebalance_timeout_ms(request),
            protocols: request.protocols.iter().map(Protocol::from).collect(),
            assignment: bytes::Bytes::new(),
            join: Some(caller),
            sync: None,
            is_new: true,
            session_deadline: None,
        });
        // It cannot heartbeat before it knows its id, and its client may be gone: it is given long,
        // but not for ever.
        self.touch_for(turn.now, id, turn.limits.new_member_join_timeout);
        self.rebalance(turn);
    }

    fn join_known(
        &mut self,
        turn: &mut Turn<'_>,
        request: &JoinGroupRequest,
        client: &Client,
        caller: Caller,
    ) {
        let id = &request.member_id;
        if self.pending_members.contains_key(id) && request.group_instance_id.is_none() {
            return self.add(turn, request, client, id, caller);
        }
        if let Err(refusal) = self.validate_member(id, request.group_instance_id.as_ref()) {
            return refuse(turn, caller, id, refusal);
        }
        let matches = self.members.get(id).is_some_and(|member| member.matches(&request.protocols));
        let rejoins = match self.phase {
            Phase::Preparing { .. } => true,
            // The answer to its join may have been lost.
            Phase::Completing { .. } => !matches,
            // A leader asks for a rebalance so, when something else than its subscription changed.
            Phase::Stable { .. } => !matches || self.is_leader(id),
            Phase::Empty => return refuse(turn, caller, id, ErrorCode::UnknownMemberId),
        };
        if !rejoins {
            let mut response = self.join_response(id, caller);
            if matches!(self.phase, Phase::Stable { .. }) {
                response.members.clear();
            }
            return turn.desk.answer(caller, &response);
        }
        self.update(request);
        self.park_join(turn, id, caller);
        self.rebalance(turn);
    }

    /// Takes over what a join says of a member.
    fn update(&mut self, request: &JoinGroupRequest) {
        self.update_as(&request.member_id, request);
    }

    fn update_as(&mut self, id: &str, request: &JoinGroupRequest) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols = request.protocols.iter().map(Protocol::from).collect();
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = rebalance_timeout_ms(request);
        self.count_bytes();
    }

    /// A static member that came back without its member id takes its own place, and whoever still
    /// uses the old id is fenced.
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        request: &JoinGroupRequest,
        before: &Str,
        id: &Str,
        caller: Caller,
    ) {
        let leader_before = self.leader.clone();
        let Some(old) = self.rename(turn, before, id) else { return };
        self.update_as(id, request);
        self.touch(turn.now, id);
        self.park_join(turn, id, caller);
        match self.phase {
            Phase::Stable { .. } if self.select_protocol() == self.protocol_name => {
                // The assignment still holds, so nobody else needs to know. Only the new id is stored.
                let (group, member_id, before) = (self.id.clone(), id.clone(), Box::new(old));
                let ops = vec![stored::put_group(&self.snapshot())];
                let pending = Pending::Replaced { group, caller, member_id, before, leader_before };
                turn.desk.commit(ops, pending);
            }
            // The leader may be assigning to the old id just now.
            Phase::Stable { .. } | Phase::Completing { .. } => self.prepare(turn),
            Phase::Preparing { .. } | Phase::Empty => self.continue_joining(turn),
        }
    }

    /// Gives a static member a new id; what it had parked is fenced. Returns it as it was.
    fn rename(&mut self, turn: &mut Turn<'_>, from: &Str, to: &Str) -> Option<Member> {
        let was_unsynced = self.unsynced_mut().is_some_and(|unsynced| unsynced.contains(from));
        let mut old = self.take_member(from)?;
        if let Some(caller) = old.join.take() {
            refuse(turn, caller, from, ErrorCode::FencedInstanceId);
        }
        if let Some(caller) = old.sync.take() {
            super::sync::refuse(turn, caller, ErrorCode::FencedInstanceId);
        }
        if self.is_leader(from) {
            self.leader = Some(to.clone());
        }
        self.insert_member(Member { id: to.clone(), is_new: false, ..old.clone() });
        if let Some(unsynced) = self.unsynced_mut().filter(|_| was_unsynced) {
            unsynced.insert(to.clone());
        }
        Some(old)
    }

    /// The new id of a static member is stored, or was refused.
    pub(super) fn replaced(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Str,
        caller: Caller,
        leader_before: Option<&Str>,
    ) {
        // A rebalance that began meanwhile answers the join instead.
        if !self.is_parked_while_stable(id, caller) {
            return;
        }
        self.unpark_join(id);
        let mut response = self.join_response(id, caller);
        if caller.version >= SKIP_ASSIGNMENT_FROM {
            response.skip_assignment = self.is_leader(id);
        } else {
            // It must not think that it has to assign: for these versions the old id goes on leading.
            response.leader = leader_before.cloned().unwrap_or_default();
            response.members.clear();
        }
        turn.desk.answer(caller, &response);
        self.touch(turn.now, id);
    }

    /// The new id could not be stored: the old one holds the place again.
    pub(super) fn not_replaced(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Str,
        caller: Caller,
        before: Member,
        refusal: ErrorCode,
    ) {
        if !self.is_parked_while_stable(id, caller) {
            return;
        }
        self.unpark_join(id);
        refuse(turn, caller, &Str::default(), refusal);
        if self.is_leader(id) {
            self.leader = Some(before.id.clone());
        }
        self.take_member(id);
        let before_id = before.id.clone();
        self.insert_member(before);
        self.touch(turn.now, &before_id);
    }

    fn is_parked_while_stable(&self, id: &Str, caller: Caller) -> bool {
        matches!(self.phase, Phase::Stable { .. })
            && self.members.get(id).is_some_and(|member| member.join == Some(caller))
    }

    /// The current generation, as a member is told of it; the leader is told of all members.
    pub(super) fn join_response(&self, id: &Str, caller: Caller) -> JoinGroupResponse {
        let members = if self.is_leader(id) {
            self.members.values().map(|member| self.joined_member(member)).collect()
        } else {
            Vec::new()
        };
        let name = self.protocol_name.clone();
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: if caller.version < NULL_PROTOCOL_FROM {
                name.or_else(|| Some(Str::default()))
            } else {
                name
            },
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members,
            ..JoinGroupResponse::default()
        }
    }

    fn joined_member(&self, member: &Member) -> JoinGroupResponseMember {
        JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(self.protocol_name.as_ref()),
            ..JoinGroupResponseMember::default()
        }
    }

    /// Which commit stores the generation that is being completed.
    pub(super) fn storing(&self) -> Option<CommitId> {
        match self.phase {
            Phase::Completing { storing, .. } => storing,
            Phase::Empty | Phase::Preparing { .. } | Phase::Stable { .. } => None,
        }
    }
}

/// Version 0 has no rebalance time-out; the session's serves for it.
fn rebalance_timeout_ms(request: &JoinGroupRequest) -> i32 {
    if request.rebalance_timeout_ms < 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms }
}
