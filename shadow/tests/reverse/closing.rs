//! What a rollback would lose closes the way back, and says why.

use std::collections::BTreeMap;

use kernel_model::batch::BatchSpec;
use kernel_model::commit::Op;
use kernel_model::{Commit, Offset, Request};
use shadow::{ClosedReason, ReverseFact, ReverseOrder, Token, WayBack};
use translator_kafka::codec::Uuid;
use translator_kafka::errors::ErrorCode;

use crate::legacy::TOPIC;
use crate::world::{World, batch, batch_as, log};

fn running() -> World {
    let mut world = World::new(1);
    let cut = world.before(0, &[batch(&["before"])]);
    world.begin(0, cut);
    world.pass(1_000);
    world
}

#[track_caller]
fn assert_closed(world: &World, reason: &ClosedReason) {
    assert_eq!(world.way_back(0), WayBack::Closed(reason.clone()));
    let told = world.facts.iter().filter(
        |fact| matches!(fact, ReverseFact::Changed { way_back: WayBack::Closed(told), .. } if told == reason),
    );
    assert_eq!(told.count(), 1, "{:?}", world.facts);
}

#[test]
fn a_write_past_the_proxy_while_nothing_is_brought_closes() {
    let mut world = running();
    world.legacy.parts[0].append(batch(&["bypass"]).bytes());
    world.pass(2_000);
    assert_closed(&world, &ClosedReason::Bypassed { at: 1 });
}

#[test]
fn a_write_past_the_proxy_that_comes_first_is_seen_by_the_answered_offset() {
    let mut world = running();
    world.legacy.parts[0].append(batch(&["bypass"]).bytes());
    world.append(0, batch(&["ours"]));
    world.pass(1_000);
    assert_closed(&world, &ClosedReason::Bypassed { at: 1 });
    let written = world.legacy.produced[&0];
    world.append(0, batch(&["more"]));
    world.pass(5_000);
    assert_eq!(world.legacy.produced[&0], written, "nothing more is written");
}

#[test]
fn a_write_past_the_proxy_while_the_process_was_away_closes() {
    let mut world = running();
    world.append(0, batch(&["a"]));
    world.turn();
    world.legacy.parts[0].append(batch(&["bypass"]).bytes());
    world.append(0, batch(&["b"]));
    world.restart(0, 1);
    world.pass(2_000);
    assert_closed(&world, &ClosedReason::Bypassed { at: 2 });
}

#[test]
fn other_bytes_of_the_same_size_are_found() {
    let mut world = World::new(1);
    world.append(0, batch(&["kernel"]));
    world.legacy.parts[0].append(batch(&["legacy"]).bytes());
    world.begin(0, 0);
    world.pass(2_000);
    assert_closed(&world, &ClosedReason::Bypassed { at: 0 });
}

#[test]
fn a_batch_that_legacy_finds_too_large_closes_at_once() {
    let mut world = running();
    world.legacy.batch_bytes_max = 200;
    world.append(0, batch(&["small"]));
    let large = batch(&[&"x".repeat(500)]);
    let bytes = large.bytes().len();
    world.append(0, large);
    world.turn();
    assert_closed(&world, &ClosedReason::TooLarge { at: 2, bytes });
    assert_eq!(world.legacy.produced[&0], 2);
}

#[test]
fn a_batch_that_legacy_refuses_is_tried_again_before_it_is_believed() {
    let mut world = running();
    world.legacy.refuse = [ErrorCode::OutOfOrderSequenceNumber; 2].into();
    world.append(0, batch(&["a"]));
    world.pass(1_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(2)));
    world.legacy.refuse = [ErrorCode::InvalidRecord; 3].into();
    world.append(0, batch(&["b"]));
    world.pass(1_000);
    let error = "legacy answers InvalidRecord".to_owned();
    let code = ErrorCode::InvalidRecord.code();
    assert_closed(&world, &ClosedReason::Refused { at: 2, code, error });
}

#[test]
fn a_link_that_may_not_write_lags_and_says_so() {
    let mut world = running();
    world.legacy.refuse = [ErrorCode::TopicAuthorizationFailed; 20].into();
    world.append(0, batch(&["a"]));
    world.pass(40_000);
    assert_eq!(world.way_back(0), WayBack::Lagging);
    assert!(world.legacy.produced[&0] < 10, "{}", world.legacy.produced[&0]);
    let status = world.status(0);
    assert_eq!(status.trouble.as_deref(), Some("legacy answers TopicAuthorizationFailed"));
    world.legacy.refuse.clear();
    world.pass(6_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(2)));
}

#[test]
fn sequences_that_legacy_remembers_from_elsewhere_close() {
    let mut world = World::new(1);
    let sent = BatchSpec { producer_id: 5, producer_epoch: 0, base_sequence: 0, ..BatchSpec::default() };
    // Legacy has had these numbers in a batch that the kernel's log begins behind.
    let ours = batch_as(&sent, &["a"]);
    world.begin(0, 0);
    world.pass(1_000);
    world.legacy.refuse = [ErrorCode::DuplicateSequenceNumber; 3].into();
    world.append(0, ours);
    world.pass(2_000);
    assert!(matches!(world.way_back(0), WayBack::Closed(ClosedReason::Refused { at: 0, code: 46, .. })));
}

#[test]
fn legacy_that_lost_records_from_before_the_cut_closes() {
    let mut world = World::new(1);
    let cut = world.before(0, &[batch(&["a"]), batch(&["b"])]);
    world.begin(0, cut);
    world.pass(1_000);
    world.legacy.parts[0].truncate(1);
    world.legacy.parts[0].epoch += 1;
    world.pass(7_000);
    assert_closed(&world, &ClosedReason::Truncated { end: 1, from: 2 });
}

#[test]
fn a_kernel_that_has_removed_what_legacy_lacks_closes() {
    let mut world = World::new(1);
    let cut = world.before(0, &[batch(&["before"])]);
    for _ in 0..5 {
        world.append(0, batch(&["v"]));
    }
    let trim = Op::LogTrim { log: log(0), start: Offset(4) };
    world.kernel(Request::Commit(Commit::of(vec![trim]))).unwrap();
    world.begin(0, cut);
    world.pass(3_000);
    assert_closed(&world, &ClosedReason::Truncated { end: 1, from: 4 });
}

#[test]
fn a_topic_made_anew_closes() {
    let mut world = running();
    world.legacy.id = Uuid([8; 16]);
    world.pass(6_000);
    assert_closed(&world, &ClosedReason::Recreated);
}

#[test]
fn a_topic_that_stays_away_closes() {
    let mut world = running();
    world.legacy.deleted = true;
    world.pass(8_000);
    assert!(!matches!(world.way_back(0), WayBack::Closed(_)), "it may be away for a moment");
    world.pass(20_000);
    assert_closed(&world, &ClosedReason::Deleted);
}

#[test]
fn whoever_waits_is_told_that_it_never_comes() {
    let mut world = running();
    world.settle_until(4, 7);
    world.legacy.parts[0].append(batch(&["bypass"]).bytes());
    world.pass(2_000);
    assert!(matches!(world.facts.last(), Some(ReverseFact::SettleFailed { token: Token(4), .. })));
}

#[test]
fn reasons_known_beforehand_need_no_legacy() {
    let configs = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let closed = ClosedReason::of_configs;
    assert_eq!(closed(&configs("cleanup.policy", "compact,delete")), None);
    let stamped = configs("message.timestamp.type", "LogAppendTime");
    assert_eq!(closed(&stamped), Some(ClosedReason::LogAppendTime));
    let mut world = World::new(1);
    world.order(ReverseOrder::Begin {
        topic: TOPIC.to_owned(),
        partition: 0,
        topic_id: Uuid::default(),
        log: log(0),
        cut: 0,
        compacted: false,
        closed: closed(&stamped),
    });
    world.pass(1_000);
    assert_closed(&world, &ClosedReason::LogAppendTime);
    assert_eq!(world.connections(), 0);
}
