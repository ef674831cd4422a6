//! How a partition that was stopped goes on: over the copy that is there, or over a new one.

use bytes::{Bytes, BytesMut};
use kernel_model::{Reply, Request};
use shadow::{Fact, FollowerState, Order, StopReason};
use translator_kafka::codec::Uuid;
use translator_kafka::coordinator::message::{CatalogMessage, CatalogReply};
use translator_kafka::placement::CATALOG;

use crate::legacy::Legacy;
use crate::world::World;

/// Two partitions with four records each, copied.
fn followed() -> World {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 2);
    for part in 0..2 {
        legacy.append("t", part, &["a", "b"]);
        legacy.append("t", part, &["c", "d"]);
    }
    let mut world = World::new(legacy);
    world.pass(3000);
    assert!(world.is_following(0) && world.is_following(1));
    world
}

fn truncate(world: &mut World) {
    let part = world.legacy.part("t", 0);
    part.batches.pop();
    (part.end, part.watermark) = (2, 2);
    world.pass(3000);
    assert!(matches!(world.status(0).state, FollowerState::Stopped(StopReason::Truncated { .. })));
}

fn discard(world: &mut World) {
    let message = CatalogMessage::Discard { topic: "t".to_owned() }.to_bytes();
    let Reply::Coordinated(answer) = world.kernel(Request::Coordinate { kind: CATALOG, message }) else {
        panic!("no answer");
    };
    assert_eq!(CatalogReply::from_bytes(&answer), Some(CatalogReply::Done));
}

fn hold() -> Order {
    Order::Hold { topic: "t".to_owned() }
}

fn resume(partitions: &[i32]) -> Order {
    Order::Resume { topic: "t".to_owned(), partitions: partitions.to_vec() }
}

fn everything(world: &mut World, part: usize) -> Vec<u8> {
    world.legacy.part("t", part).batches.iter().flat_map(|(_, _, bytes)| bytes.to_vec()).collect()
}

/// The copy holds what legacy holds, and the feed is at its end.
fn is_copied(world: &mut World, part: usize) {
    let number = i32::try_from(part).unwrap();
    let (end, wanted) = (world.legacy.part("t", part).end, everything(world, part));
    assert!(world.is_following(number), "{:?}", world.status(number));
    assert_eq!(world.described(number).durable_end.0, end);
    assert_eq!(world.status(number).confirmed, end);
    assert_eq!(world.copy(number, 0), wanted);
}

#[test]
fn over_a_sound_copy_it_goes_on_where_it_stopped() {
    let mut world = followed();
    let good = world.legacy.append("t", 0, &["e"]);
    let mut damaged = BytesMut::from(good.as_ref());
    damaged[65] ^= 1;
    world.legacy.part("t", 0).instead = Some((4, damaged.freeze()));
    world.pass(1000);
    assert!(matches!(world.status(0).state, FollowerState::Stopped(StopReason::Damaged { .. })));
    world.legacy.part("t", 0).instead = None;
    world.legacy.fetched.clear();
    world.order(resume(&[0]));
    world.pass(3000);
    is_copied(&mut world, 0);
    let first = world.legacy.fetched.iter().map(|(_, from)| *from).min();
    assert_eq!(first, Some(4), "what was copied is not copied again");
}

#[test]
fn what_still_stops_it_stops_it_again_and_is_told_again() {
    let mut world = followed();
    truncate(&mut world);
    world.facts.clear();
    world.order(resume(&[0]));
    world.pass(3000);
    let told = |fact: &&Fact| matches!(fact, Fact::Stopped { partition: 0, .. });
    assert_eq!(world.facts.iter().filter(told).count(), 1, "{:?}", world.facts);
    is_copied(&mut world, 1);
}

#[test]
fn a_topic_that_is_held_is_left_alone_until_it_is_resumed() {
    let mut world = followed();
    world.order(hold());
    world.legacy.append("t", 0, &["e"]);
    world.pass(3000);
    assert!(world.feed.status(world.now).partitions.is_empty());
    assert_eq!(world.described(0).durable_end.0, 4);
    world.order(resume(&[0, 1]));
    world.pass(3000);
    is_copied(&mut world, 0);
}

#[test]
fn a_feed_that_was_stopped_closes_every_connection_and_makes_none_again() {
    let mut world = followed();
    assert!(world.connections() > 1);
    world.order(Order::Stop);
    assert_eq!(world.connections(), 0);
    world.legacy.append("t", 0, &["e"]);
    // Not even an order brings it back, and it wants no more time.
    world.order(resume(&[0, 1]));
    world.order(Order::Mirror(true));
    world.pass(5000);
    assert_eq!((world.connections(), world.described(0).durable_end.0), (0, 4));
    assert_eq!(world.feed.poll_timeout(), None);
}

#[test]
fn over_a_discarded_copy_it_begins_at_the_beginning() {
    let mut world = followed();
    truncate(&mut world);
    world.order(hold());
    discard(&mut world);
    world.pass(1000);
    assert!(!world.has_copy(), "nothing makes it anew before it is resumed");
    world.order(resume(&[0, 1]));
    world.legacy.append("t", 0, &["x", "y", "z"]);
    world.pass(3000);
    is_copied(&mut world, 0);
    is_copied(&mut world, 1);
}

#[test]
fn a_topic_made_anew_is_copied_under_its_new_id() {
    // Seen as another topic, or as gone for a moment; and the fetch that waited is never answered.
    for gone_ms in [0, 1500] {
        let mut world = followed();
        world.delete("t");
        world.pass(gone_ms);
        world.legacy.topic("t", 2, 1);
        // More than before: by its ends alone it would look like the topic that was copied.
        for _ in 0..5 {
            world.legacy.append("t", 0, &["new"]);
        }
        world.pass(3000);
        assert_eq!(world.status(0).state, FollowerState::Stopped(StopReason::Recreated));
        world.order(hold());
        discard(&mut world);
        world.order(resume(&[0, 1]));
        world.pass(3000);
        is_copied(&mut world, 0);
        assert_eq!(world.feed.status(world.now).partitions.len(), 1);
    }
}

#[test]
fn a_topic_made_anew_while_nobody_looked_is_told_as_such() {
    let mut world = followed();
    world.legacy.topics.get_mut("t").unwrap().id = Uuid([2; 16]);
    world.restart_feed();
    world.pass(3000);
    assert_eq!(world.status(0).state, FollowerState::Stopped(StopReason::Recreated));
}

#[test]
fn an_answer_about_the_discarded_copy_says_nothing_of_the_new_one() {
    let mut world = followed();
    world.legacy.append("t", 1, &["e"]);
    // The kernel has taken it, but its answer is still on its way.
    world.stalled = true;
    world.pass(500);
    let part = world.legacy.part("t", 1);
    part.batches.truncate(1);
    (part.end, part.watermark) = (2, 2);
    world.order(hold());
    discard(&mut world);
    world.stalled = false;
    world.order(resume(&[0, 1]));
    world.pass(3000);
    world.release();
    is_copied(&mut world, 1);
}

#[test]
fn a_copy_that_the_kernel_leads_is_not_discarded() {
    use translator_kafka::coordinator::message::PartitionEpoch;
    let mut world = followed();
    let partitions = vec![PartitionEpoch { partition: 1, epoch: 9 }];
    let lead = CatalogMessage::Lead { topic: "t".to_owned(), partitions }.to_bytes();
    world.kernel(Request::Coordinate { kind: CATALOG, message: lead });
    let message = CatalogMessage::Discard { topic: "t".to_owned() }.to_bytes();
    let answer = world.kernel(Request::Coordinate { kind: CATALOG, message });
    let Reply::Coordinated(answer) = answer else { panic!("{answer:?}") };
    assert!(matches!(CatalogReply::from_bytes(&answer), Some(CatalogReply::Refused(_))));
    let expected: Bytes = everything(&mut world, 1).into();
    assert_eq!(world.copy(1, 0), expected);
}
