//! The simulated legacy cluster: partitions with epochs, high watermarks and idempotent producers; an offsets log.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kernel_model::batch::patch_header;
use kernel_model::{LogEpoch, Offset};

use crate::batches;

#[derive(Debug, Clone)]
pub struct Stored {
    pub base: u64,
    pub end: u64,
    pub epoch: i32,
    pub bytes: Bytes,
    pub producer: i64,
    pub sequence: i32,
}

#[derive(Debug, Clone)]
pub struct Partition {
    pub log: Vec<Stored>,
    pub start: u64,
    pub high_watermark: u64,
    pub epoch: i32,
    pub epochs_seen: i32,
    pub incarnation: u64,
    pub open_transaction: bool,
    /// Lost or replaced records below its high watermark: nothing is owed for it any more before the cut.
    pub damaged: bool,
}

impl Partition {
    pub fn new(start: u64, epoch: i32, incarnation: u64) -> Self {
        let log = Vec::new();
        let high_watermark = start;
        let (open_transaction, damaged) = (false, false);
        Self { log, start, high_watermark, epoch, epochs_seen: epoch, incarnation, open_transaction, damaged }
    }

    pub fn end(&self) -> u64 {
        self.log.last().map_or(self.high_watermark.max(self.start), |last| last.end)
    }

    /// Appends, or finds the original of a repeated batch: base and end, or `None` when it is out of order.
    pub fn append(&mut self, producer: i64, sequence: i32, bytes: &Bytes) -> Option<(u64, u64)> {
        let count = batches::values(bytes).len() as u64;
        if producer >= 0 {
            let mine: VecDeque<&Stored> =
                self.log.iter().filter(|stored| stored.producer == producer).collect();
            if let Some(original) = mine.iter().rev().take(5).find(|stored| stored.sequence == sequence) {
                return Some((original.base, original.end));
            }
            let expected = mine.back().map_or(sequence, |last| last.sequence + (last.end - last.base) as i32);
            if expected != sequence {
                return None;
            }
        }
        let base = self.end();
        let mut patched = BytesMut::from(bytes.as_ref());
        patch_header(&mut patched, Offset(base), LogEpoch(self.epoch));
        let (end, epoch, bytes) = (base + count, self.epoch, patched.freeze());
        self.log.push(Stored { base, end, epoch, bytes, producer, sequence });
        Some((base, end))
    }

    /// A clean election: what was not replicated may be gone, nothing acknowledged is.
    pub fn elect(&mut self, lose_tail: bool) {
        self.epoch += 1;
        self.epochs_seen = self.epochs_seen.max(self.epoch);
        if lose_tail {
            self.truncate(self.high_watermark);
        }
    }

    fn truncate(&mut self, to: u64) {
        self.log.retain(|stored| stored.end <= to);
        self.high_watermark = self.high_watermark.min(to).max(self.start);
    }

    /// An unclean election: acknowledged records are gone, others come in their place.
    pub fn elect_uncleanly(&mut self) {
        let keep = self.log.len().saturating_sub(2);
        let to = self.log.get(keep).map_or(self.high_watermark, |stored| stored.base);
        if to < self.high_watermark {
            self.damaged = true;
        }
        self.elect(false);
        self.truncate(to);
    }

    pub fn recreate(&mut self, incarnation: u64) {
        let epochs_seen = self.epochs_seen;
        *self = Self { damaged: true, epochs_seen, ..Self::new(0, 0, incarnation) };
    }

    /// Where an epoch ended: the answer to `OffsetForLeaderEpoch`.
    pub fn epoch_end(&self, epoch: i32) -> u64 {
        self.log.iter().find(|stored| stored.epoch > epoch).map_or(self.end(), |stored| stored.base)
    }

    pub fn read(&self, from: u64) -> Vec<&Stored> {
        let first = self.log.partition_point(|stored| stored.end <= from);
        self.log[first..].iter().take_while(|stored| stored.end <= self.high_watermark).collect()
    }
}

/// A group's committed offsets by partition, each with its metadata.
pub type Offsets = BTreeMap<usize, (u64, u64)>;

#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The offsets log: group, partition, offset, metadata.
    pub log: Vec<(usize, usize, u64, u64)>,
    pub rebalancing: Vec<bool>,
    pub generation: Vec<i32>,
}

impl Groups {
    pub fn fold(&self, group: usize, upto: usize) -> Offsets {
        let mine = self.log[..upto.min(self.log.len())].iter().filter(|entry| entry.0 == group);
        mine.map(|&(_, partition, offset, metadata)| (partition, (offset, metadata))).collect()
    }
}

#[derive(Debug)]
pub struct Legacy {
    pub partitions: Vec<Partition>,
    pub groups: Groups,
    /// Nothing is processed before this moment (crashed or paused).
    pub down_until: u64,
    pub slow_until: u64,
    /// Changes that nobody ordered: a feed that writes would show here.
    pub foreign_writes: u64,
}
