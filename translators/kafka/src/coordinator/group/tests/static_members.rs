//! KIP-345: members that are known by an instance id.

use std::time::Duration;

use kernel_model::KernelError;

use super::host::{Host, Member, code};
use super::{GROUP, SESSION, complete_join, is, subscription, sync_all};
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::{JoinGroupResponse, LeaveGroupRequest};
use crate::errors::ErrorCode;

fn stable(host: &mut Host, version: i16) -> Vec<Member> {
    let mut members: Vec<Member> =
        ["one", "two"].map(|name| Member { version, ..Member::fixed(name) }).into();
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(host)).collect();
    host.advance(Duration::from_secs(6));
    complete_join(host, &mut members, &joins);
    sync_all(host, &mut members);
    members
}

fn restarted(member: &Member) -> Member {
    Member { id: String::new(), ..member.clone() }
}

#[test]
fn a_restarted_member_takes_its_place_without_a_rebalance_and_fences_the_old_one() {
    let mut host = Host::new();
    let members = stable(&mut host, 9);
    for old in &members {
        let mut new = restarted(old);
        let join = new.send_join(&mut host);
        let response = new.joined(&mut host, join);
        assert_eq!((response.error_code, response.generation_id), (0, 1));
        assert_ne!(new.id, old.id);
        assert_eq!(response.skip_assignment, old.is_leader(), "a leader need not assign again");
        let sync = new.send_sync(&mut host, &[]);
        let assignment = new.synced(&mut host, sync).assignment;
        assert_eq!(assignment, format!("for {}", old.id).into_bytes(), "it reads what it read before");
        assert_eq!(old.heartbeat(&mut host), ErrorCode::FencedInstanceId);
        assert_eq!(new.heartbeat(&mut host), ErrorCode::None);
    }
    assert_eq!(host.state(GROUP), "Stable");
}

#[test]
fn an_old_client_that_led_is_not_told_that_it_leads() {
    let mut host = Host::new();
    let members = stable(&mut host, 6);
    let leader = members.iter().find(|member| member.is_leader()).unwrap();
    let mut new = restarted(leader);
    let join = new.send_join(&mut host);
    let response = new.joined(&mut host, join);
    assert_eq!(response.error_code, 0);
    assert_eq!(response.leader, leader.id.as_str());
    assert!(response.members.is_empty());
}

#[test]
fn the_answer_waits_for_durability_and_a_failure_leaves_the_old_member_in_place() {
    let mut host = Host::new();
    let members = stable(&mut host, 9);
    host.is_held = true;
    let join = restarted(&members[0]).send_join(&mut host);
    assert!(!host.is_answered(join));
    host.refusal = Some(KernelError::Full);
    host.release();
    let response: JoinGroupResponse = host.take(join, 9);
    assert!(is(response.error_code, ErrorCode::CoordinatorNotAvailable));
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
    host.refusal = None;
    let join = restarted(&members[0]).send_join(&mut host);
    assert_eq!(host.take::<JoinGroupResponse>(join, 9).error_code, 0);
}

#[test]
fn another_choice_of_protocol_needs_a_rebalance() {
    let mut host = Host::new();
    let protocol = |name: &str| (name.to_owned(), subscription(&["orders"], name));
    let with_both =
        |name: &str| Member { protocols: vec![protocol("range"), protocol("sticky")], ..Member::fixed(name) };
    let mut members: Vec<Member> = ["one", "two"].map(with_both).into();
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    host.advance(Duration::from_secs(6));
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    members[1] = Member { protocols: vec![protocol("sticky")], ..restarted(&members[1]) };
    let new = members[1].send_join(&mut host);
    assert!(!host.is_answered(new), "the chosen protocol changes");
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    let joins = [members[0].send_join(&mut host), new];
    complete_join(&mut host, &mut members, &joins);
    assert_eq!(members[0].generation, 2);
    sync_all(&mut host, &mut members);
}

#[test]
fn a_member_that_is_away_keeps_its_place_until_its_session_ends() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 9);
    // Its instance goes away without leaving; the other one starts a rebalance.
    let away = members.remove(1);
    let join = members[0].send_join(&mut host);
    assert!(!host.is_answered(join));
    host.advance(SESSION + Duration::from_millis(1));
    complete_join(&mut host, &mut members, &[join]);
    assert_eq!(away.heartbeat(&mut host), ErrorCode::UnknownMemberId);
    sync_all(&mut host, &mut members);
}

#[test]
fn a_duplicate_instance_fences_a_parked_join() {
    let mut host = Host::new();
    let first = Member::fixed("one");
    let parked = first.send_join(&mut host);
    let second = first.send_join(&mut host);
    let response: JoinGroupResponse = host.take(parked, 9);
    assert!(is(response.error_code, ErrorCode::FencedInstanceId));
    host.advance(Duration::from_secs(6));
    assert_eq!(host.take::<JoinGroupResponse>(second, 9).error_code, 0);
}

#[test]
fn administrators_remove_members_by_instance_id_in_one_batch() {
    let mut host = Host::new();
    let members = stable(&mut host, 9);
    let named = |instance: &str, member: &str| MemberIdentity {
        member_id: member.into(),
        group_instance_id: Some(instance.into()),
        ..Default::default()
    };
    let batch = vec![named("one", ""), named("nobody", ""), named("two", "not its id")];
    let request = LeaveGroupRequest { group_id: GROUP.into(), members: batch, ..Default::default() };
    let response = host.call(5, &request);
    let codes: Vec<ErrorCode> = response.members.iter().map(|one| code(one.error_code)).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownMemberId, ErrorCode::FencedInstanceId]);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(members[1].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
}
