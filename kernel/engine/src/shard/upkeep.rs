//! What happens by time: expiry, retention, timers, checkpoints; and recovery.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::commit::Op;
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset, Seq, ShardId};
use kernel_model::time::Now;

use super::Shard;
use crate::checkpoint::{self, Pieces};
use crate::log::Log;
use crate::state::State;
use crate::store::ShardStore;
use crate::timer::until;

/// How often the store is maintained.
const MAINTAIN_EVERY: Duration = Duration::from_millis(100);

/// How often silent producers are forgotten; they are judged by the time in any case.
const PRODUCERS_EVERY: Duration = Duration::from_secs(60);

/// How far past its age a record is that did not simply grow old here: it was written with an old
/// timestamp, or the shard was closed meanwhile, or the retention was shortened.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

/// How long such records stay, unless the log's whole retention is shorter. Who writes old timestamps
/// can read back what was written, as where retention is looked at every few minutes.
const OVERDUE_STAYS: Duration = Duration::from_secs(300);

/// Records that are overdue, and since when that is known.
struct Overdue {
    below: Offset,
    since: Duration,
}

/// When things are due, on the monotonic clock.
pub(super) struct Upkeep {
    housekeeping_at: Duration,
    /// Nothing is removed by age or size before.
    retain_at: Duration,
    maintain_at: Duration,
    producers_at: Duration,
    /// Logs whose first records came, or were found, long past their age.
    overdue: BTreeMap<LogId, Overdue>,
    /// Coordinators want more than one turn allows.
    pub(super) outputs_left: bool,
}

impl Upkeep {
    pub(super) fn new(now: Now, retention_after: Duration) -> Self {
        Self {
            housekeeping_at: now.elapsed,
            retain_at: now.deadline(retention_after),
            maintain_at: now.elapsed,
            producers_at: now.elapsed,
            overdue: BTreeMap::new(),
            outputs_left: false,
        }
    }
}

/// Rebuilds the state from the store.
pub(super) fn recover(store: &mut dyn ShardStore, now: Now) -> Result<(State, Seq), KernelError> {
    let mut state = State::default();
    let pieces = RefCell::new(Some(Pieces::default()));
    let mut outcome = Ok(());
    // The checkpoint comes first, whole; the first commit after it finds it put together.
    let put_together = |state: &mut State| match pieces.take() {
        Some(pieces) => pieces.finish().map(|whole| *state = whole),
        None => Ok(()),
    };
    let last = store.recover(
        &mut |key, value| {
            if let Some(pieces) = pieces.borrow_mut().as_mut() {
                pieces.take(&key, value);
            }
        },
        &mut |seq, commit| {
            if outcome.is_ok() {
                outcome = put_together(&mut state)
                    .and_then(|()| commit.ops.iter().try_for_each(|op| state.apply(seq, op).map(|_| ())));
            }
        },
    )?;
    outcome?;
    put_together(&mut state)?;
    for log in state.logs.values_mut() {
        log.recovered(now.wall_ms);
    }
    Ok((state, last))
}

impl Shard {
    /// Does what was due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        if self.stopped.is_some() {
            return;
        }
        self.end_watches();
        self.end_parked();
        self.state.outbox.repeat_due(now.elapsed);
        self.fire_timers();
        self.hosts.timeout(now);
        self.run_coordinators();
        if now.elapsed >= self.upkeep.housekeeping_at {
            self.upkeep.housekeeping_at = now.deadline(self.limits.housekeeping_every);
            self.expire_keys();
            if now.elapsed >= self.upkeep.retain_at {
                self.trim_hidden();
                self.retain_logs();
                self.begin_compaction();
            }
            self.trim_outboxes();
        }
        if now.elapsed >= self.upkeep.producers_at {
            self.upkeep.producers_at = now.deadline(PRODUCERS_EVERY);
            self.expire_producers();
        }
        if now.elapsed >= self.upkeep.maintain_at {
            self.maintain();
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        if self.stopped.is_some() {
            return None;
        }
        if self.upkeep.outputs_left {
            return Some(self.now.elapsed);
        }
        let expiry =
            self.state.expiries.first().map(|at| until(self.now, at).max(self.upkeep.housekeeping_at));
        let due = [
            self.watches.next_deadline(),
            self.parked.next_deadline(),
            self.state.outbox.next_due(),
            self.state.timers.next_due(self.now),
            self.hosts.next_timeout(),
            expiry,
            Some(self.upkeep.housekeeping_at),
            Some(self.upkeep.maintain_at),
        ];
        due.into_iter().flatten().min()
    }

    fn end_parked(&mut self) {
        for (log, held) in self.parked.take_overdue(self.now.elapsed) {
            let error = match self.state.logs.get(&log) {
                Some(log) => KernelError::MirrorGap { end: log.end },
                None => KernelError::NotFound,
            };
            self.refuse(held.key, error);
        }
    }

    fn fire_timers(&mut self) {
        let (repeat, max) = (self.limits.timer_repeat, self.limits.timers_per_turn);
        for (key, action) in self.state.timers.fire(self.now, repeat, max) {
            self.hosts.timer(self.now, key, action);
        }
    }

    fn expire_keys(&mut self) {
        let due = self.state.expiries.due(self.now.wall_ms, self.limits.expiries_per_turn);
        let ops = due.into_iter().map(|key| Op::KvDelete { key }).collect();
        // Refused (a full disk): readers judge expiry by themselves, so only space is lost until later.
        let _later = self.submit(ops);
    }

    /// Trims logs that the kernel leads by their age and size. A mirrored log follows its source's start.
    fn retain_logs(&mut self) {
        let mut noted = std::mem::take(&mut self.upkeep.overdue);
        let mut due: Vec<(LogId, Offset)> = Vec::new();
        for (&id, log) in self.state.logs.iter().filter(|(_, log)| !log.is_mirrored()) {
            let (start, overdue) = retained_from(log, self.now, noted.remove(&id));
            due.extend(start.map(|start| (id, start)));
            self.upkeep.overdue.extend(overdue.map(|overdue| (id, overdue)));
        }
        let ops: Vec<Op> = due
            .into_iter()
            .filter_map(|(id, wanted)| {
                let log = self.state.logs.get(&id)?;
                let pinned =
                    if log.config.retention_over_views { None } else { self.state.pinned(id, log.start) };
                let kept = [pinned, self.holds.from(id)].into_iter().flatten().min();
                let start = kept.map_or(wanted, |kept| wanted.min(kept));
                (start > log.start).then_some(Op::LogTrim { log: id, start })
            })
            .collect();
        let _later = self.submit(ops);
    }

    /// Removes what was kept back for followers that have it now.
    fn trim_hidden(&mut self) {
        let logs = &self.state.logs;
        let free = self.holds.released(|id| logs.get(&id).map(|log| log.start));
        let ops = free.into_iter().map(|(log, start)| Op::LogTrim { log, start }).collect();
        let _later = self.submit(ops);
    }

    fn expire_producers(&mut self) {
        let (expiry, max) = (self.limits.producer_expiry, self.limits.producers_max);
        for log in self.state.logs.values_mut() {
            log.producers.expire(self.now.wall_ms, expiry, max);
        }
    }

    fn trim_outboxes(&mut self) {
        let receivers: Vec<ShardId> = self.state.outbox.queues.keys().copied().collect();
        for to in receivers {
            self.trim_outbox(to, true);
        }
    }

    fn maintain(&mut self) {
        match self.store.maintain(self.now) {
            Ok(report) => {
                let wait = if report.more { Duration::from_millis(1) } else { MAINTAIN_EVERY };
                self.upkeep.maintain_at = self.now.deadline(wait);
                if report.checkpoint_wanted {
                    self.checkpoint();
                }
            }
            Err(error) => self.stop(error),
        }
    }

    /// Hands the store what changed since the last checkpoint. Refused: it is kept for the next one.
    fn checkpoint(&mut self) {
        let changes = checkpoint::changes(&self.state);
        if self.store.checkpoint(self.submitted, changes).is_ok() {
            self.state.dirty.clear();
        }
    }
}

/// Where a log's retention wants it to begin; never past what is durable.
///
/// Also says what is overdue and stays for a while; `noted` is what was said of it before.
fn retained_from(log: &Log, now: Now, noted: Option<Overdue>) -> (Option<Offset>, Option<Overdue>) {
    let by_size = log.spans.retained_from(None, log.config.retention_bytes);
    let (by_age, overdue) = match log.config.retention_ms {
        Some(retention_ms) => aged(log, now, retention_ms, noted),
        None => (None, None),
    };
    (by_size.max(by_age).map(|from| from.min(log.high)), overdue)
}

fn aged(log: &Log, now: Now, retention_ms: u64, noted: Option<Overdue>) -> (Option<Offset>, Option<Overdue>) {
    let older_than = |ms: u64| log.spans.retained_from(Some(now.wall_ms.saturating_sub_unsigned(ms)), None);
    let long_past = retention_ms.saturating_add(millis(OVERDUE_AFTER));
    let Some(below) = older_than(long_past) else { return (older_than(retention_ms), None) };
    let overdue = noted.unwrap_or(Overdue { below, since: now.elapsed });
    let stays = OVERDUE_STAYS.min(Duration::from_millis(retention_ms));
    if now.elapsed.saturating_sub(overdue.since) >= stays {
        (Some(overdue.below), None)
    } else {
        (None, Some(overdue))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
