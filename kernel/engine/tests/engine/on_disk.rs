//! A shard on the default store: written, checkpointed, dropped, opened again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use kernel_engine::store::local::{LocalOptions, LocalStore};
use kernel_engine::{Limits, RequestKey, Shard};
use kernel_model::commit::{LogConfig, Op};
use kernel_model::reply::{LogInfo, Reply};
use kernel_model::request::Request;
use kernel_model::{Commit, KernelError, Now, Offset, OwnerEpoch};

use crate::bench::*;

fn now(ms: u64) -> Now {
    Now::new(Duration::from_millis(ms), 1_000_000)
}

fn open(folder: &std::path::Path, owner: u64) -> (Shard, Receiver<()>) {
    let (wake, woken) = channel();
    let wake = std::sync::Mutex::new(wake);
    let waker = Arc::new(move || {
        // The test may have ended.
        let _gone = wake.lock().unwrap().send(());
    });
    let options = LocalOptions { segment_bytes: 1 << 20, ..LocalOptions::default() };
    let store = LocalStore::open(folder, OwnerEpoch(owner), options, waker).unwrap();
    (Shard::open(SHARD, Box::new(store), Limits::default(), vec![], now(1)).unwrap(), woken)
}

/// Asks, and waits for the answer as long as the store reports progress.
fn ask(shard: &mut Shard, woken: &Receiver<()>, request: Request) -> Result<Reply, KernelError> {
    shard.handle_request(now(1), RequestKey(1, 1), request);
    loop {
        shard.handle_durable(now(1));
        if let Some((_, reply)) = shard.poll_reply() {
            return reply;
        }
        woken.recv_timeout(Duration::from_secs(20)).expect("the store becomes durable");
    }
}

fn describe(shard: &mut Shard, woken: &Receiver<()>) -> LogInfo {
    match ask(shard, woken, Request::Describe { log: LOG }) {
        Ok(Reply::Described(info)) => info,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shard_on_disk_is_the_same_after_a_checkpoint_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut shard, woken) = open(folder.path(), 1);
    let create = Op::LogCreate { log: LOG, config: LogConfig::default(), start: Offset(0) };
    ask(&mut shard, &woken, Request::Commit(Commit::of(vec![create]))).unwrap();
    let text = "x".repeat(50_000);
    for sequence in 0..100 {
        let batch = batch(
            kernel_model::batch::BatchSpec {
                producer_id: 5,
                producer_epoch: 0,
                base_sequence: sequence,
                ..Default::default()
            },
            1,
            &text,
        );
        let append = Request::Append { log: LOG, batches: vec![batch], epoch: None };
        ask(&mut shard, &woken, append).unwrap();
        shard.handle_timeout(now(200 * (u64::try_from(sequence).unwrap() + 1)));
    }
    let before = describe(&mut shard, &woken);
    assert_eq!(before.end, Offset(100));
    let stats = shard.store_stats();
    assert!(stats.segments > 1, "{stats:?}");
    // The checkpoint is written in the background; each turn asks again.
    for turn in 0..1000 {
        if shard.store_stats().checkpoints > 0 {
            break;
        }
        shard.handle_timeout(now(100_000 + 200 * turn));
        let _nothing_new = woken.recv_timeout(Duration::from_millis(10));
    }
    assert!(shard.store_stats().checkpoints > 0, "{:?}", shard.store_stats());
    drop(shard);
    let (mut shard, woken) = open(folder.path(), 2);
    assert_eq!(shard.violations(), []);
    assert_eq!(describe(&mut shard, &woken), before);
    let again = Request::Append { log: LOG, batches: vec![idempotent(5, 0, 99, 1)], epoch: None };
    match ask(&mut shard, &woken, again) {
        Ok(Reply::Appended(appended)) => assert!(appended.duplicate && appended.base_offset == Offset(99)),
        other => panic!("{other:?}"),
    }
}
