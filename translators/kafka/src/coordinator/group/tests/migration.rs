//! Groups that come from legacy, and go back.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::KernelError;
use proptest::prelude::*;

use super::host::{Host, Member, code, fetch_request};
use super::{GROUP, SESSION, complete_join, is, stable, subscription, sync_all};
use crate::codec::Str;
use crate::codec::Uuid;
use crate::codec::messages::{
    DescribeGroupsRequest, JoinGroupResponse, ListGroupsRequest, SyncGroupResponse,
};
use crate::coordinator::group::transfer::{Transfer, TransferReply};
use crate::coordinator::group::{GroupSnapshot, MemberSnapshot, Offset, OffsetKey, OffsetsRecord, Protocol};
use crate::errors::ErrorCode;

/// What legacy knows of a group of two members.
fn legacy_generation() -> GroupSnapshot {
    let member = |name: &str| MemberSnapshot {
        member_id: format!("{name}-id").as_str().into(),
        instance_id: None,
        client_id: name.into(),
        client_host: "/10.0.0.1".into(),
        session_timeout_ms: i32::try_from(SESSION.as_millis()).unwrap(),
        rebalance_timeout_ms: 60_000,
        protocols: vec![Protocol { name: "range".into(), metadata: subscription(&["orders"], name) }],
        assignment: Bytes::from(format!("for {name}")),
    };
    GroupSnapshot {
        group_id: GROUP.into(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        generation: 31,
        leader: Some("a-id".into()),
        state_timestamp_ms: Some(1_699_999_000_000),
        members: vec![member("a"), member("b")],
        offsets: Vec::new(),
    }
}

fn legacy_members() -> Vec<Member> {
    let member = |name: &str| Member {
        id: format!("{name}-id"),
        generation: 31,
        leader: "a-id".into(),
        ..Member::new(name)
    };
    vec![member("a"), member("b")]
}

fn offset_record(partition: i32, offset: Option<i64>) -> OffsetsRecord {
    let value = offset.map(|offset| Offset {
        offset,
        leader_epoch: 9,
        metadata: "legacy".into(),
        commit_timestamp_ms: 1_699_999_999_000,
        expire_timestamp_ms: None,
    });
    OffsetsRecord::Offset { group: GROUP.into(), key: OffsetKey { topic: "orders".into(), partition }, value }
}

fn generation_record(generation: Option<GroupSnapshot>) -> OffsetsRecord {
    OffsetsRecord::Group { group: GROUP.into(), generation }
}

fn follow(records: Vec<OffsetsRecord>) -> Transfer {
    Transfer::Follow { records, progress: vec![(17, 400)] }
}

fn followed() -> TransferReply {
    TransferReply::Followed { ignored: Vec::new() }
}

fn named(make: impl FnOnce(Str) -> Transfer) -> Transfer {
    make(GROUP.into())
}

fn activate() -> Transfer {
    named(|group| Transfer::Activate { group })
}

fn deactivate() -> Transfer {
    named(|group| Transfer::Deactivate { group })
}

fn forget() -> Transfer {
    named(|group| Transfer::Forget { group })
}

/// A host that follows the group of [`legacy_generation`] with one offset.
fn following() -> Host {
    let mut host = Host::new();
    let records = vec![generation_record(Some(legacy_generation())), offset_record(0, Some(50))];
    assert_eq!(host.transfer(&follow(records)), followed());
    host
}

fn fetch_error(host: &mut Host) -> ErrorCode {
    code(host.call(9, &fetch_request("orders", 0, false)).groups[0].error_code)
}

#[test]
fn a_group_that_follows_answers_no_client() {
    let mut host = following();
    let members = legacy_members();
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::NotCoordinator);
    assert_eq!(members[0].commit(&mut host, 0, 99), ErrorCode::NotCoordinator);
    assert_eq!(host.commit(-1, "", 0, 99), ErrorCode::NotCoordinator);
    let join = members[0].send_join(&mut host);
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::NotCoordinator));
    let sync = members[0].send_sync(&mut host, &[]);
    assert!(is(host.take::<SyncGroupResponse>(sync, 5).error_code, ErrorCode::NotCoordinator));
    assert_eq!(fetch_error(&mut host), ErrorCode::NotCoordinator);
    let describe = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    assert!(is(host.call(5, &describe).groups[0].error_code, ErrorCode::NotCoordinator));
    assert!(host.call(5, &ListGroupsRequest::default()).groups.is_empty());
    // Its sessions are legacy's, and so is the retention of its offsets.
    host.advance(Duration::from_secs(30 * 24 * 60 * 60));
    let (snapshot, serving) = host.export(GROUP).unwrap();
    assert!(!serving);
    assert_eq!((snapshot.members.len(), snapshot.offsets.len()), (2, 1));
}

#[test]
fn members_go_on_without_a_rebalance_when_the_group_is_activated() {
    let mut host = following();
    assert_eq!(host.transfer(&activate()), TransferReply::Done);
    assert_eq!(host.transfer(&activate()), TransferReply::Done, "a repeat does no harm");
    host.advance(Duration::from_secs(9));
    for member in &legacy_members() {
        assert_eq!(member.heartbeat(&mut host), ErrorCode::None);
        assert_eq!(member.commit(&mut host, 0, 60), ErrorCode::None);
        let sync = member.send_sync(&mut host, &[]);
        assert_eq!(member.synced(&mut host, sync).assignment, format!("for {}", member.client).into_bytes());
    }
    assert_eq!(host.state(GROUP), "Stable");
    assert_eq!(host.offset(0), 60);
    // Later rebalances go on from legacy's generation.
    let mut members = legacy_members();
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    complete_join(&mut host, &mut members, &joins);
    assert_eq!(members[0].generation, 32);
    sync_all(&mut host, &mut members);
}

#[test]
fn the_change_of_side_is_what_is_durable() {
    let mut host = following();
    host.is_held = true;
    let change = host.send_bytes(activate().encode());
    assert_eq!(legacy_members()[0].heartbeat(&mut host), ErrorCode::NotCoordinator);
    assert!(!host.is_answered(change));
    host.restart();
    host.is_held = false;
    assert_eq!(legacy_members()[0].heartbeat(&mut host), ErrorCode::NotCoordinator);
    host.refusal = Some(KernelError::Full);
    assert!(matches!(host.transfer(&activate()), TransferReply::Refused(_)));
    assert_eq!(legacy_members()[0].heartbeat(&mut host), ErrorCode::NotCoordinator);
    host.refusal = None;
    assert_eq!(host.transfer(&activate()), TransferReply::Done);
    host.restart();
    assert_eq!(legacy_members()[0].heartbeat(&mut host), ErrorCode::None);
}

#[test]
fn what_was_followed_survives_a_restart_with_the_progress() {
    let mut host = following();
    let before = host.export(GROUP);
    host.restart();
    assert_eq!(host.export(GROUP), before);
    assert_eq!(host.transfer(&Transfer::Progress), TransferReply::Progress(vec![(17, 400)]));
}

#[test]
fn later_records_replace_and_tombstones_remove() {
    let mut host = following();
    let mut next = legacy_generation();
    next.generation = 32;
    next.members.truncate(1);
    let records = vec![
        offset_record(1, Some(10)),
        generation_record(Some(next)),
        offset_record(0, Some(51)),
        offset_record(1, None),
    ];
    assert_eq!(host.transfer(&follow(records)), followed());
    let (snapshot, _) = host.export(GROUP).unwrap();
    assert_eq!((snapshot.generation, snapshot.members.len()), (32, 1));
    let offsets: Vec<(i32, i64)> =
        snapshot.offsets.iter().map(|(key, offset)| (key.partition, offset.offset)).collect();
    assert_eq!(offsets, [(0, 51)]);
    let records = vec![offset_record(0, None), generation_record(None)];
    assert_eq!(host.transfer(&follow(records)), followed());
    assert_eq!(host.export(GROUP), None);
    assert_eq!(host.keys.0.len(), 1, "only the progress is left");
}

#[test]
fn a_group_that_comes_back_while_it_is_being_forgotten_still_follows_after_a_restart() {
    let mut host = following();
    host.is_held = true;
    let gone = host.send_bytes(follow(vec![offset_record(0, None), generation_record(None)]).encode());
    let back = host.send_bytes(follow(vec![offset_record(0, Some(1))]).encode());
    host.release();
    host.take_bytes(gone);
    host.take_bytes(back);
    host.restart();
    assert_eq!(fetch_error(&mut host), ErrorCode::NotCoordinator);
}

#[test]
fn a_late_write_on_the_other_side_is_told_and_ignored() {
    let mut host = following();
    assert_eq!(host.transfer(&activate()), TransferReply::Done);
    let late = host.transfer(&follow(vec![offset_record(0, Some(999))]));
    assert_eq!(late, TransferReply::Followed { ignored: vec![GROUP.into()] });
    assert_eq!(host.offset(0), 50);
    assert_eq!(host.transfer(&Transfer::Install(legacy_generation())), TransferReply::Serving);
    assert_eq!(host.transfer(&forget()), TransferReply::Serving);
}

#[test]
fn the_way_back_answers_what_is_parked_and_leaves_everything_to_be_exported() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    assert_eq!(members[0].commit(&mut host, 0, 70), ErrorCode::None);
    let parked = members[1].clone();
    let mut changed = parked.clone();
    changed.protocols[0].1 = subscription(&["orders", "more"], "c1");
    let join = changed.send_join(&mut host);
    host.is_held = true;
    let commit = host.send_commit(1, &members[0].id, 0, 71);
    let change = host.send_bytes(deactivate().encode());
    assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::NotCoordinator));
    assert_eq!(host.commit(1, &members[0].id, 0, 72), ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::None, "nothing is decided yet");
    host.release();
    assert_eq!(host.committed(commit), ErrorCode::None);
    assert_eq!(TransferReply::decode(host.take_bytes(change)).unwrap(), TransferReply::Done);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::NotCoordinator);
    let (snapshot, serving) = host.export(GROUP).unwrap();
    assert!(!serving);
    assert_eq!(snapshot.offsets[0].1.offset, 71);
    host.restart();
    assert_eq!(host.export(GROUP).unwrap().0, snapshot);
    assert_eq!(host.transfer(&deactivate()), TransferReply::Done);
    assert_eq!(host.transfer(&forget()), TransferReply::Done);
    assert!(host.keys.0.is_empty());
}

fn gather(host: &mut Host) -> Vec<Str> {
    match host.transfer(&named(|group| Transfer::Gather { group })) {
        TransferReply::Gathered { missing } => missing,
        other => panic!("{other:?}"),
    }
}

fn close() -> Transfer {
    named(|group| Transfer::Close { group })
}

fn reopen() -> Transfer {
    named(|group| Transfer::Reopen { group })
}

#[test]
fn a_group_that_goes_back_commits_and_joins_before_it_is_sent_to_the_other_side() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    assert_eq!(gather(&mut host).len(), 2);
    assert_eq!(members[0].heartbeat(&mut host), ErrorCode::RebalanceInProgress);
    assert_eq!(members[0].commit(&mut host, 0, 70), ErrorCode::None, "members commit before they join");
    let first = members[0].send_join(&mut host);
    assert_eq!(gather(&mut host), [members[1].id.as_str()]);
    assert_eq!(members[1].commit(&mut host, 1, 71), ErrorCode::None);
    let second = members[1].send_join(&mut host);
    assert!(gather(&mut host).is_empty());
    assert!(!host.is_answered(first) && !host.is_answered(second), "they wait");
    assert_eq!(host.transfer(&close()), TransferReply::Done);
    assert_eq!(members[0].commit(&mut host, 0, 99), ErrorCode::CoordinatorLoadInProgress);
    // However long the copy takes, nobody loses its place.
    host.advance(Duration::from_secs(100));
    let (snapshot, _) = host.export(GROUP).unwrap();
    assert_eq!(snapshot.offsets.iter().map(|(_, offset)| offset.offset).collect::<Vec<_>>(), [70, 71]);
    assert_eq!(host.transfer(&deactivate()), TransferReply::Done);
    for join in [first, second] {
        assert!(is(host.take::<JoinGroupResponse>(join, 9).error_code, ErrorCode::NotCoordinator));
    }
    let (after, serving) = host.export(GROUP).unwrap();
    assert_eq!((after.members.len(), serving), (0, false));
    assert_eq!((after.offsets.clone(), after.generation), (snapshot.offsets, snapshot.generation));
    host.restart();
    assert_eq!(host.export(GROUP).unwrap().0, after);
}

#[test]
fn a_member_that_does_not_join_again_is_waited_for_no_longer_than_in_any_rebalance() {
    let mut host = Host::new();
    let members = stable(&mut host, 2);
    gather(&mut host);
    let join = members[0].send_join(&mut host);
    host.advance(Duration::from_secs(5));
    assert_eq!(gather(&mut host), [members[1].id.as_str()]);
    host.advance(Duration::from_secs(600));
    assert!(gather(&mut host).is_empty());
    assert!(!host.is_answered(join));
    assert_eq!(members[1].commit(&mut host, 0, 5), ErrorCode::UnknownMemberId);
}

#[test]
fn a_group_that_stays_after_all_ends_its_rebalance_here() {
    let mut host = Host::new();
    let mut members = stable(&mut host, 2);
    gather(&mut host);
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(&mut host)).collect();
    assert_eq!(host.transfer(&close()), TransferReply::Done);
    for _ in 0..2 {
        assert_eq!(host.transfer(&reopen()), TransferReply::Done);
    }
    complete_join(&mut host, &mut members, &joins);
    sync_all(&mut host, &mut members);
    assert_eq!(members[0].commit(&mut host, 0, 70), ErrorCode::None);
    assert_eq!(host.state(GROUP), "Stable");
}

#[test]
fn a_group_without_members_is_gathered_at_once() {
    let mut host = Host::new();
    assert_eq!(host.commit(-1, "", 0, 7), ErrorCode::None);
    assert!(gather(&mut host).is_empty());
    assert_eq!(host.transfer(&close()), TransferReply::Done);
    assert_eq!(host.commit(-1, "", 0, 8), ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(host.transfer(&reopen()), TransferReply::Done);
    assert_eq!(host.commit(-1, "", 0, 8), ErrorCode::None);
}

#[test]
fn a_group_nobody_knows_can_be_kept_for_legacy() {
    let mut host = Host::new();
    assert_eq!(host.transfer(&deactivate()), TransferReply::Done);
    assert_eq!(host.commit(-1, "", 0, 1), ErrorCode::NotCoordinator);
    host.restart();
    assert_eq!(host.commit(-1, "", 0, 1), ErrorCode::NotCoordinator);
    assert_eq!(host.transfer(&activate()), TransferReply::Done);
    assert_eq!(host.commit(-1, "", 0, 1), ErrorCode::None);
}

#[test]
fn an_installed_group_replaces_what_was_followed() {
    let mut host = following();
    let mut installed = legacy_generation();
    installed.generation = 40;
    let offset = Offset {
        offset: 5,
        leader_epoch: -1,
        metadata: "".into(),
        commit_timestamp_ms: 3,
        expire_timestamp_ms: Some(9),
    };
    installed.offsets = vec![(OffsetKey { topic: "refunds".into(), partition: 2 }, offset)];
    for _ in 0..2 {
        assert_eq!(host.transfer(&Transfer::Install(installed.clone())), TransferReply::Done);
        assert_eq!(host.export(GROUP), Some((installed.clone(), false)));
    }
    host.restart();
    assert_eq!(host.export(GROUP), Some((installed, false)));
}

#[test]
fn the_expiry_clock_is_carried_over() {
    let day = Duration::from_secs(24 * 60 * 60);
    let mut host = Host::new();
    let empty = GroupSnapshot { members: Vec::new(), leader: None, ..legacy_generation() };
    // Empty since a thousand seconds before the start, with an offset from later than that.
    let records = vec![generation_record(Some(empty)), offset_record(0, Some(50))];
    assert_eq!(host.transfer(&follow(records)), followed());
    host.advance(7 * day - Duration::from_secs(1_600));
    assert_eq!(host.transfer(&activate()), TransferReply::Done);
    assert_eq!(host.offset(0), 50);
    host.advance(Duration::from_secs(1_300));
    assert_eq!(host.offset(0), -1);
}

fn text() -> impl Strategy<Value = Str> {
    "[a-zå-]{0,12}".prop_map(|text| Str::from(text.as_str()))
}

prop_compose! {
    fn member()(
        ids in (text(), text(), text()),
        instance in proptest::option::of(text()),
        times in (any::<i32>(), any::<i32>()),
        protocols in proptest::collection::vec((text(), any::<Vec<u8>>()), 0..3),
        assignment in any::<Vec<u8>>(),
    ) -> MemberSnapshot {
        let protocol = |(name, metadata): (Str, Vec<u8>)| Protocol { name, metadata: metadata.into() };
        MemberSnapshot {
            member_id: ids.0, client_id: ids.1, client_host: ids.2, instance_id: instance,
            session_timeout_ms: times.0, rebalance_timeout_ms: times.1,
            protocols: protocols.into_iter().map(protocol).collect(), assignment: assignment.into(),
        }
    }
}

prop_compose! {
    fn offset()(
        offset in any::<i64>(), leader_epoch in any::<i32>(), metadata in text(),
        commit_timestamp_ms in any::<i64>(), expire_timestamp_ms in any::<Option<i64>>(),
    ) -> Offset {
        Offset { offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms }
    }
}

prop_compose! {
    /// Any group that an export can show: members and offsets in their order, each once.
    fn snapshot()(
        names in (any::<Option<()>>(), text(), proptest::option::of(text())),
        generation in 0..i32::MAX,
        state_timestamp_ms in any::<Option<i64>>(),
        members in proptest::collection::btree_map(text(), member(), 0..4),
        offsets in proptest::collection::btree_map((text(), any::<i32>()), offset(), 0..6),
    ) -> GroupSnapshot {
        let leader = members.keys().next().cloned();
        let members = members.into_iter().map(|(member_id, one)| MemberSnapshot { member_id, ..one });
        let key = |(topic, partition)| OffsetKey { topic, partition };
        GroupSnapshot {
            group_id: GROUP.into(),
            protocol_type: names.0.map(|()| names.1),
            protocol_name: names.2,
            generation: generation.max(1),
            leader,
            state_timestamp_ms,
            members: members.collect(),
            offsets: offsets.into_iter().map(|(at, offset)| (key(at), offset)).collect(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_installed_is_what_is_exported(snapshot in snapshot()) {
        let mut host = Host::new();
        prop_assert_eq!(host.transfer(&Transfer::Install(snapshot.clone())), TransferReply::Done);
        prop_assert_eq!(host.export(GROUP), Some((snapshot.clone(), false)));
        host.restart();
        prop_assert_eq!(host.export(GROUP), Some((snapshot.clone(), false)));
        prop_assert_eq!(host.transfer(&activate()), TransferReply::Done);
        prop_assert_eq!(host.transfer(&deactivate()), TransferReply::Done);
        // Nobody is a member any more: members join the other side as somebody new.
        let (after, serving) = host.export(GROUP).unwrap_or_default();
        prop_assert_eq!((serving, after.members.len()), (false, 0));
        prop_assert_eq!((after.generation, after.offsets), (snapshot.generation, snapshot.offsets));
    }

    #[test]
    fn migration_messages_survive_packing_and_no_prefix_does(snapshot in snapshot(), cut in 0.0..1.0) {
        let records = vec![
            generation_record(Some(snapshot.clone())),
            offset_record(4, Some(2)),
            OffsetsRecord::Unsupported { key_version: 5, group: Some("x".into()) },
        ];
        let gather = named(|group| Transfer::Gather { group });
        for transfer in
            [Transfer::Install(snapshot.clone()), follow(records), activate(), Transfer::Progress, gather, close(), reopen()]
        {
            let encoded = transfer.encode();
            prop_assert_eq!(Transfer::decode(&encoded).unwrap(), Some(transfer));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let end = 2 + ((encoded.len() - 2) as f64 * cut) as usize;
            prop_assert!(Transfer::decode(&encoded.slice(..end)).is_err());
        }
        let reply = TransferReply::Exported(Some((Box::new(snapshot), true)));
        prop_assert_eq!(TransferReply::decode(reply.encode()).unwrap(), reply);
    }
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten_and_stay_forgotten() {
    let mut host = Host::new();
    for partition in [0, 1] {
        assert_eq!(host.commit(-1, "", partition, 7), ErrorCode::None);
    }
    let (id, before) = (Uuid([2; 16]), Uuid([1; 16]));
    let other = Transfer::TopicsDeleted { topics: vec![("other".into(), id)] };
    assert_eq!(host.transfer(&other), TransferReply::Done);
    assert_eq!([host.offset(0), host.offset(1)], [7, 7]);
    let orders = Transfer::TopicsDeleted { topics: vec![("other".into(), id), ("orders".into(), id)] };
    // A message that comes so late that there is a new topic, or that one was deleted since.
    for held_back in [None, Some(before)] {
        host.deleted("orders", held_back);
        assert_eq!(host.transfer(&orders), TransferReply::Done);
        assert_eq!([host.offset(0), host.offset(1)], [7, 7]);
    }
    host.deleted("orders", Some(id));
    assert_eq!(host.transfer(&orders), TransferReply::Done);
    assert_eq!([host.offset(0), host.offset(1)], [-1, -1]);
    // The server looked for the topic before it was deleted.
    assert_eq!(host.commit(-1, "", 0, 8), ErrorCode::UnknownTopicOrPartition);
    host.restart();
    assert_eq!(host.offset(0), -1);
    // A group that follows is as legacy has it.
    let mut host = following();
    host.deleted("orders", Some(id));
    assert_eq!(host.transfer(&orders), TransferReply::Done);
    assert_eq!(host.export(GROUP).unwrap().0.offsets.len(), 1);
}
