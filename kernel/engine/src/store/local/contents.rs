//! What a store holds in memory: the index of its batches, and the keys that changed since the checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use kernel_model::{BatchHeader, Commit, KernelError, Op, Seq};

use super::index::{Index, Place};
use super::meta::Meta;
use super::tail::Position;
use crate::store::KvEntry;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) index: Index,
    pub(crate) keys: Overlay,
}

impl Contents {
    /// Applies a commit whose batches lie back to back from `batches` on.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the others bring no batch")]
    pub(crate) fn apply(&mut self, seq: Seq, commit: &Commit, batches: Position) {
        let mut at = batches.at;
        for op in &commit.ops {
            let batch = match op {
                Op::LogAppend { batch, .. } => {
                    self.append(op, batches.segment, at);
                    batch.len()
                }
                Op::LogReplace { log, base_offset, crc, batch, .. } => {
                    let place = batch.as_ref().and_then(|batch| place_of(batch, at));
                    self.index.replace(*log, *base_offset, *crc, place.map(|place| (batches.segment, place)));
                    batch.as_ref().map_or(0, Bytes::len)
                }
                _ => {
                    self.apply_op(seq, op);
                    0
                }
            };
            at = at.saturating_add(u32::try_from(batch).unwrap_or(u32::MAX));
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a store keeps logs and keys; the rest is the shard's")]
    fn apply_op(&mut self, seq: Seq, op: &Op) {
        match op {
            Op::LogCreate { log, .. } => self.index.create(*log),
            Op::LogDelete { log } => self.index.delete(*log),
            Op::LogTruncate { log, to } => self.index.truncate(*log, *to),
            Op::LogTrim { log, start } => self.index.trim(*log, *start),
            Op::KvPut { key, value, expires_ms } => {
                let entry = KvEntry { value: value.clone(), expires_ms: *expires_ms };
                self.keys.set(seq, key, Some(entry));
            }
            Op::KvDelete { key } => self.keys.set(seq, key, None),
            _ => {}
        }
    }

    fn append(&mut self, op: &Op, segment: u32, at: u32) {
        if let Op::LogAppend { log, base_offset, epoch, batch } = op
            && let Ok(header) = BatchHeader::decode(batch)
            && let Some(place) = Place::of(&header, *base_offset, *epoch, at)
        {
            self.index.append(*log, segment, place);
        }
    }
}

/// The place of a batch that is stored as it is.
fn place_of(batch: &[u8], at: u32) -> Option<Place> {
    let header = BatchHeader::decode(batch).ok()?;
    Place::of(&header, header.base_offset, header.leader_epoch, at)
}

/// Keys as they are since the last completed checkpoint; `None` is removed.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Bytes, (Seq, Option<KvEntry>)>,
    /// Changed since the last checkpoint was begun.
    changed: BTreeSet<Bytes>,
}

impl Overlay {
    fn set(&mut self, seq: Seq, key: &Bytes, entry: Option<KvEntry>) {
        // Copies, so that a small key does not keep a large commit in memory.
        let key = Bytes::copy_from_slice(key);
        let entry = entry.map(|entry| KvEntry { value: Bytes::copy_from_slice(&entry.value), ..entry });
        self.changed.insert(key.clone());
        self.entries.insert(key, (seq, entry));
    }

    /// What changed since the last call.
    pub(crate) fn take_delta(&mut self) -> Vec<(Bytes, Option<KvEntry>)> {
        let changed = std::mem::take(&mut self.changed);
        let current = |key: Bytes| self.entries.get(&key).map(|(_, entry)| (key, entry.clone()));
        changed.into_iter().filter_map(current).collect()
    }

    /// A checkpoint of `seq` with these keys is complete.
    pub(crate) fn settle(&mut self, seq: Seq, keys: &[(Bytes, Option<KvEntry>)]) {
        for (key, _) in keys {
            if self.entries.get(key).is_some_and(|(set, _)| *set <= seq) {
                self.entries.remove(key);
            }
        }
    }

    /// Value of a key, here or in the checkpoint.
    pub(crate) fn get(&self, meta: &Meta, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        match self.entries.get(key) {
            Some((_, entry)) => Ok(entry.clone()),
            None => meta.get(key),
        }
    }

    /// Keys here and in the checkpoint, in order.
    pub(crate) fn scan(
        &self,
        meta: &Meta,
        prefix: &[u8],
        after: Option<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        let mut from = match after {
            Some(after) if after >= prefix => Bound::Excluded(Bytes::copy_from_slice(after)),
            Some(_) | None => Bound::Included(Bytes::copy_from_slice(prefix)),
        };
        if matches!(&from, Bound::Excluded(after) if !after.starts_with(prefix)) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        while found.len() < entries_max {
            let wanted = entries_max - found.len();
            let stored = meta.scan(prefix, as_slice(&from), wanted)?;
            // Behind the last stored key of a full page nothing is known yet.
            let until = if stored.len() < wanted { None } else { stored.last().map(|(key, _)| key.clone()) };
            let mut page: BTreeMap<Bytes, KvEntry> = stored.into_iter().collect();
            for (key, (_, entry)) in self.entries.range::<[u8], _>((as_slice(&from), Bound::Unbounded)) {
                if !key.starts_with(prefix) || until.as_ref().is_some_and(|until| key > until) {
                    break;
                }
                match entry {
                    Some(entry) => page.insert(key.clone(), entry.clone()),
                    None => page.remove(key),
                };
            }
            found.extend(page.into_iter().take(wanted));
            match until {
                Some(until) => from = Bound::Excluded(until),
                None => break,
            }
        }
        Ok(found)
    }
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_ref()),
        Bound::Excluded(key) => Bound::Excluded(key.as_ref()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
