//! Logs that the kernel leads: offsets, sequences, epochs, reads, watches.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::batch::BatchSpec;
use kernel_model::commit::{Condition, LogConfig, LogKind, Op, TimestampSource};
use kernel_model::reply::Reply;
use kernel_model::request::{ReadLimit, Request};
use kernel_model::{Commit, KernelError, LogEpoch, LogId, Offset, ShardId};

use crate::bench::*;

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Led, 0);
    desk
}

#[test]
fn appended_batches_are_read_back_whole_at_their_offsets() {
    let mut desk = desk();
    assert_eq!(desk.append(plain(99, 3, "a")).unwrap().base_offset, Offset(0));
    assert_eq!(desk.append(plain(0, 2, "b")).unwrap().base_offset, Offset(3));
    let records = desk.read(1, ReadLimit::Durable).unwrap();
    assert_eq!(bases(&records), [0, 3]);
    assert_eq!(records.durable_end, Offset(5));
    assert_eq!(bases(&desk.read(3, ReadLimit::Durable).unwrap()), [3]);
    assert_eq!(
        desk.read(6, ReadLimit::Durable).unwrap_err(),
        KernelError::OffsetOutOfRange { start: Offset(0), end: Offset(5) }
    );
}

#[test]
fn nothing_is_answered_or_readable_before_it_is_durable() {
    let mut desk = desk();
    let append = desk.send(Request::Append { log: LOG, batches: vec![plain(0, 1, "a")], epoch: None });
    let watch = desk.send(Request::Watch {
        logs: vec![(LOG, Offset(0))],
        limit: ReadLimit::Durable,
        wait: Duration::from_secs(5),
    });
    assert!(desk.replies().is_empty());
    assert_eq!(desk.shard.submitted().0, 2);
    desk.shard.handle_durable(desk.now);
    let answered: Vec<_> = desk.replies().into_iter().map(|(key, _)| key).collect();
    assert_eq!(answered, [watch, append]);
}

#[test]
fn a_repeat_of_a_batch_in_flight_is_answered_with_its_original() {
    let mut desk = desk();
    let first = desk.send(Request::Append { log: LOG, batches: vec![idempotent(5, 0, 0, 2)], epoch: None });
    let again = desk.send(Request::Append { log: LOG, batches: vec![idempotent(5, 0, 0, 2)], epoch: None });
    assert!(desk.replies().is_empty(), "neither is durable");
    desk.shard.handle_durable(desk.now);
    let replies = desk.replies();
    assert_eq!(replies.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [first, again]);
    let duplicates: Vec<bool> = replies
        .iter()
        .map(|(_, reply)| match reply {
            Ok(Reply::Appended(appended)) => {
                assert_eq!(appended.base_offset, Offset(0));
                appended.duplicate
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(duplicates, [false, true]);
    assert_eq!(desk.describe().end, Offset(2));
}

#[test]
fn sequences_are_judged_also_after_a_restart() {
    let mut desk = desk();
    for sequence in 0..7 {
        desk.append(idempotent(5, 1, sequence, 1)).unwrap();
    }
    desk.restart(Vec::new());
    assert!(desk.append(idempotent(5, 1, 2, 1)).unwrap().duplicate, "the fifth last is remembered");
    assert_eq!(
        desk.append(idempotent(5, 1, 1, 1)).unwrap_err(),
        KernelError::SequenceOutOfOrder { expected: 7, found: 1 }
    );
    assert_eq!(
        desk.append(idempotent(5, 1, 8, 1)).unwrap_err(),
        KernelError::SequenceOutOfOrder { expected: 7, found: 8 }
    );
    assert_eq!(
        desk.append(idempotent(5, 0, 7, 1)).unwrap_err(),
        KernelError::ProducerFenced { current: 1, found: 0 }
    );
    assert_eq!(
        desk.append(idempotent(5, 2, 7, 1)).unwrap_err(),
        KernelError::SequenceOutOfOrder { expected: 0, found: 7 }
    );
    assert!(!desk.append(idempotent(5, 2, 0, 1)).unwrap().duplicate);
    assert!(!desk.append(idempotent(6, 0, 41, 1)).unwrap().duplicate, "an unknown producer begins anywhere");
}

#[test]
fn a_sequence_wraps_to_zero() {
    let mut desk = desk();
    desk.append(idempotent(5, 0, i32::MAX - 1, 2)).unwrap();
    assert!(!desk.append(idempotent(5, 0, 0, 1)).unwrap().duplicate);
    desk.append(idempotent(6, 0, i32::MAX, 3)).unwrap();
    assert_eq!(desk.append(idempotent(6, 0, 2, 1)).unwrap().base_offset, Offset(6));
}

#[test]
fn a_silent_producer_is_forgotten_after_a_day() {
    let mut desk = desk();
    desk.append(idempotent(5, 0, 0, 1)).unwrap();
    desk.tick(Duration::from_secs(24 * 3600 + 1));
    assert!(!desk.append(idempotent(5, 0, 9, 1)).unwrap().duplicate);
}

#[test]
fn conditions_are_judged_before_anything_is_done() {
    let mut desk = desk();
    let key = Bytes::from_static(b"\x01key");
    let put = |value: &'static [u8]| Op::KvPut {
        key: Bytes::from_static(b"\x01key"),
        value: Bytes::from_static(value),
        expires_ms: Some(1_000_500),
    };
    let absent = Condition::KeyIs { key: key.clone(), value: None };
    let commit = Commit { conditions: vec![absent], ops: vec![put(b"one")] };
    desk.ask(Request::Commit(commit.clone())).unwrap();
    assert_eq!(desk.ask(Request::Commit(commit.clone())).unwrap_err(), KernelError::ConditionFailed);
    let value = |desk: &mut Desk| match desk.ask(Request::Get { key: key.clone() }).unwrap() {
        Reply::Value(value) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value(&mut desk), Some(Bytes::from_static(b"one")));
    desk.tick(Duration::from_secs(2));
    assert_eq!(value(&mut desk), None, "expired");
    desk.ask(Request::Commit(commit)).unwrap();
}

#[test]
fn a_commit_is_all_or_nothing() {
    let mut desk = desk();
    let key = Bytes::from_static(b"\x01key");
    let put = Op::KvPut { key: key.clone(), value: Bytes::new(), expires_ms: None };
    let elsewhere =
        Op::LogCreate { log: LogId::new(ShardId(9), 1), config: LogConfig::default(), start: Offset(0) };
    assert!(matches!(desk.commit(vec![put, elsewhere]), Err(KernelError::Invalid(_))));
    assert!(matches!(desk.ask(Request::Get { key }), Ok(Reply::Value(None))));
}

#[test]
fn a_leader_epoch_fences_older_callers() {
    let mut desk = desk();
    desk.append(plain(0, 4, "a")).unwrap();
    let config = LogConfig::default();
    desk.commit(vec![Op::LogConfigure { log: LOG, config, epoch: Some(LogEpoch(7)) }]).unwrap();
    let append = |epoch| Request::Append { log: LOG, batches: vec![plain(0, 1, "b")], epoch: Some(epoch) };
    assert_eq!(desk.ask(append(LogEpoch(6))).unwrap_err(), KernelError::EpochFenced { current: LogEpoch(7) });
    assert_eq!(
        desk.ask(append(LogEpoch(8))).unwrap_err(),
        KernelError::EpochUnknown { current: LogEpoch(7) }
    );
    desk.ask(append(LogEpoch(7))).unwrap();
    let records = desk.read(4, ReadLimit::Durable).unwrap();
    assert_eq!(headers(&records)[0].leader_epoch, LogEpoch(7));
    let end = desk.ask(Request::FindEpochEnd { log: LOG, epoch: LogEpoch(3) }).unwrap();
    assert!(matches!(end, Reply::EpochEnd(Some((LogEpoch(0), Offset(4))))), "{end:?}");
    let end = desk.ask(Request::FindEpochEnd { log: LOG, epoch: LogEpoch(7) }).unwrap();
    assert!(matches!(end, Reply::EpochEnd(Some((LogEpoch(7), Offset(5))))), "{end:?}");
}

#[test]
fn a_log_that_stamps_says_so_in_the_batch() {
    let mut desk = Desk::new();
    let config = LogConfig { timestamps: TimestampSource::Append, ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    let appended = desk.append(plain(0, 1, "a")).unwrap();
    assert_eq!(appended.append_time_ms, Some(desk.now.wall_ms));
    let header = headers(&desk.read(0, ReadLimit::Durable).unwrap())[0];
    assert!(header.is_append_stamped());
    assert_eq!(header.max_timestamp_ms, desk.now.wall_ms);
}

#[test]
fn retention_trims_old_spans_and_the_start_never_goes_back() {
    let mut desk = Desk::new();
    let config = LogConfig { retention_ms: Some(60_000), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    desk.append(plain(0, 4, "a")).unwrap();
    desk.tick(Duration::from_secs(30));
    assert_eq!(desk.describe().start, Offset(0));
    desk.tick(Duration::from_secs(31));
    assert_eq!(desk.describe().start, Offset(4));
    let back = desk.commit(vec![Op::LogTrim { log: LOG, start: Offset(3) }]);
    assert!(matches!(back, Err(KernelError::Invalid(_))));
    let far = desk.commit(vec![Op::LogTrim { log: LOG, start: Offset(9) }]);
    assert!(matches!(far, Err(KernelError::OffsetOutOfRange { .. })));
}

#[test]
fn a_record_with_an_old_timestamp_can_be_read_for_a_while() {
    for (retention_ms, stays_s) in [(600_000, 300), (90_000, 90)] {
        let mut desk = Desk::new();
        let config = LogConfig { retention_ms: Some(retention_ms), ..LogConfig::default() };
        desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
        desk.now.wall_ms += 10_000_000;
        desk.append(plain(0, 4, "a")).unwrap();
        desk.tick(Duration::from_secs(1));
        assert_eq!(desk.describe().start, Offset(0), "just written");
        desk.tick(Duration::from_secs(stays_s - 2));
        assert_eq!(desk.describe().start, Offset(0), "not yet");
        desk.tick(Duration::from_secs(3));
        assert_eq!(desk.describe().start, Offset(4), "its time has come");
    }
}

#[test]
fn a_record_is_found_by_time() {
    let mut desk = desk();
    desk.append(batch(BatchSpec::default(), 2, "a")).unwrap();
    let find = |at| Request::FindByTime { log: LOG, timestamp_ms: at, limit: ReadLimit::Durable };
    let Reply::Found(Some(found)) = desk.ask(find(Some(999_999))).unwrap() else { panic!() };
    assert_eq!((found.offset, found.timestamp_ms), (Offset(0), 1_000_000));
    assert!(matches!(desk.ask(find(Some(1_000_001))).unwrap(), Reply::Found(None)));
    assert!(matches!(desk.ask(find(None)).unwrap(), Reply::Found(Some(_))));
}

#[test]
fn a_cancelled_watch_is_not_answered() {
    let mut desk = desk();
    let watch = Request::Watch {
        logs: vec![(LOG, Offset(0))],
        limit: ReadLimit::Durable,
        wait: Duration::from_secs(5),
    };
    let gone = desk.send(watch.clone());
    let stays = desk.send(watch);
    desk.shard.cancel(gone);
    desk.tick(Duration::from_secs(6));
    let replies = desk.replies();
    assert_eq!(replies.len(), 1);
    assert!(matches!(&replies[0], (key, Ok(Reply::Changed(logs))) if *key == stays && logs.is_empty()));
}

#[test]
fn what_a_follower_still_wants_is_kept_and_hidden_from_others() {
    let mut desk = Desk::new();
    let config = LogConfig { retention_ms: Some(60_000), ..LogConfig::default() };
    desk.commit(vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]).unwrap();
    desk.append(plain(0, 4, "a")).unwrap();
    desk.append(plain(0, 4, "b")).unwrap();
    desk.ask(Request::Hold { log: LOG, from: Some(Offset(4)) }).unwrap();
    desk.tick(Duration::from_secs(120));
    desk.tick(Duration::from_secs(120));
    assert_eq!(desk.describe().start, Offset(4), "retention stops where the follower is");
    desk.append(plain(0, 4, "c")).unwrap();
    desk.commit(vec![Op::LogTrim { log: LOG, start: Offset(10) }]).unwrap();
    assert_eq!(desk.describe().start, Offset(10));
    assert!(matches!(desk.read(4, ReadLimit::Durable), Err(KernelError::OffsetOutOfRange { .. })));
    assert_eq!(bases(&desk.read(4, ReadLimit::Stored).unwrap()), [4, 8]);
    assert!(matches!(desk.read(3, ReadLimit::Stored), Err(KernelError::OffsetOutOfRange { .. })));
    assert_eq!(desk.shard.violations(), []);
    desk.ask(Request::Hold { log: LOG, from: None }).unwrap();
    desk.tick(Duration::from_secs(2));
    assert!(matches!(desk.read(4, ReadLimit::Stored), Err(KernelError::OffsetOutOfRange { .. })));
    assert_eq!(bases(&desk.read(10, ReadLimit::Durable).unwrap()), [8]);
}
