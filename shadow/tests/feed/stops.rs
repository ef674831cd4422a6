//! What ends the mirror of a partition, and says why (K11).

use bytes::{Bytes, BytesMut};
use shadow::{Fact, FollowerState, StopReason};
use translator_kafka::codec::Uuid;

use crate::legacy::Legacy;
use crate::world::World;

fn followed() -> World {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    legacy.append("t", 0, &["a", "b"]);
    legacy.append("t", 0, &["c", "d"]);
    let mut world = World::new(legacy);
    world.pass(3000);
    assert!(world.is_following(0), "{:?}", world.status(0));
    world
}

fn reason(world: &World) -> StopReason {
    let stops: Vec<_> = world.facts.iter().filter(|fact| matches!(fact, Fact::Stopped { .. })).collect();
    assert_eq!(stops.len(), 1, "told once: {:?}", world.facts);
    match world.status(0).state {
        FollowerState::Stopped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn truncation_below_what_was_confirmed_stops_the_partition() {
    let mut world = followed();
    let part = world.legacy.part("t", 0);
    part.batches.pop();
    (part.end, part.watermark) = (2, 2);
    world.pass(3000);
    assert_eq!(reason(&world), StopReason::Truncated { end: 2, confirmed: 4 });
    // Later writes of legacy change nothing: an operator decides.
    world.legacy.append("t", 0, &["x", "y", "z"]);
    world.pass(3000);
    assert_eq!(world.described(0).durable_end.0, 4);
    reason(&world);
}

#[test]
fn a_new_leader_that_does_not_know_yet_what_is_replicated_stops_nothing() {
    let mut world = followed();
    world.legacy.part("t", 0).watermark = 2;
    world.pass(20_000);
    assert!(world.is_following(0), "{:?}", world.status(0));
    assert_eq!(
        (world.status(0).high_watermark, world.described(0).durable_end.0),
        (4, 4),
        "what was final stays final"
    );
    let part = world.legacy.part("t", 0);
    part.watermark = 4;
    world.legacy.append("t", 0, &["x"]);
    world.pass(3000);
    assert_eq!(world.described(0).durable_end.0, 5);
}

#[test]
fn a_deleted_topic_stops() {
    let mut world = followed();
    world.legacy.topics.clear();
    world.pass(50);
    assert!(!world.facts.iter().any(|fact| matches!(fact, Fact::Stopped { .. })), "once may be a new node");
    world.pass(6000);
    assert_eq!(reason(&world), StopReason::Deleted);
    assert_eq!(world.described(0).durable_end.0, 4);
}

#[test]
fn a_topic_created_again_stops() {
    let mut world = followed();
    world.legacy.topics.get_mut("t").unwrap().id = Uuid([2; 16]);
    world.pass(3000);
    assert_eq!(reason(&world), StopReason::Recreated);
}

/// The batch that legacy answers next, spoilt.
fn spoilt(spoil: impl FnOnce(&mut BytesMut)) -> StopReason {
    let mut world = followed();
    let next = world.legacy.append("t", 0, &["e"]);
    let mut bytes = BytesMut::from(next.as_ref());
    spoil(&mut bytes);
    world.legacy.part("t", 0).instead = Some((4, bytes.freeze()));
    world.pass(3000);
    assert_eq!(world.described(0).durable_end.0, 4, "nothing of it is stored");
    reason(&world)
}

#[test]
fn damaged_and_old_batches_stop() {
    assert!(matches!(spoilt(|bytes| bytes[65] ^= 1), StopReason::Damaged { at: 4, .. }));
    assert!(matches!(spoilt(|bytes| bytes[8] = 0x80), StopReason::Damaged { at: 4, .. }));
    for magic in [0, 1] {
        assert_eq!(spoilt(|bytes| bytes[16] = magic), StopReason::OldFormat);
    }
}

#[test]
fn a_batch_cut_off_by_the_fetch_limit_is_not_damage() {
    let mut world = followed();
    let first = world.legacy.append("t", 0, &["e"]);
    let second = world.legacy.append("t", 0, &["f"]);
    let cut = [first.as_ref(), &second[..second.len() / 2]].concat();
    world.legacy.part("t", 0).instead = Some((4, Bytes::from(cut)));
    world.pass(1000);
    assert!(world.is_following(0));
    assert_eq!(world.copy(0, 4), [first, second].concat());
}
