//! Requests that more than one case or scenario sends. A version is asked for where fields come and go with it: the
//! stock codec refuses a field that a version does not have.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    BrokerId, ConsumerGroupHeartbeatRequest, FetchRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
    ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest, SyncGroupRequest,
    TransactionalId,
};
use uuid::Uuid;

use super::endpoint::{text, topic_name};
use super::scene::Scene;

/// From this version on Produce and Fetch name topics by their ids.
pub(super) const BY_ID_FROM: i16 = 13;

/// A group id of the stock codec.
pub(super) fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// Produce to a topic by name (versions up to 12).
pub(super) fn produce_named(
    topic: &str,
    partition: i32,
    records: Bytes,
    acks: i16,
    transaction: Option<&str>,
) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(transaction.map(|id| TransactionalId(text(id))))
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

/// Produce to the scene's topic in any version, acks=all.
pub(super) fn produce(scene: &Scene, records: Bytes, version: i16) -> ProduceRequest {
    identified(produce_named(&scene.topic, 0, records, -1, None), scene.topic_id, version)
}

/// The same request with its topic by id where the version wants it.
pub(super) fn identified(mut request: ProduceRequest, id: Uuid, version: i16) -> ProduceRequest {
    if version >= BY_ID_FROM {
        for topic in &mut request.topic_data {
            topic.name = topic_name("");
            topic.topic_id = id;
        }
    }
    request
}

/// Fetch of partition 0 of the scene's topic from `offset`, at once and outside of a session.
pub(super) fn fetch(scene: &Scene, offset: i64, version: i16) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    fetch_of(scene, partition, version)
}

/// Fetch of one partition of the scene's topic.
pub(super) fn fetch_of(scene: &Scene, partition: FetchPartition, version: i16) -> FetchRequest {
    let mut topic = FetchTopic::default().with_partitions(vec![partition]);
    if version >= BY_ID_FROM {
        topic.topic_id = scene.topic_id;
    } else {
        topic.topic = topic_name(&scene.topic);
    }
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// ListOffsets of partition 0 of `topic`.
pub(super) fn list_offsets(topic: &str, timestamp: i64, isolation: i8) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation)
        .with_topics(vec![topic])
}

/// What a consumer says of itself when it joins: it wants these topics.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(i32::try_from(topics.len()).unwrap_or(0));
    for topic in topics {
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(0));
        bytes.extend_from_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

/// JoinGroup of one consumer with one protocol.
pub(super) fn join(
    group: &str,
    member: &str,
    name: Option<&str>,
    protocol: &str,
    version: i16,
) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text(protocol)).with_metadata(subscription(&[group]));
    let mut request = JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(30_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 {
        request.rebalance_timeout_ms = 5_000;
    }
    if version >= 5 {
        request.group_instance_id = name.map(text);
    }
    request
}

/// SyncGroup that gives each of `members` its own name as assignment.
pub(super) fn sync(
    group: &str,
    member: &str,
    generation: i32,
    name: Option<&str>,
    members: &[&str],
    version: i16,
) -> SyncGroupRequest {
    let assignment = |_: &&str| Bytes::from_static(b"assignment");
    let assignments = members.iter().map(|member| {
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(assignment(member))
    });
    let mut request = SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(assignments.collect());
    if version >= 3 {
        request.group_instance_id = name.map(text);
    }
    if version >= 5 {
        request.protocol_type = Some(text("consumer"));
        request.protocol_name = Some(text("range"));
    }
    request
}

/// Heartbeat of a member.
pub(super) fn heartbeat(group: &str, member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member))
}

/// OffsetCommit of one partition by the scene's member (versions up to 9).
pub(super) fn commit(
    scene: &Scene,
    topic: &str,
    partition: i32,
    offset: i64,
    note: &str,
    version: i16,
) -> OffsetCommitRequest {
    let mut entry = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text(note)));
    if version >= 6 {
        entry.committed_leader_epoch = 0;
    }
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![entry]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(&scene.group))
        .with_generation_id_or_member_epoch(scene.generation)
        .with_member_id(text(&scene.member))
        .with_topics(vec![topic])
}

/// OffsetFetch of partitions of one topic, or of everything with `None` (versions up to 9).
pub(super) fn committed(
    group: &str,
    topic: Option<(&str, &[i32])>,
    stable: bool,
    version: i16,
) -> OffsetFetchRequest {
    if version < 8 {
        let topics = topic.map(|(name, partitions)| {
            let topic = OffsetFetchRequestTopic::default().with_name(topic_name(name));
            vec![topic.with_partition_indexes(partitions.to_vec())]
        });
        let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(topics);
        return if version >= 7 { request.with_require_stable(stable) } else { request };
    }
    let topics = topic.map(|(name, partitions)| {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name(name));
        vec![topic.with_partition_indexes(partitions.to_vec())]
    });
    let mut entry = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(topics);
    if version >= 9 {
        entry.member_epoch = -1;
    }
    OffsetFetchRequest::default().with_groups(vec![entry]).with_require_stable(stable)
}

/// First heartbeat of a member of the consumer protocol (epoch 0), or any other without news.
pub(super) fn consumer_heartbeat(
    scene: &Scene,
    member: &str,
    epoch: i32,
    version: i16,
) -> ConsumerGroupHeartbeatRequest {
    let member = if version == 0 && epoch == 0 { "" } else { member };
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(&scene.group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![topic_name(&scene.topic)]))
        .with_topic_partitions(Some(vec![]))
}

/// Heartbeat of a member that says which partitions of the scene's topic it owns.
pub(super) fn consumer_owns(
    scene: &Scene,
    member: &str,
    epoch: i32,
    partitions: &[i32],
) -> ConsumerGroupHeartbeatRequest {
    let owned = if partitions.is_empty() {
        vec![]
    } else {
        let owned = TopicPartitions::default().with_topic_id(scene.topic_id);
        vec![owned.with_partitions(partitions.to_vec())]
    };
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(&scene.group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(10_000)
        .with_topic_partitions(Some(owned))
}
