//! Requests about groups that have moved, on a legacy node.

use translator_kafka::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use translator_kafka::codec::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, DescribeGroupsResponse, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, describe_groups_response,
    list_groups_response, offset_fetch_response,
};
use translator_kafka::codec::{ApiKey, Request as KafkaRequest};
use translator_kafka::errors::ErrorCode;

use super::bench::{AT_LEGACY, World};

fn not_coordinator() -> i16 {
    ErrorCode::NotCoordinator.code()
}

/// Every version of a request about one group is refused, and not forwarded.
fn refused<R: KafkaRequest>(request: impl Fn(i16) -> R, error: impl Fn(i16, &R::Response) -> i16) {
    let mut world = World::new();
    world.move_group();
    for version in R::API.spec().versions() {
        let mut client = world.open(AT_LEGACY);
        let answer = world.without_legacy(&mut client, version, &request(version));
        assert_eq!(error(version, &answer), not_coordinator(), "{} v{version}", R::NAME);
    }
}

#[test]
fn a_moved_group_has_its_coordinator_elsewhere_in_every_version() {
    let g = || "g".into();
    refused(|_| JoinGroupRequest { group_id: g(), ..Default::default() }, |_, answer| answer.error_code);
    refused(|_| SyncGroupRequest { group_id: g(), ..Default::default() }, |_, answer| answer.error_code);
    refused(|_| HeartbeatRequest { group_id: g(), ..Default::default() }, |_, answer| answer.error_code);
    refused(|_| LeaveGroupRequest { group_id: g(), ..Default::default() }, |_, answer| answer.error_code);
    refused(|_| OffsetDeleteRequest { group_id: g(), ..Default::default() }, |_, answer| answer.error_code);
    refused(
        |_| DescribeGroupsRequest { groups: vec![g()], ..Default::default() },
        |_, answer| answer.groups[0].error_code,
    );
    refused(
        |_| DeleteGroupsRequest { groups_names: vec![g()], ..Default::default() },
        |_, answer| answer.results[0].error_code,
    );
    let partitions = vec![OffsetCommitRequestPartition::default()];
    let topics = vec![OffsetCommitRequestTopic { partitions, ..Default::default() }];
    refused(
        |_| OffsetCommitRequest { group_id: g(), topics: topics.clone(), ..Default::default() },
        |_, answer| answer.topics[0].partitions[0].error_code,
    );
    refused(
        |version| {
            if version >= 8 {
                let group = OffsetFetchRequestGroup { group_id: g(), ..Default::default() };
                return OffsetFetchRequest { groups: vec![group], ..Default::default() };
            }
            let topic = OffsetFetchRequestTopic { partition_indexes: vec![0], ..Default::default() };
            OffsetFetchRequest { group_id: g(), topics: Some(vec![topic]), ..Default::default() }
        },
        |version, answer| match version {
            0..=1 => answer.topics[0].partitions[0].error_code,
            2..=7 => answer.error_code,
            _ => answer.groups[0].error_code,
        },
    );
}

#[test]
fn questions_about_several_groups_are_split_and_their_answers_merged() {
    let mut world = World::new();
    world.move_group();
    for version in ApiKey::DescribeGroups.spec().versions() {
        let mut client = world.open(AT_LEGACY);
        let groups = vec!["g".into(), "other".into()];
        let described = describe_groups_response::DescribedGroup {
            group_id: "other".into(),
            group_state: "Stable".into(),
            ..Default::default()
        };
        let answer = DescribeGroupsResponse { groups: vec![described], ..Default::default() };
        let request = DescribeGroupsRequest { groups, ..Default::default() };
        let (sent, answer) = world.through(&mut client, version, &request, &answer);
        assert_eq!(sent.groups, [translator_kafka::codec::Str::from("other")]);
        let mut said: Vec<_> =
            answer.groups.iter().map(|group| (group.group_id.to_string(), group.error_code)).collect();
        said.sort();
        assert_eq!(said, [("g".to_owned(), not_coordinator()), ("other".to_owned(), 0)], "v{version}");
    }
    for version in 8..=*ApiKey::OffsetFetch.spec().versions().end() {
        let mut client = world.open(AT_LEGACY);
        let group = |name: &str| OffsetFetchRequestGroup { group_id: name.into(), ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group("g"), group("other")], ..Default::default() };
        let known = offset_fetch_response::OffsetFetchResponseGroup {
            group_id: "other".into(),
            ..Default::default()
        };
        let answer = OffsetFetchResponse { groups: vec![known], ..Default::default() };
        let (sent, answer) = world.through(&mut client, version, &request, &answer);
        assert_eq!(sent.groups.len(), 1);
        assert_eq!(answer.groups.len(), 2, "v{version}");
        let moved = answer.groups.iter().find(|group| group.group_id == *"g").unwrap();
        assert_eq!(moved.error_code, not_coordinator());
    }
}

#[test]
fn a_held_groups_commit_waits() {
    let mut world = World::new();
    world.group.gate.fence();
    let mut client = world.open(AT_LEGACY);
    client.write(7, &OffsetCommitRequest { group_id: "g".into(), ..Default::default() });
    assert!(world.sent(&mut client).is_empty());
    assert_eq!(client.holds.len(), 1);
    world.shared.routes.release(&world.group, session::Side::Legacy);
    world.released(&mut client);
    assert_eq!(world.sent(&mut client).len(), 1);
    assert_eq!(world.group.gate.on_the_way(), 1);
}

#[test]
fn legacy_does_not_list_a_group_that_the_kernel_has() {
    let mut world = World::new();
    world.move_group();
    for version in ApiKey::ListGroups.spec().versions() {
        let mut client = world.open(AT_LEGACY);
        let listed =
            |name: &str| list_groups_response::ListedGroup { group_id: name.into(), ..Default::default() };
        let answer = ListGroupsResponse { groups: vec![listed("g"), listed("other")], ..Default::default() };
        let (_, answer) = world.through(&mut client, version, &ListGroupsRequest::default(), &answer);
        let names: Vec<_> = answer.groups.iter().map(|group| group.group_id.to_string()).collect();
        assert_eq!(names, ["other"], "v{version}");
    }
}
