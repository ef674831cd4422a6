//! Keeps disk space in proportion: live batches of a segment that is less than half alive are copied to the
//! end of the log, offsets unchanged; a checkpoint then deletes the dead segment.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::{KernelError, LogId};

use super::LocalStore;
use super::codec::put_number;
use super::entry::{ENTRY_HEADER, Kind, padded};
use super::index::Place;
use super::recovery::Moved;
use super::segment::ColdBatches;
use super::tail::Position;

/// About how many bytes one call copies.
const BYTES_PER_CALL: usize = 1 << 20;

impl LocalStore {
    /// Copies a bounded part of a sparse segment forward. Says whether there was anything to do.
    pub(crate) fn rewrite(&mut self) -> Result<bool, KernelError> {
        let Some(from) = self.sparse_segment() else { return Ok(false) };
        let Some((log, places)) = self.first_batches(from) else { return Ok(false) };
        let batches = match self.read_stretches(from, &places) {
            Ok(batches) => batches,
            Err(KernelError::Damaged(why)) => {
                // It stays where it is, and reads of it say that it is damaged.
                self.damaged.push(why);
                self.unmovable.insert(from);
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        match self.append_moved(log, from, &batches) {
            Ok(()) => Ok(true),
            Err(KernelError::Full | KernelError::Overloaded) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A complete segment behind the checkpoint that is less than half alive.
    fn sparse_segment(&self) -> Option<u32> {
        let state = self.shared.state.lock();
        let before = self.applied.position.segment.min(state.tail.segment);
        let mut sealed =
            state.segments.range(..before).filter(|(number, _)| !self.unmovable.contains(number));
        let sparse = |number, bytes| {
            self.contents.index.usage(number).is_some_and(|usage| usage.live.saturating_mul(2) < bytes)
        };
        sealed.find(|(number, registered)| sparse(**number, registered.bytes)).map(|(number, _)| *number)
    }

    /// The first batches in a segment, all of one log.
    fn first_batches(&self, segment: u32) -> Option<(LogId, Vec<Place>)> {
        let log = *self.contents.index.usage(segment)?.logs.keys().next()?;
        let run = self.contents.index.first_run_in(log, segment)?;
        let mut left = BYTES_PER_CALL.min(usize::try_from(self.shared.options.segment_bytes / 4).ok()?);
        let mut places = Vec::new();
        for place in &run.places {
            let len = usize::try_from(place.len).ok()?;
            if len > left && !places.is_empty() {
                break;
            }
            left = left.saturating_sub(len);
            places.push(*place);
        }
        Some((log, places))
    }

    fn read_stretches(&self, segment: u32, places: &[Place]) -> Result<Vec<Bytes>, KernelError> {
        let registered = self.shared.state.lock().segments.get(&segment).cloned();
        let registered = registered.ok_or(KernelError::NotFound)?;
        let read = |place: &Place| {
            use kernel_model::reply::ColdSource;
            let cold = ColdBatches { segment: registered.segment.clone(), places: vec![*place] };
            cold.read(u64::from(place.position), usize::try_from(place.len).unwrap_or(0))
        };
        places.iter().map(read).collect()
    }

    fn append_moved(&mut self, log: LogId, from: u32, batches: &[Bytes]) -> Result<(), KernelError> {
        let mut front = BytesMut::new();
        put_number(&mut front, log.0);
        put_number(&mut front, u64::from(from));
        let mut body = BytesMut::new();
        body.put_u32_le(u32::try_from(front.len()).unwrap_or(0));
        body.put_slice(&front);
        batches.iter().for_each(|batch| body.put_slice(batch));
        let body = body.freeze();
        let length = padded(ENTRY_HEADER + body.len());
        let mut state = self.shared.state.lock();
        state.check()?;
        self.shared.make_room(&mut state, length, false)?;
        let begin = self.shared.append(&mut state, Kind::Moved, length, |out, _| out.put_slice(&body));
        drop(state);
        self.shared.to_flush.notify_all();
        let at = begin.at.saturating_add(u32::try_from(ENTRY_HEADER).unwrap_or(0));
        let moved = Moved::decode(&body).ok_or(KernelError::Invalid("batches that cannot be moved"))?;
        moved.apply(&mut self.contents, Position { segment: begin.segment, at });
        self.rewritten_bytes +=
            batches.iter().map(|batch| u64::try_from(batch.len()).unwrap_or(0)).sum::<u64>();
        Ok(())
    }
}
