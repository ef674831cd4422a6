//! One step of one transactional id: from what is durable and what is asked to a commit and its answers.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::ShardId;
use kernel_model::commit::Op;
use kernel_model::coordinator::MessageId;

use super::message::{GroupShard, PartitionLog, Producer, Told, TransactionMessage, TransactionReply};
use super::state::{Ended, Initialised, Refusal, State, Transaction};
use super::{Entry, Limits, ending, stored};
use crate::errors::ErrorCode;

/// Something to be done about an id.
#[derive(Debug)]
pub(super) enum Task {
    /// A server asks.
    Asked(MessageId, TransactionMessage),
    /// Somebody has been told of an end; the key is that of the message.
    Told(Bytes, Told),
    /// Its open transaction may have run out of time.
    TimedOut,
    /// Nobody has used it for long.
    Expired,
}

/// What a task leads to.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// To be committed; nothing: only `answers_now` counts.
    pub(super) ops: Vec<Op>,
    /// What holds afterwards.
    pub(super) next: Option<Transaction>,
    /// Answered when durable.
    pub(super) answers: Vec<(MessageId, TransactionReply)>,
    /// Answered when everybody has been told of the end.
    pub(super) ending: Vec<(MessageId, TransactionReply)>,
    /// Answered at once.
    pub(super) answers_now: Vec<(MessageId, TransactionReply)>,
}

impl Change {
    fn answer(message: MessageId, reply: impl Into<TransactionReply>) -> Self {
        Self { answers_now: vec![(message, reply.into())], ..Self::default() }
    }

    fn store(id: &str, next: Transaction, mut ops: Vec<Op>) -> Self {
        ops.insert(0, stored::put(id, &next));
        Self { ops, next: Some(next), ..Self::default() }
    }

    fn answered(mut self, message: MessageId, reply: impl Into<TransactionReply>) -> Self {
        self.answers.push((message, reply.into()));
        self
    }
}

impl From<Refusal> for TransactionReply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Code(code) => code.into(),
            Refusal::NeedsProducerId => Self::NeedsProducerId,
        }
    }
}

/// Where a step happens.
pub(super) struct Place<'a> {
    pub(super) limits: &'a Limits,
    pub(super) shard: ShardId,
    pub(super) now_ms: i64,
    pub(super) id: &'a str,
    /// The id is about to go back to legacy: it begins nothing.
    pub(super) leaves: bool,
}

/// The same partitions and groups, already in?
fn verify(
    held: Option<&Transaction>,
    message: MessageId,
    producer: Producer,
    partitions: Vec<PartitionLog>,
    groups: &[GroupShard],
) -> Change {
    let Some(held) = held else { return Change::answer(message, ErrorCode::InvalidProducerIdMapping) };
    if let Err(code) = held.admit(producer) {
        return Change::answer(message, code);
    }
    let missing = partitions.into_iter().filter(|partition| !held.has(partition)).collect();
    let groups_missing = !groups.iter().all(|group| held.has_group(group));
    Change::answer(message, TransactionReply::Joined { missing, groups_missing })
}

impl Place<'_> {
    /// Works on one task; tasks behind it that go together with it are taken too.
    pub(super) fn work(&self, entry: &mut Entry, task: Task) -> Change {
        match task {
            Task::Asked(message, TransactionMessage::Init { timeout_ms, current, spare, .. }) => {
                self.init(entry.stored.as_ref(), message, timeout_ms, current, spare)
            }
            Task::Asked(
                message,
                TransactionMessage::Join { producer, partitions, groups, verify_only, .. },
            ) => {
                if verify_only {
                    verify(entry.stored.as_ref(), message, producer, partitions, &groups)
                } else {
                    self.join(entry, message, producer, &partitions, &groups)
                }
            }
            Task::Asked(message, TransactionMessage::End { producer, commit, bumps, spare, .. }) => {
                self.end(entry.stored.as_ref(), message, producer, commit, bumps, spare)
            }
            Task::Asked(message, TransactionMessage::Adopt { producer, timeout_ms, committed, unit, .. }) => {
                self.adopt(entry.stored.as_ref(), message, producer, timeout_ms, committed, &unit)
            }
            Task::Asked(message, TransactionMessage::Provide { producer, .. }) => {
                self.provide(entry.stored.as_ref(), message, producer)
            }
            // None of them is about one id: answered before it comes here.
            Task::Asked(
                message,
                TransactionMessage::Describe { .. }
                | TransactionMessage::List { .. }
                | TransactionMessage::Leave { .. }
                | TransactionMessage::Return { .. }
                | TransactionMessage::Tally { .. }
                | TransactionMessage::Survey { .. },
            ) => Change::answer(message, ErrorCode::InvalidRequest),
            Task::Told(key, told) => self.told(entry, key, &told),
            Task::TimedOut => self.timed_out(entry.stored.as_ref()),
            Task::Expired => self.expired(entry.stored.as_ref()),
        }
    }

    fn init(
        &self,
        held: Option<&Transaction>,
        message: MessageId,
        timeout_ms: i32,
        current: Option<Producer>,
        spare: Option<i64>,
    ) -> Change {
        let asked = u64::try_from(timeout_ms).map(Duration::from_millis).unwrap_or_default();
        if asked.is_zero() || asked > self.limits.timeout_max {
            return Change::answer(message, ErrorCode::InvalidTransactionTimeout);
        }
        // The transaction of a producer that went away is ended all the same; it begins anew where the id then is.
        if self.leaves && held.is_some_and(|held| held.state != State::Ongoing) {
            return Change::answer(message, ErrorCode::ConcurrentTransactions);
        }
        match Transaction::init(held, timeout_ms, current, spare, self.now_ms) {
            Ok(Initialised::Ready(next)) => {
                let reply = TransactionReply::Producer(next.producer);
                Change::store(self.id, next, Vec::new()).answered(message, reply)
            }
            // The producer before is fenced by its epoch; who asked tries again when its transaction is over.
            Ok(Initialised::Abort(next)) => {
                self.ended(next).answered(message, ErrorCode::ConcurrentTransactions)
            }
            Err(refusal) => Change::answer(message, refusal),
        }
    }

    fn adopt(
        &self,
        held: Option<&Transaction>,
        message: MessageId,
        producer: Producer,
        timeout_ms: i32,
        committed: Option<bool>,
        unit: &str,
    ) -> Change {
        if held.is_some_and(|held| held.is_prepared() || held.state == State::Ongoing) {
            return Change::answer(message, ErrorCode::ConcurrentTransactions);
        }
        let next = Transaction::adopted(producer, timeout_ms, committed, unit, self.now_ms);
        Change::store(self.id, next, Vec::new()).answered(message, TransactionReply::Producer(producer))
    }

    fn provide(&self, held: Option<&Transaction>, message: MessageId, producer: Producer) -> Change {
        let Some(held) = held else {
            return Change::answer(message, ErrorCode::InvalidProducerIdMapping);
        };
        let reply = TransactionReply::Producer(held.producer);
        let next = Transaction { provided: Some(producer), ..held.clone() };
        Change::store(self.id, next, Vec::new()).answered(message, reply)
    }

    /// The commit that ends a prepared transaction.
    fn ended(&self, mut next: Transaction) -> Change {
        let ops = ending::end(self.shard, self.id, &mut next, self.now_ms);
        Change::store(self.id, next, ops)
    }

    fn join(
        &self,
        entry: &mut Entry,
        message: MessageId,
        producer: Producer,
        partitions: &[PartitionLog],
        groups: &[GroupShard],
    ) -> Change {
        let Some(held) = &entry.stored else {
            return Change::answer(message, ErrorCode::InvalidProducerIdMapping);
        };
        if let Err(code) = held.admit(producer) {
            return Change::answer(message, code);
        }
        if self.leaves && held.state != State::Ongoing {
            return Change::answer(message, ErrorCode::ConcurrentTransactions);
        }
        let mut next = held.clone();
        next.join(partitions, groups, self.now_ms);
        let mut asked = vec![message];
        while let Some(Task::Asked(message, TransactionMessage::Join { partitions, groups, .. })) =
            entry.waiting.pop_front_if(|task| joins(task, producer))
        {
            next.join(&partitions, &groups, self.now_ms);
            asked.push(message);
        }
        let joined = TransactionReply::Joined { missing: Vec::new(), groups_missing: false };
        if next.partitions.len() + next.groups.len() > self.limits.participants_max {
            let refused = asked.into_iter().map(|to| (to, ErrorCode::InvalidRequest.into()));
            return Change { answers_now: refused.collect(), ..Change::default() };
        }
        let answers: Vec<_> = asked.into_iter().map(|to| (to, joined.clone())).collect();
        let same = next.partitions == held.partitions && next.groups == held.groups;
        if held.state == State::Ongoing && same {
            return Change { answers_now: answers, ..Change::default() };
        }
        let begins = held.state != State::Ongoing;
        let deadline_ms = next.times_out_at().filter(|_| begins);
        let timer = deadline_ms.map(|deadline_ms| stored::set_timeout(self.id, deadline_ms));
        Change { answers, ..Change::store(self.id, next, timer.into_iter().collect()) }
    }

    fn end(
        &self,
        held: Option<&Transaction>,
        message: MessageId,
        producer: Producer,
        commit: bool,
        bumps: bool,
        spare: Option<i64>,
    ) -> Change {
        let Some(held) = held else {
            return Change::answer(message, ErrorCode::InvalidProducerIdMapping);
        };
        match held.end(producer, commit, bumps, spare, self.now_ms) {
            Ok(Ended::Already) => Change::answer(message, TransactionReply::Producer(held.producer)),
            // Without a transaction this would only give the producer an epoch that legacy does not know.
            Ok(Ended::Now(..)) if self.leaves && held.state != State::Ongoing => {
                Change::answer(message, ErrorCode::ConcurrentTransactions)
            }
            Ok(Ended::Now(next, afterwards)) => {
                let reply = TransactionReply::Producer(afterwards);
                Change { ending: vec![(message, reply)], ..self.ended(*next) }
            }
            Err(refusal) => Change::answer(message, refusal),
        }
    }

    fn told(&self, entry: &mut Entry, key: Bytes, told: &Told) -> Change {
        let mut ops = vec![Op::TimerCancel { key }];
        let Some(held) = &entry.stored else { return Change { ops, ..Change::default() } };
        let mut next = held.clone();
        let mut note = |told: &Told| {
            if next.is_prepared() && next.number == told.number {
                next.owed.remove(&told.who);
            }
        };
        note(told);
        while let Some(Task::Told(key, told)) =
            entry.waiting.pop_front_if(|task| matches!(task, Task::Told(..)))
        {
            note(&told);
            ops.push(Op::TimerCancel { key });
        }
        if next.is_prepared() && next.owed.is_empty() {
            next.complete();
        }
        if next == *held {
            return Change { ops, next: Some(next), ..Change::default() };
        }
        Change::store(self.id, next, ops)
    }

    fn timed_out(&self, held: Option<&Transaction>) -> Change {
        match held.and_then(|held| Some((held, held.times_out_at()?))) {
            Some((held, at)) if at <= self.now_ms => self.ended(held.fenced(self.now_ms)),
            Some((held, at)) => {
                let ops = vec![stored::set_timeout(self.id, at)];
                Change { ops, next: Some(held.clone()), ..Change::default() }
            }
            None => {
                let ops = vec![stored::cancel_timeout(self.id)];
                Change { ops, next: held.cloned(), ..Change::default() }
            }
        }
    }

    fn expired(&self, held: Option<&Transaction>) -> Change {
        let expiration_ms = i64::try_from(self.limits.expiration.as_millis()).unwrap_or(i64::MAX);
        if held.is_some_and(|held| held.is_expired(self.now_ms, expiration_ms)) {
            return Change { ops: vec![stored::delete(self.id)], ..Change::default() };
        }
        Change::default()
    }
}

/// Whether a task joins the transaction of this producer.
fn joins(task: &Task, producer: Producer) -> bool {
    matches!(
        task,
        Task::Asked(_, TransactionMessage::Join { producer: other, verify_only: false, .. }) if *other == producer
    )
}
