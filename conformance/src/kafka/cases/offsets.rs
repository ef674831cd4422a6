//! Offsets of a log: ListOffsets, DeleteRecords, OffsetForLeaderEpoch.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};

use super::super::case::{Case, Expect, Of};
use super::super::endpoint::topic_name;
use super::super::newer::Offsets;
use super::super::requests::list_offsets;
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;

const LISTS: Of = Of(ApiKey::ListOffsets);
const DELETES: Of = Of(ApiKey::DeleteRecords);
const EPOCHS: Of = Of(ApiKey::OffsetForLeaderEpoch);

pub(super) const CASES: &[Case] = &[
    LISTS.case((1, 11), "latest", Given::Records, Expect::Success, |scene, _| at(scene, -1)),
    LISTS.case((1, 11), "earliest", Given::Trimmed, Expect::Success, |scene, _| at(scene, -2)),
    LISTS
        .case((7, 11), "of the largest timestamp", Given::Records, Expect::Success, |scene, _| at(scene, -3)),
    LISTS.case((7, 11), "of the largest timestamp of nothing", Given::Topic, Expect::Success, |scene, _| {
        at(scene, -3)
    }),
    LISTS.case((8, 11), "earliest local", Given::Trimmed, Expect::Success, |scene, _| at(scene, -4)),
    LISTS.case((9, 11), "latest tiered", Given::Records, Expect::Success, |scene, _| at(scene, -5)),
    LISTS.case((11, 11), "earliest pending upload", Given::Records, Expect::Compared, |scene, _| {
        at(scene, -6)
    }),
    LISTS.case((1, 11), "at a time", Given::Records, Expect::Success, |scene, _| {
        at(scene, scene.time_ms + 1000)
    }),
    LISTS.case((1, 11), "within a batch", Given::Records, Expect::Success, |scene, _| {
        at(scene, scene.time_ms + 2001)
    }),
    LISTS.case((1, 11), "before all", Given::Records, Expect::Success, |scene, _| at(scene, 1)),
    LISTS.case((1, 11), "after all", Given::Records, Expect::Success, |scene, _| {
        at(scene, scene.time_ms + 60_000)
    }),
    LISTS.case((2, 11), "latest committed", Given::InTransaction, Expect::Success, |scene, _| {
        Box::new(Offsets(list_offsets(&scene.topic, -1, 1)))
    }),
    LISTS.case(
        (1, 11),
        "latest of all in a transaction",
        Given::InTransaction,
        Expect::Success,
        |scene, _| at(scene, -1),
    ),
    LISTS
        .case((1, 6), "an unknown special time", Given::Records, Expect::Compared, |scene, _| at(scene, -77)),
    LISTS.case(
        (1, 11),
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| Box::new(Offsets(list_offsets(&scene.absent(), -1, 0))),
    ),
    LISTS.case(
        (1, 11),
        "an unknown partition",
        Given::Records,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| Box::new(Offsets(changed(scene, |partition| partition.partition_index = 7))),
    ),
    LISTS.case((1, 11), "a partition twice", Given::Records, Expect::Compared, |scene, _| {
        let mut request = list_offsets(&scene.topic, -1, 0);
        for topic in &mut request.topics {
            topic.partitions.extend(topic.partitions.clone());
        }
        Box::new(Offsets(request))
    }),
    LISTS.case(
        (4, 11),
        "with a leader epoch that is not there yet",
        Given::Records,
        Expect::Error(Error::UnknownLeaderEpoch),
        |scene, _| Box::new(Offsets(changed(scene, |partition| partition.current_leader_epoch = 1_000_000))),
    ),
    DELETES.case((0, 2), "below an offset", Given::Records, Expect::Success, |scene, _| {
        below(&scene.topic, 0, 3)
    }),
    DELETES.case((0, 2), "below the high watermark", Given::Records, Expect::Success, |scene, _| {
        below(&scene.topic, 0, -1)
    }),
    DELETES.case((0, 2), "below the log start", Given::Trimmed, Expect::Success, |scene, _| {
        below(&scene.topic, 0, 1)
    }),
    DELETES.case(
        (0, 2),
        "above the end",
        Given::Records,
        Expect::Error(Error::OffsetOutOfRange),
        |scene, _| below(&scene.topic, 0, 7),
    ),
    DELETES.case((0, 2), "below -2", Given::Records, Expect::Error(Error::OffsetOutOfRange), |scene, _| {
        below(&scene.topic, 0, -2)
    }),
    DELETES.case(
        (0, 2),
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| below(&scene.absent(), 0, 1),
    ),
    DELETES.case(
        (0, 2),
        "an unknown partition",
        Given::Records,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| below(&scene.topic, 7, 1),
    ),
    DELETES.case(
        (0, 2),
        "of a compacted topic",
        Given::TopicWith(&[("cleanup.policy", "compact")]),
        Expect::Error(Error::PolicyViolation),
        |scene, _| below(&scene.topic, 0, 0),
    ),
    EPOCHS.case((2, 4), "end of the current epoch", Given::Records, Expect::Success, |scene, _| {
        epoch(&scene.topic, 0, -1, 0)
    }),
    EPOCHS.case((2, 4), "end of a later epoch", Given::Records, Expect::Success, |scene, _| {
        epoch(&scene.topic, 0, -1, 1_000_000)
    }),
    EPOCHS.case((2, 4), "end of epoch -1", Given::Records, Expect::Success, |scene, _| {
        epoch(&scene.topic, 0, -1, -1)
    }),
    EPOCHS.case((2, 4), "end of the current epoch of nothing", Given::Topic, Expect::Success, |scene, _| {
        epoch(&scene.topic, 0, -1, 0)
    }),
    EPOCHS.case(
        (2, 4),
        "with a leader epoch that is not there yet",
        Given::Records,
        Expect::Error(Error::UnknownLeaderEpoch),
        |scene, _| epoch(&scene.topic, 0, 1_000_000, 0),
    ),
    EPOCHS.case(
        (2, 4),
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| epoch(&scene.absent(), 0, -1, 0),
    ),
    EPOCHS.case(
        (2, 4),
        "an unknown partition",
        Given::Records,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| epoch(&scene.topic, 7, -1, 0),
    ),
];

fn at(scene: &Scene, timestamp: i64) -> Box<dyn Ask> {
    Box::new(Offsets(list_offsets(&scene.topic, timestamp, 0)))
}

fn changed(scene: &Scene, change: fn(&mut ListOffsetsPartition)) -> ListOffsetsRequest {
    let mut request = list_offsets(&scene.topic, -1, 0);
    request.topics.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(change);
    request
}

fn below(topic: &str, partition: i32, offset: i64) -> Box<dyn Ask> {
    let entry = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let entry = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![entry]);
    Box::new(DeleteRecordsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000))
}

fn epoch(topic: &str, partition: i32, current: i32, wanted: i32) -> Box<dyn Ask> {
    let entry = OffsetForLeaderPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(current)
        .with_leader_epoch(wanted);
    let entry = OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(vec![entry]);
    Box::new(OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![entry]))
}
