//! Transactions in logs that the kernel leads: guards, markers, what is stable.

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::{LogKind, Op};
use kernel_model::reply::{Aborted, Reply};
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, KernelError, LogId, Offset, ShardId, VerifiedBatch};

use crate::bench::*;

const PRODUCER: i64 = 5;

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Led, 0);
    desk
}

fn part(epoch: i16, sequence: i32) -> VerifiedBatch {
    let spec = BatchSpec {
        transactional: true,
        producer_id: PRODUCER,
        producer_epoch: epoch,
        base_sequence: sequence,
        ..BatchSpec::default()
    };
    spec.encode(&[NewRecord { value: Some(b"v"), ..NewRecord::default() }]).unwrap()
}

fn marker(epoch: i16, commit: bool) -> Bytes {
    let spec = BatchSpec {
        transactional: true,
        control: true,
        producer_id: PRODUCER,
        producer_epoch: epoch,
        ..BatchSpec::default()
    };
    let key = [0, 0, 0, u8::from(commit)];
    let record = NewRecord { key: Some(&key), value: Some(&[0; 6]), ..NewRecord::default() };
    spec.encode(&[record]).unwrap().bytes().clone()
}

/// The offset, or why not.
fn offer(desk: &mut Desk, batch: VerifiedBatch, guard: Option<Offset>) -> Result<u64, KernelError> {
    match desk.ask(Request::AppendTransactional { log: LOG, batch: Box::new(batch), guard })? {
        Reply::Appended(appended) => Ok(appended.base_offset.0),
        other => panic!("{other:?}"),
    }
}

fn mark(desk: &mut Desk, log: LogId, epoch: i16, commit: bool) {
    let op = Op::Deliver { log, batch: marker(epoch, commit), views: Vec::new() };
    desk.ask(Request::Commit(Commit::of(vec![op]))).unwrap();
}

fn guard_of(refusal: Result<u64, KernelError>) -> Option<Offset> {
    match refusal {
        Err(KernelError::TransactionUnverified { guard }) => Some(guard),
        other => panic!("{other:?}"),
    }
}

fn stable(desk: &mut Desk) -> (u64, u64, Vec<Aborted>) {
    let records = desk.read(0, ReadLimit::Stable).unwrap();
    (records.durable_end.0, records.stable_end.0, records.aborted)
}

#[test]
fn the_first_batch_of_a_transaction_needs_a_guard_and_the_others_do_not() {
    let mut desk = desk();
    let refused = offer(&mut desk, part(0, 0), None);
    let guard = guard_of(refused);
    assert_eq!(desk.describe().end, Offset(0));
    assert_eq!(offer(&mut desk, part(0, 0), guard), Ok(0));
    assert_eq!(offer(&mut desk, part(0, 1), None), Ok(1));
    // A repeat is found without a guard, also when its transaction has ended.
    mark(&mut desk, LOG, 0, true);
    assert_eq!(offer(&mut desk, part(0, 1), None), Ok(1));
}

#[test]
fn a_marker_makes_the_guards_before_it_worthless() {
    let mut desk = desk();
    let early = guard_of(offer(&mut desk, part(0, 0), None));
    assert_eq!(offer(&mut desk, part(0, 0), early), Ok(0));
    mark(&mut desk, LOG, 0, true);
    assert_eq!(stable(&mut desk), (2, 2, vec![]));
    let later = guard_of(offer(&mut desk, part(0, 1), early));
    // Whether the sequence fits is judged only of what is vouched for: those before it may still wait.
    guard_of(offer(&mut desk, part(0, 2), None));
    assert_eq!(
        offer(&mut desk, part(0, 2), later),
        Err(KernelError::SequenceOutOfOrder { expected: 1, found: 2 })
    );
    assert_eq!(offer(&mut desk, part(0, 1), later), Ok(2));
    assert_eq!(stable(&mut desk).1, 2);
}

#[test]
fn an_abort_is_listed_and_a_marker_takes_an_offset_of_its_own() {
    let mut desk = desk();
    let guard = guard_of(offer(&mut desk, part(0, 0), None));
    offer(&mut desk, part(0, 0), guard).unwrap();
    desk.append(plain(0, 1, "a")).unwrap();
    assert_eq!(stable(&mut desk), (2, 0, vec![]));
    mark(&mut desk, LOG, 1, false);
    let aborted = Aborted { producer_id: PRODUCER, first_offset: Offset(0), last_offset: Offset(2) };
    assert_eq!(stable(&mut desk), (3, 3, vec![aborted]));
    desk.restart(Vec::new());
    assert_eq!(stable(&mut desk), (3, 3, vec![aborted]));
    // The marker's epoch fences the producer before it.
    assert_eq!(offer(&mut desk, part(0, 1), None), Err(KernelError::ProducerFenced { current: 1, found: 0 }));
    let guard = guard_of(offer(&mut desk, part(1, 0), None));
    assert_eq!(offer(&mut desk, part(1, 0), guard), Ok(3));
}

#[test]
fn a_batch_of_another_epoch_is_no_part_of_an_open_transaction() {
    let mut desk = desk();
    let guard = guard_of(offer(&mut desk, part(0, 0), None));
    assert_eq!(offer(&mut desk, part(0, 0), guard), Ok(0));
    // The coordinator has to say whether that epoch exists, and it ends the older one's transaction first.
    guard_of(offer(&mut desk, part(1, 0), None));
    assert_eq!(desk.describe().end, Offset(1));
    assert_eq!(offer(&mut desk, part(0, 1), None), Ok(1));
}

#[test]
fn plain_records_do_not_go_into_an_open_transaction() {
    let mut desk = desk();
    let guard = guard_of(offer(&mut desk, part(0, 0), None));
    offer(&mut desk, part(0, 0), guard).unwrap();
    assert_eq!(desk.append(idempotent(PRODUCER, 0, 1, 1)).unwrap_err(), KernelError::TransactionOpen);
}

#[test]
fn a_marker_is_dropped_where_there_is_nothing_to_end() {
    let mut desk = desk();
    let mirrored = LogId::new(SHARD, 77);
    desk.create(mirrored, LogKind::Mirrored, 0);
    let guard = guard_of(offer(&mut desk, part(3, 0), None));
    offer(&mut desk, part(3, 0), guard).unwrap();
    mark(&mut desk, LOG, 2, true);
    assert_eq!(stable(&mut desk), (1, 0, vec![]), "a late marker of an older epoch changes nothing");
    mark(&mut desk, mirrored, 3, true);
    mark(&mut desk, LogId::new(SHARD, 999), 3, true);
    let elsewhere = LogId::new(ShardId(SHARD.0 + 1), 1);
    let op = Op::Deliver { log: elsewhere, batch: marker(3, true), views: Vec::new() };
    assert!(desk.ask(Request::Commit(Commit::of(vec![op]))).is_err(), "another shard's log");
    mark(&mut desk, LOG, 3, true);
    assert_eq!(stable(&mut desk), (2, 2, vec![]));
}
