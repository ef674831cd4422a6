//! Every queue has a bound, and what does not fit is refused while the rest goes on.

use std::time::Duration;

use kernel_engine::store::memory::MemoryDisk;
use kernel_engine::{Limits, RequestKey, Shard};
use kernel_model::commit::{LogConfig, LogKind, Op};
use kernel_model::reply::Reply;
use kernel_model::request::{MirrorOrigin, ReadLimit, Request};
use kernel_model::{Commit, KernelError, Now, Offset, Seq, VerifiedBatch};

use crate::bench::*;
use crate::held::Held;

fn now() -> Now {
    Now::new(Duration::from_secs(1), 1_000_000)
}

fn shard(limits: Limits, kind: LogKind) -> (Held, Shard) {
    let held = Held::open(&MemoryDisk::default(), 1);
    let mut shard = Shard::open(SHARD, Box::new(held.clone()), limits, vec![], now()).unwrap();
    let config = LogConfig { kind, ..LogConfig::default() };
    let create = Op::LogCreate { log: LOG, config, start: Offset(0) };
    shard.handle_request(now(), RequestKey(0, 0), Request::Commit(Commit::of(vec![create])));
    held.settle(Seq(1));
    shard.handle_durable(now());
    assert!(shard.poll_reply().is_some());
    (held, shard)
}

fn answers(shard: &mut Shard) -> Vec<Result<Reply, KernelError>> {
    std::iter::from_fn(|| shard.poll_reply()).map(|(_, reply)| reply).collect()
}

#[test]
fn writes_are_refused_and_reads_go_on_while_too_many_wait() {
    let (held, mut shard) = shard(Limits { pending_replies_max: 2, ..Limits::default() }, LogKind::Led);
    let append = || Request::Append { log: LOG, batches: vec![plain(0, 1, "a")], epoch: None };
    for number in 0..3 {
        shard.handle_request(now(), RequestKey(1, number), append());
    }
    assert!(matches!(answers(&mut shard)[..], [Err(KernelError::Overloaded)]));
    shard.handle_request(now(), RequestKey(1, 9), Request::Describe { log: LOG });
    assert!(matches!(answers(&mut shard)[..], [Ok(Reply::Described(_))]));
    held.settle(Seq(3));
    shard.handle_durable(now());
    assert_eq!(answers(&mut shard).len(), 2);
    shard.handle_request(now(), RequestKey(1, 10), append());
    assert!(answers(&mut shard).is_empty(), "taken");
}

#[test]
fn watches_are_bounded() {
    let (_, mut shard) =
        shard(Limits { watches_max: 1, watch_logs_max: 2, ..Limits::default() }, LogKind::Led);
    let watch = |count| Request::Watch {
        logs: vec![(LOG, Offset(0)); count],
        limit: ReadLimit::Durable,
        wait: Duration::from_secs(1),
    };
    shard.handle_request(now(), RequestKey(1, 1), watch(2));
    assert!(answers(&mut shard).is_empty());
    shard.handle_request(now(), RequestKey(1, 2), watch(1));
    shard.handle_request(now(), RequestKey(1, 3), watch(3));
    let refused = answers(&mut shard);
    assert!(
        matches!(refused[..], [Err(KernelError::Overloaded), Err(KernelError::Invalid(_))]),
        "{refused:?}"
    );
}

#[test]
fn bytes_ahead_and_a_provisional_tail_are_bounded() {
    let limits = Limits { parked_batches_max: 1, tail_batches_max: 2, ..Limits::default() };
    let (_, mut shard) = shard(limits, LogKind::Mirrored);
    let ahead = |batches: Vec<VerifiedBatch>| Request::Mirror {
        log: LOG,
        batches,
        origin: MirrorOrigin::Ahead,
        from: None,
        confirm: None,
        start: None,
    };
    shard.handle_request(now(), RequestKey(1, 1), ahead(vec![plain(5, 1, "a")]));
    assert!(answers(&mut shard).is_empty());
    shard.handle_request(now(), RequestKey(1, 2), ahead(vec![plain(6, 1, "a")]));
    assert!(matches!(answers(&mut shard)[..], [Err(KernelError::MirrorGap { end: Offset(0) })]));
    let three = vec![plain(0, 1, "a"), plain(1, 1, "a"), plain(2, 1, "a")];
    shard.handle_request(now(), RequestKey(1, 3), ahead(three));
    assert!(matches!(answers(&mut shard)[..], [Err(KernelError::Overloaded)]));
    let holed = vec![plain(0, 1, "a"), plain(2, 1, "a")];
    shard.handle_request(now(), RequestKey(1, 4), ahead(holed));
    assert!(matches!(answers(&mut shard)[..], [Err(KernelError::Invalid(_))]));
}

#[test]
fn a_failed_store_refuses_everything_that_waits() {
    let (held, mut shard) = shard(Limits::default(), LogKind::Led);
    let append = || Request::Append { log: LOG, batches: vec![plain(0, 1, "a")], epoch: None };
    shard.handle_request(now(), RequestKey(1, 1), append());
    let watch = Request::Watch {
        logs: vec![(LOG, Offset(0))],
        limit: ReadLimit::Durable,
        wait: Duration::from_secs(1),
    };
    shard.handle_request(now(), RequestKey(1, 2), watch);
    assert!(answers(&mut shard).is_empty());
    held.crash();
    shard.handle_durable(now());
    let refused = answers(&mut shard);
    assert!(
        matches!(refused[..], [Err(KernelError::Stopped(_)), Err(KernelError::Stopped(_))]),
        "{refused:?}"
    );
    shard.handle_request(now(), RequestKey(1, 3), Request::Describe { log: LOG });
    assert!(matches!(answers(&mut shard)[..], [Err(KernelError::Stopped(_))]));
    assert!(shard.poll_timeout().is_none());
}
