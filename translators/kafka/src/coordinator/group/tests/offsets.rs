//! Commit rules, fetches, deletion and expiry.

use std::time::Duration;

use kernel_model::KernelError;

use super::host::{Host, code, commit_request, fetch_request};
use super::{GROUP, is, stable};
use crate::codec::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::codec::messages::offset_fetch_request::OffsetFetchRequestTopic;
use crate::codec::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use crate::coordinator::group::Limits;
use crate::errors::ErrorCode;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_commit_is_answered_and_seen_when_it_is_durable() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    host.is_held = true;
    let commit = host.send_commit(1, &members[0].id, 0, 42);
    assert!(!host.is_answered(commit));
    assert_eq!(host.offset(0), -1);
    let waiting = host.send(9, "c", &fetch_request("orders", 0, true));
    assert!(!host.is_answered(waiting), "a stable fetch waits for what is on its way");
    host.release();
    assert_eq!(host.committed(commit), ErrorCode::None);
    let found: OffsetFetchResponse = host.take(waiting, 9);
    let partition = &found.groups[0].topics[0].partitions[0];
    assert_eq!((partition.committed_offset, partition.committed_leader_epoch), (42, 4));
    assert_eq!(partition.metadata.as_deref(), Some("beside"));
    assert_eq!(host.offset(0), 42);
}

#[test]
fn a_commit_that_cannot_be_stored_changes_nothing() {
    let mut host = Host::new();
    let table = [
        (KernelError::Full, ErrorCode::CoordinatorNotAvailable),
        (KernelError::Overloaded, ErrorCode::CoordinatorNotAvailable),
        (KernelError::Fenced, ErrorCode::NotCoordinator),
    ];
    assert_eq!(host.commit(-1, "", 0, 7), ErrorCode::None);
    for (refusal, expected) in table {
        host.refusal = Some(refusal);
        assert_eq!(host.commit(-1, "", 0, 8), expected);
    }
    assert_eq!(host.offset(0), 7);
}

#[test]
fn commits_obey_member_generation_and_phase() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    let [leader, follower] = [members[0].clone(), members[1].clone()];
    assert_eq!(leader.commit(&mut host, 0, 1), ErrorCode::None);
    assert_eq!(host.commit(0, &leader.id, 0, 2), ErrorCode::IllegalGeneration);
    assert_eq!(host.commit(2, &leader.id, 0, 2), ErrorCode::IllegalGeneration);
    assert_eq!(host.commit(1, "ghost", 0, 2), ErrorCode::UnknownMemberId);
    assert_eq!(host.commit(-1, "", 0, 2), ErrorCode::UnknownMemberId, "the group is not empty");
    assert_eq!(host.commit(-1, &leader.id, 0, 2), ErrorCode::IllegalGeneration);
    // While others join, whoever is still at work may commit what it has done.
    let joins = [leader.send_join(&mut host)];
    assert_eq!(host.state(GROUP), "PreparingRebalance");
    assert_eq!(follower.commit(&mut host, 1, 3), ErrorCode::None);
    let last = follower.send_join(&mut host);
    super::complete_join(&mut host, &mut members, &[joins[0], last]);
    assert_eq!(follower.commit(&mut host, 1, 4), ErrorCode::IllegalGeneration, "the old generation");
    assert_eq!(members[1].commit(&mut host, 1, 4), ErrorCode::RebalanceInProgress, "the new one");
    assert_eq!(host.offset(1), 3);
}

#[test]
fn consumers_without_a_group_commit_to_empty_groups_only() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 3, 30), ErrorCode::None);
    assert_eq!(host.offset(3), 30);
    assert_eq!(host.state(GROUP), "Empty");
    assert_eq!(host.commit(5, "x", 3, 31), ErrorCode::UnknownMemberId);
    let mut other = commit_request(5, "x", "orders", 0, 1);
    other.group_id = "nobody".into();
    let found = |response: &crate::codec::messages::OffsetCommitResponse| {
        code(response.topics[0].partitions[0].error_code)
    };
    assert_eq!(found(&host.call(8, &other)), ErrorCode::IllegalGeneration);
    assert_eq!(found(&host.call(9, &other)), ErrorCode::GroupIdNotFound);
}

#[test]
fn metadata_and_number_of_offsets_are_bounded() {
    let mut host = Host::with(Limits { group_offsets_max: 2, ..Limits::default() });
    let mut request = commit_request(-1, "", "orders", 0, 1);
    let long = |length: usize| Some("m".repeat(length).as_str().into());
    request.topics[0].partitions[0].committed_metadata = long(4097);
    let code_of = |host: &mut Host, request: &OffsetCommitRequest| {
        code(host.call(8, request).topics[0].partitions[0].error_code)
    };
    assert_eq!(code_of(&mut host, &request), ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(host.offset(0), -1);
    request.topics[0].partitions[0].committed_metadata = long(4096);
    assert_eq!(code_of(&mut host, &request), ErrorCode::None);
    assert_eq!(host.commit(-1, "", 1, 1), ErrorCode::None);
    assert_eq!(host.commit(-1, "", 2, 1), ErrorCode::InvalidCommitOffsetSize);
    assert_eq!(host.commit(-1, "", 1, 2), ErrorCode::None, "known partitions go on");
}

#[test]
fn commits_in_flight_are_bounded() {
    let mut host = Host::with(Limits { commits_in_flight_max: 2, ..Limits::default() });
    host.is_held = true;
    let commits = [host.send_commit(-1, "", 0, 1), host.send_commit(-1, "", 0, 2)];
    assert_eq!(host.commit(-1, "", 0, 3), ErrorCode::CoordinatorLoadInProgress);
    host.release();
    commits.into_iter().for_each(|commit| assert_eq!(host.committed(commit), ErrorCode::None));
    assert_eq!(host.offset(0), 2);
}

#[test]
fn every_version_fetches_in_its_own_form() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 0, 5), ErrorCode::None);
    for version in 1..=7 {
        let topic = OffsetFetchRequestTopic {
            name: "orders".into(),
            partition_indexes: vec![0, 1],
            ..Default::default()
        };
        let mut request =
            OffsetFetchRequest { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
        let found = host.call(version, &request);
        let offsets: Vec<i64> =
            found.topics[0].partitions.iter().map(|partition| partition.committed_offset).collect();
        assert_eq!((found.error_code, offsets), (0, vec![5, -1]), "version {version}");
        if version >= 2 {
            request.topics = None;
            let all = host.call(version, &request);
            assert_eq!(all.topics[0].partitions.len(), 1, "version {version}");
        }
    }
    let mut all = fetch_request("orders", 0, false);
    all.groups[0].topics = None;
    all.groups.push(all.groups[0].clone());
    all.groups[1].group_id = "nobody".into();
    let found = host.call(8, &all);
    assert_eq!(found.groups[0].topics[0].partitions[0].committed_offset, 5);
    assert!(found.groups[1].topics.is_empty());
    assert_eq!(found.groups[1].error_code, 0, "a group that is not there has no offsets");
}

#[test]
fn versions_with_topic_ids_are_left_to_the_server() {
    let mut host = Host::new();
    let message = host.send(10, "c", &OffsetFetchRequest::default());
    assert!(host.take_bytes(message).is_empty());
}

fn delete(host: &mut Host, topic: &str) -> (i16, Vec<i16>) {
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: topic.into(), partitions }];
    let request = OffsetDeleteRequest { group_id: GROUP.into(), topics };
    let response = host.call(0, &request);
    let codes = response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
    (response.error_code, codes.collect())
}

#[test]
fn offsets_of_subscribed_topics_are_not_deleted() {
    let mut host = Host::new();
    assert!(is(delete(&mut host, "orders").0, ErrorCode::GroupIdNotFound));
    let members = stable(&mut host, 1);
    let commit = |host: &mut Host, topic: &str| {
        let request = commit_request(1, &members[0].id, topic, 0, 6);
        assert_eq!(host.call(8, &request).topics[0].partitions[0].error_code, 0);
    };
    commit(&mut host, "orders");
    commit(&mut host, "old");
    assert_eq!(delete(&mut host, "orders"), (0, vec![ErrorCode::GroupSubscribedToTopic.code()]));
    assert_eq!(delete(&mut host, "old"), (0, vec![0]));
    assert_eq!((host.offset_of("orders", 0), host.offset_of("old", 0)), (6, -1));
    assert_eq!(members[0].leave(&mut host), ErrorCode::None);
    assert_eq!(delete(&mut host, "orders"), (0, vec![0]));
    assert_eq!(host.offset(0), -1);
}

#[test]
fn a_deletion_takes_what_is_on_its_way_and_spares_what_comes_later() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 9, 1), ErrorCode::None);
    host.is_held = true;
    let before = host.send_commit(-1, "", 0, 1);
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: "orders".into(), partitions }];
    let request = OffsetDeleteRequest { group_id: GROUP.into(), topics };
    let deletion = host.send(0, "admin", &request);
    host.release();
    assert_eq!(host.committed(before), ErrorCode::None);
    host.take_bytes(deletion);
    assert_eq!(host.offset(0), -1);
    let stored = host.keys.clone();
    host.restart();
    assert_eq!(host.offset(0), -1);
    assert_eq!(host.offset(9), 1);
    assert_eq!(host.keys, stored);
}

#[test]
fn offsets_of_an_empty_group_expire_together_counted_from_when_it_emptied() {
    let hour = Duration::from_secs(60 * 60);
    let mut host = Host::with(Limits { offsets_retention: hour, ..Limits::default() });
    let members = stable(&mut host, 1);
    assert_eq!(members[0].commit(&mut host, 0, 10), ErrorCode::None);
    // Nothing expires while there are members that read the topic.
    let start = host.now.elapsed;
    while host.now.elapsed < start + 2 * hour {
        assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
        host.advance(Duration::from_secs(9));
    }
    assert_eq!(host.offset(0), 10);
    assert_eq!(members[0].leave(&mut host), ErrorCode::None);
    host.advance(hour - Duration::from_secs(60));
    assert_eq!(host.offset(0), 10);
    host.restart();
    host.advance(Duration::from_secs(11 * 60));
    assert_eq!(host.offset(0), -1);
    assert!(host.keys.0.is_empty(), "nothing is left of the group");
}

#[test]
fn offsets_without_a_group_expire_one_by_one() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 0, 1), ErrorCode::None);
    host.advance(DAY);
    assert_eq!(host.commit(-1, "", 1, 1), ErrorCode::None);
    host.advance(6 * DAY + Duration::from_secs(10 * 60));
    assert_eq!((host.offset(0), host.offset(1)), (-1, 1));
    host.advance(DAY);
    assert_eq!(host.offset(1), -1);
    assert!(host.keys.0.is_empty());
}

#[test]
fn topics_that_no_member_reads_any_more_expire_while_the_group_lives() {
    let limits = Limits { offsets_retention: Duration::from_secs(600), ..Limits::default() };
    let mut host = Host::with(limits);
    let members = stable(&mut host, 1);
    for topic in ["orders", "old"] {
        let request = commit_request(1, &members[0].id, topic, 0, 6);
        assert_eq!(host.call(8, &request).topics[0].partitions[0].error_code, 0);
    }
    for _ in 0..410 {
        assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
        host.advance(Duration::from_secs(3));
    }
    assert_eq!((host.offset_of("orders", 0), host.offset_of("old", 0)), (6, -1));
}

#[test]
fn old_clients_choose_their_own_retention() {
    let mut host = Host::new();
    let mut request = commit_request(-1, "", "orders", 0, 1);
    request.retention_time_ms = 3_600_000;
    request.topics[0].partitions[0].committed_leader_epoch = -1;
    assert_eq!(host.call(4, &request).topics[0].partitions[0].error_code, 0);
    host.advance(Duration::from_secs(3_000));
    assert_eq!(host.offset(0), 1);
    host.advance(Duration::from_secs(1_500));
    assert_eq!(host.offset(0), -1);
}

#[test]
fn expiry_gives_other_work_its_turn() {
    let mut host = Host::with(Limits { expiry_groups_per_turn: 2, ..Limits::default() });
    for name in ["a", "b", "c", "d", "e"] {
        let mut request = commit_request(-1, "", "orders", 0, 1);
        request.group_id = name.into();
        assert_eq!(host.call(8, &request).topics[0].partitions[0].error_code, 0);
    }
    host.advance(8 * DAY);
    assert!(host.keys.0.is_empty());
}

#[test]
fn a_commit_keeps_a_session_alive() {
    let mut host = Host::new();
    let members = stable(&mut host, 1);
    for offset in 0..10 {
        host.advance(Duration::from_secs(4));
        assert_eq!(members[0].commit(&mut host, 0, offset), ErrorCode::None);
    }
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None);
}
