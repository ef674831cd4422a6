//! DescribeGroups, ListGroups, DeleteGroups, and messages that are none of these.

use bytes::Bytes;

use super::host::{Host, Member, code};
use super::{GROUP, is, stable};
use crate::codec::messages::{
    ApiVersionsRequest, DeleteGroupsRequest, DescribeGroupsRequest, JoinGroupResponse, ListGroupsRequest,
};
use crate::coordinator::group::Limits;
use crate::errors::ErrorCode;

#[test]
fn a_stable_group_is_described_with_its_members() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    let request = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    for version in 0..=6 {
        let described = &host.call(version, &request).groups[0];
        assert_eq!((described.error_code, described.group_state.as_str()), (0, "Stable"));
        assert_eq!(
            (described.protocol_type.as_str(), described.protocol_data.as_str()),
            ("consumer", "range")
        );
        assert_eq!(described.members.len(), 2);
        let mine = described.members.iter().find(|one| one.member_id == members[1].id.as_str()).unwrap();
        assert_eq!((mine.client_id.as_str(), mine.client_host.as_str()), ("c1", "/127.0.0.1"));
        assert_eq!(mine.member_metadata, members[1].protocols[0].1);
        assert_eq!(mine.member_assignment, format!("for {}", members[1].id).into_bytes());
    }
    let _join = members[0].send_join(&mut host);
    let described = &host.call(5, &request).groups[0];
    assert_eq!(described.group_state.as_str(), "PreparingRebalance");
    // What a member owns is shown until something else is assigned; Kafka 3 hid it, Kafka 4 does not.
    assert!(described.members.iter().all(|member| member.member_metadata.is_empty()));
    assert!(described.members.iter().all(|member| !member.member_assignment.is_empty()));
}

#[test]
fn a_group_that_is_not_there_is_dead_or_not_found() {
    let mut host = Host::new();
    let request = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    let described = host.call(5, &request).groups[0].clone();
    assert_eq!((described.error_code, described.group_state.as_str()), (0, "Dead"));
    let described = host.call(6, &request).groups[0].clone();
    assert!(is(described.error_code, ErrorCode::GroupIdNotFound));
    assert!(described.error_message.is_some());
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut host = Host::new();
    let _members = stable(&mut host, 1);
    let mut other = super::host::commit_request(-1, "", "orders", 0, 1);
    other.group_id = "simple".into();
    host.call(8, &other);
    let list = |host: &mut Host, states: &[&str], types: &[&str]| -> Vec<String> {
        let request = ListGroupsRequest {
            states_filter: states.iter().map(|one| (*one).into()).collect(),
            types_filter: types.iter().map(|one| (*one).into()).collect(),
            ..Default::default()
        };
        let response = host.call(5, &request);
        let one = |group: &crate::codec::messages::list_groups_response::ListedGroup| {
            format!("{} {} {} {}", group.group_id, group.protocol_type, group.group_state, group.group_type)
        };
        response.groups.iter().map(one).collect()
    };
    let (stable, simple) = ("billing consumer Stable classic", "simple  Empty classic");
    assert_eq!(list(&mut host, &[], &[]), [stable, simple]);
    assert_eq!(list(&mut host, &["stable"], &[]), [stable]);
    assert_eq!(list(&mut host, &["Empty", "Dead"], &["Classic"]), [simple]);
    assert!(list(&mut host, &[], &["consumer", "share"]).is_empty());
    for version in 0..=4 {
        assert_eq!(host.call(version, &ListGroupsRequest::default()).groups.len(), 2);
    }
}

#[test]
fn only_empty_groups_are_deleted_and_with_all_they_have() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    assert_eq!(members[0].commit(&mut host, 0, 3), ErrorCode::None);
    let request =
        DeleteGroupsRequest { groups_names: vec![GROUP.into(), "nobody".into()], ..Default::default() };
    let codes = |host: &mut Host| -> Vec<ErrorCode> {
        host.call(3, &request).results.iter().map(|result| code(result.error_code)).collect()
    };
    assert_eq!(codes(&mut host), [ErrorCode::NonEmptyGroup, ErrorCode::GroupIdNotFound]);
    assert_eq!(members[0].leave(&mut host), ErrorCode::None);
    host.is_held = true;
    let deletion = host.send(2, "admin", &request);
    let join = Member::new("late").send_join(&mut host);
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::CoordinatorLoadInProgress));
    assert_eq!(host.commit(-1, "", 0, 4), ErrorCode::CoordinatorLoadInProgress);
    host.refusal = Some(kernel_model::KernelError::Full);
    host.release();
    let results: crate::codec::messages::DeleteGroupsResponse = host.take(deletion, 2);
    assert!(is(results.results[0].error_code, ErrorCode::CoordinatorNotAvailable));
    assert_eq!(host.offset(0), 3, "the group goes on");
    host.refusal = None;
    assert_eq!(codes(&mut host), [ErrorCode::None, ErrorCode::GroupIdNotFound]);
    assert!(host.keys.0.is_empty());
    assert_eq!(host.offset(0), -1);
    assert_eq!(stable(&mut host, 1)[0].generation, 1, "a new group of the same name");
}

#[test]
fn the_number_of_groups_is_bounded() {
    let mut host = Host::with(Limits { groups_max: 1, ..Limits::default() });
    let mut first = Member::new("a");
    first.obtain_id(&mut host);
    let mut request = Member::new("b").request();
    request.group_id = "another".into();
    assert!(is(host.call(9, &request).error_code, ErrorCode::CoordinatorNotAvailable));
}

#[test]
fn what_cannot_be_read_is_answered_with_nothing() {
    let mut host = Host::new();
    let messages: [&[u8]; 6] =
        [b"", b"\0", b"\0\x05abc", b"\0\x01\xff\0\x0b\0\0", b"\xff\xff", b"\xff\xff\x01\0\0"];
    for message in messages {
        let message = host.send_bytes(Bytes::from_static(message));
        assert!(host.take_bytes(message).is_empty());
    }
    let message = host.send(0, "c", &ApiVersionsRequest::default());
    assert!(host.take_bytes(message).is_empty());
}

#[test]
fn every_prefix_of_a_message_is_answered_once() {
    let mut host = Host::new();
    let framed = crate::codec::frame::request_frame(9, 1, Some("c".into()), &Member::new("a").request());
    let mut whole = vec![0, 1, b'h'];
    whole.extend_from_slice(&framed.unwrap()[4..]);
    for end in 0..whole.len() {
        let message = host.send_bytes(Bytes::copy_from_slice(&whole[..end]));
        assert!(host.take_bytes(message).is_empty(), "prefix of {end} bytes");
    }
    let message = host.send_bytes(whole.into());
    assert!(!host.take_bytes(message).is_empty());
}

/// Asks in every version, and reads the answer in the same.
fn in_every_version<R: crate::codec::Request>(
    host: &mut Host,
    versions: std::ops::RangeInclusive<i16>,
    request: impl Fn(i16) -> R,
) {
    for version in versions {
        let message = host.send(version, "c", &request(version));
        host.advance(std::time::Duration::from_secs(6));
        let _readable: R::Response = host.take(message, version);
    }
}

#[test]
fn every_version_that_is_served_is_answered_in_its_own_form() {
    use crate::codec::messages::{
        HeartbeatRequest, LeaveGroupRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
    };
    let mut host = Host::new();
    let _members = stable(&mut host, 2);
    let join = Member::new("a").request();
    in_every_version(&mut host, 0..=9, |version| crate::codec::messages::JoinGroupRequest {
        group_id: format!("join{version}").as_str().into(),
        rebalance_timeout_ms: if version == 0 { -1 } else { join.rebalance_timeout_ms },
        ..join.clone()
    });
    let group_id = || GROUP.into();
    in_every_version(&mut host, 0..=5, |_| SyncGroupRequest { group_id: group_id(), ..Default::default() });
    in_every_version(&mut host, 0..=4, |_| HeartbeatRequest { group_id: group_id(), ..Default::default() });
    in_every_version(&mut host, 0..=5, |_| LeaveGroupRequest { group_id: group_id(), ..Default::default() });
    in_every_version(&mut host, 2..=9, |_| super::host::commit_request(-1, "", "orders", 0, 1));
    in_every_version(&mut host, 1..=9, |_| OffsetFetchRequest {
        topics: Some(Vec::new()),
        ..Default::default()
    });
    in_every_version(&mut host, 0..=0, |_| OffsetDeleteRequest { group_id: group_id(), topics: Vec::new() });
    in_every_version(&mut host, 0..=3, |_| DeleteGroupsRequest {
        groups_names: vec![GROUP.into()],
        ..Default::default()
    });
}
