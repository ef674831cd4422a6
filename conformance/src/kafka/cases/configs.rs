//! Settings: read and changed.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{ApiKey, DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::super::case::{Case, Expect, Of};
use super::super::endpoint::text;
use super::super::scene::Given;
use super::super::wire::Ask;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const READS: Of = Of(ApiKey::DescribeConfigs);
const CHANGES: Of = Of(ApiKey::IncrementalAlterConfigs);

const SETTINGS: Given = Given::TopicWith(&[("retention.ms", "86400000")]);
const COMPACTED: Given = Given::TopicWith(&[("cleanup.policy", "compact,delete")]);

pub(super) const CASES: &[Case] = &[
    READS.case((1, 4), "of a topic, by name", SETTINGS, Expect::Success, |scene, _| {
        read(
            TOPIC,
            &scene.topic,
            Some(&["retention.ms", "cleanup.policy", "max.message.bytes", "compression.type"]),
        )
    }),
    READS.case((1, 4), "of a compacted topic", COMPACTED, Expect::Success, |scene, _| {
        read(TOPIC, &scene.topic, Some(&["cleanup.policy"]))
    }),
    READS.case((1, 4), "of a topic, one that does not exist", SETTINGS, Expect::Success, |scene, _| {
        read(TOPIC, &scene.topic, Some(&["no.such.setting"]))
    }),
    READS.case((1, 4), "of a topic, all names", SETTINGS, Expect::Success, |scene, _| {
        read(TOPIC, &scene.topic, None)
    }),
    READS.case((1, 4), "of a topic, with synonyms", SETTINGS, Expect::Success, |scene, _| {
        let request = described(TOPIC, &scene.topic, Some(&["retention.ms"]));
        Box::new(request.with_include_synonyms(true))
    }),
    READS.case(
        (1, 4),
        "of an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| read(TOPIC, &scene.absent(), None),
    ),
    READS.case(
        (1, 4),
        "of a topic that cannot be",
        Given::Nothing,
        Expect::Error(Error::InvalidTopicException),
        |_, _| read(TOPIC, "not/allowed", None),
    ),
    READS.case(
        (1, 4),
        "of a broker that is not there",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |_, _| read(BROKER, "123456", None),
    ),
    READS.case(
        (1, 4),
        "of a broker that is no number",
        Given::Nothing,
        Expect::Error(Error::InvalidRequest),
        |_, _| read(BROKER, "first", None),
    ),
    READS.case((1, 4), "of an unknown kind", Given::Nothing, Expect::Error(Error::InvalidRequest), |_, _| {
        read(99, "x", None)
    }),
    CHANGES.case((0, 1), "one is set", Given::Topic, Expect::Success, |scene, _| {
        change(&scene.topic, vec![to("retention.ms", SET, Some("1000"))])
    }),
    CHANGES.case((0, 1), "one goes back to its default", SETTINGS, Expect::Success, |scene, _| {
        change(&scene.topic, vec![to("retention.ms", DELETE, None)])
    }),
    CHANGES.case((0, 1), "a list grows", Given::Topic, Expect::Success, |scene, _| {
        change(&scene.topic, vec![to("cleanup.policy", APPEND, Some("compact"))])
    }),
    CHANGES.case((0, 1), "a list shrinks", COMPACTED, Expect::Success, |scene, _| {
        change(&scene.topic, vec![to("cleanup.policy", SUBTRACT, Some("delete"))])
    }),
    CHANGES.case((0, 1), "only to see whether it could be", Given::Topic, Expect::Success, |scene, _| {
        Box::new(altered(&scene.topic, vec![to("retention.ms", SET, Some("1000"))]).with_validate_only(true))
    }),
    CHANGES.case(
        (0, 1),
        "of an unknown topic",
        Given::Nothing,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, _| change(&scene.absent(), vec![to("retention.ms", SET, Some("1000"))]),
    ),
    CHANGES.case((0, 1), "an unknown one", Given::Topic, Expect::Error(Error::InvalidConfig), |scene, _| {
        change(&scene.topic, vec![to("no.such.setting", SET, Some("1"))])
    }),
    CHANGES.case(
        (0, 1),
        "a value out of range",
        Given::Topic,
        Expect::Error(Error::InvalidConfig),
        |scene, _| change(&scene.topic, vec![to("retention.ms", SET, Some("much"))]),
    ),
    CHANGES.case((0, 1), "a number grows", Given::Topic, Expect::Error(Error::InvalidConfig), |scene, _| {
        change(&scene.topic, vec![to("retention.ms", APPEND, Some("1"))])
    }),
    CHANGES.case(
        (0, 1),
        "without a value",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, _| change(&scene.topic, vec![to("retention.ms", SET, None)]),
    ),
    CHANGES.case((0, 1), "one twice", Given::Topic, Expect::Error(Error::InvalidRequest), |scene, _| {
        change(&scene.topic, vec![to("retention.ms", SET, Some("1")), to("retention.ms", SET, Some("2"))])
    }),
    CHANGES.case((0, 1), "an unknown operation", Given::Topic, Expect::Compared, |scene, _| {
        change(&scene.topic, vec![to("retention.ms", 9, Some("1000"))])
    }),
    CHANGES.case(
        (0, 1),
        "the same topic twice",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, _| {
            let mut request = altered(&scene.topic, vec![to("retention.ms", SET, Some("1000"))]);
            request.resources.extend(request.resources.clone());
            Box::new(request)
        },
    ),
];

fn described(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

fn read(kind: i8, name: &str, keys: Option<&[&str]>) -> Box<dyn Ask> {
    Box::new(described(kind, name, keys))
}

fn to(name: &str, operation: i8, value: Option<&str>) -> AlterableConfig {
    AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(operation)
        .with_value(value.map(text))
}

fn altered(topic: &str, configs: Vec<AlterableConfig>) -> IncrementalAlterConfigsRequest {
    let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(topic));
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource.with_configs(configs)])
}

fn change(topic: &str, configs: Vec<AlterableConfig>) -> Box<dyn Ask> {
    Box::new(altered(topic, configs))
}
