//! A coordinator in a shard: a registry of names with takeover, replies after commits, timers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, Coordinator, CoordinatorKind, KvRead, MessageId, Output};
use kernel_model::reply::Reply;
use kernel_model::request::Request;
use kernel_model::{KernelError, Now};

use crate::bench::*;

const KIND: CoordinatorKind = CoordinatorKind(9);

/// Who holds each name. Whoever comes next takes it over, and the one before is told by the answer. A holder
/// whose lease ends is forgotten.
#[derive(Default)]
struct Registry {
    holders: BTreeMap<Bytes, Bytes>,
    outputs: VecDeque<Output>,
    waiting: BTreeMap<u64, (MessageId, Bytes, Bytes)>,
    next: u64,
}

fn key(name: &Bytes) -> Bytes {
    [&[KIND.0], name.as_ref()].concat().into()
}

impl Coordinator for Registry {
    fn restore(&mut self, _now: Now, state: &dyn KvRead) {
        self.holders = state.scan(&[KIND.0]).map(|(key, holder)| (key.slice(1..), holder)).collect();
    }

    fn handle_message(&mut self, now: Now, id: MessageId, message: Bytes) {
        let at = message.iter().position(|byte| *byte == b' ').unwrap();
        let (name, holder) = (message.slice(..at), message.slice(at + 1..));
        let ops = vec![
            Op::KvPut { key: key(&name), value: holder.clone(), expires_ms: None },
            Op::TimerSet { key: key(&name), deadline_ms: now.wall_ms + 10_000, action: name.clone() },
        ];
        self.waiting.insert(self.next, (id, name, holder));
        self.outputs.push_back(Output::Commit { id: CommitId(self.next), commit: Commit::of(ops) });
        self.next += 1;
    }

    fn handle_commit(&mut self, _now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        outcome.unwrap();
        if let Some((to, name, holder)) = self.waiting.remove(&id.0) {
            let before = self.holders.insert(name, holder).unwrap_or_default();
            self.outputs.push_back(Output::Reply { id: to, message: before });
        }
    }

    fn handle_timer(&mut self, _now: Now, key: Bytes, action: Bytes) {
        self.holders.remove(&action);
        let ops = vec![Op::KvDelete { key: key.clone() }, Op::TimerCancel { key }];
        self.outputs.push_back(Output::Commit { id: CommitId(self.next), commit: Commit::of(ops) });
        self.next += 1;
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
}

fn hosted() -> Hosted {
    vec![(KIND, Box::new(Registry::default()))]
}

fn take(desk: &mut Desk, name_and_holder: &'static [u8]) -> Bytes {
    let message = Bytes::from_static(name_and_holder);
    let key = desk.send(Request::Coordinate { kind: KIND, message });
    assert!(desk.replies().is_empty(), "no answer before its commit is durable");
    desk.shard.handle_durable(desk.now);
    match desk.replies().pop().unwrap() {
        (to, Ok(Reply::Coordinated(before))) if to == key => before,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_taken_over_also_after_a_restart() {
    let mut desk = Desk::hosting(hosted());
    assert_eq!(take(&mut desk, b"meter-1 first"), "");
    assert_eq!(take(&mut desk, b"meter-1 second"), "first");
    desk.restart(hosted());
    assert_eq!(take(&mut desk, b"meter-1 third"), "second");
}

#[test]
fn a_timer_fires_late_and_never_early_and_outlives_a_restart() {
    let mut desk = Desk::hosting(hosted());
    take(&mut desk, b"meter-1 first");
    desk.tick(Duration::from_millis(9_999));
    assert!(matches!(desk.ask(Request::Get { key: key(&"meter-1".into()) }), Ok(Reply::Value(Some(_)))));
    desk.restart(hosted());
    desk.tick(Duration::from_millis(1));
    assert!(matches!(desk.ask(Request::Get { key: key(&"meter-1".into()) }), Ok(Reply::Value(None))));
    assert_eq!(take(&mut desk, b"meter-1 second"), "");
}
