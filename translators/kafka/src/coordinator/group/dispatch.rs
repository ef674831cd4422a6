//! From a message to the group it is for.

use bytes::{Buf, Bytes};
use kernel_model::coordinator::MessageId;
use kernel_model::time::Now;

use super::desk::{Pending, Turn};
use super::join::Client;
use super::member::{Caller, millis};
use super::state::{Group, Hold};
use super::transfer::Transfer;
use super::{GroupCoordinator, consumer, describe, fetch, join, membership, offsets, sync};
use crate::codec::messages::delete_groups_response::DeletableGroupResult;
use crate::codec::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    ListGroupsResponse, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use crate::codec::{ApiKey, DecodeError, Message, Reader, Str, frame};
use crate::errors::ErrorCode;

/// Last version of OffsetCommit and OffsetFetch that names topics; later ones have ids.
const NAMED_TOPICS_UNTIL: i16 = 9;
/// From this version OffsetCommit says that there is no such group, before it is an illegal generation.
const COMMIT_NOT_FOUND_FROM: i16 = 9;

/// A request with its header taken off.
struct Call {
    now: Now,
    caller: Caller,
    client: Client,
    body: Reader,
}

impl Call {
    fn body<M: Message>(&self) -> Result<M, DecodeError> {
        M::decode_request(self.body.clone(), self.caller.version)
    }
}

impl GroupCoordinator {
    /// Every message is answered once. One that cannot be read gets an empty answer.
    pub(super) fn dispatch(&mut self, now: Now, id: MessageId, message: Bytes) {
        if self.on_transactional(now, id, &message) {
            return;
        }
        match Transfer::decode(&message) {
            Ok(Some(transfer)) => return self.transfer_within_bounds(now, id, transfer),
            Ok(None) => {}
            Err(_) => return self.desk.reply(id, Bytes::new()),
        }
        let read = open(now, id, message).and_then(|(api, call)| self.call(api, &call).ok());
        if read.is_none() {
            self.desk.reply(id, Bytes::new());
        }
    }

    fn transfer_within_bounds(&mut self, now: Now, id: MessageId, transfer: Transfer) {
        if self.is_damaged || self.desk.in_flight() >= self.limits.commits_in_flight_max {
            let why =
                if self.is_damaged { "stored groups are damaged" } else { "too many commits in flight" };
            let reply = super::transfer::TransferReply::Refused(Str::from_static(why));
            return self.desk.answer_transfer(id, &reply);
        }
        self.transfer(now, id, transfer);
    }

    /// Serves one request. An error means that nothing was done and nothing answered.
    #[allow(clippy::wildcard_enum_match_arm, reason = "every other API is for somebody else")]
    fn call(&mut self, api: ApiKey, call: &Call) -> Result<(), DecodeError> {
        let version = call.caller.version;
        let names_topics = version <= NAMED_TOPICS_UNTIL;
        match api {
            ApiKey::JoinGroup => self.on_join(call, &call.body()?),
            ApiKey::SyncGroup => self.on_sync(call, &call.body()?),
            ApiKey::Heartbeat => self.on_heartbeat(call, &call.body()?),
            ApiKey::LeaveGroup => self.on_leave(call, &call.body()?),
            ApiKey::OffsetCommit if names_topics => self.on_commit(call, &call.body()?),
            ApiKey::OffsetFetch if names_topics => self.on_fetch(call.caller, call.body()?),
            ApiKey::OffsetDelete => self.on_offset_delete(call, &call.body()?),
            ApiKey::DescribeGroups => self.on_describe(call.caller, &call.body()?),
            ApiKey::ListGroups => self.on_list(call.caller, &call.body()?),
            ApiKey::ConsumerGroupHeartbeat => self.on_consumer_heartbeat(call, &call.body()?),
            ApiKey::ConsumerGroupDescribe => self.on_consumer_describe(call.caller, &call.body()?),
            ApiKey::DeleteGroups => self.on_delete(call.caller, &call.body()?),
            other => return Err(DecodeError::Version { message: other.spec().name, version }),
        }
        Ok(())
    }

    /// Whether a group takes requests here. One that does not exist does.
    fn admission(&self, id: &str) -> Result<(), ErrorCode> {
        if self.is_damaged {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.groups.get(id).map_or(Ok(()), Group::admission)
    }

    pub(super) fn named_admission(&self, id: &str) -> Result<(), ErrorCode> {
        if id.is_empty() { Err(ErrorCode::InvalidGroupId) } else { self.admission(id) }
    }

    /// The group exists afterwards, or there is no room for it.
    pub(super) fn create(&mut self, id: &Str) -> Result<(), ErrorCode> {
        if self.groups.contains_key(id) {
            return Ok(());
        }
        if self.groups.len() >= self.limits.groups_max {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let group = Group::new(id);
        self.groups.insert(group.id.clone(), group);
        Ok(())
    }

    fn turn(&mut self, now: Now) -> Turn<'_> {
        Turn { now, limits: &self.limits, desk: &mut self.desk }
    }

    fn on_join(&mut self, call: &Call, request: &JoinGroupRequest) {
        if let Err(refusal) = self.admit_join(request) {
            return join::refuse(&mut self.turn(call.now), call.caller, &request.member_id, refusal);
        }
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.join(turn, request, &call.client, call.caller);
        });
    }

    fn admit_join(&mut self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        self.named_admission(&request.group_id)?;
        let bounds = self.limits.session_timeout_min..=self.limits.session_timeout_max;
        if request.session_timeout_ms < 0 || !bounds.contains(&millis(request.session_timeout_ms)) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        // Whoever has an id has it from a group that has gone meanwhile.
        if !request.member_id.is_empty() && !self.groups.contains_key(&request.group_id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.create(&request.group_id)
    }

    fn on_sync(&mut self, call: &Call, request: &SyncGroupRequest) {
        let refusal = self.named_admission(&request.group_id).err();
        let missing = !self.groups.contains_key(&request.group_id);
        if let Some(refusal) = refusal.or(missing.then_some(ErrorCode::UnknownMemberId)) {
            return sync::refuse(&mut self.turn(call.now), call.caller, refusal);
        }
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.sync(turn, request, call.caller);
        });
    }

    fn on_heartbeat(&mut self, call: &Call, request: &HeartbeatRequest) {
        let outcome = match self.named_admission(&request.group_id) {
            // Nothing is decided yet, and the session is not running: the member stays calm.
            Err(ErrorCode::CoordinatorLoadInProgress) => Ok(()),
            Err(refusal) => Err(refusal),
            Ok(()) => self
                .with_group(call.now, &request.group_id, |group, turn| group.heartbeat(turn, request))
                .unwrap_or(Err(ErrorCode::UnknownMemberId)),
        };
        let error_code = outcome.err().map_or(0, ErrorCode::code);
        self.desk.answer(call.caller, &HeartbeatResponse { error_code, ..HeartbeatResponse::default() });
    }

    fn on_consumer_heartbeat(&mut self, call: &Call, request: &ConsumerGroupHeartbeatRequest) {
        if let Err(refusal) = self.admit_consumer(call, request) {
            return consumer::refuse_heartbeat(&mut self.turn(call.now), call.caller, refusal);
        }
        let catalog = self.catalog.load();
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.consumer_heartbeat(turn, &catalog, request, &call.client, call.caller);
        });
    }

    fn admit_consumer(
        &mut self,
        call: &Call,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), consumer::Refusal> {
        consumer::check_heartbeat(request, call.caller.version)?;
        self.admission(&request.group_id)?;
        self.bound_commits()?;
        if request.member_epoch == 0 {
            return Ok(self.create(&request.group_id)?);
        }
        if self.groups.contains_key(&request.group_id) {
            return Ok(());
        }
        let why = format!("There is no group {}.", request.group_id);
        Err(consumer::Refusal::new(ErrorCode::GroupIdNotFound, why))
    }

    fn on_consumer_describe(&mut self, caller: Caller, request: &ConsumerGroupDescribeRequest) {
        let catalog = self.catalog.load();
        let groups = request.group_ids.iter();
        let groups = groups.map(|id| consumer::describe(id, self.groups.get(id), &catalog)).collect();
        let response = ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() };
        self.desk.answer(caller, &response);
    }

    fn on_leave(&mut self, call: &Call, request: &LeaveGroupRequest) {
        let refusal = self.named_admission(&request.group_id).err();
        let missing = !self.groups.contains_key(&request.group_id);
        if let Some(refusal) = refusal.or(missing.then_some(ErrorCode::UnknownMemberId)) {
            let mut turn = self.turn(call.now);
            return membership::refuse_leave(&mut turn, request, call.caller, refusal);
        }
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.leave(turn, request, call.caller);
        });
    }

    fn on_commit(&mut self, call: &Call, request: &OffsetCommitRequest) {
        if let Err(refusal) = self.admit_commit(call, request) {
            return self.desk.answer(call.caller, &offsets::commit_response(request, refusal));
        }
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.commit_offsets(turn, request, call.caller);
        });
    }

    fn admit_commit(&mut self, call: &Call, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        self.admission(&request.group_id)?;
        self.bound_commits()?;
        // The topic was there when the server looked. Its offsets may be forgotten already.
        let catalog = self.catalog.load();
        if request.topics.iter().any(|topic| catalog.unforgotten_id(&topic.name).is_some()) {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        if request.generation_id_or_member_epoch < 0 {
            // A consumer without group management needs no group beforehand.
            return self.create(&request.group_id);
        }
        if self.groups.contains_key(&request.group_id) {
            return Ok(());
        }
        let says_not_found = call.caller.version >= COMMIT_NOT_FOUND_FROM;
        Err(if says_not_found { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration })
    }

    pub(super) fn bound_commits(&self) -> Result<(), ErrorCode> {
        let is_full = self.desk.in_flight() >= self.limits.commits_in_flight_max;
        if is_full { Err(ErrorCode::CoordinatorLoadInProgress) } else { Ok(()) }
    }

    fn on_fetch(&mut self, caller: Caller, request: OffsetFetchRequest) {
        // A consumer that asks for stable offsets must see what was handed in before it asked.
        let in_flight = |group: &Group| !group.in_flight.is_empty();
        let waits = request.require_stable
            && fetch::wanted(&request, caller.version)
                .iter()
                .any(|wanted| self.groups.get(&wanted.group_id).is_some_and(in_flight));
        if !waits {
            return self.answer_fetch(caller, &request, None);
        }
        if self.waiting_fetches.len() >= self.limits.waiting_fetches_max {
            return self.answer_fetch(caller, &request, Some(ErrorCode::CoordinatorLoadInProgress));
        }
        self.waiting_fetches.push_back((self.desk.last_commit(), request, caller));
    }

    fn answer_fetch(&mut self, caller: Caller, request: &OffsetFetchRequest, refusal: Option<ErrorCode>) {
        let groups = fetch::wanted(request, caller.version).into_iter().map(|wanted| {
            let refusal = refusal.or(self.admission(&wanted.group_id).err());
            fetch::fetch(&wanted, self.groups.get(&wanted.group_id), refusal, request.require_stable)
        });
        let response = fetch::response(groups.collect(), caller.version);
        self.desk.answer(caller, &response);
    }

    /// Answers the fetches whose commits have ended.
    pub(super) fn continue_fetches(&mut self) {
        while self.waiting_fetches.front().is_some_and(|(commit, ..)| self.desk.is_settled(*commit)) {
            if let Some((_, request, caller)) = self.waiting_fetches.pop_front() {
                self.answer_fetch(caller, &request, None);
            }
        }
    }

    fn on_offset_delete(&mut self, call: &Call, request: &OffsetDeleteRequest) {
        let refusal = self.named_admission(&request.group_id).and_then(|()| self.bound_commits()).err();
        let missing = !self.groups.contains_key(&request.group_id);
        if let Some(refusal) = refusal.or(missing.then_some(ErrorCode::GroupIdNotFound)) {
            return self.desk.answer(call.caller, &offsets::delete_refused(refusal));
        }
        self.with_group(call.now, &request.group_id, |group, turn| {
            group.delete_offsets(turn, request, call.caller);
        });
    }

    fn on_describe(&mut self, caller: Caller, request: &DescribeGroupsRequest) {
        let groups = request.groups.iter();
        let groups = groups.map(|id| describe::describe(id, self.groups.get(id), caller.version)).collect();
        self.desk.answer(caller, &DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() });
    }

    fn on_list(&mut self, caller: Caller, request: &ListGroupsRequest) {
        let groups = self.groups.values().filter_map(|group| describe::list(request, group)).collect();
        let error_code = if self.is_damaged { ErrorCode::CoordinatorNotAvailable.code() } else { 0 };
        let response = ListGroupsResponse { groups, error_code, ..ListGroupsResponse::default() };
        self.desk.answer(caller, &response);
    }

    /// Deletes what can be deleted in one commit; the rest is refused group by group.
    fn on_delete(&mut self, caller: Caller, request: &DeleteGroupsRequest) {
        let (mut ops, mut groups) = (Vec::new(), Vec::new());
        let mut response = DeleteGroupsResponse::default();
        for id in &request.groups_names {
            let outcome = self.admit_deletion(id).map(|group| {
                group.hold = Some(Hold::Busy);
                ops.extend(group.deletion());
                groups.push(group.id.clone());
            });
            response.results.push(DeletableGroupResult {
                group_id: id.clone(),
                error_code: outcome.err().map_or(0, ErrorCode::code),
                ..DeletableGroupResult::default()
            });
        }
        if groups.is_empty() {
            return self.desk.answer(caller, &response);
        }
        self.desk.commit(ops, Pending::GroupsDeleted { groups, caller, response });
    }

    fn admit_deletion(&mut self, id: &Str) -> Result<&mut Group, ErrorCode> {
        self.admission(id)?;
        self.bound_commits()?;
        let group = self.groups.get_mut(id).ok_or(ErrorCode::GroupIdNotFound)?;
        if group.is_empty() { Ok(group) } else { Err(ErrorCode::NonEmptyGroup) }
    }
}

/// Takes host and request header off a message.
fn open(now: Now, id: MessageId, message: Bytes) -> Option<(ApiKey, Call)> {
    let mut rest = message;
    let length = usize::from(rest.try_get_u16().ok()?);
    let host = (length <= rest.len()).then(|| rest.split_to(length))?;
    let host = Str::try_from(host).ok()?;
    let (header, body) = frame::read_request_header(rest).ok()?;
    let api = ApiKey::from_code(header.request_api_key)?;
    let caller = Caller { message: id, version: header.request_api_version };
    let client = Client { id: header.client_id.unwrap_or_default(), host };
    Some((api, Call { now, caller, client, body }))
}
