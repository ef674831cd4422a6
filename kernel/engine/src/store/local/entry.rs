//! Framing of a write-ahead log: the header of a segment, and entries.
//!
//! ```text
//! segment header, 64 bytes          entry header, 32 bytes
//!  0  magic "SluiceWL"               0  magic "SLUE"
//!  8  version of the form   u32      4  kind                          u32
//! 12  segment number        u32      8  length of the body            u32
//! 16  owner epoch           u64     12  crc32c of the header but
//! 24  first sequence number u64         this field, and the body      u32
//! 32  end of the segment    u32     16  sequence number               u64
//!     before (0: none)              24  synced: everything up to here u64
//! 36  zeros                             had been synced before this
//! 60  crc32c of 0..60       u32         entry was made
//! ```
//!
//! All integers are little-endian; entries begin at multiples of 8. Kinds: a commit; batches that were moved
//! forward (its sequence number is the commit's before it); a mark, which only proves by its `synced` that
//! what lies before it is no torn tail.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::Seq;

/// Bytes of a segment header.
pub(crate) const SEGMENT_HEADER: u32 = 64;
/// Bytes of an entry header.
pub(crate) const ENTRY_HEADER: usize = 32;
/// Entries begin at multiples of this.
pub(crate) const ALIGN: usize = 8;
/// Version of segment headers, entries and commits.
pub(crate) const VERSION: u32 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"SluiceWL";
const ENTRY_MAGIC: &[u8; 4] = b"SLUE";

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Commit,
    Moved,
    Mark,
}

impl Kind {
    fn code(self) -> u32 {
        match self {
            Self::Commit => 1,
            Self::Moved => 2,
            Self::Mark => 3,
        }
    }
}

/// Why a segment header is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Never written.
    Blank,
    /// Written by a newer program.
    Version(u32),
    /// Wrong magic or checksum.
    Damaged,
}

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    pub(crate) epoch: u64,
    pub(crate) first: Seq,
    pub(crate) previous_end: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_slice(SEGMENT_MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(self.number);
        out.put_u64_le(self.epoch);
        out.put_u64_le(self.first.0);
        out.put_u32_le(self.previous_end);
        out.put_bytes(0, 24);
        let checksum = crc32c::crc32c(&out);
        out.put_u32_le(checksum);
        out.freeze()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes.get(..64).ok_or(HeaderFault::Damaged)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(HeaderFault::Blank);
        }
        let (content, checksum) = bytes.split_at(60);
        if !content.starts_with(SEGMENT_MAGIC) || u32_at(checksum, 0) != Some(crc32c::crc32c(content)) {
            return Err(HeaderFault::Damaged);
        }
        let fields = || -> Option<(u32, Self)> {
            let header = Self {
                number: u32_at(content, 12)?,
                epoch: u64_at(content, 16)?,
                first: Seq(u64_at(content, 24)?),
                previous_end: u32_at(content, 32)?,
            };
            Some((u32_at(content, 8)?, header))
        };
        match fields() {
            Some((VERSION, header)) => Ok(header),
            Some((version, _)) => Err(HeaderFault::Version(version)),
            None => Err(HeaderFault::Damaged),
        }
    }
}

/// The header of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryHeader {
    pub(crate) kind: Kind,
    pub(crate) body: usize,
    pub(crate) checksum: u32,
    pub(crate) seq: Seq,
    pub(crate) synced: Seq,
}

impl EntryHeader {
    /// Reads the header at the front of `bytes`; nothing is known to be right yet.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(ENTRY_MAGIC) {
            return None;
        }
        let kind = match u32_at(bytes, 4)? {
            1 => Kind::Commit,
            2 => Kind::Moved,
            3 => Kind::Mark,
            _ => return None,
        };
        Some(Self {
            kind,
            body: usize::try_from(u32_at(bytes, 8)?).ok()?,
            checksum: u32_at(bytes, 12)?,
            seq: Seq(u64_at(bytes, 16)?),
            synced: Seq(u64_at(bytes, 24)?),
        })
    }

    /// Length of the entry with its header, to the next one.
    pub(crate) fn total(&self) -> usize {
        padded(ENTRY_HEADER.saturating_add(self.body))
    }
}

/// Whether `bytes` begin like an entry.
pub(crate) fn begins_entry(bytes: &[u8]) -> bool {
    bytes.starts_with(ENTRY_MAGIC)
}

/// Whether `bytes` (an entry with its header) have the checksum that they say.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    EntryHeader::decode(bytes).is_some_and(|header| {
        let end = ENTRY_HEADER.saturating_add(header.body);
        bytes.get(..end).and_then(checksum) == Some(header.checksum)
    })
}

/// Length to the next multiple of [`ALIGN`].
pub(crate) fn padded(length: usize) -> usize {
    length.saturating_add(ALIGN - 1) / ALIGN * ALIGN
}

/// Begins an entry at the end of `out`; [`finish`] completes it once the body stands behind.
pub(crate) fn begin(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.put_bytes(0, ENTRY_HEADER);
    start
}

/// Fills in the header of the entry that begins at `start` of `out` and reaches to its end, and pads it.
pub(crate) fn finish(out: &mut BytesMut, start: usize, kind: Kind, seq: Seq, synced: Seq) {
    let body = out.len().saturating_sub(start + ENTRY_HEADER);
    if let Some(mut header) = out.get_mut(start..start + ENTRY_HEADER) {
        header.put_slice(ENTRY_MAGIC);
        header.put_u32_le(kind.code());
        header.put_u32_le(u32::try_from(body).unwrap_or(u32::MAX));
        header.put_u32_le(0);
        header.put_u64_le(seq.0);
        header.put_u64_le(synced.0);
    }
    let sum = out.get(start..).and_then(checksum).unwrap_or(0);
    if let Some(mut field) = out.get_mut(start + 12..start + 16) {
        field.put_u32_le(sum);
    }
    let length = out.len() - start;
    out.put_bytes(0, padded(length) - length);
}

/// Checksum of an entry without its padding.
fn checksum(entry: &[u8]) -> Option<u32> {
    let front = crc32c::crc32c(entry.get(..12)?);
    Some(crc32c::crc32c_append(front, entry.get(16..)?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
