//! Judges a commit whole, before anything of it is stored: the state that each operation would find is
//! followed in a draft, so that a commit is all or nothing. Deliveries are resolved on the way.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::restamp;
use kernel_model::commit::{LogConfig, LogKind, Op, RoutePattern, TimestampSource, ViewEntry};
use kernel_model::error::KernelError;
use kernel_model::position::{CursorId, LogEpoch, LogId, Offset, RouterId, ShardId, ViewId};
use kernel_model::{BatchHeader, VerifiedBatch};

use crate::limits::Limits;
use crate::log::OFFSET_MAX;
use crate::log::meta::BatchMeta;
use crate::state::State;

/// A log as the operations so far would leave it.
#[derive(Debug, Clone)]
struct LogDraft {
    config: LogConfig,
    start: Offset,
    end: Offset,
    confirmed: Offset,
    shown: Offset,
    epoch: LogEpoch,
}

/// Who sends a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A request or coordinator.
    Outside,
    /// Another shard's outbox: references to views that are gone are dropped.
    Outbox,
}

/// A commit that is being judged.
pub(crate) struct Draft<'a> {
    shard: ShardId,
    state: &'a State,
    limits: &'a Limits,
    wall_ms: i64,
    source: Source,
    logs: BTreeMap<LogId, Option<LogDraft>>,
    views: BTreeMap<ViewId, Option<u64>>,
    cursors: BTreeMap<CursorId, Option<ViewId>>,
    queued: usize,
    ops: Vec<Op>,
}

/// Longest key of the Kv primitive or a timer, in bytes.
const KEY_BYTES_MAX: usize = 64 << 10;

impl<'a> Draft<'a> {
    pub(crate) fn new(
        shard: ShardId,
        state: &'a State,
        limits: &'a Limits,
        wall_ms: i64,
        source: Source,
    ) -> Self {
        Self {
            shard,
            state,
            limits,
            wall_ms,
            source,
            logs: BTreeMap::new(),
            views: BTreeMap::new(),
            cursors: BTreeMap::new(),
            queued: 0,
            ops: Vec::new(),
        }
    }

    /// Judges all operations; answers what is to be stored.
    ///
    /// # Errors
    ///
    /// Why the commit cannot be taken; nothing has changed.
    pub(crate) fn resolve(mut self, ops: Vec<Op>) -> Result<Vec<Op>, KernelError> {
        if ops.len() > self.limits.ops_max {
            return Err(KernelError::Invalid("too many operations in one commit"));
        }
        for op in ops {
            self.judge(op)?;
        }
        Ok(self.ops)
    }

    fn judge(&mut self, op: Op) -> Result<(), KernelError> {
        match &op {
            Op::LogCreate { log, config, start } => self.create_log(*log, config, *start)?,
            Op::LogConfigure { log, config, epoch } => self.configure(*log, config, *epoch)?,
            Op::LogDelete { log } => {
                self.log(*log)?;
                self.logs.insert(*log, None);
            }
            Op::LogAppend { .. }
            | Op::LogHide { .. }
            | Op::LogReplace { .. }
            | Op::LogCleaned { .. }
            | Op::OutboxApplied { .. }
            | Op::OutboxTrim { .. } => {
                return Err(KernelError::Invalid("only the engine makes this operation"));
            }
            Op::Deliver { log, batch, views } => return self.deliver(*log, batch, views),
            Op::LogConfirm { log, position } => self.confirm(*log, *position)?,
            Op::LogTruncate { log, to } => self.truncate(*log, *to)?,
            Op::LogTrim { log, start } => self.trim(*log, *start)?,
            Op::ViewCreate { .. }
            | Op::ViewDelete { .. }
            | Op::ViewPush { .. }
            | Op::ViewAck { .. }
            | Op::CursorCreate { .. }
            | Op::CursorDelete { .. }
            | Op::CursorLease { .. }
            | Op::CursorRelease { .. } => self.judge_view(&op)?,
            Op::RouteAdd { router, pattern, .. } => self.route(*router, pattern, true)?,
            Op::RouteRemove { router, pattern, .. } => self.route(*router, pattern, false)?,
            Op::KvPut { key, .. }
            | Op::KvDelete { key }
            | Op::TimerSet { key, .. }
            | Op::TimerCancel { key } => check_key(key)?,
            Op::OutboxPush { to, commit } => self.queue(*to, commit)?,
        }
        self.ops.push(op);
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only operations of views and cursors are handed over")]
    fn judge_view(&mut self, op: &Op) -> Result<(), KernelError> {
        match op {
            Op::ViewCreate { view } => self.create_view(*view),
            Op::ViewDelete { view } => {
                self.view(*view)?;
                self.views.insert(*view, None);
                Ok(())
            }
            Op::ViewPush { view, entries } => self.push(*view, entries),
            Op::ViewAck { view, entries } => {
                let next = self.view(*view)?;
                known(entries, next)
            }
            Op::CursorCreate { cursor, view } => self.create_cursor(*cursor, *view),
            Op::CursorDelete { cursor } => {
                self.cursor(*cursor)?;
                self.cursors.insert(*cursor, None);
                Ok(())
            }
            Op::CursorLease { cursor, entries, .. } => self.lease(*cursor, entries),
            Op::CursorRelease { cursor, entries } => {
                let view = self.cursor(*cursor)?;
                let next = self.view(view)?;
                known(entries, next)
            }
            _ => Err(KernelError::Invalid("not an operation of a view")),
        }
    }

    fn here(&self, shard: ShardId) -> Result<(), KernelError> {
        if shard == self.shard { Ok(()) } else { Err(KernelError::Invalid("an object of another shard")) }
    }

    fn log(&mut self, id: LogId) -> Result<&mut LogDraft, KernelError> {
        self.here(id.shard())?;
        let state = self.state;
        let draft = self.logs.entry(id).or_insert_with(|| {
            state.logs.get(&id).map(|log| LogDraft {
                config: log.config.clone(),
                start: log.start,
                end: log.end,
                confirmed: log.confirmed,
                shown: log.shown,
                epoch: log.epoch,
            })
        });
        draft.as_mut().ok_or(KernelError::NotFound)
    }

    /// Number of the view's next entry.
    fn view(&mut self, id: ViewId) -> Result<u64, KernelError> {
        self.here(id.shard())?;
        let state = self.state;
        let draft = self.views.entry(id).or_insert_with(|| state.views.get(&id).map(|view| view.next));
        draft.ok_or(KernelError::NotFound)
    }

    /// The view that a cursor reads.
    fn cursor(&mut self, id: CursorId) -> Result<ViewId, KernelError> {
        self.here(id.shard())?;
        let state = self.state;
        let draft = self.cursors.entry(id).or_insert_with(|| state.cursors.get(&id).map(|found| found.view));
        let view = draft.ok_or(KernelError::NotFound)?;
        // A cursor goes with its view.
        self.view(view)?;
        Ok(view)
    }

    fn room(&self, held: usize) -> Result<(), KernelError> {
        if held >= self.limits.objects_max { Err(KernelError::Overloaded) } else { Ok(()) }
    }

    fn create_log(&mut self, id: LogId, config: &LogConfig, start: Offset) -> Result<(), KernelError> {
        self.here(id.shard())?;
        if let Ok(log) = self.log(id) {
            return if log.config.kind == config.kind {
                Ok(())
            } else {
                Err(KernelError::Invalid("the log exists with another kind"))
            };
        }
        self.room(self.state.logs.len() + self.logs.len())?;
        if start > OFFSET_MAX {
            return Err(KernelError::Invalid("an offset beyond what a batch can carry"));
        }
        let draft = LogDraft {
            config: config.clone(),
            start,
            end: start,
            confirmed: start,
            shown: start,
            epoch: LogEpoch(0),
        };
        self.logs.insert(id, Some(draft));
        Ok(())
    }

    fn configure(
        &mut self,
        id: LogId,
        config: &LogConfig,
        epoch: Option<LogEpoch>,
    ) -> Result<(), KernelError> {
        let log = self.log(id)?;
        if epoch.is_some_and(|epoch| epoch < log.epoch) {
            return Err(KernelError::EpochFenced { current: log.epoch });
        }
        if log.config.kind == LogKind::Mirrored && config.kind == LogKind::Led {
            if epoch.is_none() {
                return Err(KernelError::Invalid("a log that is to be led needs an epoch"));
            }
            if log.end > log.confirmed {
                return Err(KernelError::Invalid("the log has a provisional tail"));
            }
        }
        log.config = config.clone();
        log.epoch = epoch.unwrap_or(log.epoch);
        Ok(())
    }

    fn confirm(&mut self, id: LogId, position: Offset) -> Result<(), KernelError> {
        let held = self.state.logs.get(&id);
        let log = self.log(id)?;
        if log.config.kind != LogKind::Mirrored {
            return Err(KernelError::Invalid("only a mirrored log is confirmed"));
        }
        if position < log.confirmed || position > log.shown {
            return Err(KernelError::Invalid("a confirmation outside what the feed has shown"));
        }
        // The log itself never confirms into a batch.
        log.confirmed = held.map_or(position, |held| held.confirmable(position));
        Ok(())
    }

    fn truncate(&mut self, id: LogId, to: Offset) -> Result<(), KernelError> {
        let splits = self.state.logs.get(&id).is_some_and(|held| {
            held.tail.iter().any(|batch| batch.base_offset < to && to < batch.end_offset)
        });
        let log = self.log(id)?;
        if to < log.confirmed || to > log.end || splits {
            return Err(KernelError::Invalid("a truncation below the confirmed position or inside a batch"));
        }
        log.end = to;
        log.shown = log.shown.min(to);
        Ok(())
    }

    fn trim(&mut self, id: LogId, start: Offset) -> Result<(), KernelError> {
        let log = self.log(id)?;
        if start < log.start {
            return Err(KernelError::Invalid("a log's start never goes back"));
        }
        if start > log.confirmed {
            return Err(KernelError::OffsetOutOfRange { start: log.start, end: log.confirmed });
        }
        log.start = start;
        Ok(())
    }

    fn deliver(&mut self, id: LogId, batch: &Bytes, views: &[(ViewId, Bytes)]) -> Result<(), KernelError> {
        let mut bytes = batch.clone();
        let taken = VerifiedBatch::take(&mut bytes);
        let batch = taken.map_err(|_| KernelError::Invalid("a delivery that is not a batch"))?;
        let marks = is_marker(&batch) && views.is_empty();
        if !bytes.is_empty() || !marks && (batch.header().producer_id >= 0 || batch.header().is_control()) {
            return Err(KernelError::Invalid("a delivery takes one plain batch, or a transaction marker"));
        }
        if marks && !self.takes_marker(id, batch.header())? {
            return Ok(());
        }
        let log = self.log(id)?;
        if log.config.kind == LogKind::Mirrored {
            return Err(KernelError::Mirrored);
        }
        let stamps = log.config.timestamps == TimestampSource::Append;
        let base_offset = log.end;
        let count = u64::from(batch.header().last_offset_delta) + 1;
        log.end = base_offset.plus(count);
        log.confirmed = log.end;
        let epoch = log.epoch;
        // A copy from another shard carries the time of its own append already.
        let bytes = if stamps && !batch.header().is_append_stamped() {
            let mut copy = BytesMut::from(batch.bytes().as_ref());
            restamp(&mut copy, self.wall_ms);
            copy.freeze()
        } else {
            batch.bytes().clone()
        };
        self.ops.push(Op::LogAppend { log: id, base_offset, epoch, batch: bytes });
        for (view, note) in views {
            match self.view(*view) {
                Ok(_) => {}
                Err(KernelError::NotFound) => continue,
                Err(error) => return Err(error),
            }
            let entries: Vec<ViewEntry> = (0..count)
                .map(|index| ViewEntry { log: id, offset: base_offset.plus(index), note: note.clone() })
                .collect();
            self.push(*view, &entries)?;
            self.ops.push(Op::ViewPush { view: *view, entries });
        }
        Ok(())
    }

    /// Whether there is anything for a marker to end.
    fn takes_marker(&mut self, id: LogId, marker: &BatchHeader) -> Result<bool, KernelError> {
        let is_led = match self.log(id) {
            Ok(log) => log.config.kind == LogKind::Led,
            Err(KernelError::NotFound) => false,
            Err(error) => return Err(error),
        };
        let held = self.state.logs.get(&id);
        let newest = held.and_then(|log| log.producers.epoch_of(marker.producer_id));
        Ok(is_led && newest.is_none_or(|newest| newest <= marker.producer_epoch))
    }

    fn create_view(&mut self, id: ViewId) -> Result<(), KernelError> {
        self.here(id.shard())?;
        if self.view(id).is_err() {
            self.room(self.state.views.len() + self.views.len())?;
            self.views.insert(id, Some(0));
        }
        Ok(())
    }

    fn push(&mut self, id: ViewId, entries: &[ViewEntry]) -> Result<(), KernelError> {
        let next = self.view(id)?;
        let live = self.state.views.get(&id).map_or(0, |view| view.live);
        let count = entries.len() as u64;
        if live + count > self.limits.view_entries_max {
            return Err(KernelError::Overloaded);
        }
        for entry in entries {
            let log = self.log(entry.log)?;
            if entry.offset < log.start || entry.offset >= log.confirmed {
                return Err(KernelError::Invalid("a reference to a record that is not there"));
            }
        }
        self.views.insert(id, Some(next + count));
        Ok(())
    }

    fn create_cursor(&mut self, id: CursorId, view: ViewId) -> Result<(), KernelError> {
        self.here(id.shard())?;
        self.view(view)?;
        match self.cursor(id) {
            Ok(held) if held == view => Ok(()),
            Ok(_) => Err(KernelError::Invalid("the cursor exists on another view")),
            Err(_) => {
                self.room(self.state.cursors.len() + self.cursors.len())?;
                self.cursors.insert(id, Some(view));
                Ok(())
            }
        }
    }

    fn lease(&mut self, id: CursorId, entries: &[u64]) -> Result<(), KernelError> {
        let view = self.cursor(id)?;
        let held = self.state.views.get(&view);
        for &entry in entries {
            let free = held.is_some_and(|view| {
                view.is_live(entry) && !view.deliveries.is_held_by_other(entry, id, self.wall_ms)
            });
            if !free {
                return Err(KernelError::ConditionFailed);
            }
        }
        Ok(())
    }

    fn route(&mut self, id: RouterId, pattern: &RoutePattern, adds: bool) -> Result<(), KernelError> {
        self.here(id.shard())?;
        if let RoutePattern::Levels(levels) = pattern
            && levels.len() > self.limits.route_levels_max
        {
            return Err(KernelError::Invalid("too many levels in a route"));
        }
        let held = self.state.routers.get(&id);
        if adds && held.is_some_and(|router| router.routes >= self.limits.routes_max) {
            return Err(KernelError::Overloaded);
        }
        if adds && held.is_none() {
            self.room(self.state.routers.len())?;
        }
        Ok(())
    }

    fn queue(&mut self, to: ShardId, commit: &kernel_model::Commit) -> Result<(), KernelError> {
        if to == self.shard || self.source == Source::Outbox {
            return Err(KernelError::Invalid("an outbox entry is for another shard, and never sends on"));
        }
        let nested = commit.ops.iter().any(|op| {
            matches!(
                op,
                Op::OutboxPush { .. }
                    | Op::OutboxApplied { .. }
                    | Op::OutboxTrim { .. }
                    | Op::LogAppend { .. }
            )
        });
        if nested || !commit.conditions.is_empty() || commit.ops.len() > self.limits.ops_max {
            return Err(KernelError::Invalid("an outbox entry carries plain operations only"));
        }
        self.queued += 1;
        if self.state.outbox.len() + self.queued > self.limits.outbox_max {
            return Err(KernelError::Overloaded);
        }
        Ok(())
    }
}

/// Whether a batch ends a transaction.
fn is_marker(batch: &VerifiedBatch) -> bool {
    let header = batch.header();
    let whole = header.is_control() && header.is_transactional() && header.producer_id >= 0;
    whole && header.producer_epoch >= 0 && BatchMeta::of(header, batch.bytes()).marker.is_some()
}

fn known(entries: &[u64], next: u64) -> Result<(), KernelError> {
    if entries.iter().any(|&entry| entry >= next) {
        return Err(KernelError::Invalid("no such entry"));
    }
    Ok(())
}

fn check_key(key: &Bytes) -> Result<(), KernelError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(KernelError::Invalid("a key has 1 to 65536 bytes"));
    }
    Ok(())
}
