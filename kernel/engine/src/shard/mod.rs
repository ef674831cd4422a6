//! One shard: requests and time in, replies out; every change goes through its store first.
//!
//! ```text
//! request ──► judge ──► store.submit ──► apply ──► pending ──(durable)──► reply, watches, outbox
//! ```
//!
//! State is applied as a commit is submitted, so that later requests build on it; what leaves the shard
//! (replies, what readers see, outbox entries) waits until the commit is durable. Cold reads leave as
//! references that the driver reads beside the shard.

mod append;
mod compacting;
mod delivery;
mod holds;
mod hosting;
mod mirroring;
mod reading;
mod upkeep;
mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use kernel_model::commit::{Commit, Condition, Op};
use kernel_model::coordinator::{CommitId, Coordinator, CoordinatorKind};
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Seq, ShardId};
use kernel_model::reply::Reply;
use kernel_model::request::{ReadLimit, Request};
use kernel_model::time::Now;

use crate::draft::{Draft, Source};
use crate::invariants::Violation;
use crate::limits::Limits;
use crate::log::parked::Parked;
use crate::outbox::OutboxEntry;
use crate::state::State;
use crate::store::ShardStore;
use compacting::Compacting;
use holds::Holds;
use hosting::Hosts;
use upkeep::Upkeep;
use watch::Watches;

/// Names a request; chosen by the driver, opaque to the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RequestKey(pub u64, pub u64);

/// Figures of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardStats {
    /// Commits submitted since it was opened.
    pub commits: u64,
    /// Requests refused because a bound was reached.
    pub overloaded: u64,
    /// Outbox entries of other shards that could not apply and were passed over.
    pub outbox_refused: u64,
    /// Requests ahead of a mirrored log's end that had to wait.
    pub parked: u64,
    /// Bytes of provisional tails that a feed replaced.
    pub replaced_bytes: u64,
    /// Passes of compaction that were completed.
    pub compactions: u64,
    /// Bytes that compaction has gone through.
    pub compaction_read_bytes: u64,
    /// Bytes of batches that compaction has written again.
    pub compaction_written_bytes: u64,
    /// Records that compaction has removed.
    pub compaction_removed_records: u64,
    /// Times that compaction met a batch whose records cannot be read, and left it as it was.
    pub compaction_unreadable: u64,
    /// Times that a pass of compaction was given up: for want of room, or because something could not be read.
    pub compaction_failures: u64,
}

/// What waits for a commit to become durable.
enum Waiter {
    Reply(RequestKey, Reply),
    Coordinator(CoordinatorKind, CommitId),
}

/// A deterministic state machine with one owner.
pub struct Shard {
    id: ShardId,
    limits: Limits,
    store: Box<dyn ShardStore>,
    state: State,
    now: Now,
    /// Last submitted and last durable commit.
    submitted: Seq,
    durable: Seq,
    /// In the order of their commits.
    waiting: VecDeque<(Seq, Waiter)>,
    /// Logs that a commit touched, until it is durable; `true` where readers must look again in any case.
    touched: VecDeque<(Seq, LogId, bool)>,
    replies: VecDeque<(RequestKey, Result<Reply, KernelError>)>,
    watches: Watches,
    parked: Parked<RequestKey>,
    hosts: Hosts,
    upkeep: Upkeep,
    holds: Holds,
    compacting: Compacting,
    stopped: Option<KernelError>,
    stats: ShardStats,
}

/// Whether a request's answer waits for a commit. Others go on while too much waits.
fn waits(request: &Request) -> bool {
    match request {
        Request::Commit(_)
        | Request::Append { .. }
        | Request::AppendTransactional { .. }
        | Request::Mirror { .. }
        | Request::Publish { .. }
        | Request::Lease { .. }
        | Request::Coordinate { .. }
        | Request::OutboxDeliver { .. } => true,
        Request::Read { .. }
        | Request::Watch { .. }
        | Request::Describe { .. }
        | Request::Hold { .. }
        | Request::FindByTime { .. }
        | Request::FindEpochEnd { .. }
        | Request::Producers { .. }
        | Request::Route { .. }
        | Request::Get { .. }
        | Request::Scan { .. } => false,
    }
}

impl Shard {
    /// Recovers a shard from its store, which nothing has been read from yet, and lets its coordinators
    /// rebuild their state.
    ///
    /// # Errors
    ///
    /// Whatever the store's recovery answers; `Damaged` when its commits contradict each other.
    pub fn open(
        id: ShardId,
        store: Box<dyn ShardStore>,
        limits: Limits,
        coordinators: Vec<(CoordinatorKind, Box<dyn Coordinator>)>,
        now: Now,
    ) -> Result<Self, KernelError> {
        let mut store = store;
        let (state, last) = upkeep::recover(store.as_mut(), now)?;
        let mut shard = Self {
            id,
            limits,
            store,
            state,
            now,
            submitted: last,
            durable: last,
            waiting: VecDeque::new(),
            touched: VecDeque::new(),
            replies: VecDeque::new(),
            watches: Watches::default(),
            parked: Parked::default(),
            hosts: Hosts::new(coordinators),
            upkeep: Upkeep::new(now, limits.retention_after),
            holds: Holds::default(),
            compacting: Compacting::default(),
            stopped: None,
            stats: ShardStats::default(),
        };
        shard.hosts.restore(now, shard.store.as_ref())?;
        shard.run_coordinators();
        Ok(shard)
    }

    /// Which shard this is.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        self.stats
    }

    /// Figures of its store.
    #[must_use]
    pub fn store_stats(&self) -> crate::store::StoreStats {
        self.store.stats()
    }

    /// Why it has stopped, if it has.
    #[must_use]
    pub fn stopped(&self) -> Option<&KernelError> {
        self.stopped.as_ref()
    }

    /// Last submitted commit; once the store's durable position reaches it, nothing waits.
    #[must_use]
    pub fn submitted(&self) -> Seq {
        self.submitted
    }

    /// What is wrong with its state; nothing, but for a bug. Looks at everything: for simulations.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = crate::invariants::check(&self.state, self.submitted, self.durable);
        let ordered = self.waiting.iter().is_sorted_by_key(|(seq, _)| *seq);
        if !ordered || self.waiting.front().is_some_and(|(seq, _)| *seq <= self.durable) {
            found.push(Violation::Positions);
        }
        found
    }

    /// Takes a request. Its answer comes from `poll_reply`, now or later, exactly once.
    pub fn handle_request(&mut self, now: Now, from: RequestKey, request: Request) {
        self.now = now;
        if let Some(error) = &self.stopped {
            self.replies.push_back((from, Err(error.clone())));
            return;
        }
        if self.waiting.len() >= self.limits.pending_replies_max && waits(&request) {
            if let Request::Append { log, batches, .. } = &request {
                self.note_refused(*log, batches);
            } else if let Request::AppendTransactional { log, batch, .. } = &request {
                self.note_refused(*log, std::slice::from_ref(&**batch));
            }
            self.refuse(from, KernelError::Overloaded);
            return;
        }
        if let Err(error) = self.dispatch(from, request) {
            self.refuse(from, error);
        }
        self.run_coordinators();
    }

    /// Routes a request. An error is its answer; otherwise whoever took it answers.
    fn dispatch(&mut self, from: RequestKey, request: Request) -> Result<(), KernelError> {
        let reply = match request {
            Request::Commit(commit) => {
                let seq = self.commit(commit, Source::Outside)?;
                self.reply_at(seq, from, Reply::Done);
                return Ok(());
            }
            Request::Append { log, batches, epoch } => return self.append(from, log, &batches, epoch),
            Request::AppendTransactional { log, batch, guard } => {
                return self.append_transactional(from, log, &batch, guard);
            }
            Request::Mirror { log, batches, origin, from: read_from, confirm, start } => {
                let statement = crate::log::mirror::Statement { from: read_from, confirm, start };
                return self.mirror(from, log, batches, origin, statement);
            }
            Request::Publish { log, batches, router, levels, note } => {
                return self.publish(from, log, &batches, router, &levels, &note);
            }
            Request::Lease { cursor, entries_max, lease } => {
                return self.lease(from, cursor, entries_max, lease);
            }
            Request::Watch { logs, limit, wait } => return self.watch(from, logs, limit, wait),
            Request::Coordinate { kind, message } => return self.coordinate(from, kind, message),
            Request::OutboxDeliver { from: sender, position, commit } => {
                return self.outbox_deliver(from, sender, position, commit);
            }
            Request::Read { log, from, bytes_max, at_least_one, limit, epoch } => {
                Reply::Records(self.read(log, from, bytes_max, at_least_one, limit, epoch)?)
            }
            Request::Describe { log } => Reply::Described(self.log(log)?.describe()),
            Request::Hold { log, from } => {
                self.hold(log, from)?;
                Reply::Done
            }
            Request::FindByTime { log, timestamp_ms, limit } => {
                Reply::Found(self.find_by_time(log, timestamp_ms, limit)?)
            }
            Request::FindEpochEnd { log, epoch } => {
                let log = self.log(log)?;
                Reply::EpochEnd(log.epochs.end_of(epoch, log.high))
            }
            Request::Producers { log } => {
                let producers = &self.log(log)?.producers;
                Reply::Producers(producers.describe(self.now.wall_ms, self.limits.producer_expiry))
            }
            Request::Route { router, levels } => self.route(router, &levels)?,
            Request::Get { key } => Reply::Value(self.get(&key)?),
            Request::Scan { prefix, after, pairs_max } => {
                Reply::Pairs(self.scan(&prefix, after.as_deref(), pairs_max)?)
            }
        };
        self.replies.push_back((from, Ok(reply)));
        Ok(())
    }

    /// Forgets a watch whose client has gone; other requests are answered all the same.
    pub fn cancel(&mut self, from: RequestKey) {
        self.watches.cancel(from);
    }

    /// The store's durable position may have advanced: releases what waited for it.
    pub fn handle_durable(&mut self, now: Now) {
        self.now = now;
        if self.stopped.is_some() {
            return;
        }
        match self.store.durable() {
            Ok(durable) => self.release(durable),
            Err(error) => self.stop(error),
        }
        self.run_coordinators();
    }

    fn release(&mut self, durable: Seq) {
        self.durable = self.durable.max(durable);
        while let Some((_, log, look_again)) = self.touched.pop_front_if(|(seq, _, _)| *seq <= durable) {
            let moved = self.state.logs.get_mut(&log).is_none_or(|log| log.release(durable));
            if moved || look_again {
                self.wake(log, look_again);
            }
        }
        while let Some((_, waiter)) = self.waiting.pop_front_if(|(seq, _)| *seq <= durable) {
            match waiter {
                Waiter::Reply(to, reply) => self.replies.push_back((to, Ok(reply))),
                Waiter::Coordinator(kind, id) => self.hosts.committed(self.now, kind, id, Ok(())),
            }
        }
    }

    /// Next answer.
    pub fn poll_reply(&mut self) -> Option<(RequestKey, Result<Reply, KernelError>)> {
        self.replies.pop_front()
    }

    /// Next entry for another shard, to be handed there as `Request::OutboxDeliver`. Repeated after a while
    /// unless `handle_outbox_applied` reports it.
    pub fn poll_outbox(&mut self) -> Option<OutboxEntry> {
        if self.stopped.is_some() {
            return None;
        }
        self.state.outbox.next(self.durable, self.now.elapsed, self.limits.outbox_repeat)
    }

    /// When `handle_timeout` is next due, on the monotonic clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.next_timeout()
    }

    fn log(&self, id: LogId) -> Result<&crate::log::Log, KernelError> {
        self.state.logs.get(&id).ok_or(KernelError::NotFound)
    }

    fn refuse(&mut self, to: RequestKey, error: KernelError) {
        if error == KernelError::Overloaded {
            self.stats.overloaded += 1;
        }
        self.replies.push_back((to, Err(error)));
    }

    /// Answers once `seq` is durable.
    fn reply_at(&mut self, seq: Seq, to: RequestKey, reply: Reply) {
        if seq <= self.durable {
            self.replies.push_back((to, Ok(reply)));
        } else {
            self.waiting.push_back((seq, Waiter::Reply(to, reply)));
        }
    }

    /// Takes a commit from outside: conditions first, then every operation, then the store.
    fn commit(&mut self, commit: Commit, source: Source) -> Result<Seq, KernelError> {
        for condition in &commit.conditions {
            self.judge(condition)?;
        }
        let draft = Draft::new(self.id, &self.state, &self.limits, self.now.wall_ms, source);
        let ops = draft.resolve(commit.ops)?;
        let ops = self.holds.hide(ops);
        self.submit(ops)
    }

    fn judge(&self, condition: &Condition) -> Result<(), KernelError> {
        let holds = match condition {
            Condition::KeyIs { key, value } => self.get(key)? == *value,
            Condition::LogEndsAt { log, end } => self.log(*log)?.end == *end,
        };
        if holds { Ok(()) } else { Err(KernelError::ConditionFailed) }
    }

    /// Stores operations that were judged, and applies them. Nothing to do counts as the last commit.
    fn submit(&mut self, ops: Vec<Op>) -> Result<Seq, KernelError> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        if ops.is_empty() {
            return Ok(self.submitted);
        }
        let commit = Commit::of(ops);
        let seq = match self.store.submit(&commit) {
            Ok(seq) => seq,
            Err(error @ (KernelError::Fenced | KernelError::Stopped(_))) => {
                self.stop(error.clone());
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        self.submitted = seq;
        self.stats.commits += 1;
        self.state.now_ms = self.now.wall_ms;
        for op in &commit.ops {
            match self.state.apply(seq, op) {
                Ok(Some(log)) => self.touch(seq, log, op),
                Ok(None) => {}
                Err(error) => {
                    // Stored but not applied: memory and store differ, so nothing may be served any more.
                    self.stop(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(seq)
    }

    fn touch(&mut self, seq: Seq, id: LogId, op: &Op) {
        let look_again =
            matches!(op, Op::LogConfigure { .. } | Op::LogDelete { .. } | Op::LogTruncate { .. });
        if let Some(log) = self.state.logs.get_mut(&id) {
            log.submitted(seq);
        }
        if look_again {
            self.compacting.give_up(id);
        }
        if self.touched.back() != Some(&(seq, id, look_again)) {
            self.touched.push_back((seq, id, look_again));
        }
        if self.watches.wants(ReadLimit::Stored) {
            self.wake(id, false);
        }
    }

    /// Takes nothing any more: everything that waits is refused.
    fn stop(&mut self, error: KernelError) {
        if self.stopped.is_some() {
            return;
        }
        let final_already = matches!(error, KernelError::Fenced | KernelError::Stopped(_));
        let error = if final_already { error } else { KernelError::Stopped(error.to_string()) };
        self.stopped = Some(error.clone());
        for (_, waiter) in std::mem::take(&mut self.waiting) {
            if let Waiter::Reply(to, _) = waiter {
                self.replies.push_back((to, Err(error.clone())));
            }
        }
        let watchers = self.watches.take_all();
        let parked = self.parked.take_all().into_iter().map(|held| held.key);
        let messages = self.hosts.take_messages();
        for to in watchers.into_iter().chain(parked).chain(messages) {
            self.replies.push_back((to, Err(error.clone())));
        }
    }
}
