//! Requests about partitions, split by side and put together again.
//!
//! A stale client names partitions that have moved in a request to legacy. Those are taken out and answered
//! NOT_LEADER_OR_FOLLOWER; the rest goes on, and both answers become one.

use crate::codec::Str;
use crate::codec::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest, DescribeProducersResponse,
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse, delete_records_response,
    describe_producers_response, fetch_response, list_offsets_response, offset_for_leader_epoch_response,
    produce_response,
};
use crate::errors::ErrorCode;

use super::nodes::Endpoint;
use super::owner::{LeaderOf, Owned, Owner, Select};
use super::route::TopicRef;

/// Moves the selected partitions of each topic into topics of their own.
fn take_partitions<T: Clone, P>(
    topics: &mut Vec<T>,
    partitions: impl Fn(&mut T) -> &mut Vec<P>,
    mut select: impl FnMut(&T, &P) -> bool,
) -> Vec<T> {
    let mut taken = Vec::new();
    topics.retain_mut(|topic| {
        let all = std::mem::take(partitions(topic));
        let (out, keep): (Vec<P>, Vec<P>) = all.into_iter().partition(|partition| select(topic, partition));
        if !out.is_empty() {
            let mut moved = topic.clone();
            *partitions(&mut moved) = out;
            taken.push(moved);
        }
        let stays = !keep.is_empty();
        *partitions(topic) = keep;
        stays
    });
    taken
}

impl Owned for ProduceRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topic_data = take_partitions(
            &mut self.topic_data,
            |topic| &mut topic.partition_data,
            |topic, partition| {
                select(Owner::Partition(TopicRef::of(&topic.name, topic.topic_id), partition.index))
            },
        );
        Self { topic_data, ..self.clone_envelope() }
    }

    fn is_empty(&self) -> bool {
        self.topic_data.is_empty()
    }

    fn refuse(&self, version: i16, error: ErrorCode, leader: LeaderOf<'_>) -> ProduceResponse {
        let mut response = ProduceResponse::default();
        for topic in &self.topic_data {
            let mut answers = Vec::with_capacity(topic.partition_data.len());
            for partition in &topic.partition_data {
                let mut answer = produce_response::PartitionProduceResponse {
                    index: partition.index,
                    error_code: error.code(),
                    base_offset: -1,
                    ..Default::default()
                };
                let leader = leader(TopicRef::of(&topic.name, topic.topic_id), partition.index);
                if let (true, Some((node, endpoint))) = (version >= 10, leader.node) {
                    answer.current_leader.leader_id = node;
                    answer.current_leader.leader_epoch = leader.epoch;
                    add_produce_endpoint(&mut response, node, &endpoint);
                }
                answers.push(answer);
            }
            response.responses.push(produce_response::TopicProduceResponse {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partition_responses: answers,
                ..Default::default()
            });
        }
        response
    }

    fn merge(into: &mut ProduceResponse, other: ProduceResponse) {
        into.responses.extend(other.responses);
        for endpoint in other.node_endpoints {
            if !into.node_endpoints.iter().any(|known| known.node_id == endpoint.node_id) {
                into.node_endpoints.push(endpoint);
            }
        }
    }
}

fn add_produce_endpoint(response: &mut ProduceResponse, node_id: i32, endpoint: &Endpoint) {
    if response.node_endpoints.iter().all(|known| known.node_id != node_id) {
        response.node_endpoints.push(produce_response::NodeEndpoint {
            node_id,
            host: endpoint.host.clone(),
            port: endpoint.port,
            ..Default::default()
        });
    }
}

impl ProduceRequest {
    /// Everything but the partitions.
    fn clone_envelope(&self) -> Self {
        Self {
            transactional_id: self.transactional_id.clone(),
            acks: self.acks,
            timeout_ms: self.timeout_ms,
            ..Default::default()
        }
    }
}

impl Owned for FetchRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topics = take_partitions(
            &mut self.topics,
            |topic| &mut topic.partitions,
            |topic, partition| {
                select(Owner::Partition(TopicRef::of(&topic.topic, topic.topic_id), partition.partition))
            },
        );
        Self { topics, session_id: self.session_id, session_epoch: self.session_epoch, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn refuse(&self, version: i16, error: ErrorCode, leader: LeaderOf<'_>) -> FetchResponse {
        let mut response = FetchResponse::default();
        for topic in &self.topics {
            let mut answers = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let mut answer = fetch_response::PartitionData {
                    partition_index: partition.partition,
                    error_code: error.code(),
                    high_watermark: -1,
                    last_stable_offset: -1,
                    log_start_offset: -1,
                    preferred_read_replica: -1,
                    records: Some(bytes::Bytes::new()),
                    ..Default::default()
                };
                let leader = leader(TopicRef::of(&topic.topic, topic.topic_id), partition.partition);
                if let (true, Some((node, endpoint))) = (version >= 12, leader.node) {
                    answer.current_leader.leader_id = node;
                    answer.current_leader.leader_epoch = leader.epoch;
                    if version >= 16 {
                        add_fetch_endpoint(&mut response, node, &endpoint);
                    }
                }
                answers.push(answer);
            }
            response.responses.push(fetch_response::FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions: answers,
                ..Default::default()
            });
        }
        response
    }

    fn merge(into: &mut FetchResponse, other: FetchResponse) {
        into.responses.extend(other.responses);
        for endpoint in other.node_endpoints {
            if !into.node_endpoints.iter().any(|known| known.node_id == endpoint.node_id) {
                into.node_endpoints.push(endpoint);
            }
        }
    }
}

fn add_fetch_endpoint(response: &mut FetchResponse, node_id: i32, endpoint: &Endpoint) {
    if response.node_endpoints.iter().all(|known| known.node_id != node_id) {
        response.node_endpoints.push(fetch_response::NodeEndpoint {
            node_id,
            host: endpoint.host.clone(),
            port: endpoint.port,
            ..Default::default()
        });
    }
}

impl Owned for ListOffsetsRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topics = take_partitions(
            &mut self.topics,
            |topic| &mut topic.partitions,
            |topic, partition| {
                select(Owner::Partition(TopicRef::Name(&topic.name), partition.partition_index))
            },
        );
        Self { topics, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> ListOffsetsResponse {
        let answer = |partition_index| list_offsets_response::ListOffsetsPartitionResponse {
            partition_index,
            error_code: error.code(),
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
            ..Default::default()
        };
        let topics = self.topics.iter().map(|topic| list_offsets_response::ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|each| answer(each.partition_index)).collect(),
            ..Default::default()
        });
        ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
    }

    fn merge(into: &mut ListOffsetsResponse, other: ListOffsetsResponse) {
        into.topics.extend(other.topics);
    }
}

impl Owned for OffsetForLeaderEpochRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topics = take_partitions(
            &mut self.topics,
            |topic| &mut topic.partitions,
            |topic, partition| select(Owner::Partition(TopicRef::Name(&topic.topic), partition.partition)),
        );
        Self { topics, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> OffsetForLeaderEpochResponse {
        let answer = |partition| offset_for_leader_epoch_response::EpochEndOffset {
            partition,
            error_code: error.code(),
            leader_epoch: -1,
            end_offset: -1,
            ..Default::default()
        };
        let topics =
            self.topics.iter().map(|topic| offset_for_leader_epoch_response::OffsetForLeaderTopicResult {
                topic: topic.topic.clone(),
                partitions: topic.partitions.iter().map(|each| answer(each.partition)).collect(),
                ..Default::default()
            });
        OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
    }

    fn merge(into: &mut OffsetForLeaderEpochResponse, other: OffsetForLeaderEpochResponse) {
        merge_topics(
            &mut into.topics,
            other.topics,
            |topic| topic.topic.clone(),
            |topic| &mut topic.partitions,
        );
    }
}

impl Owned for DeleteRecordsRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topics = take_partitions(
            &mut self.topics,
            |topic| &mut topic.partitions,
            |topic, partition| {
                select(Owner::Partition(TopicRef::Name(&topic.name), partition.partition_index))
            },
        );
        Self { topics, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> DeleteRecordsResponse {
        let answer = |partition_index| delete_records_response::DeleteRecordsPartitionResult {
            partition_index,
            low_watermark: -1,
            error_code: error.code(),
            ..Default::default()
        };
        let topics = self.topics.iter().map(|topic| delete_records_response::DeleteRecordsTopicResult {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|each| answer(each.partition_index)).collect(),
            ..Default::default()
        });
        DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
    }

    fn merge(into: &mut DeleteRecordsResponse, other: DeleteRecordsResponse) {
        merge_topics(
            &mut into.topics,
            other.topics,
            |topic| topic.name.clone(),
            |topic| &mut topic.partitions,
        );
    }
}

impl Owned for DescribeProducersRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let topics = take_partitions(
            &mut self.topics,
            |topic| &mut topic.partition_indexes,
            |topic, partition| select(Owner::Partition(TopicRef::Name(&topic.name), *partition)),
        );
        Self { topics, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> DescribeProducersResponse {
        let answer = |partition_index: &i32| describe_producers_response::PartitionResponse {
            partition_index: *partition_index,
            error_code: error.code(),
            ..Default::default()
        };
        let topics = self.topics.iter().map(|topic| describe_producers_response::TopicResponse {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().map(answer).collect(),
            ..Default::default()
        });
        DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
    }

    fn merge(into: &mut DescribeProducersResponse, other: DescribeProducersResponse) {
        merge_topics(
            &mut into.topics,
            other.topics,
            |topic| topic.name.clone(),
            |topic| &mut topic.partitions,
        );
    }
}

/// Adds topics, uniting the partitions of those that are there already (some clients index by topic).
fn merge_topics<T, P>(
    into: &mut Vec<T>,
    other: Vec<T>,
    name: impl Fn(&T) -> Str,
    partitions: impl Fn(&mut T) -> &mut Vec<P>,
) {
    for mut topic in other {
        let wanted = name(&topic);
        match into.iter_mut().find(|known| name(known) == wanted) {
            Some(known) => {
                let more = std::mem::take(partitions(&mut topic));
                partitions(known).extend(more);
            }
            None => into.push(topic),
        }
    }
}
