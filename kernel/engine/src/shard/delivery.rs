//! Publishing through routers, leasing from views, and commits that travel between shards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::VerifiedBatch;
use kernel_model::commit::{Commit, Op, RouteTarget, ViewEntry};
use kernel_model::error::KernelError;
use kernel_model::position::{CursorId, LogId, RouterId, ShardId, ViewId};
use kernel_model::reply::{Leased, Reply};
use kernel_model::time::Now;

use super::append::Prepared;
use super::{RequestKey, Shard};
use crate::draft::{Draft, Source};

/// Bits of an id that number the object inside its shard.
const LOCAL_MASK: u64 = (1 << 48) - 1;
/// How many applied outbox entries are removed by one commit, unless the queue runs empty before.
const OUTBOX_TRIM_EVERY: u64 = 64;

impl Shard {
    pub(super) fn route(&self, router: RouterId, levels: &[Bytes]) -> Result<Reply, KernelError> {
        let found = self.state.routers.get(&router).ok_or(KernelError::NotFound)?;
        let targets = self.targets(router, levels)?;
        Ok(Reply::Routed { version: found.version, targets: targets.into_iter().collect() })
    }

    fn targets(&self, router: RouterId, levels: &[Bytes]) -> Result<BTreeSet<RouteTarget>, KernelError> {
        if levels.len() > self.limits.route_levels_max {
            return Err(KernelError::Invalid("too many levels in a routing key"));
        }
        let router = self.state.routers.get(&router).ok_or(KernelError::NotFound)?;
        router.matches(levels, self.limits.route_steps_max)
    }

    pub(super) fn publish(
        &mut self,
        from: RequestKey,
        log: LogId,
        batches: &[VerifiedBatch],
        router: RouterId,
        levels: &[Bytes],
        note: &Bytes,
    ) -> Result<(), KernelError> {
        let mut views: BTreeMap<ShardId, Vec<ViewId>> = BTreeMap::new();
        for target in self.targets(router, levels)? {
            if let RouteTarget::View(view) = target {
                views.entry(view.shard()).or_default().push(view);
            }
        }
        let mut prepared = self.prepare_append(log, batches)?;
        let mut here = views.remove(&self.id).unwrap_or_default();
        here.retain(|view| self.state.views.contains_key(view));
        let mut ops: Vec<Op> =
            here.into_iter().filter_map(|view| references(log, view, &prepared, note)).collect();
        if !prepared.ranges.is_empty() {
            let copies = views.into_iter().map(|(to, views)| self.copy_to(to, log, &prepared, &views, note));
            ops.extend(copies.collect::<Result<Vec<Op>, KernelError>>()?);
        }
        // References lie at offsets that this commit appends: the draft judges only the rest.
        self.room_for(&ops)?;
        prepared.ops.append(&mut ops);
        let seq = self.submit(prepared.ops)?;
        self.reply_at(seq, from, Reply::Appended(prepared.appended));
        Ok(())
    }

    fn room_for(&self, ops: &[Op]) -> Result<(), KernelError> {
        let others = ops.iter().filter(|op| matches!(op, Op::OutboxPush { .. })).cloned().collect();
        let draft = Draft::new(self.id, &self.state, &self.limits, self.now.wall_ms, Source::Outside);
        draft.resolve(others)?;
        let crowded = ops.iter().any(|op| {
            let Op::ViewPush { view, entries } = op else { return false };
            let live = self.state.views.get(view).map_or(0, |view| view.live);
            live + entries.len() as u64 > self.limits.view_entries_max
        });
        if crowded { Err(KernelError::Overloaded) } else { Ok(()) }
    }

    /// The commit that gives another shard its copy: stored once there, referred to by each of its views.
    fn copy_to(
        &self,
        to: ShardId,
        log: LogId,
        prepared: &Prepared,
        views: &[ViewId],
        note: &Bytes,
    ) -> Result<Op, KernelError> {
        let copy = LogId::new(to, log.0 & LOCAL_MASK);
        let config = self.log(log)?.config.clone();
        let views: Vec<(ViewId, Bytes)> = views.iter().map(|&view| (view, note.clone())).collect();
        let mut ops = vec![Op::LogCreate { log: copy, config, start: kernel_model::Offset(0) }];
        for op in &prepared.ops {
            if let Op::LogAppend { batch, .. } = op {
                ops.push(Op::Deliver { log: copy, batch: batch.clone(), views: views.clone() });
            }
        }
        Ok(Op::OutboxPush { to, commit: Box::new(Commit::of(ops)) })
    }

    pub(super) fn lease(
        &mut self,
        from: RequestKey,
        id: CursorId,
        entries_max: usize,
        lease: Duration,
    ) -> Result<(), KernelError> {
        let view_id = self.state.cursors.get(&id).ok_or(KernelError::NotFound)?.view;
        let view = self.state.views.get(&view_id).ok_or(KernelError::NotFound)?;
        let max = entries_max.min(self.limits.lease_entries_max);
        let mut entries: Vec<u64> = view
            .deliveries
            .available(self.now.wall_ms, max)
            .into_iter()
            .filter(|&at| view.is_live(at))
            .collect();
        let fresh = view.live_from(view.deliveries.fresh).map(|(at, _)| at);
        entries.extend(fresh.take(max - entries.len().min(max)));
        let lease_ms = i64::try_from(lease.min(self.limits.lease_max).as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.now.wall_ms.saturating_add(lease_ms);
        let ops = if entries.is_empty() {
            Vec::new()
        } else {
            vec![Op::CursorLease { cursor: id, entries: entries.clone(), until_ms }]
        };
        let seq = self.submit(ops)?;
        let leased = entries.into_iter().filter_map(|entry| self.leased(view_id, entry)).collect();
        self.reply_at(seq, from, Reply::Leased(leased));
        Ok(())
    }

    fn leased(&self, view: ViewId, entry: u64) -> Option<Leased> {
        let view = self.state.views.get(&view)?;
        let reference = view.entry(entry)?;
        let expired = self.state.logs.get(&reference.log).is_none_or(|log| reference.offset < log.start);
        Some(Leased { entry, reference, deliveries: view.deliveries.count(entry), expired })
    }

    pub(super) fn outbox_deliver(
        &mut self,
        from: RequestKey,
        sender: ShardId,
        position: u64,
        commit: Commit,
    ) -> Result<(), KernelError> {
        let applied = self.state.inbox.get(&sender).copied().unwrap_or(0);
        if position <= applied {
            // A repeat; its original may still be on its way to disk.
            self.reply_at(self.submitted, from, Reply::Done);
            return Ok(());
        }
        if position > applied + 1 {
            return Err(KernelError::NotFound);
        }
        let draft = Draft::new(self.id, &self.state, &self.limits, self.now.wall_ms, Source::Outbox);
        let mut ops = match draft.resolve(commit.ops) {
            Ok(ops) => ops,
            Err(KernelError::Overloaded) => return Err(KernelError::Overloaded),
            Err(_) => {
                // It would be refused for ever, and everything behind it with it.
                self.stats.outbox_refused += 1;
                Vec::new()
            }
        };
        ops.push(Op::OutboxApplied { from: sender, position });
        let seq = self.submit(ops)?;
        self.reply_at(seq, from, Reply::Done);
        Ok(())
    }

    /// The shard `to` has made entries up to `position` durable.
    pub fn handle_outbox_applied(&mut self, now: Now, to: ShardId, position: u64) {
        self.now = now;
        if self.stopped.is_none() && self.state.outbox.applied(to, position) {
            self.trim_outbox(to, false);
        }
    }

    /// Removes applied entries: in groups, or all when the queue has run empty or `all`.
    pub(super) fn trim_outbox(&mut self, to: ShardId, all: bool) {
        let Some(queue) = self.state.outbox.queues.get(&to) else { return };
        let (applied, pending) = (queue.applied, queue.applied - queue.trimmed);
        if pending > 0 && (all || pending >= OUTBOX_TRIM_EVERY || applied == queue.last) {
            // Refused (a full disk): tried again later. Until then a restart only repeats deliveries.
            let _later = self.submit(vec![Op::OutboxTrim { to, position: applied }]);
        }
    }
}

fn references(log: LogId, view: ViewId, prepared: &Prepared, note: &Bytes) -> Option<Op> {
    let entries: Vec<ViewEntry> = prepared
        .ranges
        .iter()
        .flat_map(|&(base, count)| (0..count).map(move |index| base.plus(index)))
        .map(|offset| ViewEntry { log, offset, note: note.clone() })
        .collect();
    (!entries.is_empty()).then_some(Op::ViewPush { view, entries })
}
