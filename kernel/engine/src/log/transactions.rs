//! Open and aborted transactions of one log.

use std::collections::BTreeMap;

use kernel_model::position::Offset;
use kernel_model::reply::Aborted;

/// An aborted transaction in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AbortedEntry {
    pub(crate) aborted: Aborted,
    /// Every transaction that ends later began at or above this; a lookup stops here.
    pub(crate) stable: Offset,
}

/// Transactions of one log, as its batches tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Transactions {
    /// First offset of each open transaction, with its producer.
    pub(crate) open: BTreeMap<Offset, i64>,
    /// Ended, but the marker lies at or above the high watermark: first offset and the marker's offset.
    pub(crate) ending: BTreeMap<Offset, Offset>,
    /// Aborted ones by the offset of their marker, ascending.
    pub(crate) aborted: Vec<AbortedEntry>,
}

impl Transactions {
    /// A transaction of `producer_id` has begun.
    pub(crate) fn begin(&mut self, producer_id: i64, first: Offset) {
        self.open.insert(first, producer_id);
    }

    /// The marker at `last` ends the transaction that began at `first`.
    pub(crate) fn end(&mut self, producer_id: i64, first: Offset, last: Offset, abort: bool) {
        self.open.remove(&first);
        self.ending.insert(first, last);
        if abort {
            let stable = self.open.keys().next().copied().unwrap_or_else(|| last.plus(1));
            let aborted = Aborted { producer_id, first_offset: first, last_offset: last };
            self.aborted.push(AbortedEntry { aborted, stable });
        }
    }

    /// Last stable offset under the high watermark `high`: nothing at or above it is decided for readers.
    pub(crate) fn stable(&self, high: Offset) -> Offset {
        let open = self.open.keys().next().copied();
        let ending = self.ending.keys().next().copied();
        open.into_iter().chain(ending).fold(high, Offset::min)
    }

    /// The high watermark has moved: what ended below it is decided.
    pub(crate) fn release(&mut self, high: Offset) {
        self.ending.retain(|_, last| *last >= high);
    }

    /// Forgets what lies below the log's new start.
    pub(crate) fn trim(&mut self, start: Offset) {
        self.aborted.retain(|entry| entry.aborted.last_offset >= start);
    }

    /// The marker at `last` is gone, and with it all that an aborted transaction had written.
    pub(crate) fn forget(&mut self, last: Offset) {
        if let Ok(at) = self.aborted.binary_search_by_key(&last, |entry| entry.aborted.last_offset) {
            self.aborted.remove(at);
        }
    }

    /// Aborted transactions that overlap `from..to`.
    pub(crate) fn aborted_in(&self, from: Offset, to: Offset) -> Vec<Aborted> {
        let first = self.aborted.partition_point(|entry| entry.aborted.last_offset < from);
        let mut found = Vec::new();
        for entry in self.aborted.iter().skip(first) {
            if entry.aborted.first_offset < to {
                found.push(entry.aborted);
            }
            if entry.stable >= to {
                break;
            }
        }
        found
    }
}
