//! Fetch and its sessions.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, NewRecord, VerifiedBatch, split};
use kernel_model::request::MirrorOrigin;
use kernel_model::{Offset, Request};
use translator_kafka::codec::Uuid;
use translator_kafka::codec::messages::fetch_request::{
    FetchPartition, FetchTopic, ForgottenTopic, ReplicaState,
};
use translator_kafka::codec::messages::fetch_response::PartitionData;
use translator_kafka::codec::messages::{FetchRequest, FetchResponse};
use translator_kafka::coordinator::message::{CatalogMessage, CatalogReply, MirrorPartition, PartitionEpoch};
use translator_kafka::errors::ErrorCode;
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};

use crate::node::{Client, Node, batch, batch_as};

const LONG_MS: i32 = 10_000;

fn part(partition: i32, offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

/// A Fetch of partitions of one topic that waits for at least one byte, and for `wait_ms` at most.
fn fetch(node: &Node, version: i16, topic: &str, parts: Vec<FetchPartition>, wait_ms: i32) -> FetchRequest {
    let topics = if parts.is_empty() { Vec::new() } else { vec![named(node, version, topic, parts)] };
    FetchRequest { max_wait_ms: wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics, ..Default::default() }
}

fn named(node: &Node, version: i16, topic: &str, partitions: Vec<FetchPartition>) -> FetchTopic {
    if version >= 13 {
        let topic_id = id_of(node, topic);
        FetchTopic { topic_id, partitions, ..Default::default() }
    } else {
        FetchTopic { topic: topic.into(), partitions, ..Default::default() }
    }
}

fn id_of(node: &Node, topic: &str) -> Uuid {
    node.settings.catalog.load().topic(topic).map(|topic| topic.id).unwrap_or(Uuid([0xee; 16]))
}

fn only(response: &FetchResponse) -> &PartitionData {
    assert_eq!(response.responses.len(), 1, "{response:?}");
    assert_eq!(response.responses[0].partitions.len(), 1, "{response:?}");
    &response.responses[0].partitions[0]
}

fn batches(data: &PartitionData) -> Vec<VerifiedBatch> {
    let mut records = data.records.clone().unwrap_or_default();
    let batches = split(&mut records).unwrap();
    assert!(records.is_empty(), "batches are whole");
    batches
}

fn bases(data: &PartitionData) -> Vec<u64> {
    batches(data).iter().map(|batch| batch.header().base_offset.0).collect()
}

fn put(node: &mut Node, client: &mut Client, topic: &str, partition: i32, values: &[&str]) {
    let records = batch(values).bytes().clone();
    assert_eq!(client.produce_at(node, 9, topic, partition, records).error_code, 0);
}

fn started(shards: u16, partitions: i32) -> (Node, Client) {
    let mut node = Node::new(shards);
    let mut client = node.client();
    client.create(&mut node, "t", partitions, &[]);
    (node, client)
}

#[test]
fn what_was_produced_is_fetched_in_every_version() {
    let (mut node, mut client) = started(2, 2);
    put(&mut node, &mut client, "t", 1, &["a", "b"]);
    put(&mut node, &mut client, "t", 1, &["c"]);
    for version in 4..=18 {
        let request = fetch(&node, version, "t", vec![part(1, 0)], LONG_MS);
        let response = client.ask(&mut node, version, &request);
        let data = only(&response);
        assert_eq!((data.error_code, data.high_watermark, data.last_stable_offset), (0, 3, 3));
        assert_eq!(bases(data), [0, 2], "version {version}");
        assert_eq!(data.aborted_transactions, None);
        assert_eq!(batches(data)[0].bytes().slice(61..), batch(&["a", "b"]).bytes().slice(61..));
    }
}

#[test]
fn an_offset_inside_a_batch_brings_the_whole_batch() {
    let (mut node, mut client) = started(1, 1);
    put(&mut node, &mut client, "t", 0, &["a", "b", "c"]);
    put(&mut node, &mut client, "t", 0, &["d"]);
    let request = fetch(&node, 12, "t", vec![part(0, 2)], 0);
    assert_eq!(bases(only(&client.ask(&mut node, 12, &request))), [0, 3]);
}

#[test]
fn an_empty_fetch_waits_for_a_record_without_being_polled() {
    let (mut node, mut client) = started(2, 2);
    let mut producer = node.client();
    let request = fetch(&node, 12, "t", vec![part(0, 0), part(1, 0)], LONG_MS);
    client.write(12, &request);
    node.turn(&mut [&mut client]);
    assert!(client.read::<FetchRequest>(12).is_none());
    node.pass(Duration::from_millis(500), &mut [&mut client]);
    assert!(client.read::<FetchRequest>(12).is_none());

    producer.write(9, &crate::node::produce_request(&node, 9, 1, "t", 1, batch(&["a"]).bytes().clone()));
    node.turn(&mut [&mut client, &mut producer]);
    let (_, response) = client.read::<FetchRequest>(12).expect("woken by the record");
    assert_eq!(bases(&response.responses[0].partitions[1]), [0]);
}

#[test]
fn a_fetch_without_records_is_answered_when_its_wait_ends() {
    let (mut node, mut client) = started(1, 1);
    let request = fetch(&node, 12, "t", vec![part(0, 0)], 500);
    client.write(12, &request);
    node.turn(&mut [&mut client]);
    node.pass(Duration::from_millis(499), &mut [&mut client]);
    assert!(client.read::<FetchRequest>(12).is_none());
    node.pass(Duration::from_millis(1), &mut [&mut client]);
    let (_, response) = client.read::<FetchRequest>(12).expect("the wait is over");
    assert_eq!((only(&response).error_code, only(&response).high_watermark), (0, 0));
}

#[test]
fn a_fetch_is_answered_at_its_deadline_even_if_the_shards_hang() {
    let (mut node, mut client) = started(1, 1);
    let request = fetch(&node, 12, "t", vec![part(0, 0)], 500);
    client.write(12, &request);
    node.turn(&mut [&mut client]);
    node.hung = true;
    node.pass(Duration::from_secs(1), &mut [&mut client]);
    assert!(client.read::<FetchRequest>(12).is_some());
}

#[test]
fn more_bytes_are_awaited_until_there_are_enough() {
    let (mut node, mut client) = started(1, 1);
    let mut producer = node.client();
    let size = batch(&["a"]).bytes().len();
    let request = FetchRequest {
        min_bytes: i32::try_from(size * 2).unwrap(),
        ..fetch(&node, 12, "t", vec![part(0, 0)], LONG_MS)
    };
    client.write(12, &request);
    for expected in [false, true] {
        let records = batch(&["a"]).bytes().clone();
        producer.write(9, &crate::node::produce_request(&node, 9, 1, "t", 0, records));
        node.turn(&mut [&mut client, &mut producer]);
        let response = client.read::<FetchRequest>(12);
        assert_eq!(response.is_some(), expected);
        if let Some((_, response)) = response {
            assert_eq!(bases(only(&response)), [0, 1]);
        }
    }
}

#[test]
fn the_first_batch_comes_whole_and_limits_hold_for_the_rest() {
    let (mut node, mut client) = started(1, 3);
    let big = "x".repeat(5000);
    for partition in 0..3 {
        put(&mut node, &mut client, "t", partition, &[&big]);
        put(&mut node, &mut client, "t", partition, &["small"]);
    }
    let parts = (0..3).map(|number| FetchPartition { partition_max_bytes: 100, ..part(number, 0) }).collect();
    let request = FetchRequest { max_bytes: 200, ..fetch(&node, 12, "t", parts, LONG_MS) };
    let response = client.ask(&mut node, 12, &request);
    let parts = &response.responses[0].partitions;
    assert_eq!(parts.iter().map(|data| bases(data).len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert!(parts.iter().all(|data| data.high_watermark == 2));
}

#[test]
fn no_more_than_max_bytes_are_answered_over_all_partitions() {
    let (mut node, mut client) = started(1, 6);
    let kilobyte = "x".repeat(1000);
    for partition in 0..6 {
        for _ in 0..4 {
            put(&mut node, &mut client, "t", partition, &[&kilobyte]);
        }
    }
    let parts =
        (0..6).map(|number| FetchPartition { partition_max_bytes: 3000, ..part(number, 0) }).collect();
    let request = FetchRequest { max_bytes: 7000, ..fetch(&node, 12, "t", parts, LONG_MS) };
    let response = client.ask(&mut node, 12, &request);
    let sizes =
        response.responses[0].partitions.iter().map(|data| data.records.as_ref().map_or(0, Bytes::len));
    let total: usize = sizes.sum();
    assert!((4000..=7000).contains(&total), "{total}");
}

#[test]
fn offsets_out_of_range_and_wrong_epochs_are_told_at_once() {
    let (mut node, mut client) = started(1, 1);
    put(&mut node, &mut client, "t", 0, &["a"]);
    let table = [
        (part(0, 2), ErrorCode::OffsetOutOfRange),
        (part(0, -5), ErrorCode::OffsetOutOfRange),
        (part(7, 0), ErrorCode::UnknownTopicOrPartition),
        (FetchPartition { current_leader_epoch: 5, ..part(0, 0) }, ErrorCode::UnknownLeaderEpoch),
    ];
    for (wanted, code) in table {
        let request = fetch(&node, 12, "t", vec![wanted], LONG_MS);
        let response = client.ask(&mut node, 12, &request);
        assert_eq!(only(&response).error_code, code.code(), "{response:?}");
        assert_eq!(only(&response).high_watermark, -1);
    }
    let request = fetch(&node, 13, "nothing", vec![part(0, 0)], LONG_MS);
    assert_eq!(only(&client.ask(&mut node, 13, &request)).error_code, ErrorCode::UnknownTopicId.code());
    let request = fetch(&node, 12, "nothing", vec![part(0, 0)], LONG_MS);
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(only(&client.ask(&mut node, 12, &request)).error_code, unknown);
}

#[test]
fn an_epoch_that_the_log_skipped_diverges_and_one_above_all_is_out_of_range() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let partition = mirrored(&mut node, 0);
    let at = |offset, epoch| {
        let (base_offset, leader_epoch) = (Offset(offset), kernel_model::LogEpoch(epoch));
        batch_as(&BatchSpec { base_offset, leader_epoch, ..BatchSpec::default() }, &["a"])
    };
    feed(&mut node, partition.log, 0, vec![at(0, 0), at(1, 0), at(2, 2)], 3);
    let mut fetched = |last_fetched_epoch, offset| {
        let wanted = FetchPartition { last_fetched_epoch, ..part(0, offset) };
        let request = fetch(&node, 12, "m", vec![wanted], LONG_MS);
        let response = client.ask(&mut node, 12, &request);
        let data = only(&response);
        (data.error_code, data.diverging_epoch.epoch, data.diverging_epoch.end_offset, bases(data).len())
    };
    assert_eq!(fetched(1, 2), (0, 0, 2, 0));
    assert_eq!(fetched(0, 3), (0, 0, 2, 0), "the client is ahead of where its epoch ended");
    assert_eq!(fetched(0, 1), (0, -1, -1, 2));
    assert_eq!(fetched(3, 2), (ErrorCode::OffsetOutOfRange.code(), -1, -1, 0));
}

/// Tells the catalog something.
fn tell(node: &mut Node, message: &CatalogMessage) {
    let request = Request::Coordinate { kind: CATALOG, message: message.to_bytes() };
    let kernel_model::Reply::Coordinated(reply) = node.kernel(CATALOG_SHARD, request).unwrap() else {
        panic!("a coordinator answers")
    };
    assert_eq!(CatalogReply::from_bytes(&reply), Some(CatalogReply::Done));
}

/// A mirrored topic "m" of one partition.
fn mirrored(node: &mut Node, start: u64) -> translator_kafka::catalog::Partition {
    let message = CatalogMessage::MirrorTopic {
        name: "m".into(),
        id: [5; 16],
        partitions: vec![MirrorPartition { start, epoch: 2 }],
        configs: std::collections::BTreeMap::new(),
    };
    tell(node, &message);
    node.settings.catalog.load().topic("m").unwrap().partitions[0]
}

fn feed(node: &mut Node, log: kernel_model::LogId, from: u64, batches: Vec<VerifiedBatch>, confirm: u64) {
    let mirror = Request::Mirror {
        log,
        batches,
        origin: MirrorOrigin::Feed,
        from: Some(Offset(from)),
        confirm: Some(Offset(confirm)),
        start: None,
    };
    node.kernel(log.shard(), mirror).unwrap();
}

#[test]
fn a_client_that_names_a_replica_is_refused() {
    let (mut node, mut client) = started(1, 1);
    put(&mut node, &mut client, "t", 0, &["a"]);
    let refused = ErrorCode::TopicAuthorizationFailed.code();
    let old = FetchRequest { replica_id: 1, ..fetch(&node, 12, "t", vec![part(0, 0)], LONG_MS) };
    let response = client.ask(&mut node, 12, &old);
    assert_eq!(
        (only(&response).error_code, only(&response).records.as_ref().map(Bytes::len)),
        (refused, Some(0))
    );
    let replica_state = ReplicaState { replica_id: 1, ..Default::default() };
    let new = FetchRequest { replica_state, ..fetch(&node, 16, "t", vec![part(0, 0)], LONG_MS) };
    assert_eq!(only(&client.ask(&mut node, 16, &new)).error_code, refused);
}

#[test]
fn a_session_answers_only_what_changed() {
    let (mut node, mut client) = started(1, 3);
    put(&mut node, &mut client, "t", 0, &["a"]);
    let full = FetchRequest {
        session_epoch: 0,
        ..fetch(&node, 13, "t", vec![part(0, 0), part(1, 0), part(2, 0)], 0)
    };
    let response = client.ask(&mut node, 13, &full);
    let session_id = response.session_id;
    assert_ne!(session_id, 0);
    assert_eq!(response.responses[0].partitions.len(), 3);

    // The position of partition 0 moves; nothing else is named.
    let next = |node: &Node, epoch, parts| FetchRequest {
        session_id,
        session_epoch: epoch,
        ..fetch(node, 13, "t", parts, 0)
    };
    let request = next(&node, 1, vec![part(0, 1)]);
    assert!(client.ask(&mut node, 13, &request).responses.is_empty());
    put(&mut node, &mut client, "t", 2, &["b"]);
    let request = next(&node, 2, vec![]);
    let response = client.ask(&mut node, 13, &request);
    assert_eq!((response.session_id, only(&response).partition_index), (session_id, 2));

    let topic_id = id_of(&node, "t");
    let forgotten = ForgottenTopic { topic_id, partitions: vec![2], ..Default::default() };
    let request = FetchRequest { forgotten_topics_data: vec![forgotten], ..next(&node, 3, vec![]) };
    assert!(client.ask(&mut node, 13, &request).responses.is_empty());
    put(&mut node, &mut client, "t", 2, &["c"]);
    let request = next(&node, 4, vec![]);
    assert!(client.ask(&mut node, 13, &request).responses.is_empty());
}

#[test]
fn a_session_that_is_unknown_skipped_or_of_other_names_is_refused() {
    let (mut node, mut client) = started(1, 1);
    let full = FetchRequest { session_epoch: 0, ..fetch(&node, 13, "t", vec![part(0, 0)], 0) };
    let session_id = client.ask(&mut node, 13, &full).session_id;
    let with = |node: &Node, version, session_id, session_epoch| FetchRequest {
        session_id,
        session_epoch,
        ..fetch(node, version, "t", vec![], 0)
    };
    let table = [
        (13, session_id + 1, 1, ErrorCode::FetchSessionIdNotFound),
        (13, session_id, 2, ErrorCode::InvalidFetchSessionEpoch),
        (12, session_id, 1, ErrorCode::FetchSessionTopicIdError),
        (13, session_id, 1, ErrorCode::None),
        // Closed by the client, then gone.
        (13, session_id, -1, ErrorCode::None),
        (13, session_id, 2, ErrorCode::FetchSessionIdNotFound),
    ];
    for (version, session_id, epoch, code) in table {
        let request = with(&node, version, session_id, epoch);
        assert_eq!(client.ask(&mut node, version, &request).error_code, code.code(), "epoch {epoch}");
    }
}

#[test]
fn sessions_are_bounded_and_the_rest_goes_without() {
    let mut node = Node::with(1, |settings| settings.limits.fetch_sessions_max = 2);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let request = FetchRequest { session_epoch: 0, ..fetch(&node, 13, "t", vec![part(0, 0)], 0) };
    let ids: Vec<i32> = (0..3).map(|_| client.ask(&mut node, 13, &request).session_id).collect();
    assert!(ids[0] != 0 && ids[1] != 0 && ids[2] == 0, "{ids:?}");
}

#[test]
fn a_mirrored_partition_is_read_up_to_what_is_confirmed_and_written_only_after_the_handover() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let partition = mirrored(&mut node, 40);
    let at = |offset, values: &[&str]| {
        let spec = BatchSpec { base_offset: Offset(offset), ..BatchSpec::default() };
        batch_as(&spec, values)
    };
    let batches = vec![at(40, &["a"]), at(45, &["b"]), at(46, &["c"])];
    feed(&mut node, partition.log, 40, batches, 46);
    let request = fetch(&node, 12, "m", vec![part(0, 41)], 0);
    let response = client.ask(&mut node, 12, &request);
    assert_eq!((bases(only(&response)), only(&response).high_watermark), (vec![45], 46));
    let records = batch(&["d"]).bytes().clone();
    let refused = client.produce(&mut node, "m", records.clone()).error_code;
    assert_eq!(refused, ErrorCode::NotLeaderOrFollower.code());

    feed(&mut node, partition.log, 47, Vec::new(), 47);
    let partitions = vec![PartitionEpoch { partition: 0, epoch: 3 }];
    tell(&mut node, &CatalogMessage::Lead { topic: "m".into(), partitions });
    let produced = client.produce(&mut node, "m", records);
    assert_eq!((produced.error_code, produced.base_offset), (0, 47));
    let wrong = FetchPartition { current_leader_epoch: 2, ..part(0, 41) };
    let request = fetch(&node, 12, "m", vec![wrong], 0);
    let response = client.ask(&mut node, 12, &request);
    let data = only(&response);
    assert_eq!(data.error_code, ErrorCode::FencedLeaderEpoch.code());
    assert_eq!((data.current_leader.leader_id, data.current_leader.leader_epoch), (7, 3));
}

#[test]
fn a_committed_reader_sees_a_mirrored_transaction_only_once_it_has_ended_and_knows_which_were_aborted() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let partition = mirrored(&mut node, 0);
    let at = |offset, producer_id, base_sequence, control| BatchSpec {
        base_offset: Offset(offset),
        leader_epoch: kernel_model::LogEpoch(2),
        transactional: true,
        control,
        producer_id,
        producer_epoch: 0,
        base_sequence,
        ..BatchSpec::default()
    };
    // A marker's key is a version and a type, of two bytes each: 0 aborts. Its value does not matter here.
    let abort_key = [0, 0, 0, 0];
    let abort = NewRecord { key: Some(&abort_key), value: Some(&[0; 6]), ..NewRecord::default() };
    let batches = vec![
        batch_as(&at(0, 9, 0, false), &["a", "b"]),
        at(2, 9, -1, true).encode(&[abort]).unwrap(),
        batch_as(&at(3, 8, 0, false), &["open"]),
    ];
    feed(&mut node, partition.log, 0, batches, 4);
    for (isolation_level, expected, aborted) in [(0, vec![0, 2, 3], None), (1, vec![0, 2], Some((9, 0)))] {
        let request = FetchRequest { isolation_level, ..fetch(&node, 12, "m", vec![part(0, 0)], 0) };
        let response = client.ask(&mut node, 12, &request);
        let data = only(&response);
        assert_eq!((bases(data), data.high_watermark, data.last_stable_offset), (expected, 4, 3));
        let listed = data.aborted_transactions.as_ref();
        let first = listed.and_then(|all| all.first()).map(|one| (one.producer_id, one.first_offset));
        assert_eq!((first, listed.is_some()), (aborted, isolation_level == 1));
    }
}

#[test]
fn sizes_below_zero_are_refused() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    client.produce(&mut node, "t", batch(&["a"]).bytes().clone());
    let small = FetchPartition { partition_max_bytes: -1, ..part(0, 0) };
    let of_part = fetch(&node, 12, "t", vec![small], LONG_MS);
    let of_all = FetchRequest { max_bytes: -1, ..fetch(&node, 12, "t", vec![part(0, 0)], LONG_MS) };
    for request in [of_part, of_all] {
        let response = client.ask(&mut node, 12, &request);
        let data = only(&response);
        assert_eq!((data.error_code, data.high_watermark), (ErrorCode::UnknownServerError.code(), -1));
        assert_eq!((data.records.as_ref().map(Bytes::len), &data.aborted_transactions), (Some(0), &None));
    }
    // Zero is a size: the first batch comes whatever its size is.
    let none = FetchRequest { max_bytes: 0, ..fetch(&node, 12, "t", vec![part(0, 0)], LONG_MS) };
    assert!(!batches(only(&client.ask(&mut node, 12, &none))).is_empty());
}

#[test]
fn what_is_refused_before_its_log_is_looked_for_has_an_empty_list_of_aborted_transactions() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    for version in [4, 11, 12, 13, 18] {
        for isolation_level in [0, 1] {
            let mut aborted_of = |topic: &str, wanted: FetchPartition| {
                let request =
                    FetchRequest { isolation_level, ..fetch(&node, version, topic, vec![wanted], LONG_MS) };
                let response = client.ask(&mut node, version, &request);
                assert_ne!(only(&response).error_code, 0);
                only(&response).aborted_transactions.clone()
            };
            assert_eq!(aborted_of("t", part(9, 0)), Some(Vec::new()), "version {version}");
            assert_eq!(aborted_of("none", part(0, 0)), Some(Vec::new()), "version {version}");
            assert_eq!(aborted_of("t", part(0, 99)), None, "version {version}");
        }
    }
}
