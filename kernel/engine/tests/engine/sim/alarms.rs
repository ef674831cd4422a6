//! A coordinator that sets timers, and a client that asks for them: every alarm that was acknowledged rings, at or
//! after its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kernel_engine::RequestKey;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, Coordinator, CoordinatorKind, KvRead, MessageId, Output};
use kernel_model::reply::Reply;
use kernel_model::request::Request;
use kernel_model::{KernelError, Now};

use super::world::{Asker, World};

pub const KIND: CoordinatorKind = CoordinatorKind(9);
const SHARD: usize = 1;

fn timer_key(number: u64) -> Bytes {
    [&[KIND.0, b't'][..], &number.to_be_bytes()].concat().into()
}

fn rung_key(number: u64) -> Bytes {
    [&[KIND.0, b'r'][..], &number.to_be_bytes()].concat().into()
}

/// Message: number and deadline. The answer is empty, or `no` when the commit was refused.
#[derive(Default)]
pub struct Alarms {
    outputs: VecDeque<Output>,
    setting: BTreeMap<u64, MessageId>,
    next: u64,
}

impl Alarms {
    fn commit(&mut self, ops: Vec<Op>) -> u64 {
        self.next += 1;
        self.outputs.push_back(Output::Commit { id: CommitId(self.next), commit: Commit::of(ops) });
        self.next
    }
}

impl Coordinator for Alarms {
    fn restore(&mut self, _now: Now, _state: &dyn KvRead) {}

    fn handle_message(&mut self, _now: Now, id: MessageId, message: Bytes) {
        let number = u64::from_be_bytes(message[..8].try_into().unwrap());
        let deadline_ms = i64::from_be_bytes(message[8..].try_into().unwrap());
        let set = Op::TimerSet { key: timer_key(number), deadline_ms, action: message };
        let commit = self.commit(vec![set]);
        self.setting.insert(commit, id);
    }

    fn handle_commit(&mut self, _now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        if let Some(to) = self.setting.remove(&id.0) {
            let message = Bytes::from_static(if outcome.is_ok() { b"" } else { b"no" });
            self.outputs.push_back(Output::Reply { id: to, message });
        }
    }

    fn handle_timer(&mut self, now: Now, key: Bytes, action: Bytes) {
        let number = u64::from_be_bytes(action[..8].try_into().unwrap());
        let deadline_ms = i64::from_be_bytes(action[8..].try_into().unwrap());
        assert!(now.wall_ms >= deadline_ms, "an alarm rang early");
        let put = Op::KvPut { key: rung_key(number), value: Bytes::new(), expires_ms: None };
        self.commit(vec![put, Op::TimerCancel { key }]);
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}

/// Asks for alarms.
#[derive(Default)]
pub struct Sleeper {
    next: u64,
    under_way: BTreeMap<RequestKey, u64>,
    acked: BTreeSet<u64>,
    finishing: bool,
}

impl Sleeper {
    pub fn act(&mut self, world: &mut World) {
        if self.finishing || self.under_way.len() >= 4 {
            return;
        }
        self.next += 1;
        let deadline_ms = world.now.wall_ms + i64::try_from(world.random.below(5000)).unwrap();
        let message = [self.next.to_be_bytes(), deadline_ms.to_be_bytes()].concat().into();
        let key = world.ask(SHARD, Asker::Sleeper, Request::Coordinate { kind: KIND, message });
        self.under_way.insert(key, self.next);
    }

    pub fn answer(&mut self, key: RequestKey, reply: Result<Reply, KernelError>) {
        let number = self.under_way.remove(&key).unwrap();
        if matches!(reply, Ok(Reply::Coordinated(message)) if message.is_empty()) {
            self.acked.insert(number);
        }
    }

    pub fn finish(&mut self) {
        self.finishing = true;
    }

    fn rung(world: &mut World) -> BTreeSet<u64> {
        let prefix = Bytes::from_static(&[KIND.0, b'r']);
        let reply = world.ask_now(SHARD, Request::Scan { prefix, after: None, pairs_max: 10_000 });
        match reply {
            Ok(Reply::Pairs(pairs)) => {
                pairs.iter().map(|(key, _)| u64::from_be_bytes(key[2..].try_into().unwrap())).collect()
            }
            Err(_) => BTreeSet::new(),
            other => panic!("{other:?}"),
        }
    }

    pub fn is_done(&self, world: &mut World) -> bool {
        self.finishing && self.under_way.is_empty() && self.acked.is_subset(&Self::rung(world))
    }
}
