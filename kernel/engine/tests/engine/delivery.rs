//! Views, cursors and routers over two shards: one publish, two queues.

use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::memory::MemoryDisk;
use kernel_engine::{RequestKey, Shard};
use kernel_model::commit::{LogConfig, LogKind, Op, RouteLevel, RoutePattern, RouteTarget, ViewEntry};
use kernel_model::reply::{Leased, Reply};
use kernel_model::request::Request;
use kernel_model::{Commit, CursorId, KernelError, LogId, Now, Offset, RouterId, ShardId, ViewId};

use crate::bench::*;

const OTHER: ShardId = ShardId(4);
const ROUTER: RouterId = RouterId::new(SHARD, 1);

struct Pair {
    shards: Vec<Shard>,
    disks: Vec<MemoryDisk>,
    now: Now,
    next: u64,
    owner: u64,
}

impl Pair {
    fn new() -> Self {
        let now = Now::new(Duration::from_secs(1), 1_000_000);
        let disks = vec![MemoryDisk::default(), MemoryDisk::default()];
        let shards = vec![open(&disks[0], SHARD, 1, vec![], now), open(&disks[1], OTHER, 1, vec![], now)];
        Self { shards, disks, now, next: 0, owner: 1 }
    }

    fn ask(&mut self, at: usize, request: Request) -> Result<Reply, KernelError> {
        self.next += 1;
        let key = RequestKey(1, self.next);
        self.shards[at].handle_request(self.now, key, request);
        self.shards[at].handle_durable(self.now);
        let mut replies: Vec<_> = std::iter::from_fn(|| self.shards[at].poll_reply()).collect();
        assert_eq!(replies.len(), 1);
        let (to, reply) = replies.pop().unwrap();
        assert_eq!(to, key);
        reply
    }

    fn commit(&mut self, at: usize, ops: Vec<Op>) {
        self.ask(at, Request::Commit(Commit::of(ops))).unwrap();
    }

    /// Carries outbox entries over, each of them twice, and reports only when `report`.
    fn carry(&mut self, report: bool) -> usize {
        let entries: Vec<_> = std::iter::from_fn(|| self.shards[0].poll_outbox()).collect();
        for entry in &entries {
            for _ in 0..2 {
                let (position, commit) = (entry.position, entry.commit.clone());
                let done = self.ask(1, Request::OutboxDeliver { from: SHARD, position, commit });
                assert!(matches!(done, Ok(Reply::Done)), "{done:?}");
            }
            if report {
                self.shards[0].handle_outbox_applied(self.now, OTHER, entry.position);
                self.shards[0].handle_durable(self.now);
            }
        }
        entries.len()
    }

    fn restart(&mut self, at: usize) {
        self.owner += 1;
        let id = self.shards[at].id();
        self.shards[at] = open(&self.disks[at], id, self.owner, vec![], self.now);
    }

    fn lease(&mut self, at: usize, cursor: CursorId, max: usize) -> Vec<Leased> {
        let request = Request::Lease { cursor, entries_max: max, lease: Duration::from_secs(30) };
        match self.ask(at, request).unwrap() {
            Reply::Leased(leased) => leased,
            other => panic!("{other:?}"),
        }
    }

    fn start(&mut self, at: usize, log: LogId) -> Offset {
        match self.ask(at, Request::Describe { log }).unwrap() {
            Reply::Described(info) => info.start,
            other => panic!("{other:?}"),
        }
    }

    fn tick(&mut self, by: Duration) {
        self.now.elapsed += by;
        self.now.wall_ms += i64::try_from(by.as_millis()).unwrap();
        for shard in &mut self.shards {
            shard.handle_timeout(self.now);
            shard.handle_durable(self.now);
        }
    }
}

fn pattern(levels: &[&'static str]) -> RoutePattern {
    let level = |level: &&'static str| match *level {
        "*" => RouteLevel::One,
        "#" => RouteLevel::Many,
        word => RouteLevel::Is(Bytes::from_static(word.as_bytes())),
    };
    RoutePattern::Levels(levels.iter().map(level).collect())
}

fn key(levels: &[&'static str]) -> Vec<Bytes> {
    levels.iter().map(|level| Bytes::from_static(level.as_bytes())).collect()
}

/// A log that keeps nothing by age, one queue with a cursor in each shard, both routed to.
fn routed() -> (Pair, [(usize, CursorId); 2]) {
    let mut pair = Pair::new();
    let config = LogConfig { retention_ms: Some(0), ..LogConfig::default() };
    let mut cursors = Vec::new();
    for (at, shard) in [SHARD, OTHER].into_iter().enumerate() {
        let (view, cursor) = (ViewId::new(shard, 1), CursorId::new(shard, 1));
        pair.commit(at, vec![Op::ViewCreate { view }, Op::CursorCreate { cursor, view }]);
        let target = RouteTarget::View(view);
        let pattern = if at == 0 { pattern(&["plant", "*", "#"]) } else { pattern(&["#", "meter"]) };
        pair.commit(0, vec![Op::RouteAdd { router: ROUTER, pattern, target }]);
        cursors.push((at, cursor));
    }
    pair.commit(0, vec![Op::LogCreate { log: LOG, config, start: Offset(0) }]);
    (pair, [cursors[0], cursors[1]])
}

fn publish(levels: &[&'static str], text: &str) -> Request {
    Request::Publish {
        log: LOG,
        batches: vec![plain(0, 1, text)],
        router: ROUTER,
        levels: key(levels),
        note: Bytes::from_static(b"note"),
    }
}

#[test]
fn one_publish_reaches_queues_in_two_shards_once_and_is_trimmed_after_the_last_acknowledgement() {
    let (mut pair, cursors) = routed();
    pair.ask(0, publish(&["plant", "a", "meter"], "hello")).unwrap();
    assert_eq!(pair.carry(false), 1);
    // The report was lost, and both sides restart: the entry comes again and changes nothing.
    pair.restart(0);
    pair.restart(1);
    assert_eq!(pair.carry(true), 1);
    assert_eq!(pair.carry(true), 0);

    for (at, cursor) in cursors {
        let log = LogId::new(cursor.shard(), 1);
        let view = ViewId::new(cursor.shard(), 1);
        let first = pair.lease(at, cursor, 10);
        assert_eq!(first.len(), 1, "exactly once");
        assert_eq!((first[0].deliveries, first[0].expired), (1, false));
        let reference = ViewEntry { log, offset: Offset(0), note: Bytes::from_static(b"note") };
        assert_eq!(first[0].reference, reference);
        assert!(pair.lease(at, cursor, 10).is_empty(), "leased");
        // Not acknowledged in time: delivered again, counted, also over a restart.
        pair.tick(Duration::from_secs(31));
        pair.restart(at);
        let again = pair.lease(at, cursor, 10);
        assert_eq!((again[0].entry, again[0].deliveries), (first[0].entry, 2));
        pair.tick(Duration::from_secs(1));
        assert_eq!(pair.start(at, log), Offset(0), "the reference pins its record");
        pair.commit(at, vec![Op::ViewAck { view, entries: vec![again[0].entry] }]);
        pair.tick(Duration::from_secs(2));
        assert_eq!(pair.start(at, log), Offset(1), "trimmed");
        assert!(pair.lease(at, cursor, 10).is_empty());
    }
}

#[test]
fn a_publish_that_leads_nowhere_is_stored_and_not_sent() {
    let (mut pair, cursors) = routed();
    pair.ask(0, publish(&["office"], "hello")).unwrap();
    assert_eq!(pair.carry(true), 0);
    assert!(pair.lease(0, cursors[0].1, 10).is_empty());
}

#[test]
fn stronger_retention_leaves_an_expired_entry() {
    let (mut pair, cursors) = routed();
    let config = LogConfig { retention_ms: Some(0), retention_over_views: true, ..LogConfig::default() };
    pair.commit(0, vec![Op::LogConfigure { log: LOG, config, epoch: None }]);
    pair.ask(0, publish(&["plant", "a"], "hello")).unwrap();
    pair.tick(Duration::from_secs(2));
    assert_eq!(pair.start(0, LOG), Offset(1));
    let leased = pair.lease(0, cursors[0].1, 10);
    assert!(leased[0].expired);
}

#[test]
fn released_entries_and_those_of_a_deleted_cursor_come_first_again() {
    let (mut pair, cursors) = routed();
    let (_, cursor) = cursors[0];
    let other = CursorId::new(SHARD, 2);
    pair.commit(0, vec![Op::CursorCreate { cursor: other, view: ViewId::new(SHARD, 1) }]);
    for _ in 0..4 {
        pair.ask(0, publish(&["plant", "a"], "x")).unwrap();
    }
    assert_eq!(pair.lease(0, cursor, 2).iter().map(|leased| leased.entry).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(pair.lease(0, other, 1).iter().map(|leased| leased.entry).collect::<Vec<_>>(), [2]);
    pair.commit(0, vec![Op::CursorRelease { cursor, entries: vec![1, 2] }]);
    let leased = pair.lease(0, other, 1);
    assert_eq!((leased[0].entry, leased[0].deliveries), (1, 2), "2 is not this cursor's to release");
    pair.commit(0, vec![Op::CursorDelete { cursor }]);
    let leased = pair.lease(0, other, 9);
    assert_eq!(
        leased.iter().map(|leased| (leased.entry, leased.deliveries)).collect::<Vec<_>>(),
        [(0, 2), (3, 1)]
    );
}

#[test]
fn patterns_match_levels() {
    let mut pair = Pair::new();
    let patterns: [&[&'static str]; 9] = [
        &["a", "b"],
        &["a", "*"],
        &["*", "b"],
        &["a", "#"],
        &["#"],
        &["#", "b", "#"],
        &["*", "*"],
        &["#", "#", "c"],
        &["a"],
    ];
    let ops = patterns.iter().enumerate().map(|(number, levels)| Op::RouteAdd {
        router: ROUTER,
        pattern: pattern(levels),
        target: RouteTarget::Opaque(Bytes::from(vec![u8::try_from(number).unwrap()])),
    });
    pair.commit(0, ops.collect());
    let exact = RoutePattern::Exact(Bytes::from_static(b"a"));
    let target = RouteTarget::Opaque(Bytes::from_static(&[100]));
    pair.commit(0, vec![Op::RouteAdd { router: ROUTER, pattern: exact, target }]);
    let table: [(&[&'static str], &[u8]); 5] = [
        (&["a", "b"], &[0, 1, 2, 3, 4, 5, 6]),
        (&["a"], &[3, 4, 8, 100]),
        (&["x", "b", "y"], &[4, 5]),
        (&["b", "c"], &[4, 5, 6, 7]),
        (&[], &[4]),
    ];
    for (levels, expected) in table {
        let reply = pair.ask(0, Request::Route { router: ROUTER, levels: key(levels) }).unwrap();
        let Reply::Routed { version, targets } = reply else { panic!() };
        let numbers: Vec<u8> = targets
            .iter()
            .map(|target| match target {
                RouteTarget::Opaque(bytes) => bytes[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((version, &numbers[..]), (10, expected), "{levels:?}");
    }
}

#[test]
fn a_match_is_bounded_whatever_the_patterns() {
    let mut pair = Pair::new();
    let many = |count: usize| RoutePattern::Levels(vec![RouteLevel::Many; count]);
    let ops = (1..100).map(|count| Op::RouteAdd {
        router: ROUTER,
        pattern: many(count),
        target: RouteTarget::Opaque(Bytes::from_static(b"x")),
    });
    pair.commit(0, ops.collect());
    let reply = pair.ask(0, Request::Route { router: ROUTER, levels: vec![Bytes::new(); 128] }).unwrap();
    assert!(matches!(reply, Reply::Routed { targets, .. } if targets.len() == 1));
}

#[test]
fn an_entry_that_cannot_apply_is_passed_over_and_counted() {
    let mut pair = Pair::new();
    let commit = Commit::of(vec![Op::ViewDelete { view: ViewId::new(OTHER, 77) }]);
    let deliver = Request::OutboxDeliver { from: SHARD, position: 1, commit };
    assert!(matches!(pair.ask(1, deliver), Ok(Reply::Done)));
    assert_eq!(pair.shards[1].stats().outbox_refused, 1);
    let early = Request::OutboxDeliver { from: SHARD, position: 3, commit: Commit::default() };
    assert_eq!(pair.ask(1, early).unwrap_err(), KernelError::NotFound);
}

#[test]
fn chunks_of_a_long_queue_go_whole_and_entries_keep_their_numbers() {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Led, 0);
    let (view, cursor) = (ViewId::new(SHARD, 1), CursorId::new(SHARD, 1));
    desk.commit(vec![Op::ViewCreate { view }, Op::CursorCreate { cursor, view }]).unwrap();
    let size = 9000;
    desk.append(plain(0, size, "x")).unwrap();
    let entries = (0..size as u64)
        .map(|offset| ViewEntry {
            log: LOG,
            offset: Offset(offset),
            note: Bytes::from(vec![7; (offset % 3) as usize]),
        })
        .collect();
    desk.commit(vec![Op::ViewPush { view, entries }]).unwrap();
    let keep = [5000, 8999];
    let acked: Vec<u64> = (0..size as u64).filter(|entry| !keep.contains(entry)).collect();
    desk.commit(vec![Op::ViewAck { view, entries: acked }]).unwrap();
    desk.restart(Vec::new());
    let request = Request::Lease { cursor, entries_max: 10, lease: Duration::from_secs(1) };
    let Reply::Leased(leased) = desk.ask(request).unwrap() else { panic!() };
    let found: Vec<(u64, u64, usize)> = leased
        .iter()
        .map(|leased| (leased.entry, leased.reference.offset.0, leased.reference.note.len()))
        .collect();
    assert_eq!(found, [(5000, 5000, 2), (8999, 8999, 2)]);
}
