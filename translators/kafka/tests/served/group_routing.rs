//! Where requests about groups go, and how their answers come together.

use std::time::Duration;

use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::delete_topics_request::DeleteTopicState;
use translator_kafka::codec::messages::metadata_request::MetadataRequestTopic;
use translator_kafka::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use translator_kafka::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use translator_kafka::codec::messages::{
    CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest, DescribeGroupsRequest, HeartbeatRequest,
    ListGroupsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use translator_kafka::codec::{Request, Str, Uuid};
use translator_kafka::errors::ErrorCode;
use translator_kafka::placement::group_shard;

use crate::node::{Client, Node};

const SHARDS: u16 = 3;

fn shard_of(group: &str) -> u16 {
    group_shard(group, SHARDS).0
}

#[test]
fn a_group_is_always_asked_in_its_own_shard() {
    let mut node = Node::new(SHARDS);
    let mut client = node.client();
    for group in ["a", "b", "c", "d", "e"] {
        let request =
            HeartbeatRequest { group_id: group.into(), member_id: "m".into(), ..Default::default() };
        for version in 1..=4 {
            let response = client.ask(&mut node, version, &request);
            assert_eq!(response.throttle_time_ms, i32::from(shard_of(group)), "{group}");
        }
    }
}

#[test]
fn requests_about_several_groups_are_split_and_merged() {
    let mut node = Node::new(SHARDS);
    let mut client = node.client();
    let names = ["a", "b", "c", "d", "e", "f"];
    let groups: Vec<_> = names.map(Into::into).into();
    let response =
        client.ask(&mut node, 5, &DescribeGroupsRequest { groups: groups.clone(), ..Default::default() });
    assert_eq!(response.groups.len(), 6);
    for group in &response.groups {
        assert_eq!(*group.group_state, shard_of(&group.group_id).to_string());
        assert_eq!(group.authorized_operations, i32::MIN, "nobody asked");
    }
    let asked = DescribeGroupsRequest {
        groups: groups.clone(),
        include_authorized_operations: true,
        ..Default::default()
    };
    let response = client.ask(&mut node, 5, &asked);
    // Read, delete, describe, and see and change the configuration.
    assert!(response.groups.iter().all(|group| group.authorized_operations == 0b1101_0100_1000));
    let response =
        client.ask(&mut node, 2, &DeleteGroupsRequest { groups_names: groups, ..Default::default() });
    assert!(
        response
            .results
            .iter()
            .all(|result| result.error_code == i16::try_from(shard_of(&result.group_id)).unwrap())
    );
    let mut listed: Vec<String> = client
        .ask(&mut node, 4, &ListGroupsRequest::default())
        .groups
        .iter()
        .map(|group| group.group_id.to_string())
        .collect();
    listed.sort();
    assert_eq!(listed, ["group-of-0", "group-of-1", "group-of-2"]);
}

fn commit_topic(name: &str, topic_id: Uuid, partitions: &[i32]) -> OffsetCommitRequestTopic {
    let part = |number: &i32| OffsetCommitRequestPartition { partition_index: *number, ..Default::default() };
    OffsetCommitRequestTopic {
        name: name.into(),
        topic_id,
        partitions: partitions.iter().map(part).collect(),
        ..Default::default()
    }
}

#[test]
fn offsets_of_partitions_that_do_not_exist_are_not_committed() {
    let mut node = Node::new(SHARDS);
    let mut client = node.client();
    client.create(&mut node, "t", 2, &[]);
    let topics = vec![commit_topic("t", Uuid::ZERO, &[0, 5]), commit_topic("u", Uuid::ZERO, &[0])];
    let request = OffsetCommitRequest { group_id: "g".into(), topics, ..Default::default() };
    for version in 2..=9 {
        let response = client.ask(&mut node, version, &request);
        let mut codes: Vec<(String, i32, i16)> = response
            .topics
            .iter()
            .flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|part| (topic.name.to_string(), part.partition_index, part.error_code))
            })
            .collect();
        codes.sort();
        assert_eq!(codes, [("t".to_owned(), 0, 0), ("t".to_owned(), 5, 3), ("u".to_owned(), 0, 3)]);
    }
}

#[test]
fn offsets_by_topic_id_reach_the_group_by_name() {
    let mut node = Node::new(SHARDS);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let id = node.settings.catalog.load().topic("t").unwrap().id;
    let strange = Uuid([9; 16]);
    let topics = vec![commit_topic("", id, &[0]), commit_topic("", strange, &[0])];
    let request = OffsetCommitRequest { group_id: "g".into(), topics, ..Default::default() };
    let response = client.ask(&mut node, 10, &request);
    let codes: Vec<(Uuid, i16)> =
        response.topics.iter().map(|topic| (topic.topic_id, topic.partitions[0].error_code)).collect();
    assert_eq!(codes, [(id, 0), (strange, ErrorCode::UnknownTopicId.code())]);

    let wanted =
        |topic_id| OffsetFetchRequestTopics { topic_id, partition_indexes: vec![0], ..Default::default() };
    let group = |name: &str| OffsetFetchRequestGroup {
        group_id: name.into(),
        topics: Some(vec![wanted(id), wanted(strange)]),
        ..Default::default()
    };
    let request = OffsetFetchRequest { groups: vec![group("a"), group("b")], ..Default::default() };
    let response = client.ask(&mut node, 10, &request);
    for group in &response.groups {
        let known = group.topics.iter().find(|topic| topic.topic_id == id).unwrap();
        assert_eq!(known.partitions[0].committed_offset, i64::from(shard_of(&group.group_id)));
        let other = group.topics.iter().find(|topic| topic.topic_id == strange).unwrap();
        assert_eq!(other.partitions[0].error_code, ErrorCode::UnknownTopicId.code());
    }
    assert_eq!(response.groups.len(), 2);
}

#[test]
fn groups_of_every_shard_hear_of_a_deleted_topic_before_the_client_does() {
    let mut node = Node::new(SHARDS);
    let mut client = node.client();
    client.create(&mut node, "gone", 1, &[]);
    for version in [3, 6] {
        let names = vec!["gone".into(), "never-was".into()];
        let states =
            names.iter().map(|name| DeleteTopicState { name: Some(Str::clone(name)), ..Default::default() });
        let request = if version < 6 {
            DeleteTopicsRequest { topic_names: names, ..Default::default() }
        } else {
            DeleteTopicsRequest { topics: states.collect(), ..Default::default() }
        };
        let response = client.ask(&mut node, version, &request);
        let codes: Vec<i16> = response.responses.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, ErrorCode::UnknownTopicOrPartition.code()]);
        let mut told = std::mem::take(&mut *node.forgotten.lock().unwrap());
        told.sort();
        assert_eq!(told, [0, 1, 2].map(|shard| (shard, "gone".to_owned())));
        client.create(&mut node, "gone", 1, &[]);
    }
}

/// Lets time pass until the client has its answer to the request it sent.
fn outlast<R: Request>(node: &mut Node, client: &mut Client, version: i16, request: &R) -> R::Response {
    client.write(version, request);
    node.turn(&mut [client]);
    for _ in 0..1000 {
        if let Some((_, response)) = client.read::<R>(version) {
            return response;
        }
        node.pass(Duration::from_millis(50), &mut [client]);
    }
    panic!("never answered");
}

#[test]
fn a_deleted_topics_name_is_held_back_until_the_groups_of_every_shard_have_forgotten_it() {
    let mut node = Node::with(SHARDS, |settings| settings.auto_create_topics = true);
    let mut client = node.client();
    client.create(&mut node, "gone", 1, &[]);
    *node.refusing.lock().unwrap() = Some(2);
    let names = vec!["gone".into()];
    let delete = DeleteTopicsRequest { topic_names: names, ..Default::default() };
    let response = outlast(&mut node, &mut client, 3, &delete);
    assert_eq!(response.responses[0].error_code, 0, "the topic is gone all the same");
    let topics = vec![CreatableTopic {
        name: "gone".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    }];
    let create = CreateTopicsRequest { topics, ..Default::default() };
    let response = outlast(&mut node, &mut client, 5, &create);
    assert_eq!(response.topics[0].error_code, ErrorCode::KafkaStorageError.code());
    let named = MetadataRequestTopic { name: Some("gone".into()), ..Default::default() };
    let metadata =
        MetadataRequest { topics: Some(vec![named]), allow_auto_topic_creation: true, ..Default::default() };
    let response = outlast(&mut node, &mut client, 9, &metadata);
    assert_eq!(response.topics[0].error_code, ErrorCode::KafkaStorageError.code());
    *node.refusing.lock().unwrap() = None;
    let response = client.ask(&mut node, 9, &metadata);
    assert_eq!(response.topics[0].error_code, 0);
    assert!(node.forgotten.lock().unwrap().contains(&(2, "gone".to_owned())));
}
