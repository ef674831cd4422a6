//! One partition on its way back: where legacy stands, and what comes next.
//!
//! ```text
//!  Settling ──► Sending ──► Closed(reason)
//!     ▲            │
//!     └────────────┘  an answer was lost, or was not the one expected: look at what legacy holds
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::batch::fingerprint;
use kernel_model::reply::LogInfo;
use kernel_model::{LogId, Now, VerifiedBatch};
use session::RequestId;
use translator_kafka::codec::Uuid;

use super::interface::{ClosedReason, ReverseLimits, ReverseStatus, WayBack};

/// Records before legacy's end that are compared when nothing is known of before: whoever wrote past the proxy did so
/// after the last batch that was brought, or there would have been no such batch.
pub(super) const TAIL_RECORDS: u64 = 1_000;
/// How long a write whose answer was lost may still arrive at legacy: its end is asked for after that.
pub(super) const LATE_WRITE: Duration = Duration::from_millis(500);
/// How long a partition rests that legacy or the kernel could not serve.
pub(super) const REST: Duration = Duration::from_millis(100);
/// How often the same batch is refused for what it is until legacy is believed.
const STRIKES_MAX: u32 = 3;
/// Time of bringing over which the speed is reckoned.
const SPEED_OVER: Duration = Duration::from_secs(2);

/// What identifies a batch on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    base: u64,
    end: u64,
    content: u32,
}

impl Print {
    pub(super) fn of(batch: &VerifiedBatch) -> Self {
        let header = batch.header();
        let content = fingerprint(header, batch.bytes());
        Self { base: header.base_offset.0, end: header.end_offset().0, content }
    }
}

/// One side of a comparison.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Read up to here.
    pub(super) next: u64,
    pub(super) prints: VecDeque<Print>,
}

/// Looking at what legacy holds.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Legacy's end, once it is known.
    pub(super) end: Option<u64>,
    pub(super) legacy: Reader,
    pub(super) kernel: Reader,
}

/// Where a partition is.
#[derive(Debug)]
pub(super) enum Stage {
    Settling(Settling),
    Sending,
    Closed(ClosedReason),
}

/// A batch that legacy has not answered for.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) base: u64,
    pub(super) end: u64,
    pub(super) bytes: usize,
    pub(super) node: i32,
    /// When it was sent.
    pub(super) at: Duration,
}

/// How fast legacy takes what it is brought, while there is something to bring. Recent answers count most.
#[derive(Debug, Default)]
struct Speed {
    records: u64,
    busy: Duration,
}

impl Speed {
    fn note(&mut self, records: u64, took: Duration) {
        self.records += records;
        self.busy += took;
        if self.busy > SPEED_OVER {
            self.records /= 2;
            self.busy /= 2;
        }
    }

    fn records_per_second(&self) -> Option<u64> {
        let busy_us = u64::try_from(self.busy.as_micros()).ok().filter(|busy_us| *busy_us > 0)?;
        Some(self.records.saturating_mul(1_000_000).div_ceil(busy_us))
    }
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic_id: Uuid,
    pub(super) log: LogId,
    pub(super) cut: u64,
    /// Records before legacy's end that are compared when nothing is known of before.
    tail: u64,
    /// Leader and its epoch, by metadata.
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) stage: Stage,
    /// Grows with every step, so that an answer to an earlier question tells nothing.
    pub(super) generation: u64,
    pub(super) position: Option<u64>,
    pub(super) kernel_start: u64,
    pub(super) kernel_end: u64,
    /// Batches to send, in order, the one in flight included; the next read begins at `read_next`.
    pub(super) ready: VecDeque<VerifiedBatch>,
    pub(super) read_next: u64,
    pub(super) reading: Option<RequestId>,
    pub(super) watched: bool,
    pub(super) describing: bool,
    pub(super) describe_due: Duration,
    /// What the kernel was told to keep, from where.
    pub(super) held: Option<u64>,
    pub(super) hold_due: Duration,
    pub(super) in_flight: Option<InFlight>,
    /// A question to legacy that is under way: the node.
    pub(super) asked: Option<i32>,
    /// Nothing is asked or sent before.
    pub(super) rests_until: Duration,
    /// When legacy's end is compared with the position although nothing is to be sent.
    pub(super) check_due: Duration,
    /// First marker that legacy has taken since it last said an offset: it may lie elsewhere.
    pub(super) unplaced: Option<u64>,
    /// Legacy was found to end at the position in this generation.
    pub(super) checked: Option<u64>,
    /// Where legacy begins, as last seen.
    pub(super) legacy_start: Option<u64>,
    pub(super) deleting: Option<i32>,
    pub(super) delete_due: Duration,
    speed: Speed,
    strikes: u32,
    behind_since: Option<Duration>,
    lagging: bool,
    pub(super) trouble: Option<String>,
    /// Epochs of the coordinators under which legacy has seen markers of these producers.
    pub(super) coordinators: BTreeMap<i64, i32>,
    /// Legacy holds a marker for one of an older coordinator: it is asked for those epochs first.
    pub(super) asks_coordinators: bool,
    /// The last state that a fact told.
    pub(super) told: Option<WayBack>,
}

impl Partition {
    pub(super) fn new(
        now: Now,
        topic_id: Uuid,
        log: LogId,
        cut: u64,
        tail: u64,
        closed: Option<ClosedReason>,
    ) -> Self {
        Self {
            topic_id,
            log,
            cut,
            tail,
            leader: -1,
            leader_epoch: -1,
            stage: closed.map_or(Stage::Settling(Settling::default()), Stage::Closed),
            generation: 0,
            position: None,
            kernel_start: 0,
            kernel_end: cut,
            ready: VecDeque::new(),
            read_next: cut,
            reading: None,
            watched: false,
            describing: false,
            describe_due: now.elapsed,
            held: None,
            hold_due: now.elapsed,
            in_flight: None,
            asked: None,
            // A feed before this one, of a process that is gone, may have sent something just now.
            rests_until: now.deadline(LATE_WRITE),
            check_due: now.elapsed,
            unplaced: None,
            checked: None,
            legacy_start: None,
            deleting: None,
            delete_due: now.elapsed,
            speed: Speed::default(),
            strikes: 0,
            behind_since: Some(now.elapsed),
            lagging: true,
            trouble: None,
            coordinators: BTreeMap::new(),
            asks_coordinators: false,
            told: None,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    pub(super) fn rests(&self, now: Now) -> bool {
        self.rests_until > now.elapsed
    }

    pub(super) fn close(&mut self, reason: ClosedReason) {
        self.forget_work();
        self.stage = Stage::Closed(reason);
    }

    fn forget_work(&mut self) {
        self.generation += 1;
        self.ready.clear();
        self.reading = None;
        self.in_flight = None;
        self.asked = None;
        self.checked = None;
    }

    /// Looks at what legacy holds, after `rest`.
    pub(super) fn settle(&mut self, now: Now, rest: Duration) {
        if self.is_closed() {
            return;
        }
        self.forget_work();
        self.stage = Stage::Settling(Settling::default());
        self.rests_until = self.rests_until.max(now.deadline(rest));
        self.behind_since.get_or_insert(now.elapsed);
    }

    /// Legacy refused the batch in flight for what it is, or took it for another one. Settles; the same answer again
    /// and again closes.
    pub(super) fn strike(&mut self, now: Now, reason: impl FnOnce(u64) -> ClosedReason) {
        self.strikes += 1;
        let at = self.in_flight.map_or(self.read_next, |sent| sent.base);
        if self.strikes >= STRIKES_MAX {
            self.close(reason(at));
        } else {
            self.settle(now, REST);
        }
    }

    /// Legacy's end is known: what is to be compared?
    pub(super) fn end_known(&mut self, now: Now, end: u64) {
        let Stage::Settling(settling) = &mut self.stage else { return };
        if end < self.cut {
            let from = self.cut;
            return self.close(ClosedReason::Truncated { end, from });
        }
        // What was compared or answered before need not be looked at again, unless legacy lost some of it.
        let tail = end.saturating_sub(self.tail).max(self.cut);
        let known = self.unplaced.or(self.position);
        let from = known.filter(|known| *known <= end).unwrap_or(tail);
        settling.end = Some(end);
        settling.legacy.next = from;
        settling.kernel.next = from;
        self.compare(now);
    }

    /// Nothing below is held by one of the sides: the comparison begins there.
    pub(super) fn compare_from(&mut self, now: Now, from: u64) {
        let Stage::Settling(settling) = &mut self.stage else { return };
        let Some(end) = settling.end else { return };
        if from > end {
            return self.close(ClosedReason::Truncated { end, from });
        }
        settling.legacy = Reader { next: from, prints: VecDeque::new() };
        settling.kernel = Reader { next: from, prints: VecDeque::new() };
        self.compare(now);
    }

    /// What one side of the comparison holds from its `next` on.
    pub(super) fn take_prints<'a>(
        &mut self,
        now: Now,
        is_legacy: bool,
        batches: impl Iterator<Item = &'a VerifiedBatch>,
    ) {
        let Stage::Settling(settling) = &mut self.stage else { return };
        let Some(end) = settling.end else { return };
        let reader = if is_legacy { &mut settling.legacy } else { &mut settling.kernel };
        for print in batches.map(Print::of) {
            // What came after legacy was asked is looked at another time.
            if print.end > reader.next && print.base < end {
                reader.prints.push_back(print);
            }
            reader.next = reader.next.max(print.end);
        }
        self.compare(now);
    }

    fn compare(&mut self, now: Now) {
        let Stage::Settling(settling) = &mut self.stage else { return };
        let Some(end) = settling.end else { return };
        while let (Some(legacy), Some(kernel)) =
            (settling.legacy.prints.front(), settling.kernel.prints.front())
        {
            if legacy != kernel {
                let at = legacy.base.min(kernel.base).max(self.cut);
                return self.close(ClosedReason::Bypassed { at });
            }
            settling.legacy.prints.pop_front();
            settling.kernel.prints.pop_front();
        }
        let all = |reader: &Reader| reader.next >= end && reader.prints.is_empty();
        if all(&settling.legacy) && all(&settling.kernel) {
            self.settled(now, end);
        } else if settling.kernel.next >= end && settling.legacy.next >= end {
            // One side has a batch more than the other: they are cut differently.
            let left = settling.legacy.prints.front().or(settling.kernel.prints.front());
            let at = left.map_or(end, |print| print.base).max(self.cut);
            self.close(ClosedReason::Bypassed { at });
        }
    }

    fn settled(&mut self, now: Now, end: u64) {
        self.generation += 1;
        self.stage = Stage::Sending;
        self.unplaced = None;
        self.position = Some(end);
        self.read_next = end;
        self.kernel_end = self.kernel_end.max(end);
        if self.strikes == 0 {
            self.trouble = None;
        }
        self.note_lag(now);
    }

    /// Legacy wrote the marker in flight; where, it does not say.
    pub(super) fn marked(&mut self, now: Now, sent: InFlight) {
        let unplaced = self.unplaced.unwrap_or(sent.base);
        self.sent(now, sent);
        self.unplaced = Some(unplaced);
    }

    /// Legacy took the batch in flight at its offset.
    pub(super) fn sent(&mut self, now: Now, sent: InFlight) {
        self.generation += 1;
        self.speed.note(sent.end - sent.base, now.elapsed.saturating_sub(sent.at));
        self.ready.pop_front();
        self.in_flight = None;
        self.unplaced = None;
        self.position = Some(sent.end);
        self.strikes = 0;
        self.trouble = None;
        // What counts is that legacy takes something: under a steady stream there is always a batch on its way.
        self.behind_since = None;
        self.note_lag(now);
    }

    /// Takes batches of the kernel, to be sent.
    pub(super) fn take_batches(&mut self, batches: Vec<VerifiedBatch>) {
        for batch in batches {
            let header = batch.header();
            let (base, end) = (header.base_offset.0, header.end_offset().0);
            if end <= self.read_next {
                continue;
            }
            if base > self.read_next && self.kernel_start > self.read_next {
                return self.close(ClosedReason::Truncated { end: self.read_next, from: base });
            }
            if base != self.read_next || header.record_count != header.last_offset_delta + 1 {
                return self.close(ClosedReason::Gap { at: self.read_next, next: base });
            }
            self.read_next = end;
            self.ready.push_back(batch);
        }
    }

    pub(super) fn see_kernel(&mut self, now: Now, info: &LogInfo) {
        self.kernel_start = info.start.0;
        self.kernel_end = self.kernel_end.max(info.durable_end.0);
        self.note_lag(now);
    }

    pub(super) fn ready_bytes(&self) -> usize {
        self.ready.iter().map(|batch| batch.bytes().len()).sum()
    }

    /// First offset that the kernel must keep for legacy.
    pub(super) fn floor(&self) -> u64 {
        self.unplaced.or(self.position).unwrap_or(self.cut)
    }

    /// Records that legacy lacks.
    pub(super) fn lag(&self) -> u64 {
        self.kernel_end.saturating_sub(self.position.unwrap_or(self.cut))
    }

    /// Everything that the kernel is known to have was brought, and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Sending) && self.in_flight.is_none() && self.lag() == 0
    }

    pub(super) fn note_lag(&mut self, now: Now) {
        if self.is_idle() {
            self.behind_since = None;
        } else {
            self.behind_since.get_or_insert(now.elapsed);
        }
    }

    fn behind_for(&self, now: Now) -> Duration {
        self.behind_since.map_or(Duration::ZERO, |since| now.elapsed.saturating_sub(since))
    }

    /// Whether a rollback would lose nothing, now. Who lags is open again once half of the bound is left, so that
    /// producers are not held back and let go for every batch.
    pub(super) fn judge(&mut self, now: Now, limits: &ReverseLimits) -> WayBack {
        if let Stage::Closed(reason) = &self.stage {
            return WayBack::Closed(reason.clone());
        }
        let bound = if self.lagging { limits.lag_records_max / 2 } else { limits.lag_records_max };
        let late = self.behind_for(now) > limits.lag_max;
        self.lagging = self.position.is_none() || self.lag() > bound || late;
        if self.lagging { WayBack::Lagging } else { WayBack::Open }
    }

    /// When something may be done.
    pub(super) fn dues(&self) -> [Duration; 5] {
        [self.rests_until, self.check_due, self.describe_due, self.delete_due, self.hold_due]
    }

    pub(super) fn status(&self, now: Now) -> ReverseStatus {
        let way_back = match &self.stage {
            Stage::Closed(reason) => WayBack::Closed(reason.clone()),
            Stage::Settling(_) | Stage::Sending if self.lagging => WayBack::Lagging,
            Stage::Settling(_) | Stage::Sending => WayBack::Open,
        };
        ReverseStatus {
            way_back,
            cut: self.cut,
            position: self.position,
            kernel_end: self.kernel_end,
            lag_records: self.lag(),
            behind_for: self.behind_for(now),
            records_per_second: self.speed.records_per_second(),
            floor: if self.is_closed() { u64::MAX } else { self.floor() },
            trouble: self.trouble.clone(),
        }
    }
}
