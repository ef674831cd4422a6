//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use kernel_model::batch::{BatchSpec, NewRecord};
use translator_kafka::codec::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use translator_kafka::codec::messages::{
    DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};
use translator_kafka::errors::ErrorCode;

use crate::node::{Client, Node, START_MS};

/// A topic of one partition with three records, ten milliseconds apart, in batches of their own.
fn started() -> (Node, Client) {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    for at in [10, 30, 20] {
        let record = NewRecord { timestamp_ms: START_MS + at, value: Some(b"v"), ..NewRecord::default() };
        let records = BatchSpec::default().encode(&[record]).unwrap();
        assert_eq!(client.produce(&mut node, "t", records.bytes().clone()).error_code, 0);
    }
    (node, client)
}

fn list(client: &mut Client, node: &mut Node, version: i16, topic: &str, timestamp: i64) -> (i16, i64, i64) {
    let part = ListOffsetsPartition { timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions: vec![part], ..Default::default() }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let response = client.ask(node, version, &request);
    let part = &response.topics[0].partitions[0];
    (part.error_code, part.offset, part.timestamp)
}

#[test]
fn every_special_timestamp_and_any_time_is_answered() {
    let (mut node, mut client) = started();
    let none = -1;
    let table = [
        (11, -1, (0, 3, none)),
        (11, -2, (0, 0, none)),
        (11, -3, (0, 1, START_MS + 30)),
        (11, -4, (0, 0, none)),
        (11, -5, (0, -1, none)),
        (11, -6, (0, -1, none)),
        (11, -7, (ErrorCode::UnsupportedVersion.code(), -1, none)),
        (6, -3, (ErrorCode::UnsupportedVersion.code(), -1, none)),
        (11, 0, (0, 0, START_MS + 10)),
        (11, START_MS + 11, (0, 1, START_MS + 30)),
        (11, START_MS + 31, (0, -1, none)),
        (1, -1, (0, 3, none)),
    ];
    for (version, timestamp, expected) in table {
        assert_eq!(list(&mut client, &mut node, version, "t", timestamp), expected, "{timestamp}");
    }
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(list(&mut client, &mut node, 11, "u", -1).0, unknown);
}

#[test]
fn every_version_of_list_offsets_is_answered() {
    let (mut node, mut client) = started();
    for version in 1..=11 {
        assert_eq!(list(&mut client, &mut node, version, "t", -1), (0, 3, -1), "version {version}");
    }
}

#[test]
fn a_wrong_leader_epoch_is_fenced_or_unknown() {
    let (mut node, mut client) = started();
    for (current_leader_epoch, code) in [(0, 0), (1, ErrorCode::UnknownLeaderEpoch.code())] {
        let part = OffsetForLeaderPartition { current_leader_epoch, leader_epoch: 0, ..Default::default() };
        let topics =
            vec![OffsetForLeaderTopic { topic: "t".into(), partitions: vec![part], ..Default::default() }];
        let request = OffsetForLeaderEpochRequest { topics, ..Default::default() };
        for version in 2..=4 {
            let response = client.ask(&mut node, version, &request);
            let part = &response.topics[0].partitions[0];
            let end = if code == 0 { (0, 3) } else { (-1, -1) };
            assert_eq!((part.error_code, (part.leader_epoch, part.end_offset)), (code, end));
        }
    }
}

#[test]
fn deleted_records_are_gone_and_the_log_starts_later() {
    let (mut node, mut client) = started();
    let mut delete = |topic: &str, offset| {
        let part = DeleteRecordsPartition { offset, ..Default::default() };
        let topics =
            vec![DeleteRecordsTopic { name: topic.into(), partitions: vec![part], ..Default::default() }];
        let response = client.ask(&mut node, 2, &DeleteRecordsRequest { topics, ..Default::default() });
        let part = &response.topics[0].partitions[0];
        (part.error_code, part.low_watermark)
    };
    assert_eq!(delete("t", 1), (0, 1));
    assert_eq!(delete("t", 0), (0, 1), "a start never goes back");
    assert_eq!(delete("t", 4), (ErrorCode::OffsetOutOfRange.code(), -1));
    assert_eq!(delete("t", -2), (ErrorCode::OffsetOutOfRange.code(), -1));
    assert_eq!(delete("u", 0), (ErrorCode::UnknownTopicOrPartition.code(), -1));
    assert_eq!(delete("t", -1), (0, 3), "-1 is the high watermark");
    assert_eq!(list(&mut client, &mut node, 11, "t", -2), (0, 3, -1));
}

#[test]
fn both_ends_are_told_with_the_epoch_that_wrote_there_from_version_4_on() {
    let (mut node, mut client) = started();
    for (timestamp, version, epoch) in [(-1, 4, 0), (-2, 4, 0), (-4, 8, 0), (-2, 3, -1), (-1, 3, -1)] {
        let part = ListOffsetsPartition { timestamp, ..Default::default() };
        let topics =
            vec![ListOffsetsTopic { name: "t".into(), partitions: vec![part], ..Default::default() }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let response = client.ask(&mut node, version, &request);
        assert_eq!(response.topics[0].partitions[0].leader_epoch, epoch, "{timestamp} version {version}");
    }
}

#[test]
fn a_partition_that_is_asked_twice_in_one_request_is_refused() {
    let (mut node, mut client) = started();
    let part =
        |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let partitions = vec![part(0), part(1), part(0)];
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions, ..Default::default() }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let response = client.ask(&mut node, 7, &request);
    let codes: Vec<i16> = response.topics[0].partitions.iter().map(|part| part.error_code).collect();
    let (refused, unknown) = (ErrorCode::InvalidRequest.code(), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(codes, [refused, unknown, refused]);
}

#[test]
fn no_epoch_has_no_end() {
    let (mut node, mut client) = started();
    let part = OffsetForLeaderPartition { current_leader_epoch: -1, leader_epoch: -1, ..Default::default() };
    let topics =
        vec![OffsetForLeaderTopic { topic: "t".into(), partitions: vec![part], ..Default::default() }];
    let response = client.ask(&mut node, 4, &OffsetForLeaderEpochRequest { topics, ..Default::default() });
    let part = &response.topics[0].partitions[0];
    assert_eq!((part.error_code, part.leader_epoch, part.end_offset), (0, -1, -1));
}
