//! Requests to a partition's leader, and what they bring.

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{patch_header, split};
use kernel_model::{LogEpoch, Offset};
use session::Side;
use translator_kafka::codec::frame;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use translator_kafka::codec::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, fetch_response, list_offsets_response, offset_for_leader_epoch_response,
};
use translator_kafka::epochs::EpochTable;
use translator_kafka::errors::ErrorCode;

use super::super::bench::{AT_LEGACY, World, head, request_of};
use super::{fenced, give_back, naming, returned, versions};
use crate::node::batch;

/// A fetch of these partitions, each by a client that takes the node for the leader of this epoch.
fn fetch(world: &World, version: i16, session: (i32, i32), parts: &[(i32, i32)]) -> FetchRequest {
    let (topic, topic_id) = naming(world, version, 13);
    let part = |(partition, epoch): &(i32, i32)| FetchPartition {
        partition: *partition,
        current_leader_epoch: if version >= 9 { *epoch } else { -1 },
        last_fetched_epoch: if version >= 12 { *epoch } else { -1 },
        ..Default::default()
    };
    let topic =
        FetchTopic { topic, topic_id, partitions: parts.iter().map(part).collect(), ..Default::default() };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        session_id: if version >= 7 { session.0 } else { 0 },
        session_epoch: if version >= 7 { session.1 } else { -1 },
        topics: if parts.is_empty() { vec![] } else { vec![topic] },
        ..Default::default()
    }
}

const SESSIONLESS: (i32, i32) = (0, -1);

/// Batches as legacy holds them: offset and its own epoch of each.
fn held(batches: &[(u64, i32)]) -> Bytes {
    let mut run = BytesMut::new();
    for (offset, epoch) in batches {
        let mut one = BytesMut::from(batch(&["v"]).bytes().as_ref());
        patch_header(&mut one, Offset(*offset), LogEpoch(*epoch));
        run.extend_from_slice(&one);
    }
    run.freeze()
}

fn fetched(world: &World, version: i16, parts: &[(i32, Bytes)]) -> FetchResponse {
    let (topic, topic_id) = naming(world, version, 13);
    let part = |(index, records): &(i32, Bytes)| fetch_response::PartitionData {
        partition_index: *index,
        high_watermark: 300,
        records: Some(records.clone()),
        ..Default::default()
    };
    let topic = fetch_response::FetchableTopicResponse {
        topic,
        topic_id,
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn epochs_of(records: &Bytes) -> Vec<i32> {
    split(&mut records.clone()).unwrap().iter().map(|batch| batch.header().leader_epoch.0).collect()
}

#[test]
fn a_fetch_names_legacys_epoch_and_brings_batches_under_virtual_ones() {
    for version in versions::<FetchRequest>(4) {
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let request = fetch(&world, version, SESSIONLESS, &[(0, 208), (1, 9)]);
        let correlation = client.write(version, &request);
        let sent = world.sent(&mut client);
        let mut expected = fetch(&world, version, SESSIONLESS, &[(0, 10), (1, 9)]);
        if version >= 12 {
            expected.topics[0].partitions[0].last_fetched_epoch = -1;
        }
        assert_eq!(request_of::<FetchRequest>(&sent[0]), expected, "v{version}");

        let real = held(&[(99, 7), (100, 7), (249, 9), (250, 9), (251, 10)]);
        let cut = real.slice(..real.len() - 5);
        let parts = [(0, cut), (1, real.clone())];
        let answer = fetched(&world, version, &parts);
        let whole = frame::response_frame(version, correlation, &answer).unwrap();
        world.legacy_says(&mut client, &whole);
        // Nothing but the epochs of one partition differs: put back, the frame is legacy's.
        let virtual_one = held(&[(99, 7), (100, 107), (249, 107), (250, 207), (251, 208)]);
        let parts = [(0, virtual_one.slice(..real.len() - 5)), (1, real.clone())];
        let wanted = frame::response_frame(version, correlation, &fetched(&world, version, &parts)).unwrap();
        assert_eq!(client.output, wanted, "v{version}");
        let (_, read) = client.read::<FetchRequest>(version).unwrap();
        let shown = read.responses[0].partitions[0].records.as_ref().unwrap();
        assert_eq!(epochs_of(shown), [7, 107, 107, 207], "v{version}: the last one is cut");
    }
}

#[test]
fn batches_are_translated_beside_what_is_taken_out_and_in_an_answer_that_is_rewritten() {
    for version in versions::<FetchRequest>(12) {
        let mut world = returned();
        world.move_part(1);
        let mut client = world.open(AT_LEGACY);
        let request = fetch(&world, version, SESSIONLESS, &[(0, 207), (1, 9), (2, 9)]);
        let mut answer = fetched(&world, version, &[(0, held(&[(250, 9)])), (2, held(&[(250, 9)]))]);
        answer.responses[0].partitions[1].error_code = 6;
        if version >= 16 {
            answer.node_endpoints = vec![fetch_response::NodeEndpoint {
                node_id: 2,
                host: super::super::bench::LEGACY_HOST.into(),
                port: 1,
                ..Default::default()
            }];
        }
        let (sent, answer) = world.through(&mut client, version, &request, &answer);
        assert_eq!(sent.topics[0].partitions.len(), 2);
        let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let found: Vec<_> = parts
            .map(|part| (part.partition_index, part.error_code, epochs_of(part.records.as_ref().unwrap())))
            .collect();
        let not_leader = ErrorCode::NotLeaderOrFollower.code();
        assert_eq!(found, [(0, 0, vec![207]), (2, 6, vec![9]), (1, not_leader, vec![])], "v{version}");
    }
}

#[test]
fn an_epoch_that_is_over_is_fenced_here_and_the_rest_goes_on() {
    for version in versions::<FetchRequest>(9) {
        for over in [7, 107, 206] {
            let mut world = returned();
            let mut client = world.open(AT_LEGACY);
            let request = fetch(&world, version, SESSIONLESS, &[(0, over), (1, 7)]);
            let rest = fetched(&world, version, &[(1, held(&[(5, 7)]))]);
            let (sent, answer) = world.through(&mut client, version, &request, &rest);
            assert_eq!(sent.topics[0].partitions.len(), 1);
            assert_eq!((sent.max_wait_ms, sent.min_bytes), (0, 0), "the client is to hear of it at once");
            let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
            let found: Vec<_> = parts.map(|part| (part.partition_index, part.error_code)).collect();
            assert_eq!(found, [(1, 0), (0, fenced())], "v{version}, epoch {over}");
        }
        let mut world = returned();
        let mut client = world.open(AT_LEGACY);
        let alone = fetch(&world, version, SESSIONLESS, &[(0, 107)]);
        let answer = world.without_legacy(&mut client, version, &alone);
        assert_eq!(answer.responses[0].partitions[0].error_code, fenced(), "v{version}");
    }
}

#[test]
fn a_fetch_session_from_before_the_kernel_led_is_ended() {
    for version in [7, 12, 13, 17] {
        let mut world = World::new();
        let mut client = world.open(AT_LEGACY);
        let opening = fetch(&world, version, (0, 0), &[(0, 7), (1, 7)]);
        let opened = FetchResponse { session_id: 77, ..Default::default() };
        world.through(&mut client, version, &opening, &opened);
        // The client says nothing while the partition is on the kernel.
        world.shared.routes.release(&world.parts[0], Side::Kernel);
        give_back(&world, 0);
        let next = fetch(&world, version, (77, 1), &[]);
        let answer = world.without_legacy(&mut client, version, &next);
        assert_eq!(answer.error_code, ErrorCode::FetchSessionIdNotFound.code(), "v{version}");
        let opening = fetch(&world, version, (0, 0), &[(0, 207), (1, 7)]);
        let opened = FetchResponse { session_id: 78, ..Default::default() };
        world.through(&mut client, version, &opening, &opened);
        for epoch in 1..4 {
            let next = fetch(&world, version, (78, epoch), &[]);
            let (sent, _) = world.through(&mut client, version, &next, &opened);
            assert_eq!(sent, next, "v{version}: it goes on");
        }
    }
}

fn list(parts: &[(i32, i32)], version: i16) -> ListOffsetsRequest {
    let part = |(partition_index, epoch): &(i32, i32)| ListOffsetsPartition {
        partition_index: *partition_index,
        current_leader_epoch: if version >= 4 { *epoch } else { -1 },
        timestamp: -1,
        ..Default::default()
    };
    let topic = ListOffsetsTopic {
        name: "t".into(),
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

fn listed(parts: &[(i32, i64, i32)], version: i16) -> ListOffsetsResponse {
    let part =
        |(index, offset, epoch): &(i32, i64, i32)| list_offsets_response::ListOffsetsPartitionResponse {
            partition_index: *index,
            offset: *offset,
            leader_epoch: if version >= 4 { *epoch } else { -1 },
            ..Default::default()
        };
    let topic = list_offsets_response::ListOffsetsTopicResponse {
        name: "t".into(),
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    };
    ListOffsetsResponse { topics: vec![topic], ..Default::default() }
}

#[test]
fn the_epoch_beside_an_offset_is_the_one_under_which_it_was_written() {
    for version in versions::<ListOffsetsRequest>(1) {
        for (offset, real, shown) in [(99, 7, 7), (100, 8, 107), (250, 9, 207), (300, 10, 208), (-1, -1, -1)]
        {
            let mut world = returned();
            let mut client = world.open(AT_LEGACY);
            let request = list(&[(0, 208), (1, 9)], version);
            let answer = listed(&[(0, offset, real), (1, offset, real)], version);
            let (sent, answer) = world.through(&mut client, version, &request, &answer);
            assert_eq!(sent, list(&[(0, 10), (1, 9)], version), "v{version}");
            let expected = listed(&[(0, offset, shown), (1, offset, real)], version);
            assert_eq!(answer, expected, "v{version} at {offset}");
        }
    }
}

#[test]
fn listing_offsets_under_an_epoch_that_is_over_is_fenced() {
    for version in versions::<ListOffsetsRequest>(4) {
        let mut world = returned();
        world.move_part(2);
        let mut client = world.open(AT_LEGACY);
        let request = list(&[(0, 107), (1, 9), (2, 9)], version);
        let (sent, answer) = world.through(&mut client, version, &request, &listed(&[(1, 5, 9)], version));
        assert_eq!(sent, list(&[(1, 9)], version));
        let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let found: Vec<_> = parts.map(|part| (part.partition_index, part.error_code)).collect();
        let not_leader = ErrorCode::NotLeaderOrFollower.code();
        assert_eq!(found, [(1, 0), (2, not_leader), (0, fenced())], "v{version}");
    }
}

fn ends(parts: &[(i32, i32, i32)]) -> OffsetForLeaderEpochRequest {
    let part = |(partition, current, epoch): &(i32, i32, i32)| OffsetForLeaderPartition {
        partition: *partition,
        current_leader_epoch: *current,
        leader_epoch: *epoch,
        ..Default::default()
    };
    let topic = OffsetForLeaderTopic {
        topic: "t".into(),
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    };
    OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() }
}

fn ended(parts: &[(i32, i32, i64)]) -> OffsetForLeaderEpochResponse {
    let part = |(partition, epoch, end): &(i32, i32, i64)| offset_for_leader_epoch_response::EpochEndOffset {
        partition: *partition,
        leader_epoch: *epoch,
        end_offset: *end,
        ..Default::default()
    };
    let topic = offset_for_leader_epoch_response::OffsetForLeaderTopicResult {
        topic: "t".into(),
        partitions: parts.iter().map(part).collect(),
        ..Default::default()
    };
    OffsetForLeaderEpochResponse { topics: vec![topic], ..Default::default() }
}

#[test]
fn epochs_end_where_clients_saw_them_end() {
    // Virtual epoch asked for, what legacy is asked, what it answers, what the client reads.
    let rows = [
        (7, 7, (7, 180), (7, 100)),
        (5, 5, (5, 60), (5, 60)),
        (107, 9, (9, 260), (107, 250)),
        (207, 9, (9, 260), (207, 260)),
        (208, 10, (10, 300), (208, 300)),
        // Never led under: the one before it ends there.
        (150, 9, (9, 260), (107, 250)),
        // Legacy knows nothing of it.
        (210, 12, (-1, -1), (-1, -1)),
    ];
    for version in versions::<OffsetForLeaderEpochRequest>(2) {
        for (asked, real, (epoch, end), (shown, shown_end)) in rows {
            let mut world = returned();
            let mut client = world.open(AT_LEGACY);
            let request = ends(&[(0, 208, asked), (1, 9, 5)]);
            let answer = ended(&[(0, epoch, end), (1, 5, 60)]);
            let (sent, answer) = world.through(&mut client, version, &request, &answer);
            assert_eq!(sent, ends(&[(0, 10, real), (1, 9, 5)]), "v{version}, epoch {asked}");
            assert_eq!(answer, ended(&[(0, shown, shown_end), (1, 5, 60)]), "v{version}, epoch {asked}");
        }
    }
}

#[test]
fn what_legacy_refuses_stays_refused() {
    let mut world = returned();
    let mut client = world.open(AT_LEGACY);
    let mut answer = ended(&[(0, -1, -1)]);
    answer.topics[0].partitions[0].error_code = ErrorCode::TopicAuthorizationFailed.code();
    let (_, told) = world.through(&mut client, 4, &ends(&[(0, 208, 107)]), &answer);
    assert_eq!(told, answer);
}

#[test]
fn an_end_is_told_beside_one_that_is_fenced() {
    for version in versions::<OffsetForLeaderEpochRequest>(2) {
        let mut world = returned();
        give_back(&world, 1);
        let mut client = world.open(AT_LEGACY);
        let request = ends(&[(0, 208, 107), (1, 107, 107)]);
        let (_, answer) = world.through(&mut client, version, &request, &ended(&[(0, 9, 260)]));
        let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let found: Vec<_> = parts.map(|part| (part.partition, part.error_code, part.end_offset)).collect();
        assert_eq!(found, [(0, 0, 250), (1, fenced(), -1)], "v{version}");
    }
}

#[test]
fn what_needs_no_translation_passes_byte_for_byte() {
    // Another partition has been away: every request and answer is looked at.
    let mut world = returned();
    for version in versions::<FetchRequest>(4) {
        let mut client = world.open(AT_LEGACY);
        let request = fetch(&world, version, SESSIONLESS, &[(1, 9), (2, 9)]);
        let correlation = client.write(version, &request);
        let written = client.input.clone();
        let sent = world.sent(&mut client);
        assert_eq!(sent[0], written, "v{version}");
        let answer =
            fetched(&world, version, &[(1, held(&[(250, 9)])), (2, Bytes::from_static(b"any bytes"))]);
        let whole = frame::response_frame(head(&sent[0]).api_version, correlation, &answer).unwrap();
        world.legacy_says(&mut client, &whole);
        assert_eq!(client.output, whole, "v{version}");
    }
}

#[test]
fn on_the_way_back_clients_are_sent_to_the_kernel_until_the_gate_is_released() {
    let mut world = World::new();
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    world.parts[0].set_epochs(table.clone());
    world.shared.routes.release(&world.parts[0], Side::Kernel);
    world.parts[0].gate.fence();
    let mut client = world.open(AT_LEGACY);
    let request = fetch(&world, 12, SESSIONLESS, &[(0, 107)]);
    let not_leader = ErrorCode::NotLeaderOrFollower.code();
    // The table tells of legacy before the gate does.
    for _ in 0..2 {
        let answer = world.without_legacy(&mut client, 12, &request);
        assert_eq!(answer.responses[0].partitions[0].error_code, not_leader);
        let mut back = table.clone();
        back.legacy_leads(207, 250, 9).unwrap();
        world.parts[0].set_epochs(back);
    }
    world.shared.routes.release(&world.parts[0], Side::Legacy);
    let answer = world.without_legacy(&mut client, 12, &request);
    assert_eq!(answer.responses[0].partitions[0].error_code, fenced(), "a leadership that is over");
    let request = fetch(&world, 12, SESSIONLESS, &[(0, 207)]);
    let (sent, _) = world.through(&mut client, 12, &request, &FetchResponse::default());
    assert_eq!(sent.topics[0].partitions[0].current_leader_epoch, 9);
}
