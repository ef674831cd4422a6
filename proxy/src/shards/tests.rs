use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::store::memory::MemoryStore;
use kernel_engine::{Limits, Shard};
use kernel_model::coordinator::{CommitId, Coordinator, CoordinatorKind, KvRead, MessageId, Output};
use kernel_model::{Commit, KernelError, Now, Op, Reply, Request, ShardId};

use super::*;
use crate::clock::Clock;
use crate::health::Health;

/// Panics at its first message.
struct Fragile;

impl Coordinator for Fragile {
    fn restore(&mut self, _: Now, _: &dyn KvRead) {}
    fn handle_message(&mut self, _: Now, _: MessageId, _: Bytes) {
        panic!("on purpose")
    }
    fn handle_commit(&mut self, _: Now, _: CommitId, _: Result<(), KernelError>) {}
    fn handle_timer(&mut self, _: Now, _: Bytes, _: Bytes) {}
    fn handle_timeout(&mut self, _: Now) {}
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}

const FRAGILE: CoordinatorKind = CoordinatorKind(7);

fn open() -> OpenShard {
    Arc::new(|id, _waker| {
        let coordinators: Vec<(CoordinatorKind, Box<dyn Coordinator>)> = vec![(FRAGILE, Box::new(Fragile))];
        Shard::open(id, Box::new(MemoryStore::new()), Limits::default(), coordinators, Now::default())
    })
}

fn put(key: &'static str, value: &'static str) -> Op {
    Op::KvPut { key: Bytes::from(key), value: Bytes::from(value), expires_ms: None }
}

async fn hosts(count: u16) -> (ShardHosts, Arc<Health>) {
    let health = Arc::new(Health::default());
    let hosts = ShardHosts::start(count, Clock::start(), Arc::clone(&health), open()).await.unwrap();
    (hosts, health)
}

async fn get(shards: &Shards, shard: u16, key: &'static str) -> Option<Bytes> {
    let reply = shards.ask(ShardId(shard), Request::Get { key: Bytes::from(key) }).await.unwrap();
    let Reply::Value(value) = reply else { panic!("{reply:?}") };
    value
}

#[tokio::test]
async fn shards_answer_and_their_outboxes_reach_each_other() {
    let (hosts, health) = hosts(2).await;
    let shards = hosts.shards();
    let carried = Box::new(Commit::of(vec![put("7there", "1")]));
    let ops = vec![put("7here", "1"), Op::OutboxPush { to: ShardId(1), commit: carried }];
    assert!(matches!(shards.ask(ShardId(0), Request::Commit(Commit::of(ops))).await, Ok(Reply::Done)));
    assert_eq!(get(&shards, 0, "7here").await.unwrap(), "1");
    let arrived = async {
        while get(&shards, 1, "7there").await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
    assert!(health.is_healthy());
    hosts.stop().await;
    let after = shards.ask(ShardId(0), Request::Get { key: Bytes::from("7here") }).await;
    assert!(matches!(after, Err(KernelError::Stopped(_))));
}

#[tokio::test]
async fn a_panic_is_a_fault_that_is_shown_and_nobody_waits_for_ever() {
    let (hosts, health) = hosts(2).await;
    let shards = hosts.shards();
    let message = Request::Coordinate { kind: FRAGILE, message: Bytes::new() };
    let answer =
        tokio::time::timeout(Duration::from_secs(20), shards.ask(ShardId(0), message)).await.unwrap();
    assert!(matches!(answer, Err(KernelError::Stopped(_))));
    assert!(!health.is_healthy());
    // The other one goes on.
    assert!(get(&shards, 1, "7x").await.is_none());
    hosts.stop().await;
}

#[tokio::test]
async fn a_shard_that_cannot_be_opened_is_named() {
    let open: OpenShard = Arc::new(|id, waker| match id {
        ShardId(1) => Err(KernelError::Damaged("file x at 5".to_owned())),
        id => open()(id, waker),
    });
    let started = ShardHosts::start(2, Clock::start(), Arc::default(), open).await;
    let Err(error) = started else { panic!("it started") };
    assert!(error.to_string().contains("shard 1") && error.to_string().contains("file x at 5"));
}

#[tokio::test]
async fn a_shard_number_that_does_not_exist_is_refused() {
    let (hosts, _health) = hosts(1).await;
    let answer = hosts.shards().ask(ShardId(9), Request::Get { key: Bytes::new() }).await;
    assert!(matches!(answer, Err(KernelError::Invalid(_))));
    hosts.stop().await;
}
