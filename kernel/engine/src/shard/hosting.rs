//! Coordinators that the shard hosts: messages in; commits, replies and timers routed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::coordinator::{CommitId, Coordinator, CoordinatorKind, KvRead, MessageId, Output};
use kernel_model::error::KernelError;
use kernel_model::reply::Reply;
use kernel_model::time::Now;

use super::{RequestKey, Shard, Waiter};
use crate::draft::Source;
use crate::store::ShardStore;

/// Keys read at once while a coordinator scans.
const SCAN_PAGE: usize = 1024;

/// The coordinators of one shard.
#[derive(Default)]
pub(super) struct Hosts {
    coordinators: BTreeMap<CoordinatorKind, Box<dyn Coordinator>>,
    /// Messages that are not answered yet.
    messages: BTreeMap<MessageId, RequestKey>,
    next_message: u64,
}

impl Hosts {
    pub(super) fn new(coordinators: Vec<(CoordinatorKind, Box<dyn Coordinator>)>) -> Self {
        Self { coordinators: coordinators.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn restore(&mut self, now: Now, store: &dyn ShardStore) -> Result<(), KernelError> {
        for coordinator in self.coordinators.values_mut() {
            let keys = Keys { store, now, failed: std::cell::RefCell::new(None) };
            coordinator.restore(now, &keys);
            if let Some(error) = keys.failed.into_inner() {
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn committed(
        &mut self,
        now: Now,
        kind: CoordinatorKind,
        id: CommitId,
        outcome: Result<(), KernelError>,
    ) {
        if let Some(coordinator) = self.coordinators.get_mut(&kind) {
            coordinator.handle_commit(now, id, outcome);
        }
    }

    /// Hands a timer to the coordinator that its key names; answers whether there is one.
    pub(super) fn timer(&mut self, now: Now, key: Bytes, action: Bytes) -> bool {
        let kind = key.first().copied().map(CoordinatorKind);
        match kind.and_then(|kind| self.coordinators.get_mut(&kind)) {
            Some(coordinator) => {
                coordinator.handle_timer(now, key, action);
                true
            }
            None => false,
        }
    }

    pub(super) fn timeout(&mut self, now: Now) {
        for coordinator in self.coordinators.values_mut() {
            if coordinator.poll_timeout().is_some_and(|at| at <= now.elapsed) {
                coordinator.handle_timeout(now);
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.coordinators.values().filter_map(|coordinator| coordinator.poll_timeout()).min()
    }

    /// Forgets all messages.
    pub(super) fn take_messages(&mut self) -> Vec<RequestKey> {
        std::mem::take(&mut self.messages).into_values().collect()
    }

    fn next_output(&mut self) -> Option<(CoordinatorKind, Output)> {
        self.coordinators
            .iter_mut()
            .find_map(|(&kind, coordinator)| coordinator.poll_output().map(|output| (kind, output)))
    }
}

impl Shard {
    pub(super) fn coordinate(
        &mut self,
        from: RequestKey,
        kind: CoordinatorKind,
        message: Bytes,
    ) -> Result<(), KernelError> {
        if self.hosts.messages.len() >= self.limits.messages_max {
            return Err(KernelError::Overloaded);
        }
        let coordinator = self.hosts.coordinators.get_mut(&kind).ok_or(KernelError::NotFound)?;
        let id = MessageId(self.hosts.next_message);
        self.hosts.next_message += 1;
        self.hosts.messages.insert(id, from);
        coordinator.handle_message(self.now, id, message);
        Ok(())
    }

    /// Carries out what coordinators want, up to a bound for one turn.
    pub(super) fn run_coordinators(&mut self) {
        for _ in 0..self.limits.outputs_per_turn {
            if self.stopped.is_some() {
                return;
            }
            match self.hosts.next_output() {
                Some((kind, output)) => self.carry_out_output(kind, output),
                None => {
                    self.upkeep.outputs_left = false;
                    return;
                }
            }
        }
        self.upkeep.outputs_left = true;
    }

    fn carry_out_output(&mut self, kind: CoordinatorKind, output: Output) {
        match output {
            Output::Commit { id, commit } => match self.commit(commit, Source::Outside) {
                Ok(seq) if seq > self.durable => {
                    self.waiting.push_back((seq, Waiter::Coordinator(kind, id)));
                }
                Ok(_) => self.hosts.committed(self.now, kind, id, Ok(())),
                Err(error) => self.hosts.committed(self.now, kind, id, Err(error)),
            },
            Output::Reply { id, message } => {
                if let Some(to) = self.hosts.messages.remove(&id) {
                    self.replies.push_back((to, Ok(Reply::Coordinated(message))));
                }
            }
        }
    }
}

/// A coordinator's look at the keys.
struct Keys<'a> {
    store: &'a dyn ShardStore,
    now: Now,
    /// The trait has no room for errors: the first one is kept, and ends the opening of the shard.
    failed: std::cell::RefCell<Option<KernelError>>,
}

impl Keys<'_> {
    fn or_default<T: Default>(&self, outcome: Result<T, KernelError>) -> T {
        outcome.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            T::default()
        })
    }

    fn is_live(&self, expires_ms: Option<i64>) -> bool {
        expires_ms.is_none_or(|at| at > self.now.wall_ms)
    }
}

impl KvRead for Keys<'_> {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        let entry = self.or_default(self.store.get(key));
        entry.filter(|entry| self.is_live(entry.expires_ms)).map(|entry| entry.value)
    }

    fn scan(&self, prefix: &[u8]) -> Box<dyn Iterator<Item = (Bytes, Bytes)> + '_> {
        let prefix = Bytes::copy_from_slice(prefix);
        let mut page = VecDeque::new();
        let mut after: Option<Bytes> = None;
        let mut done = false;
        let entries = std::iter::from_fn(move || {
            if page.is_empty() && !done {
                page = self.or_default(self.store.scan(&prefix, after.as_deref(), SCAN_PAGE)).into();
                done = page.len() < SCAN_PAGE;
                after = page.back().map(|(key, _): &(Bytes, _)| key.clone());
            }
            page.pop_front()
        });
        let live = entries.filter(|(_, entry)| self.is_live(entry.expires_ms));
        Box::new(live.map(|(key, entry)| (key, entry.value)))
    }
}
