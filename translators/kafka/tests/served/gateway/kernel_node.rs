//! The kernel's own node: what has moved is served, the rest is refused or relayed.

use std::time::Duration;

use session::Violation;
use translator_kafka::codec::ApiKey;
use translator_kafka::codec::messages::offset_fetch_request::OffsetFetchRequestGroup;
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, DescribeClusterRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, MetadataRequest,
    MetadataResponse, OffsetCommitRequest, OffsetFetchRequest, api_versions_response,
};
use translator_kafka::errors::ErrorCode;
use translator_kafka::gateway::Role;
use translator_kafka::placement::group_shard;

use super::bench::{ANYWHERE, World};

fn not_coordinator() -> i16 {
    ErrorCode::NotCoordinator.code()
}

fn beat(group: &str) -> HeartbeatRequest {
    HeartbeatRequest { group_id: group.into(), member_id: "m".into(), ..Default::default() }
}

#[test]
fn groups_that_have_not_moved_are_refused_and_moved_ones_served() {
    let mut world = World::new();
    let mut client = world.open(Role::Kernel);
    let code =
        |world: &mut World, client: &mut _, group| world.without_legacy(client, 4, &beat(group)).error_code;
    assert_eq!(code(&mut world, &mut client, "g"), not_coordinator());
    assert_eq!(code(&mut world, &mut client, "other"), not_coordinator());
    world.move_group();
    let answer = world.without_legacy(&mut client, 4, &beat("g"));
    let shard = i32::from(group_shard("g", 2).0);
    assert_eq!((answer.error_code, answer.throttle_time_ms), (0, shard), "its coordinator answered");
}

#[test]
fn questions_about_groups_of_both_sides_are_split_and_merged() {
    let mut world = World::new();
    world.move_group();
    for version in ApiKey::DescribeGroups.spec().versions() {
        let mut client = world.open(Role::Kernel);
        let groups = vec!["other".into(), "g".into()];
        let request = DescribeGroupsRequest { groups, ..Default::default() };
        let answer = world.without_legacy(&mut client, version, &request);
        let mut said: Vec<_> =
            answer.groups.iter().map(|group| (group.group_id.to_string(), group.error_code)).collect();
        said.sort();
        assert_eq!(said, [("g".to_owned(), 0), ("other".to_owned(), not_coordinator())], "v{version}");
    }
    for version in 8..=9 {
        let mut client = world.open(Role::Kernel);
        let group = |name: &str| OffsetFetchRequestGroup {
            group_id: name.into(),
            topics: Some(Vec::new()),
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group("other"), group("g")], ..Default::default() };
        let answer = world.without_legacy(&mut client, version, &request);
        let mut said: Vec<_> =
            answer.groups.iter().map(|group| (group.group_id.to_string(), group.error_code)).collect();
        said.sort();
        assert_eq!(said, [("g".to_owned(), 0), ("other".to_owned(), not_coordinator())], "v{version}");
    }
}

#[test]
fn what_only_legacy_can_decide_is_relayed_and_producer_ids_are_given_here() {
    let mut world = World::new();
    let mut client = world.open(Role::Kernel);
    client.write(7, &CreateTopicsRequest::default());
    assert_eq!(world.sent(&mut client).len(), 1);
    let mut client = world.open(Role::Kernel);
    let plain = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let answer = world.without_legacy(&mut client, 4, &plain);
    assert_eq!(answer.error_code, 0);
    let transactional = InitProducerIdRequest { transactional_id: Some("tx".into()), ..Default::default() };
    let elsewhere = world.without_legacy(&mut client, 4, &transactional);
    assert_eq!(elsewhere.error_code, not_coordinator(), "a transactional id has its coordinator on legacy");
}

#[test]
fn it_offers_nothing_that_it_would_have_to_own_and_lacks() {
    let mut world = World::new();
    let offered =
        |api_key| api_versions_response::ApiVersion { api_key, max_version: 99, ..Default::default() };
    let everything = ApiVersionsResponse { api_keys: (0..120).map(offered).collect(), ..Default::default() };
    let mut offers = |role| {
        let mut client = world.open(role);
        let (_, answer) = world.through(&mut client, 0, &ApiVersionsRequest::default(), &everything);
        answer.api_keys.iter().map(|each| each.api_key).collect::<Vec<_>>()
    };
    let (legacy, kernel) = (offers(ANYWHERE), offers(Role::Kernel));
    for api in [ApiKey::ShareFetch, ApiKey::StreamsGroupHeartbeat, ApiKey::WriteTxnMarkers] {
        assert!(legacy.contains(&api.code()) || api == ApiKey::WriteTxnMarkers, "{api:?}");
        assert!(!kernel.contains(&api.code()), "{api:?}");
    }
    assert!(kernel.contains(&ApiKey::ConsumerGroupHeartbeat.code()));
    assert!(kernel.contains(&ApiKey::Produce.code()) && kernel.contains(&ApiKey::Fetch.code()));
}

#[test]
fn with_legacy_gone_only_what_is_harmless_is_answered_in_its_place() {
    for role in [Role::Kernel, ANYWHERE] {
        let mut world = World::new();
        world.move_part(0);
        let mut client = world.open(role);
        let metadata = client.write(1, &MetadataRequest { topics: Some(vec![]), ..Default::default() });
        let coordinator = client.write(1, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
        let cluster = client.write(0, &DescribeClusterRequest::default());
        assert_eq!(world.sent(&mut client).len(), 3);
        world.legacy_closes(&mut client);
        assert_eq!(client.ended, None);
        assert_eq!(client.read::<MetadataRequest>(1).expect("an answer").0, metadata);
        assert_eq!(client.read::<FindCoordinatorRequest>(1).expect("an answer").0, coordinator);
        assert_eq!(client.read::<DescribeClusterRequest>(0).expect("an answer").0, cluster);
        let answer = world.without_legacy(&mut client, 9, &world.produce(9, -1, &[0], "v"));
        let code = answer.responses[0].partition_responses[0].error_code;
        let elsewhere = ErrorCode::NotLeaderOrFollower.code();
        assert_eq!(code, if role == Role::Kernel { 0 } else { elsewhere }, "what has moved goes on");

        let mut client = world.open(role);
        client.write(7, &CreateTopicsRequest::default());
        assert_eq!(world.sent(&mut client).len(), 1);
        world.legacy_closes(&mut client);
        assert!(matches!(client.ended, Some(Violation::Legacy(_))), "it may have acted already");
        assert!(client.output.is_empty());
    }
}

/// A broker's end, or ten minutes without a request for legacy, is not the end of legacy: whoever stays connected must not
/// be served by the kernel what it does not lead.
#[test]
fn a_connection_to_legacy_that_ended_is_made_again_and_nothing_else_is_the_kernels_meanwhile() {
    for (owed, rest_ms) in [(false, 0), (true, 1_000)] {
        let mut world = World::new();
        world.move_part(0);
        let mut client = world.open(Role::Kernel);
        let metadata = || MetadataRequest { topics: Some(vec![]), ..Default::default() };
        world.through(&mut client, 1, &metadata(), &MetadataResponse::default());
        if owed {
            client.write(1, &metadata());
            assert_eq!(world.sent(&mut client).len(), 1);
        }
        world.legacy_closes(&mut client);
        if owed {
            client.read::<MetadataRequest>(1).expect("the kernel's answer");
        }
        let answer = world.without_legacy(&mut client, 4, &beat("g"));
        assert_eq!(answer.error_code, not_coordinator(), "a group that legacy has");
        world.node.now.elapsed += Duration::from_millis(rest_ms);
        world.through(&mut client, 1, &metadata(), &MetadataResponse::default());
        assert_eq!(client.ended, None);
    }
}

#[test]
fn within_a_second_after_legacy_was_not_reached_nothing_waits_for_it() {
    let mut world = World::new();
    world.move_part(0);
    let mut client = world.open(Role::Kernel);
    client.write(1, &MetadataRequest { topics: Some(vec![]), ..Default::default() });
    assert_eq!(world.sent(&mut client).len(), 1);
    world.legacy_closes(&mut client);
    client.read::<MetadataRequest>(1).expect("the kernel's answer");
    client.write(7, &CreateTopicsRequest::default());
    assert!(world.sent(&mut client).is_empty());
    assert!(matches!(client.ended, Some(Violation::Legacy(_))), "a broker that cannot be reached");
}

#[test]
fn the_empty_group_is_not_the_kernels() {
    let mut world = World::new();
    world.move_group();
    let mut client = world.open(Role::Kernel);
    let answer = world.without_legacy(&mut client, 4, &beat(""));
    assert_eq!(answer.error_code, not_coordinator());
    let topics = vec![Default::default()];
    let commit = OffsetCommitRequest { topics, ..Default::default() };
    let answer = world.without_legacy(&mut client, 7, &commit);
    assert!(answer.topics.iter().flat_map(|topic| &topic.partitions).all(|part| part.error_code != 0));
}
