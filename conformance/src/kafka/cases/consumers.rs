//! Groups of the consumer protocol (KIP-848).

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::{ApiKey, ConsumerGroupDescribeRequest};

use super::super::case::{Case, Expect, Of, case};
use super::super::endpoint::text;
use super::super::requests::{consumer_heartbeat, consumer_owns, group_id};
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;

const BEATS: Of = Of(ApiKey::ConsumerGroupHeartbeat);
const DESCRIBES: Of = Of(ApiKey::ConsumerGroupDescribe);

pub(super) const CASES: &[Case] = &[
    BEATS.case((0, 1), "a new member", Given::Topic, Expect::Success, |scene, version| {
        Box::new(consumer_heartbeat(scene, "member", 0, version))
    }),
    BEATS.case((0, 1), "a member without news", Given::Consumer, Expect::Success, |scene, _| {
        Box::new(consumer_owns(scene, &scene.member, scene.generation, &[0, 1]))
    }),
    BEATS.case((0, 1), "a member that leaves", Given::Consumer, Expect::Success, |scene, _| {
        Box::new(consumer_owns(scene, &scene.member, -1, &[]).with_topic_partitions(None))
    }),
    BEATS.case(
        (0, 1),
        "an unknown member",
        Given::Consumer,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(consumer_owns(scene, "nobody", 3, &[])),
    ),
    BEATS.case(
        (0, 1),
        "a member of another epoch",
        Given::Consumer,
        Expect::Error(Error::FencedMemberEpoch),
        |scene, _| Box::new(consumer_owns(scene, &scene.member, scene.generation + 7, &[])),
    ),
    BEATS.case((0, 1), "an unknown group", Given::Nothing, Expect::Compared, |scene, _| {
        Box::new(consumer_owns(scene, "nobody", 3, &[]))
    }),
    BEATS.case(
        (0, 1),
        "without a group",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            let unnamed = Scene { group: String::new(), ..scene.clone() };
            Box::new(consumer_heartbeat(&unnamed, "member", 0, version))
        },
    ),
    BEATS.case(
        (0, 1),
        "an unknown assignor",
        Given::Topic,
        Expect::Error(Error::UnsupportedAssignor),
        |scene, version| {
            let request = consumer_heartbeat(scene, "member", 0, version);
            Box::new(request.with_server_assignor(Some(text("nonsense"))))
        },
    ),
    BEATS.case(
        (0, 1),
        "no subscription",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            Box::new(consumer_heartbeat(scene, "member", 0, version).with_subscribed_topic_names(None))
        },
    ),
    BEATS.case(
        (0, 1),
        "a new member that owns something",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            let owns = consumer_owns(scene, "member", 0, &[0]).topic_partitions;
            Box::new(consumer_heartbeat(scene, "member", 0, version).with_topic_partitions(owns))
        },
    ),
    BEATS.case(
        (1, 1),
        "a pattern that is none",
        Given::Topic,
        Expect::Error(Error::InvalidRegularExpression),
        |scene, version| {
            let request = consumer_heartbeat(scene, "member", 0, version);
            Box::new(request.with_subscribed_topic_regex(Some(text("orders("))))
        },
    ),
    BEATS.case(
        (0, 1),
        "an empty static name",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            Box::new(consumer_heartbeat(scene, "member", 0, version).with_instance_id(Some(text(""))))
        },
    ),
    BEATS.case(
        (0, 1),
        "no rebalance time-out",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            Box::new(consumer_heartbeat(scene, "member", 0, version).with_rebalance_timeout_ms(-1))
        },
    ),
    BEATS.case(
        (0, 1),
        "an epoch that cannot be",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, _| Box::new(consumer_owns(scene, "member", -3, &[])),
    ),
    BEATS.case(
        (0, 1),
        "a static member that left for a while and was none",
        Given::Consumer,
        Expect::Compared,
        |scene, _| Box::new(consumer_owns(scene, &scene.member, -2, &[]).with_topic_partitions(None)),
    ),
    BEATS.case(
        (0, 1),
        "into a classic group that has members",
        Given::Member,
        Expect::Compared,
        |scene, version| Box::new(consumer_heartbeat(scene, "member", 0, version)),
    ),
    DESCRIBES
        .case((0, 1), "with a member", Given::Consumer, Expect::Success, |scene, _| describe(&scene.group)),
    DESCRIBES.case((0, 1), "unknown", Given::Nothing, Expect::Error(Error::GroupIdNotFound), |scene, _| {
        describe(&scene.group)
    }),
    DESCRIBES.case(
        (0, 1),
        "a classic group",
        Given::Member,
        Expect::Error(Error::GroupIdNotFound),
        |scene, _| describe(&scene.group),
    ),
    case(
        ApiKey::DescribeGroups,
        (5, 6),
        "a consumer group",
        Given::Consumer,
        Expect::Compared,
        |scene, _| {
            Box::new(
                kafka_protocol::messages::DescribeGroupsRequest::default()
                    .with_groups(vec![group_id(&scene.group)]),
            )
        },
    ),
];

fn describe(group: &str) -> Box<dyn Ask> {
    Box::new(ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]))
}
