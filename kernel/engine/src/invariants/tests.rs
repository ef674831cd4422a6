//! One planted fault per invariant, each of them caught, on a state that is sound before.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::{
    Commit, LogConfig, LogKind, Op, RouteLevel, RoutePattern, RouteTarget, ViewEntry,
};
use kernel_model::position::{CursorId, LogEpoch, LogId, Offset, RouterId, Seq, ShardId, ViewId};
use kernel_model::reply::Aborted;

use super::{Violation, check};
use crate::cursor::Cursor;
use crate::log::Log;
use crate::log::transactions::AbortedEntry;
use crate::state::State;

const SHARD: ShardId = ShardId(1);
const LED: LogId = LogId::new(SHARD, 1);
const MIRRORED: LogId = LogId::new(SHARD, 2);
const VIEW: ViewId = ViewId::new(SHARD, 1);
const CURSOR: CursorId = CursorId::new(SHARD, 1);
const ROUTER: RouterId = RouterId::new(SHARD, 1);
const LAST: Seq = Seq(2);

fn levels() -> RoutePattern {
    RoutePattern::Levels(vec![RouteLevel::One, RouteLevel::Many, RouteLevel::Is("x".into())])
}

fn append(log: LogId, base: u64, spec: BatchSpec) -> Op {
    let base_offset = Offset(base);
    let batch = spec.encode(&[NewRecord::default(), NewRecord::default()]).unwrap();
    Op::LogAppend { log, base_offset, epoch: LogEpoch(3), batch: batch.bytes().clone() }
}

/// Something of everything; the first commit is durable.
pub(crate) fn sound() -> State {
    let mut state = State::default();
    let mirrored = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
    let idempotent =
        BatchSpec { producer_id: 8, producer_epoch: 0, base_sequence: 0, ..BatchSpec::default() };
    let open = BatchSpec { transactional: true, ..idempotent };
    let entry = |offset| ViewEntry { log: LED, offset: Offset(offset), note: Bytes::new() };
    let key = Bytes::from_static(b"\x01k");
    let ops = vec![
        Op::LogCreate { log: LED, config: LogConfig::default(), start: Offset(0) },
        append(LED, 0, idempotent),
        append(LED, 2, BatchSpec { base_sequence: 2, ..idempotent }),
        Op::LogCreate { log: MIRRORED, config: mirrored, start: Offset(10) },
        append(MIRRORED, 10, open),
        append(MIRRORED, 14, BatchSpec::default()),
        append(MIRRORED, 16, BatchSpec::default()),
        Op::LogConfirm { log: MIRRORED, position: Offset(14) },
        Op::ViewCreate { view: VIEW },
        Op::ViewPush { view: VIEW, entries: vec![entry(0), entry(1), entry(2)] },
        Op::CursorCreate { cursor: CURSOR, view: VIEW },
        Op::CursorLease { cursor: CURSOR, entries: vec![0, 1], until_ms: 50 },
        Op::CursorRelease { cursor: CURSOR, entries: vec![1] },
        Op::ViewPush { view: VIEW, entries: vec![entry(3)] },
        Op::CursorLease { cursor: CURSOR, entries: vec![2], until_ms: 60 },
        Op::TimerSet { key: key.clone(), deadline_ms: 5, action: Bytes::new() },
        Op::KvPut { key, value: Bytes::new(), expires_ms: Some(9) },
        Op::OutboxPush { to: ShardId(2), commit: Box::new(Commit::default()) },
        Op::OutboxPush { to: ShardId(2), commit: Box::new(Commit::default()) },
        Op::OutboxTrim { to: ShardId(2), position: 1 },
        Op::OutboxApplied { from: ShardId(3), position: 7 },
        Op::RouteAdd {
            router: ROUTER,
            pattern: RoutePattern::Exact("a".into()),
            target: RouteTarget::View(VIEW),
        },
        Op::RouteAdd { router: ROUTER, pattern: levels(), target: RouteTarget::Opaque("b".into()) },
        Op::RouteRemove { router: ROUTER, pattern: levels(), target: RouteTarget::Opaque("b".into()) },
        Op::ViewAck { view: VIEW, entries: vec![0] },
    ];
    for op in &ops {
        state.apply(Seq(1), op).unwrap();
    }
    for log in state.logs.values_mut() {
        log.submitted(Seq(1));
        log.release(Seq(1));
        log.submitted(LAST);
    }
    state
}

fn log(state: &mut State, id: LogId) -> &mut Log {
    state.logs.get_mut(&id).unwrap()
}

#[test]
fn a_state_made_of_commits_is_sound() {
    assert_eq!(check(&sound(), LAST, Seq(1)), []);
}

#[test]
fn each_planted_fault_is_caught() {
    type Plant = fn(&mut State);
    let faults: [(Violation, Plant); 18] = [
        (Violation::Ends(LED), |state| log(state, LED).high = Offset(5)),
        (Violation::Ends(MIRRORED), |state| log(state, MIRRORED).shown = Offset(13)),
        (Violation::LedTail(LED), |state| log(state, LED).end = Offset(9)),
        (Violation::Tail(MIRRORED), |state| log(state, MIRRORED).tail.make_contiguous().reverse()),
        (Violation::Transactions(MIRRORED), |state| log(state, MIRRORED).transactions.open.clear()),
        (Violation::Aborted(LED), |state| {
            let aborted = Aborted { producer_id: 1, first_offset: Offset(3), last_offset: Offset(9) };
            let entry = AbortedEntry { aborted, stable: Offset(0) };
            log(state, LED).transactions.aborted.push(entry);
        }),
        (Violation::Epochs(LED), |state| log(state, LED).epochs.entries.push((LogEpoch(2), Offset(9)))),
        (Violation::Spans(LED), |state| log(state, LED).spans.spans[0].bytes += 1),
        (Violation::Producer(LED, 8), |state| {
            log(state, LED).producers.by_id.get_mut(&8).unwrap().batches.make_contiguous().reverse();
        }),
        (Violation::Unreleased(LED), |state| log(state, LED).unreleased.push_back((Seq(1), Offset(0)))),
        (Violation::Reference(VIEW, 4), |state| {
            let entry = ViewEntry { log: LED, offset: Offset(4), note: Bytes::new() };
            state.views.get_mut(&VIEW).unwrap().push(&entry);
        }),
        (Violation::ViewCount(VIEW), |state| state.views.get_mut(&VIEW).unwrap().live += 1),
        (Violation::Deliveries(VIEW), |state| {
            state.views.get_mut(&VIEW).unwrap().deliveries.returned.insert(2);
        }),
        (Violation::Deliveries(VIEW), |state| {
            state.views.get_mut(&VIEW).unwrap().deliveries.returned.clear()
        }),
        (Violation::Cursor(CursorId::new(SHARD, 2)), |state| {
            state.cursors.insert(CursorId::new(SHARD, 2), Cursor { view: ViewId::new(SHARD, 9) });
        }),
        (Violation::Timers, |state| state.timers.by_key.clear()),
        (Violation::Expiries, |state| state.expiries.by_key.clear()),
        (Violation::Outbox, |state| state.outbox.queues.values_mut().for_each(|queue| queue.last += 1)),
    ];
    for (violation, plant) in faults {
        let mut state = sound();
        plant(&mut state);
        assert!(check(&state, LAST, Seq(1)).contains(&violation), "{violation} was not caught");
    }
    assert!(check(&sound(), Seq(1), LAST).contains(&Violation::Positions));
}
