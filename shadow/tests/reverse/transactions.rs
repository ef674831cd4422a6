//! Transactions on their way back: batches as they are, markers by legacy's own hand.

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, NewRecord, fingerprint, split};
use kernel_model::commit::Op;
use kernel_model::{Commit, Request, VerifiedBatch};
use shadow::{ClosedReason, WayBack};
use translator_kafka::errors::ErrorCode;

use crate::world::{World, batch, batch_as, log};

/// A marker as this writer stamps it.
pub(crate) fn marker(
    producer: (i64, i16),
    commit: bool,
    now_ms: i64,
    coordinator_epoch: i32,
) -> VerifiedBatch {
    let spec = BatchSpec {
        transactional: true,
        control: true,
        producer_id: producer.0,
        producer_epoch: producer.1,
        ..BatchSpec::default()
    };
    let mut value = vec![0, 0];
    value.extend(coordinator_epoch.to_be_bytes());
    let key = [0, 0, 0, u8::from(commit)];
    let record = NewRecord { timestamp_ms: now_ms, key: Some(&key), value: Some(&value), headers: &[] };
    spec.encode(&[record]).unwrap()
}

fn of_producer(producer: (i64, i16), base_sequence: i32, values: &[&str]) -> VerifiedBatch {
    let spec = BatchSpec {
        transactional: true,
        producer_id: producer.0,
        producer_epoch: producer.1,
        base_sequence,
        ..BatchSpec::default()
    };
    batch_as(&spec, values)
}

/// Offset and content of each batch.
type Prints = Vec<(u64, u32)>;

impl World {
    /// The kernel's coordinator ends a transaction.
    fn end(&mut self, part: i32, producer: (i64, i16), commit: bool) {
        let batch = marker(producer, commit, self.now.wall_ms, 0).bytes().clone();
        let deliver = Op::Deliver { log: log(part), batch, views: Vec::new() };
        self.kernel(Request::Commit(Commit::of(vec![deliver]))).unwrap();
    }

    /// What both sides hold, by offset and content.
    fn prints(&mut self, part: i32) -> (Prints, Prints) {
        let of = |bytes: Vec<u8>| {
            let batches = split(&mut Bytes::from(bytes)).unwrap();
            let print = |batch: &VerifiedBatch| {
                (batch.header().base_offset.0, fingerprint(batch.header(), batch.bytes()))
            };
            batches.iter().map(print).collect::<Vec<_>>()
        };
        let legacy = self.legacy.parts[usize::try_from(part).unwrap()].read(0);
        let kernel = self.kernel_bytes(part, 0);
        (of(legacy), of(kernel))
    }
}

const ONE: (i64, i16) = (5, 0);
const OTHER: (i64, i16) = (6, 3);

#[test]
fn legacys_leader_writes_the_marker_where_the_kernel_has_it() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.append(0, of_producer(ONE, 0, &["a", "b"]));
    world.append(0, batch(&["between"]));
    world.end(0, ONE, true);
    world.append(0, batch(&["behind"]));
    world.pass(2_000);
    let (legacy, kernel) = world.prints(0);
    assert_eq!((legacy.len(), &legacy), (4, &kernel));
    assert!(!world.is_equal(0), "legacy has stamped the marker with its own clock");
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(5)));
    assert_eq!(
        world.legacy.transactional,
        [("sluice-way-back".to_owned(), 11)],
        "in a version that adds no partition"
    );
}

#[test]
fn an_aborted_transaction_is_aborted_there_too() {
    let mut world = World::new(1);
    world.begin(0, 0);
    for (sequence, commit) in [(0, false), (1, true)] {
        world.append(0, of_producer(ONE, sequence, &["a"]));
        world.end(0, ONE, commit);
        world.pass(1_000);
    }
    let (legacy, kernel) = world.prints(0);
    assert_eq!(legacy, kernel);
    assert_ne!(legacy[1].1, legacy[3].1);
}

#[test]
fn batches_of_two_producers_go_in_requests_of_their_own() {
    let mut world = World::new(4);
    for part in 0..4 {
        let producer = if part < 2 { ONE } else { OTHER };
        world.append(part, of_producer(producer, 0, &["a"]));
        world.end(part, producer, part % 2 == 0);
        world.begin(part, 0);
    }
    world.pass(2_000);
    for part in 0..4 {
        let (legacy, kernel) = world.prints(part);
        assert_eq!(legacy, kernel, "{part}");
    }
    assert_eq!(world.legacy.widest, 2, "and those of one together");
}

#[test]
fn a_newer_coordinator_of_legacy_is_asked_for_once() {
    let mut world = World::new(1);
    world.legacy.parts[0].coordinators.insert(ONE.0, 7);
    world.begin(0, 0);
    for sequence in 0..3 {
        world.append(0, of_producer(ONE, sequence, &["a"]));
        world.end(0, ONE, true);
    }
    world.pass(2_000);
    let (legacy, kernel) = world.prints(0);
    assert_eq!(legacy, kernel);
    assert_eq!(world.legacy.marked, [0, 7, 7, 7], "the epochs under which markers were asked for");
    assert_eq!(world.legacy.parts[0].coordinators[&ONE.0], 7, "legacy's own coordinator is not shut out");
}

#[test]
fn a_marker_whose_answer_was_lost_is_looked_for_and_not_written_twice() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.append(0, of_producer(ONE, 0, &["a"]));
    world.pass(1_000);
    world.legacy.swallow = 1;
    world.end(0, ONE, true);
    world.pass(100);
    world.break_writes();
    world.append(0, batch(&["behind"]));
    world.pass(3_000);
    let (legacy, kernel) = world.prints(0);
    assert_eq!(legacy, kernel);
    assert_eq!(world.legacy.marked.len(), 1);
}

#[test]
fn somebody_elses_record_in_the_place_of_a_marker_is_found() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.append(0, of_producer(ONE, 0, &["a"]));
    world.pass(1_000);
    world.legacy.parts[0].append(batch(&["past the proxy"]).bytes());
    world.end(0, ONE, true);
    world.pass(3_000);
    assert_eq!(world.way_back(0), WayBack::Closed(ClosedReason::Bypassed { at: 1 }));
}

#[test]
fn a_legacy_that_verifies_transactions_after_all_is_waited_for() {
    let mut world = World::new(1);
    world.begin(0, 0);
    world.pass(1_000);
    world.legacy.refuse = [ErrorCode::InvalidTxnState; 4].into();
    world.append(0, of_producer(ONE, 0, &["a"]));
    world.pass(2_000);
    assert!(world.status(0).trouble.unwrap().contains("InvalidTxnState"));
    assert!(!matches!(world.way_back(0), WayBack::Closed(_)));
    world.pass(30_000);
    assert_eq!((world.way_back(0), world.position(0)), (WayBack::Open, Some(1)));
}
