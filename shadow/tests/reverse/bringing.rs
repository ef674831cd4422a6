//! Legacy gets what the kernel writes, at the same offsets.

use std::time::Duration;

use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, Op};
use kernel_model::{Commit, Offset, Request};
use shadow::{ReverseFact, ReverseLimits, ReverseOrder, Token, WayBack};
use translator_kafka::errors::ErrorCode;

use crate::legacy::TOPIC;
use crate::world::{World, batch, batch_as, log};

#[test]
fn what_the_kernel_writes_after_the_cut_is_on_legacy_byte_for_byte() {
    let mut world = World::new(1);
    let cut = world.before(0, &[batch(&["a", "b"]), batch(&["c"])]);
    world.begin(0, cut);
    assert_eq!(world.way_back(0), WayBack::Lagging, "it is not known yet where legacy stands");
    world.pass(1_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(3)));
    for value in 0..50 {
        world.append(0, batch(&[&format!("value {value}"), "and another"]));
    }
    world.turn();
    assert_eq!(world.position(0), Some(103));
    assert_eq!(world.status(0).lag_records, 0);
    assert!(world.is_equal(0));
    assert_eq!(world.legacy.parts[0].batches.len(), 52, "batches stay whole");
}

#[test]
fn topics_go_by_id_where_legacy_wants_that() {
    let mut world = World::new(2);
    world.legacy.version_max = 13;
    world.begin(0, 0);
    world.begin(1, 0);
    world.append(0, batch(&["a"]));
    world.append(1, batch(&["b"]));
    world.pass(1_000);
    assert!(world.is_equal(0) && world.is_equal(1));
}

#[test]
fn one_request_carries_a_batch_of_many_partitions() {
    let mut world = World::new(40);
    for part in 0..40 {
        world.append(part, batch(&["first"]));
        world.append(part, batch(&["second"]));
        world.begin(part, 0);
    }
    world.pass(1_000);
    assert!((0..40).all(|part| world.position(part) == Some(2)));
    assert!(world.legacy.widest > 20, "{} at most", world.legacy.widest);
}

#[test]
fn sequences_of_producers_that_legacy_does_not_know_go_as_they_are() {
    let mut world = World::new(1);
    let sent = |sequence| BatchSpec {
        producer_id: 1 << 40,
        producer_epoch: 3,
        base_sequence: sequence,
        ..BatchSpec::default()
    };
    world.begin(0, 0);
    world.pass(1_000);
    // The kernel knows its producer from a log that was trimmed since: the first batch is not number 0.
    for sequence in 0..10 {
        world.append(0, batch_as(&sent(sequence), &["v"]));
    }
    world.turn();
    assert!(world.is_equal(0));
    assert_eq!(world.position(0), Some(10));
}

#[test]
fn legacy_down_for_long_costs_neither_position_nor_memory() {
    let limits = ReverseLimits {
        lag_records_max: 100,
        read_bytes_max: 4 << 10,
        held_bytes_max: 16 << 10,
        ..ReverseLimits::default()
    };
    let mut world = World::within(1, limits);
    world.begin(0, 0);
    world.pass(1_000);
    world.append(0, batch(&["a"]));
    world.turn();
    world.legacy.down = true;
    world.break_links();
    for _ in 0..500 {
        world.append(0, batch(&["while legacy is down"]));
    }
    world.pass(60_000);
    assert_eq!(world.way_back(0), WayBack::Lagging);
    assert_eq!((world.position(0), world.status(0).lag_records, world.status(0).floor), (Some(1), 500, 1));
    assert!(world.status(0).behind_for > Duration::from_secs(50));
    assert!(world.status(0).trouble.is_some());
    assert!(world.reads < 5, "nothing is read ahead of a legacy that is not there: {}", world.reads);
    world.legacy.down = false;
    world.pass(5_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(501)));
    assert!(world.is_equal(0));
    let told: Vec<_> =
        world.facts.iter().filter(|fact| matches!(fact, ReverseFact::Changed { .. })).collect();
    assert_eq!(told.len(), 4, "lagging, open, lagging, open: {told:?}");
}

#[test]
fn a_lag_past_its_bound_is_told_and_ends_at_half_of_it() {
    let limits = ReverseLimits { lag_records_max: 10, ..ReverseLimits::default() };
    let mut world = World::within(1, limits);
    world.begin(0, 0);
    world.pass(1_000);
    assert_eq!(world.way_back(0), WayBack::Open);
    world.legacy.swallow = usize::MAX;
    world.append(0, batch(&["lost"]));
    for _ in 0..12 {
        world.append(0, batch(&["v"]));
    }
    world.pass(2_000);
    assert_eq!(world.way_back(0), WayBack::Lagging);
    world.legacy.swallow = 0;
    world.break_writes();
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(13)));
}

#[test]
fn records_that_a_client_removes_are_removed_on_legacy_once_it_has_them() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.pass(1_000);
    for _ in 0..10 {
        world.append(0, batch(&["v"]));
    }
    world.turn();
    let trim = Op::LogTrim { log: log(0), start: Offset(6) };
    world.kernel(Request::Commit(Commit::of(vec![trim]))).unwrap();
    world.pass(6_000);
    assert_eq!(world.legacy.deletions, [(0, 6)]);
    assert_eq!(world.legacy.parts[0].start, 6);
    let deleted = ReverseFact::Deleted { topic: TOPIC.to_owned(), partition: 0, start: 6 };
    assert!(world.facts.contains(&deleted));
    world.append(0, batch(&["after"]));
    world.pass(10_000);
    assert_eq!(world.legacy.deletions.len(), 1, "it is said once");
    assert!(world.is_equal(0));
}

#[test]
fn records_that_a_client_removes_before_legacy_has_them_are_brought_and_then_removed() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.pass(1_000);
    world.legacy.down = true;
    world.break_links();
    for _ in 0..10 {
        world.append(0, batch(&["v"]));
    }
    let trim = Op::LogTrim { log: log(0), start: Offset(6) };
    world.kernel(Request::Commit(Commit::of(vec![trim]))).unwrap();
    world.pass(5_000);
    assert_eq!(world.start(0), 6, "clients see the removal at once");
    assert_eq!(world.status(0).floor, 0);
    world.legacy.down = false;
    world.pass(10_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(10)));
    assert_eq!(world.legacy.deletions, [(0, 6)]);
    assert!(world.is_equal(0));
    assert!(world.stored_from(0, 0).is_err(), "nothing is kept any longer");
}

#[test]
fn retention_waits_for_legacy() {
    let config = LogConfig { retention_ms: Some(2_000), ..LogConfig::default() };
    let mut world = World::new(1);
    world.configure(0, config);
    world.begin(0, 0);
    world.pass(1_000);
    world.legacy.down = true;
    world.break_links();
    world.append(0, batch(&["v"]));
    world.pass(10_000);
    assert_eq!(world.start(0), 0);
    world.legacy.down = false;
    world.pass(5_000);
    assert_eq!((world.position(0), world.start(0)), (Some(1), 1));
}

#[test]
fn whoever_waits_for_an_end_is_told_when_legacy_says_so() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.pass(1_000);
    world.legacy.refuse.push_back(ErrorCode::NotEnoughReplicas);
    world.append(0, batch(&["a", "b"]));
    world.settle_until(9, 2);
    let settled = ReverseFact::Settled { token: Token(9) };
    assert!(!world.facts.contains(&settled));
    world.pass(1_000);
    assert!(world.facts.contains(&settled));
    world.settle_until(10, 1);
    assert!(matches!(world.facts.last(), Some(ReverseFact::SettleFailed { token: Token(10), .. })));
    world.settle_until(11, 5);
    world.order(ReverseOrder::Forget { token: Token(11) });
    world.append(0, batch(&["c", "d", "e"]));
    world.pass(1_000);
    assert!(!world.facts.contains(&ReverseFact::Settled { token: Token(11) }));
}

#[test]
fn after_the_last_partition_nobody_is_connected() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.pass(1_000);
    world.order(ReverseOrder::Stop { topic: TOPIC.to_owned(), partition: 0 });
    world.pass(100);
    world.append(0, batch(&["not for legacy"]));
    world.pass(1_000);
    assert!(world.legacy.parts[0].batches.is_empty());
    assert_eq!(world.connections(), 0);
}
