//! Where each live batch of a shard lies: per log runs of places in offset order, per segment what lives in it.
//!
//! A run is a stretch of neighbouring batches of one log in one segment; it is what a checkpoint stores, under
//! (log, run number), and only runs that changed are written again. Memory: 40 bytes a batch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::{BatchHeader, LogEpoch, LogId, Offset};

use super::codec::{CodecError, Input, put_number, put_signed};

/// Most places in one run.
const RUN_MAX: usize = 2048;

/// One stored batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) base: Offset,
    pub(crate) max_timestamp_ms: i64,
    /// Offsets that it covers.
    pub(crate) span: u32,
    pub(crate) epoch: LogEpoch,
    /// Checksum in its header: tells it from any other batch that might turn up at its position.
    pub(crate) crc: u32,
    pub(crate) position: u32,
    pub(crate) len: u32,
}

impl Place {
    /// The place of the batch with this header at `position`; `None` for sizes that no segment holds.
    pub(crate) fn of(header: &BatchHeader, base: Offset, epoch: LogEpoch, position: u32) -> Option<Self> {
        Some(Self {
            base,
            max_timestamp_ms: header.max_timestamp_ms,
            span: header.last_offset_delta.checked_add(1)?,
            epoch,
            crc: header.crc,
            position,
            len: u32::try_from(header.size).ok()?,
        })
    }

    pub(crate) fn end(&self) -> Offset {
        self.base.plus(u64::from(self.span))
    }
}

/// Neighbouring batches of one log in one segment; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    id: u64,
    pub(crate) segment: u32,
    /// At least the greatest timestamp of its places.
    max_timestamp_ms: i64,
    pub(crate) places: VecDeque<Place>,
}

impl Run {
    fn base(&self) -> Offset {
        self.places.front().map_or(Offset(0), |place| place.base)
    }

    fn end(&self) -> Offset {
        self.places.back().map_or(Offset(0), Place::end)
    }

    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.places.len() * 20);
        put_number(&mut out, u64::from(self.segment));
        put_number(&mut out, u64::try_from(self.places.len()).unwrap_or(0));
        let (mut base, mut timestamp, mut position) = (0, 0, 0);
        for place in &self.places {
            put_number(&mut out, place.base.0.wrapping_sub(base));
            put_signed(&mut out, place.max_timestamp_ms.wrapping_sub(timestamp));
            put_number(&mut out, u64::from(place.span));
            put_signed(&mut out, i64::from(place.epoch.0));
            out.put_u32_le(place.crc);
            put_number(&mut out, u64::from(place.position.wrapping_sub(position)));
            put_number(&mut out, u64::from(place.len));
            (base, timestamp, position) = (place.base.0, place.max_timestamp_ms, place.position);
        }
        out.freeze()
    }

    fn decode(id: u64, bytes: Bytes) -> Result<Self, CodecError> {
        let mut input = Input { rest: bytes, batches: None };
        let small = |value: u64| u32::try_from(value).map_err(|_| CodecError);
        let segment = small(input.number()?)?;
        let count = input.number()?;
        let (mut base, mut timestamp, mut position) = (0_u64, 0_i64, 0_u32);
        let mut run = Self { id, segment, max_timestamp_ms: i64::MIN, places: VecDeque::new() };
        for _ in 0..count {
            base = base.wrapping_add(input.number()?);
            timestamp = timestamp.wrapping_add(input.signed()?);
            let span = small(input.number()?)?;
            let epoch = LogEpoch(i32::try_from(input.signed()?).map_err(|_| CodecError)?);
            let crc = input.fixed()?;
            position = position.wrapping_add(small(input.number()?)?);
            let len = small(input.number()?)?;
            run.max_timestamp_ms = run.max_timestamp_ms.max(timestamp);
            let base = Offset(base);
            run.places.push_back(Place {
                base,
                max_timestamp_ms: timestamp,
                span,
                epoch,
                crc,
                position,
                len,
            });
        }
        if run.places.is_empty() || !input.rest.is_empty() { Err(CodecError) } else { Ok(run) }
    }
}

/// The places of one log.
#[derive(Debug, Clone, Default)]
struct LogPlaces {
    runs: VecDeque<Run>,
}

/// What lives in one segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Use {
    /// Bytes of live batches.
    pub(crate) live: u64,
    /// Live batches by log.
    pub(crate) logs: BTreeMap<LogId, u64>,
}

/// What changed since the last checkpoint: `None` is gone.
#[derive(Debug, Default)]
pub(crate) struct IndexDelta {
    pub(crate) logs: Vec<(LogId, bool)>,
    pub(crate) runs: Vec<((LogId, u64), Option<Bytes>)>,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    logs: BTreeMap<LogId, LogPlaces>,
    segments: BTreeMap<u32, Use>,
    next_run: u64,
    live: u64,
    changed_logs: BTreeSet<LogId>,
    changed_runs: BTreeSet<(LogId, u64)>,
}

impl Index {
    pub(crate) fn contains(&self, log: LogId) -> bool {
        self.logs.contains_key(&log)
    }

    /// Bytes of live batches.
    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    /// What lives in a segment.
    pub(crate) fn usage(&self, segment: u32) -> Option<&Use> {
        self.segments.get(&segment)
    }

    /// Segments in which something lives.
    pub(crate) fn used_segments(&self) -> impl Iterator<Item = u32> + '_ {
        self.segments.keys().copied()
    }

    /// Where the last live batch of a segment ends in its file.
    pub(crate) fn reach(&self, segment: u32) -> Option<u64> {
        let logs = self.segments.get(&segment)?.logs.keys();
        let runs = logs.filter_map(|log| self.logs.get(log)).flat_map(|stored| stored.runs.iter());
        let places = runs.filter(|run| run.segment == segment).flat_map(|run| run.places.iter());
        places.map(|place| u64::from(place.position) + u64::from(place.len)).max()
    }

    pub(crate) fn create(&mut self, log: LogId) {
        if let Entry::Vacant(vacant) = self.logs.entry(log) {
            vacant.insert(LogPlaces::default());
            self.changed_logs.insert(log);
        }
    }

    pub(crate) fn delete(&mut self, log: LogId) {
        self.truncate(log, Offset(0));
        if self.logs.remove(&log).is_some() {
            self.changed_logs.insert(log);
        }
    }

    /// Adds a batch at the end of a log.
    pub(crate) fn append(&mut self, log: LogId, segment: u32, place: Place) {
        self.create(log);
        let Some(stored) = self.logs.get_mut(&log) else { return };
        let id = stored.push(segment, place, &mut self.next_run);
        self.changed_runs.insert((log, id));
        self.count(log, segment, place, true);
    }

    /// Removes batches that reach above `to`.
    pub(crate) fn truncate(&mut self, log: LogId, to: Offset) {
        while let Some(run) = self.logs.get_mut(&log).and_then(|stored| stored.runs.back_mut()) {
            let Some(place) = run.places.back().copied().filter(|place| place.end() > to || to.0 == 0) else {
                return;
            };
            run.places.pop_back();
            let (id, segment, empty) = (run.id, run.segment, run.places.is_empty());
            if empty && let Some(stored) = self.logs.get_mut(&log) {
                stored.runs.pop_back();
            }
            self.changed_runs.insert((log, id));
            self.count(log, segment, place, false);
        }
    }

    /// Removes batches that lie below `start`.
    pub(crate) fn trim(&mut self, log: LogId, start: Offset) {
        while let Some(run) = self.logs.get_mut(&log).and_then(|stored| stored.runs.front_mut()) {
            let Some(place) = run.places.front().copied().filter(|place| place.end() <= start) else {
                return;
            };
            run.places.pop_front();
            let (id, segment, empty) = (run.id, run.segment, run.places.is_empty());
            if empty && let Some(stored) = self.logs.get_mut(&log) {
                stored.runs.pop_front();
            }
            self.changed_runs.insert((log, id));
            self.count(log, segment, place, false);
        }
    }

    /// Puts a batch in the place of the one that begins at `base` and has the checksum `crc`, or removes that one. Says
    /// whether it was there; what cannot take its place counts as dead where it lies.
    pub(crate) fn replace(&mut self, log: LogId, base: Offset, crc: u32, by: Option<(u32, Place)>) -> bool {
        let Some(stored) = self.logs.get_mut(&log) else { return false };
        let at = stored.runs.partition_point(|run| run.end() <= base);
        let Some(run) = stored.runs.get_mut(at) else { return false };
        let Ok(within) = run.places.binary_search_by_key(&base, |place| place.base) else { return false };
        let Some(old) = run.places.get(within).copied().filter(|old| old.crc == crc) else { return false };
        if by.is_some_and(|(_, place)| place.base != old.base || place.span != old.span) {
            return false;
        }
        let (old_id, from) = (run.id, run.segment);
        self.changed_runs.insert((log, old_id));
        match by {
            None => {
                run.places.remove(within);
                stored.drop_if_empty(at);
            }
            Some((to, place)) => {
                let ids = stored.put_over(at, within, to, place, &mut self.next_run);
                self.changed_runs.extend(ids.into_iter().map(|id| (log, id)));
            }
        }
        self.count(log, from, old, false);
        if let Some((to, place)) = by {
            self.count(log, to, place, true);
        }
        true
    }

    /// The first run of `log` that lies in `segment`.
    pub(crate) fn first_run_in(&self, log: LogId, segment: u32) -> Option<&Run> {
        self.logs.get(&log)?.runs.iter().find(|run| run.segment == segment)
    }

    /// Moves a place of `log` that is the first of its run in segment `from` to a new place of the same batch; says
    /// whether it was that batch.
    pub(crate) fn relocate(&mut self, log: LogId, from: u32, to: u32, place: Place) -> bool {
        let Some(stored) = self.logs.get_mut(&log) else { return false };
        let at = stored.runs.partition_point(|run| run.end() <= place.base);
        let Some(run) = stored.runs.get_mut(at).filter(|run| run.segment == from) else { return false };
        let Some(old) = run.places.pop_front_if(|old| old.base == place.base && old.crc == place.crc) else {
            return false;
        };
        let (old_id, empty) = (run.id, run.places.is_empty());
        if empty {
            stored.runs.remove(at);
        }
        let before = at.checked_sub(1).and_then(|before| stored.runs.get_mut(before));
        let id = match before.filter(|run| run.segment == to && run.places.len() < RUN_MAX) {
            Some(run) => run.push(place),
            None => {
                stored.runs.insert(at, Run::of(&mut self.next_run, to, place));
                self.next_run
            }
        };
        self.changed_runs.insert((log, old_id));
        self.changed_runs.insert((log, id));
        self.count(log, from, old, false);
        self.count(log, to, place, true);
        true
    }

    /// Places of `log` that end after `from`, in order, with their segments.
    pub(crate) fn places_from(&self, log: LogId, from: Offset) -> impl Iterator<Item = (u32, Place)> + '_ {
        let runs = self.logs.get(&log).map(|stored| &stored.runs);
        let first_run = runs.map_or(0, |runs| runs.partition_point(|run| run.end() <= from));
        let runs = runs.into_iter().flat_map(move |runs| runs.iter().skip(first_run));
        runs.flat_map(move |run| {
            let first = run.places.partition_point(|place| place.end() <= from);
            run.places.iter().skip(first).map(|place| (run.segment, *place))
        })
    }

    /// The first batch that begins below `end` with a timestamp at or above `timestamp_ms`; for `None` the
    /// first of those with the greatest.
    pub(crate) fn by_time(&self, log: LogId, timestamp_ms: Option<i64>, end: Offset) -> Option<(u32, Place)> {
        let runs = &self.logs.get(&log)?.runs;
        let below = |run: &'_ Run| run.base() < end;
        let mut best: Option<(u32, Place)> = None;
        for run in runs.iter().take_while(|run| below(run)) {
            let wanted = match (timestamp_ms, best) {
                (Some(at), _) => run.max_timestamp_ms >= at,
                (None, Some((_, best))) => run.max_timestamp_ms > best.max_timestamp_ms,
                (None, None) => true,
            };
            if !wanted {
                continue;
            }
            for place in run.places.iter().take_while(|place| place.base < end) {
                match timestamp_ms {
                    Some(at) if place.max_timestamp_ms >= at => return Some((run.segment, *place)),
                    Some(_) => {}
                    None if best.is_none_or(|(_, b)| place.max_timestamp_ms > b.max_timestamp_ms) => {
                        best = Some((run.segment, *place));
                    }
                    None => {}
                }
            }
        }
        best
    }

    /// What changed since the last call.
    pub(crate) fn take_delta(&mut self) -> IndexDelta {
        let changed = std::mem::take(&mut self.changed_logs);
        let logs = changed.into_iter().map(|log| (log, self.logs.contains_key(&log))).collect();
        let mut runs = BTreeMap::new();
        let mut stored: Option<(LogId, BTreeMap<u64, &Run>)> = None;
        for (log, id) in std::mem::take(&mut self.changed_runs) {
            if stored.as_ref().is_none_or(|(of, _)| *of != log) {
                let all = self.logs.get(&log).into_iter().flat_map(|stored| stored.runs.iter());
                stored = Some((log, all.map(|run| (run.id, run)).collect()));
            }
            let run = stored.as_ref().and_then(|(_, runs)| runs.get(&id));
            runs.insert((log, id), run.map(|run| run.encode()));
        }
        IndexDelta { logs, runs: runs.into_iter().collect() }
    }

    /// Takes a stored log in.
    pub(crate) fn restore_log(&mut self, log: LogId) {
        self.logs.entry(log).or_default();
    }

    /// Takes a stored run in; the runs of a log are put in order by [`finish_restore`](Self::finish_restore).
    pub(crate) fn restore_run(&mut self, log: LogId, id: u64, bytes: Bytes) -> Result<(), CodecError> {
        let run = Run::decode(id, bytes)?;
        for place in &run.places {
            self.count(log, run.segment, *place, true);
        }
        self.next_run = self.next_run.max(id);
        self.logs.entry(log).or_default().runs.push_back(run);
        Ok(())
    }

    /// Puts restored runs in order and checks that they do not overlap.
    pub(crate) fn finish_restore(&mut self) -> Result<(), CodecError> {
        for stored in self.logs.values_mut() {
            stored.runs.make_contiguous().sort_by_key(Run::base);
            let places = || stored.runs.iter().flat_map(|run| run.places.iter());
            if places().zip(places().skip(1)).any(|(before, after)| before.end() > after.base) {
                return Err(CodecError);
            }
        }
        Ok(())
    }

    fn count(&mut self, log: LogId, segment: u32, place: Place, added: bool) {
        let usage = self.segments.entry(segment).or_default();
        let batches = usage.logs.entry(log).or_default();
        let len = u64::from(place.len);
        if added {
            usage.live += len;
            *batches += 1;
            self.live += len;
            return;
        }
        usage.live = usage.live.saturating_sub(len);
        *batches = batches.saturating_sub(1);
        self.live = self.live.saturating_sub(len);
        if *batches == 0 {
            usage.logs.remove(&log);
        }
        if usage.logs.is_empty() {
            self.segments.remove(&segment);
        }
    }
}

impl Run {
    fn of(next_run: &mut u64, segment: u32, place: Place) -> Self {
        *next_run += 1;
        let places = VecDeque::from([place]);
        Self { id: *next_run, segment, max_timestamp_ms: place.max_timestamp_ms, places }
    }

    fn push(&mut self, place: Place) -> u64 {
        self.max_timestamp_ms = self.max_timestamp_ms.max(place.max_timestamp_ms);
        self.places.push_back(place);
        self.id
    }
}

impl LogPlaces {
    fn drop_if_empty(&mut self, at: usize) {
        if self.runs.get(at).is_some_and(|run| run.places.is_empty()) {
            self.runs.remove(at);
        }
    }

    /// Puts `place` of `segment` where the place `within` of the run `at` was. What follows it in that run becomes a run
    /// of its own. Answers the runs that hold something else now.
    fn put_over(
        &mut self,
        at: usize,
        within: usize,
        segment: u32,
        place: Place,
        next_run: &mut u64,
    ) -> Vec<u64> {
        let mut ids = Vec::new();
        let Some(run) = self.runs.get_mut(at) else { return ids };
        let mut behind = run.places.split_off(within);
        behind.pop_front();
        let mut after = at + 1;
        if within == 0 {
            // Nothing is before it: the run stays what is behind.
            run.places = behind;
            after = at;
        } else if !behind.is_empty() {
            *next_run += 1;
            let (id, segment, max_timestamp_ms) = (*next_run, run.segment, run.max_timestamp_ms);
            self.runs.insert(after, Run { id, segment, max_timestamp_ms, places: behind });
            ids.push(id);
        }
        let before = after.checked_sub(1).and_then(|before| self.runs.get_mut(before));
        match before.filter(|run| run.segment == segment && run.places.len() < RUN_MAX) {
            Some(run) => ids.push(run.push(place)),
            None => {
                self.runs.insert(after, Run::of(next_run, segment, place));
                ids.push(*next_run);
                after += 1;
            }
        }
        if within == 0 {
            self.drop_if_empty(after);
        }
        ids
    }

    fn push(&mut self, segment: u32, place: Place, next_run: &mut u64) -> u64 {
        let last = self.runs.back_mut();
        match last.filter(|run| run.segment == segment && run.places.len() < RUN_MAX) {
            Some(run) => run.push(place),
            None => {
                self.runs.push_back(Run::of(next_run, segment, place));
                *next_run
            }
        }
    }
}

/// Key of a run in a checkpoint.
pub(crate) fn run_key(log: LogId, id: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(16);
    key.put_u64(log.0);
    key.put_u64(id);
    key.freeze()
}
