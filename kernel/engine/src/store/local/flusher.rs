//! Writes what was taken, syncs once for everybody who waits, and moves `durable` forward.
//!
//! Order within one step: bytes of the active segment → (when full) cut to length and sync it → header and
//! bytes of the next one → sync. A segment with a valid header thus proves that the one before is complete.
//! After a failed sync nothing is retried and nothing acknowledged: the store has ended. For lack of room a
//! write is repeated, at the same place, when there is room.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use kernel_model::Seq;

use super::Sync;
use super::disk::{DiskError, DiskFile, FencedDisk};
use super::segment::{Segment, segment_name};
use super::tail::{Position, Registered, Shared};

/// Name of the file that keeps room for checkpoints on a full disk.
pub(crate) const RESERVE: &str = "reserve";

/// The writer of one store.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    disk: FencedDisk,
    /// Number of the segment that comes first.
    first: u32,
    active: Option<Active>,
    spare: Option<(u32, Arc<dyn DiskFile>)>,
    /// Taken from the shared state and not yet written.
    carried: VecDeque<Write>,
    goal: Goal,
}

/// The segment that is being written.
struct Active {
    number: u32,
    name: String,
    file: Arc<dyn DiskFile>,
    end: u32,
}

/// One run of bytes for one segment.
struct Write {
    at: Position,
    bytes: Bytes,
}

/// What holds once everything carried is written.
#[derive(Clone, Copy)]
struct Goal {
    seq: Seq,
    position: Position,
    bytes: usize,
    sync: bool,
}

impl Flusher {
    /// The writer of what begins with segment `first`.
    pub(crate) fn new(shared: Arc<Shared>, disk: FencedDisk, first: u32) -> Self {
        let position = Position { segment: 0, at: 0 };
        let goal = Goal { seq: Seq(0), position, bytes: 0, sync: false };
        Self { shared, disk, first, active: None, spare: None, carried: VecDeque::new(), goal }
    }

    /// Works until the store closes or ends.
    pub(crate) fn run(mut self) {
        loop {
            let mut state = self.shared.state.lock();
            while !(state.flush_wanted || state.retry_flush || state.closing || state.ended.is_some()) {
                self.shared.to_flush.wait(&mut state);
            }
            if state.ended.is_some() {
                return;
            }
            let last = state.closing && !state.flush_wanted;
            drop(state);
            self.step();
            if last {
                return;
            }
        }
    }

    /// Writes everything there is.
    pub(crate) fn step(&mut self) {
        let retry = self.take();
        match self.write_carried(retry) {
            Ok(()) => self.prepare(retry),
            Err(error) => self.fail(error),
        }
    }

    /// Takes over what is pending; says whether room shall be sought again.
    fn take(&mut self) -> bool {
        let mut state = self.shared.state.lock();
        let state = &mut *state;
        let wanted = std::mem::take(&mut state.flush_wanted);
        let retry = std::mem::take(&mut state.retry_flush);
        while wanted && let Some(mut pending) = state.pending.pop_front() {
            let bytes = pending.buffer.split().freeze();
            let at = Position { segment: pending.segment, at: pending.at };
            pending.at = pending.at.saturating_add(u32::try_from(bytes.len()).unwrap_or(0));
            if !bytes.is_empty() {
                self.goal.bytes += bytes.len();
                state.hot.push(at, bytes.clone());
                self.carried.push_back(Write { at, bytes });
            }
            if state.pending.is_empty() {
                // The buffer has room left for what comes next.
                state.pending.push_back(pending);
                break;
            }
        }
        if wanted {
            self.goal.seq = state.submitted;
            self.goal.position = state.tail;
        }
        self.goal.sync |= std::mem::take(&mut state.sync_wanted);
        retry || !state.stuck
    }

    fn write_carried(&mut self, try_now: bool) -> Result<(), DiskError> {
        if self.carried.is_empty() || !try_now {
            return Ok(());
        }
        while let Some(write) = self.carried.front() {
            let at = write.at;
            if self.active.as_ref().is_none_or(|active| active.number != at.segment) {
                self.seal()?;
                self.activate(at.segment)?;
            }
            let (Some(active), Some(write)) = (&mut self.active, self.carried.front()) else { break };
            let file = &active.file;
            self.disk.with(&active.name, || file.write_at(u64::from(at.at), &write.bytes))?;
            active.end = at.at.saturating_add(u32::try_from(write.bytes.len()).unwrap_or(0));
            self.carried.pop_front();
        }
        let sync = self.goal.sync && self.shared.options.sync == Sync::Fsync;
        if sync && let Some(active) = &self.active {
            sync_file(&active.name, active.file.as_ref())?;
        }
        self.publish(sync);
        Ok(())
    }

    /// Announces what is durable now.
    fn publish(&mut self, synced: bool) {
        let mut state = self.shared.state.lock();
        let advanced = state.durable < self.goal.seq;
        state.durable = self.goal.seq;
        if synced {
            state.synced = self.goal.seq;
            state.fsyncs += 1;
        }
        state.written = self.goal.position;
        state.pending_bytes = state.pending_bytes.saturating_sub(self.goal.bytes);
        state.stuck = false;
        let hot_bytes_max = self.shared.options.hot_bytes_max;
        state.hot.shrink(hot_bytes_max, self.goal.position);
        let job_waits = !state.jobs.is_empty();
        drop(state);
        self.goal.bytes = 0;
        self.goal.sync = false;
        if advanced {
            self.shared.wake();
        }
        if job_waits {
            self.shared.to_checkpoint.notify_all();
        }
    }

    /// Completes the active segment.
    fn seal(&mut self) -> Result<(), DiskError> {
        let Some(active) = &self.active else { return Ok(()) };
        let (file, end) = (&active.file, u64::from(active.end));
        self.disk.with(&active.name, || file.set_len(end))?;
        sync_file(&active.name, file.as_ref())?;
        let mut state = self.shared.state.lock();
        state.fsyncs += 1;
        if let Some(registered) = state.segments.get_mut(&active.number) {
            registered.bytes = end;
        }
        drop(state);
        self.active = None;
        Ok(())
    }

    /// Makes segment `number` the active one.
    fn activate(&mut self, number: u32) -> Result<(), DiskError> {
        let name = segment_name(number);
        let mut bytes = u64::from(self.shared.options.segment_bytes);
        let file = match self.spare.take_if(|(spare, _)| *spare == number) {
            Some((_, file)) => file,
            None => match self.disk.create(&name, bytes) {
                Err(DiskError::Full) => {
                    bytes = self.release_reserve()?;
                    self.disk.create(&name, bytes)?
                }
                outcome => outcome?,
            },
        };
        let segment = Arc::new(Segment { name: name.clone(), file: Some(Arc::clone(&file)) });
        let mut state = self.shared.state.lock();
        state.segments.insert(number, Registered { segment, bytes });
        state.spare_bytes = 0;
        drop(state);
        self.active = Some(Active { number, name, file, end: 0 });
        Ok(())
    }

    /// Prepares the next segment and the reserve, outside of anybody's waiting.
    fn prepare(&mut self, try_now: bool) {
        let next = self.active.as_ref().map_or(self.first, |active| active.number.saturating_add(1));
        if !try_now && self.shared.state.lock().full {
            return;
        }
        let bytes = u64::from(self.shared.options.segment_bytes);
        let outcome = if self.spare.is_some() {
            Ok(())
        } else {
            self.disk.create(&segment_name(next), bytes).map(|file| self.spare = Some((next, file)))
        };
        let mut state = self.shared.state.lock();
        if outcome.is_ok() {
            state.spare_bytes = bytes;
        }
        let reserve = outcome.is_ok() && state.reserve_bytes == 0 && !state.checkpoint_failed_for_room;
        drop(state);
        let reserved = if reserve { self.make_reserve() } else { Ok(()) };
        match outcome.and(reserved) {
            Ok(()) => self.set_full(false),
            Err(DiskError::Full) => self.set_full(true),
            Err(error) => self.shared.end(error.into()),
        }
    }

    /// Gives up the reserve: half of it becomes a small segment, so that commits which free room are not locked
    /// out; the other half is for the checkpoint that then deletes what they freed. Returns that half.
    fn release_reserve(&self) -> Result<u64, DiskError> {
        let bytes = std::mem::take(&mut self.shared.state.lock().reserve_bytes);
        if bytes == 0 {
            return Err(DiskError::Full);
        }
        self.disk.remove(&[RESERVE.to_owned()])?;
        Ok(bytes / 2)
    }

    fn make_reserve(&self) -> Result<(), DiskError> {
        let bytes = u64::from(self.shared.options.segment_bytes / 2);
        self.disk.create(RESERVE, bytes)?;
        self.shared.state.lock().reserve_bytes = bytes;
        Ok(())
    }

    fn set_full(&self, full: bool) {
        let changed = std::mem::replace(&mut self.shared.state.lock().full, full) != full;
        if changed {
            self.shared.wake();
        }
    }

    fn fail(&self, error: DiskError) {
        if matches!(error, DiskError::Full) {
            let mut state = self.shared.state.lock();
            state.full = true;
            state.stuck = true;
            drop(state);
            self.shared.wake();
        } else {
            self.shared.end(error.into());
        }
    }
}

/// Syncs a file. Any failure ends the store, a full disk as well: which bytes are lost cannot be known.
fn sync_file(name: &str, file: &dyn DiskFile) -> Result<(), DiskError> {
    file.sync().map_err(|error| DiskError::Failed(format!("{name}: sync failed: {error}")))
}
