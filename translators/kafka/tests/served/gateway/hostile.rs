//! Input that no honest client or broker sends.

use bytes::Bytes;
use session::Violation;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::{
    ApiVersionsRequest, DescribeGroupsRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest,
    ListOffsetsRequest, MetadataRequest, MetadataResponse, OffsetCommitRequest, SaslHandshakeRequest,
};
use translator_kafka::codec::{Request as KafkaRequest, frame};
use translator_kafka::gateway::{GatewayLimits, Role};

use super::bench::{ANYWHERE, AT_LEGACY, World};

fn whole<R: KafkaRequest>(version: i16, request: &R) -> Bytes {
    frame::request_frame(version, 9, Some("c".into()), request).unwrap()
}

/// One frame of each request that the gateway reads.
fn corpus(world: &World) -> Vec<Bytes> {
    let topics = vec![FetchTopic {
        topic: "t".into(),
        partitions: vec![FetchPartition::default()],
        ..Default::default()
    }];
    let fetch = FetchRequest { topics, ..Default::default() };
    vec![
        whole(9, &world.produce(9, -1, &[0, 1], "v")),
        whole(13, &world.produce(13, 0, &[0, 1], "v")),
        whole(12, &fetch),
        whole(1, &ListOffsetsRequest::default()),
        whole(4, &HeartbeatRequest { group_id: "g".into(), ..Default::default() }),
        whole(5, &DescribeGroupsRequest { groups: vec!["g".into(), "h".into()], ..Default::default() }),
        whole(8, &OffsetCommitRequest { group_id: "g".into(), ..Default::default() }),
        whole(3, &FindCoordinatorRequest { key: "g".into(), ..Default::default() }),
        whole(1, &SaslHandshakeRequest { mechanism: "PLAIN".into() }),
        whole(4, &ApiVersionsRequest::default()),
        whole(9, &MetadataRequest::default()),
    ]
}

fn resized(mut frame: Vec<u8>) -> Vec<u8> {
    let size = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

#[test]
fn a_request_cut_at_any_byte_or_with_any_bit_flipped_never_panics() {
    let mut world = World::new();
    world.move_part(1);
    for request in corpus(&world) {
        for role in [AT_LEGACY, Role::Kernel] {
            for cut in 4..request.len() {
                let mut client = world.open(role);
                client.input.extend_from_slice(&resized(request[..cut].to_vec()));
                world.sent(&mut client);
                assert!(client.input.is_empty() || client.ended.is_some(), "cut at {cut}");
            }
            for bit in 32..request.len() * 8 {
                let mut flipped = request.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let mut client = world.open(role);
                client.input.extend_from_slice(&flipped);
                world.sent(&mut client);
                assert!(client.input.is_empty() || client.ended.is_some(), "bit {bit}");
            }
        }
    }
}

#[test]
fn impossible_sizes_end_the_connection_at_once() {
    let mut world = World::new();
    for size in [i32::MAX, -1, i32::MIN, 100 * 1024 * 1024 + 1] {
        let mut client = world.open(ANYWHERE);
        client.input.extend_from_slice(&size.to_be_bytes());
        world.node.turn(&mut [&mut client]);
        assert!(matches!(client.ended, Some(Violation::Limit(_))), "{size}");
        let mut client = world.open(ANYWHERE);
        client.write(1, &MetadataRequest::default());
        world.sent(&mut client);
        world.legacy_says(&mut client, &size.to_be_bytes());
        assert!(matches!(client.ended, Some(Violation::Legacy(_))), "legacy: {size}");
    }
}

#[test]
fn an_answer_of_legacy_that_cannot_be_read_is_not_forwarded() {
    let mut world = World::new();
    let answer = frame::response_frame(9, 1, &MetadataResponse::default()).unwrap();
    for cut in 8..answer.len() {
        let mut client = world.open(AT_LEGACY);
        client.write(9, &MetadataRequest::default());
        world.sent(&mut client);
        world.legacy_says(&mut client, &resized(answer[..cut].to_vec()));
        assert!(matches!(client.ended, Some(Violation::Legacy(_))), "cut at {cut}: {:?}", client.ended);
        assert!(client.output.is_empty());
    }
}

#[test]
fn bytes_for_a_connection_that_does_not_stand_yet_are_bounded() {
    let limits = GatewayLimits { unsent_bytes_max: 1000, ..Default::default() };
    let mut world = World::with(false, limits);
    let mut client = world.open(AT_LEGACY);
    for _ in 0..50 {
        client.write(9, &world.produce(9, -1, &[0], &"x".repeat(100)));
    }
    // Nobody connects.
    world.node.turn(&mut [&mut client]);
    assert!(!client.session.wants_input() && client.input.len() > 50 * 50);
}

#[test]
fn bytes_may_come_one_by_one_from_both_sides() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    let request = whole(9, &MetadataRequest::default());
    let mut sent = Vec::new();
    for byte in &request {
        assert!(sent.is_empty());
        client.input.extend_from_slice(&[*byte]);
        sent = world.sent(&mut client);
    }
    assert_eq!(sent, [request]);
    let answer = frame::response_frame(9, 9, &MetadataResponse::default()).unwrap();
    let mut input = bytes::BytesMut::new();
    for byte in &answer {
        assert!(client.output.is_empty());
        input.extend_from_slice(&[*byte]);
        let event = session::LegacyEvent::Bytes(&mut input);
        client.session.handle_legacy(world.node.now, event).unwrap();
        world.node.turn(&mut [&mut client]);
    }
    assert!(!client.output.is_empty());
}

#[test]
fn requests_at_the_kernels_node_that_are_not_answered_stop_the_reading() {
    let limits = GatewayLimits { in_flight_bytes_max: 1_000, ..Default::default() };
    let mut world = World::with(false, limits);
    world.move_part(1);
    world.node.hung = true;
    let mut writer = world.open(Role::Kernel);
    let mut reader = world.open(Role::Kernel);
    let partition = FetchPartition { partition: 1, partition_max_bytes: 1000, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }];
    let fetch = FetchRequest { max_wait_ms: 1000, min_bytes: 1, topics, ..Default::default() };
    for _ in 0..20 {
        writer.write(9, &world.produce(9, -1, &[1], &"x".repeat(300)));
        reader.write(12, &fetch);
    }
    world.node.turn(&mut [&mut writer, &mut reader]);
    assert_eq!((&writer.ended, &reader.ended), (&None, &None));
    assert!(!writer.session.wants_input() && writer.input.len() > 15 * 300, "{}", writer.input.len());
    assert!(!reader.session.wants_input(), "two fetches are enough");
    assert!(!reader.input.is_empty());
}
