//! The end of the write-ahead log: what was taken, what is written, and the recent bytes in memory. Shared by
//! the shard's thread, the flusher and the checkpointer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, Seq};
use parking_lot::{Condvar, Mutex};

use super::checkpoint::Job;
use super::entry::{self, Kind, SEGMENT_HEADER, SegmentHeader};
use super::segment::Segment;
use super::{LocalOptions, Waker};

/// A place in the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u32,
    pub(crate) at: u32,
}

/// What the threads of a store share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Something for the flusher.
    pub(crate) to_flush: Condvar,
    /// Something for the checkpointer.
    pub(crate) to_checkpoint: Condvar,
    pub(crate) options: LocalOptions,
    pub(crate) epoch: u64,
    waker: Waker,
}

/// Bytes that were taken and not yet handed to the flusher, all for one segment, one behind the other.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) segment: u32,
    /// Position of the first byte.
    pub(crate) at: u32,
    pub(crate) buffer: BytesMut,
}

impl Pending {
    fn takes(&self, segment: u32, length: usize) -> bool {
        self.segment == segment && self.buffer.capacity() - self.buffer.len() >= length
    }
}

/// A segment that has a file.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) segment: Arc<Segment>,
    /// Length of the file.
    pub(crate) bytes: u64,
}

/// See [`Shared`].
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pending: VecDeque<Pending>,
    /// Taken and not durable.
    pub(crate) pending_bytes: usize,
    /// Whether anything waits that needs a sync, and not only a segment header or a mark.
    pub(crate) sync_wanted: bool,
    pub(crate) flush_wanted: bool,
    /// Where the next entry goes.
    pub(crate) tail: Position,
    /// Where the tail was before it moved to its segment.
    pub(crate) before: Position,
    /// Where the mark at the tail begins, while nothing follows it.
    pub(crate) mark: Option<Position>,
    pub(crate) submitted: Seq,
    pub(crate) durable: Seq,
    /// Known to be synced; `durable` may be ahead in page-cache mode.
    pub(crate) synced: Seq,
    /// Up to here the log is written (and synced, but for a mark at the end).
    pub(crate) written: Position,
    pub(crate) ended: Option<KernelError>,
    /// There was no room for another segment at the last try.
    pub(crate) full: bool,
    /// What was taken cannot be written for lack of room.
    pub(crate) stuck: bool,
    /// Try again what failed for lack of room.
    pub(crate) retry_flush: bool,
    pub(crate) retry_checkpoint: bool,
    pub(crate) closing: bool,
    pub(crate) spare_bytes: u64,
    pub(crate) reserve_bytes: u64,
    pub(crate) hot: Hot,
    pub(crate) segments: BTreeMap<u32, Registered>,
    pub(crate) jobs: VecDeque<Arc<Job>>,
    /// Completed, for the shard's thread to take note of.
    pub(crate) completed: Vec<Arc<Job>>,
    pub(crate) checkpoint_failed_for_room: bool,
    pub(crate) fsyncs: u64,
}

impl Shared {
    pub(crate) fn new(options: LocalOptions, epoch: u64, waker: Waker) -> Self {
        let start = Position { segment: 0, at: 0 };
        let state = State {
            pending: VecDeque::new(),
            pending_bytes: 0,
            sync_wanted: false,
            flush_wanted: false,
            tail: start,
            before: start,
            mark: None,
            submitted: Seq(0),
            durable: Seq(0),
            synced: Seq(0),
            written: start,
            ended: None,
            full: false,
            stuck: false,
            retry_flush: false,
            retry_checkpoint: false,
            closing: false,
            spare_bytes: 0,
            reserve_bytes: 0,
            hot: Hot::default(),
            segments: BTreeMap::new(),
            jobs: VecDeque::new(),
            completed: Vec::new(),
            checkpoint_failed_for_room: false,
            fsyncs: 0,
        };
        let (to_flush, to_checkpoint) = (Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), to_flush, to_checkpoint, options, epoch, waker }
    }

    /// Tells the shard that durability or health has changed.
    pub(crate) fn wake(&self) {
        (self.waker)();
    }

    /// Ends the store for good.
    pub(crate) fn end(&self, error: KernelError) {
        self.state.lock().ended.get_or_insert(error);
        self.to_flush.notify_all();
        self.to_checkpoint.notify_all();
        self.wake();
    }

    /// Room kept back at the end of a segment, while the disk is full, for commits that only remove.
    fn kept_back(&self) -> u32 {
        self.options.segment_bytes / 8
    }

    /// Whether an entry of `length` bytes may be appended; rolls to the next segment when it must.
    ///
    /// Answers `Invalid`, `Overloaded` and `Full` as the store's submit does.
    pub(crate) fn make_room(
        &self,
        state: &mut State,
        length: usize,
        removes: bool,
    ) -> Result<(), KernelError> {
        let segment_bytes = self.options.segment_bytes;
        let wanted = u32::try_from(length).ok().filter(|length| *length <= segment_bytes - SEGMENT_HEADER);
        let wanted =
            wanted.ok_or(KernelError::Invalid("larger than a segment of the store (segment_bytes)"))?;
        let bound = self.options.pending_bytes_max;
        if state.durable < state.submitted && state.pending_bytes.saturating_add(length) > bound {
            return Err(if state.stuck { KernelError::Full } else { KernelError::Overloaded });
        }
        if state.stuck && !removes {
            return Err(KernelError::Full);
        }
        if wanted <= self.limit(state, removes).saturating_sub(state.tail.at) {
            return Ok(());
        }
        if state.full {
            return Err(KernelError::Full);
        }
        self.roll(state);
        Ok(())
    }

    /// Whether an entry of `length` bytes fits behind others in a segment that has a file.
    pub(crate) fn fits(&self, state: &State, length: usize) -> bool {
        let left = self.limit(state, false).saturating_sub(state.tail.at);
        let used = state.tail.at > SEGMENT_HEADER && state.segments.contains_key(&state.tail.segment);
        used && u32::try_from(length).is_ok_and(|length| length <= left)
    }

    /// Up to where the tail's segment may be filled.
    fn limit(&self, state: &State, removes: bool) -> u32 {
        if !state.full {
            return self.options.segment_bytes;
        }
        let room = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX).min(self.options.segment_bytes);
        match state.segments.get(&state.tail.segment) {
            Some(registered) if removes => room(registered.bytes),
            Some(registered) => room(registered.bytes).saturating_sub(self.kept_back()),
            // The segment has no file yet; half of the reserve can become a small one.
            None if removes => room(state.reserve_bytes / 2),
            None => 0,
        }
    }

    /// Whether payload is refused, or soon will be.
    pub(crate) fn is_full(&self, state: &State) -> bool {
        let left = self.limit(state, false).saturating_sub(state.tail.at);
        state.stuck || (state.full && left <= self.kept_back())
    }

    /// Moves the tail to the next segment.
    pub(crate) fn roll(&self, state: &mut State) {
        let header = SegmentHeader {
            number: state.tail.segment.saturating_add(1),
            epoch: self.epoch,
            first: Seq(state.submitted.0 + 1),
            previous_end: state.tail.at,
        };
        let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
        buffer.extend_from_slice(&header.encode());
        state.pending_bytes += buffer.len();
        state.pending.push_back(Pending { segment: header.number, at: 0, buffer });
        state.before = state.tail;
        state.tail = Position { segment: header.number, at: SEGMENT_HEADER };
        state.mark = None;
    }

    /// Appends one entry, for which there is room. `body` writes it; returns where it begins.
    pub(crate) fn append(
        &self,
        state: &mut State,
        kind: Kind,
        length: usize,
        body: impl FnOnce(&mut BytesMut, u32),
    ) -> Position {
        let begin = state.tail;
        let (submitted, synced) = (state.submitted, state.synced);
        // A buffer that is full is left to the flusher, and never grows: that would copy what it holds, and keep twice as
        // much of it in memory for as long as anything in it is recent.
        if !state.pending.back().is_some_and(|pending| pending.takes(begin.segment, length)) {
            let buffer = BytesMut::with_capacity(length.max(BUFFER_BYTES));
            state.pending.push_back(Pending { segment: begin.segment, at: begin.at, buffer });
        }
        if let Some(pending) = state.pending.back_mut() {
            let buffer = &mut pending.buffer;
            let start = entry::begin(buffer);
            body(buffer, begin.at);
            entry::finish(buffer, start, kind, submitted, synced);
            let written = u32::try_from(buffer.len() - start).unwrap_or(u32::MAX);
            state.tail.at = begin.at.saturating_add(written);
            state.pending_bytes += buffer.len() - start;
        }
        state.mark = (kind == Kind::Mark).then_some(begin);
        state.sync_wanted |= kind != Kind::Mark;
        state.flush_wanted = true;
        begin
    }
}

/// Least capacity of a write buffer.
const BUFFER_BYTES: usize = 256 * 1024;

impl State {
    /// Whether the store goes on.
    pub(crate) fn check(&self) -> Result<(), KernelError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Where a replay may begin that needs everything after the last submitted commit: in a segment that is
    /// sure to be written, and before a mark, because that may be lost.
    pub(crate) fn replay_from(&self) -> Position {
        if self.tail.at <= SEGMENT_HEADER { self.before } else { self.mark.unwrap_or(self.tail) }
    }

    /// The bytes at a place, if they are in memory.
    pub(crate) fn in_memory(&self, segment: u32, position: u32, len: u32) -> Option<Bytes> {
        let len = usize::try_from(len).ok()?;
        self.hot.get(segment, position, len).or_else(|| {
            let pending = self.pending.iter().rev().find(|p| p.segment == segment && p.at <= position)?;
            let start = usize::try_from(position - pending.at).ok()?;
            let bytes = pending.buffer.get(start..start.checked_add(len)?)?;
            Some(Bytes::copy_from_slice(bytes))
        })
    }
}

/// Recent chunks of the log in memory, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    chunks: VecDeque<(Position, Bytes)>,
    bytes: usize,
}

impl Hot {
    pub(crate) fn push(&mut self, at: Position, bytes: Bytes) {
        self.bytes += bytes.len();
        self.chunks.push_back((at, bytes));
    }

    /// Forgets the oldest chunks that are written, down to `bytes_max`.
    pub(crate) fn shrink(&mut self, bytes_max: usize, written: Position) {
        while self.bytes > bytes_max
            && let Some((_, bytes)) = self.chunks.pop_front_if(|(at, _)| *at < written)
        {
            self.bytes -= bytes.len();
        }
    }

    fn get(&self, segment: u32, position: u32, len: usize) -> Option<Bytes> {
        let wanted = Position { segment, at: position };
        let after = self.chunks.partition_point(|(at, _)| *at <= wanted);
        let (at, bytes) = self.chunks.get(after.checked_sub(1)?)?;
        let start = usize::try_from(position.checked_sub(at.at)?).ok().filter(|_| at.segment == segment)?;
        let end = start.checked_add(len).filter(|end| *end <= bytes.len())?;
        Some(bytes.slice(start..end))
    }
}
