//! Fields land where Kafka's own classes put them. The vectors hold what those classes wrote for the
//! values below; equal bytes in both directions show that no two fields changed places.

use bytes::Bytes;

use crate::codec::messages::{
    ConsumerProtocolSubscription, FetchRequest, MetadataRequest, MetadataResponse, OffsetCommitValue,
    ProduceResponse, TransactionLogValue,
};
use crate::codec::messages::{fetch_request, metadata_response, produce_response, transaction_log_value};
use crate::codec::{CoordinatorRecord, DecodeError, Message, Uuid};

const VECTORS: &str = include_str!("vectors/kafka-4.4.0.hex");

const ID: Uuid = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

fn vector(message: &str, version: i16) -> Bytes {
    let start = format!("{message} {version} ");
    let hex = VECTORS.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// The value becomes Kafka's bytes, and they become the value.
fn check<M: Message + PartialEq + std::fmt::Debug>(value: &M, version: i16) {
    let bytes = vector(M::NAME, version);
    assert_eq!(value.to_bytes(version).as_ref(), Ok(&bytes), "{} v{version}", M::NAME);
    assert_eq!(M::decode_exact(bytes, version).as_ref(), Ok(value), "{} v{version}", M::NAME);
}

/// A fetch of version 18, which lacks only the topic's name.
fn fetch() -> FetchRequest {
    let partition = fetch_request::FetchPartition {
        partition: 3,
        current_leader_epoch: 4,
        fetch_offset: 5,
        last_fetched_epoch: 6,
        log_start_offset: 7,
        partition_max_bytes: 8,
        ..Default::default()
    };
    let topic = fetch_request::FetchTopic { topic_id: ID, partitions: vec![partition], ..Default::default() };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1_000,
        isolation_level: 1,
        session_id: 9,
        session_epoch: 10,
        rack_id: "r1".into(),
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn a_fetch_request_in_each_of_its_layouts() {
    check(&fetch(), 18);

    let mut named = fetch();
    named.topics[0].topic_id = Uuid::ZERO;
    named.topics[0].topic = "orders".into();
    check(&named, 12);

    named.session_id = 0;
    named.session_epoch = -1;
    named.rack_id = "".into();
    let partition = &mut named.topics[0].partitions[0];
    partition.current_leader_epoch = -1;
    partition.last_fetched_epoch = -1;
    partition.log_start_offset = -1;
    check(&named, 4);
}

#[test]
fn a_produce_response_that_points_to_the_new_leader() {
    let partition = produce_response::PartitionProduceResponse {
        index: 1,
        error_code: 6,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: 2,
        error_message: Some("moved".into()),
        current_leader: produce_response::LeaderIdAndEpoch {
            leader_id: 2,
            leader_epoch: 77,
            ..Default::default()
        },
        ..Default::default()
    };
    let topic = produce_response::TopicProduceResponse {
        name: "orders".into(),
        partition_responses: vec![partition],
        ..Default::default()
    };
    let endpoint =
        produce_response::NodeEndpoint { node_id: 2, host: "h".into(), port: 9092, ..Default::default() };
    let response = ProduceResponse {
        responses: vec![topic],
        throttle_time_ms: 12,
        node_endpoints: vec![endpoint],
        ..Default::default()
    };
    check(&response, 10);
}

#[test]
fn metadata_of_all_topics_and_its_answer() {
    let request = MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
    check(&request, 12);

    let broker = metadata_response::MetadataResponseBroker {
        node_id: 1,
        host: "h".into(),
        port: 9092,
        ..Default::default()
    };
    let partition = metadata_response::MetadataResponsePartition {
        partition_index: 2,
        leader_id: 1,
        leader_epoch: 3,
        replica_nodes: vec![1, 4],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = metadata_response::MetadataResponseTopic {
        name: Some("t".into()),
        topic_id: ID,
        partitions: vec![partition],
        ..Default::default()
    };
    let response = MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some("c".into()),
        controller_id: 1,
        topics: vec![topic],
        ..Default::default()
    };
    check(&response, 12);
}

fn subscription() -> ConsumerProtocolSubscription {
    ConsumerProtocolSubscription {
        topics: vec!["a".into(), "b".into()],
        generation_id: 8,
        rack_id: Some("r".into()),
        ..Default::default()
    }
}

#[test]
fn a_subscription_and_records_of_the_coordinators() {
    check(&subscription(), 3);
    let committed = OffsetCommitValue {
        offset: 42,
        leader_epoch: 3,
        metadata: "m".into(),
        commit_timestamp: 1_000,
        topic_id: ID,
        ..Default::default()
    };
    check(&committed, 4);
    assert_eq!(OffsetCommitValue::RECORD_TYPE, 1);
    let transaction = TransactionLogValue {
        producer_id: 11,
        previous_producer_id: 10,
        next_producer_epoch: 5,
        producer_epoch: 2,
        transaction_timeout_ms: 60_000,
        transaction_status: 1,
        transaction_partitions: None,
        transaction_last_update_timestamp_ms: 99,
        transaction_start_timestamp_ms: 98,
        ..Default::default()
    };
    check(&transaction, 1);
    let partitions = Some(vec![transaction_log_value::PartitionsSchema::default()]);
    let other = TransactionLogValue { transaction_partitions: partitions, ..transaction };
    assert_ne!(other.to_bytes(1), Ok(vector("TransactionLogValue", 1)));
}

#[test]
fn a_version_before_the_message_is_followed_into_the_future() {
    let known = subscription().to_versioned_bytes(3).unwrap();
    assert_eq!(known, [&[0, 3][..], &vector("ConsumerProtocolSubscription", 3)].concat());
    assert_eq!(ConsumerProtocolSubscription::decode_versioned(known.clone()), Ok((3, subscription())));
    let future = [&[0, 9][..], &known[2..], b"more"].concat();
    assert_eq!(ConsumerProtocolSubscription::decode_versioned(future.into()), Ok((9, subscription())));
    let negative = ConsumerProtocolSubscription::decode_versioned(Bytes::from_static(&[0xff, 0xff]));
    assert_eq!(negative, Err(DecodeError::Version { message: "ConsumerProtocolSubscription", version: -1 }));
}
