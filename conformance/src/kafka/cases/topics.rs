//! Topics: made, deleted, grown.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
};

use super::super::case::{Case, Expect, Of};
use super::super::endpoint::{text, topic_name};
use super::super::scene::Given;
use super::super::wire::Ask;
use super::cluster::NO_ID;

const CREATES: Of = Of(ApiKey::CreateTopics);
const DELETES: Of = Of(ApiKey::DeleteTopics);
const GROWS: Of = Of(ApiKey::CreatePartitions);

const ANY: (i16, i16) = (2, 7);

pub(super) const CASES: &[Case] = &[
    CREATES.case(ANY, "of three partitions", Given::Nothing, Expect::Success, |scene, _| {
        create(topic(&scene.topic, 3))
    }),
    CREATES.case((4, 7), "of as many as is usual", Given::Nothing, Expect::Success, |scene, _| {
        create(topic(&scene.topic, -1).with_replication_factor(-1))
    }),
    CREATES.case(ANY, "with a setting", Given::Nothing, Expect::Success, |scene, _| {
        create(with(topic(&scene.topic, 1), "retention.ms", "86400000"))
    }),
    CREATES.case(ANY, "only to see whether it could be", Given::Nothing, Expect::Success, |scene, _| {
        Box::new(request(vec![topic(&scene.topic, 1)]).with_validate_only(true))
    }),
    CREATES.case(ANY, "that is there", Given::Topic, Expect::Error(Error::TopicAlreadyExists), |scene, _| {
        create(topic(&scene.topic, 1))
    }),
    CREATES.case(
        ANY,
        "with a name that is not allowed",
        Given::Nothing,
        Expect::Error(Error::InvalidTopicException),
        |_, _| create(topic("not/allowed", 1)),
    ),
    CREATES.case(
        ANY,
        "without a name",
        Given::Nothing,
        Expect::Error(Error::InvalidTopicException),
        |_, _| create(topic("", 1)),
    ),
    CREATES.case(
        ANY,
        "with a name that is too long",
        Given::Nothing,
        Expect::Error(Error::InvalidTopicException),
        |_, _| create(topic(&"x".repeat(250), 1)),
    ),
    CREATES.case(
        ANY,
        "of no partition",
        Given::Nothing,
        Expect::Error(Error::InvalidPartitions),
        |scene, _| create(topic(&scene.topic, 0)),
    ),
    CREATES.case(
        ANY,
        "with too many copies",
        Given::Nothing,
        Expect::Error(Error::InvalidReplicationFactor),
        |scene, _| create(topic(&scene.topic, 1).with_replication_factor(100)),
    ),
    CREATES.case(
        ANY,
        "with no copy",
        Given::Nothing,
        Expect::Error(Error::InvalidReplicationFactor),
        |scene, _| create(topic(&scene.topic, 1).with_replication_factor(0)),
    ),
    CREATES.case(
        ANY,
        "with an unknown setting",
        Given::Nothing,
        Expect::Error(Error::InvalidConfig),
        |scene, _| create(with(topic(&scene.topic, 1), "no.such.setting", "1")),
    ),
    CREATES.case(
        ANY,
        "with a setting out of range",
        Given::Nothing,
        Expect::Error(Error::InvalidConfig),
        |scene, _| create(with(topic(&scene.topic, 1), "retention.ms", "much")),
    ),
    CREATES.case(
        ANY,
        "on nodes that are not there",
        Given::Nothing,
        Expect::Error(Error::InvalidReplicaAssignment),
        |scene, _| create(assigned(topic(&scene.topic, -1), 123_456)),
    ),
    CREATES.case(
        ANY,
        "on nodes and with a number of partitions",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |scene, _| create(assigned(topic(&scene.topic, 3), 1)),
    ),
    CREATES.case(
        ANY,
        "twice in one request",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |scene, _| Box::new(request(vec![topic(&scene.topic, 1), topic(&scene.topic, 1)])),
    ),
    DELETES.case((1, 5), "by name", Given::Topic, Expect::Success, |scene, _| by_name(&scene.topic)),
    DELETES.case(
        (1, 5),
        "unknown, by name",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| by_name(&scene.absent()),
    ),
    DELETES.case((6, 6), "by name", Given::Topic, Expect::Success, |scene, _| {
        states(vec![DeleteTopicState::default().with_name(Some(topic_name(&scene.topic)))])
    }),
    DELETES.case(
        (6, 6),
        "unknown, by name",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| states(vec![DeleteTopicState::default().with_name(Some(topic_name(&scene.absent())))]),
    ),
    DELETES.case((6, 6), "by id", Given::Topic, Expect::Success, |scene, _| {
        states(vec![DeleteTopicState::default().with_name(None).with_topic_id(scene.topic_id)])
    }),
    DELETES.case((6, 6), "unknown, by id", Given::Nothing, Expect::Error(Error::UnknownTopicId), |_, _| {
        states(vec![DeleteTopicState::default().with_name(None).with_topic_id(NO_ID)])
    }),
    DELETES.case((6, 6), "by name and id", Given::Topic, Expect::Error(Error::InvalidRequest), |scene, _| {
        let state = DeleteTopicState::default().with_name(Some(topic_name(&scene.topic)));
        states(vec![state.with_topic_id(scene.topic_id)])
    }),
    DELETES.case((1, 5), "twice in one request", Given::Topic, Expect::Compared, |scene, _| {
        let names = vec![topic_name(&scene.topic), topic_name(&scene.topic)];
        Box::new(DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(10_000))
    }),
    DELETES.case((6, 6), "twice in one request", Given::Topic, Expect::Compared, |scene, _| {
        let state = DeleteTopicState::default().with_name(Some(topic_name(&scene.topic)));
        states(vec![state.clone(), state])
    }),
    GROWS.case(
        (0, 3),
        "twice in one request",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, _| {
            let entry = CreatePartitionsTopic::default().with_name(topic_name(&scene.topic)).with_count(3);
            let entry = entry.with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![entry.clone(), entry]);
            Box::new(request.with_timeout_ms(10_000))
        },
    ),
    GROWS.case((0, 3), "to three", Given::Topic, Expect::Success, |scene, _| grow(&scene.topic, 3)),
    GROWS.case(
        (0, 3),
        "to what it has",
        Given::Topic,
        Expect::Error(Error::InvalidPartitions),
        |scene, _| grow(&scene.topic, 1),
    ),
    GROWS.case((0, 3), "to fewer", Given::Topic, Expect::Error(Error::InvalidPartitions), |scene, _| {
        grow(&scene.topic, 0)
    }),
    GROWS.case(
        (0, 3),
        "an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| grow(&scene.absent(), 3),
    ),
    GROWS.case(
        (0, 3),
        "on nodes that are not there",
        Given::Topic,
        Expect::Error(Error::InvalidReplicaAssignment),
        |scene, _| {
            let nodes = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(123_456)]);
            let entry = CreatePartitionsTopic::default().with_name(topic_name(&scene.topic)).with_count(2);
            grow_as(entry.with_assignments(Some(vec![nodes])))
        },
    ),
    GROWS.case(
        (0, 3),
        "on too few nodes",
        Given::Topic,
        Expect::Error(Error::InvalidReplicaAssignment),
        |scene, _| {
            let entry = CreatePartitionsTopic::default().with_name(topic_name(&scene.topic)).with_count(3);
            grow_as(entry.with_assignments(Some(vec![CreatePartitionsAssignment::default()])))
        },
    ),
    GROWS.case((0, 3), "only to see whether it could be", Given::Topic, Expect::Success, |scene, _| {
        let entry = CreatePartitionsTopic::default().with_name(topic_name(&scene.topic)).with_count(3);
        let entry = entry.with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000);
        Box::new(request.with_validate_only(true))
    }),
];

fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
}

fn with(topic: CreatableTopic, name: &str, value: &str) -> CreatableTopic {
    topic.with_configs(vec![
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))),
    ])
}

fn assigned(topic: CreatableTopic, node: i32) -> CreatableTopic {
    let place =
        CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(vec![BrokerId(node)]);
    topic.with_replication_factor(-1).with_assignments(vec![place])
}

fn request(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000)
}

fn create(topic: CreatableTopic) -> Box<dyn Ask> {
    Box::new(request(vec![topic]))
}

fn by_name(name: &str) -> Box<dyn Ask> {
    Box::new(DeleteTopicsRequest::default().with_topic_names(vec![topic_name(name)]).with_timeout_ms(10_000))
}

fn states(topics: Vec<DeleteTopicState>) -> Box<dyn Ask> {
    Box::new(DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000))
}

fn grow(name: &str, count: i32) -> Box<dyn Ask> {
    let entry = CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count);
    grow_as(entry.with_assignments(None))
}

fn grow_as(entry: CreatePartitionsTopic) -> Box<dyn Ask> {
    Box::new(CreatePartitionsRequest::default().with_topics(vec![entry]).with_timeout_ms(10_000))
}
