//! A crash after every commit, with every number of commits lost: what is opened again is exactly the state as of
//! the last durable one.

use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::memory::MemoryDisk;
use kernel_engine::{RequestKey, Shard};
use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, LogKind, Op, RouteLevel, RoutePattern, RouteTarget, ViewEntry};
use kernel_model::request::{MirrorOrigin, ReadLimit, Request};
use kernel_model::{Commit, CursorId, LogEpoch, LogId, Now, Offset, RouterId, Seq, ViewId};

use crate::bench::*;
use crate::held::Held;

const MIRROR: LogId = LogId::new(SHARD, 2);
const VIEW: ViewId = ViewId::new(SHARD, 1);
const CURSOR: CursorId = CursorId::new(SHARD, 1);
const ROUTER: RouterId = RouterId::new(SHARD, 1);

fn commit(ops: Vec<Op>) -> Request {
    Request::Commit(Commit::of(ops))
}

fn feed(from: u64, batches: Vec<kernel_model::VerifiedBatch>, confirm: u64, start: u64) -> Request {
    Request::Mirror {
        log: MIRROR,
        batches,
        origin: MirrorOrigin::Feed,
        from: Some(Offset(from)),
        confirm: Some(Offset(confirm)),
        start: Some(Offset(start)),
    }
}

fn append(batch: kernel_model::VerifiedBatch) -> Request {
    Request::Append { log: LOG, batches: vec![batch], epoch: None }
}

/// One commit each.
fn story() -> Vec<Request> {
    let mirrored = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
    let key = || Bytes::from_static(b"\x01key");
    let pattern = || RoutePattern::Levels(vec![RouteLevel::Is("a".into()), RouteLevel::Many]);
    let entry = |offset| ViewEntry { log: LOG, offset: Offset(offset), note: Bytes::new() };
    let open = BatchSpec {
        base_offset: Offset(12),
        producer_id: 9,
        producer_epoch: 0,
        base_sequence: 0,
        transactional: true,
        ..BatchSpec::default()
    };
    vec![
        commit(vec![
            Op::LogCreate { log: LOG, config: LogConfig::default(), start: Offset(0) },
            Op::LogCreate { log: MIRROR, config: mirrored, start: Offset(10) },
        ]),
        append(idempotent(5, 0, 0, 2)),
        append(plain(0, 3, "a")),
        append(idempotent(5, 0, 2, 2)),
        feed(10, vec![plain(10, 2, "m"), batch(open, 2, "t")], 12, 10),
        feed(14, vec![plain(20, 1, "gap")], 12, 10),
        feed(12, vec![batch(open, 2, "other")], 14, 10),
        feed(14, vec![], 14, 12),
        commit(vec![
            Op::ViewCreate { view: VIEW },
            Op::CursorCreate { cursor: CURSOR, view: VIEW },
            Op::ViewPush { view: VIEW, entries: vec![entry(0), entry(3), entry(5)] },
        ]),
        Request::Lease { cursor: CURSOR, entries_max: 2, lease: Duration::from_secs(9) },
        commit(vec![Op::ViewAck { view: VIEW, entries: vec![2] }]),
        commit(vec![Op::CursorRelease { cursor: CURSOR, entries: vec![1] }]),
        commit(vec![Op::KvPut { key: key(), value: "v".into(), expires_ms: Some(2_000_000) }]),
        commit(vec![Op::RouteAdd { router: ROUTER, pattern: pattern(), target: RouteTarget::View(VIEW) }]),
        Request::Publish {
            log: LOG,
            batches: vec![plain(0, 1, "published")],
            router: ROUTER,
            levels: vec!["a".into(), "b".into()],
            note: Bytes::new(),
        },
        commit(vec![Op::LogTrim { log: LOG, start: Offset(2) }]),
        commit(vec![Op::KvDelete { key: key() }]),
        commit(vec![Op::LogConfigure { log: LOG, config: LogConfig::default(), epoch: Some(LogEpoch(4)) }]),
        append(idempotent(5, 1, 0, 1)),
        commit(vec![Op::RouteRemove { router: ROUTER, pattern: pattern(), target: RouteTarget::View(VIEW) }]),
        commit(vec![Op::LogConfigure {
            log: MIRROR,
            config: LogConfig::default(),
            epoch: Some(LogEpoch(7)),
        }]),
        commit(vec![Op::ViewDelete { view: VIEW }]),
        commit(vec![Op::LogDelete { log: LOG }]),
    ]
}

/// What anybody can ask, as text.
fn observe(shard: &mut Shard, now: Now) -> String {
    let mut questions = Vec::new();
    for log in [LOG, MIRROR] {
        questions.push(Request::Describe { log });
        questions.push(Request::Producers { log });
        questions.push(Request::FindEpochEnd { log, epoch: LogEpoch(4) });
        for limit in [ReadLimit::Durable, ReadLimit::Stable, ReadLimit::Stored] {
            let from = Offset(if log == LOG { 3 } else { 12 });
            questions.push(Request::Read {
                log,
                from,
                bytes_max: 1 << 20,
                at_least_one: true,
                limit,
                epoch: None,
            });
        }
    }
    questions.push(Request::Route { router: ROUTER, levels: vec!["a".into()] });
    questions.push(Request::Scan { prefix: Bytes::new(), after: None, pairs_max: 10 });
    let mut seen = String::new();
    for question in questions {
        shard.handle_request(now, RequestKey(8, 8), question);
        let (_, reply) = shard.poll_reply().unwrap();
        seen.push_str(&format!("{reply:?}\n"));
    }
    // Leasing changes things, so it comes last.
    let lease = Request::Lease { cursor: CURSOR, entries_max: 9, lease: Duration::from_secs(1) };
    shard.handle_request(now, RequestKey(8, 9), lease);
    shard.handle_durable(now);
    seen.push_str(&format!("{:?}", shard.poll_reply()));
    seen
}

fn now() -> Now {
    Now::new(Duration::from_secs(1), 1_000_000)
}

/// Runs the story up to `steps`, of which `durable` survive, and opens what is left.
fn after_crash(steps: &[Request], durable: u64) -> String {
    let disk = MemoryDisk::default();
    let held = Held::open(&disk, 1);
    let mut shard = Shard::open(SHARD, Box::new(held.clone()), Default::default(), vec![], now()).unwrap();
    for (number, request) in (1..).zip(steps) {
        shard.handle_request(now(), RequestKey(1, number), request.clone());
        assert_eq!(shard.submitted(), Seq(number), "one commit a step");
        assert_eq!(shard.violations(), []);
    }
    held.settle(Seq(durable));
    shard.handle_durable(now());
    assert_eq!(shard.violations(), []);
    let answered = std::iter::from_fn(|| shard.poll_reply());
    assert_eq!(
        answered.filter(|(_, reply)| reply.is_ok()).count() as u64,
        durable,
        "what is durable is answered"
    );
    drop(shard);
    let mut again = open(&disk, SHARD, 2, vec![], now());
    assert_eq!(again.submitted(), Seq(durable));
    assert_eq!(again.violations(), []);
    observe(&mut again, now())
}

#[test]
fn what_is_opened_again_is_the_state_of_the_last_durable_commit() {
    let story = story();
    let mut states = Vec::new();
    for steps in 0..=story.len() {
        states.push(after_crash(&story[..steps], steps as u64));
    }
    for pair in states.windows(2) {
        assert_ne!(pair[0], pair[1], "every step can be seen");
    }
    for steps in 1..=story.len() {
        for (durable, expected) in states.iter().enumerate().take(steps) {
            let seen = after_crash(&story[..steps], durable as u64);
            assert_eq!(&seen, expected, "{steps} steps, {durable} durable");
        }
    }
}
