//! Requests about one id wait for each other; refused commits change nothing; messages may come twice.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, Coordinator, MessageId, Output};
use kernel_model::{KernelError, LogId, Now, ShardId};

use super::super::message::{GroupShard, PartitionLog, Producer, TransactionMessage, TransactionReply};
use super::super::{Limits, TransactionCoordinator};
use crate::errors::ErrorCode;

pub(super) struct Host {
    pub(super) coordinator: TransactionCoordinator,
    pub(super) now: Now,
    next: u64,
    pub(super) commits: Vec<(CommitId, Commit)>,
    pub(super) replies: Vec<(u64, TransactionReply)>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            coordinator: TransactionCoordinator::new(Limits::default(), ShardId(0)),
            now: Now::new(Duration::from_secs(1), 1_000_000),
            next: 0,
            commits: Vec::new(),
            replies: Vec::new(),
        }
    }

    fn take(&mut self) {
        while let Some(output) = self.coordinator.poll_output() {
            match output {
                Output::Commit { id, commit } => self.commits.push((id, commit)),
                Output::Reply { id, message } => {
                    self.replies.push((id.0, TransactionReply::from_bytes(&message).unwrap()));
                }
            }
        }
    }

    pub(super) fn send(&mut self, message: &TransactionMessage) -> u64 {
        self.next += 1;
        self.coordinator.handle_message(self.now, MessageId(self.next), message.to_bytes());
        self.take();
        self.next
    }

    /// Lets the oldest commit end; answers what it held.
    pub(super) fn settle(&mut self, outcome: Result<(), KernelError>) -> Vec<Op> {
        let (id, commit) = self.commits.remove(0);
        self.coordinator.handle_commit(self.now, id, outcome);
        self.take();
        commit.ops
    }

    fn init(&mut self) -> Producer {
        self.send(&TransactionMessage::Init {
            id: "tx".into(),
            timeout_ms: 60_000,
            current: None,
            spare: Some(7),
        });
        self.settle(Ok(()));
        match self.replies.pop() {
            Some((_, TransactionReply::Producer(producer))) => producer,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn partition(number: i32, shard: u16) -> PartitionLog {
    let log = LogId::new(ShardId(shard), u64::try_from(number).unwrap()).0;
    PartitionLog { topic: "t".into(), partition: number, log }
}

pub(super) fn join(
    producer: Producer,
    partitions: &[PartitionLog],
    groups: &[GroupShard],
) -> TransactionMessage {
    TransactionMessage::Join {
        id: "tx".into(),
        producer,
        partitions: partitions.to_vec(),
        groups: groups.to_vec(),
        verify_only: false,
    }
}

pub(super) fn end(producer: Producer) -> TransactionMessage {
    TransactionMessage::End { id: "tx".into(), producer, commit: true, bumps: false, spare: None }
}

pub(super) fn joined() -> TransactionReply {
    TransactionReply::Joined { missing: Vec::new(), groups_missing: false }
}

#[test]
fn joins_that_wait_are_taken_together() {
    let mut host = Host::new();
    let producer = host.init();
    let asked: Vec<u64> =
        (0..4).map(|number| host.send(&join(producer, &[partition(number, 0)], &[]))).collect();
    assert_eq!(host.commits.len(), 1, "the others wait for the first");
    host.settle(Ok(()));
    assert_eq!(host.replies, [(asked[0], joined())]);
    host.settle(Ok(()));
    assert!(host.commits.is_empty());
    let answered: Vec<u64> = host.replies.iter().map(|(id, _)| *id).collect();
    assert_eq!(answered, asked);
    // What is in already needs no commit.
    let again = host.send(&join(producer, &[partition(2, 0)], &[]));
    assert_eq!(host.replies.last(), Some(&(again, joined())));
}

#[test]
fn a_refused_commit_leaves_everything_as_it_was() {
    let mut host = Host::new();
    let producer = host.init();
    host.send(&join(producer, &[partition(0, 0)], &[]));
    host.settle(Err(KernelError::Full));
    let refused = TransactionReply::from(ErrorCode::CoordinatorNotAvailable);
    assert_eq!(host.replies.pop().unwrap().1, refused);
    host.send(&end(producer));
    let invalid = TransactionReply::from(ErrorCode::InvalidTxnState);
    assert_eq!(host.replies.pop().unwrap().1, invalid, "no transaction began");
}

#[test]
fn an_end_is_answered_when_everybody_has_been_told() {
    let mut host = Host::new();
    let producer = host.init();
    let group = GroupShard { group: "g".into(), shard: 0 };
    host.send(&join(producer, &[partition(0, 0), partition(1, 1)], std::slice::from_ref(&group)));
    let begun = host.settle(Ok(()));
    assert!(begun.iter().any(|op| matches!(op, Op::TimerSet { deadline_ms: 1_060_000, .. })));
    host.replies.clear();
    let ending = host.send(&end(producer));
    let ops = host.settle(Ok(()));
    assert!(host.replies.is_empty());
    assert_eq!(ops.iter().filter(|op| matches!(op, Op::Deliver { .. })).count(), 1, "its own marker");
    let away: Vec<&Commit> = ops
        .iter()
        .filter_map(|op| match op {
            Op::OutboxPush { to: ShardId(1), commit } => Some(commit.as_ref()),
            _ => None,
        })
        .collect();
    assert!(matches!(away[0].ops[0], Op::Deliver { .. }));
    let Op::TimerSet { action, .. } = away[0].ops[1].clone() else { panic!("a word for the coordinator") };
    let other = host.send(&join(producer, &[partition(5, 0)], &[]));
    let busy = TransactionReply::from(ErrorCode::ConcurrentTransactions);
    assert_eq!(host.replies.pop(), Some((other, busy)));

    // The other shard passes its word on; a repeat changes nothing.
    let mut elsewhere = TransactionCoordinator::new(Limits::default(), ShardId(1));
    elsewhere.handle_timer(host.now, Bytes::from_static(b"trx"), action.clone());
    let Some(Output::Commit { commit, .. }) = elsewhere.poll_output() else { panic!("passed on") };
    assert!(matches!(&commit.ops[0], Op::OutboxPush { to: ShardId(0), .. }));
    for _ in 0..2 {
        host.coordinator.handle_timer(host.now, Bytes::from_static(b"ta1"), action.clone());
        host.take();
        host.settle(Ok(()));
        assert!(host.replies.is_empty(), "the group is still owed");
    }
    let told = ops.iter().find_map(|op| match op {
        Op::TimerSet { key, action, .. } if key.starts_with(b"ge") => Some(action.clone()),
        _ => None,
    });
    let group_end = super::super::message::GroupEnd::read(&told.unwrap()).unwrap();
    let Op::TimerSet { key, action, .. } = group_end.told.send(0) else { panic!("in the same shard") };
    host.coordinator.handle_timer(host.now, key, action);
    host.take();
    host.settle(Ok(()));
    assert_eq!(host.replies, [(ending, TransactionReply::Producer(producer))]);
}

#[test]
fn a_word_about_one_transaction_is_not_taken_for_the_next() {
    let mut host = Host::new();
    let producer = host.init();
    let mut words = Vec::new();
    for _ in 0..2 {
        host.send(&join(producer, &[partition(1, 1)], &[]));
        host.settle(Ok(()));
        host.send(&end(producer));
        let ops = host.settle(Ok(()));
        let word = ops.iter().find_map(|op| match op {
            Op::OutboxPush { commit, .. } => match &commit.ops[1] {
                Op::TimerSet { action, .. } => Some(action.clone()),
                _ => None,
            },
            _ => None,
        });
        words.push(word.unwrap());
        host.replies.clear();
        // Each time the first word comes; only the first time it counts.
        host.coordinator.handle_timer(host.now, Bytes::from_static(b"ta1"), words[0].clone());
        host.take();
        host.settle(Ok(()));
        assert_eq!(host.replies.len(), 2 - words.len());
    }
    host.coordinator.handle_timer(host.now, Bytes::from_static(b"ta2"), words[1].clone());
    host.take();
    host.settle(Ok(()));
    assert_eq!(host.replies.len(), 1);
}

#[test]
fn an_unused_id_is_forgotten_after_a_week() {
    let mut host = Host::new();
    host.init();
    let week = Duration::from_secs(7 * 24 * 3600);
    host.now.wall_ms += i64::try_from(week.as_millis()).unwrap();
    host.now.elapsed += week;
    host.coordinator.handle_timeout(host.now);
    host.take();
    let ops = host.settle(Ok(()));
    assert!(matches!(ops[0], Op::KvDelete { .. }));
    host.send(&TransactionMessage::Describe { ids: vec!["tx".into()] });
    assert_eq!(host.replies.pop().unwrap().1, TransactionReply::Described(vec![None]));
}
