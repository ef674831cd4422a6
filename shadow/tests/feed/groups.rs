//! Following `__consumer_offsets`.

use bytes::{BufMut, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::{Reply, Request};
use shadow::{Fact, Order, Token};
use translator_kafka::codec::Message;
use translator_kafka::codec::messages::{OffsetCommitKey, OffsetCommitValue};
use translator_kafka::coordinator::group::transfer::{Transfer, TransferReply};
use translator_kafka::placement::GROUPS;

use crate::legacy::Legacy;
use crate::world::World;

const OFFSETS: &str = "__consumer_offsets";

fn key(group: &str) -> Vec<u8> {
    let mut key = BytesMut::new();
    key.put_i16(1);
    let named = OffsetCommitKey { group: group.into(), topic: "t".into(), partition: 0 };
    key.extend_from_slice(&named.to_bytes(0).unwrap());
    key.to_vec()
}

/// Legacy commits (or forgets) an offset of a group.
fn commit(legacy: &mut Legacy, spec: &BatchSpec, group: &str, offset: Option<i64>) {
    commit_under(legacy, spec, group, offset, -1);
}

/// The same, with this leader epoch beside the offset.
pub(crate) fn commit_under(
    legacy: &mut Legacy,
    spec: &BatchSpec,
    group: &str,
    offset: Option<i64>,
    leader_epoch: i32,
) {
    let value = offset.map(|offset| {
        let mut value = BytesMut::new();
        value.put_i16(3);
        let committed = OffsetCommitValue { offset, leader_epoch, ..Default::default() };
        value.extend_from_slice(&committed.to_bytes(3).unwrap());
        value.to_vec()
    });
    let key = key(group);
    let record = NewRecord { timestamp_ms: 1, key: Some(&key), value: value.as_deref(), headers: &[] };
    legacy.append_records(OFFSETS, 0, spec, &[record]);
}

fn legacy() -> Legacy {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    legacy.topic(OFFSETS, 3, 1);
    legacy
}

/// The offset of a group that the kernel holds.
fn held(world: &mut World, group: &str) -> Option<i64> {
    held_epoch(world, group).map(|(offset, _)| offset)
}

/// The same, with the leader epoch beside it.
pub(crate) fn held_epoch(world: &mut World, group: &str) -> Option<(i64, i32)> {
    let message = Transfer::Export { group: group.into() }.encode();
    let Reply::Coordinated(bytes) = world.kernel(Request::Coordinate { kind: GROUPS, message }) else {
        panic!("no answer")
    };
    match TransferReply::decode(bytes).unwrap() {
        TransferReply::Exported(found) => found.and_then(|(group, _)| {
            let committed = &group.offsets.first()?.1;
            Some((committed.offset, committed.leader_epoch))
        }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commits_and_tombstones_are_followed_and_resumed() {
    let mut legacy = legacy();
    let spec = BatchSpec::default();
    commit(&mut legacy, &spec, "g", Some(5));
    commit(&mut legacy, &spec, "gone", Some(6));
    commit(&mut legacy, &spec, "gone", None);
    commit(&mut legacy, &spec, "unwanted", Some(7));
    let mut world = World::new(legacy);
    world.pass(3000);
    assert_eq!(held(&mut world, "g"), Some(5));
    assert_eq!(held(&mut world, "gone"), None);
    assert_eq!(held(&mut world, "unwanted"), None);
    let status = world.feed.status(world.now).offsets;
    assert!(status.caught_up && status.error.is_none(), "{status:?}");
    assert_eq!(world.feed.group_position("g"), 4);
    commit(&mut world.legacy, &spec, "g", Some(8));
    world.restart_feed();
    world.pass(3000);
    assert_eq!(held(&mut world, "g"), Some(8));
    let read = world.legacy.fetched.iter().filter(|(topic, _)| topic == OFFSETS).map(|(_, from)| *from);
    assert_eq!(read.min(), Some(4), "it resumes where it was");
}

#[test]
fn groups_that_cannot_move_are_named() {
    let mut legacy = legacy();
    // Record type 11 begins share groups; its key is the group's name too.
    let mut key = BytesMut::new();
    key.put_i16(11);
    key.put_i16(3);
    key.put_slice(b"new");
    let record = NewRecord { timestamp_ms: 1, key: Some(&key), value: Some(b"\0\0"), headers: &[] };
    legacy.append_records(OFFSETS, 0, &BatchSpec::default(), &[record]);
    let mut world = World::new(legacy);
    world.pass(3000);
    let named: Vec<_> = world.feed.status(world.now).offsets.unsupported.into_keys().collect();
    assert_eq!(named, ["new"]);
}

#[test]
fn offsets_of_a_transaction_count_once_it_is_committed() {
    let mut legacy = legacy();
    let within = |producer_id| BatchSpec {
        transactional: true,
        producer_id,
        producer_epoch: 0,
        base_sequence: 0,
        ..BatchSpec::default()
    };
    let end = |legacy: &mut Legacy, producer_id, commit: bool| {
        let key = [0, 0, 0, u8::from(commit)];
        let spec = BatchSpec { control: true, base_sequence: -1, ..within(producer_id) };
        let marker = NewRecord { timestamp_ms: 1, key: Some(&key), value: Some(&[0; 6]), headers: &[] };
        legacy.append_records(OFFSETS, 0, &spec, &[marker]);
    };
    commit(&mut legacy, &BatchSpec::default(), "g", Some(1));
    commit(&mut legacy, &within(4), "g", Some(2));
    let mut world = World::new(legacy);
    world.pass(3000);
    assert_eq!(held(&mut world, "g"), Some(1), "it is open");
    end(&mut world.legacy, 4, true);
    commit(&mut world.legacy, &within(5), "g", Some(9));
    end(&mut world.legacy, 5, false);
    world.pass(3000);
    assert_eq!(held(&mut world, "g"), Some(2), "what was aborted does not count");
    assert_eq!(world.offsets().behind, 0);
}

#[test]
fn a_groups_end_tells_its_state_and_members() {
    let mut legacy = legacy();
    commit(&mut legacy, &BatchSpec::default(), "g", Some(5));
    let mut world = World::new(legacy);
    world.pass(3000);
    let order = Order::ReadEnds { token: Token(1), partitions: vec![], groups: vec!["g".to_owned()] };
    world.feed.order(world.now, order);
    world.turn();
    let found = world.facts.iter().find_map(|fact| match fact {
        Fact::Ends { groups, .. } => groups.get("g").cloned(),
        _ => None,
    });
    let end = found.expect("an answer");
    assert_eq!((end.end, end.state.as_str()), (1, "Stable"));
    assert!(end.members.contains("m-1"));
}

#[test]
fn a_kernel_that_stalls_is_not_taken_for_a_silent_legacy() {
    let mut legacy = legacy();
    commit(&mut legacy, &BatchSpec::default(), "g", Some(1));
    let mut world = World::new(legacy);
    world.pass(3000);
    world.kernel_stalls = true;
    commit(&mut world.legacy, &BatchSpec::default(), "g", Some(2));
    world.pass(6000);
    let status = world.offsets();
    assert_eq!((status.behind, status.heard_ago.as_millis()), (1, 0), "{status:?}");
    world.kernel_stalls = false;
    world.legacy.down = true;
    world.break_links();
    world.pass(6000);
    assert!(world.offsets().heard_ago.as_millis() >= 6000, "{:?}", world.offsets());
}
