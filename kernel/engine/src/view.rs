//! A view: ordered references into logs, kept as packed chunks.
//!
//! ```text
//! chunk   4096 entries at most: delta-coded references, one bit each for "acknowledged", a mark every
//!         64 entries from where decoding can start; deleted whole once every entry is acknowledged
//! entry   varint zigzag(log − previous log) | varint zigzag(offset − previous offset) | varint note length
//!         | note
//! ```
//!
//! Deliveries of the view's cursors are in [`crate::cursor`].

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel_model::commit::ViewEntry;
use kernel_model::position::{LogId, Offset};

use crate::cursor::Deliveries;

/// Entries in a full chunk.
pub(crate) const CHUNK_ENTRIES: u32 = 4096;
/// Entries between two marks.
const MARK_EVERY: u32 = 64;

/// Where decoding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    at: usize,
    log: u64,
    offset: u64,
}

/// A run of entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Chunk {
    packed: Vec<u8>,
    marks: Vec<Mark>,
    last: Mark,
    count: u32,
    acked: Vec<u64>,
    live: u32,
    /// Lowest offset that any entry refers to, by log.
    lowest: BTreeMap<LogId, Offset>,
}

impl Chunk {
    fn push(&mut self, entry: &ViewEntry) {
        if self.count.is_multiple_of(MARK_EVERY) {
            self.marks.push(Mark { at: self.packed.len(), ..self.last });
            self.acked.push(0);
        }
        put_varint(&mut self.packed, zigzag(entry.log.0.wrapping_sub(self.last.log)));
        put_varint(&mut self.packed, zigzag(entry.offset.0.wrapping_sub(self.last.offset)));
        put_varint(&mut self.packed, entry.note.len() as u64);
        self.packed.extend_from_slice(&entry.note);
        self.last = Mark { at: 0, log: entry.log.0, offset: entry.offset.0 };
        self.count += 1;
        self.live += 1;
        let lowest = self.lowest.entry(entry.log).or_insert(entry.offset);
        *lowest = entry.offset.min(*lowest);
    }

    fn is_acked(&self, index: u32) -> bool {
        self.acked.get((index / 64) as usize).is_none_or(|word| word & (1 << (index % 64)) != 0)
    }

    fn ack(&mut self, index: u32) -> bool {
        if index >= self.count || self.is_acked(index) {
            return false;
        }
        if let Some(word) = self.acked.get_mut((index / 64) as usize) {
            *word |= 1 << (index % 64);
        }
        self.live -= 1;
        true
    }

    /// Entries from `index` on, acknowledged or not.
    fn entries_from(&self, index: u32) -> impl Iterator<Item = (u32, ViewEntry)> + '_ {
        let block = index / MARK_EVERY;
        let mut mark = self.marks.get(block as usize).copied().unwrap_or_default();
        let mut next = if self.marks.len() > block as usize { block * MARK_EVERY } else { self.count };
        std::iter::from_fn(move || {
            if next >= self.count {
                return None;
            }
            let entry = take_entry(&self.packed, &mut mark)?;
            next += 1;
            Some((next - 1, entry))
        })
        .skip_while(move |&(at, _)| at < index)
    }

    /// The packed form and the acknowledgement words, for a checkpoint.
    pub(crate) fn parts(&self) -> (&[u8], u32, &[u64]) {
        (&self.packed, self.count, &self.acked)
    }

    /// Rebuilds a chunk from its parts; `None` when they contradict each other.
    pub(crate) fn from_parts(packed: &[u8], count: u32, acked: &[u64]) -> Option<Self> {
        let mut chunk = Self::default();
        let mut mark = Mark::default();
        for _ in 0..count.min(CHUNK_ENTRIES) {
            chunk.push(&take_entry(packed, &mut mark)?);
        }
        if mark.at != packed.len() || chunk.acked.len() != acked.len() {
            return None;
        }
        for index in 0..chunk.count {
            if acked.get((index / 64) as usize).is_some_and(|word| word & (1 << (index % 64)) != 0) {
                chunk.ack(index);
            }
        }
        Some(chunk)
    }
}

/// State of one view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    /// By number of the chunk: the entry number divided by [`CHUNK_ENTRIES`].
    pub(crate) chunks: BTreeMap<u64, Chunk>,
    /// Number of the next entry.
    pub(crate) next: u64,
    pub(crate) live: u64,
    pub(crate) deliveries: Deliveries,
}

fn place(entry: u64) -> (u64, u32) {
    let index = u32::try_from(entry % u64::from(CHUNK_ENTRIES)).unwrap_or(0);
    (entry / u64::from(CHUNK_ENTRIES), index)
}

impl View {
    /// Appends a reference; answers the number of the chunk that holds it.
    pub(crate) fn push(&mut self, entry: &ViewEntry) -> u64 {
        let (number, _) = place(self.next);
        self.chunks.entry(number).or_default().push(entry);
        self.next += 1;
        self.live += 1;
        number
    }

    /// Puts back a chunk of a checkpoint.
    pub(crate) fn restore_chunk(&mut self, number: u64, chunk: Chunk) {
        self.live += u64::from(chunk.live);
        self.chunks.insert(number, chunk);
    }

    /// Acknowledges an entry. Answers its chunk's number, if it was live.
    pub(crate) fn ack(&mut self, entry: u64) -> Option<u64> {
        let (number, index) = place(entry);
        let chunk = self.chunks.get_mut(&number)?;
        if !chunk.ack(index) {
            return None;
        }
        // The newest chunk stays: it is still being filled.
        if chunk.live == 0 && chunk.count == CHUNK_ENTRIES {
            self.chunks.remove(&number);
        }
        self.live -= 1;
        self.deliveries.acked(entry);
        Some(number)
    }

    /// Whether an entry is there and not acknowledged.
    pub(crate) fn is_live(&self, entry: u64) -> bool {
        let (number, index) = place(entry);
        self.chunks.get(&number).is_some_and(|chunk| index < chunk.count && !chunk.is_acked(index))
    }

    /// The reference of an entry, acknowledged or not.
    pub(crate) fn entry(&self, entry: u64) -> Option<ViewEntry> {
        let (number, index) = place(entry);
        let (_, found) = self.chunks.get(&number)?.entries_from(index).next()?;
        Some(found)
    }

    /// Live entries from number `from` on.
    pub(crate) fn live_from(&self, from: u64) -> impl Iterator<Item = (u64, ViewEntry)> + '_ {
        let (first, index) = place(from);
        self.chunks.range(first..).flat_map(move |(&number, chunk)| {
            let begin = if number == first { index } else { 0 };
            chunk
                .entries_from(begin)
                .filter(|&(at, _)| !chunk.is_acked(at))
                .map(move |(at, entry)| (number * u64::from(CHUNK_ENTRIES) + u64::from(at), entry))
        })
    }

    /// Smallest offset of `log`, from `start` on, that a live entry refers to. Only chunks that can lower the answer are decoded:
    /// mostly the first.
    pub(crate) fn pinned(&self, log: LogId, start: Offset) -> Option<Offset> {
        let mut least: Option<Offset> = None;
        for chunk in self.chunks.values() {
            let Some(&lowest) = chunk.lowest.get(&log) else { continue };
            if least.is_none_or(|least| lowest < least) {
                let live = chunk.entries_from(0).filter(|&(at, _)| !chunk.is_acked(at));
                let offsets = live.filter(|(_, entry)| entry.log == log).map(|(_, entry)| entry.offset);
                // What was removed all the same pins nothing any more.
                least = least.into_iter().chain(offsets.filter(|&offset| offset >= start)).min();
            }
        }
        least
    }

    /// Whether no chunk reaches past the next entry, and no full one is without a live entry.
    pub(crate) fn is_within_bounds(&self) -> bool {
        self.chunks.iter().all(|(number, chunk)| {
            let end = number * u64::from(CHUNK_ENTRIES) + u64::from(chunk.count);
            end <= self.next && (chunk.live > 0 || chunk.count < CHUNK_ENTRIES)
        })
    }
}

fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

fn unzigzag(word: u64) -> u64 {
    (word >> 1) ^ (word & 1).wrapping_neg()
}

fn put_varint(out: &mut Vec<u8>, mut word: u64) {
    while word >= 0x80 {
        out.push(u8::try_from(word & 0x7f).unwrap_or(0) | 0x80);
        word >>= 7;
    }
    out.push(u8::try_from(word).unwrap_or(0));
}

fn take_varint(input: &[u8], at: &mut usize) -> Option<u64> {
    let mut word = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *input.get(*at)?;
        *at += 1;
        word |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(word);
        }
    }
    None
}

fn take_entry(packed: &[u8], mark: &mut Mark) -> Option<ViewEntry> {
    mark.log = mark.log.wrapping_add(unzigzag(take_varint(packed, &mut mark.at)?));
    mark.offset = mark.offset.wrapping_add(unzigzag(take_varint(packed, &mut mark.at)?));
    let note_len = usize::try_from(take_varint(packed, &mut mark.at)?).ok()?;
    let note = packed.get(mark.at..mark.at.checked_add(note_len)?)?;
    mark.at += note_len;
    Some(ViewEntry { log: LogId(mark.log), offset: Offset(mark.offset), note: Bytes::copy_from_slice(note) })
}
