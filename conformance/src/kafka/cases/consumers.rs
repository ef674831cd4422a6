//! Groups of the consumer protocol (KIP-848).

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::{ApiKey, ConsumerGroupDescribeRequest};

use super::super::case::{Case, Expect, case};
use super::super::endpoint::text;
use super::super::requests::{consumer_heartbeat, consumer_owns, group_id};
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;

type Build = fn(&Scene, i16) -> Box<dyn Ask>;

const fn beats(name: &'static str, given: Given, expect: Expect, build: Build) -> Case {
    case(ApiKey::ConsumerGroupHeartbeat, (0, 1), name, given, expect, build)
}

const fn describes(name: &'static str, given: Given, expect: Expect, build: Build) -> Case {
    case(ApiKey::ConsumerGroupDescribe, (0, 1), name, given, expect, build)
}

pub(super) const CASES: &[Case] = &[
    beats("a new member", Given::Topic, Expect::Success, |scene, version| {
        Box::new(consumer_heartbeat(scene, "member", 0, version))
    }),
    beats("a member without news", Given::Consumer, Expect::Success, |scene, _| {
        Box::new(consumer_owns(scene, &scene.member, scene.generation, &[0, 1]))
    }),
    beats("a member that leaves", Given::Consumer, Expect::Success, |scene, _| {
        Box::new(consumer_owns(scene, &scene.member, -1, &[]).with_topic_partitions(None))
    }),
    beats("an unknown member", Given::Consumer, Expect::Error(Error::UnknownMemberId), |scene, _| {
        Box::new(consumer_owns(scene, "nobody", 3, &[]))
    }),
    beats(
        "a member of another epoch",
        Given::Consumer,
        Expect::Error(Error::FencedMemberEpoch),
        |scene, _| Box::new(consumer_owns(scene, &scene.member, scene.generation + 7, &[])),
    ),
    beats("an unknown group", Given::Nothing, Expect::Compared, |scene, _| {
        Box::new(consumer_owns(scene, "nobody", 3, &[]))
    }),
    beats("without a group", Given::Topic, Expect::Error(Error::InvalidRequest), |scene, version| {
        let unnamed = Scene { group: String::new(), ..scene.clone() };
        Box::new(consumer_heartbeat(&unnamed, "member", 0, version))
    }),
    beats(
        "an unknown assignor",
        Given::Topic,
        Expect::Error(Error::UnsupportedAssignor),
        |scene, version| {
            let request = consumer_heartbeat(scene, "member", 0, version);
            Box::new(request.with_server_assignor(Some(text("nonsense"))))
        },
    ),
    beats("no subscription", Given::Topic, Expect::Error(Error::InvalidRequest), |scene, version| {
        Box::new(consumer_heartbeat(scene, "member", 0, version).with_subscribed_topic_names(None))
    }),
    beats(
        "a new member that owns something",
        Given::Topic,
        Expect::Error(Error::InvalidRequest),
        |scene, version| {
            let owns = consumer_owns(scene, "member", 0, &[0]).topic_partitions;
            Box::new(consumer_heartbeat(scene, "member", 0, version).with_topic_partitions(owns))
        },
    ),
    beats("into a classic group that has members", Given::Member, Expect::Compared, |scene, version| {
        Box::new(consumer_heartbeat(scene, "member", 0, version))
    }),
    describes("with a member", Given::Consumer, Expect::Success, |scene, _| describe(&scene.group)),
    describes("unknown", Given::Nothing, Expect::Error(Error::GroupIdNotFound), |scene, _| {
        describe(&scene.group)
    }),
    describes("a classic group", Given::Member, Expect::Error(Error::GroupIdNotFound), |scene, _| {
        describe(&scene.group)
    }),
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
