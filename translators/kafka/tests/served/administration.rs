//! Metadata and administration.

use session::Event;
use translator_kafka::codec::messages::create_partitions_request::CreatePartitionsTopic;
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::describe_configs_request::DescribeConfigsResource;
use translator_kafka::codec::messages::describe_log_dirs_request::DescribableLogDirTopic;
use translator_kafka::codec::messages::describe_producers_request::TopicRequest as ProducersTopic;
use translator_kafka::codec::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use translator_kafka::codec::messages::elect_leaders_request::TopicPartitions;
use translator_kafka::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use translator_kafka::codec::messages::metadata_request::MetadataRequestTopic;
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, DescribeTopicPartitionsRequest, ElectLeadersRequest, FindCoordinatorRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, ListConfigResourcesRequest,
    ListPartitionReassignmentsRequest, MetadataRequest,
};
use translator_kafka::codec::{Message, Uuid, frame};
use translator_kafka::errors::ErrorCode;

use crate::node::{NODE_ID, Node, batch, batch_as};

fn hello() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "lib".into(),
        client_software_version: "1.2-rc.3".into(),
        ..Default::default()
    }
}

#[test]
fn api_versions_name_what_is_served_and_produce_from_0() {
    let mut node = Node::new(1);
    let mut client = node.client();
    for version in 0..=5 {
        let response = client.ask(&mut node, version, &hello());
        assert_eq!(response.error_code, 0);
        let range = |key: i16| {
            let api = response.api_keys.iter().find(|api| api.api_key == key);
            api.map(|api| (api.min_version, api.max_version))
        };
        assert_eq!(range(0), Some((0, 13)));
        assert_eq!(range(1), Some((4, 18)));
        assert_eq!(range(18), Some((0, 5)));
        assert_eq!((range(68), range(69)), (Some((0, 1)), Some((0, 1))));
        for hidden in [24, 25, 26, 27, 28, 38, 71, 76, 88] {
            assert_eq!(range(hidden), None, "API {hidden}");
        }
    }
    let events = &client.events;
    assert!(events.contains(&Event::Client {
        id: "test".into(),
        software: Some("lib".into()),
        version: Some("1.2-rc.3".into()),
    }));
    assert_eq!(events.iter().filter(|event| **event == Event::Used { api: 18, version: 4 }).count(), 1);
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_error_35() {
    let mut node = Node::new(1);
    let mut client = node.client();
    // Version 99 in the header of a request that is otherwise well formed.
    let mut framed = frame::request_frame(4, 1, Some("x".into()), &hello()).unwrap().to_vec();
    framed[6..8].copy_from_slice(&99_i16.to_be_bytes());
    client.input.extend_from_slice(&framed);
    node.turn(&mut [&mut client]);
    let body = frame::take_frame_mut(&mut client.output, 1000).unwrap().unwrap();
    let response = ApiVersionsResponse::decode_exact(body.slice(4..), 0).unwrap();
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!((response.api_keys.len(), response.api_keys[0].api_key), (1, 18));
    assert_eq!(client.ended, None);
}

#[test]
fn a_client_that_looks_for_another_cluster_or_sends_a_bad_name_is_told_so() {
    let mut node = Node::new(1);
    let mut client = node.client();
    let bad = ApiVersionsRequest { client_software_name: "-x".into(), ..hello() };
    assert_eq!(client.ask(&mut node, 3, &bad).error_code, ErrorCode::InvalidRequest.code());
    let table = [
        (None, -1, ErrorCode::None),
        (Some("cluster-1"), NODE_ID, ErrorCode::None),
        (Some("cluster-2"), NODE_ID, ErrorCode::RebootstrapRequired),
        (Some("cluster-1"), NODE_ID + 1, ErrorCode::RebootstrapRequired),
        // One without the other.
        (Some("cluster-1"), -1, ErrorCode::InvalidRequest),
        (None, NODE_ID, ErrorCode::InvalidRequest),
    ];
    for (cluster_id, node_id, code) in table {
        let request = ApiVersionsRequest { cluster_id: cluster_id.map(Into::into), node_id, ..hello() };
        let response = client.ask(&mut node, 5, &request);
        assert_eq!(response.error_code, code.code(), "{request:?}");
        assert_eq!(response.api_keys.is_empty(), code != ErrorCode::None, "{request:?}");
    }
}

#[test]
fn metadata_shows_this_node_as_leader_of_everything_in_every_version() {
    let mut node = Node::new(2);
    let mut client = node.client();
    client.create(&mut node, "a", 2, &[]);
    client.create(&mut node, "b", 1, &[]);
    for version in 0..=13 {
        let response = client.metadata(&mut node, version, &["a", "none", "sl/ash"], true);
        assert_eq!(response.brokers.len(), 1);
        assert_eq!((&*response.brokers[0].host, response.brokers[0].port), ("node.example", 9092));
        let codes: Vec<i16> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, 3, 17], "version {version}");
        let leaders: Vec<i32> = response.topics[0].partitions.iter().map(|part| part.leader_id).collect();
        assert_eq!(leaders, [NODE_ID, NODE_ID]);
        if version >= 2 {
            assert_eq!(response.cluster_id.as_deref(), Some("cluster-1"));
        }
        // Null asks for everything; before it existed, an empty list did.
        let topics = if version == 0 { Some(vec![]) } else { None };
        let all = client.ask(&mut node, version, &MetadataRequest { topics, ..Default::default() });
        assert_eq!(all.topics.len(), 2, "version {version}");
    }
    let none = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    assert!(client.ask(&mut node, 12, &none).topics.is_empty());
}

#[test]
fn metadata_tells_once_what_is_named_twice_and_nothing_where_a_name_is_missing() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    let id = node.settings.catalog.load().topic("a").unwrap().id;
    for version in 4..=13 {
        let response = client.metadata(&mut node, version, &["a", "none", "a", "none"], false);
        let codes: Vec<i16> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, 3], "version {version}");
    }
    let unnamed = |topic_id| MetadataRequestTopic { topic_id, name: None, ..Default::default() };
    let named = MetadataRequestTopic { name: Some("a".into()), ..Default::default() };
    let twice =
        MetadataRequest { topics: Some(vec![unnamed(id), named.clone(), unnamed(id)]), ..Default::default() };
    assert_eq!(client.ask(&mut node, 12, &twice).topics.len(), 1);
    // What Kafka 4.4 answers.
    let table = [
        (10, Uuid::ZERO, ErrorCode::InvalidRequest),
        (11, id, ErrorCode::InvalidRequest),
        (12, Uuid::ZERO, ErrorCode::UnknownServerError),
        (13, Uuid::ZERO, ErrorCode::UnknownServerError),
    ];
    for (version, id, code) in table {
        let request =
            MetadataRequest { topics: Some(vec![named.clone(), unnamed(id)]), ..Default::default() };
        let response = client.ask(&mut node, version, &request);
        assert!(response.brokers.is_empty() && response.cluster_id.is_none() && response.controller_id == -1);
        assert!(response.topics.iter().all(|topic| topic.error_code == code.code()), "version {version}");
        assert_eq!(response.topics[1].name.as_deref(), Some(""));
        assert_eq!(response.error_code, if version >= 13 { code.code() } else { 0 });
    }
}

#[test]
fn metadata_finds_topics_by_id() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    let id = node.settings.catalog.load().topic("a").unwrap().id;
    let by_id = |topic_id| MetadataRequestTopic { topic_id, name: None, ..Default::default() };
    // As Kafka's own administration client asks.
    let with_empty_name = MetadataRequestTopic { name: Some("".into()), ..by_id(id) };
    let mut ask =
        |topics| client.ask(&mut node, 12, &MetadataRequest { topics: Some(topics), ..Default::default() });
    let mut response = ask(vec![by_id(id), by_id(Uuid([9; 16]))]);
    response.topics.extend(ask(vec![with_empty_name]).topics);
    assert_eq!((response.topics[0].error_code, response.topics[0].name.as_deref()), (0, Some("a")));
    assert_eq!(response.topics[1].error_code, ErrorCode::UnknownTopicId.code());
    assert_eq!(response.topics[1].name, None);
    assert_eq!((response.topics[2].error_code, response.topics[2].name.as_deref()), (0, Some("a")));
}

#[test]
fn metadata_creates_topics_where_both_sides_want_that() {
    let mut node = Node::with(4, |settings| settings.auto_create_topics = true);
    let mut client = node.client();
    assert_eq!(client.metadata(&mut node, 12, &["a"], false).topics[0].error_code, 3);
    let response = client.metadata(&mut node, 12, &["a", "a.b", "a_b"], true);
    let codes: Vec<i16> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [0, 0, 17], "names that collide are not both created");
    let part = client.produce(&mut node, "a", batch(&["x"]).bytes().clone());
    assert_eq!(part.error_code, 0, "its logs answered before the topic was shown");
}

#[test]
fn new_partitions_take_records_as_soon_as_they_are_acknowledged() {
    let mut node = Node::new(4);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    let topic = CreatePartitionsTopic { name: "a".into(), count: 9, assignments: None, ..Default::default() };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
    for version in 0..=3 {
        let code = client.ask(&mut node, version, &request).results[0].error_code;
        assert_eq!(code, if version == 0 { 0 } else { ErrorCode::InvalidPartitions.code() });
    }
    for partition in 0..9 {
        let records = batch(&["x"]).bytes().clone();
        assert_eq!(client.produce_at(&mut node, 9, "a", partition, records).error_code, 0);
    }
}

#[test]
fn topics_are_created_and_deleted_in_every_version() {
    let mut node = Node::new(2);
    let mut client = node.client();
    for version in 2..=7 {
        let topic = CreatableTopic {
            name: "v".into(),
            num_partitions: 2,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
        for code in [ErrorCode::None, ErrorCode::TopicAlreadyExists] {
            let response = client.ask(&mut node, version, &request);
            assert_eq!(response.topics[0].error_code, code.code(), "version {version}");
        }
        let delete = (version - 1).min(5);
        let request = DeleteTopicsRequest { topic_names: vec!["v".into()], ..Default::default() };
        for code in [ErrorCode::None, ErrorCode::UnknownTopicOrPartition] {
            assert_eq!(client.ask(&mut node, delete, &request).responses[0].error_code, code.code());
        }
    }
}

#[test]
fn topics_are_described_page_by_page() {
    let mut node = Node::new(1);
    let mut client = node.client();
    for name in ["a", "b", "c"] {
        client.create(&mut node, name, 3, &[]);
    }
    let names = ["c", "a", "b", "none"];
    let topics: Vec<_> = names.map(|name| TopicRequest { name: name.into(), ..Default::default() }).into();
    let mut cursor: Option<Cursor> = None;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let request = DescribeTopicPartitionsRequest {
            topics: topics.clone(),
            response_partition_limit: 2,
            cursor: cursor.take(),
            ..Default::default()
        };
        let response = client.ask(&mut node, 0, &request);
        for topic in &response.topics {
            for part in &topic.partitions {
                assert_eq!(
                    (&part.eligible_leader_replicas, &part.last_known_elr),
                    (&Some(vec![]), &Some(vec![]))
                );
            }
            let name = topic.name.as_deref().unwrap().to_owned();
            seen.extend(topic.partitions.iter().map(|part| (name.clone(), part.partition_index)));
        }
        let Some(next) = response.next_cursor else { break };
        let (topic_name, partition_index) = (next.topic_name, next.partition_index);
        cursor = Some(Cursor { topic_name, partition_index, ..Default::default() });
    }
    let expected: Vec<(String, i32)> =
        ["a", "b", "c"].iter().flat_map(|name| (0..3).map(|at| ((*name).to_owned(), at))).collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_cluster_and_its_coordinators_are_this_node() {
    let mut node = Node::new(1);
    let mut client = node.client();
    for version in 0..=2 {
        let response = client.ask(
            &mut node,
            version,
            &DescribeClusterRequest { endpoint_type: 1, ..Default::default() },
        );
        assert_eq!((response.controller_id, response.brokers.len()), (NODE_ID, 1));
    }
    let controllers = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let code = client.ask(&mut node, 1, &controllers).error_code;
    assert_eq!(code, ErrorCode::MismatchedEndpointType.code());
    let unheard_of = DescribeClusterRequest { endpoint_type: 9, ..Default::default() };
    let code = client.ask(&mut node, 1, &unheard_of).error_code;
    assert_eq!(code, ErrorCode::UnsupportedEndpointType.code());
    for (key_type, code) in [(0, 0), (1, 53), (2, 42)] {
        let one = FindCoordinatorRequest { key: "g".into(), key_type, ..Default::default() };
        for version in 1..=3 {
            assert_eq!(client.ask(&mut node, version, &one).error_code, code);
        }
        let keys = vec!["g".into(), "h".into()];
        let many = FindCoordinatorRequest { key_type, coordinator_keys: keys, ..Default::default() };
        let response = client.ask(&mut node, 6, &many);
        assert!(response.coordinators.iter().all(|entry| entry.error_code == code));
        assert_eq!(response.coordinators[1].node_id, if code == 0 { NODE_ID } else { -1 });
    }
}

#[test]
fn configuration_shows_what_was_set_and_where_it_comes_from() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[("retention.ms", "1000")]);
    let resource = |resource_type, name: &str, keys: Option<Vec<&str>>| DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.into_iter().map(Into::into).collect()),
        ..Default::default()
    };
    let resources = vec![
        resource(2, "a", Some(vec!["retention.ms", "segment.bytes"])),
        resource(2, "a", None),
        resource(2, "none", None),
        resource(4, "7", None),
        resource(4, "8", None),
        resource(99, "x", None),
    ];
    let request = DescribeConfigsRequest { resources, include_synonyms: true, ..Default::default() };
    for version in 1..=4 {
        let response = client.ask(&mut node, version, &request);
        let codes: Vec<i16> = response.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, 0, 3, 0, 42, 42]);
        let configs = &response.results[0].configs;
        let set = configs.iter().find(|config| &*config.name == "retention.ms").unwrap();
        // Kafka shows no broker's setting behind retention.ms: there are several.
        assert_eq!((set.value.as_deref(), set.config_source, set.synonyms.len()), (Some("1000"), 1, 1));
        let default = configs.iter().find(|config| &*config.name == "segment.bytes").unwrap();
        assert_eq!((default.config_source, default.synonyms.len()), (5, 1));
        assert_eq!((&*default.synonyms[0].name, default.synonyms[0].source), ("log.segment.bytes", 5));
        assert_eq!(response.results[1].configs.len(), translator_kafka::topic_config::KEYS.len());
    }
    let listed = client.ask(
        &mut node,
        1,
        &ListConfigResourcesRequest { resource_types: vec![2], ..Default::default() },
    );
    assert_eq!((&*listed.config_resources[0].resource_name, listed.config_resources.len()), ("a", 1));
}

#[test]
fn producers_sizes_and_elections_can_be_looked_at() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    let init = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    for version in 0..=5 {
        let response = client.ask(&mut node, version, &init);
        assert_eq!((response.error_code, response.producer_epoch), (0, 0), "version {version}");
    }
    let nameless = InitProducerIdRequest { transactional_id: Some("".into()), ..Default::default() };
    assert_eq!(client.ask(&mut node, 4, &nameless).error_code, ErrorCode::InvalidRequest.code());
    let spec = kernel_model::batch::BatchSpec {
        producer_id: 4,
        producer_epoch: 2,
        base_sequence: 0,
        ..Default::default()
    };
    assert_eq!(client.produce(&mut node, "a", batch_as(&spec, &["x"]).bytes().clone()).error_code, 0);

    let topic = ProducersTopic { name: "a".into(), partition_indexes: vec![0, 1], ..Default::default() };
    let response =
        client.ask(&mut node, 0, &DescribeProducersRequest { topics: vec![topic], ..Default::default() });
    let parts = &response.topics[0].partitions;
    assert_eq!((parts[0].active_producers[0].producer_id, parts[1].error_code), (4, 3));

    let topic = DescribableLogDirTopic { topic: "a".into(), partitions: vec![0], ..Default::default() };
    for topics in [None, Some(vec![topic])] {
        let response = client.ask(&mut node, 4, &DescribeLogDirsRequest { topics, ..Default::default() });
        assert!(response.results[0].topics[0].partitions[0].partition_size > 61);
    }
    let topic = TopicPartitions { topic: "a".into(), partitions: vec![0, 5], ..Default::default() };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![topic]), ..Default::default() };
    let response = client.ask(&mut node, 2, &request);
    let codes: Vec<i16> =
        response.replica_election_results[0].partition_result.iter().map(|part| part.error_code).collect();
    assert_eq!(codes, [ErrorCode::ElectionNotNeeded.code(), 3]);
    let unheard_of = ElectLeadersRequest { election_type: 7, ..request };
    let response = client.ask(&mut node, 2, &unheard_of);
    let result = &response.replica_election_results[0].partition_result[0];
    assert_eq!(result.error_code, ErrorCode::InvalidRequest.code());
    let moves = client.ask(&mut node, 0, &ListPartitionReassignmentsRequest::default());
    assert_eq!((moves.error_code, moves.topics.len()), (0, 0));
}

#[test]
fn a_configuration_key_is_set_once_in_a_request_and_to_something() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    let config = |value: Option<&str>| AlterableConfig {
        name: "retention.ms".into(),
        value: value.map(Into::into),
        ..Default::default()
    };
    let invalid = ErrorCode::InvalidRequest.code();
    let table = [
        (vec![config(Some("5"))], 0),
        (vec![config(None)], invalid),
        (vec![config(Some("5")), config(Some("6"))], invalid),
    ];
    for (configs, code) in table {
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: "a".into(),
            configs,
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        assert_eq!(client.ask(&mut node, 1, &request).responses[0].error_code, code);
    }
}

#[test]
fn a_topic_that_is_named_twice_in_one_change_keeps_its_configuration() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "a", 1, &[]);
    client.create(&mut node, "b", 1, &[]);
    let change = |topic: &str, name: &str| AlterConfigsResource {
        resource_type: 2,
        resource_name: topic.into(),
        configs: vec![AlterableConfig {
            name: name.into(),
            value: Some("100000".into()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let resources = vec![change("a", "retention.ms"), change("b", "retention.ms"), change("a", "segment.ms")];
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    let response = client.ask(&mut node, 1, &request);
    let codes: Vec<i16> = response.responses.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [42, 0, 42]);
    let catalog = node.settings.catalog.load();
    assert!(catalog.topic("a").unwrap().configs.is_empty());
    assert_eq!(catalog.topic("b").unwrap().configs.len(), 1);
}
