//! The process dies at each step and the group goes on from its keys.

use std::time::Duration;

use super::host::{Host, Member};
use super::{GROUP, SESSION, complete_join, stable, sync_all};
use crate::errors::ErrorCode;

#[test]
fn members_go_on_in_their_generation_with_full_sessions() {
    let mut host = Host::new();
    let members = stable(&mut host, 3);
    assert_eq!(members[1].commit(&mut host, 0, 77), ErrorCode::None);
    host.advance(Duration::from_secs(9));
    host.restart();
    host.advance(Duration::from_secs(9));
    for member in &members {
        assert_eq!(member.heartbeat(&mut host), ErrorCode::None);
        let sync = member.send_sync(&mut host, &[]);
        assert_eq!(member.synced(&mut host, sync).assignment, format!("for {}", member.id).into_bytes());
    }
    assert_eq!(host.offset(0), 77);
    assert_eq!(members[2].commit(&mut host, 0, 78), ErrorCode::None);
    host.advance(SESSION);
    assert_eq!(host.state(GROUP), "Empty", "sessions end in the new run, too");
}

#[test]
fn a_follower_that_joins_again_after_a_restart_disturbs_nobody() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    host.restart();
    let mut follower = members[1].clone();
    let join = follower.send_join(&mut host);
    assert_eq!(follower.joined(&mut host, join).generation_id, 1);
}

#[test]
fn ids_of_the_new_run_are_new() {
    let mut host = Host::new();
    let mut first = Member::new("a");
    first.obtain_id(&mut host);
    host.restart();
    let mut second = Member::new("a");
    second.obtain_id(&mut host);
    assert_ne!(first.id, second.id);
}

#[test]
fn a_join_that_was_parked_is_forgotten_and_the_generation_before_goes_on() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let _join = members[0].send_join(&mut host);
    host.restart();
    assert_eq!(members[1].heartbeat(&mut host), ErrorCode::None);
    // The client that lost its answer joins again; it leads, so a rebalance follows.
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    assert_eq!(members[0].generation, 2);
}

#[test]
fn a_generation_that_was_not_stored_is_not_known() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    host.is_held = true;
    let _syncs: Vec<u64> = members.iter().map(|member| member.send_sync(&mut host, &[])).collect();
    host.restart();
    host.is_held = false;
    for member in &members {
        assert_eq!(member.generation, 2);
        assert_eq!(member.heartbeat(&mut host), ErrorCode::IllegalGeneration);
    }
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
}

#[test]
fn a_generation_that_was_stored_but_not_told_is_known() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    let assignments = [(members[1].id.clone(), "yours".to_owned())];
    let _lost = members[0].send_sync(&mut host, &assignments);
    host.restart();
    let sync = members[1].send_sync(&mut host, &[]);
    assert_eq!(members[1].synced(&mut host, sync).assignment, "yours");
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
}

#[test]
fn an_acknowledged_commit_survives_and_one_in_flight_may_not() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    assert_eq!(members[0].commit(&mut host, 0, 5), ErrorCode::None);
    host.is_held = true;
    let lost = host.send_commit(1, &members[0].id, 0, 6);
    host.restart();
    assert!(!host.is_answered(lost));
    host.is_held = false;
    assert_eq!(host.offset(0), 5);
}

#[test]
fn the_last_member_that_left_stays_away() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    assert_eq!(members[0].leave(&mut host), ErrorCode::None);
    host.restart();
    assert_eq!(host.state(GROUP), "Empty");
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::UnknownMemberId);
    assert_eq!(stable(&mut host, 1)[0].generation, 3, "generations go on");
}

#[test]
fn a_static_member_is_known_after_a_restart() {
    let mut host = Host::new();
    let mut members = vec![Member::fixed("one")];
    let join = members[0].send_join(&mut host);
    host.advance(Duration::from_secs(3));
    complete_join(&mut host, &mut members, &[join]);
    sync_all(&mut host, &mut members);
    host.restart();
    let mut again = Member { id: String::new(), ..members[0].clone() };
    let join = again.send_join(&mut host);
    assert_eq!(again.joined(&mut host, join).generation_id, 1);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::FencedInstanceId);
}

#[test]
fn a_group_whose_keys_cannot_be_read_is_not_served_as_if_it_were_new() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 0, 5), ErrorCode::None);
    let key = host.keys.0.keys().next().cloned().unwrap();
    host.keys.0.insert(key, bytes::Bytes::from_static(b"not an offset"));
    host.restart();
    assert_eq!(host.commit(-1, "", 0, 6), ErrorCode::CoordinatorNotAvailable);
    let found = host.call(9, &super::host::fetch_request("orders", 0, false));
    assert_eq!(found.groups[0].error_code, ErrorCode::CoordinatorNotAvailable.code());
}
