//! Checkpoints: what one holds, and the thread that writes them and then deletes dead segments.

use std::sync::Arc;

use bytes::Bytes;

use super::Sync;
use super::disk::{DiskError, FencedDisk};
use super::flusher::RESERVE;
use super::index::IndexDelta;
use super::meta::{Applied, Meta};
use super::segment::segment_name;
use super::tail::Shared;
use crate::store::KvEntry;

/// What changed since the checkpoint before.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) applied: Applied,
    pub(crate) state: Vec<(Bytes, Option<Bytes>)>,
    pub(crate) keys: Vec<(Bytes, Option<KvEntry>)>,
    pub(crate) index: IndexDelta,
    /// Segments in which nothing lives and that no replay from here needs.
    pub(crate) dead: Vec<u32>,
}

/// Writes checkpoints.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    meta: Arc<Meta>,
    disk: FencedDisk,
}

impl Checkpointer {
    pub(crate) fn new(shared: Arc<Shared>, meta: Arc<Meta>, disk: FencedDisk) -> Self {
        Self { shared, meta, disk }
    }

    /// Works until the store closes or ends.
    pub(crate) fn run(self) {
        loop {
            let mut state = self.shared.state.lock();
            while !state.closing && state.ended.is_none() && self.shared.due_job(&state).is_none() {
                self.shared.to_checkpoint.wait(&mut state);
            }
            let ends = state.closing || state.ended.is_some();
            drop(state);
            if ends {
                return;
            }
            self.step();
        }
    }

    /// Writes one checkpoint if one is due.
    pub(crate) fn step(&self) {
        let mut state = self.shared.state.lock();
        let Some(job) = self.shared.due_job(&state) else { return };
        state.retry_checkpoint = false;
        let tail_file = state.segments.get(&job.applied.position.segment).cloned();
        drop(state);
        if self.shared.options.sync == Sync::PageCache
            && let Some(file) = tail_file.and_then(|registered| registered.segment.file.clone())
            && let Err(error) = file.sync()
        {
            self.shared.end(DiskError::Failed(format!("sync failed: {error}")).into());
            return;
        }
        let written = match self.meta.apply(&job) {
            // One more try with the room that was kept for this.
            Err(DiskError::Full) if self.release_reserve() => self.meta.apply(&job),
            outcome => outcome,
        };
        match written.and_then(|()| self.remove_dead(&job)) {
            Ok(()) => self.complete(job),
            Err(DiskError::Full) => self.shared.state.lock().checkpoint_failed_for_room = true,
            Err(error) => self.shared.end(error.into()),
        }
    }

    fn release_reserve(&self) -> bool {
        let had = std::mem::take(&mut self.shared.state.lock().reserve_bytes) > 0;
        had && self.disk.remove(&[RESERVE.to_owned()]).is_ok()
    }

    fn remove_dead(&self, job: &Job) -> Result<(), DiskError> {
        let names: Vec<String> = job.dead.iter().copied().map(segment_name).collect();
        self.disk.remove(&names)
    }

    fn complete(&self, job: Arc<Job>) {
        let mut state = self.shared.state.lock();
        for number in &job.dead {
            state.segments.remove(number);
        }
        state.checkpoint_failed_for_room = false;
        // Room may have come: the flusher tries to get its spare segment and the reserve back.
        state.retry_flush = true;
        state.jobs.pop_front();
        state.completed.push(job);
        drop(state);
        self.shared.to_flush.notify_all();
    }
}

impl Shared {
    /// The next checkpoint, if the log is durable up to it and it did not just fail for lack of room.
    pub(crate) fn due_job(&self, state: &super::tail::State) -> Option<Arc<Job>> {
        let waits = state.checkpoint_failed_for_room && !state.retry_checkpoint;
        let job = state.jobs.front().filter(|_| !waits)?;
        let durable = state.written >= job.applied.position && state.durable >= job.applied.seq;
        durable.then(|| Arc::clone(job))
    }
}
