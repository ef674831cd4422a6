//! Committed offsets.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::{ApiKey, OffsetCommitRequest};
use uuid::Uuid;

use super::super::case::{Case, Expect, Of};
use super::super::endpoint::text;
use super::super::newer::{Commit, Committed};
use super::super::requests::{commit, committed};
use super::super::scene::{Given, Scene};
use super::cluster::NO_ID;

const COMMITS: Of = Of(ApiKey::OffsetCommit);
const FETCHES: Of = Of(ApiKey::OffsetFetch);

const WRITES: (i16, i16) = (2, 10);
const READS: (i16, i16) = (1, 10);

pub(super) const CASES: &[Case] = &[
    COMMITS.case(WRITES, "by a member", Given::Member, Expect::Success, |scene, version| {
        Box::new(Commit(commit(scene, &scene.topic, 0, 3, "note", version), id(scene)))
    }),
    COMMITS.case(WRITES, "by nobody for a new group", Given::Topic, Expect::Success, |scene, version| {
        Box::new(Commit(commit(scene, &scene.topic, 0, 3, "note", version), id(scene)))
    }),
    COMMITS.case(
        WRITES,
        "by nobody while there is a member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, version| {
            let nobody = Scene { member: String::new(), generation: -1, ..scene.clone() };
            Box::new(Commit(commit(&nobody, &scene.topic, 0, 3, "note", version), id(scene)))
        },
    ),
    COMMITS.case(
        WRITES,
        "by an unknown member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, version| {
            let unknown = Scene { member: "nobody".to_owned(), ..scene.clone() };
            Box::new(Commit(commit(&unknown, &scene.topic, 0, 3, "note", version), id(scene)))
        },
    ),
    COMMITS.case(
        WRITES,
        "of another generation",
        Given::Member,
        Expect::Error(Error::IllegalGeneration),
        |scene, version| {
            let other = Scene { generation: scene.generation + 1, ..scene.clone() };
            Box::new(Commit(commit(&other, &scene.topic, 0, 3, "note", version), id(scene)))
        },
    ),
    COMMITS.case(
        WRITES,
        "by a member of an unknown group",
        Given::Topic,
        Expect::Compared,
        |scene, version| {
            let unknown = Scene { member: "nobody".to_owned(), generation: 3, ..scene.clone() };
            Box::new(Commit(commit(&unknown, &scene.topic, 0, 3, "note", version), id(scene)))
        },
    ),
    COMMITS.case(
        (2, 9),
        "of an unknown topic",
        Given::Member,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| Box::new(Commit(commit(scene, &scene.absent(), 0, 3, "note", version), id(scene))),
    ),
    COMMITS.case(
        (10, 10),
        "of an unknown topic",
        Given::Member,
        Expect::Error(Error::UnknownTopicId),
        |scene, version| Box::new(Commit(commit(scene, &scene.topic, 0, 3, "note", version), NO_ID)),
    ),
    COMMITS.case(
        WRITES,
        "of an unknown partition",
        Given::Member,
        Expect::Error(Error::UnknownTopicOrPartition),
        |scene, version| Box::new(Commit(commit(scene, &scene.topic, 7, 3, "note", version), id(scene))),
    ),
    COMMITS.case(
        WRITES,
        "with a note that is too long",
        Given::Member,
        Expect::Error(Error::OffsetMetadataTooLarge),
        |scene, version| {
            Box::new(Commit(commit(scene, &scene.topic, 0, 3, &"n".repeat(5000), version), id(scene)))
        },
    ),
    COMMITS.case(WRITES, "without a group", Given::Topic, Expect::Success, |scene, version| {
        let unnamed = Scene { group: String::new(), ..scene.clone() };
        Box::new(Commit(commit(&unnamed, &scene.topic, 0, 3, "note", version), id(scene)))
    }),
    COMMITS.case(WRITES, "of nothing", Given::Member, Expect::Success, |scene, version| {
        Box::new(Commit(commit(scene, &scene.topic, 0, 3, "note", version).with_topics(vec![]), id(scene)))
    }),
    COMMITS.case(
        (7, 10),
        "by a static member with another's id",
        Given::StaticMember,
        Expect::Error(Error::FencedInstanceId),
        |scene, version| {
            let other = Scene { member: "nobody".to_owned(), ..scene.clone() };
            Box::new(Commit(named(commit(&other, &scene.topic, 0, 3, "note", version)), id(scene)))
        },
    ),
    COMMITS.case((7, 10), "by a static member", Given::StaticMember, Expect::Success, |scene, version| {
        Box::new(Commit(named(commit(scene, &scene.topic, 0, 3, "note", version)), id(scene)))
    }),
    COMMITS.case(
        WRITES,
        "by a member of a consumer group, of an older epoch",
        Given::Consumer,
        Expect::Compared,
        |scene, version| {
            let older = Scene { generation: scene.generation - 1, ..scene.clone() };
            Box::new(Commit(commit(&older, &scene.topic, 0, 3, "note", version), id(scene)))
        },
    ),
    FETCHES.case(
        (9, 10),
        "by a member of a consumer group, of an older epoch",
        Given::Consumer,
        Expect::Error(Error::StaleMemberEpoch),
        |scene, version| {
            let mut request = committed(&scene.group, Some((&scene.topic, &[0])), false, version);
            for group in &mut request.groups {
                group.member_id = Some(text(&scene.member));
                group.member_epoch = scene.generation - 1;
            }
            Box::new(Committed(request, id(scene)))
        },
    ),
    FETCHES.case(READS, "of a committed partition", Given::Committed, Expect::Success, |scene, version| {
        Box::new(Committed(committed(&scene.group, Some((&scene.topic, &[0])), false, version), id(scene)))
    }),
    FETCHES.case(
        READS,
        "of a group without members",
        Given::EmptyGroup,
        Expect::Success,
        |scene, version| {
            Box::new(Committed(
                committed(&scene.group, Some((&scene.topic, &[0])), false, version),
                id(scene),
            ))
        },
    ),
    FETCHES.case(
        READS,
        "of a partition that was not committed",
        Given::Committed,
        Expect::Success,
        |scene, version| {
            Box::new(Committed(
                committed(&scene.group, Some((&scene.topic, &[0, 7])), false, version),
                id(scene),
            ))
        },
    ),
    FETCHES.case((2, 10), "of all partitions", Given::Committed, Expect::Success, |scene, version| {
        Box::new(Committed(committed(&scene.group, None, false, version), id(scene)))
    }),
    FETCHES.case(READS, "of an unknown group", Given::Nothing, Expect::Compared, |scene, version| {
        Box::new(Committed(committed(&scene.group, Some((&scene.topic, &[0])), false, version), id(scene)))
    }),
    FETCHES.case(
        (2, 10),
        "of all partitions of an unknown group",
        Given::Nothing,
        Expect::Compared,
        |scene, version| Box::new(Committed(committed(&scene.group, None, false, version), id(scene))),
    ),
    FETCHES.case((7, 10), "of what is stable", Given::Committed, Expect::Success, |scene, version| {
        Box::new(Committed(committed(&scene.group, Some((&scene.topic, &[0])), true, version), id(scene)))
    }),
    FETCHES.case(READS, "without a group", Given::Nothing, Expect::Compared, |scene, version| {
        Box::new(Committed(committed("", Some((&scene.topic, &[0])), false, version), id(scene)))
    }),
    FETCHES.case(
        (9, 10),
        "by a member that a classic group does not have",
        Given::Committed,
        Expect::Compared,
        |scene, version| {
            let mut request = committed(&scene.group, Some((&scene.topic, &[0])), false, version);
            for group in &mut request.groups {
                group.member_id = Some(text("nobody"));
                group.member_epoch = 3;
            }
            Box::new(Committed(request, id(scene)))
        },
    ),
];

/// The topic's id; of one that was not made, an id that nobody has.
fn id(scene: &Scene) -> Uuid {
    if scene.topic_id.is_nil() { NO_ID } else { scene.topic_id }
}

fn named(request: OffsetCommitRequest) -> OffsetCommitRequest {
    request.with_group_instance_id(Some(text("static")))
}
