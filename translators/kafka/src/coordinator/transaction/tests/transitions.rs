//! Every transition of one id, as Kafka has them.

use super::super::message::{PartitionLog, Producer};
use super::super::state::{Ended, Initialised, Refusal, State, Transaction};
use crate::errors::ErrorCode;

const NOW_MS: i64 = 1_000;
const LAST: i16 = i16::MAX - 1;

fn fresh() -> Transaction {
    ready(Transaction::init(None, 60_000, None, Some(7), NOW_MS))
}

fn ready(outcome: Result<Initialised, Refusal>) -> Transaction {
    match outcome {
        Ok(Initialised::Ready(next)) => next,
        other => panic!("{other:?}"),
    }
}

fn at(state: State, epoch: i16) -> Transaction {
    let producer = Producer { id: 7, epoch };
    Transaction { state, producer, started_ms: NOW_MS, ..fresh() }
}

fn producer(epoch: i16) -> Producer {
    Producer { id: 7, epoch }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> ErrorCode {
    match outcome {
        Err(Refusal::Code(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_id_begins_with_a_producer_id_of_its_own() {
    let none = Transaction::init(None, 60_000, None, None, NOW_MS);
    assert_eq!(none, Err(Refusal::NeedsProducerId));
    let first = fresh();
    assert_eq!((first.producer, first.state), (producer(0), State::Empty));
    // Whoever says what it had is taken for one that lost its coordinator's memory.
    let told = ready(Transaction::init(None, 60_000, Some(producer(9)), Some(8), NOW_MS));
    assert_eq!(told.producer, Producer { id: 8, epoch: 0 });
}

#[test]
fn every_initialisation_takes_the_next_epoch() {
    for state in [State::Empty, State::CompleteCommit, State::CompleteAbort] {
        let next = ready(Transaction::init(Some(&at(state, 3)), 5_000, None, None, NOW_MS));
        assert_eq!((next.producer, next.last_epoch, next.timeout_ms), (producer(4), -1, 5_000));
        assert_eq!(next.state, State::Empty);
    }
    for state in [State::PrepareCommit, State::PrepareAbort] {
        let outcome = Transaction::init(Some(&at(state, 3)), 5_000, None, None, NOW_MS);
        assert_eq!(refused(outcome), ErrorCode::ConcurrentTransactions);
    }
    match Transaction::init(Some(&at(State::Ongoing, 3)), 5_000, None, None, NOW_MS) {
        Ok(Initialised::Abort(next)) => {
            assert_eq!((next.producer, next.state), (producer(4), State::PrepareAbort));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_producer_that_goes_on_is_judged_by_what_it_has() {
    let held = at(State::CompleteAbort, 3);
    let init =
        |held: &Transaction, current| Transaction::init(Some(held), 5_000, Some(current), None, NOW_MS);
    let next = ready(init(&held, producer(3)));
    assert_eq!((next.producer, next.last_epoch), (producer(4), 3));
    // The answer was lost and it asks again: the same once more.
    let again = ready(init(&next, producer(3)));
    assert_eq!((again.producer, again.last_epoch), (producer(4), 3));
    assert_eq!(refused(init(&next, producer(2))), ErrorCode::ProducerFenced);
    assert_eq!(refused(init(&next, Producer { id: 8, epoch: 4 })), ErrorCode::ProducerFenced);
    // Somebody else was initialised since: no repeat is recognised.
    let other = ready(Transaction::init(Some(&next), 5_000, None, None, NOW_MS));
    assert_eq!(refused(init(&other, producer(3))), ErrorCode::ProducerFenced);
}

#[test]
fn an_id_whose_epochs_are_used_up_gets_another_producer_id() {
    let held = at(State::CompleteCommit, LAST);
    let init = |current, spare| Transaction::init(Some(&held), 5_000, current, spare, NOW_MS);
    assert_eq!(init(None, None), Err(Refusal::NeedsProducerId));
    let next = ready(init(None, Some(8)));
    assert_eq!((next.producer, next.previous_id, next.last_epoch), (Producer { id: 8, epoch: 0 }, 7, -1));
    let going_on = ready(init(Some(producer(LAST)), Some(8)));
    assert_eq!((going_on.producer.id, going_on.last_epoch), (8, LAST));
    // A repeat with the old id: recognised by its last epoch.
    let again = Transaction::init(Some(&going_on), 5_000, Some(producer(LAST)), Some(9), NOW_MS);
    assert_eq!(ready(again).producer, Producer { id: 8, epoch: 0 });
}

#[test]
fn only_the_producer_itself_works_on_its_transaction() {
    for state in [State::Empty, State::Ongoing, State::CompleteCommit, State::CompleteAbort] {
        let held = at(state, 3);
        assert_eq!(held.admit(producer(3)), Ok(()));
        assert_eq!(held.admit(producer(2)), Err(ErrorCode::ProducerFenced));
        assert_eq!(held.admit(producer(4)), Err(ErrorCode::ProducerFenced));
        assert_eq!(held.admit(Producer { id: 8, epoch: 3 }), Err(ErrorCode::InvalidProducerIdMapping));
    }
    for state in [State::PrepareCommit, State::PrepareAbort] {
        assert_eq!(at(state, 3).admit(producer(3)), Err(ErrorCode::ConcurrentTransactions));
    }
}

#[test]
fn a_transaction_begins_with_what_joins_first_and_times_out_from_then() {
    let mut held = fresh();
    let partition = PartitionLog { topic: "t".into(), partition: 0, log: 1 };
    assert_eq!(held.times_out_at(), None);
    held.join(std::slice::from_ref(&partition), &[], 2_000);
    assert!(held.has(&partition));
    held.join(&[], &[], 3_000);
    assert_eq!((held.started_ms, held.times_out_at()), (2_000, Some(62_000)));
}

/// What an end of a transaction in this state leads to.
fn ended(
    state: State,
    epoch: i16,
    given: i16,
    commit: bool,
    bumps: bool,
) -> Result<Option<Producer>, ErrorCode> {
    match at(state, epoch).end(producer(given), commit, bumps, Some(8), NOW_MS) {
        Ok(Ended::Already) => Ok(None),
        Ok(Ended::Now(next, afterwards)) => {
            assert!(next.is_prepared());
            assert_eq!(next.state == State::PrepareCommit, commit);
            Ok(Some(afterwards))
        }
        Err(Refusal::Code(code)) => Err(code),
        Err(Refusal::NeedsProducerId) => panic!("one was given"),
    }
}

#[test]
fn a_plain_end_keeps_the_epoch_and_is_told_from_its_repeat_by_the_state() {
    use ErrorCode::{ConcurrentTransactions, InvalidTxnState, ProducerFenced};
    let now = || Ok(Some(producer(3)));
    let table = [
        (State::Empty, Err(InvalidTxnState), Err(InvalidTxnState)),
        (State::Ongoing, now(), now()),
        (State::PrepareCommit, Err(ConcurrentTransactions), Err(InvalidTxnState)),
        (State::PrepareAbort, Err(InvalidTxnState), Err(ConcurrentTransactions)),
        (State::CompleteCommit, Ok(None), Err(InvalidTxnState)),
        (State::CompleteAbort, Err(InvalidTxnState), Ok(None)),
    ];
    for (state, commit, abort) in table {
        assert_eq!(ended(state, 3, 3, true, false), commit, "{state:?} commit");
        assert_eq!(ended(state, 3, 3, false, false), abort, "{state:?} abort");
        assert_eq!(ended(state, 3, 2, true, false), Err(ProducerFenced), "{state:?}");
        assert_eq!(ended(state, 3, 4, true, false), Err(ProducerFenced), "{state:?}");
    }
    let other = at(State::Ongoing, 3).end(Producer { id: 9, epoch: 3 }, true, false, None, NOW_MS);
    assert_eq!(refused(other), ErrorCode::InvalidProducerIdMapping);
}

#[test]
fn a_bumping_end_takes_the_next_epoch_and_is_told_from_its_repeat_by_it() {
    use ErrorCode::{ConcurrentTransactions, InvalidTxnState, ProducerFenced};
    let bumped = || Ok(Some(producer(4)));
    // State; then commit and abort with the epoch in force, and commit and abort with the one before.
    let table = [
        (State::Empty, Err(InvalidTxnState), bumped(), Err(ProducerFenced), Err(ProducerFenced)),
        (State::Ongoing, bumped(), bumped(), Err(ProducerFenced), Err(ProducerFenced)),
        (
            State::PrepareCommit,
            Err(ProducerFenced),
            Err(ProducerFenced),
            Err(ConcurrentTransactions),
            Err(InvalidTxnState),
        ),
        (
            State::PrepareAbort,
            Err(ProducerFenced),
            Err(ProducerFenced),
            Err(InvalidTxnState),
            Err(ConcurrentTransactions),
        ),
        (State::CompleteCommit, Err(InvalidTxnState), bumped(), Ok(None), Err(InvalidTxnState)),
        (State::CompleteAbort, Err(InvalidTxnState), bumped(), Err(InvalidTxnState), Ok(None)),
    ];
    for (state, commit, abort, old_commit, old_abort) in table {
        assert_eq!(ended(state, 3, 3, true, true), commit, "{state:?} commit");
        assert_eq!(ended(state, 3, 3, false, true), abort, "{state:?} abort");
        assert_eq!(ended(state, 3, 2, true, true), old_commit, "{state:?} commit again");
        assert_eq!(ended(state, 3, 2, false, true), old_abort, "{state:?} abort again");
        assert_eq!(ended(state, 3, 1, true, true), Err(ProducerFenced), "{state:?}");
    }
}

#[test]
fn the_last_epoch_marks_the_end_and_the_next_id_comes_into_force_behind_it() {
    let held = at(State::Ongoing, LAST);
    assert_eq!(held.end(producer(LAST), true, true, None, NOW_MS), Err(Refusal::NeedsProducerId));
    let Ok(Ended::Now(mut next, afterwards)) = held.end(producer(LAST), true, true, Some(8), NOW_MS) else {
        panic!("it ends");
    };
    assert_eq!(afterwards, Producer { id: 8, epoch: 0 });
    assert_eq!(next.producer, producer(i16::MAX), "markers fence under the last epoch");
    next.complete();
    assert_eq!((next.producer, next.previous_id), (afterwards, 7));
    assert_eq!(next.end(producer(LAST), true, true, None, NOW_MS), Ok(Ended::Already), "a repeat");
}

#[test]
fn completion_keeps_nothing_of_the_transaction() {
    for (prepared, complete) in
        [(State::PrepareCommit, State::CompleteCommit), (State::PrepareAbort, State::CompleteAbort)]
    {
        let mut held = at(State::Ongoing, 3);
        held.join(&[PartitionLog { topic: "t".into(), partition: 0, log: 1 }], &[], NOW_MS);
        held.state = prepared;
        held.complete();
        assert_eq!((held.state, held.partitions.len(), held.started_ms), (complete, 0, -1));
    }
}

#[test]
fn an_id_is_forgotten_when_nobody_has_used_it_for_long_and_nothing_is_open() {
    for state in State::ALL {
        let idle = matches!(state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        assert!(!at(state, 3).is_expired(NOW_MS + 99, 100));
        assert_eq!(at(state, 3).is_expired(NOW_MS + 100, 100), idle, "{state:?}");
    }
}

#[test]
fn what_is_stored_is_read_back() {
    let mut held = at(State::Ongoing, 3);
    held.join(&[PartitionLog { topic: "t".into(), partition: 0, log: u64::MAX }], &[], NOW_MS);
    let kernel_model::commit::Op::KvPut { value, .. } = super::super::stored::put("id", &held) else {
        panic!("a key");
    };
    assert_eq!(super::super::stored::read(&value), Some(held));
    assert_eq!(super::super::stored::read(b"\x02{}"), None);
}
