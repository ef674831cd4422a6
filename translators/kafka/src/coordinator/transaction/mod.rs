//! Transactional ids: who their producer is, what its transaction holds, and how it ends.
//!
//! One [`TransactionCoordinator`] per shard owns a range of the ids. It is deterministic: no clock, no IO, no
//! randomness; producer ids come from the asker, who has them from the catalog.
//!
//! # Order
//!
//! Requests about one id are worked on one at a time, each against what the one before it made durable; the
//! others wait. Neighbouring requests to join are taken together. Kafka answers CONCURRENT_TRANSACTIONS where
//! this coordinator lets the asker wait for a commit; it answers so too while a transaction's end is told.
//!
//! # Durability
//!
//! Every transition is one commit and is answered when that is durable. An end is answered when everybody has
//! been told of it, so that a client that has its answer finds its records and offsets in force.
//!
//! # Time
//!
//! A transaction's time-out is a durable timer on the wall clock, as its start is: it survives restarts.

pub(crate) mod ending;
mod limits;
pub(crate) mod message;
mod state;
mod stored;
mod work;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use kernel_model::ShardId;
use kernel_model::commit::{Commit, Op};
use kernel_model::coordinator::{CommitId, Coordinator, KvRead, MessageId, Output};
use kernel_model::error::KernelError;
use kernel_model::time::Now;

use self::message::{TransactionMessage, TransactionReply};
use self::state::{State, Transaction};
use self::work::Task;
use crate::errors::{ErrorCode, coordinator_error};

pub use self::limits::Limits;
pub use self::message::{
    DescribedTransaction, GroupShard, ListedTransaction, PartitionLog, Producer, SurveyedTransaction, Tally,
    TransactionMessage as Message, TransactionReply as Reply, row_print,
};
pub(crate) use self::state::is_state;
pub use self::stored::KIND;

/// Ids in one answer to a survey.
const SURVEYED_MAX: usize = 2_000;

/// One id: what is durable, what is on its way, and what waits.
#[derive(Debug, Default)]
struct Entry {
    stored: Option<Transaction>,
    busy: Option<Busy>,
    waiting: VecDeque<Task>,
    /// Ends that are answered once everybody has been told.
    ending: Vec<(MessageId, TransactionReply)>,
}

/// A commit on its way.
#[derive(Debug)]
struct Busy {
    commit: CommitId,
    /// What holds once it is durable; `None`: the id is forgotten.
    next: Option<Transaction>,
    answers: Vec<(MessageId, TransactionReply)>,
    /// Answered when the transaction is complete.
    ending: Vec<(MessageId, TransactionReply)>,
}

/// The transactional ids of one shard.
#[derive(Debug)]
pub struct TransactionCoordinator {
    limits: Limits,
    shard: ShardId,
    entries: BTreeMap<String, Entry>,
    commits: BTreeMap<CommitId, String>,
    last_commit: CommitId,
    /// Units whose ids begin no transaction.
    leaving: BTreeSet<String>,
    outputs: VecDeque<Output>,
    /// When forgotten ids are looked for next, and behind which id that goes on.
    sweep_at: Duration,
    sweep_after: Option<String>,
    /// A key could not be read, so that it is not known whose state is missing: nobody is served.
    is_damaged: bool,
}

impl TransactionCoordinator {
    /// The coordinator of a shard, without ids.
    #[must_use]
    pub fn new(limits: Limits, shard: ShardId) -> Self {
        Self {
            limits,
            shard,
            entries: BTreeMap::new(),
            commits: BTreeMap::new(),
            last_commit: CommitId(0),
            leaving: BTreeSet::new(),
            outputs: VecDeque::new(),
            sweep_at: Duration::ZERO,
            sweep_after: None,
            is_damaged: false,
        }
    }

    fn reply(&mut self, id: MessageId, reply: &TransactionReply) {
        self.outputs.push_back(Output::Reply { id, message: reply.to_bytes() });
    }

    fn commit(&mut self, ops: Vec<Op>) -> CommitId {
        self.last_commit = CommitId(self.last_commit.0 + 1);
        self.outputs.push_back(Output::Commit { id: self.last_commit, commit: Commit::of(ops) });
        self.last_commit
    }

    /// Lines up what is to be done about an id, and does what can be done.
    fn line_up(&mut self, now: Now, id: &str, task: Task) {
        let known = self.entries.contains_key(id);
        if !known && self.entries.len() >= self.limits.transactions_max {
            return self.turn_away(task, ErrorCode::CoordinatorNotAvailable);
        }
        let entry = self.entries.entry(id.to_owned()).or_default();
        if entry.waiting.len() >= self.limits.waiting_max {
            return self.turn_away(task, ErrorCode::ConcurrentTransactions);
        }
        entry.waiting.push_back(task);
        self.advance(now, id);
    }

    /// Messages of coordinators come again; clients are told.
    fn turn_away(&mut self, task: Task, code: ErrorCode) {
        if let Task::Asked(message, _) = task {
            self.reply(message, &code.into());
        }
    }

    /// Works on an id until it waits for a commit, or nothing is left.
    fn advance(&mut self, now: Now, id: &str) {
        loop {
            let Some(entry) = self.entries.get_mut(id) else { return };
            if entry.busy.is_some() {
                return;
            }
            let Some(task) = entry.waiting.pop_front() else {
                if entry.stored.is_none() && entry.ending.is_empty() {
                    self.entries.remove(id);
                }
                return;
            };
            let leaves = entry.stored.as_ref().is_some_and(|held| self.leaving.contains(&held.unit));
            let place =
                work::Place { limits: &self.limits, shard: self.shard, now_ms: now.wall_ms, id, leaves };
            let change = place.work(entry, task);
            for (message, reply) in change.answers_now {
                self.reply(message, &reply);
            }
            if !change.ops.is_empty() {
                let commit = self.commit(change.ops);
                self.commits.insert(commit, id.to_owned());
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.busy = Some(Busy {
                        commit,
                        next: change.next,
                        answers: change.answers,
                        ending: change.ending,
                    });
                }
            }
        }
    }

    fn committed(&mut self, now: Now, commit: CommitId, outcome: Result<(), KernelError>) {
        let Some(id) = self.commits.remove(&commit) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(busy) = entry.busy.take_if(|busy| busy.commit == commit) else { return };
        let mut answers = busy.answers;
        match outcome {
            Ok(()) => {
                entry.stored = busy.next;
                entry.ending.extend(busy.ending);
                if entry.stored.as_ref().is_none_or(|held| !held.is_prepared()) {
                    answers.append(&mut entry.ending);
                }
            }
            Err(error) => {
                let refusal = TransactionReply::from(coordinator_error(&error));
                let refused = answers.drain(..).chain(busy.ending).map(|(to, _)| (to, refusal.clone()));
                answers = refused.collect();
            }
        }
        for (message, reply) in answers {
            self.reply(message, &reply);
        }
        self.advance(now, &id);
    }

    fn asked(&mut self, now: Now, message: MessageId, asked: TransactionMessage) {
        let id = match &asked {
            TransactionMessage::Init { id, .. }
            | TransactionMessage::Join { id, .. }
            | TransactionMessage::End { id, .. }
            | TransactionMessage::Adopt { id, .. }
            | TransactionMessage::Provide { id, .. } => id.clone(),
            TransactionMessage::Leave { unit } => {
                self.leaving.insert(unit.clone());
                return self.reply(message, &TransactionReply::Tallied(self.tally(unit)));
            }
            TransactionMessage::Return { unit } => {
                self.leaving.remove(unit);
                return self.reply(message, &TransactionReply::Tallied(self.tally(unit)));
            }
            TransactionMessage::Tally { unit } => {
                return self.reply(message, &TransactionReply::Tallied(self.tally(unit)));
            }
            TransactionMessage::Survey { unit, after } => {
                let reply = self.survey(unit, after.as_deref());
                return self.reply(message, &reply);
            }
            TransactionMessage::Describe { ids } => {
                let described =
                    ids.iter().take(self.limits.listed_max).map(|id| self.described(id)).collect();
                return self.reply(message, &TransactionReply::Described(described));
            }
            TransactionMessage::List { states, producers, duration_ms } => {
                let listed = self.listed(now, states, producers, *duration_ms);
                return self.reply(message, &TransactionReply::Listed(listed));
            }
        };
        self.line_up(now, &id, Task::Asked(message, asked));
    }

    fn described(&self, id: &str) -> Option<DescribedTransaction> {
        self.entries.get(id)?.stored.as_ref().map(Transaction::describe)
    }

    /// What is held of a unit's ids behind `after`.
    fn of_unit<'a>(
        &'a self,
        unit: &'a str,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a Entry, &'a Transaction)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let held = self.entries.range::<str, _>((from, Bound::Unbounded));
        let held = held.filter_map(|(id, entry)| Some((id, entry, entry.stored.as_ref()?)));
        held.filter(move |(_, _, held)| held.unit == unit)
    }

    fn tally(&self, unit: &str) -> Tally {
        let mut all = Tally::none();
        for (id, entry, held) in self.of_unit(unit, None) {
            // What is being committed may begin one.
            let open = held.state == State::Ongoing || held.is_prepared() || entry.busy.is_some();
            let open_since_ms = if open { held.started_ms } else { -1 };
            let print = row_print(id, held.producer, held.timeout_ms);
            all.add(Tally { ids: 1, open: u64::from(open), open_since_ms, print });
        }
        all
    }

    fn survey(&self, unit: &str, after: Option<&str>) -> TransactionReply {
        let mut left = self.of_unit(unit, after).map(|(id, _, held)| SurveyedTransaction {
            id: id.clone(),
            producer: held.producer,
            timeout_ms: held.timeout_ms,
            provided: held.provided,
        });
        let ids = left.by_ref().take(SURVEYED_MAX).collect();
        TransactionReply::Surveyed { ids, more: left.next().is_some() }
    }

    fn listed(
        &self,
        now: Now,
        states: &[String],
        producers: &[i64],
        duration_ms: i64,
    ) -> Vec<ListedTransaction> {
        let wanted = |held: &Transaction| {
            let lasts = now.wall_ms.saturating_sub(held.started_ms);
            (states.is_empty() || states.iter().any(|state| state == held.state.name()))
                && (producers.is_empty() || producers.contains(&held.producer.id))
                && (duration_ms < 0 || held.started_ms >= 0 && lasts > duration_ms)
        };
        let known = self.entries.iter().filter_map(|(id, entry)| Some((id, entry.stored.as_ref()?)));
        let listed = known.filter(|(_, held)| wanted(held)).map(|(id, held)| ListedTransaction {
            id: id.clone(),
            producer_id: held.producer.id,
            state: held.state.name().to_owned(),
        });
        listed.take(self.limits.listed_max).collect()
    }

    /// Looks at the next ids for those that nobody uses any more.
    fn sweep(&mut self, now: Now) {
        let after = self.sweep_after.take();
        let ids = self.entries.keys().filter(|id| after.as_ref().is_none_or(|after| *id > after));
        let ids: Vec<String> = ids.take(self.limits.expiry_per_turn).cloned().collect();
        let is_last = ids.len() < self.limits.expiry_per_turn;
        let expiration_ms = i64::try_from(self.limits.expiration.as_millis()).unwrap_or(i64::MAX);
        for id in &ids {
            let held = self.entries.get(id).and_then(|entry| entry.stored.as_ref());
            if held.is_some_and(|held| held.is_expired(now.wall_ms, expiration_ms)) {
                self.line_up(now, id, Task::Expired);
            }
        }
        if is_last {
            self.sweep_at = now.deadline(self.limits.expiration_check);
        } else {
            self.sweep_after = ids.into_iter().next_back();
        }
    }
}

impl Coordinator for TransactionCoordinator {
    fn restore(&mut self, now: Now, state: &dyn KvRead) {
        for (key, value) in state.scan(stored::PREFIX) {
            match (stored::id_of(&key), stored::read(&value)) {
                (Some(id), Some(held)) => {
                    let entry = Entry { stored: Some(held), ..Entry::default() };
                    self.entries.insert(id.to_owned(), entry);
                }
                _ => self.is_damaged = true,
            }
        }
        self.sweep_at = now.deadline(self.limits.expiration_check);
    }

    fn handle_message(&mut self, now: Now, id: MessageId, message: Bytes) {
        match TransactionMessage::from_bytes(&message) {
            None => self.outputs.push_back(Output::Reply { id, message: Bytes::new() }),
            Some(_) if self.is_damaged => self.reply(id, &ErrorCode::CoordinatorNotAvailable.into()),
            Some(asked) => self.asked(now, id, asked),
        }
    }

    fn handle_commit(&mut self, now: Now, id: CommitId, outcome: Result<(), KernelError>) {
        self.committed(now, id, outcome);
    }

    fn handle_timer(&mut self, now: Now, key: Bytes, action: Bytes) {
        let which = key.get(1).copied();
        let told = message::Told::read(&action);
        match (which, told) {
            (Some(stored::TIMEOUT), _) => {
                if let Some(id) = stored::id_of(&key).map(str::to_owned) {
                    self.line_up(now, &id, Task::TimedOut);
                }
            }
            (Some(message::TOLD), Some(told)) => {
                let id = told.id.clone();
                self.line_up(now, &id, Task::Told(key, told));
            }
            (Some(message::RELAY), Some(told)) => {
                // Refused: the timer comes again.
                let _commit = self.commit(vec![told.send(self.shard.0), Op::TimerCancel { key }]);
            }
            _ => {
                let _commit = self.commit(vec![Op::TimerCancel { key }]);
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.sweep_at <= now.elapsed {
            self.sweep(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        Some(self.sweep_at)
    }
}
