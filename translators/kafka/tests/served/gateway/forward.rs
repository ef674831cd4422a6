//! What concerns nothing that moves passes as bytes, and answers keep their order.

use bytes::Bytes;
use session::{Event, LegacyNode, Violation};
use translator_kafka::codec::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, FetchRequest, FetchResponse, HeartbeatRequest,
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest,
};
use translator_kafka::codec::{APIS, ApiKey, Str, frame};

use super::bench::{ANYWHERE, AT_LEGACY, World, head, produced};

/// An ApiKey's smallest conceivable frame: the header and a body of zeros, which decodes as one with empty
/// fields for every API that the gateway reads.
fn frame_of(api: ApiKey, version: i16, body: usize) -> Vec<u8> {
    let flexible = api.spec().is_flexible(version);
    let mut frame = vec![0, 0, 0, 0];
    frame.extend_from_slice(&api.code().to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 9, 0, 1, b'c']);
    if flexible {
        frame.push(0);
    }
    frame.resize(frame.len() + body, 0xa5);
    let size = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

/// What is neither split nor read: the body is no business of the proxy, and need not even be well formed.
const OPAQUE: &[ApiKey] = &[
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::CreateDelegationToken,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::UpdateFeatures,
    ApiKey::ListTransactions,
    ApiKey::GetTelemetrySubscriptions,
    ApiKey::PushTelemetry,
    ApiKey::ShareGroupHeartbeat,
    ApiKey::StreamsGroupHeartbeat,
];

#[test]
fn what_no_unit_owns_is_forwarded_and_answered_byte_for_byte_in_every_version() {
    let mut world = World::new();
    for (api, version) in OPAQUE.iter().flat_map(|api| api.spec().versions().map(|version| (*api, version))) {
        let mut client = world.open(AT_LEGACY);
        let whole = frame_of(api, version, 33);
        client.input.extend_from_slice(&whole);
        let sent = world.sent(&mut client);
        assert_eq!(sent, [Bytes::from(whole)], "{api:?} v{version}: {:?}", client.ended);
        let answer = [&[0, 0, 0, 9, 0, 0, 0, 9][..], b"opaqu"].concat();
        world.legacy_says(&mut client, &answer);
        assert_eq!(client.output.as_ref(), answer, "{api:?} v{version}");
    }
}

#[test]
fn requests_about_units_that_have_not_moved_are_forwarded_byte_for_byte() {
    let mut world = World::new();
    // Something else has moved: every request is looked at.
    world.move_part(2);
    for version in 3..=13 {
        let mut client = world.open(AT_LEGACY);
        let request = world.produce(version, -1, &[0, 1], "v");
        let whole = frame::request_frame(version, 9, Some("c".into()), &request).unwrap();
        client.input.extend_from_slice(&whole);
        let sent = world.sent(&mut client);
        assert_eq!(sent, [whole], "v{version}");
        let answer = frame::response_frame(version, 9, &produced(&request, 5)).unwrap();
        world.legacy_says(&mut client, &answer);
        assert_eq!(client.output, answer, "v{version}");
    }
    for version in ApiKey::Heartbeat.spec().versions() {
        let mut client = world.open(AT_LEGACY);
        let request = HeartbeatRequest { group_id: "g".into(), member_id: "m".into(), ..Default::default() };
        let whole = frame::request_frame(version, 9, None, &request).unwrap();
        client.input.extend_from_slice(&whole);
        assert_eq!(world.sent(&mut client), [whole], "v{version}");
    }
}

#[test]
fn answers_leave_in_the_order_of_requests_whoever_answers() {
    let mut world = World::new();
    world.move_part(1);
    let mut client = world.open(AT_LEGACY);
    // Legacy owes the first and third; the second is answered here at once.
    let first = client.write(9, &world.produce(9, -1, &[0], "a"));
    let second = client.write(9, &world.produce(9, -1, &[1], "b"));
    let third = client.write(9, &world.produce(9, -1, &[2], "c"));
    let sent = world.sent(&mut client);
    assert_eq!(sent.len(), 2);
    assert!(client.output.is_empty(), "the second waits for the first");
    for (frame, offset) in sent.iter().zip([10, 30]) {
        let request: ProduceRequest = super::bench::request_of(frame);
        world.legacy_answers::<ProduceRequest>(&mut client, frame, &produced(&request, offset));
    }
    let got: Vec<_> = std::iter::from_fn(|| client.read::<ProduceRequest>(9))
        .map(|(correlation, answer)| (correlation, answer.responses[0].partition_responses[0].base_offset))
        .collect();
    assert_eq!(got, [(first, 10), (second, -1), (third, 30)]);
}

#[test]
fn an_answer_to_another_request_and_one_too_many_end_the_connection() {
    let mut world = World::new();
    for (answers, correlation) in [(1, 1_000), (2, 1)] {
        let mut client = world.open(AT_LEGACY);
        client.write(1, &DescribeConfigsRequest::default());
        assert_eq!(world.sent(&mut client).len(), 1);
        let body = DescribeConfigsResponse::default();
        for _ in 0..answers {
            let answer = frame::response_frame(1, correlation, &body).unwrap();
            world.legacy_says(&mut client, &answer);
        }
        assert!(matches!(client.ended, Some(Violation::Legacy(_))), "{:?}", client.ended);
    }
}

#[test]
fn an_api_that_is_not_known_or_not_for_clients_never_reaches_legacy() {
    let mut world = World::new();
    let refused = APIS.iter().filter(|api| !api.on_broker).map(|api| api.key.code());
    for code in refused.chain([93, 9999, -1, i16::MAX]) {
        let mut client = world.open(AT_LEGACY);
        let mut whole = vec![0, 0, 0, 12];
        whole.extend_from_slice(&code.to_be_bytes());
        whole.extend_from_slice(&[0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0]);
        client.input.extend_from_slice(&whole);
        assert!(world.sent(&mut client).is_empty(), "API {code}");
        assert!(matches!(client.ended, Some(Violation::Protocol(_))), "API {code}: {:?}", client.ended);
    }
}

#[test]
fn a_client_is_named_once_and_each_api_noted_once() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    for _ in 0..3 {
        let (request, answer) = (FetchRequest::default(), FetchResponse::default());
        world.through(&mut client, 4, &request, &answer);
    }
    let (request, answer) = (ListOffsetsRequest::default(), ListOffsetsResponse::default());
    world.through(&mut client, 1, &request, &answer);
    let used: Vec<_> = client.events.iter().filter(|event| matches!(event, Event::Used { .. })).collect();
    assert_eq!(used, [&Event::Used { api: 1, version: 4 }, &Event::Used { api: 2, version: 1 }]);
    let named = client.events.iter().filter(|event| matches!(event, Event::Client { .. })).count();
    assert_eq!(named, 1);
}

#[test]
fn legacy_gone_ends_a_connection_to_one_of_its_brokers() {
    let mut world = World::new();
    world.move_part(0);
    let mut client = world.open(AT_LEGACY);
    client.write(1, &HeartbeatRequest { group_id: "other".into(), ..Default::default() });
    world.sent(&mut client);
    world.legacy_closes(&mut client);
    assert!(matches!(client.ended, Some(Violation::Legacy(_))));
}

#[test]
fn the_connection_is_made_to_the_node_that_is_stood_for() {
    let mut world = World::new();
    for (role, node) in [(AT_LEGACY, LegacyNode::Id(1)), (ANYWHERE, LegacyNode::Any)] {
        let mut client = world.open(role);
        client.write(1, &HeartbeatRequest { group_id: Str::from("x"), ..Default::default() });
        world.node.turn(&mut [&mut client]);
        let connects = client.legacy.iter().filter_map(|action| match action {
            session::LegacyAction::Connect(node) => Some(*node),
            _ => None,
        });
        assert_eq!(connects.collect::<Vec<_>>(), [node]);
        assert_eq!(client.legacy.len(), 1, "nothing is sent before it stands");
        assert_eq!(head(&world.sent(&mut client)[0]).api_key, 12);
    }
}
