//! Requests that wait for a log to grow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset};
use kernel_model::reply::Reply;
use kernel_model::request::ReadLimit;

use super::{RequestKey, Shard};

struct Watch {
    logs: Vec<(LogId, Offset)>,
    limit: ReadLimit,
    deadline: Duration,
}

/// All watches of a shard.
#[derive(Default)]
pub(super) struct Watches {
    by_key: BTreeMap<RequestKey, Watch>,
    by_log: BTreeMap<LogId, BTreeSet<RequestKey>>,
    by_deadline: BTreeSet<(Duration, RequestKey)>,
    /// How many look at what is stored, durable or not.
    stored: usize,
}

impl Watches {
    fn add(&mut self, key: RequestKey, watch: Watch) {
        for (log, _) in &watch.logs {
            self.by_log.entry(*log).or_default().insert(key);
        }
        self.by_deadline.insert((watch.deadline, key));
        self.stored += usize::from(watch.limit == ReadLimit::Stored);
        self.by_key.insert(key, watch);
    }

    /// Forgets a watch; answers whether it was there.
    pub(super) fn cancel(&mut self, key: RequestKey) -> bool {
        let Some(watch) = self.by_key.remove(&key) else { return false };
        for (log, _) in &watch.logs {
            if let Some(keys) = self.by_log.get_mut(log) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.by_log.remove(log);
                }
            }
        }
        self.by_deadline.remove(&(watch.deadline, key));
        self.stored -= usize::from(watch.limit == ReadLimit::Stored);
        true
    }

    /// Whether anybody watches with this limit.
    pub(super) fn wants(&self, limit: ReadLimit) -> bool {
        limit != ReadLimit::Stored || self.stored > 0
    }

    /// Forgets all watches.
    pub(super) fn take_all(&mut self) -> Vec<RequestKey> {
        std::mem::take(self).by_key.into_keys().collect()
    }

    /// When the next watch is over.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.by_deadline.first().map(|(at, _)| *at)
    }

    fn overdue(&mut self, elapsed: Duration) -> Option<RequestKey> {
        let key = self.by_deadline.first().filter(|(at, _)| *at <= elapsed)?.1;
        self.cancel(key);
        Some(key)
    }
}

impl Shard {
    pub(super) fn watch(
        &mut self,
        from: RequestKey,
        logs: Vec<(LogId, Offset)>,
        limit: ReadLimit,
        wait: Duration,
    ) -> Result<(), KernelError> {
        if logs.len() > self.limits.watch_logs_max {
            return Err(KernelError::Invalid("too many logs in one watch"));
        }
        let changed = self.changed(&logs, limit);
        if !changed.is_empty() || wait.is_zero() || logs.is_empty() {
            self.replies.push_back((from, Ok(Reply::Changed(changed))));
            return Ok(());
        }
        if self.watches.by_key.len() >= self.limits.watches_max || self.watches.by_key.contains_key(&from) {
            return Err(KernelError::Overloaded);
        }
        let deadline = self.now.deadline(wait.min(self.limits.watch_wait_max));
        self.watches.add(from, Watch { logs, limit, deadline });
        Ok(())
    }

    /// Logs that have passed their marks. One that is gone counts: its watcher will find out by reading.
    fn changed(&self, logs: &[(LogId, Offset)], limit: ReadLimit) -> Vec<LogId> {
        let passed = |&&(id, mark): &&(LogId, Offset)| {
            self.state.logs.get(&id).is_none_or(|log| log.readable_end(limit) > mark)
        };
        logs.iter().filter(passed).map(|&(id, _)| id).collect()
    }

    /// Answers the watchers of a log whose marks were passed, or all of them.
    pub(super) fn wake(&mut self, id: LogId, all: bool) {
        let Some(keys) = self.watches.by_log.get(&id).cloned() else { return };
        for key in keys {
            let Some(watch) = self.watches.by_key.get(&key) else { continue };
            let mut changed = self.changed(&watch.logs, watch.limit);
            if all && !changed.contains(&id) {
                changed.push(id);
            }
            if !changed.is_empty() {
                self.watches.cancel(key);
                self.replies.push_back((key, Ok(Reply::Changed(changed))));
            }
        }
    }

    /// Ends watches whose time is over.
    pub(super) fn end_watches(&mut self) {
        while let Some(key) = self.watches.overdue(self.now.elapsed) {
            self.replies.push_back((key, Ok(Reply::Changed(Vec::new()))));
        }
    }
}
