//! What a client asks first: versions, metadata, coordinators, the cluster.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest,
};
use uuid::Uuid;

use super::super::case::{Case, Expect, case};
use super::super::endpoint::{text, topic_name};
use super::super::newer::{Versions, relabelled};
use super::super::scene::{Given, Scene};
use super::super::tree::Tree;
use super::super::wire::{Ask, WireError};

/// A topic id that nobody has.
pub(super) const NO_ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);

pub(super) const CASES: &[Case] = &[
    case(ApiKey::ApiVersions, (0, 5), "versions are told", Given::Nothing, Expect::Success, |_, version| {
        Box::new(Versions(versions("conformance", version), None))
    }),
    case(
        ApiKey::ApiVersions,
        (5, 5),
        "of another cluster and node",
        Given::Nothing,
        Expect::Error(ResponseError::RebootstrapRequired),
        |_, version| Box::new(Versions(versions("conformance", version), Some(("another-cluster", 123_456)))),
    ),
    case(
        ApiKey::ApiVersions,
        (5, 5),
        "of a cluster, without a node",
        Given::Nothing,
        Expect::Error(ResponseError::InvalidRequest),
        |_, version| Box::new(Versions(versions("conformance", version), Some(("another-cluster", -1)))),
    ),
    case(
        ApiKey::ApiVersions,
        (3, 5),
        "a software name with a space",
        Given::Nothing,
        Expect::Error(ResponseError::InvalidRequest),
        |_, version| Box::new(Versions(versions("not allowed", version), None)),
    ),
    case(
        ApiKey::ApiVersions,
        (0, 0),
        "in a version that nobody has",
        Given::Nothing,
        Expect::Error(ResponseError::UnsupportedVersion),
        |_, _| Box::new(UnknownVersion),
    ),
    case(ApiKey::Metadata, (0, 13), "one topic by name", Given::Topic, Expect::Success, |scene, version| {
        Box::new(metadata(Some(&[&scene.topic]), version))
    }),
    case(ApiKey::Metadata, (1, 13), "no topic", Given::Nothing, Expect::Success, |_, version| {
        Box::new(metadata(Some(&[]), version))
    }),
    case(
        ApiKey::Metadata,
        (4, 13),
        "an unknown topic, not to be made",
        Given::Nothing,
        Expect::Error(ResponseError::UnknownTopicOrPartition),
        |scene, version| Box::new(metadata(Some(&[&scene.absent()]), version)),
    ),
    case(
        ApiKey::Metadata,
        (4, 13),
        "a name that no topic can have",
        Given::Nothing,
        Expect::Error(ResponseError::InvalidTopicException),
        |_, version| Box::new(metadata(Some(&["not/allowed"]), version)),
    ),
    case(
        ApiKey::Metadata,
        (4, 13),
        "the same topic twice",
        Given::Topic,
        Expect::Success,
        |scene, version| Box::new(metadata(Some(&[&scene.topic, &scene.topic]), version)),
    ),
    case(ApiKey::Metadata, (12, 13), "one topic by id", Given::Topic, Expect::Success, |scene, _| {
        Box::new(metadata_by_id(scene.topic_id))
    }),
    case(
        ApiKey::Metadata,
        (12, 13),
        "an unknown topic id",
        Given::Nothing,
        Expect::Error(ResponseError::UnknownTopicId),
        |_, _| Box::new(metadata_by_id(NO_ID)),
    ),
    case(
        ApiKey::Metadata,
        (8, 13),
        "with what is allowed on the topic",
        Given::Topic,
        Expect::Success,
        |scene, version| {
            let request = metadata(Some(&[&scene.topic]), version);
            Box::new(request.with_include_topic_authorized_operations(true))
        },
    ),
    case(ApiKey::FindCoordinator, (0, 6), "of a group", Given::Nothing, Expect::Success, |scene, version| {
        Box::new(coordinator(scene, &scene.group, 0, version))
    }),
    case(
        ApiKey::FindCoordinator,
        (1, 6),
        "of a transactional id",
        Given::Nothing,
        Expect::Success,
        |scene, version| Box::new(coordinator(scene, &scene.transaction, 1, version)),
    ),
    case(
        ApiKey::FindCoordinator,
        (0, 6),
        "of a group without a name",
        Given::Nothing,
        Expect::Compared,
        |scene, version| Box::new(coordinator(scene, "", 0, version)),
    ),
    case(
        ApiKey::FindCoordinator,
        (1, 6),
        "of an unknown kind",
        Given::Nothing,
        Expect::Error(ResponseError::InvalidRequest),
        |scene, version| Box::new(coordinator(scene, &scene.group, 7, version)),
    ),
    case(
        ApiKey::FindCoordinator,
        (1, 6),
        "of a transactional id without a name",
        Given::Nothing,
        Expect::Compared,
        |scene, version| Box::new(coordinator(scene, "", 1, version)),
    ),
    case(
        ApiKey::FindCoordinator,
        (6, 6),
        "of a share partition that is none",
        Given::Nothing,
        Expect::Compared,
        |scene, version| Box::new(coordinator(scene, "nonsense", 2, version)),
    ),
    case(
        ApiKey::FindCoordinator,
        (4, 6),
        "of two groups",
        Given::Nothing,
        Expect::Success,
        |scene, version| {
            let request = coordinator(scene, &scene.group, 0, version);
            Box::new(request.with_coordinator_keys(vec![text(&scene.group), text(&scene.absent())]))
        },
    ),
    case(ApiKey::DescribeCluster, (0, 2), "brokers", Given::Nothing, Expect::Success, |_, _| {
        Box::new(DescribeClusterRequest::default())
    }),
    case(
        ApiKey::DescribeCluster,
        (0, 2),
        "with what is allowed on the cluster",
        Given::Nothing,
        Expect::Success,
        |_, _| Box::new(DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)),
    ),
    case(
        ApiKey::DescribeCluster,
        (1, 2),
        "controllers, of a broker",
        Given::Nothing,
        Expect::Error(ResponseError::MismatchedEndpointType),
        |_, _| Box::new(DescribeClusterRequest::default().with_endpoint_type(2)),
    ),
    case(
        ApiKey::DescribeCluster,
        (1, 2),
        "endpoints of an unknown kind",
        Given::Nothing,
        Expect::Error(ResponseError::UnsupportedEndpointType),
        |_, _| Box::new(DescribeClusterRequest::default().with_endpoint_type(9)),
    ),
];

/// ApiVersions in a version far above all: to be answered in the form of version 0, whatever was asked.
struct UnknownVersion;

impl Ask for UnknownVersion {
    fn key(&self) -> i16 {
        ApiKey::ApiVersions as i16
    }

    fn frame(&self, _: i16, correlation: i32) -> Result<Bytes, WireError> {
        let known = versions("conformance", 3).frame(3, correlation)?;
        Ok(relabelled(&known, 99))
    }

    fn answer(&self, body: Bytes, _: i16) -> Result<Tree, WireError> {
        ApiVersionsRequest::default().answer(body, 0)
    }
}

fn versions(name: &str, version: i16) -> ApiVersionsRequest {
    let request = ApiVersionsRequest::default();
    if version < 3 {
        return request;
    }
    request.with_client_software_name(text(name)).with_client_software_version(text("1.0"))
}

fn metadata(topics: Option<&[&str]>, version: i16) -> MetadataRequest {
    let entry = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let topics = topics.map(|topics| topics.iter().map(entry).collect());
    let request = MetadataRequest::default().with_topics(topics);
    if version >= 4 { request.with_allow_auto_topic_creation(false) } else { request }
}

fn metadata_by_id(id: Uuid) -> MetadataRequest {
    let entry = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    MetadataRequest::default().with_topics(Some(vec![entry])).with_allow_auto_topic_creation(false)
}

fn coordinator(_: &Scene, key: &str, kind: i8, version: i16) -> FindCoordinatorRequest {
    let request = if version >= 4 {
        FindCoordinatorRequest::default().with_coordinator_keys(vec![text(key)])
    } else {
        FindCoordinatorRequest::default().with_key(text(key))
    };
    if version >= 1 { request.with_key_type(kind) } else { request }
}
