//! Classic groups: joining, staying, leaving, and what administrators see of them.

use kafka_protocol::ResponseError as Error;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, LeaveGroupRequest,
    ListGroupsRequest,
};

use super::super::case::{Case, Expect, Of, case};
use super::super::endpoint::text;
use super::super::newer::Deletion;
use super::super::requests::{group_id, heartbeat, join, sync};
use super::super::scene::{Given, Scene};
use super::super::wire::Ask;

const JOINS: Of = Of(ApiKey::JoinGroup);
const SYNCS: Of = Of(ApiKey::SyncGroup);
const BEATS: Of = Of(ApiKey::Heartbeat);
const LEAVES: Of = Of(ApiKey::LeaveGroup);

pub(super) const JOINING: &[Case] = &[
    JOINS.case((0, 3), "a new member", Given::Nothing, Expect::Success, |scene, version| {
        Box::new(join(&scene.group, "", None, "range", version))
    }),
    JOINS.case(
        (4, 9),
        "a new member",
        Given::Nothing,
        Expect::Error(Error::MemberIdRequired),
        |scene, version| Box::new(join(&scene.group, "", None, "range", version)),
    ),
    JOINS.case((5, 9), "a new static member", Given::Nothing, Expect::Success, |scene, version| {
        Box::new(join(&scene.group, "", Some("static"), "range", version))
    }),
    JOINS.case((0, 9), "a member again", Given::Member, Expect::Success, |scene, version| {
        Box::new(join(&scene.group, &scene.member, None, "range", version))
    }),
    JOINS.case(
        (5, 9),
        "a static member in the place of another",
        Given::StaticMember,
        Expect::Success,
        |scene, version| Box::new(join(&scene.group, "", Some("static"), "range", version)),
    ),
    JOINS.case(
        (5, 9),
        "a static member with another's id",
        Given::StaticMember,
        Expect::Error(Error::FencedInstanceId),
        |scene, version| Box::new(join(&scene.group, "nobody", Some("static"), "range", version)),
    ),
    JOINS.case(
        (0, 9),
        "an unknown member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, version| Box::new(join(&scene.group, "nobody", None, "range", version)),
    ),
    JOINS.case(
        (0, 9),
        "without a group",
        Given::Nothing,
        Expect::Error(Error::InvalidGroupId),
        |_, version| Box::new(join("", "", None, "range", version)),
    ),
    JOINS.case(
        (0, 9),
        "a session shorter than allowed",
        Given::Nothing,
        Expect::Error(Error::InvalidSessionTimeout),
        |scene, version| Box::new(join(&scene.group, "", None, "range", version).with_session_timeout_ms(1)),
    ),
    JOINS.case(
        (0, 9),
        "a session longer than allowed",
        Given::Nothing,
        Expect::Error(Error::InvalidSessionTimeout),
        |scene, version| {
            Box::new(join(&scene.group, "", None, "range", version).with_session_timeout_ms(i32::MAX))
        },
    ),
    JOINS.case(
        (0, 9),
        "a protocol that the others lack",
        Given::Member,
        Expect::Error(Error::InconsistentGroupProtocol),
        |scene, version| Box::new(join(&scene.group, "", None, "other", version)),
    ),
    JOINS.case(
        (0, 9),
        "without a protocol",
        Given::Nothing,
        Expect::Error(Error::InconsistentGroupProtocol),
        |scene, version| Box::new(join(&scene.group, "", None, "range", version).with_protocols(vec![])),
    ),
    JOINS.case((0, 9), "into a consumer group", Given::Consumer, Expect::Compared, |scene, version| {
        Box::new(join(&scene.group, "", None, "range", version))
    }),
    JOINS.case(
        (0, 9),
        "of another kind of protocol",
        Given::Member,
        Expect::Error(Error::InconsistentGroupProtocol),
        |scene, version| {
            Box::new(join(&scene.group, "", None, "range", version).with_protocol_type(text("connect")))
        },
    ),
    SYNCS.case(
        (0, 5),
        "without a group",
        Given::Nothing,
        Expect::Error(Error::InvalidGroupId),
        |_, version| Box::new(sync("", "nobody", 1, None, &[], version)),
    ),
    SYNCS.case((0, 5), "a member again", Given::Member, Expect::Success, |scene, version| {
        Box::new(sync(&scene.group, &scene.member, scene.generation, None, &[], version))
    }),
    SYNCS.case(
        (0, 5),
        "an unknown member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, version| Box::new(sync(&scene.group, "nobody", scene.generation, None, &[], version)),
    ),
    SYNCS.case(
        (0, 5),
        "another generation",
        Given::Member,
        Expect::Error(Error::IllegalGeneration),
        |scene, version| {
            Box::new(sync(&scene.group, &scene.member, scene.generation + 1, None, &[], version))
        },
    ),
    SYNCS.case(
        (0, 5),
        "an unknown group",
        Given::Nothing,
        Expect::Error(Error::UnknownMemberId),
        |scene, version| Box::new(sync(&scene.group, "nobody", 1, None, &[], version)),
    ),
    SYNCS.case(
        (5, 5),
        "another protocol",
        Given::Member,
        Expect::Error(Error::InconsistentGroupProtocol),
        |scene, version| {
            let request = sync(&scene.group, &scene.member, scene.generation, None, &[], version);
            Box::new(request.with_protocol_name(Some(text("other"))))
        },
    ),
    SYNCS.case((5, 5), "without its protocol", Given::Member, Expect::Compared, |scene, version| {
        let request = sync(&scene.group, &scene.member, scene.generation, None, &[], version);
        Box::new(request.with_protocol_type(None).with_protocol_name(None))
    }),
    SYNCS.case(
        (3, 5),
        "a static member with another's id",
        Given::StaticMember,
        Expect::Error(Error::FencedInstanceId),
        |scene, version| {
            Box::new(sync(&scene.group, "nobody", scene.generation, Some("static"), &[], version))
        },
    ),
];

pub(super) const STAYING: &[Case] = &[
    BEATS.case((0, 4), "of a member", Given::Member, Expect::Success, |scene, _| {
        Box::new(heartbeat(&scene.group, &scene.member, scene.generation))
    }),
    BEATS.case((3, 4), "of a static member", Given::StaticMember, Expect::Success, |scene, _| {
        Box::new(named(&scene.group, &scene.member, scene.generation))
    }),
    BEATS.case(
        (0, 4),
        "of an unknown member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(heartbeat(&scene.group, "nobody", scene.generation)),
    ),
    BEATS.case(
        (0, 4),
        "of another generation",
        Given::Member,
        Expect::Error(Error::IllegalGeneration),
        |scene, _| Box::new(heartbeat(&scene.group, &scene.member, scene.generation + 1)),
    ),
    BEATS.case(
        (0, 4),
        "in an unknown group",
        Given::Nothing,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(heartbeat(&scene.group, "nobody", 1)),
    ),
    BEATS.case(
        (0, 4),
        "in an empty group",
        Given::EmptyGroup,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(heartbeat(&scene.group, "nobody", 0)),
    ),
    BEATS.case((0, 4), "without a group", Given::Nothing, Expect::Error(Error::InvalidGroupId), |_, _| {
        Box::new(heartbeat("", "nobody", 1))
    }),
    BEATS.case(
        (3, 4),
        "of a static member with another's id",
        Given::StaticMember,
        Expect::Error(Error::FencedInstanceId),
        |scene, _| Box::new(named(&scene.group, "nobody", scene.generation)),
    ),
    BEATS.case((0, 4), "of a member of a consumer group", Given::Consumer, Expect::Compared, |scene, _| {
        Box::new(heartbeat(&scene.group, &scene.member, scene.generation))
    }),
    LEAVES.case(
        (3, 5),
        "of a static member with another's id",
        Given::StaticMember,
        Expect::Error(Error::FencedInstanceId),
        |scene, _| Box::new(leave(scene).with_members(vec![identity("nobody", Some("static"))])),
    ),
    LEAVES.case((0, 2), "of a member", Given::Member, Expect::Success, |scene, _| {
        Box::new(leave(scene).with_member_id(text(&scene.member)))
    }),
    LEAVES.case(
        (0, 2),
        "of an unknown member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(leave(scene).with_member_id(text("nobody"))),
    ),
    LEAVES.case(
        (0, 2),
        "of an unknown group",
        Given::Nothing,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(leave(scene).with_member_id(text("nobody"))),
    ),
    LEAVES.case((3, 5), "of a member", Given::Member, Expect::Success, |scene, _| {
        Box::new(leave(scene).with_members(vec![identity(&scene.member, None)]))
    }),
    LEAVES.case(
        (3, 5),
        "of a static member by its name",
        Given::StaticMember,
        Expect::Success,
        |scene, _| Box::new(leave(scene).with_members(vec![identity("", Some("static"))])),
    ),
    LEAVES.case(
        (3, 5),
        "of a member and of one that is unknown",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| {
            Box::new(leave(scene).with_members(vec![identity("nobody", None), identity(&scene.member, None)]))
        },
    ),
    LEAVES.case(
        (3, 5),
        "of an unknown static member",
        Given::Member,
        Expect::Error(Error::UnknownMemberId),
        |scene, _| Box::new(leave(scene).with_members(vec![identity("", Some("unknown"))])),
    ),
    LEAVES.case((3, 5), "of nobody", Given::Member, Expect::Success, |scene, _| Box::new(leave(scene))),
    LEAVES.case((3, 5), "of an unknown group", Given::Nothing, Expect::Compared, |scene, _| {
        Box::new(leave(scene).with_members(vec![identity("nobody", None)]))
    }),
    LEAVES.case((3, 5), "without a group", Given::Nothing, Expect::Error(Error::InvalidGroupId), |_, _| {
        Box::new(LeaveGroupRequest::default().with_members(vec![identity("nobody", None)]))
    }),
];

pub(super) const SEEN: &[Case] = &[
    case(ApiKey::DescribeGroups, (0, 6), "with a member", Given::Member, Expect::Success, |scene, _| {
        describe(&scene.group)
    }),
    case(
        ApiKey::DescribeGroups,
        (4, 6),
        "with a static member",
        Given::StaticMember,
        Expect::Success,
        |scene, _| describe(&scene.group),
    ),
    case(
        ApiKey::DescribeGroups,
        (0, 6),
        "without members",
        Given::EmptyGroup,
        Expect::Success,
        |scene, _| describe(&scene.group),
    ),
    case(ApiKey::DescribeGroups, (0, 5), "unknown", Given::Nothing, Expect::Success, |scene, _| {
        describe(&scene.group)
    }),
    case(
        ApiKey::DescribeGroups,
        (6, 6),
        "unknown",
        Given::Nothing,
        Expect::Optional(Error::GroupIdNotFound),
        |scene, _| describe(&scene.group),
    ),
    case(
        ApiKey::DescribeGroups,
        (3, 6),
        "with what is allowed",
        Given::Member,
        Expect::Success,
        |scene, _| {
            let request = DescribeGroupsRequest::default().with_groups(vec![group_id(&scene.group)]);
            Box::new(request.with_include_authorized_operations(true))
        },
    ),
    case(ApiKey::ListGroups, (0, 5), "all", Given::Member, Expect::Success, |_, _| {
        Box::new(ListGroupsRequest::default())
    }),
    case(ApiKey::ListGroups, (4, 5), "in an unknown state", Given::Member, Expect::Success, |_, _| {
        Box::new(ListGroupsRequest::default().with_states_filter(vec![text("NoSuchState")]))
    }),
    case(ApiKey::ListGroups, (4, 5), "that are stable", Given::Member, Expect::Success, |_, _| {
        Box::new(ListGroupsRequest::default().with_states_filter(vec![text("Stable")]))
    }),
    case(ApiKey::ListGroups, (5, 5), "that are classic", Given::Member, Expect::Success, |_, _| {
        Box::new(ListGroupsRequest::default().with_types_filter(vec![text("classic")]))
    }),
    case(ApiKey::ListGroups, (5, 5), "of an unknown kind", Given::Member, Expect::Compared, |_, _| {
        Box::new(ListGroupsRequest::default().with_types_filter(vec![text("nonsense")]))
    }),
    case(ApiKey::DescribeGroups, (0, 6), "without a name", Given::Nothing, Expect::Compared, |_, _| {
        describe("")
    }),
    case(ApiKey::DeleteGroups, (0, 3), "without a name", Given::Nothing, Expect::Compared, |_, _| delete("")),
    case(
        ApiKey::DeleteGroups,
        (0, 3),
        "of the consumer protocol, with a member",
        Given::Consumer,
        Expect::Error(Error::NonEmptyGroup),
        |scene, _| delete(&scene.group),
    ),
    case(ApiKey::DeleteGroups, (0, 3), "without members", Given::EmptyGroup, Expect::Success, |scene, _| {
        delete(&scene.group)
    }),
    case(
        ApiKey::DeleteGroups,
        (0, 3),
        "with a member",
        Given::Member,
        Expect::Error(Error::NonEmptyGroup),
        |scene, _| delete(&scene.group),
    ),
    case(
        ApiKey::DeleteGroups,
        (0, 3),
        "unknown",
        Given::Nothing,
        Expect::Error(Error::GroupIdNotFound),
        |scene, _| delete(&scene.group),
    ),
];

fn named(group: &str, member: &str, generation: i32) -> HeartbeatRequest {
    heartbeat(group, member, generation).with_group_instance_id(Some(text("static")))
}

fn leave(scene: &Scene) -> LeaveGroupRequest {
    LeaveGroupRequest::default().with_group_id(group_id(&scene.group))
}

fn identity(member: &str, name: Option<&str>) -> MemberIdentity {
    MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(name.map(text))
}

fn describe(group: &str) -> Box<dyn Ask> {
    Box::new(DescribeGroupsRequest::default().with_groups(vec![group_id(group)]))
}

fn delete(group: &str) -> Box<dyn Ask> {
    Box::new(Deletion(DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)])))
}
