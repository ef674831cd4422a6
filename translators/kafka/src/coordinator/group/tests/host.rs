//! A stand-in for a shard, and a stand-in for a client.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::KernelError;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, Coordinator as _, KvRead, MessageId, Output};
use kernel_model::time::Now;

use super::{GROUP, REBALANCE, SESSION, subscription};
use crate::catalog::{Catalog, CatalogHandle};
use crate::codec::messages::join_group_request::JoinGroupRequestProtocol;
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::codec::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::codec::messages::sync_group_request::SyncGroupRequestAssignment;
use crate::codec::messages::{
    DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
};
use crate::codec::{Message, Request, Uuid, frame};
use crate::coordinator::group::transfer::{Transfer, TransferReply};
use crate::coordinator::group::{GroupCoordinator, GroupSnapshot, Limits};
use crate::errors::ErrorCode;

/// Keys of a shard.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Keys(pub(super) BTreeMap<Bytes, Bytes>);

impl KvRead for Keys {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key).cloned()
    }

    fn scan(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = (Bytes, Bytes)> + '_> {
        let prefix = Bytes::copy_from_slice(prefix);
        let all = self.0.iter().filter(move |(key, _)| key.starts_with(&prefix));
        Box::new(all.map(|(key, value)| (key.clone(), value.clone())))
    }
}

/// A shard: applies commits in their order, at once unless told otherwise.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) limits: Limits,
    pub(super) coordinator: GroupCoordinator,
    pub(super) catalog: CatalogHandle,
    pub(super) keys: Keys,
    pub(super) now: Now,
    /// Commits stay where they are until `release`.
    pub(super) is_held: bool,
    /// What the next commits are refused with.
    pub(super) refusal: Option<KernelError>,
    held: Vec<(CommitId, Commit)>,
    answers: BTreeMap<u64, Bytes>,
    last_message: u64,
    starts: u64,
}

const START_MS: i64 = 1_700_000_000_000;

impl Host {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let catalog = CatalogHandle::default();
        let mut host = Self {
            coordinator: GroupCoordinator::new(limits.clone(), [7, 0], catalog.clone()),
            catalog,
            limits,
            keys: Keys::default(),
            now: Now::new(Duration::from_secs(5), START_MS),
            is_held: false,
            refusal: None,
            held: Vec::new(),
            answers: BTreeMap::new(),
            last_message: 0,
            starts: 0,
        };
        host.coordinator.restore(host.now, &host.keys);
        host
    }

    /// The process dies: what was not durable, and who waited for an answer, is gone.
    pub(super) fn restart(&mut self) {
        self.starts += 1;
        self.held.clear();
        self.coordinator = GroupCoordinator::new(self.limits.clone(), [7, self.starts], self.catalog.clone());
        self.coordinator.restore(self.now, &self.keys);
        self.settle();
    }

    /// The catalog holds back the name of a deleted topic of this id, or does not.
    pub(super) fn deleted(&self, name: &str, id: Option<Uuid>) {
        let mut catalog = Catalog::default();
        id.into_iter().for_each(|id| catalog.note_unforgotten(name.into(), id));
        self.catalog.publish(catalog.into());
    }

    /// Lets time pass, waking the coordinator exactly when it asks to be.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.elapsed + by;
        for _ in 0..100_000 {
            let wake = self.coordinator.poll_timeout().filter(|at| *at <= end);
            let at = wake.unwrap_or(end).max(self.now.elapsed);
            self.now.wall_ms += i64::try_from((at - self.now.elapsed).as_millis()).unwrap();
            self.now.elapsed = at;
            if wake.is_none() {
                return;
            }
            self.coordinator.handle_timeout(self.now);
            self.settle();
        }
        panic!("the coordinator asks to be woken without end");
    }

    /// Applies held commits, and goes on applying.
    pub(super) fn release(&mut self) {
        self.is_held = false;
        for (id, commit) in std::mem::take(&mut self.held) {
            self.apply(id, commit);
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(output) = self.coordinator.poll_output() {
            match output {
                Output::Reply { id, message } => {
                    let before = self.answers.insert(id.0, message);
                    assert!(before.is_none(), "message {} is answered twice", id.0);
                }
                Output::Commit { id, commit } if self.is_held => self.held.push((id, commit)),
                Output::Commit { id, commit } => self.apply(id, commit),
            }
        }
    }

    fn apply(&mut self, id: CommitId, commit: Commit) {
        let outcome = match self.refusal.clone() {
            Some(error) => Err(error),
            None => {
                commit.ops.into_iter().for_each(|op| self.apply_op(op));
                Ok(())
            }
        };
        self.coordinator.handle_commit(self.now, id, outcome);
    }

    fn apply_op(&mut self, op: Op) {
        match op {
            Op::KvPut { key, value, expires_ms: None } => drop(self.keys.0.insert(key, value)),
            Op::KvDelete { key } => drop(self.keys.0.remove(&key)),
            other => panic!("unexpected {other:?}"),
        }
    }

    pub(super) fn send_bytes(&mut self, message: Bytes) -> u64 {
        self.last_message += 1;
        self.coordinator.handle_message(self.now, MessageId(self.last_message), message);
        self.settle();
        self.last_message
    }

    pub(super) fn send<R: Request>(&mut self, version: i16, client: &str, request: &R) -> u64 {
        let framed = frame::request_frame(version, 1, Some(client.into()), request).unwrap();
        let host = "/127.0.0.1";
        let mut message = BytesMut::new();
        message.put_u16(u16::try_from(host.len()).unwrap());
        message.put_slice(host.as_bytes());
        message.put_slice(&framed[4..]);
        self.send_bytes(message.freeze())
    }

    pub(super) fn is_answered(&self, message: u64) -> bool {
        self.answers.contains_key(&message)
    }

    pub(super) fn take_bytes(&mut self, message: u64) -> Bytes {
        self.answers.remove(&message).unwrap_or_else(|| panic!("message {message} is not answered"))
    }

    pub(super) fn take<M: Message>(&mut self, message: u64, version: i16) -> M {
        M::decode_exact(self.take_bytes(message), version).unwrap()
    }

    pub(super) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let message = self.send(version, "admin", request);
        self.take(message, version)
    }

    pub(super) fn transfer(&mut self, transfer: &Transfer) -> TransferReply {
        let message = self.send_bytes(transfer.encode());
        TransferReply::decode(self.take_bytes(message)).unwrap()
    }

    pub(super) fn export(&mut self, group: &str) -> Option<(GroupSnapshot, bool)> {
        match self.transfer(&Transfer::Export { group: group.into() }) {
            TransferReply::Exported(exported) => exported.map(|(snapshot, serving)| (*snapshot, serving)),
            other => panic!("unexpected {other:?}"),
        }
    }

    pub(super) fn state(&mut self, group: &str) -> String {
        let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
        self.call(5, &request).groups[0].group_state.to_string()
    }

    /// A commit of one partition of `orders`; the answer's error.
    pub(super) fn commit(&mut self, generation: i32, member: &str, partition: i32, offset: i64) -> ErrorCode {
        let message = self.send_commit(generation, member, partition, offset);
        self.committed(message)
    }

    pub(super) fn send_commit(&mut self, generation: i32, member: &str, partition: i32, offset: i64) -> u64 {
        self.send(8, "c", &commit_request(generation, member, "orders", partition, offset))
    }

    pub(super) fn committed(&mut self, message: u64) -> ErrorCode {
        let response = self.take::<crate::codec::messages::OffsetCommitResponse>(message, 8);
        code(response.topics[0].partitions[0].error_code)
    }

    /// The offset of one partition of `orders`; −1 when there is none.
    pub(super) fn offset(&mut self, partition: i32) -> i64 {
        self.offset_of("orders", partition)
    }

    pub(super) fn offset_of(&mut self, topic: &str, partition: i32) -> i64 {
        let response = self.call(9, &fetch_request(topic, partition, false));
        assert_eq!(response.groups[0].error_code, 0);
        response.groups[0].topics[0].partitions[0].committed_offset
    }
}

pub(super) fn fetch_request(topic: &str, partition: i32, require_stable: bool) -> OffsetFetchRequest {
    let topics = vec![OffsetFetchRequestTopics {
        name: topic.into(),
        partition_indexes: vec![partition],
        ..Default::default()
    }];
    let group =
        OffsetFetchRequestGroup { group_id: GROUP.into(), topics: Some(topics), ..Default::default() };
    OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() }
}

pub(super) fn commit_request(
    generation: i32,
    member: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> OffsetCommitRequest {
    let partitions = vec![OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_leader_epoch: 4,
        committed_metadata: Some("beside".into()),
        ..Default::default()
    }];
    OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![OffsetCommitRequestTopic { name: topic.into(), partitions, ..Default::default() }],
        ..Default::default()
    }
}

pub(super) fn code(number: i16) -> ErrorCode {
    ErrorCode::from_code(number).unwrap()
}

/// A client in a group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) client: String,
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: String,
    /// Protocols in the order of preference, each with its metadata.
    pub(super) protocols: Vec<(String, Bytes)>,
    /// The one that was chosen, once it has joined.
    pub(super) protocol: Option<crate::codec::Str>,
    pub(super) version: i16,
}

impl Member {
    pub(super) fn new(client: &str) -> Self {
        Self {
            client: client.into(),
            id: String::new(),
            instance: None,
            generation: -1,
            leader: String::new(),
            protocols: vec![("range".into(), subscription(&["orders"], client))],
            protocol: None,
            version: 9,
        }
    }

    pub(super) fn fixed(instance: &str) -> Self {
        Self { instance: Some(instance.into()), ..Self::new(instance) }
    }

    pub(super) fn is_leader(&self) -> bool {
        self.leader == self.id
    }

    /// The first round of KIP-394.
    pub(super) fn obtain_id(&mut self, host: &mut Host) {
        let message = self.send_join(host);
        let response: JoinGroupResponse = host.take(message, self.version);
        assert_eq!(code(response.error_code), ErrorCode::MemberIdRequired);
        assert!(response.member_id.starts_with(&format!("{}-", self.client)));
        self.id = response.member_id.to_string();
    }

    pub(super) fn request(&self) -> JoinGroupRequest {
        let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap();
        let protocol = |(name, metadata): &(String, Bytes)| JoinGroupRequestProtocol {
            name: name.as_str().into(),
            metadata: metadata.clone(),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: millis(SESSION),
            rebalance_timeout_ms: millis(REBALANCE),
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            protocol_type: "consumer".into(),
            protocols: self.protocols.iter().map(protocol).collect(),
            ..Default::default()
        }
    }

    pub(super) fn send_join(&self, host: &mut Host) -> u64 {
        host.send(self.version, &self.client, &self.request())
    }

    /// Takes the answer to a join over, if it is not an error.
    pub(super) fn joined(&mut self, host: &mut Host, message: u64) -> JoinGroupResponse {
        let response: JoinGroupResponse = host.take(message, self.version);
        if response.error_code == 0 {
            self.id = response.member_id.to_string();
            self.generation = response.generation_id;
            self.leader = response.leader.to_string();
            self.protocol.clone_from(&response.protocol_name);
        }
        response
    }

    pub(super) fn send_sync(&self, host: &mut Host, assignments: &[(String, String)]) -> u64 {
        let assignment = |(member, assignment): &(String, String)| SyncGroupRequestAssignment {
            member_id: member.as_str().into(),
            assignment: Bytes::from(assignment.clone()),
            ..Default::default()
        };
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            protocol_type: Some("consumer".into()),
            protocol_name: self
                .protocol
                .clone()
                .or_else(|| self.protocols.first().map(|(name, _)| name.as_str().into())),
            assignments: assignments.iter().map(assignment).collect(),
            ..Default::default()
        };
        host.send(5, &self.client, &request)
    }

    #[allow(clippy::unused_self, reason = "reads as what the member sees")]
    pub(super) fn synced(&self, host: &mut Host, message: u64) -> SyncGroupResponse {
        host.take(message, 5)
    }

    pub(super) fn heartbeat(&self, host: &mut Host) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            ..Default::default()
        };
        code(host.call(4, &request).error_code)
    }

    pub(super) fn send_leave(&self, host: &mut Host) -> u64 {
        let member = MemberIdentity {
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            reason: Some("done".into()),
            ..Default::default()
        };
        let request =
            LeaveGroupRequest { group_id: GROUP.into(), members: vec![member], ..Default::default() };
        host.send(5, &self.client, &request)
    }

    pub(super) fn leave(&self, host: &mut Host) -> ErrorCode {
        let message = self.send_leave(host);
        let response: LeaveGroupResponse = host.take(message, 5);
        assert_eq!(response.error_code, 0);
        code(response.members[0].error_code)
    }

    pub(super) fn commit(&self, host: &mut Host, partition: i32, offset: i64) -> ErrorCode {
        host.commit(self.generation, &self.id, partition, offset)
    }
}
