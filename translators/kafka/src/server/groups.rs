//! Requests about groups: each goes to the coordinator of its group's shard; those that name several groups
//! are split and merged.
//!
//! A message to a group coordinator is a length of two bytes, the client's host, and the request frame
//! without its size prefix; its answer is the body of the response. Topic ids are translated here: group
//! coordinators know topics by name.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::{KernelError, Reply, ShardId};

use super::metadata::GROUP_OPERATIONS;
use super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use crate::catalog::Catalog;
use crate::codec::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use crate::codec::messages::delete_groups_response::DeletableGroupResult;
use crate::codec::messages::describe_groups_response::DescribedGroup;
use crate::codec::messages::offset_commit_request::OffsetCommitRequestTopic;
use crate::codec::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::codec::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::codec::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::codec::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::codec::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use crate::codec::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use crate::codec::{ApiKey, DecodeError, Message, Reader, Request, Str, Uuid, frame};
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{GROUPS, group_shard};

/// Newest version in which topics have names.
const NAMED_VERSION_MAX: i16 = 9;

/// Merges the answers of several coordinators (in the order of their slots) into one response.
type Merge = Box<dyn FnOnce(&Head, Vec<Result<Bytes, ErrorCode>>) -> Finished + Send>;

struct Forward {
    head: Head,
    answers: Vec<Option<Result<Bytes, ErrorCode>>>,
    left: usize,
    merge: Option<Merge>,
}

impl Operation for Forward {
    fn answered(&mut self, _cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        let answer = match answer {
            Ok(Reply::Coordinated(body)) => Ok(body),
            Ok(_) => Err(ErrorCode::UnknownServerError),
            Err(error) => Err(coordinator_error(&error)),
        };
        if let Some(place) = self.answers.get_mut(slot) {
            *place = Some(answer);
            self.left = self.left.saturating_sub(1);
        }
        if self.left > 0 {
            return Step::Wait;
        }
        let answers = std::mem::take(&mut self.answers).into_iter().flatten().collect();
        match self.merge.take() {
            Some(merge) => Step::Done(merge(&self.head, answers)),
            None => Step::Wait,
        }
    }
}

/// The messages that go out for one request.
struct Sender<'a, 'b> {
    cx: &'a mut Cx<'b>,
    client_host: &'a str,
    sent: usize,
}

impl Sender<'_, '_> {
    fn send(&mut self, shard: ShardId, request: &Bytes) {
        let host = self.client_host.get(..usize::from(u16::MAX)).unwrap_or(self.client_host);
        let mut message = BytesMut::with_capacity(2 + host.len() + request.len());
        message.put_u16(u16::try_from(host.len()).unwrap_or(0));
        message.put_slice(host.as_bytes());
        message.put_slice(request);
        let message = message.freeze();
        self.cx.ask(self.sent, shard, kernel_model::Request::Coordinate { kind: GROUPS, message });
        self.sent += 1;
    }

    fn send_encoded<R: Request>(&mut self, shard: ShardId, head: &Head, version: i16, request: &R) -> bool {
        let framed = frame::request_frame(version, head.correlation_id, head.client_id.clone(), request);
        let Ok(framed) = framed else { return false };
        self.send(shard, &framed.slice(4.min(framed.len())..));
        true
    }

    fn merged(self, head: Head, merge: Merge) -> Begin {
        if self.sent == 0 {
            return Begin::Done(merge(&head, Vec::new()));
        }
        let answers = vec![None; self.sent];
        Begin::Run(Box::new(Forward { head, answers, left: self.sent, merge: Some(merge) }))
    }

    fn shard_of(&self, group: &str) -> ShardId {
        group_shard(group, self.cx.settings.shards)
    }
}

/// Begins a request about groups.
pub(super) fn start(
    cx: &mut Cx<'_>,
    head: Head,
    reader: Reader,
    request: &Bytes,
    client_host: &str,
) -> Result<Begin, DecodeError> {
    let v = head.version;
    let sender = Sender { cx, client_host, sent: 0 };
    macro_rules! one_group {
        ($request:ident, $response:ident) => {{
            let decoded = $request::decode_request(reader, v)?;
            let refused = |code: ErrorCode| $response { error_code: code.code(), ..Default::default() };
            Ok(one(sender, head, &decoded.group_id, request, move |head, code| head.respond(&refused(code))))
        }};
    }
    #[allow(clippy::wildcard_enum_match_arm, reason = "the caller sends only APIs that are served")]
    match head.api {
        ApiKey::JoinGroup => {
            let decoded = JoinGroupRequest::decode_request(reader, v)?;
            let refused = |code: ErrorCode| JoinGroupResponse {
                error_code: code.code(),
                protocol_name: Some(Str::default()),
                ..Default::default()
            };
            Ok(one(sender, head, &decoded.group_id, request, move |head, code| head.respond(&refused(code))))
        }
        ApiKey::SyncGroup => one_group!(SyncGroupRequest, SyncGroupResponse),
        ApiKey::Heartbeat => one_group!(HeartbeatRequest, HeartbeatResponse),
        ApiKey::LeaveGroup => one_group!(LeaveGroupRequest, LeaveGroupResponse),
        ApiKey::OffsetDelete => {
            Ok(delete_offsets(sender, head, OffsetDeleteRequest::decode_request(reader, v)?))
        }
        ApiKey::OffsetCommit => {
            Ok(commit(sender, head, OffsetCommitRequest::decode_request(reader, v)?, request))
        }
        ApiKey::OffsetFetch => {
            Ok(fetch(sender, head, OffsetFetchRequest::decode_request(reader, v)?, request))
        }
        ApiKey::ConsumerGroupHeartbeat => {
            one_group!(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse)
        }
        ApiKey::ConsumerGroupDescribe => {
            let decoded = ConsumerGroupDescribeRequest::decode_request(reader, v)?;
            Ok(describe_consumers(sender, head, &decoded))
        }
        ApiKey::DescribeGroups => {
            Ok(describe(sender, head, &DescribeGroupsRequest::decode_request(reader, v)?))
        }
        ApiKey::DeleteGroups => Ok(delete(sender, head, &DeleteGroupsRequest::decode_request(reader, v)?)),
        ApiKey::ListGroups => {
            ListGroupsRequest::decode_request(reader, v)?;
            Ok(list(sender, head, request))
        }
        other => Err(DecodeError::UnknownApi(other.code())),
    }
}

/// One group: the request goes on as it came.
fn one(
    mut sender: Sender<'_, '_>,
    head: Head,
    group: &str,
    request: &Bytes,
    refused: impl FnOnce(&Head, ErrorCode) -> Finished + Send + 'static,
) -> Begin {
    let shard = sender.shard_of(group);
    sender.send(shard, request);
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| match answers.into_iter().next() {
        Some(Ok(body)) => head.respond_body(body),
        Some(Err(code)) => refused(head, code),
        None => refused(head, ErrorCode::UnknownServerError),
    };
    sender.merged(head, Box::new(merge))
}

/// OffsetCommit: partitions that do not exist are refused here, the rest goes on.
fn commit(mut sender: Sender<'_, '_>, head: Head, request: OffsetCommitRequest, raw: &Bytes) -> Begin {
    let catalog = sender.cx.catalog();
    let elsewhere = sender.cx.settings.topics_elsewhere;
    let mut refused = Vec::new();
    let mut kept = OffsetCommitRequest { topics: Vec::new(), ..request.clone() };
    for topic in &request.topics {
        split_commit(&catalog, topic, head.version, elsewhere, &mut kept, &mut refused);
    }
    let ids: BTreeMap<Str, Uuid> =
        request.topics.iter().filter_map(|topic| named(&catalog, topic.topic_id)).collect();
    let shard = sender.shard_of(&request.group_id);
    let whole = refused.is_empty() && head.version <= NAMED_VERSION_MAX;
    if whole {
        sender.send(shard, raw);
    } else if !kept.topics.is_empty() {
        sender.send_encoded(shard, &head, head.version.min(NAMED_VERSION_MAX), &kept);
    }
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let answer = answers.into_iter().next();
        if let (true, Some(Ok(body))) = (whole, &answer) {
            return head.respond_body(body.clone());
        }
        let version = head.version.min(NAMED_VERSION_MAX);
        let mut response = match answer {
            None => OffsetCommitResponse::default(),
            Some(Err(code)) => all_refused(&kept, code),
            Some(Ok(body)) => match OffsetCommitResponse::decode_exact(body, version) {
                Ok(response) => response,
                Err(_) => return Finished::Close("a group coordinator's answer could not be read"),
            },
        };
        if head.version > NAMED_VERSION_MAX {
            for topic in &mut response.topics {
                topic.topic_id = ids.get(&topic.name).copied().unwrap_or_default();
            }
        }
        response.topics.extend(refused);
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}

/// OffsetDelete: as with OffsetCommit.
fn delete_offsets(mut sender: Sender<'_, '_>, head: Head, request: OffsetDeleteRequest) -> Begin {
    let catalog = sender.cx.catalog();
    let elsewhere = sender.cx.settings.topics_elsewhere;
    let mut refused = Vec::new();
    let mut kept = OffsetDeleteRequest { topics: Vec::new(), ..request.clone() };
    for topic in request.topics {
        let known = catalog.topic(&topic.name);
        let exists = |number| elsewhere || known.is_some_and(|topic| topic.partition(number).is_some());
        let (good, bad): (Vec<_>, Vec<_>) =
            topic.partitions.into_iter().partition(|part| exists(part.partition_index));
        let missing = |part: OffsetDeleteRequestPartition| OffsetDeleteResponsePartition {
            partition_index: part.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
        };
        if !bad.is_empty() {
            let partitions = bad.into_iter().map(missing).collect();
            refused.push(OffsetDeleteResponseTopic { name: topic.name.detached(), partitions });
        }
        kept.topics.push(OffsetDeleteRequestTopic { name: topic.name, partitions: good });
    }
    // Also without a topic: the coordinator knows whether there is such a group.
    let shard = sender.shard_of(&request.group_id);
    sender.send_encoded(shard, &head, head.version, &kept);
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let mut response = match answers.into_iter().next() {
            Some(Ok(body)) => match OffsetDeleteResponse::decode_exact(body, head.version) {
                Ok(response) => response,
                Err(_) => return Finished::Close("a group coordinator's answer could not be read"),
            },
            Some(Err(code)) => OffsetDeleteResponse { error_code: code.code(), ..Default::default() },
            None => return Finished::Close("a request could not be encoded"),
        };
        if response.error_code == 0 {
            response.topics.retain(|topic| !topic.partitions.is_empty());
            response.topics.extend(refused);
        }
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}

fn named(catalog: &Catalog, id: Uuid) -> Option<(Str, Uuid)> {
    catalog.topic_by_id(id).map(|topic| (Str::from(&*topic.name), id))
}

/// Sorts a topic's partitions into those that exist and those that do not.
fn split_commit(
    catalog: &Catalog,
    topic: &OffsetCommitRequestTopic,
    version: i16,
    elsewhere: bool,
    kept: &mut OffsetCommitRequest,
    refused: &mut Vec<OffsetCommitResponseTopic>,
) {
    let by_id = version > NAMED_VERSION_MAX;
    let known = if by_id { catalog.topic_by_id(topic.topic_id) } else { catalog.topic(&topic.name) };
    let unknown =
        if by_id && known.is_none() { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let exists = |number: i32| match known {
        Some(topic) => topic.partition(number).is_some() || elsewhere,
        None => elsewhere && !by_id,
    };
    let (good, bad): (Vec<_>, Vec<_>) =
        topic.partitions.iter().cloned().partition(|part| exists(part.partition_index));
    if !good.is_empty() {
        let name = known.map_or_else(|| topic.name.clone(), |topic| Str::from(&*topic.name));
        let topic_id = Uuid::ZERO;
        kept.topics.push(OffsetCommitRequestTopic { name, topic_id, partitions: good, ..topic.clone() });
    }
    if !bad.is_empty() {
        let partitions = bad.iter().map(|part| OffsetCommitResponsePartition {
            partition_index: part.partition_index,
            error_code: unknown.code(),
            ..Default::default()
        });
        refused.push(OffsetCommitResponseTopic {
            name: topic.name.detached(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        });
    }
}

fn all_refused(request: &OffsetCommitRequest, code: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|part| OffsetCommitResponsePartition {
                partition_index: part.partition_index,
                error_code: code.code(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

/// OffsetFetch: one group before version 8, several from then on.
fn fetch(mut sender: Sender<'_, '_>, head: Head, request: OffsetFetchRequest, raw: &Bytes) -> Begin {
    if head.version < 8 {
        return one(sender, head, &request.group_id, raw, |head, code| {
            // Version 1 has no error of the whole: each partition would carry it, and none is named here.
            let error_code = if head.version >= 2 { code.code() } else { 0 };
            head.respond(&OffsetFetchResponse { error_code, ..Default::default() })
        });
    }
    let catalog = sender.cx.catalog();
    let version = head.version.min(NAMED_VERSION_MAX);
    let by_id = head.version > NAMED_VERSION_MAX;
    let mut unknown: BTreeMap<Str, Vec<OffsetFetchResponseTopics>> = BTreeMap::new();
    let mut shards: BTreeMap<ShardId, Vec<OffsetFetchRequestGroup>> = BTreeMap::new();
    for mut group in request.groups {
        if by_id && let Some(topics) = group.topics.take() {
            let (named, missing) = name_topics(&catalog, topics);
            group.topics = Some(named);
            unknown.insert(group.group_id.detached(), missing);
        }
        shards.entry(sender.shard_of(&group.group_id)).or_default().push(group);
    }
    let mut sent = Vec::new();
    for (shard, groups) in shards {
        let ids: Vec<Str> = groups.iter().map(|group| group.group_id.detached()).collect();
        let part =
            OffsetFetchRequest { groups, require_stable: request.require_stable, ..Default::default() };
        if sender.send_encoded(shard, &head, version, &part) {
            sent.push(ids);
        }
    }
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let mut response = OffsetFetchResponse::default();
        for (ids, answer) in sent.into_iter().zip(answers) {
            match answer.map(|body| OffsetFetchResponse::decode_exact(body, version)) {
                Ok(Ok(part)) => response.groups.extend(part.groups),
                Ok(Err(_)) => return Finished::Close("a group coordinator's answer could not be read"),
                Err(code) => response.groups.extend(ids.into_iter().map(|group_id| {
                    let error_code = code.code();
                    OffsetFetchResponseGroup { group_id, error_code, ..Default::default() }
                })),
            }
        }
        if by_id {
            identify_topics(&catalog, &mut response, &mut unknown);
        }
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}

/// Gives topics the names that belong to their ids; those without are answered here.
fn name_topics(
    catalog: &Catalog,
    topics: Vec<OffsetFetchRequestTopics>,
) -> (Vec<OffsetFetchRequestTopics>, Vec<OffsetFetchResponseTopics>) {
    let mut named = Vec::new();
    let mut missing = Vec::new();
    for topic in topics {
        if let Some(known) = catalog.topic_by_id(topic.topic_id) {
            let name = Str::from(&*known.name);
            named.push(OffsetFetchRequestTopics { name, topic_id: Uuid::ZERO, ..topic });
            continue;
        }
        let partitions = topic.partition_indexes.iter().map(|number| OffsetFetchResponsePartitions {
            partition_index: *number,
            committed_offset: -1,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: ErrorCode::UnknownTopicId.code(),
            ..Default::default()
        });
        missing.push(OffsetFetchResponseTopics {
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        });
    }
    (named, missing)
}

/// The reverse: names become ids; offsets of topics that no longer exist are left out.
fn identify_topics(
    catalog: &Catalog,
    response: &mut OffsetFetchResponse,
    unknown: &mut BTreeMap<Str, Vec<OffsetFetchResponseTopics>>,
) {
    for group in &mut response.groups {
        group.topics.retain_mut(|topic| {
            let known = catalog.topic(&topic.name);
            topic.topic_id = known.map_or(Uuid::ZERO, |topic| topic.id);
            topic.name = Str::default();
            known.is_some()
        });
        group.topics.extend(unknown.remove(&group.group_id).unwrap_or_default());
    }
}

/// Groups by the shard that owns them.
fn by_shard(sender: &Sender<'_, '_>, groups: &[Str]) -> BTreeMap<ShardId, Vec<Str>> {
    let mut shards: BTreeMap<ShardId, Vec<Str>> = BTreeMap::new();
    for group in groups {
        shards.entry(sender.shard_of(group)).or_default().push(group.detached());
    }
    shards
}

fn describe(mut sender: Sender<'_, '_>, head: Head, request: &DescribeGroupsRequest) -> Begin {
    let mut sent = Vec::new();
    for (shard, groups) in by_shard(&sender, &request.groups) {
        let part = DescribeGroupsRequest { groups: groups.clone(), ..request.clone() };
        if sender.send_encoded(shard, &head, head.version, &part) {
            sent.push(groups);
        }
    }
    let tells_operations = request.include_authorized_operations;
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let mut response = DescribeGroupsResponse::default();
        for (ids, answer) in sent.into_iter().zip(answers) {
            match answer.map(|body| DescribeGroupsResponse::decode_exact(body, head.version)) {
                Ok(Ok(part)) => response.groups.extend(part.groups),
                Ok(Err(_)) => return Finished::Close("a group coordinator's answer could not be read"),
                Err(code) => response.groups.extend(ids.into_iter().map(|group_id| DescribedGroup {
                    group_id,
                    error_code: code.code(),
                    ..Default::default()
                })),
            }
        }
        if tells_operations {
            let known = response.groups.iter_mut().filter(|group| group.error_code == 0);
            known.for_each(|group| group.authorized_operations = GROUP_OPERATIONS);
        }
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}

fn describe_consumers(
    mut sender: Sender<'_, '_>,
    head: Head,
    request: &ConsumerGroupDescribeRequest,
) -> Begin {
    let mut sent = Vec::new();
    for (shard, groups) in by_shard(&sender, &request.group_ids) {
        let part = ConsumerGroupDescribeRequest { group_ids: groups.clone(), ..request.clone() };
        if sender.send_encoded(shard, &head, head.version, &part) {
            sent.push(groups);
        }
    }
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let mut response = ConsumerGroupDescribeResponse::default();
        for (ids, answer) in sent.into_iter().zip(answers) {
            match answer.map(|body| ConsumerGroupDescribeResponse::decode_exact(body, head.version)) {
                Ok(Ok(part)) => response.groups.extend(part.groups),
                Ok(Err(_)) => return Finished::Close("a group coordinator's answer could not be read"),
                Err(code) => response.groups.extend(ids.into_iter().map(|group_id| {
                    let error_code = code.code();
                    DescribedConsumerGroup { group_id, error_code, ..Default::default() }
                })),
            }
        }
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}

fn delete(mut sender: Sender<'_, '_>, head: Head, request: &DeleteGroupsRequest) -> Begin {
    let mut sent = Vec::new();
    for (shard, groups) in by_shard(&sender, &request.groups_names) {
        let part = DeleteGroupsRequest { groups_names: groups.clone(), ..request.clone() };
        if sender.send_encoded(shard, &head, head.version, &part) {
            sent.push(groups);
        }
    }
    let merge =
        move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
            let mut response = DeleteGroupsResponse::default();
            for (ids, answer) in sent.into_iter().zip(answers) {
                match answer.map(|body| DeleteGroupsResponse::decode_exact(body, head.version)) {
                    Ok(Ok(part)) => response.results.extend(part.results),
                    Ok(Err(_)) => return Finished::Close("a group coordinator's answer could not be read"),
                    Err(code) => response.results.extend(ids.into_iter().map(|group_id| {
                        DeletableGroupResult { group_id, error_code: code.code(), ..Default::default() }
                    })),
                }
            }
            head.respond(&response)
        };
    sender.merged(head, Box::new(merge))
}

/// ListGroups: every shard has some.
fn list(mut sender: Sender<'_, '_>, head: Head, raw: &Bytes) -> Begin {
    for shard in 0..sender.cx.settings.shards.max(1) {
        sender.send(ShardId(shard), raw);
    }
    let merge = move |head: &Head, answers: Vec<Result<Bytes, ErrorCode>>| {
        let mut response = ListGroupsResponse::default();
        for answer in answers {
            match answer.map(|body| ListGroupsResponse::decode_exact(body, head.version)) {
                Ok(Ok(part)) => {
                    if response.error_code == 0 {
                        response.error_code = part.error_code;
                    }
                    response.groups.extend(part.groups);
                }
                Ok(Err(_)) => return Finished::Close("a group coordinator's answer could not be read"),
                Err(code) => response.error_code = code.code(),
            }
        }
        head.respond(&response)
    };
    sender.merged(head, Box::new(merge))
}
