//! Discovery and copying.

use std::time::Duration;

use kernel_model::batch::BatchSpec;
use shadow::{Credentials, Fact, LinkError, Mode, Order, Token};
use translator_kafka::errors::ErrorCode;

use crate::legacy::Legacy;
use crate::world::World;

/// A topic of one partition with batches at 0, 2 and 7 (a gap), the second a control batch.
fn gapped() -> (Legacy, Vec<u8>) {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    let mut all = legacy.append("t", 0, &["a", "b"]).to_vec();
    let spec = BatchSpec {
        control: true,
        transactional: true,
        producer_id: 9,
        producer_epoch: 0,
        ..BatchSpec::default()
    };
    all.extend_from_slice(&legacy.append_as("t", 0, &spec, &["\0\0\0\0\0\0"]));
    legacy.part("t", 0).end = 7;
    all.extend_from_slice(&legacy.append("t", 0, &["c", "d", "e"]));
    (legacy, all)
}

#[test]
fn a_topic_is_found_copied_and_followed_byte_for_byte_with_its_gaps() {
    for fetch_version in [4, 11, 12, 13, 17] {
        let (mut legacy, all) = gapped();
        legacy.fetch_version = fetch_version;
        let mut world = World::new(legacy);
        world.pass(3000);
        assert!(world.facts.contains(&Fact::Mirrored { topic: "t".to_owned() }), "{:?}", world.facts);
        assert!(world.is_following(0), "{:?}", world.status(0));
        assert_eq!(world.copy(0, 0), all, "fetch v{fetch_version}");
        assert_eq!(world.described(0).durable_end.0, 10);
        let more = world.legacy.append("t", 0, &["f"]);
        world.pass(500);
        assert_eq!(world.copy(0, 10), more, "fetch v{fetch_version}: {:?}", world.status(0));
        assert_eq!(world.status(0).confirmed, 11);
    }
}

#[test]
fn a_feed_lingers_where_nobody_waits_for_news() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    for lingers in [true, false] {
        world.order(Order::Linger(lingers));
        let from = world.status(0).confirmed;
        world.legacy.append("t", 0, &["f"]);
        world.turn();
        assert_eq!(world.status(0).confirmed, from + 1, "a fetch waited for the first");
        world.legacy.append("t", 0, &["g"]);
        world.turn();
        assert_eq!(world.status(0).confirmed, from + if lingers { 1 } else { 2 });
        let due = world.feed.poll_timeout().unwrap();
        assert!(
            !lingers || due <= world.now.deadline(Duration::from_millis(5)),
            "nobody wakes the feed for the second"
        );
        world.pass(100);
        assert_eq!(world.status(0).confirmed, from + 2);
    }
}

#[test]
fn nothing_above_the_high_watermark_is_readable() {
    let (mut legacy, _) = gapped();
    legacy.part("t", 0).watermark = 2;
    let mut world = World::new(legacy);
    world.pass(3000);
    assert_eq!(world.described(0).durable_end.0, 2);
    world.legacy.part("t", 0).watermark = 10;
    world.pass(500);
    assert_eq!(world.described(0).durable_end.0, 10);
}

#[test]
fn a_feed_that_begins_anew_goes_on_from_what_is_confirmed() {
    let (legacy, mut all) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.restart_feed();
    all.extend_from_slice(&world.legacy.append("t", 0, &["f"]));
    world.pass(3000);
    assert_eq!(world.copy(0, 0), all);
    assert_eq!(world.legacy.fetched.iter().map(|(_, from)| *from).min(), Some(10), "nothing is read twice");
}

#[test]
fn new_partitions_are_followed_too() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.legacy.topics.get_mut("t").unwrap().parts.push(crate::legacy::Part::default());
    let late = world.legacy.append("t", 1, &["late"]);
    world.pass(5000);
    assert!(world.is_following(0) && world.is_following(1));
    assert_eq!(world.copy(1, 0), late);
}

#[test]
fn a_new_leader_is_followed_under_its_epoch() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    // Fenced: the epoch grows where it is. Then another node leads, and the first refuses.
    world.legacy.epoch = 6;
    let mut more = world.legacy.append("t", 0, &["f"]).to_vec();
    world.pass(3000);
    assert_eq!(world.copy(0, 10), more);
    assert_eq!(world.status(0).epoch, 6);
    world.legacy.part("t", 0).error = ErrorCode::NotLeaderOrFollower.code();
    world.pass(500);
    world.legacy.nodes.push(2);
    world.legacy.epoch = 7;
    world.legacy.part("t", 0).error = 0;
    more.extend_from_slice(&world.legacy.append("t", 0, &["g"]));
    world.pass(3000);
    assert!(world.is_following(0));
    assert_eq!(world.copy(0, 10), more);
    assert_eq!(world.status(0).epoch, 7);
}

#[test]
fn a_partition_that_cannot_be_asked_for_yet_does_not_wait_for_the_others_news() {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 2);
    let mut world = World::new(legacy);
    world.pass(3000);
    assert!(world.is_following(0) && world.is_following(1));
    assert_eq!(world.legacy.fetch_wait_ms, 250);
    world.legacy.part("t", 1).error = ErrorCode::NotLeaderOrFollower.code();
    world.pass(50);
    assert_eq!(world.legacy.fetch_wait_ms, 20, "the one that was refused rests");
    world.legacy.part("t", 1).error = 0;
    world.pass(3000);
    assert_eq!(world.legacy.fetch_wait_ms, 250);
}

#[test]
fn a_restart_of_legacy_is_waited_out() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.legacy.down = true;
    world.break_links();
    world.pass(5000);
    assert!(!world.feed.status(world.now).connected);
    assert!(world.is_following(0), "it is not the topic that is gone");
    world.legacy.down = false;
    let more = world.legacy.append("t", 0, &["f"]);
    world.pass(3000);
    assert!(world.feed.status(world.now).connected);
    assert_eq!(world.copy(0, 10), more);
}

#[test]
fn a_legacy_that_is_gone_is_waited_for_without_asking_the_clock_again_and_again() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.legacy.down = true;
    world.break_links();
    world.pass(5000);
    // Its connections are being made: whatever is due by now can only be done once one of them stands.
    world.feed.handle_timeout(world.now);
    let due = world.feed.poll_timeout();
    assert!(due.is_none_or(|due| due > world.now.elapsed), "{due:?} at {:?}", world.now.elapsed);
}

#[test]
fn a_log_that_begins_inside_a_batch_is_copied_from_that_batch_on() {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    legacy.append("t", 0, &["a", "b"]);
    let kept = legacy.append("t", 0, &["c", "d", "e"]);
    legacy.part("t", 0).start = 3;
    let mut world = World::new(legacy);
    world.pass(3000);
    assert!(world.is_following(0), "{:?}", world.status(0));
    let info = world.described(0);
    assert_eq!((info.start.0, info.durable_end.0), (3, 5));
    assert_eq!(world.copy(0, 3), kept);
}

#[test]
fn retention_that_overtakes_the_copy_is_followed() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.legacy.down = true;
    world.break_links();
    world.legacy.append("t", 0, &["lost"; 10]);
    let kept = world.legacy.append("t", 0, &["kept"]);
    world.legacy.part("t", 0).start = 20;
    world.legacy.down = false;
    world.pass(3000);
    assert!(world.is_following(0), "{:?}", world.status(0));
    let info = world.described(0);
    assert_eq!((info.start.0, info.durable_end.0), (20, 21));
    assert_eq!(world.copy(0, 20), kept);
}

#[test]
fn a_watched_partition_tells_of_each_bypass_once() {
    let (legacy, all) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    let mode = Mode::Watch(10);
    world.feed.order(world.now, Order::SetMode { topic: "t".to_owned(), partition: 0, mode });
    world.pass(2000);
    let bypassed = |world: &World| -> Vec<_> {
        let told = world.facts.iter().filter_map(|fact| match fact {
            Fact::Bypassed { from, records, .. } => Some((*from, *records)),
            _ => None,
        });
        told.collect()
    };
    assert_eq!(bypassed(&world), []);
    world.legacy.append("t", 0, &["x", "y"]);
    world.pass(3000);
    assert_eq!(bypassed(&world), [(10, 2)]);
    world.legacy.append("t", 0, &["z"]);
    world.pass(3000);
    assert_eq!(bypassed(&world), [(10, 2), (12, 1)]);
    assert_eq!(world.copy(0, 0), all, "none of it is copied");
}

#[test]
fn ends_are_the_logs_end_and_its_high_watermark() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    world.legacy.append("t", 0, &["unreplicated"]);
    world.legacy.part("t", 0).watermark = 10;
    let token = Token(4);
    let partitions = vec![("t".to_owned(), 0)];
    world.feed.order(world.now, Order::ReadEnds { token, partitions: partitions.clone(), groups: vec![] });
    world.turn();
    let ends = world.facts.iter().find_map(|fact| match fact {
        Fact::Ends { token: of, partitions, .. } if *of == token => Some(partitions.clone()),
        _ => None,
    });
    let end = ends.expect("an answer")[&partitions[0]];
    assert_eq!((end.end, end.high_watermark, end.epoch), (11, 10, 5));
    assert!(world.legacy.asked_ends.contains(&(-2, -1)), "asked as a debugging consumer");

    world.legacy.down = true;
    world.break_links();
    world.feed.order(world.now, Order::ReadEnds { token: Token(5), partitions, groups: vec![] });
    world.turn();
    let failed = |fact: &Fact| matches!(fact, Fact::EndsFailed { token: Token(5), .. });
    assert_eq!(world.facts.iter().filter(|fact| failed(fact)).count(), 1);
}

#[test]
fn the_status_tells_how_long_a_leader_has_been_silent() {
    let (legacy, _) = gapped();
    let mut world = World::new(legacy);
    world.pass(5000);
    assert!(
        world.status(0).heard_ago.as_millis() <= 500,
        "nothing new is an answer too: {:?}",
        world.status(0)
    );
    world.legacy.down = true;
    world.break_links();
    world.pass(5000);
    assert!(world.status(0).heard_ago.as_millis() >= 5000, "{:?}", world.status(0));
    world.legacy.down = false;
    world.pass(3000);
    assert!(world.status(0).heard_ago.as_millis() <= 500, "{:?}", world.status(0));
}

#[test]
fn what_is_still_to_come_is_estimated_from_what_has_come() {
    let (legacy, all) = gapped();
    let mut world = World::new(legacy);
    world.pass(3000);
    assert_eq!(world.status(0).bytes_to_come, 0);
    // Ten offsets have come; legacy says that it has twenty more, and shows none of them.
    world.legacy.part("t", 0).watermark = 30;
    world.pass(500);
    assert_eq!(world.status(0).bytes_to_come, u64::try_from(all.len()).unwrap() * 20 / 10);
}

fn alice(password: &str) -> Option<Credentials> {
    Some(Credentials { user: "alice".to_owned(), password: password.to_owned() })
}

#[test]
fn a_legacy_that_asks_for_a_user_is_mirrored_with_the_links_own() {
    let (mut legacy, all) = gapped();
    legacy.asks = Some(("alice", "right"));
    let mut world = World::as_user(legacy, alice("right"));
    world.pass(3000);
    assert_eq!(world.copy(0, 0), all);
    assert!(world.legacy.logins >= 3, "each connection logs in");
}

#[test]
fn refused_credentials_are_reported_without_the_password_and_not_tried_at_once_again() {
    let (mut legacy, _) = gapped();
    legacy.asks = Some(("alice", "right"));
    let mut world = World::as_user(legacy, alice("planted-secret"));
    world.pass(5000);
    assert_eq!(world.legacy.logins, 1, "a user who is refused too often may be locked out");
    let failed = world.facts.iter().find_map(|fact| match fact {
        Fact::LinkFailed { error, .. } => Some(error.clone()),
        _ => None,
    });
    assert_eq!(failed, Some(LinkError::Refused("invalid user or password".to_owned())));
    assert!(!format!("{:?} {:?}", world.facts, alice("planted-secret")).contains("planted"));
    world.pass(10_000);
    assert_eq!(world.legacy.logins, 2);
}
