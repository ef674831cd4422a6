//! Random commits, most of them nonsense: nothing panics, a refused one changes nothing, an accepted one keeps every
//! invariant, and replay gives the same state.

use bytes::Bytes;
use kernel_engine::store::memory::MemoryDisk;
use kernel_engine::{RequestKey, Shard};
use kernel_model::batch::BatchSpec;
use kernel_model::commit::{
    Condition, LogConfig, LogKind, Op, RouteLevel, RoutePattern, RouteTarget, TimestampSource, ViewEntry,
};
use kernel_model::reply::Reply;
use kernel_model::request::{MirrorOrigin, ReadLimit, Request};
use kernel_model::{
    Commit, Compaction, CursorId, LogEpoch, LogId, Now, Offset, RouterId, ShardId, VerifiedBatch, ViewId,
};

use crate::bench::*;
use crate::sim::Random;

fn shard(random: &mut Random) -> ShardId {
    if random.percent(4) { ShardId(9) } else { SHARD }
}

fn log(random: &mut Random) -> LogId {
    LogId::new(shard(random), 1 + random.below(3))
}

fn view(random: &mut Random) -> ViewId {
    ViewId::new(shard(random), 1 + random.below(2))
}

fn cursor(random: &mut Random) -> CursorId {
    CursorId::new(shard(random), 1 + random.below(2))
}

fn offset(random: &mut Random) -> Offset {
    Offset(if random.percent(3) { u64::MAX - random.below(3) } else { random.below(30) })
}

fn numbers(random: &mut Random) -> Vec<u64> {
    (0..random.below(4)).map(|_| random.below(12)).collect()
}

fn key(random: &mut Random) -> Bytes {
    Bytes::from(vec![random.below(3) as u8; random.below(3) as usize])
}

fn config(random: &mut Random) -> LogConfig {
    LogConfig {
        kind: if random.percent(30) { LogKind::Mirrored } else { LogKind::Led },
        timestamps: if random.percent(20) { TimestampSource::Append } else { TimestampSource::Producer },
        retention_ms: random.percent(20).then_some(0),
        retention_bytes: random.percent(20).then_some(1),
        retention_over_views: random.percent(50),
        compaction: random.percent(30).then(|| Compaction {
            stretch_bytes: random.below(200),
            stretch_ms: random.below(3),
            lag_min_ms: 0,
            lag_max_ms: u64::MAX,
            dirty_min_ppm: 0,
            deletes_stay_ms: 0,
        }),
    }
}

fn a_batch(random: &mut Random) -> VerifiedBatch {
    let spec = BatchSpec {
        base_offset: Offset(random.below(30)),
        producer_id: if random.percent(50) { 5 } else { -1 },
        producer_epoch: if random.percent(90) { random.below(2) as i16 } else { -1 },
        base_sequence: random.below(6) as i32 - 1,
        transactional: random.percent(20),
        control: random.percent(10),
        ..BatchSpec::default()
    };
    batch(spec, 1 + random.index(3), "x")
}

fn pattern(random: &mut Random) -> RoutePattern {
    if random.percent(30) {
        return RoutePattern::Exact(key(random));
    }
    let level = |random: &mut Random| match random.below(3) {
        0 => RouteLevel::Is(key(random)),
        1 => RouteLevel::One,
        _ => RouteLevel::Many,
    };
    RoutePattern::Levels((0..random.below(4)).map(|_| level(random)).collect())
}

fn op(random: &mut Random, nested: bool) -> Op {
    match random.below(if nested { 22 } else { 26 }) {
        0 | 1 => Op::LogCreate { log: log(random), config: config(random), start: offset(random) },
        2 => {
            let epoch = random.percent(60).then(|| LogEpoch(random.below(9) as i32 - 1));
            Op::LogConfigure { log: log(random), config: config(random), epoch }
        }
        3 if random.percent(30) => Op::LogDelete { log: log(random) },
        3..=5 => {
            let views = (0..random.below(3)).map(|_| (view(random), key(random))).collect();
            Op::Deliver { log: log(random), batch: a_batch(random).bytes().clone(), views }
        }
        6 => Op::LogConfirm { log: log(random), position: offset(random) },
        7 => Op::LogTruncate { log: log(random), to: offset(random) },
        8 => Op::LogTrim { log: log(random), start: offset(random) },
        9 => Op::ViewCreate { view: view(random) },
        10 if random.percent(30) => Op::ViewDelete { view: view(random) },
        10 | 11 => {
            let entry = |random: &mut Random| ViewEntry {
                log: log(random),
                offset: offset(random),
                note: key(random),
            };
            Op::ViewPush {
                view: view(random),
                entries: (0..random.below(4)).map(|_| entry(random)).collect(),
            }
        }
        12 => Op::ViewAck { view: view(random), entries: numbers(random) },
        13 => Op::CursorCreate { cursor: cursor(random), view: view(random) },
        14 if random.percent(30) => Op::CursorDelete { cursor: cursor(random) },
        14 | 15 => {
            let until_ms = 1_000_000 + random.below(5000) as i64;
            Op::CursorLease { cursor: cursor(random), entries: numbers(random), until_ms }
        }
        16 => Op::CursorRelease { cursor: cursor(random), entries: numbers(random) },
        17 => Op::RouteAdd {
            router: RouterId::new(shard(random), 1),
            pattern: pattern(random),
            target: target(random),
        },
        18 => Op::RouteRemove {
            router: RouterId::new(shard(random), 1),
            pattern: pattern(random),
            target: target(random),
        },
        19 => {
            let expires_ms = random.percent(50).then(|| 1_000_000 + random.below(5000) as i64);
            Op::KvPut { key: key(random), value: key(random), expires_ms }
        }
        20 => Op::KvDelete { key: key(random) },
        21 => Op::TimerSet { key: key(random), deadline_ms: 1_000_000, action: key(random) },
        22 => Op::TimerCancel { key: key(random) },
        23 => {
            let commit = Commit::of((0..random.below(3)).map(|_| op(random, true)).collect());
            Op::OutboxPush { to: ShardId(random.below(5) as u16), commit: Box::new(commit) }
        }
        24 => Op::OutboxTrim { to: ShardId(1), position: random.below(5) },
        _ => Op::LogAppend {
            log: log(random),
            base_offset: offset(random),
            epoch: LogEpoch(0),
            batch: a_batch(random).bytes().clone(),
        },
    }
}

fn target(random: &mut Random) -> RouteTarget {
    if random.percent(50) { RouteTarget::View(view(random)) } else { RouteTarget::Opaque(key(random)) }
}

fn request(random: &mut Random) -> Request {
    match random.below(10) {
        0..=4 => {
            let conditions = if random.percent(10) {
                vec![Condition::LogEndsAt { log: log(random), end: offset(random) }]
            } else {
                Vec::new()
            };
            Request::Commit(Commit {
                conditions,
                ops: (0..1 + random.below(4)).map(|_| op(random, false)).collect(),
            })
        }
        5 => {
            let batches = (0..random.below(3)).map(|_| a_batch(random)).collect();
            Request::Append { log: log(random), batches, epoch: None }
        }
        6 | 7 => {
            let feed = random.percent(60);
            let maybe = |random: &mut Random| (feed && random.percent(70)).then(|| offset(random));
            Request::Mirror {
                log: log(random),
                from: maybe(random),
                confirm: maybe(random),
                start: if random.percent(20) { maybe(random) } else { None },
                batches: (0..random.below(3)).map(|_| a_batch(random)).collect(),
                origin: if feed { MirrorOrigin::Feed } else { MirrorOrigin::Ahead },
            }
        }
        8 => Request::Publish {
            log: log(random),
            batches: (0..random.below(3)).map(|_| a_batch(random)).collect(),
            router: RouterId::new(SHARD, 1),
            levels: (0..random.below(4)).map(|_| key(random)).collect(),
            note: key(random),
        },
        _ => Request::OutboxDeliver {
            from: ShardId(1 + random.below(2) as u16),
            position: random.below(6),
            commit: Commit::of((0..random.below(3)).map(|_| op(random, true)).collect()),
        },
    }
}

/// Everything that can be asked without changing anything, as text.
fn observe(shard: &mut Shard, now: Now) -> String {
    let mut questions = vec![Request::Scan { prefix: Bytes::new(), after: None, pairs_max: 100 }];
    for number in 1..=3 {
        let log = LogId::new(SHARD, number);
        questions.push(Request::Describe { log });
        questions.push(Request::Producers { log });
        questions.push(Request::FindByTime { log, timestamp_ms: None, limit: ReadLimit::Stored });
        for from in [0, 7, 20] {
            questions.push(Request::Read {
                log,
                from: Offset(from),
                bytes_max: 1 << 20,
                at_least_one: true,
                limit: ReadLimit::Stable,
                epoch: None,
            });
        }
    }
    let router = RouterId::new(SHARD, 1);
    questions.push(Request::Route { router, levels: vec![Bytes::from_static(b"\x01")] });
    let mut seen = String::new();
    for question in questions {
        shard.handle_request(now, RequestKey(8, 8), question);
        seen.push_str(&format!("{:?}\n", shard.poll_reply().unwrap().1));
    }
    seen
}

#[test]
fn random_commits_break_nothing_and_replay_the_same() {
    let mut accepted = 0;
    let mut refused = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let disk = MemoryDisk::default();
        let now = Now::new(std::time::Duration::from_secs(1), 1_000_000);
        let mut shard = open(&disk, SHARD, 1, vec![], now);
        for number in 0..150 {
            let request = request(&mut random);
            let before = (shard.submitted(), observe(&mut shard, now));
            shard.handle_request(now, RequestKey(1, number), request.clone());
            let waiting = shard.submitted() == before.0;
            shard.handle_durable(now);
            let answers: Vec<_> = std::iter::from_fn(|| shard.poll_reply()).collect();
            let violations = shard.violations();
            assert!(violations.is_empty(), "seed {seed}, step {number}: {request:?}: {violations:?}");
            assert!(
                shard.stopped().is_none(),
                "seed {seed}, step {number}: {request:?}: {:?}",
                shard.stopped()
            );
            match answers.last() {
                Some((_, Ok(Reply::Done | Reply::Appended(_) | Reply::Mirrored { .. }))) => accepted += 1,
                Some((_, Err(_))) => {
                    refused += 1;
                    assert!(waiting, "refused, and yet something was stored");
                    assert_eq!(observe(&mut shard, now), before.1, "seed {seed}, step {number}: {request:?}");
                }
                // Bytes ahead of a mirrored log's end wait.
                _ => assert!(waiting),
            }
        }
        let before = observe(&mut shard, now);
        let mut again = open(&disk, SHARD, 2, vec![], now);
        assert_eq!(again.violations(), []);
        assert_eq!(observe(&mut again, now), before, "seed {seed}");
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} accepted, {refused} refused");
}
