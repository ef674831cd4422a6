//! Everything a shard derives from its commits. Applying the same commits gives the same state, live and at
//! replay; whether a commit may be taken is judged before ([`crate::draft`]).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kernel_model::batch::BatchError;
use kernel_model::commit::{Op, RoutePattern, RouteTarget};
use kernel_model::error::KernelError;
use kernel_model::position::{CursorId, LogId, Offset, RouterId, Seq, ShardId, ViewId};

use crate::cursor::{Cursor, Lease};
use crate::log::Log;
use crate::log::meta::BatchMeta;
use crate::outbox::Outbox;
use crate::router::Router;
use crate::timer::Timers;
use crate::view::View;

/// A piece of the state that a checkpoint stores under one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Log(LogId),
    View(ViewId),
    Chunk(ViewId, u64),
    Cursor(CursorId),
    Router(RouterId),
    Route(RouterId, RoutePattern, RouteTarget),
    Timer(Bytes),
    Expiry(Bytes),
    Outbox(ShardId),
    Entry(ShardId, u64),
    Inbox(ShardId),
}

/// When keys cease to exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expiries {
    pub(crate) by_key: BTreeMap<Bytes, i64>,
    by_time: BTreeSet<(i64, Bytes)>,
}

impl Expiries {
    /// Sets or clears a key's expiry.
    pub(crate) fn set(&mut self, key: &Bytes, expires_ms: Option<i64>) {
        if let Some(old) = self.by_key.remove(key) {
            self.by_time.remove(&(old, key.clone()));
        }
        if let Some(at) = expires_ms {
            self.by_key.insert(key.clone(), at);
            self.by_time.insert((at, key.clone()));
        }
    }

    /// Keys whose time has come, earliest first.
    pub(crate) fn due(&self, wall_ms: i64, max: usize) -> Vec<Bytes> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= wall_ms);
        due.map(|(_, key)| key.clone()).take(max).collect()
    }

    /// Whether both orders hold the same.
    pub(crate) fn is_consistent(&self) -> bool {
        self.by_time.len() == self.by_key.len()
            && self.by_time.iter().all(|(at, key)| self.by_key.get(key) == Some(at))
    }

    /// The earliest expiry.
    pub(crate) fn first(&self) -> Option<i64> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

/// State of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) logs: BTreeMap<LogId, Log>,
    pub(crate) views: BTreeMap<ViewId, View>,
    pub(crate) cursors: BTreeMap<CursorId, Cursor>,
    pub(crate) routers: BTreeMap<RouterId, Router>,
    pub(crate) timers: Timers,
    pub(crate) expiries: Expiries,
    pub(crate) outbox: Outbox,
    /// Last outbox position applied here, by sender.
    pub(crate) inbox: BTreeMap<ShardId, u64>,
    /// Wall clock of what is being applied.
    pub(crate) now_ms: i64,
    /// What changed since the last checkpoint.
    pub(crate) dirty: BTreeSet<Part>,
}

fn impossible(what: &str) -> KernelError {
    KernelError::Damaged(format!("a stored commit contradicts the state before it: {what}"))
}

impl State {
    /// Applies one operation of the commit `seq`. Answers the log it touched.
    ///
    /// # Errors
    ///
    /// `Damaged` when the operation cannot apply: it was judged before it was stored, so what is stored is
    /// not what was written.
    pub(crate) fn apply(&mut self, seq: Seq, op: &Op) -> Result<Option<LogId>, KernelError> {
        match op {
            Op::LogCreate { log, .. }
            | Op::LogConfigure { log, .. }
            | Op::LogDelete { log }
            | Op::LogAppend { log, .. }
            | Op::LogConfirm { log, .. }
            | Op::LogTruncate { log, .. }
            | Op::LogTrim { log, .. }
            | Op::LogHide { log, .. }
            | Op::LogReplace { log, .. }
            | Op::LogCleaned { log, .. } => {
                self.apply_log(*log, op)?;
                self.dirty.insert(Part::Log(*log));
                return Ok(Some(*log));
            }
            Op::ViewCreate { .. }
            | Op::ViewDelete { .. }
            | Op::ViewPush { .. }
            | Op::ViewAck { .. }
            | Op::CursorCreate { .. }
            | Op::CursorDelete { .. }
            | Op::CursorLease { .. }
            | Op::CursorRelease { .. } => self.apply_view(op)?,
            Op::RouteAdd { router, pattern, target } => {
                self.routers.entry(*router).or_default().add(pattern, target);
                self.route_changed(*router, pattern, target);
            }
            Op::RouteRemove { router, pattern, target } => {
                if let Some(found) = self.routers.get_mut(router) {
                    found.remove(pattern, target);
                }
                self.route_changed(*router, pattern, target);
            }
            Op::KvPut { key, expires_ms, .. } => self.expire_key(key, *expires_ms),
            Op::KvDelete { key } => self.expire_key(key, None),
            Op::TimerSet { key, deadline_ms, action } => {
                self.timers.set(key.clone(), *deadline_ms, action.clone());
                self.dirty.insert(Part::Timer(key.clone()));
            }
            Op::TimerCancel { key } => {
                self.timers.cancel(key);
                self.dirty.insert(Part::Timer(key.clone()));
            }
            Op::OutboxPush { to, commit } => {
                let position = self.outbox.push(*to, seq, commit.as_ref().clone());
                self.dirty.insert(Part::Outbox(*to));
                self.dirty.insert(Part::Entry(*to, position));
            }
            Op::OutboxApplied { from, position } => {
                self.inbox.insert(*from, *position);
                self.dirty.insert(Part::Inbox(*from));
            }
            Op::OutboxTrim { to, position } => self.trim_outbox(*to, *position),
            Op::Deliver { .. } => return Err(impossible("a delivery that was not resolved")),
        }
        Ok(None)
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only operations of logs are handed over")]
    fn apply_log(&mut self, id: LogId, op: &Op) -> Result<(), KernelError> {
        match op {
            Op::LogCreate { config, start, .. } => {
                self.logs.entry(id).or_insert_with(|| Log::new(config.clone(), *start));
                return Ok(());
            }
            Op::LogDelete { .. } => {
                self.logs.remove(&id);
                return Ok(());
            }
            _ => {}
        }
        let log = self.logs.get_mut(&id).ok_or_else(|| impossible("no such log"))?;
        log.producers.set_clock(self.now_ms);
        match op {
            Op::LogConfigure { config, epoch, .. } => log.configure(config, *epoch),
            Op::LogAppend { base_offset, epoch, batch, .. } => {
                let broken = |_: BatchError| impossible("an append without a batch");
                let batch = BatchMeta::decode(batch).map_err(broken)?.at(*base_offset, *epoch);
                if batch.base_offset < log.end {
                    return Err(impossible("an append below the log's end"));
                }
                log.append(batch);
            }
            Op::LogConfirm { position, .. } => log.confirm(*position),
            Op::LogTruncate { to, .. } => log.truncate(*to),
            Op::LogTrim { start, .. } => log.trim(*start),
            Op::LogHide { start, .. } => log.hide(*start),
            Op::LogReplace { base_offset, bytes, batch, .. } => {
                let left = batch.as_ref().map(|batch| batch.len() as u64);
                log.replace(*base_offset, *bytes, left);
            }
            Op::LogCleaned { to, .. } => log.cleaned_to(*to),
            _ => return Err(impossible("not an operation of a log")),
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only operations of views and cursors are handed over")]
    fn apply_view(&mut self, op: &Op) -> Result<(), KernelError> {
        match op {
            Op::ViewCreate { view } => {
                self.views.entry(*view).or_default();
                self.dirty.insert(Part::View(*view));
            }
            Op::ViewDelete { view } => self.delete_view(*view),
            Op::ViewPush { view, entries } => {
                let found = self.views.get_mut(view).ok_or_else(|| impossible("no such view"))?;
                for entry in entries {
                    self.dirty.insert(Part::Chunk(*view, found.push(entry)));
                }
                self.dirty.insert(Part::View(*view));
            }
            Op::ViewAck { view, entries } => {
                let found = self.views.get_mut(view).ok_or_else(|| impossible("no such view"))?;
                for chunk in entries.iter().filter_map(|&entry| found.ack(entry)) {
                    self.dirty.insert(Part::Chunk(*view, chunk));
                }
                self.dirty.insert(Part::View(*view));
            }
            Op::CursorCreate { cursor, view } => {
                self.cursors.entry(*cursor).or_insert(Cursor { view: *view });
                self.dirty.insert(Part::Cursor(*cursor));
            }
            Op::CursorDelete { cursor } => {
                if let Some(found) = self.cursors.remove(cursor) {
                    self.deliveries(found.view, |deliveries| deliveries.deliveries.release_all(*cursor))?;
                }
                self.dirty.insert(Part::Cursor(*cursor));
            }
            Op::CursorLease { cursor, entries, until_ms } => self.lease(*cursor, entries, *until_ms)?,
            Op::CursorRelease { cursor, entries } => {
                let view = self.cursors.get(cursor).ok_or_else(|| impossible("no such cursor"))?.view;
                self.deliveries(view, |view| {
                    for &entry in entries {
                        view.deliveries.release(*cursor, entry);
                    }
                })?;
            }
            _ => return Err(impossible("not an operation of a view")),
        }
        Ok(())
    }

    fn deliveries(&mut self, id: ViewId, change: impl FnOnce(&mut View)) -> Result<(), KernelError> {
        change(self.views.get_mut(&id).ok_or_else(|| impossible("a cursor without a view"))?);
        self.dirty.insert(Part::View(id));
        Ok(())
    }

    fn lease(&mut self, cursor: CursorId, entries: &[u64], until_ms: i64) -> Result<(), KernelError> {
        let view = self.cursors.get(&cursor).ok_or_else(|| impossible("no such cursor"))?.view;
        self.deliveries(view, |view| {
            for &entry in entries.iter() {
                let fresh = view.deliveries.fresh;
                let skipped: Vec<u64> = if entry > fresh {
                    view.live_from(fresh).map(|(at, _)| at).take_while(|&at| at < entry).collect()
                } else {
                    Vec::new()
                };
                view.deliveries.lease(entry, Lease { cursor, until_ms }, skipped.into_iter());
            }
        })
    }

    fn delete_view(&mut self, id: ViewId) {
        if let Some(view) = self.views.remove(&id) {
            self.dirty.extend(view.chunks.keys().map(|&number| Part::Chunk(id, number)));
        }
        let orphans: Vec<CursorId> =
            self.cursors.iter().filter(|(_, cursor)| cursor.view == id).map(|(&at, _)| at).collect();
        for cursor in orphans {
            self.cursors.remove(&cursor);
            self.dirty.insert(Part::Cursor(cursor));
        }
        self.dirty.insert(Part::View(id));
    }

    fn route_changed(&mut self, router: RouterId, pattern: &RoutePattern, target: &RouteTarget) {
        self.dirty.insert(Part::Router(router));
        self.dirty.insert(Part::Route(router, pattern.clone(), target.clone()));
    }

    fn expire_key(&mut self, key: &Bytes, expires_ms: Option<i64>) {
        if expires_ms.is_some() || self.expiries.by_key.contains_key(key) {
            self.expiries.set(key, expires_ms);
            self.dirty.insert(Part::Expiry(key.clone()));
        }
    }

    fn trim_outbox(&mut self, to: ShardId, position: u64) {
        let from = self.outbox.queues.get(&to).map_or(0, |queue| queue.trimmed);
        self.outbox.trim(to, position);
        let until = self.outbox.queues.get(&to).map_or(0, |queue| queue.trimmed);
        self.dirty.extend((from + 1..=until).map(|gone| Part::Entry(to, gone)));
        self.dirty.insert(Part::Outbox(to));
    }

    /// Smallest offset of `log`, from `start` on, that a live reference pins.
    pub(crate) fn pinned(&self, log: LogId, start: Offset) -> Option<Offset> {
        self.views.values().filter_map(|view| view.pinned(log, start)).min()
    }
}
