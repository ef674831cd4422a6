//! A coordinator that stands in for the groups': it answers each request with what shows where it went.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use kernel_model::coordinator::{CommitId, KvRead, MessageId};
use kernel_model::{Coordinator, KernelError, Now, Output};
use translator_kafka::codec::messages::delete_groups_response::DeletableGroupResult;
use translator_kafka::codec::messages::describe_groups_response::DescribedGroup;
use translator_kafka::codec::messages::list_groups_response::ListedGroup;
use translator_kafka::codec::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use translator_kafka::codec::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use translator_kafka::codec::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetFetchRequest, OffsetFetchResponse,
};
use translator_kafka::codec::{ApiKey, Message, Str, Uuid, frame};
use translator_kafka::coordinator::group::transfer::{Transfer, TransferReply};

/// Topics that groups were told to forget, with the number of the shard.
pub(crate) type Forgotten = Arc<Mutex<Vec<(u16, String)>>>;

/// The shard whose groups refuse to forget.
pub(crate) type Refusing = Arc<Mutex<Option<u16>>>;

pub(crate) struct RecordingGroups {
    shard: u16,
    forgotten: Forgotten,
    refusing: Refusing,
    outputs: VecDeque<Output>,
}

impl RecordingGroups {
    pub(crate) fn new(shard: u16, forgotten: Forgotten, refusing: Refusing) -> Self {
        Self { shard, forgotten, refusing, outputs: VecDeque::new() }
    }

    fn forget(&self, topics: &[(Str, Uuid)]) -> Bytes {
        if *self.refusing.lock().unwrap() == Some(self.shard) {
            return TransferReply::Refused("overloaded".into()).encode();
        }
        let told = topics.iter().map(|(topic, _)| (self.shard, topic.to_string()));
        self.forgotten.lock().unwrap().extend(told);
        TransferReply::Done.encode()
    }

    fn answer(&self, mut message: Bytes) -> Bytes {
        let host_len = usize::from(message.get_u16());
        let host = message.split_to(host_len);
        let (header, reader) = frame::read_request_header(message).unwrap();
        let v = header.request_api_version;
        let shard = i32::from(self.shard);
        match ApiKey::from_code(header.request_api_key).unwrap() {
            ApiKey::Heartbeat => {
                let request = HeartbeatRequest::decode_rest(reader, v).unwrap();
                assert_eq!((host.as_ref(), &*request.member_id), (b"192.0.2.1".as_slice(), "m"));
                HeartbeatResponse { throttle_time_ms: shard, ..Default::default() }.to_bytes(v)
            }
            ApiKey::OffsetCommit => {
                let request = OffsetCommitRequest::decode_rest(reader, v).unwrap();
                let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
                    name: topic.name.clone(),
                    partitions: topic.partitions.iter().map(|part| committed(part.partition_index)).collect(),
                    ..Default::default()
                });
                OffsetCommitResponse { topics: topics.collect(), ..Default::default() }.to_bytes(v)
            }
            ApiKey::OffsetFetch => {
                let request = OffsetFetchRequest::decode_rest(reader, v).unwrap();
                let groups = request.groups.iter().map(|group| OffsetFetchResponseGroup {
                    group_id: group.group_id.clone(),
                    topics: group
                        .topics
                        .iter()
                        .flatten()
                        .map(|topic| OffsetFetchResponseTopics {
                            name: topic.name.clone(),
                            partitions: vec![OffsetFetchResponsePartitions {
                                committed_offset: i64::from(shard),
                                ..Default::default()
                            }],
                            ..Default::default()
                        })
                        .collect(),
                    ..Default::default()
                });
                OffsetFetchResponse { groups: groups.collect(), ..Default::default() }.to_bytes(v)
            }
            ApiKey::DescribeGroups => {
                let request = DescribeGroupsRequest::decode_rest(reader, v).unwrap();
                let groups = request.groups.iter().map(|group| DescribedGroup {
                    group_id: group.clone(),
                    group_state: shard.to_string().into(),
                    ..Default::default()
                });
                DescribeGroupsResponse { groups: groups.collect(), ..Default::default() }.to_bytes(v)
            }
            ApiKey::DeleteGroups => {
                let request = DeleteGroupsRequest::decode_rest(reader, v).unwrap();
                let results = request.groups_names.iter().map(|group| DeletableGroupResult {
                    group_id: group.clone(),
                    error_code: i16::try_from(shard).unwrap(),
                    ..Default::default()
                });
                DeleteGroupsResponse { results: results.collect(), ..Default::default() }.to_bytes(v)
            }
            ApiKey::ListGroups => {
                let group_id = format!("group-of-{shard}").into();
                let groups = vec![ListedGroup { group_id, ..Default::default() }];
                ListGroupsResponse { groups, ..Default::default() }.to_bytes(v)
            }
            other => panic!("{other:?} is not a request about groups"),
        }
        .unwrap()
    }
}

fn committed(partition_index: i32) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, ..Default::default() }
}

impl Coordinator for RecordingGroups {
    fn restore(&mut self, _now: Now, _state: &dyn KvRead) {}

    fn handle_message(&mut self, _now: Now, id: MessageId, message: Bytes) {
        let message = match Transfer::decode(&message).unwrap() {
            Some(Transfer::TopicsDeleted { topics }) => self.forget(&topics),
            _ => self.answer(message),
        };
        self.outputs.push_back(Output::Reply { id, message });
    }

    fn handle_commit(&mut self, _now: Now, _id: CommitId, _outcome: Result<(), KernelError>) {}
    fn handle_timer(&mut self, _now: Now, _key: Bytes, _action: Bytes) {}
    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}
