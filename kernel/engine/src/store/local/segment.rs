//! Segment files and reading batches back from them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel_model::reply::{Chunk, ColdRead, ColdSource};
use kernel_model::{BatchHeader, KernelError};

use super::disk::DiskFile;
use super::index::Place;

/// First byte of a batch that its own checksum covers.
const CHECKSUMMED: usize = 21;

/// One segment file. Holding it keeps its bytes readable after it was deleted.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    /// `None`: it was missing when the store was opened.
    pub(crate) file: Option<Arc<dyn DiskFile>>,
}

/// File name of a segment.
pub(crate) fn segment_name(number: u32) -> String {
    format!("wal-{number:010}.seg")
}

/// Number of the segment with this file name.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("wal-")?.strip_suffix(".seg")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

impl Segment {
    /// A segment whose file is not there.
    pub(crate) fn missing(number: u32) -> Self {
        Self { name: segment_name(number), file: None }
    }

    /// Reads `len` bytes at `position`, unchecked.
    pub(crate) fn read(&self, position: u64, len: usize) -> Result<Bytes, KernelError> {
        let damaged = |why: &str| KernelError::Damaged(format!("{} at byte {position}: {why}", self.name));
        let file = self.file.as_ref().ok_or_else(|| damaged("the file is missing"))?;
        let mut bytes = BytesMut::zeroed(len);
        file.read_at(position, &mut bytes).map_err(|error| damaged(&error.to_string()))?;
        Ok(bytes.freeze())
    }
}

/// Checks that `bytes` are the batch that the index has at `place`.
fn check_batch(bytes: &[u8], place: &Place) -> Result<(), &'static str> {
    let header = BatchHeader::decode(bytes).map_err(|_| "no batch")?;
    let expected = header.base_offset == place.base
        && header.size == bytes.len()
        && header.leader_epoch == place.epoch
        && header.crc == place.crc
        && header.end_offset() == place.end();
    if !expected {
        return Err("another batch than expected");
    }
    let body = bytes.get(CHECKSUMMED..).ok_or("no batch")?;
    if crc32c::crc32c(body) == header.crc { Ok(()) } else { Err("checksum mismatch") }
}

/// Batches that lie back to back in one segment.
#[derive(Debug)]
pub(crate) struct ColdBatches {
    pub(crate) segment: Arc<Segment>,
    pub(crate) places: Vec<Place>,
}

impl ColdBatches {
    /// As a chunk of an answer.
    pub(crate) fn into_chunk(self) -> Chunk {
        let position = self.places.first().map_or(0, |place| u64::from(place.position));
        let len = self.places.iter().map(|place| usize::try_from(place.len).unwrap_or(0)).sum();
        Chunk::Cold(ColdRead { source: Arc::new(self), position, len })
    }
}

impl ColdSource for ColdBatches {
    fn read(&self, position: u64, len: usize) -> Result<Bytes, KernelError> {
        let bytes = self.segment.read(position, len)?;
        let mut rest = bytes.as_ref();
        let mut at = position;
        for place in &self.places {
            let damaged =
                |why: &str| KernelError::Damaged(format!("{} at byte {at}: {why}", self.segment.name));
            let split = usize::try_from(place.len).ok().and_then(|len| rest.split_at_checked(len));
            let (batch, after) = split.ok_or_else(|| damaged("no batch"))?;
            check_batch(batch, place).map_err(damaged)?;
            rest = after;
            at += u64::from(place.len);
        }
        if rest.is_empty() { Ok(bytes) } else { Err(KernelError::Invalid("a read of another length")) }
    }
}
