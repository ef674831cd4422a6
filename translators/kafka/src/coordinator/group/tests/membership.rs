//! Dynamic members: joining, leaving, failing, and what zombies are told.

use std::time::Duration;

use kernel_model::KernelError;

use super::host::{Host, Member, code};
use super::{GROUP, REBALANCE, SESSION, complete_join, is, stable, subscription, sync_all};
use crate::codec::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use crate::coordinator::group::Limits;
use crate::errors::ErrorCode;

const HEARTBEAT: Duration = Duration::from_secs(3);

#[test]
fn first_rebalance_waits_for_more_members_and_then_everybody_is_in_one_generation() {
    let mut host = Host::new();
    let mut members = [Member::new("a"), Member::new("b")];
    members.iter_mut().for_each(|member| member.obtain_id(&mut host));
    let first = members[0].send_join(&mut host);
    host.advance(Duration::from_secs(2));
    let second = members[1].send_join(&mut host);
    // The second came during the first wait, so the group waits once more.
    host.advance(Duration::from_secs(2));
    assert!(!host.is_answered(first) && !host.is_answered(second));
    host.advance(Duration::from_secs(2));
    complete_join(&mut host, &mut members, &[first, second]);
    assert_eq!(members[0].generation, 1);
    assert_eq!(members[1].generation, 1);
    assert_eq!(members[0].leader, members[0].id, "the first to join leads");
    assert_eq!(host.state(GROUP), "CompletingRebalance");
    sync_all(&mut host, &mut members);
    assert_eq!(host.state(GROUP), "Stable");
}

#[test]
fn only_the_leader_is_told_of_the_members() {
    let mut host = Host::new();
    let mut members = [Member::new("a"), Member::new("b")];
    members.iter_mut().for_each(|member| member.obtain_id(&mut host));
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    host.advance(Duration::from_secs(6));
    let leader = members[0].joined(&mut host, joins[0]);
    let follower = members[1].joined(&mut host, joins[1]);
    assert_eq!(leader.members.len(), 2);
    assert_eq!(
        leader.members.iter().find(|one| one.member_id == members[1].id.as_str()).unwrap().metadata,
        members[1].protocols[0].1
    );
    assert!(follower.members.is_empty());
}

#[test]
fn a_third_member_makes_the_others_join_again() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let mut third = Member::new("c2");
    third.obtain_id(&mut host);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None, "an id alone disturbs nobody");
    let join = third.send_join(&mut host);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    let mut joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    members.push(third);
    joins.push(join);
    complete_join(&mut host, &mut members, &joins);
    assert!(members.iter().all(|member| member.generation == 2));
    sync_all(&mut host, &mut members);
    assert!(members.iter().all(|member| member.heartbeat(&mut host) == ErrorCode::None));
}

#[test]
fn whoever_misses_the_rebalance_is_removed_at_its_time_out_and_fenced() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 3);
    let zombie = members.remove(2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    // Its heartbeats keep the session alive, but it does not join.
    for _ in 0..(REBALANCE.as_secs() / HEARTBEAT.as_secs()) - 1 {
        assert_eq!(zombie.heartbeat(&mut host), ErrorCode::RebalanceInProgress);
        host.advance(HEARTBEAT);
    }
    assert!(!host.is_answered(joins[0]));
    host.advance(2 * HEARTBEAT);
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    assert_eq!(zombie.heartbeat(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(zombie.commit(&mut host, 0, 9), ErrorCode::UnknownMemberId);
    let join = zombie.send_join(&mut host);
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::UnknownMemberId));
}

#[test]
fn a_failed_leader_is_replaced_when_its_session_ends() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 3);
    let leader = members.remove(0);
    for _ in 0..3 {
        host.advance(HEARTBEAT);
        members.iter().for_each(|member| assert_eq!(member.heartbeat(&mut host), ErrorCode::None));
    }
    host.advance(Duration::from_secs(2));
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    assert_ne!(members[0].leader, leader.id);
    sync_all(&mut host, &mut members);
}

#[test]
fn a_leader_that_dies_before_its_sync_does_not_hold_the_group_up() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    let (leader, mut follower) = (members.remove(0), members.remove(0));
    assert!(leader.is_leader());
    let sync = follower.send_sync(&mut host, &[]);
    host.advance(SESSION + Duration::from_millis(1));
    let response = follower.synced(&mut host, sync);
    assert!(is(response.error_code, ErrorCode::RebalanceInProgress));
    let join = follower.send_join(&mut host);
    let response = follower.joined(&mut host, join);
    assert_eq!(response.error_code, 0);
    assert!(follower.is_leader());
}

#[test]
fn members_that_never_sync_are_removed() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    let leader = members[0].send_sync(&mut host, &[]);
    assert_eq!(members[0].synced(&mut host, leader).error_code, 0);
    for _ in 0..(REBALANCE.as_secs() / HEARTBEAT.as_secs()) {
        members.iter().for_each(|member| assert_eq!(member.heartbeat(&mut host), ErrorCode::None));
        host.advance(HEARTBEAT);
    }
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    assert_eq!(members[1].heartbeat(&mut host), ErrorCode::UnknownMemberId);
}

#[test]
fn leaving_starts_a_rebalance_and_the_last_one_empties_the_group() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    assert_eq!(members[1].leave(&mut host), ErrorCode::None);
    assert_eq!(members[1].leave(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    members.truncate(1);
    let join = members[0].send_join(&mut host);
    complete_join(&mut host, &mut members, &[join]);
    sync_all(&mut host, &mut members);
    host.is_held = true;
    let leave = members[0].send_leave(&mut host);
    assert!(!host.is_answered(leave), "the last one waits until the empty group is durable");
    host.release();
    assert!(host.is_answered(leave));
    assert_eq!(host.state(GROUP), "Empty");
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::UnknownMemberId);
}

#[test]
fn a_member_that_leaves_has_its_parked_sync_answered() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    let sync = members[1].send_sync(&mut host, &[]);
    assert!(!host.is_answered(sync));
    assert_eq!(members[1].leave(&mut host), ErrorCode::None);
    assert!(is(members[1].synced(&mut host, sync).error_code, ErrorCode::UnknownMemberId));
}

#[test]
fn a_generation_is_told_only_when_it_is_durable() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    host.is_held = true;
    let syncs: Vec<u64> = members.iter().map(|member| member.send_sync(&mut host, &[])).collect();
    assert!(!host.is_answered(syncs[0]) && !host.is_answered(syncs[1]));
    assert_eq!(members[0].commit_code(&mut host), ErrorCode::RebalanceInProgress);
    host.release();
    for (member, sync) in members.iter().zip(syncs) {
        assert_eq!(member.synced(&mut host, sync).error_code, 0);
    }
}

#[test]
fn a_generation_that_cannot_be_stored_is_tried_again() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    host.refusal = Some(KernelError::Full);
    let syncs: Vec<u64> = members.iter().rev().map(|member| member.send_sync(&mut host, &[])).collect();
    for sync in syncs {
        let response = members[0].synced(&mut host, sync);
        assert!(is(response.error_code, ErrorCode::CoordinatorNotAvailable));
    }
    host.refusal = None;
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    assert_eq!(members[0].generation, 3);
}

#[test]
fn cooperative_members_settle_in_two_rounds() {
    let mut host = Host::new();
    let cooperative = |client: &str, owned: &str| Member {
        protocols: vec![("cooperative-sticky".into(), subscription(&["orders"], owned))],
        ..Member::new(client)
    };
    let mut members = vec![cooperative("a", "")];
    members[0].obtain_id(&mut host);
    let join = members[0].send_join(&mut host);
    host.advance(Duration::from_secs(3));
    complete_join(&mut host, &mut members, &[join]);
    sync_all(&mut host, &mut members);
    members.push(cooperative("b", ""));
    members[1].obtain_id(&mut host);
    // First round: the old member keeps what it has and learns what to give up.
    members[0].protocols[0].1 = subscription(&["orders"], "owns 0 1");
    let joins: Vec<u64> = members.iter().rev().map(|member| member.send_join(&mut host)).rev().collect();
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    assert_eq!(members[0].commit(&mut host, 1, 5), ErrorCode::None);
    // Second round, asked for by the one that gave something up.
    members[0].protocols[0].1 = subscription(&["orders"], "owns 0");
    let again = members[0].send_join(&mut host);
    assert_eq!(members[1].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    let other = members[1].send_join(&mut host);
    complete_join(&mut host, &mut members, &[again, other]);
    sync_all(&mut host, &mut members);
    assert!(members.iter().all(|member| member.generation == 3));
}

#[test]
fn the_protocol_that_all_support_and_most_prefer_is_chosen() {
    let mut host = Host::new();
    let with = |client: &str, names: &[&str]| Member {
        protocols: names.iter().map(|name| ((*name).into(), subscription(&["orders"], name))).collect(),
        ..Member::new(client)
    };
    let mut members = [
        with("a", &["range", "sticky", "robin"]),
        with("b", &["robin", "sticky"]),
        with("c", &["old", "sticky", "robin"]),
    ];
    members.iter_mut().for_each(|member| member.obtain_id(&mut host));
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    host.advance(Duration::from_secs(6));
    for (member, join) in members.iter_mut().zip(joins) {
        let response = member.joined(&mut host, join);
        assert_eq!(response.protocol_name.as_deref(), Some("sticky"));
    }
    let mut stranger = with("d", &["range"]);
    let join = stranger.send_join(&mut host);
    assert!(is(stranger.joined(&mut host, join).error_code, ErrorCode::InconsistentGroupProtocol));
    let request = JoinGroupRequest { protocol_type: "connect".into(), ..members[0].request() };
    assert!(is(host.call(9, &request).error_code, ErrorCode::InconsistentGroupProtocol));
}

#[test]
fn a_join_that_is_repeated_is_answered_in_the_place_of_the_first() {
    let mut host = Host::new();
    let mut member = Member::new("a");
    member.obtain_id(&mut host);
    let lost = member.send_join(&mut host);
    let again = member.send_join(&mut host);
    let response: JoinGroupResponse = host.take(lost, 9);
    assert!(is(response.error_code, ErrorCode::RebalanceInProgress));
    host.advance(Duration::from_secs(6));
    assert_eq!(member.joined(&mut host, again).error_code, 0);
    // The answer is lost after the generation began: the same join gets it once more.
    let repeated = member.send_join(&mut host);
    let response = member.joined(&mut host, repeated);
    assert_eq!((response.error_code, response.generation_id, response.members.len()), (0, 1, 1));
}

#[test]
fn a_follower_that_joins_without_a_change_disturbs_nobody() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    let mut follower = members[1].clone();
    let join = follower.send_join(&mut host);
    let response = follower.joined(&mut host, join);
    assert_eq!((response.error_code, response.generation_id), (0, 1));
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
    follower.protocols[0].1 = subscription(&["orders", "refunds"], "c1");
    let join = follower.send_join(&mut host);
    assert!(!host.is_answered(join));
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
}

#[test]
fn clients_before_version_four_join_without_an_id() {
    for version in 0..4 {
        let mut host = Host::new();
        let mut member = Member { version, ..Member::new("old") };
        let join = member.send_join(&mut host);
        host.advance(Duration::from_secs(6));
        assert_eq!(member.joined(&mut host, join).error_code, 0, "version {version}");
        assert!(member.is_leader());
    }
}

#[test]
fn an_id_that_is_not_used_lapses() {
    let mut host = Host::new();
    let mut member = Member::new("a");
    member.obtain_id(&mut host);
    host.advance(SESSION + Duration::from_millis(1));
    let join = member.send_join(&mut host);
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::UnknownMemberId));
}

#[test]
fn a_new_member_whose_client_has_gone_does_not_wait_for_ever() {
    let patience = Duration::from_secs(20);
    let mut host = Host::with(Limits { new_member_join_timeout: patience, ..Limits::default() });
    let members = stable(&mut host, 2);
    let mut third = Member::new("c2");
    third.obtain_id(&mut host);
    let join = third.send_join(&mut host);
    for _ in 0..7 {
        for member in &members {
            assert_eq!(member.heartbeat(&mut host), ErrorCode::RebalanceInProgress);
        }
        host.advance(HEARTBEAT);
    }
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::UnknownMemberId));
}

#[test]
fn what_a_join_must_hold_is_checked() {
    let mut host = Host::with(Limits { group_members_max: 1, group_bytes_max: 200, ..Limits::default() });
    let request = Member::new("a").request();
    let refused = |host: &mut Host, request: JoinGroupRequest| code(host.call(9, &request).error_code);
    let session = |session_timeout_ms| JoinGroupRequest { session_timeout_ms, ..request.clone() };
    assert_eq!(refused(&mut host, session(5_999)), ErrorCode::InvalidSessionTimeout);
    assert_eq!(refused(&mut host, session(1_800_001)), ErrorCode::InvalidSessionTimeout);
    assert_eq!(refused(&mut host, session(-1)), ErrorCode::InvalidSessionTimeout);
    let nameless = JoinGroupRequest { group_id: "".into(), ..request.clone() };
    assert_eq!(refused(&mut host, nameless), ErrorCode::InvalidGroupId);
    let unknown = JoinGroupRequest { member_id: "ghost".into(), ..request.clone() };
    assert_eq!(refused(&mut host, unknown), ErrorCode::UnknownMemberId);
    let typeless = JoinGroupRequest { protocol_type: "".into(), ..request.clone() };
    assert_eq!(refused(&mut host, typeless), ErrorCode::InconsistentGroupProtocol);
    let nothing = JoinGroupRequest { protocols: Vec::new(), ..request.clone() };
    assert_eq!(refused(&mut host, nothing), ErrorCode::InconsistentGroupProtocol);
    let large = Member { protocols: vec![("range".into(), vec![0; 300].into())], ..Member::new("a") };
    assert_eq!(refused(&mut host, large.request()), ErrorCode::GroupMaxSizeReached);
    let _one = stable(&mut host, 1);
    assert_eq!(refused(&mut host, request), ErrorCode::GroupMaxSizeReached);
}

impl Member {
    /// What a commit is told; it does not wait for durability when it is refused.
    fn commit_code(&self, host: &mut Host) -> ErrorCode {
        self.commit(host, 0, 1)
    }
}

#[test]
fn a_sync_names_its_protocol_from_version_5_on() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    let request = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: members[0].generation,
        member_id: members[0].id.as_str().into(),
        ..Default::default()
    };
    let named = |kind: Option<&str>, name: Option<&str>| SyncGroupRequest {
        protocol_type: kind.map(Into::into),
        protocol_name: name.map(Into::into),
        ..request.clone()
    };
    assert!(is(host.call(4, &request).error_code, ErrorCode::None));
    assert!(is(host.call(5, &named(Some("consumer"), Some("range"))).error_code, ErrorCode::None));
    for (kind, name) in
        [(None, None), (Some("consumer"), None), (None, Some("range")), (Some("consumer"), Some("sticky"))]
    {
        assert!(is(host.call(5, &named(kind, name)).error_code, ErrorCode::InconsistentGroupProtocol));
    }
}
