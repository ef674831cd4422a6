//! Lost answers, other leaders, restarts: what legacy holds is looked at, and nothing is written twice.

use kernel_model::batch::BatchSpec;
use shadow::{ClosedReason, WayBack};
use translator_kafka::errors::ErrorCode;

use crate::world::{World, batch, batch_as};

fn running() -> World {
    let mut world = World::new(1);
    let cut = world.before(0, &[batch(&["before"])]);
    world.begin(0, cut);
    world.pass(1_000);
    assert_eq!(world.position(0), Some(1));
    world
}

#[test]
fn a_write_whose_answer_was_lost_is_found_and_not_repeated() {
    let mut world = running();
    world.legacy.swallow = 1;
    world.append(0, batch(&["a", "b"]));
    world.append(0, batch(&["c"]));
    world.turn();
    assert_eq!(world.position(0), Some(1), "nobody answered");
    world.break_writes();
    world.pass(300);
    assert_eq!(world.position(0), Some(1), "a late write may still arrive");
    world.pass(1_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(4)));
    assert_eq!(world.legacy.produced[&0], 2, "each batch was written once");
    assert!(world.is_equal(0));
}

#[test]
fn a_write_that_legacy_never_got_is_sent_again() {
    let mut world = running();
    world.legacy.refuse.push_back(ErrorCode::RequestTimedOut);
    world.append(0, batch(&["a"]));
    world.pass(1_000);
    assert_eq!((world.position(0), world.legacy.produced[&0]), (Some(2), 2));
    assert!(world.is_equal(0));
}

#[test]
fn a_write_that_was_taken_before_too_few_replicas_had_it_is_not_repeated() {
    let mut world = running();
    world.legacy.answer_instead.push_back(ErrorCode::NotEnoughReplicasAfterAppend);
    world.legacy.parts[0].replicated = Some(1);
    world.append(0, batch(&["a"]));
    world.pass(3_000);
    assert_eq!(world.position(0), Some(1), "what is not replicated does not count");
    world.legacy.parts[0].replicated = None;
    world.pass(1_000);
    assert_eq!((world.position(0), world.legacy.produced[&0]), (Some(2), 1));
    assert!(world.is_equal(0));
}

#[test]
fn an_answer_that_never_comes_ends_the_connection() {
    let mut world = running();
    world.legacy.swallow = 1;
    world.append(0, batch(&["a"]));
    world.pass(30_000);
    assert_eq!(world.position(0), Some(1));
    world.pass(20_000);
    assert_eq!((world.position(0), world.legacy.produced[&0]), (Some(2), 1));
}

#[test]
fn another_leader_is_followed() {
    let mut world = running();
    world.legacy.nodes.push(2);
    world.append(0, batch(&["a"]));
    world.turn();
    (world.legacy.parts[0].leader, world.legacy.parts[0].epoch) = (2, 6);
    world.append(0, batch(&["b"]));
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(3)));
    assert!(world.is_equal(0));
}

#[test]
fn a_leader_that_lost_the_last_batches_gets_them_again() {
    let mut world = running();
    for value in ["a", "b", "c", "d"] {
        world.append(0, batch(&[value]));
    }
    world.turn();
    assert_eq!(world.position(0), Some(5));
    world.legacy.parts[0].truncate(3);
    world.legacy.parts[0].epoch += 1;
    world.pass(7_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(5)));
    assert!(world.is_equal(0));
}

#[test]
fn after_a_restart_legacy_itself_says_where_to_go_on() {
    let mut world = running();
    for value in ["a", "b"] {
        world.append(0, batch(&[value]));
    }
    world.legacy.swallow = 1;
    world.append(0, batch(&["c"]));
    world.append(0, batch(&["d"]));
    world.restart(0, 1);
    assert_eq!(world.position(0), None);
    assert_eq!(world.status(0).floor, 1, "until legacy has answered nothing may be removed");
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(5)));
    assert!(world.is_equal(0));
}

#[test]
fn after_a_restart_only_the_tail_is_compared() {
    let mut world = running();
    for _ in 0..30 {
        let many: Vec<String> = (0..100).map(|value| value.to_string()).collect();
        world.append(0, batch(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    world.turn();
    world.restart(0, 1);
    world.pass(1_000);
    assert_eq!(world.position(0), Some(3_001));
    assert_eq!(world.legacy.fetched, [2_001]);
}

#[test]
fn what_legacy_has_compacted_closes_nothing() {
    let mut world = running();
    for value in ["a", "b", "c", "d"] {
        world.append(0, batch(&[value]));
    }
    world.turn();
    // Superseded records are gone from all but the last batch, which a cleaner leaves alone.
    world.legacy.parts[0].batches.retain(|(base, ..)| *base != 2 && *base != 3);
    world.append(0, batch(&["e"]));
    world.compacted = true;
    world.restart(0, 1);
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(6)));
    assert_eq!(world.legacy.fetched, [5]);
}

#[test]
fn what_was_written_past_the_proxy_is_found_in_a_compacted_topic_too() {
    let mut world = running();
    world.append(0, batch(&["a"]));
    world.turn();
    for value in ["x", "y", "z"] {
        world.legacy.parts[0].append(batch(&[value]).bytes());
    }
    for value in ["b", "c", "d"] {
        world.append(0, batch(&[value]));
    }
    world.compacted = true;
    world.restart(0, 1);
    world.pass(2_000);
    assert!(
        matches!(world.way_back(0), WayBack::Closed(ClosedReason::Bypassed { .. })),
        "{:?}",
        world.way_back(0)
    );
}

#[test]
fn what_legacy_has_removed_itself_is_not_compared() {
    let mut world = running();
    for value in ["a", "b", "c"] {
        world.append(0, batch(&[value]));
    }
    world.turn();
    world.legacy.parts[0].start = 3;
    world.legacy.parts[0].batches.retain(|(_, end, _)| *end > 3);
    world.restart(0, 1);
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(4)));
}

#[test]
fn an_idempotent_batch_that_arrives_twice_is_one() {
    let mut world = running();
    let sent = |sequence| BatchSpec {
        producer_id: 77,
        producer_epoch: 0,
        base_sequence: sequence,
        ..BatchSpec::default()
    };
    world.legacy.answer_instead.push_back(ErrorCode::RequestTimedOut);
    world.append(0, batch_as(&sent(0), &["a", "b"]));
    world.append(0, batch_as(&sent(2), &["c"]));
    world.pass(2_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(4)));
    assert!(world.is_equal(0));
}

#[test]
fn breaking_every_connection_again_and_again_loses_and_repeats_nothing() {
    let mut world = running();
    for round in 0..40 {
        world.legacy.swallow = usize::from(round % 3 == 0);
        world.append(0, batch(&[&format!("round {round}")]));
        if round % 2 == 0 {
            world.break_links();
        }
        world.pass(50 * (round % 7));
    }
    world.legacy.swallow = 0;
    world.pass(60_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(41)));
    assert!(world.is_equal(0));
}
