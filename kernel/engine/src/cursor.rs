//! Cursors: who holds which entries of a view, until when, and how often each was delivered.
//!
//! ```text
//!            lease                      acknowledge
//! available ───────► leased until … ───────────────► gone
//!     ▲                  │
//!     └── lease over, released, cursor deleted
//! ```
//!
//! Cursors of one view compete: an entry is leased to one of them at a time. A lease ends by the wall clock
//! that is handed in; that it has ended is judged when entries are wanted, so nothing has to be written.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::position::{CursorId, ViewId};

/// State of one cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) view: ViewId,
}

/// One lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) cursor: CursorId,
    pub(crate) until_ms: i64,
}

/// What has been delivered of one view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Entries from here on were never leased.
    pub(crate) fresh: u64,
    /// Below `fresh`, live and not leased.
    pub(crate) returned: BTreeSet<u64>,
    pub(crate) leased: BTreeMap<u64, Lease>,
    by_end: BTreeSet<(i64, u64)>,
    /// How often a live entry was delivered, where that is not 0.
    pub(crate) counts: BTreeMap<u64, u32>,
}

impl Deliveries {
    /// Leases an entry and counts the delivery. `live_between` lists live entries of the view in a range: those
    /// that are skipped stay available.
    pub(crate) fn lease(&mut self, entry: u64, lease: Lease, skipped: impl Iterator<Item = u64>) {
        self.unlease(entry);
        if entry >= self.fresh {
            self.returned.extend(skipped.take_while(|&at| at < entry));
            self.fresh = entry + 1;
        }
        self.returned.remove(&entry);
        self.leased.insert(entry, lease);
        self.by_end.insert((lease.until_ms, entry));
        let count = self.counts.entry(entry).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Gives an entry back, if `cursor` holds it.
    pub(crate) fn release(&mut self, cursor: CursorId, entry: u64) {
        if self.leased.get(&entry).is_some_and(|lease| lease.cursor == cursor) {
            self.unlease(entry);
            self.returned.insert(entry);
        }
    }

    /// Gives back all that `cursor` holds.
    pub(crate) fn release_all(&mut self, cursor: CursorId) {
        let held: Vec<u64> =
            self.leased.iter().filter(|(_, lease)| lease.cursor == cursor).map(|(&at, _)| at).collect();
        for entry in held {
            self.release(cursor, entry);
        }
    }

    /// The entry is gone.
    pub(crate) fn acked(&mut self, entry: u64) {
        self.unlease(entry);
        self.returned.remove(&entry);
        self.counts.remove(&entry);
    }

    fn unlease(&mut self, entry: u64) {
        if let Some(lease) = self.leased.remove(&entry) {
            self.by_end.remove(&(lease.until_ms, entry));
        }
    }

    /// Puts back a lease of a checkpoint, which does not count as a delivery.
    pub(crate) fn restore_lease(&mut self, entry: u64, lease: Lease) {
        self.leased.insert(entry, lease);
        self.by_end.insert((lease.until_ms, entry));
    }

    /// Entries below `fresh` that can be leased at `wall_ms`, lowest first: given back, or their lease is over.
    pub(crate) fn available(&self, wall_ms: i64, max: usize) -> BTreeSet<u64> {
        let ended = self.by_end.iter().take_while(|(until_ms, _)| *until_ms <= wall_ms);
        let over = ended.map(|&(_, entry)| entry).take(max);
        let mut found: BTreeSet<u64> = over.chain(self.returned.iter().copied().take(max)).collect();
        while found.len() > max {
            found.pop_last();
        }
        found
    }

    /// Whether an entry is leased at `wall_ms` to another cursor than `cursor`.
    pub(crate) fn is_held_by_other(&self, entry: u64, cursor: CursorId, wall_ms: i64) -> bool {
        self.leased.get(&entry).is_some_and(|lease| lease.cursor != cursor && lease.until_ms > wall_ms)
    }

    /// Whether both orders of the leases hold the same.
    pub(crate) fn is_consistent(&self) -> bool {
        self.by_end.len() == self.leased.len()
            && self.leased.iter().all(|(entry, lease)| self.by_end.contains(&(lease.until_ms, *entry)))
    }

    /// How often an entry was delivered.
    pub(crate) fn count(&self, entry: u64) -> u32 {
        self.counts.get(&entry).copied().unwrap_or(0)
    }
}
