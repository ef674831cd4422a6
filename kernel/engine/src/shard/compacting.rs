//! Compaction of the shard's logs, one at a time: which is due, what its next task is, and what becomes of a result.
//!
//! The work itself is done beside the shard ([`crate::compaction`]): [`Shard::poll_compaction`] hands out a task,
//! [`Shard::handle_compaction`] takes what it found. Nothing of a pass is kept over a restart but what was committed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::commit::{Compaction, Op};
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset, Seq};
use kernel_model::time::Now;

use super::Shard;
use crate::compaction::{CompactionDone, CompactionTask, LastOfProducers, Replacement, Rules, Stage};
use crate::log::Log;

/// What compaction is doing.
#[derive(Default)]
pub(super) struct Compacting {
    pass: Option<Pass>,
    /// Logs that are left alone for a while.
    later: BTreeMap<LogId, Duration>,
}

/// One pass over one log.
struct Pass {
    log: LogId,
    stage: Stage,
    /// Where the next task begins.
    at: Offset,
    until: Offset,
    /// `None` while a task is under way.
    rules: Option<Box<Rules>>,
    /// Found, and not committed yet.
    found: VecDeque<Replacement>,
    /// The last commit of this pass: the next task waits for it, so that compaction never takes more room in the
    /// store's buffers than one task's.
    committed: Seq,
    /// The log is not what it was: the result of the task that is under way counts for nothing.
    given_up: bool,
}

impl Compacting {
    /// The settings of a log have changed, it is gone, or a follower wants it as it is.
    pub(super) fn give_up(&mut self, log: LogId) {
        match &mut self.pass {
            Some(pass) if pass.log == log && pass.rules.is_none() => pass.given_up = true,
            Some(pass) if pass.log == log => self.pass = None,
            _ => {}
        }
    }
}

/// A log that is due.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    urgent: bool,
    /// Share of its bytes that was not looked at, in millionths.
    dirty_ppm: u64,
    until: Offset,
}

impl Shard {
    /// Begins a pass over the log that needs it most, unless one is under way.
    pub(super) fn begin_compaction(&mut self) {
        let elapsed = self.now.elapsed;
        self.compacting.later.retain(|_, until| *until > elapsed);
        if self.compacting.pass.is_some() {
            return;
        }
        let logs = self.state.logs.iter().filter(|(id, _)| !self.compacting.later.contains_key(id));
        let due = logs.filter_map(|(&id, log)| Some((self.due(id, log)?, id)));
        let Some((due, id)) = due.max() else { return };
        let Some((log, how)) = self.state.logs.get(&id).and_then(|log| Some((log, log.config.compaction?)))
        else {
            return;
        };
        let aborted = log.transactions.aborted_in(log.start, due.until);
        let last = LastOfProducers::of(log);
        let rules = Rules::new(self.now.wall_ms, how.deletes_stay_ms, &aborted, last);
        self.compacting.pass = Some(Pass {
            log: id,
            stage: Stage::Keys,
            at: log.cleaned.max(log.start),
            until: due.until,
            rules: Some(Box::new(rules)),
            found: VecDeque::new(),
            committed: Seq(0),
            given_up: false,
        });
    }

    /// Whether a log is due, and up to where. What views refer to stays as it is. A log with a follower is left alone: the
    /// follower compares what it has brought, also from before its hold, with what is stored.
    fn due(&self, id: LogId, log: &Log) -> Option<Due> {
        let how = log.config.compaction.filter(|_| !log.is_mirrored() && self.holds.from(id).is_none())?;
        due(log, &how, self.now, self.state.pinned(id, log.start))
    }

    /// The next piece of compaction, to be run beside the shard. Its result goes to `handle_compaction`; there is none
    /// meanwhile.
    pub fn poll_compaction(&mut self) -> Option<CompactionTask> {
        if self.stopped.is_some() {
            return None;
        }
        loop {
            if !self.commit_found() {
                return None;
            }
            let pass = self.compacting.pass.as_mut()?;
            if pass.at >= pass.until {
                let stage = pass.stage;
                if stage == Stage::Rewrite {
                    self.end_pass();
                } else if let Some(log) = self.state.logs.get(&pass.log) {
                    (pass.stage, pass.at) = (Stage::Rewrite, log.start);
                } else {
                    self.compacting.pass = None;
                }
                continue;
            }
            let rules = pass.rules.take()?;
            let (log, from, until, bytes_max) =
                (pass.log, pass.at, pass.until, self.limits.compaction_task_bytes);
            let Ok(chunks) = self.store.read(log, from, until, bytes_max, true) else {
                self.fail_pass();
                continue;
            };
            if chunks.is_empty() {
                // Nothing is left below `until`.
                (pass.at, pass.rules) = (until, Some(rules));
                continue;
            }
            let (stage, key_bytes_max) = (pass.stage, self.limits.compaction_keys_bytes_max);
            return Some(CompactionTask { stage, chunks, from, until, key_bytes_max, rules });
        }
    }

    /// Takes the result of a task; `None`: it has panicked, and there is none.
    pub fn handle_compaction(&mut self, now: Now, done: Option<CompactionDone>) {
        self.now = now;
        let Some(pass) = self.compacting.pass.as_mut().filter(|pass| pass.rules.is_none()) else { return };
        if pass.given_up || self.stopped.is_some() {
            self.compacting.pass = None;
            return;
        }
        let Some((rules, Ok(found))) = done.map(|done| (done.rules, done.found)) else {
            self.fail_pass();
            return;
        };
        // A task that gets nowhere would be handed out for ever.
        if found.reached <= pass.at {
            self.fail_pass();
            return;
        }
        pass.at = found.reached;
        pass.rules = Some(rules);
        if found.is_full {
            pass.until = pass.until.min(found.reached);
        }
        self.stats.compaction_read_bytes += found.read_bytes;
        self.stats.compaction_unreadable += found.unreadable;
        self.stats.compaction_removed_records += found.removed_records;
        pass.found = found.replacements.into();
        self.commit_found();
    }

    /// Commits what the last task has found. Says whether all of it is durable; what finds no room is tried again.
    fn commit_found(&mut self) -> bool {
        let mut bytes_max = self.limits.compaction_task_bytes.min(COMMIT_BYTES_MAX);
        loop {
            let Some(pass) = self.compacting.pass.as_mut() else { return true };
            let Some(start) = self.state.logs.get(&pass.log).map(|log| log.start) else { return true };
            // What was trimmed meanwhile is gone.
            pass.found.retain(|replacement| replacement.end_offset > start);
            if pass.found.is_empty() {
                return pass.committed <= self.durable;
            }
            let (count, bytes) = fitting(&pass.found, bytes_max);
            let (id, next) = (pass.log, pass.found.iter().take(count).cloned());
            let ops = next.map(|replacement| replacement.into_op(id)).collect();
            let outcome = self.submit(ops);
            let Some(pass) = self.compacting.pass.as_mut() else { return true };
            match outcome {
                Ok(seq) => {
                    pass.committed = seq;
                    pass.found.drain(..count);
                    self.stats.compaction_written_bytes += bytes as u64;
                }
                Err(KernelError::Full | KernelError::Overloaded) => return false,
                // Together they may be more than a small segment takes.
                Err(KernelError::Invalid(_)) if count > 1 => bytes_max = 0,
                Err(KernelError::Invalid(_)) => {
                    // Compressed again it may have grown beyond what the store takes: then it stays as it was.
                    pass.found.pop_front();
                    self.stats.compaction_unreadable += 1;
                }
                Err(_) => {
                    self.fail_pass();
                    return true;
                }
            }
        }
    }

    fn end_pass(&mut self) {
        let Some(pass) = self.compacting.pass.take() else { return };
        if self.submit(vec![Op::LogCleaned { log: pass.log, to: pass.until }]).is_ok() {
            self.stats.compactions += 1;
        } else {
            self.compacting.pass = Some(pass);
            self.fail_pass();
        }
    }

    /// Leaves the log alone for a while.
    fn fail_pass(&mut self) {
        if let Some(pass) = self.compacting.pass.take() {
            self.stats.compaction_failures += 1;
            self.compacting.later.insert(pass.log, self.now.deadline(self.limits.compaction_retry));
        }
    }
}

/// Most bytes of one commit, but for a single batch.
const COMMIT_BYTES_MAX: usize = 256 << 10;

/// How many replacements go into one commit, and their bytes: at least one.
fn fitting(found: &VecDeque<Replacement>, bytes_max: usize) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for replacement in found {
        let more = bytes + replacement.len();
        if count > 0 && (more > bytes_max || count >= COMMIT_OPS_MAX) {
            break;
        }
        (count, bytes) = (count + 1, more);
    }
    (count, bytes)
}

/// Most operations of one commit: a removed batch brings no bytes, but takes time as well.
const COMMIT_OPS_MAX: usize = 4096;

/// Whether a log is due at `now`, looking at nothing from `kept` on.
fn due(log: &Log, how: &Compaction, now: Now, kept: Option<Offset>) -> Option<Due> {
    let first_dirty = log.cleaned.max(log.start);
    let decided = log.stable().min(kept.unwrap_or(Offset(u64::MAX)));
    let before_ms = |ms: u64| now.wall_ms.saturating_sub_unsigned(ms);
    let (mut clean, mut dirty, mut urgent, mut until) = (0_u64, 0_u64, false, first_dirty);
    // The last stretch is still being written.
    let closed = log.spans.spans.len().saturating_sub(1);
    for span in log.spans.spans.iter().take(closed) {
        if span.end <= first_dirty {
            clean += span.bytes;
            continue;
        }
        let young = how.lag_min_ms > 0 && span.max_timestamp_ms > before_ms(how.lag_min_ms);
        if young || until >= decided {
            break;
        }
        dirty += span.bytes;
        until = span.end.min(decided);
        urgent |= span.first_timestamp_ms > 0 && span.first_timestamp_ms < before_ms(how.lag_max_ms);
    }
    let dirty_ppm = dirty.saturating_mul(1_000_000) / (clean + dirty).max(1);
    let wanted = urgent || dirty_ppm > u64::from(how.dirty_min_ppm);
    (until > first_dirty && dirty > 0 && wanted).then_some(Due { urgent, dirty_ppm, until })
}
