//! The stored form of commits: every operation comes back as it was, and no bytes make it panic.

use kernel_model::commit::{RouteLevel, RoutePattern, RouteTarget, ViewEntry};
use kernel_model::{Compaction, CursorId, LogConfig, LogKind, RouterId, ShardId, TimestampSource, ViewId};

use super::super::codec;
use super::*;
use crate::store::faulty::SplitMix;

fn log_ops() -> Vec<Op> {
    let log = LogId(u64::MAX);
    let full = LogConfig {
        kind: LogKind::Mirrored,
        timestamps: TimestampSource::Append,
        retention_ms: Some(0),
        retention_bytes: Some(u64::MAX),
        retention_over_views: true,
        compaction: Some(Compaction {
            stretch_bytes: u64::MAX,
            stretch_ms: 1,
            lag_min_ms: 2,
            lag_max_ms: u64::MAX,
            dirty_min_ppm: u32::MAX,
            deletes_stay_ms: 3,
        }),
    };
    vec![
        Op::LogCreate { log, config: full.clone(), start: Offset(u64::MAX) },
        Op::LogCreate { log: LogId(0), config: LogConfig::default(), start: Offset(0) },
        Op::LogConfigure { log, config: full, epoch: Some(LogEpoch(i32::MIN)) },
        Op::LogConfigure { log, config: LogConfig::default(), epoch: None },
        Op::LogDelete { log },
        append(1, 7, &batch(2, 30, 1, 1)),
        append(2, 8, &batch(1, 300, 1, 2)),
        Op::LogConfirm { log, position: Offset(3) },
        Op::LogTruncate { log, to: Offset(4) },
        Op::LogTrim { log, start: Offset(5) },
        Op::LogHide { log, start: Offset(6) },
        replace(1, 7, 9, Some(batch(2, 3, 1, 3))),
        replace(u64::MAX, 7, u32::MAX, None),
        Op::LogCleaned { log, to: Offset(7) },
        Op::Deliver {
            log,
            batch: batch(1, 1, 1, 1),
            views: vec![(ViewId(1), "n".into()), (ViewId(2), Bytes::new())],
        },
    ]
}

fn replace(log: u64, base: u64, crc: u32, batch: Option<Bytes>) -> Op {
    let batch = batch.map(|batch| stored(&batch, base, 3));
    Op::LogReplace { log: LogId(log), base_offset: Offset(base), crc, bytes: 90, batch }
}

fn view_ops() -> Vec<Op> {
    let (view, cursor) = (ViewId(300), CursorId(127));
    let entry = ViewEntry { log: LogId(1), offset: Offset(128), note: "note".into() };
    vec![
        Op::ViewCreate { view },
        Op::ViewDelete { view },
        Op::ViewPush { view, entries: vec![entry.clone(), entry] },
        Op::ViewAck { view, entries: vec![0, 1, u64::MAX] },
        Op::CursorCreate { cursor, view },
        Op::CursorDelete { cursor },
        Op::CursorLease { cursor, entries: vec![5], until_ms: i64::MIN },
        Op::CursorRelease { cursor, entries: Vec::new() },
    ]
}

fn key_ops() -> Vec<Op> {
    let router = RouterId(9);
    let levels = vec![RouteLevel::Is("a".into()), RouteLevel::One, RouteLevel::Many];
    let (exact, levels) = (RoutePattern::Exact("k".into()), RoutePattern::Levels(levels));
    vec![
        Op::RouteAdd { router, pattern: exact.clone(), target: RouteTarget::View(ViewId(2)) },
        Op::RouteAdd { router, pattern: levels.clone(), target: RouteTarget::Opaque("o".into()) },
        Op::RouteRemove { router, pattern: levels, target: RouteTarget::View(ViewId(2)) },
        Op::RouteRemove { router, pattern: exact, target: RouteTarget::Opaque(Bytes::new()) },
        put("key", "value"),
        Op::KvPut { key: Bytes::new(), value: Bytes::new(), expires_ms: None },
        Op::KvDelete { key: "key".into() },
        Op::TimerSet { key: "t".into(), deadline_ms: -1, action: "act".into() },
        Op::TimerCancel { key: "t".into() },
        Op::OutboxApplied { from: ShardId(u16::MAX), position: 4 },
        Op::OutboxTrim { to: ShardId(0), position: u64::MAX },
    ]
}

fn every_op() -> Commit {
    let mut ops: Vec<Op> = [log_ops(), view_ops(), key_ops()].concat();
    let inner = Box::new(Commit::of(ops.clone()));
    ops.insert(6, Op::OutboxPush { to: ShardId(8), commit: inner });
    Commit::of(ops)
}

/// As an entry's body: the operations, then the batches of the appends.
fn encoded(commit: &Commit) -> Bytes {
    let mut body = BytesMut::new();
    codec::encode(commit, &mut body);
    for op in &commit.ops {
        if let Op::LogAppend { batch, .. } | Op::LogReplace { batch: Some(batch), .. } = op {
            body.extend_from_slice(batch);
        }
    }
    body.freeze()
}

#[test]
fn every_operation_comes_back_as_it_was() {
    let commit = every_op();
    let body = encoded(&commit);
    let (decoded, batches_at) = codec::decode(&body).unwrap();
    assert_eq!(decoded, commit);
    assert_eq!(body.len() - batches_at, 91 + 361 + 64);
    for op in &commit.ops {
        let alone = Commit::of(vec![op.clone()]);
        assert_eq!(codec::decode(&encoded(&alone)).unwrap().0, alone);
    }
}

#[test]
fn no_prefix_is_a_commit() {
    let body = encoded(&every_op());
    for len in 0..body.len() {
        assert!(codec::decode(&body.slice(..len)).is_err(), "{len}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let body = encoded(&every_op());
    let mut random = SplitMix(1);
    for _ in 0..20_000 {
        let mut bytes = body.to_vec();
        for _ in 0..random.below(6) + 1 {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
        }
        // Either an error, or some other commit: the entry's checksum is what tells.
        let _ = codec::decode(&bytes.into());
    }
}

#[test]
fn an_outbox_entry_inside_an_outbox_entry_is_refused() {
    let mut commit = Commit::of(Vec::new());
    for _ in 0..3 {
        commit = Commit::of(vec![Op::OutboxPush { to: ShardId(1), commit: Box::new(commit) }]);
    }
    assert!(codec::decode(&encoded(&commit)).is_err());
    let (_, mut store) = fresh();
    assert!(matches!(store.submit(&commit), Err(KernelError::Invalid(_))));
    assert!(store.submit(&every_op()).is_ok());
}
